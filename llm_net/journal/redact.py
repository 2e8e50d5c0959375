"""A journal around a journal, into which no secret gets. Knows how secrets look, not where facts go.

What is known to be a secret is found as it stands, and as it stands inside of JSON, of JSON inside of JSON, and of URLs; and
what looks like one of the usual keys. A value that is split, encrypted or packed (base64) is not found.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from re import Pattern
from typing import Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from llm_net.ports import Journal
from llm_net.record import Effect, Fact, Opened, RunInfo, Select

REDACTED: Final = "*redacted*"
"""What stands in the place of a secret; fit for any text, URLs included."""

SHORTEST: Final = 6
"""Characters of a secret: a shorter one would be found in what is none."""

NESTED: Final = 3
"""Levels of JSON as text inside of JSON at which a value is found."""

_BEGINS: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
"""Where a key may begin: not inside of a word, but after a line break of JSON inside of JSON."""

DEFAULT_PATTERNS: Final[tuple[Pattern[str], ...]] = (
    re.compile(  # a key with its own beginning; sources: the providers' documentation, and what GitHub scans for
        _BEGINS + r"(?:sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, and who follows them
        r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
        r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
        r"|glpat-[A-Za-z0-9_-]{16,}"
        r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # Amazon
        r"|AIza[A-Za-z0-9_-]{30,}"  # Google
        r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
        r"|(?:gsk|hf|npm|r8)_[A-Za-z0-9]{20,}|(?:xai|pplx)-[A-Za-z0-9]{20,}"  # Groq, Hugging Face, npm, Replicate, …
        r"|pypi-[A-Za-z0-9_-]{30,})"
    ),
    re.compile(_BEGINS + r"eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"),  # RFC 7519
    re.compile(r"(?i)(?P<keep>\bbearer\s+)(?=[a-z._~+/-]*[0-9])[a-z0-9._~+/-]{16,}=*"),  # RFC 6750; words have no digit
    re.compile(r"(?i)(?P<keep>\bauthorization\W{1,6}(?:basic|token)\s+)[a-z0-9._~+/-]+=*"),  # RFC 7617
    re.compile(r"(?P<keep>://[^\s/:@\"\\]+:)[^\s/@\"\\]+(?=@)"),  # RFC 3986: user:password@
    re.compile(  # RFC 7468
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    ),
)
"""The usual keys. What a group called `keep` holds, stays."""

_MARKS: Final[dict[Pattern[str], tuple[str, ...]]] = dict(
    zip(
        DEFAULT_PATTERNS,
        (
            ("sk-", "k_live_", "k_test_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "akia", "asia", "aiza",
             "xox", "gsk_", "hf_", "npm_", "r8_", "xai-", "pplx-", "pypi-"),
            ("eyj",),
            ("bearer",),
            ("authorization",),
            ("://",),
            ("private key",),
        ),
        strict=True,
    )
)  # fmt: skip
"""In lower case, one of which is in each text that such a pattern finds. Looking for them in 500 bytes takes 10 µs, searching
50."""


class Redacting:
    """Keeps what the journal inside keeps, without secrets: `Redacting(SqliteJournal("run.db"), secrets=[key])`.

    In their place stands "*redacted*", in messages, states, prompts, answers and errors; in names (of agents, methods,
    models, effects) and ids nothing is looked for. A run that is resumed goes on with "*redacted*" where a message or a
    state held a secret: take secrets from where they are kept when you need them, not from messages. A message of 500 bytes
    without a secret costs 15 µs.

    Args:
        secrets: values that are secret, of at least 6 characters each.
        patterns: what else is; `DEFAULT_PATTERNS`, and more.
    """

    def __init__(
        self, journal: Journal, *, secrets: Iterable[str] = (), patterns: Sequence[Pattern[str]] = DEFAULT_PATTERNS
    ) -> None:
        self.journal = journal
        known = {spelling for secret in secrets for spelling in _spellings(secret)}
        spellings = "|".join(re.escape(each) for each in sorted(known, key=len, reverse=True))
        self._values = re.compile(spellings or r"(?!)")
        self._patterns = (self._values, *patterns)

    def redact(self, data: bytes) -> bytes:
        """JSON, or a text, without secrets; the very same where it holds none."""
        text = data.decode(errors="surrogateescape")
        lower = text.lower()
        patterns = [pattern for pattern in self._patterns if self._may_find(pattern, text, lower)]
        if not patterns:
            return data
        try:
            value: JsonValue = from_json(data)
        except ValueError:
            return _redacted(text, patterns).encode(errors="surrogateescape")
        clean = _clean(value, patterns)
        return data if clean == value else to_json(clean)

    def _may_find(self, pattern: Pattern[str], text: str, lower: str) -> bool:
        """Whether a pattern may find something in the strings of this JSON."""
        if pattern is self._values:  # which are searched as they stand there, too
            return pattern.search(text) is not None
        if not any(mark in lower for mark in _MARKS.get(pattern, ("",))):
            return False
        return "\\" in text or pattern.search(text) is not None

    # ------------------------------------------------------------------------------------------ the journal inside

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        """See `Journal.write`. What is in the facts was redacted by who noted them, but for how models were asked."""
        await self.journal.write(run, [self._asked(fact) if isinstance(fact, Effect) else fact for fact in facts])

    def _asked(self, effect: Effect) -> Effect:
        return replace(effect, asked=self.redact(effect.asked)) if effect.asked else effect

    async def open(self, run: str, *, upto: int | None = None) -> Opened:
        """See `Journal.open`."""
        return await self.journal.open(run, upto=upto)

    def read(self, run: str, select: Select = Select()) -> AsyncIterator[Fact]:  # noqa: B008 - frozen
        """See `Journal.read`."""
        return self.journal.read(run, select)

    async def runs(self) -> Sequence[RunInfo]:
        """See `Journal.runs`."""
        return await self.journal.runs()

    async def forget(self, run: str, *, keep_open: bool = False) -> None:
        """See `Journal.forget`."""
        await self.journal.forget(run, keep_open=keep_open)

    async def aclose(self) -> None:
        """See `Journal.aclose`."""
        await self.journal.aclose()


def _redacted(text: str, patterns: Iterable[Pattern[str]]) -> str:
    for pattern in patterns:
        text = pattern.sub(partial(_replacement, "keep" in pattern.groupindex), text)
    return text


def _clean(
    value: JsonValue, patterns: Sequence[Pattern[str]]
) -> JsonValue:  # as deep as what was read: recursion is safe
    match value:
        case str():
            return _redacted(value, patterns)
        case list():
            return [_clean(item, patterns) for item in value]
        case dict():
            return {_redacted(name, patterns): _clean(item, patterns) for name, item in value.items()}
        case _:
            return value


def _replacement(keeps: bool, found: re.Match[str]) -> str:
    return f"{found['keep']}{REDACTED}" if keeps else REDACTED


def _spellings(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST:
        raise ValueError(f"a secret of {len(secret)} characters would be found in what is none; leave it out")
    shown = (repr(secret)[1:-1], repr(f"{secret}\"'")[1:-4])  # the second, where the text around it has both quotes
    found = {secret, *shown, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    for _ in range(NESTED + 2):  # as it stands in the outermost
        yield from found
        found = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in found for ascii_only in (True, False)}
