"""What can be agreed on: a value for each issue. Knows nobody who wants any of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema

from llm_net.message import Message
from llm_net.protocols.outcome import Outcome
from llm_net.schema import JsonSchema


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """These values. Raises ValueError where one is there twice."""
    if len(set(values)) < len(values):
        raise ValueError("each value is there once; leave out what is there twice")
    return values


Issues: TypeAlias = Annotated[
    Mapping[str, Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]], Field(min_length=1)
]
"""What has to be agreed on, and for each issue the values that it may have."""

Deal: TypeAlias = Mapping[str, str]
"""A value for each issue."""

Points: TypeAlias = Annotated[
    Decimal,
    Field(ge=-(10**9), le=10**9, decimal_places=30, allow_inf_nan=False),
    WithJsonSchema({"type": "number"}),
]
"""What something is worth to a party, in a unit of its own. Exact, so that what ties, ties for everybody; within bounds, so
that one number cannot take up all memory."""

Valuation: TypeAlias = Mapping[str, Mapping[str, Points]]
"""Of each issue, what each of its values is worth to a party; a deal is worth the sum."""


NONE: Final = "no agreement"
"""What an agreement says where there is none."""


class Negotiation(Message):
    """Come to an agreement on some issues."""

    issues: Issues


class Agreement(Outcome):
    """What the parties agreed on.

    Args:
        deal: None where they did not agree.
        round: in which they came to an end.
    """

    deal: Deal | None = None
    round: int = 1


def deals(issues: Issues) -> tuple[Deal, ...]:
    """All that can be agreed on, the first values first. As many as the numbers of values multiplied."""
    return tuple(dict(zip(issues, values, strict=True)) for values in product(*issues.values()))


def as_words(deal: Deal) -> str:
    """`price 5, paint red`"""
    return ", ".join(f"{issue} {value}" for issue, value in deal.items())


def schema_of(issues: Issues) -> JsonSchema:
    """What a deal looks like: an object with one of its values for each issue."""
    return {
        "type": "object",
        "properties": {issue: {"type": "string", "enum": [*values]} for issue, values in issues.items()},
        "required": [*issues],
        "additionalProperties": False,
    }


def problem_of(deal: Deal, issues: Issues) -> str | None:
    """What is wrong with a deal, in a sentence that says how to mend it; None if nothing is."""
    if unknown := [issue for issue in deal if issue not in issues]:
        return f"There is no issue {unknown[0]!r}; there is {', '.join(issues)}."
    for issue, values in issues.items():
        if deal.get(issue) not in values:
            return f"{issue} must be one of {', '.join(values)}."
    return None
