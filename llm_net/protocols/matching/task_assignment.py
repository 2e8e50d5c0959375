"""One task for each worker, from what each says that it costs or is worth. Knows no worker from inside."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.matching.assignment import assignment
from llm_net.protocols.meta import exchange
from llm_net.protocols.money import ZERO, Amount
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.schema import JsonSchema


def _each_once(tasks: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(tasks)) < len(tasks):
        raise ValueError("a task is named twice; name each once")
    return tasks


class Assign(Message):
    """Give these tasks to the workers, at most one to each."""

    tasks: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_each_once)]


class Estimate(Message):
    """Say for each task that you can do what it costs, or what it is worth."""

    amounts: Mapping[str, Amount]


class CallForEstimates(Question):
    """Ask what each of these tasks costs, or is worth, if this worker does it.

    Args:
        tasks: what there is to do.
        of: what is asked for.
    """

    tasks: tuple[str, ...]
    of: Literal["cost", "value"]

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is not Estimate:
            return {}
        amount: JsonSchema = {"type": "number", "minimum": 0}
        return {
            "amounts": {
                "type": "object",
                "properties": dict.fromkeys(self.tasks, amount),
                "required": list(self.tasks),
                "additionalProperties": False,
            }
        }

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Estimate) and (unknown := [task for task in answer.amounts if task not in self.tasks]):
            return f"{unknown[0]!r} is none of the tasks; there are {', '.join(self.tasks)}"
        return None


class Assigned(Outcome):
    """Who does what. Ties are those who would do something else in another way that is as good.

    Args:
        tasks: of each worker who has one.
        total: what they cost, or are worth, together.
        left: tasks that nobody does.
    """

    tasks: Mapping[str, str] = {}
    total: Amount = ZERO
    left: tuple[str, ...] = ()


ASSIGNMENT = exchange(
    "assignment",
    CallForEstimates,
    Estimate,
    source="H. W. Kuhn 1955, The Hungarian method for the assignment problem",
    initiator="planner",
    participant="worker",
)


class TaskAssignment(InteractionProtocol):
    """A planner whose members are the workers: an `Assign` to the network is answered by an `Assigned`.

    Workers get a `CallForEstimates` and answer by an `Estimate` of the tasks that they can do, or by `Refuse`. As many tasks as can
    be are given out, at most one to each, so that they cost least or are worth most in all. Of equally good ways one is
    taken, always the same. Nobody has a reason to be honest here: where that matters, take a `CombinatorialAuction`.

    Args:
        seeks: what workers are asked for, and what is sought.
    """

    rules: ClassVar = (ASSIGNMENT,)

    seeks: Literal["least cost", "most value"] = "least cost"

    async def aassign(self, message: Assign) -> Assigned:
        of: Literal["cost", "value"] = "cost" if self.seeks == "least cost" else "value"
        answers = await self.collect(
            CallForEstimates(body=message.body, tasks=message.tasks, of=of, receiver=member, reply_to=message)
            for member in self
        )
        amounts = {name: said.amounts for name, said in answers.of(Estimate).items()}
        sign = 1 if of == "cost" else -1
        found = assignment({name: {task: sign * each for task, each in row.items()} for name, row in amounts.items()})
        return Assigned.reply(
            message,
            body=message.body,
            tasks=found.task,
            total=sum((amounts[name][task] for name, task in found.task.items()), Decimal(0)),
            left=tuple(task for task in message.tasks if task not in found.task.values()),
            ties=found.tied,
            absent={**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")},
        )
