"""What a model was asked and what it answered, put together from the pieces that a record keeps. Knows no journal."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from llm_net.chat import Image, Part, Text, ToolCall, ToolResult, Turn
from llm_net.record import Effect


@dataclass(frozen=True, slots=True)
class Prompt:
    """One call of a model.

    Args:
        turns: what it was asked; None for one whose words are no longer kept.
        tools: the JSON of the functions that it might call, likewise.
        settings: how to decode, by name.
        answer: what it said; None where it failed.
        model: who answered, as it said itself.
        finish: why it ended.
    """

    turns: tuple[Turn | None, ...]
    tools: tuple[Mapping[str, Any] | None, ...] = ()
    settings: Mapping[str, Any] | None = None
    answer: Turn | None = None
    model: str = ""
    finish: str = ""


def hashes_of(effect: Effect) -> set[str]:
    """The parts that a call of a model refers to."""
    asked = _asked(effect)
    return {*asked.get("turns", ()), *asked.get("tools", ())}


def prompt_of(effect: Effect, parts: Mapping[str, bytes]) -> Prompt:
    """A call of a model.

    Args:
        parts: data by hash, as many as there are.
    """
    asked = _asked(effect)
    answer: dict[str, Any] = from_json(effect.answer) if effect.answer and effect.status == "done" else {}
    return Prompt(
        turns=tuple(_turn(from_json(parts[hash])) if hash in parts else None for hash in asked.get("turns", ())),
        tools=tuple(from_json(parts[hash]) if hash in parts else None for hash in asked.get("tools", ())),
        settings=asked.get("settings"),
        answer=Turn("assistant", tuple(_parts(answer["parts"]))) if "parts" in answer else None,
        model=answer.get("model", ""),
        finish=answer.get("finish", ""),
    )


def words_of(part: Part) -> str:
    """A piece of a turn as people read it."""
    match part:
        case Text(text=text):
            return text
        case Image(data=data, media_type=media_type):
            return f"[{media_type}, {len(data)} bytes]"
        case ToolCall(name=name, arguments=arguments):
            return f"{name}({arguments})"
        case ToolResult(name=name, content=content, failed=failed):
            return f"{name} {'failed' if failed else 'gave'}: {content}"


def _asked(effect: Effect) -> dict[str, Any]:
    return from_json(effect.asked) if effect.asked else {}


def _turn(data: dict[str, Any]) -> Turn:
    return Turn(data["role"], tuple(_parts(data["parts"])))


def _parts(data: Iterable[dict[str, Any]]) -> Iterable[Part]:
    for part in data:
        match part:
            case {"text": text}:
                yield Text(text)
            case {"data": encoded, "media_type": media_type}:
                yield Image(_bytes(encoded), media_type)
            case {"arguments": arguments}:
                yield ToolCall(part["id"], part["name"], arguments)
            case {"content": content}:
                yield ToolResult(part["id"], part["name"], content, bool(part.get("failed")))
            case _:
                yield Text(str(part))


def _bytes(encoded: str) -> bytes:
    try:
        return urlsafe_b64decode(encoded)
    except ValueError:  # not as we wrote it: a secret was taken out of it
        return encoded.encode()
