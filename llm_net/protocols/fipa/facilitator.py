"""Who can do what, and what it takes to find somebody: the yellow pages of a network. Knows nobody's work from inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.protocols.acts import Cancel, Failure, Proxy, QueryIf, QueryRef, Request
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.outcome import Outcome

Act: TypeAlias = Literal["request", "query_if", "query_ref"]
"""What may be passed on: to do something, to say whether it is true, to say what fits."""

ACTS: Final[Mapping[Act, type[Message]]] = {"request": Request, "query_if": QueryIf, "query_ref": QueryRef}


class Register(Message):
    """Say what you can do, so that others are sent to you.

    Args:
        skills: a word or a few words each; none at all to be found no more.
    """

    skills: tuple[str, ...]


class Wanted(Proxy):
    """Have somebody who has a skill do something, or answer a question.

    Args:
        skill: what one has to be able to do; "" if anybody will do.
        act: what is passed on to those who are found, with the body of this message.
        count: how many of them shall do it.
    """

    method: str = "proxy"
    skill: str = ""
    act: Act = "request"
    count: int = Field(default=1, ge=1)


class NotDone(Outcome, Failure):
    """Say that nobody fits, or that nobody of those who fit did it: then `absent` says why."""

    method: str = "failure"


def has(skill: str, registered: Sequence[str] | None, description: str) -> bool:
    """Whether somebody has a skill: among those that it registered, else by the words of its description.

    Args:
        registered: None for somebody who never registered.
    """
    wanted = skill.casefold()
    if not wanted:
        return registered != ()
    if registered is not None:
        return wanted in (each.casefold() for each in registered)
    return re.search(rf"\b{re.escape(wanted)}\b", description.casefold()) is not None


class Facilitator(InteractionProtocol):
    """A network that knows what its members can do: they `Register`, or their descriptions say it.

    Args:
        skills: what each member registered, by its id.
    """

    skills: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def register(self, message: Register) -> None:
        if message.sender is not None:
            self.skills[message.sender.id] = tuple(message.skills)

    def cancel(self, message: Cancel) -> Message:
        return Failure.reply(message, body="it was passed on already")

    def _fitting(self, wanted: Wanted, kind: type[Message]) -> list[GenAgent]:
        """The members that can do it, as they stand in the network; not the one who asks."""
        return [
            member
            for member in self
            if member != wanted.sender
            and member.can_receive(kind)
            and has(wanted.skill, self.skills.get(member.id), member.description)
        ]


def nobody(wanted: Wanted) -> NotDone:
    """What is said where nobody fits."""
    fit = f"can do {wanted.skill!r}" if wanted.skill else f"understands {wanted.act}"
    return NotDone.reply(wanted, body=f"nobody here {fit}")
