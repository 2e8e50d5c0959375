"""The text of an answer: characters that every encoding can carry, counted in tokens, cut at stop strings.

Knows no model, no request and no event loop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\s*\w{1,6}|\s*[^\w\s]|\s+")
_HIGH = re.compile("[\ud800-\udbff]\\Z")


def clean(text: str) -> str:
    """Give a text that every encoding, terminal and database can carry.

    Surrogate pairs become the character they stand for; lone surrogates and NULs become U+FFFD.
    """
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def split(text: str) -> list[str]:
    """Split a text into what models without a tokeniser of their own count as tokens; joined they are the text."""
    return _TOKEN.findall(text)


class Cut:
    """Lets the pieces of an answer through as far as they certainly belong to it.

    It holds back what may still turn out to be the beginning of a stop string or half of a character, and ends at the
    first stop string, which is not part of the answer.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self.stopped = False
        self._stop = tuple(string for string in stop if string)
        self._held = ""

    def push(self, piece: str) -> str:
        """Take the next piece; give what can be shown now, which may be nothing."""
        if self.stopped:
            return ""
        self._held += piece
        found = [at for string in self._stop if (at := self._held.find(string)) >= 0]
        if found:
            self.stopped = True
            ready, self._held = self._held[: min(found)], ""
        else:
            keep = max((_overlap(self._held, string) for string in self._stop), default=0)
            keep = keep or len(_HIGH.findall(self._held))
            ready, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return clean(ready)

    def end(self) -> str:
        """The answer is over: give what was held back."""
        rest, self._held = self._held, ""
        return clean(rest)


def _overlap(text: str, string: str) -> int:
    """How many characters at the end of `text` begin `string`."""
    return next((n for n in range(min(len(string) - 1, len(text)), 0, -1) if text.endswith(string[:n])), 0)
