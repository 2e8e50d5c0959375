"""Ballot papers: what a voter is asked, and what it may answer. Knows no tally and no other voter.

A paper says who stands, so that a model cannot vote for anybody else, and a wrong ballot is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from math import factorial, isqrt
from typing import Annotated, ClassVar, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from llm_net.message import Message
from llm_net.protocols.question import Question
from llm_net.protocols.voting.ballot import Approval, Ranking, Scores, Weight
from llm_net.schema import JsonSchema

Mark: TypeAlias = str | tuple[str, ...] | Mapping[str, int] | Mapping[str, str]
"""What stands on a ballot: one name, several names, or something for each name."""

LISTED: Final = 120
"""Rankings that are listed one by one for a model, which then cannot name anybody twice: those of five candidates. Of more
candidates each place is bounded alone, and the whole is checked."""

ABOVE: Final = " > "

WITHHELD: Final = "no valid ballot"
"""Why a voter is absent, where reasons are secret too: an error quotes what was wrong with a ballot."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("somebody is listed twice; list each once")
    return names


def _in_order(ranking: object) -> object:
    return tuple(ranking.split(ABOVE)) if isinstance(ranking, str) else ranking


Name: TypeAlias = Annotated[str, Field(min_length=1)]
Names: TypeAlias = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_distinct)]
"""At least one name, each once."""


class Marked(Message):
    """A ballot paper that is filled in."""

    @property
    def mark(self) -> Mark:
        """What stands on it."""
        raise NotImplementedError(f"{type(self).__name__} does not say what stands on it; define `mark`")


class ChoiceBallot(Marked):
    """Vote for one candidate."""

    choice: str = Field(description="the candidate that you want most")

    @property
    def mark(self) -> Mark:
        return self.choice


class ApprovalBallot(Marked):
    """Vote for all candidates that are good enough."""

    approved: tuple[str, ...] = Field(min_length=1, description="every candidate that is good enough")

    @property
    def mark(self) -> Mark:
        return self.approved


class RankedBallot(Marked):
    """Put the candidates into your order."""

    # "tea > coffee" will do for ("tea", "coffee"); who is not named comes last.
    ranking: Annotated[Names, BeforeValidator(_in_order)] = Field(description="the candidates, the best first")

    @property
    def mark(self) -> Mark:
        return self.ranking


class ScoreBallot(Marked):
    """Give points to the candidates."""

    scores: Mapping[str, int] = Field(min_length=1, description="points for each candidate, more for a better one")

    @property
    def mark(self) -> Mark:
        return self.scores


class CreditBallot(Marked):
    """Buy votes for or against candidates."""

    votes: Mapping[str, int] = Field(
        min_length=1, description="votes for each candidate, below 0 against it; n votes cost n times n credits"
    )

    @property
    def mark(self) -> Mark:
        return self.votes


class GradeBallot(Marked):
    """Give each candidate a grade."""

    grades: Mapping[str, str] = Field(min_length=1, description="the grade of each candidate")

    @property
    def mark(self) -> Mark:
        return self.grades


class Abstain(Message):
    """Take part, and vote for nobody."""


class Delegate(Message):
    """Hand your vote to a voter whom you trust."""

    to: str = Field(description="the voter whom you trust")


class Paper(Question):
    """A ballot paper.

    Args:
        candidates: who stands.
        trustees: to whom the vote may be handed; nobody where votes are not handed on.
    """

    ballot: ClassVar[type[Marked]]
    """What it becomes when it is filled in."""

    field: ClassVar[str]
    """Where on that the mark stands."""

    candidates: Names
    trustees: tuple[str, ...] = ()

    def content(self) -> dict[str, object]:
        """What it says; nothing of trustees where there are none."""
        return {name: value for name, value in super().content().items() if value or name != "trustees"}

    def marks(self) -> JsonSchema:
        """What the mark may be."""
        raise NotImplementedError(f"{type(self).__name__} does not say what may stand on it; define `marks`")

    def read(self, mark: Mark, weight: Weight) -> Ranking | Approval | Scores:
        """What a tally makes of a mark."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is read; define `read`")

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is self.ballot:
            return {self.field: self.marks()}
        return {"to": _one_of(self.trustees)} if kind is Delegate else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Delegate) and answer.to not in self.trustees:
            return f"{answer.to!r} takes no votes; {', '.join(self.trustees) or 'nobody'} would"
        if not isinstance(answer, self.ballot):
            return None
        named = [answer.mark] if isinstance(answer.mark, str) else answer.mark
        if unknown := [name for name in named if name not in self.candidates]:
            return f"{unknown[0]!r} does not stand; candidates are {', '.join(self.candidates)}"
        return self._wrong(answer.mark)

    def _wrong(self, mark: Mark) -> str | None:
        """What is wrong with a mark that names only candidates."""
        return None


class Pick(Paper):
    """Which one of the candidates do you want?"""

    ballot = ChoiceBallot
    field = "choice"

    def marks(self) -> JsonSchema:
        return _one_of(self.candidates)

    def read(self, mark: Mark, weight: Weight) -> Ranking:
        assert isinstance(mark, str)
        return Ranking.of(mark, weight=weight)


class Approve(Paper):
    """Which of the candidates are good enough?"""

    ballot = ApprovalBallot
    field = "approved"

    def marks(self) -> JsonSchema:
        return _some_of(self.candidates)

    def read(self, mark: Mark, weight: Weight) -> Approval:
        return Approval.of(*mark, weight=weight)


class Rank(Paper):
    """In which order do you like the candidates?"""

    ballot = RankedBallot
    field = "ranking"

    def marks(self) -> JsonSchema:
        if factorial(len(self.candidates)) <= LISTED:
            return _one_of([ABOVE.join(order) for order in permutations(self.candidates)])
        return _some_of(self.candidates)

    def read(self, mark: Mark, weight: Weight) -> Ranking:
        return Ranking.of(*mark, weight=weight)


class Score(Paper):
    """How many points do you give to each candidate?

    Args:
        highest: the most that one may get; the least is 0, which who is not named gets.
    """

    ballot = ScoreBallot
    field = "scores"

    highest: int = Field(default=5, ge=1)

    def marks(self) -> JsonSchema:
        return _for_each(self.candidates, {"type": "integer", "minimum": 0, "maximum": self.highest})

    def read(self, mark: Mark, weight: Weight) -> Scores:
        return Scores(_points(mark), weight)

    def _wrong(self, mark: Mark) -> str | None:
        outside = [name for name, points in _points(mark).items() if not 0 <= points <= self.highest]
        return f"{outside[0]!r} gets points outside of 0 to {self.highest}; stay inside" if outside else None


class Spend(Paper):
    """How many votes do you buy for each candidate?

    Args:
        credits: what a voter may spend: n votes for or against one candidate cost n² credits.
    """

    ballot = CreditBallot
    field = "votes"

    credits: int = Field(default=9, ge=1)

    def marks(self) -> JsonSchema:
        most = isqrt(self.credits)
        return _for_each(self.candidates, {"type": "integer", "minimum": -most, "maximum": most})

    def read(self, mark: Mark, weight: Weight) -> Scores:
        return Scores(_points(mark), weight)

    def _wrong(self, mark: Mark) -> str | None:
        spent = sum(votes**2 for votes in _points(mark).values())
        return f"these votes cost {spent} of {self.credits} credits; buy fewer" if spent > self.credits else None


class Grade(Paper):
    """Which grade do you give to each candidate?

    Args:
        grades: from worst to best; who is not named gets the worst.
    """

    ballot = GradeBallot
    field = "grades"

    grades: Names

    def marks(self) -> JsonSchema:
        return _for_each(self.candidates, _one_of(self.grades))

    def read(self, mark: Mark, weight: Weight) -> Scores:
        assert isinstance(mark, Mapping)
        return Scores({name: self.grades.index(str(grade)) for name, grade in mark.items()}, weight)

    def _wrong(self, mark: Mark) -> str | None:
        assert isinstance(mark, Mapping)
        unknown = [grade for grade in mark.values() if grade not in self.grades]
        return f"{unknown[0]!r} is no grade; grades are {', '.join(self.grades)}" if unknown else None


def _points(mark: Mark) -> Mapping[str, int]:
    assert isinstance(mark, Mapping)
    return {name: int(points) for name, points in mark.items()}


def _one_of(names: Sequence[str]) -> JsonSchema:
    return {"type": "string", "enum": [*names]}


def _some_of(names: Sequence[str]) -> JsonSchema:
    return {"type": "array", "items": _one_of(names), "minItems": 1, "maxItems": len(names)}


def _for_each(names: Sequence[str], value: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "properties": {name: dict(value) for name in names},
        "required": [*names],
        "additionalProperties": False,
    }
