"""Whatever is noted, forked and forgotten: a journal with tables gives the same as the reference in memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from llm_net.errors import JournalError
from llm_net.journal import MemoryJournal, PostgresJournal, SqliteJournal
from llm_net.ports import Journal
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Opened, Part, Select, Sent, State
from tests.journal.servers import PostgresServer

AGENTS = ["anna", "bob", "market", "market/anna", "market/bob"]
WORDS = ["bees", "Beeswax", "fly", "über", "42"]

agents = st.sampled_from(AGENTS)
ends = st.sampled_from(["handled", "failed", "expired", "retried", "dead"])
states = st.lists(st.builds(State, agents, st.booleans(), st.binary(max_size=3)), max_size=3).map(tuple)
kinds = st.sampled_from(["model", "effect", "delay", "gather", "refused", "abandoned"])
statuses = st.sampled_from(["intent", "done", "failed"])
bodies = st.lists(st.sampled_from(WORDS), max_size=2)
costs = st.none() | st.decimals(0, 10, places=4)
texts = st.text(st.characters(), max_size=5)  # surrogates too
odds = st.integers(0, 1 << 30)
"""Chooses one of what there is: number modulo how many."""


class Run:
    """What was noted in one run, so that what is noted next makes sense."""

    def __init__(self, name: str, begun: Begun, before: Sequence[Fact] = ()) -> None:
        self.name = name
        self.seq = begun.cut
        self.facts: list[Fact] = list(before)

    @property
    def sents(self) -> list[Sent]:
        return [fact for fact in self.facts if isinstance(fact, Sent) and not fact.edited]


class Comparison(RuleBasedStateMachine):
    """Does the same with two journals."""

    make: Callable[[], Journal]

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.reference = MemoryJournal()
        self.journal = self.make()
        self.runs: dict[str, Run] = {}
        self.names = count(1)
        self.edits: set[str] = set()
        self.new_run(7)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.journal.aclose())
            self.runner.close()

    # ------------------------------------------------------------------------------------------ comparing

    def same(self, call: Callable[[Journal], Awaitable[Any]]) -> Any:
        """What both gave, or None if both refused."""
        ours, theirs = (self.outcome(call, journal) for journal in (self.journal, self.reference))
        if isinstance(ours, Opened) and isinstance(theirs, Opened):
            for field in fields(Opened):
                assert plain(getattr(ours, field.name)) == plain(getattr(theirs, field.name)), field.name
        else:
            assert plain(ours) == plain(theirs)
        return None if isinstance(ours, type) else ours

    def outcome(self, call: Callable[[Journal], Awaitable[Any]], journal: Journal) -> Any:
        async def wait() -> Any:
            return await call(journal)

        try:
            return self.runner.run(wait())
        except JournalError as error:
            return type(error)

    def write(self, run: Run, *facts: Fact) -> None:
        self.same(lambda journal: journal.write(run.name, facts))
        run.facts += facts
        run.seq = facts[-1].seq

    def pick(self, odd: int) -> Run:
        return list(self.runs.values())[odd % len(self.runs)]

    # ------------------------------------------------------------------------------------------ noting

    @rule(seed=odds)
    def new_run(self, seed: int) -> None:
        begun = Begun(1, "net", seed << 40, float(seed), "1")
        run = Run(f"run-{next(self.names)}", begun)
        self.runs[run.name] = run
        self.write(run, begun)

    @rule(
        odd=odds, step=odds, answered=odds, copy=odds, waits=st.booleans(), sender=agents, receiver=agents, body=bodies
    )
    def send(
        self, odd: int, step: int, answered: int, copy: int, waits: bool, sender: str, receiver: str, body: list[str]
    ) -> None:
        run = self.pick(odd)
        sents = run.sents
        number = max((sent.number for sent in sents), default=0) + 1
        id, message = f"m{number}", b'{"kind": "k", "fields": {"body": "%s"}}' % " ".join(body).encode()
        if sents and copy % 4 == 0:  # one more delivery of a message
            id, message = sents[copy % len(sents)].id, b""
        reply_to = sents[answered % len(sents)].id if sents and answered % 3 else ""
        self.write(
            run,
            Sent(
                run.seq + 1, number, step % number, id, "k", body[0] if body else "ask", sender, receiver, reply_to, f"c{odd % 3}",
                "", "", 1, waits or number % 2 == 0, float(run.seq), message,
            ),
        )  # fmt: skip

    @rule(odd=odds, which=odds, end=ends, turn=st.integers(0, 5), states=states, error=texts)
    def end(self, odd: int, which: int, end: Any, turn: int, states: tuple[State, ...], error: str) -> None:
        run = self.pick(odd)
        waiting = [sent for sent in run.sents if sent.waits]
        if waiting:
            sent = waiting[which % len(waiting)]
            self.write(
                run, Ended(run.seq + 1, sent.number, end, sent.receiver, turn, 0.5, float(run.seq), error, states, 1)
            )

    @rule(odd=odds, step=odds, kind=kinds, status=statuses, tokens=st.integers(0, 99), cost=costs, part=odds)
    def effect(self, odd: int, step: int, kind: Any, status: Any, tokens: int, cost: Decimal | None, part: int) -> None:
        run = self.pick(odd)
        number = step % (len(run.sents) + 1)
        asked = b'{"parts": ["h%d"]}' % (part % 4)
        name = f"m{part % 7}"
        effect = Effect(
            run.seq + 1, number, part % 3, kind, name, "once", status, "key", 0.5, float(run.seq), b"a", asked, tokens, 1, cost
        )  # fmt: skip
        self.write(run, effect, Part(run.seq + 2, f"h{part % 5}", b"data %d" % (part % 5)))

    @rule(odd=odds, status=st.sampled_from(["done", "failed", "waiting"]), error=texts, again=st.booleans())
    def finish(self, odd: int, status: str, error: str, again: bool) -> None:
        run = self.pick(odd)
        facts: list[Fact] = [Finished(run.seq + 1, status, error, float(run.seq))]
        if again:
            facts.append(Begun(run.seq + 2, "net", 1, float(run.seq), "2"))
        self.write(run, *facts)

    @rule(odd=odds, by=st.integers(-3, 3))
    def write_at_the_wrong_place(self, odd: int, by: int) -> None:
        run = self.pick(odd)
        if by != 1:
            self.same(lambda journal: journal.write(run.name, [Finished(run.seq + by, "done", "", 1.0)]))

    # ------------------------------------------------------------------------------------------ looking

    @rule(odd=odds, upto=st.none() | odds)
    def open(self, odd: int, upto: int | None) -> None:
        run = self.pick(odd)
        self.same(lambda journal: journal.open(run.name, upto=None if upto is None else upto % (run.seq + 2)))

    @rule(
        odd=odds,
        facts=st.sets(st.sampled_from([Begun, Sent, Effect, Ended, Finished, Part]), max_size=2).map(tuple),
        after=st.just(0) | st.integers(0, 12),
        upto=st.none() | st.integers(0, 20),
        numbers=st.just(()) | st.lists(st.integers(0, 6), max_size=3).map(tuple),
        ids=st.just(()) | st.lists(st.integers(0, 6).map("m{}".format), max_size=3).map(tuple),
        replies_to=st.just(()) | st.lists(st.integers(0, 6).map("m{}".format), max_size=3).map(tuple),
        agent=st.just("") | st.sampled_from([*AGENTS, "market/", "mark", "anna/"]),
        method=st.just("") | st.sampled_from(WORDS),
        conversation=st.just("") | st.sampled_from(["c0", "c1"]),
        since=st.none() | st.floats(0, 20),
        until=st.none() | st.floats(0, 20),
        text=st.just("") | st.sampled_from(["BEE", "bees", "fly bee", "ÜBER", "4", "nothing", "!"]),
        newest=st.booleans(),
        limit=st.none() | st.integers(0, 5),
    )  # fmt: skip
    def read(self, odd: int, **select: Any) -> None:
        run = self.pick(odd)

        async def facts(journal: Journal) -> list[Fact]:
            return [fact async for fact in journal.read(run.name, Select(**select))]

        self.same(facts)

    @rule()
    def list_runs(self) -> None:
        self.same(lambda journal: journal.runs())

    # ------------------------------------------------------------------------------------------ forks

    @rule(odd=odds, cut=odds, edit=st.booleans(), which=odds)
    def fork(self, odd: int, cut: int, edit: bool, which: int) -> None:
        parent = self.pick(odd)
        cut %= parent.seq + 2
        begun = Begun(cut + 1, "net", 5, 1.5, "1", parent.name, cut)
        run = Run(f"run-{next(self.names)}", begun, [fact for fact in parent.facts if fact.seq <= cut])

        async def write(journal: Journal) -> bool:
            await journal.write(run.name, [begun])
            return True

        if not self.same(write):
            return
        run.seq = begun.seq
        run.facts.append(begun)
        self.runs[run.name] = run
        if edit and run.sents:
            sent = run.sents[which % len(run.sents)]
            self.write(run, replace(sent, seq=run.seq + 1, message=b'{"fields": "bees edited"}', edited=True))

    @precondition(lambda self: len(self.runs) > 1)
    @rule(odd=odds)
    def forget(self, odd: int) -> None:
        run = self.pick(odd)

        async def forget(journal: Journal) -> bool:
            await journal.forget(run.name)
            return True

        if self.same(forget):
            del self.runs[run.name]
            self.same(lambda journal: journal.open(run.name))

    @rule(odd=odds)
    def compact(self, odd: int) -> None:
        run = self.pick(odd)
        before = self.same(lambda journal: journal.open(run.name))
        self.same(lambda journal: journal.forget(run.name, keep_open=True))
        assert plain(self.same(lambda journal: journal.open(run.name))) == plain(before)


def plain(value: object) -> object:
    """Sequences as lists, so that it does not matter which kind a journal gives."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Opened):
        return [plain(getattr(value, field.name)) for field in fields(Opened)]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def test_a_journal_in_sqlite_is_like_the_one_in_memory() -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = count(1)

        class Sqlite(Comparison):
            def make(self) -> Journal:
                return SqliteJournal(Path(folder) / f"{next(names)}.db", synchronous="normal")

        run_state_machine_as_test(Sqlite, settings=settings(max_examples=60, stateful_step_count=40))


@pytest.mark.server
def test_a_journal_in_postgres_is_like_the_one_in_memory(server: PostgresServer) -> None:
    dsn = server.database("comparison")
    names = count(1)

    class Postgres(Comparison):
        def make(self) -> Journal:
            return PostgresJournal(dsn, schema=f"case_{next(names)}")

    run_state_machine_as_test(Postgres, settings=settings(max_examples=15, stateful_step_count=30))
