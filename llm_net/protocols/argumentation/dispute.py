"""A dispute over a claim: who has the floor attacks arguments of others. Knows no debater from inside, and no truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.argumentation.extension import Extension, credulous, grounded, preferred, sceptical, stable
from llm_net.protocols.argumentation.framework import Framework
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.schema import JsonSchema

CLAIM: Final = "claim"
"""The argument that the dispute is about."""

Fate: TypeAlias = Literal["stands", "falls", "open"]
"""What may become of a claim."""

Semantics: TypeAlias = Literal["grounded", "preferred", "stable"]
"""Which arguments are accepted together: see `argumentation.extension`."""


class Claim(Message):
    """Have it disputed whether this is so."""


class Verdict(Outcome):
    """What became of a claim.

    Args:
        claim: "stands" where it is in every position that can be held, "falls" where it is in none, else "open"; "open" too
            where no position can be held, and, by the grounded semantics, where it is neither accepted nor beaten.
        standing: the arguments that are in every position.
        positions: the arguments that can be held together, each time all of them.
        arguments: what each argument says.
        speakers: whose argument each is; the claim is nobody's.
        attacks: which argument attacks which.
    """

    claim: Fate
    standing: tuple[str, ...] = ()
    positions: tuple[tuple[str, ...], ...] = ()
    arguments: Mapping[str, str] = {}
    speakers: Mapping[str, str] = {}
    attacks: tuple[tuple[str, str], ...] = ()


class Floor(Question):
    """You have the floor: attack arguments of others, or pass.

    Args:
        arguments: what each argument says.
        attacks: which argument attacks which.
        yours: which of them are those of who has the floor.
    """

    arguments: Mapping[str, str]
    attacks: tuple[tuple[str, str], ...] = ()
    yours: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[str, ...]:
        """What may be attacked."""
        return tuple(name for name in self.arguments if name not in self.yours)

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if not issubclass(kind, Attack):
            return {}
        open_: JsonSchema = {"type": "string", "enum": [*self.open]}
        return {"against": {"type": "array", "items": open_, "minItems": 1, "maxItems": len(self.open)}}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Attack) and not set(answer.against) <= set(self.open):
            return f"against must be some of {', '.join(self.open)}."
        return None


class Attack(Message):
    """Attack arguments by another one."""

    against: tuple[str, ...] = Field(min_length=1)
    because: str


class Rebut(Attack):
    """Say the opposite of some arguments, and why: they and yours attack each other."""


class Undercut(Attack):
    """Say why some arguments do not hold, whether or not what they say is so."""


class Pass(Message):
    """Have nothing to add."""


DISPUTE = Rules(
    "dispute",
    completed([
        (START, "initiator", Floor, "asked"),
        ("asked", "participant", Pass, "passed"),
        ("asked", "participant", Rebut, "attacked"),
        ("asked", "participant", Undercut, "attacked"),
    ]),
    source="Dung 1995, On the acceptability of arguments; Pollock 1987, Defeasible reasoning (rebut and undercut); Prakken 2006, "
    "Formal systems for persuasion dialogue",
    initiator="chair",
    participant="debater",
    fallback=(Pass,),
)  # fmt: skip


class Dispute(InteractionProtocol):
    """A dispute among its members: a `Claim`, answered by the `Verdict`.

    Members have the floor in the order in which they stand in the network, and attack arguments of others or pass; until
    all pass one after the other, or the rounds are over. Then the attacks alone decide what stands. Who gives no answer
    passes.

    Args:
        rounds: how often each has the floor at most.
        semantics: which arguments are accepted together. With "preferred" and "stable" the time to decide may double with
            each argument: for dozens, not for thousands.
    """

    rules: ClassVar = (DISPUTE,)

    rounds: int = Field(default=3, ge=1)
    semantics: Semantics = "grounded"

    async def aclaim(self, message: Claim) -> Verdict:
        arguments, speakers, attacks = {CLAIM: message.body}, dict[str, str](), list[tuple[str, str]]()
        last: dict[str, Message] = {}
        absent: dict[str, str] = {}
        debaters = list(self)
        passed = 0
        for _ in range(self.rounds):
            for member in debaters:
                yours = tuple(name for name, speaker in speakers.items() if speaker == member.id)
                floor = Floor(
                    body=message.body,
                    arguments=arguments,
                    attacks=tuple(attacks),
                    yours=yours,
                    receiver=member,
                    reply_to=last.get(member.id, message),
                )
                answers = await self.collect([floor])
                last.update(answers.given)
                answer = answers.given.get(member.id)
                if isinstance(answer, Attack):
                    name = f"{member.id}-{len(yours) + 1}"
                    arguments, speakers = {**arguments, name: answer.because}, {**speakers, name: member.id}
                    attacks += [(name, each) for each in answer.against]
                    if isinstance(answer, Rebut):
                        attacks += [(each, name) for each in answer.against]
                passed = 0 if isinstance(answer, Attack) else passed + 1
                absent.pop(member.id, None)
                absent.update(answers.absent)
                if passed == len(debaters):
                    return self._verdict(message, arguments, speakers, attacks, absent)
        return self._verdict(message, arguments, speakers, attacks, absent)

    def _verdict(
        self,
        message: Claim,
        arguments: Mapping[str, str],
        speakers: Mapping[str, str],
        attacks: Sequence[tuple[str, str]],
        absent: Mapping[str, str],
    ) -> Verdict:
        framework = Framework.of(arguments, *attacks)
        positions = positions_of(framework, self.semantics)
        standing = sceptical(positions)
        beaten = (
            framework.attacked(standing) if self.semantics == "grounded" else arguments.keys() - credulous(positions)
        )
        claim: Fate = "open"
        if CLAIM in standing:
            claim = "stands"
        elif CLAIM in beaten and positions:
            claim = "falls"
        return Verdict.reply(
            message,
            body=f"{message.body}: {claim}",
            claim=claim,
            standing=tuple(name for name in arguments if name in standing),
            positions=tuple(tuple(name for name in arguments if name in position) for position in positions),
            arguments=arguments,
            speakers=speakers,
            attacks=tuple(dict.fromkeys(attacks)),
            absent=absent,
        )


def positions_of(framework: Framework, semantics: Semantics) -> tuple[Extension, ...]:
    """The sets of arguments that are accepted together."""
    match semantics:
        case "grounded":
            return (grounded(framework),)
        case "preferred":
            return preferred(framework)
        case "stable":
            return stable(framework)
        case _:
            assert_never(semantics)
