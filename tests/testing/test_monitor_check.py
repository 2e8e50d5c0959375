"""The check of monitors finds what is wrong with them, and nothing wrong with ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from llm_net import Message
from llm_net.address import Reference
from llm_net.errors import BrokenRule
from llm_net.protocols.acts import AcceptProposal, Cfp, Inform
from llm_net.protocols.fipa.contract_net import CONTRACT_NET, Offer
from llm_net.protocols.monitor import Monitor
from llm_net.testing import check_monitor

MANAGER, BOB = Reference("manager"), Reference("bob")
CALL = Cfp(sender=MANAGER, receiver=BOB)
OFFER = Offer.reply(CALL, price=40)
RIGHT = [CALL, Message(sender=BOB, receiver=MANAGER, body="Which roof?"), OFFER, AcceptProposal.reply(OFFER)]
WRONG = [AcceptProposal.reply(CALL), Offer.reply(CALL, price=30), Inform(sender=BOB, receiver=MANAGER)]


def ours() -> Monitor:
    return Monitor([CONTRACT_NET.saying(Offer)])


class Forgets(Monitor):
    """Loses what was retracted for good."""

    def retract(self, message: Message) -> None:
        if self._last is not None:
            self._last[1].state = "nowhere"


class Counts(Monitor):
    """Takes a message that comes again for another one."""

    def admit(self, message: Message, now: Callable[[], datetime] = datetime.now) -> bool:
        session = self._sessions.get(message.id)
        if session is not None and session.messages[-1] is message:
            raise BrokenRule("counting", "somebody", message.method, session.state)
        return super().admit(message, now)


class Trusts(Monitor):
    """Lets strays pass."""

    def stray(self, message: Message) -> BrokenRule | None:
        return None


def test_ours_is_a_monitor() -> None:
    check_monitor(ours, RIGHT, WRONG)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (Forgets, "is refused"),
        (Counts, "is refused"),
        (Trusts, "wrong message 3 is not refused the first time"),
    ],
)
def test_what_is_wrong_is_found(kind: type[Monitor], problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        check_monitor(lambda: kind([CONTRACT_NET.saying(Offer)]), RIGHT, WRONG)
