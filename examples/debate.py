"""A debate: two sides argue, a chair gives each the floor, and a judge decides.

The debaters are assistants: agents that answer in a model's words and remember each conversation. The judge's verdict
has to be one of two words, so no model can evade it.

    python examples/debate.py

prints, with a script in place of a model (`--model local` and `--model openai:gpt-5` take real ones),

    pro: Bees feed us all, so a city needs them
    con: Bees sting, and a city is full of children
    pro: They sting whoever fights them, and children learn
    con: Children learn in the park, not in the hospital
    judge: con
"""

import json
import sys

from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message
from llm_net.agents.assistant import Assistant
from llm_net.chat import Output, Request, Settings, system, user
from llm_net.llm.local import LocalModel
from llm_net.llm.pydantic_ai import ProviderModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model

SCRIPT = [
    "Bees feed us all, so a city needs them",
    "Bees sting, and a city is full of children",
    "They sting whoever fights them, and children learn",
    "Children learn in the park, not in the hospital",
    '"con"',
]
ONE_LINE = Settings(max_tokens=40, stop=("\n",))


class Chair(GenAgent):
    """Gives the floor to one side after the other, and then to the judge."""

    rounds: int = 2

    async def arequest(self, message: Message) -> Message:
        minutes: list[str] = []
        heard = message.body
        for side in ["pro", "con"] * self.rounds:
            argument = await self.call(Message(method="chat", body=heard, receiver=side, reply_to=message))
            heard = argument.body
            minutes.append(f"{side}: {heard}")
            self.emit(Message(method="argument", body=minutes[-1]))
        verdict = await self.call(Message(method="ask", body="\n".join(minutes), receiver="judge", reply_to=message))
        return message.reply(body=f"judge: {verdict.body}")


class Judge(GenAgent):
    """Decides who had the better arguments."""

    model: Model = Field(exclude=True)

    async def aask(self, message: Message) -> Message:
        turns = [system("Who had the better arguments?"), user(message.body)]
        completion = await self.complete(self.model, Request(turns, output=Output({"enum": ["pro", "con"]})))
        return message.reply(body=json.loads(completion.text))


def debater(side: str, model: Model) -> Assistant:
    instructions = f"You are {side} bees in the city. Answer the other side in one sentence."
    return Assistant(id=side, model=model, instructions=instructions, settings=ONE_LINE, writes=())


def network(model: Model | None = None) -> GenNetwork:
    """The chair, the two sides and the judge; without a model the script speaks."""
    words = model or ScriptedModel(SCRIPT)
    sides = [debater("pro", words), debater("con", words)]
    return GenNetwork(agents=[Chair(id="chair"), *sides, Judge(id="judge", model=words)])


def main(model: Model | None = None) -> None:
    hall = network(model)
    hall.on("argument", lambda event: print(event.message.body))

    verdict = hall.result_of(Message(body="A city should keep bees", receiver="chair"))
    print(verdict.body)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--model", "local"]:
            main(LocalModel())
        case ["--model", name]:
            main(ProviderModel(name))
        case _:
            main()
