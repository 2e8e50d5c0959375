"""A subscription: the lookout tells of all that comes in sight, until the captain has heard enough.

The captain cancels after the second report. The lookout was about to give the third: it crosses the cancel, and is let through.

    python examples/protocols/subscribe.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    captain → lookout  subscribe: Tell me what you see
    lookout → captain  agree
    lookout → sea  watch
    sea → ·  sight: a sail in the west
    sea → ·  sight: a black flag on the sail
    sea → ·  sight: gulls
    lookout → captain  inform: A sail in the west, captain!
    lookout → captain  inform: Pirates! She flies the black flag!
    lookout → captain  inform: And gulls, captain.
    captain → lookout  cancel: All hands on deck
    lookout → captain  inform: Aye, I come down
"""

import sys
from collections.abc import AsyncIterator, Iterator

from pydantic import Field

from llm_net import GenAgent, Message
from llm_net.chat import Request, Settings, system, user
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.acts import Agree, Cancel, Inform, Subscribe
from llm_net.protocols.fipa.fipa import Fipa

SCRIPT = ["A sail in the west, captain!", "Pirates! She flies the black flag!", "And gulls, captain."]
ORDERS = system("You are a ship's lookout. Report what you see in one short sentence.")


class Captain(GenAgent):
    """Wants to know what comes, until it knows enough."""

    reports: int = 0

    def sail(self, message: Message) -> Message:
        return Subscribe(body="Tell me what you see", receiver="lookout", reply_to=message)

    def agree(self, message: Agree) -> None:
        """Then there will be reports."""

    def inform(self, message: Inform) -> Message | None:
        self.reports += 1
        return Cancel.reply(message, body="All hands on deck") if self.reports == 2 else None


class Lookout(GenAgent):
    """Reports what it sees, in a model's words, to whoever subscribed."""

    model: Model = Field(exclude=True, repr=False)
    subscribers: list[Message] = []

    def subscribe(self, message: Subscribe) -> Iterator[Message]:
        self.subscribers.append(message)
        yield Agree.reply(message)
        yield Message(method="watch", receiver="sea", reply_to=message)

    async def asight(self, message: Message) -> AsyncIterator[Message]:
        said = await self.complete(
            self.model,
            Request([ORDERS, user(f"You see {message.body}.")], settings=Settings(max_tokens=30, stop=("\n",))),
        )
        for subscriber in self.subscribers:
            yield Inform.reply(subscriber, body=said.text.strip())

    def cancel(self, message: Cancel) -> Message:
        wish = message.closest(Subscribe)
        self.subscribers = [each for each in self.subscribers if each != wish]
        return Inform.reply(message, body="Aye, I come down")


class Sea(GenAgent):
    """Brings ships; whoever listens sees them."""

    def watch(self, message: Message) -> None:
        for sight in ("a sail in the west", "a black flag on the sail", "gulls"):
            self.emit(Message(method="sight", body=sight))


def network(model: Model | None = None) -> Fipa:
    """A captain, a lookout, and the sea; without a model the lookout has a script."""
    lookout = Lookout(id="lookout", model=model or ScriptedModel(SCRIPT))
    agents = [Captain(id="captain"), lookout, Sea(id="sea")]
    return Fipa(id="ship", agents=agents, links=[("sea", "sight", "lookout")])


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Message(method="sail", receiver="captain")):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
