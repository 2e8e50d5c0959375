"""Tasks for members who tell how much they have to do already. Knows durations and loads, not what is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import Agree, Refuse
from llm_net.protocols.coordination.allocation import longest_first
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule

Hours: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
"""How long something takes, in whole units that all parties know."""


class Tasks(Message):
    """Have tasks shared out, so that nobody has much more to do than others.

    Args:
        hours: how long each task takes.
    """

    hours: Mapping[str, Hours]


class LoadQuery(Question):
    """Say how many hours of work you have already, or refuse to take more."""


class Load(Message):
    """Say how many hours of work you have already."""

    hours: Hours


class Allotment(Question):
    """These tasks are for you, with their hours: agree to do all of them, or refuse."""

    tasks: Mapping[str, Hours]


class Allocated(Outcome):
    """Who has agreed to do which task. Who is absent may have agreed to some, and to no more.

    Args:
        worker: of each task.
        loads: what each who agreed has to do in all.
        left: tasks that nobody does.
    """

    worker: Mapping[str, str]
    loads: Mapping[str, int]
    left: tuple[str, ...] = ()


TASK_ALLOCATION = Rules(
    "task-allocation",
    completed([
        (START, "initiator", LoadQuery, "asked"),
        ("asked", "participant", Load, "told"),
        ("asked", "participant", Refuse, "refused"),
        ("told", "initiator", Allotment, "allotted"),
        ("allotted", "participant", Agree, "agreed"),
        ("allotted", "participant", Refuse, "declined"),
        ("agreed", "initiator", Allotment, "allotted"),
    ]),
    source="Graham 1969, Bounds on multiprocessing timing anomalies; Gerkey and Matarić 2004, A formal analysis and taxonomy "
    "of task allocation in multi-robot systems",
    initiator="dispatcher",
    participant="worker",
    fallback=(Refuse,),
)  # fmt: skip


class TaskAllocation(InteractionProtocol):
    """Shares out tasks among members by their loads: `Tasks` are answered by `Allocated`.

    Members tell their `Load`; the longest task that is left goes to whoever has least to do; each who gets some is asked, in
    one `Allotment`, to agree. What is refused, or not agreed to in time, is shared out among the others, who have agreed to
    what they have. So there are at most as many rounds as members.

    Args:
        ties: who of several with the least load gets a task; without a rule, who stands first in the network.
    """

    rules: ClassVar = (TASK_ALLOCATION,)

    ties: TieRule | None = None

    async def atasks(self, message: Tasks) -> Message:
        answers = await self.collect(LoadQuery(body=message.body, receiver=member, reply_to=message) for member in self)
        absent = {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")}
        loads = {name: load.hours for name, load in answers.of(Load).items()}
        takers: dict[str, Message] = dict(answers.of(Load))  # who may get more, with the last word of each
        worker: dict[str, str] = {}
        left = dict(message.hours)
        while left and takers:
            shared = longest_first(left, {name: loads[name] for name in takers}, ties=self.ties).worker
            offered = {
                name: {task: hours for task, hours in left.items() if shared[task] == name}
                for name in takers
                if name in shared.values()
            }
            agreed = await self.collect(
                Allotment.reply(takers[name], body=message.body, tasks=tasks) for name, tasks in offered.items()
            )
            for name, tasks in offered.items():
                answer = agreed.given.get(name)
                if isinstance(answer, Agree):
                    takers[name] = answer
                    loads[name] += sum(tasks.values())
                    worker.update(dict.fromkeys(tasks, name))
                else:
                    absent[name] = agreed.absent.get(name, "it refused")
                    del takers[name]
            left = {task: hours for task, hours in left.items() if task not in worker}
        return Allocated.reply(
            message,
            worker={task: worker[task] for task in message.hours if task in worker},
            loads={name: hours for name, hours in loads.items() if name in worker.values()},
            left=tuple(left),
            absent=absent,
        )
