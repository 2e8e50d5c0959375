"""Gossip by its rules: one villager hears a rumour, and each tells another, round by round, until all know.

    python examples/protocols/gossip.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    villager 1 → villager 5  exchange: news={'miller': (1, 'The miller won in the lottery.')}, known={'miller': 1}
    villager 5 → villager 1  exchange: news={'miller': (1, 'The miller won in the lottery.')}, known={'miller': 1}
    villager 5 → villager 3  news: news={'miller': (1, 'The miller won in the lottery.')}
    villager 5 → villager 2  news: news={'miller': (1, 'The miller won in the lottery.')}
    villager 1 → villager 3  exchange: news={'miller': (1, 'The miller won in the lottery.')}, known={'miller': 1}
    villager 5 → villager 1  exchange: news={'miller': (1, 'The miller won in the lottery.')}, known={'miller': 1}
    villager 1 → villager 4  news: news={'miller': (1, 'The miller won in the lottery.')}
    villager 3 → villager 4  exchange: news={'miller': (1, 'The miller won in the lottery.')}, known={'miller': 1}
    villager 2 → villager 3  exchange: news={'miller': (1, 'The miller won in the lottery.')}, known={'miller': 1}
    villager 1 → villager 4  exchange: news={'miller': (1, 'The miller won in the lottery.')}, known={'miller': 1}
    villager 5 → ·  response: The miller has won in the lottery, imagine!
"""

import sys

from llm_net import Message, simulation
from llm_net.chat import Request, Settings, system, user
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.gossip import Exchange, Gossip, Gossiper, News, Rumour

SETTINGS = Settings(max_tokens=25, stop=("\n",), seed=1)


class Villager(Gossiper):
    """Tells what it has heard, in its own words, to whoever asks."""

    model: Model

    async def aask(self, message: Message) -> Message:
        heard = " ".join(told for _, told in self.known.values())
        turns = [system(f"You are a chatty villager. You have heard: {heard}"), user(message.body)]
        return message.reply(body=(await self.complete(self.model, Request(turns, settings=SETTINGS))).text.strip())


def network(model: Model | None = None) -> Gossip:
    """Five villagers; without a model the last one has a script."""
    model = model or ScriptedModel(["The miller has won in the lottery, imagine!"])
    return Gossip(id="village", agents=[Villager(id=f"villager {index}", model=model) for index in range(1, 6)])


async def amain(model: Model | None) -> None:
    village = network(model)
    rumour = Rumour(topic="miller", body="The miller won in the lottery.", told="villager 1")
    async for message in village.areceive(rumour):
        if isinstance(message, (Exchange, News)) and message.news:
            print(message)
    async for message in village.areceive(Message(method="ask", body="Any news?", receiver="villager 5")):
        print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model), seed=3)  # they meet the same neighbours each time


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
