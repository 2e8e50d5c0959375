"""What the home of a run and a node say to each other: one frame is a kind, a step, a question, and parts. Knows no agents.

home to node                                        node to home
OPEN    a run, its agents and their state           READY   they are here, or why not
HANDLE  messages for an agent: with each, a step    POST CALL GATHER EMIT MODEL EFFECT DELAY  what the step wants done
        begins; their numbers follow each other
ANSWER  what came of a question of a step           END     the step is over: what it returned, or raised
                                                    DONE    these steps are over, and there is nothing to say of them
GO      an agent that failed goes on
ASK     make the call to the outside now            TOLD    what that call gave
PIECE   a piece of what a model says                PIECE   likewise, of a model that is there
CANCEL  end a step                                  DROP    nobody waits for this question any more
MOVE    agents, or their state, anew                CHANGE  who came or left by the doing of a step
CHANGE  who came or left
STATES  give back the state of these agents         STATES  here they are
CLOSE   the run is over: stop the agents, and       CLOSED  what stopping raised; with nothing: it is done
        give back the state of these                LEAVE   this node wants to go
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct, pack, unpack_from
from traceback import format_exception
from typing import Any, Final, cast

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import from_json, to_json

from llm_net.chat import Embeddings, Price, Request
from llm_net.errors import FarError, LlmNetError
from llm_net.runtime.outcome import of_facts

OPEN, READY, HANDLE, POST, CALL, GATHER, EMIT, MODEL, EFFECT, DELAY = range(1, 11)
END, ANSWER, ASK, TOLD, PIECE, CANCEL, DROP, MOVE, CHANGE, STATES, CLOSE, CLOSED, LEAVE, GO, DONE = range(11, 26)

ROOM: Final = 0
"""No frame: what is left of a POST that has to wait until a mailbox has room."""

INSIDE: Final = 1 << 31
"""Added to the number of a question that a task of its own asks, inside the handler: others may be asked meanwhile."""

NOWHERE: Final = 0xFFFFFFFF
"""In place of the number of a network: there is none around."""

TO_AGENT = Struct("<III?")
"""The numbers of an agent, and of the network in whose context it handles a message; how often the agent has failed, as far as
home knows; and whether this comes before what waits there."""

GONE_ON = Struct("<II")
"""The number of an agent that goes on, and how often it has failed, as far as home knows."""

TIME = Struct("<d")

TOGETHER: Final = 64
"""Messages that one frame tells of at most, be it that they are to be handled or that they were: a part of what is sent ahead, so
that home and node are at work at the same time."""

BODY: Final = 16 * 1024 * 1024
"""Bytes of a message, at most."""

_REQUEST = TypeAdapter(tuple[Request], config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
EMBEDDINGS: TypeAdapter[Embeddings] = TypeAdapter(Embeddings)
PRICE: TypeAdapter[Price | None] = TypeAdapter(Price | None)

_HEAD = Struct("<BII")
_LENGTH = Struct("<I")
_NUMBER: Final = 4  # bytes


def frame(kind: int, step: int = 0, question: int = 0, *parts: bytes) -> bytes:
    """The bytes of a frame."""
    if not parts:
        return _HEAD.pack(kind, step, question)
    *first, last = parts
    said = [_HEAD.pack(kind, step, question)]
    for part in first:
        said += _LENGTH.pack(len(part)), part
    said.append(last)
    return b"".join(said)


def handle(step: int, where: bytes, more: bytes, messages: Iterable[bytes]) -> bytes:
    """The bytes of a HANDLE frame, made at once: a message may be long."""
    said = [_HEAD.pack(HANDLE, step, 0), where, _LENGTH.pack(len(more)), more]
    for message in messages:
        said += _LENGTH.pack(len(message)), message
    return b"".join(said)


def handled_of(data: bytes) -> tuple[bytes, bytes, list[memoryview]]:
    """Where messages are to be handled, what else there is to say, and the messages. Raises ValueError."""
    view, at, messages = memoryview(data), _HEAD.size + TO_AGENT.size, list[memoryview]()
    try:
        begin = at + _LENGTH.size
        end = begin + _LENGTH.unpack_from(data, at)[0]
        where, more = data[_HEAD.size : at], data[begin:end]
        while end < len(data):
            begin = end + _LENGTH.size
            end = begin + _LENGTH.unpack_from(data, end)[0]
            messages.append(view[begin:end])
    except struct.error as wrong:
        raise ValueError("a frame that is cut off") from wrong
    if end > len(data):
        raise ValueError("a frame that is cut off")
    return where, more, messages


def head_of(data: bytes) -> tuple[int, int, int]:
    """Kind, step and question of a frame. Raises ValueError for what is none."""
    if len(data) < _HEAD.size:
        raise ValueError("a frame without a head")
    return cast("tuple[int, int, int]", _HEAD.unpack_from(data))


def parts_of(data: bytes, number: int) -> list[bytes]:
    """The parts of a frame, of which there are so many. Raises ValueError if there are not."""
    at, parts = _HEAD.size, list[bytes]()
    for _ in range(number - 1):
        end = at + _LENGTH.size
        if end > len(data):
            raise ValueError("a frame that is cut off")
        at = end + _LENGTH.unpack_from(data, at)[0]
        parts.append(data[end:at])
    if at > len(data):
        raise ValueError("a frame that is cut off")
    parts.append(data[at:])
    return parts


def numbered(steps: Sequence[int]) -> bytes:
    """The numbers of steps, as a part."""
    return pack(f"<{len(steps)}I", *steps)


def numbers_of(data: bytes) -> tuple[int, ...]:
    """The numbers of steps that a frame consists of. Raises ValueError if they are cut off."""
    size = len(data) - _HEAD.size
    if size % _NUMBER:
        raise ValueError("numbers that are cut off")
    return unpack_from(f"<{size // _NUMBER}I", data, _HEAD.size)


def joined(parts: Iterable[bytes]) -> bytes:
    """Any number of parts as one."""
    said: list[bytes] = []
    for part in parts:
        said += _LENGTH.pack(len(part)), part
    return b"".join(said)


def taken_apart(data: bytes) -> list[bytes]:
    """What `joined` put together. Raises ValueError."""
    at, parts = 0, list[bytes]()
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ValueError("parts that are cut off")
        end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
        if end > len(data):
            raise ValueError("parts that are cut off")
        parts.append(data[at + _LENGTH.size : end])
        at = end
    return parts


def written_request(request: Request) -> bytes:
    """A question to a model as JSON."""
    return _REQUEST.dump_json((request,))


def read_request(data: bytes) -> Request:
    """The question that was written. Raises ValueError."""
    return _REQUEST.validate_json(data)[0]


# ---------------------------------------------------------------------------------------------- errors


def far(error: BaseException) -> bytes:
    """An error for the other side: its class, what it was made of, its fields, notes and traceback."""
    kind = type(error)
    facts = error.facts() if isinstance(error, LlmNetError) else _said(vars(error))
    trace = "" if error.__traceback__ is None else "".join(format_exception(error)).rstrip()
    return to_json(
        {
            "kind": f"{kind.__module__}:{kind.__qualname__}",
            "args": [arg if _sayable(arg) else str(arg) for arg in error.args],
            "facts": _said(facts),
            "notes": [note for note in getattr(error, "__notes__", ()) if isinstance(note, str)],
            "text": str(error),
            "trace": trace,
            "cause": None if error.__cause__ is None else from_json(far(error.__cause__)),
        }
    )


def near(data: bytes | Mapping[str, Any]) -> BaseException:
    """The error that the other side told of: of its class if that is defined here, else a FarError. Its traceback there is its
    last note. No class is called: what made an error is put back as it was."""
    said = from_json(data) if isinstance(data, bytes) else data
    kind, text = str(said["kind"]), str(said["text"])
    found, facts = _errors().get(kind), said["facts"]
    if found is None:
        error: BaseException = FarError(kind, text)
    elif issubclass(found, LlmNetError):
        try:
            error = of_facts(found, facts)
        except TypeError:  # other facts than here: another version
            error = FarError(kind, text)
    else:
        error = found.__new__(found, *said["args"])
        error.args = tuple(said["args"])
        vars(error).update(facts)
    for note in said["notes"]:
        error.add_note(str(note))
    if said["trace"]:
        error.add_note(f"there:\n{said['trace']}")
    if said["cause"] is not None:
        error.__cause__ = near(said["cause"])
    return error


def _errors() -> dict[str, type[Exception]]:
    """The exceptions that are defined here, by name."""
    found: list[type[Exception]] = [Exception]
    for kind in found:
        found.extend(one for one in kind.__subclasses__() if one not in found)
    return {_name(kind): kind for kind in found}


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _said(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name != "__notes__" and _sayable(value)}


def _sayable(value: object) -> bool:
    try:
        to_json(value)
    except ValueError:
        return False
    return True
