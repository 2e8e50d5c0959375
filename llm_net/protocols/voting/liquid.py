"""Liquid democracy: who has no opinion lets somebody vote whom it trusts. Knows no voter from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from llm_net.address import AbstractObject
from llm_net.protocols.meta import completed
from llm_net.protocols.rules import Rules
from llm_net.protocols.voting.election import Elect, Elected, Election, ballot_moves
from llm_net.protocols.voting.paper import Abstain, Delegate

LIQUID_ELECTION = Rules(
    "liquid-election",
    completed(ballot_moves((Delegate, "delegated"))),
    source="B. Ford 2002, Delegative democracy; Z. Christoff and D. Grossi 2017, Binary voting with delegable proxy",
    initiator="returning officer",
    participant="voter",
    fallback=(Abstain,),
)


HANDED_ON = frozenset(("casters", "cycles", "lost"))


class LiquidElected(Elected):
    """Whom the voters elected, and who voted for whom.

    Args:
        casters: who cast the votes of those who did not vote themselves; empty where that is secret.
        cycles: rings of voters who trust each other in a circle, so that none of them votes.
        lost: whose votes nobody cast: they are in a cycle, or their trust ends there or at somebody who is absent.
    """

    casters: Mapping[str, str] = {}
    cycles: tuple[tuple[str, ...], ...] = ()
    lost: tuple[str, ...] = ()

    def content(self) -> dict[str, object]:
        """What it says; nothing of handed-on and lost votes where there are none."""
        return {name: value for name, value in super().content().items() if value or name not in HANDED_ON}


class LiquidElection(Election):
    """An election in which voters may hand on their votes: an `Elect` to the network is answered by a `LiquidElected`.

    A voter fills in its paper, abstains, or names by `Delegate` another voter, who may do the same. A vote that goes round
    in a circle, or to somebody who is absent, is lost: it elects nobody and makes up no quorum. Who abstains does so with
    all votes that came to it.
    """

    rules: ClassVar = (LIQUID_ELECTION,)

    async def aelect(self, message: Elect) -> LiquidElected:
        poll = await self._poll(message, message.candidates)
        lost = [id for id in poll.answers.given if id in poll.votes.lost]
        casters = {} if self.secret else {id: caster for id, caster in poll.votes.voter.items() if caster != id}
        return LiquidElected.reply(
            message,
            casters=casters,
            cycles=poll.votes.cycles,
            lost=lost,
            **self._told(poll),
        )

    def _trustees(self, voter: AbstractObject) -> tuple[str, ...]:
        return tuple(member.id for member in self if member != voter)
