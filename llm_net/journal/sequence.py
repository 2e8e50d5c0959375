"""A run as a Mermaid sequence diagram. Knows messages, no journal.

Source: https://mermaid.js.org/syntax/sequenceDiagram.html; characters that mean something there are written as `#code;`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from llm_net.journal.said import Said

WIDEST = 60
"""Characters of a message that are shown."""

_MEANT = re.compile(r"[^\w .,!?'()/=+*-]")
"""What is not certain to be a letter of a text."""


def lines_of(messages: Iterable[Said], *, more: int = 0) -> Iterator[str]:
    """The lines of a diagram.

    Args:
        more: how many messages there are besides.
    """
    parties: dict[str, str] = {}
    arrows: list[str] = []
    for message in messages:
        source, target = (parties.setdefault(name, f"p{len(parties)}") for name in (message.sender, message.receiver))
        arrow = "-)" if message.sent.event else "-->>" if message.sent.reply_to else "->>"
        arrows.append(f"    {source}{arrow}{target}: {_text(message)}")
    yield "sequenceDiagram"
    for name, party in parties.items():
        yield f"    participant {party} as {_escaped(name)}"
    yield from arrows
    if more and parties:
        yield f"    Note over p0: and {more} more messages"


def _text(message: Said) -> str:
    text = " ".join(message.text.split())
    text = text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
    return _escaped(f"{message.told}: {text}" if text else message.told)


def _escaped(text: str) -> str:
    return _MEANT.sub(lambda found: f"#{ord(found[0])};", text)
