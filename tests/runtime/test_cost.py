"""Law 9: nothing is serialised, copied or traced unless somebody asked, and a message costs the same wherever it is sent.

Cost is counted in steps of the interpreter, not in seconds, and in a simulated world, where no turn ends because time is up:
the same on every machine.
"""

import asyncio
import copy
import gc
import json
import pickle
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pydantic_core
import pytest
from pydantic import BaseModel

from llm_net import GenAgent, GenNetwork, Limits, Message, simulation
from llm_net.testing.probe import Probe

FAR = Limits(messages=None, depth=None, seconds=None)


class Ping(GenAgent):
    """Sends a message to and fro so many times."""

    partner: str
    left: int = 0

    def request(self, message: Message) -> Message | None:
        self.left -= 1
        return Message(receiver=self.partner) if self.left > 0 else None


class Long(GenAgent):
    """Answers each answer."""

    left: int

    def response(self, message: Message) -> Message | None:
        self.left -= 1
        return message.reply() if self.left > 0 else None

    def begin(self, message: Message) -> Message:
        return Message(method="response", receiver="b")


def steps(act: Callable[[], object]) -> int:
    """How many functions of ours and of Python's libraries are called."""
    count = 0

    def tick(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        if event == "call":
            count += 1

    gc.collect()
    gc.disable()
    sys.setprofile(tick)
    try:
        act()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def exchange(network: GenNetwork, a: str, messages: int) -> float:
    """Calls for each message of an exchange, what it costs to begin and to end left out."""

    def play(number: int) -> int:
        async def main() -> None:
            for _, agent in network.walk():
                if isinstance(agent, Ping):
                    agent.left = number // 2
            async with network.run(Message(receiver=a), limits=FAR) as run:
                await run.wait()

        simulation.run(main())  # once, for what is found only once
        return steps(lambda: simulation.run(main()))

    return (play(3 * messages) - play(messages)) / (2 * messages)


def pair(*others: GenAgent) -> GenNetwork:
    return GenNetwork(id="n", agents=[*others, Ping(id="a", partner="b"), Ping(id="b", partner="a")])


def test_a_message_costs_a_few_calls() -> None:
    assert exchange(pair(), "a", 500) < 25


def test_a_message_costs_the_same_in_a_network_of_100_000_agents() -> None:
    alone, among_many = (
        exchange(pair(), "a", 500),
        exchange(pair(*(Probe(id=f"p{n}") for n in range(100_000))), "a", 500),
    )
    assert among_many <= alone * 1.1


def test_a_message_costs_the_same_ten_networks_deep() -> None:
    network = pair()
    for level in range(10):
        network = GenNetwork(id=f"level{level}", agents=[network])
    assert exchange(network, "a", 500) <= exchange(pair(), "a", 500) * 1.1


def test_a_message_costs_the_same_at_the_end_of_a_long_thread() -> None:
    def play(length: int) -> int:
        async def main() -> None:
            network = GenNetwork(agents=[Long(id="a", left=length // 2), Long(id="b", left=length // 2)])
            async with network.run(Message(method="begin", receiver="a"), limits=FAR) as run:
                await run.wait()

        simulation.run(main())
        return steps(lambda: simulation.run(main()))

    early = play(400) - play(200)
    late = play(20_200) - play(20_000)
    assert late <= early * 1.1


def test_an_event_costs_the_same_for_each_listener_however_many_there_are() -> None:
    class Herald(GenAgent):
        def request(self, message: Message) -> None:
            self.emit("news", Message())

    class Listener(GenAgent):
        def news(self, message: Message) -> None:
            pass

    def play(listeners: int, times: int) -> int:
        agents = [Listener(id=f"l{n}") for n in range(listeners)]
        network = GenNetwork(agents=[Herald(id="h"), *agents], links=[("h", "news", agent) for agent in agents])

        async def main() -> None:
            async with network.run(limits=FAR) as run:
                for _ in range(times):
                    await run.send(Message(receiver="h"))

        simulation.run(main())
        return steps(lambda: simulation.run(main()))

    def each(listeners: int) -> float:
        return (play(listeners, 20) - play(listeners, 10)) / (10 * listeners)

    assert each(1_000) <= each(100) * 1.1


@pytest.mark.parametrize("way", ["sent", "called", "emitted"])
def test_nothing_is_serialised_copied_or_validated_again_on_the_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Review(Message):
        text: str
        parts: list[int]

    class Sender(GenAgent):
        message: Any = None

        async def asent(self, message: Message) -> Message:
            return self.message  # type: ignore[no-any-return]

        async def acalled(self, message: Message) -> None:
            await self.call(self.message)

        def emitted(self, message: Message) -> None:
            self.emit("review", self.message)

    class Critic(GenAgent):
        got: Any = None

        def review(self, message: Review) -> Message | None:
            self.got = message
            return message.reply() if way == "called" else None

    review = Review(receiver="critic", text="words", parts=[1, 2, 3])
    root = Message(method=way, receiver="sender")
    network = GenNetwork(
        agents=[Sender(id="sender", message=review), critic := Critic(id="critic")],
        links=[("sender", "review", "critic")],
    )
    run = network.run(root)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("nobody asked for this")

    async def main() -> None:
        async with run:
            for owner, name in [
                (json, "dumps"),
                (pickle, "dumps"),
                (copy, "deepcopy"),
                (copy, "copy"),
                (BaseModel, "model_dump"),
                (BaseModel, "model_dump_json"),
                (BaseModel, "model_copy"),
                (BaseModel, "model_validate"),
                (pydantic_core, "to_json"),
            ]:
                monkeypatch.setattr(owner, name, refuse)
            try:
                await run.wait()
            finally:
                monkeypatch.undo()

    asyncio.run(main())
    assert critic.got is review
    assert critic.got.parts is review.parts


def test_agents_without_messages_cost_a_run_nothing() -> None:
    def play(agents: int) -> int:
        network = pair(*(Probe(id=f"p{n}") for n in range(agents)))

        async def main() -> None:
            async with network.run(Message(receiver="a"), limits=FAR) as run:
                await run.wait()

        simulation.run(main())
        return steps(lambda: simulation.run(main()))

    assert play(10_000) <= play(10) * 1.1
