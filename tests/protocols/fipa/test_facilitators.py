"""Brokers and recruiters find who can do something, and say honestly where nobody can or nobody does."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net import GenAgent, Message, handles, simulation
from llm_net.journal import MemoryJournal
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.acts import Agree, Cancel, Failure, Inform, NotUnderstood, QueryIf, Refuse, Request
from llm_net.protocols.fipa.brokering import Broker, Brokered
from llm_net.protocols.fipa.facilitator import Register, Wanted, has
from llm_net.protocols.fipa.recruiting import Recruit, Recruiter, RequestFor
from llm_net.protocols.participant import Voice
from llm_net.record import Sent
from tests.protocols.fipa.members import Crashing, Doer, Late, Lying, Promising, Silent


def answer(network: Broker, wanted: Wanted) -> Message:
    return simulation.run(network.aresult_of(wanted))


def brokered(network: Broker, wanted: Wanted) -> Brokered:
    message = answer(network, wanted)
    assert isinstance(message, Brokered), message
    return message


TEA = Wanted(body="tea", skill="tea")

# ---------------------------------------------------------------------------------------------- who fits


@pytest.mark.parametrize(
    ("registered", "description", "fits"),
    [
        (None, "Makes tea and toast", True),
        (None, "Makes teapots", False),
        (("Tea",), "", True),
        (("toast",), "Makes tea", False),
        ((), "Makes tea", False),
    ],
)
def test_what_one_registered_counts_before_what_is_said_of_one(
    registered: tuple[str, ...] | None, description: str, fits: bool
) -> None:
    assert has("tea", registered, description) is fits
    assert has("", registered, description) is (registered != ())


class Learner(Doer):
    """Registers what it can do as soon as it learns it."""

    def learn(self, message: Message) -> Message:
        return Register(skills=tuple(message.body.split()), receiver="house")


def test_who_registers_a_skill_is_found_and_who_takes_it_back_is_not() -> None:
    async def main(*skills: str) -> Message | None:
        network = Broker(id="house", agents=[Learner(id="anna")])
        async with network.run() as run:
            for each in skills:
                await run.send(Message(method="learn", body=each, receiver="anna"))
                await asyncio.sleep(1)
            await run.send(TEA)
        return run.result

    assert isinstance(simulation.run(main("tea toast")), Brokered)
    assert isinstance(simulation.run(main("toast")), Failure)
    assert isinstance(simulation.run(main("tea", "")), Failure)


def test_who_does_not_understand_it_does_not_fit() -> None:
    doers = [Doer(id="bob", description="tea")]

    nobody = answer(Broker(id="house", agents=doers), Wanted(skill="tea", act="query_if"))

    assert isinstance(nobody, Failure)
    assert nobody.body == "nobody here can do 'tea'"


# ---------------------------------------------------------------------------------------------- a broker


def test_a_broker_asks_as_many_as_are_wanted_and_brings_their_answers() -> None:
    house = Broker(id="house", agents=[Doer(id=name, description="tea") for name in ("anna", "bob", "carla")])

    assert brokered(house, TEA).replies == {"anna": "anna did tea"}
    assert list(brokered(house, Wanted(body="tea", count=2)).replies) == ["anna", "bob"]
    assert list(brokered(house, Wanted(body="tea", count=9)).replies) == ["anna", "bob", "carla"]


def test_for_whoever_does_not_do_it_the_next_one_is_asked() -> None:
    bad: list[GenAgent] = [Doer(id="unwilling", willing=False), Silent(id="silent"), Crashing(id="crashing")]
    bad += [
        Lying(id="lying"),
        Late(id="late"),
        Voice(id="voice", model=ScriptedModel(['{"act": "refuse", "body": "never"}'])),
    ]
    house = Broker(id="house", agents=[*bad, Doer(id="anna")])

    done = brokered(house, Wanted(body="tea"))

    assert done.replies == {"anna": "anna did tea"}
    assert set(done.absent) == {"unwilling", "silent", "crashing", "lying", "late", "voice"}
    assert done.absent["unwilling"] == "not I"


def test_where_nobody_of_those_who_fit_does_it_the_broker_says_why() -> None:
    failed = answer(Broker(id="house", agents=[Doer(id="anna", willing=False)]), Wanted(body="tea"))

    assert isinstance(failed, Failure)
    assert failed.body == "nobody of those who fit did it: anna: not I"


def test_a_broker_waits_for_those_who_agreed() -> None:
    house = Broker(id="house", agents=[Doer(id="anna", agrees=True), Doer(id="bob"), Doer(id="carla", agrees=True)])

    done = brokered(house, Wanted(body="tea", count=3))

    assert done.replies == {"bob": "bob did tea", "anna": "anna did tea", "carla": "carla did tea"}


def test_a_promise_that_is_not_kept_is_not_waited_for_for_ever() -> None:
    house = Broker(id="house", agents=[Promising(id="promising"), Doer(id="anna")])

    done = brokered(house, Wanted(body="tea"))

    assert done.replies == {"anna": "anna did tea"}
    assert done.absent == {"promising": "it agreed, and never said what came of it"}


def test_a_broker_serves_several_at_once() -> None:
    async def main() -> list[str]:
        house = Broker(id="house", agents=[Late(id="late", description="coffee"), Doer(id="anna", description="tea")])
        async with house.run() as run:
            await run.send(Wanted(body="coffee", skill="coffee"))
            await run.send(TEA)
            await asyncio.sleep(1)  # of the virtual clock; the late one takes 300
            done = run.result
        assert isinstance(done, Brokered)
        return list(done.replies)

    assert simulation.run(main()) == ["anna"]


class Client(GenAgent):
    """A member that wants something itself, and may change its mind."""

    cancels: bool = False
    told: list[str] = []

    def start(self, message: Message) -> list[Message]:
        wanted = Wanted(body="tea", receiver="house", reply_to=message)
        return [wanted, Cancel(receiver="house", reply_to=wanted)] if self.cancels else [wanted]

    def request(self, message: Request) -> Message:
        return Refuse.reply(message, body="I asked for it myself")

    @handles(Inform, Failure, NotUnderstood)
    def hear(self, message: Message) -> None:
        self.told.append(message.body)


def test_a_member_may_ask_and_is_not_asked_itself() -> None:
    async def main(cancels: bool) -> list[str]:
        network = Broker(id="house", agents=[client := Client(id="client", cancels=cancels), Doer(id="anna")])
        async with network.run(Message(method="start", receiver="client")) as run:
            await run.wait()
        assert not run.dead_letters
        return client.told

    assert simulation.run(main(cancels=False)) == ["anna did tea"]
    assert simulation.run(main(cancels=True)) == ["you hear no more of it"]


def test_a_broker_is_a_member_of_another_one() -> None:
    inner = Passing(id="inner", agents=[Doer(id="anna")])

    assert brokered(Broker(id="house", agents=[inner]), Wanted(body="tea")).replies == {"inner": "anna did tea"}


class Passing(Broker):
    """A broker that takes a request for what is wanted."""

    async def arequest(self, message: Request) -> Message:
        wanted = Wanted(body=message.body, receiver=self, reply_to=message)
        done = await self.aproxy(wanted)
        return Inform.reply(message, body=done.body) if isinstance(done, Brokered) else Refuse.reply(message)


ways = st.lists(st.sampled_from(["does it", "agrees", "refuses", "silent", "crashing"]), max_size=5)


@given(ways, st.integers(1, 3))
def test_what_a_broker_says_is_what_was_done(members: list[str], count: int) -> None:
    agents: list[GenAgent] = []
    for n, way in enumerate(members):
        match way:
            case "silent":
                agents.append(Silent(id=f"m{n}"))
            case "crashing":
                agents.append(Crashing(id=f"m{n}"))
            case _:
                agents.append(Doer(id=f"m{n}", agrees=way == "agrees", willing=way != "refuses"))

    said = answer(Broker(id="house", agents=agents), Wanted(body="tea", count=count))

    able = [f"m{n}" for n, way in enumerate(members) if way in ("does it", "agrees")]
    if able:
        assert isinstance(said, Brokered)
        assert set(said.replies) == set(able[:count])
        assert not said.absent.keys() & said.replies.keys()
    else:
        assert isinstance(said, Failure)


def test_an_errand_is_resumed_where_it_was_cut_off_and_replayed() -> None:
    def house() -> Broker:
        return Broker(
            id="house", agents=[Doer(id="anna", agrees=True), Doer(id="bob", willing=False), Doer(id="carla")]
        )

    async def main() -> None:
        journal = MemoryJournal()
        async with house().run(Wanted(body="tea", count=2), journal=journal) as run:
            whole = await run.wait()
        assert isinstance(whole, Brokered)
        facts = [fact async for fact in journal.read(run.id)]
        for cut, fact in enumerate(facts):
            if isinstance(fact, Sent) and fact.receiver:
                rest = MemoryJournal()
                await rest.write(run.id, facts[: cut + 1])
                async with house().resume(rest, run.id) as again:
                    done = await again.wait()
                assert isinstance(done, Brokered)
                assert (done.replies, done.absent) == (whole.replies, whole.absent)
        await house().replay(journal, run.id)

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- a recruiter


class Recruitable(GenAgent):
    """Answers whom it is to tell."""

    def request(self, message: RequestFor) -> Message:
        return Inform.reply(message, receiver=message.answer_to, body=f"{self.id} did {message.body}")


def said(network: Recruiter, recruit: Recruit) -> list[str]:
    async def main() -> list[str]:
        return [str(message) async for message in network.areceive(recruit)]

    return simulation.run(main())


def test_the_answer_goes_straight_to_who_asked() -> None:
    house = Recruiter(id="house", agents=[Recruitable(id="anna", description="tea")])

    assert said(house, Recruit(body="tea", skill="tea", sender="you")) == [
        "house → anna  request: tea answer_to=Reference('you')",
        "house → you  inform: members=('anna',)",
        "anna → you  inform: anna did tea",
    ]


def test_the_answer_goes_to_whom_one_names() -> None:
    client = Client(id="client")
    house = Recruiter(id="house", agents=[Recruitable(id="anna"), client])

    lines = said(house, Recruit(body="tea", tell="client"))

    assert lines[1:] == ["house → ·  inform: members=('anna',)", "anna → client  inform: anna did tea"]
    assert client.told == ["anna did tea"]


def test_a_voice_that_is_recruited_answers_to_whom_it_shall() -> None:
    voice = Voice(id="voice", model=ScriptedModel(['{"act": "inform", "body": "here is tea"}']))
    house = Recruiter(id="house", agents=[voice, client := Client(id="client")])

    said(house, Recruit(body="tea", tell="client"))

    assert client.told == ["here is tea"]


def test_who_answers_the_recruiter_instead_breaks_the_rules() -> None:
    async def main() -> list[str]:
        house = Recruiter(id="house", agents=[Doer(id="anna")])
        async with house.run(Recruit(body="tea", sender="you")) as run:
            await run.wait()
        return [str(letter.reason) for letter in run.dead_letters]

    (broken,) = simulation.run(main())
    assert "'anna' cannot say 'inform' in fipa-request" in broken


@pytest.mark.parametrize("member", [Silent(id="bad"), Crashing(id="bad"), Lying(id="bad"), Late(id="bad")])
def test_a_recruiter_does_not_suffer_for_whom_it_found(member: GenAgent) -> None:
    house = Recruiter(id="house", agents=[member, Recruitable(id="anna")])

    lines = said(house, Recruit(body="tea", count=2, sender="you"))

    assert "house → you  inform: members=('bad', 'anna')" in lines
    assert "anna → you  inform: anna did tea" in lines


def test_a_recruiter_says_where_nobody_fits_and_where_nobody_could_be_told() -> None:
    house = Recruiter(id="house", agents=[Recruitable(id="anna", description="toast")])

    assert said(house, Recruit(skill="tea", sender="you")) == ["house → you  failure: nobody here can do 'tea'"]
    (refused,) = said(house, Recruit())
    assert refused.startswith("house → ·  refuse: nobody could be told; name somebody in tell")


def test_a_question_may_be_passed_on_like_a_request() -> None:
    class Oracle(GenAgent):
        def query_if(self, message: QueryIf) -> Message:
            return Agree.reply(message) if not message.body else Inform.reply(message, body="it is")

    house = Broker(id="house", agents=[Oracle(id="oracle")])

    assert brokered(house, Wanted(body="is it?", act="query_if")).replies == {"oracle": "it is"}
