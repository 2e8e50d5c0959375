"""A dialogue: two agents talk to each other, and the thread of their messages is all the memory they need.

Every reply points to the message it answers, so a message leads back to the beginning of the talk: what I said are the
assistant's turns, what others said the user's. Nobody leads; it is over when somebody has nothing more to say.

    python examples/dialogue.py

prints, with a script in place of a model (`--model local` and `--model openai:gpt-5` take real ones),

    anna → bob  chat: Did you see the bees?
    bob → anna  chat: They are early this year.
    anna → bob  chat: Spring is early too.
    bob → anna  chat: Then so is the honey!
"""

import sys

from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message
from llm_net.chat import Request, Settings, assistant, system, user
from llm_net.llm.local import LocalModel
from llm_net.llm.pydantic_ai import ProviderModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model

SCRIPT = ["Did you see the bees?", "They are early this year.", "Spring is early too.", "Then so is the honey!"]
ONE_LINE = Settings(max_tokens=40, stop=("\n",))


class Neighbour(GenAgent):
    """Talks over the fence."""

    model: Model = Field(exclude=True)
    partner: str
    breath: int = 2  # for so many sentences

    async def arequest(self, message: Message) -> Message:
        """Begins a talk."""
        return Message(method="chat", body=await self._say(message), receiver=self.partner, reply_to=message)

    async def achat(self, message: Message) -> Message | None:
        """Goes on with it."""
        return message.reply(method="chat", body=await self._say(message)) if self.breath else None

    async def _say(self, message: Message) -> str:
        self.breath -= 1
        said = [assistant(m.body) if m.sender is self else user(m.body) for m in message.thread()]
        turns = [system(f"Talk to your neighbour {self.partner}, in one short sentence."), *said]
        return (await self.complete(self.model, Request(turns, settings=ONE_LINE))).text


def network(model: Model | None = None) -> GenNetwork:
    """Two neighbours; without a model the script speaks."""
    words = model or ScriptedModel(SCRIPT)
    anna = Neighbour(id="anna", partner="bob", model=words)
    bob = Neighbour(id="bob", partner="anna", model=words)
    return GenNetwork(agents=[anna, bob])


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Message(body="Talk about the bees", receiver="anna")):
        print(message)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--model", "local"]:
            main(LocalModel())
        case ["--model", name]:
            main(ProviderModel(name))
        case _:
            main()
