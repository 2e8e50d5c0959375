"""JSON Schema (2020-12): which rules a value breaks, and a value that breaks none.

Knows no model. Covers what tools and answers use; `format`, `unevaluated…`, `dependent…`, `if` and remote references
are not looked at. Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import TypeAlias, cast
from urllib.parse import unquote

Schema: TypeAlias = Mapping[str, object] | bool
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_DEEPEST = 12
_WORDS = ("amber", "brook", "cedar", "dawn", "ember", "fern", "grove", "iris", "kite", "lark", "maple", "opal", "pine")


class BadSchema(ValueError):
    """A schema that cannot be used; the sentence says where and why."""


# ---------------------------------------------------------------------------------------------- reading


def problems(schema: Schema, value: object) -> list[str]:
    """Say which rules of a schema a value breaks.

    Args:
        schema: the rules; references are looked up in it.
        value: what `json.loads` gives.

    Returns:
        One sentence for each rule broken, with the path of the culprit; empty for a valid value.

    Raises:
        BadSchema: the schema itself cannot be read.
    """
    try:
        return list(_problems(schema, value, "", schema))
    except RecursionError:
        raise BadSchema("it never ends: it refers to itself, or the value is nested too deeply") from None


def parse_problems(schema: Schema, text: str) -> list[str]:
    """Like `problems`, for a value that is still JSON text."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        return [f"it is not JSON: {error}"]
    return problems(schema, value)


def resolve(reference: object, root: Schema) -> Schema:
    """Give the part of a schema that a local reference such as `#/$defs/Bid` points to."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise BadSchema(f"reference {reference!r} leaves the schema; define it under $defs")
    place: object = root
    steps = [unquote(step).replace("~1", "/").replace("~0", "~") for step in reference[1:].split("/")[1:]]
    for step in steps:
        if isinstance(place, Mapping) and step in place:
            place = place[step]
        elif isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        else:
            raise BadSchema(f"reference {reference!r} points to nothing; define it under $defs")
    return _schema(place)


def _schema(value: object) -> Schema:
    if isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return cast(Schema, value)
    raise BadSchema(f"{value!r} is not a schema; a schema is an object")


def _schemas(value: object) -> list[Schema]:
    return [_schema(item) for item in _sequence(value)]


def _sequence(value: object) -> Sequence[object]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return cast(Sequence[object], value)
    raise BadSchema(f"{value!r} is not a list")


def _mapping(value: object) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return cast(Mapping[str, object], value)
    raise BadSchema(f"{value!r} is not an object")


def _number(value: object) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise BadSchema(f"{value!r} is not a number")


def _is(kind: object, value: object) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            raise BadSchema(
                f"{kind!r} is not a type; it is one of null, boolean, integer, number, string, array, object"
            )


def _types(rules: Mapping[str, object]) -> list[object]:
    kind = rules.get("type")
    return [] if kind is None else [kind] if isinstance(kind, str) else list(_sequence(kind))


def _same(one: object, other: object) -> bool:
    """JSON equality: 1 is 1.0 but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


# ---------------------------------------------------------------------------------------------- checking


def _problems(schema: Schema, value: object, at: str, root: Schema) -> Iterator[str]:
    where = at or "the value"
    if isinstance(schema, bool):
        if not schema:
            yield f"{where} is not allowed"
        return
    if "$ref" in schema:
        yield from _problems(resolve(schema["$ref"], root), value, at, root)
    if (kinds := _types(schema)) and not any(_is(kind, value) for kind in kinds):
        yield f"{where} is {_show(value)}, not of type {' or '.join(map(str, kinds))}"
        return
    if "const" in schema and not _same(schema["const"], value):
        yield f"{where} is {_show(value)}, not {_show(schema['const'])}"
    if "enum" in schema and not any(_same(choice, value) for choice in _sequence(schema["enum"])):
        yield f"{where} is {_show(value)}, not one of {_show(schema['enum'])}"
    for part in _schemas(schema.get("allOf", ())):
        yield from _problems(part, value, at, root)
    if "anyOf" in schema and not _matching(schema["anyOf"], value, at, root):
        yield f"{where} is {_show(value)}, which fits none of anyOf"
    if "oneOf" in schema and (count := _matching(schema["oneOf"], value, at, root)) != 1:
        yield f"{where} is {_show(value)}, which fits {count} of oneOf"
    if "not" in schema and not any(_problems(_schema(schema["not"]), value, at, root)):
        yield f"{where} is {_show(value)}, which is ruled out"
    if isinstance(value, str):
        yield from _string(schema, value, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _numeric(schema, value, where)
    elif isinstance(value, list):
        yield from _array(schema, cast(list[object], value), at, root)
    elif isinstance(value, dict):
        yield from _object(schema, cast(dict[str, object], value), at, root)


def _matching(parts: object, value: object, at: str, root: Schema) -> int:
    return sum(not any(_problems(part, value, at, root)) for part in _schemas(parts))


def _string(rules: Mapping[str, object], value: str, where: str) -> Iterator[str]:
    yield from _size(rules, len(value), "Length", where, "characters")
    if "pattern" in rules and not _pattern(rules["pattern"]).search(value):
        yield f"{where} is {_show(value)}, which does not match {rules['pattern']}"


def _pattern(pattern: object) -> re.Pattern[str]:
    try:
        return re.compile(str(pattern))
    except re.error as error:
        raise BadSchema(f"pattern {pattern!r} cannot be read: {error}") from None


def _size(rules: Mapping[str, object], size: int, word: str, where: str, unit: str) -> Iterator[str]:
    if size < (least := _number(rules.get("min" + word, 0))):
        yield f"{where} has {size} {unit}, fewer than {least}"
    if size > (most := _number(rules.get("max" + word, math.inf))):
        yield f"{where} has {size} {unit}, more than {most}"


_BOUNDS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "minimum": (lambda value, bound: value >= bound, "less than"),
    "maximum": (lambda value, bound: value <= bound, "more than"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "not more than"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "not less than"),
}


def _numeric(rules: Mapping[str, object], value: float, where: str) -> Iterator[str]:
    for rule, (holds, words) in _BOUNDS.items():
        if rule in rules and not holds(value, bound := _number(rules[rule])):
            yield f"{where} is {value}, {words} {bound}"
    if "multipleOf" in rules:
        step = _number(rules["multipleOf"])
        if abs(value / step - round(value / step)) > 1e-9:
            yield f"{where} is {value}, not a multiple of {step}"


def _array(rules: Mapping[str, object], value: list[object], at: str, root: Schema) -> Iterator[str]:
    where = at or "the value"
    yield from _size(rules, len(value), "Items", where, "items")
    first = _schemas(rules.get("prefixItems", ()))
    rest = _schema(rules.get("items", True))
    for index, item in enumerate(value):
        yield from _problems(first[index] if index < len(first) else rest, item, f"{at}[{index}]", root)
    if rules.get("uniqueItems") and any(_same(a, b) for i, a in enumerate(value) for b in value[:i]):
        yield f"{where} has the same item twice"
    if "contains" in rules:
        found = sum(not any(_problems(_schema(rules["contains"]), item, at, root)) for item in value)
        if not _number(rules.get("minContains", 1)) <= found <= _number(rules.get("maxContains", math.inf)):
            yield f"{where} has {found} items of the kind it must contain"


def _object(rules: Mapping[str, object], value: dict[str, object], at: str, root: Schema) -> Iterator[str]:
    where = at or "the value"
    yield from _size(rules, len(value), "Properties", where, "properties")
    for name in _sequence(rules.get("required", ())):
        if name not in value:
            yield f"{where} lacks {name!r}"
    known = _mapping(rules.get("properties", {}))
    patterns = {_pattern(key): _schema(rule) for key, rule in _mapping(rules.get("patternProperties", {})).items()}
    others = _schema(rules.get("additionalProperties", True))
    for name, item in value.items():
        path = f"{at}.{name}" if at else name
        fitting = [rule for pattern, rule in patterns.items() if pattern.search(name)]
        if name in known:
            fitting.append(_schema(known[name]))
        for rule in fitting or [others]:
            yield from _problems(rule, item, path, root)
        if "propertyNames" in rules:
            yield from _problems(_schema(rules["propertyNames"]), name, f"the name {name!r}", root)


# ---------------------------------------------------------------------------------------------- improvising


def sample(schema: Schema, random: Random, *, words: Sequence[str] = _WORDS) -> Json:
    """Make up a value that is valid under a schema.

    Args:
        schema: the rules.
        random: decides; the same state gives the same value.
        words: what free strings are made of.

    Raises:
        BadSchema: no value was found, because the schema contradicts itself or has a rule (a `pattern`, a `not`) that
            cannot be satisfied by guessing.
    """
    broken: list[str] = []
    for _ in range(32):
        value = _sample(schema, random, words, 0, schema)
        broken = problems(schema, value)
        if not broken:
            return value
    raise BadSchema(f"no value could be made up for it: {broken[0]}")


def _sample(schema: Schema, random: Random, words: Sequence[str], depth: int, root: Schema) -> Json:
    if isinstance(schema, bool):
        return None
    if depth > _DEEPEST:
        raise BadSchema("it never ends: every choice leads back to itself")
    rules = dict(schema)
    if "$ref" in rules:
        target = resolve(rules.pop("$ref"), root)
        return _sample({**target, **rules} if isinstance(target, Mapping) else target, random, words, depth + 1, root)
    if "const" in rules:
        return cast(Json, rules["const"])
    if "enum" in rules:
        return cast(Json, random.choice(_sequence(rules["enum"])))
    if "allOf" in rules:
        parts = _schemas(rules.pop("allOf"))
        return _sample(_merged([rules, *parts], root), random, words, depth + 1, root)
    for key in ("anyOf", "oneOf"):
        if key in rules:
            choices = _schemas(rules.pop(key))
            return _first(random.sample(choices, len(choices)), rules, random, words, depth, root)
    kinds = _types(rules) or [_implied(rules)]
    return _make(str(random.choice(kinds)), rules, random, words, depth, root)


def _first(
    choices: list[Schema], rules: Mapping[str, object], random: Random, words: Sequence[str], depth: int, root: Schema
) -> Json:
    """A value for the first choice that has one."""
    failure = BadSchema("it has no choices")
    for choice in choices:
        try:
            value = _sample(_merged([rules, choice], root), random, words, depth + 1, root)
        except BadSchema as error:
            failure = error
            continue
        if not any(_problems(choice, value, "", root)):
            return value
    raise failure


def _merged(parts: Sequence[Schema], root: Schema) -> Schema:
    """One schema that asks for what all of them ask for, as far as sampling needs it."""
    merged: dict[str, object] = {}
    for part in parts:
        if isinstance(part, bool):
            continue
        rules: Schema = part
        if "$ref" in part:
            rules = _merged([resolve(part["$ref"], root), {k: v for k, v in part.items() if k != "$ref"}], root)
        for key, value in _mapping(rules).items():
            if key == "properties":
                merged[key] = {**_mapping(merged.get(key, {})), **_mapping(value)}
            elif key == "required":
                merged[key] = [*_sequence(merged.get(key, ())), *_sequence(value)]
            else:
                merged[key] = value
    return merged


def _implied(rules: Mapping[str, object]) -> str:
    """The type that a schema without one speaks of."""
    if rules.keys() & {"properties", "required", "additionalProperties"}:
        return "object"
    if rules.keys() & {"items", "prefixItems", "minItems"}:
        return "array"
    return "number" if rules.keys() & {*_BOUNDS, "multipleOf"} else "string"


def _make(
    kind: str, rules: Mapping[str, object], random: Random, words: Sequence[str], depth: int, root: Schema
) -> Json:
    match kind:
        case "null":
            return None
        case "boolean":
            return random.random() < 0.5
        case "integer" | "number":
            return _make_number(kind, rules, random)
        case "string":
            return _make_string(rules, random, words)
        case "array":
            first = _schemas(rules.get("prefixItems", ()))
            least = int(_number(rules.get("minItems", len(first))))
            most = int(_number(rules.get("maxItems", max(least, 3 if depth < 3 else 0))))
            rest = _schema(rules.get("items", {"type": "string"}))
            return [
                _sample(first[i] if i < len(first) else rest, random, words, depth + 1, root)
                for i in range(random.randint(least, max(least, most)))
            ]
        case "object":
            known = _mapping(rules.get("properties", {}))
            required = _sequence(rules.get("required", ()))
            return {
                name: _sample(_schema(known.get(name, {})), random, words, depth + 1, root)
                for name in [*known, *(str(name) for name in required if name not in known)]
                if name in required or (depth < 3 and random.random() < 0.5)
            }
        case _:
            raise BadSchema(f"{kind!r} is not a type")


def _make_number(kind: str, rules: Mapping[str, object], random: Random) -> int | float:
    least, most = bounds(rules)
    if least == -math.inf and most == math.inf:
        least, most = 0, 100
    elif least == -math.inf:
        least = most - 100
    elif most == math.inf:
        most = least + 100
    step = _number(rules.get("multipleOf", 1 if kind == "integer" else 0.01))
    low, high = math.ceil(least / step), math.floor(most / step)
    if low > high:
        low = high = round((least + most) / 2 / step)
    value = random.randint(low, high) * step
    return round(value) if kind == "integer" else round(value, 6)


def bounds(rules: Mapping[str, object]) -> tuple[float, float]:
    """The least and the most that a number may be; an exclusive bound is moved inwards by a little, infinite if absent.

    Integers are moved by enough to stay integers: the ceiling of the least and the floor of the most are allowed.
    """
    least = float(_number(rules.get("minimum", -math.inf)))
    most = float(_number(rules.get("maximum", math.inf)))
    if "exclusiveMinimum" in rules:
        least = max(least, math.nextafter(float(_number(rules["exclusiveMinimum"])), math.inf))
    if "exclusiveMaximum" in rules:
        most = min(most, math.nextafter(float(_number(rules["exclusiveMaximum"])), -math.inf))
    return least, most


def _make_string(rules: Mapping[str, object], random: Random, words: Sequence[str]) -> str:
    formats = {
        "date": "2026-01-31",
        "time": "12:00:00Z",
        "date-time": "2026-01-31T12:00:00Z",
        "uuid": f"{random.getrandbits(128):032x}",
        "email": f"{random.choice(words)}@example.org",
        "uri": f"https://example.org/{random.choice(words)}",
    }
    if str(rules.get("format")) in formats:
        return formats[str(rules["format"])]
    least = int(_number(rules.get("minLength", 0)))
    most = int(_number(rules.get("maxLength", max(least, 40))))
    text = random.choice(words)
    while len(text) < least:
        text += " " + random.choice(words)
    return text[:most]
