"""What llama.cpp can hold a model to: a JSON schema narrowed so that whatever its grammar lets through is valid, and said
in its tersest form where that is sure to be understood.

Its converter ignores bounds of fractions, multiples, and patterns it cannot read (seen with xllamacpp 2026.10); what
cannot be narrowed stays as it is, and the answer is checked afterwards. Knows no model and no engine.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from llm_net.llm.schema import BadSchema, bounds, problems, resolve
from llm_net.llm.text import clean

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOST_VALUES = 256
_LONGEST = 2_000
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n"}


def narrow(schema: object) -> object:
    """Give a schema that the converter follows to the letter, valid values of which are valid under the one given."""
    match schema:
        case True:
            return {}
        case Mapping():
            rules = {str(key): value for key, value in schema.items()}
        case _:
            return schema
    kinds = rules.get("type")
    if isinstance(kinds, list) and {"number", "integer"} & set(kinds):
        return {"anyOf": [narrow({**rules, "type": kind}) for kind in kinds]}
    if kinds in ("number", "integer") and not rules.keys() & {"enum", "const"}:
        return _narrow_number(rules)
    if isinstance(pattern := rules.get("pattern"), str):
        del rules["pattern"]
        if (readable := _narrow_pattern(pattern)) is not None:
            rules["pattern"] = readable
    for key in ("properties", "$defs", "definitions"):
        if isinstance(named := rules.get(key), Mapping):
            rules[key] = {name: narrow(part) for name, part in named.items()}
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if isinstance(parts := rules.get(key), list):
            rules[key] = [narrow(part) for part in parts]
    for key in ("items", "additionalProperties"):
        if isinstance(rules.get(key), Mapping):
            rules[key] = narrow(rules[key])
    return rules


def compact(schema: object) -> str | None:
    """A grammar in the words of llguidance that lets through JSON without needless whitespace; None where it may not
    understand all of the schema, for then it silently lets through anything.

    A choice costs SmolLM2 8 tokens instead of 26, and it chose rightly in 22 of 24 cases instead of 19: whitespace that
    may be put anywhere is put everywhere.
    """
    if not isinstance(schema, Mapping) or (terse := _terse(schema, schema)) is None:
        return None
    style = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}
    said = json.dumps({**terse, "x-guidance": style}, ensure_ascii=False)
    return f"%llguidance {{}}\nstart: %json {said}" if said == clean(said) else None


def _terse(schema: object, root: Mapping[str, object]) -> dict[str, object] | None:
    """The same schema in the few words that are sure to be understood, its objects closed; else None."""
    if not isinstance(schema, Mapping):
        return None
    rules = {str(key): value for key, value in schema.items() if key not in ("title", "description", "default")}
    kept: dict[str, object] = {}
    if (definitions := rules.pop("$defs", None)) is not None:
        if (terse := _all_terse(definitions, root)) is None:
            return None
        kept["$defs"] = terse
    match rules:
        case {"$ref": str(reference)} if len(rules) == 1:
            try:
                resolve(reference, root)
            except BadSchema:
                return None
            return kept | rules
        case {"enum": list(values)} | {"const": values}:
            possible = values if "enum" in rules else [values]
            if rules.keys() - {"enum", "const", "type"}:
                return None
            possible = [value for value in possible if not problems(rules, value)]
            return kept | {"enum": possible} if possible else None
        case {"anyOf": list(parts)} if len(rules) == 1:
            terse_parts = [_terse(part, root) for part in parts]
            return kept | {"anyOf": terse_parts} if all(terse_parts) else None
        case {"type": "object", "properties": Mapping() as properties}:
            terse = _all_terse(properties, root)
            required = rules.get("required", [])
            known = terse is not None and isinstance(required, list) and all(name in properties for name in required)
            if not known or rules.get("additionalProperties", False) is not False or rules.keys() - _WORDS["object"]:
                return None
            return kept | {**rules, "properties": terse, "additionalProperties": False}
        case {"type": "array", "items": items} if not rules.keys() - _WORDS["array"] and _in_order(rules, "Items"):
            terse = _terse(items, root)
            return kept | {**rules, "items": terse} if terse else None
        case {"type": "string"} if not rules.keys() - _WORDS["string"] and _in_order(rules, "Length"):
            return kept | rules
        case {"type": "integer"} if not rules.keys() - _WORDS["integer"] and _in_order(rules, "imum"):
            return kept | rules
        case {"type": "number" | "boolean" | "null"} if len(rules) == 1:
            return kept | rules
        case _:
            return None


_WORDS = {
    "object": {"type", "properties", "required", "additionalProperties"},
    "array": {"type", "items", "minItems", "maxItems"},
    "string": {"type", "minLength", "maxLength"},
    "integer": {"type", "minimum", "maximum"},
}


def _all_terse(named: object, root: Mapping[str, object]) -> dict[str, object] | None:
    if not isinstance(named, Mapping):
        return None
    terse: dict[str, object] = {str(name): _terse(schema, root) for name, schema in named.items()}
    return None if None in terse.values() else terse


def _in_order(rules: Mapping[str, object], what: str) -> bool:
    """Whether the bounds are whole numbers that let something through, and no long repetitions."""
    ends = [bound for end in ("min", "max") if (bound := rules.get(end + what)) is not None]
    whole = [end for end in ends if isinstance(end, int)]
    return len(whole) == len(ends) and whole == sorted(whole) and (what == "imum" or max(whole, default=0) <= _LONGEST)


def _narrow_number(rules: dict[str, object]) -> dict[str, object]:
    """A number as one of a list of values, or as whole numbers within its bounds."""
    least, most = bounds(rules)
    whole = rules["type"] == "integer"
    step = rules.get("multipleOf")
    if step is None and not whole:
        if least == -math.inf and most == math.inf:
            return rules
        step = next((size for size in _STEPS if (most - least) / size <= 100), None)
    if isinstance(step, (int, float)):
        if not 0 <= (most - least) / step < _MOST_VALUES:
            return rules
        numbers = (round(n * step, 9) for n in range(math.ceil(least / step), math.floor(most / step) + 1))
        values = [int(number) if number == int(number) else number for number in numbers]
        values = [value for value in values if isinstance(value, int) or not whole]
        return {"enum": values} if values else rules
    narrowed: dict[str, object] = {"type": "integer"}
    if least > -math.inf:
        narrowed["minimum"] = math.ceil(least)
    if most < math.inf:
        narrowed["maximum"] = math.floor(most)
    return narrowed


def _narrow_pattern(pattern: str) -> str | None:
    """The pattern in the words that the converter reads, or None where it has none for it."""
    if not (pattern.startswith("^") and pattern.endswith("$")) or re.search(
        r"\(\?|\\[^dws.\-+*?()\[\]{}|/^$\\]", pattern
    ):
        return None
    found, inside = [], False
    for piece in re.findall(r"\\.|.", pattern, re.DOTALL):
        if len(piece) == 2 and piece[1] in _CLASSES:
            found.append(_CLASSES[piece[1]] if inside else f"[{_CLASSES[piece[1]]}]")
            continue
        inside = piece == "[" or (inside and piece != "]")
        found.append(piece)
    return "".join(found)
