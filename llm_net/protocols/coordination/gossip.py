"""Gossip: members tell each other, two by two, until all know. Knows versions of what is told, not whether it is true."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.errors import AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered
from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules

Versions: TypeAlias = Mapping[str, tuple[int, str]]
"""What somebody knows: of each topic the version, from 1, and what it says."""

Way: TypeAlias = Literal["push", "pull", "push-pull"]
"""Whether one tells the other what he knows, asks for what the other knows, or both."""


class Rumour(Message):
    """Let all members know something; the body says what.

    Args:
        topic: what it is about; "" where they only tell each other what they know already.
        told: who knows it first; None: who stands first.
    """

    topic: str = ""
    told: str | None = None


class Turn(Question):
    """Gossip with one of your peers, and say what you know then.

    Args:
        peers: whom you may choose from; nobody: only say what you know.
        news: what you learn by this very message.
    """

    peers: tuple[str, ...] = ()
    news: Versions = {}
    way: Way = "push-pull"
    wait: float = Field(default=1.0, gt=0)


class Turned(Message):
    """Say which version of each topic you know."""

    known: Mapping[str, int] = {}


class Exchange(Question):
    """Hear what I know, and tell me what you know and I do not.

    Args:
        news: what I know; nothing where I only ask.
        known: which versions I know; None where I only tell.
    """

    news: Versions = {}
    known: Mapping[str, int] | None = None


class News(Message):
    """Tell what you know and the other does not."""

    news: Versions = {}


class Spread(Outcome):
    """How far it went.

    Args:
        rounds: how often all had their turn.
        latest: the newest version of each topic that anybody knows.
        informed: who knows the newest of all topics.
    """

    rounds: int
    latest: Mapping[str, int]
    informed: tuple[str, ...]


GOSSIP = Rules(
    "gossip",
    completed([
        (START, "initiator", Turn, "on turn"),
        ("on turn", "participant", Turned, "done"),
        ("on turn", "participant", Refuse, "refused"),
        (START, "initiator", Exchange, "told"),
        ("told", "participant", News, "answered"),
    ]),
    source="Demers et al. 1987, Epidemic algorithms for replicated database maintenance; Karp et al. 2000, Randomized rumor "
    "spreading",
    initiator="speaker",
    participant="listener",
    fallback=(Refuse,),
)  # fmt: skip


class Recall(Message):
    """A member to itself: what it knows, with this."""

    news: Versions = {}


class Recalled(Message):
    """A member to itself: what it knows now."""

    known: Versions = {}


class Gossiper(GenAgent):
    """A member that gossips; subclass it to make something of what it hears.

    What it knows only ever grows: a higher version takes the place of a lower one, and of two with one number the one that
    comes later in the alphabet, so that all come to the same.
    """

    # The handler that waits leaves the state alone: it is changed in steps that take no time, whose order is on record.

    concurrency: ClassVar[int] = 100
    """It answers while it waits for an answer."""

    known: dict[str, tuple[int, str]] = {}

    async def aturn(self, message: Turn) -> AsyncIterator[Message]:
        known = await self._recall(message, message.news)
        if message.peers:
            exchange = Exchange(
                news=known if message.way != "pull" else {}, known=versions_of(known) if message.way != "push" else None,
                receiver=self.random.choice(message.peers), reply_to=message,
            )  # fmt: skip
            try:
                answer = await self.call(exchange, timeout=message.wait)
            except (AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered):
                pass  # another one next time
            else:
                if isinstance(answer, News) and answer.news:
                    known = await self._recall(message, answer.news)
        yield Turned.reply(message, known=versions_of(known))

    def recall(self, message: Recall) -> Message:
        self._learn(message.news)
        return Recalled.reply(message, known=dict(self.known))

    def exchange(self, message: Exchange) -> Message:
        known = message.known
        news = {
            topic: told
            for topic, told in self.known.items()
            if known is not None and told[0] >= known.get(topic, 0) and told != message.news.get(topic)
        }
        self._learn(message.news)
        return News.reply(message, news=news)

    async def _recall(self, turn: Turn, news: Versions) -> Versions:
        answer = await self.call(Recall(news=news, receiver=self, reply_to=turn))
        assert isinstance(answer, Recalled)
        return answer.known

    def _learn(self, news: Versions) -> None:
        for topic, told in news.items():
            if topic not in self.known or told > self.known[topic]:
                self.known[topic] = told


def versions_of(known: Versions) -> dict[str, int]:
    """The number of each version."""
    return {topic: number for topic, (number, _) in known.items()}


class Gossip(InteractionProtocol):
    """Lets its members gossip in rounds until all know the same: a `Rumour` is answered by how far it `Spread`.

    Members are `Gossiper`s. In each round each of them, all at the same time, exchanges what it knows with a peer that it
    chooses by lot, and says what it knows then. Among n members all know after O(log n) rounds, with high probability; that
    all do is seen one round later. Who is silent or fails is done without.

    Args:
        way: push, pull or both.
        rounds: how many at most.
        wait: seconds for one exchange.
    """

    rules: ClassVar = (GOSSIP,)

    way: Way = "push-pull"
    rounds: int = Field(default=30, ge=0)
    wait: float = Field(default=1.0, gt=0)

    async def arumour(self, message: Rumour) -> Message:
        members = [member.id for member in self]
        asked = await self.collect(Turn(receiver=name, reply_to=message) for name in members)
        reports = {name: turned.known for name, turned in asked.of(Turned).items()}
        if message.topic and members:
            told = message.told or next(iter(reports), members[0])
            number = _latest(reports).get(message.topic, 0) + 1
            news = {message.topic: (number, message.body)}
            first = await self.collect([Turn(news=news, receiver=told, reply_to=message)])
            asked |= first
            reports |= {name: turned.known for name, turned in first.of(Turned).items()}
        done = 0
        while done < self.rounds and len(_informed(reports)) < len(reports):
            turns = await self.collect(
                Turn(
                    peers=tuple(peer for peer in members if peer != name), way=self.way, wait=self.wait,
                    receiver=name, reply_to=message,
                )
                for name in reports
            )  # fmt: skip
            asked |= turns
            reports = {name: turned.known for name, turned in turns.of(Turned).items()}
            done += 1
        absent = {name: why for name, why in asked.absent.items() if name not in reports}
        absent |= {name: "it refused" for name in asked.of(Refuse) if name not in reports}
        return Spread.reply(message, rounds=done, latest=_latest(reports), informed=_informed(reports), absent=absent)


def _latest(reports: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    latest: dict[str, int] = {}
    for known in reports.values():
        for topic, number in known.items():
            latest[topic] = max(number, latest.get(topic, 0))
    return latest


def _informed(reports: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    latest = _latest(reports)
    return tuple(name for name, known in reports.items() if {**known} == latest)
