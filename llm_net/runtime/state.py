"""The fields of agents as bytes, and back; and how little of them has changed. Knows no run and no journal.

A whole state is `{"field": value, …}`; a change is `{"set": {"field": value}, "edit": {"field": [start, end, "text"]}}`, where
an edit puts a text between the first `start` and the last `end` bytes of the field's JSON. Stored is what JSON can say:
fields that hold clients, models, locks, secrets or other agents are made anew by whoever builds the network. Messages are
stored with their class, a thread only by its ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields as fields_of_dataclass
from dataclasses import is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, cast, get_args
from weakref import WeakKeyDictionary

from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter
from pydantic_core import from_json, to_json

from llm_net.address import AbstractObject, Border
from llm_net.base import GenAgent
from llm_net.errors import NotResumable
from llm_net.graph import Link
from llm_net.message import Message
from llm_net.runtime.members import Roll
from llm_net.wire import decode_alone, encode_alone, names_of

AGENTS, LINKS = "agents", "links"
"""What is stored of a network besides its fields, once it was changed: these two are no stored fields of it."""

WHOLE_EVERY = 100
"""After so many changes a whole state is written again: so many are read at most."""

_MESSAGE = "$message"
_ATOMS = (str, bytes, int, float, bool, type(None), Decimal, date, datetime, timedelta, Enum, Message)


class Fields:
    """The stored fields of one class of agents."""

    _of: WeakKeyDictionary[type[GenAgent], Fields] = WeakKeyDictionary()

    def __init__(self, kind: type[GenAgent]) -> None:
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        self._packed: set[str] = set()  # those that may hold messages
        self._any: set[str] = set()  # those that may hold anything
        self._kind = kind.__name__
        said = kind.storable()
        for name, field in kind.model_fields.items():
            found = _types_in(field.annotation)
            if name == "id" or field.exclude or name not in said or any(map(_is_live, found)):
                continue
            self._adapters[name] = TypeAdapter(cast(Any, Annotated[field.annotation, field]))
            if any(each is Any or each is object for each in found):
                self._any.add(name)
            if name in self._any or any(isinstance(each, type) and issubclass(each, Message) for each in found):
                self._packed.add(name)

    @classmethod
    def of(cls, kind: type[GenAgent]) -> Fields:
        """Those of a class, found once."""
        fields = cls._of.get(kind)
        if fields is None:
            fields = cls._of[kind] = cls(kind)
        return fields

    @property
    def names(self) -> Collection[str]:
        """Their names."""
        return self._adapters.keys()

    def encode(self, name: str, value: object, border: Border) -> bytes | None:
        """The JSON of a field's value; None for something alive in a field of any type. Raises NotResumable."""
        try:
            if name in self._packed:
                return to_json(_pack(value, border), bytes_mode="base64", inf_nan_mode="strings")
            return self._adapters[name].dump_json(value, context=border, by_alias=False, warnings="error")
        except ValueError as failed:
            if name in self._any:
                return None
            raise NotResumable(
                self._kind, f"field {name!r} cannot be kept in a journal ({failed}); leave it out of `storable`"
            ) from failed

    def of_agent(self, agent: GenAgent, border: Border) -> dict[str, bytes]:
        """The JSON of each field of an agent, but for what is alive. Raises NotResumable."""
        values = {name: self.encode(name, agent.__dict__[name], border) for name in self.names}
        return {name: data for name, data in values.items() if data is not None}

    def decode(self, name: str, data: bytes, border: Border) -> object:
        """The value of a field."""
        if name in self._packed:
            return self._adapters[name].validate_python(_unpack(from_json(data), border), context=border)
        return self._adapters[name].validate_json(data, context=border)


class Shadow:
    """What is kept of one agent: tells, after each step, what is new.

    Args:
        redact: takes secrets out of the JSON of a field.
        kept: the JSON of its fields, where some is kept already.
    """

    __slots__ = (
        "_agent",
        "_border",
        "_bytes",
        "_changes",
        "_fields",
        "_grown",
        "_redact",
        "_size",
        "_values",
        "roll",
    )

    def __init__(
        self, agent: GenAgent, border: Border, redact: Callable[[bytes], bytes], kept: Mapping[str, bytes] | None = None
    ) -> None:
        self._agent = agent
        self._border = border
        self._redact = redact
        self._fields = Fields.of(type(agent))
        self._bytes: dict[str, bytes] = dict(kept or {})
        self._values: dict[str, object] = {}  # of fields whose values never change: the same object says the same
        self._changes = WHOLE_EVERY if kept is None else 0  # since it was written whole
        self._grown = 0  # bytes of those changes
        self._size = sum(map(len, self._bytes.values()))
        self.roll: Roll | None = None  # of a network that was changed

    @property
    def kept(self) -> Mapping[str, bytes]:
        """The JSON of its fields, as it was the last time."""
        return self._bytes

    def take(self) -> dict[str, bytes]:
        """As it is now, it need not be kept: whoever builds the network builds it so. Gives the JSON of its fields, with
        its secrets."""
        values = self._fields.of_agent(self._agent, self._border)
        self._bytes.update((name, self._redact(data)) for name, data in values.items())
        return values

    def news(self) -> dict[str, bytes]:
        """The JSON of the fields that are different from the last time."""
        changed = self._news()
        self._bytes.update(changed)
        return changed

    def change(self, *, fields: bool = True) -> tuple[bool, bytes] | None:
        """What is new since the last time: whether it is the whole state, and its JSON. None for nothing.

        Args:
            fields: whether to look at the fields, or only at the members and links of a network.
        """
        changed = self._news(fields=fields)
        if not changed:
            return None
        old = self._bytes
        edits = {name: _edit(old[name], data) for name, data in changed.items() if name in old}
        old.update(changed)
        if self._changes < WHOLE_EVERY and self._grown <= self._size:
            body = _object(
                ("set", _object(*((name, data) for name, data in changed.items() if edits.get(name) is None))),
                ("edit", _object(*((name, edit) for name, edit in edits.items() if edit is not None))),
            )
            self._changes += 1
            self._grown += len(body)
            return False, body
        return True, self.whole()

    def whole(self) -> bytes:
        """All that is kept, as JSON: what is new from now on is new to this."""
        self._changes = self._grown = 0
        body = _object(*self._bytes.items())
        self._size = len(body)
        return body

    def _news(self, *, fields: bool = True) -> dict[str, bytes]:
        old = self._bytes
        changed: dict[str, bytes] = {}
        present = self._agent.__dict__
        for name in self._fields.names if fields else ():
            value = present[name]
            if isinstance(value, _ATOMS):
                if name in self._values and self._values[name] is value:
                    continue
                self._values[name] = value
            data = self._fields.encode(name, value, self._border)
            if data is not None and (data := self._redact(data)) != old.get(name):
                changed[name] = data
        if self.roll is not None:
            changed.update((name, data) for name, data in _written(self.roll) if data != old.get(name))
        return changed


def stored(whole: bytes, changes: Iterable[bytes]) -> dict[str, bytes]:
    """The JSON of each field, from a whole state and what was changed since."""
    values = {name: to_json(value) for name, value in _parsed(whole).items()}
    for change in changes:
        parsed = _parsed(change)
        values.update((name, to_json(value)) for name, value in parsed.get("set", {}).items())
        for name, (start, end, text) in parsed.get("edit", {}).items():
            old = values[name]
            values[name] = old[:start] + text.encode() + old[len(old) - end :]
    return values


def forget_computed(agent: GenAgent) -> None:
    """Drop what was computed of fields that are to be others (`functools.cached_property`)."""
    present = vars(agent)
    for name in present.keys() - type(agent).model_fields.keys():
        del present[name]


def upcast(kind: type[GenAgent], values: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The JSON of each field as this class has it, where an older version of it was stored."""
    if kind.upcast_state.__func__ is GenAgent.upcast_state.__func__:  # type: ignore[attr-defined]
        return values
    members = {name: data for name, data in values.items() if name in (AGENTS, LINKS)}
    fields = kind.upcast_state({name: from_json(data) for name, data in values.items() if name not in members})
    return {**members, **{name: to_json(value) for name, value in fields.items()}}


def _parsed(data: bytes) -> dict[str, Any]:
    return cast(dict[str, Any], from_json(data))


def _object(*members: tuple[str, bytes]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (to_json(name), data) for name, data in members)


def _edit(old: bytes, new: bytes) -> bytes | None:
    """How one becomes the other, if that is shorter than the other: an edit of `stored`."""
    if len(new) < 64:
        return None
    shorter = min(len(old), len(new))
    start = _common(shorter, lambda n: old[:n] == new[:n])
    while start and (start == len(new) or new[start] & 0xC0 == 0x80):  # not amidst a character
        start -= 1
    end = _common(shorter - start, lambda n: old[len(old) - n :] == new[len(new) - n :])
    while end and new[len(new) - end] & 0xC0 == 0x80:
        end -= 1
    text = to_json(new[start : len(new) - end].decode())
    return b"[%d,%d,%b]" % (start, end, text) if len(text) + 16 < len(new) else None


def _common(most: int, equal: Callable[[int], bool]) -> int:
    """The largest number up to `most` for which it holds, where it holds for all smaller ones."""
    if equal(most):
        return most
    least = 0
    while most - least > 1:
        middle = (least + most) // 2
        if equal(middle):
            least = middle
        else:
            most = middle
    return least


# ---------------------------------------------------------------------------------------------- networks


def _written(roll: Roll) -> Iterable[tuple[str, bytes]]:
    yield AGENTS, to_json({id: kind_of_agent(type(agent)) for id, agent in roll.agents.items()})
    yield LINKS, to_json([[link.source, link.event, link.listener] for link in roll.links])


def links_in(data: bytes) -> list[Link]:
    """The links that are stored of a network."""
    return [Link(*link) for link in from_json(data)]


def members_in(data: bytes) -> dict[str, str]:
    """The members that are stored of a network: kinds by id."""
    return cast(dict[str, str], from_json(data))


def kind_of_agent(kind: type[GenAgent]) -> str:
    """The name of a class of agents, by which `agent_kind` finds it again."""
    module = "__main__" if kind.__module__ == "__mp_main__" else kind.__module__
    return f"{module}:{kind.__qualname__}"


def agent_kind(name: str) -> type[GenAgent] | None:
    """The class of agents of this name that this process has defined; nothing is imported."""
    wanted, other = names_of(name), None
    found: list[type[GenAgent]] = [GenAgent]
    for kind in found:
        if (known := kind_of_agent(kind)) == name:
            return kind
        if known in wanted:
            other = kind
        found.extend(kind.__subclasses__())
    return other


# ---------------------------------------------------------------------------------------------- messages inside values


def _pack(value: object, border: Border) -> object:
    match value:
        case Message():
            return {_MESSAGE: from_json(encode_alone(value, border))}
        case AbstractObject():
            return border.address(value)
        case dict():
            return {str(name): _pack(item, border) for name, item in value.items()}
        case list() | tuple() | set() | frozenset() | deque():
            return [_pack(item, border) for item in value]
        case BaseModel():
            return {name: _pack(item, border) for name, item in value.__dict__.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: _pack(getattr(value, field.name), border) for field in fields_of_dataclass(value)}
        case _:
            return value


def _unpack(value: object, border: Border) -> object:
    match value:
        case dict() if set(value) == {_MESSAGE}:
            return decode_alone(to_json(value[_MESSAGE]), border)
        case dict():
            return {name: _unpack(item, border) for name, item in value.items()}
        case list():
            return [_unpack(item, border) for item in value]
        case _:
            return value


def _types_in(annotation: object) -> list[Any]:
    """All types that an annotation names, those of the fields of models and dataclasses included."""
    found: list[Any] = [annotation]
    seen: set[int] = set()
    for each in found:
        if id(each) in seen:
            continue
        seen.add(id(each))
        found.extend(get_args(getattr(each, "__value__", each)))
        if isinstance(each, type) and not issubclass(each, (Message, GenAgent)):
            if issubclass(each, BaseModel):
                found.extend(field.annotation for field in each.model_fields.values())
            elif is_dataclass(each):
                found.extend(field.type for field in fields_of_dataclass(each))
    return found


def _is_live(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, (GenAgent, SecretStr, SecretBytes))
