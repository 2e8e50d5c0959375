"""Those who know something write on a board that all see, each when it has something to add.

Knows neither the problem nor who knows what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import RejectProposal
from llm_net.protocols.dialogue.turn import Skip, TimeUp
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule
from llm_net.schema import JsonSchema


class Riddle(Message):
    """Solve a problem, part by part.

    Args:
        body: the problem.
        parts: what has to be found out; the problem is solved once each is on the board.
    """

    parts: tuple[str, ...] = Field(min_length=1)


class Look(Question):
    """Look at the board; bid for a part that you can find out now.

    Args:
        body: the problem.
        board: what was found out, by part.
        open: the parts that were not.
    """

    board: Mapping[str, str] = {}
    open: tuple[str, ...]

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"part": {"type": "string", "enum": [*self.open]}} if kind is Bid else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Bid) and answer.part not in self.open:
            return f"{answer.part!r} is not open; bid for one of {', '.join(self.open)}."
        return None


class Bid(Message):
    """Bid for a part of the problem.

    Args:
        part: what you would find out.
        worth: how much you have to add, from 1 to 10.
    """

    part: str
    worth: int = Field(default=1, ge=1, le=10)


class Work(Question):
    """Find out the part that you bid for; nobody else does so for the time being.

    Args:
        part: which.
        board: what was found out, by part.
    """

    part: str
    board: Mapping[str, str] = {}


class Post(Message):
    """Write on the board what you found out; nothing gives the part back."""


class Board(Outcome):
    """What is on the board in the end.

    Args:
        board: what was found out, by part, in the order in which it was.
        by: who found it out.
        solved: whether every part is there.
        rounds: how often the members looked at it.
    """

    board: Mapping[str, str] = {}
    by: Mapping[str, str] = {}
    solved: bool = False
    rounds: int = 0


BLACKBOARD = Rules(
    "blackboard",
    completed([
        (START, "initiator", Look, "looking"),
        ("looking", "participant", Skip, "skipped"),
        ("looking", "participant", Bid, "bidding"),
        ("bidding", "initiator", RejectProposal, "outbid"),
        ("bidding", "initiator", Work, "working"),
        ("working", "participant", Post, "posted"),
        ("working", "initiator", TimeUp, "lapsed"),
    ]),
    source="Erman et al. 1980, The Hearsay-II speech-understanding system; Nii 1986, Blackboard systems",
    initiator="controller",
    participant="source",
    fallback=(Skip,),
)  # fmt: skip

Solved = Callable[[Mapping[str, str]], bool]
"""Whether what is on the board is enough."""


class Blackboard(InteractionProtocol):
    """A board before its members: a `Riddle` is answered by the `Board`.

    Everybody looks at the board and bids for one open part, or skips. Of each part, whose bid is worth most has the lease:
    nobody else works on it until it is posted, given back, or the time is up. So it goes on until every part is there, or
    nobody has anything to add, or the rounds are over. Who fails or is late is not asked again.

    Args:
        lease: seconds for one part.
        enough: ends it before every part is there; by default nothing does.
        ties: who has the lease among equal bids; without a rule, who stands first in the network.
        rounds: the most.
    """

    rules: ClassVar = (BLACKBOARD,)

    lease: float = Field(default=60.0, gt=0)
    enough: Solved | None = Field(default=None, exclude=True, repr=False)
    ties: TieRule | None = None
    rounds: int = Field(default=20, ge=1)

    async def ariddle(self, message: Riddle) -> Board:
        board: dict[str, str] = {}
        by: dict[str, str] = {}
        absent: dict[str, str] = {}
        ties: dict[str, None] = {}
        number = 0
        while number < self.rounds and not self._enough(message, board):
            number += 1
            left = tuple(part for part in message.parts if part not in board)
            looked = await self.collect(
                Look(body=message.body, board=board, open=left, receiver=member, reply_to=message)
                for member in self
                if member.id not in absent
            )
            absent |= looked.absent
            bids = looked.of(Bid)
            if not bids:
                break
            holders = {part: self._holder(bids, part, ties) for part in left}
            posts = await self._work(message, bids, holders, board, absent)
            for name, post in posts.items():
                if post.body:
                    board[bids[name].part] = post.body
                    by[bids[name].part] = name
        solved = self._enough(message, board)
        return Board.reply(
            message,
            body="solved" if solved else "not solved",
            board=board,
            by=by,
            solved=solved,
            rounds=number,
            ties=tuple(ties),
            absent=absent,
        )

    def _enough(self, riddle: Riddle, board: Mapping[str, str]) -> bool:
        return set(riddle.parts) <= board.keys() or (self.enough is not None and self.enough(board))

    def _holder(self, bids: Mapping[str, Bid], part: str, ties: dict[str, None]) -> str | None:
        """Who has the lease of a part; None where nobody bids for it."""
        worth = {name: bid.worth for name, bid in bids.items() if bid.part == part}
        best = tuple(name for name in worth if worth[name] == max(worth.values()))
        if len(best) > 1:
            ties |= dict.fromkeys(best)
            best = self.ties.rank(best) if self.ties is not None else best
        return next(iter(best), None)

    async def _work(
        self,
        riddle: Riddle,
        bids: Mapping[str, Bid],
        holders: Mapping[str, str | None],
        board: Mapping[str, str],
        absent: dict[str, str],
    ) -> dict[str, Post]:
        """What those post who have a lease; those who were outbid are told at the same time."""
        due = self.now() + timedelta(seconds=self.lease)
        told: list[Message] = []
        for name, bid in bids.items():
            if holders[bid.part] == name:
                told.append(Work.reply(bid, body=riddle.body, part=bid.part, board=dict(board), deadline=due))
            else:
                told.append(RejectProposal.reply(bid, body="another one does it"))
        answers = await self.collect(told, patience=self.lease)
        work = {name: each for name, each in zip(bids, told, strict=True) if isinstance(each, Work)}
        late = {name: why for name, why in answers.absent.items() if name in work}
        await self.collect(TimeUp(body=why, receiver=name, reply_to=work[name]) for name, why in late.items())
        absent |= late
        return answers.of(Post)
