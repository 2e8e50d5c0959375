"""Facts as rows of tables, and rows as facts. Knows no database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

from llm_net.record import Begun, Effect, Ended, Fact, Finished, Part, Sent

Value: TypeAlias = int | float | str | bytes | bool | None
Row: TypeAlias = tuple[Any, ...]
"""One of a table: the types of its values are those of the schema."""

_ODD = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Table:
    """Where facts of one kind are.

    Args:
        columns: of the table, besides `run`: the first is `seq`.
        row: the values of a fact in these columns.
        fact: what a row says, without what is elsewhere: messages, states, data.
    """

    name: str
    columns: tuple[str, ...]
    row: Callable[[Any], Row]
    fact: Callable[[Row], Fact]


def text(data: bytes) -> str:
    """What `data_of` was given."""
    return bytes(data).decode(errors="surrogatepass")


def data_of(text: str) -> bytes:
    """A text that may hold what no database takes for one."""
    return text.encode(errors="surrogatepass")


def clean(row: Row) -> Row:
    """The row with U+FFFD for each character that a database does not take."""
    return tuple(_ODD.sub("\ufffd", value) if isinstance(value, str) else value for value in row)


def _begun(row: Row) -> Begun:
    seq, network, seed, at, version, parent, cut = row
    return Begun(seq, network, int(seed), at, version, parent, cut)


def _sent(row: Row) -> Sent:
    before, (waits, at, message, edited) = row[:13], row[13:]
    return cast(Callable[..., Sent], Sent)(*before, bool(waits), at, message, bool(edited))


def _effect(row: Row) -> Effect:
    *before, cost = row
    return cast(Callable[..., Effect], Effect)(*before, None if cost is None else Decimal(cost))


def _ended(row: Row) -> Ended:
    before, (error, *after) = row[:7], row[7:]
    return cast(Callable[..., Ended], Ended)(*before, text(error), (), *after)


def _finished(row: Row) -> Finished:
    seq, status, error, at = row
    return Finished(seq, status, text(error), at)


def _part(row: Row) -> Part:
    seq, hash = row
    return Part(seq, hash, b"")


_BEGUN = ("seq", "network", "seed", "at", "version", "parent", "cut")
_SENT = (
    "seq", "number", "step", "id", "kind", "method", "sender", "receiver", "reply_to", "conversation", "event", "path",
    "depth", "waits", "at", "message", "edited",
)  # fmt: skip
_EFFECT = (
    "seq", "step", "n", "kind", "name", "repeats", "status", "key", "began", "at", "answer", "asked", "input_tokens",
    "output_tokens", "cost",
)  # fmt: skip
_ENDED = ("seq", "number", "end", "agent", "turn", "began", "at", "error", "posts", "effects", "ids")
_FINISHED = ("seq", "status", "error", "at")

_effect_values = attrgetter(*_EFFECT[:-1])
_ended_values = attrgetter(*_ENDED)


def _effect_row(effect: Effect) -> Row:
    return *_effect_values(effect), None if effect.cost is None else str(effect.cost)


def _ended_row(ended: Ended) -> Row:
    row: Row = _ended_values(ended)
    return *row[:7], data_of(ended.error), *row[8:]


TABLES: Final[dict[type[Fact], Table]] = {
    Begun: Table(
        "begun",
        _BEGUN,
        lambda fact: (fact.seq, fact.network, str(fact.seed), fact.at, fact.version, fact.parent, fact.cut),
        _begun,
    ),
    Sent: Table("sent", _SENT, attrgetter(*_SENT), _sent),
    Effect: Table("effect", _EFFECT, _effect_row, _effect),
    Ended: Table("ended", _ENDED, _ended_row, _ended),
    Finished: Table(
        "finished", _FINISHED, lambda fact: (fact.seq, fact.status, data_of(fact.error), fact.at), _finished
    ),
    Part: Table("part", ("seq", "hash"), attrgetter("seq", "hash"), _part),
}


def rows_of(run: int, facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """The rows that these facts are, by the name of the table."""
    rows: dict[str, list[Row]] = {}
    for kind, table in TABLES.items():
        if chosen := [(run, *table.row(fact)) for fact in facts if type(fact) is kind]:
            rows[table.name] = chosen
    return rows


def state_rows(run: int, facts: Iterable[Fact]) -> list[Row]:
    """The rows of all states that deliveries left behind."""
    return [
        (run, fact.seq, n, state.agent, state.whole, state.body)
        for fact in facts
        if type(fact) is Ended and fact.states
        for n, state in enumerate(fact.states)
    ]


def content_rows(facts: Sequence[Fact]) -> list[Row]:
    """What the parts among them hold."""
    return [(fact.hash, fact.data) for fact in facts if type(fact) is Part]
