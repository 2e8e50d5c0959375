"""The observer that draws a run."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from contextlib import suppress
from decimal import Decimal

from rich.console import Console

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.address import Reference
from llm_net.chat import Usage
from llm_net.errors import RunError
from llm_net.journal import MemoryJournal
from llm_net.observe.progress import Progress
from llm_net.ports import Observation


class Echo(GenAgent):
    async def arequest(self, message: Message) -> Message:
        if message.body == "burst":
            raise ValueError("too full")
        self.emit("heard", message.reply(body="nobody listens"))
        return message.reply(body=message.body)


def draw(body: str, *, terminal: bool = False, width: int = 80, limits: Limits | None = None) -> str:
    """What is drawn while an echo answers."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=width, color_system=None, highlight=False)

    async def main() -> None:
        network = GenNetwork(agents=[Echo(id="echo")])
        async with network.run(
            Message(body=body, receiver=network["echo"]), limits=limits or Limits(), observers=[progress]
        ):
            pass

    with Progress(console) as progress, suppress(RunError):
        asyncio.run(main())
    return written.getvalue()


class Screen(io.StringIO):
    """What is written; `shown` is set when `awaited` is in it."""

    def __init__(self, awaited: str) -> None:
        super().__init__()
        self.awaited = awaited
        self.shown = threading.Event()

    def write(self, text: str) -> int:
        length = super().write(text)
        if self.awaited in self.getvalue():
            self.shown.set()
        return length


def words(line: str) -> list[str]:
    return line.split()[1:]


def test_elsewhere_than_on_a_terminal_each_message_is_one_plain_line() -> None:
    text = "on bees\nand  flowers, " + "very " * 40 + "long"
    lines = draw(text).splitlines()

    assert words(lines[0]) == ["you", "→", "echo", "request", *text.split()]
    assert words(lines[1]) == ["echo", "⇢", "∗", "heard", "nobody", "listens"]
    assert words(lines[2]) == ["echo", "→", "you", "response", *text.split()]
    assert re.fullmatch(r"done in \d+\.\d s · 2 messages", lines[3])
    assert "\n".join(lines[5:]) == text


def test_a_run_that_waits_for_an_answer_is_not_called_done() -> None:
    class Clerk(GenAgent):
        async def arequest(self, message: Message) -> Message:
            return await self.call(Message(method="ask", body="May I?"))

    async def main() -> str:
        written = io.StringIO()
        with Progress(Console(file=written, width=80)) as progress:
            network = GenNetwork(id="office", agents=[Clerk(id="clerk")])
            root = Message(receiver="clerk")
            async with network.run(root, journal=MemoryJournal(), observers=[progress]):
                pass
        return written.getvalue()

    drawn = asyncio.run(main())
    assert re.search(r"^waiting for an answer in \d+\.\d s · 2 messages$", drawn, re.MULTILINE)


def test_on_a_terminal_long_words_are_wrapped_under_themselves() -> None:
    drawn = draw("bees " * 30, terminal=True, width=70)

    first, second = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", drawn).splitlines()[:2]
    assert first.index("bees") == second.index("bees")
    assert len(second) <= 70


def test_a_narrow_terminal_gets_the_words_on_a_line_of_their_own() -> None:
    drawn = draw("bees " * 5, terminal=True, width=40)

    assert "        bees bees" in drawn


def test_control_characters_of_a_message_do_not_reach_the_terminal() -> None:
    for terminal in (False, True):
        drawn = draw("\x1b]0;owned\x07\x1b[31mred\x9b2J\u202etxt", terminal=terminal)

        assert "owned" in drawn
        for evil in ("\x1b]0", "\x07", "\x1b[31m", "\x9b", "\u202e"):
            assert evil not in drawn


def test_nor_do_those_of_a_name_that_a_model_made_up() -> None:
    written = io.StringIO()
    message = Message(method="\x1b[2Jrequest", sender=Reference("an\x07na"))

    Progress(Console(file=written, width=200)).observe(Observation("sent", "run", "bob\x1b[0m", message))

    assert words(written.getvalue()) == ["an", "na", "→", "bob", "[0m", "[2Jrequest"]


def test_a_failure_is_drawn_with_its_reason_and_ends_the_run() -> None:
    lines = draw("burst").splitlines()

    assert words(lines[1]) == ["echo", "failed", "request:", "ValueError:", "too", "full"]
    assert lines[2].startswith("failed in ")
    assert lines[2].endswith("1 message · 1 failed")


def test_a_limit_is_told_at_the_end() -> None:
    assert "stopped at its limit of 1 messages" in draw("bees", limits=Limits(messages=1))


def test_calls_of_models_are_drawn_and_added_up() -> None:
    written = io.StringIO()
    progress = Progress(Console(file=written, width=200))
    for tokens in (20, 10):
        usage = Usage(requests=1, input_tokens=5, output_tokens=tokens, cost=Decimal("0.00125"))
        progress.observe(Observation("model", "run", "town/anna", usage=usage, seconds=2.0))
    progress.observe(Observation("ended", "run", "town", seconds=4.0))

    lines = written.getvalue().splitlines()
    assert words(lines[0]) == ["town/anna", "model", "20", "tokens", "in", "2.0", "s"]
    both_at_once = "2 model calls · 10 + 30 tokens · 15.0 tokens/s"
    assert lines[2] == f"done in 4.0 s · 0 messages · {both_at_once} · 0.0025 USD"


def test_pieces_of_what_is_being_said_are_no_lines_but_shown_below_until_the_model_is_done() -> None:
    written = Screen("I can do it")
    with Progress(Console(file=written, force_terminal=True, width=60, color_system=None)) as progress:
        progress.observe(Observation("sent", "run", "anna", Message(body="Hello")))
        for piece in ("I can", " do it"):
            progress.observe(Observation("emitted", "run", "anna", Message(method="delta", body=piece), event="delta"))
        assert written.shown.wait(timeout=60)  # it is drawn by a thread
        progress.observe(Observation("model", "run", "anna", usage=Usage(output_tokens=6), seconds=1.0))
        plain = Screen("")
        quiet = Progress(Console(file=plain, width=60))
        quiet.observe(Observation("emitted", "run", "anna", Message(method="delta", body="I"), event="delta"))
        quiet.observe(Observation("ended", "run", "town"))

    assert "delta" not in written.getvalue() + plain.getvalue()


def test_what_an_agent_says_just_now_is_shown_below_and_its_first_word_is_timed() -> None:
    written = Screen("I can do it [2J today")
    with Progress(Console(file=written, force_terminal=True, width=60, color_system=None)) as progress:
        progress.observe(Observation("sent", "run", "anna", Message(body="Hello")))
        progress.saying("anna", "I can do it\x1b[2J today")
        assert written.shown.wait(timeout=60)  # it is drawn by a thread
        progress.saying("anna", "")
        progress.observe(Observation("model", "run", "anna", usage=Usage(output_tokens=6), seconds=100.0))

    assert re.search(r"6 tokens in 100\.0 s, the first after\s+\d+\.\d s", written.getvalue())
