"""Everything that llm_net raises, in one tree. Knows only the records of `chat`, so that every other may raise from it.

    LlmNetError
      DefinitionError          a class or a network is written wrongly
        DuplicateAddress       two agents of one network have one id
      MessageError
        WireError              bytes that are not a message of ours
        InvalidArguments       what a model wrote does not make a message
      DeliveryError
        UnknownAddress         nobody lives there
          AgentRemoved         somebody did, and left before it was handled
        AmbiguousAddress       several live there
        NotUnderstood          the receiver has no handler for it
        MailboxFull            the receiver's mailbox is at its limit
        Expired                its deadline passed before it was handled
        ForgedSender           an agent spoke in another's name
        BrokenRule             it may not be said now, by the rules of a conversation
      RunError
        AgentFailed            a handler raised
        Deadlock               a wait that can never end
        Unanswered             a question that nobody will answer any more
        CallTimeout            an answer that did not come in time
        LimitReached           a run came to one of its limits
        RunCancelled           the run was cancelled
        NoResult               a run ended without a message to the outside
        NotHandling            asked for what exists only while a message is handled
        AlreadyRunning         one network, two event loops
        Stuck                  nothing can happen any more in a simulated world
      JournalError
        JournalFailed          the journal cannot be written or read
        UnknownRun             there is no such run in the journal
        NotResumable           the network is not the one that the run was recorded with
        Diverged               the code does something else than the record says
        InDoubt                a call that must not be repeated may have happened
        EffectFailed           what a call to the outside raised when it was recorded
      PlaceError
        PlaceUnavailable       agents cannot live there, or not now
        NotMovable             an agent cannot live in another process
        NodeLost               the process in which an agent lived is gone
        CarrierFailed          nodes cannot reach each other
        FarError               an exception of another process, of a class that is not known here
      ModelError
        ModelUnavailable       the model cannot be reached or started
        RateLimited            the provider asks us to wait
        ContextTooLong         the prompt does not fit the model
        InvalidOutput          the model's answer breaks the form that was asked for
      MissingDependency        an optional library is not installed

Facts are fields, the sentence is `str(error)` and ends with the cure; `transient` says whether trying again can help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from llm_net.chat import Usage


@dataclass(eq=False)
class LlmNetError(Exception):
    """The root of all that llm_net raises. Survives pickle with its fields and notes."""

    transient: ClassVar[bool] = False

    def facts(self) -> dict[str, object]:
        """The fields of this error by name: what a log, a wire or a test needs of it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.facts(), tuple(getattr(self, "__notes__", ())))


def _restore(kind: type[LlmNetError], facts: dict[str, object], notes: tuple[str, ...]) -> LlmNetError:
    error = kind(**facts)
    for note in notes:
        error.add_note(note)
    return error


def _did_you_mean(near: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


# ---------------------------------------------------------------------------------------------- definition


@dataclass(eq=False)
class DefinitionError(LlmNetError):
    """A message class, an agent class or a network is written in a way that cannot work."""

    subject: str
    problem: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}"


@dataclass(eq=False)
class DuplicateAddress(DefinitionError):
    """Two agents of one network have one id. Give one of them another `id`."""

    def __str__(self) -> str:
        return f"network {self.subject!r} already has an agent {self.problem!r}; give one of them another id"


# ---------------------------------------------------------------------------------------------- messages


@dataclass(eq=False)
class MessageError(LlmNetError):
    """Something is not a message that can be used."""


@dataclass(eq=False)
class WireError(MessageError):
    """Bytes that are not a message of ours. Nothing of them was executed or kept."""

    problem: str

    def __str__(self) -> str:
        return f"not a message: {self.problem}"


@dataclass(eq=False)
class InvalidArguments(MessageError):
    """What a model wrote does not make a message. The sentence is written for the model to act on."""

    function: str
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return f"Arguments of {self.function} are wrong. " + " ".join(f"{problem}." for problem in self.problems)


# ---------------------------------------------------------------------------------------------- delivery


@dataclass(eq=False)
class DeliveryError(LlmNetError):
    """A message could not be brought to its receiver."""


@dataclass(eq=False)
class UnknownAddress(DeliveryError):
    """Nobody lives at this address."""

    address: str
    network: str
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"no agent {self.address!r} in network {self.network!r}{_did_you_mean(self.near) or '; add it first'}"


@dataclass(eq=False)
class AgentRemoved(UnknownAddress):
    """Somebody lived there, but was removed before it handled this."""

    def __str__(self) -> str:
        return (
            f"{self.address!r} was removed from network {self.network!r} before it handled this; "
            "send it to somebody else, or remove an agent when nothing waits for it"
        )


@dataclass(eq=False)
class AmbiguousAddress(DeliveryError):
    """A bare id that several agents have. Write the whole path."""

    address: str
    candidates: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.address!r} names several agents; write the whole path: {', '.join(self.candidates)}"


@dataclass(eq=False)
class NotUnderstood(DeliveryError):
    """The receiver has no handler for this message."""

    agent: str
    method: str
    kind: str
    understood: tuple[str, ...] = ()

    def __str__(self) -> str:
        known = ", ".join(self.understood) or "nothing"
        return (
            f"{self.agent!r} has no handler for {self.method!r} ({self.kind}); it understands {known}. "
            f"Define `async def a{self.method}(self, message: {self.kind})`, or override `missing`"
        )


@dataclass(eq=False)
class MailboxFull(DeliveryError):
    """The receiver's mailbox is at its limit, and does `when_full`: see `Mailbox`."""

    transient = True
    address: str
    limit: int
    when_full: str = "wait"

    def __str__(self) -> str:
        full = f"mailbox of {self.address!r} is full ({self.limit} messages)"
        match self.when_full:
            case "reject":
                return f"{full} and rejects more; slow down and send again, or let senders wait"
            case "drop_oldest":
                return f"{full} and drops the oldest; give it a higher `limit`, or let senders wait"
            case "keep_latest":
                return f"a later message of the same matter took its place in the mailbox of {self.address!r}"
            case _:
                return f"{full}; `yield` the message to wait for room, or slow down and send again"


@dataclass(eq=False)
class Expired(DeliveryError):
    """The deadline of a message passed before it was handled."""

    address: str
    method: str

    def __str__(self) -> str:
        return f"{self.method!r} to {self.address!r} was not handled before its deadline; give it more time"


@dataclass(eq=False)
class ForgedSender(DeliveryError):
    """An agent spoke in another's name."""

    agent: str
    sender: str

    def __str__(self) -> str:
        return (
            f"{self.agent!r} cannot send in the name of {self.sender!r}; leave out the sender, or `forward` the message"
        )


@dataclass(eq=False)
class BrokenRule(DeliveryError):
    """It may not be said now, by the rules of a conversation. It was not sent, and the conversation is as it was.

    Args:
        state: where the conversation is; "" where there is none to which the message would belong.
        problem: what is wrong with it; "" where only its time is.
        allowed: what the speaker may say now.
    """

    protocol: str
    speaker: str
    method: str
    state: str
    problem: str = ""
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" when it is {self.state!r}" if self.state else ""
        problem = f": {self.problem}" if self.problem else ""
        cure = f"it may say {', '.join(self.allowed)}" if self.allowed else "it has nothing to say now; wait"
        return f"{self.speaker!r} cannot say {self.method!r} in {self.protocol}{where}{problem}; {cure}"


# ---------------------------------------------------------------------------------------------- runs


@dataclass(eq=False)
class RunError(LlmNetError):
    """A run could not go on as it was asked to."""


@dataclass(eq=False)
class AgentFailed(RunError):
    """A handler raised; what it raised is the `__cause__`."""

    agent: str
    method: str
    message_id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.agent!r} failed at {self.method!r} (message {self.message_id}): {self.reason}"


@dataclass(eq=False)
class Deadlock(RunError):
    """Agents wait for each other in a ring, so none can ever go on."""

    ring: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"deadlock: {' waits for '.join(self.ring)}; "
            "let one of them `yield` its message instead of waiting, or give it `concurrency` > 1"
        )


@dataclass(eq=False)
class Unanswered(RunError):
    """A call whose answer can no longer come: nothing is left in the run that could send it."""

    caller: str
    receiver: str
    method: str

    def __str__(self) -> str:
        return (
            f"{self.caller!r} waits for an answer of {self.receiver!r} to {self.method!r} that nobody will send; "
            "return `message.reply(…)` from its handler, or `yield` the message instead of calling"
        )


@dataclass(eq=False)
class CallTimeout(RunError):
    """An answer did not come in time."""

    transient = True
    receiver: str
    method: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.receiver!r} did not answer {self.method!r} within {self.seconds:g} s"


@dataclass(eq=False)
class LimitReached(RunError):
    """A run came to one of its limits. What was done before is kept."""

    limit: str
    allowed: str

    def __str__(self) -> str:
        return f"run stopped at its limit of {self.bound}; raise it with `limits=Limits({self.limit}=…)`"

    @property
    def bound(self) -> str:
        """What was allowed, in words."""
        return f"US$ {self.allowed}" if self.limit == "money" else f"{self.allowed} {self.limit}"


@dataclass(eq=False)
class RunCancelled(RunError):
    """The run was cancelled before this could be done."""

    reason: str = "the run was cancelled"

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class NoResult(RunError):
    """A run ended well, but no message of it went to the outside."""

    agent: str
    method: str

    def __str__(self) -> str:
        return (
            f"the run of {self.method!r} in {self.agent!r} ended without a message to the outside; "
            "return `message.reply(…)` from the handler of that message, or read what is sent inside with `receive`"
        )


@dataclass(eq=False)
class NotHandling(RunError):
    """Something was asked for that exists only while an agent handles a message in a network."""

    what: str

    def __str__(self) -> str:
        return f"{self.what} is known only while a message is handled in a run; use it inside a handler"


@dataclass(eq=False)
class AlreadyRunning(RunError):
    """One network cannot be run by two event loops at once."""

    network: str

    def __str__(self) -> str:
        return (
            f"network {self.network!r} is running in another event loop; wait for that run, or build a second network"
        )


@dataclass(eq=False)
class Stuck(RunError):
    """In a simulated world nothing can happen any more, and still somebody waits."""

    waiting: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"nothing can happen any more, and still wait: {', '.join(self.waiting)}; "
            "wait for what happens outside of this loop with `simulation.outside(…)`"
        )


# ---------------------------------------------------------------------------------------------- journals


@dataclass(eq=False)
class JournalError(LlmNetError):
    """A run and its record do not go together."""


@dataclass(eq=False)
class JournalFailed(JournalError):
    """The journal cannot be written or read. What was written before is kept."""

    problem: str

    def __str__(self) -> str:
        return f"the journal failed: {self.problem}; the run can be resumed from what is in it"


@dataclass(eq=False)
class UnknownRun(JournalError):
    """There is no such run in the journal."""

    run: str
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"no run {self.run!r} in this journal{_did_you_mean(self.near) or '; `llm-net runs` lists them'}"


@dataclass(eq=False)
class NotResumable(JournalError):
    """The network is not the one that the run was recorded with, or cannot be found again."""

    network: str
    problem: str

    def __str__(self) -> str:
        return f"network {self.network!r}: {self.problem}"


@dataclass(eq=False)
class Diverged(JournalError):
    """The code does something else than the record says. Change nothing in it that a recorded step depends on, or fork."""

    agent: str
    number: int
    what: str
    recorded: str
    found: str

    def __str__(self) -> str:
        return (
            f"{self.agent!r} diverges from its record at step {self.number}, {self.what}: "
            f"recorded was {self.recorded}, now it is {self.found}"
        )


@dataclass(eq=False)
class InDoubt(JournalError):
    """A call that must not be repeated was begun and has no result on record: it may have happened."""

    agent: str
    name: str
    key: str

    def __str__(self) -> str:
        return (
            f"{self.agent!r} began {self.name!r}, which must not happen twice, and was stopped before its result was kept; "
            f"find out whether it happened, and resume with settle={{{self.key!r}: result}}, or with REPEAT for the result"
        )


@dataclass(eq=False)
class EffectFailed(JournalError):
    """What a call to the outside raised when it was recorded, where its class is not one of ours or of Python's."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


# ---------------------------------------------------------------------------------------------- models


class PlaceError(LlmNetError):
    """Agents cannot live, or live no more, where they were placed."""


@dataclass(eq=False)
class PlaceUnavailable(PlaceError):
    """Agents cannot live there, or not now."""

    problem: str

    def __str__(self) -> str:
        return self.problem


@dataclass(eq=False)
class NotMovable(PlaceError):
    """An agent cannot live in another process."""

    address: str
    problem: str

    def __str__(self) -> str:
        return f"{self.address!r} cannot live in another process: {self.problem}"


@dataclass(eq=False)
class NodeLost(PlaceError):
    """The process in which an agent lived is gone, and with it what it was doing. Trying again finds another process."""

    transient = True
    node: str
    problem: str

    def __str__(self) -> str:
        return f"node {self.node!r} is lost: {self.problem}; a network with supervision=Retry(…) goes on elsewhere"


@dataclass(eq=False)
class CarrierFailed(PlaceError):
    """Nodes cannot reach each other."""

    transient = True
    where: str
    problem: str

    def __str__(self) -> str:
        return f"no way to other nodes by {self.where}: {self.problem}"


@dataclass(eq=False)
class FarError(PlaceError):
    """An exception of another process, of a class that is not known here; its traceback is among the notes."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(eq=False)
class ModelError(LlmNetError):
    """A model could not do what it was asked."""

    model: str
    problem: str

    def __str__(self) -> str:
        return f"model {self.model!r}: {self.problem}"


@dataclass(eq=False)
class ModelUnavailable(ModelError):
    """The model cannot be reached or started."""

    transient = True


@dataclass(eq=False)
class RateLimited(ModelError):
    """The provider asks us to wait."""

    transient = True
    retry_after: float | None = None

    def __str__(self) -> str:
        wait = f"; try again after {self.retry_after:g} s" if self.retry_after is not None else ""
        return f"model {self.model!r} is rate limited: {self.problem}{wait}"


@dataclass(eq=False)
class ContextTooLong(ModelError):
    """The prompt does not fit the model's context. Send fewer or shorter turns."""


@dataclass(eq=False)
class InvalidOutput(ModelError):
    """The model's answer breaks the form that was asked for. Asking again may help.

    Args:
        usage: what that answer cost; a run counts it.
    """

    transient = True
    usage: Usage | None = None


@dataclass(eq=False)
class MissingDependency(LlmNetError):
    """An optional library is not installed. Without an extra of ours it is the user's own choice: see ADR 12."""

    package: str
    extra: str
    purpose: str

    def __str__(self) -> str:
        install = f"'llm_net[{self.extra}]'" if self.extra else self.package
        return f"{self.purpose} needs {self.package}; install it with: pip install {install}"
