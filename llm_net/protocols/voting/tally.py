"""Every tally by its name. Knows the ballots that each needs, not the voters who cast them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeVar, assert_never

from llm_net.protocols.tie import TieRule
from llm_net.protocols.voting.ballot import Approval, Ranking, Scores, Weight, share
from llm_net.protocols.voting.copeland import copeland
from llm_net.protocols.voting.judgement import majority_judgement
from llm_net.protocols.voting.minimax import minimax
from llm_net.protocols.voting.pairwise import pairwise
from llm_net.protocols.voting.positional import approval, borda, plurality
from llm_net.protocols.voting.quadratic import quadratic
from llm_net.protocols.voting.ranked_pairs import ranked_pairs
from llm_net.protocols.voting.result import Result
from llm_net.protocols.voting.runoff import instant_runoff
from llm_net.protocols.voting.schulze import schulze
from llm_net.protocols.voting.score import score, star
from llm_net.protocols.voting.stv import stv

Tally: TypeAlias = Literal[
    "plurality", "approval", "borda", "instant-runoff", "stv", "copeland", "minimax", "schulze", "ranked-pairs", "score",
    "star", "quadratic", "majority-judgement",
]  # fmt: skip
"""How ballots are counted."""

MOST: Final = 1_000
"""States that are looked at where ties branch: 0.2 s for twenty candidates, as the event loop waits for it. Of 600 random
panels of five and nine voters, with up to eight candidates, six needed more by ranked pairs, and none by the other two."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a tally says.

    Args:
        winners: the elected, in the order of the candidates; of those who tie only whom the rule for ties chose.
        ties: equals between whom the ballots leave open who is elected.
        scores: what the tally gave to each candidate.
        problem: why nothing can be said; "" otherwise.
    """

    winners: tuple[str, ...] = ()
    ties: tuple[str, ...] = ()
    scores: Mapping[str, Weight] = field(default_factory=dict, hash=False)
    problem: str = ""


def count(
    tally: Tally,
    candidates: Sequence[str],
    ballots: Iterable[Ranking | Approval | Scores],
    *,
    seats: int = 1,
    credits: int = 0,
    ties: TieRule | None = None,
) -> Counted:
    """Count ballots.

    Args:
        tally: by which rule.
        candidates: who stands.
        ballots: of the kind that the tally needs.
        seats: how many are elected; more than one by "stv" alone.
        credits: what each voter may spend, for "quadratic".
        ties: chooses among those who tie. Without it they are all named, and none of them is elected.

    Raises:
        TypeError: a ballot is of another kind.
        ValueError: a ballot names somebody who does not stand, or costs too much.
    """
    cast = list(ballots)
    match tally:
        case "plurality":
            return _one(plurality(candidates, _all(Ranking, cast)), ties)
        case "borda":
            return _one(borda(candidates, _all(Ranking, cast)), ties)
        case "copeland":
            return _one(copeland(pairwise(candidates, _all(Ranking, cast))), ties)
        case "minimax":
            return _one(minimax(pairwise(candidates, _all(Ranking, cast))), ties)
        case "schulze":
            return _one(schulze(pairwise(candidates, _all(Ranking, cast))), ties)
        case "ranked-pairs":
            duels = pairwise(candidates, _all(Ranking, cast))
            return _followed(lambda rule: ranked_pairs(duels, ties=rule, most=MOST), ties)
        case "instant-runoff":
            rankings = _all(Ranking, cast)
            return _followed(lambda rule: instant_runoff(candidates, rankings, ties=rule, most=MOST), ties)
        case "stv":
            return _committee(candidates, _all(Ranking, cast), seats, ties)
        case "approval":
            return _one(approval(candidates, _all(Approval, cast)), ties)
        case "score":
            return _one(score(candidates, _all(Scores, cast)), ties)
        case "star":
            return _one(star(candidates, _all(Scores, cast)), ties)
        case "quadratic":
            return _one(quadratic(candidates, _all(Scores, cast), credits=credits), ties)
        case "majority-judgement":
            return _one(majority_judgement(candidates, _all(Scores, cast)), ties)
        case _:
            assert_never(tally)


def _one(result: Result, ties: TieRule | None) -> Counted:
    if not result.tied:
        return Counted(result.winners, (), result.scores)
    return Counted(() if ties is None else (result.winner(ties),), result.winners, result.scores)


def _followed(counted: Callable[[TieRule | None], Result], ties: TieRule | None) -> Counted:
    """The same for a tally in which equals may decide on the way: its rule for ties is asked there and then."""
    try:
        every = counted(None)
    except ValueError as endless:  # the one way in which a count of checked ballots fails
        return Counted(problem=str(endless)) if ties is None else _one(counted(ties), ties)
    if ties is None or not every.tied:
        return _one(every, None)
    ruled = counted(ties)
    return Counted(ruled.winners, every.winners, ruled.scores)


def _committee(candidates: Sequence[str], ballots: Sequence[Ranking], seats: int, ties: TieRule | None) -> Counted:
    """Several seats: who has one whatever ties bring is elected; the others who may get one tie for what is left."""
    if not any(ballot.weight for ballot in ballots) and len(candidates) > seats:  # too many ways for a count
        chosen = () if ties is None else ties.rank(candidates)[:seats]
        return Counted(tuple(name for name in candidates if name in chosen), tuple(candidates))
    try:
        every = stv(candidates, ballots, seats=seats, most=MOST)
    except ValueError as endless:
        if ties is None:
            return Counted(problem=str(endless))
        every = stv(candidates, ballots, seats=seats, ties=ties)
    seated = [set(committee) for committee in every.committees]
    sure = tuple(name for name in candidates if all(name in committee for committee in seated))
    tied = tuple(name for name in candidates if name not in sure and any(name in committee for committee in seated))
    winners = sure if ties is None or not tied else stv(candidates, ballots, seats=seats, ties=ties).committees[0]
    return Counted(winners, tied, {name: share(votes, 1) for name, votes in every.stages[0].votes.items()})


Kind = TypeVar("Kind", Ranking, Approval, Scores)


def _all(kind: type[Kind], ballots: Iterable[Ranking | Approval | Scores]) -> list[Kind]:
    found: list[Kind] = []
    for ballot in ballots:
        if not isinstance(ballot, kind):
            raise TypeError(f"{type(ballot).__name__} is no ballot for this tally; it counts {kind.__name__}")
        found.append(ballot)
    return found
