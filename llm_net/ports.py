"""What the core asks of the outside, as typing.Protocols of a few methods each. Knows no adapter.

Whatever has these methods will do: adapters do not inherit, and `llm_net.testing` has a check for each port that says
when one is right.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

from llm_net.address import AbstractObject
from llm_net.errors import BrokenRule
from llm_net.event import Event
from llm_net.limits import Limits
from llm_net.message import Message, Source

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, Usage
    from llm_net.record import Fact, Opened, Repeats, RunInfo, Select

T = TypeVar("T")

# ---------------------------------------------------------------------------------------------- models


@runtime_checkable
class Model(Protocol):
    """A language model, wherever it runs. Errors are `ModelError`s; a cancelled call stops the model.

    `name` is for people and logs; `price` is None where it is not known, zero for a model that costs nothing.
    """

    @property
    def name(self) -> str: ...

    @property
    def price(self) -> Price | None: ...

    async def complete(self, request: Request) -> Completion:
        """Answer a request. With `request.output` the answer's text is JSON valid under that schema."""
        ...

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer a request piece by piece: TextDeltas as they are decoded, then one Completion."""
        ...

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Give each text as a vector. Raises ModelError where the model has no embeddings."""
        ...

    async def aclose(self) -> None:
        """Give back what the model holds (memory, sockets, threads). May be called twice."""
        ...


# ---------------------------------------------------------------------------------------------- observers


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that happened in a run, told to its observers.

    `kind` of a message: "sent" (to one receiver), then "started", then exactly one of "handled", "failed", "expired",
    "cancelled", "rejected", "dead". (A reply that a `call` waits for is "handled" by being taken, without "started".)
    Besides: "refused" (it breaks the rules of a conversation and was not sent), "retried", "emitted" (`message` under
    `event`), "model" (a call of a model ended; `usage`), and "ended" (the run; its `status`; `error` is RunCancelled where it
    was cancelled, LimitReached at a limit, None if all went well or it waits).

    Args:
        address: whose message, event or model it is, from the outermost network; "" for the outside.
        seconds: how long it took; 0.0 where that says nothing.
    """

    kind: Literal[
        "sent", "started", "handled", "failed", "expired", "cancelled", "rejected", "dead", "refused", "retried",
        "emitted", "model", "ended",
    ]  # fmt: skip
    run: str
    address: str
    message: Message | None = None
    event: str | None = None
    error: BaseException | None = None
    usage: Usage | None = None
    seconds: float = 0.0
    status: Status | None = None


class Observer(Protocol):
    """Whoever wants to know what happens: a log, a trace, a progress bar. Costs nothing when there is none."""

    def observe(self, observation: Observation) -> None:
        """Take note, quickly; what it raises ends the run."""
        ...


class Journal(Protocol):
    """Keeps the facts of runs, in the order in which they were noted. One journal may keep many runs.

    A run that was forked (`Begun.parent`, `Begun.cut`) has its parent's facts up to the cut as its own beginning: they are
    read as its own and never copied. What cannot be kept or read raises JournalFailed and leaves what was kept before.
    """

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        """Keep facts, which go on where the run's facts end: all or none of them, and durably before it returns.

        A run that is not there begins with a Begun at place 1, or after the cut. Raises JournalFailed, also if one of these
        places is taken already (then somebody else goes on with the same run) or if those before are not (then a write
        failed); and UnknownRun."""
        ...

    async def open(self, run: str, *, upto: int | None = None) -> Opened:
        """What is needed to go on with a run, as it was after the fact at place `upto`. Raises UnknownRun."""
        ...

    def read(self, run: str, select: Select = ...) -> AsyncIterator[Fact]:
        """Facts of a run, in their order. Raises UnknownRun."""
        ...

    async def runs(self) -> Sequence[RunInfo]:
        """The runs that it keeps, the latest last."""
        ...

    async def forget(self, run: str, *, keep_open: bool = False) -> None:
        """Delete a run, or of one that may go on all that `open` does not need. Raises JournalFailed for a run that a fork
        begins with, and UnknownRun. Nobody may be going on with the run meanwhile. A compacted run stands alone: what it
        began with may be forgotten, and it cannot be opened or forked at a place before."""
        ...

    async def aclose(self) -> None:
        """Give back what it holds. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class Past:
    """What a run goes on with.

    Args:
        run: of the journal.
        settle: results of calls that were in doubt, by their keys; REPEAT to make such a call again.
        at: for a fork, the id of the last message of that run that both share; None to go on with the run itself.
        edit: fields that this message has in the fork.
        replay: do only what is on record, ask nothing outside, and note nothing.
    """

    run: str
    settle: Mapping[str, object] = field(default_factory=dict)
    at: str | None = None
    edit: Mapping[str, object] | None = None
    replay: bool = False


REPEAT: Final = object()
"""For `settle`: make that call again, it has not happened."""


@runtime_checkable
class Redacts(Protocol):
    """A journal that takes secrets out of what is kept."""

    def redact(self, data: bytes) -> bytes:
        """JSON without secrets; of the same JSON always the same."""
        ...


class Clock(Protocol):
    """The time of day of a run."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...


@runtime_checkable
class World(Source, Clock, Protocol):
    """An event loop with a time of its own (`simulation.run`): runs in it take their seeds, ids and times from it."""

    def new_seed(self) -> int:
        """A seed for one run."""
        ...

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for work that takes time, a model's for instance, without any time passing in this world."""
        ...


class Monitor(Protocol):
    """Holds the agents of one network to rules, in one run: it is told of each message before it is sent."""

    def admit(self, message: Message, now: Callable[[], datetime]) -> bool:
        """Whether the message belongs to one of its conversations, which it then moves on. The same message again moves
        nothing.

        Raises:
            BrokenRule: it belongs to one, and breaks its rules; the conversation is as it was.
        """
        ...

    def stray(self, message: Message) -> BrokenRule | None:
        """What is wrong with a message that belongs to no conversation of any monitor, if anything is."""
        ...

    def retract(self, message: Message) -> None:
        """The last message that was admitted could not be sent after all."""
        ...

    def release(self, message: Message) -> None:
        """Nobody will answer a message that was admitted, or nobody waits for that any more: its conversation stands in the
        way of no other."""
        ...


# ---------------------------------------------------------------------------------------------- runs


def _no_usage() -> Usage:
    from llm_net.chat import Usage  # lazily: most programs ask no model

    return Usage()


@dataclass(frozen=True, slots=True)
class Statistics:
    """The ends that the messages of a run came to, each delivery counted once; `pending` have not come to theirs."""

    sent: int = 0
    handled: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0
    rejected: int = 0
    dead: int = 0
    pending: int = 0
    usage: Usage = field(default_factory=_no_usage)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody will handle, and why."""

    message: Message
    address: str
    reason: BaseException


Status: TypeAlias = Literal["running", "done", "failed", "cancelled", "limited", "waiting"]
"""A run that is "waiting" has come to where only an answer from outside helps, and is in a journal: resume it with one."""


class Run(Protocol):
    """All that one root message causes.

    An async context manager: entering starts it, leaving waits for its end; leaving with an exception cancels it.
    Iterating gives each message as it is sent, from then on. What ended the run badly is raised to whoever iterates or
    waits, else when the block is left. `result` is the last message that went to the outside so far.
    """

    @property
    def id(self) -> str: ...
    @property
    def seed(self) -> int:
        """What the run's random numbers follow from: as it was given, else as it was made. The same one, given to the
        runtime, gives them again."""
        ...

    @property
    def status(self) -> Status: ...
    @property
    def result(self) -> Message | None: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def dead_letters(self) -> Sequence[DeadLetter]: ...

    def statistics(self) -> Statistics:
        """The counts so far."""
        ...

    async def wait(self) -> Message | None:
        """Wait for the end; gives `result`. Raises what ended the run badly."""
        ...

    async def send(self, message: Message) -> None:
        """Send one more message from the outside; waits while the receiver's mailbox is full."""
        ...

    def cancel(self) -> None:
        """End the run now: what waits is cancelled, handlers get CancelledError."""
        ...

    def __aiter__(self) -> AsyncIterator[Message]: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Runtime(Protocol):
    """Where agents run."""

    def run(
        self,
        network: AbstractObject,
        root: Message | None,
        *,
        limits: Limits,
        observers: Sequence[Observer],
        journal: Journal | None = None,
        past: Past | None = None,
    ) -> Run:
        """Prepare a run of this network (a GenNetwork, or one agent), recorded in a journal, and going on with what is there
        if there is a past; nothing starts before it is entered."""
        ...


class Handling(Protocol):
    """What an agent can do while it handles a message: the runtime's side of its methods of the same names."""

    @property
    def agent(self) -> AbstractObject: ...
    @property
    def network(self) -> AbstractObject: ...
    @property
    def message(self) -> Message: ...
    @property
    def heard(self) -> Event | None: ...
    @property
    def random(self) -> Random: ...

    @property
    def source(self) -> Source | None: ...

    def now(self) -> datetime: ...
    def send(self, message: Message) -> Awaitable[None]: ...
    def call(self, message: Message, timeout: float | None) -> Awaitable[Message]: ...
    def gather(
        self,
        messages: Iterable[Message],
        k: int | None,
        timeout: float | None,
        failures: MutableMapping[Message, BaseException] | None,
    ) -> Awaitable[list[Message]]: ...
    def emit(self, event: str, message: Message) -> None: ...
    def listened(self, event: str) -> bool: ...
    def complete(self, model: Model, request: Request) -> Awaitable[Completion]: ...
    def stream(self, model: Model, request: Request) -> AsyncGenerator[Chunk]: ...
    def delay(self, seconds: float) -> Awaitable[None]: ...
    def effect(
        self, name: str, call: Callable[..., Awaitable[T] | T], type: TypeAdapter[T], repeats: Repeats
    ) -> Awaitable[T]: ...


# ---------------------------------------------------------------------------------------------- other places


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to be the only one that does something, for a while.

    Args:
        epoch: grows each time that the right goes to another holder, or to the same one after it had run out.
        until: when it runs out, by the clock of the running event loop (`loop.time()`), counted from before it was asked for.
            Of somebody else's lease: when it will have, if that one is not heard of again.
    """

    name: str
    holder: str
    epoch: int
    until: float


class Carrier(Protocol):
    """Brings bytes from node to node; a node is a process that hosts agents.

    It may lose, double and reorder what it carries: a `Link` over it mends that. What it says of who sent is true: no
    node can speak as another. `largest` is how many bytes it takes at a time.
    """

    @property
    def largest(self) -> int: ...

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        """Be there under this name, which `hear` is then told bytes by: who sent them, and the bytes. Once for a carrier.

        Args:
            node: letters, digits, "-" and "_".
            about: what others see of this node in `watch`; at most 1,000 bytes.

        Raises:
            CarrierFailed: it cannot be reached, or somebody else has that name.
        """
        ...

    async def send(self, node: str, data: bytes) -> None:
        """Bring bytes on their way, in order as far as it can; waits while too many are under way. Nobody there: they are
        lost."""
        ...

    def watch(self) -> AsyncIterator[Mapping[str, bytes]]:
        """Who is there, with what they say about themselves: now, and after each change, until this one leaves. Whoever is
        silent for some seconds is not there any more."""
        ...

    async def lease(self, name: str, *, seconds: float) -> Lease:
        """Take a lease, or renew it, for this node. Gives the lease of whoever has it: look at `holder`. For 0 seconds, give it
        back.

        Raises:
            CarrierFailed: nobody who keeps leases can be asked now; a lease that was held goes on until it runs out.
        """
        ...

    async def aclose(self) -> None:
        """Leave; what is sent from then on is lost. May be called twice."""
        ...


LARGEST_FRAME: Final = 16 * 1024 * 1024 + 64 * 1024
"""Bytes that a link takes at a time: the largest message, 16 MiB, and room for what is said about it."""


class Link(Protocol):
    """A line between two nodes: each frame of bytes arrives once and in the order sent, or the link breaks for both."""

    @property
    def far(self) -> str:
        """The name of the node at the other end."""
        ...

    def begin(self, hear: Callable[[bytes], None], broken: Callable[[BaseException | None], None]) -> None:
        """Hear each frame from now on (those that came before, at once), and, once, that it broke; None: it was closed."""
        ...

    def send(self, frame: bytes) -> None:
        """Queue a frame of at most `LARGEST_FRAME` bytes; never waits. Lost if the link is broken."""
        ...

    @property
    def full(self) -> bool:
        """Whether a windowful waits to be sent: then wait for `room`."""
        ...

    async def room(self) -> None:
        """Wait until it is not full, or broken."""
        ...

    def close(self) -> None:
        """Send what waits, then end it."""
        ...


class Hosts(Protocol):
    """Where the nodes of a run come from."""

    @property
    def imports(self) -> bool:
        """Whether its nodes are told which modules to import; else they have them."""
        ...

    async def open(
        self, run: str, network: str, *, joined: Callable[[Link], None], lost: Callable[[Exception], None]
    ) -> Sequence[Link]:
        """Links to the nodes of a run of this network, one at least.

        Args:
            joined: to be told of a link to one that comes later.
            lost: to be told that this process may not go on with the run, and why.

        Raises:
            PlaceError: there are none.
        """
        ...

    async def replace(self, lost: Link) -> Link | None:
        """A link to another node than one that is lost; None: the others will do. Raises PlaceError if there are none."""
        ...

    def gone(self, link: Link) -> None:
        """A link is broken, or closed: its node is none of this run any more, unless it is given anew."""
        ...

    async def release(self, links: Iterable[Link]) -> None:
        """The run is over, and its links closed."""
        ...


class Place(Protocol):
    """Where agents may live besides this event loop: worker processes, a cluster, Ray."""

    def hosts(self) -> Hosts:
        """What gives a run its nodes there. Raises PlaceError where there can be none."""
        ...
