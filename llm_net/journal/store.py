"""Facts in the tables of a database: written, opened, read, forgotten. Blocks: for threads. Knows no database by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from heapq import merge
from operator import attrgetter
from typing import Final, TypeAlias, cast

from pydantic_core import from_json, to_json

from llm_net.chat import Usage
from llm_net.errors import JournalError, UnknownRun
from llm_net.journal.database import Connection, Database
from llm_net.journal.opening import (
    ANCESTORS,
    TAKEN,
    add_states,
    once_each,
    open_facts,
    parts_named,
    questions_of,
    usage_of,
)
from llm_net.journal.order import check_cut, check_forks, check_order, check_remembered, first_fact, unknown
from llm_net.journal.rows import TABLES, Row, Value, clean, content_rows, data_of, rows_of, state_rows, text
from llm_net.journal.words import words_of
from llm_net.journal.writer import Write
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Opened, Part, RunInfo, Sent, State

PAGE = 500
"""Facts of one kind that are read at once."""

EVER: Final = 1 << 62
"""A place after every fact."""

Values: TypeAlias = Mapping[str, "Value | Sequence[Value]"]

COLUMNS: Final = {
    kind: ", ".join(f'{table.name}."{column}"' for column in table.columns) for kind, table in TABLES.items()
}

# The run :run and those that it begins with, each with the last of its facts, up to :upto, that count.
CHAIN: Final = """
    WITH RECURSIVE chain (run, upto) AS (
        SELECT id, CAST(:upto AS bigint) FROM run WHERE id = :run
        UNION ALL
        SELECT run.origin, CASE WHEN run.cut < chain.upto THEN run.cut ELSE chain.upto END
        FROM chain CROSS JOIN run WHERE run.id = chain.run AND run.origin IS NOT NULL
    )
"""


def of_chain(table: str, name: str = "") -> str:
    # The + keeps a planner from going through all that is before a place, where an index leads to the few that are meant.
    name = name or table
    return f"FROM chain CROSS JOIN {table} AS {name} WHERE {name}.run = chain.run AND +{name}.seq <= chain.upto"


# Each agent's last whole state, and what was changed since.
LAST_STATES: Final = f"""
    {CHAIN}, whole AS (SELECT state.agent, MAX(state.seq) AS seq {of_chain("state")} AND state.whole <> 0 GROUP BY state.agent)
    SELECT last.seq, last.n, last.agent, last.whole, last.body
    FROM (SELECT state.seq, state.n, state.agent, state.whole, state.body {of_chain("state")}) AS last
    LEFT JOIN whole ON whole.agent = last.agent
    WHERE last.seq >= COALESCE(whole.seq, 0) ORDER BY last.seq, last.n
"""


@dataclass(slots=True)
class _Head:
    """The row of a run: what is told of it without looking at its facts."""

    id: int
    seq: int
    status: str = ""
    error: str = ""
    at: float = 0.0
    counts: _Counts = field(default_factory=lambda: _Counts())  # noqa: PLW0108 - it is defined below

    def note(self, facts: Iterable[Fact]) -> None:
        """More facts of this run."""
        counts = self.counts
        for fact in facts:
            self.seq = fact.seq
            if isinstance(fact, Part):
                continue
            self.at = fact.at
            match fact:
                case Sent() if not fact.edited:
                    counts.sent += 1
                    counts.number = max(counts.number, fact.number)
                    if not fact.waits:
                        counts.end(TAKEN)
                case Ended():
                    if fact.end != "retried":
                        counts.end(fact.end)
                case Effect():
                    counts.usage += usage_of(fact)
                case Begun():
                    self.status = self.error = ""
                case Finished():
                    self.status, self.error = fact.status, fact.error


@dataclass(slots=True)
class _Counts:
    """What is counted in a run, or a piece of one."""

    sent: int = 0
    number: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)

    def end(self, end: str, times: int = 1) -> None:
        """So many deliveries came to this end."""
        self.ends[end] = self.ends.get(end, 0) + times

    def add(self, other: _Counts) -> None:
        """What comes after it, or before."""
        self.sent += other.sent
        self.number = max(self.number, other.number)
        for end, times in other.ends.items():
            self.end(end, times)
        self.usage += other.usage


@dataclass(frozen=True, slots=True)
class _Base:
    """What a run was when it was compacted."""

    seq: int = 0
    status: str = ""
    turns: Mapping[str, int] = field(default_factory=dict)
    counts: _Counts = field(default_factory=_Counts)
    abandoned: Sequence[str] = ()

    @classmethod
    def of(cls, seq: int, data: bytes) -> _Base:
        """What `data` gave."""
        if not seq:
            return cls()
        status, turns, sent, number, ends, used, abandoned = from_json(data)
        return cls(seq, status, turns, _Counts(sent, number, ends, _usage(*used)), abandoned)

    @staticmethod
    def data(run: Opened) -> bytes:
        """All of it but `seq`."""
        return to_json(
            (run.status, run.turns, run.sent, run.number, run.ends, _used(run.usage), run.abandoned),
        )


@dataclass(frozen=True, slots=True)
class Link:
    """A run of a chain: one that another begins with, up to a place; first the one that begins with no other."""

    run: int
    upto: int
    base_seq: int
    base: bytes


def _usage(requests: int, input_tokens: int, output_tokens: int, cost: str | None) -> Usage:
    return Usage(requests, input_tokens, output_tokens, None if cost is None else Decimal(cost))


def _used(usage: Usage) -> tuple[int, int, int, str | None]:
    return usage.requests, usage.input_tokens, usage.output_tokens, None if usage.cost is None else str(usage.cost)


class Store:
    """Reads and writes the tables of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------------------------------------ writing

    def write(self, db: Connection, writes: Sequence[Write]) -> list[JournalError | None]:
        """Keep what is wanted, in one transaction; gives what is wrong with each. Raises if nothing was kept."""
        try:
            return self._write(db, writes, cleanly=False)
        except self._database.odd:
            return self._write(db, writes, cleanly=True)

    def _write(self, db: Connection, writes: Sequence[Write], *, cleanly: bool) -> list[JournalError | None]:
        heads: dict[str, _Head] = {}
        rows: dict[str, list[Row]] = {}
        outcomes: list[JournalError | None] = []
        with db.change():
            for write in writes:
                try:
                    head = heads[write.run] = self._head_for(db, heads, write)
                except JournalError as error:
                    outcomes.append(error)
                    continue
                head.note(write.facts)
                _add_rows(rows, head.id, write.facts)
                outcomes.append(None)
            for table, added in rows.items():
                db.insert(table, [clean(row) for row in added] if cleanly else added)
            for head in heads.values():
                self._keep(db, head)
        return outcomes

    def _head_for(self, db: Connection, heads: Mapping[str, _Head], write: Write) -> _Head:
        head = heads.get(write.run) or self._head(db, write.run)
        if head is not None:
            check_order(write.run, head.seq, write.facts)
            return head
        begun = first_fact(write.run, write.facts)
        check_order(write.run, begun.cut, write.facts)
        origin = None
        if begun.parent is not None:
            origin = heads.get(begun.parent) or self._head(db, begun.parent)
            if origin is None:
                raise self._unknown(db, begun.parent)
            check_cut(begun, self.chain(db, origin.id, EVER)[0].base_seq, origin.seq)
        (row,) = db.fetch(
            "INSERT INTO run (name, network, began, parent, cut, origin, seq, number, status, error, at, sent, ends, requests, "
            "input_tokens, output_tokens, base_seq, base, searched) VALUES (:name, :network, :began, :parent, :cut, :origin, "
            ":cut, 0, '', :none, :began, 0, :none, 0, 0, 0, 0, :none, 0) RETURNING id",
            name=write.run,
            network=begun.network,
            began=begun.at,
            parent=begun.parent,
            cut=begun.cut,
            origin=None if origin is None else origin.id,
            none=b"",
        )
        return _Head(cast(int, row[0]), begun.cut)

    def _head(self, db: Connection, run: str) -> _Head | None:
        """The row of a run, if there is one. Nobody else changes it until the transaction ends."""
        found = db.fetch(
            "SELECT id, seq, status, error, at, sent, number, ends, requests, input_tokens, output_tokens, cost "
            f"FROM run WHERE name = :name {self._database.for_update}",
            name=run,
        )
        if not found:
            return None
        id, seq, status, error, at, sent, number, ends, *used = found[0]
        counts = _Counts(sent, number, from_json(ends) if ends else {}, _usage(*used))
        return _Head(id, seq, status, text(error), at, counts)

    def _keep(self, db: Connection, head: _Head) -> None:
        requests, input_tokens, output_tokens, cost = _used(head.counts.usage)
        db.fetch(
            "UPDATE run SET seq = :seq, status = :status, error = :error, at = :at, sent = :sent, number = :number, ends = :ends, "
            "requests = :requests, input_tokens = :input_tokens, output_tokens = :output_tokens, cost = :cost WHERE id = :run",
            run=head.id,
            seq=head.seq,
            status=head.status,
            error=data_of(head.error),
            at=head.at,
            sent=head.counts.sent,
            number=head.counts.number,
            ends=to_json(head.counts.ends),
            requests=requests,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=cost,
        )

    # ------------------------------------------------------------------------------------------ opening

    def open(self, db: Connection, run: str, upto: int | None) -> Opened:
        """See `Journal.open`."""
        with db.look():
            return self._open(db, self.id_of(db, run), run, EVER if upto is None else upto)

    def _open(self, db: Connection, id: int, run: str, upto: int) -> Opened:
        chain = self.chain(db, id, upto)
        check_remembered(run, chain[0].base_seq, upto)
        base = _Base.of(chain[0].base_seq, chain[0].base)
        counts = base.counts
        for link in chain:
            counts.add(self._counts(db, link))
        values: Values = {"run": id, "upto": upto, "base": base.seq}
        pending = self._pending(db, values)
        past = self._past(db, values, [sent.number for sent in pending])
        (last,) = db.fetch("SELECT seq FROM run WHERE id = :run", run=id)
        return Opened(
            begun=self._begun(db, id),
            status=self._status(db, values, base.status),
            seq=min(last[0], upto),
            number=counts.number,
            turns=self._turns(db, values, base),
            sent=counts.sent,
            ends=counts.ends,
            states=self._states(db, values),
            pending=tuple(pending),
            past=past,
            replies=self._replies(db, values, past),
            abandoned=self._abandoned(db, values, base),
            usage=counts.usage,
        )

    def chain(self, db: Connection, id: int, upto: int) -> list[Link]:
        """The run, and before it those that it begins with."""
        rows = db.fetch(
            f"{CHAIN} SELECT chain.run, chain.upto, run.base_seq, run.base FROM chain JOIN run ON run.id = chain.run "
            "ORDER BY chain.run",  # a fork is younger than what it was forked from
            run=id,
            upto=upto,
        )
        return [Link(*row) for row in rows]

    def _begun(self, db: Connection, id: int) -> Begun:
        (row,) = db.fetch(f"SELECT {COLUMNS[Begun]} FROM begun WHERE run = :run ORDER BY seq LIMIT 1", run=id)
        return cast(Begun, TABLES[Begun].fact(row))

    def _counts(self, db: Connection, link: Link) -> _Counts:
        """What is counted in a run's own facts, after it was compacted and up to a place."""
        if link.upto == EVER and not link.base_seq:  # then its row knows
            ((sent, number, ends, *used),) = db.fetch(
                "SELECT sent, number, ends, requests, input_tokens, output_tokens, cost FROM run WHERE id = :run",
                run=link.run,
            )
            return _Counts(sent, number, from_json(ends), _usage(*used))
        counts = _Counts()
        where = "WHERE run = :run AND seq > :base AND seq <= :upto"
        values: Values = {"run": link.run, "base": link.base_seq, "upto": link.upto}
        for waits, sent, number in db.fetch(
            f"SELECT waits, COUNT(*), MAX(number) FROM sent {where} AND edited = 0 GROUP BY waits", **values
        ):
            counts.add(_Counts(sent, number, {} if waits else {TAKEN: sent}))
        for end, times in db.fetch(
            f'SELECT "end", COUNT(*) FROM ended {where} AND "end" <> \'retried\' GROUP BY "end"', **values
        ):
            counts.end(end, times)
        for input_tokens, output_tokens, cost in db.fetch(
            f"SELECT input_tokens, output_tokens, cost FROM effect {where} AND kind = 'model' AND status <> 'intent'",
            **values,
        ):
            counts.usage += _usage(1, input_tokens, output_tokens, cost)
        return counts

    def _status(self, db: Connection, values: Values, status: str) -> str:
        rows = db.fetch(
            f"{CHAIN} SELECT finished.seq, finished.status {of_chain('finished')} AND finished.seq > :base "
            f"UNION ALL SELECT begun.seq, '' {of_chain('begun')} AND begun.seq > :base ORDER BY 1 DESC LIMIT 1",
            **values,
        )
        return cast(str, rows[0][1]) if rows else status

    def _turns(self, db: Connection, values: Values, base: _Base) -> dict[str, int]:
        turns = dict(base.turns)
        for agent, turn in db.fetch(
            f"{CHAIN} SELECT ended.agent, MAX(ended.turn) {of_chain('ended')} AND ended.turn > 0 AND ended.seq > :base "
            "GROUP BY ended.agent",
            **values,
        ):
            turns[agent] = max(turn, turns.get(agent, 0))
        return turns

    def _states(self, db: Connection, values: Values) -> dict[str, tuple[State, ...]]:
        states: dict[str, list[State]] = {}
        rows = db.fetch(LAST_STATES, run=values["run"], upto=values["upto"])
        add_states(states, (State(agent, bool(whole), body) for _, _, agent, whole, body in rows))
        return {agent: tuple(changes) for agent, changes in states.items()}

    def _pending(self, db: Connection, values: Values) -> list[Sent]:
        # The first statement looks only at two indices, and in the order in which they lie.
        seqs = db.fetch(
            f"{CHAIN}, later AS (SELECT run, upto FROM chain) SELECT sent.seq {of_chain('sent')} AND sent.waits <> 0 "
            "AND NOT (sent.edited <> 0 AND sent.seq > :base) AND NOT EXISTS (SELECT 1 FROM later CROSS JOIN ended WHERE "
            "ended.run = later.run AND +ended.seq <= later.upto AND ended.number = sent.number AND ended.\"end\" <> 'retried')",
            **values,
        )
        among = self._database.among("sent.seq", "seqs")
        return self._sent(db, {**values, "seqs": [seq for (seq,) in seqs]}, f"AND {among}") if seqs else []

    def _past(
        self, db: Connection, values: Values, numbers: Sequence[int]
    ) -> dict[int, Sequence[Sent | Effect | Ended]]:
        if not numbers:
            return {}
        values = {**values, "numbers": numbers}
        past: dict[int, list[Sent | Effect | Ended]] = {}
        sents = self._sent(db, values, f"AND sent.step > 0 AND {self._database.among('sent.step', 'numbers')}")
        effects = self._found(db, Effect, values, f"AND {self._database.among('effect.step', 'numbers')}")
        tries = self._found(db, Ended, values, f"AND {self._database.among('ended.number', 'numbers')}")
        for fact in merge(sents, effects, tries, key=attrgetter("seq")):
            assert isinstance(fact, Sent | Effect | Ended)
            past.setdefault(fact.number if isinstance(fact, Ended) else fact.step, []).append(fact)
        return cast(dict[int, Sequence[Sent | Effect | Ended]], past)

    def _replies(
        self, db: Connection, values: Values, past: Mapping[int, Sequence[Sent | Effect | Ended]]
    ) -> dict[str, Sent]:
        ids = sorted(questions_of(past.values()))
        if not ids:
            return {}
        replies: dict[str, Sent] = {}
        for sent in self._sent(
            db,
            {**values, "ids": ids},
            f"AND sent.reply_to <> '' AND sent.waits = 0 AND {self._database.among('sent.reply_to', 'ids')}",
        ):
            replies.setdefault(sent.reply_to, sent)
        return replies

    def _abandoned(self, db: Connection, values: Values, base: _Base) -> tuple[str, ...]:
        names = db.fetch(
            f"{CHAIN} SELECT effect.name {of_chain('effect')} AND effect.kind = 'abandoned' "
            "AND effect.seq > :base ORDER BY effect.seq",
            **values,
        )
        return tuple(dict.fromkeys((*base.abandoned, *(name for (name,) in names))))

    # ------------------------------------------------------------------------------------------ facts of a chain

    def _found(self, db: Connection, kind: type[Fact], values: Values, where: str) -> list[Fact]:
        """Facts of one kind, of a run and those that it begins with, complete."""
        table = TABLES[kind]
        rows = db.fetch(
            f"{CHAIN} SELECT {COLUMNS[kind]} {of_chain(table.name)} {where} ORDER BY {table.name}.seq", **values
        )
        return self.complete(db, kind, [table.fact(row) for row in rows], values)

    def _sent(self, db: Connection, values: Values, where: str) -> list[Sent]:
        """Deliveries, with each message as it was last edited."""
        sents = cast(
            list[Sent], self._found(db, Sent, values, f"AND NOT (sent.edited <> 0 AND sent.seq > :base) {where}")
        )
        edits: dict[str, bytes] = dict(
            cast(
                "list[tuple[str, bytes]]",
                db.fetch(
                    f"{CHAIN} SELECT sent.id, sent.message {of_chain('sent')} AND sent.edited <> 0 AND sent.seq > :base "
                    "ORDER BY sent.seq",
                    **values,
                ),
            )
        )
        return [replace(sent, message=edits[sent.id], edited=True) if sent.id in edits else sent for sent in sents]

    def complete(self, db: Connection, kind: type[Fact], facts: list[Fact], values: Values) -> list[Fact]:
        """The facts, all of one kind, with what is not in their own rows."""
        if not facts:
            return facts
        chain: Values = {"run": values["run"], "upto": EVER}
        if kind is Sent:
            return self._with_messages(db, cast(list[Sent], facts), chain)
        if kind is Ended:
            states: dict[int, list[State]] = {}
            for seq, agent, whole, body in db.fetch(
                f"{CHAIN} SELECT state.seq, state.agent, state.whole, state.body {of_chain('state')} "
                f"AND {self._database.among('state.seq', 'seqs')} ORDER BY state.seq, state.n",
                seqs=[fact.seq for fact in facts],
                **chain,
            ):
                states.setdefault(seq, []).append(State(agent, bool(whole), body))
            return [
                replace(cast(Ended, fact), states=tuple(states[fact.seq])) if fact.seq in states else fact
                for fact in facts
            ]
        if kind is Part:
            parts = cast(list[Part], facts)
            rows = db.fetch(
                f"SELECT hash, data FROM content WHERE {self._database.among('hash', 'hashes')}",
                hashes=[part.hash for part in parts],
            )
            data: dict[str, bytes] = dict(cast("list[tuple[str, bytes]]", rows))
            return [replace(part, data=data[part.hash]) for part in parts]
        return facts

    def _with_messages(self, db: Connection, facts: list[Sent], chain: Values) -> list[Fact]:
        lacking = [sent.id for sent in facts if not sent.message]
        if not lacking:
            return list(facts)
        messages: dict[str, list[tuple[int, bytes]]] = {}
        for id, seq, message in db.fetch(
            f"{CHAIN} SELECT sent.id, sent.seq, sent.message {of_chain('sent')} AND LENGTH(sent.message) > 0 "
            f"AND {self._database.among('sent.id', 'ids')} ORDER BY sent.seq DESC",
            ids=list(dict.fromkeys(lacking)),
            **chain,
        ):
            messages.setdefault(id, []).append((seq, message))
        return [
            sent
            if sent.message
            else replace(
                sent, message=next((message for seq, message in messages.get(sent.id, ()) if seq < sent.seq), b"")
            )
            for sent in facts
        ]

    # ------------------------------------------------------------------------------------------ reading

    def id_of(self, db: Connection, run: str) -> int:
        found = db.fetch("SELECT id FROM run WHERE name = :name", name=run)
        if not found:
            raise self._unknown(db, run)
        return cast(int, found[0][0])

    def _unknown(self, db: Connection, run: str) -> UnknownRun:
        names = db.fetch("SELECT name FROM run ORDER BY id DESC LIMIT 1000")
        return unknown(run, [cast(str, name) for (name,) in names])

    def runs(self, db: Connection) -> list[RunInfo]:
        """See `Journal.runs`."""
        return [
            RunInfo(run, network, began, status, text(error), at, messages, _usage(*used), parent, cut)
            for run, network, began, status, error, at, messages, *used, parent, cut in db.fetch(
                "SELECT name, network, began, status, error, at, sent, requests, input_tokens, output_tokens, cost, parent, cut "
                "FROM run ORDER BY id"
            )
        ]

    # ------------------------------------------------------------------------------------------ forgetting

    def forget(self, db: Connection, run: str, *, keep_open: bool) -> None:
        """See `Journal.forget`."""
        with db.change():
            head = self._head(db, run)
            if head is None:
                raise self._unknown(db, run)
            forks = db.fetch("SELECT name FROM run WHERE origin = :run ORDER BY id", run=head.id)
            check_forks(run, [cast(str, name) for (name,) in forks])
            if self._database.lock_parts:
                db.fetch(self._database.lock_parts)
            kept = self._open_rows(db, head.id, run) if keep_open else {}
            for table in (*(table.name for table in TABLES.values()), "state"):
                db.fetch(f"DELETE FROM {table} WHERE run = :run", run=head.id)
            db.fetch(self._database.unsearch, run=head.id)
            for name, rows in kept.items():
                db.insert(name, rows)
            if not keep_open:
                db.fetch("DELETE FROM run WHERE id = :run", run=head.id)
            db.fetch("DELETE FROM content WHERE NOT EXISTS (SELECT 1 FROM part WHERE part.hash = content.hash)")

    def _open_rows(self, db: Connection, id: int, run: str) -> dict[str, list[Row]]:
        """What `open` needs, as rows of this run alone; and its row says that it stands alone from now on."""
        base = self._open(db, id, run, EVER)
        values: Values = {"run": id, "upto": EVER, "base": self.chain(db, id, EVER)[0].base_seq}
        needed = open_facts(base)
        needed += self._answered(db, values, needed)
        facts = once_each([base.begun, *needed, *self._ends(db, values, needed)])
        rows: dict[str, list[Row]] = {}
        _add_rows(rows, id, facts)
        states = {(seq, n): (id, seq, n, *rest) for seq, n, *rest in db.fetch(LAST_STATES, **values)}
        rows["state"] = list((states | {row[1:3]: row for row in rows.get("state", ())}).values())
        rows["part"] = [
            (id, *part)
            for part in db.fetch(
                f"{CHAIN} SELECT part.seq, part.hash {of_chain('part')} AND {self._database.among('part.hash', 'hashes')}",
                hashes=sorted(parts_named(needed)),
                **values,
            )
        ]
        db.fetch(
            "UPDATE run SET origin = NULL, base_seq = :seq, base = :base, searched = 0 WHERE id = :run",
            run=id,
            seq=base.seq,
            base=_Base.data(base),
        )
        return rows

    def _answered(self, db: Connection, values: Values, needed: Sequence[Fact]) -> list[Sent]:
        """The first delivery of each message that these answer, of those that those answer, and so on."""
        found: dict[str, Sent] = {}
        wanted = {fact.reply_to for fact in needed if isinstance(fact, Sent) and fact.reply_to}
        for _ in range(ANCESTORS):
            if not (wanted := {id for id in wanted if id not in found}):
                break
            new: dict[str, Sent] = {}
            for sent in self._sent(
                db, {**values, "ids": sorted(wanted)}, f"AND {self._database.among('sent.id', 'ids')}"
            ):
                new.setdefault(sent.id, sent)
            found |= new
            wanted = {sent.reply_to for sent in new.values() if sent.reply_to}
        return list(found.values())

    def _ends(self, db: Connection, values: Values, needed: Sequence[Fact]) -> list[Fact]:
        """The ends of these deliveries, without what is told of states elsewhere."""
        ends = self._found(
            db,
            Ended,
            {**values, "numbers": sorted({fact.number for fact in needed if isinstance(fact, Sent)})},
            f"AND ended.\"end\" <> 'retried' AND {self._database.among('ended.number', 'numbers')}",
        )
        return [replace(cast(Ended, end), states=()) for end in ends]

    # ------------------------------------------------------------------------------------------ searching

    def index(self, db: Connection, run: str) -> bool:
        """Note the words of the next messages of a run, and of those that it begins with. False if all are noted."""
        with db.change():
            for link in self.chain(db, self.id_of(db, run), EVER):
                ((searched,),) = db.fetch("SELECT searched FROM run WHERE id = :run", run=link.run)
                rows = db.fetch(
                    f"SELECT {COLUMNS[Sent]} FROM sent WHERE run = :run AND seq > :seq ORDER BY seq LIMIT :limit",
                    run=link.run,
                    seq=searched,
                    limit=PAGE,
                )
                if not rows:
                    continue
                sents = self.complete(db, Sent, [TABLES[Sent].fact(row) for row in rows], {"run": link.run})
                db.insert(
                    "search", [(link.run, sent.seq, " ".join(words_of(cast(Sent, sent).message))) for sent in sents]
                )
                db.fetch("UPDATE run SET searched = :seq WHERE id = :run", run=link.run, seq=sents[-1].seq)
                return True
        return False


def _add_rows(rows: dict[str, list[Row]], run: int, facts: Sequence[Fact]) -> None:
    """The rows of all tables that facts of a run are. Those of `part` come before those of `content`: see `Database.lock_parts`."""
    for table, added in rows_of(run, facts).items():
        rows.setdefault(table, []).extend(added)
    if states := state_rows(run, facts):
        rows.setdefault("state", []).extend(states)
    if contents := content_rows(facts):
        rows.setdefault("content", []).extend(contents)
