"""A network that coordinates: several agents solve one problem, each a part of it, and nobody is in charge.

The shop emits an order. The store and the till hear it and do their parts at the same time; the courier listens to both
and leaves when all is there. Each knows its own part only; the links are the plan.

    python examples/coordination.py

prints

    shop → ·  order: two jars of honey
    store → ·  packed: two jars of honey
    till → ·  paid: two jars of honey
    courier → ·  inform: two jars of honey: packed and paid, on the way
"""

from llm_net import GenAgent, GenNetwork, Message, handles


class Shop(GenAgent):
    """Takes orders."""

    def request(self, message: Message) -> None:
        self.emit(Message(method="order", body=message.body, reply_to=message))


class Store(GenAgent):
    """Packs what is ordered."""

    def order(self, message: Message) -> None:
        self.emit(Message(method="packed", body=message.body, reply_to=message))


class Till(GenAgent):
    """Takes the money."""

    def order(self, message: Message) -> None:
        self.emit(Message(method="paid", body=message.body, reply_to=message))


class Courier(GenAgent):
    """Leaves when an order is both packed and paid."""

    ready: dict[str, list[str]] = {}

    @handles("packed", "paid")
    def note(self, message: Message) -> Message | None:
        done = self.ready.setdefault(message.conversation, [])  # one order is one conversation: orders do not mix
        done.append(message.method)
        if len(done) < 2:
            return None
        return Message(method="inform", body=f"{message.body}: {' and '.join(done)}, on the way")


network = GenNetwork(
    agents=[Shop(id="shop"), Store(id="store"), Till(id="till"), Courier(id="courier")],
    links=[
        ("shop", "order", "store"),
        ("shop", "order", "till"),
        ("store", "packed", "courier"),
        ("till", "paid", "courier"),
    ],
)


def main() -> None:
    for message in network.receive(Message(body="two jars of honey", receiver="shop")):
        print(message)


if __name__ == "__main__":
    main()
