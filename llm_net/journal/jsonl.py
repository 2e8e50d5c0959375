"""Records as JSON: an object for each, with what they hold as JSON too. Knows no journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Final, cast

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from llm_net.journal.said import Said
from llm_net.record import Fact

_NAMES: Final[dict[type, tuple[str, ...]]] = {}


def json_of(fact: Fact) -> dict[str, JsonValue]:
    """The fields of a fact by their names, after its kind under "fact"; bytes, which are JSON, as what they say."""
    return {"fact": type(fact).__name__.lower(), **_fields(fact)}


def line_of(fact: Fact) -> str:
    """The same as one line of text."""
    return to_json(json_of(fact)).decode()


def plain(value: object) -> JsonValue:
    """What a record holds, or one of several inside of each other."""
    match value:
        case bytes():
            return cast(JsonValue, from_json(value)) if value else None
        case Decimal():
            return str(value)
        case list() | tuple():
            return [plain(item) for item in value]
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case Said():
            return _fields(value.sent)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _fields(value)
        case _:
            return cast(JsonValue, value)


def _fields(record: object) -> dict[str, JsonValue]:
    kind = type(record)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(field.name for field in fields(kind))  # type: ignore[arg-type]  # one of ours
    return {name: plain(getattr(record, name)) for name in names}
