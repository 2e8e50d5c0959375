"""Two sides choose each other, by lists or by proposals one at a time. Knows no member from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.matching.deferred import deferred_acceptance
from llm_net.protocols.matching.ranking import CallForRanking, RankedWishes, problem_among, some_of
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Answers, Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.schema import JsonSchema


class Match(Message):
    """Bring the members of two sides together."""


class Chosen(Message):
    """Choose from those who are offered."""

    names: tuple[str, ...]


class CallForChoice(Question):
    """Ask which of these somebody would have: to propose to, or to keep of those who propose.

    Args:
        candidates: who is offered.
        most: how many may be chosen.
    """

    candidates: tuple[str, ...]
    most: int = Field(default=1, ge=1)

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"names": {**some_of(self.candidates, self.most), "minItems": 1}} if kind is Chosen else {}

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, Chosen):
            return None
        if len(answer.names) > self.most:
            return f"these are {len(answer.names)}; choose at most {self.most}"
        return problem_among(answer.names, self.candidates)


class Matching(Outcome):
    """Who goes with whom.

    Args:
        pairs: of each proposer who is matched, with whom.
        unmatched: proposers with whom nobody goes.
    """

    pairs: Mapping[str, str] = {}
    unmatched: tuple[str, ...] = ()


STABLE_MATCHING = Rules(
    "stable-matching",
    completed([
        (START, "initiator", CallForRanking, "asked for a list"),
        ("asked for a list", "participant", RankedWishes, "listed"),
        ("asked for a list", "participant", Refuse, "refused"),
        (START, "initiator", CallForChoice, "asked for a choice"),
        ("asked for a choice", "participant", Chosen, "chosen"),
        ("asked for a choice", "participant", Refuse, "refused"),
    ]),
    source="D. Gale and L. S. Shapley 1962, College admissions and the stability of marriage",
    initiator="matchmaker",
    participant="member",
    fallback=(Refuse,),
)  # fmt: skip


class StableMatching(InteractionProtocol):
    """A matchmaker whose members are of two sides: a `Match` to the network is answered by a `Matching`.

    Either all get a `CallForRanking`, answer by `RankedWishes`, and are matched so that no two would rather have each other,
    and each proposer gets the best that any such matching gives it. Or it is done step by step: proposers get a `CallForChoice` of
    those who have not turned them down, receivers one of those they keep and those who propose anew; all answer by `Chosen`.
    Who refuses, or gives no answer, goes with nobody.

    Args:
        proposers: the ids of one side; all other members are the other side.
        places: how many a receiver takes; 1 for those not named.
        stepwise: whether it is done by proposals; no list has to be made then, and nobody sees more than they need.
    """

    rules: ClassVar = (STABLE_MATCHING,)

    proposers: tuple[str, ...]
    places: Mapping[str, Annotated[int, Field(ge=0)]] = {}
    stepwise: bool = False

    async def amatch(self, message: Match) -> Matching:
        members = [member.id for member in self]
        proposers = [name for name in members if name in self.proposers]
        receivers = [name for name in members if name not in self.proposers]
        by = self._by_proposals if self.stepwise else self._by_lists
        pairs, absent = await by(message, proposers, receivers)
        return Matching.reply(
            message,
            body=message.body,
            pairs=pairs,
            unmatched=tuple(name for name in proposers if name not in pairs),
            absent=absent,
        )

    async def _by_lists(
        self, message: Match, proposers: list[str], receivers: list[str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        sides = [(name, receivers) for name in proposers] + [(name, proposers) for name in receivers]
        answers = await self.collect(
            CallForRanking(body=message.body, candidates=tuple(others), receiver=self[name], reply_to=message)
            for name, others in sides
            if others
        )
        lists = {name: said.ranking for name, said in answers.of(RankedWishes).items()}
        matching = deferred_acceptance(
            {name: lists.get(name, ()) for name in proposers},
            {name: lists.get(name, ()) for name in receivers},
            places=self.places,
        )
        return matching, _absent(answers)

    async def _by_proposals(
        self, message: Match, proposers: list[str], receivers: list[str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        members = {member.id: member for member in self}
        open_to = {name: [other for other in receivers if self.places.get(other, 1)] for name in proposers}
        kept: dict[str, list[str]] = {name: [] for name in receivers}
        absent: dict[str, str] = {}
        while asked := [
            name for name in proposers if open_to[name] and not any(name in held for held in kept.values())
        ]:
            answers = await self.collect(
                CallForChoice(
                    body=f"{message.body} Whom do you propose to?".lstrip(),
                    candidates=tuple(open_to[name]),
                    receiver=members[name],
                    reply_to=message,
                )
                for name in asked
            )
            absent.update(_absent(answers))
            proposed = {name: said.names[0] for name, said in answers.of(Chosen).items() if said.names}
            for name in asked:
                if name not in proposed:
                    open_to[name] = []
            suitors = {other: [name for name in asked if proposed.get(name) == other] for other in receivers}
            answers = await self.collect(
                CallForChoice(
                    body=f"{message.body} Whom of those who propose do you keep?".lstrip(),
                    candidates=(*kept[other], *suitors[other]),
                    most=self.places.get(other, 1),
                    receiver=members[other],
                    reply_to=message,
                )
                for other in receivers
                if suitors[other]
            )
            absent.update(answers.absent)
            chosen = answers.of(Chosen)
            for other in [other for other in receivers if suitors[other]]:
                candidates = [*kept[other], *suitors[other]]
                kept[other] = [name for name in candidates if other in chosen and name in chosen[other].names]
                for name in candidates:
                    if name not in kept[other]:
                        open_to[name].remove(other)
                if other in answers.absent:
                    for left in open_to.values():
                        left[:] = [each for each in left if each != other]
        partner = {name: other for other, held in kept.items() for name in held}
        return {name: partner[name] for name in proposers if name in partner}, absent


def _absent(answers: Answers) -> dict[str, str]:
    return {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")}
