"""Whether enough took part, and whether a motion is carried. Knows counts, not candidates or ballots."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias

from llm_net.protocols.voting.ballot import Weight

Verdict: TypeAlias = Literal["carried", "rejected", "tied", "no quorum"]

HALF = Fraction(1, 2)


def quorate(present: Weight, eligible: Weight, *, quorum: Fraction = HALF) -> bool:
    """Whether those present, abstentions included, are at least this part of all who may vote.

    Raises:
        ValueError: more are present than may vote, or the quorum is not between 0 and 1.
    """
    if not 0 <= present <= eligible:
        raise ValueError(f"{present} of {eligible} voters cannot be present; count each voter once")
    if not 0 <= quorum <= 1:
        raise ValueError(f"a quorum of {quorum} is no part of the voters; give one from 0 to 1")
    return present >= quorum * eligible


def motion(
    yes: Weight,
    no: Weight,
    abstain: Weight = 0,
    *,
    eligible: Weight,
    quorum: Fraction = HALF,
    majority: Fraction = HALF,
) -> Verdict:
    """What becomes of a proposal. Abstentions make up the quorum, but are no votes.

    Args:
        yes: votes for it.
        no: votes against it.
        abstain: who took part and voted neither way.
        eligible: all who may vote.
        quorum: the part of them that has to take part.
        majority: of the votes cast. More than half for 1/2; for anything above, at least that: two thirds, all.

    Raises:
        ValueError: more voted than may, `quorum` is not between 0 and 1, or `majority` not between 1/2 and 1.

    Source: Robert's Rules of Order Newly Revised, 12th edition, 40 (quorum) and 44 (bases for determining a result).
    """
    if not HALF <= majority <= 1:
        raise ValueError(f"a majority of {majority} can be on both sides; give one from 1/2 to 1")
    if not quorate(yes + no + abstain, eligible, quorum=quorum):
        return "no quorum"
    if majority == HALF and yes == no:
        return "tied"
    enough = yes > no if majority == HALF else yes > 0 and yes >= majority * (yes + no)
    return "carried" if enough else "rejected"
