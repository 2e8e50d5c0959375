"""The words of messages, the same for every journal. Knows no database and no way of searching."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize

from pydantic_core import from_json

LONGEST = 40
"""Characters of a word that count, in messages as in questions."""

READ = 250_000
"""Characters of a message that are searched: PostgreSQL keeps at most 1 MB of words for a row."""

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Letters and digits that stand together, each once, in any case the same."""
    found = _WORD.findall(normalize("NFKC", text[:READ]).casefold())
    return list(dict.fromkeys(word[:LONGEST] for word in found))


def words_of(message: bytes) -> list[str]:
    """The words of a message's JSON: of what its fields hold, not of their names."""
    try:
        wire: object = from_json(message)
    except ValueError:
        return words(message.decode(errors="replace"))
    fields = wire.get("fields", wire) if isinstance(wire, dict) else wire
    return words(" ".join(_texts(fields)))


def _texts(value: object) -> Iterator[str]:
    open_values = [value]
    while open_values:
        match open_values.pop():
            case str() as text:
                yield text
            case bool() | None:
                pass
            case int() | float() as number:
                yield str(number)
            case list() as items:
                open_values.extend(reversed(items))
            case dict() as fields:
                open_values.extend(reversed(list(fields.values())))
            case _:
                pass
