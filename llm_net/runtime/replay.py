"""Runs the same code against the record of a run: nothing is asked outside, and the first difference ends it.

Every agent handles what it handled, in the order in which it did; what a step learned from outside, it gets from the record.
What it sends, and what its state is afterwards, must be what the record says. Of a step that never ended nothing is known, so
it is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from llm_net.errors import Diverged, MailboxFull
from llm_net.event import Event
from llm_net.message import Message
from llm_net.ports import Journal
from llm_net.record import Begun, Effect, End, Ended, Fact, Select, Sent, State
from llm_net.runtime.cell import Cell, Entry
from llm_net.runtime.outcome import read_error
from llm_net.runtime.past import Decoder, recorder_of, route_to
from llm_net.runtime.recorder import Recorder, Step
from llm_net.runtime.state import stored
from llm_net.runtime.waiting import Handled

if TYPE_CHECKING:
    from llm_net.runtime.run import LocalRun


async def replayer(run: LocalRun, journal: Journal) -> Replayer:
    """The recorder of a run that replays another. Raises UnknownRun, JournalFailed."""
    facts = [fact async for fact in journal.read(run.id, Select(facts=(Begun, Sent, Effect, Ended)))]
    run.seed = next(fact.seed for fact in facts if isinstance(fact, Begun))
    recorder = recorder_of(run, journal, Replayer)
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
        self._told: dict[str, list[State]] = {}  # the states of agents, so far
        self._taken: dict[str, Sent] = {}  # replies by question
        records: dict[str, bytes] = {}
        for fact in facts:
            match fact:
                case Sent():
                    if fact.edited:  # it took the place of another
                        self._done[fact.step].remove(self._sent[fact.number])
                    self._sent[fact.number] = fact
                    if fact.message:
                        records[fact.id] = fact.message
                    if not fact.waits and fact.reply_to:
                        self._taken[fact.reply_to] = fact
                    self._done.setdefault(fact.step, []).append(fact)
                case Effect():
                    self._done.setdefault(fact.step, []).append(fact)
                    if fact.kind == "refused":
                        self.refusals[fact.name] = read_error(fact.answer)
                case Ended():
                    self._done.setdefault(fact.number, []).append(fact)
                    if fact.end != "retried":
                        self._ends[fact.number] = fact
                case _:
                    pass
        begun = sorted((end.turn, end.agent, number) for number, end in self._ends.items() if end.turn)
        self._script: dict[str, deque[int]] = {}  # by agent, the deliveries that it handles, in order
        for _, agent, number in begun:
            self._script.setdefault(agent, deque()).append(number)
        self._decoder = Decoder(run, self, records)
        for sent in self._done.pop(0, ()):
            if isinstance(sent, Sent):
                self._come_in(sent)

    def _come_in(self, sent: Sent) -> None:
        run = self._live
        run.sent += 1
        if not sent.waits:
            run.ended += 1
            return
        message = self._decoder.message(sent.id)
        route = route_to(run, sent.receiver)
        event = Event(sent.event, message, sent.path) if sent.event else None
        name = sent.event or sent.method
        self.hold(route.cell, (message, run, sent.depth, route.place, event, name, sent.number))

    # ------------------------------------------------------------------------------------------ what happens, and when

    def hold(self, cell: Cell, entry: Entry) -> bool:
        """Let it wait until its agent has handled what it handled before it."""
        number = entry[6]
        end = self._ends.get(number)
        if end is None:  # it was never handled, or taken by who asked
            self._live.settle(1)
        elif end.turn:
            self._held[number] = cell, entry
            self._release(end.agent)
        else:
            address = self._sent[number].receiver
            reason = MailboxFull(address, cell.limit)
            self._live.end_entry(end.end, entry[0], address, reason, number=number)  # type: ignore[arg-type]  # no try
            if end.end == "rejected":
                raise reason
        return True

    def _release(self, agent: str) -> None:
        script, engine = self._script[agent], self._live.engine
        assert engine is not None
        while script and script[0] in self._held:
            engine.bring_back(*self._held.pop(script.popleft()))

    def begin(self, handling: Handled, number: int) -> Step:
        """It is handled as the record says, one try after the other."""
        step = self._steps.get(number)
        if step is None:
            agent = handling.agent
            step = self._steps[number] = Step(self, number, agent, self.address(agent), self._ends[number].turn)
            self._shadow(agent)
        done = self._done[number]
        end = next(index for index, fact in enumerate(done) if isinstance(fact, Ended))
        self._done[number] = done[end:]
        step.remember(done[:end])
        step.began = step.time = done[end].began  # type: ignore[union-attr]  # found as an Ended
        return step

    def reply_to(self, question: str) -> Message | None:
        """The reply that the question got; it is compared when its sender comes to send it."""
        sent = self._taken.get(question)
        return None if sent is None else self._decoder.message(sent.id)

    def sent(
        self, step: Step | None, message: Message, receiver: str, depth: int, *, waits: bool, event: Event | None = None
    ) -> int:
        """A message is sent. Gives the number that the delivery had. Raises Diverged."""
        assert step is not None  # nothing comes from outside but what the record has
        sent = step.past_post(message, receiver, "" if event is None else event.name)
        assert sent is not None
        return sent.number

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

    def _compare(self, step: Step, number: int, end: End, error: BaseException | None) -> None:
        recorded = self._done[number].pop(0)
        assert isinstance(recorded, Ended)
        if recorded.end != end:
            raise Diverged(
                step.address, number, "its end", recorded.error or recorded.end, self._sentence(error) or end
            )
        for state in recorded.states:
            told = self._told.setdefault(state.agent, [])
            if state.whole:
                told.clear()
            told.append(state)
        self._states(step.agent, step.address)  # brings what is kept of the agent up to date
        if type(step.agent).concurrency == 1 and (kept := self._told.get(step.address)):
            before = stored(kept[0].body, [state.body for state in kept[1:]])
            now = self._shadow(step.agent).kept
            for name in before.keys() | now.keys():
                if _json(before.get(name)) != _json(now.get(name)):
                    what = f"field {name!r} of its state"
                    raise Diverged(step.address, number, what, _text(before.get(name)), _text(now.get(name)))

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


def _json(data: bytes | None) -> Any:
    return None if data is None else from_json(data)


def _text(data: bytes | None) -> str:
    return "nothing" if data is None else data.decode()
