"""Lint: what is certainly wrong is said with who, where and the cure; what may be right is left alone."""

import functools
import inspect
import linecache
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from pydantic import Field

import llm_net
from llm_net import Event, GenAgent, GenNetwork, Link, Message, call, every, handles

FILE = r"test_lint\.py:\d+"


class Review(Message):
    pass


class Verdict(Message):
    pass


class Critic(GenAgent):
    def review(self, message: Review) -> Message:
        return Verdict.reply(message)


class Archive(GenAgent):
    def log(self, message: Message) -> None: ...

    def draft(self, message: Review) -> None: ...


def problems(*agents: GenAgent, links: list[tuple[str, str, str]] | None = None) -> list[str]:
    return GenNetwork(id="office", agents=agents, links=links or []).lint()


def only(found: list[str], pattern: str) -> bool:
    """Whether there is one problem, and it reads like this."""
    assert len(found) == 1, found
    return re.fullmatch(pattern, found[0]) is not None or pytest.fail(f"{found[0]!r} is not {pattern!r}")


# ------------------------------------------------------------------------------------------------ links


class Speaker(GenAgent):
    def request(self, message: Message) -> None:
        self.emit("draft", Review())
        self.emit("note", message.reply(body="noted"))
        self.emit(Verdict())


def test_a_link_to_an_event_that_nobody_emits() -> None:
    found = problems(Speaker(id="anna"), Archive(id="archive"), links=[("anna", "draff", "archive")])

    assert only(
        found,
        r"'office' links 'anna' at 'draff' to 'archive', but nobody there emits that, "
        r"only 'draft', 'note', 'verdict' \(did you mean 'draft'\?\); emit it in a handler, or link another event",
    )


def test_a_link_from_somebody_who_emits_nothing() -> None:
    found = problems(Critic(id="critic"), Archive(id="archive"), links=[("critic", "log", "archive")])

    assert only(found, r"'office' links 'critic' at 'log' to 'archive', .* emits that, nothing at all; emit it .*")


def test_a_link_to_a_listener_without_a_handler() -> None:
    found = problems(Speaker(id="anna"), Archive(id="archive"), links=[("anna", "note", "archive")])

    assert only(
        found,
        r"'office' links 'anna' at 'note' to 'archive', who has no handler for that Message, only for 'draft', 'log'; "
        r"define `async def anote\(self, message: Message\)`",
    )


def test_a_link_to_a_listener_whose_handler_takes_another_class() -> None:
    class Loud(GenAgent):
        def request(self, message: Message) -> None:
            self.emit("draft", Verdict())

    found = problems(Loud(id="loud"), Archive(id="archive"), links=[("loud", "draft", "archive")])

    assert only(
        found,
        r".* no handler for that Verdict, only for 'draft', 'log'; define `async def adraft\(self, message: Verdict\)`",
    )


def test_a_link_to_a_listener_without_any_handler() -> None:
    found = problems(Speaker(id="anna"), GenAgent(id="deaf"), links=[("anna", "*", "deaf")])

    assert only(
        found, r"'office' links 'anna' at '\*' to 'deaf', who has no handlers at all; define a handler marked .*"
    )


def test_a_link_to_somebody_who_left_a_network_inside() -> None:
    inner = GenNetwork(id="inner", agents=[Archive(id="archive")])
    network = GenNetwork(id="office", agents=[Speaker(id="anna"), inner], links=[("anna", "draft", "inner/archive")])
    inner.remove("archive")

    assert only(network.lint(), r"'office' links 'anna' .* but 'inner/archive' is not there any more; unlink it")


def test_good_links_are_left_alone() -> None:
    class Open(GenAgent):
        def missing(self, message: Message) -> None: ...

    class Typed(GenAgent):
        @handles(Review)
        def anything(self, message: Review) -> None: ...

        def response(self, message: Message) -> None: ...

        def verdict(self, message: Verdict) -> None: ...

    agents = [Speaker(id="anna"), Archive(id="archive"), Open(id="open"), Typed(id="typed")]
    links = [("anna", event, "open") for event in ("draft", "note", "verdict", "*")]
    links += [("anna", event, "typed") for event in ("draft", "note", "verdict")]
    links += [("anna", "draft", "archive"), ("anna", "*", "archive")]

    assert problems(*agents, links=links) == []


def test_links_inside_are_checked_with_the_names_of_their_network() -> None:
    inner = GenNetwork(id="inner", agents=[Speaker(id="anna"), Archive(id="archive")], links=[("anna", "x", "archive")])
    middle = GenNetwork(id="middle", agents=[inner])

    assert only(GenNetwork(agents=[middle]).lint(), "'inner' links 'anna' at 'x' to 'archive', .*")


def test_events_come_up_from_networks_inside() -> None:
    inner = GenNetwork(id="inner", agents=[GenNetwork(id="core", agents=[Speaker(id="anna")])])
    network = GenNetwork(agents=[inner, Archive(id="archive")])
    network.link("inner", "draft", "archive")
    network.link("inner/core", "draft", "archive")
    network.link("anna", "draft", "archive")
    assert network.lint() == []

    network.link("inner", "drift", "archive")
    assert only(network.lint(), r".* links 'inner' at 'drift' .* \(did you mean 'draft'\?\); .*")


def test_a_boundary_may_let_anything_through() -> None:
    class Renaming(GenNetwork):
        def boundary(self, event: Event) -> Event | None:
            return event

    inner = Renaming(id="inner", agents=[Speaker(id="anna")])
    network = GenNetwork(agents=[inner, Archive(id="archive")])
    network.link("inner", "whatever", "archive")
    network.link("inner/anna", "whatever", "archive")

    assert network.lint() == []


def test_a_network_is_heard_as_what_it_emits_itself() -> None:
    class Office(GenNetwork):
        def request(self, message: Message) -> None:
            self.emit("open", message)

        def draft(self, message: Review) -> None: ...

    office = Office(id="office", agents=[Speaker(id="anna"), Archive(id="archive")])
    office.link("anna", "draft", office)
    assert office.lint() == []

    office.link(office, "closed", "archive")
    assert only(office.lint(), r"'office' links '\.' at 'closed' .* only 'open'; .*")


# ------------------------------------------------------------------------------------------------ where nobody can say


def emitting(emit: Callable[[GenAgent, Message], object]) -> GenAgent:
    """An agent whose only handler is this function."""

    class Agent(GenAgent):
        def request(self, message: Message) -> None:
            emit(self, message)

    return Agent(id="anna")


class Computed(GenAgent):
    word: str = "draft"

    def request(self, message: Message) -> None:
        self.emit(self.word, message)


class ByMessage(GenAgent):
    def request(self, message: Message) -> None:
        self.emit(message)


class HandsItselfOut(GenAgent):
    def request(self, message: Message) -> None:
        print_and_emit(self)


class HandsEmitOut(GenAgent):
    def request(self, message: Message) -> None:
        functools.partial(self.emit, "draft")(message)


class Helped(GenAgent):
    def request(self, message: Message) -> None:
        self._tell(message)

    def _tell(self, message: Message) -> None:
        for event in ("a", "b"):
            self.emit(event, message)


def print_and_emit(agent: GenAgent) -> None:
    agent.emit("draft", Review())


Unread = type("Unread", (GenAgent,), {"request": eval("lambda self, message: self.emit('draft', message)")})


@pytest.mark.parametrize(
    "agent",
    [
        Computed(id="anna"),
        ByMessage(id="anna"),
        HandsItselfOut(id="anna"),
        HandsEmitOut(id="anna"),
        Helped(id="anna"),
        Unread(id="anna"),
        emitting(lambda agent, message: agent.emit("draft", message)),
    ],
)
def test_where_events_are_computed_nothing_is_claimed(agent: GenAgent) -> None:
    assert problems(agent, Archive(id="archive"), links=[("anna", "anything", "archive")]) == []


def test_an_agent_with_callbacks_may_emit_in_them() -> None:
    critic = Critic(id="critic")
    critic.on("receive", lambda event: critic.emit("log", event.message))

    assert problems(critic, Archive(id="archive"), links=[("critic", "log", "archive")]) == []


def test_what_is_harmless_is_seen_through() -> None:
    class Busy(GenAgent):
        def request(self, message: Message) -> None:
            self.network.link(self, "x", self)
            if message.sender == self or isinstance(self, Critic):
                self.emit("draft", Review(sender=self, receiver=self))
            super().on("x", print)
            raise ValueError(f"{self}")

    found = problems(Busy(id="busy"), Archive(id="archive"), links=[("busy", "other", "archive")])

    assert only(found, r".* nobody there emits that, only 'draft'; .*")


def test_events_of_overridden_methods_and_bases_count() -> None:
    class Child(Speaker):
        def request(self, message: Message) -> None:
            super().request(message)
            self.emit("more", message)

    found = problems(
        Child(id="anna"), Archive(id="archive"), links=[("anna", "draft", "archive"), ("anna", "x", "archive")]
    )

    assert only(found, r".* only 'draft', 'more', 'note', 'verdict'; .*")


# ------------------------------------------------------------------------------------------------ messages


def test_a_message_to_nobody() -> None:
    class Writer(GenAgent):
        def request(self, message: Message) -> Iterator[Message]:
            yield Review(receiver="critik")

    assert only(
        problems(Writer(id="writer"), Critic(id="critic")),
        rf"'writer' sends 'review' to 'critik' \(Writer\.request, {FILE}\), but nobody lives there "
        r"\(did you mean 'critic'\?\); add it",
    )


def test_a_message_to_somebody_who_does_not_understand_it() -> None:
    class Writer(GenAgent):
        async def arequest(self, message: Message) -> None:
            await self.call(Message(method="weigh up", receiver=self.network["critic"]))

    assert only(
        problems(Writer(id="writer"), Critic(id="critic")),
        rf"'writer' sends 'weigh up' to 'critic' \(Writer\.arequest, {FILE}\), who understands 'review'; "
        r"define a handler marked `@handles\('weigh up'\)` there",
    )


def test_a_message_that_nobody_handles() -> None:
    class Writer(GenAgent):
        async def arequest(self, message: Message) -> AsyncIterator[Message]:
            for agent in self.network:
                yield Verdict(receiver=agent)

    assert only(
        problems(Writer(id="writer"), Critic(id="critic")),
        rf"'writer' sends 'verdict' \(Writer\.arequest, {FILE}\), which nobody here handles; "
        r"define `async def averdict\(self, message: Verdict\)`",
    )


def test_the_place_is_the_very_line() -> None:
    class Writer(GenAgent):
        text: str = """
not indented
"""

        def request(self, message: Message) -> Iterator[Message]:
            "Say"
            yield Verdict(receiver="nobody")  # here

    lines = inspect.getsource(sys.modules[__name__]).splitlines()
    place = lines.index('            yield Verdict(receiver="nobody")  # here') + 1

    assert f"(Writer.request, test_lint.py:{place})" in problems(Writer(id="writer"))[0]


def test_the_same_mistake_of_many_agents_is_said_once() -> None:
    class Writer(GenAgent):
        def request(self, message: Message) -> Message:
            return Review(receiver="nobody")

    assert only(problems(*(Writer(id=f"w{number}") for number in range(5))), r"'w0' \(and 4 more\) sends 'review' .*")


EVERY_WAY = """
return Review(receiver="x")
yield Review(receiver="x")
yield Review.reply(message, receiver="x")
yield message.reply(method="review", receiver="x")
yield [Review(receiver="x")]
yield from [Review(receiver="x"), None]
return [Review(receiver=name) for name in "xyz"]
return Review(receiver=message.body) if message.body else None
return (review := Review(receiver="x"))
review = Review(receiver="x"); return review
review: Message = Review(receiver="x"); yield review
reply = yield call(Review(receiver="x"))
reply = yield llm_net.call(Review(receiver="x"))
self.send(Review(receiver="x"))
await self.send(Review(receiver="x"))
reply = await self.call(Review(receiver="x"), timeout=3)
replies = await self.gather([Review(receiver="x") for _ in "ab"], k=1)
replies = await self.gather(Review(receiver=name) for name in "ab")
await self.send(message=Review(receiver="x")) if 0 else await self.send(Review(receiver="x"))
""".strip().splitlines()


@pytest.mark.parametrize("body", EVERY_WAY)
def test_messages_are_seen_in_every_way_to_send_them(body: str) -> None:
    start = "async def arequest" if "await" in body else "def request"

    found = problems(written(f"{start}(self, message: Message):\n    {body}"))

    assert found
    assert all("sends 'review'" in problem for problem in found)


def written(method: str) -> GenAgent:
    """An agent with this method, as if it stood in a file."""
    source = f"class Agent(GenAgent):\n    {method.replace(chr(10), chr(10) + '    ')}\n"
    name = f"<written {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, object] = {"__name__": "written", "llm_net": llm_net, "Review": Review}
    space |= {"GenAgent": GenAgent, "Message": Message, "call": call}
    exec(compile(source, name, "exec"), space)
    kind = space["Agent"]
    assert isinstance(kind, type)
    assert issubclass(kind, GenAgent)
    return kind(id="agent")


@pytest.mark.parametrize(
    "body",
    [
        "return message.reply(body='to whoever asked, who may wait')",
        "return Review.reply(message)",
        "return Review()  # to the outside",
        "return Review(receiver=message.sender)",
        "return Review(receiver=None)",
        "return Review(**message.metadata)",
        "return Review(method=message.body, receiver='agent')",
        "return make(message)",
        "kind = Review; return kind.reply(message, receiver='x')",
        "self.client.reply('x')",
        "review = Review(receiver='x')  # made, never sent",
        "review = 1; review = make(); return review",
        "return lambda: Review(receiver='x')",
        "def later():\n        yield Review(receiver='x')",
        "self.network.add(make()); return Review(receiver='x')",
        "network = self.network; network.add(make()); return Review(receiver='x')",
        "return message.forward('x')",
        "return message",
        "return None",
    ],
)
def test_what_may_be_right_is_left_alone(body: str) -> None:
    assert problems(written(f"def request(self, message: Message):\n    {body}"), Critic(id="critic")) == []


def test_addresses_are_looked_up_as_a_run_does() -> None:
    class Writer(GenAgent):
        def request(self, message: Message) -> Iterator[Message]:
            for _ in range(1):
                yield Verdict(receiver="judge")  # alone of this id
                yield Verdict(receiver="court/judge")  # a network around
                yield Verdict(receiver="office/court/judge")  # from the outermost
                yield Verdict(receiver="office")  # a network around itself
                yield Verdict(receiver=self.network["desk"])  # the network it is in

    class Judge(GenAgent):
        def verdict(self, message: Verdict) -> None: ...

    class Office(GenNetwork):
        def verdict(self, message: Verdict) -> None: ...

    desk = Office(id="desk", agents=[Writer(id="writer")])

    assert Office(id="office", agents=[desk, GenNetwork(id="court", agents=[Judge(id="judge")])]).lint() == []


def test_messages_of_the_network_itself_are_checked() -> None:
    class Office(GenNetwork):
        def request(self, message: Message) -> Message:
            return Review(receiver="nobody")

    assert only(Office(id="office").lint(), rf"'office' sends 'review' to 'nobody' \(Office\.request, {FILE}\), .*")


# ------------------------------------------------------------------------------------------------ answers


def test_an_answer_that_nobody_reads() -> None:
    class Writer(GenAgent):
        def request(self, message: Message) -> Iterator[Message]:
            yield Review.reply(message, receiver=self.network["critic"])

    assert only(
        problems(Writer(id="writer"), Critic(id="critic")),
        rf"'writer' sends 'review' \(Writer\.request, {FILE}\) and does not wait, "
        rf"but has no handler for the answer 'verdict' \(Critic\.review, {FILE}\); "
        r"write `await self\.call\(…\)`, or define `async def averdict\(self, message: Verdict\)`",
    )


def test_an_answer_that_nobody_reads_from_whoever_handles_the_question() -> None:
    class Writer(GenAgent):
        def request(self, message: Message) -> list[Message]:
            return [Review(receiver=agent) for agent in self.network.receivers(Review)]

    assert only(
        problems(Writer(id="writer"), Critic(id="a"), Critic(id="b")), r"'writer' sends 'review' .* answer 'verdict' .*"
    )


def test_answers_that_are_read_are_left_alone() -> None:
    class Waits(GenAgent):
        async def arequest(self, message: Message) -> None:
            await self.call(Review(receiver="critic"))
            await self.gather([Review(receiver="critic")])

    class WaitsToo(GenAgent):
        def request(self, message: Message) -> Iterator[object]:
            yield call(Review(receiver="critic"))

    class Handles(GenAgent):
        def request(self, message: Message) -> Message:
            return Review(receiver="critic")

        def verdict(self, message: Verdict) -> None: ...

    class Open(GenAgent):
        def request(self, message: Message) -> Message:
            return Review(receiver="critic")

        def missing(self, message: Message) -> None: ...

    assert problems(Waits(id="a"), WaitsToo(id="b"), Handles(id="c"), Open(id="d"), Critic(id="critic")) == []


def test_where_one_of_several_may_keep_silent_nothing_is_claimed() -> None:
    class Silent(GenAgent):
        def review(self, message: Review) -> None: ...

    class Writer(GenAgent):
        def request(self, message: Message) -> list[Message]:
            return [Review(receiver=agent) for agent in self.network.receivers(Review)]

    assert problems(Writer(id="writer"), Critic(id="a"), Silent(id="b")) == []


# ------------------------------------------------------------------------------------------------ the deaf


def test_an_agent_whose_handler_is_none_cannot_be_reached() -> None:
    class Deaf(GenAgent):
        async def astep(self, msg):  # type: ignore[no-untyped-def]  # that is the mistake
            return msg

    assert only(
        problems(Deaf(id="deaf"), Deaf(id="dumb")),
        r"nothing can reach 'deaf' \(and 1 more\): Deaf has no handlers; annotate what its method takes, "
        rf"`astep\(self, message: Message\)` \(Deaf\.astep, {FILE}\)",
    )


def test_an_agent_without_handlers_may_be_meant_so() -> None:
    class Board(GenAgent):
        facts: dict[str, str] = Field(default={})

        def put(self, name: str, fact: str) -> None:
            self.facts[name] = fact

        def get(self, name: str) -> str:
            return self.facts[name]

    class Ticker(GenAgent):
        @every(60)
        def tick(self, message: Message) -> None: ...

    assert problems(Board(id="board"), Ticker(id="ticker"), GenAgent(id="bare"), GenNetwork(id="empty")) == []


# ------------------------------------------------------------------------------------------------ the whole


def test_a_network_inside_itself_comes_to_an_end() -> None:
    network = GenNetwork(
        id="ring", agents=[Speaker(id="anna"), Archive(id="archive")], links=[("anna", "draft", "archive")]
    )
    network.add(network)
    network.link("ring/ring/anna", "draft", "archive")
    network.link("ring", "draft", "ring/archive")

    assert network.lint() == []


def test_nothing_is_run_and_nothing_is_changed() -> None:
    class Trap(GenAgent):
        def request(self, message: Message) -> Message:
            raise AssertionError("run")

        @property
        def trap(self) -> str:
            raise AssertionError("read")

    network = GenNetwork(agents=[Trap(id="trap"), Archive(id="archive")], links=[Link("trap", "x", "archive")])

    assert len(network.lint()) == len(network.lint()) == 1


def test_an_empty_network_is_fine() -> None:
    assert GenNetwork().lint() == []
