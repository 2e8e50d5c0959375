"""A recruiter: finds who can do something and passes the wish on; the answers go straight to whoever shall have them.

Knows nobody's work from inside, and does not hear of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final

from llm_net.address import Address, Party
from llm_net.message import Message
from llm_net.protocols.acts import Failure, Inform, Proxy, QueryIf, QueryRef, Refuse, Request
from llm_net.protocols.fipa.facilitator import Act, Facilitator, Wanted, nobody
from llm_net.protocols.fipa.query import QUERY
from llm_net.protocols.fipa.request import REQUEST
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.rules import START, Rules


class RequestFor(Request):
    """Ask for something to be done for somebody else, to whom the answer goes."""

    method: str = "request"
    answer_to: Address


class QueryIfFor(QueryIf):
    """Ask whether something is true for somebody else, to whom the answer goes."""

    method: str = "query_if"
    answer_to: Address


class QueryRefFor(QueryRef):
    """Ask which thing fits a description for somebody else, to whom the answer goes."""

    method: str = "query_ref"
    answer_to: Address


PASSED_ON: Final[Mapping[Act, type[RequestFor | QueryIfFor | QueryRefFor]]] = {
    "request": RequestFor,
    "query_if": QueryIfFor,
    "query_ref": QueryRefFor,
}


_WHO_ASKS: Any = None  # for type checkers: what may be given to a Party is not what it is


class Recruit(Wanted):
    """Have somebody who has a skill do something, or answer a question, and say so to whom you name.

    Args:
        tell: who shall get the answers; None for whoever sends this.
    """

    method: str = "proxy"
    tell: Party = _WHO_ASKS


class Recruited(Outcome, Inform):
    """Who was found; the answers are theirs.

    Args:
        members: their ids.
    """

    method: str = "inform"
    members: tuple[str, ...] = ()


RECRUITING = Rules(
    "fipa-recruiting",
    completed([
        (START, "initiator", Proxy, "asked"),
        ("asked", "participant", Refuse, "refused"),
        ("asked", "participant", Inform, "done"),
        ("asked", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00034H",
    participant="recruiter",
    fallback=(Refuse, Failure),
)  # fmt: skip
"""Of the conversation with who asks. Those of who is found with who is told have the rules of what is passed on."""


class Recruiter(Facilitator):
    """A recruiter whose members are those who can do something: `Recruit` is answered by `Recruited`, or by `NotDone`.

    As many of those who fit as are wanted get a `RequestFor`, or a question, and answer to its `answer_to`:
    `Inform.reply(message, receiver=message.answer_to)`. Participants, as voices and people are, do so by themselves.
    """

    rules: ClassVar = (RECRUITING.saying(Recruit), REQUEST, QUERY)

    async def aproxy(self, message: Recruit) -> AsyncIterator[Message]:
        told = message.tell or message.sender
        if told is None:
            yield Refuse.reply(message, body="nobody could be told; name somebody in tell, or give it a sender")
            return
        kind = PASSED_ON[message.act]
        found = [member for member in self._fitting(message, kind) if member != told][: message.count]
        if not found:
            yield nobody(message)
            return
        for member in found:
            yield kind(body=message.body, receiver=member, answer_to=told, reply_to=message, deadline=message.deadline)
        yield Recruited.reply(message, members=tuple(member.id for member in found))
