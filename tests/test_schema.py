"""Function declarations: strict where strict mode can say it, valid everywhere."""

import copy
from enum import Enum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, Field, JsonValue, create_model

from llm_net.schema import STRICT_KEYWORDS, JsonSchema, function, nullable, unrolled


def declared(schema: dict[str, Any], **options: Any) -> dict[str, Any]:
    return dict(function("f", "does it", schema, **options))


class Leaf(BaseModel):
    text: str = ""


class Tree(BaseModel):
    leaf: Leaf
    more: list["Tree"] = Field(default=[])


class Pet(BaseModel):
    name: str
    age: int | None = None


def test_a_plain_object_is_strict() -> None:
    assert declared(Pet.model_json_schema()) == {
        "name": "f",
        "description": "does it",
        "parameters": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
        "strict": True,
    }


def test_no_parameters_are_strict_too() -> None:
    assert declared({"type": "object", "properties": {}})["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "additionalProperties": True, "properties": {}},
        {},
        {"type": "array"},
        {"type": "array", "items": {}},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"anyOf": [{"type": "string"}, {}]},
        {"allOf": [{"type": "string"}], "type": "string"},
        True,
    ],
)
def test_what_strict_mode_cannot_say_is_declared_loosely(schema: JsonValue) -> None:
    found = declared(
        {"type": "object", "properties": {"x": schema, "y": {"type": "string"}}, "required": ["y"], "title": "T"}
    )

    assert found["strict"] is False
    assert found["parameters"]["properties"]["x"] == schema
    assert found["parameters"]["additionalProperties"] is False
    assert found["parameters"]["required"] == ["y"]
    assert "title" not in found["parameters"]


def test_left_out_properties_take_their_definitions_with_them() -> None:
    schema = create_model("Both", leaf=(Leaf, ...), pet=(Pet, ...)).model_json_schema()

    parameters = declared(schema, omit={"leaf"})["parameters"]

    assert list(parameters["properties"]) == ["pet"]
    assert list(parameters["$defs"]) == ["Pet"]
    assert parameters["required"] == ["pet"]


def test_a_class_that_holds_its_own_kind_is_an_object_at_the_top() -> None:
    parameters = declared(Tree.model_json_schema())["parameters"]

    assert parameters["type"] == "object"
    assert parameters["properties"]["more"] == {"type": ["array", "null"], "items": {"$ref": "#/$defs/Tree"}}
    assert set(parameters["$defs"]) == {"Leaf", "Tree"}


def test_what_is_given_is_not_changed() -> None:
    schema = Tree.model_json_schema()
    before = copy.deepcopy(schema)

    declared(schema, omit={"leaf"})
    unrolled(schema)["properties"]["leaf"] = None  # type: ignore[index,call-overload]  # it is an object

    assert schema == before


def test_only_keywords_of_strict_mode_are_left() -> None:
    schema = {
        "type": "object",
        "properties": {
            "x": {"type": "string", "minLength": 1, "title": "X", "default": "y", "examples": ["z"], "pattern": "a+"},
            "n": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["x", "n"],
    }

    properties = declared(schema)["parameters"]["properties"]

    assert properties["x"] == {"type": "string", "pattern": "a+"}
    assert properties["n"] == {"type": "integer", "minimum": 1, "maximum": 9}
    assert {"minLength", "default", "title"}.isdisjoint(STRICT_KEYWORDS)


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "default": {"type": "integer"}},
        "required": ["title"],
    }

    assert list(declared(schema)["parameters"]["properties"]) == ["title", "default"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": ["string", "integer"]}, {"type": "null"}]}),
        ({"type": "string", "enum": ["a"]}, {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
        ({"const": 1}, {"anyOf": [{"const": 1}, {"type": "null"}]}),
        ({"$ref": "#/$defs/X"}, {"anyOf": [{"$ref": "#/$defs/X"}, {"type": "null"}]}),
        ({"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"anyOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
    ],
)
def test_a_schema_or_null(schema: JsonSchema, expected: JsonSchema) -> None:
    assert nullable(schema) == expected
    assert nullable(nullable(schema)) == expected


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


WRITTEN: list[tuple[object, JsonValue]] = [
    (int, 1),
    (float, 1.5),
    (bool, True),
    (str, "words"),
    (int | None, None),
    (list[int], [1, 2]),
    (list[list[str]], [["a"], []]),
    (int | str, "a"),
    (list[int | None], [None]),
    (Literal["a", "b"], "b"),
    (Colour, "blue"),
    (Leaf, {"text": None}),
    (Leaf | Pet, {"name": "Rex", "age": None}),
    (Tree, {"leaf": {"text": "a"}, "more": [{"leaf": {"text": "b"}, "more": None}]}),
    (Annotated[int, Field(ge=1, le=9)], 9),
    (Annotated[list[int], Field(max_length=2)], [1, 2]),
]


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(("type_", "value"), WRITTEN)
def test_a_strict_declaration_takes_what_the_class_takes_and_null_for_the_default(
    type_: object, value: JsonValue, required: bool
) -> None:
    fields: dict[str, Any] = {"x": (type_, ... if required else None)}
    found = declared(create_model("Kind", **fields).model_json_schema())
    checker = jsonschema.Draft202012Validator(found["parameters"])

    checker.check_schema(found["parameters"])
    assert found["strict"]
    assert checker.is_valid({"x": value})
    assert checker.is_valid({"x": None}) == (not required or type_ == int | None)
    assert not checker.is_valid({})
    assert not checker.is_valid({"x": value, "y": 1})
