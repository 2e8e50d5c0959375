"""The check of the port Journal: right journals pass, each broken promise is found and named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from llm_net.errors import JournalError, JournalFailed
from llm_net.journal import MemoryJournal
from llm_net.record import Effect, Ended, Fact, Opened, RunInfo, Select, Sent
from llm_net.testing import check_journal


class Torn(MemoryJournal):
    """Keeps the facts before one that is wrong."""

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        for fact in facts:
            await super().write(run, [fact])


class Deaf(MemoryJournal):
    """Says nothing of what it does not keep."""

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        with suppress(JournalError):
            await super().write(run, facts)


class Blind(MemoryJournal):
    """Forgets what an open step has learned."""

    async def open(self, run: str, *, upto: int | None = None) -> Opened:
        return replace(await super().open(run, upto=upto), past={})


class Late(MemoryJournal):
    """Opens a run as it is now, whatever is asked."""

    async def open(self, run: str, *, upto: int | None = None) -> Opened:
        return await super().open(run)


class Changed(MemoryJournal):
    """Changes facts when it reads."""

    def change(self, fact: Fact) -> Fact:
        return fact

    async def read(self, run: str, select: Select = Select()) -> AsyncIterator[Fact]:  # noqa: B008 - frozen
        async for fact in super().read(run, select):
            yield self.change(fact)


class Textual(Changed):
    """Keeps contents as text."""

    def change(self, fact: Fact) -> Fact:
        return replace(fact, message=fact.message.decode(errors="ignore").encode()) if isinstance(fact, Sent) else fact


class Rounded(Changed):
    """Keeps money as a float."""

    def change(self, fact: Fact) -> Fact:
        if isinstance(fact, Effect) and fact.cost is not None:
            return replace(fact, cost=type(fact.cost)(str(float(fact.cost))))
        return fact


class Stateless(Changed):
    """Does not give states with the ends that they belong to."""

    def change(self, fact: Fact) -> Fact:
        return replace(fact, states=()) if isinstance(fact, Ended) else fact


class Selecting(MemoryJournal):
    """Changes what is asked for."""

    def change(self, select: Select) -> Select:
        return select

    async def read(self, run: str, select: Select = Select()) -> AsyncIterator[Fact]:  # noqa: B008 - frozen
        async for fact in super().read(run, self.change(select)):
            yield fact


class Everybody(Selecting):
    """Does not look whose facts they are."""

    def change(self, select: Select) -> Select:
        return replace(select, agent="")


class Wordless(Selecting):
    """Finds a message by one of the words."""

    def change(self, select: Select) -> Select:
        return replace(select, text=select.text.partition(" ")[0])


class Full(MemoryJournal):
    """Keeps only short runs."""

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        if facts and facts[-1].seq > 1000:
            raise JournalFailed("there is no room")
        await super().write(run, facts)


class Careless(MemoryJournal):
    """Forgets a run that a fork begins with."""

    async def forget(self, run: str, *, keep_open: bool = False) -> None:
        if keep_open or run not in self._runs:
            await super().forget(run, keep_open=keep_open)
        else:
            del self._runs[run]


class Hoarding(MemoryJournal):
    """Compacts nothing."""

    async def forget(self, run: str, *, keep_open: bool = False) -> None:
        if not keep_open:
            await super().forget(run)


class Unordered(MemoryJournal):
    """Lists the runs backwards."""

    async def runs(self) -> Sequence[RunInfo]:
        return list(await super().runs())[::-1]


def test_the_reference_keeps_its_promises() -> None:
    asyncio.run(check_journal(MemoryJournal, keeps=False))


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (Torn, "order: what is kept after the refusal of one place twice is"),
        (Deaf, "order: a place that is taken must raise JournalFailed, and nothing was raised"),
        (Blind, "open: an open run, past is"),
        (Late, "every prefix: a run up to its fact 1,"),
        (Textual, "facts: a fact that was written is"),
        (Rounded, "facts: a fact that was written is"),
        (Stateless, "facts: a fact that was written is"),
        (Everybody, "select: Select("),
        (Wordless, "words: text='fly bees over' is"),
        (Full, "pages: the journal raised JournalFailed: the journal failed: there is no room"),
        (Careless, "forks: to forget what a fork begins with must raise JournalFailed"),
        (Hoarding, "forks: to compact what a fork begins with must raise JournalFailed"),
        (Unordered, "runs: a run is"),
    ],
)
def test_a_broken_promise_is_found_and_named(broken: type[MemoryJournal], sentence: str) -> None:
    with pytest.raises(AssertionError) as found:
        asyncio.run(check_journal(broken, keeps=False))

    assert str(found.value).startswith(sentence)


def test_a_journal_that_forgets_with_its_end_is_found() -> None:
    with pytest.raises(AssertionError, match="durability: the journal raised UnknownRun"):
        asyncio.run(check_journal(MemoryJournal))


def test_one_that_never_answers_is_told_after_a_while() -> None:
    class Silent(MemoryJournal):
        async def runs(self) -> Sequence[RunInfo]:
            await asyncio.Event().wait()
            return []

    with pytest.raises(AssertionError, match=r"edits: not done after 0\.2 s"):
        asyncio.run(check_journal(Silent, keeps=False, seconds=0.2))
