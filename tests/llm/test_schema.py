"""Our reading of JSON Schema against the reference implementation, and the values that are made up."""

from __future__ import annotations

import json
from random import Random
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llm_net.llm.schema import BadSchema, Json, parse_problems, problems, sample

scalars = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.0, 0.5, 1.0, 2.5]) | st.text("ab", max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
Rules: TypeAlias = dict[str, object]
LEAVES: list[Rules] = [
    {},
    {"type": "null"},
    {"type": "boolean"},
    {"type": "integer", "minimum": -2, "maximum": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 3},
    {"type": ["string", "null"], "maxLength": 2},
    {"type": "string", "pattern": "^a"},
    {"type": "integer", "multipleOf": 3},
    {"enum": [1, "a", True, None]},
    {"const": {"a": [1]}},
    {"$ref": "#/$defs/Small"},
    {"minLength": 1, "maximum": 4, "minItems": 1},
]
schemas: st.SearchStrategy[Rules] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.builds(lambda item: {"type": "array", "items": item, "maxItems": 2}, inner),
        st.builds(lambda item: {"type": "array", "prefixItems": [item], "items": False, "uniqueItems": True}, inner),
        st.builds(lambda item: {"contains": item, "maxContains": 1}, inner),
        st.builds(
            lambda a, b: {
                "type": "object",
                "properties": {"a": a, "b": b},
                "required": ["a"],
                "additionalProperties": False,
            },
            inner,
            inner,
        ),
        st.builds(lambda a, b: {"patternProperties": {"^[ab]": a}, "additionalProperties": b}, inner, inner),
        st.builds(lambda a, b, key: {key: [a, b]}, inner, inner, st.sampled_from(["anyOf", "oneOf", "allOf"])),
        st.builds(lambda item: {"not": item}, inner),
        st.builds(lambda item: {"propertyNames": item, "minProperties": 1}, inner),
    ),
    max_leaves=5,
)


def with_definitions(schema: Rules) -> Rules:
    return {**schema, "$defs": {"Small": {"type": "integer", "maximum": 3}}}


def is_valid(schema: Rules, value: Json) -> bool:
    return Draft202012Validator(schema).is_valid(value)


@settings(max_examples=300)
@given(schemas.map(with_definitions), values)
def test_it_says_what_the_reference_implementation_says(schema: Rules, value: Json) -> None:
    assert (not problems(schema, value)) == is_valid(schema, value)


@settings(max_examples=200)
@given(schemas.map(with_definitions), st.integers(0, 3))
def test_what_is_made_up_is_valid(schema: dict[str, object], seed: int) -> None:
    try:
        value = sample(schema, Random(seed))
    except BadSchema:
        return  # it says that it cannot, which it may

    assert is_valid(schema, value)


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"price": {"type": "number", "minimum": 0, "maximum": 80}},
            "required": ["price"],
        },
        {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 5}, "minItems": 3, "uniqueItems": True},
        {"anyOf": [{"type": "string", "pattern": "^z{9}$"}, {"type": "integer", "exclusiveMinimum": 3, "maximum": 4}]},
        {"type": "string", "minLength": 70, "maxLength": 71},
        {"type": "integer", "multipleOf": 7, "minimum": 10, "maximum": 15},
        {"$ref": "#/$defs/Tree", "$defs": {"Tree": {"properties": {"kids": {"items": {"$ref": "#/$defs/Tree"}}}}}},
        {"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"required": ["b"]}], "type": "object"},
    ],
)
def test_a_value_can_be_made_up_for(schema: dict[str, object]) -> None:
    for seed in range(20):
        assert not problems(schema, sample(schema, Random(seed)))


def test_the_same_chance_makes_up_the_same_value() -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 5}

    made: list[Json] = [sample(schema, Random(7)) for _ in range(2)]
    assert made[0] == made[1] != sample(schema, Random(8))


def test_a_problem_names_the_place_and_what_is_wrong_there() -> None:
    schema = {
        "type": "object",
        "properties": {"bids": {"type": "array", "items": {"type": "object", "properties": {"price": {"maximum": 9}}}}},
        "required": ["to"],
        "additionalProperties": False,
    }

    assert problems(schema, {"bids": [{"price": 10}], "note": 1}) == [
        "the value lacks 'to'",
        "bids[0].price is 10, more than 9",
        "note is not allowed",
    ]


def test_text_that_is_no_json_is_a_problem_not_an_error() -> None:
    assert parse_problems({}, '{"a": ')[0].startswith("it is not JSON")
    assert parse_problems({}, "[" * 100_000)[0].startswith("it is not JSON")
    assert parse_problems({"type": "integer"}, "3") == []


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        ({"type": "banana"}, 1, "'banana' is not a type"),
        ({"$ref": "#/$defs/Nothing"}, 1, "points to nothing"),
        ({"$ref": "https://example.org/schema"}, 1, "leaves the schema"),
        ({"$ref": "#"}, 1, "never ends"),
        ({"properties": 3}, {"a": 1}, "3 is not an object"),
        ({"anyOf": {"type": "null"}}, 1, "is not a list"),
        ({"items": "x"}, [1], "is not a schema"),
        ({"maxLength": "x"}, "text", "'x' is not a number"),
        ({"pattern": "("}, "text", "cannot be read"),
    ],
)
def test_a_schema_that_cannot_be_read_is_an_error(schema: Rules, value: object, sentence: str) -> None:
    with pytest.raises(BadSchema, match=sentence):
        problems(schema, value)


def test_a_value_nested_ten_thousand_deep_is_refused_with_a_sentence() -> None:
    value: object = json.loads("[" * 900 + "]" * 900)
    for _ in range(9100):
        value = [value]

    with pytest.raises(BadSchema, match="nested too deeply"):
        problems({"$defs": {"Tree": {"items": {"$ref": "#/$defs/Tree"}}}, "$ref": "#/$defs/Tree"}, value)


def test_what_cannot_be_made_up_is_said() -> None:
    with pytest.raises(BadSchema, match="does not match"):
        sample({"type": "string", "pattern": "^z{9}$"}, Random(0))
    with pytest.raises(BadSchema, match="never ends"):
        sample({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, Random(0))
