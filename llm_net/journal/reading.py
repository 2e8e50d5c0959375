"""Facts of a run that were asked for, page by page, from tables. Blocks: for threads. Knows no database by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Final

from llm_net.journal.database import Connection, Database
from llm_net.journal.rows import TABLES, Value
from llm_net.journal.store import CHAIN, COLUMNS, EVER, PAGE, Link, Store, of_chain
from llm_net.journal.words import words
from llm_net.record import Effect, Ended, Fact, Part, Select, Sent

_NUMBER: Final = {Sent: "sent.number", Ended: "ended.number", Effect: "effect.step"}


class Reading:
    """The facts of one reader. Between two pages it holds nothing of the database."""

    def __init__(self, store: Store, database: Database, run: str, select: Select) -> None:
        self._store = store
        self._database = database
        self._run = run
        self._select = select
        self._words = words(select.text)
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
        links = self._store.chain(self._db, id, EVER if select.upto is None else select.upto)
        if select.newest:
            links.reverse()
        for link in links:
            streams = [
                self._stream(kind, id, link, " ".join(f"AND {condition}" for condition in conditions))
                for kind in TABLES
                if (conditions := self._conditions(kind)) is not None
            ]
            yield from merge(*streams, key=attrgetter("seq"), reverse=select.newest)

    def _stream(self, kind: type[Fact], id: int, link: Link, conditions: str) -> Iterator[Fact]:
        """The chosen facts of one kind that one run noted itself."""
        table = TABLES[kind]
        select = self._select
        # Where an index leads to the few that are meant, their order is made afterwards: the + says so to a planner.
        seq = "+seq" if select.numbers or select.ids or select.replies_to or self._words else "seq"
        low, high = select.after, link.upto
        while True:
            rows = self._db.fetch(
                f"{CHAIN} SELECT {COLUMNS[kind]} FROM {table.name} "
                f"WHERE run = :link AND {seq} > :low AND {seq} <= :high {conditions} "
                f"ORDER BY {seq} {'DESC' if self._select.newest else 'ASC'} LIMIT :limit",
                run=id,
                link=link.run,
                low=low,
                high=high,
                upto=EVER,
                limit=self._size,
                **self._values(),
            )
            yield from self._store.complete(self._db, kind, [table.fact(row) for row in rows], {"run": id})
            if len(rows) < self._size:
                return
            if self._select.newest:
                high = rows[-1][0] - 1
            else:
                low = rows[-1][0]

    def _values(self) -> dict[str, Value | Sequence[Value]]:
        select = self._select
        return {
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
            "words": self._database.question(self._words),
        }

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
            conditions.append(self._database.among("sent.id", "ids"))
        if select.replies_to:
            conditions.append(f"sent.reply_to <> '' AND {self._database.among('sent.reply_to', 'replies_to')}")
        if select.method:
            conditions.append("sent.method = :method")
        if select.conversation:
            conditions.append("sent.conversation = :conversation")
        if self._words:
            conditions.append(self._database.holds_words)
        return conditions

    def _is_of_agent(self, kind: type[Fact]) -> str:
        if kind is Sent:
            return f"({self._is_meant('sent.sender')} OR {self._is_meant('sent.receiver')})"
        if kind is Ended:
            return self._is_meant("ended.agent")
        of_step = f"{of_chain('sent', 'step')} AND step.number = effect.step"
        return f"EXISTS (SELECT 1 {of_step} AND {self._is_meant('step.receiver')})"

    def _is_meant(self, column: str) -> str:
        if self._select.agent.endswith("/"):
            return f"({column} IN (:agent, :itself) OR SUBSTR({column}, 1, :inside) = :agent)"
        return f"{column} = :agent"
