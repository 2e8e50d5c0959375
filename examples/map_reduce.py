"""A distributed system: one agent deals out a task, several do its parts, and another one puts the results together.

The messages are typed, so what travels is checked, and each kind goes to the method of its name.

    python examples/map_reduce.py

prints

    splitter → one  part: text='the bee and the flower', parts=3
    splitter → two  part: text='the flower and the bee', parts=3
    splitter → one  part: text='and the sun', parts=3
    one → reducer  count: words={'the': 2, 'bee': 1, 'and': 1, 'flower': 1}, parts=3
    one → reducer  count: words={'and': 1, 'the': 1, 'sun': 1}, parts=3
    two → reducer  count: words={'the': 2, 'flower': 1, 'and': 1, 'bee': 1}, parts=3
    reducer → ·  inform: the 5, and 3, bee 2, flower 2, sun 1
"""

from collections import Counter
from collections.abc import Iterator
from itertools import cycle

from llm_net import GenAgent, GenNetwork, Message


class Part(Message):
    """Count the words of a part of the text."""

    text: str
    parts: int


class Count(Message):
    """Say which words a part has."""

    words: dict[str, int]
    parts: int


class Splitter(GenAgent):
    """Deals out the lines of a text."""

    def request(self, message: Message) -> Iterator[Message]:
        lines = message.body.splitlines()
        mappers = cycle(self.network.receivers(Part))
        for line, mapper in zip(lines, mappers, strict=False):
            yield Part(text=line, parts=len(lines), receiver=mapper, reply_to=message)


class Mapper(GenAgent):
    """Counts words."""

    def part(self, message: Part) -> Message:
        words = Counter(message.text.split())
        return Count.reply(message, words=words, parts=message.parts, receiver=self.network["reducer"])


class Reducer(GenAgent):
    """Adds up the counts of all parts."""

    words: Counter[str] = Counter()
    received: int = 0

    def count(self, message: Count) -> Message | None:
        self.words.update(message.words)
        self.received += 1
        if self.received < message.parts:
            return None
        return Message(method="inform", body=", ".join(f"{word} {number}" for word, number in self.words.most_common()))


network = GenNetwork(agents=[Splitter(id="splitter"), Mapper(id="one"), Mapper(id="two"), Reducer(id="reducer")])


def main() -> None:
    text = "the bee and the flower\nthe flower and the bee\nand the sun"
    for message in network.receive(Message(body=text, receiver="splitter")):
        print(message)


if __name__ == "__main__":
    main()
