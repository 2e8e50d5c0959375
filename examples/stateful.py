"""A stateful agent: its fields are its state, and every message may change them.

The state is plain data: it is checked when it comes from outside, and can be saved and restored at any time.

    python examples/stateful.py

prints

    tally → ·  response: bees lead with 2 of 3 votes
    tally → ·  response: ants lead with 3 of 5 votes
"""

from collections.abc import Iterator

from llm_net import GenAgent, Message


class Tally(GenAgent):
    """Counts votes."""

    votes: dict[str, int] = {}

    def inform(self, message: Message) -> None:
        """Handles each message whose method is "inform"."""
        self.votes[message.body] = self.votes.get(message.body, 0) + 1

    def query(self, message: Message) -> Message:
        """Handles "query"; what a handler returns is sent."""
        leader = max(self.votes, key=lambda animal: self.votes[animal])
        return message.reply(body=f"{leader} lead with {self.votes[leader]} of {sum(self.votes.values())} votes")


def poll(tally: Tally, *votes: str) -> Iterator[Message]:
    """Cast votes, then ask who leads."""
    for vote in votes:
        yield from tally.receive(Message(method="inform", body=vote))
    yield from tally.receive(Message(method="query"))


tally = Tally(id="tally")


def main() -> None:
    for answer in poll(tally, "bees", "ants", "bees"):
        print(answer)

    saved = tally.model_dump_json()
    restored = Tally.model_validate_json(saved)
    for answer in poll(restored, "ants", "ants"):
        print(answer)


if __name__ == "__main__":
    main()
