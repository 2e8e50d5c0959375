"""Who subscribed hears what fits, once, in the order in which it was published; filters are data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, JsonValue, ValidationError

from llm_net import GenAgent, GenNetwork, Message
from llm_net.protocols.acts import Agree, Inform, Refuse
from llm_net.protocols.coordination.filter import Condition, Operator, fits
from llm_net.protocols.coordination.publish_subscribe import (
    Interest,
    Invite,
    Notify,
    Opened,
    Opening,
    Publish,
    Published,
    PublishSubscribe,
    Subscribe,
    Unsubscribe,
)
from tests.protocols.coordination.hearing import outcome, said
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


class Reader(GenAgent):
    """Hears what it is told, and wants to hear of its favourite."""

    favourite: str = "news/#"
    notes: list[str] = []

    def invite(self, message: Invite) -> Message:
        if self.favourite not in message.topics:
            return Refuse.reply(message, body="nothing for me")
        return Interest.reply(message, topic=self.favourite)

    def notify(self, message: Notify) -> None:
        self.notes.append(f"{message.topic} {message.body}".strip())

    def agree(self, message: Agree) -> None: ...

    def inform(self, message: Inform) -> None: ...


class Writer(Reader):
    """Says one thing after the other to the broker: each a message of its own."""

    words: tuple[Callable[[], Message], ...] = Field(default=(), exclude=True, repr=False)

    def request(self, message: Message) -> Iterator[Message]:
        for word in self.words:
            yield word()

    def published(self, message: Published) -> None:
        self.notes.append(f"told {' '.join(message.heard)}")


subscribe, unsubscribe, publish = (partial(kind, receiver="broker") for kind in (Subscribe, Unsubscribe, Publish))


def test_subscribers_hear_of_what_fits_and_the_publisher_of_who_heard() -> None:
    harbour, all_news = Reader(id="harbour"), Reader(id="all")
    broker = PublishSubscribe(
        id="broker",
        agents=[
            harbour,
            all_news,
            writer := Writer(id="writer", words=(partial(publish, topic="news/town", body="fair"),)),
        ],
        subscriptions=[Subscribe(topic="news/harbour", sender="harbour"), Subscribe(topic="news/#", sender="all")],
    )

    said(GenNetwork(id="top", agents=[broker]), Message(receiver="writer"))

    assert (harbour.notes, all_news.notes, writer.notes) == ([], ["news/town fair"], ["told all"])


def test_who_subscribes_twice_is_told_once_and_nobody_is_told_what_he_said_himself() -> None:
    writer = Writer(
        id="writer",
        words=(
            partial(subscribe, topic="#"),
            partial(subscribe, topic="news/+"),
            partial(publish, topic="news/town", body="fair"),
        ),
    )
    other = Writer(id="other", words=(partial(publish, topic="news/town", body="rain"),))
    broker = PublishSubscribe(id="broker", agents=[writer, other])

    said(broker, Message(receiver="writer"))
    said(broker, Message(receiver="other"))

    assert writer.notes == ["told ", "news/town rain"]


@pytest.mark.parametrize(("topic", "left"), [("news/#", ["#"]), (None, []), ("other", ["news/#", "#"])])
def test_who_unsubscribes_hears_no_more_of_it(topic: str | None, left: list[str]) -> None:
    reader = Writer(
        id="reader",
        words=(partial(subscribe, topic="news/#"), partial(subscribe, topic="#"), partial(unsubscribe, topic=topic)),
    )
    broker = PublishSubscribe(
        id="broker", agents=[reader, Reader(id="b")], subscriptions=[Subscribe(topic="news/#", sender="b")]
    )

    said(broker, Message(receiver="reader"))

    assert [each.topic for each in broker.subscriptions] == ["news/#", *left]


def test_what_one_publishes_arrives_in_the_order_in_which_it_was_published() -> None:
    reader = Reader(id="reader")
    writers = [
        Writer(id=name, words=tuple(partial(publish, topic=f"news/{name}", body=str(index)) for index in range(20)))
        for name in "ab"
    ]
    broker = PublishSubscribe(
        id="broker", agents=[reader, *writers], subscriptions=[Subscribe(topic="news/+", sender="reader")]
    )

    class Both(GenAgent):
        def request(self, message: Message) -> list[Message]:
            return [Message(receiver=writer) for writer in writers]

    said(GenNetwork(id="top", agents=[broker, Both(id="both")]), Message(receiver="both"))

    for writer in writers:
        assert [each for each in reader.notes if writer.id in each] == [f"news/{writer.id} {n}" for n in range(20)]


def test_members_are_asked_what_they_want_to_hear_of() -> None:
    broker = PublishSubscribe(
        id="broker", agents=[Reader(id="a"), Reader(id="b", favourite="sports"), Reader(id="c", favourite="chess")]
    )

    end = outcome(broker, Opening(topics=("news/#", "sports")))

    assert isinstance(end, Opened)
    assert end.subscribers == {"news/#": ("a",), "sports": ("b",)}
    assert end.absent == {"c": "it refused"}
    told = outcome(broker, Publish(topic="news/town", sender="press", receiver="broker"))
    assert isinstance(told, Published)
    assert told.heard == ("a",)


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_a_member_that_is_no_use_keeps_nothing_from_the_others(kind: type[GenAgent]) -> None:
    reader = Reader(id="a")
    broker = PublishSubscribe(
        id="broker",
        agents=[kind(id="no use"), reader],
        subscriptions=[Subscribe(topic="#", sender="no use")],
        patience=10,
    )

    end = outcome(broker, Opening(topics=("news/#", "sports")))
    outcome(broker, Publish(topic="news/town", body="fair", sender="press", receiver="broker"))

    assert list(end.absent if isinstance(end, Opened) else ()) == ["no use"]
    assert reader.notes == ["news/town fair"]


def test_a_topic_that_was_not_offered_cannot_be_chosen() -> None:
    class Dreamer(Reader):
        def invite(self, message: Invite) -> Message:
            return Interest.reply(message, topic="the moon")

    end = outcome(PublishSubscribe(id="broker", agents=[Dreamer(id="d")]), Opening(topics=("sports",)))

    assert isinstance(end, Opened)
    assert "choose one of sports" in end.absent["d"]


def test_a_broker_subscribes_to_another_and_passes_on_what_it_hears() -> None:
    class Branch(PublishSubscribe):
        async def anotify(self, message: Notify) -> None:
            await self.call(Publish(topic=message.topic, body=message.body, receiver="inner"))

    reader = Reader(id="reader")
    inner = PublishSubscribe(id="inner", agents=[reader], subscriptions=[Subscribe(topic="#", sender="reader")])
    branch = Branch(id="branch", agents=[inner])
    broker = PublishSubscribe(id="broker", agents=[branch], subscriptions=[Subscribe(topic="news/#", sender="branch")])

    outcome(broker, Publish(topic="news/town", body="fair", sender="press", receiver="broker"))

    assert reader.notes == ["news/town fair"]


def test_a_broker_that_was_interrupted_anywhere_goes_on_to_the_same_end() -> None:
    check_it_goes_on(
        lambda: PublishSubscribe(id="broker", agents=[Reader(id="a"), Crashing(id="b"), Reader(id="c", favourite="x")]),
        partial(Opening, topics=("news/#", "x")),
    )


# ---------------------------------------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("pattern", "topic", "whether"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/#", "sport", True),
        ("#", "sport/tennis", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
    ],
)
def test_wildcards_are_those_of_mqtt(pattern: str, topic: str, whether: bool) -> None:
    """Source: OASIS 2019, MQTT 5.0, sections 4.7.1.2 and 4.7.1.3: all examples there."""
    assert fits(pattern, topic) is whether


@pytest.mark.parametrize("pattern", ["", "sport/tennis#", "sport/tennis/#/ranking", "sport+"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    """Source: as above."""
    with pytest.raises(ValidationError, match="write"):
        Subscribe(topic=pattern)


@pytest.mark.parametrize("topic", ["", "news/#", "+/town"])
def test_nobody_publishes_on_several_topics_at_once(topic: str) -> None:
    with pytest.raises(ValidationError, match="name one without"):
        Publish(topic=topic)


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("=", 40, True), ("=", 40.0, True), ("=", "40", False), ("!=", 41, True), ("<", 40, False), ("<=", 40, True),
        ("<", 41, True), (">", 39.5, True), (">=", 41, False), ("<", "50", False), (">", None, False), ("in", [1, 40], True),
        ("in", 40, False), ("contains", 40, False), ("=", True, False),
    ],
)  # fmt: skip
def test_a_condition_compares_what_can_be_compared(operator: Operator, value: JsonValue, holds: bool) -> None:
    assert Condition(field="price", operator=operator, value=value).holds({"price": 40}) is holds


def test_conditions_look_into_texts_and_lists_and_miss_what_is_not_there() -> None:
    facts: Mapping[str, JsonValue] = {"title": "Fair in town", "tags": ["fun", "free"], "old": False}

    assert Condition(field="title", operator="contains", value="Fair").holds(facts)
    assert Condition(field="tags", operator="contains", value="free").holds(facts)
    assert Condition(field="title", operator="<", value="G").holds(facts)
    assert not Condition(field="old", operator="=", value=0).holds(facts)
    assert not Condition(field="nothing", operator="!=", value=1).holds(facts)


def test_only_what_meets_all_conditions_is_told() -> None:
    cheap_and_red = Subscribe(
        topic="#",
        where=(Condition(field="price", operator="<", value=40), Condition(field="colour", operator="=", value="red")),
        sender="a",
    )
    broker = PublishSubscribe(id="broker", agents=[Reader(id="a")], subscriptions=[cheap_and_red])

    def heard(**facts: JsonValue) -> bool:
        end = outcome(broker, Publish(topic="chairs", facts=facts, sender="press", receiver="broker"))
        assert isinstance(end, Published)
        return bool(end.heard)

    assert heard(price=30, colour="red")
    assert not heard(price=50, colour="red")
    assert not heard(price=30)


levels = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=4).map("/".join)


@given(levels, st.data())
def test_a_topic_fits_itself_and_whatever_of_it_is_left_open(topic: str, data: st.DataObject) -> None:
    parts = topic.split("/")
    opened = [data.draw(st.sampled_from([part, "+"])) for part in parts]
    cut = data.draw(st.integers(0, len(parts)))

    assert fits(topic, topic)
    assert fits("/".join(opened), topic)
    assert fits("/".join([*opened[:cut], "#"]), topic)
    assert not fits("/".join([*opened, "+"]), topic)


@given(
    st.sampled_from(["<", "<=", ">", ">=", "=", "!="]),
    st.integers(-3, 3) | st.sampled_from("ab"),
    st.none() | st.integers(-3, 3) | st.sampled_from("ab") | st.booleans(),
)
def test_an_order_and_its_contrary_never_both_hold(operator: Operator, found: JsonValue, value: JsonValue) -> None:
    contraries: dict[Operator, Operator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}

    one = Condition(field="x", operator=operator, value=value).holds({"x": found})
    other = Condition(field="x", operator=contraries[operator], value=value).holds({"x": found})

    assert not (one and other)
    if operator in ("=", "!=") or (type(found) is type(value) and not isinstance(found, bool)):
        assert one or other
