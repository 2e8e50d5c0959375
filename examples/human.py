"""A human at the console: an agent like any other, whose answers are typed by a person.

Waiting for a person takes as long as it takes. `@blocking` runs the handler in a thread, so that nobody else waits.

    python examples/human.py

prints, if tea, huge and large are what is typed,

    What would you like? tea
    Small or large? huge
    Small or large? large
    barista → ·  response: one large tea
"""

from llm_net import GenAgent, GenNetwork, Message, Role, blocking


class Human(GenAgent):
    """A person who can be asked."""

    role: Role = "user"

    @blocking
    def ask(self, message: Message) -> Message:
        return message.reply(body=input(f"{message.body} ").strip())


class Barista(GenAgent):
    """Takes an order, and asks until it is clear."""

    async def arequest(self, message: Message) -> Message:
        drink = await self._ask("What would you like?", message)
        size = ""
        while size not in ("small", "large"):
            size = await self._ask("Small or large?", message)
        return message.reply(body=f"one {size} {drink}")

    async def _ask(self, question: str, order: Message) -> str:
        """`call` sends a message and waits for its reply; in the meantime other agents go on."""
        answer = await self.call(Message(method="ask", body=question, receiver="human", reply_to=order))
        return answer.body


network = GenNetwork(agents=[Human(id="human"), Barista(id="barista")])


def main() -> None:
    answer = network.result_of(Message(receiver="barista"))
    print(answer)


if __name__ == "__main__":
    main()
