"""Facts of a run that were asked for, page by page, from tables. Blocks: for threads. Knows no database by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Final

from llm_net.errors import JournalFailed
from llm_net.journal.chain import COLUMNS, EVER, Chain, Link
from llm_net.journal.database import Connection, Database
from llm_net.journal.rows import TABLES, Value
from llm_net.journal.store import PAGE, Store
from llm_net.journal.words import words
from llm_net.record import Effect, Ended, Fact, Part, Select, Sent

_NUMBER: Final = {Sent: "number", Ended: "number", Effect: "step"}

# That the message of an effect's step, which this run may have from one that it begins with, went to somebody who is meant.
_STEP_OF: Final = """EXISTS (
    WITH RECURSIVE chain (run, upto) AS (
        SELECT id, CAST(:ever AS bigint) FROM run WHERE id = :run
        UNION ALL
        SELECT run.origin, CASE WHEN run.cut < chain.upto THEN run.cut ELSE chain.upto END
        FROM chain CROSS JOIN run WHERE run.id = chain.run AND run.origin IS NOT NULL
    )
    SELECT 1 FROM chain CROSS JOIN sent WHERE sent.run = chain.run AND sent.seq <= chain.upto AND sent.number = effect.step
    AND {}
)"""


class Reading:
    """The facts of one reader. Between two pages it holds nothing of the database."""

    def __init__(self, store: Store, database: Database, run: str, select: Select) -> None:
        self._store = store
        self._database = database
        self._run = run
        self._select = select
        self._words = words(select.text)
        self._values: dict[str, Value | Sequence[Value]] = {
            "numbers": select.numbers,
            "ids": select.ids,
            "replies_to": select.replies_to,
            "agent": select.agent,
            "inside": len(select.agent),
            "itself": select.agent.removesuffix("/"),
            "method": select.method,
            "conversation": select.conversation,
            "since": select.since,
            "until": select.until,
            "words": database.question(self._words),
        }
        self._size = PAGE if select.limit is None else min(PAGE, max(1, select.limit))
        self._facts = islice(self._chosen(), select.limit)
        self._db: Connection

    def page(self, db: Connection) -> list[Fact]:
        """The next facts; none after the last."""
        self._db = db
        return list(islice(self._facts, PAGE))

    def _chosen(self) -> Iterator[Fact]:
        select = self._select
        id = self._store.id_of(self._db, self._run)
        links = Chain(self._db, self._database, id, EVER if select.upto is None else select.upto).links
        kinds = {kind: conditions for kind in TABLES if (conditions := self._conditions(kind)) is not None}
        for link in reversed(links) if select.newest else links:
            streams = [self._stream(kind, id, link, conditions) for kind, conditions in kinds.items()]
            yield from merge(*streams, key=attrgetter("seq"), reverse=select.newest)

    def _stream(self, kind: type[Fact], id: int, link: Link, conditions: Sequence[str]) -> Iterator[Fact]:
        """The chosen facts of one kind that one run noted itself."""
        table, select = TABLES[kind], self._select
        # Where an index leads to the few that are meant, their order is made afterwards: the + says so to a planner.
        seq = "+seq" if select.numbers or select.ids or select.replies_to or self._words else "seq"
        where = " AND ".join(("run = :link", f"{seq} > :low", f"{seq} <= :high", *conditions))
        order = "DESC" if select.newest else "ASC"
        low, high = select.after, link.upto
        while True:
            rows = self._db.fetch(
                f"SELECT {COLUMNS[kind]} FROM {table.name} WHERE {where} ORDER BY {seq} {order} LIMIT :limit",
                run=id,
                ever=EVER,
                link=link.run,
                low=low,
                high=high,
                limit=self._size,
                **self._values,
            )
            if not self._db.fetch("SELECT 1 FROM run WHERE id = :run AND name IS NOT NULL", run=link.run):
                raise JournalFailed(f"run {self._run!r} was forgotten or compacted while it was read; read it again")
            yield from Chain(self._db, self._database, id).complete(kind, [table.fact(row) for row in rows])
            if len(rows) < self._size:
                return
            if select.newest:
                high = rows[-1][0] - 1
            else:
                low = rows[-1][0]

    def _conditions(self, kind: type[Fact]) -> list[str] | None:
        """What must hold for a fact of this kind besides its place; None if none of them can be meant."""
        select = self._select
        if select.facts and kind not in select.facts:
            return None
        conditions: list[str] = []
        if select.numbers:
            if kind not in _NUMBER:
                return None
            conditions.append(self._database.among(_NUMBER[kind], "numbers"))
        if select.agent:
            if kind not in _NUMBER:
                return None
            conditions.append(self._is_of_agent(kind))
        if select.since is not None or select.until is not None:
            if kind is Part:
                return None
            conditions += ["at >= :since"] * (select.since is not None) + ["at <= :until"] * (select.until is not None)
        of_messages = self._of_messages()
        if of_messages is None:
            return conditions
        return [*conditions, *of_messages] if kind is Sent else None

    def _of_messages(self) -> list[str] | None:
        """What is asked of messages; None if nothing is."""
        select = self._select
        if not (select.ids or select.replies_to or select.method or select.conversation or select.text):
            return None
        conditions: list[str] = []
        if select.ids:
            conditions.append(self._database.among("id", "ids"))
        if select.replies_to:
            conditions.append(f"reply_to <> '' AND {self._database.among('reply_to', 'replies_to')}")
        if select.method:
            conditions.append("method = :method")
        if select.conversation:
            conditions.append("conversation = :conversation")
        if self._words:
            conditions.append(self._database.holds_words)
        return conditions

    def _is_of_agent(self, kind: type[Fact]) -> str:
        if kind is Sent:
            return f"({self._is_meant('sender')} OR {self._is_meant('receiver')})"
        if kind is Ended:
            return self._is_meant("agent")
        return _STEP_OF.format(self._is_meant("sent.receiver"))

    def _is_meant(self, column: str) -> str:
        if self._select.agent.endswith("/"):
            return f"({column} IN (:agent, :itself) OR SUBSTR({column}, 1, :inside) = :agent)"
        return f"{column} = :agent"
