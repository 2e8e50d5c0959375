"""Asked, told and promised: a guest of a hotel speaks by FIPA's rules, and whoever answers speaks in a model's words.

The guest begins each conversation itself: a question, a request, and one for later.

    python examples/protocols/request.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    guest → porter  query_if: Is the pool open?
    guest → cook  request: Two boiled eggs
    guest → porter  request_when: Call me when my taxi is here
    porter → guest  inform: It opens at eight.
    porter → guest  agree: I keep an eye on the street.
    porter → guest  inform: Your taxi is here.
    cook → guest  failure: We are out of eggs.
    guest → ·  diary: It opens at eight. Your taxi is here. We are out of eggs.
"""

import sys
from collections.abc import Iterator

from llm_net import GenAgent, Message, handles
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.acts import Agree, Failure, Inform, NotUnderstood, QueryIf, Refuse, Request, RequestWhen
from llm_net.protocols.fipa.fipa import Fipa
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "cook": ['{"act": "failure"}', "We are out of eggs."],
    "porter": [
        *('{"act": "inform"}', "It opens at eight."),
        *('{"act": "agree"}', "I keep an eye on the street."),
        *('{"act": "inform"}', "Your taxi is here."),
    ],
}


class Guest(GenAgent):
    """Asks for three things, and writes down what came of them."""

    open: int = 0
    heard_so_far: list[str] = []

    def arrive(self, message: Message) -> Iterator[Message]:
        self.open = 3
        yield QueryIf(body="Is the pool open?", receiver="porter", reply_to=message)
        yield Request(body="Two boiled eggs", receiver="cook", reply_to=message)
        yield RequestWhen(body="Call me when my taxi is here", receiver="porter", reply_to=message)

    def agree(self, message: Agree) -> None:
        """Then there will be a result."""

    @handles(Inform, Failure, Refuse, NotUnderstood)
    def note(self, message: Message) -> Message | None:
        self.open -= 1
        self.heard_so_far.append(message.body)
        return None if self.open else Message(method="diary", body=" ".join(self.heard_so_far))


def network(model: Model | None = None) -> Fipa:
    """A guest and two who serve; without a model each of these has a script."""
    trades = {"cook": "a hotel's cook", "porter": "a hotel's porter"}
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {trade}. You agree, and inform in one short sentence.",
            stepwise=True,
            settings=Settings(max_tokens=40),
        )
        for name, trade in trades.items()
    ]
    return Fipa(id="hotel", agents=[Guest(id="guest"), *voices])


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Message(method="arrive", receiver="guest")):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
