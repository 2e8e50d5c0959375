"""Map-reduce: a job in parts for whoever is free, and what comes of them put together. Knows parts, not what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, Field

from llm_net.errors import AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered
from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules


class Job(Message):
    """Have something done to each part, and the results put together.

    Args:
        parts: each goes to one worker.
    """

    parts: tuple[str, ...] = Field(min_length=1)


class Part(Question):
    """Do the job for this part, and answer by the result."""

    job: str
    part: str


class Mapped(Message):
    """Give the result of your part."""


class Combine(Question):
    """Put these results together into one, in their order."""

    job: str
    results: tuple[str, ...]


class Combined(Message):
    """Give the one result that you made of several."""


class Reduced(Outcome):
    """What came of a job; the body is the result, if there is one.

    Args:
        results: those of the parts, put together as far as somebody could: a single one where the job is done.
        missing: places of the parts that nobody did, from 0.
    """

    results: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()


class Deal(Message):
    """The network to itself: give a piece of a job to a worker."""

    job: str
    piece: int
    inputs: tuple[str, ...]
    combines: bool
    worker: str


class Dealt(Message):
    """The network to itself: what came of a piece.

    Args:
        result: None where nothing did.
        problem: why.
        lost: whether the worker is still at it, for all we know.
    """

    job: str
    piece: int
    worker: str
    result: str | None = None
    problem: str = ""
    lost: bool = False


class Progress(BaseModel):
    """How far a job is: its parts first, then level by level what came of them.

    Args:
        pieces: what has to be done now, each a part, or several results to be put together.
        waiting: those that nobody has, in the order in which they are dealt.
        combines: whether they are results.
        results: of the pieces that are done.
        tried: who has got each piece so far, the present one last.
        failed: pieces that nobody can do.
        busy: which piece each worker has.
        missing: see `Reduced`.
        absent: see `Outcome`.
        lost: workers who are given nothing more.
    """

    pieces: list[tuple[str, ...]]
    waiting: list[int]
    combines: bool = False
    results: dict[int, str] = {}
    tried: dict[int, list[str]] = {}
    failed: list[int] = []
    busy: dict[str, int] = {}
    missing: tuple[int, ...] = ()
    absent: dict[str, str] = {}
    lost: list[str] = []

    def note(self, report: Dealt) -> bool:
        """What came of a piece. False: it is known already."""
        if self.busy.get(report.worker) != report.piece:
            return False
        del self.busy[report.worker]
        if report.result is not None:
            self.results[report.piece] = report.result
            return True
        self.waiting.insert(0, report.piece)
        self.absent[report.worker] = report.problem
        if report.lost:
            self.lost.append(report.worker)
        return True

    def deal(self, workers: Sequence[str], tries: int) -> list[tuple[int, str]]:
        """Pieces for all who are free, the first that is left for each; what nobody is left for has failed."""
        able = [name for name in workers if name not in self.lost]
        free = [name for name in able if name not in self.busy]
        dealt: list[tuple[int, str]] = []
        for piece in [*self.waiting]:
            if able and not free:
                break
            tried = self.tried.setdefault(piece, [])
            fit = [name for name in able if name not in tried]
            if not fit or len(tried) >= tries:
                self.waiting.remove(piece)
                self.failed.append(piece)
            elif worker := next((name for name in fit if name in free), None):
                self.waiting.remove(piece)
                free.remove(worker)
                tried.append(worker)
                self.busy[worker] = piece
                dealt.append((piece, worker))
        return dealt

    def rise(self, fan: int) -> bool:
        """Go on to the next level, where all pieces of this one came to their end. False: nothing is left to be done.

        Args:
            fan: how many results are put together at once; 0 for all.
        """
        if not self.combines:
            self.missing = tuple(sorted(self.failed))
        results = self.left()
        if len(results) < 2 or (self.combines and self.failed):
            return False
        size = fan or len(results)
        self.pieces = [tuple(results[start : start + size]) for start in range(0, len(results), size)]
        self.results = {piece: inputs[0] for piece, inputs in enumerate(self.pieces) if len(inputs) == 1}
        self.waiting = [piece for piece in range(len(self.pieces)) if piece not in self.results]
        self.tried, self.failed, self.combines = {}, [], True
        return True

    def left(self) -> tuple[str, ...]:
        """The results as far as they are put together."""
        found: list[str] = []
        for piece, inputs in enumerate(self.pieces):
            if piece in self.results:
                found.append(self.results[piece])
            elif self.combines:
                found += inputs
        return tuple(found)


MAP_REDUCE = Rules(
    "map-reduce",
    completed([
        (START, "initiator", Part, "dealt"),
        ("dealt", "participant", Mapped, "mapped"),
        ("dealt", "participant", Refuse, "refused"),
        (START, "initiator", Combine, "combining"),
        ("combining", "participant", Combined, "combined"),
        ("combining", "participant", Refuse, "refused"),
    ]),
    source="Dean and Ghemawat 2004, MapReduce: simplified data processing on large clusters",
    initiator="master",
    participant="worker",
    fallback=(Refuse,),
)  # fmt: skip


class MapReduce(InteractionProtocol):
    """Deals the parts of a `Job` to its members, whoever is free, and has the results put together; answers by `Reduced`.

    Each member has one piece at a time. What it refuses, or fails at, goes to another one, who has not had it yet; who is late
    or silent gets nothing more of this job. When all parts are done, neighbouring results are put together, by members in the
    same way, until there is one. Their order is that of the parts, whoever was faster.

    A piece costs four messages, two of them of the network to itself; what one member does, piece after piece, is a chain of
    twice as many. So a job of thousands of parts needs `Limits` of its own.

    Args:
        fan: how many results one member puts together at once, in a tree; None for all of them.
        tries: how many members may fail at a piece until it is given up.
        patience: seconds that one piece may take.
    """

    rules: ClassVar = (MAP_REDUCE,)
    concurrency: ClassVar[int] = 1_000
    """It waits for so many members at a time."""

    fan: int | None = Field(default=None, ge=2)
    tries: int = Field(default=3, ge=1)
    jobs: dict[str, Progress] = {}
    """Those under way, by the id of their message. Kept for a run that goes on later."""

    def job(self, message: Job) -> list[Message]:
        self.jobs[message.id] = Progress(
            pieces=[(part,) for part in message.parts], waiting=[*range(len(message.parts))]
        )
        return self._go_on(message)

    async def adeal(self, message: Deal) -> Message | None:
        if message.sender != self:
            return None
        question: Message = Part(job=message.body, part=message.inputs[0], receiver=message.worker, reply_to=message)
        if message.combines:
            question = Combine(job=message.body, results=message.inputs, receiver=message.worker, reply_to=message)
        result: str | None = None
        problem, lost = "", False
        try:
            answer = await self.call(question, timeout=self.patience)
        except (CallTimeout, Deadlock, Unanswered) as error:
            problem, lost = str(error), True
        except (AgentFailed, DeliveryError) as error:
            problem = str(error)
        else:
            if isinstance(answer, (Mapped, Combined)):
                result = answer.body
            else:
                problem = answer.body or "it refused"
        return Dealt(
            job=message.job, piece=message.piece, worker=message.worker, result=result, problem=problem, lost=lost,
            receiver=self, reply_to=message,
        )  # fmt: skip

    def dealt(self, message: Dealt) -> list[Message]:
        job, progress = message.closest(Job), self.jobs.get(message.job)
        if message.sender != self or job is None or progress is None or not progress.note(message):
            return []
        return self._go_on(job)

    def _go_on(self, job: Job) -> list[Message]:
        """What is to be dealt now, or the outcome."""
        progress = self.jobs[job.id]
        workers = [member.id for member in self]
        dealt = progress.deal(workers, self.tries)
        while not dealt and not progress.busy:
            if not progress.rise(self.fan or 0):
                return [self._outcome(job, self.jobs.pop(job.id))]
            dealt = progress.deal(workers, self.tries)
        return [
            Deal(
                job=job.id, body=job.body, piece=piece, inputs=progress.pieces[piece], combines=progress.combines,
                worker=worker, receiver=self, reply_to=job,
            )
            for piece, worker in dealt
        ]  # fmt: skip

    def _outcome(self, job: Job, progress: Progress) -> Message:
        results = progress.left()
        body = results[0] if len(results) == 1 else ""
        return Reduced.reply(job, body=body, results=results, missing=progress.missing, absent=progress.absent)
