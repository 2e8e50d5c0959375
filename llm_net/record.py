"""What a journal keeps of a run: facts, each with its place in one order. Knows neither who notes them nor who stores them.

A *delivery* is a message on its way to one receiver; its number is counted over the run. The handling of a delivery is a
*step* and has that number too; step 0 is the outside, and the run itself. Every prefix of a run's facts is a state from
which it can go on: what a fact builds on stands before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from llm_net.chat import Usage

Repeats: TypeAlias = Literal["pure", "idempotent", "once"]
"""Whether a call to the outside that may have happened already may be made again: freely, under the same key, never."""

EffectKind: TypeAlias = Literal["model", "effect", "delay", "gather", "refused", "unsent", "abandoned"]

End: TypeAlias = Literal["handled", "failed", "expired", "cancelled", "rejected", "dead", "retried"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A run begins; a later one of the same run says that it goes on.

    Args:
        network: the id of the outermost network, or of the single agent.
        version: of the network's code, as its `version` says; "" where it says none.
        parent, cut: the run that this one was forked from, and the last of that one's facts that both share.
    """

    seq: int
    network: str
    seed: int
    at: float
    version: str = ""
    parent: str | None = None
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A message went to one receiver.

    Args:
        step: whose handler sent it.
        kind: the name of its class on the wire.
        sender, receiver: addresses from the outermost network; "" for the outside.
        event, path: under which it is heard, and who emitted it as seen from there; "" if it was sent by name.
        depth: length of the chain of messages that led to it.
        waits: whether it lies in a mailbox; else it came to its end at once: taken by who called for it, or the outside.
        at: seconds since 1970, UTC.
        message: its JSON, `{"kind": …, "fields": …}`; empty where an earlier delivery of the same id has it.
        edited: whether it is not what the step sent, but what somebody put in its place in a fork: a fact of its own, with the
            number of the delivery and the id of the message that it changes, and no delivery itself. Who edits a message does
            so for each delivery of it that has not ended; one that is made later is as the step sends it.
    """

    seq: int
    number: int
    step: int
    id: str
    kind: str
    method: str
    sender: str
    receiver: str
    reply_to: str
    conversation: str
    event: str
    path: str
    depth: int
    waits: bool
    at: float
    message: bytes
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """Something from outside that a step learned: a repetition of the step gets the same, and does not ask again.

    Args:
        n: which of the step's questions to the outside it answers, from 1.
        kind: "model" (name: the model's), "effect" (`self.effect`), "delay", "gather" (which replies came); and with n 0 and
            the id of a message as the name: "refused" (who asked got an error), "abandoned" (nobody waits for the reply any
            more), "unsent" (sending it raised an error).
        status: "intent" stands before the call is made, for those that must not be repeated blindly.
        key: the same for each try of this very call, and for no other.
        began, at: when, in seconds since 1970.
        asked: JSON of what was asked, with the hashes of its `Part`s; empty where nobody needs it.
        answer: JSON of what came, or of the error.
    """

    seq: int
    step: int
    n: int
    kind: EffectKind
    name: str
    repeats: Repeats
    status: Literal["intent", "done", "failed"]
    key: str
    began: float
    at: float
    answer: bytes = b""
    asked: bytes = b""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The fields of an agent after a step: all of them, or what became different since the last (see `runtime.state`)."""

    agent: str
    whole: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery came to its end, with all that the step changed.

    Args:
        end: "retried" is the end of one try only: the delivery goes on.
        turn: the how-manieth step it was that its agent began in this run; 0 for a delivery that no step took.
        posts, effects, ids: how many the tries so far made; for "retried".
    """

    seq: int
    number: int
    end: End
    agent: str
    turn: int
    began: float
    at: float
    error: str = ""
    states: tuple[State, ...] = ()
    posts: int = 0
    effects: int = 0
    ids: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The run came to an end, with one of the statuses of `ports.Status`; it may be resumed, and finish again."""

    seq: int
    status: str
    error: str
    at: float


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what models were asked, kept once however often it is asked: JSON by its BLAKE2 hash."""

    seq: int
    hash: str
    data: bytes


def _no_usage() -> Usage:
    """None so far."""
    from llm_net.chat import Usage  # lazily: most programs ask no model

    return Usage()


Fact: TypeAlias = Begun | Sent | Effect | Ended | Finished | Part


@dataclass(frozen=True, slots=True)
class Opened:
    """What is needed to go on with a run: as much as is open in it, however long its history is.

    Args:
        begun: the first fact of its own, which for a fork comes after the cut.
        status: of the last `Finished`; "" if it was never finished since it last began.
        seq, number: the last ones that were given.
        turns: by agent, how many steps it has begun.
        sent, ends: deliveries so far, and how many came to each end ("taken" for those that never waited).
        states: by agent, the last whole state and what was changed since, in order.
        pending: deliveries that wait or are being handled, in the order sent, each with its message.
        past: by number, what the step of a pending delivery did so far, in order.
        replies: by the id of the question, the reply that a pending step has taken.
        abandoned: names of all effects of that kind.
        usage: of models.
    """

    begun: Begun
    status: str = ""
    seq: int = 0
    number: int = 0
    turns: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0
    ends: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, tuple[State, ...]] = field(default_factory=dict)
    pending: Sequence[Sent] = ()
    past: Mapping[int, Sequence[Sent | Effect | Ended]] = field(default_factory=dict)
    replies: Mapping[str, Sent] = field(default_factory=dict)
    abandoned: Sequence[str] = ()
    usage: Usage = field(default_factory=_no_usage)


@dataclass(frozen=True, slots=True)
class Select:
    """Which facts of a run; all that is given must hold. A `Sent` is always given with its message.

    Args:
        facts: kinds of facts; empty for all.
        after, upto: places in the order, the first exclusive, the second inclusive.
        numbers: of deliveries: their Sent, Ended and Effects.
        ids: of messages.
        replies_to: ids of messages that are answered.
        agent: sender or receiver, or whose step it is: an address, with everybody inside if it ends with "/".
        method, conversation: of messages.
        since, until: seconds since 1970.
        text: words that a message holds: each of them, in any order and case, whole or as the beginning of a longer one.
        newest: from the last to the first.
        limit: how many facts at most.
    """

    facts: tuple[type[Fact], ...] = ()
    after: int = 0
    upto: int | None = None
    numbers: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    replies_to: tuple[str, ...] = ()
    agent: str = ""
    method: str = ""
    conversation: str = ""
    since: float | None = None
    until: float | None = None
    text: str = ""
    newest: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run of a journal. `status` is "" for one that is going on, or was killed; `at` is the time of its last fact.

    `messages` (deliveries) and `usage` are its own, without what it shares with the run that it was forked from.
    """

    run: str
    network: str
    began: float
    status: str
    error: str
    at: float
    messages: int
    usage: Usage
    parent: str | None = None
    cut: int = 0
