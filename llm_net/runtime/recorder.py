"""Notes what happens in a run, and gives a step that is repeated what it got before. Knows no way of storing.

A step that was interrupted is repeated from its beginning, with the state that its agent had then. What it learned from
outside is given to it again, so it sends the same messages again: with the same ids, because those are counted in the step,
and to nobody, because they are on their way already. Facts are written in groups while the run goes on. A call that must
not happen twice waits until all facts before it are durable, and so does the end of the run; nothing else does.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, Task
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from time import time
from typing import Any, ClassVar, Final, Literal

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from llm_net.address import AbstractObject, Border, Reference
from llm_net.base import GenAgent, GenNetwork
from llm_net.chat import Completion, Request, Usage
from llm_net.errors import (
    AgentFailed,
    AmbiguousAddress,
    BrokenRule,
    Diverged,
    JournalError,
    JournalFailed,
    LlmNetError,
    NotUnderstood,
    UnknownAddress,
    WireError,
)
from llm_net.event import Event
from llm_net.graph import ITSELF
from llm_net.message import Message, origin
from llm_net.ports import Journal, Redacts
from llm_net.record import Begun, Effect, EffectKind, End, Ended, Fact, Finished, Part, Repeats, Sent, State
from llm_net.runtime.before import FIELDS, ROLLS
from llm_net.runtime.members import Change, Members
from llm_net.runtime.outcome import read_error, written_error
from llm_net.runtime.state import Shadow
from llm_net.runtime.waiting import Handled, Tap
from llm_net.wire import LONG_AGO, Elsewhere, decode_alone, encode_alone, kind_of

UNWRITTEN = 10_000
"""Facts that may wait to be written; then senders wait too."""

OUTSIDE: Final = "/"
"""What the address of somebody outside begins with; no agent's does."""

ROOM: Final = " room"
"""After the id of a message: the wait for room that follows when it was emitted."""

GONE: Final = "//"
"""What the address of one who has left begins with, or of one who has yet to come."""

PARTS_KEPT = 10_000
"""Hashes of parts of prompts that are remembered as written."""


COMPLETION: TypeAdapter[Completion] = TypeAdapter(Completion)


class Step:
    """One delivery that is being handled: where its ids and times come from, and what it did before it was interrupted."""

    __slots__ = (
        "_past_effects", "_past_posts", "_random", "_recorder", "address", "agent", "began", "did", "effects", "ids", "last",
        "number", "posts", "replays", "streams", "time", "tries", "turn", "waiting",
    )  # fmt: skip

    def __init__(self, recorder: Recorder, number: int, agent: GenAgent, address: str, turn: int) -> None:
        self._recorder = recorder
        self._random: Random | None = None
        self.replays = recorder.replays
        self.streams = 0  # answers of models that are being read
        self.waiting: list[Callable[[], object]] = []  # what it says of their pieces: heard when they are on record
        self.number = number
        self.agent = agent
        self.address = address
        self.turn = turn
        self.began = self.time = recorder.clock()
        self.posts = self.effects = self.ids = self.tries = 0
        self.did: list[Sent | Effect] | None = None  # in this life, where it may have to be repeated in it
        self.last = ""  # the id of what it sent last, with ROOM after it for what it emitted
        self._past_posts: list[Sent] = []  # the next one last
        self._past_effects: dict[int, Effect] = {}

    def snapshot(self) -> tuple[int, int, int]:
        """What it has counted so far. From now on what it does is remembered."""
        if self.did is None:
            self.did = []
        return self.posts, self.effects, self.ids

    def new_id(self) -> str:
        """An id of this step, and counted."""
        self.ids += 1
        return f"{self._recorder.prefix}-{self.number}.{self.ids}"

    def now(self) -> datetime:
        """When the step began, or when it last learned something from outside: the same again when it is repeated."""
        return datetime.fromtimestamp(self.time, UTC)

    @property
    def random(self) -> Random:
        """Random numbers of this try of the step."""
        if self._random is None:
            again = f"/{self.tries}" if self.tries else ""
            self._random = Random(f"{self._recorder.prefix}/{self.number}{again}")
        return self._random

    def key(self, n: int) -> str:
        """A name of one question to the outside, that no other has."""
        return f"{self._recorder.run}-{self.number}-{n}"

    def learned(self, at: float) -> None:
        """Something came from outside, at that time."""
        self.time = max(self.time, at)

    def try_again(self, at: float) -> None:
        """It failed, and begins anew."""
        self.tries += 1
        self.did = None
        self.began = self.time = at
        self._random = None

    def remember(self, facts: Sequence[Sent | Effect | Ended]) -> None:
        """What it did in an earlier life."""
        times: list[float] = []
        self.did = did = list[Sent | Effect]()
        self._past_posts.clear()
        self._past_effects.clear()
        for fact in facts:
            if not isinstance(fact, Ended):
                did.append(fact)
            match fact:
                case Sent():
                    self._past_posts.append(fact)
                    times.append(fact.at)
                case Effect():
                    if fact.n:
                        self._past_effects[fact.n] = fact  # a result takes the place of the intent
                    times.append(fact.began)
                case Ended():  # a try that failed: what it did is over
                    self._past_posts.clear()
                    self._past_effects.clear()
                    times.clear()
                    did.clear()
                    self.posts, self.effects, self.ids = fact.posts, fact.effects, fact.ids
                    self.tries += 1
        self._past_posts.reverse()
        if times:
            self.began = self.time = times[0]

    def past_post(self, message: Message, unsent: BaseException | None) -> Sent | None:
        """The delivery that it made in an earlier life of a message that it sends by name; None if it made none.

        Args:
            unsent: what sending it raised then.

        Raises:
            Diverged: it made another one at this place.
        """
        if isinstance(unsent, (UnknownAddress, AmbiguousAddress, BrokenRule)):
            return None
        past = self._past_posts
        if not past:
            if self.replays:
                raise self._diverged(message, None)
            return None
        sent = past[-1]
        if (sent.id, sent.event) != (message.id, ""):
            raise self._diverged(message, sent)
        self._compare(message, sent)
        return past.pop()

    def past_heard(self, event: Event) -> list[Sent]:
        """The deliveries that it made in an earlier life of an event on one network. Raises Diverged if its message differs."""
        past = self._past_posts
        heard: list[Sent] = []
        while past and (past[-1].id, past[-1].event, past[-1].path) == (event.message.id, event.name, event.path):
            self._compare(event.message, past[-1])
            heard.append(past.pop())
        return heard

    def tells_more(self, message: Message) -> bool:
        """Whether the next that it sent in its earlier life is this message once more."""
        return bool(self._past_posts) and self._past_posts[-1].id == message.id

    @property
    def is_behind(self) -> bool:
        """Whether it sent more in its earlier life, or does only what is on record."""
        return self.replays or bool(self._past_posts)

    def _compare(self, message: Message, sent: Sent) -> None:
        if sent.edited or sent.message == b"":
            return
        now = self._recorder.encoded(message)
        if now != sent.message and _without_networks(now) != _without_networks(_renewed(sent, type(message))):
            raise self._diverged(message, sent)

    def _diverged(self, message: Message, sent: Sent | None) -> Diverged:
        recorded = "no such message"
        if sent is not None:
            recorded = f"{sent.method!r} to {sent.receiver or 'the outside'}: {sent.message.decode()}"
        receiver = "nobody by name" if message.receiver is None else message.receiver.id
        found = f"{message.method!r} to {receiver}: {self._recorder.encoded(message).decode()}"
        return Diverged(self.address, self.number, f"message {self.posts + 1}", recorded, found)

    def ask(self, kind: EffectKind, name: str) -> tuple[int, Effect | None]:
        """Count a question to the outside. Gives its number and, if it was asked before, its result, else the intent to ask.
        Raises Diverged if it was another."""
        self.effects += 1
        effect = self._past_effects.pop(self.effects, None)
        if effect is not None:
            if (effect.kind, effect.name) != (kind, name):
                which = f"question {self.effects} to the outside"
                raise Diverged(self.address, self.number, which, f"{effect.kind} {effect.name!r}", f"{kind} {name!r}")
            self.learned(effect.at)
        elif self.replays:
            which = f"question {self.effects} to the outside"
            raise Diverged(self.address, self.number, which, "no such question", f"{kind} {name!r}")
        return self.effects, effect

    def check_end(self) -> None:
        """Raises Diverged if it did less than in its earlier life."""
        if self._past_posts:
            sent = self._past_posts[-1]
            which = f"{sent.method!r} to {sent.receiver or 'the outside'}"
            raise Diverged(self.address, self.number, f"after {self.posts} messages", which, "the end")


class Recorder:
    """Notes the facts of one run, and writes them in groups to its journal.

    Args:
        outside: waits for something that takes no time in the world of the run.
        failed: told when the journal cannot be written.
    """

    replays: ClassVar[bool] = False
    """Whether it compares with a record instead of making one."""

    def __init__(
        self,
        run: str,
        seed: int,
        outermost: GenAgent,
        journal: Journal,
        *,
        loop: AbstractEventLoop,
        now: Callable[[], datetime] | None,
        outside: Callable[[Coroutine[Any, Any, None]], Awaitable[None]],
        failed: Callable[[JournalError], None],
    ) -> None:
        self.run = run
        self.prefix = f"{seed:x}"
        self.journal = journal
        self.seq = 0
        self.number = 0
        self.turns: dict[str, int] = {}
        self.past: dict[int, Sequence[Sent | Effect | Ended]] = {}  # of deliveries that were being handled
        self.replies: dict[str, Message] = {}  # to their questions, by the question's id
        self.refusals: dict[str, BaseException] = {}  # likewise
        self.unsent: dict[str, list[BaseException]] = {}  # by the id of a message: what sending it raised, each time
        self.asked_outside: dict[str, str] = {}  # of their questions those to the outside, and who asked
        self.settled: Mapping[str, object] = {}  # results of calls that were in doubt, by their key
        self.outsiders: set[str] = set()
        self.border = Border(address=self.address)
        self._facts: deque[Fact] = deque()
        self.unwritten = Tap(self._facts, UNWRITTEN)  # like a reader of the run: who sends too much for it waits
        self.frozen = False  # the run is over, and its end is noted
        self.error: JournalFailed | None = None
        self._outermost = outermost
        self._redact = journal.redact if isinstance(journal, Redacts) else None
        self._loop = loop
        self._now = now
        self._outside = outside
        self._failed = failed
        self._addresses: dict[int, tuple[AbstractObject, str]] = {}
        self._steps: dict[int, Step] = {}
        self._shadows: dict[int, Shadow] = {}
        self._built: set[int] = set()  # agents that are there as soon as the network is built
        self._told: set[str] = set()  # addresses of those whose state is on record
        self.late: Callable[[], None] | None = None  # makes those present whom a repeated step brings again
        self.unsaid: dict[int, int] = {}  # pending deliveries, with the step that has yet to come to them again
        self.early: dict[str, BaseException] = {}  # what became of them meanwhile, by message
        self._parked: dict[int, Callable[[], None]] = {}
        self.never: Callable[[], None] | None = None  # gives up those who did not come
        self.before: set[int] = set()  # deliveries that a resumed run goes on with, and that can bring them
        self._members = Members(outermost)
        self._last_message = ""
        self._parts: dict[str, None] = {}
        self._barriers: list[tuple[int, Future[None]]] = []
        self._durable = 0  # the last place in the order that is written
        self._writing: Task[None] | None = None
        self._scheduled = False
        self._on_hold = False

    def new_id(self) -> str:
        """The id of a message of the run itself: of its delivery, which is the next."""
        return f"{self.prefix}-0.{self.number + 1}"

    def clock(self) -> float:
        """Seconds since 1970."""
        return time() if self._now is None else self._now().timestamp()

    def encoded(self, message: Message) -> bytes:
        """A message as it is kept."""
        return self.redacted(encode_alone(message, self.border))

    def redacted(self, data: bytes) -> bytes:
        """Without secrets."""
        return data if self._redact is None else self._redact(data)

    # ------------------------------------------------------------------------------------------ who is who

    def address(self, party: AbstractObject) -> str:
        """The address of a party from the outermost network; of somebody outside, with OUTSIDE before it."""
        known = self._addresses.get(id(party))
        if known is not None and known[0] is party:
            return known[1]
        if isinstance(party, Reference):
            return OUTSIDE + party.id if party.id in self.outsiders else party.id
        address = OUTSIDE + party.id if party.id in self.outsiders else GONE + party.id
        if party is self._outermost:
            address = ITSELF
        elif isinstance(self._outermost, GenNetwork):
            try:
                address = self._outermost.address_of(party)
            except LlmNetError:
                return address  # nobody of ours, or not yet
        self._addresses[id(party)] = party, address
        return address

    def build(self, outermost: GenAgent) -> None:
        """This network, or single agent, is as its code builds it."""
        self._built.update(id(agent) for agent in _inside(outermost).values())
        self._members.look_at(outermost)
        for network, roll in self._members.seen():
            ROLLS.remember(network, self.run, roll)

    def present(self) -> None:
        """The networks are what they were, for a run that goes on."""
        self._members.look_at(self._outermost)
        self._addresses.clear()

    def network_changes(self, network: GenNetwork) -> None:
        """Somebody is about to come or leave, or a link is: the doing of the step at work."""
        at_work = origin.get()
        step = at_work.step if isinstance(at_work, Handled) else None
        self._members.change(network, step if step is not None and step.number in self._steps else None)

    def network_changed(self, added: AbstractObject | None) -> None:
        """Somebody came or left, or a link did."""
        self._addresses.clear()
        if isinstance(added, GenNetwork):
            self._members.look_at(added)
        if self.late is not None:
            self.late()

    # ------------------------------------------------------------------------------------------ steps

    def has_begun(self, number: int) -> bool:
        """Whether a delivery is known to have been handled in part."""
        return number in self.past or number in self._steps

    def begin(self, handling: Handled, number: int) -> Step:
        """A delivery is handled: for the first time, again after it failed, or again after it was interrupted."""
        step = self._steps.get(number)
        if step is None:
            agent = handling.agent
            address = self.address(agent)
            self.turns[address] = turn = self.turns.get(address, 0) + 1
            step = self._steps[number] = Step(self, number, agent, address, turn)
            self._shadow(agent)
            if (past := self.past.pop(number, None)) is not None:
                step.remember(past)
        else:
            step.try_again(self.clock())
        return step

    def ended(self, step: Step | None, number: int, end: End, error: BaseException | None = None) -> None:
        """A delivery came to its end; or, if it is "retried", one try of it."""
        if self.frozen or not number:
            return
        if step is None:
            now = self.clock()
            self._came_to_end(number)
            self._note(Ended(self._next(), number, end, "", 0, now, now, self._sentence(error)))
            return
        try:
            step.check_end()
            states = self._states(step)
        except JournalError as failed:
            self._failed(failed)
            return
        if end != "retried":
            self._steps.pop(number, None)
            self._came_to_end(number)
        self._note(
            Ended(
                self._next(), number, end, step.address, step.turn, step.began, max(step.time, self.clock()),
                self._sentence(error), states, step.posts, step.effects, step.ids,
            )
        )  # fmt: skip

    def repeat(self, step: Step, counted: tuple[int, int, int], replies: Mapping[str, Message]) -> None:
        """The process in which a step was at work is gone: it begins anew, with what it had counted then, and got."""
        did = step.did or []
        step.posts, step.effects, step.ids = counted
        step.time = step.began
        step.remember(did)
        self.replies.update(replies)
        for fact in did:
            if isinstance(fact, Effect):
                self.met(fact)

    def _came_to_end(self, number: int) -> None:
        """Whoever was there when the run was interrupted, or was just coming, is there when all of that has ended."""
        self.before.discard(number)
        for unsaid in [sent for sent, step in self.unsaid.items() if step == number]:  # it was not repeated
            self._unpark(unsaid)
        if not self.before and self.never is not None:
            never, self.never = self.never, None
            self._loop.call_soon(never)

    def _sentence(self, error: BaseException | None) -> str:
        return "" if error is None else self.redacted(f"{type(error).__name__}: {error}".encode()).decode()

    def met(self, past: Effect) -> None:
        """A step that is repeated meets this error of its earlier life again, if it is one."""
        if past.kind == "refused":
            self.refusals[past.name] = read_error(past.answer)
        elif past.kind == "unsent":
            self.unsent.setdefault(past.name, []).append(read_error(past.answer))

    def reply_to(self, question: str) -> Message | None:
        """The reply that a step which is repeated has got to its question."""
        return self.replies.pop(question, None)

    def has_not_sent(self, message: str) -> bool:
        """Whether sending this message raised an error then: see `could_not_send`."""
        return bool(self.unsent.get(message))

    def could_not_send(self, message: str) -> BaseException | None:
        """What sending this message raised in an earlier life of the step that sends it again."""
        errors = self.unsent.get(message)
        return errors.pop(0) if errors else None

    def come_again(self, sent: Sent, message: Message) -> None:
        """A step that is repeated sends what it has sent before: now its receiver may handle it."""
        self._unpark(sent.number)

    def _unpark(self, number: int) -> None:
        self.unsaid.pop(number, None)
        if (again := self._parked.pop(number, None)) is not None:
            again()

    def park(self, number: int, again: Callable[[], None]) -> bool:
        """Whether a delivery has to wait until its sender, which is repeated, comes to where it waits for the reply."""
        if number in self.unsaid:
            self._parked[number] = again
            return True
        return False

    def ended_early(self, message: Message, reason: BaseException, number: int) -> None:
        """A delivery came to its end before its sender, which is repeated, waits for the reply."""
        if number in self.unsaid:
            self.early[message.id] = reason

    def was_told(self, step: Step, question: Message) -> bool:
        """Whether the record says that who asked was told that this step failed."""
        return isinstance(self.refusals.get(question.id), (AgentFailed, NotUnderstood))

    def lacking(self) -> Diverged | None:
        """What is on record and did not happen, if the run ends now."""
        return None

    # ------------------------------------------------------------------------------------------ states

    def _shadow(self, agent: GenAgent) -> Shadow:
        shadow = self._shadows.get(id(agent))
        if shadow is None:
            shadow = self._shadows[id(agent)] = Shadow(agent, self.border, self.redacted)
            FIELDS.remember(agent, self.run, shadow.take())
        return shadow

    def restored(self, agent: GenAgent, values: dict[str, bytes]) -> None:
        """This is kept of an agent."""
        self._shadows[id(agent)] = Shadow(agent, self.border, self.redacted, values)
        self._told.add(self.address(agent))

    def _states(self, step: Step) -> tuple[State, ...]:
        """What is different, and kept, after a step of an agent."""
        found: dict[str, GenAgent] = {}
        states: list[State] = []
        for change in self._members.changes_of(step):
            states += self._keep(change, found)
        if self._is_at(step.agent, step.address):
            found[step.address] = step.agent  # else it has left, and nothing of it is kept
        at_work = {id(other.agent) for other in self._steps.values() if other is not step}
        for address, agent in found.items():
            shadow = self._shadow(agent)
            # What a step of another agent has changed so far is kept when that one ends.
            changed = shadow.change(fields=agent is step.agent or id(agent) not in at_work)
            if address not in self._told and id(agent) not in self._built:
                changed = True, shadow.whole()
            if changed is not None:
                self._told.add(address)
                states.append(State(address, *changed))
        return tuple(states)

    def _is_at(self, agent: GenAgent, address: str) -> bool:
        """Whether an agent is there, or was when all that counts so far was done."""
        return self.address(agent) == address or self._members.is_there(agent, address)

    def _keep(self, change: Change, found: dict[str, GenAgent]) -> list[State]:
        """Find whose states are to be kept when a network has changed; gives that nothing is kept of those who left."""
        address = self.address(change.network)
        if address.startswith(OUTSIDE):
            return []
        roll = self._shadow(change.network).roll = self._members.keep(change)
        found[address] = change.network
        prefix = "" if address == ITSELF else f"{address}/"
        states: list[State] = []
        for id_, agent in change.left.items():
            where = prefix + id_
            if id_ not in roll.agents or id_ in change.came:  # else somebody has come in its place already
                for address in [told for told in self._told if told == where or told.startswith(f"{where}/")]:
                    self._told.remove(address)
                    states.append(State(address, True, b"{}"))
            for each in _inside(agent).values():
                self._built.discard(id(each))
                self._shadows.pop(id(each), None)
                if not (elsewhere := self.address(each)).startswith(OUTSIDE):
                    found[elsewhere] = each
        for id_, agent in change.came.items():
            for path, each in _inside(agent).items():
                where = f"{prefix}{id_}{path}"
                if self._is_at(each, where):
                    found[where] = each
                    if isinstance(each, GenNetwork):
                        self._shadow(each).roll = self._members.kept(each)
        return states

    # ------------------------------------------------------------------------------------------ facts

    def began(self, network: str, seed: int, version: str, parent: str | None = None, cut: int = 0) -> None:
        """The run begins, or goes on."""
        self._note(Begun(self._next(), network, seed, self.clock(), version, parent, cut))

    def sent(
        self, step: Step | None, message: Message, receiver: str, depth: int, *, waits: bool, event: Event | None = None
    ) -> int:
        """A message went to one receiver. Gives the number of the delivery; 0 if nothing counts any more."""
        if self.frozen:
            return 0
        self.number += 1
        if step is not None:
            step.posts += 1
            step.last = message.id if event is None else message.id + ROOM
        known = message.id == self._last_message  # an event goes to one listener after the other
        self._last_message = message.id
        sent = Sent(
                self._next(), self.number, 0 if step is None else step.number, message.id, kind_of(type(message)),
                message.method, "" if message.sender is None else self.address(message.sender), receiver,
                "" if message.reply_to is None else message.reply_to.id, message.conversation,
                "" if event is None else event.name, "" if event is None else event.path, depth, waits,
                self.clock() if step is None else step.time, b"" if known else self.encoded(message),
        )  # fmt: skip
        self._note(sent)
        if step is not None and step.did is not None:
            step.did.append(sent)
        return self.number

    def refused(self, step: Step | None, question: Message, error: BaseException) -> None:
        """Who called got no reply, but an error."""
        if step is not None:
            self._effect(step, 0, "refused", question.id, "pure", "failed", step.time, answer=written_error(error))

    def not_sent(self, step: Step | None, message: str, error: BaseException) -> None:
        """Sending a message raised an error, or waiting for room after it was emitted."""
        if step is not None:
            self._effect(step, 0, "unsent", message, "pure", "failed", step.time, answer=written_error(error))

    def abandoned(self, step: Step | None, question: Message) -> None:
        """Nobody waits for the reply to a question any more."""
        if step is not None:
            self._effect(step, 0, "abandoned", question.id, "pure", "done", step.time, answer=b"")

    def intends(
        self, step: Step, n: int, kind: EffectKind, name: str, repeats: Repeats = "pure", answer: bytes = b""
    ) -> None:
        """A call to the outside is about to be made."""
        self._effect(step, n, kind, name, repeats, "intent", step.time, answer=answer)

    def learned(
        self,
        step: Step,
        n: int,
        kind: EffectKind,
        name: str,
        began: float,
        result: bytes | BaseException,
        *,
        repeats: Repeats = "pure",
        request: Request | None = None,
        usage: Usage | None = None,
        deltas: Sequence[str] = (),
    ) -> None:
        """A step got a result from outside; that of a model perhaps in pieces."""
        step.learned(self.clock())
        failed = isinstance(result, BaseException)
        answer = written_error(result) if isinstance(result, BaseException) else result
        asked = b"" if request is None or self.frozen else self._asked(request, deltas)
        self._effect(
            step, n, kind, name, repeats, "failed" if failed else "done", began, answer=answer, asked=asked, usage=usage
        )

    def _effect(
        self,
        step: Step,
        n: int,
        kind: EffectKind,
        name: str,
        repeats: Repeats,
        status: Literal["intent", "done", "failed"],
        began: float,
        *,
        answer: bytes,
        asked: bytes = b"",
        usage: Usage | None = None,
    ) -> None:
        if self.frozen:
            return
        used = usage or Usage()
        effect = Effect(
            self._next(), step.number, n, kind, name, repeats, status, step.key(n) if n else name, began, step.time,
            self.redacted(answer), asked, used.input_tokens, used.output_tokens, used.cost,
        )  # fmt: skip
        self._note(effect)
        if step.did is not None:
            step.did.append(effect)

    def deltas(self, past: Effect) -> Sequence[str]:
        """The pieces in which an answer came."""
        asked = from_json(past.asked) if past.asked else {}
        if "deltas" in asked:
            return tuple(asked["deltas"])
        return (text,) if past.status == "done" and (text := COMPLETION.validate_json(past.answer).text) else ()

    def _asked(self, request: Request, deltas: Sequence[str]) -> bytes:
        """A request by the hashes of its turns, each of which is kept once."""
        turns = [self._part(to_json(turn, bytes_mode="base64")) for turn in request.turns]
        tools = [self._part(to_json(tool)) for tool in request.tools]
        output = None if request.output is None else self._part(to_json(request.output))
        asked = {"turns": turns, "tools": tools, "choice": request.tool_choice, "output": output}
        pieces = {"deltas": deltas} if deltas else {}
        return self.redacted(to_json({**asked, "settings": request.settings, **pieces}))

    def _part(self, data: bytes) -> str:
        data = self.redacted(data)
        name = blake2b(data, digest_size=16).hexdigest()
        if name not in self._parts:
            self._parts[name] = None
            if len(self._parts) > PARTS_KEPT:
                del self._parts[next(iter(self._parts))]
            self._note(Part(self._next(), name, data))
        return name

    def finished(self, status: str, error: BaseException | None) -> None:
        """The run is over: what happens from now on does not count."""
        if not self.frozen:
            self._note(Finished(self._next(), status, self._sentence(error), self.clock()))
            self.frozen = True

    # ------------------------------------------------------------------------------------------ writing

    @property
    def full(self) -> Tap | None:
        """What to wait for if more is noted than can be written."""
        return self.unwritten if len(self._facts) > UNWRITTEN else None

    async def durable(self) -> None:
        """Wait until all that was noted is written. Raises JournalFailed."""
        if self.error is not None:
            raise self.error
        if self._durable < self.seq:
            future: Future[None] = self._loop.create_future()
            self._barriers.append((self.seq, future))
            await future

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def note(self, fact: Fact) -> None:
        """Note a fact, which has the next place in the order."""
        self.seq = fact.seq
        self._note(fact)

    def hold(self) -> None:
        """Write nothing yet: a run whose beginning is on record has its first message there too."""
        self._on_hold = True

    def release(self) -> None:
        """Write from now on."""
        self._on_hold = False
        if self._facts and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _note(self, fact: Fact) -> None:
        self._facts.append(fact)
        if not (self._scheduled or self._on_hold):
            self._scheduled = True
            self._loop.call_soon(self._flush)  # when the present step is done, or waits: its facts go together

    def _flush(self) -> None:
        if self._on_hold:
            self._scheduled = False
        elif self._writing is None and self._facts:
            facts = list(self._facts)
            self._facts.clear()
            self._writing = self._loop.create_task(self._write(facts))

    async def _write(self, facts: list[Fact]) -> None:
        try:
            if self.error is None:
                await self._outside(self.journal.write(self.run, facts))
            self._durable = facts[-1].seq
        except Exception as failed:
            error = failed if isinstance(failed, JournalFailed) else JournalFailed(f"{type(failed).__name__}: {failed}")
            self.error = error
            self._failed(error)
        finally:
            self._writing = None
            self._scheduled = bool(self._facts)
            self.unwritten.make_room()
            left = self._barriers
            self._barriers = []
            for seq, future in left:
                if self.error is None and seq > self._durable:
                    self._barriers.append((seq, future))
                elif not future.done():
                    if self.error is None:
                        future.set_result(None)
                    else:
                        future.set_exception(self.error)
            if self._facts:
                self._loop.call_soon(self._flush)


def _renewed(sent: Sent, kind: type[Message]) -> bytes:
    """A recorded message as this kind of messages has it, if it was of an older one; else as it is."""
    if sent.kind == kind_of(kind):
        return sent.message
    border = Border(message=lambda id: Elsewhere(id=id, created_at=LONG_AGO))
    try:
        return encode_alone(decode_alone(sent.message, border), border)
    except WireError:
        return sent.message  # it is of another kind


def _without_networks(message: bytes) -> object:
    """What a message's JSON says, but for the networks that its parties are in: they may have left, or have yet to come."""
    record = from_json(message)
    fields = record["fields"]
    parties = {party: (fields[party] or "").rpartition("/")[2] for party in ("sender", "receiver")}
    return record["kind"], fields | parties


def _inside(agent: GenAgent) -> dict[str, GenAgent]:
    """An agent and, if it is a network, all inside; each with the end of its path."""
    found = {"": agent}
    if isinstance(agent, GenNetwork):
        found.update((f"/{path}", inner) for path, inner in agent.walk())
    return found
