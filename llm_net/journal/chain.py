"""The facts of a run in tables, with those that it begins with; and what is open of them. Blocks: for threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from heapq import merge
from operator import attrgetter
from typing import Final, TypeAlias, cast

from pydantic_core import from_json, to_json

from llm_net.chat import Usage
from llm_net.journal.database import Connection, Database
from llm_net.journal.opening import TAKEN, questions_of
from llm_net.journal.rows import TABLES, Row, Value
from llm_net.record import Begun, Effect, Ended, Fact, Opened, Part, Sent, State

EVER: Final = 1 << 62
"""A place after every fact."""

COLUMNS: Final = {kind: ", ".join(f'"{column}"' for column in table.columns) for kind, table in TABLES.items()}

Given: TypeAlias = "Value | Sequence[Value]"

# Statements about the facts that a run noted itself begin like this. The + keeps a planner from going through all that is
# before a place, where an index leads to the few that are meant.
OWN: Final = "run = :run AND +seq <= :upto"

# An edit is no delivery, but the new message of an earlier one; what was compacted is both in one.
DELIVERY: Final = "NOT (edited <> 0 AND seq > :base)"

LAST_STATES: Final = f"""
    WITH last (agent, seq) AS (SELECT agent, MAX(seq) FROM state WHERE {OWN} AND whole <> 0 GROUP BY agent)
    SELECT state.seq, state.n, state.agent, state.whole, state.body FROM state LEFT JOIN last ON last.agent = state.agent
    WHERE state.run = :run AND +state.seq <= :upto AND state.seq >= COALESCE(last.seq, 0) ORDER BY state.seq, state.n
"""


@dataclass(slots=True)
class Counts:
    """What is counted in a run, or a piece of one."""

    sent: int = 0
    number: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)

    def end(self, end: str, times: int = 1) -> None:
        """So many deliveries came to this end."""
        self.ends[end] = self.ends.get(end, 0) + times

    def add(self, other: Counts) -> None:
        """What comes after it, or before."""
        self.sent += other.sent
        self.number = max(self.number, other.number)
        for end, times in other.ends.items():
            self.end(end, times)
        self.usage += other.usage


@dataclass(frozen=True, slots=True)
class Base:
    """What a run was when it was compacted."""

    seq: int = 0
    status: str = ""
    turns: Mapping[str, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    abandoned: Sequence[str] = ()

    @classmethod
    def of(cls, seq: int, data: bytes) -> Base:
        """What `data` gave."""
        if not seq:
            return cls()
        status, turns, sent, number, ends, usage, abandoned = from_json(data)
        return cls(seq, status, turns, Counts(sent, number, ends, usage_from(*usage)), abandoned)

    @staticmethod
    def data(run: Opened) -> bytes:
        """All of it but `seq`."""
        return to_json(
            (run.status, run.turns, run.sent, run.number, run.ends, used(run.usage), run.abandoned),
        )


@dataclass(frozen=True, slots=True)
class Link:
    """A run of a chain: one that another begins with, up to a place; first the one that begins with no other."""

    run: int
    upto: int
    base_seq: int
    base: bytes


def usage_from(requests: int, input_tokens: int, output_tokens: int, cost: str | None) -> Usage:
    """Usage as it is in a row."""
    return Usage(requests, input_tokens, output_tokens, None if cost is None else Decimal(cost))


def used(usage: Usage) -> tuple[int, int, int, str | None]:
    """Usage as it goes into a row."""
    return usage.requests, usage.input_tokens, usage.output_tokens, None if usage.cost is None else str(usage.cost)


class Chain:
    """A run up to a place.

    Args:
        id: its number in the tables.
    """

    def __init__(self, db: Connection, database: Database, id: int, upto: int = EVER) -> None:
        self._db = db
        self._among = database.among
        self._id = id
        self._upto = upto
        self.links = _links(db, id, upto)
        self.base = Base.of(self.links[0].base_seq, self.links[0].base)

    def rows(self, sql: str, **values: Given) -> list[Row]:
        """The rows of a statement, for each link from the first to the last."""
        return [
            row
            for link in self.links
            for row in self._db.fetch(sql, run=link.run, upto=link.upto, base=self.base.seq, **values)
        ]

    # ------------------------------------------------------------------------------------------ facts

    def found(self, kind: type[Fact], where: str, **values: Given) -> list[Fact]:
        """Facts of one kind, in their order."""
        table = TABLES[kind]
        rows = self.rows(f"SELECT {COLUMNS[kind]} FROM {table.name} WHERE {OWN} AND {where} ORDER BY seq", **values)
        return self.complete(kind, [table.fact(row) for row in rows])

    def sent(self, where: str, **values: Given) -> list[Sent]:
        """Deliveries, with each message as it was last edited."""
        sents = cast(list[Sent], self.found(Sent, f"{DELIVERY} AND {where}", **values))
        rows = self.rows(f"SELECT id, seq, message FROM sent WHERE {OWN} AND edited <> 0 AND seq > :base ORDER BY seq")
        edits: dict[str, tuple[int, bytes]] = {id: edit for id, *edit in rows}  # type: ignore[misc]  # rows have no types

        def put(sent: Sent) -> Sent:
            seq, message = edits.get(sent.id, (0, b""))
            return replace(sent, message=message, edited=True) if seq > sent.seq else sent

        return [put(sent) for sent in sents]

    def complete(self, kind: type[Fact], facts: list[Fact]) -> list[Fact]:
        """The facts, all of one kind, with what is not in their own rows."""
        if kind is Sent:
            return self._with_messages(cast(list[Sent], facts))
        if kind is Ended:
            return self._with_states(cast(list[Ended], facts))
        if kind is Part:
            return self._with_data(cast(list[Part], facts))
        return facts

    def _with_messages(self, sents: list[Sent]) -> list[Fact]:
        lacking = {sent.id for sent in sents if not sent.message}
        if not lacking:
            return list(sents)
        messages: dict[str, list[tuple[int, bytes]]] = {}
        for id, seq, message in self.rows(
            f"SELECT id, seq, message FROM sent WHERE {OWN} AND LENGTH(message) > 0 AND {self._among('id', 'ids')} ORDER BY seq",
            ids=sorted(lacking),
        ):
            messages.setdefault(id, []).append((seq, message))

        def last_before(sent: Sent) -> bytes:
            return next((message for seq, message in reversed(messages.get(sent.id, [])) if seq < sent.seq), b"")

        return [sent if sent.message else replace(sent, message=last_before(sent)) for sent in sents]

    def _with_states(self, ends: list[Ended]) -> list[Fact]:
        states: dict[int, list[State]] = {}
        if ends:
            for seq, agent, whole, body in self.rows(
                f"SELECT seq, agent, whole, body FROM state WHERE {OWN} AND {self._among('seq', 'seqs')} "
                "ORDER BY seq, n",
                seqs=[ended.seq for ended in ends],
            ):
                states.setdefault(seq, []).append(State(agent, bool(whole), body))
        return [replace(ended, states=tuple(states[ended.seq])) if ended.seq in states else ended for ended in ends]

    def _with_data(self, parts: list[Part]) -> list[Fact]:
        rows = self._db.fetch(
            f"SELECT hash, data FROM content WHERE {self._among('hash', 'hashes')}",
            hashes=[part.hash for part in parts],
        )
        data: dict[str, bytes] = dict(cast("list[tuple[str, bytes]]", rows))
        return [replace(part, data=data[part.hash]) for part in parts]

    # ------------------------------------------------------------------------------------------ what is open

    def open(self) -> Opened:
        """See `Journal.open`."""
        counts = self._counts()
        pending = self._pending()
        past = self._past([sent.number for sent in pending])
        ((last,),) = self._db.fetch("SELECT seq FROM run WHERE id = :run", run=self._id)
        return Opened(
            begun=self.begun(),
            status=self._status(),
            seq=min(last, self._upto),
            number=counts.number,
            turns=self._turns(),
            sent=counts.sent,
            ends=counts.ends,
            states=self._states(),
            pending=tuple(pending),
            past=past,
            replies=self._replies(past),
            abandoned=self._abandoned(),
            usage=counts.usage,
        )

    def begun(self) -> Begun:
        """The first fact of the run's own."""
        (row,) = self._db.fetch(
            f"SELECT {COLUMNS[Begun]} FROM begun WHERE run = :run ORDER BY seq LIMIT 1", run=self._id
        )
        return cast(Begun, TABLES[Begun].fact(row))

    def _counts(self) -> Counts:
        counts = Counts()
        counts.add(self.base.counts)
        for link in self.links:
            counts.add(self._row_counts(link) if link.upto == EVER and not link.base_seq else self._fact_counts(link))
        return counts

    def _row_counts(self, link: Link) -> Counts:
        """What the row of a run has counted."""
        ((sent, number, ends, *usage),) = self._db.fetch(
            "SELECT sent, number, ends, requests, input_tokens, output_tokens, cost FROM run WHERE id = :run",
            run=link.run,
        )
        return Counts(sent, number, from_json(ends), usage_from(*usage))

    def _fact_counts(self, link: Link) -> Counts:
        """What is counted in a run's own facts, after it was compacted."""
        counts = Counts()
        where = "WHERE run = :run AND seq > :base AND seq <= :upto"
        values = {"run": link.run, "base": link.base_seq, "upto": link.upto}
        for waits, sent, number in self._db.fetch(
            f"SELECT waits, COUNT(*), MAX(number) FROM sent {where} AND edited = 0 GROUP BY waits", **values
        ):
            counts.add(Counts(sent, number, {} if waits else {TAKEN: sent}))
        for end, times in self._db.fetch(
            f'SELECT "end", COUNT(*) FROM ended {where} AND "end" <> \'retried\' GROUP BY "end"', **values
        ):
            counts.end(end, times)
        for input_tokens, output_tokens, cost in self._db.fetch(
            f"SELECT input_tokens, output_tokens, cost FROM effect {where} AND kind = 'model' AND status <> 'intent'",
            **values,
        ):
            counts.usage += usage_from(1, input_tokens, output_tokens, cost)
        return counts

    def _status(self) -> str:
        rows = self.rows(
            f"SELECT seq, status FROM finished WHERE {OWN} AND seq > :base "
            f"UNION ALL SELECT seq, '' FROM begun WHERE {OWN} AND seq > :base ORDER BY 1"
        )
        return cast(str, rows[-1][1]) if rows else self.base.status

    def _turns(self) -> dict[str, int]:
        turns = dict(self.base.turns)
        for agent, turn in self.rows(
            "SELECT agent, MAX(turn) FROM ended WHERE run = :run AND seq > :base AND seq <= :upto AND turn > 0 GROUP BY agent"
        ):
            turns[agent] = max(turn, turns.get(agent, 0))
        return turns

    def last_states(self) -> list[Row]:
        """The place, number, agent, wholeness and body of each agent's last whole state, and of what was changed since."""
        states: dict[str, list[Row]] = {}
        for row in self.rows(LAST_STATES):
            _, _, agent, whole, _ = row
            if whole:
                states[agent] = [row]
            else:
                states.setdefault(agent, []).append(row)
        return [row for rows in states.values() for row in rows]

    def _states(self) -> dict[str, tuple[State, ...]]:
        states: dict[str, list[State]] = {}
        for _, _, agent, whole, body in self.last_states():
            states.setdefault(agent, []).append(State(agent, bool(whole), body))
        return {agent: tuple(changes) for agent, changes in states.items()}

    def _pending(self) -> list[Sent]:
        waiting: set[int] = set()
        for link in self.links:
            values = {"run": link.run, "upto": link.upto, "base": self.base.seq}
            if waiting:  # since before this link
                waiting.difference_update(
                    number
                    for (number,) in self._db.fetch(
                        f"SELECT number FROM ended WHERE {OWN} AND \"end\" <> 'retried' AND {self._among('number', 'numbers')}",
                        numbers=sorted(waiting),
                        **values,
                    )
                )
            # Two indices are read, side by side, and no row.
            waiting.update(
                number
                for (number,) in self._db.fetch(
                    f"SELECT number FROM sent WHERE {OWN} AND waits <> 0 AND {DELIVERY} AND NOT EXISTS (SELECT 1 FROM ended "
                    "WHERE ended.run = :run AND ended.number = sent.number AND ended.\"end\" <> 'retried' AND +ended.seq <= :upto)",
                    **values,
                )
            )
        return (
            self.sent(f"waits <> 0 AND {self._among('number', 'numbers')}", numbers=sorted(waiting)) if waiting else []
        )

    def _past(self, numbers: Sequence[int]) -> dict[int, Sequence[Sent | Effect | Ended]]:
        if not numbers:
            return {}
        past: dict[int, list[Sent | Effect | Ended]] = {}
        sents = self.sent(self._among("step", "numbers"), numbers=numbers)
        effects = self.found(Effect, self._among("step", "numbers"), numbers=numbers)
        tries = self.found(Ended, self._among("number", "numbers"), numbers=numbers)
        for fact in merge(sents, effects, tries, key=attrgetter("seq")):
            assert isinstance(fact, Sent | Effect | Ended)
            past.setdefault(fact.number if isinstance(fact, Ended) else fact.step, []).append(fact)
        return cast(dict[int, Sequence[Sent | Effect | Ended]], past)

    def _replies(self, past: Mapping[int, Sequence[Sent | Effect | Ended]]) -> dict[str, Sent]:
        ids = sorted(questions_of(past.values()))
        replies: dict[str, Sent] = {}
        if ids:
            for sent in self.sent(f"reply_to <> '' AND waits = 0 AND {self._among('reply_to', 'ids')}", ids=ids):
                replies.setdefault(sent.reply_to, sent)
        return replies

    def _abandoned(self) -> tuple[str, ...]:
        names = self.rows(f"SELECT name FROM effect WHERE {OWN} AND kind = 'abandoned' AND seq > :base ORDER BY seq")
        return tuple(dict.fromkeys((*self.base.abandoned, *(name for (name,) in names))))


def _links(db: Connection, id: int, upto: int) -> list[Link]:
    links: list[Link] = []
    run: int | None = id
    while run is not None:
        ((origin, cut, base_seq, base),) = db.fetch(
            "SELECT origin, cut, base_seq, base FROM run WHERE id = :run", run=run
        )
        links.append(Link(run, upto, base_seq, base))
        run, upto = origin, min(upto, cut)
    return links[::-1]
