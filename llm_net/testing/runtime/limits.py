"""The limits of a run hold exactly. Knows nothing of who else ends a run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import Field

from llm_net.base import DEFAULT_LIMITS, GenAgent, GenNetwork
from llm_net.chat import Price, Request, Settings, user
from llm_net.errors import LimitReached
from llm_net.llm.scripted import ScriptedModel
from llm_net.message import Message
from llm_net.testing.runtime.agents import Fails, hang
from llm_net.testing.runtime.place import Place, equal


class Ring(GenAgent):
    """Passes every message on, for ever."""

    to: str
    passed: int = 0

    def request(self, message: Message) -> Message:
        self.passed += 1
        return Message(receiver=self.to)


class Spreads(GenAgent):
    """Sends many at once, for ever."""

    to: list[str]

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        for to in self.to:
            yield Message(receiver=to)


async def check_limits(place: Place) -> None:
    ring = [Ring(id=f"r{n}", to=f"r{(n + 1) % 3}") for n in range(3)]
    limits = replace(DEFAULT_LIMITS, messages=50)
    ended = await place.play(GenNetwork(id="net", agents=ring), Message(receiver="r0"), limits=limits)
    assert isinstance(ended.error, LimitReached), f"a run at its limit ends with {ended.error!r}"
    equal((ended.error.limit, ended.run.status), ("messages", "limited"), "the limit")
    equal((ended.run.statistics().sent, sum(agent.passed for agent in ring)), (50, 50), "messages sent, and handled")

    ring = [Ring(id=f"r{n}", to=f"r{(n + 1) % 3}") for n in range(3)]
    limits = replace(DEFAULT_LIMITS, depth=20)
    ended = await place.play(GenNetwork(id="net", agents=ring), Message(receiver="r0"), limits=limits)
    assert isinstance(ended.error, LimitReached), f"a run at its limit ends with {ended.error!r}"
    equal((ended.error.limit, sum(agent.passed for agent in ring)), ("depth", 20), "the limit, and messages handled")

    names = [f"s{n}" for n in range(4)]
    limits = replace(DEFAULT_LIMITS, messages=77, depth=None)
    network = GenNetwork(id="net", agents=[Spreads(id=name, to=names) for name in names])
    ended = await place.play(network, Message(receiver="s0"), limits=limits)
    equal(ended.run.statistics().sent, 77, "the number of messages, where many are sent at once")

    limits = replace(DEFAULT_LIMITS, seconds=0.05)
    ended = await place.play(GenNetwork(id="net", agents=[Fails(id="f")]), hang("f"), limits=limits)
    assert isinstance(ended.error, LimitReached), f"a run that takes too long ends with {ended.error!r}"
    equal((ended.error.limit, ended.run.statistics().cancelled), ("seconds", 1), "the limit, and messages cancelled")


class Spender(GenAgent):
    """Asks a model for as long as it may."""

    model: Any = Field(exclude=True, repr=False)
    asked: int = 0
    met: str = ""

    async def arequest(self, message: Message) -> None:
        settings = Settings(max_tokens=10)
        try:
            for _ in range(100):
                await self.complete(self.model, Request((user("one two three"),), settings=settings))
                self.asked += 1
        except LimitReached as error:
            self.met = error.limit
            raise


class Meter(ScriptedModel):
    """Takes ten tokens of output for every answer, and a while."""

    def __init__(self, price: Price) -> None:
        super().__init__(["w " * 10], cycle=True, latency=0.001, price=price)


async def check_budgets(place: Place) -> None:
    price = Price(Decimal(1_000), Decimal(1_000))
    for limits in (replace(DEFAULT_LIMITS, tokens=500), replace(DEFAULT_LIMITS, tokens=None, money=Decimal("0.5"))):
        model = Meter(price)
        agents = [Spender(id=f"s{n}", model=model) for n in range(4)]
        network = GenNetwork(id="net", agents=agents)
        ended = await place.play(network, *(Message(receiver=agent) for agent in agents), limits=limits)
        assert isinstance(ended.error, LimitReached), f"a budget that is spent ends the run with {ended.error!r}"
        usage = ended.run.usage
        answers = len(model.requests)
        assert answers >= 5, f"{answers} answers"
        assert usage.tokens <= 500, f"{usage.tokens} tokens of at most 500"
        assert (usage.cost or Decimal(0)) <= Decimal("0.5"), f"{usage.cost} dollars of at most 0.5"
