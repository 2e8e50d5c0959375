"""Publish and subscribe by their rules: neighbours say what they want to hear of, and hear no more than that.

Vera filters what she hears: of sales, only those below 20 euros.

    python examples/protocols/publish_subscribe.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    board → tom  invite: Hear of what is going on topics=('sales/#', 'weather')
    board → uma  invite: Hear of what is going on topics=('sales/#', 'weather')
    board → vera  invite: Hear of what is going on topics=('sales/#', 'weather')
    vera → board  refuse: I have subscribed.
    tom → board  interest: topic='sales/#'
    uma → board  interest: topic='weather'
    board → ·  opened: absent={'vera': 'it refused'}, subscribers={'sales/#': ('tom',), 'weather': ('uma',)}
    board → vera  notify: An old chair topic='sales/chairs', facts={'euros': 15}, publisher='shop'
    board → tom  notify: An old chair topic='sales/chairs', facts={'euros': 15}, publisher='shop'
    board → shop  published: heard=('vera', 'tom')
    board → tom  notify: A bicycle topic='sales/bikes', facts={'euros': 90}, publisher='shop'
    board → shop  published: heard=('tom',)
    board → uma  notify: Rain at noon topic='weather', facts={}, publisher='tower'
    board → tower  published: heard=('uma',)
"""

import sys

from llm_net import GenAgent, Message, simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.acts import Refuse
from llm_net.protocols.coordination.filter import Condition
from llm_net.protocols.coordination.publish_subscribe import (
    Invite,
    Notify,
    Opening,
    Publish,
    PublishSubscribe,
    Subscribe,
)
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "tom": ['{"act": "interest"}', '{"topic": "sales/#"}'],
    "uma": ['{"act": "interest"}', '{"topic": "weather"}'],
}


class Listener(GenAgent):
    """Hears what it has subscribed to, and wants no more."""

    def invite(self, message: Invite) -> Message:
        return Refuse.reply(message, body="I have subscribed.")

    def notify(self, message: Notify) -> None:
        """Nothing has to be done about it."""


def network(model: Model | None = None) -> PublishSubscribe:
    """Two who are asked, without a model by a script, and one who has subscribed before."""
    asked = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You want to hear what is going on.",
            settings=Settings(max_tokens=20),
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name in SCRIPTS
    ]
    cheap = Subscribe(topic="sales/#", where=(Condition(field="euros", operator="<", value=20),), sender="vera")
    return PublishSubscribe(id="board", agents=[*asked, Listener(id="vera")], subscriptions=[cheap])


async def amain(model: Model | None) -> None:
    board = network(model)
    news = [
        Publish(topic="sales/chairs", body="An old chair", facts={"euros": 15}, sender="shop", receiver="board"),
        Publish(topic="sales/bikes", body="A bicycle", facts={"euros": 90}, sender="shop", receiver="board"),
        Publish(topic="weather", body="Rain at noon", sender="tower", receiver="board"),
    ]
    for root in [Opening(body="Hear of what is going on", topics=("sales/#", "weather")), *news]:
        async for message in board.areceive(root):
            print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model))  # the same order each time, however busy the machine is


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
