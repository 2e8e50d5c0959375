"""Messages that are at a node before their agent has come to them: they come in order, whatever becomes of one before."""

from __future__ import annotations

import asyncio

import pytest

from llm_net import GenAgent, GenNetwork, Message, Retry
from llm_net.places import Processes
from llm_net.supervision import Directive

MESSAGES = 40


class Giver(GenAgent):
    """Sends numbers, one after the other, without waiting for what comes of them."""

    def request(self, message: Message) -> list[Message]:
        return [Message(method="take", body=str(number), receiver="taker") for number in range(MESSAGES)]


class Taker(GenAgent):
    """Fails over some numbers, as often as it is told."""

    fails_over: dict[int, int] = {}
    taken: list[int] = []
    failed: list[int] = []

    async def atake(self, message: Message) -> None:
        number = int(message.body)
        if self.failed.count(number) < self.fails_over.get(number, 0):
            self.failed.append(number)
            raise ConnectionError(message.body)
        self.taken.append(number)


def play(supervision: Directive, fails_over: dict[int, int], *, away: bool) -> tuple[list[int], list[int], int]:
    taker = Taker(id="taker", fails_over=fails_over)
    network = GenNetwork(id="net", agents=[Giver(id="giver"), taker], supervision=supervision)

    async def main() -> int:
        runtime = Processes(workers=1, agents=["taker"]) if away else None
        async with network.run(Message(receiver="giver"), runtime=runtime) as run:
            pass
        return len(run.dead_letters)

    dead = asyncio.run(main())
    return taker.taken, taker.failed, dead


@pytest.mark.parametrize(
    ("supervision", "fails_over"),
    [
        (Retry(times=3, delay=0.001), {0: 1, 7: 3, 8: 2, MESSAGES - 1: 1}),
        (Retry(times=1, delay=0.0, then="skip"), {3: 2, 4: 1, 20: 5}),
        ("skip", {2: 1, 3: 1, 30: 1}),
        ("restart", {5: 1, 6: 1, 33: 1}),
    ],
)
def test_it_is_as_in_one_process(supervision: Directive, fails_over: dict[int, int]) -> None:
    here = play(supervision, fails_over, away=False)

    assert play(supervision, fails_over, away=True) == here
