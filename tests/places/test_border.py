"""What a node may say to the home of a run, and what it may not, whatever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import pytest

from llm_net import GenAgent, GenNetwork, Message
from llm_net.address import AbstractObject, Reference
from llm_net.base import DEFAULT_LIMITS
from llm_net.errors import AgentFailed
from llm_net.ports import Link
from llm_net.runtime import frames
from llm_net.runtime.frames import BODY, frame, head_of, joined, parts_of
from llm_net.runtime.home import Home, Share
from llm_net.runtime.local import LocalRuntime
from llm_net.wire import Line


class Notes(GenAgent):
    """Takes down what it is told, and by whom."""

    notes: list[str] = []

    def missing(self, message: Message) -> None:
        self.notes.append(f"{message.sender.id if message.sender is not None else ''}: {message.body}")


class Liar(GenAgent):
    """Its node does not do what is written here."""

    def request(self, message: Message) -> None:
        pass


class FalseNode:
    """A node that says what a test wants it to, and a link to it."""

    far = "false"
    full = False

    def __init__(self, says: Callable[[FalseNode, int], Iterable[bytes]]) -> None:
        self._says = says
        self.answers: list[bytes] = []
        self.heard: list[int] = []  # kinds of frames
        self.closed = False
        self.line = Line(short=True, limit=BODY, address=lambda party: party.id)
        self._loop = asyncio.get_running_loop()
        self._hear: Callable[[bytes], None] = lambda data: None
        self._broken: Callable[[BaseException | None], None] = lambda error: None

    def begin(self, hear: Callable[[bytes], None], broken: Callable[[BaseException | None], None]) -> None:
        self._hear, self._broken = hear, broken

    def send(self, frame: bytes) -> None:
        kind, step, question = head_of(frame)
        self.heard.append(kind)
        match kind:
            case frames.OPEN:
                self._say(frames.frame(frames.READY, 0, 0, b""))
            case frames.HANDLE:
                self._say(*self._says(self, step))
            case frames.ANSWER:
                self.answers.append(parts_of(frame, 3)[0])
            case frames.CLOSE:
                self.leave()
                self._say(frames.frame(frames.STATES, 0, question, b"[]"), frames.frame(frames.CLOSED, 0, 0, b""))
            case _:
                pass

    def leave(self) -> None:
        """The run is over."""

    def _say(self, *said: bytes) -> None:
        for each in said:
            self._loop.call_soon(self._hear, each)

    async def room(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class FalseHosts:
    imports = False
    joined: Callable[[Link], None]

    def __init__(self, node: FalseNode) -> None:
        self.node = node

    async def open(
        self, run: str, network: str, *, joined: Callable[[Link], None], lost: Callable[[Exception], None]
    ) -> Sequence[Link]:
        self.joined = joined
        return [self.node]

    async def replace(self, lost: Link) -> Link | None:
        raise AssertionError("there is no other")

    def gone(self, link: Link) -> None:
        pass

    async def release(self, links: Iterable[Link]) -> None:
        pass


END = (b"", b"0", b"", b"")


async def lied(says: Callable[[FalseNode, int], Iterable[bytes]]) -> tuple[FalseNode, Notes]:
    """Have a false node handle one message of `liar`; gives what it was answered, and what `notes` was told."""
    node = FalseNode(says)
    return node, await visited(FalseHosts(node))


async def visited(hosts: FalseHosts) -> Notes:
    """Have one message for `liar` handled where these hosts say; gives what `notes` was told."""
    agents = [Liar(id="liar"), Notes(id="victim"), notes := Notes(id="notes")]
    network = GenNetwork(id="net", agents=agents, links=[("liar", "said", "notes"), ("victim", "said", "notes")])
    home = Home(Share(hosts, ["liar"]))
    run = LocalRuntime().run(network, Message(receiver="liar"), limits=DEFAULT_LIMITS, observers=(), away=home)
    async with run:
        pass
    return notes


SENDERS: list[AbstractObject] = [Reference("victim"), Reference("/=victim"), Reference("/.victim"), Reference(".")]
"""Whom the content of a frame names, in every way in which an address can be written."""


def test_of_a_thousand_forged_senders_none_is_believed() -> None:
    def says(node: FalseNode, step: int) -> Iterable[bytes]:
        for n in range(1_000):
            forged = Message(sender=SENDERS[n % len(SENDERS)], receiver=Reference("notes"), body="forged")
            said = node.line.encode(forged)
            match n // 4 % 4:
                case 0:
                    yield frame(frames.POST, step, n + 1, said)
                case 1:
                    yield frame(frames.CALL, step, n + 1, b"null", said)
                case 2:
                    yield frame(frames.GATHER, step, n + 1, b"[null,null,false]", joined([said]))
                case _:
                    yield frame(frames.EMIT, step, 0, b"said", said)
                    yield frame(frames.DROP, step, 0, b"")  # as if it had met the error
        yield frame(frames.POST, step, 2_000, node.line.encode(Message(receiver=Reference("notes"), body="true")))
        yield frame(frames.END, step, 0, *END)

    node, notes = asyncio.run(lied(says))
    assert notes.notes == ["liar: true"]
    assert node.answers == [b"e"] * 1_000 + [b""]


def test_what_is_returned_with_a_forged_sender_fails() -> None:
    def says(node: FalseNode, step: int) -> Iterable[bytes]:
        forged = Message(sender=Reference("victim"), receiver=Reference("notes"), body="forged")
        yield frame(frames.END, step, 0, b"m", b"0", b"", node.line.encode(forged))

    with pytest.raises(AgentFailed, match="ForgedSender"):
        asyncio.run(lied(says))


def test_nobody_can_speak_for_a_step_that_it_was_not_given() -> None:
    def says(node: FalseNode, step: int) -> Iterable[bytes]:
        for other in (0, step + 1, 10**6):
            yield frame(frames.POST, other, 1, node.line.encode(Message(receiver=Reference("notes"), body="forged")))
            yield frame(frames.END, other, 0, *END)
        yield frame(frames.END, step, 0, *END)

    _, notes = asyncio.run(lied(says))
    assert notes.notes == []


@pytest.mark.parametrize(
    "nonsense",
    [
        b"", b"\x00" * 5, frame(99, 1, 1, b"x"), frame(frames.POST, 1, 1, b"{}"), frame(frames.POST, 1, 1, b"\x00\x01"),
        frame(frames.CALL, 1, 1), frame(frames.GATHER, 1, 1, b"[]", b"\xff\xff\xff\xff"), frame(frames.CHANGE, 1, 0, b"[1]", b"[]"),
        frame(frames.END, 1, 0, b"e", b"0", b"", b"[]"), frame(frames.MODEL, 1, 1, b"{}", b"{}"), frame(frames.READY, 0, 0, b"{"),
        frame(frames.CLOSED, 0, 0, b"17"), frame(frames.DELAY, 1, 1, b'"soon"'), frame(frames.EFFECT, 1, 1, b"[]", b""),
        frame(frames.DONE, 0, 0, b"123"),
    ],
)  # fmt: skip
def test_nonsense_ends_the_run_or_is_answered_and_nothing_hangs(nonsense: bytes) -> None:
    def says(node: FalseNode, step: int) -> Iterable[bytes]:
        yield nonsense
        yield frame(frames.END, step, 0, *END)

    async def main() -> None:
        async with asyncio.timeout(10):
            with suppress(AgentFailed):
                await lied(says)

    asyncio.run(main())


def test_a_node_that_comes_while_a_run_ends_is_not_let_in() -> None:
    """As one does that has left already, and is free again: to move agents there would be to ask for their state a second time."""

    async def main() -> FalseNode:
        class Leaving(FalseNode):
            def leave(self) -> None:
                hosts.joined(newcomer)

        def says(node: FalseNode, step: int) -> Iterable[bytes]:
            yield frame(frames.END, step, 0, *END)

        newcomer = FalseNode(says)
        hosts = FalseHosts(Leaving(says))
        await visited(hosts)
        return newcomer

    newcomer = asyncio.run(main())
    assert newcomer.closed
    assert newcomer.heard == []


def test_of_several_ends_in_one_frame_each_counts_once() -> None:
    def says(node: FalseNode, step: int) -> Iterable[bytes]:
        yield frame(frames.DONE, 0, 0, frames.numbered([step, step + 17, step]))
        yield frame(frames.END, step, 0, *END)

    _, notes = asyncio.run(lied(says))
    assert notes.notes == []
