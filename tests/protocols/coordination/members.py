"""Members that are no use: silent, late, failing, lying. Know no protocol."""

from __future__ import annotations

from llm_net import GenAgent, Message, handles
from llm_net.protocols.acts import Confirm


class Silent(GenAgent):
    """Hears everything, and says nothing."""

    @handles(Message)
    def hear(self, message: Message) -> None: ...


class Crashing(GenAgent):
    """Fails at everything."""

    @handles(Message)
    def fail(self, message: Message) -> None:
        raise RuntimeError("fell off the ladder")


class Lying(GenAgent):
    """Answers by what no rules know."""

    @handles(Message)
    def lie(self, message: Message) -> Message:
        return Confirm.reply(message)


class Late(GenAgent):
    """Answers when nobody waits any more, and not by the rules."""

    @handles(Message)
    async def alinger(self, message: Message) -> Message:
        await self.delay(100)
        return Confirm.reply(message)
