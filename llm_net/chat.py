"""One call of a language model, whoever the provider is: turns, tools, usage. Knows nothing of agents or providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

# ---------------------------------------------------------------------------------------------- parts of a turn


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: its bytes and their media type, such as `image/png`."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants called. `arguments` is the JSON text as the model wrote it: do not trust it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a called function gave. `id` is that of the ToolCall; `failed` says that `content` is an error."""

    id: str
    name: str
    content: str
    failed: bool = False


Part: TypeAlias = Text | Image | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry of a conversation with a model."""

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The words of this turn, parts joined without a separator."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def system(text: str) -> Turn:
    """A turn that instructs the model."""
    return Turn("system", (Text(text),))


def user(text: str) -> Turn:
    """A turn that somebody says to the model."""
    return Turn("user", (Text(text),))


def assistant(text: str) -> Turn:
    """A turn that the model said."""
    return Turn("assistant", (Text(text),))


# ---------------------------------------------------------------------------------------------- the question


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call. `parameters` is a JSON Schema (2020-12) of type object."""

    name: str
    description: str
    parameters: Mapping[str, object]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """The form that an answer must have: a JSON Schema (2020-12) and a name for it."""

    schema: Mapping[str, object]
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to decode. `None` leaves a choice to the model; every call has a finite `max_tokens` and `timeout` (seconds)."""

    temperature: float | None = None
    max_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    Args:
        turns: the conversation, oldest first; at least one.
        tools: functions that the model may call.
        tool_choice: "auto" (the model decides), "required" (one of them), "none".
        output: the form of the answer; excludes tools.
        settings: how to decode.
    """

    turns: Sequence[Turn]
    tools: Sequence[Tool] = ()
    tool_choice: Literal["auto", "required", "none"] = "auto"
    output: Output | None = None
    settings: Settings = field(default_factory=Settings)


# ---------------------------------------------------------------------------------------------- the answer


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls of models used. `cost` in US dollars, None where no price is known."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=sum(costs, Decimal(0)) if costs else None,
        )


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input: Decimal
    output: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """The cost of one call in US dollars."""
        return (self.input * input_tokens + self.output * output_tokens) / 1_000_000


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's whole answer.

    `finish`: "stop" (it was done), "length" (it came to `max_tokens`), "tools" (it waits for results), "refusal".
    """

    parts: tuple[Part, ...]
    usage: Usage
    model: str
    finish: Literal["stop", "length", "tools", "refusal"] = "stop"

    @property
    def text(self) -> str:
        """The words of the answer."""
        return self.turn.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The functions that the model wants called, in its order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def turn(self) -> Turn:
        """The answer as the next turn of the conversation."""
        return Turn("assistant", self.parts)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next few characters of an answer that is being written."""

    text: str


Chunk: TypeAlias = TextDelta | Completion
"""What a stream gives: any number of TextDelta, then exactly one Completion whose text is all of them joined."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Texts as vectors, in the order asked; all of one length."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage
    model: str


def estimate_tokens(request: Request) -> int:
    """An estimate of a request's input tokens from its size, for models that cannot count: one for each 3 bytes of
    UTF-8, 8 for each turn and tool, and 1,000 for each image. It errs on the high side for European languages."""
    total = 0
    for turn in request.turns:
        total += 8
        for part in turn.parts:
            match part:
                case Text(text):
                    total += len(text.encode(errors="replace")) // 3 + 1
                case Image():
                    total += 1000
                case ToolCall(arguments=arguments):
                    total += len(arguments.encode(errors="replace")) // 3 + 8
                case ToolResult(content=content):
                    total += len(content.encode(errors="replace")) // 3 + 8
    for tool in request.tools:
        total += 8 + (len(tool.name) + len(tool.description) + len(str(tool.parameters))) // 3
    if request.output is not None:
        total += len(str(request.output.schema)) // 3
    return total
