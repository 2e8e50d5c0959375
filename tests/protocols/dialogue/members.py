"""Members of conversations: those who improvise what the rules allow, and those who do not keep to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import Field

from llm_net import GenAgent, Limits, Message, handles
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.acts import NotUnderstood
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.participant import Voice
from llm_net.simulation import run


class Silent(GenAgent):
    """Takes every message and answers none."""

    @handles(Message)
    def hear(self, message: Message) -> None:
        """Nothing comes of it."""


class Late(GenAgent):
    """Answers after anybody's patience is over."""

    @handles(Message)
    async def ahear(self, message: Message) -> Message:
        await self.delay(200)
        return message.reply(body="good morning")


class Crashing(GenAgent):
    """Fails at everything."""

    @handles(Message)
    def hear(self, message: Message) -> None:
        raise RuntimeError("out of order")


class Lying(GenAgent):
    """Says what it likes, whatever was asked."""

    @handles(Message)
    async def ahear(self, message: Message) -> AsyncIterator[Message]:
        yield message.reply(body="trust me")


class Puzzled(GenAgent):
    """Understands nothing."""

    @handles(Message)
    def hear(self, message: Message) -> Message:
        return NotUnderstood.reply(message, body="what?")


def voice(id: str, seed: int = 0) -> Voice:
    """Says something of what is allowed, by lot."""
    return Voice(id=id, model=ScriptedModel(seed=seed))


WRONG: Sequence[type[GenAgent]] = (Silent, Late, Crashing, Lying, Puzzled)


Says: TypeAlias = Mapping[type[Message], Callable[[Any], Message | None]]
"""What to answer to messages of each class."""


class Member(GenAgent):
    """Answers each message as the function for its class says, or not at all; keeps all that it was told."""

    says: Says = Field(default={}, exclude=True)
    told: list[Message] = Field(default_factory=list, exclude=True)

    @handles(Message)
    def hear(self, message: Message) -> Message | None:
        self.told.append(message)
        say = self.says.get(type(message))
        return None if say is None else say(message)


def outcome(network: InteractionProtocol, root: Message, *, seed: int = 0) -> Message:
    """What comes of it, on a clock that jumps."""

    async def main() -> Message:
        return await network.aresult_of(root, limits=Limits(seconds=100_000))

    return run(main(), seed=seed)
