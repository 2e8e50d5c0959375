"""What a subscriber wants to hear of: topics with wildcards, and conditions on facts that are data, never code. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue

Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains"]


class Condition(BaseModel):
    """Something that has to be so in the facts of what is published: `Condition(field="price", operator="<", value=40)`.

    Args:
        field: the name of a fact.
        operator: how it stands to the value. Only numbers are compared with numbers by order, and texts with texts. "in": it
            is one of the values of a list; "contains": it is a list, or a text, in which the value is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    operator: Operator
    value: JsonValue

    def holds(self, facts: Mapping[str, JsonValue]) -> bool:
        """Whether it is so; it is not where there is no such fact, or it cannot be compared."""
        if self.field not in facts:
            return False
        found, value = facts[self.field], self.value
        match self.operator:
            case "=":
                return _same(found, value)
            case "!=":
                return not _same(found, value)
            case "in":
                return isinstance(value, list) and any(_same(found, each) for each in value)
            case "contains":
                if isinstance(found, str):
                    return isinstance(value, str) and value in found
                return isinstance(found, list) and any(_same(each, value) for each in found)
            case "<" | "<=" | ">" | ">=":
                return _stands(found, self.operator, value)


def _same(one: JsonValue, other: JsonValue) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _stands(found: JsonValue, operator: str, value: JsonValue) -> bool:
    if isinstance(found, str) and isinstance(value, str):
        less, equal = found < value, found == value
    elif _is_number(found) and _is_number(value):
        assert isinstance(found, (int, float))
        assert isinstance(value, (int, float))
        less, equal = found < value, found == value
    else:
        return False
    if equal:
        return operator in ("<=", ">=")
    return less == operator.startswith("<")


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_pattern(pattern: str) -> str:
    levels = pattern.split("/")
    if any(level != "#" and "#" in level for level in levels) or "#" in levels[:-1]:
        raise ValueError("# stands alone and last, for all levels from there on: write harbour/#")
    if any(level != "+" and "+" in level for level in levels):
        raise ValueError("+ stands alone, for any one level: write harbour/+/depth")
    if not pattern:
        raise ValueError("an empty topic fits nothing; write # for all topics")
    return pattern


def _check_topic(topic: str) -> str:
    if not topic or "#" in topic or "+" in topic:
        raise ValueError(f"{topic!r} is no topic to publish on; name one without # and +")
    return topic


Topic: TypeAlias = Annotated[str, AfterValidator(_check_topic)]
"""What something is about: levels with "/" between them, "harbour/north/depth"."""

Pattern: TypeAlias = Annotated[str, AfterValidator(_check_pattern)]
"""Topics: "+" stands for any one level, "#" at the end for any number of levels, none too.

Source: OASIS 2019, MQTT 5.0, section 4.7.
"""


def fits(pattern: str, topic: str) -> bool:
    """Whether a topic is one of a pattern's."""
    wanted, found = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        found = found[: len(wanted)]
    return len(wanted) == len(found) and all(want in ("+", level) for want, level in zip(wanted, found, strict=True))
