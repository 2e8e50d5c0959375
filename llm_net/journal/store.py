"""Facts in the tables of a database: written, opened, read, forgotten. Blocks: for threads. Knows no database by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from pydantic_core import from_json, to_json

from llm_net.errors import JournalError, UnknownRun
from llm_net.journal.chain import COLUMNS, EVER, OWN, Base, Chain, Counts, usage_from, used
from llm_net.journal.database import Connection, Database
from llm_net.journal.opening import ANCESTORS, TAKEN, once_each, open_facts, parts_named, usage_of
from llm_net.journal.order import check_cut, check_forks, check_order, check_remembered, first_fact, unknown
from llm_net.journal.rows import TABLES, Row, clean, content_rows, data_of, rows_of, state_rows, text
from llm_net.journal.words import words_of
from llm_net.journal.writer import Write
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Opened, Part, RunInfo, Sent

PAGE = 1000
"""Facts of one kind that are read at once."""

SWEPT = 10_000
"""Places whose rows are deleted in one transaction."""

_TABLES: Final = (*(table.name for table in TABLES.values()), "state")

_KEPT: Final = (
    "born", "network", "began", "parent", "cut", "seq", "number", "status", "error", "at", "sent", "ends", "requests",
    "input_tokens", "output_tokens", "cost",
)  # fmt: skip
"""What is told of a run stays the same when it is compacted."""


@dataclass(slots=True)
class _Head:
    """The row of a run: what is told of it without looking at its facts."""

    id: int
    seq: int
    status: str = ""
    error: str = ""
    at: float = 0.0
    counts: Counts = field(default_factory=Counts)

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
            check_cut(begun, Chain(db, self._database, origin.id).base.seq, origin.seq)
        (row,) = db.fetch(
            "INSERT INTO run (name, born, network, began, parent, cut, origin, seq, number, status, error, at, sent, ends, "
            "requests, input_tokens, output_tokens, base_seq, base, searched) "
            "VALUES (:name, (SELECT COALESCE(MAX(id), 0) + 1 FROM run), :network, :began, :parent, :cut, :origin, :cut, 0, '', "
            ":none, :began, 0, :none, 0, 0, 0, 0, :none, 0) RETURNING id",
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
        id, seq, status, error, at, sent, number, ends, *usage = found[0]
        counts = Counts(sent, number, from_json(ends) if ends else {}, usage_from(*usage))
        return _Head(id, seq, status, text(error), at, counts)

    def _keep(self, db: Connection, head: _Head) -> None:
        requests, input_tokens, output_tokens, cost = used(head.counts.usage)
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
            chain = Chain(db, self._database, self.id_of(db, run), EVER if upto is None else upto)
            if upto is not None:
                check_remembered(run, chain.base.seq, upto)
            return chain.open()

    # ------------------------------------------------------------------------------------------ reading

    def id_of(self, db: Connection, run: str) -> int:
        found = db.fetch("SELECT id FROM run WHERE name = :name", name=run)
        if not found:
            raise self._unknown(db, run)
        return cast(int, found[0][0])

    def _unknown(self, db: Connection, run: str) -> UnknownRun:
        names = db.fetch("SELECT name FROM run WHERE name IS NOT NULL ORDER BY born DESC LIMIT 1000")
        return unknown(run, [cast(str, name) for (name,) in names])

    def runs(self, db: Connection) -> list[RunInfo]:
        """See `Journal.runs`."""
        return [
            RunInfo(run, network, began, status, text(error), at, messages, usage_from(*usage), parent, cut)
            for run, network, began, status, error, at, messages, *usage, parent, cut in db.fetch(
                "SELECT name, network, began, status, error, at, sent, requests, input_tokens, output_tokens, cost, parent, cut "
                "FROM run WHERE name IS NOT NULL ORDER BY born, id"
            )
        ]

    # ------------------------------------------------------------------------------------------ forgetting

    def forget(self, db: Connection, run: str, *, keep_open: bool) -> None:
        """See `Journal.forget`. What is forgotten loses its name at once, and its rows when somebody calls `sweep`."""
        with db.change():
            head = self._head(db, run)
            if head is None:
                raise self._unknown(db, run)
            forks = db.fetch("SELECT name FROM run WHERE origin = :run ORDER BY id", run=head.id)
            check_forks(run, [cast(str, name) for (name,) in forks])
            rows = self._open_rows(db, head.id) if keep_open else None
            db.fetch("UPDATE run SET name = NULL, origin = NULL WHERE id = :run", run=head.id)
            for table, added in (rows or {}).items():
                db.insert(table, added)
            if rows is not None:
                db.fetch("UPDATE run SET name = :name WHERE id = :run", name=run, run=rows["begun"][0][0])

    def _open_rows(self, db: Connection, old: int) -> dict[str, list[Row]]:
        """What `open` needs, as rows of a new run that begins with no other."""
        chain = Chain(db, self._database, old)
        base = chain.open()
        needed = open_facts(base)
        needed += self._answered(chain, needed)
        ((id,),) = db.fetch(
            f"INSERT INTO run (base_seq, base, searched, {', '.join(_KEPT)}) SELECT :seq, :base, 0, {', '.join(_KEPT)} "
            "FROM run WHERE id = :run RETURNING id",
            seq=base.seq,
            base=Base.data(base),
            run=old,
        )
        rows: dict[str, list[Row]] = {}
        _add_rows(rows, id, once_each([base.begun, *needed, *self._ends(chain, needed)]))
        states = {(seq, n): (id, seq, n, *rest) for seq, n, *rest in chain.last_states()}
        rows["state"] = list((states | {row[1:3]: row for row in rows.get("state", ())}).values())
        rows["part"] = [
            (id, *part)
            for part in chain.rows(
                f"SELECT seq, hash FROM part WHERE {OWN} AND {self._database.among('hash', 'hashes')}",
                hashes=sorted(parts_named(needed)),
            )
        ]
        return rows

    def sweep(self, db: Connection) -> bool:
        """Delete some of the rows of what is forgotten, so few that nobody waits long. False if there is nothing left."""
        with db.change():
            found = db.fetch("SELECT id FROM run WHERE name IS NULL LIMIT 1")
            if not found:
                return False
            ((id,),) = found
            first = " UNION ALL ".join(f"SELECT MIN(seq) AS seq FROM {table} WHERE run = :run" for table in _TABLES)
            ((low,),) = db.fetch(f"SELECT MIN(seq) FROM ({first}) AS first", run=id)
            if low is None:
                db.fetch("DELETE FROM run WHERE id = :run", run=id)
                return True
            if self._database.lock_parts:
                db.fetch(self._database.lock_parts)
            db.fetch(
                "DELETE FROM content WHERE hash IN (SELECT hash FROM part WHERE run = :run AND seq <= :upto) AND NOT EXISTS "
                "(SELECT 1 FROM part WHERE part.hash = content.hash AND NOT (part.run = :run AND part.seq <= :upto))",
                run=id,
                upto=low + SWEPT,
            )
            db.fetch(self._database.unsearch, run=id, upto=low + SWEPT)
            for table in _TABLES:
                db.fetch(f"DELETE FROM {table} WHERE run = :run AND seq <= :upto", run=id, upto=low + SWEPT)
            return True

    def _answered(self, chain: Chain, needed: Sequence[Fact]) -> list[Sent]:
        """The first delivery of each message that these answer, of those that those answer, and so on."""
        found: dict[str, Sent] = {}
        wanted = {fact.reply_to for fact in needed if isinstance(fact, Sent) and fact.reply_to}
        for _ in range(ANCESTORS):
            if not (wanted := wanted - found.keys()):
                break
            new: dict[str, Sent] = {}
            for sent in chain.sent(self._database.among("id", "ids"), ids=sorted(wanted)):
                new.setdefault(sent.id, sent)
            found |= new
            wanted = {sent.reply_to for sent in new.values() if sent.reply_to}
        return list(found.values())

    def _ends(self, chain: Chain, needed: Sequence[Fact]) -> list[Fact]:
        """The ends of these deliveries, without what is told of states elsewhere."""
        numbers = sorted({fact.number for fact in needed if isinstance(fact, Sent)})
        ends = chain.found(
            Ended, f"\"end\" <> 'retried' AND {self._database.among('number', 'numbers')}", numbers=numbers
        )
        return [replace(cast(Ended, end), states=()) for end in ends]

    # ------------------------------------------------------------------------------------------ searching

    def index(self, db: Connection, run: str) -> bool:
        """Note the words of the next messages of a run, and of those that it begins with. False if all are noted."""
        with db.change():
            chain = Chain(db, self._database, self.id_of(db, run))
            for link in chain.links:
                ((searched,),) = db.fetch("SELECT searched FROM run WHERE id = :run", run=link.run)
                rows = db.fetch(
                    f"SELECT {COLUMNS[Sent]} FROM sent WHERE run = :run AND seq > :seq ORDER BY seq LIMIT :limit",
                    run=link.run,
                    seq=searched,
                    limit=PAGE,
                )
                if not rows:
                    continue
                sents = cast(list[Sent], chain.complete(Sent, [TABLES[Sent].fact(row) for row in rows]))
                db.insert("search", [(link.run, sent.seq, " ".join(words_of(sent.message))) for sent in sents])
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
