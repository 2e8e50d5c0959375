"""Facts as JSON: one object for each, with what they hold as JSON too. Knows no journal."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Final, cast

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from llm_net.record import Fact, State

_NAMES: Final[dict[type, tuple[str, ...]]] = {}


def json_of(fact: Fact) -> dict[str, JsonValue]:
    """The fields of a fact by their names, after its kind under "fact"; bytes, which are JSON, as what they say."""
    return {"fact": type(fact).__name__.lower(), **_fields(fact)}


def line_of(fact: Fact) -> str:
    """The same as one line of text."""
    return to_json(json_of(fact)).decode()


def _fields(record: Fact | State) -> dict[str, JsonValue]:
    kind = type(record)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(field.name for field in fields(record))
    return {name: _plain(getattr(record, name)) for name in names}


def _plain(value: object) -> JsonValue:
    match value:
        case bytes():
            return cast(JsonValue, from_json(value)) if value else None
        case Decimal():
            return str(value)
        case tuple():
            return [_fields(state) for state in cast("tuple[State, ...]", value)]
        case _:
            return cast(JsonValue, value)
