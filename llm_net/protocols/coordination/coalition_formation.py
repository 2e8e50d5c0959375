"""Coalitions by what they are worth, and what is due to each of their members. Knows worths, not what they come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Annotated, ClassVar, Final

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import Agree, Refuse
from llm_net.protocols.coordination.coalition import Partition, best_partitions
from llm_net.protocols.coordination.shapley import shapley
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule
from llm_net.schema import JsonSchema

MOST: Final = 10
"""Members, so that nobody has to appraise more than 2^9 teams."""


class Alliance(Message):
    """Have the members form teams for a purpose, and share what these earn."""


class Appraise(Question):
    """Say what you would bring to each of these teams: a whole number for each.

    Args:
        teams: those of which you would be a member, as names with "+" between them.
        most: the most that anybody may say.
    """

    teams: tuple[str, ...]
    most: int

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is not Appraisal:
            return {}
        worth: JsonSchema = {"type": "integer", "minimum": 0, "maximum": self.most}
        properties: JsonSchema = dict.fromkeys(self.teams, worth)
        required: list[str] = [*self.teams]
        return {
            "brings": {
                "type": "object",
                "properties": properties,
                "required": [*required],
                "additionalProperties": False,
            }
        }

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, Appraisal):
            return None
        if wrong := [team for team in self.teams if team not in answer.brings]:
            return f"It says nothing of {wrong[0]}; say a number for each of {', '.join(self.teams)}."
        if wrong := [team for team in answer.brings if team not in self.teams]:
            return f"{wrong[0]!r} was not asked for; asked for are {', '.join(self.teams)}."
        if wrong := [team for team, worth in answer.brings.items() if worth > self.most]:
            return f"{answer.brings[wrong[0]]} for {wrong[0]} is too much; say at most {self.most}."
        return None


class Appraisal(Message):
    """Say what you would bring to each team."""

    brings: Mapping[str, Annotated[int, Field(ge=0)]]


class TeamOffer(Question):
    """Join this team for this share of what it earns, or refuse."""

    team: tuple[str, ...]
    worth: str
    share: str


class Coalitions(Outcome):
    """The teams that stand.

    Args:
        teams: each with its members; everybody who took part is in one, perhaps alone.
        worth: what all teams earn together.
        shares: what is due to each, by Shapley's value of its team; exact, as "7/2".
    """

    teams: tuple[tuple[str, ...], ...] = ()
    worth: str = "0"
    shares: Mapping[str, str] = {}


COALITION_FORMATION = Rules(
    "coalition-formation",
    completed([
        (START, "initiator", Appraise, "asked"),
        ("asked", "participant", Appraisal, "told"),
        ("asked", "participant", Refuse, "refused"),
        (START, "initiator", TeamOffer, "offered"),
        ("offered", "participant", Agree, "agreed"),
        ("offered", "participant", Refuse, "declined"),
    ]),
    source="Shapley 1953, A value for n-person games; Sandholm et al. 1999, Coalition structure generation with worst case "
    "guarantees; Shehory and Kraus 1998, Methods for task allocation via agent coalition formation",
    initiator="broker",
    participant="member",
    fallback=(Refuse,),
)  # fmt: skip

TeamWorth = Callable[[frozenset[str]], int]
"""What a team earns on its own; 0 for nobody."""


class CoalitionFormation(InteractionProtocol):
    """Forms those teams that are worth most together: an `Alliance` is answered by the `Coalitions` that came of it.

    What a team is worth is what its members say they would bring to it, or, where `earns` is given, what that says. Members
    of a team of several get a `TeamOffer` with their Shapley value of that team, and agree or refuse. A team in which one
    does not agree is not formed; then the next best teams are looked for, without it.

    Args:
        earns: what each team is worth; None: the members are asked.
        most: the most that one of them may say to bring to a team.
        ties: which of several equally good divisions is proposed, by their names such as "anna+bob | carla"; without a rule,
            they are told and no team is formed.
        rounds: how often teams are proposed at most; after that everybody is alone who has not agreed.
    """

    rules: ClassVar = (COALITION_FORMATION,)

    earns: TeamWorth | None = Field(default=None, exclude=True, repr=False)
    most: int = Field(default=100, ge=1)
    ties: TieRule | None = None
    rounds: int = Field(default=5, ge=1)

    async def aalliance(self, message: Alliance) -> Message:
        members = tuple(member.id for member in self)
        if len(members) > MOST:
            raise ValueError(f"{len(members)} members make too many teams; divide them first: at most {MOST}")
        absent: dict[str, str] = {}
        brought: dict[frozenset[str], int] = {}
        if self.earns is None:
            brought, absent = await self._appraised(message, members)
            members = tuple(name for name in members if name not in absent)
        worths = {team: brought.get(team, 0) if self.earns is None else self.earns(team) for team in _teams(members)}
        partition: Partition = ()
        shares: dict[str, Fraction] = {}
        ties: tuple[str, ...] = ()
        agreed: set[frozenset[str]] = set()
        refused: set[frozenset[str]] = set()
        for turn in range(self.rounds + 1):
            if turn == self.rounds:
                refused |= {team for team in worths if len(team) > 1 and team not in agreed}
            best = {_name(each, members): each for each in _best(members, worths, refused)}
            ties = tuple(best) if len(best) > 1 else ()
            if ties and self.ties is None:
                return Coalitions.reply(message, ties=ties, absent=absent)
            partition = best[next(iter(best)) if self.ties is None else self.ties.rank(best)[0]]
            shares = _shares(partition, members, worths)
            asked = [team for team in partition if len(team) > 1 and team not in agreed]
            answers = await self.collect(
                TeamOffer(
                    body=message.body, team=_in_order(team, members), worth=str(worths[team]), share=str(shares[name]),
                    receiver=name, reply_to=message,
                )
                for team in asked
                for name in _in_order(team, members)
            )  # fmt: skip
            joined = answers.of(Agree)
            absent = {name: why for name, why in {**absent, **answers.absent}.items() if name not in joined}
            for team in asked:
                (agreed if joined.keys() >= team else refused).add(team)
            if refused.isdisjoint(asked):
                break
        return Coalitions.reply(
            message,
            teams=tuple(_in_order(team, members) for team in partition),
            worth=str(sum(worths[team] for team in partition)),
            shares={name: str(shares[name]) for name in members},
            ties=ties,
            absent=absent,
        )

    async def _appraised(
        self, message: Alliance, members: Sequence[str]
    ) -> tuple[dict[frozenset[str], int], dict[str, str]]:
        """What teams are worth by what their members say, and who said nothing."""
        teams = {"+".join(_in_order(team, members)): team for team in _teams(members)}
        answers = await self.collect(
            Appraise(
                body=message.body, teams=tuple(told for told, team in teams.items() if name in team), most=self.most,
                receiver=name, reply_to=message,
            )
            for name in members
        )  # fmt: skip
        brought: dict[frozenset[str], int] = {}
        for appraisal in answers.of(Appraisal).values():
            for told, worth in appraisal.brings.items():
                brought[teams[told]] = brought.get(teams[told], 0) + worth
        return brought, {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")}


def _teams(members: Sequence[str]) -> list[frozenset[str]]:
    """All there can be, the small ones first."""
    return [frozenset(team) for size in range(1, len(members) + 1) for team in combinations(members, size)]


def _best(
    members: Sequence[str], worths: Mapping[frozenset[str], int], refused: Collection[frozenset[str]]
) -> tuple[Partition, ...]:
    """The divisions that are worth most, of those without a team that was refused."""
    least = -1 - 2 * sum(abs(worth) for worth in worths.values())  # one such team is worse than anything without
    return best_partitions(members, lambda team: least if team in refused else worths[team]).partitions


def _in_order(team: frozenset[str], members: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in members if name in team)


def _name(partition: Partition, members: Sequence[str]) -> str:
    return " | ".join("+".join(_in_order(team, members)) for team in partition)


def _shares(partition: Partition, members: Sequence[str], worths: Mapping[frozenset[str], int]) -> dict[str, Fraction]:
    """What is due to each in its team."""
    shares: dict[str, Fraction] = {}
    for team in partition:
        shares |= shapley(_in_order(team, members), lambda group: worths.get(group, 0))
    return shares
