"""Several answer, see the others' answers and think again. Knows nothing of what makes an answer right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.dialogue.company import everybody_but
from llm_net.protocols.dialogue.majority import majority, normalised
from llm_net.protocols.dialogue.problem import Problem, Solution, Solve
from llm_net.protocols.dialogue.self_consistency import CommonAnswer
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import exchange
from llm_net.protocols.question import Question
from llm_net.protocols.tie import TieRule
from llm_net.schema import JsonSchema


class Argue(Solve):
    """Answer a question; think about what the others answered before, and stay with your answer or change it.

    Args:
        own: your answer of the round before; "" in the first.
        others: the others' answers of the round before, with their reasons.
    """

    own: str = ""
    others: Mapping[str, str] = {}


class Judge(Question):
    """Judge which answer to a question is best.

    Args:
        body: the question.
        cases: the reasons given for each answer.
    """

    cases: Mapping[str, str]

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"answer": {"type": "string", "enum": [*self.cases]}} if kind is Judgement else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Judgement) and answer.answer not in self.cases:
            return f"{answer.answer!r} is none of the answers; name one of {', '.join(self.cases)}."
        return None


class Judgement(Message):
    """Name the best answer."""

    answer: str


DEBATE = exchange(
    "debate",
    Argue,
    Solution,
    source="Du et al. 2023, Improving Factuality and Reasoning in Language Models through Multiagent Debate (arXiv 2305.14325)",
    initiator="moderator",
    participant="debater",
    refuse=False,
)
JUDGED_DEBATE = exchange(
    "judged-debate",
    Judge,
    Judgement,
    source="Chan et al. 2023, ChatEval (arXiv 2308.07201); Zheng et al. 2023, Judging LLM-as-a-Judge (arXiv 2306.05685), "
    "for asking in both orders",
    initiator="moderator",
    participant="judge",
    refuse=False,
)


class Resolution(CommonAnswer):
    """What came of a debate.

    Args:
        rounds: how many there were.
        baseline: what `SelfConsistency` answers for the same number of calls, where it was asked for.
    """

    rounds: int = 0
    baseline: str | None = None


class Debate(InteractionProtocol):
    """A debate of its members: a `Problem` is answered by the `Resolution`.

    In each round everybody gets `Argue` with the question, its own answer and those of all others of the round before, and
    nothing else. It ends with the last round, or once all say the same. Then the debaters' last answers are counted; or,
    where there are judges and answers differ, the judges decide. A judge is asked twice, the answers in one order and in
    the other, and has a voice only if it says the same both times.

    n debaters of r rounds cost n·r calls, judges two each. Debate is often no better than independent samples for the same
    number of calls (arXiv 2502.08788): with `baseline` these are asked for as well, and counted beside it.

    Args:
        rounds: the most.
        judges: members who judge and do not debate.
        ties: which answer wins among equals; without a rule they are the result.
        baseline: ask the debaters, who are told nothing of the debate, for as many answers as the debate had calls, those of
            the first round among them.
    """

    rules: ClassVar = (DEBATE, JUDGED_DEBATE)

    rounds: int = Field(default=3, ge=1)
    judges: tuple[str, ...] = ()
    ties: TieRule | None = None
    baseline: bool = False

    async def aproblem(self, message: Problem) -> Resolution:
        debaters = everybody_but(self, *self.judges)
        absent: dict[str, str] = {}
        rounds: list[dict[str, Solution]] = []
        calls = 0
        while len(rounds) < self.rounds and (there := [name for name in debaters if name not in absent]):
            calls += len(there)
            rounds.append(await self._round(message, there, rounds[-1] if rounds else {}, absent))
            if _unanimous(rounds[-1]):
                break
        last = next((each for each in reversed(rounds) if each), {})
        found = [solution.answer for solution in last.values()]
        if self.judges and not _unanimous(last):
            found, asked = await self._judged(message, last, absent)
            calls += asked
        count = majority(found)
        answer = count.answer(self.ties)
        return Resolution.reply(
            message,
            body=answer or "undecided",
            answer=answer,
            counts=count.counts,
            calls=calls,
            rounds=len(rounds),
            baseline=await self._baseline(message, rounds, calls, absent) if self.baseline else None,
            ties=count.ties,
            absent=absent,
        )

    async def _round(
        self, problem: Problem, debaters: list[str], before: Mapping[str, Solution], absent: dict[str, str]
    ) -> dict[str, Solution]:
        answers = await self.collect(
            Argue(
                body=problem.body,
                choices=problem.choices,
                own=before[name].answer if name in before else "",
                others={other: _told(solution) for other, solution in before.items() if other != name},
                receiver=name,
                reply_to=problem,
            )
            for name in debaters
        )
        absent |= answers.absent
        return answers.of(Solution)

    async def _judged(
        self, problem: Problem, last: Mapping[str, Solution], absent: dict[str, str]
    ) -> tuple[list[str], int]:
        """The answer of each judge that names the same in both orders, and how many questions that took."""
        cases: dict[str, str] = {}
        for answer in majority(solution.answer for solution in last.values()).counts:
            same = [each for each in last.values() if normalised(each.answer) == normalised(answer)]
            cases[answer] = " ".join(each.body for each in same if each.body)
        voices: list[dict[str, Judgement]] = []
        calls = 0
        for order in (cases, dict(reversed(cases.items()))):
            there = [judge for judge in self.judges if judge not in absent]
            answers = await self.collect(
                Judge(body=problem.body, cases=order, receiver=judge, reply_to=problem) for judge in there
            )
            calls += len(there)
            voices.append(answers.of(Judgement))
            absent |= answers.absent
        found: list[str] = []
        for judge, voice in voices[1].items():
            if voice.answer == voices[0][judge].answer:
                found.append(voice.answer)
            else:
                absent[judge] = "its judgement depends on the order of the answers"
        return found, calls

    async def _baseline(
        self, problem: Problem, rounds: list[dict[str, Solution]], calls: int, absent: Mapping[str, str]
    ) -> str | None:
        """What samples say that nobody has heard the others for, as many as the debate had calls."""
        debaters = everybody_but(self, *self.judges)
        found = [solution.answer for each in rounds[:1] for solution in each.values()]
        left = calls - len(debaters)
        debaters = tuple(name for name in debaters if name not in absent)
        while left > 0 and debaters:
            sample = await self._round(problem, [*debaters[:left]], {}, {})
            found += [solution.answer for solution in sample.values()]
            left -= len(debaters)
        return majority(found).answer(self.ties)


def _told(solution: Solution) -> str:
    return f"{solution.answer} ({solution.body})" if solution.body else solution.answer


def _unanimous(last: Mapping[str, Solution]) -> bool:
    return len({normalised(solution.answer) for solution in last.values()}) <= 1
