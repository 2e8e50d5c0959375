"""Generative agents and networks of them: state, handlers, listeners. Knows nothing of mailboxes, loops or processes."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import islice
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, JsonValue
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import CoreSchema, PydanticOmit, PydanticUndefined

from llm_net.address import AbstractObject, Reference
from llm_net.dispatch import Table, names_around
from llm_net.errors import (
    AmbiguousAddress,
    DefinitionError,
    InvalidArguments,
    NoResult,
    NotHandling,
    NotUnderstood,
    UnknownAddress,
)
from llm_net.event import Callback, Event
from llm_net.graph import ITSELF, Graph, Link
from llm_net.limits import Limits
from llm_net.mailbox import Mailbox
from llm_net.message import Message, Role, origin, own_annotations, parse_arguments
from llm_net.ports import Handling, Journal, Model, Monitor, Observer, Past, Place, Run, Runtime, Statistics
from llm_net.schema import Function, JsonSchema, function
from llm_net.supervision import Directive, Failure

if TYPE_CHECKING:  # networkx is imported only when a graph is asked for: it costs more than all of llm_net
    from networkx import MultiDiGraph
    from pydantic import TypeAdapter

    from llm_net.chat import Chunk, Completion, Request
    from llm_net.record import Repeats

N = TypeVar("N", bound="GenNetwork")
T = TypeVar("T")

DEFAULT_LIMITS = Limits()

_UNLIMITED = Limits(None, None, None, None, None)

SHARED = "llm_net.shared"
"""In the memo of a deepcopy: agents are references, not parts of what is copied."""

# Runtimes set nothing but a Handling there; the message module knows only what it needs of it.
_current = cast("ContextVar[Handling | None]", origin)


@dataclass(frozen=True, slots=True)
class Call:
    """What a plain generator yields to ask and wait: see `call`."""

    message: Message
    timeout: float | None = None


def call(message: Message, *, timeout: float | None = None) -> Call:
    """In a plain generator, `reply = yield call(message)` sends the message and waits for its reply.

    Args:
        timeout: seconds to wait; None for as long as the run lasts.
    """
    return Call(message, timeout)


class _AgentInitFn:
    """A property of the class."""

    def __get__(self, agent: GenAgent | None, kind: type[GenAgent]) -> Function:
        schema = kind.model_json_schema(schema_generator=_WhatJsonCanSay)
        name = "create_" + "".join(c if c.isalnum() else "_" for c in kind.__name__)
        return function(name[:64], kind.model_fields["description"].default or f"Create a {kind.__name__}", schema)


class _WhatJsonCanSay(GenerateJsonSchema):
    """Leaves out fields that hold live objects, and live defaults."""

    ignored_warning_kinds: ClassVar[set[JsonSchemaWarningKind]] = {"skipped-choice", "non-serializable-default"}  # type: ignore[misc]

    def handle_invalid_for_json_schema(self, schema: Mapping[str, Any], error_info: str) -> JsonSchemaValue:
        raise PydanticOmit


_NOT_HANDLERS = (__name__, "llm_net.address", "pydantic.main", "builtins")
"""Modules of the base classes whose methods handle no messages."""


class _NewId:
    """Makes ids of agents: the class's name and 8 random hex digits."""

    __slots__ = ("prefix",)

    def __init__(self, name: str) -> None:
        self.prefix = name + ":"

    def __call__(self) -> str:
        return self.prefix + os.urandom(4).hex()


class GenAgent(AbstractObject, BaseModel):
    """An autonomous agent: fields are its state, methods that take a Message are its handlers.

    It holds no mailbox, loop, lock or client: where and when its handlers run is the runtime's matter, and one message is
    handled at a time. Handlers may be `def`, `async def`, generators or async generators; what they yield or return is
    sent. Async handlers carry the prefix a: `astep` handles "step".
    """

    __slots__ = ("__weakref__", "_callbacks")

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    id: str = Field(default="", min_length=1, pattern="^([^/.]|[^/]{2,})$")  # "." alone is the network itself
    role: Role = "assistant"
    description: str = ""

    version: ClassVar[int] = 1
    """Raise it in a class whose fields change, and say by `upcast_state` how an older state is read."""

    concurrency: ClassVar[int] = 1
    """Messages that one agent of this class handles at a time."""

    mailbox: ClassVar[Mailbox] = Mailbox()
    """How many messages may wait, and what happens to one too many."""

    hooked: ClassVar[bool] = False
    """Whether any agent was ever asked to tell of each message it receives or sends: runtimes look only then."""

    init_fn: ClassVar[_AgentInitFn] = _AgentInitFn()
    """The declaration of a function with which a model makes an agent of this class."""

    handlers: ClassVar[Table] = Table("GenAgent")
    """The handlers of this class."""

    if TYPE_CHECKING:  # a slot; pydantic would take the annotation for a private attribute
        _callbacks: ClassVar[dict[str, dict[Callback, bool]] | None]

    def __new__(cls, *args: object, **fields: object) -> Self:
        agent = super().__new__(cls)
        _set_callbacks(agent, None)  # a slot, not a private attribute: an idle agent costs 8 bytes for it, not 232
        return agent

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        return self if memo is not None and SHARED in memo else super().__deepcopy__(memo)

    # ------------------------------------------------------------------------------------------ inside a handler

    @property
    def network(self) -> GenNetwork:
        """The network in whose context the present message is handled. Raises NotHandling outside a handler."""
        network = _handling(self, "network").network
        if not isinstance(network, GenNetwork):
            raise NotHandling("network")
        return network

    @property
    def heard(self) -> Event | None:
        """The event that brought the present message, None if it was sent to this agent by name."""
        return _handling(self, "heard").heard

    @property
    def random(self) -> Random:
        """Random numbers of this agent in this run: the same again under the same seed."""
        return _handling(self, "random").random

    def now(self) -> datetime:
        """The time of day by the clock of the run."""
        return _handling(self, "now").now()

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message from within a handler; awaiting it waits while the receiver's mailbox is full.

        Raises:
            UnknownAddress, AmbiguousAddress: the receiver cannot be found.
            MailboxFull: the receiver's mailbox is full and rejects.
        """
        return _handling(self, "send").send(message)

    def call(self, message: Message, *, timeout: float | None = None) -> Awaitable[Message]:
        """Send a message and wait for its reply.

        Args:
            timeout: seconds to wait; None for as long as the run lasts.

        Raises:
            CallTimeout: no reply came in time.
            AgentFailed: the receiver's handler raised.
            Deadlock, Unanswered: the reply can never come.
        """
        handling = _current.get()
        if handling is None or handling.agent is not self:
            raise NotHandling("call")
        return handling.call(message, timeout)

    def gather(
        self,
        messages: Iterable[Message],
        *,
        k: int | None = None,
        timeout: float | None = None,
        failures: MutableMapping[Message, BaseException] | None = None,
    ) -> Awaitable[list[Message]]:
        """Send messages to several at once and wait for the first `k` replies (None: all of them).

        Args:
            timeout: seconds to wait; then the replies that came are given.
            failures: where given, what went wrong with a message is put there instead of being raised, and the replies of
                the others are waited for.

        Returns:
            The replies that came first, in the order of the messages they answer. Whoever failed or refused to understand
            is left out as long as `k` replies can still come; then the failure is raised.
        """
        return _handling(self, "gather").gather(messages, k, timeout, failures)

    def complete(self, model: Model, request: Request) -> Awaitable[Completion]:
        """Ask a model on account of this run: its limits of tokens and money hold, its usage is counted."""
        return _handling(self, "complete").complete(model, request)

    def stream(self, model: Model, request: Request) -> AsyncGenerator[Chunk]:
        """`complete`, piece by piece."""
        return _handling(self, "stream").stream(model, request)

    def effect(
        self,
        name: str,
        call: Callable[..., Awaitable[T] | T],
        *,
        repeats: Repeats = "once",
        returns: type[T] | None = None,
    ) -> Awaitable[T]:
        """Do something outside: ask a service, read a file, throw dice. In a recorded run its result is kept, and a step that
        is repeated after a crash, or replayed, gets it again without a call.

        Args:
            name: what it is called in the journal.
            call: a function without arguments, async or not; one that is "idempotent" is given a key, which is the same for
                each try of this call and for no other.
            repeats: what to do if the process was killed between the call and its record: "pure", call again;
                "idempotent", call again with the same key; "once", never again: InDoubt is raised.
            returns: the type of the result, where it is not plain JSON.

        Raises:
            InDoubt: it must not happen twice, and may have happened.
        """
        return _handling(self, "effect").effect(name, call, _adapter_of(cast("Hashable", returns)), repeats)

    def delay(self, seconds: float) -> Awaitable[None]:
        """Wait. In a recorded run the wait ends when it would have ended, also if the process was gone meanwhile."""
        return _handling(self, "delay").delay(seconds)

    # ------------------------------------------------------------------------------------------ events

    def emit(self, event: str | Message, message: Message | None = None) -> None:
        """Let whoever listens hear a message: callbacks, linked agents, and the networks around.

        Args:
            event: its name; or a message alone, whose method is then the name.

        Raises:
            MailboxFull: more than a mailboxful waits for a slow listener; await something, or yield, now and then.
        """
        if isinstance(event, Message):
            message = event
            event = message.method
        if message is None:
            raise TypeError("emit(event, message) needs a message")
        handling = _current.get()
        if handling is not None:
            if handling.agent is not self:
                raise NotHandling(f"emit of {self.id!r}")
            handling.emit(event, message)
        else:
            self._tell_callbacks(Event(event, message, self.id))

    def _tell_callbacks(self, event: Event) -> None:
        """Call them all back where there is no run: what they raise is raised when all have heard."""
        errors: list[Exception] = []
        for callback in self._callbacks_of(event.name):
            try:
                result = callback(event)
            except Exception as error:  # noqa: BLE001 - one listener must not keep the others from hearing
                errors.append(error)
            else:
                if inspect.iscoroutine(result):
                    result.close()
                    errors.append(NotHandling(f"somebody to await the async callback on {event.name!r}"))
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup(f"callbacks on {event.name!r} raised", errors)

    def listened(self, event: str) -> bool:
        """Whether anybody may hear this event if it is emitted now: to make nothing that nobody wants."""
        handling = _current.get()
        return self._calls_back(event) if handling is None else handling.listened(event)

    def _calls_back(self, event: str) -> bool:
        return self._callbacks is not None and any(self._callbacks.get(name) for name in (event, "*"))

    def on(self, event: str, callback: Callback) -> None:
        """Call back on each such event of this agent (of a network: of anybody inside). "*" is every event.

        Events "receive" and "sent" tell of each message that the agent starts to handle and of each that it sends.
        """
        self._listen(event, callback, once=False)

    def once(self, event: str, callback: Callback) -> None:
        """Call back on the next such event only."""
        self._listen(event, callback, once=True)

    def off(self, event: str, callback: Callback) -> None:
        """Call back no more. Unknown callbacks are ignored."""
        if self._callbacks is not None and callback in self._callbacks.get(event, ()):
            del self._callbacks[event][callback]

    def _listen(self, event: str, callback: Callback, *, once: bool) -> None:
        if self._callbacks is None:
            object.__setattr__(self, "_callbacks", {})
        assert self._callbacks is not None
        if event in ("receive", "sent"):
            GenAgent.hooked = True
        self._callbacks.setdefault(event, {})[callback] = once

    def _callbacks_of(self, event: str) -> list[Callback]:
        """The callbacks that hear an event now; those that wanted to hear it once are forgotten."""
        if (callbacks := self._callbacks) is None:
            return []
        found: list[Callback] = []
        for name in (event,) if event in ("receive", "sent") else (event, "*"):
            for callback, once in list(callbacks.get(name, {}).items()):
                found.append(callback)
                if once:
                    del callbacks[name][callback]
        return found

    # ------------------------------------------------------------------------------------------ what it understands

    def missing(self, message: Message) -> object:
        """Called for a message that no handler takes; what it returns or yields is sent. Raises NotUnderstood."""
        raise NotUnderstood(self.id, message.method, type(message).__name__, tuple(sorted(type(self).handlers.verbs())))

    def can_receive(self, what: Message | type[Message] | str) -> bool:
        """Whether there is a handler for this message, message class or verb."""
        return can_handle(type(self).handlers, what)

    @property
    def receivable_messages(self) -> Mapping[str, tuple[type[Message], ...]]:
        """The verbs that this agent handles, each with the message classes it takes."""
        return type(self).handlers.verbs()

    @property
    def receive_fn(self) -> Function:
        """This agent as a function that a model may call; `message_from` makes the message of its arguments."""
        branches: list[JsonSchema] = []
        for offer in _offers(self).values():
            declared = offer.kind.declare(omit=(*_OWN_FIELDS, "method", "receiver"))["parameters"]
            properties = cast(JsonSchema, declared.setdefault("properties", {}))
            method: JsonSchema = {"type": "string", "const": offer.method, "description": offer.description}
            declared["properties"] = {"method": method, **properties}
            declared["required"] = ["method", *cast(list[str], declared.get("required", []))]
            branches.append(declared)
        definitions: JsonSchema = {}
        for branch in branches:
            definitions.update(cast(JsonSchema, branch.pop("$defs", {})))
        schema: JsonSchema = {
            "type": "object",
            "properties": {"message": {"anyOf": [*branches]}},
            "required": ["message"],
            **({"$defs": definitions} if definitions else {}),
        }
        return function(_function_name(self.id), self.description or f"Ask {self.id}", schema)

    def message_from(self, arguments: str | Mapping[str, Any], *, answering: Message | None = None) -> Message:
        """The message to this agent that a model wrote for `receive_fn`. Raises InvalidArguments."""
        written = parse_arguments(_function_name(self.id), arguments)
        inner = written.get("message")
        if not isinstance(inner, dict) or set(written) != {"message"}:
            raise InvalidArguments(_function_name(self.id), ("They must be an object with one property, message",))
        method = inner.pop("method", None)
        for offer in _offers(self).values():
            if offer.method == method:
                return offer.kind.from_fn(
                    inner, answering=answering, omit=_OWN_FIELDS, receiver=self, method=offer.method
                )
        raise InvalidArguments(
            _function_name(self.id), (f"method must be one of {', '.join(self.receivable_messages)}",)
        )

    @property
    def stands_out(self) -> bool:
        """Whether a run has to know of it from the start: a network, or an agent with periodic handlers."""
        return type(self).handlers.ticks

    # ------------------------------------------------------------------------------------------ life

    async def astart(self) -> None:
        """Called before this agent handles its first message of a run: open here what cannot be stored."""

    async def astop(self) -> None:
        """Called when a run in which it was started ends, however it ends: close it here."""

    def run(
        self,
        root: Message | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        runtime: Runtime | None = None,
        place: Mapping[str, Place | str] | None = None,
        observers: Sequence[Observer] = (),
        journal: Journal | None = None,
    ) -> Run:
        """Prepare a run: `async with network.run(root) as run: …`.

        Args:
            root: the message that begins it; None for a run that stays open until it is cancelled or its block is left.
            limits: how far it may go.
            runtime: where it runs; None for this event loop.
            place: in its stead, where single agents run, by address: `{"critic": "process", "painter": Ray(num_gpus=1)}`; see
                `llm_net.places.Places`.
            observers: who is told of everything that happens.
            journal: keeps a record from which the run can be resumed, forked and replayed; it stays open.
        """
        return _runtime(runtime, place).run(self, root, limits=limits, observers=observers, journal=journal)

    def resume(
        self,
        journal: Journal,
        run: str,
        message: Message | None = None,
        *,
        settle: Mapping[str, object] = MappingProxyType({}),
        limits: Limits = DEFAULT_LIMITS,
        runtime: Runtime | None = None,
        place: Mapping[str, Place | str] | None = None,
        observers: Sequence[Observer] = (),
    ) -> Run:
        """Go on with a run of a journal: `async with network.resume(journal, run_id) as run: …`.

        This network is built by the same code as that one was; what changed in it since is read from the journal. What was
        being handled is handled again from its beginning, with the results it had got from outside.

        Args:
            run: its id.
            message: one more from the outside, such as the answer that it waits for.
            settle: what came of calls that were in doubt, by the key in the error; `REPEAT` to make one again.
            limits, runtime, place, observers: as for `run`; the counts go on where they were, the seconds begin anew.

        Raises:
            UnknownRun, NotResumable, JournalFailed: on entering it.
        """
        past = Past(run, settle=settle)
        return _runtime(runtime, place).run(
            self, message, limits=limits, observers=observers, journal=journal, past=past
        )

    def fork(
        self,
        journal: Journal,
        run: str,
        at: str,
        *,
        edit: Mapping[str, object] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        runtime: Runtime | None = None,
        place: Mapping[str, Place | str] | None = None,
        observers: Sequence[Observer] = (),
    ) -> Run:
        """Begin a new run that has another one's past: all up to a message, and nothing that came later.

        Args:
            run: the id of the other run.
            at: the id of the message: the last thing that both have.
            edit: fields that this message has in the new run, as JSON: `{"body": "Ask for less"}`.
        """
        past = Past(run, at=at, edit=edit)
        return _runtime(runtime, place).run(self, None, limits=limits, observers=observers, journal=journal, past=past)

    async def areceive(
        self,
        message: Message,
        *,
        limits: Limits = DEFAULT_LIMITS,
        runtime: Runtime | None = None,
        observers: Sequence[Observer] = (),
        journal: Journal | None = None,
    ) -> AsyncGenerator[Message]:
        """Handle a message and give each message that is sent in consequence.

        On an agent: what its handler sends, to whomever, is given and goes no further. On a network: everything that its
        agents send each other is given, and the run goes on until nothing is pending.
        """
        async with self.run(message, limits=limits, runtime=runtime, observers=observers, journal=journal) as run:
            async for sent in run:
                yield sent

    def receive(
        self,
        message: Message,
        *,
        limits: Limits = DEFAULT_LIMITS,
        runtime: Runtime | None = None,
        observers: Sequence[Observer] = (),
        journal: Journal | None = None,
    ) -> Iterator[Message]:
        """`areceive` for code that is not async: the same engine behind a blocking door. Also works where an event loop
        is already running, such as a notebook."""
        from llm_net.runtime.door import iterate

        given = partial(self.areceive, message, limits=limits, runtime=runtime, observers=observers, journal=journal)
        return iterate(given)

    async def aresult_of(
        self,
        message: Message,
        *,
        limits: Limits = DEFAULT_LIMITS,
        runtime: Runtime | None = None,
        observers: Sequence[Observer] = (),
    ) -> Message:
        """Handle a message, wait until nothing of it is pending, and give the run's result: the last message that went
        to the outside.

        Raises:
            NoResult: none did.
            RunError: what ended the run badly.
        """
        async with self.run(message, limits=limits, runtime=runtime, observers=observers) as run:
            result = await run.wait()
        if result is None:
            raise NoResult(self.id, message.method)
        return result

    def result_of(
        self,
        message: Message,
        *,
        limits: Limits = DEFAULT_LIMITS,
        runtime: Runtime | None = None,
        observers: Sequence[Observer] = (),
    ) -> Message:
        """`aresult_of` for code that is not async, as `receive` is for `areceive`."""
        from llm_net.runtime.door import iterate

        async def result() -> AsyncGenerator[Message]:
            yield await self.aresult_of(message, limits=limits, runtime=runtime, observers=observers)

        (found,) = iterate(result)
        return found

    async def replay(self, journal: Journal, run: str, *, runtime: Runtime | None = None) -> Statistics:
        """Run the same code against the record of a run: no model, tool or clock is asked, nothing is kept.

        Returns:
            The counts of what was replayed. Steps that never ended are left out.

        Raises:
            Diverged: the code does something else than the record says; it names the first difference.
            UnknownRun, JournalFailed: there is nothing to replay.
        """
        again = _runtime(runtime).run(
            self, None, limits=_UNLIMITED, observers=(), journal=journal, past=Past(run, replay=True)
        )
        async with again:
            pass
        return again.statistics()

    # ------------------------------------------------------------------------------------------ what journals keep

    @classmethod
    def storable(cls) -> frozenset[str]:
        """The fields that JSON can say; a journal keeps no others. Narrow it for what need not be kept."""
        schema = cls.model_json_schema(schema_generator=_WhatJsonCanSay, by_alias=False)
        return frozenset(schema.get("properties", ()))

    @classmethod
    def upcast_state(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields that an older version of this class left in a journal, as this one has them. By default as they are."""
        return fields

    # ------------------------------------------------------------------------------------------ class definition

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        # The one moment before pydantic reads a class's defaults for its validator, and once per class.
        fields = cls.__pydantic_fields__
        if (id := fields["id"]).default == "" or isinstance(id.default_factory, _NewId):
            id.default, id.default_factory = PydanticUndefined, _NewId(cls.__name__)
        if "description" not in own_annotations(cls) and cls.__module__ != __name__:
            fields["description"].default = first_paragraph(cls.__dict__.get("__doc__"))
        return handler(source)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name in own_annotations(cls):
            if (
                cls.__module__ != __name__
                and name in cls.model_fields
                and any(name in vars(base) for base in cls.__mro__ if base.__module__ == __name__)
            ):
                raise DefinitionError(
                    f"{cls.__qualname__}.{name}", "is a word of every agent; give the field another name"
                )
        ours = [kind for kind in cls.__mro__ if kind.__module__ in _NOT_HANDLERS]
        cls.handlers = Table.of(
            cls,
            stop=ours,
            hooks=("missing",),
            reserved=(name for kind in ours for name in vars(kind) if not name.startswith("_")),
            local=names_around("llm_net.base", "llm_net.dispatch", "pydantic.", "abc"),
        )


_set_callbacks = cast(Any, GenAgent.__dict__["_callbacks"]).__set__


class GenNetwork(GenAgent):
    """A network of agents: who is in it, and who listens to whom. It is an agent itself, so networks nest.

    Give it agents and links, or subclass it to give it state and handlers of its own; members and links may change at any
    time, also while it runs.
    """

    agents: Collection[GenAgent] = Field(default=(), exclude=True, repr=False)
    links: Collection[Link | tuple[str | GenAgent, str, str | GenAgent]] = Field(default=(), exclude=True, repr=False)
    supervision: Directive = Field(default="escalate", exclude=True, repr=False)

    __slots__ = ("_graph",)  # not a private attribute: those take 1 µs to read

    if TYPE_CHECKING:  # a slot; pydantic would take the annotation for a private attribute
        _graph: ClassVar[Graph[GenAgent]]

    def model_post_init(self, context: object, /) -> None:
        super().model_post_init(context)
        agents, links = self.agents, self.links
        object.__setattr__(self, "_graph", Graph())
        # From here on the fields are live views of the graph.
        vars(self)["agents"] = self._graph.members.values()
        vars(self)["links"] = self._graph.links
        for agent in agents:
            self.add(agent)
        for link in links:
            self.link(*((link.source, link.event, link.listener) if isinstance(link, Link) else link))

    # ------------------------------------------------------------------------------------------ members

    @property
    def stands_out(self) -> bool:
        """Whether a run has to know of it from the start: a network, always."""
        return True

    @property
    def directory(self) -> Mapping[str, GenAgent]:
        """The members by id; a live view. What is inside nested networks is found by `network[address]`."""
        return MappingProxyType(self._graph.members)

    def __getitem__(self, address: str) -> GenAgent:
        """The agent at an address: an id, or a path through nested networks such as "sellers/anna".

        Raises:
            UnknownAddress: nobody lives there.
            AmbiguousAddress: a bare id that several agents in nested networks have.
        """
        return self.find(address)[1]

    def __contains__(self, agent: object) -> bool:
        members = self._graph.members
        if isinstance(agent, str):
            return agent in members
        return isinstance(agent, AbstractObject) and members.get(agent.id) is agent

    def __iter__(self) -> Iterator[GenAgent]:  # type: ignore[override]  # a network iterates over agents, not fields
        return iter(list(self._graph.members.values()))

    def __len__(self) -> int:
        return len(self._graph.members)

    def __bool__(self) -> bool:
        return True

    def add(self, agent: GenAgent) -> None:
        """Add a member. Raises DuplicateAddress if its id is taken by another."""
        graph = self._graph
        if agent.stands_out and graph.members.get(agent.id, agent) is agent:  # else `add` refuses it below
            if isinstance(agent, GenNetwork):
                graph.networks[agent.id] = agent
            if type(agent).handlers.ticks:
                graph.periodic[agent.id] = agent
        graph.add(agent, self.id)

    def remove(self, agent: GenAgent | str) -> GenAgent:
        """Remove a member with its links; what waits in its mailbox goes to the dead letters. Raises UnknownAddress."""
        id = agent if isinstance(agent, str) else agent.id
        if id not in self._graph.members:
            raise self._unknown(id)
        return self._graph.remove(id)

    def find(self, address: str) -> tuple[str, GenAgent]:
        """The path of an agent from this network, and the agent.

        Raises:
            UnknownAddress, AmbiguousAddress: as for `network[address]`.
        """
        members = self._graph.members
        if address in members:
            return address, members[address]
        first, slash, rest = address.partition("/")
        if slash:
            if isinstance(inner := members.get(first), GenNetwork):
                path, agent = inner.find(rest)
                return f"{first}/{path}", agent
            if first == self.id:
                return self.find(rest)
            raise self._unknown(address)
        found = {
            path + address: network._graph.members[address] for path, network in self._nested() if address in network
        }
        if not found:
            raise self._unknown(address)
        if len(found) > 1:
            raise AmbiguousAddress(address, tuple(found))
        return found.popitem()

    def walk(self) -> Iterator[tuple[str, GenAgent]]:
        """Every agent inside, however deep, with its path from this network; nearer ones first. A network that is in
        itself is walked once on each path."""
        for prefix, network in self._nested():
            for agent in network:
                yield prefix + agent.id, agent

    def _nested(self) -> Iterator[tuple[str, GenNetwork]]:
        """This network and those inside, however deep, each with the beginning of its members' paths."""
        level: list[tuple[str, GenNetwork, frozenset[int]]] = [("", self, frozenset((id(self),)))]
        while level:
            deeper: list[tuple[str, GenNetwork, frozenset[int]]] = []
            for prefix, network, above in level:
                yield prefix, network
                for inner in list(network._graph.networks.values()):
                    if isinstance(inner, GenNetwork) and id(inner) not in above:
                        deeper.append((f"{prefix}{inner.id}/", inner, above | {id(inner)}))
            level = deeper

    def address_of(self, agent: AbstractObject | str) -> str:
        """The path of an agent from this network. Raises UnknownAddress, AmbiguousAddress."""
        if isinstance(agent, (str, Reference)):
            return self.find(agent if isinstance(agent, str) else agent.id)[0]
        if self._graph.members.get(agent.id) is agent:
            return agent.id
        for path, member in self.walk():
            if member is agent:
                return path
        raise self._unknown(agent.id)

    def receivers(self, what: type[Message] | str) -> list[GenAgent]:
        """The members that handle this message class or verb."""
        return [agent for agent in self if agent.can_receive(what)]

    def _unknown(self, address: str) -> UnknownAddress:
        near = difflib.get_close_matches(address, [path for path, _ in islice(self.walk(), 1_000)], n=2)
        return UnknownAddress(address, self.id, tuple(near))

    # ------------------------------------------------------------------------------------------ links

    def link(self, source: GenAgent | str, event: str, listener: GenAgent | str) -> None:
        """Let `listener` hear each `event` that `source` emits: it handles the message by the method of the event's name,
        else by the message's own. Either may be this network itself. Event "*" is every event.

        Raises:
            UnknownAddress, AmbiguousAddress: for the source or the listener.
        """
        self._graph.link(Link(self._endpoint(source), event, self._endpoint(listener)))

    def unlink(self, source: GenAgent | str, event: str, listener: GenAgent | str) -> None:
        """Undo a link. Raises KeyError if there is none."""
        self._graph.unlink(Link(self._endpoint(source), event, self._endpoint(listener)))

    def _endpoint(self, agent: GenAgent | str) -> str:
        if agent is self or (agent == self.id and self.id not in self._graph.members):
            return ITSELF
        return self.address_of(agent)

    def boundary(self, event: Event) -> Event | None:
        """What the network around may hear of an event inside. Override it to stop an event (None) or to rename it
        (`dataclasses.replace(event, name=…)`); by default everything passes."""
        return event

    @property
    def graph(self) -> MultiDiGraph[str]:
        """A copy as a networkx MultiDiGraph: nodes are addresses (attribute `agent`), edges go from source to listener and
        have the event as key. Needs networkx."""
        from llm_net.picture import graph_of

        return graph_of(self)

    def monitor(self, *, resumed: bool) -> Monitor | None:
        """What holds its members to rules in a run, made anew for each; by default nothing does.

        Args:
            resumed: whether conversations may have begun before: the run goes on with a past.
        """
        return None

    # ------------------------------------------------------------------------------------------ failures

    def supervise(self, failure: Failure) -> Directive:
        """What to do about the failure of a member, or about a message to the network itself that it does not understand;
        override it to decide case by case."""
        return self.supervision

    # ------------------------------------------------------------------------------------------ for models and people

    def init_fns(self, agent: GenAgent | str) -> list[Function]:
        """Exactly the messages that this agent may send to other members now, as functions for a model: the receivers are
        an enum, so that under constrained decoding nobody can be addressed who does not exist."""
        offers = self._offers_to(agent if isinstance(agent, GenAgent) else self[agent])
        functions: list[Function] = []
        for name, (offer, receivers) in offers.items():
            declared = offer.kind.declare(receivers=receivers, omit=(*_OWN_FIELDS, "method"))
            functions.append({**declared, "name": name, "description": offer.description})
        return functions

    def message_from(
        self,
        arguments: str | Mapping[str, Any],
        *,
        name: str = "",
        sender: GenAgent | None = None,
        answering: Message | None = None,
    ) -> Message:
        """The message that a model wrote for one of `init_fns(sender)`, called `name`. Raises InvalidArguments."""
        if sender is None:
            return super().message_from(arguments, answering=answering)
        offers = self._offers_to(sender)
        if name not in offers:
            raise InvalidArguments(name or "?", (f"There is no such function; there are {', '.join(offers)}",))
        offer, receivers = offers[name]
        written = parse_arguments(name, arguments)
        if written.get("receiver") not in receivers:
            raise InvalidArguments(name, (f"receiver must be one of {', '.join(receivers)}",))
        return offer.kind.from_fn(
            written, network=self, answering=answering, omit=_OWN_FIELDS, sender=sender, method=offer.method
        )

    def _offers_to(self, agent: GenAgent) -> dict[str, tuple[Offer, list[str]]]:
        offers: dict[str, tuple[Offer, list[str]]] = {}
        for member in self:
            if member is not agent:
                for name, offer in _offers(member).items():
                    offers.setdefault(name, (offer, []))[1].append(member.id)
        return offers

    def lint(self) -> list[str]:
        """What is wrong with this network before the first message, a sentence each: messages nobody handles, links to
        events nobody emits, agents nobody can reach, replies that nobody reads. Empty if nothing was found."""
        from llm_net.lint import problems_of

        return problems_of(self)

    def mermaid(self) -> str:
        """The network as a Mermaid flowchart: networks are boxes, links are arrows with their event."""
        from llm_net.picture import mermaid_of

        return mermaid_of(self)

    def describe(self) -> str:
        """The network in words: members, what they understand, who hears whom."""
        from llm_net.picture import description_of

        return description_of(self)


_OWN_FIELDS = ("sender", "reply_to", "role", "deadline", "protocol")
"""Fields that a model does not write when the runtime knows who speaks to whom."""


@cache
def _adapter_of(returns: Hashable) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # lazily: most agents have no effects

    return TypeAdapter(cast(Any, JsonValue if returns is None else returns))


def _handling(agent: GenAgent, what: str) -> Handling:
    handling = _current.get()
    if handling is None or handling.agent is not agent:
        raise NotHandling(what)
    return handling


def _runtime(runtime: Runtime | None, place: Mapping[str, Place | str] | None = None) -> Runtime:
    if place is not None:
        from llm_net.places.mixed import Places

        if runtime is not None:
            raise TypeError("give a runtime, or places for single agents, not both")
        return Places(place)
    if runtime is not None:
        return runtime
    from llm_net.runtime.local import LocalRuntime

    return LocalRuntime()


def can_handle(table: Table, what: Message | type[Message] | str) -> bool:
    """Whether a table has a handler for a message, a message class or a verb."""
    if isinstance(what, str):
        return table.understands(what)
    kind = what if isinstance(what, type) else type(what)
    method = kind.model_fields["method"].default if isinstance(what, type) else what.method
    return table.find(kind, method) is not None


@dataclass(frozen=True, slots=True)
class Offer:
    """A message that an agent understands, as a function for a model; described by its class, or by its handler."""

    kind: type[Message]
    method: str
    description: str


def _offers(agent: GenAgent) -> dict[str, Offer]:
    """What an agent understands, by name of the function."""
    offers: dict[str, Offer] = {}
    for handler in type(agent).handlers:
        for kind in handler.kinds:
            name = _function_name(handler.method if kind is Message else kind.function_name())
            told = first_paragraph(handler.function.__doc__) or f"Send a message {handler.method!r}"
            description = kind.declare()["description"] if kind is not Message else told
            offers.setdefault(name, Offer(kind, handler.method, description))
    return offers


def first_paragraph(text: str | None) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def _function_name(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in text)[:64]
