"""One program, played here and elsewhere: whether both are the same. Knows nothing of what is played."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import AgentFailed
from llm_net.message import Message
from llm_net.ports import Observation, Run
from llm_net.runtime.local import LocalRuntime
from llm_net.testing.probe import Recorder
from llm_net.testing.runtime.place import Place, Played, equal


async def same(place: Place, build: Callable[[], GenAgent], *roots: Message, one_by_one: bool = False) -> Played:
    """Play something here and there, and see that it is the same: messages, ends, results, observations, and the agents."""
    network, recorder = build(), Recorder()
    played = await place.play(network, *roots, observers=[recorder] if place.watched else [], one_by_one=one_by_one)
    there = Place(lambda: LocalRuntime(seed=played.run.seed), away=False, watched=place.watched, seconds=place.seconds)
    local, local_recorder = build(), Recorder()
    wanted = await there.play(local, *roots, observers=[local_recorder] if place.watched else [], one_by_one=one_by_one)
    equal(ending(played.error), ending(wanted.error), "what ended the run")
    equal(dict(_pairs(played.messages)), dict(_pairs(wanted.messages)), "what was said")
    equal(_counts(played.run), _counts(wanted.run), "the ends of messages")
    equal(_told_of(recorder.observations), _told_of(local_recorder.observations), "what was observed")
    dead, wanted_dead = (
        Counter((letter.address, letter.message.body, repr(letter.reason)) for letter in run.dead_letters)
        for run in (played.run, wanted.run)
    )
    equal(dead, wanted_dead, "the dead letters")
    equal(states(network), states(local), "the state of the agents")
    return played


def ending(error: BaseException | None) -> str:
    """An error, but for the ids of messages."""
    if isinstance(error, AgentFailed):
        return f"{error.agent} {error.method} {error.reason} {error.__cause__!r}"
    return repr(error)


def _counts(run: Run) -> object:
    counts = replace(run.statistics(), seconds=0.0)
    return counts, run.status, run.usage


def _agents(network: GenAgent) -> dict[str, GenAgent]:
    found = {network.id: network}
    if isinstance(network, GenNetwork):
        found |= dict(network.walk())
    return found


def states(network: GenAgent) -> dict[str, dict[str, object]]:
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
