"""Messages as bytes, and back. Knows the classes of messages and how to write them, not who carries the bytes or why.

One document, JSON or msgpack, holds a message and the nearest part of its thread:

    {"v": 1, "thread": [{"kind": "shop:Call", "fields": {…}}, {"kind": "shop:Bid", "fields": {…}}]}

The last one is the message; each answers the one before it. A kind is the name of a class (`module:qualname`) that this
process has defined already: it is looked up among the subclasses of Message, never imported. Agents are written as
their addresses, answered messages as their ids, lone surrogates as U+FFFD. Every field is written, defaults too, and
comes back equal where its type says what it is; where a type takes any JSON (`metadata`), or a union both a string and
something that JSON writes as one (`str | Decimal`), it comes back as JSON has it. Zones of time keep whole minutes.
"""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import isfinite
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias, assert_never, cast, get_args
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from llm_net.address import AbstractObject, Border, Reference
from llm_net.errors import DeliveryError, WireError
from llm_net.message import Directory, Message, Role, fields_of, id_of, inherited, plain, time_of

Format: TypeAlias = Literal["json", "msgpack"]

VERSION = 1

LIMIT = 8 * 1024 * 1024
"""Bytes of a document, by default."""

ANCESTORS = 10
"""Messages of its thread that a message takes along, by default."""

NESTING = 200
"""Levels of objects and arrays in a document. Source: the fixed limit of pydantic's JSON parser."""

SHORT = 0x9A
"""The byte that a plain message in its short form begins with: an array of ten. No document does."""

SMALL = 64 * 1024
"""Characters of a body that are packed in a buffer which is kept."""

_ROLES = frozenset(get_args(Role))
_TEXT = frozenset((str, type(None)))

LONGEST_ADDRESS = 1_000
"""Characters of an address; a longer one is refused before anybody searches for it."""


class Elsewhere(Message):
    """A message of which only the id is known here: it was left behind when its thread was sent.

    Its other fields say nothing.
    """


LONG_AGO = datetime.fromtimestamp(0, UTC)


def kind_of(cls: type[Message]) -> str:
    """The name of a class of messages on the wire. A script is `__main__` in every process that it starts."""
    module = "__main__" if cls.__module__ == "__mp_main__" else cls.__module__
    return f"{module}:{cls.__qualname__}" + (f"@{cls.version}" if cls.version > 1 else "")


def loaded_as_script(module: str) -> None:
    """Say that this module is a file that runs as a script elsewhere, where its classes are of `__main__`: both names mean
    them from now on in this process."""
    global _script  # noqa: PLW0603 - like the classes that it has defined, it is the process's
    _script = module


_script = ""


def names_of(kind: str) -> tuple[str, ...]:
    """The names that mean a class, nearest first: one of a script has that of its file too."""
    module, _, name = kind.partition(":")
    if module == "__main__":
        return (kind, f"{_script}:{name}") if _script else (kind,)
    main = Path(getattr(sys.modules.get("__main__"), "__file__", None) or "").stem
    return (kind, f"__main__:{name}") if main and module == main else (kind,)


def encode(
    message: Message,
    *,
    format: Format = "json",
    ancestors: int | None = ANCESTORS,
    address: Callable[[AbstractObject], str] = attrgetter("id"),
    limit: int = LIMIT,
) -> bytes:
    """Write a message.

    Args:
        ancestors: how much of its thread goes along: at most so many messages, the nearest, while there is room; None
            for all of it.
        address: the address under which the reader knows an agent.
        limit: bytes that the document may have.

    Raises:
        WireError: it is too long or too deep, or something in it cannot be written.
    """
    written = _written(message, format, ancestors, Border(address=address), limit, lambda id: False)
    return _document([record for _, record in written], format)


def decode(
    data: bytes,
    *,
    format: Format = "json",
    kinds: Container[type[Message]] | None = None,
    directory: Directory | None = None,
    limit: int = LIMIT,
) -> Message:
    """Read a message that `encode` wrote, with as much of its thread as came along.

    Where more of it was left behind, the thread begins with an `Elsewhere`.

    Args:
        kinds: the classes that may come in, those of the thread included; None for all that this process has.
        directory: where agents are found by address. Whoever is not in it is a Reference; a miss should be cheap.
        limit: bytes that the document may have; a longer one is not read.

    Raises:
        WireError: these are no bytes of a message. Nothing of them is kept; nothing they name is imported or called.
    """
    return _read(data, format, kinds, directory, limit, lambda id: None)[-1]


class Line:
    """One end of a line between two processes: a message of a thread crosses once, from then on its id is enough.

    What one end encodes, the other must decode, once and in order, as pipes and acknowledged links do; the two ways do
    not wait for each other. An answer to what came or went over the line is tied to the very same object again.

    Args:
        short: whether plain messages go in a short form, which is not JSON: 5 times as fast. Both ends read it anyway.
        memory: messages that each end remembers, the same at both ends. If more than so many are under way, or a reader
            refused one, a thread may begin with an `Elsewhere`; nothing else is lost.
        format, ancestors, address, kinds, directory, limit: as for `encode` and `decode`.
    """

    def __init__(
        self,
        *,
        format: Format = "json",
        short: bool = False,
        memory: int = 1_000,
        ancestors: int | None = 100,
        address: Callable[[AbstractObject], str] = attrgetter("id"),
        kinds: Container[type[Message]] | None = None,
        directory: Directory | None = None,
        limit: int = LIMIT,
    ) -> None:
        self._format: Format = format
        self._short = short
        self._ancestors = ancestors
        self._border = Border(address=address)
        self._kinds = kinds
        self._directory = directory
        self._limit = limit
        self._memory = memory
        # What we sent is remembered for twice as long as it may be named by us: until then the other end may name it.
        self._sent = _Memory(2 * memory)
        self._received = _Memory(memory)

    def encode(self, message: Message) -> bytes:
        """Write a message with that part of its thread which the other end has not seen. Raises WireError."""
        if self._short and type(message) is Message and (data := self._in_short(message)) is not None:
            return data
        written = _written(message, self._format, self._ancestors, self._border, self._limit, self._shared)
        for sent, _ in written:
            self._sent.keep(sent.id, sent)
        return _document([record for _, record in written], self._format)

    def decode(self, data: bytes | memoryview) -> Message:
        """Read a message that the other end wrote. Raises WireError."""
        if data and data[0] == SHORT:
            return self._of_short(data)
        messages = _read(bytes(data), self._format, self._kinds, self._directory, self._limit, self._remembered)
        for message in messages:
            self._received.keep(message.id, message)
        return messages[-1]

    def _in_short(self, message: Message) -> bytes | None:
        """A plain message by its envelope alone; None if there is more to say."""
        fields = fields_of(message)
        answered: Message | None = fields["reply_to"]
        if fields.get("metadata") or fields.get("deadline") is not None:
            return None
        if answered is not None and not self._shared(answered.id):
            return None
        sender, receiver, address = fields["sender"], fields["receiver"], self._border.address
        id, conversation, body = id_of(fields), inherited(fields, "conversation"), fields["body"]
        said = (
            id,
            time_of(fields),
            None if sender is None else address(sender),
            None if receiver is None else address(receiver),
            None if answered is None else answered.id,
            fields["role"],
            fields["method"],
            body,
            inherited(fields, "protocol"),
            None if conversation == id else conversation,
        )
        try:
            packed: bytes = _packer()(said) if len(body) < SMALL else _msgpack().packb(said)
        except UnicodeEncodeError:  # half a character: the long form mends it
            return None
        if len(packed) > self._limit:
            return None
        self._sent.keep(id, message)
        return packed

    def _of_short(self, data: bytes | memoryview) -> Message:
        if len(data) > self._limit:
            raise WireError(f"it has {len(data)} bytes, more than the {self._limit} allowed")
        if self._kinds is not None and Message not in self._kinds:
            raise WireError("plain messages are not let in here; allow them in `kinds`")
        try:
            said = _msgpack().unpackb(data)
            id, time, sender, receiver, answered, role, method, body, protocol, conversation = said
            created_at = datetime.fromtimestamp(time, UTC)
        except (ValueError, TypeError, OverflowError, OSError) as unreadable:
            raise WireError(f"it cannot be read as a plain message: {_short(str(unreadable))}") from None
        if not (type(id) is type(role) is type(method) is type(body) is str):
            raise WireError("a plain message whose id, role, method or body is no text")
        if not (type(sender) in _TEXT and type(receiver) in _TEXT and type(answered) in _TEXT):
            raise WireError("a plain message with something else for an address than a text")
        if not (type(protocol) in _TEXT and type(conversation) in _TEXT):
            raise WireError("a plain message whose protocol or conversation is no text")
        if not (id and method and role in _ROLES and sender != "" and receiver != ""):
            raise WireError("a plain message without id, method, role or address")
        if (sender and len(sender) > LONGEST_ADDRESS) or (receiver and len(receiver) > LONGEST_ADDRESS):
            raise WireError(f"an address has at most {LONGEST_ADDRESS} characters")
        message = plain(
            {
                "id": id,
                "created_at": created_at,
                "sender": None if sender is None else _lives_at(sender, self._directory),
                "receiver": None if receiver is None else _lives_at(receiver, self._directory),
                "reply_to": None if answered is None else self._answered(answered),
                "role": role,
                "method": method,
                "body": body,
                "deadline": None,
                "protocol": protocol,
                "conversation": id if conversation is None else conversation,
                "metadata": {},
            }
        )
        self._received.keep(id, message)
        return message

    def _answered(self, id: str) -> Message:
        known = self._remembered(id)
        return Elsewhere(id=id, created_at=LONG_AGO) if known is None else known

    def _shared(self, id: str) -> bool:
        return self._received.get(id) is not None or self._sent.get(id, among=self._memory) is not None

    def _remembered(self, id: str) -> Message | None:
        received = self._received.get(id)
        return self._sent.get(id) if received is None else received


class _Memory:
    """The last messages that were kept. Both ends of a line drop the same ones, for both see the same order."""

    __slots__ = ("_count", "_messages", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        self._messages: OrderedDict[str, tuple[int, Message]] = (
            OrderedDict()
        )  # a dict looks for its first one each time

    def keep(self, id: str, message: Message) -> None:
        messages = self._messages
        if id in messages:
            del messages[id]
        elif len(messages) == self._size:
            messages.popitem(last=False)
        messages[id] = (self._count, message)
        self._count += 1

    def get(self, id: str, *, among: int | None = None) -> Message | None:
        """The message with this id, if it is one of the last `among` that were kept."""
        number, message = self._messages.get(id, (-1, None))
        return message if among is None or self._count - number <= among else None


def encode_alone(message: Message, border: Border) -> bytes:
    """Write a message without its thread, as JSON: `{"kind": …, "fields": …}`. Raises WireError."""
    return _record(message, "json", border)


def decode_alone(data: bytes, border: Border) -> Message:
    """Read what `encode_alone` wrote; `border` knows the message that it answers. Raises WireError."""
    try:
        record = from_json(data)
    except ValueError as unreadable:
        raise WireError(f"it cannot be read as json: {_short(str(unreadable))}") from None
    ((name, fields),) = _records({"v": VERSION, "thread": [record]})
    return _made(*_upcast(name, fields), border)


Upcast: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""The fields of an older version of a message as those of a younger one."""


def upcast(old: str, new: type[Message]) -> Callable[[Upcast], Upcast]:
    """Say how messages that were written under an older kind are read: `@upcast("shop:Bid", Bid)`.

    Args:
        old: the name that the class had: `module:qualname`, with `@2` and so on after it from its second `version` on.
        new: the class that has its place now; if it is the same class, raise its `version`.
    """

    def register(function: Upcast) -> Upcast:
        _upcasts[old] = new, function
        return function

    return register


_upcasts: dict[str, tuple[type[Message], Upcast]] = {}


def _upcast(name: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """As the youngest version has it."""
    if not _upcasts:
        return name, fields
    passed: set[str] = set()
    while (old := next((each for each in names_of(name) if each in _upcasts), "")) and old not in passed:
        passed.add(old)
        new, function = _upcasts[old]
        try:
            name, fields = kind_of(new), function(dict(fields))
        except Exception as failed:
            raise WireError(f"{name} cannot be upcast: {type(failed).__name__}: {_short(str(failed))}") from failed
    return name, fields


# ---------------------------------------------------------------------------------------------- writing


def _written(
    message: Message,
    format: Format,
    ancestors: int | None,
    border: Border,
    limit: int,
    shared: Callable[[str], bool],
) -> list[tuple[Message, bytes]]:
    """The message and those before it that go along, the eldest first, each with its record."""
    room = limit - 32  # for what the document adds
    written: list[tuple[Message, bytes]] = []
    following: Message | None = message
    while following is not None and not (written and (type(following) is Elsewhere or shared(following.id))):
        if ancestors is not None and len(written) > ancestors:
            break
        optional = ancestors is not None and bool(written)
        try:
            record = _record(following, format, border)
        except WireError:
            if optional:
                break
            raise
        room -= len(record) + 1
        if room < 0:
            if optional:
                break
            what = "it" if ancestors is not None else "its whole thread"
            raise WireError(f"{what} is longer than {limit} bytes; send less of it, or raise `limit` at both ends")
        written.append((following, record))
        following = following.reply_to
    written.reverse()
    return written


def _document(records: list[bytes], format: Format) -> bytes:
    match format:
        case "json":
            return b'{"v":%d,"thread":[%b]}' % (VERSION, b",".join(records))
        case "msgpack":
            packer = _msgpack().Packer()
            head: bytes = packer.pack_map_header(2) + packer.pack("v") + packer.pack(VERSION) + packer.pack("thread")
            return b"".join([head, packer.pack_array_header(len(records)), *records])
        case _:
            assert_never(format)


def _record(message: Message, format: Format, border: Border) -> bytes:
    kind = type(message)
    written = _spelling(kind)
    if written.models:
        _refuse_undeclared(message, written.models)
    try:
        fields = message.model_dump_json(context=border, by_alias=False, round_trip=True, warnings="error").encode()
    except PydanticSerializationError:
        fields = _without_surrogates(message, border)
    record = b"%b%b}" % (written.prefix, fields)
    if record.count(b"{") + record.count(b"[") > NESTING - 3:  # perhaps too deep; the document adds two levels
        try:
            from_json(b"[[%b]]" % record)
        except ValueError:
            raise WireError(f"{kind.__name__} is nested deeper than {NESTING} levels; send it flatter") from None
    if format == "json":
        return record
    try:
        packed: bytes = _msgpack().packb(from_json(record))
    except OverflowError:
        raise WireError(f"{kind.__name__} has an integer of more than 64 bits; send it as JSON") from None
    return packed


def _without_surrogates(message: Message, border: Border) -> bytes:
    """The fields of a message that could not be written as it is: models write halves of characters now and then."""
    try:
        fields = message.model_dump(mode="json", context=border, by_alias=False, round_trip=True, warnings="error")
        return to_json(_cleaned(fields), inf_nan_mode="strings")
    except ValueError as unwritable:
        raise WireError(f"{type(message).__name__} cannot be written: {unwritable}") from unwritable


def _cleaned(value: JsonValue) -> JsonValue:  # as deep as what pydantic has just written, so recursion is safe
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_cleaned(item) for item in value]
        case dict():
            return {str(_cleaned(name)): _cleaned(item) for name, item in value.items()}
        case _:
            return value


# ---------------------------------------------------------------------------------------------- reading


def _read(
    data: bytes,
    format: Format,
    kinds: Container[type[Message]] | None,
    directory: Directory | None,
    limit: int,
    remembered: Callable[[str], Message | None],
) -> list[Message]:
    """The messages of a document, the eldest first."""
    if len(data) > limit:
        raise WireError(f"it has {len(data)} bytes, more than the {limit} allowed; raise `limit` where that is meant")
    try:
        document = _parsed_json(data) if format == "json" else _parsed_msgpack(data)
    except (ValueError, TypeError, RecursionError) as unreadable:
        raise WireError(f"it cannot be read as {format}: {_short(str(unreadable))}") from None
    here: dict[str, Message] = {}

    def agent(address: str) -> AbstractObject:
        return _lives_at(address, directory)

    def message(id: str) -> Message:
        known = here[id] if id in here else remembered(id)
        return Elsewhere(id=id, created_at=LONG_AGO) if known is None else known

    border = Border(agent=agent, message=message)
    last: Message | None = None
    for written, content in _records(document):
        name, fields = _upcast(written, content)
        if last is not None and fields.get("reply_to") != last.id:
            raise WireError("a message of its thread does not answer the one before it")
        last = _made(name, fields, border, kinds)
        if last.id in here:
            raise WireError("its thread has one message twice")
        here[last.id] = last
    return list(here.values())


def _lives_at(address: str, directory: Directory | None) -> AbstractObject:
    if len(address) > LONGEST_ADDRESS:
        raise ValueError(f"an address has at most {LONGEST_ADDRESS} characters")
    if directory is not None:
        try:
            return directory[address]
        except (LookupError, DeliveryError):
            pass
    return Reference(address)


def _made(name: str, fields: dict[str, Any], border: Border, kinds: Container[type[Message]] | None = None) -> Message:
    kind = _kind(name)
    if kinds is not None and kind not in kinds:
        raise WireError(f"messages of kind {name} are not let in here; allow them in `kinds`")
    if missing := [field for field in ("id", "created_at") if field not in fields]:
        raise WireError(f"{name} without {' and '.join(missing)}")
    try:
        # Once more as JSON text, for only there pydantic lets strict classes take what JSON has no type for.
        return kind.model_validate_json(to_json(fields), context=border, by_alias=False, by_name=True)
    except ValidationError as invalid:
        raise WireError(f"{name} with wrong fields: {_short(_sentence(invalid))}") from None
    except Exception as failed:  # validators of anybody's classes see hostile values here, and may stumble
        raise WireError(f"{name} cannot be made: {type(failed).__name__}: {_short(str(failed))}") from failed


def _records(document: object) -> list[tuple[str, dict[str, Any]]]:
    if type(document) is not dict or type(version := document.get("v")) is not int or version < 1:
        raise WireError("it is not an object with a version `v`")
    if version > VERSION:
        raise WireError(
            f"it is written in version {version} of the form, this llm_net reads {VERSION}; upgrade it here"
        )
    thread = document.get("thread")
    if len(document) != 2 or type(thread) is not list or not thread:
        raise WireError("it has not exactly a version `v` and a `thread` of messages")
    records: list[tuple[str, dict[str, Any]]] = []
    for record in thread:
        if type(record) is not dict or len(record) != 2:
            raise WireError("a message of its thread has not exactly a `kind` and `fields`")
        kind, fields = record.get("kind"), record.get("fields")
        if type(kind) is not str or type(fields) is not dict:
            raise WireError("a message of its thread has not exactly a `kind` and `fields`")
        records.append((kind, fields))
    return records


def _parsed_json(data: bytes) -> object:
    document: object = from_json(data, allow_inf_nan=False)  # never recurses deeper than NESTING, whatever comes
    if to_json(document) == data:  # as `encode` writes it, so no name can stand in an object twice
        return document
    return _decode_json(data.decode())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has one name twice")
    return members


def _finite(text: str) -> float:
    if isfinite(number := float(text)):
        return number
    raise ValueError(f"{_short(text)} is not a finite number")


_decode_json = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite).decode


def _parsed_msgpack(data: bytes) -> object:
    document: object = _msgpack().unpackb(data, object_pairs_hook=_unique)
    pending = [document]
    while pending:  # only what JSON has too: no bytes, no extension types, no times, no NaN
        match pending.pop():
            case dict(members):
                if not all(type(name) is str for name in members):
                    raise ValueError("a name in an object is not a string")
                pending.extend(members.values())
            case list(items):
                pending.extend(items)
            case float(number) if not isfinite(number):
                raise ValueError(f"{number} is not a finite number")
            case None | bool() | int() | float() | str():
                pass
            case foreign:
                raise ValueError(f"{type(foreign).__name__} is not a type of JSON")
    return document


@cache
def _msgpack() -> ModuleType:
    import msgpack  # lazily: most programs need no msgpack

    return cast(ModuleType, msgpack)


@cache
def _packer() -> Callable[[object], bytes]:
    """Packs into a buffer that is kept: half the time of `packb`, which makes one each time."""
    pack: Callable[[object], bytes] = _msgpack().Packer().pack
    return pack


def _sentence(invalid: ValidationError) -> str:
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(str(step) for step in error['loc']) or 'it'}: {error['msg']}" for error in errors[:3])


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + "…"


# ---------------------------------------------------------------------------------------------- kinds


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How messages of one class begin on the wire, and the models that its fields may hold."""

    name: str
    prefix: bytes
    models: WeakSet[type[BaseModel]]


_spellings: WeakKeyDictionary[type[Message], _Spelling] = WeakKeyDictionary()
_kinds: WeakValueDictionary[str, type[Message]] = WeakValueDictionary()
"""What was found on the last walk through the subclasses of Message; walked again only when something is missing."""


def _spelling(kind: type[Message]) -> _Spelling:
    spelling = _spellings.get(kind)
    if spelling is None:
        name = kind_of(kind)
        prefix = b'{"kind":%b,"fields":' % to_json(name)
        spelling = _spellings[kind] = _Spelling(name, prefix, WeakSet(_models(kind)))
    if _kinds.get(spelling.name) is not kind:
        _find_kinds()
        if _kinds.get(spelling.name) is not kind:
            raise WireError(
                f"two classes are called {spelling.name}, and this message is of the elder; rename one of them"
            )
    return spelling


def _kind(name: str) -> type[Message]:
    kind = _kinds.get(name)
    if kind is None:
        _find_kinds()
        kind = next((_kinds[each] for each in names_of(name) if each in _kinds), None)
    if kind is None:
        raise WireError(f"its kind {_short(repr(name))} is unknown here; import the module that defines it first")
    return kind


def _find_kinds() -> None:
    found: list[type[Message]] = [Message]
    for kind in found:
        _kinds[kind_of(kind)] = kind  # of two with one name the younger stays: a notebook cell that was run again
        found.extend(kind.__subclasses__())


def _models(kind: type[Message]) -> set[type[BaseModel]]:
    """The models that content of this class is declared to hold, at any depth."""
    models: set[type[BaseModel]] = set()
    pending: list[object] = _annotations(kind)
    while pending:
        annotation = pending.pop()
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            pending.extend(get_args(getattr(annotation, "__value__", annotation)))
        elif issubclass(annotation, AbstractObject):
            raise WireError(
                f"{kind.__name__} holds a {annotation.__name__}; declare that field as `Address`, to send its address"
            )
        elif annotation not in models:
            models.add(annotation)
            pending.extend(_annotations(annotation))
    return models


def _annotations(kind: type[BaseModel]) -> list[object]:
    envelope: Mapping[str, object] = Message.model_fields if issubclass(kind, Message) else {}
    return [field.annotation for name, field in kind.model_fields.items() if name not in envelope]


def _refuse_undeclared(message: Message, declared: WeakSet[type[BaseModel]]) -> None:
    """A field's own class is what gets written, so what a subclass adds would be lost without a word."""
    pending: list[object] = list(message.content().values())
    while pending:
        match pending.pop():
            case AbstractObject():
                pass
            case BaseModel() as model:
                if type(model) not in declared:
                    kind, held = type(message).__name__, type(model).__name__
                    raise WireError(
                        f"a {kind} holds a {held}, which its fields do not declare; name {held} in their types"
                    )
                pending.extend(model.content().values() if isinstance(model, Message) else model.__dict__.values())
            case dict(members):
                pending.extend(members.values())
            case list() | tuple() | set() | frozenset() as items:
                pending.extend(items)
            case _:
                pass
