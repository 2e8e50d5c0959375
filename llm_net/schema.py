"""JSON Schema as models want it: function declarations, in the strict dialect where it can say the same. Knows no message."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import TypeAlias, TypedDict

from pydantic import JsonValue

JsonSchema: TypeAlias = dict[str, JsonValue]

STRICT_KEYWORDS = frozenset((
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs",
    "description", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
    "maxItems",
))  # fmt: skip
"""What strict mode takes. Source: OpenAI, "Structured model outputs: supported schemas" (2025). Whatever else a schema
says is left out of the declaration and still checked when the arguments come back."""


class Function(TypedDict):
    """The declaration of a function that a model may call: what goes under `function` in a chat endpoint's `tools`."""

    name: str
    description: str
    parameters: JsonSchema
    strict: bool


def function(name: str, description: str, schema: Mapping[str, JsonValue], *, omit: Collection[str] = ()) -> Function:
    """Declare a function whose arguments are an object of this schema.

    Args:
        name: 1 to 64 letters, digits, `_` or `-`.
        description: tells the model what it is for.
        schema: an object schema as pydantic writes it.
        omit: properties that the model does not write.

    Returns:
        A strict declaration where strict mode can express the schema (every property required, a property with a default
        may be null), else the same without the promise.
    """
    kept = unrolled(schema)
    properties = kept.get("properties", {})
    assert isinstance(properties, dict)
    kept["properties"] = {key: value for key, value in properties.items() if key not in omit}
    required = kept.get("required", [])
    assert isinstance(required, list)
    kept["required"] = [key for key in required if key not in omit]
    _drop_unused_definitions(kept)
    parameters = _strict(kept)
    if isinstance(parameters, dict):
        return Function(name=name, description=description, parameters=parameters, strict=True)
    loose = {key: value for key, value in kept.items() if key not in ("title", "description")}
    loose["additionalProperties"] = False
    return Function(name=name, description=description, parameters=loose, strict=False)


def unrolled(schema: Mapping[str, JsonValue]) -> JsonSchema:
    """A copy with the object itself at the top, where pydantic has but a reference if a class holds its own kind."""
    match schema:
        case {"$ref": str(reference), "$defs": dict(definitions)}:
            held = definitions[reference.rpartition("/")[2]]
            assert isinstance(held, dict)
            return {**deepcopy(held), "$defs": definitions}
        case _:
            return dict(schema)


def _drop_unused_definitions(schema: JsonSchema) -> None:
    definitions = schema.pop("$defs", None)
    if not isinstance(definitions, dict):
        return
    used: dict[str, JsonValue] = {}
    pending: list[JsonValue] = [schema]
    while pending:
        match pending.pop():
            case {"$ref": str(reference)} if (name := reference.rpartition("/")[2]) not in used:
                used[name] = definitions[name]
                pending.append(definitions[name])
            case dict(node):
                pending.extend(node.values())
            case list(items):
                pending.extend(items)
            case _:
                pass
    if used:
        schema["$defs"] = {name: definitions[name] for name in definitions if name in used}


def _strict(schema: JsonValue) -> JsonSchema | None:
    """The schema in strict form, or None where strict mode cannot say it (free-form objects, tuples, anything-goes)."""
    if not isinstance(schema, dict):
        return None
    node = {("anyOf" if key == "oneOf" else key): value for key, value in schema.items()}
    strict: JsonSchema = {key: value for key, value in node.items() if key in STRICT_KEYWORDS}
    if "$ref" in strict:
        return {"$ref": strict["$ref"]}
    if not strict.keys() & {"type", "anyOf", "enum", "const"} or "prefixItems" in node or "allOf" in node:
        return None
    if isinstance(branches := strict.get("anyOf"), list):
        strict_branches = [strict_branch for branch in branches if (strict_branch := _strict(branch)) is not None]
        if len(strict_branches) < len(branches):
            return None
        strict["anyOf"] = [*strict_branches]
    if "items" in strict and (items := _strict(strict["items"])) is not None:
        strict["items"] = items
    elif strict.get("type") == "array":
        return None
    if isinstance(definitions := strict.get("$defs"), dict):
        strict_definitions: JsonSchema = {}
        for name, definition in definitions.items():
            if (strict_definition := _strict(definition)) is None:
                return None
            strict_definitions[name] = strict_definition
        strict["$defs"] = strict_definitions
    if strict.get("type") == "object":
        properties = strict.get("properties")
        if not isinstance(properties, dict) or strict.get("additionalProperties", False) is not False:
            return None
        required = strict.get("required", [])
        assert isinstance(required, list)
        strict_properties: JsonSchema = {}
        for name, value in properties.items():
            if (strict_value := _strict(value)) is None:
                return None
            strict_properties[name] = strict_value if name in required else nullable(strict_value)
        strict["properties"] = strict_properties
        strict["required"] = list(strict_properties)
        strict["additionalProperties"] = False
    return strict


def nullable(schema: JsonSchema) -> JsonSchema:
    """The schema, or null."""
    null: JsonSchema = {"type": "null"}
    match schema:
        case {"anyOf": list(branches)}:
            return schema if null in branches else {**schema, "anyOf": [*branches, null]}
        case {"type": list(kinds)} if "null" in kinds:
            return schema
        case {"type": str(kind), **rest} if "enum" not in rest and "const" not in rest:
            return {**schema, "type": [kind, "null"]}
        case _:
            return {"anyOf": [schema, null]}
