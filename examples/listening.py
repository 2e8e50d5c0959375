"""A listening agent: it hears what others emit, and reacts.

Whoever emits does not know who listens. Who does is a matter of the network: its links are edges "source, event,
listener", and may change at any time.

    python examples/listening.py

prints

    thermometer → ·  hot: 31
    window → ·  inform: opened at 31
    thermometer → ·  cold: 17
    window → ·  inform: shut at 17
    thermometer → ·  hot: 35
    diary: hot at 31, cold at 17, hot at 35
"""

from llm_net import GenAgent, GenNetwork, Message, handles


class Thermometer(GenAgent):
    """Tells when it is hot or cold."""

    def inform(self, message: Message) -> None:
        if int(message.body) > 25:
            self.emit(Message(method="hot", body=message.body))
        elif int(message.body) < 18:
            self.emit(Message(method="cold", body=message.body))


class Window(GenAgent):
    """Opens and shuts by itself."""

    def hot(self, message: Message) -> Message:
        """An event is handled by the method of its name. A message to nobody goes to whoever started the run."""
        return Message(method="inform", body=f"opened at {message.body}")

    def cold(self, message: Message) -> Message:
        return Message(method="inform", body=f"shut at {message.body}")


class Diary(GenAgent):
    """Writes everything down."""

    lines: list[str] = []

    @handles(Message)
    def write(self, message: Message) -> None:
        """Handles every message, whatever its method."""
        self.lines.append(f"{message.method} at {message.body}")


diary = Diary(id="diary")
network = GenNetwork(
    agents=[Thermometer(id="thermometer"), Window(id="window"), diary],
    links=[
        ("thermometer", "hot", "window"),
        ("thermometer", "cold", "window"),
        ("thermometer", "*", "diary"),
    ],
)


def measure(*degrees: int) -> None:
    for number in degrees:
        for message in network.receive(Message(method="inform", body=str(number), receiver="thermometer")):
            print(message)


def main() -> None:
    measure(31, 21, 17)
    network.unlink("thermometer", "hot", "window")
    measure(35)
    print(f"diary: {', '.join(diary.lines)}")


if __name__ == "__main__":
    main()
