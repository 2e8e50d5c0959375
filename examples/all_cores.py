"""Any place: agents that compute, each in a worker process, so that all cores are at work. Only the last line says where.

    python examples/all_cores.py

prints

    8 parts were counted in other processes: True
    there are 17984 primes below 200000

In a handler nothing else is different: messages, calls, events and limits are those of any run. What cannot be sent to another
process (a socket, a client) an agent makes in `astart`, where it runs.
"""

import os

from llm_net import GenAgent, GenNetwork, Message
from llm_net.places import Processes


class Span(Message):
    """Count the primes from `first` to before `end`."""

    first: int
    end: int


class Mathematician(GenAgent):
    """Counts primes, by trying."""

    def span(self, message: Span) -> Message:
        primes = sum(
            all(number % divisor for divisor in range(2, int(number**0.5) + 1))
            for number in range(max(2, message.first), message.end)
        )
        return message.reply(body=str(primes), metadata={"process": os.getpid()})


class Professor(GenAgent):
    """Deals out a task, and adds up."""

    async def arequest(self, message: Message) -> Message:
        below = int(message.body)
        helpers = self.network.receivers(Span)
        size = -(-below // len(helpers))
        spans = [
            Span(first=part * size, end=min(below, (part + 1) * size), receiver=helper)
            for part, helper in enumerate(helpers)
        ]
        counted = await self.gather(spans)
        elsewhere = all(reply.metadata["process"] != os.getpid() for reply in counted)
        total = sum(int(reply.body) for reply in counted)
        return message.reply(
            body=f"{len(counted)} parts were counted in other processes: {elsewhere}\n"
            f"there are {total} primes below {below}"
        )


network = GenNetwork(agents=[Professor(id="professor"), *(Mathematician(id=f"m{number}") for number in range(8))])


def main() -> None:
    cores = Processes(agents=[f"m{number}" for number in range(8)])
    print(network.result_of(Message(body="200000", receiver="professor"), runtime=cores).body)


if __name__ == "__main__":
    main()
