"""A schema narrowed for the decoder lets through only what the schema itself allows."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.chat import Tool
from llm_net.llm.calling import calls
from llm_net.llm.grammar import compact, narrow
from llm_net.llm.schema import BadSchema, problems, sample

numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "integer"])},
    optional={
        "minimum": st.sampled_from([-3, 0, 0.001, 10.5]),
        "exclusiveMaximum": st.sampled_from([11, 12.25, 40, 1000]),
        "multipleOf": st.sampled_from([0.25, 3, 50]),
    },
)


@given(numbers, st.integers(0, 3))
def test_every_number_that_is_let_through_is_allowed(schema: dict[str, object], seed: int) -> None:
    narrowed = narrow(schema)

    assert isinstance(narrowed, dict)
    if narrowed != schema:  # else nothing could be narrowed, and the answer is checked afterwards
        try:
            value = sample(narrowed, Random(seed))
        except BadSchema:
            return  # no whole number lies between the bounds, so nothing is let through
        assert not problems(schema, value)


def test_a_close_range_becomes_a_grid_and_a_wide_one_whole_numbers() -> None:
    grid = narrow({"type": "number", "minimum": 0, "maximum": 1})

    assert isinstance(grid, dict)
    assert grid["enum"] == [0, *(round(n / 100, 2) for n in range(1, 100)), 1]
    assert narrow({"type": "number", "minimum": 10.5, "exclusiveMaximum": 800}) == {
        "type": "integer",
        "minimum": 11,
        "maximum": 799,
    }


def test_a_number_that_may_be_null_is_narrowed_too() -> None:
    assert narrow({"type": ["integer", "null"], "minimum": 1.5}) == {
        "anyOf": [{"type": "integer", "minimum": 2}, {"type": "null", "minimum": 1.5}]
    }


@pytest.mark.parametrize(
    ("pattern", "readable"),
    [
        (r"^[A-Z]{3}-\d+$", "^[A-Z]{3}-[0-9]+$"),
        (r"^[\w-]+$", "^[A-Za-z0-9_-]+$"),
        (r"^(a|b)\.$", r"^(a|b)\.$"),
        ("unanchored", None),
        (r"^(?!x).*$", None),
        (r"^\bword$", None),
    ],
)
def test_a_pattern_is_put_in_the_words_of_the_decoder_or_left_to_the_check(pattern: str, readable: str | None) -> None:
    narrowed = narrow({"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}})

    assert isinstance(narrowed, dict)
    assert narrowed["properties"]["a"].get("pattern") == readable


def test_a_compact_grammar_closes_objects_and_keeps_what_an_answer_is_made_of() -> None:
    schema = {
        "type": "object",
        "title": "Offer",
        "properties": {
            "to": {"type": "string", "enum": ["anna", "bob", 3], "description": "Who gets it"},
            "price": {"$ref": "#/$defs/Price"},
            "notes": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 2},
            "kind": {"const": "offer"},
        },
        "required": ["to", "price"],
        "$defs": {"Price": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}]}},
    }

    grammar = compact(schema)

    assert grammar is not None
    head, _, said = grammar.partition("start: %json ")
    assert head == "%llguidance {}\n"
    assert json.loads(said) == {
        "$defs": schema["$defs"],
        "type": "object",
        "properties": {
            "to": {"enum": ["anna", "bob"]},
            "price": {"$ref": "#/$defs/Price"},
            "notes": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 2},
            "kind": {"enum": ["offer"]},
        },
        "required": ["to", "price"],
        "additionalProperties": False,
        "x-guidance": {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "},
    }


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": "banana"},
        {"type": "string", "pattern": "^a+$"},
        {"type": "string", "maxLength": 100_000},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "integer", "minimum": 0.5},
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "banana"}}},
        {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["b"]},
        {"type": "array"},
        {"enum": []},
        {"enum": ["half a character \ud800"]},
        {"enum": ["a"], "type": "integer"},
        {"anyOf": [{"type": "null"}, {"not": {}}]},
        {"$ref": "#/$defs/Gone"},
        {"type": "null", "$defs": {"Odd": {"if": {}}}},
    ],
)
def test_what_may_not_be_understood_has_no_compact_grammar(schema: object) -> None:
    assert compact(schema) is None


def test_references_of_a_tool_follow_it_into_the_call() -> None:
    tree = {"type": "object", "properties": {"kid": {"$ref": "#/$defs/Kid"}}, "required": ["kid"]}
    tree["$defs"] = {"Kid": {"enum": ["anna", "bob"]}}
    schema = calls([Tool("first", "", {"type": "object"}), Tool("second", "", tree)], "say")

    assert not problems(schema, {"tool": "second", "arguments": {"kid": "bob"}})
    assert not problems(schema, {"tool": "say", "arguments": {"text": "hello"}})
    assert problems(schema, {"tool": "second", "arguments": {"kid": "eve"}})
    assert problems(schema, {"tool": "third", "arguments": {}})
