"""An agent in a run: what its handlers send, ask and emit, and what they are told. Played in a simulated world."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from pydantic import Field

from llm_net import Call, Event, GenAgent, GenNetwork, Limits, Message, call, every, handles, simulation
from llm_net.address import Reference
from llm_net.errors import (
    AgentFailed,
    CallTimeout,
    DefinitionError,
    ForgedSender,
    NotHandling,
    NotUnderstood,
    Unanswered,
    UnknownAddress,
)
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage

world = Stage("world")


class Review(Message):
    text: str = ""


class Deep(Review):
    pass


class Echo(GenAgent):
    """Answers after a while."""

    pause: float = 0.0
    asked: list[str] = Field(default_factory=list)

    async def arequest(self, message: Message) -> Message:
        self.asked.append(message.body)
        await asyncio.sleep(self.pause)
        return message.reply(body=f"{self.id}: {message.body}")


class Mute(GenAgent):
    def request(self, message: Message) -> None:
        pass


class Broken(GenAgent):
    def request(self, message: Message) -> None:
        raise ValueError("broken")


def play(*agents: GenAgent, method: str = "request", body: str = "", links: Any = ()) -> tuple[Message | None, Any]:
    """Send a message to the first agent of a network of these; gives the result and the statistics."""

    async def main() -> tuple[Message | None, Any]:
        network = GenNetwork(id="office", agents=agents, links=links)
        async with world.run(network, Message(method=method, body=body, receiver=agents[0])) as run:
            result = await run.wait()
        return result, run.statistics()

    return world.play(main())


# ---------------------------------------------------------------------------------------------- handlers in the engine


class Colours(GenAgent):
    def plain(self, message: Message) -> Message:
        return message.reply(body="plain")

    def several(self, message: Message) -> list[Message]:
        return [Message(receiver="probe", body=str(n)) for n in range(3)]

    def generator(self, message: Message):  # type: ignore[no-untyped-def]
        yield Message(receiver="probe", body="0")
        yield [Message(receiver="probe", body="1"), Message(receiver="probe", body="2")]
        yield None
        return message.reply(body="generator")

    async def acoroutine(self, message: Message) -> Message:
        await asyncio.sleep(1)
        return message.reply(body="coroutine")

    async def aflow(self, message: Message):  # type: ignore[no-untyped-def]
        yield Message(receiver="probe", body="0")
        await asyncio.sleep(1)
        yield Message(receiver="probe", body="1")
        yield message.reply(body="flow")

    def nothing(self, message: Message) -> None:
        pass

    def step(self, message: Message) -> Message:
        raise AssertionError("the async one is preferred")

    async def astep(self, message: Message) -> Message:
        return message.reply(body="astep")

    async def areview(self, message: Review) -> Message:
        return message.reply(body=f"reviewed {message.text}")


@pytest.mark.parametrize(
    ("method", "bodies", "answer"),
    [
        ("plain", [], "plain"),
        ("several", ["0", "1", "2"], None),
        ("generator", ["0", "1", "2"], "generator"),
        ("coroutine", [], "coroutine"),
        ("flow", ["0", "1"], "flow"),
        ("nothing", [], None),
        ("step", [], "astep"),
    ],
)
def test_a_handler_of_each_colour_sends_what_it_returns_and_yields(
    method: str, bodies: list[str], answer: str | None
) -> None:
    result, _ = play(Colours(id="c"), probe := Probe(id="probe"), method=method)
    assert probe.bodies == bodies
    assert (result.body if result is not None else None) == answer


def test_a_typed_message_goes_to_the_handler_of_its_class_and_one_of_a_subclass_too() -> None:
    async def main() -> list[str]:
        network = GenNetwork(agents=[Colours(id="c")])
        return [
            answer.body
            for kind in (Review, Deep)
            async for answer in network.areceive(kind(receiver="c", text=kind.__name__))
        ]

    assert world.play(main()) == ["reviewed Review", "reviewed Deep"]


@pytest.mark.parametrize(
    "method",
    [
        "model_dump",
        "emit",
        "send",
        "__class__",
        "__init__",
        "_private",
        "network",
        "astart",
        "missing",
        "receive",
        "aplain",
    ],
)
def test_what_a_message_names_is_never_called_unless_it_is_a_handler(method: str) -> None:
    class Guarded(Colours):
        def _private(self, message: Message) -> None:
            raise AssertionError("reached")

    with pytest.raises(NotUnderstood, match="'c' has no handler"):
        play(Guarded(id="c"), method=method)


def test_missing_may_answer_whatever_nobody_else_does() -> None:
    class Helpful(GenAgent):
        async def missing(self, message: Message):  # type: ignore[no-untyped-def]
            await asyncio.sleep(0)
            yield message.reply(body=f"I cannot {message.method}")

    result, _ = play(Helpful(id="h"), method="fly")
    assert result is not None
    assert result.body == "I cannot fly"


# ---------------------------------------------------------------------------------------------- who speaks


def test_what_is_sent_without_a_sender_is_stamped_with_the_agent_and_its_role() -> None:
    class Speaker(GenAgent):
        def request(self, message: Message):  # type: ignore[no-untyped-def]
            yield Message(receiver="probe")
            yield Message(receiver="probe", role="system")
            self.emit("said", Message())

    play(speaker := Speaker(id="s"), probe := Probe(id="probe"), links=[("s", "said", "probe")])
    assert [message.sender for message in probe.messages] == [speaker] * 3
    assert all(message.sender is speaker for message in probe.messages)
    assert [message.role for message in probe.messages] == ["assistant", "system", "assistant"]


def test_a_sender_written_as_an_id_becomes_the_agent() -> None:
    class Speaker(GenAgent):
        def request(self, message: Message) -> Message:
            return Message(sender="s", receiver="probe")

    play(speaker := Speaker(id="s"), probe := Probe(id="probe"))
    assert probe.messages[0].sender is speaker


FORGERIES: list[Callable[[GenAgent, GenAgent], Any]] = [
    lambda self, victim: Message(sender=victim, receiver="probe"),
    lambda self, victim: Message(sender=victim.id, receiver="probe"),
    lambda self, victim: Message(sender=Reference(victim.id), receiver="probe"),
    lambda self, victim: Message(sender=self.network, receiver="probe"),
    lambda self, victim: Review(sender=victim, receiver="probe"),
    lambda self, victim: [Message(receiver="self"), Message(sender=victim, receiver="probe")][1:],
    lambda self, victim: Message(sender=victim, receiver=victim).reply(sender=victim, receiver="probe"),
]


@pytest.mark.parametrize("way", ["returned", "yielded", "flowing", "sent", "called", "gathered", "emitted"])
def test_of_a_thousand_forged_senders_none_is_accepted(way: str) -> None:
    class Forger(GenAgent):
        refused: int = 0

        def returned(self, message: Message) -> Any:
            return self.forge()

        def yielded(self, message: Message):  # type: ignore[no-untyped-def]
            yield self.forge()

        async def aflowing(self, message: Message):  # type: ignore[no-untyped-def]
            yield self.forge()

        async def asent(self, message: Message) -> None:
            await self.send(self.one())

        async def acalled(self, message: Message) -> None:
            await self.call(self.one())

        async def agathered(self, message: Message) -> None:
            await self.gather([self.one()])

        def emitted(self, message: Message) -> None:
            self.emit("said", self.one())

        def forge(self) -> Any:
            return self.random.choice(FORGERIES)(self, self.network["victim"])

        def one(self) -> Message:
            forged = self.forge()
            message: Message = forged[0] if isinstance(forged, list) else forged
            return message

    async def main() -> None:
        agents = [Forger(id="forger"), Probe(id="victim"), probe := Probe(id="probe")]
        network = GenNetwork(id="office", agents=agents, links=[("forger", "said", "probe")], supervision="skip")
        async with world.run(network) as run:
            for _ in range(150):
                await run.send(Message(method=way, receiver="forger"))
        assert probe.messages == []
        assert run.statistics().dead == 150
        assert {type(letter.reason) for letter in run.dead_letters} == {ForgedSender}

    world.play(main())


def test_an_agent_of_the_same_name_elsewhere_cannot_speak_for_its_namesake() -> None:
    class Impostor(GenAgent):
        victim: Any = None

        def request(self, message: Message) -> Message:
            return Message(sender=self.victim, receiver="probe")

    async def main() -> None:
        boss = Probe(id="boss")
        inner = GenNetwork(id="inner", agents=[Impostor(id="boss", victim=boss)])
        network = GenNetwork(agents=[boss, inner, probe := Probe(id="probe")])
        with pytest.raises(AgentFailed, match="ForgedSender"):
            async with world.run(network, Message(receiver="inner/boss")):
                pass
        assert probe.messages == []

    world.play(main())


def test_a_message_may_be_sent_again_in_another_run_by_an_agent_that_took_the_place_of_its_sender() -> None:
    hello = Message(receiver="probe", body="hello")

    class Greeter(GenAgent):
        def request(self, message: Message) -> Message:
            return hello

    for _ in range(2):
        play(greeter := Greeter(id="greeter"), probe := Probe(id="probe"))
        assert probe.messages[0].sender is greeter


def test_a_message_is_passed_on_by_forwarding_it() -> None:
    class Secretary(GenAgent):
        def request(self, message: Message) -> Message:
            return message.forward("probe")

        def resend(self, message: Message) -> Message:
            return message

    play(secretary := Secretary(id="s"), probe := Probe(id="probe"), body="words")
    (forwarded,) = probe.messages
    assert (forwarded.body, forwarded.sender) == ("words", secretary)


# ---------------------------------------------------------------------------------------------- calls


def test_a_call_gives_the_reply() -> None:
    class Caller(GenAgent):
        async def arequest(self, message: Message) -> Message:
            reply = await self.call(Message(receiver="echo", body="hello"))
            assert reply.sender == Reference("echo")
            assert reply.receiver is self
            assert reply.reply_to is not None
            assert reply.reply_to.body == "hello"
            return message.reply(body=reply.body)

    result, statistics = play(Caller(id="caller"), Echo(id="echo", pause=3.0))
    assert result is not None
    assert result.body == "echo: hello"
    assert statistics.handled == 4


def test_a_reply_that_is_only_yielded_among_other_things_is_the_reply() -> None:
    class Busy(GenAgent):
        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            yield Message(receiver="probe", body="before")
            yield message.reply(body="the reply")
            await asyncio.sleep(10)
            yield Message(receiver="probe", body="after")

    class Caller(GenAgent):
        answered: float = -1

        async def arequest(self, message: Message) -> None:
            assert (await self.call(Message(receiver="busy"))).body == "the reply"
            self.answered = asyncio.get_running_loop().time()

    play(caller := Caller(id="caller"), Busy(id="busy"), probe := Probe(id="probe"))
    assert caller.answered == 0
    assert probe.bodies == ["before", "after"]


def test_a_second_reply_goes_to_the_handler_of_its_method() -> None:
    class Twice(GenAgent):
        def request(self, message: Message) -> list[Message]:
            return [message.reply(body="first"), message.reply(body="second")]

    class Caller(GenAgent):
        heard_later: list[str] = []

        async def arequest(self, message: Message) -> None:
            assert (await self.call(Message(receiver="twice"))).body == "first"

        def response(self, message: Message) -> None:
            self.heard_later.append(message.body)

    play(caller := Caller(id="caller"), Twice(id="twice"))
    assert caller.heard_later == ["second"]


def test_somebody_else_may_answer_for_who_was_asked() -> None:
    class Secretary(GenAgent):
        def request(self, message: Message) -> Message:
            return message.forward("expert")

    class Expert(GenAgent):
        async def arequest(self, message: Message) -> Message:
            await asyncio.sleep(5)
            assert message.reply_to is not None
            return message.reply_to.reply(sender=self, body="I know")

    class Caller(GenAgent):
        async def arequest(self, message: Message) -> Message:
            reply = await self.call(Message(receiver="secretary"))
            return message.reply(body=f"{reply.sender.id if reply.sender else ''}: {reply.body}")

    result, _ = play(Caller(id="caller"), Secretary(id="secretary"), Expert(id="expert"))
    assert result is not None
    assert result.body == "expert: I know"


@pytest.mark.parametrize(
    ("receiver", "error"), [("nobody", UnknownAddress), ("broken", AgentFailed), ("mute", Unanswered)]
)
def test_what_becomes_of_a_call_that_is_not_answered_is_raised_to_the_caller(
    receiver: str, error: type[Exception]
) -> None:
    class Caller(GenAgent):
        async def arequest(self, message: Message) -> Message:
            with pytest.raises(error):
                await self.call(Message(receiver=receiver))
            return message.reply(body="caught")

    result, _ = play(Caller(id="caller"), Broken(id="broken"), Mute(id="mute"))
    assert result is not None


def test_a_call_may_be_made_from_several_tasks_of_one_handler() -> None:
    class Caller(GenAgent):
        async def arequest(self, message: Message) -> Message:
            replies = await asyncio.gather(*(self.call(Message(receiver=f"e{n}", body=str(n))) for n in range(5)))
            return message.reply(body=" ".join(reply.body for reply in replies))

    result, _ = play(Caller(id="caller"), *(Echo(id=f"e{n}", pause=5.0 - n) for n in range(5)))
    assert result is not None
    assert result.body == "e0: 0 e1: 1 e2: 2 e3: 3 e4: 4"


@pytest.mark.parametrize("what", ["network", "heard", "random"])
def test_some_things_are_known_only_while_a_message_is_handled(what: str) -> None:
    with pytest.raises(NotHandling, match=what):
        getattr(Echo(id="e"), what)


def test_sending_and_calling_need_a_message_to_be_handled() -> None:
    agent = Echo(id="e")
    for act in (agent.send, agent.call):
        with pytest.raises(NotHandling):
            act(Message(receiver="x"))
    with pytest.raises(NotHandling):
        agent.gather([])
    with pytest.raises(NotHandling):
        agent.now()


# ---------------------------------------------------------------------------------------------- gather


class Gatherer(GenAgent):
    k: int | None = None
    timeout: float | None = None
    receivers: list[str] = []
    replies: list[str] = []
    error: str = ""
    took: float = -1

    async def arequest(self, message: Message) -> None:
        began = asyncio.get_running_loop().time()
        try:
            questions = [Message(receiver=name, body="?") for name in self.receivers]
            replies = await self.gather(questions, k=self.k, timeout=self.timeout)
            self.replies = [reply.sender.id for reply in replies if reply.sender is not None]
        except Exception as error:  # noqa: BLE001 - it is what is to be found out
            self.error = type(error).__name__
        self.took = asyncio.get_running_loop().time() - began


def gathered(*receivers: str, k: int | None = None, timeout: float | None = None) -> tuple[Gatherer, Any]:
    """What somebody gets who asks: e1 takes a second, e2 two and so on; broken fails, mute says nothing, nobody is nobody."""
    agents = [Echo(id=f"e{n}", pause=float(n)) for n in range(1, 6)]
    gatherer = Gatherer(id="g", receivers=list(receivers), k=k, timeout=timeout)
    _, statistics = play(gatherer, *agents, Broken(id="broken"), Mute(id="mute"))
    return gatherer, statistics


def test_gathering_gives_all_replies_in_the_order_of_the_questions() -> None:
    gatherer, _ = gathered("e3", "e1", "e2")
    assert (gatherer.replies, gatherer.took) == (["e3", "e1", "e2"], 3)


def test_gathering_nothing_gives_nothing_at_once() -> None:
    assert gathered()[0].replies == []
    assert gathered("e1", k=0)[0].took == 0


@pytest.mark.parametrize(
    ("k", "replies"), [(1, ["e1"]), (2, ["e2", "e1"]), (3, ["e3", "e2", "e1"]), (9, ["e4", "e3", "e2", "e1"])]
)
def test_gathering_k_of_n_is_over_with_the_kth_reply(k: int, replies: list[str]) -> None:
    gatherer, statistics = gathered("e4", "e3", "e2", "e1", k=k)
    assert gatherer.replies == replies
    assert gatherer.took == min(k, 4)
    assert statistics.dead == 4 - len(replies)  # late replies


def test_of_replies_that_came_in_one_turn_the_first_is_taken_not_the_first_listed() -> None:
    opened = asyncio.Event()

    class Runner(GenAgent):
        steps: int

        async def arequest(self, message: Message) -> Message:
            await opened.wait()
            for _ in range(self.steps):
                await asyncio.sleep(0)
            return message.reply()

    class Starter(GenAgent):
        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(1)  # until everybody waits
            opened.set()

    gatherer = Gatherer(id="g", receivers=["slow", "fast", "starter"], k=1)
    _, statistics = play(gatherer, Runner(id="slow", steps=1), Runner(id="fast", steps=0), Starter(id="starter"))

    assert gatherer.replies == ["fast"]
    assert statistics.dead == 0  # the slow one was in time for nothing but the same turn


def test_a_timeout_of_gathering_gives_what_has_come() -> None:
    gatherer, statistics = gathered("e4", "e1", "e2", timeout=2.5)
    assert (gatherer.replies, gatherer.took, statistics.dead) == (["e1", "e2"], 2.5, 1)


def test_who_fails_is_left_out_as_long_as_enough_replies_can_come() -> None:
    assert gathered("broken", "e2", "e1", k=2)[0].replies == ["e2", "e1"]
    assert gathered("broken", "e2", "e1", "broken", k=1)[0].replies == ["e1"]


@pytest.mark.parametrize(
    ("receivers", "k", "took"),
    [(("broken", "e1"), None, 0), (("e1", "broken", "broken"), 2, 0), (("broken",), 1, 0)],
)
def test_gathering_fails_as_soon_as_too_few_replies_can_come(
    receivers: tuple[str, ...], k: int | None, took: float
) -> None:
    gatherer, _ = gathered(*receivers, k=k)
    assert (gatherer.error, gatherer.took) == ("AgentFailed", took)


def test_gathering_may_note_failures_and_go_on_with_the_others() -> None:
    class Tolerant(GenAgent):
        said: list[str] = []
        failed: dict[str, str] = {}

        async def arequest(self, message: Message) -> None:
            failures: dict[Message, BaseException] = {}
            questions = [Message(receiver=name) for name in ("broken", "e2", "mute", "e1")]
            replies = await self.gather(questions, failures=failures)
            self.said = [reply.sender.id for reply in replies if reply.sender is not None]
            self.failed = {asked.receiver.id: type(why).__name__ for asked, why in failures.items() if asked.receiver}
            nobody: dict[Message, BaseException] = {}
            assert await self.gather([Message(receiver="broken")], failures=nobody) == []
            assert len(nobody) == 1

    tolerant = Tolerant(id="t")
    play(tolerant, *(Echo(id=f"e{n}", pause=float(n)) for n in (1, 2)), Broken(id="broken"), Mute(id="mute"))

    assert tolerant.said == ["e2", "e1"]
    assert tolerant.failed == {"broken": "AgentFailed", "mute": "Unanswered"}


def test_gathering_from_who_says_nothing_fails_when_the_others_are_done() -> None:
    gatherer, _ = gathered("e1", "mute", "e2")
    assert (gatherer.error, gatherer.took) == ("Unanswered", 2)
    gatherer, _ = gathered("e1", "mute", "e2", k=2)
    assert (gatherer.replies, gatherer.took) == (["e1", "e2"], 2)


def test_gathering_from_nobody_fails_and_what_was_asked_before_is_nobodys_business_any_more() -> None:
    gatherer, statistics = gathered("e1", "nobody", "e2")
    assert gatherer.error == "UnknownAddress"
    assert statistics.expired + statistics.dead == 1


def test_one_agent_may_be_asked_several_things_at_once() -> None:
    gatherer, _ = gathered("e1", "e1", "e1")
    assert (gatherer.replies, gatherer.took) == (["e1"] * 3, 3)


# ---------------------------------------------------------------------------------------------- plain generators


def test_a_plain_generator_may_call() -> None:
    class Plain(GenAgent):
        def request(self, message: Message):  # type: ignore[no-untyped-def]
            first = yield call(Message(receiver="echo", body="1"))
            second = yield call(Message(receiver="echo", body="2"))
            nothing = yield Message(receiver="probe")
            assert nothing is None
            yield message.reply(body=f"{first.body}, {second.body}")

    result, _ = play(Plain(id="p"), Echo(id="echo", pause=1.0), Probe(id="probe"))
    assert result is not None
    assert result.body == "echo: 1, echo: 2"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: call(Message(receiver="nobody")), UnknownAddress),
        (lambda: call(Message(receiver="broken")), AgentFailed),
        (lambda: call(Message(receiver="mute")), Unanswered),
        (lambda: call(Message(receiver="echo"), timeout=1.0), CallTimeout),
        (lambda: Message(receiver="nobody"), UnknownAddress),
        (lambda: Message(sender="echo", receiver="mute"), ForgedSender),
        (lambda: "words", TypeError),
        (lambda: [Message(receiver="mute"), Message(receiver="nobody")], UnknownAddress),
    ],
)
@pytest.mark.parametrize("colour", ["plain", "async"])
def test_what_goes_wrong_with_a_yield_is_raised_at_the_yield(
    make: Callable[[], Any], error: type[Exception], colour: str
) -> None:
    item = make()

    class Mending(GenAgent):
        def plain(self, message: Message):  # type: ignore[no-untyped-def]
            try:
                yield item
            except error:
                yield message.reply(body="mended")

        @handles("async")
        async def flowing(self, message: Message):  # type: ignore[no-untyped-def]
            try:
                if isinstance(item, Call):
                    await self.call(item.message, timeout=item.timeout)
                else:
                    yield item
            except error:
                yield message.reply(body="mended")

    result, _ = play(Mending(id="m"), Broken(id="broken"), Mute(id="mute"), Echo(id="echo", pause=9.0), method=colour)
    assert result is not None
    assert result.body == "mended"


def test_a_generator_that_does_not_mend_it_fails_with_it() -> None:
    class Plain(GenAgent):
        closed: bool = False

        def request(self, message: Message):  # type: ignore[no-untyped-def]
            try:
                yield Message(receiver="nobody")
            finally:
                self.closed = True

    plain = Plain(id="p")
    with pytest.raises(AgentFailed, match="UnknownAddress"):
        play(plain)
    assert plain.closed


# ---------------------------------------------------------------------------------------------- events and callbacks


class Speaker(GenAgent):
    def request(self, message: Message) -> None:
        for word in message.body.split():
            self.emit("said", Message(body=word))

    def verb(self, message: Message) -> None:
        self.emit(Message(method="inform", body="by its method"))

    def wordless(self, message: Message) -> None:
        self.emit("said")


def test_callbacks_hear_the_event_its_name_and_who_emitted_it() -> None:
    heard: list[Event] = []
    speaker = Speaker(id="s")
    speaker.on("said", heard.append)
    speaker.on("inform", heard.append)
    play(speaker, body="a b")
    play(speaker, method="verb")
    assert [(event.name, event.path, event.message.body) for event in heard] == [
        ("said", "s", "a"),
        ("said", "s", "b"),
        ("inform", "s", "by its method"),
    ]


def test_once_is_once_and_off_is_off() -> None:
    log: list[str] = []

    def always(event: Event) -> None:
        log.append(f"always {event.message.body}")

    def once(event: Event) -> None:
        log.append(f"once {event.message.body}")

    speaker = Speaker(id="s")
    speaker.on("said", always)
    speaker.on("said", always)  # a second time makes no difference
    speaker.once("said", once)
    play(speaker, body="a b")
    speaker.off("said", always)
    speaker.off("said", always)
    speaker.off("never", once)
    play(speaker, body="c")
    assert log == ["always a", "once a", "always b"]


def test_the_star_hears_every_event() -> None:
    heard: list[str] = []
    speaker = Speaker(id="s")
    speaker.on("*", lambda event: heard.append(event.name))
    play(speaker, body="a")
    play(speaker, method="verb")
    assert heard == ["said", "inform"]


def test_a_callback_that_raises_fails_the_run_and_every_other_still_hears() -> None:
    heard: list[str] = []

    def wrong(event: Event) -> None:
        raise KeyError("deaf")

    speaker = Speaker(id="s")
    speaker.on("said", wrong)
    speaker.on("said", lambda event: heard.append(event.message.body))
    with pytest.raises(AgentFailed, match="'s' failed at 'request'.*KeyError: 'deaf'") as failed:
        play(speaker, probe := Probe(id="probe"), body="a", links=[("s", "said", "probe")])
    assert heard == ["a"]
    assert isinstance(failed.value.__cause__, KeyError)
    assert failed.value.__cause__.__notes__ == ["raised by a callback on 'said' of 's'"]
    assert probe is not None


def test_an_async_callback_runs_beside_the_speaker_and_its_error_is_the_runs() -> None:
    log: list[str] = []

    async def slowly(event: Event) -> None:
        await asyncio.sleep(5)
        log.append(event.message.body)
        if event.message.body == "b":
            raise KeyError("deaf")

    speaker = Speaker(id="s")
    speaker.on("said", slowly)
    play(speaker, body="a")
    assert log == ["a"]
    with pytest.raises(AgentFailed, match="'s' failed at 'request'.*deaf"):
        play(speaker, body="b")


def test_the_error_of_a_callback_names_who_spoke_though_others_spoke_meanwhile() -> None:
    async def slowly(event: Event) -> None:
        await asyncio.sleep(5)
        raise KeyError("deaf")

    first = Speaker(id="first")
    first.on("said", slowly)

    async def main() -> None:
        network = GenNetwork(agents=[first, Speaker(id="second"), Echo(id="echo", pause=20.0)])
        with pytest.raises(AgentFailed, match="'first' failed at 'request'"):
            async with world.run(network, Message(body="a", receiver="first")) as run:
                await run.send(Message(body="a", receiver="second"))
                await run.send(Message(receiver="echo"))

    world.play(main())


def test_events_tell_of_each_message_received_and_sent() -> None:
    log: list[str] = []
    echo = Echo(id="echo")
    echo.on("receive", lambda event: log.append(f"receive {event.message.body}"))
    echo.on("sent", lambda event: log.append(f"sent {event.message.body}"))
    play(echo, body="x")
    play(echo, body="y")
    assert log == ["receive x", "sent echo: x", "receive y", "sent echo: y"]


def test_replies_to_calls_and_messages_to_the_outside_are_sent_too() -> None:
    class Caller(GenAgent):
        async def arequest(self, message: Message) -> Message:
            reply = await self.call(Message(receiver="echo", body="q"))
            return message.reply(body=f"got {reply.body}")

    log: list[str] = []
    caller, echo = Caller(id="caller"), Echo(id="echo", pause=1.0)
    for agent in (caller, echo):
        agent.on("sent", lambda event: log.append(f"{event.path}: {event.message.body}"))
    play(caller, echo)
    assert log == ["caller: q", "echo: echo: q", "caller: got echo: q"]


def test_a_hook_set_while_a_run_goes_on_hears_from_then_on() -> None:
    log: list[str] = []

    async def main() -> None:
        async with world.run(GenNetwork(agents=[echo := Echo(id="echo")])) as run:
            await run.send(Message(receiver="echo", body="x"))
            await asyncio.sleep(1)
            echo.once("sent", lambda event: log.append(event.message.body))
            await run.send(Message(receiver="echo", body="y"))
            await run.send(Message(receiver="echo", body="z"))

    world.play(main())
    assert log == ["echo: y"]


def test_an_event_needs_a_message() -> None:
    with pytest.raises(AgentFailed, match="needs a message"):
        play(Speaker(id="s"), method="wordless")


def test_outside_of_a_run_callbacks_hear_at_once_all_of_them() -> None:
    heard: list[str] = []

    def wrong(event: Event) -> None:
        raise KeyError("deaf")

    agent = Speaker(id="s")
    agent.on("said", wrong)
    agent.on("said", lambda event: heard.append(event.message.body))
    with pytest.raises(KeyError, match="deaf"):
        agent.emit("said", Message(body="a"))
    assert heard == ["a"]


def test_outside_of_a_run_nobody_waits_for_an_async_callback_so_it_is_refused() -> None:
    async def slowly(event: Event) -> None:
        raise AssertionError("not begun")

    agent = Speaker(id="s")
    agent.on("said", slowly)
    with pytest.raises(NotHandling, match="async callback"):
        agent.emit("said", Message())


# ---------------------------------------------------------------------------------------------- clocks


def test_a_periodic_handler_is_called_each_period_with_a_message_of_its_method() -> None:
    class Clock(GenAgent):
        ticks: list[tuple[float, str, str]] = []

        @every(2.5)
        async def atick(self, message: Message) -> None:
            self.ticks.append((asyncio.get_running_loop().time(), message.method, message.role))

    play(Echo(id="echo", pause=8.0), clock := Clock(id="clock"))
    assert clock.ticks == [(2.5, "tick", "system"), (5.0, "tick", "system"), (7.5, "tick", "system")]


def test_a_periodic_handler_may_take_a_message_class_of_its_own() -> None:
    class Poll(Message):
        depth: int = 3

    class Clock(GenAgent):
        polls: list[int] = []

        @every(1.0)
        def poll(self, message: Poll) -> None:
            self.polls.append(message.depth)

    play(Echo(id="echo", pause=2.5), clock := Clock(id="clock"))
    assert clock.polls == [3, 3]


def test_a_periodic_handler_whose_message_nobody_could_make_is_refused_at_definition() -> None:
    class Poll(Message):
        depth: int

    with pytest.raises(DefinitionError, match="depth"):

        class Clock(GenAgent):
            @every(1.0)
            def poll(self, message: Poll) -> None:
                pass


def test_a_slow_agent_skips_ticks_and_does_not_pile_them_up() -> None:
    class Clock(GenAgent):
        ticks: list[float] = []

        @every(1.0)
        async def atick(self, message: Message) -> None:
            self.ticks.append(asyncio.get_running_loop().time())
            await asyncio.sleep(3.5)

    _, statistics = play(Echo(id="echo", pause=10.2), clock := Clock(id="clock"))
    assert clock.ticks == [1, 4.5, 8]
    assert statistics.sent < 10


def test_an_agent_that_joins_ticks_from_then_on_and_one_that_leaves_no_more() -> None:
    class Clock(GenAgent):
        ticks: list[float] = []

        @every(1.0)
        def tick(self, message: Message) -> None:
            self.ticks.append(asyncio.get_running_loop().time())

    async def main() -> None:
        network = GenNetwork(agents=[early := Clock(id="early")])
        async with world.run(network):
            await asyncio.sleep(2.5)
            network.add(late := Clock(id="late"))
            await asyncio.sleep(1.75)
            network.remove(early)
            await asyncio.sleep(2)
            network.add(early)
            await asyncio.sleep(1.5)
        assert early.ticks == [1, 2, 3, 4, 7.25]
        assert late.ticks == [3.5, 4.5, 5.5, 6.5, 7.5]

    world.play(main())


def test_ticks_count_as_messages() -> None:
    class Clock(GenAgent):
        @every(1.0)
        def tick(self, message: Message) -> None:
            pass

    async def main() -> None:
        with pytest.raises(Exception, match="limit of 5 messages"):
            async with world.run(GenNetwork(agents=[Clock(id="clock")]), limits=Limits(messages=5)):
                await asyncio.sleep(100)

    world.play(main())


def test_the_time_of_day_of_an_agent_is_the_runs() -> None:
    class Clock(GenAgent):
        async def arequest(self, message: Message) -> Message:
            await asyncio.sleep(90)
            return message.reply(body=f"{self.now():%H:%M:%S}")

    result, _ = play(Clock(id="c"))
    assert result is not None
    assert result.body == "00:01:30"


# ---------------------------------------------------------------------------------------------- one agent alone


class Alone(GenAgent):
    count: int = 0

    async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
        self.count += 1
        yield Message(receiver="somebody", body="to somebody")
        yield message.reply(body="to you")
        yield Message(method="again", receiver=self, body="to me")
        yield Message(body="to nobody")

    def again(self, message: Message) -> Message:
        self.count += 1
        return message.reply(receiver="somebody", body="and again")


def test_an_agent_can_be_run_alone_and_gives_what_it_sends_to_whomever() -> None:
    agent = Alone(id="alone")
    assert [message.body for message in agent.receive(Message(receiver=agent))] == [
        "to somebody",
        "to you",
        "to me",
        "to nobody",
        "and again",
    ]
    assert agent.count == 2


def test_alone_a_message_without_a_receiver_is_for_the_agent() -> None:
    agent = Alone(id="alone")
    assert len(list(agent.receive(Message()))) == 5
    assert len(list(agent.receive(Message(receiver="whoever")))) == 5


def test_alone_it_has_no_network_and_nobody_answers_its_calls() -> None:
    class Lonely(GenAgent):
        async def arequest(self, message: Message) -> Message:
            with pytest.raises(NotHandling):
                _ = self.network
            with pytest.raises(Unanswered):
                await self.call(Message(receiver="somebody"))
            return message.reply(body="as expected")

    assert [message.body for message in Lonely(id="l").receive(Message())] == ["", "as expected"]


def test_state_is_kept_between_runs() -> None:
    agent = Alone(id="alone")
    for _ in range(3):
        list(agent.receive(Message()))
    assert agent.count == 6


def test_random_numbers_are_the_agents_own() -> None:
    class Dice(GenAgent):
        thrown: list[int] = []

        def request(self, message: Message) -> None:
            assert isinstance(self.random, Random)
            self.thrown.append(self.random.randrange(10**9))

    def throw() -> list[int]:
        async def main() -> list[int]:
            dice = [Dice(id=name) for name in "ab"]
            async with GenNetwork(id="n", agents=dice).run() as run:
                for _ in range(3):
                    for each in dice:
                        await run.send(Message(receiver=each))
            return dice[0].thrown + dice[1].thrown

        return simulation.run(main(), seed=3)

    assert throw() == throw()
    assert len(set(throw())) == 6
