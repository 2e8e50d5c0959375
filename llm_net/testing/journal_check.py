"""Is this a `Journal`? Every promise of the port as a check that can fail. Knows no adapter and no database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Final

from llm_net.chat import Usage
from llm_net.errors import JournalFailed, UnknownRun
from llm_net.message import unique_id
from llm_net.ports import Journal
from llm_net.record import Begun, Effect, EffectKind, End, Ended, Fact, Finished, Opened, Part, Select, Sent, State

ODD: Final = 'a "b" \\ \n\t é 漢字 \U0001f41d \u2028'
"""A text that is hard to keep, of characters that every database has."""

ODD_ERROR: Final = f"{ODD} \ud800 \0"
"""A text that no database takes as it is: who raises an error may write anything."""

ODD_BYTES: Final = bytes(range(256)) + "\ud800".encode(errors="surrogatepass")


async def check_journal(make: Callable[[], Journal], *, keeps: bool = True, seconds: float = 60.0) -> None:
    """Check that a journal keeps the promises of the port `Journal`. Leaves about 30 small runs behind.

    Args:
        make: a journal over the same place each time, which is closed before the next is made.
        keeps: whether a journal has what an earlier one over the same place was given; False for one in memory.
        seconds: the longest that one promise may take to check.

    Raises:
        AssertionError: a promise is broken; the sentence says which.
    """
    checks: dict[str, Callable[[Journal], Awaitable[None]]] = {
        "facts": _check_facts,
        "order": _check_order,
        "at once": _check_at_once,
        "open": _check_open,
        "every prefix": _check_prefixes,
        "forks": _check_forks,
        "edits": _check_edits,
        "select": _check_select,
        "words": _check_words,
        "pages": _check_pages,
        "runs": _check_runs,
        "forget": _check_forget,
        "parts": _check_parts,
        "compaction": _check_compaction,
    }
    for name, check in checks.items():
        async with _told(name, seconds), _closed(make()) as journal:
            await check(journal)
    if keeps:
        async with _told("durability", seconds):
            await _check_durability(make)


@asynccontextmanager
async def _told(name: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise AssertionError(f"{name}: not done after {seconds:g} s") from None
    except Exception as error:
        kind = "" if isinstance(error, AssertionError) else f"the journal raised {type(error).__name__}: "
        raise AssertionError(f"{name}: {kind}{error}") from error


@asynccontextmanager
async def _closed(journal: Journal) -> AsyncIterator[Journal]:
    try:
        yield journal
    finally:
        await journal.aclose()
        await journal.aclose()


# ---------------------------------------------------------------------------------------------- what is written


class _Script:
    """The facts of one run, with the places that they have."""

    def __init__(self, *, parent: str | None = None, cut: int = 0, number: int = 0) -> None:
        self.run = f"check-{unique_id()}"
        self.seq = cut
        self.number = number
        self.facts: list[Fact] = []
        self.began(parent=parent, cut=cut)

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _note(self, fact: Fact) -> None:
        self.facts.append(fact)

    def began(self, *, parent: str | None = None, cut: int = 0) -> Begun:
        fact = Begun(self._next(), "net", 1 << 70, float(self.seq), "3", parent, cut)
        self._note(fact)
        return fact

    def sent(
        self, receiver: str, *, sender: str = "", step: int = 0, reply_to: str = "", waits: bool = True, body: str = "Bees",
        id: str = "", message: bytes | None = None,
    ) -> Sent:  # fmt: skip
        self.number += 1
        if message is None:
            message = b'{"kind": "ask", "fields": {"body": "%s"}}' % body.encode()
        fact = Sent(
            self._next(), self.number, step, id or f"m{self.number}", "llm_net.Message", "ask", sender, receiver, reply_to,
            "talk", "", "", 1, waits, float(self.seq), message,
        )  # fmt: skip
        self._note(fact)
        return fact

    def effect(
        self, step: int, n: int = 1, *, kind: EffectKind = "effect", name: str = "look", tokens: int = 0,
        cost: Decimal | None = None, asked: bytes = b"",
    ) -> Effect:  # fmt: skip
        fact = Effect(
            self._next(), step, n, kind, name, "once", "done", f"k{self.seq}", 1.5, float(self.seq), b"answer", asked,
            tokens, tokens, cost,
        )  # fmt: skip
        self._note(fact)
        return fact

    def ended(self, sent: Sent, end: End = "handled", *, turn: int = 1, states: tuple[State, ...] = ()) -> Ended:
        agent = sent.receiver if turn else ""
        fact = Ended(self._next(), sent.number, end, agent, turn, 1.5, float(self.seq), "", states, 1, 2, 3)
        self._note(fact)
        return fact

    def finished(self, status: str, error: str = "") -> Finished:
        fact = Finished(self._next(), status, error, float(self.seq))
        self._note(fact)
        return fact

    def part(self, hash: str, data: bytes) -> Part:
        fact = Part(self._next(), hash, data)
        self._note(fact)
        return fact

    async def write(self, journal: Journal) -> None:
        """Have all that is not yet written kept."""
        facts, self.facts = self.facts, []
        await journal.write(self.run, facts)


async def _read(journal: Journal, run: str, select: Select = Select()) -> list[Fact]:  # noqa: B008 - frozen
    return [fact async for fact in journal.read(run, select)]


async def _refused(work: Awaitable[object], error: type[Exception], why: str) -> None:
    try:
        await work
    except error:
        return
    raise AssertionError(f"{why} must raise {error.__name__}, and nothing was raised")


def _is(found: object, wanted: object, what: str) -> None:
    assert found == wanted, f"{what} is\n    {found!r}\nand should be\n    {wanted!r}"


# ---------------------------------------------------------------------------------------------- writing


async def _check_facts(journal: Journal) -> None:
    run = f"check-{unique_id()} {ODD}"
    facts: list[Fact] = [
        Begun(1, ODD, 1 << 200, 0.1 + 0.2, ODD),
        Sent(
            2, 1, 0, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, ODD, 1 << 40, True, 1234567890.1234567, ODD_BYTES
        ),
        Sent(3, 2, 0, "b", "k", "m", "", "", "", "", "", "", 0, False, -1.0, b"{}"),
        Effect(4, 1, 1, "model", ODD, "pure", "intent", ODD, 0.1, 0.2),
        Effect(5, 1, 1, "model", ODD, "idempotent", "done", ODD, 0.1, 0.2, ODD_BYTES, ODD_BYTES, 1 << 40, 2, Decimal("0.10")),
        Part(6, ODD, ODD_BYTES),
        Ended(7, 1, "failed", ODD, 9, 0.1, 0.2, ODD_ERROR, (State(ODD, True, ODD_BYTES), State("b", False, b"")), 1, 2, 3),
        Part(8, ODD, ODD_BYTES),
        Finished(9, ODD, ODD_ERROR, 1e300),
        Begun(10, "", -5, 0.0),
    ]  # fmt: skip
    await journal.write(run, facts)
    for found, wanted in zip(await _read(journal, run), facts, strict=True):
        _is(found, wanted, "a fact that was written")
        _is(repr(found), repr(wanted), "a fact that was written")
    await journal.write(run, [])


async def _check_order(journal: Journal) -> None:
    script = _Script()
    script.sent("a")
    await script.write(journal)
    before = await _read(journal, script.run)
    done = Finished(3, "done", "", 1.0)
    for facts, why in (
        ([replace(done, seq=2)], "a place that is taken"),
        ([replace(done, seq=4)], "a place after one that is not there"),
        ([done, done], "one place twice"),
        ([done, replace(done, seq=4), replace(done, seq=6)], "a hole in what is written"),
        (
            [replace(begun, seq=1) for begun in before if isinstance(begun, Begun)],
            "the beginning of a run that is there",
        ),
    ):
        await _refused(journal.write(script.run, facts), JournalFailed, why)
        _is(await _read(journal, script.run), before, f"what is kept after the refusal of {why}")
    await _refused(journal.write(f"{script.run}-other", [done]), UnknownRun, "a run that never began")
    await _refused(journal.write(f"{script.run}-other", [replace(done, seq=1)]), UnknownRun, "a run that never began")
    await _refused(_read(journal, f"{script.run}-other"), UnknownRun, "to read a run that is not there")
    await _refused(journal.open(f"{script.run}-other"), UnknownRun, "to open a run that is not there")
    await journal.write(script.run, [done])
    _is(await _read(journal, script.run), [*before, done], "what is kept of a run that went on after refusals")


async def _check_at_once(journal: Journal) -> None:
    scripts = [_Script() for _ in range(20)]
    await asyncio.gather(*(script.write(journal) for script in scripts))
    for script in scripts:
        script.sent("a")
    wrong = scripts[7]
    wrong.facts = [Finished(9, "done", "", 1.0)]
    outcomes = await asyncio.gather(*(script.write(journal) for script in scripts), return_exceptions=True)
    failed = [script for script, outcome in zip(scripts, outcomes, strict=True) if outcome is not None]
    assert failed == [wrong], "of writes at the same time one was wrong, and others failed"
    for script in scripts:
        _is(len(await _read(journal, script.run)), 1 if script is wrong else 2, "the number of facts")
    same = [journal.write(wrong.run, [Finished(2, f"by {n}", "", 1.0)]) for n in range(5)]
    outcomes = await asyncio.gather(*same, return_exceptions=True)
    _is(sum(outcome is None for outcome in outcomes), 1, "the number of those who get one place in the order")


# ---------------------------------------------------------------------------------------------- opening


def _story() -> tuple[_Script, Opened]:
    """A run in the middle of things, and what `open` gives."""
    script = _Script()
    begun = script.facts[0]
    assert isinstance(begun, Begun)
    first = script.sent("anna")
    whole = State("anna", True, b'{"n": 0}')
    old = State("anna", True, b"old")
    script.ended(first, "retried", states=(old,))
    script.effect(first.number, kind="model", tokens=10, cost=Decimal("0.5"))
    to_bob = script.sent("bob", sender="anna", step=first.number)
    to_carl = script.sent("carl", sender="anna", step=first.number, id=to_bob.id, message=b"")
    script.ended(first, states=(State("net", False, b"links"), whole), turn=2)
    intent = script.effect(to_bob.number, kind="effect")
    question = script.sent("dora", sender="bob", step=to_bob.number)
    change = State("anna", False, b'{"n": 1}')
    script.ended(question, "failed", states=(change,), turn=7)
    script.sent("", sender="dora", step=question.number, waits=False)  # to the outside
    reply = script.sent("bob", sender="dora", step=question.number, reply_to=question.id, waits=False)
    abandoned = script.effect(to_bob.number, 0, kind="abandoned", name="m9")
    retried = script.ended(to_bob, "retried", turn=1)
    script.effect(0, kind="model", tokens=1)
    script.finished("waiting")
    late = script.sent("anna", sender="carl", step=99)
    unread = script.sent("eve", waits=True)
    script.ended(unread, "dead", turn=0)
    aside = script.sent("fred", sender="bob", step=to_bob.number)
    script.ended(aside)
    to_carl_whole = replace(to_carl, message=to_bob.message)
    return script, Opened(
        begun=begun,
        status="waiting",
        seq=script.seq,
        number=aside.number,
        turns={"anna": 2, "dora": 7, "fred": 1, "bob": 1},
        sent=9,
        ends={"handled": 2, "failed": 1, "taken": 2, "dead": 1},
        states={"net": (State("net", False, b"links"),), "anna": (whole, change)},
        pending=(to_bob, to_carl_whole, late),
        past={to_bob.number: [intent, question, abandoned, retried, aside]},
        replies={question.id: reply},
        abandoned=("m9",),
        usage=Usage(2, 11, 11, Decimal("0.5")),
    )


def _same(found: Opened, wanted: Opened, what: str) -> None:
    for name in Opened.__slots__:
        ours, theirs = getattr(found, name), getattr(wanted, name)
        if name in ("pending", "abandoned"):
            ours, theirs = list(ours), list(theirs)
        if name == "past":
            ours, theirs = ({number: list(did) for number, did in past.items()} for past in (found.past, wanted.past))
        _is(ours, theirs, f"{what}, {name}")


async def _check_open(journal: Journal) -> None:
    script, wanted = _story()
    await script.write(journal)
    _same(await journal.open(script.run), wanted, "an open run")
    again = script.began()
    await script.write(journal)
    _same(await journal.open(script.run), replace(wanted, status="", seq=again.seq), "a run that goes on")


async def _check_prefixes(journal: Journal) -> None:
    script, _ = _story()
    facts = list(script.facts)
    await script.write(journal)
    for upto in range(1, len(facts) + 1):
        shorter = f"{script.run}-{upto}"
        await journal.write(shorter, facts[:upto])
        _same(await journal.open(script.run, upto=upto), await journal.open(shorter), f"a run up to its fact {upto}")


# ---------------------------------------------------------------------------------------------- forks


async def _check_forks(journal: Journal) -> None:
    parent, _ = _story()
    await parent.write(journal)
    facts = await _read(journal, parent.run)
    for cut in (0, 6, len(facts)):
        opened = await journal.open(parent.run, upto=cut) if cut else None
        fork = _Script(parent=parent.run, cut=cut, number=opened.number if opened else 0)
        begun = fork.facts[0]
        assert isinstance(begun, Begun)
        await fork.write(journal)
        await _go_on(parent, journal)
        _is(await _read(journal, fork.run), [*facts[:cut], begun], "what is read of a fork")
        if opened is not None:
            wanted = replace(opened, begun=begun, seq=cut + 1, status="")
            _same(await journal.open(fork.run), wanted, "a fork")
            _same(await journal.open(fork.run, upto=cut), replace(opened, begun=begun), "a fork up to where it began")
            _same(
                await journal.open(fork.run, upto=3),
                replace(await journal.open(parent.run, upto=3), begun=begun),
                "its past",
            )
        for open_sent in (await journal.open(fork.run)).pending:
            fork.ended(open_sent)
        fork.sent("zoe")
        own = list(fork.facts)
        await fork.write(journal)
        _is(await _read(journal, fork.run), [*facts[:cut], begun, *own], "what is read of a fork")
        _is(
            [sent.receiver for sent in (await journal.open(fork.run)).pending], ["zoe"], "the open deliveries of a fork"
        )
        second = _Script(parent=fork.run, cut=cut)  # of the fork, at what it has from its own parent
        await second.write(journal)
        _is((await _read(journal, second.run))[:-1], facts[:cut], "what is read of a fork of a fork")
        newest = await _read(journal, fork.run, Select(newest=True))
        _is(newest, [*facts[:cut], begun, *own][::-1], "a fork from its last fact to its first")
        await _refused(journal.forget(parent.run), JournalFailed, "to forget what a fork begins with")
        await _refused(journal.forget(parent.run, keep_open=True), JournalFailed, "to compact what a fork begins with")
        await journal.forget(second.run)
        await journal.forget(fork.run)
    late = _Script(parent=parent.run, cut=parent.seq + 1)
    await _refused(late.write(journal), JournalFailed, "a fork at a fact that is not there")
    lost = _Script(parent=f"{parent.run}-other", cut=1)
    await _refused(lost.write(journal), UnknownRun, "a fork of a run that is not there")
    await journal.forget(parent.run)


async def _go_on(parent: _Script, journal: Journal) -> None:
    """More happens, after the cut."""
    parent.ended(parent.sent("late"), states=(State("anna", True, b"late"),), turn=20)
    await parent.write(journal)


async def _check_edits(journal: Journal) -> None:
    parent = _Script()
    first = parent.sent("anna", body="Bees")
    second = parent.sent("bob", id=first.id, message=b"")
    await parent.write(journal)
    fork = _Script(parent=parent.run, cut=second.seq, number=second.number)
    edit = replace(first, seq=fork.seq + 1, message=b"wasps", edited=True)
    fork.facts.append(edit)
    fork.seq += 1
    await fork.write(journal)
    opened = await journal.open(fork.run)
    edited = [replace(each, message=b"wasps", edited=True) for each in (first, second)]
    _is(list(opened.pending), edited, "what is pending after an edit")
    _is((opened.sent, opened.number, opened.seq), (2, 2, edit.seq), "the counts after an edit")
    facts = await _read(journal, fork.run)
    _is(facts[-1], edit, "an edit")
    _is(facts[2], replace(second, message=first.message), "a delivery before an edit")
    _is([info.messages for info in await journal.runs() if info.run == fork.run], [0], "the messages of a fork's own")
    before = await journal.open(fork.run)
    await journal.forget(fork.run, keep_open=True)
    _same(await journal.open(fork.run), before, "a compacted run with an edit")
    fork.ended(first)
    again = fork.sent("carl", id=first.id, body="Bees")
    await fork.write(journal)
    before = await journal.open(fork.run)
    _is(
        list(before.pending), [*edited[1:], again], "what is pending after an edit, and after the message was sent anew"
    )
    parent.ended(first)
    late = _Script(parent=parent.run, cut=parent.seq, number=second.number)
    late.facts.append(replace(edit, seq=late.seq + 1))
    await parent.write(journal)
    await late.write(journal)
    _is(
        [sent.number for sent in (await journal.open(late.run)).pending],
        [2],
        "what is pending after an edit of what ended",
    )
    await journal.forget(late.run)
    await journal.forget(parent.run)
    _same(await journal.open(fork.run), before, "a compacted fork whose parent is forgotten")


# ---------------------------------------------------------------------------------------------- reading


async def _check_select(journal: Journal) -> None:
    script, _ = _story()
    facts = list(script.facts)
    await script.write(journal)
    sents = {fact.number: fact for fact in facts if isinstance(fact, Sent)}
    whole = [
        replace(fact, message=sents[2].message) if isinstance(fact, Sent) and not fact.message else fact
        for fact in facts
    ]
    _is(await _read(journal, script.run), whole, "all facts of a run")

    def of(*places: int) -> list[Fact]:
        return [whole[place - 1] for place in places]

    for select, wanted in {
        Select(facts=(Begun, Finished)): of(1, 16),
        Select(facts=(Effect,)): of(4, 8, 13, 15),
        Select(after=15, upto=17): of(16, 17),
        Select(after=17, newest=True): of(21, 20, 19, 18),
        Select(upto=3, newest=True, limit=2): of(3, 2),
        Select(limit=0): [],
        Select(limit=3): of(1, 2, 3),
        Select(numbers=(2,)): of(5, 8, 13, 14),
        Select(numbers=(1, 4), facts=(Ended,)): of(3, 7, 10),
        Select(ids=("m2",)): of(5, 6),
        Select(ids=("m1", "m2", "none"), newest=True): of(6, 5, 2),
        Select(replies_to=("m4",)): of(12),
        Select(agent="dora"): of(9, 10, 11, 12),
        Select(agent="dor"): [],
        Select(agent="bob"): of(5, 8, 9, 12, 13, 14, 20),
        Select(agent="bob", facts=(Effect,), limit=1): of(8),
        Select(agent="bob", facts=(Sent,), numbers=(2, 3)): of(5),
        Select(method="ask", after=12): of(17, 18, 20),
        Select(method="other"): [],
        Select(conversation="talk", facts=(Sent,), limit=2): of(2, 5),
        Select(conversation="other"): [],
        Select(since=17.0): of(17, 18, 19, 20, 21),
        Select(since=2.0, until=3.0): of(2, 3),
        Select(facts=(Part,)): [],
    }.items():
        _is(await _read(journal, script.run, select), wanted, repr(select))
    nested = _Script()
    for address in ("market", "market/anna", "market/anna/sub", "marketing", "x/market"):
        nested.ended(nested.sent(address, sender="root"))
    await nested.write(journal)
    found = await _read(journal, nested.run, Select(agent="market/"))
    inside = [
        fact.receiver if isinstance(fact, Sent) else fact.agent for fact in found if isinstance(fact, Sent | Ended)
    ]
    _is(inside, [each for each in ("market", "market/anna", "market/anna/sub") for _ in "12"], 'agent="market/"')


async def _check_words(journal: Journal) -> None:
    script = _Script()
    bees = script.sent("a", body="Bees fly over the Straße, 42 times")
    again = script.sent("b", id=bees.id, message=b"")
    wasps = script.sent("a", body="WASPS_fly; caf\\u00e9 \\ud83d\\udc1d beeswax")
    nested = script.sent("a", message=b'{"kind": "bees", "fields": {"bees": {"deep": ["honey", 7.5]}}}')
    await script.write(journal)
    for text, wanted in {
        "bees": [bees, again, wasps],
        "BEE": [bees, again, wasps],
        "fly bees": [bees, again, wasps],
        "fly bees over": [bees, again],
        "bees, over!": [bees, again],
        "strasse": [bees, again],
        "42": [bees, again],
        "4 fl": [bees, again],
        "Café": [wasps],
        "wasps_fly": [wasps],
        "honey 7": [nested],
        "deep": [],
        "ees": [],
        "'bees' OR honey": [],
        'x" * AND NEAR(': [],
        "kind": [],
    }.items():
        found = await _read(journal, script.run, Select(text=text))
        ids = [(fact.seq, fact.message) for fact in found if isinstance(fact, Sent)]
        sents = [replace(sent, message=bees.message) if sent is again else sent for sent in wanted]
        _is(ids, [(sent.seq, sent.message) for sent in sents], f"text={text!r}")
    later = script.sent("b", body="More bees")
    await script.write(journal)
    select = Select(text="bees", agent="b", newest=True, limit=1)
    _is(
        await _read(journal, script.run, select),
        [later],
        "the last message with a word that came after the first search",
    )
    fork = _Script(parent=script.run, cut=wasps.seq, number=3)
    own = fork.sent("c", body="bees of a fork")
    await fork.write(journal)
    found = await _read(journal, fork.run, Select(text="bees"))
    _is([fact.seq for fact in found], [bees.seq, again.seq, wasps.seq, own.seq], "a search in a fork")
    await journal.forget(fork.run)
    await journal.forget(script.run, keep_open=True)
    found = await _read(journal, script.run, Select(text="bees"))
    _is([fact.seq for fact in found], [bees.seq, again.seq, wasps.seq, later.seq], "a search after compaction")


async def _check_pages(journal: Journal) -> None:
    script = _Script()
    for n in range(1200):
        sent = script.sent(f"a{n % 7}")
        if n % 3 == 0:
            script.ended(sent, states=(State("a", False, b"%d" % n),))
    facts = list(script.facts)
    await script.write(journal)
    _is(await _read(journal, script.run), facts, "a run of many facts")
    _is(await _read(journal, script.run, Select(newest=True)), facts[::-1], "a run of many facts, backwards")
    _is(await _read(journal, script.run, Select(limit=777)), facts[:777], "some of many facts")
    seen = 0
    async for _ in journal.read(script.run):
        seen += 1
        if seen == 3:
            break  # whoever stops reading holds nothing
    _is(len((await journal.open(script.run)).pending), 800, "the number of open deliveries")


async def _check_runs(journal: Journal) -> None:
    script, wanted = _story()
    await script.write(journal)
    other = _Script(parent=script.run, cut=4)
    other.effect(0, kind="model", tokens=3, cost=Decimal("0.1"))
    last = other.finished("failed", "broken \ud800")
    await other.write(journal)
    first, second = [info for info in await journal.runs() if info.run in (script.run, other.run)]
    _is((first.run, first.network, first.began, first.parent, first.cut), (script.run, "net", 1.0, None, 0), "a run")
    _is((first.status, first.error, first.at), ("waiting", "", float(script.seq)), "how a run is")
    _is((first.messages, first.usage), (wanted.sent, wanted.usage), "the counts of a run")
    _is((second.run, second.parent, second.cut), (other.run, script.run, 4), "a fork")
    _is((second.status, second.error, second.at), ("failed", "broken \ud800", last.at), "how a fork is")
    _is((second.messages, second.usage), (0, Usage(1, 3, 3, Decimal("0.1"))), "the counts of a fork's own")
    script.began()
    await script.write(journal)
    (first,) = [info for info in await journal.runs() if info.run == script.run]
    _is(first.status, "", "the status of a run that goes on")


# ---------------------------------------------------------------------------------------------- forgetting


async def _check_forget(journal: Journal) -> None:
    script, _ = _story()
    other, _ = _story()
    facts = list(other.facts)
    await script.write(journal)
    await other.write(journal)
    await journal.forget(script.run)
    await _refused(journal.forget(script.run), UnknownRun, "to forget a run twice")
    await _refused(journal.forget(script.run, keep_open=True), UnknownRun, "to compact a forgotten run")
    await _refused(journal.open(script.run), UnknownRun, "to open a forgotten run")
    await _refused(_read(journal, script.run), UnknownRun, "to read a forgotten run")
    script.sent("a")
    await _refused(script.write(journal), UnknownRun, "to go on with a forgotten run")
    assert script.run not in [info.run for info in await journal.runs()], "a forgotten run is listed"
    _is(len(await _read(journal, other.run)), len(facts), "the number of facts of another run")
    again = _Script()
    again.run = script.run
    await again.write(journal)
    _is(len(await _read(journal, again.run)), 1, "the number of facts of a new run with the name of a forgotten one")


async def _check_parts(journal: Journal) -> None:
    one, two = f"hash-{unique_id()}", f"hash-{unique_id()}"
    scripts = [_Script(), _Script()]
    for script in scripts:
        sent, done = script.sent("a"), script.sent("b")
        script.part(one, b"shared")
        script.part(two, b"too")
        script.effect(done.number, kind="model", asked=b'["%s"]' % two.encode())
        script.effect(sent.number, kind="model", asked=b'[{"part": "%s"}]' % one.encode())
        script.ended(done)
        await script.write(journal)
    first, second = (script.run for script in scripts)
    await journal.forget(first, keep_open=True)
    _is(
        [fact.hash for fact in await _read(journal, first) if isinstance(fact, Part)],
        [one],
        "the parts that are still named",
    )
    await journal.forget(first)
    found = [
        (fact.hash, fact.data) for fact in await _read(journal, second, Select(facts=(Part,))) if isinstance(fact, Part)
    ]
    _is(found, [(one, b"shared"), (two, b"too")], "the parts that another run has too")


async def _check_compaction(journal: Journal) -> None:
    script, wanted = _story()
    await script.write(journal)
    (before,) = [info for info in await journal.runs() if info.run == script.run]
    await journal.forget(script.run, keep_open=True)
    _same(await journal.open(script.run), wanted, "a compacted run")
    _same(await journal.open(script.run, upto=script.seq), wanted, "a compacted run up to where it was compacted")
    _is([info for info in await journal.runs() if info.run == script.run], [before], "what is told of a compacted run")
    await _refused(journal.open(script.run, upto=script.seq - 1), JournalFailed, "a place before a compaction")
    await _refused(_Script(parent=script.run, cut=3).write(journal), JournalFailed, "a fork before a compaction")
    kept = [fact for fact in await _read(journal, script.run) if isinstance(fact, Sent)]
    _is([sent.number for sent in kept], [2, 3, 4, 6, 7, 9], "the deliveries that are kept")
    fork = _Script(parent=script.run, cut=script.seq, number=script.number)
    begun = fork.facts[0]
    assert isinstance(begun, Begun)
    await fork.write(journal)
    _same(
        await journal.open(fork.run),
        replace(wanted, begun=begun, seq=begun.seq, status=""),
        "a fork of a compacted run",
    )
    fork.ended(wanted.pending[0], turn=2, states=(State("anna", False, b'{"n": 2}'),))
    fork.effect(0, kind="model", tokens=1)
    await fork.write(journal)
    opened = await journal.open(fork.run)
    await journal.forget(fork.run, keep_open=True)
    _same(await journal.open(fork.run), opened, "a fork that was compacted")
    await journal.forget(script.run)
    _same(await journal.open(fork.run), opened, "a compacted fork whose parent is forgotten")
    await _check_ancestors(journal)


async def _check_ancestors(journal: Journal) -> None:
    """A thread of 150 messages, each an answer to the last, of which one is open: it keeps a hundred of them."""
    script = _Script()
    last = script.sent("a0")
    for n in range(150):
        script.ended(last)
        last = script.sent(f"a{n % 2}", reply_to=last.id, step=last.number)
    await script.write(journal)
    wanted = await journal.open(script.run)
    await journal.forget(script.run, keep_open=True)
    _same(await journal.open(script.run), wanted, "a compacted run with a thread")
    kept = [fact.number for fact in await _read(journal, script.run, Select(facts=(Sent,))) if isinstance(fact, Sent)]
    _is(kept, list(range(last.number - 100, last.number + 1)), "the numbers of the messages kept of a thread")
    for _ in "12":
        script.ended(last)
        last = script.sent("a0", reply_to=last.id, step=last.number)
    await script.write(journal)
    wanted = await journal.open(script.run)
    await journal.forget(script.run, keep_open=True)
    _same(await journal.open(script.run), wanted, "a run that was compacted twice")


# ---------------------------------------------------------------------------------------------- later


async def _check_durability(make: Callable[[], Journal]) -> None:
    script, wanted = _story()
    facts = list(script.facts)
    async with _closed(make()) as journal:
        await script.write(journal)
        read = await _read(journal, script.run)
        _is(len(read), len(facts), "the number of facts")
    async with _closed(make()) as journal:
        _is(await _read(journal, script.run), read, "what is read with another journal over the same place")
        _same(await journal.open(script.run), wanted, "a run opened with another journal over the same place")
        script.finished("done")
        await script.write(journal)
