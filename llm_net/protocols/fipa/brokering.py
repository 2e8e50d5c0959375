"""A broker: finds who can do something, has it done, and brings the answers to who asked. Knows nobody's work from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.protocols.acts import Agree, Cancel, Failure, Inform, Proxy, Refuse
from llm_net.protocols.fipa.facilitator import ACTS, Act, Facilitator, NotDone, Wanted, nobody
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


class Errand(Message):
    """Have one member do it; the answer comes when it has said what came of it."""

    act: Act
    member: str


class Told(Message):
    """What came of an errand, or why nothing did."""

    done: bool


class Broker(Facilitator):
    """A broker whose members are those who can do something: `Wanted` is answered by `Brokered`, or by `NotDone`.

    Those who fit are asked, as many as are wanted; for whoever refuses, fails, or is silent or late, the next one is. Who
    agrees has its `patience` once more to say what came of it. With fewer answers than were wanted it makes do. Where nobody
    fits, and where nobody of those who fit does it, it says so.

    It speaks to itself too, an `Errand` for each whom it asks: so it can serve many at once, and needs no memory but for those
    who cancelled. Who cancels hears no more; what was asked for is done all the same.

    Args:
        cancelled: the ids of the messages that were taken back and are not done with.
    """

    rules: ClassVar = (BROKERING.saying(Wanted), REQUEST, QUERY)
    concurrency: ClassVar[int] = 1_000

    patience: float | None = Field(default=60.0, gt=0)
    cancelled: list[str] = []

    async def aproxy(self, message: Wanted) -> Message | None:
        done = await self._done(message)
        if message.id not in self.cancelled:
            return done
        self.cancelled.remove(message.id)
        return None

    def cancel(self, message: Cancel) -> Message:
        if (wanted := message.closest(Wanted)) is not None:
            self.cancelled.append(wanted.id)
        return Inform.reply(message, body="you hear no more of it")

    async def _done(self, message: Wanted) -> Message:
        """What came of it."""
        left = self._fitting(message, ACTS[message.act])
        if not left:
            return nobody(message)
        replies: dict[str, str] = {}
        absent: dict[str, str] = {}
        while left and (missing := message.count - len(replies)) > 0:
            asked, left = left[:missing], left[missing:]
            for errand, told in (await self._run([errand_for(self, message, member) for member in asked])).items():
                if told is not None and told.done:
                    replies[errand.member] = told.body
                else:
                    absent[errand.member] = "it agreed, and never said what came of it" if told is None else told.body
        if replies:
            return Brokered.reply(message, body="\n".join(replies.values()), replies=replies, absent=absent)
        reasons = "; ".join(f"{name}: {reason}" for name, reason in absent.items())
        return NotDone.reply(message, body=f"nobody of those who fit did it: {reasons}", absent=absent)

    async def aerrand(self, message: Errand) -> Message | None:
        asked = ACTS[message.act](
            body=message.body, receiver=message.member, reply_to=message, deadline=message.deadline
        )
        answers = await self.collect([asked])
        for answer in answers:
            return None if isinstance(answer, Agree) else told_of(message, answer)
        (reason,) = answers.absent.values()
        return Told.reply(message, body=reason, done=False)

    def inform(self, message: Inform) -> Message | None:
        errand = message.closest(Errand)
        return None if errand is None else told_of(errand, message)

    def failure(self, message: Failure) -> Message | None:
        errand = message.closest(Errand)
        return None if errand is None else told_of(errand, message)

    async def _run(self, errands: list[Errand]) -> dict[Errand, Told | None]:
        """What came of each; None where somebody broke its word."""
        failures: dict[Message, BaseException] = {}
        wait = None if self.patience is None else 2 * self.patience
        came = {told.reply_to: told for told in await self.gather(errands, timeout=wait, failures=failures)}
        return {errand: told if isinstance(told := came.get(errand), Told) else None for errand in errands}


def errand_for(broker: Broker, wanted: Wanted, member: GenAgent) -> Errand:
    """The errand on which a member is sent."""
    return Errand(
        body=wanted.body,
        act=wanted.act,
        member=member.id,
        receiver=broker,
        reply_to=wanted,
        deadline=wanted.deadline,
    )


def told_of(errand: Errand, answer: Message) -> Told:
    """What a member's last word says of an errand."""
    done = isinstance(answer, Inform)
    return Told.reply(errand, body=answer.body if done else answer.body or f"it said {answer.method}", done=done)
