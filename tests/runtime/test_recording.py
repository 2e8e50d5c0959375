"""Runs that are recorded: what a journal is given, and what a run that goes on does with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Limits, Message, simulation
from llm_net.chat import Chunk, Completion, Request, Text, TextDelta, Usage, user
from llm_net.errors import (
    AgentFailed,
    Diverged,
    EffectFailed,
    InDoubt,
    JournalFailed,
    NotResumable,
    UnknownRun,
)
from llm_net.journal import MemoryJournal
from llm_net.llm.function import FunctionModel
from llm_net.ports import REPEAT
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Select, Sent
from llm_net.wire import kind_of, upcast


async def facts_of(journal: MemoryJournal, run: str) -> list[Fact]:
    return [fact async for fact in journal.read(run)]


async def killed(journal: MemoryJournal, run: str, until: Callable[[Fact], bool]) -> MemoryJournal:
    """What is left of a run whose process was killed as soon as a fact was written."""
    facts = await facts_of(journal, run)
    last = next(index for index, fact in enumerate(facts) if until(fact))
    rest = MemoryJournal()
    await rest.write(run, facts[: last + 1])
    return rest


class Cook(GenAgent):
    """Does something outside, and answers with what came of it."""

    served: list[str] = []
    outside: ClassVar[list[str]] = []
    repeats: ClassVar[Any] = "once"

    async def arequest(self, message: Message) -> Message:
        def cook(key: str = "") -> str:
            self.outside.append(key or message.body)
            if message.body == "nothing":
                raise KeyError("no such dish")
            return f"{message.body} no. {len(self.outside)}"

        dish = await self.effect("cook", cook, repeats=self.repeats)
        self.served.append(dish)
        return message.reply(body=dish)


class Careful(Cook):
    repeats: ClassVar[Any] = "idempotent"


class Light(Cook):
    repeats: ClassVar[Any] = "pure"


@pytest.fixture(autouse=True)
def _nothing_cooked() -> None:
    Cook.outside.clear()


def kitchen(kind: type[Cook] = Cook) -> GenNetwork:
    return GenNetwork(id="kitchen", agents=[kind(id="cook")])


async def recorded(network: GenNetwork, journal: Any, *bodies: str) -> str:
    async with network.run(journal=journal, limits=Limits(seconds=None)) as run:
        for body in bodies:
            await run.send(Message(body=body, receiver="cook"))
    return run.id


def intended(fact: Fact) -> bool:
    return isinstance(fact, Effect) and fact.status == "intent"


def known(fact: Fact) -> bool:
    return isinstance(fact, Effect) and fact.status == "done"


# ---------------------------------------------------------------------------------------------- the record


def test_a_run_has_a_beginning_an_end_and_each_message_once() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup", "fish")
        facts = await facts_of(journal, name)

        assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
        assert isinstance(facts[0], Begun)
        assert isinstance(facts[-1], Finished)
        assert facts[-1].status == "done"
        sent = [fact for fact in facts if isinstance(fact, Sent)]
        assert [fact.method for fact in sent if fact.waits] == ["request", "request"]
        assert {fact.number for fact in facts if isinstance(fact, Ended)} == {
            fact.number for fact in sent if fact.waits
        }

    asyncio.run(main())


def test_messages_are_named_after_the_step_that_sends_them() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup")
        facts = await facts_of(journal, name)
        begun, reply = facts[0], next(fact for fact in facts if isinstance(fact, Sent) and fact.step)

        assert isinstance(begun, Begun)
        assert reply.id == f"{begun.seed:x}-{reply.step}.1"

    asyncio.run(main())


def test_an_agent_that_no_resume_could_find_is_refused_before_anything_happens() -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Cook()])
        journal = MemoryJournal()
        with pytest.raises(NotResumable, match=r"agent 'Cook:\w{8}' has an id made by chance.*give it one: id=…"):
            await recorded(network, journal, "soup")
        assert not await journal.runs()

    asyncio.run(main())


def test_a_journal_that_cannot_be_written_ends_the_run_which_goes_on_later() -> None:
    class Full(MemoryJournal):
        space = 4

        async def write(self, run: str, facts: Sequence[Fact]) -> None:
            self.space -= 1
            if self.space < 0:
                raise JournalFailed("the disk is full; make room")
            await super().write(run, facts)

    async def main() -> None:
        journal = Full()
        with pytest.raises(JournalFailed, match="the disk is full; make room"):
            await recorded(kitchen(Light), journal, *("soup" for _ in range(2_000)))
        journal.space = 1_000
        (kept,) = await journal.runs()
        network = kitchen(Light)
        async with network.resume(journal, kept.run) as run:
            pass
        assert run.status == "done"
        assert len(network["cook"].served) == run.statistics().handled // 2 > 0  # type: ignore[attr-defined]

    asyncio.run(main())


def test_a_slow_journal_slows_the_run_and_does_not_fill_the_memory() -> None:
    most = 0

    class Slow(MemoryJournal):
        async def write(self, run: str, facts: Sequence[Fact]) -> None:
            nonlocal most
            most = max(most, len(facts))
            for _ in range(200):
                await asyncio.sleep(0)
            await super().write(run, facts)

    class Runner(GenAgent):
        def run_on(self, message: Message) -> Message | None:
            return message.reply(method="run_on", receiver=self) if len(message.body) < 5 else None

    async def main() -> None:
        network = GenNetwork(id="n", agents=[Runner(id=f"r{n}") for n in range(100)])
        async with network.run(journal=Slow(), limits=Limits(messages=30_000, depth=None)) as run:
            for agent in network:
                await run.send(Message(method="run_on", receiver=agent))
            await asyncio.sleep(0)
            while run.statistics().sent < 29_000:
                await asyncio.sleep(0)
            run.cancel()

    asyncio.run(main())
    assert 5_000 < most < 15_000


def test_two_processes_cannot_go_on_with_one_run() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup", "fish")
        rest = await killed(journal, name, known)
        async with kitchen().resume(rest, name) as first:
            with pytest.raises(JournalFailed):
                async with kitchen().resume(rest, name) as second:
                    await first.wait()
                    await second.wait()

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- going on


def test_what_was_learned_from_outside_is_not_asked_again() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup")
        rest = await killed(journal, name, known)
        network = kitchen()
        async with network.resume(rest, name) as run:
            pass
        assert Cook.outside == ["soup"]
        assert network["cook"].served == ["soup no. 1"]  # type: ignore[attr-defined]
        assert run.result is not None
        assert run.result.body == "soup no. 1"

    asyncio.run(main())


def test_nothing_that_must_not_happen_twice_happens_before_the_intent_is_durable() -> None:
    async def main() -> None:
        class Watching(MemoryJournal):
            async def write(self, run: str, facts: Sequence[Fact]) -> None:
                await super().write(run, facts)
                if any(map(intended, facts)):
                    assert not Cook.outside
                    seen.append(run)

        seen: list[str] = []
        await recorded(kitchen(), Watching(), "soup")
        assert seen
        assert Cook.outside

    asyncio.run(main())


def test_a_call_in_doubt_is_for_a_human_who_says_what_came_of_it() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup")
        rest = await killed(journal, name, intended)
        for _ in range(2):  # as often as one asks
            with pytest.raises(AgentFailed) as failed:
                async with kitchen().resume(rest, name):
                    pass
        doubt = failed.value.__cause__
        assert isinstance(doubt, InDoubt)
        assert (doubt.agent, doubt.name) == ("cook", "cook")
        assert Cook.outside == ["soup"]
        network = kitchen()
        async with network.resume(rest, name, settle={doubt.key: "soup, found on the table"}) as run:
            pass
        assert run.result is not None
        assert run.result.body == "soup, found on the table"
        assert Cook.outside == ["soup"]

    asyncio.run(main())


def test_or_who_says_that_it_has_not_happened() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup")
        rest = await killed(journal, name, intended)
        effect = next(fact for fact in await facts_of(rest, name) if isinstance(fact, Effect))
        async with kitchen().resume(rest, name, settle={effect.key: REPEAT}) as run:
            pass
        assert run.status == "done"
        assert Cook.outside == ["soup", "soup"]

    asyncio.run(main())


def test_an_idempotent_call_is_repeated_with_the_same_key() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(Careful), journal, "soup", "fish")
        rest = await killed(journal, name, intended)
        async with kitchen(Careful).resume(rest, name):
            pass
        keys = Cook.outside
        assert len(keys) == 3 or len(keys) == 4
        assert len(set(keys)) == 2

    asyncio.run(main())


def test_an_error_from_outside_is_met_again_as_it_was() -> None:
    class Sorry(Light):
        async def arequest(self, message: Message) -> Message:
            try:
                return await super().arequest(message)
            except KeyError as error:
                first = type(error).__name__
            await self.effect("apologise", lambda: None, repeats="pure")
            return message.reply(body=f"sorry, {first}")

    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(Sorry), journal, "nothing")
        rest = await killed(journal, name, known)
        async with kitchen(Sorry).resume(rest, name) as run:
            pass
        assert run.result is not None
        assert run.result.body == "sorry, KeyError"
        assert Cook.outside == ["nothing"]

    asyncio.run(main())


def test_an_error_of_a_class_that_is_not_known_keeps_its_name_and_words() -> None:
    class Burnt(Exception):
        pass

    class Clumsy(GenAgent):
        async def arequest(self, message: Message) -> Message:
            def burn() -> None:
                raise Burnt("black")

            try:
                await self.effect("cook", burn, repeats="pure")
            except (Burnt, EffectFailed) as error:
                what = f"{error}"
            await self.effect("wait", lambda: None, repeats="pure")
            return message.reply(body=what[-5:])

    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(GenNetwork(id="n", agents=[Clumsy(id="cook")]), journal, "soup")
        rest = await killed(journal, name, known)
        async with GenNetwork(id="n", agents=[Clumsy(id="cook")]).resume(rest, name) as run:
            pass
        assert run.result is not None
        assert run.result.body == "black"

    asyncio.run(main())


def test_a_result_that_no_journal_could_keep_is_an_error_also_without_a_journal() -> None:
    class Odd(GenAgent):
        async def arequest(self, message: Message) -> None:
            await self.effect("odd", object, repeats="pure")

    async def main() -> None:
        with pytest.raises(AgentFailed, match=r"TypeError: what the effect gave cannot be kept: .*returns=…"):
            async with GenNetwork(agents=[Odd(id="odd")]).run(Message(receiver="odd")):
                pass

    asyncio.run(main())


def test_a_delay_ends_when_it_would_have_ended_though_nobody_was_there() -> None:
    class Sleeper(GenAgent):
        async def arequest(self, message: Message) -> Message:
            await self.delay(3600)
            return message.reply(body=f"{self.now():%H:%M}")

    async def main() -> None:
        journal = MemoryJournal()
        network = GenNetwork(id="n", agents=[Sleeper(id="cook")])
        name = await recorded(network, journal, "")
        rest = await killed(journal, name, intended)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(-1800 + 3600)  # the process was away, and half of the next hour is over
        before = loop.time()
        async with GenNetwork(id="n", agents=[Sleeper(id="cook")]).resume(rest, name) as run:
            pass
        assert loop.time() == before  # it was due while nobody was there
        assert begun < before
        assert run.result is not None
        assert run.result.body >= "01:00"

    simulation.run(main())


def test_a_run_that_waits_for_an_answer_from_outside_goes_on_with_it() -> None:
    class Clerk(GenAgent):
        granted: list[str] = []

        async def arequest(self, message: Message) -> Message:
            answer = await self.call(Message(method="ask", body=f"May I {message.body}?", receiver=message.sender))
            self.granted.append(answer.body)
            return message.reply(body=f"{message.body}: {answer.body}")

    def office() -> GenNetwork:
        return GenNetwork(id="office", agents=[Clerk(id="clerk")])

    async def main() -> None:
        journal = MemoryJournal()
        async with office().run(journal=journal) as run:
            await run.send(Message(body="pay", sender="boss", receiver="clerk"))
        assert run.status == "waiting"
        assert run.result is not None
        question = run.result
        assert question.body == "May I pay?"
        async with office().resume(journal, run.id) as again:  # asked too early: it still waits
            pass
        assert again.status == "waiting"
        network = office()
        async with network.resume(journal, run.id, question.reply(body="yes", sender="boss")) as last:
            pass
        assert last.status == "done"
        assert last.result is not None
        assert last.result.body == "pay: yes"
        assert network["clerk"].granted == ["yes"]  # type: ignore[attr-defined]
        await office().replay(journal, run.id)

    asyncio.run(main())


def test_members_and_links_are_as_they_were() -> None:
    class Guest(GenAgent):
        name: str = "nobody"
        heard_of: list[str] = []

        def news(self, message: Message) -> None:
            self.heard_of.append(message.body)

    class Host(GenAgent):
        async def arequest(self, message: Message) -> None:
            if message.body == "leave":
                self.network.remove("old")
            else:
                self.network.add(Guest(id=message.body, name=f"Mr {message.body}"))
                self.network.link(self, "news", message.body)
            self.emit("news", Message(body=message.body))

    def house() -> GenNetwork:
        return GenNetwork(id="house", agents=[GenNetwork(id="hall", agents=[Host(id="host"), Guest(id="old")])])

    async def main() -> None:
        journal = MemoryJournal()
        async with house().run(journal=journal) as run:
            for body in ("anna", "leave", "bert"):
                await run.send(Message(body=body, receiver="hall/host"))
        network = house()
        async with network.resume(journal, run.id, Message(body="carl", receiver="hall/host")) as run:
            pass
        hall = network["hall"]
        assert isinstance(hall, GenNetwork)
        assert [agent.id for agent in hall] == ["host", "anna", "bert", "carl"]
        assert hall["anna"].heard_of == ["anna", "leave", "bert", "carl"]  # type: ignore[attr-defined]
        assert hall["bert"].name == "Mr bert"  # type: ignore[attr-defined]

    asyncio.run(main())


def test_an_older_state_and_an_older_message_are_read_by_younger_code() -> None:
    def older() -> tuple[Any, Any]:
        class Order(Message):
            dish: str

        class Waiter(GenAgent):
            orders: list[str] = []

            async def aorder(self, message: Order) -> None:
                self.orders.append(message.dish)
                await self.effect("write", lambda: None)

        return Waiter, Order

    def younger() -> tuple[Any, Any]:
        class Order(Message):
            version: ClassVar[int] = 2
            dishes: list[str]

        class Waiter(GenAgent):
            dishes: dict[str, int] = {}

            @classmethod
            def upcast_state(cls, fields: dict[str, Any]) -> dict[str, Any]:
                orders = fields.pop("orders", None)
                return fields if orders is None else {**fields, "dishes": dict.fromkeys(orders, 1)}

            async def aorder(self, message: Order) -> None:
                self.dishes.update(dict.fromkeys(message.dishes, 1))

        return Waiter, Order

    async def main() -> None:
        journal = MemoryJournal()
        waiter, order = older()
        async with GenNetwork(id="n", agents=[waiter(id="w")]).run(journal=journal) as run:
            await run.send(order(dish="soup", receiver="w"))
            await run.send(order(dish="fish", receiver="w"))

        def second(fact: Fact) -> bool:
            return isinstance(fact, Ended)

        rest = await killed(journal, run.id, second)
        changed_waiter, changed_order = younger()
        old = next(fact.kind for fact in await facts_of(rest, run.id) if isinstance(fact, Sent))

        @upcast(old, changed_order)
        def dishes(fields: dict[str, Any]) -> dict[str, Any]:
            dish = fields.pop("dish")
            return {**fields, "dishes": [dish]}

        network = GenNetwork(id="n", agents=[changed_waiter(id="w")])
        async with network.resume(rest, run.id):
            pass
        assert network["w"].dishes == {"soup": 1, "fish": 1}  # type: ignore[attr-defined]

    asyncio.run(main())


def test_a_step_that_sends_a_message_of_a_younger_kind_says_the_same() -> None:
    def older() -> tuple[Any, Any]:
        class Bill(Message):
            euros: int

        class Till(GenAgent):
            bills: list[int] = []

            async def arequest(self, message: Message) -> AsyncGenerator[Message]:
                self.emit("billed", Bill(euros=3))
                yield Bill(euros=4, receiver="log")
                await self.effect("print", lambda: None, repeats="pure")
                self.bills.append(4)

        return Till, Bill

    def younger(cents: int) -> tuple[Any, Any]:
        class Bill(Message):
            version: ClassVar[int] = 2
            cents: int
            currency: str = "EUR"

        class Till(GenAgent):
            cents: list[int] = []

            @classmethod
            def upcast_state(cls, fields: dict[str, Any]) -> dict[str, Any]:
                bills = fields.pop("bills", None)
                return fields if bills is None else {**fields, "cents": [100 * bill for bill in bills]}

            async def arequest(self, message: Message) -> AsyncGenerator[Message]:
                self.emit("billed", Bill(cents=300))
                yield Bill(cents=cents, receiver="log")
                await self.effect("print", lambda: None, repeats="pure")
                self.cents.append(cents)

        return Till, Bill

    class Log(GenAgent):
        def missing(self, message: Message) -> None:
            pass

    def shop(till: Any) -> GenNetwork:
        return GenNetwork(id="n", agents=[till(id="till"), Log(id="log")], links=[("till", "billed", "log")])

    async def main() -> None:
        journal = MemoryJournal()
        till, bill = older()
        async with shop(till).run(Message(receiver="till"), journal=journal) as run:
            pass
        rest = await killed(journal, run.id, known)
        till, new_bill = younger(400)

        @upcast(kind_of(bill), new_bill)
        def cents(fields: dict[str, Any]) -> dict[str, Any]:
            euros = fields.pop("euros")
            return {**fields, "cents": 100 * euros}

        network = shop(till)
        async with network.resume(rest, run.id):
            pass
        assert network["till"].cents == [400]  # type: ignore[attr-defined]
        await shop(till).replay(rest, run.id)
        await shop(till).replay(journal, run.id)

        till, new_bill = younger(500)  # the same version, which says something else
        upcast(kind_of(bill), new_bill)(cents)
        with pytest.raises(Diverged, match="message 2"):
            await shop(till).replay(journal, run.id)

    asyncio.run(main())


def test_other_code_than_was_recorded_is_found_out() -> None:
    class Other(Cook):
        async def arequest(self, message: Message) -> Message:
            await self.effect("wash", lambda: None, repeats="pure")
            return await super().arequest(message)

    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup")
        rest = await killed(journal, name, known)
        with pytest.raises(
            Diverged, match="question 1 to the outside: recorded was effect 'cook', now it is effect 'wash'"
        ):
            async with kitchen(Other).resume(rest, name):
                pass
        with pytest.raises(Diverged, match="recorded was effect 'cook', now it is effect 'wash'"):
            await kitchen(Other).replay(journal, name)

    asyncio.run(main())


def test_a_network_that_lacks_somebody_is_told_who() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup")
        rest = await killed(journal, name, lambda fact: isinstance(fact, Sent))
        with pytest.raises(NotResumable, match="'request' waits for 'cook', who is not there"):
            async with GenNetwork(id="kitchen").resume(rest, name):
                pass
        with pytest.raises(UnknownRun):
            async with kitchen().resume(rest, "another"):
                pass

    asyncio.run(main())


def test_what_is_said_of_the_pieces_of_an_answer_is_heard_when_the_answer_is_on_record() -> None:
    class Teller(GenAgent):
        model: Any = None

        async def arequest(self, message: Message) -> None:
            async with aclosing(self.stream(self.model, Request([user("Tell.")]))) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, TextDelta):
                        self.emit("word", Message(body=chunk.text))

    class Listener(GenAgent):
        heard_so_far: str = ""

        def word(self, message: Message) -> None:
            self.heard_so_far += message.body

    def stage(*words: str) -> GenNetwork:
        class Words(FunctionModel):
            async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
                for word in words:
                    yield TextDelta(word)
                yield Completion((Text("".join(words)),), Usage(1, 1, len(words)), "words")

        async def never(request: Request) -> str:
            raise AssertionError

        teller = Teller(id="teller", model=Words(never))
        return GenNetwork(id="stage", agents=[teller, Listener(id="ear")], links=[("teller", "word", "ear")])

    async def main() -> None:
        journal = MemoryJournal()
        network, live = stage("Once ", "upon ", "a time"), list[str]()
        network["teller"].on("word", lambda event: live.append(event.message.body))
        async with network.run(Message(receiver="teller"), journal=journal) as run:
            pass
        assert live == ["Once ", "upon ", "a time"]
        facts = await facts_of(journal, run.id)
        for cut in range(2, len(facts)):
            rest = MemoryJournal()
            await rest.write(run.id, facts[:cut])
            again = stage("Never ", "more")  # the model says something else now
            async with again.resume(rest, run.id):
                pass
            heard = again["ear"].heard_so_far  # type: ignore[attr-defined]
            assert heard in ("Once upon a time", "Never more")
            assert (heard == "Never more") == (not any(map(known, facts[:cut])))
        await stage("Never more").replay(journal, run.id)

    asyncio.run(main())


def test_a_replay_ends_where_all_that_ended_was_done_by_one_whom_a_step_brought_that_did_not() -> None:
    class Host(GenAgent):
        async def arequest(self, message: Message) -> None:
            self.network.add(Guest(id="anna"))
            await self.send(Message(method="news", body="hello", receiver="anna"))
            await self.call(Message(method="ask", body="And now?"))

    async def main() -> None:
        journal = MemoryJournal()
        root = Message(sender="boss", receiver="host")
        async with GenNetwork(id="house", agents=[Host(id="host")]).run(root, journal=journal) as run:
            pass
        again = GenNetwork(id="house", agents=[Host(id="host")]).replay(journal, run.id)
        assert (await asyncio.wait_for(again, 10)).sent == 3

    asyncio.run(main())


def test_what_waits_for_somebody_who_is_yet_to_come_goes_to_no_namesake() -> None:
    class Host(GenAgent):
        async def arequest(self, message: Message) -> None:
            if message.body == "begin":
                self.network.add(Guest(id="anna"))
                await self.send(Message(method="news", body="hello", receiver="anna"))
                await self.effect("greet", lambda: None, repeats="pure")

    def house() -> GenNetwork:
        return GenNetwork(id="house", agents=[Host(id="host"), GenNetwork(id="attic", agents=[Guest(id="anna")])])

    async def main() -> None:
        journal = MemoryJournal()
        async with house().run(Message(body="begin", receiver="host"), journal=journal) as run:
            pass

        def said(fact: Fact) -> bool:
            return isinstance(fact, Sent) and fact.receiver == "anna"

        rest = await killed(journal, run.id, said)
        network = house()
        async with network.resume(rest, run.id):
            pass
        assert network["anna"].heard_of == ["hello"]  # type: ignore[attr-defined]
        assert network["attic/anna"].heard_of == []  # type: ignore[attr-defined]
        await house().replay(rest, run.id)

    asyncio.run(main())


def test_the_state_of_one_whose_removal_does_not_count_yet_is_kept() -> None:
    class Worker(GenAgent):
        done: int = 0

        async def arequest(self, message: Message) -> None:
            await self.delay(0.01)
            self.done += 1

    class Chief(GenAgent):
        async def arequest(self, message: Message) -> None:
            self.network.remove("worker")
            await self.call(Message(method="ask", body="Was that right?", receiver=message.sender))

    async def main() -> None:
        journal = MemoryJournal()
        network = GenNetwork(id="n", agents=[Worker(id="worker"), Chief(id="chief")])
        async with network.run(journal=journal) as run:
            for receiver in ("worker", "chief"):
                await run.send(Message(sender="boss", receiver=receiver))
        assert run.status == "waiting"
        opened = await journal.open(run.id)
        assert [sent.receiver for sent in opened.pending] == [
            "chief"
        ]  # whose step may be repeated, or fail the next time
        assert b'"done":1' in opened.states["worker"][0].body

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- the same objects again


class Registrar(GenAgent):
    """Changes everything in reach, and only then waits."""

    asked: list[str] = []
    limit: int = 1

    @cached_property
    def first(self) -> str:
        return self.asked[0]

    async def arequest(self, message: Message) -> Message:
        self.asked.append(message.body)
        assert self.first == self.asked[0]
        hall = self.network
        old = hall.remove("old")
        hall.add(Guest(id="old", heard_of=["a namesake"]))
        hall.add(Guest(id=message.body))
        hall.link(self, "news", message.body)
        assert isinstance(old, Guest)
        old.heard_of.append("it has to go")
        answer = await self.call(Message(method="ask", body=f"{message.body}?", receiver=message.sender))
        if answer.body == "fail":
            raise ValueError("as written")
        self.emit("news", Message(body=answer.body))
        return message.reply(body=f"{message.body}: {answer.body}")


class Guest(GenAgent):
    heard_of: list[str] = []

    def news(self, message: Message) -> None:
        self.heard_of.append(message.body)


def hall() -> GenNetwork:
    return GenNetwork(id="hall", agents=[Registrar(id="host"), Guest(id="old"), Guest(id="last")])


def everything(network: GenNetwork) -> dict[str, Any]:
    return {agent.id: agent.model_dump() for agent in network} | {"links": list(network.links)}


def test_what_an_interrupted_step_changed_is_taken_back_in_objects_that_go_on() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        network, before = hall(), everything(hall())
        async with network.run(Message(body="anna", sender="boss", receiver="host"), journal=journal) as run:
            pass
        assert run.status == "waiting"
        assert run.result is not None
        assert everything(network) != before
        async with network.resume(journal, run.id):
            pass  # which waits once more, and changes it all once more
        changed = everything(network)
        fresh = hall()
        async with fresh.resume(journal, run.id):
            pass
        assert changed == everything(fresh)
        fail = run.result.reply(body="fail", sender="boss")
        with pytest.raises(AgentFailed, match="as written"):
            async with network.fork(journal, run.id, at=run.result.id) as fork:
                await fork.send(fail)
        yes = run.result.reply(body="yes", sender="boss")
        for which in (network, fresh):
            kept = MemoryJournal()
            await kept.write(run.id, await facts_of(journal, run.id))
            async with which.resume(kept, run.id, yes) as last:
                pass
            assert last.status == "done"
        assert everything(network) == everything(fresh)
        assert network["host"].asked == ["anna"]  # type: ignore[attr-defined]
        assert [agent.id for agent in network] == ["host", "last", "old", "anna"]
        await network.replay(kept, run.id)
        assert everything(network) == everything(fresh)

    asyncio.run(main())


def test_a_step_that_was_cancelled_has_changed_nothing_when_it_is_repeated() -> None:
    class Broken(MemoryJournal):
        async def write(self, run: str, facts: Sequence[Fact]) -> None:
            if any(isinstance(fact, Ended) for fact in facts):
                raise JournalFailed("disk full")
            await super().write(run, facts)

    class Sleepy(GenAgent):
        count: int = 0
        asleep: ClassVar[bool] = True

        async def arequest(self, message: Message) -> None:
            self.count += 1
            await asyncio.sleep(1000 if self.asleep else 0)

    async def main() -> None:
        journal = MemoryJournal()
        network = GenNetwork(id="n", agents=[Sleepy(id="s")])
        async with network.run(Message(receiver="s"), journal=journal) as run:
            while not network["s"].count:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            run.cancel()
        Sleepy.asleep = False
        broken = Broken()
        await broken.write(run.id, await facts_of(journal, run.id))
        with pytest.raises(JournalFailed):  # the step ended, but the disk knows nothing of it
            async with network.resume(broken, run.id):
                pass
        async with network.resume(journal, run.id):
            pass
        assert network["s"].count == 1  # type: ignore[attr-defined]

    asyncio.run(main())


def test_objects_that_another_run_has_changed_cannot_go_on() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        network = hall()
        runs = []
        for name in ("anna", "bert"):
            async with network.run(Message(body=name, sender="boss", receiver="host"), journal=journal) as run:
                pass
            runs.append(run.id)
            if name == "anna":
                network["old"].heard_of.append("something")  # type: ignore[attr-defined]
        with pytest.raises(NotResumable, match="another run has changed the object of 'h.*'.*build the network anew"):
            async with network.resume(journal, runs[0]):
                pass
        async with network.resume(journal, runs[1]) as last:
            pass
        assert last.status == "waiting"

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- forks


def test_a_fork_shares_the_past_and_nothing_else() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        name = await recorded(kitchen(), journal, "soup", "fish")
        select = Select(facts=(Sent,))
        second = [fact async for fact in journal.read(name, select) if isinstance(fact, Sent)][1]
        Cook.outside.clear()
        network = kitchen()
        async with network.fork(journal, name, at=second.id, edit={"body": "cake"}) as run:
            pass
        assert run.id != name
        assert network["cook"].served[-1].startswith("cake")  # type: ignore[attr-defined]
        assert [one.parent for one in await journal.runs()] == [None, name]
        await kitchen().replay(journal, name)
        await kitchen().replay(journal, run.id)

    asyncio.run(main())


def test_who_edits_a_message_edits_it_for_all_who_hear_it_and_for_what_answers_it() -> None:
    class Speaker(GenAgent):
        async def arequest(self, message: Message) -> None:
            self.emit("news", Message(body="rain"))
            await self.effect("wait", lambda: None, repeats="pure")

    class Echo(GenAgent):
        heard_of: list[str] = []

        async def anews(self, message: Message) -> Message:
            self.heard_of.append(message.body)
            return message.reply(method="again", body="?", receiver=self)

        async def aagain(self, message: Message) -> None:
            assert message.reply_to is not None
            answer = await self.call(Message(method="ask", body=f"{message.reply_to.body}?"))
            self.heard_of.append(f"{message.reply_to.body}: {answer.body}")

    def square() -> GenNetwork:
        agents = [Speaker(id="speaker"), Echo(id="one"), Echo(id="two")]
        return GenNetwork(id="n", agents=agents, links=[("speaker", "news", "one"), ("speaker", "news", "two")])

    async def main() -> None:
        journal = MemoryJournal()
        async with square().run(Message(receiver="speaker"), journal=journal) as run:
            pass
        news = next(fact for fact in await facts_of(journal, run.id) if isinstance(fact, Sent) and fact.event)
        async with square().fork(journal, run.id, at=news.id, edit={"body": "sun"}) as fork:
            pass
        edits = [fact for fact in await facts_of(journal, fork.id) if isinstance(fact, Sent) and fact.edited]
        assert [edit.receiver for edit in edits] == ["one", "two"]
        for name in ("one", "two"):
            (question,) = [
                sent
                for sent in await facts_of(journal, fork.id)
                if isinstance(sent, Sent) and sent.sender == name and sent.method == "ask"
            ]
            network = square()
            answer = Message(body="yes", sender="boss", receiver=name, reply_to=Message(id=question.id))
            async with network.resume(journal, fork.id, answer):
                pass
            assert network[name].heard_of == ["sun", "sun: yes"]  # type: ignore[attr-defined]
            await square().replay(journal, fork.id)

    asyncio.run(main())


def test_time_in_a_step_is_that_of_the_record() -> None:
    class Clock(GenAgent):
        async def arequest(self, message: Message) -> Message:
            first = self.now()
            await self.effect("look", lambda: None, repeats="pure")
            second = self.now()
            await self.effect("look", lambda: None, repeats="pure")
            reply = message.reply(body=f"{first} {second} {self.random.random()}")
            assert reply.created_at >= second > first - timedelta(seconds=1)
            return reply

    async def main() -> None:
        journal = MemoryJournal()
        async with GenNetwork(id="n", agents=[Clock(id="c")]).run(Message(receiver="c"), journal=journal) as run:
            pass
        rest = await killed(journal, run.id, known)
        async with GenNetwork(id="n", agents=[Clock(id="c")]).resume(rest, run.id) as again:
            pass
        assert run.result is not None
        assert again.result is not None
        assert run.result.body.split()[:2] == again.result.body.split()[:2]
        assert run.result.body.split()[-1] == again.result.body.split()[-1]
        await GenNetwork(id="n", agents=[Clock(id="c")]).replay(journal, run.id)

    asyncio.run(main())
