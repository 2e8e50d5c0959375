"""Random programs on random networks, killed anywhere, again and again: every law holds, and replay tells the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, GenNetwork, Limits, Mailbox, Message, simulation
from llm_net.errors import Diverged, InDoubt, LlmNetError, NotResumable, UnknownAddress
from llm_net.journal import MemoryJournal
from llm_net.record import Begun, Effect, Fact
from tests.journal.crashes import Crash, check_order, check_record, crash, doubts, facts_of, last_time
from tests.journal.plays import World
from tests.runtime.test_programs import NAMES, Program, names, programs

LIMITS = Limits(messages=200, depth=50, seconds=None)

cuts = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=4)


class Actor(GenAgent):
    """Does with each message what its program says; what it counts is its state."""

    outside: ClassVar[World]
    leaves: ClassVar[bool] = False
    acts: list[tuple[Any, ...]]
    sent: dict[str, int] = {}
    got: dict[str, list[int]] = {}

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        if (n := message.metadata.get("n")) is not None:
            self.got.setdefault(str(message.metadata["from"]), []).append(int(str(n)))
        ttl = message.metadata.get("ttl", 0)
        assert isinstance(ttl, int)
        if ttl > 0:
            for act in self.acts:
                async for sent in self.perform(act, message, ttl - 1):
                    yield sent
        else:
            yield message.reply(method="note")

    def note(self, message: Message) -> None:
        pass

    def response(self, message: Message) -> None:
        pass

    def to(self, name: str, ttl: int, **fields: Any) -> Message:
        if type(self).concurrency > 1:  # what several handlers share at once, no message may depend on
            return Message(receiver=name, metadata={"ttl": ttl}, **fields)
        number = self.sent[name] = self.sent.get(name, 0) + 1
        return Message(receiver=name, metadata={"ttl": ttl, "n": number, "from": self.id}, **fields)

    async def perform(self, act: tuple[Any, ...], message: Message, ttl: int) -> AsyncIterator[Message]:
        match act:
            case "send", name:
                yield self.to(name, ttl)
            case "urgent", name, seconds:
                yield self.to(name, ttl, deadline=self.now() + timedelta(seconds=seconds))
            case ("reply",):
                what = f"{self.id} {self.random.random()}"
                await self.effect(what, lambda: self.outside.act(what))
                yield message.reply()
            case "forward", name:
                with suppress(UnknownAddress):
                    await self.send(message.forward(f"{name}+", metadata={"ttl": ttl}))
            case "emit", event:
                self.emit(event, Message(metadata={"ttl": ttl}))
            case "sleep", seconds:
                await self.delay(seconds)
                what = f"{self.id} {self.random.random()}"
                await self.effect(what, lambda key: self.outside.keyed(what, key), repeats="idempotent")
            case ("fail",):
                raise ValueError("as written")
            case "join", name if f"{name}+" not in self.network:
                self.network.add(type(self)(id=f"{name}+", acts=self.acts))
            case "leave", name if self.leaves:
                for gone in (name, f"{name}+"):
                    with suppress(UnknownAddress):
                        self.network.remove(gone)
            case "call", name, timeout:
                await self.call(self.to(name, ttl), timeout=timeout)
            case "gather", those, k, timeout:
                await self.gather([self.to(name, ttl) for name in those], k=k, timeout=timeout)
            case "both", one, other:
                with suppress(LlmNetError):
                    await self.gather([self.to(one, ttl), self.to(other, ttl)], k=1)
            case "within", seconds, name:
                with suppress(TimeoutError, LlmNetError):  # which of them comes first is on no record
                    async with asyncio.timeout(seconds):
                        await self.call(self.to(name, ttl))
            case _:
                pass


class Start(GenAgent):
    roots: list[str]

    def request(self, message: Message) -> list[Message]:
        return [Message(receiver=root, metadata={"ttl": 3}) for root in self.roots]

    def response(self, message: Message) -> None:
        pass

    def note(self, message: Message) -> None:
        pass


class Narrow(Actor):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=1)


class Picky(Actor):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2, when_full="reject")


class Forgetful(Actor):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2, when_full="drop_oldest")


class Wide(Actor):
    concurrency: ClassVar[int] = 2


KINDS: list[type[Actor]] = [Actor, Narrow, Picky, Forgetful, Wide]


def network_of(program: Program) -> GenNetwork:
    networks = [GenNetwork(id=f"n{level}", supervision=program.supervision[level]) for level in range(3)]
    networks[0].add(Start(id="start", roots=program.roots))
    networks[0].add(networks[1])
    networks[1].add(networks[2])
    for name in NAMES:
        actor = KINDS[program.kinds[name]](id=name, acts=program.acts[name])
        networks[program.homes[name]].add(actor)
    for source, event, listener in program.links:
        networks[0].link(source, event, listener)
    return networks[0]


def lived(program: Program, after: Crash, run: str | None) -> tuple[list[Fact], str]:
    """One life, from its beginning or from what another left."""
    Actor.outside = after.world
    network = network_of(program)

    async def main() -> tuple[list[Fact], str]:
        journal = MemoryJournal()
        if run is None:
            going = network.run(Message(receiver="start"), journal=journal, limits=LIMITS)
        else:
            await journal.write(run, after.facts)
            going = network.resume(journal, run, settle=after.settle, limits=LIMITS)
        try:
            async with going:
                pass
        except (Diverged, InDoubt, NotResumable):
            raise
        except (LlmNetError, ValueError) as error:
            if isinstance(error.__cause__, (Diverged, InDoubt, NotResumable)):
                raise
        assert going.status in ("done", "failed", "limited"), going.status
        return await facts_of(journal, going.id), going.id

    return simulation.run(main(), start=last_time(after.facts) + timedelta(microseconds=1))


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(programs, cuts)
def test_whatever_a_program_does_no_crash_loses_or_doubles_anything(
    program: Program, cuts: Sequence[tuple[float, bool]]
) -> None:
    program = replace(program, stop=None)
    after = Crash([], World(), {})
    facts, run = lived(program, after, None)
    for where, happened in cuts:
        after = crash(facts, 2 + round(where * (len(facts) - 2)), happened=happened)
        replay(program, after.facts, run)
        facts, _ = lived(program, after, run)
        check_record(facts, resent=True)
        check_order(facts, network_of(program))
        replay(program, facts, run)
        done = Counter(
            fact.name
            for fact in facts
            if isinstance(fact, Effect) and fact.kind == "effect" and fact.n and fact.status == "done"
        )
        in_doubt = Counter(effect.name for effect in doubts(facts))  # of steps of agents that were removed meanwhile
        assert after.world.done - in_doubt <= done <= after.world.done
    assert sum(isinstance(fact, Begun) for fact in facts) <= len(cuts) + 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(programs, cuts, st.lists(st.tuples(names, names), min_size=2, max_size=6))
def test_agents_may_be_removed_while_they_are_at_work(
    program: Program, cuts: Sequence[tuple[float, bool]], leaving: Sequence[tuple[str, str]]
) -> None:
    program = replace(program, stop=None, homes=dict.fromkeys(program.homes, 1))
    for by, who in leaving:
        program.acts[by].insert(len(program.acts[by]) // 2, ("leave", who))
    after = Crash([], World(), {})
    Actor.leaves = True
    try:
        facts, run = lived(program, after, None)
        for where, happened in cuts:
            after = crash(facts, 2 + round(where * (len(facts) - 2)), happened=happened)
            facts, _ = lived(program, after, run)
            check_record(facts, resent=True)
    finally:
        Actor.leaves = False


def replay(program: Program, facts: Sequence[Fact], run: str) -> None:
    world = Actor.outside = World()
    network = network_of(program)

    async def main() -> None:
        journal = MemoryJournal()
        await journal.write(run, facts)
        await network.replay(journal, run)
        assert not world.done

    simulation.run(main())
