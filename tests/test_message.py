"""Messages: their fields, their replies, their threads, and how models write them."""

import copy
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from llm_net import AbstractObject, GenAgent, GenNetwork, Message, Method, Role
from llm_net.address import Address, Reference
from llm_net.errors import InvalidArguments, UnknownAddress
from llm_net.message import fields_of, stamp

# ------------------------------------------------------------------------------------------------ messages to try


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    "One position"

    article: str = Field(min_length=1)
    pieces: int = Field(default=1, ge=1, le=100)


class Order(Message):
    """Order goods
    from a seller."""

    lines: list[Line]
    colour: Colour = Colour.RED
    size: Literal["s", "l"] = "s"
    until: date | None = None
    price: Decimal | None = Field(default=None, description="At most so much")
    hint: str | int = "none"


class CallForBids(Message):
    pass


class HTTPRequest2(Message):
    pass


class Hidden(CallForBids):
    _note: str = PrivateAttr("private")


class Checked(Message):
    amount: int = 1

    @field_validator("amount")
    @classmethod
    def _positive(cls, amount: int) -> int:
        if amount < 0:
            raise ValueError("must not be negative")
        return amount


class Named(Message):
    method: str = "call_me_this"


class Plain(Message):
    a: int = 1
    b: float = 2.0
    c: str = "c"
    d: Decimal = Decimal("1.5")
    e: date = date(2026, 1, 1)
    f: timedelta = timedelta(1)
    g: Colour = Colour.BLUE
    h: str | None = None


class Listed(Message):
    names: list[str] = Field(default_factory=list)


class Free(Message):
    data: dict[str, Any] = Field(default={})
    pair: tuple[int, str] = (1, "")


class Recursive(Message):
    "A tree of words"

    word: str
    branches: list["Recursive"] = Field(default=[])


class Kept(Message):
    role: Role = "system"
    to: Address | None = None


KINDS: list[type[Message]] = [
    Message, Order, CallForBids, HTTPRequest2, Hidden, Checked, Named, Plain, Listed, Free, Recursive, Kept,
]  # fmt: skip
each_kind = pytest.mark.parametrize("kind", KINDS)
NEEDED: dict[type[Message], dict[str, Any]] = {Order: {"lines": [Line(article="tea")]}, Recursive: {"word": "root"}}


class Anna(GenAgent):
    role: Role = "system"


# ------------------------------------------------------------------------------------------------ fields


def test_a_message_needs_nothing() -> None:
    before = datetime.now(UTC)

    message = Message()

    assert before <= message.created_at <= datetime.now(UTC)
    assert message.created_at.tzinfo is UTC
    assert (message.method, message.role, message.body) == ("request", "user", "")
    assert (message.sender, message.receiver, message.reply_to, message.deadline) == (None, None, None, None)
    assert message.conversation == message.id
    assert message.metadata == {}


def test_no_two_messages_have_one_id() -> None:
    assert len({Message().id for _ in range(10_000)}) == 10_000


def test_the_verbs_of_the_brief_are_curated() -> None:
    verbs = set(get_args(Method))

    assert verbs >= {
        "ask",
        "be",
        "chat",
        "check",
        "do",
        "error",
        "info",
        "inform",
        "log",
        "propose",
        "accept",
        "reject",
    }
    assert verbs >= {"cancel", "proxy", "query", "request", "response", "step", "system", "warn"}
    assert set(get_args(Role)) == {"system", "user", "assistant"}


def test_a_method_may_be_any_other_word_but_none_at_all() -> None:
    assert Message(method="dance").method == "dance"
    with pytest.raises(ValidationError):
        Message(method="")


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (Message, "request"),
        (Order, "order"),
        (CallForBids, "call_for_bids"),
        (HTTPRequest2, "http_request2"),
        (Hidden, "hidden"),
        (Named, "call_me_this"),
        (type("_Private", (Message,), {}), "private"),
    ],
)
def test_the_method_of_a_class_is_its_name_in_snake_case(kind: type[Message], method: str) -> None:
    assert kind.model_fields["method"].default == method
    assert kind(**NEEDED.get(kind, {})).method == method


def test_a_subclass_of_a_named_class_is_named_after_itself() -> None:
    class Again(Named):
        pass

    assert Again().method == "again"


def test_the_role_is_that_of_the_sender() -> None:
    assert Message(sender=Anna()).role == "system"
    assert Message(sender=GenAgent(id="x")).role == "assistant"
    assert Message(sender="somebody").role == "user"
    assert Message(sender=Anna(), role="user").role == "user"


def test_sender_and_receiver_are_live_objects_or_references() -> None:
    anna = Anna(id="anna")
    message = Message(sender=anna, receiver="market/bob")

    assert message.sender is anna
    assert isinstance(message.receiver, Reference)
    assert message.receiver == Reference("market/bob")
    assert Message(receiver=Reference("anna")).receiver == anna
    assert hash(anna) == hash(Reference("anna"))
    assert message.model_dump()["sender"] == "anna"


@pytest.mark.parametrize(
    "fields",
    [
        {"sender": ""},
        {"sender": 1},
        {"receiver": object()},
        {"reply_to": "some id"},
        {"body": 1},
        {"body": None},
        {"role": "root"},
        {"created_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is the point
        {"id": ""},
        {"metadata": {"x": object()}},
        {"unknown": 1},
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Message(**fields)


def test_a_message_never_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Message().body = "other"


def test_messages_are_equal_by_id() -> None:
    assert Message(id="1", body="a") == Order(id="1", lines=[])
    assert Message(id="1") != Message(id="2")
    assert Message(id="1") != "1"
    assert len({Message(id="1"), Message(id="1"), Message(id="2")}) == 2


# ------------------------------------------------------------------------------------------------ replies


@pytest.fixture
def asked() -> Message:
    return Message(sender="anna", receiver="bob", body="how are you?", protocol="chat")


def test_a_reply_goes_back_and_belongs_to_the_thread(asked: Message) -> None:
    reply = asked.reply(body="well")

    assert type(reply) is Message
    assert (reply.sender, reply.receiver) == (Reference("bob"), Reference("anna"))
    assert reply.reply_to is asked
    assert (reply.method, reply.role, reply.body) == ("response", "user", "well")
    assert (reply.conversation, reply.protocol) == (asked.id, "chat")
    assert reply.id != asked.id


def test_a_class_replies_with_its_own_method(asked: Message) -> None:
    reply = CallForBids.reply(asked)

    assert type(reply) is CallForBids
    assert (reply.method, reply.reply_to, reply.receiver) == ("call_for_bids", asked, Reference("anna"))


def test_a_plain_reply_to_a_message_of_a_class_is_plain(asked: Message) -> None:
    assert type(CallForBids.reply(asked).reply()) is Message
    assert CallForBids.reply(asked).reply().method == "response"
    assert type(Message.reply(CallForBids())) is Message


def test_the_fields_of_a_reply_may_be_given(asked: Message) -> None:
    reply = Order.reply(
        asked, lines=[Line(article="tea")], receiver="carl", method="inform", role="system", protocol=None
    )

    assert (reply.receiver, reply.method, reply.role, reply.protocol) == (Reference("carl"), "inform", "system", None)
    assert reply.lines == [Line(article="tea")]


def test_a_reply_is_checked_like_any_message(asked: Message) -> None:
    for wrong in ({"body": 1}, {"unknown": 1}, {"receiver": 1}, {"role": "root"}):
        with pytest.raises(ValidationError):
            asked.reply(**wrong)
    with pytest.raises(ValidationError, match="lines"):
        Order.reply(asked)
    with pytest.raises(ValidationError, match="must not be negative"):
        Checked.reply(asked, amount=-1)


parties = st.none() | st.sampled_from([Reference("anna"), Anna(id="otto"), GenAgent(id="eva")])


@given(
    kind=st.sampled_from(KINDS),
    sender=parties,
    receiver=parties,
    protocol=st.none() | st.text(max_size=3),
    depth=st.integers(0, 2),
    fields=st.fixed_dictionaries({}, optional={"body": st.text(max_size=5), "receiver": parties}),
)
def test_a_reply_is_what_validation_would_make(
    kind: type[Message],
    sender: AbstractObject | None,
    receiver: AbstractObject | None,
    protocol: str | None,
    depth: int,
    fields: dict[str, Any],
) -> None:
    parent = Message(sender=sender, receiver=receiver, protocol=protocol)
    for _ in range(depth):
        parent = parent.reply()
    fields |= NEEDED.get(kind, {})

    reply = kind.reply(parent, **fields)
    written = {
        "sender": parent.receiver,
        "receiver": parent.sender,
        "reply_to": parent,
        "protocol": protocol,
        "id": reply.id,
        "created_at": reply.created_at,
        **({"method": "response"} if kind is Message else {}),
        **fields,
    }
    validated = kind(**written)

    assert reply.__dict__ == validated.__dict__
    assert list(reply.__dict__) == list(validated.__dict__)
    assert reply.__pydantic_private__ == validated.__pydantic_private__
    assert reply.__pydantic_extra__ == validated.__pydantic_extra__
    assert reply.model_dump_json() == validated.model_dump_json()
    assert reply.model_fields_set >= set(fields) | {"sender", "receiver", "reply_to"}
    assert not hasattr(reply, "_missing")


class Spelled(Message):
    of: int = Field(alias="from")


class Strict(Message):
    model_config = ConfigDict(strict=True, str_strip_whitespace=True, allow_inf_nan=False)

    count: int
    share: float = 0.5
    word: str = "word"


class Doubled(Message):
    twice: Annotated[int, AfterValidator(lambda number: 2 * number)]


class Bid(Message):
    price: Decimal = Field(gt=0, max_digits=5)
    count: Annotated[int, Field(ge=1, multiple_of=2)] | None = None
    side: Literal["buy", "sell"] = "buy"
    colour: Colour = Colour.BLUE
    seen: AwareDatetime | date | None = None
    takes: timedelta = timedelta()
    raw: bytes = b""
    flag: bool = False
    share: float = Field(default=0.0, allow_inf_nan=False, strict=True)
    anything: object = None


class Ballot(Message):
    whom: Address | None = None
    ranking: list[str] = Field(default=[], max_length=2)
    pairs: list[list[int]] = Field(default=[])
    line: Line | None = None


values: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**6), st.floats(), st.text(max_size=3), st.binary(max_size=3),
    st.decimals(), st.dates(), st.datetimes(), st.datetimes(timezones=st.just(UTC)), st.timedeltas(),
    st.sampled_from(["buy", "1", " 2 ", "0.5", "true", "2026-01-01", "PT1S", "blue", Reference("anna")]),
    st.lists(st.text(max_size=2), max_size=3), st.lists(st.lists(st.integers(0, 3), max_size=2), max_size=2),
    st.dictionaries(st.sampled_from(["article", "of"]), st.text(max_size=2), max_size=2), st.just(Line(article="tea")),
)  # fmt: skip
ANSWERS: list[type[Message]] = [*KINDS, Spelled, Strict, Doubled, Bid, Ballot]
OFTEN: dict[type[Message], dict[str, Any]] = {
    **NEEDED,
    Bid: {"price": 1},
    Strict: {"count": 1},
    Ballot: {"ranking": [], "pairs": []},
}


@st.composite
def answers(draw: st.DrawFn) -> tuple[type[Message], dict[str, Any]]:
    """A class and some of its fields, each of a value that may be right or wrong; at times one that it does not have."""
    kind = draw(st.sampled_from(ANSWERS))
    own = [name for name in kind.model_fields if name not in Message.model_fields]
    names = st.sampled_from([*own, "body", "deadline", "protocol", "method", "role", "metadata", "unknown"])
    given = {name: draw(values) for name in draw(st.lists(names, max_size=3, unique=True))}
    return kind, (OFTEN.get(kind, {}) if draw(st.integers(0, 9)) else {}) | given


@given(answer=answers())
@example(answer=(Bid, {"price": Decimal(1)}))
@example(
    answer=(Bid, {"price": "1.50", "count": "2", "side": "sell", "seen": "2026-01-01", "takes": "PT1S", "share": 1.0})
)
@example(answer=(Bid, {"price": Decimal("nan")}))
@example(answer=(Bid, {"price": 1, "share": 1, "count": 3, "side": "lend"}))
@example(answer=(Bid, {"price": 1, "colour": Colour.RED}))
@example(answer=(Bid, {}))
@example(answer=(Bid, {"price": 1, "deadline": datetime(2026, 1, 1, tzinfo=UTC)}))
@example(answer=(Ballot, {"whom": "anna", "ranking": ("a", "b"), "pairs": [], "line": {"article": "tea"}}))
@example(answer=(Strict, {"count": 1, "word": " x "}))
@example(answer=(Strict, {"count": "1"}))
@example(answer=(Doubled, {"twice": 2}))
@example(answer=(Spelled, {"of": 1}))
@example(answer=(Spelled, {"from": 1}))
@example(answer=(Plain, {"b": float("inf"), "g": "blue", "protocol": "fipa"}))
def test_a_reply_with_fields_is_what_validation_would_make_or_the_same_error(
    answer: tuple[type[Message], dict[str, Any]],
) -> None:
    kind, fields = answer
    parent = Message(sender=Anna(id="otto"), receiver="eva", protocol="chat")
    written = {"sender": parent.receiver, "receiver": parent.sender, "reply_to": parent, "protocol": "chat", **fields}
    if kind is Message:
        written.setdefault("method", "response")

    validated, reply = _made(lambda: kind(**written)), _made(lambda: kind.reply(parent, **fields))

    if not isinstance(validated, Message) or not isinstance(reply, Message):
        assert reply == validated
        return
    own = set(kind.model_fields) - set(Message.model_fields)
    assert reply.model_fields_set >= validated.model_fields_set
    assert reply.model_fields_set & own == validated.model_fields_set & own
    same = validated.model_copy(update={"id": reply.id, "created_at": reply.created_at})
    assert repr(reply.__dict__) == repr(same.__dict__)  # by words, in which NaN is NaN
    assert [type(value) for value in reply.__dict__.values()] == [type(value) for value in same.__dict__.values()]
    assert reply.model_fields_set & own == validated.model_fields_set & own  # by now somebody has looked


def _made(make: Callable[[], Message]) -> Message | list[tuple[object, ...]]:
    """A message, or what is wrong with it."""
    try:
        return make()
    except ValidationError as wrong:
        told = wrong.errors(include_url=False, include_context=False)
        inputs = (
            None if error["type"] == "missing" else repr(error["input"]) for error in told
        )  # the whole, in any order
        return [(error["type"], error["loc"], error["msg"], given) for error, given in zip(told, inputs, strict=True)]


@pytest.mark.parametrize(
    "fields",
    [
        {"price": 1},
        {"price": "1.50", "count": 2, "side": "sell", "seen": date(2026, 1, 1), "takes": timedelta(1), "colour": "red"},
        {"price": 1, "raw": b"x", "flag": True, "share": 0.5, "anything": [1], "protocol": "fipa", "body": "x"},
    ],
)
def test_a_reply_whose_fields_stand_alone_is_not_validated_as_a_whole(asked: Message, fields: dict[str, Any]) -> None:
    assert "id" not in fields_of(Bid.reply(asked, **fields))  # which validation would have made


def test_what_is_given_only_once_is_not_looked_at_twice(asked: Message) -> None:
    with pytest.raises(ValidationError):
        Ballot.reply(asked, pairs=[], ranking=(word for word in ("a", 1, "b")))

    assert Ballot.reply(asked, pairs=[], ranking=(word for word in "ab")).ranking == ["a", "b"]


class Later(Message):
    known: "Number"


Number: TypeAlias = int


def test_a_class_whose_annotations_were_not_known_yet_answers_when_they_are(asked: Message) -> None:
    assert Later.reply(asked, known="1").known == 1
    assert Later.reply(asked, known="2").known == 2


@pytest.mark.parametrize("look", [lambda message: None, lambda message: message.model_dump()], ids=["unseen", "seen"])
@pytest.mark.parametrize("sender", [None, "anna"])
@pytest.mark.parametrize("kind", [Message, CallForBids, Bid])
def test_a_reply_has_the_role_of_who_sends_it_in_the_end(
    kind: type[Message], sender: str | None, look: Callable[[Message], object]
) -> None:
    fields: dict[str, Any] = {"price": 1} if kind is Bid else {}
    reply, validated = kind.reply(Message(receiver=sender), **fields), kind(sender=sender, **fields)
    look(reply)

    for message in (reply, validated):
        stamp(message, Anna(id="anna"))

    assert reply.role == validated.role == "system"


def test_a_reply_shares_no_mutable_field_with_another(asked: Message) -> None:
    one, other = Listed.reply(asked), Listed.reply(asked)

    assert one.names is not other.names
    assert asked.reply().metadata is not asked.reply().metadata


LOOKS: dict[str, Callable[[Message], object]] = {
    "each field": lambda message: {name: getattr(message, name) for name in type(message).model_fields},
    "__dict__": lambda message: dict(message.__dict__),
    "vars": lambda message: dict(vars(message)),
    "iteration": dict,
    "model_dump": lambda message: message.model_dump(),
    "model_dump_json": lambda message: message.model_dump_json(),
    "a copy": lambda message: copy.copy(message).__dict__,
    "model_copy": lambda message: message.model_copy(update={"body": "else"}).__dict__,
    "inside another model": lambda message: Holder(message=message).model_dump_json(),
    "repr": repr,
    "attributes of another": lambda message: Message.model_validate(message, from_attributes=True).__dict__,
}


class Holder(BaseModel):
    message: Message


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("first", LOOKS.values(), ids=LOOKS)
def test_a_reply_looks_the_same_whichever_way_one_looks_first(
    asked: Message, first: Callable[[Message], object], look: Callable[[Message], object]
) -> None:
    reply = CallForBids.reply(asked, body="x")

    first(reply)
    seen = look(reply)

    whole = CallForBids(**{name: getattr(reply, name) for name in CallForBids.model_fields})
    assert seen == look(whole)


def test_the_fields_of_a_reply_do_not_depend_on_when_one_looks(asked: Message) -> None:
    before = datetime.now(UTC)
    first, second = asked.reply(), asked.reply()
    after = datetime.now(UTC)

    third = Message(reply_to=second)

    assert before <= first.created_at <= second.created_at <= after <= third.created_at
    assert [int(message.id.rpartition("-")[2]) for message in (second, first)] == [
        int(third.id.rpartition("-")[2]) - 1,
        int(third.id.rpartition("-")[2]) - 2,
    ]
    assert first.metadata is first.metadata
    assert first.created_at.tzinfo is UTC


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_reply_made_before_a_fork_has_one_id_in_both_processes(asked: Message) -> None:
    reply = asked.reply()
    reading, writing = os.pipe()

    child = os.fork()
    if not child:
        os.write(writing, f"{reply.id} {asked.reply().id}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    told, new = os.read(reading, 1_000).decode().split()

    assert told == reply.id
    assert new.partition("-")[0] != told.partition("-")[0]


def test_a_class_with_an_envelope_of_its_own_keeps_it_in_replies(asked: Message) -> None:
    class Greeting(Message):
        body: str = "hello"

    class Short(Message):
        body: str = Field("", max_length=3)

    assert Greeting.reply(asked).body == "hello"
    with pytest.raises(ValidationError, match="at most 3"):
        Short.reply(asked, body="too long")


def test_a_message_is_forwarded_with_its_content(asked: Message) -> None:
    order = Order.reply(asked, lines=[Line(article="tea")], metadata={"x": 1})

    passed = order.forward("carl", body="please")

    assert type(passed) is Order
    assert (passed.sender, passed.receiver, passed.reply_to) == (Reference("anna"), Reference("carl"), order)
    assert (passed.lines, passed.body, passed.method, passed.metadata) == (order.lines, "please", "order", {"x": 1})
    assert passed.conversation == asked.id
    assert passed.id != order.id


# ------------------------------------------------------------------------------------------------ threads


def test_a_thread_is_walked_both_ways(asked: Message) -> None:
    call = CallForBids.reply(asked)
    hidden = Hidden.reply(call)
    last = hidden.reply()

    assert last.thread() == [asked, call, hidden, last]
    assert asked.thread() == [asked]
    assert (last.root, asked.root) == (asked, asked)
    assert last.closest(CallForBids) is hidden
    assert call.closest(CallForBids) is call
    assert last.closest(Order) is None
    assert last.closest(Order, CallForBids) is hidden
    assert {message.conversation for message in last.thread()} == {asked.id}


def test_a_thread_of_100_000_needs_no_recursion(asked: Message) -> None:
    message: Message = CallForBids.reply(asked)
    for _ in range(100_000):
        message = message.reply(body="x")

    assert len(message.thread()) == 100_002
    assert message.conversation == asked.id
    assert message.root is asked
    assert isinstance(message.closest(CallForBids), CallForBids)
    assert message.closest(Order) is None
    assert len(repr(message)) < 200
    assert len(str(message)) < 200
    assert message == message.model_copy()
    assert message != message.reply()
    assert hash(message) == hash(message.id)
    assert message.reply_to is not None
    assert message.model_dump()["reply_to"] == message.reply_to.id
    assert len(message.model_dump_json()) < 1_000
    assert copy.deepcopy(message) is message
    assert copy.copy(message).reply_to is message.reply_to
    assert message.forward("carl").root is asked
    assert sys.getrecursionlimit() < 100_000
    del message  # lets go of the whole chain


# ------------------------------------------------------------------------------------------------ declarations


STRICT_SUPPORTED = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs",
    "description", "pattern", "format", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
    "minItems", "maxItems",
}  # fmt: skip
STRICT_TYPES = {"string", "number", "boolean", "integer", "object", "array", "null"}


def schemas_in(schema: dict[str, Any], depth: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """A schema and those in it, each with the number of objects and arrays around it."""
    yield schema, depth
    inner = depth + ("properties" in schema or "items" in schema)
    for place in ("properties", "$defs"):
        for each in schema.get(place, {}).values():
            yield from schemas_in(each, inner if place == "properties" else 0)
    for each in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        yield from schemas_in(each, inner)


def breaches_of_strict_mode(parameters: dict[str, Any]) -> list[str]:
    """What OpenAI's strict mode would refuse.

    Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas (2025).
    """
    found: list[str] = []
    if parameters.get("type") != "object" or "anyOf" in parameters:
        found.append("the root is not an object, or is a choice")
    everything = list(schemas_in(parameters))
    for schema, depth in everything:
        found += [f"unsupported keyword {keyword}" for keyword in schema.keys() - STRICT_SUPPORTED]
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        found += [f"unsupported type {name}" for name in types if name not in STRICT_TYPES]
        if not types and not schema.keys() & {"anyOf", "enum", "const", "$ref"}:
            found.append("no type")
        if "$ref" in schema and len(schema) > 1:
            found.append("more beside a $ref")
        if "object" in types:
            if schema.get("additionalProperties") is not False:
                found.append("additionalProperties is not false")
            if sorted(schema.get("required", [])) != sorted(schema.get("properties", {})):
                found.append("not every property is required")
        if "array" in types and "items" not in schema:
            found.append("an array of anything")
        if depth > 10:
            found.append("nested deeper than 10 levels")
    if sum(len(schema.get("properties", {})) for schema, _ in everything) > 5_000:
        found.append("more than 5,000 properties")
    return found


@each_kind
def test_init_fn_is_valid_json_schema(kind: type[Message]) -> None:
    declared = kind.init_fn

    assert set(declared) == {"name", "description", "parameters", "strict"}
    assert declared["name"].isidentifier()
    assert len(declared["name"]) <= 64
    assert declared["description"]
    parameters: Any = declared["parameters"]
    jsonschema.Draft202012Validator.check_schema(parameters)
    assert parameters["type"] == "object"
    assert set(parameters["required"]) <= set(parameters["properties"])
    assert not {"id", "created_at", "conversation", "metadata"} & set(parameters["properties"])
    json.dumps(declared)


@each_kind
def test_init_fn_keeps_the_rules_of_strict_mode_where_it_says_so(kind: type[Message]) -> None:
    declared = kind.init_fn
    parameters: Any = declared["parameters"]

    assert declared["strict"] == (kind not in (Free, Recursive))  # free-form objects, and metadata in a message inside
    if declared["strict"]:
        assert breaches_of_strict_mode(parameters) == []


@each_kind
def test_openais_own_library_has_nothing_to_change_in_a_strict_declaration(kind: type[Message]) -> None:
    strictly = pytest.importorskip("openai.lib._pydantic")._ensure_strict_json_schema
    parameters: Any = kind.init_fn["parameters"]

    if kind.init_fn["strict"]:
        assert strictly(copy.deepcopy(parameters), path=(), root=parameters) == parameters


def test_the_description_is_the_docstring_or_says_what_it_does() -> None:
    assert Order.init_fn["description"] == "Order goods from a seller."
    assert CallForBids.init_fn["description"] == "Send a message 'call_for_bids'"
    assert Hidden.init_fn["description"] == "Send a message 'hidden'"


def test_the_parameters_are_what_the_class_says() -> None:
    parameters: Any = Order.init_fn["parameters"]
    properties = parameters["properties"]

    assert {"lines", "colour", "size", "until", "price", "hint", "body", "sender", "receiver", "reply_to"} <= set(
        properties
    )
    assert "method" not in properties
    assert "method" in str(Message.init_fn["parameters"]["properties"])
    assert properties["receiver"]["type"] == ["string", "null"]
    assert properties["price"]["description"] == "At most so much"
    assert parameters["required"] == list(properties)


def test_a_declaration_can_be_narrowed() -> None:
    parameters: Any = Order.declare(receivers=["anna", "bob"], omit=["sender", "reply_to"])["parameters"]

    assert parameters["properties"]["receiver"]["enum"] == ["anna", "bob"]
    assert "null" not in parameters["properties"]["receiver"]["description"]
    assert not {"sender", "reply_to"} & set(parameters["properties"])
    assert breaches_of_strict_mode(parameters) == []


def test_what_a_declaration_lets_through_makes_a_message() -> None:
    written: dict[str, Any] = {
        "sender": None, "receiver": "bob", "reply_to": None, "role": None, "body": "please", "deadline": None,
        "protocol": None, "colour": "blue", "size": None, "until": "2026-02-01", "price": "1.50", "hint": None,
        "lines": [{"article": "tea", "pieces": 2}, {"article": "milk", "pieces": None}],
    }  # fmt: skip
    jsonschema.validate(written, Order.init_fn["parameters"])

    order = Order.from_fn(written)

    assert order.lines == [Line(article="tea", pieces=2), Line(article="milk", pieces=1)]
    assert (order.colour, order.size, order.hint) == (Colour.BLUE, "s", "none")
    assert (order.until, order.price, order.receiver) == (date(2026, 2, 1), Decimal("1.50"), Reference("bob"))


# ------------------------------------------------------------------------------------------------ what models wrote


@pytest.fixture
def market() -> GenNetwork:
    return GenNetwork(id="market", agents=[Anna(id="anna"), Anna(id="bob")])


def test_ids_become_live_agents(market: GenNetwork) -> None:
    message = Message.from_fn('{"receiver": "anna", "sender": "bob", "body": "hello"}', network=market)

    assert message.receiver is market["anna"]
    assert message.sender is market["bob"]


def test_nulls_inside_stand_for_the_defaults_too(market: GenNetwork) -> None:
    written: Written = {"word": "a", "branches": [{"word": "b", "id": None, "sender": None, "branches": None}]}

    tree = Recursive.from_fn(written, network=market, sender=market["anna"])

    assert [branch.word for branch in tree.branches] == ["b"]
    assert tree.branches[0].branches == []
    assert tree.sender is market["anna"]


def test_what_is_fixed_wins(market: GenNetwork) -> None:
    message = Message.from_fn(
        {"receiver": "anna", "role": "system"}, network=market, receiver=market["bob"], role="user"
    )

    assert message.receiver is market["bob"]
    assert message.role == "user"


def test_an_answer_is_tied_to_its_question(asked: Message) -> None:
    reply = asked.reply()

    assert Message.from_fn({"body": "x"}, answering=reply).reply_to is reply
    assert Message.from_fn({"reply_to": None}, answering=reply).reply_to is reply
    assert Message.from_fn({"reply_to": asked.id}, answering=reply).reply_to is asked


Written = str | dict[str, JsonValue]


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        (Message, "{", r"Arguments of message are wrong\. They are not JSON: "),
        (Message, "[1]", "They must be one JSON object"),
        (Message, '"x"', "They must be one JSON object"),
        (Message, {"bodi": "x"}, "There is no bodi; there are .*body"),
        (Message, {"a": 1, "b": 2}, "There is no a, b; there are"),
        (Message, {"receiver": "ana"}, "no agent 'ana' in network 'market'; did you mean 'anna'"),
        (Message, {"sender": "nobody at all"}, "no agent 'nobody at all' in network 'market'; add it first"),
        (Message, {"id": "1"}, "Leave out 'id'"),
        (Message, {"metadata": {"x": 1}, "created_at": "now"}, r"Leave out 'created_at'\. Leave out 'metadata'"),
        (Message, {"reply_to": "1"}, "There is no message to reply to; leave out reply_to"),
        (Message, {"role": "root"}, "role: .*'system', 'user' or 'assistant', not 'root'"),
        (Message, {"deadline": "soon"}, "deadline: .*datetime"),
        (Message, {"body": 3}, "body: Input should be a valid string, not 3"),
        (Order, {}, "lines: Field required"),
        (Order, {"lines": None}, "lines: Input should be a valid list, not None"),
        (Order, {"lines": [{"article": None}]}, "lines.0.article: Field required"),
        (Order, {"lines": [{"article": ""}]}, "lines.0.article: String should have at least 1 character"),
        (Order, {"lines": [{"article": "tea", "pieces": 101}]}, "lines.0.pieces: .*less than or equal to 100, not 101"),
        (Order, {"lines": [], "colour": "green"}, "colour: Input should be 'red' or 'blue', not 'green'"),
        (Checked, {"amount": -1}, "amount: Value error, must not be negative, not -1"),
        (Order, {"lines": "x" * 1_000}, r"not 'x{76}\.\.\."),
    ],
)
def test_a_model_is_told_what_to_change(market: GenNetwork, kind: type[Message], arguments: Written, says: str) -> None:
    with pytest.raises(InvalidArguments, match=says) as told:
        kind.from_fn(arguments, network=market)

    assert told.value.function == kind.function_name()
    assert told.value.problems
    assert len(str(told.value)) < 500


def test_a_model_is_told_when_it_answers_what_was_never_said(asked: Message) -> None:
    with pytest.raises(InvalidArguments, match="reply_to '7' is not a message of this conversation; leave it out"):
        Message.from_fn({"reply_to": "7"}, answering=asked)


def test_a_model_is_told_nothing_of_fields_that_it_does_not_write(asked: Message) -> None:
    class Bounded(Message):
        """Says at most what it may."""

        least: int
        most: int

        @model_validator(mode="after")
        def in_order(self) -> Self:
            if self.least > self.most:
                raise ValueError("least is above most")
            return self

    def told(arguments: Written) -> str:
        with pytest.raises(InvalidArguments) as found:
            Bounded.from_fn(arguments, answering=asked, omit=["role", "deadline", "protocol"], sender=Anna(id="anna"))
        return str(found.value)

    assert "There is no lest; there are receiver, reply_to, body, least, most." in told({"lest": 1})
    assert told({"least": 1}) == "Arguments of bounded are wrong. most: Field required."
    assert told({"least": 2, "most": 1}).endswith("least is above most, not {'least': 2, 'most': 1}.")


def test_a_message_without_words_is_printed_without_a_colon() -> None:
    assert str(Message()) == "· → ·  request"
    assert str(Message(body="Hello")) == "· → ·  request: Hello"


def test_all_problems_are_told_at_once(market: GenNetwork) -> None:
    with pytest.raises(InvalidArguments) as told:
        Message.from_fn({"receiver": "carl", "sender": "dora", "id": "1"}, network=market)

    assert len(told.value.problems) == 3


def test_any_directory_will_do() -> None:
    anna = Anna(id="anna")

    assert Message.from_fn({"receiver": "anna"}, network={"anna": anna}).receiver is anna
    with pytest.raises(InvalidArguments, match="bob"):
        Message.from_fn({"receiver": "bob"}, network={"anna": anna})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_whatever_a_model_writes_makes_a_message_or_one_error(value: JsonValue) -> None:
    choices: list[Written] = [json.dumps(value), {"receiver": value}, {"lines": value}, {"lines": [{"article": value}]}]
    for arguments in choices:
        with suppress(InvalidArguments):
            assert isinstance(Order.from_fn(arguments), Order)


def test_an_unknown_address_says_who_is_meant(market: GenNetwork) -> None:
    with pytest.raises(UnknownAddress, match="did you mean 'anna'"):
        market["ann"]
