"""Which method handles which message: a table made at class definition, and nothing but the table."""

import asyncio
import functools
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net import AbstractObject, GenAgent, GenNetwork, Message, blocking, every, handles
from llm_net.dispatch import ASYNC, ASYNC_GENERATOR, GENERATOR, PLAIN
from llm_net.errors import DefinitionError, NotUnderstood

if TYPE_CHECKING:
    from fractions import Fraction


class Review(Message):
    pass


class StrictReview(Review):
    pass


class Verdict(Message):
    pass


def handler_of(agent: type[GenAgent], message: Message) -> str | None:
    """The name of the method that would handle a message."""
    handler = agent.handlers.find(type(message), message.method)
    return None if handler is None else handler.name


def agent_with(name: str, handler: Callable[..., object], base: type[GenAgent] = GenAgent) -> type[GenAgent]:
    """A class of agents with this one method."""
    kind = type("Kind", (base,), {"__module__": __name__, name: handler})
    assert issubclass(kind, GenAgent)
    return kind


def answers(agent: GenAgent, message: Message) -> list[str]:
    return [sent.body for sent in agent.receive(message)]


# ------------------------------------------------------------------------------------------------ colours and names


class Coloured(GenAgent):
    def plain(self, message: Message) -> Message:
        return message.reply(body="plain")

    def generator(self, message: Message) -> Iterator[Message]:
        yield message.reply(body="generator 1")
        yield message.reply(body="generator 2")

    async def acoroutine(self, message: Message) -> Message:
        await asyncio.sleep(0)
        return message.reply(body="coroutine")

    async def astream(self, message: Message) -> AsyncIterator[Message]:
        yield message.reply(body="stream 1")
        await asyncio.sleep(0)
        yield message.reply(body="stream 2")


@pytest.mark.parametrize(
    ("method", "colour", "bodies"),
    [
        ("plain", PLAIN, ["plain"]),
        ("generator", GENERATOR, ["generator 1", "generator 2"]),
        ("coroutine", ASYNC, ["coroutine"]),
        ("stream", ASYNC_GENERATOR, ["stream 1", "stream 2"]),
    ],
)
def test_a_handler_has_one_of_four_colours(method: str, colour: int, bodies: list[str]) -> None:
    handler = Coloured.handlers.find(Message, method)

    assert handler is not None
    assert handler.colour == colour
    assert answers(Coloured(), Message(method=method)) == bodies


def test_the_async_handler_is_preferred() -> None:
    class Both(GenAgent):
        def step(self, message: Message) -> Message:
            return message.reply(body="plain")

        async def astep(self, message: Message) -> Message:
            return message.reply(body="async")

    assert answers(Both(), Message(method="step")) == ["async"]


def test_an_async_handler_needs_no_prefix() -> None:
    class Bare(GenAgent):
        async def step(self, message: Message) -> Message:
            return message.reply(body="async")

    assert answers(Bare(), Message(method="step")) == ["async"]


@pytest.mark.parametrize(
    ("name", "verb"),
    [("ask", "ask"), ("aask", "ask"), ("accept", "accept"), ("aaccept", "accept"), ("ado", "do"), ("a", "a")],
)
def test_a_verb_that_begins_with_a_keeps_it(name: str, verb: str) -> None:
    async def handler(self: GenAgent, message: Message) -> None: ...

    kind = agent_with(name, handler)

    assert list(kind.handlers.verbs()) == [verb]


def test_an_async_handler_whose_own_name_begins_with_a_serves_that_name_too() -> None:
    class Sums(GenAgent):
        async def add(self, message: Message) -> Message:
            return message.reply(body="added")

    assert answers(Sums(), Message(method="add")) == ["added"]
    assert Sums().can_receive("add")
    assert Sums().can_receive("dd")
    assert not Sums().can_receive("sums")


def test_a_verb_that_begins_with_a_keeps_it_for_its_class_of_messages() -> None:
    class Audit(Message):
        pass

    class Auditor(GenAgent):
        async def audit(self, message: Audit) -> None: ...

    assert handler_of(Auditor, Audit()) == "audit"


# ------------------------------------------------------------------------------------------------ types


def test_a_handler_takes_what_its_annotation_says() -> None:
    class Critic(GenAgent):
        def review(self, message: Review) -> None: ...

    assert handler_of(Critic, Review()) == "review"
    assert handler_of(Critic, StrictReview(method="review")) == "review"
    assert handler_of(Critic, Message(method="review")) is None
    assert handler_of(Critic, Verdict(method="review")) is None


def test_a_message_of_a_subclass_goes_where_its_base_class_would() -> None:
    class Critic(GenAgent):
        def review(self, message: Review) -> None: ...

    class Stricter(Critic):
        def strict_review(self, message: StrictReview) -> None: ...

    assert handler_of(Critic, StrictReview()) == "review"
    assert handler_of(Stricter, StrictReview()) == "strict_review"


def test_a_message_of_a_subclass_with_another_method_goes_nowhere_else() -> None:
    class Critic(GenAgent):
        def review(self, message: Review) -> None: ...

    assert handler_of(Critic, StrictReview(method="cancel")) is None


def test_a_plain_message_class_does_not_fall_back_to_request() -> None:
    class Clerk(GenAgent):
        def request(self, message: Message) -> None: ...

    assert handler_of(Clerk, Review()) is None


def test_overloads_are_told_apart_by_type_and_the_nearest_class_wins() -> None:
    class Reader(GenAgent):
        @handles("read")
        def any_message(self, message: Message) -> None: ...

        @handles("read")
        def a_review(self, message: Review) -> None: ...

        @handles("read")
        async def a_strict_one(self, message: StrictReview) -> None: ...

    assert handler_of(Reader, Message(method="read")) == "any_message"
    assert handler_of(Reader, Review(method="read")) == "a_review"
    assert handler_of(Reader, StrictReview(method="read")) == "a_strict_one"


@pytest.mark.parametrize(
    "annotation",
    [
        Review | Verdict,
        typing.Union[Review, Verdict],  # noqa: UP007 - the older spelling is another type
        "Review | Verdict",
        "typing.Union[Review, Verdict]",
    ],
)
def test_a_handler_may_take_one_of_several_classes(annotation: object) -> None:
    def read(self: GenAgent, message: Message) -> None: ...

    read.__annotations__["message"] = annotation
    kind = agent_with("read", read)

    assert handler_of(kind, Review(method="read")) == "read"
    assert handler_of(kind, Verdict(method="read")) == "read"
    assert handler_of(kind, Message(method="read")) is None


@pytest.mark.parametrize(
    "annotation",
    [
        str,
        int,
        Review | None,
        Review | str,
        list[Review],
        type[Review],
        Callable[[Review], None],
        "str",
    ],
)
def test_a_method_that_takes_anything_else_is_no_handler(annotation: object) -> None:
    def read(self: GenAgent, message: object) -> None: ...

    read.__annotations__["message"] = annotation
    kind = agent_with("read", read)

    assert list(kind.handlers) == []


def test_handles_by_type_takes_the_message_whatever_its_method() -> None:
    class Judge(GenAgent):
        @handles(Verdict, Review)
        def whatever(self, message: Message) -> None: ...

    assert handler_of(Judge, Verdict()) == "whatever"
    assert handler_of(Judge, Verdict(method="cancel")) == "whatever"
    assert handler_of(Judge, StrictReview()) == "whatever"
    assert handler_of(Judge, Message(method="whatever")) is None
    assert handler_of(Judge, Message(method="verdict")) is None


def test_of_handlers_by_type_the_nearest_class_wins() -> None:
    class Judge(GenAgent):
        @handles(Review)
        def wide(self, message: Review) -> None: ...

        @handles(StrictReview)
        def narrow(self, message: StrictReview) -> None: ...

    assert handler_of(Judge, StrictReview()) == "narrow"
    assert handler_of(Judge, Review()) == "wide"


def test_handles_by_verb_takes_that_verb_and_not_the_name() -> None:
    class Judge(GenAgent):
        @handles("judge", "weigh")
        def decide(self, message: Message) -> None: ...

    assert handler_of(Judge, Message(method="judge")) == "decide"
    assert handler_of(Judge, Message(method="weigh")) == "decide"
    assert handler_of(Judge, Message(method="decide")) is None


def test_a_verb_that_is_no_name_of_python_is_handled_by_mark() -> None:
    class Judge(GenAgent):
        @handles("weigh up", "class", "emit")
        def decide(self, message: Message) -> Message:
            return message.reply(body="decided")

    assert answers(Judge(), Message(method="weigh up")) == ["decided"]
    assert answers(Judge(), Message(method="emit")) == ["decided"]


# ------------------------------------------------------------------------------------------------ annotations


class Early(GenAgent):
    def late(self, message: "Late") -> None: ...

    def lost(self, messages: "Fraction") -> None: ...  # known to type checkers only: no handler


class Late(Message):
    pass


def test_a_class_that_is_defined_further_down_is_found() -> None:
    assert handler_of(Early, Late()) == "late"
    assert [handler.name for handler in Early.handlers] == ["late"]


def test_a_class_of_the_function_around_is_found_by_its_name() -> None:
    class Local(Message):
        pass

    class Agent(GenAgent):
        def local(self, message: "Local") -> None: ...

    assert handler_of(Agent, Local()) == "local"


def test_an_annotation_that_names_nothing_says_so() -> None:
    class Agent(GenAgent):
        def step(self, message: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]

    with pytest.raises(DefinitionError, match=r"Agent\.step: its annotation 'Nowhere'"):
        Agent.handlers.find(Message, "step")


def test_a_parameter_called_message_needs_no_annotation() -> None:
    class Agent(GenAgent):
        def step(self, message):  # type: ignore[no-untyped-def]  # that is the point
            return message.reply(body="ok")

        def other(self, word):  # type: ignore[no-untyped-def]  # a helper
            return word

    assert [handler.name for handler in Agent.handlers] == ["step"]


def test_more_parameters_are_fine_when_they_have_defaults() -> None:
    class Agent(GenAgent):
        def step(self, message: Message, times: int = 2, *rest: object, loud: bool = True, **more: object) -> None: ...

        def helper(self, message: Message, times: int) -> None: ...

        def keyword(self, *, message: Message) -> None: ...

    assert [handler.name for handler in Agent.handlers] == ["step"]


def test_a_wrapped_handler_is_seen_through() -> None:
    def loud(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def shouting(*arguments: object) -> object:
            return function(*arguments)

        return shouting

    class Agent(GenAgent):
        @loud
        async def astep(self, message: Review) -> Message:
            return message.reply(body="ok")

    assert answers(Agent(), Review(method="step")) == ["ok"]


# ------------------------------------------------------------------------------------------------ classes


class Base(GenAgent):
    def step(self, message: Message) -> Message:
        return message.reply(body="base")

    def stay(self, message: Message) -> Message:
        return message.reply(body="stay")


def test_handlers_are_inherited_and_overridden() -> None:
    class Child(Base):
        def step(self, message: Message) -> Message:
            return message.reply(body="child")

    assert answers(Child(), Message(method="step")) == ["child"]
    assert answers(Child(), Message(method="stay")) == ["stay"]
    assert answers(Base(), Message(method="step")) == ["base"]


def test_overriding_with_something_else_takes_a_handler_away() -> None:
    class Child(Base):
        step: ClassVar[None] = None  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]

    assert handler_of(Child, Message(method="step")) is None
    assert handler_of(Child, Message(method="stay")) == "stay"


def test_handlers_may_come_from_a_plain_class() -> None:
    class Polite:
        def greet(self, message: Message) -> Message:
            return message.reply(body="hello")

    class Agent(Polite, GenAgent):
        pass

    assert answers(Agent(), Message(method="greet")) == ["hello"]


def test_a_network_has_handlers_of_its_own() -> None:
    class Office(GenNetwork):
        def greet(self, message: Message) -> Message:
            return message.reply(body="hello")

    assert [sent.body for sent in Office().receive(Message(method="greet"))] == ["hello"]


def test_every_handler_is_listed_once_in_order() -> None:
    class Agent(GenAgent):
        def one(self, message: Message) -> None: ...

        @handles("two", Verdict)
        def second(self, message: Message) -> None: ...

        async def athree(self, message: Review) -> None: ...

    assert [handler.name for handler in Agent.handlers] == ["one", "second", "athree", "second"]
    assert Agent.handlers.verbs() == {"one": (Message,), "two": (Message,), "three": (Review,), "verdict": (Verdict,)}
    assert Agent().receivable_messages == Agent.handlers.verbs()


# ------------------------------------------------------------------------------------------------ what is no handler


NAMES_OF_EVERYTHING = sorted({*dir(GenAgent), *dir(GenNetwork), *dir(AbstractObject), *dir(object)})


class Secretive(GenAgent):
    secret: str = "s3cret"

    def step(self, message: Message) -> None: ...

    def _private(self, message: Message) -> None:
        raise AssertionError

    def __dunder__(self, message: Message) -> None:
        raise AssertionError

    @staticmethod
    def static(message: Message) -> None:
        raise AssertionError

    @classmethod
    def of_the_class(cls, message: Message) -> None:
        raise AssertionError

    @property
    def shown(self) -> str:
        raise AssertionError

    def helper(self, text: str) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    "method", [*NAMES_OF_EVERYTHING, "_private", "__dunder__", "static", "of_the_class", "shown", "secret", "helper"]
)
def test_what_a_message_names_is_never_looked_up_on_the_object(method: str) -> None:
    assert Secretive.handlers.find(Message, method) is None
    assert GenNetwork.handlers.find(Message, method) is None


@pytest.mark.parametrize(
    "method", ["model_dump", "emit", "__class__", "_private", "__init__", "astart", "missing", "step.__globals__"]
)
def test_a_name_that_is_no_verb_is_not_understood(method: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        Secretive(id="s").missing(Message(method=method))

    assert (refused.value.agent, refused.value.method, refused.value.understood) == ("s", method, ("step",))


@given(st.text(min_size=1))
def test_no_word_but_a_verb_finds_anything(method: str) -> None:
    assert (Secretive.handlers.find(Message, method) is not None) == (method == "step")


def test_an_endless_variety_of_methods_does_not_grow_memory_nor_slow_down_what_is_handled() -> None:
    class Agent(GenAgent):
        def step(self, message: Message) -> None: ...

    for number in range(5_000):
        Agent.handlers.find(Message, f"verb {number}")

    found = Agent.handlers.find(Message, "step")
    assert found is Agent.handlers.find(Message, "step")
    assert len(Agent.handlers._cache) <= 1_000
    assert (Message, "step") in Agent.handlers._cache


@pytest.mark.parametrize("name", ["emit", "receive", "send", "call", "on", "network", "run", "can_receive", "now"])
def test_a_handler_cannot_take_the_name_of_a_method_of_every_agent(name: str) -> None:
    def handler(self: GenAgent, message: Message) -> None: ...

    with pytest.raises(DefinitionError, match=rf"mark it with @handles\('{name}'\)"):
        agent_with(name, handler)


@pytest.mark.parametrize("name", ["link", "add", "lint", "boundary", "graph"])
def test_a_name_of_networks_is_free_for_other_agents(name: str) -> None:
    def handler(self: GenAgent, message: Message) -> None: ...

    assert list(agent_with(name, handler).handlers.verbs()) == [name]
    with pytest.raises(DefinitionError):
        agent_with(name, handler, GenNetwork)


def test_the_hook_for_what_is_not_understood_is_no_handler() -> None:
    class Open(GenAgent):
        def missing(self, message: Message) -> Message:
            return message.reply(body=f"no {message.method}")

    assert list(Open.handlers) == []
    assert answers(Open(), Message(method="missing")) == ["no missing"]


# ------------------------------------------------------------------------------------------------ marks


def test_marks_need_what_they_mark_to_be_a_handler() -> None:
    with pytest.raises(DefinitionError, match="a handler takes a message"):

        class Agent(GenAgent):
            @handles("step")
            def step(self) -> None: ...


def test_handles_needs_a_target() -> None:
    with pytest.raises(DefinitionError, match="needs a verb or a message class"):
        handles()


def test_only_a_plain_handler_can_block() -> None:
    class Agent(GenAgent):
        @blocking
        def step(self, message: Message) -> Message:
            return message.reply(body="ok")

    handler = Agent.handlers.find(Message, "step")
    assert handler is not None
    assert handler.blocking
    assert answers(Agent(), Message(method="step")) == ["ok"]
    for colour in (Coloured.generator, Coloured.acoroutine, Coloured.astream):
        with pytest.raises(DefinitionError, match="is for a plain `def` that returns"):
            blocking(colour)


def test_a_period_is_positive() -> None:
    class Clock(GenAgent):
        @every(60)
        def tick(self, message: Message) -> None: ...

    assert [(handler.method, handler.every) for handler in Clock.handlers.periodic()] == [("tick", 60)]
    assert Coloured.handlers.periodic() == ()
    for seconds in (0, -1):
        with pytest.raises(DefinitionError, match="needs a positive number of seconds"):
            every(seconds)


# ------------------------------------------------------------------------------------------------ questions about it


def test_one_can_ask_what_an_agent_understands() -> None:
    agent = Early()

    assert agent.can_receive("late")
    assert agent.can_receive(Late)
    assert agent.can_receive(Late())
    assert not agent.can_receive(Late(method="step"))
    assert not agent.can_receive(Message)
    assert not agent.can_receive("model_dump")
