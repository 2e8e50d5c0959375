"""A pipeline: items go through stages in order, several under way at once. Knows their order, not what is done to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from llm_net.errors import AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered
from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import exchange
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question


class Batch(Message):
    """Have items go through all stages.

    Args:
        items: in the order in which they enter.
    """

    items: tuple[str, ...] = Field(min_length=1)


class Item(Question):
    """Do your step on this item, and pass on what it has become."""

    item: str


class Passed(Message):
    """Pass on what the item has become."""


class Finished(Outcome):
    """What the items have become.

    Args:
        results: of those that came through, in the order in which they entered, by their place from 0.
        lost: why the others did not, by their place.
    """

    results: Mapping[int, str]
    lost: Mapping[int, str] = {}


class PassOn(Message):
    """The network to itself: let a stage have an item."""

    batch: str
    stage: str
    place: int
    item: str


class PassedOn(Message):
    """The network to itself: what a stage made of an item; None where it made nothing of it, for a problem."""

    batch: str
    stage: str
    place: int
    item: str | None = None
    problem: str = ""


class Course(BaseModel):
    """Where the items of a batch are.

    Args:
        stages: their ids, in order.
        queues: the places of the items that wait for each stage, or are in it: the first one is, where it is busy.
        busy: stages that have an item.
        items: what each item is by now.
        lost: see `Finished`.
        absent: stages that failed, and how they did last.
    """

    stages: list[str]
    queues: dict[str, list[int]]
    busy: list[str] = []
    items: dict[int, str]
    lost: dict[int, str] = {}
    absent: dict[str, str] = {}

    def note(self, report: PassedOn) -> bool:
        """What a stage made of its item. False: it is known already."""
        queue = self.queues[report.stage]
        if report.stage not in self.busy or queue[0] != report.place:
            return False
        self.busy.remove(report.stage)
        queue.pop(0)
        if report.item is None:
            self.lost[report.place] = f"{report.stage}: {report.problem}"
            self.absent[report.stage] = report.problem
            del self.items[report.place]
            return True
        self.items[report.place] = report.item
        following = self.stages.index(report.stage) + 1
        if following < len(self.stages):
            self.queues[self.stages[following]].append(report.place)
        return True

    def start(self) -> list[tuple[str, int]]:
        """The stages that are free and have something to do, with the item that each begins."""
        begun = [(stage, queue[0]) for stage, queue in self.queues.items() if queue and stage not in self.busy]
        self.busy += [stage for stage, _ in begun]
        return begun


PIPELINE = exchange(
    "pipeline",
    Item,
    Passed,
    source="Hoare 1978, Communicating sequential processes (pipes); Shaw and Garlan 1996, Software architecture, on pipes and "
    "filters",
    initiator="line",
    participant="stage",
)


class Pipeline(InteractionProtocol):
    """A line whose members are the stages, in their order: a `Batch` is answered by what its items are `Finished` as.

    Each stage has one item at a time, and all of them in the order in which they came; meanwhile the others have other items.
    What a stage refuses, fails at or is late with is lost, with the reason, and the rest goes on.

    Args:
        patience: seconds that a stage may take for an item.
    """

    rules: ClassVar = (PIPELINE,)
    concurrency: ClassVar[int] = 1_000
    """It waits for so many stages at a time."""

    batches: dict[str, Course] = {}
    """Those under way, by the id of their message. Kept for a run that goes on later."""

    def batch(self, message: Batch) -> list[Message]:
        stages, items = [member.id for member in self], dict(enumerate(message.items))
        queues = {stage: [*items] if stage == stages[0] else [] for stage in stages}
        self.batches[message.id] = Course(stages=stages, queues=queues, items=items)
        return self._go_on(message)

    async def apass_on(self, message: PassOn) -> Message | None:
        if message.sender != self:
            return None
        item: str | None = None
        problem = ""
        try:
            question = Item(body=message.body, item=message.item, receiver=message.stage, reply_to=message)
            answer = await self.call(question, timeout=self.patience)
        except (AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered) as error:
            problem = str(error)
        else:
            if isinstance(answer, Passed):
                item = answer.body
            else:
                problem = answer.body or "it refused"
        return PassedOn(
            batch=message.batch, stage=message.stage, place=message.place, item=item, problem=problem,
            receiver=self, reply_to=message,
        )  # fmt: skip

    def passed_on(self, message: PassedOn) -> list[Message]:
        batch, course = message.closest(Batch), self.batches.get(message.batch)
        if message.sender != self or batch is None or course is None or not course.note(message):
            return []
        return self._go_on(batch)

    def _go_on(self, batch: Batch) -> list[Message]:
        """What begins now, or the outcome."""
        course = self.batches[batch.id]
        begun = course.start()
        if not course.busy:
            del self.batches[batch.id]
            results = {place: course.items[place] for place in sorted(course.items)}
            return [Finished.reply(batch, results=results, lost=course.lost, absent=course.absent)]
        return [
            PassOn(
                batch=batch.id, body=batch.body, stage=stage, place=place, item=course.items[place],
                receiver=self, reply_to=batch,
            )
            for stage, place in begun
        ]  # fmt: skip
