"""What is needed to go on with a run, found in its facts; and which facts that takes. Knows no way of storing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

from llm_net.chat import Usage
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Opened, Sent, State

ANCESTORS = 100
"""Of a pending message: so many of those that it answers, one after another, are kept when a run is compacted."""

TAKEN = "taken"
"""The end of a delivery that never waited in a mailbox."""

_STRING = re.compile(rb'"([^"\\]+)"')


def opened(begun: Begun, facts: Sequence[Fact], base: Opened | None = None) -> Opened:
    """Fold the facts of a run.

    Args:
        begun: the first fact of its own.
        facts: all there are, in order, each Sent with its message.
        base: what the run was when it was compacted; of the facts until then only those that are open are there.
    """
    if base is None:
        base = Opened(begun)
    last, status, number, usage = base.seq, base.status, base.number, base.usage
    ends, turns, abandoned = Counter(base.ends), dict(base.turns), dict.fromkeys(base.abandoned)
    states = {agent: list(changes) for agent, changes in base.states.items()}
    sent = base.sent
    for fact in facts:
        if fact.seq <= base.seq:
            continue
        last = fact.seq
        match fact:
            case Begun():
                status = ""
            case Finished():
                status = fact.status
            case Sent() if not fact.edited:
                sent += 1
                number = max(number, fact.number)
                if not fact.waits:
                    ends[TAKEN] += 1
            case Ended():
                if fact.end != "retried":
                    ends[fact.end] += 1
                if fact.turn:
                    turns[fact.agent] = max(fact.turn, turns.get(fact.agent, 0))
                add_states(states, fact.states)
            case Effect():
                usage += usage_of(fact)
                if fact.kind == "abandoned":
                    abandoned[fact.name] = None
            case _:
                pass
    pending, past, replies = _open_deliveries(with_edits(facts, base.seq))
    return Opened(
        begun=begun,
        status=status,
        seq=last,
        number=number,
        turns=turns,
        sent=sent,
        ends=dict(ends),
        states={agent: tuple(changes) for agent, changes in states.items()},
        pending=pending,
        past=past,
        replies=replies,
        abandoned=tuple(abandoned),
        usage=usage,
    )


def _open_deliveries(
    facts: Iterable[Fact],
) -> tuple[tuple[Sent, ...], dict[int, list[Sent | Effect | Ended]], dict[str, Sent]]:
    facts = list(facts)
    over = {fact.number for fact in facts if isinstance(fact, Ended) and fact.end != "retried"}
    pending = tuple(fact for fact in facts if isinstance(fact, Sent) and fact.waits and fact.number not in over)
    numbers = {sent.number for sent in pending}
    past: dict[int, list[Sent | Effect | Ended]] = {}
    for fact in facts:
        if isinstance(fact, Sent | Effect | Ended):
            step = fact.number if isinstance(fact, Ended) else fact.step
            if step in numbers:
                past.setdefault(step, []).append(fact)
    questions = questions_of(past.values())
    replies: dict[str, Sent] = {}
    for fact in facts:
        if isinstance(fact, Sent) and not fact.waits and fact.reply_to in questions:
            replies.setdefault(fact.reply_to, fact)
    return pending, past, replies


def with_edits(facts: Sequence[Fact], base: int) -> list[Fact]:
    """The facts, with each message as it was last edited, and without the edits themselves.

    An edit is a Sent of its own, after the deliveries that it changes; in a run that was compacted at `base` they became one.
    """
    edits = {fact.id: fact for fact in facts if isinstance(fact, Sent) and fact.edited and fact.seq > base}
    if not edits:
        return list(facts)

    def put(fact: Fact) -> Fact:
        edit = edits.get(fact.id) if isinstance(fact, Sent) else None
        if not isinstance(fact, Sent) or edit is None or edit.seq < fact.seq:
            return fact
        return replace(fact, message=edit.message, edited=True)

    return [put(fact) for fact in facts if not (isinstance(fact, Sent) and fact.edited and fact.seq > base)]


def add_states(states: dict[str, list[State]], changes: Iterable[State]) -> None:
    """Take note of changes: a whole state makes those before it needless."""
    for change in changes:
        if change.whole:
            states[change.agent] = [change]
        else:
            states.setdefault(change.agent, []).append(change)


def usage_of(effect: Effect) -> Usage:
    """What a call of a model used; nothing for anything else."""
    if effect.kind != "model" or effect.status == "intent":
        return Usage()
    return Usage(1, effect.input_tokens, effect.output_tokens, effect.cost)


def questions_of(past: Iterable[Sequence[Sent | Effect | Ended]]) -> set[str]:
    """The ids of what pending steps sent."""
    return {fact.id for facts in past for fact in facts if isinstance(fact, Sent)}


# ---------------------------------------------------------------------------------------------- compaction


def open_facts(run: Opened) -> list[Fact]:
    """The facts that `pending`, `past` and `replies` are made of, in order."""
    facts = [*run.pending, *run.replies.values(), *(fact for did in run.past.values() for fact in did)]
    return sorted({fact.seq: fact for fact in facts}.values(), key=attrgetter("seq"))


def parts_named(facts: Iterable[Fact]) -> set[str]:
    """Every string in what was asked of models: among them the hashes of the parts that it refers to."""
    return {
        name.decode(errors="replace")
        for fact in facts
        if isinstance(fact, Effect)
        for name in _STRING.findall(fact.asked)
    }


def once_each(facts: Iterable[Fact]) -> list[Fact]:
    """The facts in their order, each once, and a message only in the first of its deliveries."""
    known: dict[str, bytes] = {}
    result: list[Fact] = []
    for fact in sorted({fact.seq: fact for fact in facts}.values(), key=attrgetter("seq")):
        if isinstance(fact, Sent) and fact.message:
            if known.get(fact.id) == fact.message:
                result.append(replace(fact, message=b""))
                continue
            known[fact.id] = fact.message
        result.append(fact)
    return result
