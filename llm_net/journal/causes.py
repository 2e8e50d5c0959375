"""Why a message was said: the step that said it, what that step had learned, and so on back to the outside.

Knows how facts hang together, and a journal to read them from.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias, cast

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from llm_net.base import GenAgent
from llm_net.chat import Turn
from llm_net.errors import JournalFailed
from llm_net.journal.prompt import Prompt, hashes_of, prompt_of, words_of
from llm_net.journal.said import Said, party, said
from llm_net.ports import Journal
from llm_net.record import Effect, Ended, Part, Select, Sent
from llm_net.runtime.state import stored

WIDEST: Final = 400
"""Characters of one text that are shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model was asked."""

    effect: Effect
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Happened:
    """Something else came from outside: the result of an effect, or the end of a delay."""

    effect: Effect
    answer: JsonValue


@dataclass(frozen=True, slots=True)
class Replied:
    """A question to another was answered.

    Args:
        steps: how the answer came about, the last step first: back to the question. Empty for an answer from outside.
    """

    question: Said
    reply: Said
    steps: tuple[Step, ...]


Learned: TypeAlias = Asked | Happened | Replied


@dataclass(frozen=True, slots=True)
class Change:
    """A field of an agent after a step that changed it. Of an agent's first step that changed anything all fields are
    given: how the agent was built is not on record. `before` is None then."""

    agent: str
    field: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True, slots=True)
class Step:
    """One message that an agent handled.

    Args:
        number: of the delivery.
        turn: the how-manieth step of this agent it was; 0 for one that has not come to its end.
        learned: what it had learned before it said what is explained, in order.
        changes: of the agents' fields, when it came to its end.
        end: of this try of it; "" if it has not come to one.
    """

    number: int
    agent: str
    handled: Said
    began: float
    at: float
    turn: int = 0
    end: str = ""
    error: str = ""
    learned: tuple[Learned, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """A message and what led to it; `str(why)` is the same for people.

    Args:
        steps: the one that sent it first, each caused by the one after it; empty for a message from outside.
        whole: whether they go back to the outside; else there were more of them than was asked for.
    """

    message: Said
    steps: tuple[Step, ...]
    whole: bool = True

    def __str__(self) -> str:
        return "\n".join(_lines(self))


# ---------------------------------------------------------------------------------------------- finding


class Causes:
    """Walks back from messages of one run.

    Args:
        network: the id of the outermost network.
        limit: steps to look at in all.
    """

    def __init__(self, journal: Journal, run: str, network: str, limit: int) -> None:
        self._journal = journal
        self._run = run
        self._network = network
        self._left = limit

    async def why(self, sent: Sent) -> Why:
        """What led to this delivery."""
        steps = await self._steps(sent, frozenset())
        first = steps[-1].handled.sent if steps else sent
        return Why(self._said(sent), steps, whole=first.step == 0)

    async def _steps(self, sent: Sent, above: frozenset[int]) -> tuple[Step, ...]:
        """The steps that led to a delivery, until the outside or a step that is explained already."""
        steps: list[Step] = []
        while sent.step and sent.step not in above and self._left > 0:
            self._left -= 1
            step = await self._step(sent, above)
            if step is None:
                break
            steps.append(step)
            sent = step.handled.sent
        return tuple(steps)

    async def _step(self, sent: Sent, above: frozenset[int]) -> Step | None:
        handled: Sent | None = None
        came = 0
        effects: list[Effect] = []
        end: Ended | None = None
        failed = 0
        async for fact in self._read(Select(facts=(Sent, Effect, Ended), numbers=(sent.step,))):
            match fact:
                case Sent():
                    came = came or fact.seq
                    handled = fact  # as it was last edited
                case Effect() if failed < fact.seq < sent.seq:
                    effects.append(fact)
                case Ended(seq=seq) if seq < sent.seq:
                    failed = seq  # a try that came to nothing: what it had learned is forgotten
                case Ended() if end is None:
                    end = fact
                case _:
                    pass
        if handled is None:  # the run was compacted
            return None
        effects = [effect for effect in effects if effect.seq > failed]
        learned = [*(await self._learned(effects)), *(await self._replies(sent, handled, max(came, failed), above))]
        learned.sort(key=lambda each: each[0])
        return Step(
            number=handled.number,
            agent=party(handled.receiver, self._network),
            handled=self._said(handled),
            began=handled.at if end is None else end.began,
            at=sent.at if end is None else end.at,
            turn=0 if end is None else end.turn,
            end="" if end is None else end.end,
            error="" if end is None else end.error,
            learned=tuple(each for _, each in learned),
            changes=() if end is None else tuple([change async for change in self._changes(end)]),
        )

    async def _learned(self, effects: list[Effect]) -> list[tuple[int, Learned]]:
        found: list[tuple[int, Learned]] = []
        parts = await self.parts(*(effect for effect in effects if effect.kind == "model"))
        for effect in effects:
            match effect:
                case Effect(status="intent") | Effect(kind="gather" | "abandoned"):
                    continue  # what came of it stands beside
                case Effect(kind="model"):
                    found.append((effect.seq, Asked(effect, prompt_of(effect, parts))))
                case _:
                    answer = cast(JsonValue, from_json(effect.answer)) if effect.answer else None
                    found.append((effect.seq, Happened(effect, answer)))
        return found

    async def parts(self, *effects: Effect) -> dict[str, bytes]:
        """The pieces of what models were asked, by their hashes; the newest are near."""
        wanted = {hash for effect in effects for hash in hashes_of(effect)}
        found: dict[str, bytes] = {}
        if wanted:
            upto = max(effect.seq for effect in effects)
            async for fact in self._read(Select(facts=(Part,), upto=upto, newest=True)):
                if isinstance(fact, Part) and fact.hash in wanted:
                    found[fact.hash] = fact.data
                    if len(found) == len(wanted):
                        break
        return found

    async def _replies(self, sent: Sent, handled: Sent, after: int, above: frozenset[int]) -> list[tuple[int, Learned]]:
        """The answers that the step had got to its questions."""
        select = Select(facts=(Sent,), agent=handled.receiver, after=after, upto=sent.seq - 1)
        questions: dict[str, Sent] = {}
        answers: dict[str, Sent] = {}
        async for fact in self._read(select):
            if isinstance(fact, Sent):
                if fact.step == handled.number:
                    questions[fact.id] = fact
                elif not fact.waits and fact.reply_to in questions:
                    answers[fact.id] = fact
        found: list[tuple[int, Learned]] = []
        for answer in answers.values():
            question = self._said(questions[answer.reply_to])
            steps = await self._steps(answer, above | {handled.number})
            found.append((answer.seq, Replied(question, self._said(answer), steps)))
        return found

    async def _changes(self, end: Ended) -> AsyncIterator[Change]:
        if not end.states:
            return
        try:
            before = (await self._journal.open(self._run, upto=end.seq - 1)).states
        except JournalFailed:  # the run was compacted: what it was then is forgotten
            return
        for state in end.states:
            told = before.get(state.agent, ())
            old = stored(told[0].body, [each.body for each in told[1:]]) if told else {}
            new = stored(state.body, ()) if state.whole else stored(to_json(_json(old)), [state.body])
            for field, value in new.items():
                if value != old.get(field) and (old or field not in GenAgent.model_fields):
                    yield Change(
                        party(state.agent, self._network),
                        field,
                        from_json(old[field]) if field in old else None,
                        from_json(value),
                    )

    def _said(self, sent: Sent) -> Said:
        return said(sent, self._network)

    def _read(self, select: Select) -> AsyncIterator[object]:
        return self._journal.read(self._run, select)


def _json(values: Mapping[str, bytes]) -> dict[str, JsonValue]:
    return {name: cast(JsonValue, from_json(data)) for name, data in values.items()}


# ---------------------------------------------------------------------------------------------- telling


def _lines(why: Why) -> Iterator[str]:
    yield f"{_message(why.message)}  [{why.message.id}, {_time(why.message.sent.at)}]"
    if not why.steps:
        yield "  it came from outside"
    yield from _told(why.steps, "  ")
    if why.steps and why.whole:
        yield "  which came from outside"
    elif not why.whole:
        yield "  and so on: this is not the beginning"


def _told(steps: tuple[Step, ...], indent: str) -> Iterator[str]:
    for step in steps:
        turn = f", turn {step.turn}" if step.turn else ""
        took = f" for {step.at - step.began:.3f} s" if step.end else ""
        yield f"{indent}because {step.agent} handled{took}  [step {step.number}{turn}, {_time(step.began)}]"
        yield f"{indent}  {_message(step.handled)}  [{step.handled.id}]"
        for learned in step.learned:
            yield from _what(learned, f"{indent}  ")
        for change in step.changes:
            field, after = f"{change.agent}.{change.field}", _shown(change.after)
            before = "" if change.before is None else f"{_shown(change.before)} → "
            yield f"{indent}  it {'made' if before else 'left'} {field} {before}{after}"
        if step.error:
            yield f"{indent}  and {step.end}: {_short(step.error)}"


def _what(learned: Learned, indent: str) -> Iterator[str]:
    match learned:
        case Asked(effect, prompt):
            used = f"{effect.input_tokens} + {effect.output_tokens} tokens, {effect.at - effect.began:.1f} s"
            yield f"{indent}it asked the model {effect.name} ({used})"
            for turn in prompt.turns:
                role, text = ("?", "(no longer kept)") if turn is None else (turn.role, _text(turn))
                yield f"{indent}    {role}: {text}"
            yield f"{indent}    → {_failure(effect) if prompt.answer is None else _text(prompt.answer)}"
        case Happened(effect, answer):
            shown = _shown(answer) if effect.status == "done" else _failure(effect)
            if effect.kind == "delay":
                yield f"{indent}it waited until {_time(effect.at)}"
            elif effect.kind == "refused":
                yield f"{indent}its question {effect.name} was refused: {shown}"
            else:
                yield f"{indent}it did {effect.name} ({effect.repeats}) → {shown}"
        case Replied(question, reply, steps):
            yield f"{indent}it asked {question.receiver} {question.verb}: {_short(question.text)}"
            yield f"{indent}    → {_short(reply.text)}  [{reply.id}]"
            yield from _told(steps, f"{indent}    ")


def _message(message: Said) -> str:
    return _short(str(message))


def _text(turn: Turn) -> str:
    return _short(" ".join(words_of(part) for part in turn.parts))


def _failure(effect: Effect) -> str:
    error = from_json(effect.answer) if effect.answer else {}
    return _short(f"{str(error.get('kind', 'error')).rpartition(':')[2]}: {error.get('text', '')}")


def _shown(value: JsonValue) -> str:
    return _short(to_json(value).decode())


def _short(text: str) -> str:
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "milliseconds").replace("+00:00", "Z")
