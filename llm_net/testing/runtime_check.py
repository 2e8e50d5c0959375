"""Is this a `Runtime`? Every law of a run that names no clock as a check that can fail. Knows no place and no wire.

The agents of the checks stand at the top of this module and have fields that JSON can say, so they can live anywhere.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Container,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field

from llm_net.address import AbstractObject, Address, Reference
from llm_net.base import DEFAULT_LIMITS, GenAgent, GenNetwork, call
from llm_net.chat import Price, Request, Settings, TextDelta, Usage, user
from llm_net.dispatch import blocking, every
from llm_net.errors import (
    AgentFailed,
    AgentRemoved,
    CallTimeout,
    Deadlock,
    Expired,
    ForgedSender,
    InvalidOutput,
    LimitReached,
    MailboxFull,
    ModelError,
    NotHandling,
    NotUnderstood,
    RunCancelled,
    Unanswered,
    UnknownAddress,
)
from llm_net.event import Event
from llm_net.journal.memory import MemoryJournal
from llm_net.limits import Limits
from llm_net.llm.scripted import ScriptedModel
from llm_net.mailbox import Mailbox
from llm_net.message import Message
from llm_net.ports import Journal, Observation, Observer, Run, Runtime
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Sent
from llm_net.runtime.local import LocalRuntime
from llm_net.runtime.state import stored
from llm_net.supervision import Directive, Failure, Retry
from llm_net.testing.probe import Recorder, check_sum

LONG = 10**6
"""Seconds that no check waits."""


async def check_runtime(
    make: Callable[[], Runtime],
    *,
    away: bool = False,
    watched: bool = True,
    only: Container[str] | None = None,
    seconds: float = 20.0,
) -> None:
    """Check that a runtime keeps the laws of a run, and does what the event loop of one process does.

    Args:
        make: makes a runtime for one run, without a seed or clock of its own; may give the same one each time.
        away: whether agents live in other processes than this one.
        watched: whether an observer follows each run: what happens must not depend on it.
        only: the names of the checks to make; None for all.
        seconds: the longest that one law may take to check.

    Raises:
        AssertionError: a law is broken; the sentence says which.
    """
    for name, check in CHECKS.items():
        if only is None or name in only:
            await _told(name, check(_Place(make, away, watched, seconds)), seconds)


async def _told(name: str, check: Awaitable[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await check
    except TimeoutError as late:
        raise AssertionError(f"{name}: not done after {seconds:g} s") from late
    except Exception as error:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__} was raised: "
        raise AssertionError(f"{name}: {kind}{error}") from error


def _is(found: object, wanted: object, what: str) -> None:
    assert found == wanted, f"{what} is\n    {found!r}\nand should be\n    {wanted!r}"


# ---------------------------------------------------------------------------------------------- where it is played


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a law is played."""

    make: Callable[[], Runtime]
    away: bool
    watched: bool
    seconds: float

    @asynccontextmanager
    async def run(
        self,
        network: GenAgent,
        root: Message | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        observers: Sequence[Observer] = (),
        journal: Journal | None = None,
    ) -> AsyncIterator[Run]:
        """Enter a run, and when it has ended see that each message came to one end, and that no task is left."""
        before = asyncio.all_tasks()
        recorder = Recorder()
        watching = (recorder, *observers) if self.watched else tuple(observers)
        limits = replace(limits, seconds=self.seconds) if limits.seconds == DEFAULT_LIMITS.seconds else limits
        run = network.run(root, limits=limits, runtime=self.make(), observers=watching, journal=journal)
        try:
            async with run:
                yield run
        finally:
            assert run.status != "running", "the block was left before the run ended"
            if self.watched:
                recorder.check(run.statistics())
            else:
                check_sum(run.statistics())
            await _settled(before)

    async def play(
        self,
        network: GenAgent,
        *roots: Message,
        limits: Limits = DEFAULT_LIMITS,
        observers: Sequence[Observer] = (),
        journal: Journal | None = None,
        one_by_one: bool = False,
    ) -> _Played:
        """Run to the end; gives what was sent, and what ended it.

        Args:
            one_by_one: whether a root is sent only when nothing of those before is pending.
        """
        error: BaseException | None = None
        messages: list[Message] = []
        first, *more = roots or (None,)

        async def read(run: Run) -> None:
            async for message in run:
                messages.append(message)

        try:
            async with self.run(network, limits=limits, observers=observers, journal=journal) as run:
                reading = asyncio.create_task(read(run))
                await asyncio.sleep(0)
                for root in (first, *more):
                    if root is not None:
                        await run.send(root)
                    while one_by_one and run.status == "running" and run.statistics().pending:
                        await asyncio.sleep(0.001)
        except Exception as raised:
            error = raised
        with suppress(Exception):
            await reading
        return _Played(run, messages, error)


@dataclass(frozen=True, slots=True)
class _Played:
    """A run that is over."""

    run: Run
    messages: list[Message]
    error: BaseException | None

    @property
    def bodies(self) -> list[str]:
        """What was said inside."""
        return [message.body for message in self.messages]

    @property
    def result(self) -> str:
        """What the last message to the outside says."""
        assert self.run.result is not None, f"no message went to the outside; the run ended with {self.error!r}"
        return self.run.result.body


async def _settled(before: Container[asyncio.Task[Any]]) -> None:
    for _ in range(5):  # what just ended has yet to be forgotten
        left = [task for task in asyncio.all_tasks() if task not in before]
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"tasks are left: {left}")


def _agents(network: GenAgent) -> dict[str, GenAgent]:
    found = {network.id: network}
    if isinstance(network, GenNetwork):
        found |= dict(network.walk())
    return found


def _states(network: GenAgent) -> dict[str, dict[str, object]]:
    """What is left of the agents."""
    exclude = {"model", "agents", "links"}
    return {path: agent.model_dump(mode="json", exclude=exclude) for path, agent in _agents(network).items()}


def _pairs(messages: Iterable[Message]) -> dict[tuple[str, str], list[tuple[object, ...]]]:
    """What each said to each, in order: the laws leave open what different pairs say first."""
    pairs: dict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for message in messages:
        sender, receiver = (party.id if party is not None else "" for party in (message.sender, message.receiver))
        said = (type(message).__name__, message.method, message.role, message.body, len(list(message.thread())))
        pairs[sender, receiver].append(said)
    return pairs


def _told_of(observations: Iterable[Observation]) -> Counter[tuple[object, ...]]:
    """What observers are told of, but for when."""
    return Counter(
        (seen.kind, seen.address, seen.event, type(seen.error).__name__, seen.message and seen.message.body)
        for seen in observations
    )


# ---------------------------------------------------------------------------------------------- who plays


class Where(GenAgent):
    """Says in which process it lives."""

    def request(self, message: Message) -> Message:
        return message.reply(body=str(os.getpid()))


class Echo(GenAgent):
    """Answers with what it hears."""

    handled: int = 0

    def request(self, message: Message) -> Message:
        self.handled += 1
        return message.reply(body=message.body)


class Notes(GenAgent):
    """Takes down whatever it is told."""

    notes: list[str] = []

    def missing(self, message: Message) -> None:
        self.notes.append(message.body)


class Slow(Notes):
    """Waits a moment over each message."""

    seconds: float = 0.001

    async def arequest(self, message: Message) -> None:
        await asyncio.sleep(self.seconds)
        self.notes.append(message.body)


class Sender(GenAgent):
    """Sends a number of messages in one of several ways."""

    to: str = "notes"
    number: int = 100
    sent: int = 0
    refused: int = 0

    def _each(self) -> Iterable[Message]:
        return (Message(receiver=self.to, body=str(n)) for n in range(self.number))

    def returns(self, message: Message) -> list[Message]:
        return list(self._each())

    def yields(self, message: Message) -> Generator[Message, None, None]:
        for each in self._each():
            try:
                yield each
            except MailboxFull:
                self.refused += 1
            self.sent += 1

    async def ayields_too(self, message: Message) -> AsyncIterator[Message]:
        for each in self._each():
            try:
                yield each
            except MailboxFull:
                self.refused += 1
            self.sent += 1

    async def asends(self, message: Message) -> None:
        for each in self._each():
            try:
                await self.send(each)
            except MailboxFull:
                self.refused += 1
            self.sent += 1

    def emits(self, message: Message) -> None:
        for each in self._each():
            self.emit("said", each.model_copy(update={"receiver": None}))


# ---------------------------------------------------------------------------------------------- where, and how many ends


async def _check_where(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[Where(id="a"), Where(id="b")])
    for receiver in ("a", "b"):
        played = await place.play(network, Message(receiver=receiver))
        here = played.result == str(os.getpid())
        assert here is not place.away, f"{receiver} lives in process {played.result}; this one is {os.getpid()}"


class Everything(GenAgent):
    """Sees to it that messages come to every end there is."""

    async def arequest(self, message: Message) -> None:
        await self.send(Message(method="note", receiver="notes"))
        with suppress(AgentFailed):
            await self.call(Message(method="fail", receiver="fails"))
        await self.send(Message(method="fail", receiver="fails"))
        late = Message(method="note", receiver="notes", deadline=self.now() - timedelta(seconds=1))
        with suppress(Expired):
            await self.call(late)
        with suppress(MailboxFull):
            for _ in range(20):
                await self.send(Message(receiver="narrow"))
        with suppress(UnknownAddress):
            await self.send(Message(receiver="nobody"))
        await self.send(Message(method="sing", receiver="fails"))
        await self.send(Message(method="end", receiver="fails"))

    def response(self, message: Message) -> None:
        pass


class Fails(GenAgent):
    def fail(self, message: Message) -> None:
        raise ValueError("as written")

    def end(self, message: Message) -> Message:
        return message.reply()

    async def ahang(self, message: Message) -> None:
        await asyncio.sleep(LONG)


class Narrow(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2, when_full="reject")


async def _check_ends(place: _Place) -> None:
    agents = [Everything(id="all"), Notes(id="notes"), Fails(id="fails"), Narrow(id="narrow", seconds=0.05)]
    network = GenNetwork(id="net", agents=agents, supervision="skip")
    recorder = Recorder()
    async with place.run(network, Message(receiver="all"), observers=[recorder]) as run:
        while not any(seen.message is not None and seen.message.method == "end" for seen in recorder.observations):
            await asyncio.sleep(0.001)
        await run.send(Message(method="hang", receiver="fails"))
        while not any(
            seen.kind == "started" and seen.message is not None and seen.message.method == "hang"
            for seen in recorder.observations
        ):
            await asyncio.sleep(0.001)
        run.cancel()
    ends = run.statistics()
    _is((ends.failed, ends.expired, ends.cancelled > 0), (1, 1, True), f"failed, expired, cancelled of {ends}")
    assert ends.rejected >= 1, ends
    _is(ends.dead, 2, "the number of dead letters")
    _is([type(letter.reason) for letter in run.dead_letters], [ValueError, NotUnderstood], "their reasons")
    _is(run.dead_letters[0].address, "fails", "the address of a dead letter")


async def _check_order(place: _Place) -> None:
    wanted = [str(n) for n in range(100)]
    for way in ("returns", "yields", "yields_too", "sends", "emits"):
        one, other = Sender(id="one"), Sender(id="other", to="slow")
        network = GenNetwork(id="net", agents=[one, other, notes := Notes(id="notes"), slow := Slow(id="slow")])
        network.link("one", "said", "notes")
        network.link("other", "said", "slow")
        await place.play(network, Message(method=way, receiver="one"), Message(method=way, receiver="other"))
        _is(notes.notes, wanted, f"what came of {way}")
        _is(slow.notes, wanted, f"what came of {way}, slowly")


class Busy(GenAgent):
    """Counts how many of its handlers are at work at once."""

    pause: ClassVar[float] = 0.002
    busy: int = 0
    most: int = 0
    handled: int = 0

    async def arequest(self, message: Message) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(self.pause)
        self.handled += 1
        self.busy -= 1


class Wide(Busy):
    concurrency: ClassVar[int] = 3
    pause: ClassVar[float] = 0.05  # so long that three messages come within


async def _check_one_at_a_time(place: _Place) -> None:
    for kind, most in ((Busy, 1), (Wide, 3)):
        network = GenNetwork(id="net", agents=[busy := kind(id="busy"), Sender(id="sender", to="busy", number=20)])
        await place.play(network, Message(method="sends", receiver="sender"))
        _is((busy.most, busy.handled, busy.busy), (most, 20, 0), "how many handlers were at work at once, of how many")


class Later(GenAgent):
    """Has something to do when everybody else has ended."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        await asyncio.sleep(0.02)
        yield Message(method="note", receiver="notes", body="slept")
        await self.delay(0.02)
        yield Message(method="note", receiver="notes", body="delayed")
        yield message.reply(body="done")


async def _check_quiescence(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[Later(id="later"), notes := Notes(id="notes")])
    async with place.run(network, Message(receiver="later")) as run:
        result = await run.wait()
    assert result is not None
    _is((result.body, notes.notes, run.status), ("done", ["slept", "delayed"], "done"), "what was done")
    async with place.run(network) as run:
        for _ in range(2):
            await run.send(Message(receiver="later"))
        _is(run.status, "running", "the status of a run that is open for more")
    _is(len(notes.notes), 6, "the number of notes")
    async with place.run(network) as run:
        pass
    _is((run.status, run.statistics().sent), ("done", 0), "an empty run")


# ---------------------------------------------------------------------------------------------- mailboxes


class Waiting(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5)


class Rejecting(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="reject")


class Dropping(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="drop_oldest")


class Latest(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="keep_latest")


class Parity(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="keep_latest", key=lambda message: int(message.body) % 2)


@dataclass
class _Depth:
    """How many messages wait for an agent, or are handled, at once."""

    address: str
    now: int = 0
    most: int = 0

    def observe(self, observation: Observation) -> None:
        if observation.address == self.address:
            ends = ("handled", "failed", "expired", "cancelled", "rejected", "dead")
            self.now += (observation.kind == "sent") - (observation.kind in ends)
            self.most = max(self.most, self.now)


async def _check_mailboxes(place: _Place) -> None:
    wanted = [str(n) for n in range(100)]
    for way in ("returns", "yields", "yields_too", "sends"):
        slow, depth = Waiting(id="notes"), _Depth("notes")
        network = GenNetwork(id="net", agents=[sender := Sender(id="sender"), slow])
        await place.play(network, Message(method=way, receiver="sender"), observers=[depth])
        _is(slow.notes, wanted, f"what came of {way}")
        assert depth.most <= 7, f"{depth.most} messages waited for a mailbox with room for 5, sent by {way}"
        _is(sender.refused, 0, "how many were refused")
    slow = Waiting(id="notes")
    agents = [*(Sender(id=f"s{n}", number=20) for n in range(5)), slow]
    depth = _Depth("notes")
    roots = [Message(method="sends", receiver=f"s{n}") for n in range(5)]
    await place.play(GenNetwork(id="net", agents=agents), *roots, observers=[depth])
    assert (len(slow.notes), depth.most <= 5 + 1 + 5) == (100, True), f"{len(slow.notes)} came; {depth.most} waited"


async def _check_full_mailboxes(place: _Place) -> None:
    for kind in (Rejecting, Dropping, Latest, Parity):
        slow, sender = kind(id="notes", seconds=0.02), Sender(id="sender", number=30)
        network = GenNetwork(id="net", agents=[sender, slow])
        run = (await place.play(network, Message(method="sends", receiver="sender"))).run
        counts = run.statistics()
        lost = counts.rejected + counts.dead
        assert lost, f"nothing was too much for a {kind.__name__} mailbox"
        _is(len(slow.notes) + lost, 30, f"those that came to a {kind.__name__} mailbox, and those that did not")
        for key in (0, 1) if kind is Parity else (None,):
            came = [note for note in slow.notes if key is None or int(note) % 2 == key]
            _is(came, sorted(came, key=int), f"what came to a {kind.__name__} mailbox")
        if kind is Rejecting:
            _is((counts.rejected, sender.refused), (lost, lost), "what was rejected, and what the sender knows of")
        else:
            _is({type(letter.reason) for letter in run.dead_letters}, {MailboxFull}, "why letters are dead")
            assert "29" in slow.notes, f"the latest is lost, not the oldest: {slow.notes}"


class Flooding(GenAgent):
    """Emits without ever waiting."""

    met: str = ""

    async def arequest(self, message: Message) -> None:
        try:
            for n in range(1_000):
                self.emit("said", Message(body=str(n)))
            await self.send(Message(receiver="nobody"))
        except Exception as error:
            self.met = type(error).__name__


async def _check_floods(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[flood := Flooding(id="flood"), slow := Waiting(id="notes")])
    network.link("flood", "said", "notes")
    depth = _Depth("notes")
    await place.play(network, Message(receiver="flood"), observers=[depth])
    _is(flood.met, "MailboxFull", "what is raised to whoever emits without waiting")
    assert depth.most <= 11, f"{depth.most} messages waited for a mailbox with room for 5"
    _is(slow.notes, [str(n) for n in range(len(slow.notes))], "what came")


# ---------------------------------------------------------------------------------------------- waits that cannot end


class Caller(GenAgent):
    """Calls whoever it is told to, and notes what came of it."""

    to: str = ""
    ways: list[str] = []
    met: list[str] = []

    async def arequest(self, message: Message) -> Message:
        try:
            reply = await self.call(Message(receiver=self.to, body=message.body))
        except (Deadlock, Unanswered, AgentFailed) as error:
            cause: BaseException | None = error
            while isinstance(cause, AgentFailed) and cause.__cause__ is not None:
                cause = cause.__cause__
            self.met.append(type(cause).__name__)
            raise
        self.met.append(reply.body)
        return message.reply(body=reply.body)

    def silence(self, message: Message) -> None:
        pass

    async def aunanswered(self, message: Message) -> Message:
        try:
            await self.call(Message(method="silence", receiver=self.to))
        except Unanswered as error:
            return message.reply(body=f"{error.caller} {error.receiver} {error.method}")
        return message.reply(body="answered")


async def _check_deadlocks(place: _Place) -> None:
    for size in (1, 2, 3):
        agents = [Caller(id=f"a{n}", to=f"a{(n + 1) % size}") for n in range(size)]
        played = await place.play(GenNetwork(id="net", agents=agents), Message(receiver="a0"))
        cause = played.error
        while isinstance(cause, AgentFailed):
            cause = cause.__cause__
        assert isinstance(cause, Deadlock), f"a ring of {size} calls ends with {played.error!r}"
        _is(set(cause.ring), {agent.id for agent in agents}, "the ring that is named")
        assert ["Deadlock"] in [agent.met for agent in agents], "no caller met the Deadlock"
    agents = [Caller(id="a", to="b"), Caller(id="b")]
    network = GenNetwork(id="net", agents=agents)
    played = await place.play(network, Message(method="unanswered", receiver="a"))
    _is(played.result, "a b silence", "what an Unanswered says")


class Pushing(GenAgent):
    """Sends to its neighbour while its own mailbox fills."""

    to: str
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2)
    met: str = ""
    got: int = 0

    async def arequest(self, message: Message) -> None:
        try:
            for _ in range(10):
                await self.send(Message(method="note", receiver=self.to))
        except Deadlock as error:
            self.met = "Deadlock"
            assert len(error.ring) >= 2

    def note(self, message: Message) -> None:
        self.got += 1


async def _check_full_rings(place: _Place) -> None:
    agents = [Pushing(id=f"p{n}", to=f"p{(n + 1) % 3}") for n in range(3)]
    network = GenNetwork(id="net", agents=agents)
    await place.play(network, *(Message(receiver=agent) for agent in agents))
    assert "Deadlock" in [agent.met for agent in agents], "a ring of full mailboxes is no Deadlock"
    assert sum(agent.got for agent in agents) >= 6


# ---------------------------------------------------------------------------------------------- failures


class Refused(Exception):
    """An error of somebody's own, with fields."""

    def __init__(self, what: str, price: int) -> None:
        super().__init__(f"{what} for {price} is refused")
        self.what, self.price = what, price


class Stumbles(GenAgent):
    """Raises errors of many kinds."""

    tries: int = 0
    seen: list[str] = []

    def request(self, message: Message) -> None:
        error = Refused(message.body, 7)
        error.add_note("a note")
        raise error

    async def aquery(self, message: Message) -> None:
        await asyncio.sleep(0)
        raise ModelError("a model", "as written")

    def ask(self, message: Message) -> Generator[Message, None, None]:
        yield Message(method="note", receiver="notes", body="first")
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner

    def do(self, message: Message) -> Message:
        self.tries += 1
        self.seen.append(message.body)
        if message.body == "never" or self.tries % 3:
            raise ValueError(message.body)
        return message.reply(body=f"after {self.tries}")


class Asks(GenAgent):
    """Calls, and tells of what was raised."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        try:
            await self.call(message.forward("stumbles"))
        except AgentFailed as failed:
            cause = failed.__cause__
            assert isinstance(cause, Refused)
            notes = getattr(cause, "__notes__", [])
            assert "a note" in notes
            there = any("in request" in note for note in notes) or cause.__traceback__ is not None
            yield message.reply(body=f"{failed.agent} {failed.method} {cause.what} {cause.price} {there} {cause}")
        try:
            await self.call(Message(method="query", receiver="stumbles"))
        except AgentFailed as failed:
            cause = failed.__cause__
            assert isinstance(cause, ModelError)
            yield message.reply(body=f"{cause.model}, {cause.problem}")
        try:
            await self.call(Message(method="ask", receiver="stumbles"))
        except AgentFailed as failed:
            assert failed.__cause__ is not None
            yield message.reply(body=f"{failed.__cause__!r} from {failed.__cause__.__cause__!r}")
        try:
            await self.call(Message(method="sing", receiver="stumbles"))
        except NotUnderstood as error:
            yield message.reply(body=f"{error.agent} {error.method}")


async def _check_errors(place: _Place) -> None:
    agents = [Asks(id="asks"), Stumbles(id="stumbles"), Notes(id="notes")]
    played = await place.play(GenNetwork(id="net", agents=agents), Message(receiver="asks", body="a cake"))
    _is(played.error, None, "what ended the run")
    told = [message.body for message in played.messages if message.receiver is None]
    wanted = [
        "stumbles request a cake 7 True a cake for 7 is refused",
        "a model, as written",
        "ValueError('outer') from KeyError('inner')",
        "stumbles sing",
    ]
    _is(told, wanted, "what the caller was raised")


async def _check_failures(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[Stumbles(id="s"), Notes(id="notes")])
    played = await place.play(network, Message(receiver="s", body="a cake"))
    failed = played.error
    assert isinstance(failed, AgentFailed), f"a run whose agent raised ends with {failed!r}"
    _is((failed.agent, failed.method, played.run.status), ("s", "request", "failed"), "what failed")
    cause = failed.__cause__
    assert isinstance(cause, Refused), f"the cause is {cause!r}"
    _is((cause.what, cause.price, cause.args), ("a cake", 7, ("a cake for 7 is refused",)), "the cause's fields")
    notes = getattr(cause, "__notes__", [])
    assert "a note" in notes, f"its note is lost: {notes}"
    if place.away:
        assert any("in request" in note and "raise error" in note for note in notes), f"no far traceback: {notes}"


class Judge(GenNetwork):
    """Decides by what failed, and how often."""

    seen: list[str] = []

    def supervise(self, failure: Failure) -> Directive:
        self.seen.append(f"{failure.address} {failure.attempt} {failure.error} {failure.agent.id}")
        return Retry(times=1, delay=0) if failure.message.body == "never" else "skip"


async def _check_supervision(place: _Place) -> None:
    def played(rule: Directive, *bodies: str) -> tuple[GenNetwork, Stumbles, Awaitable[_Played]]:
        network = GenNetwork(id="net", supervision=rule, agents=[s := Stumbles(id="s")])
        roots = [Message(method="do", receiver="s", body=body) for body in bodies]
        return network, s, place.play(network, *roots)

    retry = Retry(times=2, delay=0.001)
    _, s, work = played(replace(retry, then="skip"), "x", "y", "never", "z")
    ended = await work
    _is((ended.error, s.tries), (None, 12), "the error, and the tries, under retry")
    _is(s.seen, ["x"] * 3 + ["y"] * 3 + ["never"] * 3 + ["z"] * 3, "what was tried, in order")
    _is([letter.message.body for letter in ended.run.dead_letters], ["never"], "the dead letters")

    _, s, work = played("restart", "x", "y", "z")
    ended = await work
    _is((s.tries, s.seen, ended.run.statistics().dead), (0, [], 3), "what is left of an agent that began anew")

    _, s, work = played("skip", "x", "y", "z")
    ended = await work
    _is((s.tries, s.seen, ended.run.statistics().dead), (3, ["x", "y", "z"], 2), "what is left of one that went on")
    _is(ended.result, "after 3", "the result")

    for rule in ("stop", "escalate"):
        _, s, work = played(rule, "x")  # type: ignore[arg-type]  # both are directives
        ended = await work
        assert isinstance(ended.error, AgentFailed), f"{rule} ends the run with {ended.error!r}"
        _is(s.tries, 1, "how often it was tried")

    inner = GenNetwork(id="inner", supervision="escalate", agents=[Stumbles(id="s")])
    network = Judge(id="net", agents=[inner])
    roots = [Message(method="do", receiver="inner/s", body=body) for body in ("never", "x")]
    await place.play(network, *roots)
    seen = ["inner/s 1 never s", "inner/s 2 never s", "inner/s 1 x s"]
    _is(network.seen[: len(seen) - 1], seen[:-1], "what a network decided of")


# ---------------------------------------------------------------------------------------------- limits


class Ring(GenAgent):
    """Passes every message on, for ever."""

    to: str
    passed: int = 0

    def request(self, message: Message) -> Message:
        self.passed += 1
        return Message(receiver=self.to)


class Spreads(GenAgent):
    """Sends many at once, for ever."""

    to: list[str]

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        for to in self.to:
            yield Message(receiver=to)


async def _check_limits(place: _Place) -> None:
    ring = [Ring(id=f"r{n}", to=f"r{(n + 1) % 3}") for n in range(3)]
    limits = replace(DEFAULT_LIMITS, messages=50)
    ended = await place.play(GenNetwork(id="net", agents=ring), Message(receiver="r0"), limits=limits)
    assert isinstance(ended.error, LimitReached), f"a run at its limit ends with {ended.error!r}"
    _is((ended.error.limit, ended.run.status), ("messages", "limited"), "the limit")
    _is((ended.run.statistics().sent, sum(agent.passed for agent in ring)), (50, 50), "messages sent, and handled")

    ring = [Ring(id=f"r{n}", to=f"r{(n + 1) % 3}") for n in range(3)]
    limits = replace(DEFAULT_LIMITS, depth=20)
    ended = await place.play(GenNetwork(id="net", agents=ring), Message(receiver="r0"), limits=limits)
    assert isinstance(ended.error, LimitReached), f"a run at its limit ends with {ended.error!r}"
    _is((ended.error.limit, sum(agent.passed for agent in ring)), ("depth", 20), "the limit, and messages handled")

    names = [f"s{n}" for n in range(4)]
    limits = replace(DEFAULT_LIMITS, messages=77, depth=None)
    network = GenNetwork(id="net", agents=[Spreads(id=name, to=names) for name in names])
    ended = await place.play(network, Message(receiver="s0"), limits=limits)
    _is(ended.run.statistics().sent, 77, "the number of messages, where many are sent at once")

    limits = replace(DEFAULT_LIMITS, seconds=0.05)
    ended = await place.play(GenNetwork(id="net", agents=[Fails(id="f")]), _hang("f"), limits=limits)
    assert isinstance(ended.error, LimitReached), f"a run that takes too long ends with {ended.error!r}"
    _is((ended.error.limit, ended.run.statistics().cancelled), ("seconds", 1), "the limit, and messages cancelled")


def _hang(receiver: str) -> Message:
    return Message(method="hang", receiver=receiver)


class Spender(GenAgent):
    """Asks a model for as long as it may."""

    model: Any = Field(exclude=True, repr=False)
    asked: int = 0
    met: str = ""

    async def arequest(self, message: Message) -> None:
        settings = Settings(max_tokens=10)
        try:
            for _ in range(100):
                await self.complete(self.model, Request((user("one two three"),), settings=settings))
                self.asked += 1
        except LimitReached as error:
            self.met = error.limit
            raise


class Meter(ScriptedModel):
    """Takes ten tokens of output for every answer, and a while."""

    def __init__(self, price: Price) -> None:
        super().__init__(["w " * 10], cycle=True, latency=0.001, price=price)


async def _check_budgets(place: _Place) -> None:
    price = Price(Decimal(1_000), Decimal(1_000))
    for limits in (replace(DEFAULT_LIMITS, tokens=500), replace(DEFAULT_LIMITS, tokens=None, money=Decimal("0.5"))):
        model = Meter(price)
        agents = [Spender(id=f"s{n}", model=model) for n in range(4)]
        network = GenNetwork(id="net", agents=agents)
        ended = await place.play(network, *(Message(receiver=agent) for agent in agents), limits=limits)
        assert isinstance(ended.error, LimitReached), f"a budget that is spent ends the run with {ended.error!r}"
        usage = ended.run.usage
        answers = len(model.requests)
        assert answers >= 5, f"{answers} answers"
        assert usage.tokens <= 500, f"{usage.tokens} tokens of at most 500"
        assert (usage.cost or Decimal(0)) <= Decimal("0.5"), f"{usage.cost} dollars of at most 0.5"


# ---------------------------------------------------------------------------------------------- cancellation


class Sleeper(GenAgent):
    """Waits in many ways, and says how it was woken."""

    woken: str = ""
    after: str = ""

    async def arequest(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            self.woken = "cancelled"
            raise

    async def aquery(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            await self.call(Message(method="silence_for_long", receiver="other"))
        except BaseException as error:
            self.woken = type(error).__name__
            raise

    async def asilence_for_long(self, message: Message) -> None:
        self.emit("begun", Message())
        await asyncio.Event().wait()

    async def astubborn(self, message: Message) -> None:
        self.emit("begun", Message())
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG)
        self.woken = "cancelled"
        try:
            await self.send(Message(method="note", receiver="other"))
        except RunCancelled:
            self.after = "RunCancelled"

    async def adelayed(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            await self.delay(LONG)
        finally:
            self.woken = "cancelled"

    async def alooks(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            await self.effect("look", lambda: asyncio.sleep(LONG), returns=None)
        finally:
            self.woken = "cancelled"

    def note(self, message: Message) -> None:
        self.after = "noted"


async def _begun(recorder: Recorder, number: int = 1) -> None:
    while sum(seen.kind == "emitted" for seen in recorder.observations) < number:
        await asyncio.sleep(0.001)


async def _check_cancellation(place: _Place) -> None:
    ways = ("request", "query", "stubborn", "delayed", "looks", "silence_for_long")
    for way in ways:
        network = GenNetwork(id="net", agents=[sleeper := Sleeper(id="sleeper"), Sleeper(id="other")])
        recorder = Recorder()
        async with place.run(network, Message(method=way, receiver="sleeper"), observers=[recorder]) as run:
            await _begun(recorder, 2 if way == "query" else 1)
            run.cancel()
        _is(run.status, "cancelled", f"the status of a cancelled run ({way})")
        if way == "query":
            assert sleeper.woken in ("RunCancelled", "CancelledError"), sleeper.woken
        elif way != "silence_for_long":
            _is(sleeper.woken, "cancelled", f"how {way} was woken")
        _is(sleeper.after, "RunCancelled" if way == "stubborn" else "", "what came after")
        _is(run.statistics().handled, int(way == "stubborn"), f"messages handled ({way})")
    recorder = Recorder()
    with suppress(KeyError):
        network = GenNetwork(id="net", agents=[sleeper := Sleeper(id="sleeper")])
        async with place.run(network, Message(receiver="sleeper"), observers=[recorder]):
            await _begun(recorder)
            raise KeyError("left")
    _is(sleeper.woken, "cancelled", "how it was woken when the block was left with an error")


class Hasty(GenAgent):
    """Gives up waiting, inside its handlers."""

    met: list[str] = []

    async def arequest(self, message: Message) -> Message:
        for what in (self._call, self._effect, self._delay, self._sleep, self._gather, self._complete):
            try:
                async with asyncio.timeout(0.02):
                    await what()
            except TimeoutError:
                self.met.append(what.__name__)
        echo = await self.call(Message(method="request", receiver="echo", body="still here"))
        return message.reply(body=echo.body)

    model: Any = Field(exclude=True, repr=False)

    async def _call(self) -> None:
        await self.call(Message(method="hang", receiver="fails"))

    async def _gather(self) -> None:
        await self.gather([Message(method="hang", receiver="fails"), Message(receiver="echo")])

    async def _effect(self) -> None:
        await self.effect("wait", lambda: asyncio.sleep(LONG))

    async def _delay(self) -> None:
        await self.delay(LONG)

    async def _sleep(self) -> None:
        await asyncio.sleep(LONG)

    async def _complete(self) -> None:
        await self.complete(self.model, Request((user(""),)))


class Hangs(Fails):
    """Wakes after a while, when nobody waits any more."""

    woken: int = 0

    async def ahang(self, message: Message) -> Message:
        await asyncio.sleep(0.05)
        self.woken += 1
        return message.reply(body="late")


async def _check_timeouts(place: _Place) -> None:
    model = ScriptedModel(["never"], latency=LONG)
    agents = [hasty := Hasty(id="hasty", model=model), fails := Hangs(id="fails"), Echo(id="echo")]
    ended = await place.play(GenNetwork(id="net", agents=agents), Message(receiver="hasty"))
    _is(ended.error, None, "what ended the run")
    _is(ended.result, "still here", "what a handler can do after timeouts")
    _is(hasty.met, ["_call", "_effect", "_delay", "_sleep", "_gather", "_complete"], "what timed out")
    _is(fails.woken >= 1, True, "whether the one that was called went on")
    assert {type(letter.reason) for letter in ended.run.dead_letters} <= {CallTimeout}, ended.run.dead_letters
    assert ended.run.dead_letters, "a late reply is no dead letter"


# ---------------------------------------------------------------------------------------------- calls


class Answers(GenAgent):
    """Answers after a while, or not."""

    seconds: float = 0.0
    fails: bool = False

    async def arequest(self, message: Message) -> Message:
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise ValueError(self.id)
        return message.reply(body=self.id)

    def double(self, message: Message) -> Generator[Any, Message, Message]:
        return message.reply(body=message.body * 2)
        yield


class Gathers(GenAgent):
    """Asks several at once, in every way."""

    async def _asked(self, *ids: str, **terms: Any) -> str:
        replies = await self.gather([Message(receiver=id) for id in ids], **terms)
        return " ".join(reply.body for reply in replies)

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        yield message.reply(body=await self._asked("now", "soon"))
        yield message.reply(body=await self._asked("soon", "now", "late", k=2))
        yield message.reply(body=await self._asked("late", "now", timeout=0.03))
        failures: dict[Message, BaseException] = {}
        told = await self._asked("now", "fails", "soon", failures=failures)
        wrong = [f"{one.receiver and one.receiver.id}: {type(error).__name__}" for one, error in failures.items()]
        yield message.reply(body=f"{told} {wrong}")
        try:
            await self._asked("now", "fails")
        except AgentFailed as failed:
            yield message.reply(body=failed.agent)
        yield message.reply(body=await self._asked("now", "soon", k=1))
        try:
            await self.call(Message(receiver="late"), timeout=0.01)
        except CallTimeout as error:
            yield message.reply(body=f"{error.receiver} {error.method} {error.seconds}")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(id)) for id in ("now", "soon", "now")]
            yield message.reply(body=" ".join(task.result() for task in tasks))
        except ExceptionGroup as error:
            yield message.reply(body=repr(error))
        try:
            await self.call(Message(receiver="nobody"))
        except UnknownAddress as error:
            yield message.reply(body=f"{type(error).__name__} {error.address}")
        reply = await self.call(Message(method="double", receiver="now", body="ab"))
        assert reply.reply_to is not None
        yield message.reply(body=f"{reply.body} {reply.reply_to.body} {reply.sender and reply.sender.id}")

    async def _one(self, id: str) -> str:
        return (await self.call(Message(receiver=id))).body


async def _check_calls(place: _Place) -> None:
    seconds = {"now": 0.0, "soon": 0.01, "late": 0.06}
    agents: list[GenAgent] = [Answers(id=id, seconds=wait) for id, wait in seconds.items()]
    agents += [Gathers(id="gathers"), Answers(id="fails", fails=True)]
    network = GenNetwork(id="net", agents=agents, supervision="skip")
    played = await place.play(network, Message(receiver="gathers"))
    _is(played.error, None, "what ended the run")
    told = [message.body for message in played.messages if message.receiver is None]
    wanted = [
        "now soon",
        "soon now",
        "now",
        "now soon ['fails: AgentFailed']",
        "fails",
        "now",
        "late request 0.01",
        "now soon now",
        "UnknownAddress nobody",
        "abab ab now",
    ]
    _is(told, wanted, "what came of calls")
    reasons = {type(letter.reason) for letter in played.run.dead_letters}
    assert CallTimeout in reasons, "a late reply is no dead letter"


class Colours(GenAgent):
    """Handlers of every colour."""

    got: list[str] = []

    def request(self, message: Message) -> Generator[Any, Message, Message]:
        reply = yield call(Message(body="2", receiver="echo"))
        self.got.append(reply.body)
        try:
            yield call(Message(method="fail", receiver="fails"), timeout=5)
        except AgentFailed as failed:
            self.got.append(failed.agent)
        try:
            yield Message(receiver="nobody")
        except UnknownAddress as error:
            self.got.append(error.address)
        yield [Message(method="note", body="b", receiver="notes"), Message(method="note", body="c", receiver="notes")]
        return message.reply(body=" ".join(self.got))

    async def aquery(self, message: Message) -> list[Message]:
        return [Message(method="note", body=f"list {n}", receiver="notes") for n in range(3)]

    async def acheck(self, message: Message) -> AsyncIterator[Message]:
        try:
            yield Message(receiver="nobody")
        except UnknownAddress as error:
            yield Message(method="note", body=f"mended {error.address}", receiver="notes")
        yield message.reply(body="mended")

    def tell(self, message: Message) -> tuple[Message, ...]:
        return (
            Message(method="note", body="one", receiver="notes"),
            Message(method="note", body="two", receiver="notes"),
        )

    def log(self, message: Message) -> str:
        return "no message"


async def _check_colours(place: _Place) -> None:
    def build() -> GenNetwork:
        agents = [Colours(id="colours"), Echo(id="echo"), Fails(id="fails"), Notes(id="notes")]
        return GenNetwork(id="net", agents=agents)

    for method in ("request", "query", "check", "tell", "log"):
        await _same(place, build, Message(method=method, receiver="colours"))


async def _same(place: _Place, build: Callable[[], GenAgent], *roots: Message, one_by_one: bool = False) -> _Played:
    """Play something here and there, and see that it is the same: messages, ends, results, observations, and the agents."""
    network, recorder = build(), Recorder()
    played = await place.play(network, *roots, observers=[recorder] if place.watched else [], one_by_one=one_by_one)
    there = _Place(lambda: LocalRuntime(seed=played.run.seed), away=False, watched=place.watched, seconds=place.seconds)
    local, local_recorder = build(), Recorder()
    wanted = await there.play(local, *roots, observers=[local_recorder] if place.watched else [], one_by_one=one_by_one)
    _is(_what(played.error), _what(wanted.error), "what ended the run")
    _is(dict(_pairs(played.messages)), dict(_pairs(wanted.messages)), "what was said")
    _is(_counts(played.run), _counts(wanted.run), "the ends of messages")
    _is(_told_of(recorder.observations), _told_of(local_recorder.observations), "what was observed")
    dead, wanted_dead = (
        Counter((letter.address, letter.message.body, repr(letter.reason)) for letter in run.dead_letters)
        for run in (played.run, wanted.run)
    )
    _is(dead, wanted_dead, "the dead letters")
    _is(_states(network), _states(local), "the state of the agents")
    return played


def _what(error: BaseException | None) -> str:
    """An error, but for the ids of messages."""
    if isinstance(error, AgentFailed):
        return f"{error.agent} {error.method} {error.reason} {error.__cause__!r}"
    return repr(error)


def _counts(run: Run) -> object:
    counts = replace(run.statistics(), seconds=0.0)
    return counts, run.status, run.usage


# ---------------------------------------------------------------------------------------------- events


class Crier(GenAgent):
    """Emits what it is asked to."""

    def request(self, message: Message) -> Message:
        self.emit("news", message.reply(body=message.body, receiver=None))
        self.emit(Message(method="shout", body=message.body))
        return message.reply(body=f"{self.listened('news')} {self.listened('secret')}")


class Hears(GenAgent):
    """Notes what it hears, and from where."""

    heard_of: list[str] = []

    def news(self, message: Message) -> Message | None:
        event = self.heard
        self.heard_of.append(f"{event.name} {event.path} {message.body}" if event is not None else message.body)
        assert message.sender is not None
        return message.reply(body="thanks") if message.body == "ask" else None

    def shout(self, message: Message) -> None:
        self.news(message)

    def loud(self, message: Message) -> None:
        self.news(message)

    def request(self, message: Message) -> None:
        assert self.heard is None
        self.news(message)


class Walls(GenNetwork):
    """Lets nothing secret out, and renames the rest."""

    def boundary(self, event: Event) -> Event | None:
        if event.message.body == "secret":
            return None
        return replace(event, name="loud")


def _town() -> GenNetwork:
    house = Walls(id="house", agents=[Crier(id="crier"), Hears(id="inside")])
    house.link("crier", "news", "inside")
    house.link("crier", "*", "inside")
    town = GenNetwork(id="town", agents=[house, Hears(id="outside"), Hears(id="mayor")])
    town.link("house/crier", "loud", "outside")
    town.link("house", "loud", "mayor")
    town.link("house", "news", "mayor")
    return town


async def _check_events(place: _Place) -> None:
    roots = [Message(receiver="house/crier", body=body) for body in ("hello", "secret", "bye")]
    await _same(place, _town, *roots)
    town = _town()
    heard: list[str] = []
    once: list[str] = []
    crier = town["house/crier"]
    town.on("loud", lambda event: heard.append(f"{event.path} {event.message.body}"))
    crier.once("news", lambda event: once.append(event.message.body))
    received: list[str] = []
    crier.on("receive", lambda event: received.append(event.message.body))
    sent: list[str] = []
    crier.on("sent", lambda event: sent.append(event.message.body))
    later: list[str] = []

    async def hear(event: Event) -> None:
        await asyncio.sleep(0)
        later.append(event.message.body)

    crier.on("*", hear)
    await place.play(town, *roots)
    _is(heard, ["house/crier hello"] * 2 + ["house/crier bye"] * 2, "what callbacks on the outer network heard")
    _is(once, ["hello"], "what a callback heard that wanted to hear it once")
    _is(received, ["hello", "secret", "bye"], 'what was heard on "receive"')
    _is(len(sent), 3, 'what was heard on "sent"')
    _is(later, ["hello", "hello", "secret", "secret", "bye", "bye"], "what an async callback heard")

    def wrong(event: Event) -> None:
        raise KeyError("callback")

    crier.on("news", wrong)
    played = await place.play(town, roots[0])
    assert isinstance(played.error, AgentFailed), f"a callback raised, and the run ended with {played.error!r}"


class Wonders(GenAgent):
    """Says whether anybody listens."""

    def request(self, message: Message) -> Message:
        return message.reply(body=" ".join(f"{event}:{self.listened(event)}" for event in ("news", "shout", "none")))


async def _check_listening(place: _Place) -> None:
    """Where nobody may hear an event, nothing is to be made of it."""

    def build() -> GenNetwork:
        agents = [Wonders(id="one"), Wonders(id="other"), Hears(id="hears")]
        inner = GenNetwork(id="inner", agents=agents, links=[("one", "news", "hears")])
        return GenNetwork(id="net", agents=[inner, Hears(id="outer")], links=[("inner/other", "shout", "outer")])

    for receiver, wanted in (
        ("one", "news:True shout:False none:False"),
        ("other", "news:False shout:True none:False"),
    ):
        network = build()
        played = await place.play(network, Message(receiver=f"inner/{receiver}"))
        for each in played.result.split():
            told, heard = each.endswith("True"), f"{each.partition(':')[0]}:True" in wanted or place.watched
            assert told >= heard, f"somebody listens to {receiver}, and it is told {each}"
            if not place.away:  # elsewhere it may be told so though nobody does
                _is(told, heard, f"what {receiver} is told of listeners: {each}; whether it is so")
        assert place.watched or "none:False" in played.result, f"nobody listens to {receiver}: {played.result}"
    network = build()
    network["inner/one"].on("none", lambda event: None)
    played = await place.play(network, Message(receiver="inner/one"))
    assert "none:True" in played.result, "a callback at home listens, and the agent is told that nobody does"


# ---------------------------------------------------------------------------------------------- networks


class Looks(GenAgent):
    """Looks around."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        home = self.network
        yield message.reply(body=f"{home.id} {sorted(home.directory)} {'echo' in home} {len(list(home))}")
        echo = home["echo"]
        yield message.reply(body=f"{echo.id} {type(echo).__name__} {echo.can_receive('request')}")
        reply = await self.call(Message(receiver=echo, body="found"))
        yield message.reply(body=f"{reply.body} {reply.sender is echo} {reply.receiver is self}")
        yield message.reply(body=f"{[agent.id for agent in home.receivers('request')]}")
        yield message.reply(body=f"{sorted(str(each.get('name')) for each in home.init_fns(self))}")
        links = sorted((link.source, link.event, link.listener) for link in home.links)
        yield message.reply(body=f"{links}")
        try:
            home["nobody"]
        except UnknownAddress as error:
            yield message.reply(body=str(error))

    def response(self, message: Message) -> None:
        pass


def _mansion() -> GenNetwork:
    inner = GenNetwork(id="inner", agents=[Looks(id="looks"), Echo(id="echo"), Notes(id="notes")])
    inner.link("echo", "said", "notes")
    return GenNetwork(id="net", agents=[inner, Echo(id="echo"), Looks(id="looks")])


async def _check_directory(place: _Place) -> None:
    for receiver in ("inner/looks", "looks"):
        played = await _same(place, _mansion, Message(receiver=receiver))
        _is(played.error, None, "what ended the run")


class Guest(GenAgent):
    """Comes and goes."""

    heard_of: list[str] = []
    started: int = 0

    async def astart(self) -> None:
        self.started += 1

    def news(self, message: Message) -> None:
        self.heard_of.append(message.body)

    def request(self, message: Message) -> Message:
        self.heard_of.append(message.body)
        return message.reply(body=f"{self.id} of {self.network.id}: {len(self.heard_of)}")


class Host(GenAgent):
    """Changes the network that it is in."""

    notes: list[str] = []

    async def arequest(self, message: Message) -> Message:
        home = self.network
        match message.body.split():
            case "invite", name:
                home.add(Guest(id=name))
                home.link(self, "news", name)
            case "room", name:
                room = GenNetwork(id=name, agents=[Guest(id="guest")])
                room.link(room, "news", "guest")
                home.add(room)
                home.link(self, "news", f"{name}/guest")
            case "mute", name:
                home.unlink(self, "news", name)
            case "expel", name:
                home.remove(name)
            case "ask", name:
                self.notes.append((await self.call(Message(receiver=name, body="how are you?"))).body)
            case _:
                pass
        self.notes.append(f"{sorted(agent.id for agent in home)}")
        self.emit("news", Message(method="news", body=message.body))
        try:
            await self.send(Message(method="news", body=f"dear bert: {message.body}", receiver="bert"))
        except UnknownAddress:
            self.notes.append("no bert")
        return message.reply(body=message.body)


def _house() -> GenNetwork:
    house = GenNetwork(id="house", agents=[Host(id="host"), Guest(id="old"), Host(id="wife")], supervision="skip")
    house.link("host", "news", "old")
    return GenNetwork(id="town", agents=[house])


async def _check_changes_inside(place: _Place) -> None:
    bodies = [
        "invite anna", "invite bert", "ask anna", "room attic", "mute anna", "hello", "expel bert", "ask attic/guest",
        "expel attic", "invite bert", "ask bert", "bye",
    ]  # fmt: skip
    roots = [Message(receiver="house/host", body=body) for body in bodies]
    played = await _same(place, _house, *roots, one_by_one=True)
    _is(played.error, None, "what ended the run")
    network = _house()
    async with place.run(network) as run:
        for body in ("invite anna", "ask anna"):
            for host in ("host", "wife"):
                if (host, body) != ("wife", "invite anna"):
                    await run.send(Message(receiver=f"house/{host}", body=body))
                    while run.statistics().pending:
                        await asyncio.sleep(0.001)
    assert network["house/anna"].id == "anna", "who was added in a handler is not in the network"
    wife = network["house/wife"]
    assert isinstance(wife, Host)
    _is(wife.notes, ["anna of house: 4", "['anna', 'host', 'old', 'wife']", "no bert"], "what the other one found")


async def _check_changes_outside(place: _Place) -> None:
    network = _house()
    house = network["house"]
    assert isinstance(house, GenNetwork)
    host = house["host"]
    assert isinstance(host, Host)

    async def say(run: Run, body: str, receiver: str = "house/host") -> None:
        await run.send(Message(receiver=receiver, body=body))
        while run.statistics().pending:
            await asyncio.sleep(0.001)

    async with place.run(network) as run:
        await say(run, "hello")
        house.add(anna := Guest(id="anna"))
        house.link("host", "news", "anna")
        await say(run, "ask anna")
        house.unlink("host", "news", "anna")
        await say(run, "quietly")
        house.remove("anna")
        try:
            await say(run, "to nobody", "house/anna")
        except UnknownAddress:
            pass
        else:
            raise AssertionError("who left can still be written to")
        await say(run, "bye")
    everybody = "['anna', 'host', 'old', 'wife']"
    usual = "['host', 'old', 'wife']"
    wanted = [usual, "no bert", "anna of house: 1", everybody, "no bert", everybody, "no bert", usual, "no bert"]
    _is(host.notes, wanted, "what a handler saw of changes from outside")
    _is(anna.heard_of, ["how are you?", "ask anna"], "what the one who was there for a while heard")
    _is(anna.started, 1, "how often it was started")


class Leaver(GenAgent):
    """Works slowly, and is put out meanwhile."""

    done: int = 0

    async def arequest(self, message: Message) -> None:
        self.emit("begun", Message())
        await asyncio.sleep(0.03)
        self.done += 1


async def _check_removal(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[leaver := Leaver(id="leaver"), Echo(id="echo")])
    recorder = Recorder()
    async with place.run(network, observers=[recorder]) as run:
        for _ in range(3):
            await run.send(Message(receiver="leaver"))
        await _begun(recorder)
        network.remove(leaver)
        await run.send(Message(receiver="echo"))
    _is({type(letter.reason) for letter in run.dead_letters}, {AgentRemoved}, "why letters are dead")
    _is((len(run.dead_letters), leaver.done), (2, 1), "dead letters, and what was done of an agent that was removed")


class Chief(GenNetwork):
    """A network with handlers and state of its own."""

    passed: int = 0

    async def arequest(self, message: Message) -> Message:
        self.passed += 1
        reply = await self.call(message.forward("echo"))
        self.emit("passed", Message(method="news", body=reply.body))
        return message.reply(body=f"{self.id}: {reply.body} {self.network.id}")


async def _check_nesting(place: _Place) -> None:
    def build() -> GenNetwork:
        deep = Chief(id="deep", agents=[Echo(id="echo"), Hears(id="hears")])
        deep.link(deep, "passed", "hears")
        middle = Chief(id="middle", agents=[deep, Echo(id="echo"), Caller(id="inner", to="echo")])
        agents = [
            middle,
            Caller(id="caller", to="middle/deep"),
            Caller(id="finder", to="deep"),
            Notes(id="notes"),
            Echo(id="echo"),
        ]
        network = GenNetwork(id="net", agents=agents)
        network.link("middle", "passed", "notes")
        return network

    names = ("middle", "middle/deep", "caller", "middle/deep/echo", "middle/inner", "finder", "inner")
    roots = [Message(receiver=to, body=to) for to in names]
    played = await _same(place, build, *roots, one_by_one=True)
    _is(played.error, None, "what ended the run")


# ---------------------------------------------------------------------------------------------- life


class Lives(GenAgent):
    """Opens what cannot be sent where it runs."""

    log: list[str] = []
    fails: str = ""
    client: Any = Field(default=None, exclude=True, repr=False)

    async def astart(self) -> None:
        await asyncio.sleep(0)
        self.log.append("start")
        if self.fails == "start":
            raise ValueError("astart")
        self.client = {"pid": os.getpid(), "lock": asyncio.Lock()}

    async def arequest(self, message: Message) -> Message:
        self.log.append(message.body)
        async with self.client["lock"]:
            return message.reply(body=str(self.client["pid"]))

    async def astop(self) -> None:
        self.log.append("stop")
        if self.fails == "stop":
            raise ValueError("astop")


class WideLife(Lives):
    concurrency: ClassVar[int] = 3


async def _check_life(place: _Place) -> None:
    for kind in (Lives, WideLife):
        network = GenNetwork(id="net", agents=[lives := kind(id="lives"), idle := kind(id="idle")])
        for _ in range(2):
            played = await place.play(network, *(Message(receiver="lives", body="x") for _ in range(3)))
            _is(played.result != str(os.getpid()), place.away, "whether it was started elsewhere")
        _is(lives.log, ["start", "x", "x", "x", "stop"] * 2, "an agent's life in two runs")
        _is(idle.log, [], "the life of an agent that got no message")
    network = GenNetwork(id="net", agents=[lives := Lives(id="lives", fails="start")])
    played = await place.play(network, Message(receiver="lives"))
    assert isinstance(played.error, AgentFailed), f"astart raised, and the run ended with {played.error!r}"
    _is(lives.log, ["start"], "the life of an agent whose start failed")
    network = GenNetwork(id="net", agents=[lives := Lives(id="lives", fails="stop"), other := Lives(id="other")])
    played = await place.play(network, Message(receiver="lives", body="x"), Message(receiver="other", body="x"))
    assert isinstance(played.error, ValueError), f"astop raised, and the run ended with {played.error!r}"
    _is(played.run.status, "failed", "the status of a run whose agent's stop failed")
    assert any("astop of 'lives'" in note for note in getattr(played.error, "__notes__", ())), "it is not said whose"
    _is((lives.log, other.log), (["start", "x", "stop"],) * 2, "the lives of both")


# ---------------------------------------------------------------------------------------------- chance and time


class Dices(GenAgent):
    """Throws dice."""

    thrown: list[int] = []

    def request(self, message: Message) -> Message:
        self.thrown += [self.random.randrange(1_000) for _ in range(3)]
        return message.reply(body=f"{self.random.random()}")


async def _check_chance(place: _Place) -> None:
    def build() -> GenNetwork:
        inner = GenNetwork(id="inner", agents=[Dices(id="a"), Dices(id="b")])
        return GenNetwork(id="net", agents=[inner, Dices(id="a"), Dices(id="c")])

    await _same(place, build, *(Message(receiver=to) for to in ("inner/a", "inner/b", "a", "c", "a")))
    await _same(place, lambda: Dices(id="alone"), Message(), Message())


class Dated(GenAgent):
    """Says what time it is."""

    async def arequest(self, message: Message) -> Message:
        before = self.now()
        await self.delay(0.01)
        assert self.now() >= before + timedelta(seconds=0.005)
        assert message.created_at <= before
        return message.reply(body=before.isoformat())


async def _check_time(place: _Place) -> None:
    played = await place.play(GenNetwork(id="net", agents=[Dated(id="dated")]), Message(receiver="dated"))
    _is(played.error, None, "what ended the run")


class Doer(GenAgent):
    """Does things outside."""

    results: list[str] = []

    async def arequest(self, message: Message) -> Message:
        what = message.body
        self.results.append(await self.effect("look", lambda: f"saw {what} {os.getpid() > 0}", repeats="pure"))
        self.results.append(await self.effect("order", lambda key: f"{what} {bool(key)}", repeats="idempotent"))
        found = await self.effect("find", lambda: Decimal("1.50"), returns=Decimal)
        self.results.append(repr(found))

        async def later() -> dict[str, list[int]]:
            await asyncio.sleep(0)
            return {what: [1, 2]}

        self.results.append(str(await self.effect("later", later)))
        if what == "tea":  # a journal keeps only the sentence of such an error
            try:
                await self.effect("refuse", self._refuse)
            except Refused as error:
                self.results.append(f"{error.what} {error.price}")
        try:
            await self.effect("unsayable", lambda: object())
        except TypeError as error:
            self.results.append(str(error)[:40])
        self.results += await asyncio.gather(*(self.effect(f"at once {n}", lambda n=n: f"{n}") for n in range(3)))
        await self.delay(0.001)
        return message.reply(body=str(len(self.results)))

    def _refuse(self) -> str:
        raise Refused("cake", 3)


async def _check_effects(place: _Place) -> None:
    def build() -> GenNetwork:
        return GenNetwork(id="net", agents=[Doer(id="doer"), Doer(id="other")])

    played = await _same(place, build, Message(receiver="doer", body="tea"), Message(receiver="other", body="cake"))
    _is(played.error, None, "what ended the run")


# ---------------------------------------------------------------------------------------------- models


class Reader(GenAgent):
    """Asks models, whole and in pieces."""

    model: Any = Field(exclude=True, repr=False)
    lines: list[str] = []
    asked_twice: bool = False

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        whole = await self.complete(self.model, Request((user(message.body),)))
        self.lines.append(f"{whole.text} {whole.usage.tokens}")
        pieces: list[str] = []
        async for chunk in self.stream(self.model, Request((user("again and again"),))):
            if isinstance(chunk, TextDelta):
                pieces.append(chunk.text)
                self.emit("piece", Message(body=chunk.text))
            else:
                self.lines.append(chunk.text)
        self.lines.append("|".join(pieces))
        for request in ("fail", "invalid"):
            try:
                await self.complete(self.model, Request((user(request),)))
            except ModelError as error:
                self.lines.append(f"{type(error).__name__} {error.problem}")
        try:
            async for _ in self.stream(self.model, Request((user("fail"),))):
                pass
        except ModelError as error:
            self.lines.append(f"{type(error).__name__} {error.problem}")
        found = await self.model.embed(["one", "two"])
        self.lines.append(f"{len(found.vectors)} {len(found.vectors[0])} {self.model.name}")
        own = await self.model.complete(Request((user("not on account"),)))
        self.lines.append(own.text)
        yield message.reply(body=str(len(self.lines)))


def _answer_to(request: Request) -> Any:
    said = request.turns[-1].text
    if said == "fail":
        return ModelError("scripted", "as written")
    if said == "invalid":
        return InvalidOutput("scripted", "as written", Usage(1, 0, 2, Decimal("0.1")))
    return f"about {said}: {len(request.turns)} turns"


def _model() -> ScriptedModel:
    return ScriptedModel([_answer_to], cycle=True, price=Price(Decimal(100), Decimal(200)))


class Brings(Reader):
    """Makes its model where it runs."""

    model: Any = Field(default=None, exclude=True, repr=False)

    async def astart(self) -> None:
        self.model = _model()

    async def astop(self) -> None:
        self.model = None


async def _check_models(place: _Place) -> None:
    def borrows() -> GenNetwork:
        return GenNetwork(
            id="net",
            agents=[Reader(id="reader", model=_model()), Notes(id="notes")],
            links=[("reader", "piece", "notes")],
        )

    def brings() -> GenNetwork:
        return GenNetwork(
            id="net", agents=[Brings(id="reader"), Notes(id="notes")], links=[("reader", "piece", "notes")]
        )

    for build in (borrows, brings):
        played = await _same(place, build, *(Message(receiver="reader", body=body) for body in ("bees", "tea")))
        _is(played.error, None, "what ended the run")
        assert played.run.usage.tokens > 0, "the run's usage is not counted"
        assert played.run.usage.cost, "what models cost is not counted"
    model = _model()
    shared = [Reader(id=f"r{n}", model=model) for n in range(4)]
    await place.play(GenNetwork(id="net", agents=shared), *(Message(receiver=f"r{n}") for n in range(4)))
    _is({id(reader.model) for reader in shared}, {id(model)}, "the models of agents after the run")
    _is(len(model.requests), 4 * 6, "how often one model of several agents was asked")


class Digger(GenAgent):
    """Works in a thread."""

    depth: int = 0

    @blocking
    def do(self, message: Message) -> list[Message]:
        self.depth += int(message.body)
        self.emit("dug", Message(method="note", body=f"dug {message.body}"))
        return [message.reply(body=str(self.depth)), Message(method="note", body="done", receiver="notes")]

    @blocking
    def fail(self, message: Message) -> None:
        raise Refused("digging", 2)


async def _check_threads(place: _Place) -> None:
    def build() -> GenNetwork:
        agents = [Digger(id="digger"), Notes(id="notes")]
        return GenNetwork(id="net", agents=agents, links=[("digger", "dug", "notes")], supervision="skip")

    roots = [Message(method="do", receiver="digger", body=str(n)) for n in range(5)]
    await _same(place, build, *roots, Message(method="fail", receiver="digger"))


class Pulse(GenAgent):
    """Does something now and then."""

    beats: int = 0

    @every(0.01)
    def beat(self, message: Message) -> Message:
        self.beats += 1
        return Message(method="note", body="beat", receiver="notes")


async def _check_ticks(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[pulse := Pulse(id="pulse"), notes := Notes(id="notes"), Leaver(id="slow")])
    await place.play(network, *(Message(receiver="slow") for _ in range(3)))
    assert pulse.beats >= 2, f"{pulse.beats} beats of 10 ms in 90 ms"
    _is(notes.notes, ["beat"] * pulse.beats, "what came of each beat")


# ---------------------------------------------------------------------------------------------- who speaks


class Forger(GenAgent):
    """Speaks as somebody else, in every way."""

    refused: int = 0

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        forged: list[AbstractObject] = [
            Reference("victim"),
            self.network["victim"],
            Reference("stranger"),
            Echo(id="victim"),
        ]
        for sender in forged:
            note = Message(sender=sender, receiver="notes", method="note", body="forged")
            for way in (self.send, self.call):
                try:
                    await way(note)
                except ForgedSender:
                    self.refused += 1
            try:
                await self.gather([note])
            except ForgedSender:
                self.refused += 1
            try:
                self.emit("said", note)
            except ForgedSender:
                self.refused += 1
            try:
                yield note
            except ForgedSender:
                self.refused += 1
        twin = Message(sender=Forger(id=self.id), receiver="notes", method="note", body="as himself")
        await self.send(twin)

    def query(self, message: Message) -> Message:
        return Message(sender="victim", receiver="notes", method="note", body="forged")

    def ask(self, message: Message) -> Generator[Message, None, None]:
        for _ in range(100):
            try:
                yield Message(sender="victim", receiver="notes", method="note", body="forged")
            except ForgedSender:
                self.refused += 1


async def _check_senders(place: _Place) -> None:
    agents = [forger := Forger(id="forger"), Echo(id="victim"), notes := Notes(id="notes")]
    network = GenNetwork(id="net", agents=agents, links=[("forger", "said", "notes")], supervision="skip")
    roots = [Message(method=method, receiver="forger") for method in ("request", *["ask"] * 9, *["query"] * 80)]
    played = await place.play(network, *roots)
    _is(notes.notes, ["as himself"], "what came of 1,000 forged messages")
    _is(forger.refused, 4 * 5 + 900, "how many of them were refused where they were sent")
    _is(played.run.statistics().dead, 80, "and how many where they were returned")


# ---------------------------------------------------------------------------------------------- messages


class Parcel(Message):
    """Something to pass on."""

    weight: int
    owner: Address
    others: list[Address] = []
    tags: dict[str, list[float]] = {}


class Carries(GenAgent):
    """Passes parcels on, and back."""

    to: Address | None = None
    seen: list[str] = []

    def parcel(self, message: Parcel) -> Message:
        live = [isinstance(party, GenAgent) for party in (message.owner, *message.others)]
        self.seen.append(f"{message.weight} {message.owner.id} {[other.id for other in message.others]} {live}")
        if self.to is None:
            return message.reply(body=f"{message.owner.id} {len(message.body)}", receiver=message.owner)
        return Parcel.reply(
            message, weight=message.weight + 1, owner=message.owner, others=[*message.others, self], receiver=self.to,
            body=message.body, tags=message.tags,
        )  # fmt: skip

    def response(self, message: Message) -> Message | None:
        thread = [f"{type(one).__name__}:{one.sender.id if one.sender is not None else ''}" for one in message.thread()]
        self.seen.append(f"{message.body} {thread}")
        first = message.closest(Parcel)
        return first and first.root.reply(body=f"{first.weight} {first.tags}")


async def _check_messages(place: _Place) -> None:
    def build() -> GenNetwork:
        a, b, c = Carries(id="a"), Carries(id="b"), Carries(id="c")
        a.to, b.to = b, c
        inner = GenNetwork(id="inner", agents=[b, c])
        return GenNetwork(id="net", agents=[a, inner, Echo(id="echo")])

    root = Parcel(weight=1, owner="a", others=["echo", "inner/c"], receiver="a", body="x", tags={"a": [0.1, 1e300]})
    played = await _same(place, build, root)
    _is(played.error, None, "what ended the run")
    assert played.run.result is not None
    _is(played.run.result.root is root, True, "whether the thread leads back to the very root")


class Remembers(GenAgent):
    """Asks, and sees whether the answer answers its own question."""

    kept: int = 0

    async def arequest(self, message: Message) -> Message:
        question = Message(receiver="echo", body="a question")
        reply = await self.call(question)
        self.kept += reply.reply_to is question
        again = await self.call(reply.reply(body="again", method="request"))
        assert again.reply_to is not None
        self.kept += again.reply_to.reply_to is reply
        self.kept += again.root is question
        self.kept += again.conversation == question.conversation
        self.kept += message.reply().root is message.root
        replies = await self.gather([(one := Message(receiver="echo")), (two := Message(receiver="echo"))])
        self.kept += [each.reply_to for each in replies] == [one, two]
        return message.reply()


async def _check_conversations(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[remembers := Remembers(id="r"), Echo(id="echo")])
    root = Message(receiver="r", conversation="about bees", metadata={"a": 1}, protocol="talk")
    played = await place.play(network, root)
    _is((played.error, remembers.kept), (None, 6), "the error, and the threads that were kept")
    assert played.run.result is not None
    assert played.run.result.reply_to is root, "the reply that came out does not answer the very root"
    _is(played.run.result.conversation, "about bees", "its conversation")


class Weighs(GenAgent):
    """Takes long texts, and gives them back."""

    longest: int = 0

    async def arequest(self, message: Message) -> Message:
        self.longest = max(self.longest, len(message.body))
        reply = await self.call(Message(receiver="echo", body=message.body))
        return message.reply(body=reply.body)


async def _check_large(place: _Place) -> None:
    for size in (100_000, 10_000_000):
        network = GenNetwork(id="net", agents=[weighs := Weighs(id="weighs"), Echo(id="echo")])
        played = await place.play(network, Message(receiver="weighs", body="é" * (size // 2)))
        _is(
            (played.error, len(played.result), weighs.longest), (None, size // 2, size // 2), "what came of a long text"
        )


class Talks(GenAgent):
    """Replies to replies."""

    to: str

    def request(self, message: Message) -> Message | None:
        return message.reply(receiver=self.to, method="request") if len(message.body) < 1 else None


async def _check_threads_of_messages(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[Talks(id="a", to="b"), Talks(id="b", to="a")])
    limits = replace(DEFAULT_LIMITS, messages=3_000, depth=None)
    played = await place.play(network, Message(receiver="a"), limits=limits)
    _is(played.run.status, "limited", "how a talk without end ends")
    assert len(list(played.messages[-1].thread())) > 2_900, (
        f"{len(list(played.messages[-1].thread()))} of 3,000 in the thread"
    )


class Counts(GenAgent):
    """Counts in two networks."""

    count: int = 0

    def request(self, message: Message) -> Message:
        self.count += 1
        return message.reply(body=f"{self.network.id} {self.count} {'other' in self.network}")


async def _check_two_networks(place: _Place) -> None:
    def build() -> GenNetwork:
        counts = Counts(id="counts")
        one = GenNetwork(id="one", agents=[counts, Echo(id="other")])
        two = GenNetwork(id="two", agents=[counts])
        return GenNetwork(id="net", agents=[one, two])

    await _same(place, build, *(Message(receiver=to) for to in ("one/counts", "two/counts", "one/counts")))


class Alone(GenAgent):
    """Lives without a network."""

    total: int = 0

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        self.total += 1
        yield Message(method="inform", body=f"{self.total}", receiver="somebody")
        yield Message(method="note", body="mine", receiver=self)
        answer = await self.call(Message(method="query", receiver=self.id)) if message.body == "ask" else None
        yield message.reply(body="done" if answer is None else answer.body)
        try:
            yield message.reply(body=self.network.id)
        except NotHandling:
            yield message.reply(body="no network")

    def note(self, message: Message) -> None:
        self.total += 10


async def _check_alone(place: _Place) -> None:
    await _same(place, lambda: Alone(id="alone"), Message(body="a"), Message(body="b"))
    await _same(place, lambda: Alone(id="alone"), Message(body="a", sender="boss"))
    await _same(place, lambda: Alone(id="alone"), Message(body="ask"))
    played = await place.play(Where(id="alone"), Message())
    _is(played.result != str(os.getpid()), place.away, "whether one agent alone lives elsewhere")
    gone = [message.body async for message in Alone(id="alone").areceive(Message(body="a"), runtime=place.make())]
    _is(gone, ["1", "mine", "done", "no network"], "what `areceive` gives")


class Asker(GenAgent):
    """Asks whoever is outside."""

    async def arequest(self, message: Message) -> Message:
        reply = await self.call(Message(method="ask", receiver=message.sender, body="why?"))
        return message.reply(body=f"because {reply.body}")


async def _check_outside(place: _Place) -> None:
    network = GenNetwork(id="net", agents=[Asker(id="asker")])
    async with place.run(network) as run:
        messages = aiter(run)
        await run.send(Message(receiver="asker", sender="boss"))
        async for message in messages:
            if message.method == "ask":
                await run.send(message.reply(body="I say so", sender="boss"))
            elif message.body.startswith("because"):
                break
    assert run.result is not None
    _is((run.result.body, run.status), ("because I say so", "done"), "the result")
    assert run.result.receiver is not None
    _is(run.result.receiver.id, "boss", "who gets it")


# ---------------------------------------------------------------------------------------------- records


async def _facts(journal: Journal, run: str) -> list[Fact]:
    return [fact async for fact in journal.read(run)]


def _said_by(facts: Iterable[Fact]) -> Counter[tuple[object, ...]]:
    """What a record says, but for times, places and ids."""
    said: Counter[tuple[object, ...]] = Counter()
    for fact in facts:
        match fact:
            case Begun():
                said["begun", fact.network] += 1
            case Sent():
                said[
                    "sent", fact.kind, fact.method, fact.sender, fact.receiver, fact.depth, fact.waits, fact.event
                ] += 1
            case Effect():
                said["effect", fact.kind, fact.name, fact.repeats, fact.status, fact.input_tokens, fact.cost] += 1
            case Ended():
                said["ended", fact.end, fact.agent, fact.error] += 1
            case Finished():
                said["finished", fact.status, fact.error] += 1
            case _:
                pass
    return said


def _kept_of(facts: Iterable[Fact]) -> dict[str, dict[str, bytes]]:
    """What a record leaves of the agents."""
    whole: dict[str, bytes] = {}
    changes: dict[str, list[bytes]] = defaultdict(list)
    for fact in facts:
        for state in fact.states if isinstance(fact, Ended) else ():
            if state.whole:
                whole[state.agent], changes[state.agent] = state.body, []
            else:
                changes[state.agent].append(state.body)
    return {agent: stored(body, changes[agent]) for agent, body in whole.items()}


def _recorded_plays() -> Mapping[str, tuple[Callable[[], GenAgent], list[Message]]]:
    def doing() -> GenNetwork:
        return GenNetwork(id="net", agents=[Doer(id="doer"), Dices(id="dices"), Reader(id="reader", model=_model())])

    def digging() -> GenNetwork:
        agents = [Digger(id="digger"), Notes(id="notes")]
        return GenNetwork(id="net", agents=agents, links=[("digger", "dug", "notes")], supervision="skip")

    def failing() -> GenNetwork:
        retry = Retry(times=2, delay=0.001, then="skip")
        return GenNetwork(id="net", agents=[Stumbles(id="s"), Notes(id="notes")], supervision=retry)

    return {
        "doing": (
            doing,
            [Message(receiver="doer", body="cake"), Message(receiver="dices"), Message(receiver="reader")],
        ),
        "town": (_town, [Message(receiver="house/crier", body=body) for body in ("hello", "secret")]),
        "house": (
            _house,
            [Message(receiver="house/host", body=body) for body in ("invite anna", "ask anna", "expel anna", "room x")],
        ),
        "digging": (digging, [Message(method="do", receiver="digger", body=str(n)) for n in range(3)]),
        "failing": (failing, [Message(method="do", receiver="s", body=body) for body in ("x", "never", "y")]),
        "alone": (lambda: Alone(id="alone"), [Message(body="a"), Message(body="b")]),
    }


async def _check_records(place: _Place) -> None:
    for name, (build, roots) in _recorded_plays().items():
        journal, local = MemoryJournal(), MemoryJournal()
        network = build()
        played = await place.play(network, *roots, journal=journal, one_by_one=True)
        there = _Place(lambda: LocalRuntime(seed=played.run.seed), away=False, watched=True, seconds=LONG)  # noqa: B023
        same = build()
        wanted = await there.play(same, *roots, journal=local, one_by_one=True)
        _is(_what(played.error), _what(wanted.error), f"what ended {name}")
        facts, local_facts = await _facts(journal, played.run.id), await _facts(local, wanted.run.id)
        found, expected = _said_by(facts), _said_by(local_facts)
        _is(_kept_of(facts), _kept_of(local_facts), f"what the record of {name} keeps of agents")
        _is(dict(found - expected), {}, f"what the record of {name} says that it should not")
        _is(dict(expected - found), {}, f"what the record of {name} does not say")
        _is(_states(network), _states(same), f"the state of the agents of {name}")
        again = await build().replay(journal, played.run.id)
        _is(again.sent, played.run.statistics().sent, f"the messages of {name}, replayed here")


class Patient(GenAgent):
    """Works in two halves."""

    done: list[str] = []

    async def arequest(self, message: Message) -> Message:
        self.done.append(await self.effect("first", lambda: f"first {message.body}", repeats="pure"))
        self.emit("begun", Message(body=message.body))
        answer = await self.call(Message(method="ask", body="go on?", receiver=message.sender))
        self.done.append(await self.effect("second", lambda: f"second {answer.body}", repeats="pure"))
        return message.reply(body=" ".join(self.done))


async def _check_resuming(place: _Place) -> None:
    journal = MemoryJournal()
    network = GenNetwork(
        id="net", agents=[Patient(id="patient"), Notes(id="notes")], links=[("patient", "begun", "notes")]
    )
    async with place.run(network, Message(receiver="patient", body="x", sender="boss"), journal=journal) as run:
        pass
    _is(run.status, "waiting", "the status of a run that waits for an answer from outside")
    asked = [fact async for fact in journal.read(run.id) if isinstance(fact, Sent) and fact.method == "ask"]
    (question,) = asked
    network = GenNetwork(
        id="net",
        agents=[patient := Patient(id="patient"), notes := Notes(id="notes")],
        links=[("patient", "begun", "notes")],
    )
    answer = Message(sender="boss", receiver="patient", reply_to=Message(id=question.id), body="yes")
    again = network.resume(journal, run.id, answer, runtime=place.make())
    async with again:
        pass
    assert again.result is not None
    _is((again.status, again.result.body), ("done", "first x second yes"), "the end of a run that was resumed")
    _is((patient.done, notes.notes), (["first x", "second yes"], ["x"]), "the state of its agents")
    fresh = GenNetwork(
        id="net", agents=[Patient(id="patient"), Notes(id="notes")], links=[("patient", "begun", "notes")]
    )
    await fresh.replay(journal, run.id)


CHECKS: dict[str, Callable[[_Place], Awaitable[None]]] = {
    "where agents live": _check_where,
    "ends": _check_ends,
    "order": _check_order,
    "one at a time": _check_one_at_a_time,
    "quiescence": _check_quiescence,
    "mailboxes": _check_mailboxes,
    "full mailboxes": _check_full_mailboxes,
    "floods": _check_floods,
    "deadlocks": _check_deadlocks,
    "full rings": _check_full_rings,
    "errors": _check_errors,
    "failures": _check_failures,
    "supervision": _check_supervision,
    "limits": _check_limits,
    "budgets": _check_budgets,
    "cancellation": _check_cancellation,
    "timeouts": _check_timeouts,
    "calls": _check_calls,
    "colours": _check_colours,
    "events": _check_events,
    "listening": _check_listening,
    "directory": _check_directory,
    "changes from inside": _check_changes_inside,
    "changes from outside": _check_changes_outside,
    "removal": _check_removal,
    "nesting": _check_nesting,
    "life": _check_life,
    "chance": _check_chance,
    "time": _check_time,
    "effects": _check_effects,
    "models": _check_models,
    "threads": _check_threads,
    "ticks": _check_ticks,
    "senders": _check_senders,
    "messages": _check_messages,
    "conversations": _check_conversations,
    "large messages": _check_large,
    "long threads": _check_threads_of_messages,
    "two networks": _check_two_networks,
    "alone": _check_alone,
    "the outside": _check_outside,
    "records": _check_records,
    "resuming": _check_resuming,
}
