"""Runs the same code against the record of a run: nothing is asked outside, and the first difference ends it.

Every agent handles what it handled, in the order in which it did; what a step learned from outside, it gets from the record,
and what it sends goes to whom it went. What that says, and the states afterwards, must be what the record says. A step
that never ended cannot be compared: it is left out, and what it sent is there as if it came from outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic_core import from_json

from llm_net.base import GenAgent
from llm_net.errors import Diverged, MailboxFull, UnknownAddress
from llm_net.message import Message
from llm_net.ports import Journal
from llm_net.record import Begun, Effect, End, Ended, Fact, Select, Sent, State
from llm_net.runtime.cell import Cell, Entry
from llm_net.runtime.past import Decoder, entry_of, recorder_of, route_to, take_back
from llm_net.runtime.place import Route
from llm_net.runtime.recorder import Recorder, Step
from llm_net.runtime.state import AGENTS, Fields, agent_kind, members_in, stored, upcast
from llm_net.runtime.waiting import Handled

if TYPE_CHECKING:
    from llm_net.runtime.run import LocalRun


async def replayer(run: LocalRun, journal: Journal) -> Replayer:
    """The recorder of a run that replays another. Raises UnknownRun, JournalFailed."""
    facts = [fact async for fact in journal.read(run.id, Select(facts=(Begun, Sent, Effect, Ended)))]
    run.seed = next(fact.seed for fact in facts if isinstance(fact, Begun))
    recorder = recorder_of(run, journal, Replayer)
    take_back(run, recorder, {run.id, *(fact.parent for fact in facts if isinstance(fact, Begun) and fact.parent)}, {})
    recorder.build(run.agent)
    recorder.read(run, facts)
    return recorder


class Replayer(Recorder):
    """Compares what happens in a run with the record of another, and notes nothing."""

    replays = True

    def read(self, run: LocalRun, facts: Sequence[Fact]) -> None:
        """Read the record, and let everything come in that came from outside; when it is handled, the record says."""
        self._live = run
        self._sent: dict[int, Sent] = {}
        self._done: dict[int, list[Sent | Effect | Ended]] = {}  # by step, what it did
        self._ends: dict[int, Ended] = {}
        self._held: dict[int, tuple[Cell, Entry]] = {}
        self._absent: list[tuple[Sent, Message]] = []  # to whom a step that is yet to come brings the receiver
        self._expected: dict[int, Sequence[State]] = {}  # by the end of a step, the state of its agent
        self._taken: dict[str, Sent] = {}  # replies by question
        records: dict[str, bytes] = {}
        states: dict[str, list[State]] = {}
        for fact in facts:
            match fact:
                case Sent():
                    past, did = self._sent.get(fact.number), self._done.setdefault(fact.step, [])
                    if past is not None:  # it was edited
                        did[did.index(past)] = fact
                    else:
                        did.append(fact)
                    self._sent[fact.number] = fact
                    if fact.message:
                        records[fact.id] = fact.message
                    if not fact.waits and fact.reply_to:
                        self._taken[fact.reply_to] = fact
                case Effect():
                    self._done.setdefault(fact.step, []).append(fact)
                    self.met(fact)
                case Ended():
                    self._done.setdefault(fact.number, []).append(fact)
                    for state in fact.states:
                        before = [] if state.whole else states.get(state.agent, [])
                        states[state.agent] = [*before, state]
                    self._expected[fact.seq] = states.get(fact.agent, ())
                    if fact.end != "retried":
                        self._ends[fact.number] = fact
                case _:
                    pass
        begun = sorted((end.turn, end.agent, number) for number, end in self._ends.items() if end.turn)
        self._script: dict[str, deque[int]] = {}  # by agent, the deliveries that it handles, in order
        for _, agent, number in begun:
            self._script.setdefault(agent, deque()).append(number)
        self._decoder = Decoder(run, self, records)
        self._whole = all(number in self._ends for number, sent in self._sent.items() if sent.waits)
        self._routes: dict[str, Route] = {}  # to all who were there
        self._arrive()
        self.late = self._arrive
        run.open = True  # until all is here
        for sent in self._sent.values():
            if sent.step not in self._ends or not self._ends[sent.step].turn:  # the outside's, or of a step left out
                self.come_again(sent, self._decoder.message(sent.id))
        run.open = False
        self._loop.call_soon(self._look)

    # ------------------------------------------------------------------------------------------ what happens, and when

    def come_again(self, sent: Sent, message: Message) -> None:
        """A message goes where it went, and waits there until its agent has handled what it handled before it."""
        run = self._live
        if sent.edited:
            message = self._decoder.message(sent.id)
        run.sent += 1
        if not sent.waits:
            run.ended += 1
            if sent.receiver == "":
                run.result = message
            return
        end = self._ends.get(sent.number)
        if end is None:  # it was never handled
            run.ended += 1
        elif not end.turn:
            run.end_entry(end.end, message, sent.receiver, MailboxFull(sent.receiver, 0))  # type: ignore[arg-type]  # no try
        elif not self._hold(sent, message):
            self._absent.append((sent, message))

    def _hold(self, sent: Sent, message: Message) -> bool:
        """Let it wait. False if its receiver is not there."""
        run, agent = self._live, self._ends[sent.number].agent
        route = self._routes.get(sent.receiver)
        if route is None:
            return False
        self._held[sent.number] = route.cell, entry_of(run, sent, message, route)
        self._release(agent)
        return True

    def _arrive(self) -> None:
        """Somebody came into a network. Who leaves it may still be waited for: somebody else's steps may be ahead here."""
        for address in {sent.receiver for sent in self._sent.values() if sent.waits}:
            with suppress(UnknownAddress):
                self._routes[address] = route_to(self._live, address)
        self._absent = [(sent, message) for sent, message in self._absent if not self._hold(sent, message)]

    def _release(self, agent: str) -> None:
        script, engine = self._script[agent], self._live.engine
        assert engine is not None
        while script and script[0] in self._held:
            engine.bring_back(*self._held.pop(script.popleft()))

    def has_begun(self, number: int) -> bool:
        """What is handled is what was."""
        return True

    def begin(self, handling: Handled, number: int) -> Step:
        """It is handled as the record says, one try after the other."""
        step = self._steps.get(number)
        if step is None:
            agent, end = handling.agent, self._ends[number]
            step = self._steps[number] = Step(self, number, agent, end.agent, end.turn)
            self._shadow(agent)
        else:
            step.try_again(0.0)
        done = self._done[number]
        last = next(index for index, fact in enumerate(done) if isinstance(fact, Ended))  # of this try
        self._done[number] = done[last:]
        step.remember(done[:last])
        step.began = step.time = done[last].began  # type: ignore[union-attr]  # found as an Ended
        return step

    def reply_to(self, question: str) -> Message | None:
        """The reply that the question got; it is compared when its sender comes to send it."""
        sent = self._taken.get(question)
        return None if sent is None else self._decoder.message(sent.id)

    def was_told(self, step: Step, question: Message) -> bool:
        """Whether the record says that who asked was told that this step failed."""
        recorded = self._done[step.number][0]
        return isinstance(recorded, Ended) and recorded.end == "failed"

    def ended(self, step: Step | None, number: int, end: End, error: BaseException | None = None) -> None:
        """A step came to its end: compare it."""
        if step is None or self.frozen:
            return
        try:
            step.check_end()
            self._compare(step, number, end, error)
        except Diverged as diverged:
            self._failed(diverged)
        if end != "retried":
            self._steps.pop(number, None)
        self._loop.call_soon(self._look)

    def _compare(self, step: Step, number: int, end: End, error: BaseException | None) -> None:
        recorded = self._done[number].pop(0)
        assert isinstance(recorded, Ended)
        if recorded.end != end:
            raise Diverged(
                step.address, number, "its end", recorded.error or recorded.end, self._sentence(error) or end
            )
        self._states(step)  # brings what is kept of the agent up to date
        if self.address(step.agent) != step.address:
            return  # it has left
        if type(step.agent).concurrency == 1 and (kept := self._expected.get(recorded.seq)):
            before = upcast(type(step.agent), stored(kept[0].body, [state.body for state in kept[1:]]))
            now = self._shadow(step.agent).kept
            for name, data in before.items():
                if self._value(step.agent, name, data) != self._value(step.agent, name, now.get(name)):
                    what = f"field {name!r} of its state"
                    raise Diverged(step.address, number, what, data.decode(), now.get(name, b"nothing").decode())

    def _value(self, agent: GenAgent, name: str, data: bytes | None) -> object:
        """What a field's JSON says: that of a set has no order, and a class may have two names."""
        if name == AGENTS and data is not None:
            return [(id, agent_kind(kind) or kind) for id, kind in members_in(data).items()]
        fields = Fields.of(type(agent))
        if data is None or name not in fields.names:
            return from_json(data or b"null")
        return fields.decode(name, data, self._decoder.border)

    def _look(self) -> None:
        """End what can never go on: a step brings nobody that the record says it did."""
        run = self._live
        assert run.engine is not None
        if run.over or self._steps or run.engine.busy or not (self._held or self._absent):
            return
        for script in self._script.values():  # who handles several at a time may have begun one anew, after later ones
            number = next((number for number in script if number in self._held), 0)
            if number and self._held[number][0].concurrency > 1:
                script.remove(number)
                run.engine.bring_back(*self._held.pop(number))
                return
        if self._whole:
            sent = self._absent[0][0] if self._absent else self._sent[next(iter(self._held))]
            self._failed(self.lacking() or Diverged(sent.receiver, sent.number, "the receiver", "there", "not there"))
        else:  # whoever a step brought that never ended is not there
            left = len(self._absent) + len(self._held)
            self._absent.clear()
            self._held.clear()
            self._script.clear()
            run.settle(left)

    def lacking(self) -> Diverged | None:
        """What was handled according to the record, and never came now."""
        for agent, script in self._script.items():
            if script:
                sent = self._sent[script[0]]
                return Diverged(agent, script[0], "its message", f"{sent.method!r} from {sent.sender}", "none came")
        return None

    # ------------------------------------------------------------------------------------------ nothing is noted

    def _note(self, fact: Fact) -> None:
        pass

    def _next(self) -> int:
        return 0
