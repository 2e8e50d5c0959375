"""Quickstart: an agent that composes a chat completion and a state of its own, and emits events that others hear.

The poet keeps the lines it has written and shows them to the model, so that each new line follows from the last. With
each it emits the event "line". The critic and the reciter are linked to the poet and hear it; it knows of neither.

    python examples/quickstart.py

prints, with a script in place of a model (`--model local` and `--model openai:gpt-5` take real ones),

    poet → ·  line: The bees wake up before the sun
    poet → ·  response: lines so far: 1
    critic → ·  inform: 7 words, just right
    poet → ·  line: and bring their gold to everyone, one by one by one
    poet → ·  response: lines so far: 2
    critic → ·  inform: 11 words, too long
    reciter → ·  response: The bees wake up before the sun / and bring their gold to everyone, one by one by one
"""

import sys

from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message
from llm_net.chat import Request, Settings, assistant, system, user
from llm_net.llm.local import LocalModel
from llm_net.llm.pydantic_ai import ProviderModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model

SCRIPT = ["The bees wake up before the sun", "and bring their gold to everyone, one by one by one"]
ONE_LINE = Settings(max_tokens=40, stop=("\n",))


class Poet(GenAgent):
    """Writes a poem line by line."""

    model: Model = Field(exclude=True)  # no state: it is not saved with the poet
    lines: list[str] = []

    async def arequest(self, message: Message) -> Message:
        """Handles each message whose method is "request"; async handlers carry the prefix a."""
        turns = [system("You are a poet. Write the next line."), *map(assistant, self.lines), user(message.body)]
        completion = await self.complete(self.model, Request(turns, settings=ONE_LINE))
        self.lines.append(completion.text)
        self.emit(Message(method="line", body=completion.text))
        return message.reply(body=f"lines so far: {len(self.lines)}")


class Critic(GenAgent):
    """Says what it thinks of a line."""

    def line(self, message: Message) -> Message:
        """Hears the event "line". A message without a receiver goes to whoever started the run."""
        words = len(message.body.split())
        return Message(method="inform", body=f"{words} words, {'too long' if words > 8 else 'just right'}")


class Reciter(GenAgent):
    """Learns the poem by heart."""

    poem: list[str] = []

    def line(self, message: Message) -> None:
        self.poem.append(message.body)

    def query(self, message: Message) -> Message:
        return message.reply(body=" / ".join(self.poem))


def network(model: Model | None = None) -> GenNetwork:
    """The poet, and who hears it; without a model the script speaks."""
    poet = Poet(id="poet", model=model or ScriptedModel(SCRIPT))
    poets = GenNetwork(agents=[poet, Critic(id="critic"), Reciter(id="reciter")])
    poets.link("poet", "line", "critic")
    poets.link("poet", "line", "reciter")
    return poets


def main(model: Model | None = None) -> None:
    poets = network(model)
    for topic in ("bees", "honey"):
        for message in poets.receive(Message(body=f"A line on {topic}, please", receiver="poet")):
            print(message)
    for message in poets.receive(Message(method="query", receiver="reciter")):
        print(message)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--model", "local"]:
            main(LocalModel())
        case ["--model", name]:
            main(ProviderModel(name))
        case _:
            main()
