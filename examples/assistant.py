"""An assistant: an agent that answers in a model's words, and writes messages to other agents by function call.

The model is offered exactly the messages that the others in the network understand, each as a function whose receiver
is one of those who do. What it writes is checked, sent and answered, and with the answer the model goes on. A plain
function is a tool beside them. Each piece of the final answer is an event as soon as it is there.

    python examples/assistant.py

prints, with a script in place of a model (`--model local` and `--model openai:gpt-5` take real ones),

    anna → library  find: topic='bees'
    library → anna  response: bees: shelf 7
    anna → ·  response: The books are on shelf 7, 12 steps away.
    in pieces: The | books | are | on | shelf | 7 | , | 12 | steps | away | .
"""

import sys

from llm_net import GenAgent, GenNetwork, Message
from llm_net.agents.assistant import Assistant
from llm_net.chat import ToolCall
from llm_net.llm.local import LocalModel
from llm_net.llm.pydantic_ai import ProviderModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model

SCRIPT: list[str | ToolCall] = [
    ToolCall("1", "find", '{"receiver": "library", "topic": "bees"}'),
    ToolCall("2", "steps_to", '{"shelf": 7}'),
    "The books are on shelf 7, 12 steps away.",
]


class Find(Message):
    """Find the shelf of the books on a topic."""

    topic: str


class Library(GenAgent):
    """Knows where the books are."""

    def find(self, message: Find) -> Message:
        return message.reply(body=f"{message.topic}: shelf 7")


def steps_to(shelf: int) -> int:
    """Count the steps from the door to a shelf."""
    return 2 * shelf - 2


def network(model: Model | None = None) -> GenNetwork:
    """A reader's helper, and the library; without a model the script speaks."""
    words = model or ScriptedModel(SCRIPT)
    anna = Assistant(id="anna", model=words, tools=[steps_to], instructions="You help readers.")
    return GenNetwork(agents=[anna, Library(id="library")])


def main(model: Model | None = None) -> None:
    town = network(model)
    pieces: list[str] = []
    town["anna"].on("delta", lambda event: pieces.append(event.message.body.strip()))  # a screen would show it at once

    for message in town.receive(Message(body="Where are the books on bees?", receiver="anna")):
        print(message)
    print(f"in pieces: {' | '.join(pieces)}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--model", "local"]:
            main(LocalModel())
        case ["--model", name]:
            main(ProviderModel(name))
        case _:
            main()
