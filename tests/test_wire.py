"""The wire: what goes over it comes back as it was, and what does not belong there comes to nothing."""

import gc
import json
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Literal
from uuid import UUID

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, Json, JsonValue, computed_field, model_validator

from llm_net import GenAgent, GenNetwork, Message
from llm_net.address import Address, Reference
from llm_net.errors import WireError
from llm_net.wire import ANCESTORS, LIMIT, NESTING, Elsewhere, Format, Line, decode, encode, kind_of

both_formats = pytest.mark.parametrize("format", ["json", "msgpack"])
formats = st.sampled_from(["json", "msgpack"])


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Item(BaseModel):
    name: str
    price: Decimal
    parts: list["Item"] = []


@dataclass(frozen=True)
class Point:
    x: float
    y: float


class Offer(Message):
    "Everything that a field may hold"

    count: int = 0
    share: float = 0.0
    price: Decimal = Decimal(0)
    colour: Colour = Colour.RED
    item: Item | None = None
    day: date | None = None
    moment: datetime | None = None
    span: timedelta = timedelta()
    raw: bytes = b""
    pair: tuple[int, str] = (0, "")
    names: frozenset[str] = frozenset()
    numbered: dict[int, list[bool]] = Field(default={})
    unique: UUID | None = None
    at: Point | None = None
    size: Literal["s", "l"] = "s"
    text: Json[list[int]] = Field(default=[])


class LastOffer(Offer):
    because: str


class VeryLastOffer(LastOffer):
    until: date


class Bid(Message):
    amount: int


class Award(Message):
    bid: Bid
    to: Address


class Bob(GenAgent):
    pass


def same(one: Message, other: Message) -> bool:
    """Equal, class and field by field; NaN is NaN, and a thread is told by the ids in it."""

    def values(message: Message) -> dict[str, object]:
        fields = dict(message.__dict__)
        fields["reply_to"] = None if message.reply_to is None else message.reply_to.id
        return {name: repr(value) if value != value else value for name, value in fields.items()}  # noqa: PLR0124

    return type(one) is type(other) and values(one) == values(other)


def envelope(**fields: object) -> dict[str, Any]:
    """A document of one plain message, as an attacker begins with it."""
    message = {"id": "1", "created_at": "2026-01-01T00:00:00Z", **fields}
    return {"v": 1, "thread": [{"kind": "llm_net.message:Message", "fields": message}]}


def of_kind(kind: object, **fields: object) -> dict[str, Any]:
    document = envelope(**fields)
    document["thread"][0]["kind"] = kind
    return document


def nested(depth: int, value: JsonValue = 0) -> JsonValue:
    for _ in range(depth):
        value = {"a": value}
    return value


# ------------------------------------------------------------------------------------------------ there and back

texts = st.text(max_size=20)
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=zones).filter(lambda moment: 1 < moment.year < 9999)  # any zone may show them
decimals = st.decimals(allow_nan=False, allow_infinity=False)
items = st.recursive(
    st.builds(Item, name=texts, price=decimals),
    lambda inner: st.builds(Item, name=texts, price=decimals, parts=st.lists(inner, max_size=3)),
    max_leaves=5,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
contents: dict[str, st.SearchStrategy[Any]] = {
    "body": texts,
    "sender": st.none() | st.text(min_size=1, max_size=9),
    "receiver": st.none() | st.text(min_size=1, max_size=9),
    "created_at": moments,
    "deadline": st.none() | moments,
    "role": st.sampled_from(["system", "user", "assistant"]),
    "protocol": st.none() | texts,
    "metadata": st.dictionaries(texts, json_values, max_size=3),
    "count": st.integers(-(2**63), 2**64 - 1),
    "share": st.floats(),
    "price": decimals,
    "colour": st.sampled_from(Colour),
    "item": st.none() | items,
    "day": st.dates(),
    "moment": moments,
    "span": st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
    "raw": st.binary(max_size=20),
    "pair": st.tuples(st.integers(-9, 9), texts),
    "names": st.frozensets(texts, max_size=3),
    "numbered": st.dictionaries(st.integers(-99, 99), st.lists(st.booleans(), max_size=2), max_size=3),
    "unique": st.uuids(),
    "at": st.builds(Point, st.floats(allow_nan=False), st.floats(allow_nan=False)),
    "size": st.sampled_from(["s", "l"]),
    "text": st.lists(st.integers(0, 9), max_size=3).map(json.dumps),
}
offers = st.fixed_dictionaries({}, optional=contents).map(lambda fields: Offer(**fields))


@given(offers, formats)
@example(Offer(share=float("inf"), raw=b"\xff\x00", span=timedelta(microseconds=-1)), "json")
def test_a_message_comes_back_as_it_was(offer: Offer, format: Format) -> None:
    assert same(decode(encode(offer, format=format), format=format), offer)


@given(st.dates(), texts, formats)
def test_a_subclass_of_a_subclass_comes_back_as_itself(day: date, because: str, format: Format) -> None:
    offer = VeryLastOffer(until=day, because=because, price=Decimal("1.10"))

    assert same(decode(encode(offer, format=format), format=format), offer)


@both_formats
def test_trusted_replies_come_back_like_validated_ones(format: Format) -> None:
    asked = Message(sender="anna", receiver="bob", protocol="chat")
    reply = Offer.reply(asked, body="yes")

    back = decode(encode(reply, format=format), format=format)

    assert same(back, reply)
    assert back.reply_to is not None
    assert same(back.reply_to, asked)


@both_formats
def test_a_class_that_is_strict_comes_back_too(format: Format) -> None:
    class Strict(Message):
        model_config = ConfigDict(strict=True)
        day: date
        price: Decimal
        pair: tuple[int, ...]

    strict = Strict(day=date(2026, 1, 1), price=Decimal("1.5"), pair=(1, 2))

    assert same(decode(encode(strict, format=format), format=format), strict)
    data = encode(strict, format="json").replace(b"[1,2]", b'["1",2]')
    with pytest.raises(WireError, match="pair"):
        decode(data)


def test_fields_travel_under_their_own_names() -> None:
    class Aliased(Message):
        number: int = Field(alias="no")

    assert json.loads(encode(Aliased(no=1)))["thread"][0]["fields"]["number"] == 1
    assert same(decode(encode(Aliased(no=1))), Aliased(no=1, id="x")) is False
    assert decode(encode(Aliased(no=1))).content() == {"number": 1}


def test_what_is_computed_does_not_travel() -> None:
    class Square(Message):
        side: int

        @computed_field  # type: ignore[prop-decorator]  # mypy does not support it on properties
        @property
        def area(self) -> int:
            return self.side**2

    assert b"area" not in encode(Square(side=3))
    assert decode(encode(Square(side=3))).content() == {"side": 3}


def test_a_message_in_a_field_comes_back_with_its_thread() -> None:
    call = Message(method="call_for_bids", sender="anna")
    bid = Bid.reply(call, amount=3)
    award = Award.reply(bid, bid=bid, to="bob")

    back = decode(encode(award))

    assert isinstance(back, Award)
    assert same(back.bid, bid)
    assert back.bid.reply_to is back.root


@given(st.text(st.characters(), max_size=20), formats)
@example("a\ud800b", "json")
@example("\udfff", "msgpack")
@example("\ud83d\ude00", "json")
def test_lone_surrogates_become_replacement_characters(text: str, format: Format) -> None:
    message = Message(body=text, metadata={"a name": [text]})

    back = decode(encode(message, format=format), format=format)

    assert back.body == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert back.metadata == {"a name": [back.body]}


def test_a_name_that_is_a_lone_surrogate_becomes_replacement_characters() -> None:
    assert set("".join(decode(encode(Message(metadata={"\ud800": 1}))).metadata)) == {"\ufffd"}


def test_infinities_survive_beside_a_lone_surrogate() -> None:
    back = decode(encode(Offer(body="\ud800", share=float("-inf"), raw=b"\xff")))

    assert isinstance(back, Offer)
    assert (back.body, back.share, back.raw) == ("\ufffd", float("-inf"), b"\xff")


def test_any_json_may_be_written_with_spaces_and_escapes() -> None:
    document = envelope(body="größer", metadata={"x": 1.50})

    back = decode(json.dumps(document, indent=2).encode())

    assert back.body == "größer"
    assert back.metadata == {"x": 1.5}


# ------------------------------------------------------------------------------------------------ agents


def test_agents_cross_as_addresses_and_are_found_in_the_directory() -> None:
    anna, bob = Bob(id="anna"), Bob(id="bob")
    network = GenNetwork(id="market", agents=[GenNetwork(id="sellers", agents=[anna]), bob])
    award = Award(bid=Bid(amount=1, sender=anna), to=anna, sender=bob, receiver=anna)

    data = encode(award, address=network.address_of)
    back = decode(data, directory=network)

    assert json.loads(data)["thread"][0]["fields"]["to"] == "sellers/anna"
    assert isinstance(back, Award)
    assert (back.sender, back.receiver, back.to, back.bid.sender) == (bob, anna, anna, anna)
    assert back.receiver is anna
    assert back.bid.sender is anna


def test_whoever_is_not_in_the_directory_is_a_reference() -> None:
    anna = Bob(id="anna")
    message = decode(encode(Message(sender="anna", receiver="nobody")), directory={"anna": anna})

    assert message.sender is anna
    assert isinstance(message.receiver, Reference)
    assert message.receiver.id == "nobody"


def test_without_a_directory_everybody_is_a_reference() -> None:
    assert isinstance(decode(encode(Message(sender=Bob(id="b")))).sender, Reference)


def test_a_long_address_is_refused_before_anybody_searches() -> None:
    class Nowhere:
        def __getitem__(self, address: str) -> Bob:
            raise AssertionError("searched")

    with pytest.raises(WireError, match="receiver"):
        decode(json.dumps(envelope(receiver="x" * 1_001)).encode(), directory=Nowhere())


def test_an_agent_in_a_field_is_refused_with_the_cure() -> None:
    class Introduction(Message):
        friend: Bob

    with pytest.raises(WireError, match="declare that field as `Address`"):
        encode(Introduction(friend=Bob(id="bob")))


def test_what_a_subclass_adds_in_a_field_is_not_lost_in_silence() -> None:
    class Delegation(Message):
        tasks: list[Message]

    assert encode(Delegation(tasks=[Message()]))
    with pytest.raises(WireError, match="a Delegation holds a Bid, which its fields do not declare"):
        encode(Delegation(tasks=[Message(), Bid(amount=1)]))


# ------------------------------------------------------------------------------------------------ threads


def conversation(length: int) -> Message:
    message = Message(sender="anna", receiver="bob")
    for _ in range(length - 1):
        message = message.reply()
    return message


def ids(message: Message) -> list[str]:
    return [each.id for each in message.thread()]


@both_formats
@given(length=st.integers(1, 30), ancestors=st.none() | st.integers(0, 30))
def test_a_message_takes_the_nearest_part_of_its_thread_along(
    format: Format, length: int, ancestors: int | None
) -> None:
    last = conversation(length)

    back = decode(encode(last, format=format, ancestors=ancestors), format=format)

    known = length if ancestors is None else min(ancestors + 1, length)
    assert ids(back)[-known:] == ids(last)[-known:]
    assert [type(message) is Elsewhere for message in back.thread()] == [True] * (known < length) + [False] * known


def test_the_default_is_finite() -> None:
    assert len(decode(encode(conversation(100))).thread()) == ANCESTORS + 2


def test_a_message_left_behind_is_marked_and_keeps_its_id() -> None:
    last = conversation(2)

    left_behind = decode(encode(last, ancestors=0)).reply_to

    assert isinstance(left_behind, Elsewhere)
    assert left_behind == last.reply_to
    assert left_behind.reply_to is None


def test_what_was_left_behind_once_stays_so() -> None:
    last = conversation(3)

    again = decode(encode(decode(encode(last, ancestors=1))))

    assert ids(again) == ids(last)
    assert isinstance(again.root, Elsewhere)


def test_a_thread_of_100_000_crosses_without_recursion() -> None:
    last = conversation(100_000)

    back = decode(encode(last, ancestors=None, limit=10**8), limit=10**8)

    assert ids(back) == ids(last)


def test_ancestors_that_do_not_fit_are_left_behind() -> None:
    first = Message(body="x" * 5_000)
    last = first.reply(body="y" * 5_000).reply(body="z" * 5_000)

    back = decode(encode(last, limit=11_000), limit=11_000)

    assert [type(message) for message in back.thread()] == [Elsewhere, Message, Message]


def test_an_ancestor_that_cannot_be_written_is_left_behind() -> None:
    class Introduction(Message):
        friend: Bob

    last = Introduction(friend=Bob(id="bob")).reply(body="nice to meet you")

    assert isinstance(decode(encode(last)).reply_to, Elsewhere)
    with pytest.raises(WireError, match="declare that field as `Address`"):
        encode(last, ancestors=None)


def test_a_message_may_have_a_length_of_its_own() -> None:
    class Batch(Message):
        def __len__(self) -> int:
            return 0

    here, there = Line(), Line()
    batch = Batch()
    there.decode(here.encode(batch))

    assert len(json.loads(here.encode(batch.reply()))["thread"]) == 1
    assert type(decode(encode(batch.reply())).reply_to) is Batch


def test_a_whole_thread_that_does_not_fit_is_refused() -> None:
    last = Message(body="x" * 5_000).reply(body="y" * 5_000)

    with pytest.raises(WireError, match="its whole thread is longer than 6000 bytes"):
        encode(last, ancestors=None, limit=6_000)


@both_formats
@given(st.integers(0, 400))
def test_what_is_written_is_never_longer_than_the_limit(format: Format, length: int) -> None:
    try:
        data = encode(Message(body="x" * length).reply(body="y" * length).reply(), format=format, limit=600)
    except WireError:
        return
    assert len(data) <= 600
    decode(data, format=format, limit=600)


# ------------------------------------------------------------------------------------------------ lines


@both_formats
def test_over_a_line_each_message_crosses_once(format: Format) -> None:
    here, there = Line(format=format), Line(format=format)
    sizes = []
    message = Message(body="x" * 100, sender="anna", receiver="bob")

    for _ in range(50):
        data = here.encode(message)
        sizes.append(len(data))
        assert ids(there.decode(data)) == ids(message)
        message = message.reply(body="x" * 100)

    assert max(sizes) - min(sizes) < 50


def test_an_answer_over_a_line_is_tied_to_the_very_question() -> None:
    here, there = Line(), Line()
    question = Message(sender="anna", receiver="bob")

    heard = there.decode(here.encode(question))
    data = there.encode(heard.reply(body="yes"))
    answer = here.decode(data)

    assert answer.reply_to is question
    assert len(json.loads(data)["thread"]) == 1


def test_both_ways_of_a_line_go_on_at_once() -> None:
    here, there = Line(memory=8), Line(memory=8)
    question = Message(sender="anna", receiver="bob")
    heard = there.decode(here.encode(question))
    answer = there.encode(heard.reply())

    under_way = [here.encode(question.reply(body=str(number))) for number in range(8)]
    back = here.decode(answer)

    assert back.reply_to is question
    assert [there.decode(data).reply_to for data in under_way] == [heard] * 8


def test_what_a_line_has_forgotten_crosses_again() -> None:
    here, there = Line(memory=2), Line(memory=2)
    question = Message(sender="anna", receiver="bob")
    there.decode(here.encode(question))
    for _ in range(5):
        there.decode(here.encode(Message()))

    answer = there.decode(here.encode(question.reply()))

    assert answer.reply_to is not None
    assert same(answer.reply_to, question)


def test_a_line_that_lost_a_message_marks_the_gap_and_goes_on() -> None:
    here, there = Line(), Line()
    question = Message(sender="anna", receiver="bob")
    here.encode(question)

    answer = there.decode(here.encode(question.reply()))

    assert isinstance(answer.reply_to, Elsewhere)
    assert answer.reply_to == question


def test_a_message_that_a_line_refuses_is_not_thought_to_have_crossed() -> None:
    here, there = Line(limit=1_000), Line(limit=1_000)
    message = Message(body="x" * 2_000)
    with pytest.raises(WireError, match="it is longer than 1000 bytes"):
        here.encode(message)

    answer = there.decode(here.encode(message.reply()))

    assert isinstance(answer.reply_to, Elsewhere)


def test_a_line_remembers_no_more_than_it_was_told_to() -> None:
    here, there = Line(memory=10, ancestors=0), Line(memory=10)
    crossed: list[weakref.ref[Message]] = []

    for _ in range(100):
        message = Message()
        crossed += [weakref.ref(message), weakref.ref(there.decode(here.encode(message)))]
        del message

    gc.collect()
    assert sum(message() is not None for message in crossed) == 30  # 20 sent, 10 received


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10)), max_size=60),
    st.integers(1, 5),
    st.none() | st.integers(0, 3),
)
def test_whatever_crosses_a_line_arrives_as_it_was(
    steps: list[tuple[bool, int]], memory: int, ancestors: int | None
) -> None:
    ends = [Line(memory=memory, ancestors=ancestors) for _ in range(2)]
    root = Message()
    known: list[list[Message]] = [[root], [root]]

    for forwards, choice in steps:
        here, there = (0, 1) if forwards else (1, 0)
        sent = known[here][choice % len(known[here])].reply(body=str(choice))
        got = ends[there].decode(ends[here].encode(sent))
        assert same(got, sent)
        for one, other in zip(reversed(got.thread()), reversed(sent.thread()), strict=False):
            assert isinstance(one, Elsewhere) or isinstance(other, Elsewhere) or same(one, other)
        if ancestors is None:
            assert ids(got) == ids(sent)
        known[here].append(sent)
        known[there].append(got)


# ------------------------------------------------------------------------------------------------ kinds


def test_a_class_that_is_defined_late_is_found() -> None:
    with pytest.raises(WireError, match="unknown here"):
        decode(json.dumps(of_kind("tests.late:Late")).encode())

    late = type("Late", (Message,), {"__module__": "tests.late", "__qualname__": "Late"})

    assert type(decode(json.dumps(of_kind("tests.late:Late")).encode())) is late


def test_two_classes_of_one_name_in_two_modules_never_mix() -> None:
    one = type("Twin", (Message,), {"__module__": "tests.one", "__qualname__": "Twin"})
    other = type("Twin", (Message,), {"__module__": "tests.other", "__qualname__": "Twin"})

    assert type(decode(encode(one()))) is one
    assert type(decode(encode(other()))) is other


def test_of_two_classes_of_the_very_same_name_the_younger_counts_and_the_elder_says_so() -> None:
    elder = type("Same", (Message,), {"__module__": "tests.same", "__qualname__": "Same"})
    younger = type("Same", (Message,), {"__module__": "tests.same", "__qualname__": "Same"})

    assert type(decode(encode(younger()))) is younger
    with pytest.raises(WireError, match=r"two classes are called tests\.same:Same"):
        encode(elder())


def test_a_class_that_is_gone_is_unknown() -> None:
    name = kind_of(type("Gone", (Message,), {"__module__": "tests.gone"}))
    gc.collect()

    with pytest.raises(WireError, match="unknown here"):
        decode(json.dumps(of_kind(name)).encode())


def test_only_kinds_that_are_let_in_come_in() -> None:
    bid = Bid.reply(Message(), amount=1)

    assert isinstance(decode(encode(bid), kinds={Bid, Message}), Bid)
    with pytest.raises(WireError, match="are not let in here"):
        decode(encode(bid), kinds={Bid})
    with pytest.raises(WireError, match="are not let in here"):
        decode(encode(Offer()), kinds={Bid, Message})


def test_a_script_is_main_in_every_process_that_it_starts() -> None:
    parent = type("Task", (Message,), {"__module__": "__main__"})
    child = type("Task", (Message,), {"__module__": "__mp_main__"})

    assert kind_of(parent) == kind_of(child) == "__main__:Task"


def test_msgpack_is_imported_only_when_it_is_used() -> None:
    program = "import sys, llm_net.wire as w; w.decode(w.encode(w.Message())); print('msgpack' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )


# ------------------------------------------------------------------------------------------------ hostile bytes


def packed(value: object) -> bytes:
    data = msgpack.packb(value)
    assert isinstance(data, bytes)
    return data


GOOD = encode(Bid(id="1", amount=1, created_at=datetime(2026, 1, 1, tzinfo=UTC)))
THREAD = encode(Message(id="1").reply(body="x"))


def changed(change: Callable[[dict[str, Any]], object], data: bytes = GOOD) -> bytes:
    document = json.loads(data)
    change(document)
    return json.dumps(document).encode()


def filled(**fields: object) -> bytes:
    return changed(lambda d: d["thread"][0]["fields"].update(fields))


FOREIGN_KINDS: list[object] = [
    "", "Bid", ":", "llm_net.message", "llm_net.message:", ":Message", "llm_net.message:message",
    "llm_net.message:Message.reply", "llm_net.message:Message.__class__", "llm_net.message:BaseModel",
    "llm_net.base:GenAgent", "builtins:eval", "os:system", "os:environ", "subprocess:Popen", "pickle:loads",
    "antigravity:x", "this:x", "../../etc/passwd", "llm_net.message:Message; DROP TABLE msg", "__main__:__builtins__",
    None, 1, True, ["llm_net.message:Message"], {"lc": 1, "type": "constructor"}, "x" * 100_000, "\x00",
]  # fmt: skip

HOSTILE_JSON: dict[str, bytes] = {
    # no message at all
    "nothing": b"",
    "spaces": b"   ",
    "null": b"null",
    "a number": b"1",
    "a string": b'"message"',
    "a list": b"[]",
    "an empty object": b"{}",
    "text": b"hello",
    "half a message": GOOD[:-5],
    "a message and more": GOOD + GOOD,
    "a message and a comma": GOOD + b",",
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "invalid UTF-8": GOOD.replace(b'"body":""', b'"body":"\xff"'),
    "overlong UTF-8": GOOD.replace(b'"body":""', b'"body":"\xc0\xaf"'),
    "UTF-8 of a surrogate": GOOD.replace(b'"body":""', b'"body":"\xed\xa0\x80"'),
    "a lone surrogate": GOOD.replace(b'"body":""', b'"body":"\\ud800"'),
    "a lone surrogate as a name": GOOD.replace(b'"metadata":{}', b'"metadata":{"\\udfff":1}'),
    "a raw NUL": GOOD.replace(b'"body":""', b'"body":"\x00"'),
    "single quotes": GOOD.replace(b'"', b"'"),
    "a comment": GOOD.replace(b'"body":""', b'"body":""/*x*/'),
    "a trailing comma": GOOD.replace(b'"metadata":{}', b'"metadata":{},'),
    "a pickle": pickle.dumps(GOOD),
    "a pickle of protocol 0": pickle.dumps(Fraction(1, 3), protocol=0),
    "msgpack": packed(json.loads(GOOD)),
    "YAML that runs": b"!!python/object/apply:os.system ['true']",
    "XML": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    # names and numbers that JSON does not have, or has once
    "NaN": GOOD.replace(b'"amount":1', b'"amount":NaN'),
    "NaN in metadata": GOOD.replace(b'"metadata":{}', b'"metadata":{"x":NaN}'),
    "infinity": GOOD.replace(b'"metadata":{}', b'"metadata":{"x":-Infinity}'),
    "a number beyond infinity": GOOD.replace(b'"metadata":{}', b'"metadata":{"x":1e999}'),
    "an endless integer": GOOD.replace(b'"amount":1', b'"amount":' + b"9" * 100_000),
    "one name twice": GOOD.replace(b'"amount":1', b'"amount":1,"amount":2'),
    "one name twice, deep inside": GOOD.replace(b'"metadata":{}', b'"metadata":{"x":{"y":1,"y":1}}'),
    "two versions": GOOD.replace(b'"v":1', b'"v":1,"v":1'),
    # too much
    "10 MB": GOOD.replace(b'"body":""', b'"body":"' + b"x" * 10_000_000 + b'"'),
    "10,000 levels of objects": GOOD.replace(b"{}", b'{"a":' * 10_000 + b"0" + b"}" * 10_000),
    "10,000 levels of arrays": GOOD.replace(b"{}", b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "1,000,000 open brackets": b"[" * 1_000_000,
    "1,000,000 open objects": b'{"a":' * 1_000_000,
    # the envelope
    "no version": changed(lambda d: d.pop("v")),
    "a version of 0": changed(lambda d: d.update(v=0)),
    "a version of -1": changed(lambda d: d.update(v=-1)),
    "a newer version": changed(lambda d: d.update(v=2)),
    "a true version": changed(lambda d: d.update(v=True)),
    "a version in words": changed(lambda d: d.update(v="1")),
    "a fractional version": GOOD.replace(b'"v":1', b'"v":1.0'),
    "more than the envelope": changed(lambda d: d.update(extra=1)),
    "no thread": changed(lambda d: d.pop("thread")),
    "an empty thread": changed(lambda d: d.update(thread=[])),
    "a thread that is an object": changed(lambda d: d.update(thread={"0": d["thread"][0]})),
    "a thread of strings": changed(lambda d: d.update(thread=["x"])),
    "no kind": changed(lambda d: d["thread"][0].pop("kind")),
    "no fields": changed(lambda d: d["thread"][0].pop("fields")),
    "fields that are a list": changed(lambda d: d["thread"][0].update(fields=[])),
    "more than kind and fields": changed(lambda d: d["thread"][0].update(code="x")),
    # the kind
    **{f"the kind {kind!r:.40}": json.dumps(of_kind(kind)).encode() for kind in FOREIGN_KINDS},
    # the fields
    "an extra field": filled(extra=1),
    "a field of private Python": filled(__class__="x"),
    "a field of pydantic": filled(__pydantic_private__={}),
    "a field that is a method": filled(thread=[]),
    "a missing field": changed(lambda d: d["thread"][0]["fields"].pop("amount")),
    "no id": changed(lambda d: d["thread"][0]["fields"].pop("id")),
    "no time": changed(lambda d: d["thread"][0]["fields"].pop("created_at")),
    "an empty id": filled(id=""),
    "an id that is a number": filled(id=1),
    "an id that is null": filled(id=None),
    "an id that is a list": filled(id=[]),
    "words for a number": filled(amount="three"),
    "an object for a number": filled(amount={"$gt": 0}),
    "half a unit": filled(amount=1.5),
    "a number for words": filled(body=1),
    "an object for words": filled(body={"lc": 1}),
    "a time without a zone": filled(created_at="2026-01-01T00:00:00"),
    "no such day": filled(created_at="2026-02-30T00:00:00Z"),
    "no such role": filled(role="root"),
    "an empty method": filled(method=""),
    "a method that is a list": filled(method=["step"]),
    "an empty address": filled(receiver=""),
    "an address that is an object": filled(receiver={"id": "anna"}),
    "an endless address": filled(sender="a/" * 100_000),
    "metadata that is a list": filled(metadata=[]),
    # the thread
    "an answer to an object": filled(reply_to={"id": "1"}),
    "an answer to a number": filled(reply_to=1),
    "an answer to the empty id": filled(reply_to=""),
    "a message twice": changed(lambda d: d["thread"].append(d["thread"][0])),
    "an answer to another": changed(lambda d: d["thread"][1]["fields"].update(reply_to="2"), THREAD),
    "an answer to nobody": changed(lambda d: d["thread"][1]["fields"].update(reply_to=None), THREAD),
    "a thread the wrong way round": changed(lambda d: d["thread"].reverse(), THREAD),
    "a ring": changed(lambda d: [record["fields"].update(id="1", reply_to="1") for record in d["thread"]], THREAD),
}  # fmt: skip

METADATA = packed(envelope(metadata={"k": 0}))

HOSTILE_MSGPACK: dict[str, bytes] = {
    "nothing": b"",
    "JSON": GOOD,
    "nil": packed(None),
    "half a message": packed(json.loads(GOOD))[:-5],
    "a message and more": packed(json.loads(GOOD)) * 2,
    "a byte that is never used": b"\xc1",
    "a pickle": pickle.dumps(GOOD),
    "an extension type": packed(envelope(body=msgpack.ExtType(5, b"os.system"))),
    "an extension type as the document": packed(msgpack.ExtType(0, b"x")),
    "a timestamp": packed(envelope(created_at=msgpack.Timestamp(0))),
    "bytes for a field": packed(envelope(body=b"x")),
    "bytes as a name": packed(envelope(metadata={b"x": 1})),
    "a number as a name": packed(envelope(metadata={1: 1})),
    "nil as a name": packed(envelope(metadata={None: 1})),
    "a list as a name": b"\x81\x91\x01\x01",
    "an object as a name": b"\x81\x80\x01",
    "one name twice": b"\x82\xa1v\x01\xa1v\x01",
    "one name twice, deep inside": METADATA.replace(b"\x81\xa1k\x00", b"\x82\xa1k\x00\xa1k\x00"),
    "NaN": packed(envelope(metadata={"x": float("nan")})),
    "infinity": packed(envelope(metadata={"x": float("inf")})),
    "invalid UTF-8": packed(envelope(body="xx")).replace(b"\xa2xx", b"\xa2\xff\xff"),
    "UTF-8 of a surrogate": packed(envelope(body="xxx")).replace(b"\xa3xxx", b"\xa3\xed\xa0\x80"),
    "10,000 levels of objects": b"\x81\xa1a" * 10_000 + b"\x00",
    "10,000 levels of arrays": b"\x91" * 10_000 + b"\x00",
    "500 levels of metadata": METADATA.replace(b"\x81\xa1k\x00", b"\x81\xa1k" * 500 + b"\x00"),
    "an array of 4,294,967,295": b"\xdd\xff\xff\xff\xff",
    "an object of 4,294,967,295": b"\xdf\xff\xff\xff\xff",
    "a string of 4,294,967,295": b"\xdb\xff\xff\xff\xff",
    "10 MB": packed(envelope(body="x" * 10_000_000)),
    "a newer version": packed({**envelope(), "v": 2}),
    "an unknown kind": packed(of_kind("os:system")),
    "an extra field": packed(envelope(extra=1)),
    "a wrong type": packed(envelope(body=1)),
}  # fmt: skip


EVENTS = {"import", "open", "exec", "compile", "os.system", "subprocess.Popen", "socket.connect", "pickle.find_class"}


class Watch:
    """Every import, opened file, run code and started process in a block. Audit hooks cannot be taken off again."""

    seen: list[str] | None = None

    def __enter__(self) -> list[str]:
        Watch.seen = []
        return Watch.seen

    def __exit__(self, *error: object) -> None:
        Watch.seen = None


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if Watch.seen is not None and event in EVENTS:
        Watch.seen.append(f"{event} {arguments[:1]}")


sys.addaudithook(_hear)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in HOSTILE_JSON.items()])
def test_hostile_json_is_one_clear_error(data: bytes) -> None:
    with Watch() as seen, pytest.raises(WireError) as refused:
        decode(data)

    assert seen == []
    assert str(refused.value).startswith("not a message: ")
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in HOSTILE_MSGPACK.items()])
def test_hostile_msgpack_is_one_clear_error(data: bytes) -> None:
    decode(encode(Message(), format="msgpack"), format="msgpack")  # now it is imported

    with Watch() as seen, pytest.raises(WireError) as refused:
        decode(data, format="msgpack")

    assert seen == []
    assert len(str(refused.value)) < 1_000


@given(st.binary(max_size=200), formats)
def test_random_bytes_are_one_clear_error(data: bytes, format: Format) -> None:
    with pytest.raises(WireError):
        decode(data, format=format)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_wrong_byte_makes_a_message_or_one_clear_error(place: int, byte: int) -> None:
    data = GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    with suppress(WireError):
        assert isinstance(decode(data), Message)


@given(json_values)
def test_any_json_in_place_of_anything_makes_a_message_or_one_clear_error(value: object) -> None:
    for change in (
        lambda d: d.update(v=value),
        lambda d: d.update(thread=value),
        lambda d: d.update(thread=[value]),
        lambda d: d["thread"][0].update(kind=value),
        lambda d: d["thread"][0].update(fields=value),
        *(lambda d, name=name: d["thread"][0]["fields"].update({name: value}) for name in Bid.model_fields),
    ):
        with suppress(WireError):
            assert isinstance(decode(changed(change)), Message)


def test_a_newer_version_is_refused_with_the_cure() -> None:
    with pytest.raises(WireError, match="written in version 7 of the form, this llm_net reads 1; upgrade it here"):
        decode(changed(lambda d: d.update(v=7, news="whatever else it may bring")))


def test_the_size_is_looked_at_first() -> None:
    with pytest.raises(WireError, match="more than the 10 allowed"):
        decode(b"\xff" * 11, limit=10)
    assert decode(GOOD, limit=len(GOOD)) == Bid(id="1", amount=1)
    assert LIMIT < 10_000_000


def test_a_validator_that_stumbles_over_hostile_values_is_one_clear_error() -> None:
    class Ratio(Message):
        over: int = 1
        under: int = 1

        @model_validator(mode="after")
        def _positive(self) -> "Ratio":
            assert self.over // self.under >= 0
            return self

    with pytest.raises(WireError, match="ZeroDivisionError"):
        decode(encode(Ratio()).replace(b'"under":1', b'"under":0'))


def test_a_validator_sees_the_message_that_is_answered() -> None:
    class Acceptance(Message):
        @model_validator(mode="after")
        def _answers_a_bid(self) -> "Acceptance":
            assert isinstance(self.reply_to, Bid), "accept a bid"
            return self

    accepted = Acceptance.reply(Bid(amount=1))

    assert same(decode(encode(accepted)), accepted)
    with pytest.raises(WireError, match="accept a bid"):
        decode(encode(accepted, ancestors=0))


# ---------------------------------------------------------------------------------------------- what cannot be written


@both_formats
@given(depth=st.integers(150, 240))
def test_what_can_be_written_can_be_read(format: Format, depth: int) -> None:
    message = Message(metadata={"x": nested(depth)})

    if depth > NESTING - 5:  # the document has four levels, metadata is the fifth
        with pytest.raises(WireError, match="nested deeper than 200 levels"):
            encode(message, format=format)
    else:
        assert decode(encode(message, format=format), format=format).metadata == message.metadata


def test_brackets_in_words_are_not_levels() -> None:
    assert decode(encode(Message(body="[{" * 10_000))).body == "[{" * 10_000


def test_an_integer_beyond_msgpack_is_refused_with_the_cure() -> None:
    assert decode(encode(Bid(amount=2**70))).content() == {"amount": 2**70}
    with pytest.raises(WireError, match="more than 64 bits; send it as JSON"):
        encode(Bid(amount=2**70), format="msgpack")


def test_what_is_too_long_is_refused_where_it_is_sent() -> None:
    with pytest.raises(WireError, match="it is longer than 8388608 bytes"):
        encode(Message(body="x" * 10_000_000))


def test_what_json_cannot_say_is_refused_where_it_is_sent() -> None:
    class Model(BaseModel):
        raw: bytes

    class Holder(Message):
        model: Model

    with pytest.raises(WireError, match="Holder cannot be written"):
        encode(Holder(model=Model(raw=b"\xff")))
