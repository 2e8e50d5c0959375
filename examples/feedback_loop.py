"""A network with a feedback loop: what one agent puts out is what another takes in, round and round.

Two links make the loop. It ends when nobody has anything more to say: a run needs no other sign. A loop that never ends
comes to a limit: `network.receive(message, limits=Limits(depth=20))`.

    python examples/feedback_loop.py

prints

    guesser → ·  guess: 50
    oracle → ·  hint: less
    guesser → ·  guess: 25
    oracle → ·  hint: more
    guesser → ·  guess: 37
    oracle → ·  hint: more
    guesser → ·  guess: 43
    oracle → ·  hint: less
    guesser → ·  guess: 40
    oracle → ·  hint: more
    guesser → ·  guess: 41
    oracle → ·  hint: more
    guesser → ·  guess: 42
    oracle → ·  inform: 42 it is
"""

from llm_net import GenAgent, GenNetwork, Message, handles


class Guesser(GenAgent):
    """Guesses a number between two others."""

    low: int = 1
    high: int = 100

    @handles("request", "hint")
    def guess(self, message: Message) -> None:
        if message.body == "more":
            self.low = self.middle + 1
        elif message.body == "less":
            self.high = self.middle - 1
        self.emit(Message(method="guess", body=str(self.middle)))

    @property
    def middle(self) -> int:
        return (self.low + self.high) // 2


class Oracle(GenAgent):
    """Knows the number, and gives hints."""

    secret: int

    def guess(self, message: Message) -> Message | None:
        number = int(message.body)
        if number == self.secret:
            return Message(method="inform", body=f"{number} it is")
        self.emit(Message(method="hint", body="more" if number < self.secret else "less"))
        return None


network = GenNetwork(
    agents=[Guesser(id="guesser"), Oracle(id="oracle", secret=42)],
    links=[("guesser", "guess", "oracle"), ("oracle", "hint", "guesser")],
)


def main() -> None:
    for message in network.receive(Message(receiver="guesser")):
        print(message)


if __name__ == "__main__":
    main()
