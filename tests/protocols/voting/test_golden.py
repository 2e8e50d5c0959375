"""Tallies elect whom another library elects, on profiles that are kept with its winners (`golden.json` says how they were made)."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from llm_net.protocols.voting.ballot import Approval, Ranking, Scores
from llm_net.protocols.voting.stv import stv
from llm_net.protocols.voting.tally import Tally, count


class Profile(BaseModel):
    """Ballots, letters or grades one after another, and the winners by each tally."""

    candidates: str
    ballots: str
    winners: dict[Tally, str]
    seats: int = 1

    def rankings(self) -> list[Ranking]:
        return [Ranking.of(*ballot) for ballot in self.ballots.split()]

    def scores(self) -> list[Scores]:
        return [Scores(dict(zip(self.candidates, map(int, grades), strict=True))) for grades in self.ballots.split()]


class Golden(BaseModel):
    note: str
    ranked: list[Profile]
    graded: list[Profile]
    stv: list[Profile]


GOLDEN = Golden.model_validate_json(Path(__file__).with_name("golden.json").read_bytes())


def elected(tally: Tally, profile: Profile, ballots: list[Ranking] | list[Approval] | list[Scores]) -> str:
    counted = count(tally, tuple(profile.candidates), ballots)
    return "".join(counted.winners or counted.ties)


@pytest.mark.parametrize("profile", GOLDEN.ranked, ids=range(len(GOLDEN.ranked)))
def test_rankings_elect_the_same(profile: Profile) -> None:
    for tally, winners in profile.winners.items():
        assert elected(tally, profile, profile.rankings()) == winners, tally


@pytest.mark.parametrize("profile", GOLDEN.graded, ids=range(len(GOLDEN.graded)))
def test_grades_elect_the_same(profile: Profile) -> None:
    approvals = [
        Approval.of(*(name for name, grade in ballot.given.items() if grade >= 3)) for ballot in profile.scores()
    ]

    assert elected("approval", profile, approvals) == profile.winners["approval"]
    assert elected("score", profile, profile.scores()) == profile.winners["score"]
    assert elected("star", profile, profile.scores()) == profile.winners["star"]
    judged = elected("majority-judgement", profile, profile.scores())
    assert set(judged) <= set(profile.winners["majority-judgement"])


@pytest.mark.parametrize("profile", GOLDEN.stv, ids=range(len(GOLDEN.stv)))
def test_several_seats_go_to_the_same(profile: Profile) -> None:
    committees = stv(tuple(profile.candidates), profile.rankings(), seats=profile.seats).committees

    assert tuple(profile.winners["stv"]) in committees
