"""An election: voters fill in ballot papers, a tally says who is elected. Knows no voter from inside.

No voter learns of a ballot before the election is closed: each has a conversation of its own with the network, and nothing
of it is passed on. Whoever watches the run, or reads its record, sees all messages, as always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Final, Self, assert_never

from pydantic import Field, model_validator

from llm_net.address import AbstractObject
from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Answers, Outcome
from llm_net.protocols.rules import START, Move, Rules
from llm_net.protocols.tie import TieRule
from llm_net.protocols.voting.ballot import Weight
from llm_net.protocols.voting.delegation import Delegated, delegate
from llm_net.protocols.voting.paper import (
    WITHHELD,
    Abstain,
    Approve,
    ChoiceBallot,
    Delegate,
    Grade,
    Mark,
    Marked,
    Names,
    Paper,
    Pick,
    Rank,
    Score,
    Spend,
)
from llm_net.protocols.voting.quorum import HALF, quorate
from llm_net.protocols.voting.tally import Counted, Tally, count

PAPERS: Final[Mapping[type[Paper], str]] = {
    Pick: "picking", Approve: "approving", Rank: "ranking", Score: "scoring", Spend: "spending", Grade: "grading",
}  # fmt: skip
"""Every kind of ballot paper, and what a voter who has it is doing."""


def ballot_moves(*others: tuple[type[Message], str]) -> list[Move]:
    """What may be said of each kind of paper: it is filled in, or its voter abstains.

    Args:
        others: what else a voter may answer, and where that leads.
    """
    moves: list[Move] = []
    for paper, state in PAPERS.items():
        moves.append(Move(START, "initiator", paper, state))
        moves.append(Move(state, "participant", paper.ballot, "voted"))
        moves.append(Move(state, "participant", Abstain, "abstained"))
        moves += [Move(state, "participant", kind, then) for kind, then in others]
    return moves


ELECTION = Rules(
    "election",
    completed(ballot_moves()),
    source="Robert's Rules of Order Newly Revised, 12th edition (2020), 45 (voting procedure) and 46 (elections)",
    initiator="returning officer",
    participant="voter",
    fallback=(Abstain,),
)


class Elect(Message):
    """Have the members elect one or several of the candidates."""

    candidates: Names


class Elected(Outcome):
    """Whom the voters elected.

    Args:
        winners: empty where they tie and no rule for ties is declared, or where there was no quorum.
        scores: what the tally gave to each candidate; the tally says what that means. For "stv", the first count.
        quorate: whether enough took part.
        cast: how many ballots counted.
        abstained: how many took part and voted for nobody.
        ballots: who voted how; empty where that is secret.
    """

    winners: tuple[str, ...] = ()
    scores: Mapping[str, Weight] = {}
    quorate: bool = True
    cast: int = 0
    abstained: int = 0
    ballots: Mapping[str, Mark] = {}

    def content(self) -> dict[str, object]:
        """What it says; nothing of ballots where they are secret."""
        return {name: value for name, value in super().content().items() if value or name != "ballots"}


@dataclass(frozen=True, slots=True)
class Poll:
    """What came back from the voters, and what it comes to."""

    answers: Answers
    votes: Delegated
    quorate: bool
    counted: Counted


class Election(InteractionProtocol):
    """An election whose members are the voters: an `Elect` to the network is answered by an `Elected`.

    Each voter gets a `Paper` of the kind that the tally needs, and fills it in or abstains. Whoever is silent, late, fails or
    gives no valid ballot is absent. As a member of another election it votes for whom its own members elect, and abstains
    where they do not elect one alone.

    Args:
        tally: how ballots are counted.
        seats: how many are elected; more than one by "stv" alone.
        ties: who is elected of those who tie; without a rule none of them is.
        quorum: the part of all votes, by weight, that has to be cast, abstentions included.
        weights: how many votes each voter has; 1 for those not named. Whole numbers, or Fractions.
        secret: leave out of the outcome who voted how, and what was wrong with whose ballot. What its scores give away, if
            voters are few or weights tell them apart, they still do.
        shuffled: list the candidates in another order on each paper, as models prefer whom they read first.
        highest: the most points that one may get, for "score" and "star".
        credits: what each voter may spend, for "quadratic".
        grades: from worst to best, for "majority-judgement".
    """

    rules: ClassVar = (ELECTION,)

    tally: Tally = "plurality"
    seats: int = Field(default=1, ge=1)
    ties: TieRule | None = None
    quorum: Annotated[Fraction, Field(ge=0, le=1)] = HALF
    weights: Mapping[str, Annotated[Weight, Field(ge=0)]] = {}
    secret: bool = False
    shuffled: bool = False
    highest: int = Field(default=5, ge=1)
    credits: int = Field(default=9, ge=1)
    grades: Names = ("reject", "poor", "acceptable", "good", "very good", "excellent")

    @model_validator(mode="after")
    def _fills_its_seats(self) -> Self:
        if self.seats > 1 and self.tally != "stv":
            raise ValueError(f"{self.tally!r} elects one; for {self.seats} seats let the tally be 'stv'")
        return self

    async def aelect(self, message: Elect) -> Elected:
        return Elected.reply(message, **self._told(await self._poll(message, message.candidates)))

    async def apick(self, message: Pick) -> ChoiceBallot | Abstain:
        """Answer another election as the members of this one decide."""
        winners = (await self._poll(message, message.candidates)).counted.winners
        return ChoiceBallot.reply(message, choice=winners[0]) if len(winners) == 1 else Abstain.reply(message)

    async def _poll(self, message: Message, candidates: tuple[str, ...]) -> Poll:
        """Ask the members."""
        if self.ties is not None:
            self.ties.rank(candidates)  # raises for an order that leaves somebody out, before anybody is asked
        papers = {member.id: self._paper(message, candidates, member) for member in self}
        weights = {id: self.weights.get(id, 1) for id in papers}
        answers = await self.collect(papers.values())
        trust = {id: answer.to for id, answer in answers.of(Delegate).items()}
        votes = delegate(trust, answers.given.keys() - trust.keys(), weights=weights)
        enough = quorate(sum(votes.weights.values()), sum(weights.values()), quorum=self.quorum)
        marked = answers.of(Marked).items()
        ballots = [papers[id].read(ballot.mark, votes.weights[id]) for id, ballot in marked]
        counted = (
            count(self.tally, candidates, ballots, seats=self.seats, credits=self.credits, ties=self.ties)
            if enough
            else Counted(problem="no quorum")
        )
        return Poll(answers, votes, enough, counted)

    def _told(self, poll: Poll) -> dict[str, object]:
        """The fields of an outcome."""
        ballots = poll.answers.of(Marked)
        return {
            "body": poll.counted.problem,
            "winners": poll.counted.winners,
            "ties": poll.counted.ties,
            "scores": poll.counted.scores,
            "quorate": poll.quorate,
            "cast": len(ballots),
            "abstained": len(poll.answers.of(Abstain)),
            "ballots": {} if self.secret else {id: ballot.mark for id, ballot in ballots.items()},
            "absent": dict.fromkeys(poll.answers.absent, WITHHELD) if self.secret else poll.answers.absent,
        }

    def _trustees(self, voter: AbstractObject) -> tuple[str, ...]:
        """To whom a voter may hand its vote."""
        return ()

    def _paper(self, message: Message, candidates: tuple[str, ...], voter: AbstractObject) -> Paper:
        listed = tuple(self.random.sample(candidates, len(candidates))) if self.shuffled else candidates
        fields: dict[str, Any] = {
            "body": message.body,
            "receiver": voter,
            "reply_to": message,
            "candidates": listed,
            "trustees": self._trustees(voter),
        }
        match self.tally:
            case "plurality":
                return Pick(**fields)
            case "approval":
                return Approve(**fields)
            case "borda" | "instant-runoff" | "stv" | "copeland" | "minimax" | "schulze" | "ranked-pairs":
                return Rank(**fields)
            case "score" | "star":
                return Score(**fields, highest=self.highest)
            case "quadratic":
                return Spend(**fields, credits=self.credits)
            case "majority-judgement":
                return Grade(**fields, grades=self.grades)
            case _:
                assert_never(self.tally)
