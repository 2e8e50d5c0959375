"""An observer that draws a run while it goes on: each message as a line, and below them what is happening right now.

Knows the terminal, and of the run only what observers are told.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from time import monotonic
from types import TracebackType
from typing import Self, cast
from zlib import crc32

from llm_net.chat import Usage
from llm_net.errors import LimitReached, MissingDependency, RunCancelled
from llm_net.message import Message
from llm_net.ports import Observation

try:
    from rich.console import Console
    from rich.live import Live
    from rich.padding import Padding
    from rich.spinner import Spinner
    from rich.style import Style
    from rich.text import Text
except ImportError:
    raise MissingDependency("rich", "cli", "drawing a run") from None

OUTSIDE = "you"
_NOBODY = "∗"
"""Who is outside of the network, and who hears an event that reaches no mailbox, in the words of this view."""

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta", "bright_green")
TROUBLE = {
    "failed": "red",
    "dead": "yellow",
    "expired": "yellow",
    "rejected": "yellow",
    "refused": "yellow",
    "retried": "yellow",
}
_ENDS = ("handled", "failed", "expired", "cancelled", "rejected", "dead")

_SHOWN = 4
"""Agents that are shown at work at a time; of the others only how many they are."""

_WIDEST = 36
"""Columns for who speaks to whom, at most; beyond it the words begin further right."""


class Lines:
    """Draws lines of a run, one under the other in columns: since when, who to whom, what, words.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = {"parties": 18, "method": 8}

    def draw(self, seconds: float, parties: Text, what: Text, words: Text) -> None:
        """Draw one line."""
        since = Text(f"{seconds:6.1f}  ", "dim")
        for name, text in (("parties", parties), ("method", what)):
            self._width[name] = min(max(self._width[name], text.cell_len), _WIDEST)
            text.pad_right(self._width[name] - text.cell_len)
        head = Text.assemble(since, parties, "  ", what, "  ")
        if not self._console.is_terminal:
            self._console.print(head + words, soft_wrap=True)
        elif self._console.width - head.cell_len < 24:
            self._console.print(head)
            self._console.print(Padding(words, (0, 0, 0, 8)))
        else:
            lines = words.wrap(self._console, self._console.width - head.cell_len, overflow="fold")
            self._console.print(head + Text("\n" + " " * head.cell_len).join(lines))


class Progress:
    """Draws a run: `with Progress() as progress: network.receive(message, observers=[progress])`.

    On a terminal, lines of messages scroll up above one that lives (who is busy, counts, tokens, time) and what is being
    said just now (by events "delta"). Elsewhere there are only plain lines, one a message. What messages say is shown
    without its control characters: no model can write to your terminal. A message costs about 1 ms on a terminal and
    0.3 ms elsewhere.

    Args:
        console: where to draw; None for standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._began = monotonic()
        self._counts: Counter[str] = Counter()
        self._busy: dict[tuple[str, str], str] = {}
        self._said: dict[str, str] = {}
        self._first_words: dict[str, float] = {}  # when they came
        self._decoding: list[tuple[float, float]] = []  # from when to when at least one model was at work
        self._usage = Usage()
        self._emitted: Observation | None = None
        self._result: Message | None = None
        self._lines = Lines(self._console)
        self._spinner = Spinner("dots", style="cyan")
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to draw the line that lives."""
        self._began = monotonic()
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._now,
                transient=True,
                refresh_per_second=10,
                redirect_stderr=sys.stderr.isatty(),
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the line that lives away again."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    # ------------------------------------------------------------------------------------------ what happens

    def saying(self, address: str, text: str) -> None:
        """Show what an agent is saying, while it says it, below the line that lives; an empty text takes it away."""
        if text:
            self._said[address] = text
            self._first_words.setdefault(address, monotonic())
        else:
            self._said.pop(address, None)

    def observe(self, observation: Observation) -> None:
        """Draw one thing that happened."""
        self._count(observation)
        if (emitted := self._emitted) is not None:
            self._emitted = None
            if observation.kind != "sent" or observation.message != emitted.message:
                self._draw_message(emitted, _NOBODY)
        match observation.kind:
            case "sent":
                self._draw_message(observation, observation.address or OUTSIDE)
            case "emitted" if observation.event == "delta" and observation.message is not None:
                self.saying(observation.address, self._said.get(observation.address, "") + observation.message.body)
            case "emitted":
                self._emitted = observation
            case "model":
                self._draw_model(observation)
                self.saying(observation.address, "")
            case "failed" | "dead" | "expired" | "rejected" | "refused" | "retried":
                self._draw_trouble(observation)
            case "ended":
                self._draw_end(observation)
            case "started" | "handled" | "cancelled":
                pass

    def _count(self, observation: Observation) -> None:
        self._counts[observation.kind] += 1
        message = observation.message
        if message is not None:
            handling = (observation.address, message.id)
            if observation.kind == "started":
                self._busy[handling] = observation.address
            elif observation.kind in _ENDS:
                self._busy.pop(handling, None)
            elif observation.kind == "sent" and observation.address == "":
                self._result = message
        if observation.kind == "model" and observation.usage is not None:
            self._usage += observation.usage
            began, ended = monotonic() - observation.seconds, monotonic()
            while self._decoding and self._decoding[-1][1] > began:  # what overlaps counts once
                began = min(began, self._decoding.pop()[0])
            self._decoding.append((began, ended))

    # ------------------------------------------------------------------------------------------ lines

    def _draw_message(self, observation: Observation, receiver: str) -> None:
        message = observation.message
        if message is None:
            return
        sender = message.sender.id if message.sender is not None else OUTSIDE
        arrow = " → " if observation.event is None else " ⇢ "
        parties = Text.assemble(party(sender), (arrow, "dim"), party(receiver))
        self._line(parties, Text(one_line(observation.event or message.method), "bold"), Text(_words(message)))

    def _draw_model(self, observation: Observation) -> None:
        now, seconds = monotonic(), observation.seconds
        tokens = observation.usage.output_tokens if observation.usage is not None else 0
        said = f"{counted(tokens, 'token')} in {seconds:.1f} s" if tokens else f"no answer after {seconds:.1f} s"
        if (first := self._first_words.pop(observation.address, None)) is not None:
            said += f", the first after {max(seconds - (now - first), 0):.1f} s"
        self._line(party(observation.address or OUTSIDE), Text("model", "dim"), Text(said, "dim"))

    def _draw_trouble(self, observation: Observation) -> None:
        colour = TROUBLE[observation.kind]
        method = observation.message.method if observation.message is not None else ""
        error = observation.error
        reason = f": {type(error).__name__}: {error}" if error is not None else ""
        if observation.kind == "retried":
            reason = f" in {observation.seconds:.1f} s"
        self._line(party(observation.address), Text(observation.kind, colour), Text(one_line(method + reason), colour))

    def _draw_end(self, observation: Observation) -> None:
        error = observation.error
        if isinstance(error, LimitReached):
            end = Text(f"stopped at its limit of {error.bound}", "bold yellow")
        elif isinstance(error, RunCancelled):
            end = Text("cancelled", "bold yellow")
        elif observation.status == "waiting":
            end = Text("waiting for an answer", "bold yellow")
        elif error is None:
            end = Text("done", "bold green")
        else:
            end = Text("failed", "bold red")
        end.append(f" in {observation.seconds:.1f} s · {self._totals()}", "default not bold")
        self._console.print(end, soft_wrap=True)
        if self._result is not None:
            self._console.print()
            self._console.print(
                Text(_printable(_saying(self._result)), "bold"), soft_wrap=not self._console.is_terminal
            )

    def _line(self, parties: Text, what: Text, words: Text) -> None:
        self._lines.draw(monotonic() - self._began, parties, what, words)

    # ------------------------------------------------------------------------------------------ the line that lives

    def _now(self) -> Text:
        """Drawn by a thread of its own, ten times a second: it reads copies."""
        now = Text(no_wrap=True, overflow="ellipsis", end="")
        busy = list(dict.fromkeys([*self._busy.values()]))
        if not busy and not self._counts["sent"]:
            return now
        turning = cast(Text, self._spinner.render(monotonic()))  # a spinner without words of its own is a Text
        now.append_text(turning).append(" ")
        now.append_text(Text(", ").join(party(address) for address in busy[:_SHOWN]))
        if busy:
            now.append(f" and {len(busy) - _SHOWN} more at work · " if len(busy) > _SHOWN else " at work · ")
        now.append(f"{self._totals()} · {monotonic() - self._began:.1f} s", "dim")
        for address, text in [*self._said.items()][:_SHOWN]:
            said = one_line(text)[-(self._console.width - len(address) - 5) :]
            now.append("\n  ").append_text(party(address)).append(f"  {said}", "italic")
        return now

    def _totals(self) -> str:
        counts, usage = self._counts, self._usage
        parts = [counted(counts["sent"], "message")]
        parts += [
            f"{counts[kind]} {kind}"
            for kind in ("failed", "dead", "expired", "rejected", "refused", "retried")
            if counts[kind]
        ]
        if counts["model"]:
            parts.append(counted(counts["model"], "model call"))
            parts.append(f"{usage.input_tokens} + {usage.output_tokens} tokens")
            seconds = sum(ended - began for began, ended in self._decoding)
            if seconds and usage.output_tokens:
                parts.append(f"{usage.output_tokens / seconds:.1f} tokens/s")
        if usage.cost:
            parts.append(f"{usage.cost:.4f} USD")
        return " · ".join(parts)


def party(address: str) -> Text:
    """An agent in its colour: always the same one, so that the eye can follow."""
    if address in (OUTSIDE, _NOBODY):
        return Text(address, "bold")
    colour = _COLOURS[crc32(address.rpartition("/")[2].encode()) % len(_COLOURS)]
    return Text(one_line(address), Style(color=colour))


def counted(number: int, noun: str) -> str:
    """So many of them, in words."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _saying(message: Message) -> str:
    content = message.content()
    body = str(content.pop("body", ""))
    fields = ", ".join(f"{name}={value!r}" for name, value in content.items())
    return f"{body} ({fields})" if body and fields else body or fields


def _words(message: Message) -> str:
    return one_line(_saying(message))


def one_line(text: str) -> str:
    """The text in one line, without control characters: an escape sequence in a message must not reach the terminal."""
    return re.sub(r"\s+", " ", _printable(text)).strip()


def _printable(text: str) -> str:
    """The text without control characters: an escape sequence in a message must not reach the terminal."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)
