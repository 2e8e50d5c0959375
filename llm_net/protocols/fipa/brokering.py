"""A broker: finds who can do something, has it done, and brings the answers to who asked. Knows nobody's work from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from llm_net.message import Message
from llm_net.protocols.acts import Agree, Failure, Inform, Proxy, Refuse
from llm_net.protocols.fipa.facilitator import ACTS, Facilitator, Wanted, nobody
from llm_net.protocols.fipa.query import QUERY
from llm_net.protocols.fipa.request import REQUEST
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.rules import START, Rules


class Brokered(Outcome, Inform):
    """What those said who were found.

    Args:
        replies: the answer of each who gave one, by id.
    """

    method: str = "inform"
    replies: Mapping[str, str] = {}


BROKERING = Rules(
    "fipa-brokering",
    completed([
        (START, "initiator", Proxy, "asked"),
        ("asked", "participant", Refuse, "refused"),
        ("asked", "participant", Agree, "agreed"),
        ("asked", "participant", Inform, "done"),
        ("asked", "participant", Failure, "failed"),
        ("agreed", "participant", Inform, "done"),
        ("agreed", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00033H",
    participant="broker",
    fallback=(Refuse, Failure),
)  # fmt: skip
"""Of the conversation with who asks. Those with who does it have the rules of what is passed on."""


class Promised(BaseModel):
    """What a broker keeps of an errand while members who agreed have not said yet what came of it.

    Args:
        waiting: their ids.
        replies, absent: as in `Brokered`, so far.
    """

    waiting: list[str]
    replies: dict[str, str]
    absent: dict[str, str]


class Broker(Facilitator):
    """A broker whose members are those who can do something: `Wanted` is answered by `Brokered`, or by `Failure`.

    Those who fit are asked, as many as are wanted; for whoever refuses, fails, or is silent or late, the next one is. With
    fewer answers than were wanted it makes do. Where nobody fits, and where nobody of those who fit does it, it says so.

    Args:
        promises: by the id of the `Wanted`; a member that agreed and then never says a word leaves one open.
    """

    rules: ClassVar = (BROKERING.saying(Wanted, Brokered), REQUEST, QUERY)

    promises: dict[str, Promised] = Field(default_factory=dict)

    async def aproxy(self, message: Wanted) -> Message | None:
        kind = ACTS[message.act]
        left = self._fitting(message, kind)
        if not left:
            return nobody(message)
        so_far = Promised(waiting=[], replies={}, absent={})
        while left and (missing := message.count - len(so_far.replies) - len(so_far.waiting)) > 0:
            asked, left = left[:missing], left[missing:]
            answers = await self.collect(
                kind(body=message.body, receiver=member, reply_to=message, deadline=message.deadline)
                for member in asked
            )
            so_far.absent.update(answers.absent)
            for name, answer in answers.given.items():
                if isinstance(answer, Agree):
                    so_far.waiting.append(name)
                else:
                    _note(so_far, name, answer)
        if not so_far.waiting:
            return _report(message, so_far)
        self.promises[message.id] = so_far
        return None

    def inform(self, message: Inform) -> Message | None:
        return self._kept(message)

    def failure(self, message: Failure) -> Message | None:
        return self._kept(message)

    def _kept(self, message: Message) -> Message | None:
        """Somebody who agreed says what came of it."""
        wanted = message.closest(Wanted)
        name = "" if message.sender is None else message.sender.id
        so_far = None if wanted is None else self.promises.get(wanted.id)
        if wanted is None or so_far is None or name not in so_far.waiting:
            return None
        so_far.waiting.remove(name)
        _note(so_far, name, message)
        if so_far.waiting:
            return None
        del self.promises[wanted.id]
        return _report(wanted, so_far)


def _note(so_far: Promised, name: str, answer: Message) -> None:
    if isinstance(answer, Inform):
        so_far.replies[name] = answer.body
    else:
        so_far.absent[name] = answer.body or f"it said {answer.method}"


def _report(wanted: Wanted, done: Promised) -> Message:
    if not done.replies:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in done.absent.items())
        return Failure.reply(wanted, body=f"nobody of those who fit did it: {reasons}")
    return Brokered.reply(wanted, body="\n".join(done.replies.values()), replies=done.replies, absent=done.absent)
