"""What a run is when its process was killed, and what must hold when it went on. Knows no network by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json

from llm_net import GenAgent, GenNetwork, Message, simulation
from llm_net.address import Border
from llm_net.errors import LlmNetError
from llm_net.journal import MemoryJournal
from llm_net.ports import REPEAT, Journal
from llm_net.record import Effect, Ended, Fact, Part, Sent
from llm_net.runtime.state import Fields
from llm_net.simulation.clock import START
from tests.journal.plays import Play, World


@dataclass
class Outcome:
    """What a run came to."""

    status: str
    error: str
    deliveries: Counter[tuple[str, ...]]
    states: dict[str, Any]
    done: Counter[str]


async def facts_of(journal: Journal, run: str) -> list[Fact]:
    return [fact async for fact in journal.read(run)]


def states_of(agent: GenAgent) -> dict[str, Any]:
    """The stored fields of all agents, without what is counted or timed in messages."""
    found = {".": agent}
    if isinstance(agent, GenNetwork):
        found.update(agent.walk())
    states: dict[str, Any] = {}
    for address, each in found.items():
        fields = Fields.of(type(each))
        for name in fields.names:
            value = getattr(each, name)
            data = fields.encode(name, value, Border())
            if data is not None:
                states[f"{address}.{name}"] = sorted(value) if isinstance(value, set) else _plain(from_json(data))
        if isinstance(each, GenNetwork):
            states[f"{address}.members"] = [member.id for member in each]
            states[f"{address}.links"] = sorted(map(str, each.links))
    return states


def _plain(value: Any) -> Any:
    match value:
        case {"$message": {"kind": kind, "fields": fields}}:
            return kind, fields["method"], fields["body"], fields["sender"], fields["receiver"]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def deliveries_of(facts: Sequence[Fact], *, strict: bool) -> Counter[tuple[str, ...]]:
    """Every delivery by what it says, with its end."""
    ends = {fact.number: fact.end for fact in facts if isinstance(fact, Ended) and fact.end != "retried"}
    messages = {fact.id: fact.message for fact in facts if isinstance(fact, Sent) and fact.message}
    found: Counter[tuple[str, ...]] = Counter()
    for fact in facts:
        if isinstance(fact, Sent):
            body = from_json(messages[fact.id])["fields"]["body"]
            end = ends.get(fact.number, "open") if fact.waits else "taken"
            found[
                (fact.id if strict else "", fact.sender, fact.receiver, fact.event, fact.path, fact.method, body, end)
            ] += 1
    return found


def check_record(facts: Sequence[Fact], *, resent: bool = False) -> None:
    """The laws that hold for every record, however often its run was interrupted. Raises AssertionError.

    Args:
        resent: whether agents send the same message twice on purpose.
    """
    places = [fact.seq for fact in facts]
    assert places == sorted(set(places)), "places in the order are taken twice"
    sent: dict[int, Sent] = {}
    ended: dict[int, Ended] = {}
    turns: defaultdict[str, set[int]] = defaultdict(set)
    ids: set[tuple[str, str, str, str]] = set()
    results: set[str] = set()
    for fact in facts:
        match fact:
            case Sent() if not fact.edited:
                assert fact.number not in sent, f"number {fact.number} is given twice"
                delivery = (fact.id, fact.receiver, fact.event, fact.path)
                assert resent or delivery not in ids, f"doubled: {delivery}"
                ids.add(delivery)
                sent[fact.number] = fact
            case Ended():
                assert fact.number in sent, f"ended and never sent: {fact}"
                assert sent[fact.number].waits
                assert fact.number not in ended, f"two ends of delivery {fact.number}"
                if fact.end != "retried":
                    ended[fact.number] = fact
                    if fact.turn:
                        assert fact.turn not in turns[fact.agent], f"two turns {fact.turn} of {fact.agent}"
                        turns[fact.agent].add(fact.turn)
            case Effect():
                assert not fact.step or fact.step in sent
                assert fact.step not in ended, f"an effect of a step that is over: {fact}"
                if fact.n and fact.status != "intent":
                    assert fact.key not in results, f"two results of {fact.key}"
                    results.add(fact.key)
            case _:
                pass


def check_order(facts: Sequence[Fact], network: GenAgent) -> None:
    """Messages from one agent to another were begun in the order sent, unless the receiver takes several at a time."""
    begun: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    sent = {fact.number: fact for fact in facts if isinstance(fact, Sent)}
    for fact in facts:
        if isinstance(fact, Ended) and fact.turn and fact.end != "retried":
            begun[sent[fact.number].sender, fact.agent].append((fact.turn, fact.number))
    wide = {path for path, agent in network.walk() if agent.concurrency > 1} if isinstance(network, GenNetwork) else ()
    for (sender, receiver), steps in begun.items():
        numbers = [number for _, number in sorted(steps)]
        assert receiver in wide or numbers == sorted(numbers), f"{sender} to {receiver}: handled in the order {numbers}"


# ---------------------------------------------------------------------------------------------- playing


def doubts(facts: Sequence[Fact]) -> list[Effect]:
    """Calls that must not happen twice, were begun, and have no result."""
    results = {fact.key for fact in facts if isinstance(fact, Effect) and fact.status != "intent"}
    return [
        fact
        for fact in facts
        if isinstance(fact, Effect) and fact.status == "intent" and fact.repeats != "pure" and fact.key not in results
    ]


def last_time(facts: Sequence[Fact]) -> datetime:
    times = [fact.at for fact in facts if not isinstance(fact, Part)]
    return datetime.fromtimestamp(max(times), UTC) if times else START


async def play_on(
    play: Play, world: World, journal: Journal, run: str | None, settle: Mapping[str, object]
) -> tuple[str, str, str, GenAgent]:
    """Begin a run, or go on with one, and answer its questions, until it ends. Gives its name, its status, its error."""
    status, error, answer = "", "", None
    while True:
        network = play.build(world)  # anew each time, as a new process would
        if run is None:
            going = network.run(journal=journal, limits=play.limits)
            missing = play.messages()
        else:
            facts = await facts_of(journal, run)
            known = {fact.id for fact in facts if isinstance(fact, Sent)}
            missing = [message for message in play.messages() if message.id not in known]
            going = network.resume(journal, run, answer, settle=settle, limits=play.limits)
        run = going.id
        try:
            async with going:
                for message in missing:
                    await going.send(message)
        except LlmNetError as raised:
            error = type(raised).__name__
        status = str(going.status)
        if status != "waiting":
            return run, status, error, network
        answer = answer_to(play, await facts_of(journal, run))


def answer_to(play: Play, facts: Sequence[Fact]) -> Message:
    """To the first question that has none."""
    answered = {fact.reply_to for fact in facts if isinstance(fact, Sent)}
    for fact in facts:
        if isinstance(fact, Sent) and fact.method == "ask" and fact.id not in answered:
            body = from_json(fact.message)["fields"]["body"]
            question = Message(id=fact.id, body=body)
            return Message(
                id=f"answer to {fact.id}",
                method="response", body=play.answers[body], sender="boss", receiver=fact.sender, reply_to=question,
            )  # fmt: skip
    raise AssertionError("nobody asked")


def outcome(play: Play, network: GenAgent, facts: Sequence[Fact], status: str, error: str, world: World) -> Outcome:
    return Outcome(status, error, deliveries_of(facts, strict=play.strict), states_of(network), world.done)


def recorded(play: Play) -> tuple[list[Fact], Outcome, str]:
    """Play it without an interruption: its facts, and what it came to."""
    world = World()

    async def main() -> tuple[list[Fact], Outcome, str]:
        journal = MemoryJournal()
        run, status, error, network = await play_on(play, world, journal, None, {})
        facts = await facts_of(journal, run)
        return facts, outcome(play, network, facts, status, error, world), run

    return simulation.run(main())


@dataclass(frozen=True)
class Crash:
    """A process that was killed when `facts` were written, and what a human found out about the calls in doubt."""

    facts: Sequence[Fact]
    world: World
    settle: Mapping[str, object]


def crash(facts: Sequence[Fact], upto: int, *, happened: bool) -> Crash:
    """Kill it after so many of its facts. Of a call in doubt nobody in there knows whether it `happened`."""
    before, world = facts[:upto], World()
    results = {fact.key: fact for fact in facts if isinstance(fact, Effect) and fact.n and fact.status != "intent"}
    settle: dict[str, object] = {}
    for fact in before:
        if isinstance(fact, Effect) and fact.kind == "effect" and fact.repeats != "pure" and fact.status != "intent":
            _remember(world, fact)
    for doubt in doubts(before):
        result = results.get(doubt.key)
        if happened and result is not None and result.status == "done":
            _remember(world, result)
            settle[doubt.key] = from_json(result.answer)
        else:
            settle[doubt.key] = REPEAT
    return Crash(before, world, settle)


def _remember(world: World, effect: Effect) -> None:
    world.done[effect.name] += 1
    if effect.repeats == "idempotent":
        world.keys[effect.key] = effect.name


def gone_on(play: Play, after: Crash, run: str) -> tuple[list[Fact], Outcome]:
    """Go on in a new process: all facts there are then, and what it came to."""

    async def main() -> tuple[list[Fact], Outcome]:
        journal = MemoryJournal()
        await journal.write(run, after.facts)
        _, status, error, network = await play_on(play, after.world, journal, run, after.settle)
        facts = await facts_of(journal, run)
        return facts, outcome(play, network, facts, status, error, after.world)

    return simulation.run(main(), start=last_time(after.facts) + timedelta(microseconds=1))


def replayed(play: Play, facts: Sequence[Fact], run: str) -> None:
    """Replay a record. Raises what a replay does."""
    world = World()
    network = play.build(world)

    async def main() -> None:
        journal = MemoryJournal()
        await journal.write(run, facts)
        await network.replay(journal, run)
        assert not world.done, "a replay did something"

    simulation.run(main())
