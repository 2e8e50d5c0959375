"""What agents say to each other: typed, immutable, answered like letters. Knows nothing of who sends it or how."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import count
from time import time_ns
from types import MethodType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Self, TypeAlias, TypeVar, cast, overload

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    ValidationError,
    ValidationInfo,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema, from_json

from llm_net.address import AbstractObject, Border, Party
from llm_net.errors import InvalidArguments
from llm_net.schema import Function, function, unrolled

Method: TypeAlias = Literal[
    "accept", "agree", "ask", "be", "cancel", "chat", "check", "do", "error", "failure", "info", "inform", "log", "propose",
    "proxy", "query", "refuse", "reject", "request", "response", "step", "subscribe", "system", "tell", "warn",
]  # fmt: skip
"""The verbs that agents share. A message may name any other: it goes to the handler of that name."""

Role: TypeAlias = Literal["system", "user", "assistant"]
"""Who speaks, as a chat endpoint sees it."""


class Source(Protocol):
    """Where ids and times come from when they are not this process's own: a virtual clock, a seed, a record."""

    def new_id(self) -> str: ...

    def now(self) -> datetime: ...


class Origin(Protocol):
    """What is being handled: the agent, its message, and the runtime's source of ids and times if it has its own."""

    @property
    def agent(self) -> AbstractObject: ...

    @property
    def message(self) -> Message: ...

    @property
    def source(self) -> Source | None: ...


origin: ContextVar[Origin | None] = ContextVar("llm_net.origin", default=None)
"""What is being handled here and now; set by runtimes around each step of a handler."""

source: ContextVar[Source | None] = ContextVar("llm_net.source", default=None)
"""Where ids and times come from outside of handlers; None for this process's own. Set by simulated worlds."""


def _renew_prefix() -> None:
    global _prefix, _first
    _prefix, _first = os.urandom(6).hex(), _next()
    _prefixes.append((_first, _prefix))


_prefix = ""
_first = 0  # number of the first id that begins with it
_prefixes: list[tuple[int, str]] = []  # and those of the processes that this one was forked from
_next = count(1).__next__
_renew_prefix()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_prefix)


def _prefix_of(number: int) -> str:
    return next(prefix for first, prefix in reversed(_prefixes) if first <= number)


def unique_id() -> str:
    """An id that no other process makes: 12 hex digits of this process, and a counter. 0.2 µs, where a uuid4 costs 2."""
    return f"{_prefix}-{_next()}"


def _new_id() -> str:
    handling = origin.get()
    own = source.get() if handling is None else handling.source
    return f"{_prefix}-{_next()}" if own is None else own.new_id()


_clock = datetime.now


def _now() -> datetime:
    handling = origin.get()
    own = source.get() if handling is None else handling.source
    return _clock(UTC) if own is None else own.now()


def _role(fields: dict[str, Any]) -> Role:
    return getattr(fields["sender"], "role", "user")


def _conversation(fields: dict[str, Any]) -> str:
    parent = fields["reply_to"]
    conversation: str = fields["id"] if parent is None else parent.conversation
    return conversation


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().lstrip("_")


def own_annotations(kind: type) -> Mapping[str, object]:
    """The annotations that a class itself has, those of its bases left out."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(kind, format=annotationlib.Format.FORWARDREF)
    own: Mapping[str, object] = vars(kind).get("__annotations__", {})
    return own


class _MessageSchema:
    """Takes a live message as it is, never copied or validated again; gives its id."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _live_message,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda message: message.id, return_schema=core_schema.str_schema()
            ),
            json_schema_input_schema=core_schema.str_schema(),
        )


def _live_message(value: Any, info: ValidationInfo) -> Message:
    if isinstance(value, str) and isinstance(info.context, Border):
        value = info.context.message(value)
    if isinstance(value, ANY_MESSAGE):
        return value
    raise ValueError("a message is answered by giving the message itself, not its id")


M = TypeVar("M", bound="Message")
M_co = TypeVar("M_co", bound="Message", covariant=True)


class Answer(Protocol[M_co]):
    """`Kind.reply(message, **fields)`."""

    def __call__(self, message: Message, **fields: Any) -> M_co: ...


class OwnAnswer(Protocol):
    """`message.reply(**fields)`."""

    def __call__(self, **fields: Any) -> Message: ...


class _Reply:
    """A method of the class and of its instances at once. Source: SPEED notes, MethodType binds in 0.05 µs."""

    @overload
    def __get__(self, message: None, kind: type[M]) -> Answer[M]: ...
    @overload
    def __get__(self, message: Message, kind: type[Message]) -> OwnAnswer: ...
    def __get__(self, message: Message | None, kind: type[M]) -> Answer[M] | OwnAnswer:
        return MethodType(_reply, kind) if message is None else MethodType(_plain_reply, message)


_Check: TypeAlias = Callable[[object], object]
"""Gives what a field holds when it is given a value. Raises ValueError if it cannot hold it, or only the class can say."""


class _Trusted:
    """What a class says of replies whose fields can be checked one by one.

    Args:
        defaults: of its own fields.
        needed: its own fields that have to be given.
    """

    __slots__ = ("_kind", "checks", "defaults", "method", "needed")

    def __init__(self, kind: type[Message], defaults: dict[str, object], needed: tuple[str, ...]) -> None:
        self._kind = kind
        self.method: str = "response" if kind is Message else kind.model_fields["method"].default
        self.defaults = defaults
        self.needed = needed
        self.checks: dict[str, _Check] = {}  # made with the first reply in which a field is given

    def check(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        """The fields as the class would hold them; None if only it can say."""
        checks, checked = self.checks, {}
        for name in self.needed:
            if name not in fields:
                return None
        try:
            for name, value in fields.items():
                check = checks.get(name)
                if check is None:
                    check = checks[name] = _check_of(self._kind, name)
                checked[name] = check(value)
        except (LookupError, ValueError):
            return None
        return checked


class _InitFn:
    """A property of the class."""

    def __get__(self, message: Message | None, kind: type[Message]) -> Function:
        return kind.declare()


_NOBODY: Any = None  # for type checkers: what may be given to a Party is not what it is


_slot: Any = BaseModel.__dict__["__dict__"]

fields_of: Callable[[Message], dict[str, Any]] = _slot.__get__
"""What a message holds so far. One of our own making gets its id, time and metadata when somebody looks: 0.5 µs less."""

_set_given: Callable[[object, set[str]], None] = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_fields: Callable[[object, dict[str, Any]], None] = _slot.__set__
_BORN = " born"  # the key of the number and the time from which they are made, and of what else was given


def _all_fields(message: Message) -> dict[str, Any]:
    fields = fields_of(message)
    return _completed(message, fields) if _BORN in fields else fields


class AbstractMessage:
    """A base that `isinstance` tells in 0.03 µs, where it takes 0.3 for a pydantic class."""

    __slots__ = ()

    if not TYPE_CHECKING:  # for everybody else, pydantic's serializer included, nothing lacks in it
        __dict__ = property(_all_fields, _set_fields)


ANY_MESSAGE = cast("type[Message]", AbstractMessage)
"""What to ask `isinstance` for: type checkers take it for Message."""


class Message(AbstractMessage, BaseModel):
    """What one agent says to another."""

    # Subclasses add fields of their own and are handled by the method named after them: `class CallForBids(Message)` has
    # method "call_for_bids". Two messages are equal when they have one id, as two copies of one letter are.

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=False,
        ser_json_inf_nan="strings",
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )

    id: str = Field(default_factory=_new_id, min_length=1)
    created_at: AwareDatetime = Field(default_factory=_now)
    sender: Party = _NOBODY
    receiver: Party = _NOBODY
    reply_to: Annotated[Message, _MessageSchema] | None = None
    role: Role = Field(default_factory=_role)
    method: str | Method = Field(default="request", min_length=1)
    body: str = ""
    deadline: AwareDatetime | None = None
    protocol: str | None = None
    conversation: str = Field(default_factory=_conversation)
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict)

    reply: ClassVar[_Reply] = _Reply()
    """`Kind.reply(message, **fields)`: a new Kind that answers `message`, back to its sender. `message.reply(**fields)`:
    the same with a plain Message, whose method is "response"."""

    init_fn: ClassVar[_InitFn] = _InitFn()
    """The declaration of a function with which a model writes a new message of this class."""

    version: ClassVar[int] = 1
    """Raise it in a class whose fields change, and say by `wire.upcast` how messages of the older version are read."""

    _trusted: ClassVar[_Trusted | None] = None
    """How a reply is made without the validation of the whole; None where every instance needs it."""

    # ------------------------------------------------------------------------------------------ threads

    def thread(self) -> list[Message]:
        """The messages that led to this one: the root first, this one last. One step each, no recursion."""
        messages: list[Message] = []
        message: Message | None = self
        while message is not None:
            messages.append(message)
            message = message.reply_to
        messages.reverse()
        return messages

    @property
    def root(self) -> Message:
        """The message that began the thread: one without `reply_to`."""
        message = self
        while message.reply_to is not None:
            message = message.reply_to
        return message

    def closest(self, *kinds: type[M]) -> M | None:
        """The nearest message of one of these classes, from this one up to the root; None where there is none."""
        message: Message | None = self
        while message is not None and not isinstance(message, kinds):
            message = message.reply_to
        return message

    def forward(self, receiver: AbstractObject | str, **fields: Any) -> Self:
        """The same content to somebody else: a new message, from its present receiver, that replies to this one."""
        content = {name: value for name, value in self.__dict__.items() if name not in _ENVELOPE}
        written: dict[str, Any] = {
            "sender": _speaker(self),
            "reply_to": self,
            "method": self.method,
            "body": self.body,
            "protocol": self.protocol,
            "deadline": self.deadline,
            "metadata": self.metadata,
            **content,
            "receiver": receiver,
            **fields,
        }
        return type(self)(**written)

    # ------------------------------------------------------------------------------------------ models write messages

    @classmethod
    def declare(cls, *, receivers: Iterable[str] | None = None, omit: Iterable[str] = ()) -> Function:
        """`init_fn`, narrowed.

        Args:
            receivers: the only addresses that the model may write; None for any.
            omit: fields that the model does not write, besides id, created_at, conversation and metadata.
        """
        left_out = {"id", "created_at", "conversation", "metadata", *omit}
        if cls is not Message:
            left_out.add("method")
        schema: dict[str, Any] = deepcopy(_schema_of(cls))
        properties = schema["properties"]
        for name, sentence in _FIELDS_FOR_MODELS.items():
            if name in properties:
                properties[name]["description"] = sentence
        for name in ("sender", "receiver", "reply_to"):
            properties[name] = {"type": ["string", "null"], "description": _FIELDS_FOR_MODELS[name]}
        required = schema.setdefault("required", [])
        if receivers is not None:
            properties["receiver"] = {
                "type": "string",
                "enum": list(receivers),
                "description": "Address of who shall receive it",
            }
            required.append("receiver")
        if cls.__doc__ is None or "__doc__" not in cls.__dict__:
            description = f"Send a message {cls.function_name()!r}"
        else:
            description = " ".join(cls.__doc__.split())
        return function(cls.function_name(), description, schema, omit=left_out)

    @classmethod
    def function_name(cls) -> str:
        """The name under which a model calls for a new message of this class."""
        return _snake_case(cls.__name__)[:64]

    @classmethod
    def from_fn(
        cls,
        arguments: str | Mapping[str, JsonValue],
        *,
        network: Directory | None = None,
        answering: Message | None = None,
        omit: Iterable[str] = (),
        **fixed: Any,
    ) -> Self:
        """Make the message that a model wrote.

        Args:
            arguments: what the model wrote for `init_fn`: JSON text, or the object in it. Null stands for "as by default".
            network: where the ids of sender and receiver are looked up; None keeps them as references.
            answering: the message it answers; one that it names in `reply_to` must be in this one's thread.
            omit: fields that it was not told of, as in `declare`; an error does not tell of them either.
            fixed: fields that are not the model's to write; they win over what it wrote.

        Raises:
            InvalidArguments: with sentences that the model can act on.
        """
        written = parse_arguments(cls.function_name(), arguments)
        if unknown := sorted(str(name) for name in written if name not in cls.model_fields):
            allowed = cls.declare(omit=(*omit, *fixed))["parameters"].get("properties", {})
            assert isinstance(allowed, dict)
            problem = f"There is no {', '.join(unknown)}; there are {', '.join(allowed)}"
            raise InvalidArguments(cls.function_name(), (problem,))
        fields: dict[str, Any] = {
            name: value
            for name, value in written.items()
            if value is not None or (name in cls.model_fields and cls.model_fields[name].is_required())
        }
        problems: list[str] = []
        for forbidden in ("id", "created_at", "conversation", "metadata"):
            if fields.pop(forbidden, None) is not None:
                problems.append(f"Leave out {forbidden!r}")
        for name in ("sender", "receiver"):
            if network is not None and isinstance(address := fields.get(name), str):
                try:
                    fields[name] = network[address]
                except KeyError:
                    problems.append(f"{name} {address!r} is unknown")
                except Exception as reason:  # noqa: BLE001 - whatever a directory says, the model is told
                    problems.append(str(reason))
        if answering is not None:
            named = fields.get("reply_to", answering.id)
            found = next((message for message in reversed(answering.thread()) if message.id == named), None)
            if found is None:
                problems.append(f"reply_to {named!r} is not a message of this conversation; leave it out")
            fields["reply_to"] = found
        elif "reply_to" in fields and "reply_to" not in fixed:
            problems.append("There is no message to reply to; leave out reply_to")
        if problems:
            raise InvalidArguments(cls.function_name(), tuple(problems))
        try:
            try:
                return cls(**{**fields, **fixed})
            except ValidationError as invalid:
                return cls(**{**_without_nulls(fields, invalid), **fixed})
        except ValidationError as invalid:
            raise InvalidArguments(cls.function_name(), tuple(_sentences(invalid, written))) from None

    # ------------------------------------------------------------------------------------------ identity, for people

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Message) and self.id == other.id)

    def __hash__(self) -> int:
        return hash(self.id)

    if not TYPE_CHECKING:  # type checkers would take any attribute for granted

        def __getattr__(self, name: str) -> Any:
            # A reply of our own making has nothing in pydantic's three slots until somebody asks: 0.25 µs less.
            if name in _LATE and _BORN in (fields := fields_of(self)):
                return _late(fields, name)
            if name == "__pydantic_fields_set__":
                born = fields_of(self).get(_BORN)
                return set(_REPLIED) if born is None else {*_REPLIED, *born[2]}
            if name in ("__pydantic_extra__", "__pydantic_private__"):
                return None
            return super().__getattr__(name)

    def __deepcopy__(self, memo: dict[int, object] | None = None) -> Self:
        return self  # it never changes, and its thread may be 100,000 messages long

    def __repr__(self) -> str:
        content = "".join(f", {name}={value!r}" for name, value in self.content().items())
        return f"{type(self).__name__}(method={self.method!r}, id={self.id!r}{content})"

    def __str__(self) -> str:
        sender = self.sender.id if self.sender is not None else "·"
        receiver = self.receiver.id if self.receiver is not None else "·"
        content = self.content()
        body = content.pop("body", "")
        rest = ", ".join(
            f"{name}={value if isinstance(value, Decimal) else repr(value)}" for name, value in content.items()
        )
        said = " ".join(part for part in (str(body), rest) if part)
        return f"{sender} → {receiver}  {self.method}" + (f": {said}" if said else "")

    def content(self) -> dict[str, object]:
        """What it says beside its envelope: the body, where there is one, and the fields of its class."""
        fields = self.__dict__
        said: dict[str, object] = {name: fields[name] for name in type(self).model_fields if name not in _ENVELOPE}
        return {"body": self.body, **said} if self.body else said

    # ------------------------------------------------------------------------------------------ class definition

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        # The one moment before pydantic reads a class's defaults for its validator, and once per class.
        if (cls.__module__, cls.__name__) != (__name__, "Message") and "method" not in own_annotations(cls):
            cls.__pydantic_fields__["method"].default = _snake_case(cls.__name__)
        return handler(source)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._trusted = _trusted(cls)


@cache
def _schema_of(kind: type[Message]) -> dict[str, Any]:
    """The JSON Schema of a class, made once: that takes 4 ms, and a model is told of it for each answer."""
    return unrolled(kind.model_json_schema(mode="validation"))


class Directory(Protocol):
    """Where an address is looked up; raises for an unknown one."""

    def __getitem__(self, address: str, /) -> AbstractObject: ...


_ENVELOPE = frozenset(Message.model_fields)

_FIELDS_FOR_MODELS = {
    "sender": "Who sends it; null for yourself",
    "receiver": "Address of who shall receive it; null for whoever asked",
    "reply_to": "Id of the message it answers; null for the latest",
    "role": "Null as a rule",
    "method": "What the receiver shall do with it, one verb such as request, inform, propose; null for request",
    "body": "The content, in words",
    "deadline": "Latest time to handle it, ISO 8601 with a time zone; null for none",
    "protocol": "Null as a rule",
}

_PLAIN = (str, bytes, int, float, bool, type(None), Decimal, date, timedelta, Enum)


def _rule(field: FieldInfo) -> tuple[object, ...]:
    return field.annotation, field.metadata, field.default, field.default_factory


def _trusted(kind: type[Message]) -> _Trusted | None:
    """How replies of a class are made; None where making one checks or computes more than each field alone."""
    rules = kind.__pydantic_decorators__
    if (
        rules.field_validators
        or rules.model_validators
        or rules.root_validators
        or rules.validators
        or kind.__private_attributes__
        or kind.model_post_init is not BaseModel.model_post_init
        or cast(object, kind.__init__) is not BaseModel.__init__
        or kind.model_config.get("validate_default")
        or kind.model_config.get("extra") != "forbid"
    ):
        return None
    defaults: dict[str, object] = {}
    needed: list[str] = []
    for name, field in kind.model_fields.items():
        if name in _ENVELOPE:
            if name != "method" and _rule(field) != _rule(Message.model_fields[name]):
                return None
        elif field.alias is not None or field.validation_alias is not None:
            return None
        elif field.default_factory is None and isinstance(field.default, _PLAIN):
            defaults[name] = field.default
        else:
            needed.append(name)
    return _Trusted(kind, defaults, tuple(needed))


_ALONE = frozenset((
    "any", "bool", "bytes", "complex", "date", "datetime", "decimal", "default", "enum", "float", "int", "is-instance", "literal",
    "none", "nullable", "str", "time", "timedelta", "union", "uuid",
))  # fmt: skip
"""The types that are checked by their value alone: no function of somebody's looks at it, and no iterator is used up."""


def _check_of(kind: type[Message], name: str) -> _Check:
    """The check that the validator of a class has for one of its fields; one that refuses where that needs the whole class.
    Raises LookupError if there is none."""
    if (name in _ENVELOPE and name not in _GIVEN) or not kind.__pydantic_complete__:
        raise LookupError(name)
    whole = cast("dict[str, Any]", kind.__pydantic_core_schema__)
    model = whole["schema"] if whole["type"] == "definitions" else whole
    if model["type"] == "definition-ref":  # a class that has itself in a field
        model = next(each for each in whole["definitions"] if each["ref"] == model["schema_ref"])
    schema = model["schema"]["fields"][name]["schema"]
    return SchemaValidator(schema, model["config"]).validate_python if _stands_alone(schema) else _refuse


def _stands_alone(schema: dict[str, Any]) -> bool:
    parts = [schema["schema"]] if "schema" in schema else schema.get("choices", ())
    return schema["type"] in _ALONE and all(isinstance(part, dict) and _stands_alone(part) for part in parts)


def _refuse(value: object) -> object:
    raise ValueError


Message._trusted = _trusted(Message)


# ---------------------------------------------------------------------------------------------- messages of our own making
#
# A reply made of messages that were validated before needs no validation: 0.9 µs instead of 2.8 (benchmarks/README.md, W1).
# Only what is given here anew is checked, field by field; whatever is not plain goes the long way through the class.

_make = object.__new__
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATE = frozenset(("id", "created_at", "deadline", "protocol", "conversation", "metadata"))
_GIVEN = frozenset(
    ("deadline", "method", "protocol")
)  # of the envelope, what may be given to a reply and is checked alone
_REPLIED = frozenset(("sender", "receiver", "reply_to", "method", "body", "protocol", "conversation"))
_AS_IT_IS: Any = object()


def _speaker(message: Message) -> AbstractObject | None:
    """Who answers a message: the agent that handles it just now (it may have overheard it), else its receiver."""
    handling = origin.get()
    return handling.agent if handling is not None and handling.message is message else message.receiver


def _plain_reply(message: Message, **fields: Any) -> Message:
    return _reply(Message, message, **fields)


def _reply(kind: type[M], message: Message, *, body: Any = _AS_IT_IS, receiver: Any = _AS_IT_IS, **fields: Any) -> M:
    trusted = kind._trusted
    checked = trusted.check(fields) if trusted is not None and (fields or trusted.needed) else fields
    if (
        trusted is None
        or checked is None
        or (body is not _AS_IT_IS and type(body) is not str)
        or (receiver is not _AS_IT_IS and not isinstance(receiver, AbstractObject))
    ):
        given = {"body": body, "receiver": receiver}
        fields.update((name, value) for name, value in given.items() if value is not _AS_IT_IS)
        return _validated_reply(kind, message, fields)
    handling = origin.get()
    if handling is None:
        own, sender = source.get(), message.receiver
    else:
        own = handling.source
        sender = handling.agent if handling.message is message else message.receiver
    written = {
        "sender": sender,
        "receiver": message.sender if receiver is _AS_IT_IS else receiver,
        "reply_to": message,
        "role": getattr(sender, "role", "user"),
        "method": trusted.method,
        "body": "" if body is _AS_IT_IS else body,
        _BORN: (_next(), time_ns(), checked or ()) if own is None else (own.new_id(), own.now(), checked or ()),
        **trusted.defaults,
        **checked,
    }
    reply = _make(kind)
    _set_fields(reply, written)
    return reply


def _late(fields: dict[str, Any], name: str) -> Any:
    """Make a field as it would have been made when the message was."""
    if name == "id":
        return id_of(fields)
    made: object = None
    if name == "created_at":
        time = fields[_BORN][1]
        made = _EPOCH + timedelta(microseconds=time // 1_000) if isinstance(time, int) else time
    elif name == "metadata":
        made = {}
    elif name != "deadline":
        made = inherited(fields, name)
    return fields.setdefault(name, made)  # another thread may look as well


def inherited(fields: dict[str, Any], name: str) -> object:
    """What a reply has from the message it answers, given its `fields_of`. Noted on the way, so that a thread is walked once."""
    if name in fields:
        return fields[name]
    passed: list[dict[str, Any]] = []
    while name not in fields:
        passed.append(fields)
        fields = fields_of(fields["reply_to"])
    for each in passed:
        each[name] = fields[name]
    return fields[name]


def _completed(message: Message, fields: dict[str, Any]) -> dict[str, Any]:
    for name in _LATE:
        if name not in fields:
            _late(fields, name)
    whole: dict[str, Any] = dict.fromkeys(type(message).__pydantic_fields__)  # in this order
    whole.update(fields)
    given = whole.pop(_BORN)[2]
    if given:
        _set_given(message, {*_REPLIED, *given})
    _set_fields(message, whole)
    return whole


def id_of(fields: dict[str, Any]) -> str:
    """`message.id`, given its `fields_of`; 0.4 µs sooner where nobody has looked at it before."""
    if "id" not in fields:
        born = fields[_BORN][0]
        fields["id"] = born if isinstance(born, str) else f"{_prefix if born > _first else _prefix_of(born)}-{born}"
    id: str = fields["id"]
    return id


def time_of(fields: dict[str, Any]) -> float:
    """`message.created_at.timestamp()`, given its `fields_of`; made of what it is made from where nobody has looked at it."""
    if "created_at" not in fields and isinstance(time := fields[_BORN][1], int):
        return time // 1_000 / 1_000_000
    made: datetime = fields["created_at"] if "created_at" in fields else fields[_BORN][1]
    return made.timestamp()


def _validated_reply(kind: type[M], message: Message, fields: dict[str, Any]) -> M:
    written: dict[str, Any] = {
        "sender": _speaker(message),
        "receiver": message.sender,
        "reply_to": message,
        "protocol": message.protocol,
        **fields,
    }
    if kind is Message:
        written.setdefault("method", "response")
    return kind(**written)


def plain(fields: dict[str, Any]) -> Message:
    """A plain Message of all its fields, in their order, which were checked already: 1 µs, where validation takes 5."""
    message = _make(Message)
    _set_fields(message, fields)
    return message


def stamp(message: Message, sender: AbstractObject) -> None:
    """Write the sender on a message that has none, just before it leaves: nobody else has seen it yet."""
    fields = fields_of(message)
    fields["sender"] = sender
    if _BORN in fields or "role" not in message.__pydantic_fields_set__:  # the former says the same, 0.4 µs sooner
        fields["role"] = getattr(sender, "role", "user")


# ---------------------------------------------------------------------------------------------- what models wrote


def parse_arguments(name: str, arguments: str | Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The object that a model wrote as arguments of a function. Raises InvalidArguments if it is none."""
    if not isinstance(arguments, str):
        return dict(arguments)
    try:
        written = from_json(arguments)
    except ValueError as invalid:
        raise InvalidArguments(name, (f"They are not JSON: {invalid}",)) from None
    if not isinstance(written, dict):
        raise InvalidArguments(name, ("They must be one JSON object",))
    return written


def _without_nulls(written: dict[str, Any], invalid: ValidationError) -> dict[str, Any]:
    """What a model wrote, without those nulls inside it that stand for "as by default"."""
    cleaned = {name: deepcopy(value) if isinstance(value, (dict, list)) else value for name, value in written.items()}
    for error in invalid.errors(include_url=False, include_context=False):
        if error["input"] is None:
            holder: Any = cleaned
            for step in error["loc"]:  # a step may also be the name of a branch of a union
                if isinstance(holder, list) and isinstance(step, int):
                    holder = holder[step]
                elif isinstance(holder, dict) and step in holder:
                    if holder[step] is None and holder is not cleaned:
                        del holder[step]
                        break
                    holder = holder[step]
    return cleaned


def _sentences(invalid: ValidationError, written: dict[str, JsonValue]) -> Iterable[str]:
    for error in invalid.errors(include_url=False, include_context=False):
        place = ".".join(str(step) for step in error["loc"]) or "the whole"
        if error["type"] == "missing":
            yield f"{place}: {error['msg']}"
            continue
        given = repr(error["input"] if error["loc"] else written)  # what others filled in is not the model's matter
        yield f"{place}: {error['msg']}, not {given if len(given) <= 80 else given[:77] + '...'}"
