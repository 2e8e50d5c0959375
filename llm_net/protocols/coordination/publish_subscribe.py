"""Who publishes need not know who hears it: subscribers say what they want to hear of. Knows topics and conditions alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, JsonValue

from llm_net.message import Message
from llm_net.protocols.acts import Agree, Inform, Refuse
from llm_net.protocols.coordination.filter import Condition, Pattern, Topic, fits
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.schema import JsonSchema


class Subscribe(Message):
    """Ask to be told of what is published.

    Args:
        topic: "+" in it stands for any one level, "#" at its end for any number.
        where: all of them have to hold for the facts.
    """

    topic: Pattern
    where: tuple[Condition, ...] = ()


class Unsubscribe(Message):
    """Ask to be told no more of a topic that you subscribed to, or of any."""

    topic: Pattern | None = None


class Publish(Message):
    """Let all who want to hear of it know something."""

    topic: Topic
    facts: Mapping[str, JsonValue] = {}


class Notify(Message):
    """Tell of what was published."""

    topic: str
    facts: Mapping[str, JsonValue] = {}
    publisher: str


class Opening(Message):
    """Ask all members which of these topics they want to hear of."""

    topics: tuple[Pattern, ...] = Field(min_length=1)


class Invite(Question):
    """Choose the topic that you want to hear of, or refuse."""

    topics: tuple[str, ...]

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"topic": {"type": "string", "enum": [*self.topics]}} if kind is Interest else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Interest) and answer.topic not in self.topics:
            return f"{answer.topic!r} is not offered; choose one of {', '.join(self.topics)}."
        return None


class Interest(Message):
    """Say which topic you want to hear of."""

    topic: str


class Published(Outcome):
    """Who was told of what was published.

    Args:
        heard: the subscribers, in the order in which they came.
    """

    heard: tuple[str, ...] = ()


class Opened(Outcome):
    """Who hears of what.

    Args:
        subscribers: of each topic that was offered.
    """

    subscribers: Mapping[str, tuple[str, ...]] = {}


PUBLISH_SUBSCRIBE = Rules(
    "publish-subscribe",
    completed([
        (START, "initiator", Subscribe, "asked"),
        ("asked", "participant", Agree, "subscribed"),
        (START, "initiator", Unsubscribe, "leaving"),
        ("leaving", "participant", Inform, "left"),
        (START, "initiator", Publish, "publishing"),
        ("publishing", "participant", Published, "published"),
        (START, "initiator", Notify, "notified"),
        (START, "initiator", Invite, "invited"),
        ("invited", "participant", Interest, "interested"),
        ("invited", "participant", Refuse, "refused"),
    ]),
    source="FIPA SC00035H; Eugster et al. 2003, The many faces of publish/subscribe",
    initiator="speaker",
    participant="listener",
    fallback=(Refuse,),
)  # fmt: skip


class PublishSubscribe(InteractionProtocol):
    """A broker: what is sent to it as `Publish` it tells, as `Notify`, all who sent it a `Subscribe` that fits.

    Each who wants to hear of something is told once, however many of its subscriptions fit; nobody is told what he published
    himself. What one publishes arrives in the order in which it was published. The publisher is told who heard it. An
    `Opening` has all members asked which topics they want to hear of.
    """

    rules: ClassVar = (PUBLISH_SUBSCRIBE,)

    subscriptions: list[Subscribe] = []
    """In the order in which they came."""

    def subscribe(self, message: Subscribe) -> Message:
        self.subscriptions.append(message)
        return Agree.reply(message)

    def unsubscribe(self, message: Unsubscribe) -> Message:
        self.subscriptions = [
            each
            for each in self.subscriptions
            if each.sender != message.sender or message.topic not in (None, each.topic)
        ]
        return Inform.reply(message)

    async def apublish(self, message: Publish) -> Message:
        publisher = message.sender
        heard = {
            each.sender: None
            for each in self.subscriptions
            if each.sender is not None
            and each.sender != publisher
            and fits(each.topic, message.topic)
            and all(condition.holds(message.facts) for condition in each.where)
        }
        await self.tell(
            Notify(
                body=message.body, topic=message.topic, facts=message.facts,
                publisher=publisher.id if publisher is not None else "", receiver=subscriber, reply_to=message,
            )
            for subscriber in heard
        )  # fmt: skip
        return Published.reply(message, heard=tuple(subscriber.id for subscriber in heard))

    async def aopening(self, message: Opening) -> Message:
        answers = await self.collect(
            Invite(body=message.body, topics=message.topics, receiver=member, reply_to=message) for member in self
        )
        interests = answers.of(Interest)
        for name, interest in interests.items():
            self.subscriptions.append(Subscribe(topic=interest.topic, sender=name, receiver=self, reply_to=interest))
        return Opened.reply(
            message,
            subscribers={
                topic: tuple(name for name, interest in interests.items() if interest.topic == topic)
                for topic in message.topics
            },
            absent={**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")},
        )
