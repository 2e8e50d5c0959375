"""Voters for the tests: those who say what they want, and those who spoil an election."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from llm_net import GenAgent, Message
from llm_net.dispatch import handles
from llm_net.protocols.acts import NotUnderstood, Refuse
from llm_net.protocols.voting.ballot import Approval, Ranking, Scores, Weight
from llm_net.protocols.voting.paper import Abstain, ChoiceBallot, Delegate, Mark, Paper


class Voter(GenAgent):
    """Votes by a mark of its own; without one it abstains, and where it trusts somebody it votes through them.

    It keeps what it was asked.
    """

    mark: Mark | None = None
    trusts: str | None = None
    asked: list[str] = []

    @handles(Paper)
    def vote(self, message: Paper) -> Message:
        self.asked.append("\n".join(str(each) for each in message.thread()))
        if self.trusts is not None:
            return Delegate.reply(message, to=self.trusts)
        if self.mark is None:
            return Abstain.reply(message)
        return filled_in(message, self.mark)


class Silent(GenAgent):
    @handles(Paper)
    def vote(self, message: Paper) -> None:
        """Says nothing."""


class Late(GenAgent):
    """Votes after five minutes."""

    mark: Mark

    @handles(Paper)
    async def vote(self, message: Paper) -> Message:
        await asyncio.sleep(300)
        return filled_in(message, self.mark)


class Crashing(GenAgent):
    @handles(Paper)
    def vote(self, message: Paper) -> None:
        raise ZeroDivisionError("I wanted tea")


class Stranger(GenAgent):
    """Answers by what is not in the rules."""

    @handles(Paper)
    def vote(self, message: Paper) -> Message:
        return Refuse.reply(message)


class Puzzled(GenAgent):
    """Does not understand."""

    @handles(Paper)
    def vote(self, message: Paper) -> Message:
        return NotUnderstood.reply(message, body="what is tea?")


class Twice(GenAgent):
    """Votes once more when it has voted."""

    mark: Mark

    @handles(Paper)
    def vote(self, message: Paper) -> Iterator[Message]:
        yield filled_in(message, self.mark)
        yield filled_in(message, self.mark)


class Forger(GenAgent):
    """Votes in the name of another, then for itself."""

    name: str
    mark: str

    @handles(Paper)
    def vote(self, message: Paper) -> Iterator[Message]:
        yield ChoiceBallot.reply(message, choice=self.mark, sender=self.name)
        yield ChoiceBallot.reply(message, choice=self.mark)


def filled_in(paper: Paper, mark: object) -> Message:
    """The ballot that a paper becomes."""
    return paper.ballot.reply(paper, **{paper.field: mark})


def voters(marks: Iterable[Mark | None]) -> list[Voter]:
    """A voter for each mark: v0, v1 and so on."""
    return [Voter(id=f"v{number}", mark=mark) for number, mark in enumerate(marks)]


def mark_of(ballot: Ranking | Approval | Scores) -> Mark | None:
    """What a voter writes who wants that; None where it abstains. Rankings must have no equals."""
    if not ballot.named:
        return None
    if isinstance(ballot, Scores):
        return dict(ballot.given)
    return tuple(name for (name,) in ballot.ranks) if isinstance(ballot, Ranking) else tuple(sorted(ballot.named))


def electorate(ballots: Iterable[Ranking | Approval | Scores]) -> tuple[list[Voter], Mapping[str, Weight]]:
    """One voter for each ballot, and the weight that each has."""
    cast = list(ballots)
    members = voters(map(mark_of, cast))
    return members, {member.id: ballot.weight for member, ballot in zip(members, cast, strict=True)}
