"""What llama.cpp can hold a model to: a JSON schema narrowed so that whatever its grammar lets through is valid.

Its converter ignores bounds of fractions, multiples, and patterns it cannot read (seen with xllamacpp 2026.10); what
cannot be narrowed stays as it is, and the answer is checked afterwards. Knows no model and no engine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from llm_net.llm.schema import bounds

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOST_VALUES = 256
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
