"""Electorates for the tests: generated ones, and those of published examples."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from llm_net.protocols.voting.ballot import Approval, Ranking, Scores
from llm_net.protocols.voting.copeland import copeland
from llm_net.protocols.voting.minimax import minimax
from llm_net.protocols.voting.pairwise import pairwise
from llm_net.protocols.voting.positional import borda, plurality
from llm_net.protocols.voting.ranked_pairs import ranked_pairs
from llm_net.protocols.voting.result import Result
from llm_net.protocols.voting.runoff import instant_runoff
from llm_net.protocols.voting.schulze import schulze

Rule = Callable[[Sequence[str], Sequence[Ranking]], Result]

CONDORCET: dict[str, Rule] = {
    "copeland": lambda names, ballots: copeland(pairwise(names, ballots)),
    "minimax": lambda names, ballots: minimax(pairwise(names, ballots)),
    "minimax, votes": lambda names, ballots: minimax(pairwise(names, ballots), by="winning votes"),
    "schulze": lambda names, ballots: schulze(pairwise(names, ballots)),
    "schulze, margins": lambda names, ballots: schulze(pairwise(names, ballots), by="margins"),
    "ranked pairs": lambda names, ballots: ranked_pairs(pairwise(names, ballots)),
    "ranked pairs, votes": lambda names, ballots: ranked_pairs(pairwise(names, ballots), by="winning votes"),
}
RANKED: dict[str, Rule] = {"plurality": plurality, "borda": borda, "instant run-off": instant_runoff, **CONDORCET}

TENNESSEE = ("Memphis", "Nashville", "Chattanooga", "Knoxville")
CAPITAL = [
    Ranking.of("Memphis", "Nashville", "Chattanooga", "Knoxville", weight=42),
    Ranking.of("Nashville", "Chattanooga", "Knoxville", "Memphis", weight=26),
    Ranking.of("Chattanooga", "Knoxville", "Nashville", "Memphis", weight=15),
    Ranking.of("Knoxville", "Chattanooga", "Nashville", "Memphis", weight=17),
]
"""Where Tennessee's capital would be, if everybody wanted it near: the example of Wikipedia's articles on voting."""


def ballots(profile: str) -> list[Ranking]:
    """`"5 ACBED, 3 A(BC)"`: five ballots that rank A above C above …, three with B and C as equals."""
    found = []
    for line in profile.split(","):
        count, ranks = line.split()
        ballot: list[str | list[str]] = []
        for part in ranks.replace("(", " (").replace(")", " ").split():
            ballot += [list(part[1:])] if part.startswith("(") else part
        found.append(Ranking.of(*ballot, weight=int(count)))
    return found


names = st.integers(1, 5).map(lambda size: tuple("ABCDE"[:size]))


@st.composite
def rankings(draw: st.DrawFn, candidates: Sequence[str], *, strict: bool = False, whole: bool = False) -> Ranking:
    """A ballot; `strict` without equals, `whole` naming everybody."""
    order = draw(st.permutations(candidates))
    if not whole:
        order = order[: draw(st.integers(0, len(order)))]
    ranks: list[list[str]] = []
    for name in order:
        if ranks and not strict and draw(st.integers(0, 3)) == 0:
            ranks[-1].append(name)
        else:
            ranks.append([name])
    return Ranking.of(*ranks, weight=draw(st.integers(1, 4)))


def elections(*, strict: bool = False, whole: bool = False) -> st.SearchStrategy[tuple[tuple[str, ...], list[Ranking]]]:
    """Candidates, and at most eight ballots of up to four voters each."""

    def of(candidates: tuple[str, ...]) -> st.SearchStrategy[tuple[tuple[str, ...], list[Ranking]]]:
        ballot = rankings(candidates, strict=strict, whole=whole)
        return st.tuples(st.just(candidates), st.lists(ballot, max_size=8))

    return names.flatmap(of)


def graded(least: int = 0, most: int = 5) -> st.SearchStrategy[tuple[tuple[str, ...], list[Scores]]]:
    """Candidates, and ballots that score some of them."""

    def of(candidates: tuple[str, ...]) -> st.SearchStrategy[tuple[tuple[str, ...], list[Scores]]]:
        given = st.dictionaries(st.sampled_from(candidates), st.integers(least, most))
        return st.tuples(st.just(candidates), st.lists(st.builds(Scores, given, st.integers(1, 4)), max_size=7))

    return names.flatmap(of)


def approvals() -> st.SearchStrategy[tuple[tuple[str, ...], list[Approval]]]:
    """Candidates, and ballots that approve of some of them."""

    def of(candidates: tuple[str, ...]) -> st.SearchStrategy[tuple[tuple[str, ...], list[Approval]]]:
        ballot = st.builds(Approval, st.frozensets(st.sampled_from(candidates)), st.integers(1, 4))
        return st.tuples(st.just(candidates), st.lists(ballot, max_size=7))

    return names.flatmap(of)
