"""Who takes part in a model's words, or a person's, says what is allowed: by the form of the answer, else by another try."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Message, simulation
from llm_net.chat import Request
from llm_net.errors import InvalidArguments, InvalidOutput
from llm_net.journal import MemoryJournal
from llm_net.llm.scripted import ScriptedModel
from llm_net.places.processes import Processes
from llm_net.protocols.fipa.contract_net import Contract, ContractNet, Task
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.participant import Participant, Person, Voice, in_words
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.schema import JsonSchema

Line = str | Callable[[Request], str]


class Heard:
    """A scripted model that remembers what it was asked."""

    def __init__(self, *lines: Line) -> None:
        self.requests: list[Request] = []
        self.model = ScriptedModel([self._said(line) for line in lines])

    def _said(self, line: Line) -> Callable[[Request], str]:
        def say(request: Request) -> str:
            self.requests.append(request)
            return line if isinstance(line, str) else line(request)

        return say

    def schemas(self) -> list[Any]:
        return [request.output and request.output.schema for request in self.requests]

    def last_words(self) -> list[str]:
        return [request.turns[-1].text for request in self.requests]


def contract(*members: GenAgent) -> Contract:
    network = ContractNet(id="town", agents=members)

    async def main() -> Message:
        return await network.aresult_of(Task(body="Mend the roof"))

    outcome = simulation.run(main())
    assert isinstance(outcome, Contract)
    return outcome


# ---------------------------------------------------------------------------------------------- in a model's words


def test_in_one_step_a_voice_writes_act_and_fields_at_once() -> None:
    heard = Heard('{"act": "offer", "body": null, "price": 40}', '{"act": "inform", "body": "It is tight."}')
    outcome = contract(Voice(id="bob", model=heard.model, instructions="You are bob."))

    assert (outcome.contractor, outcome.price, outcome.body) == ("bob", Decimal(40), "It is tight.")
    first, second = heard.schemas()
    assert [branch["properties"]["act"]["const"] for branch in first["anyOf"]] == ["refuse", "offer"]
    assert [branch["properties"]["act"]["const"] for branch in second["anyOf"]] == ["inform", "failure"]
    assert all("receiver" not in branch["properties"] for branch in (*first["anyOf"], *second["anyOf"]))


@pytest.mark.parametrize("stepwise", [False, True])
def test_what_is_decoded_under_the_form_is_always_right(stepwise: bool) -> None:
    for seed in range(10):
        model = ScriptedModel(seed=seed)
        outcome = contract(*(Voice(id=name, model=model, stepwise=stepwise) for name in ("bob", "eve")))

        assert not any("cannot say" in reason or "Invalid" in reason for reason in outcome.absent.values())


def test_step_by_step_it_is_asked_for_one_thing_at_a_time() -> None:
    heard = Heard('{"act": "offer"}', '{"price": 40}', '{"act": "inform"}', "It is tight.\nAnd more")
    outcome = contract(Voice(id="bob", model=heard.model, stepwise=True))

    assert (outcome.contractor, outcome.price, outcome.body) == ("bob", Decimal(40), "It is tight.")
    act, price, _, body = heard.schemas()
    assert act["properties"] == {"act": {"type": "string", "enum": ["refuse", "offer"]}}
    assert [*price["properties"]] == ["price"]
    assert body is None
    assert "offer: Propose to do the task, for a price." in heard.last_words()[0]


def test_it_is_shown_the_thread_as_its_own_words_and_others() -> None:
    heard = Heard('{"act": "offer", "body": null, "price": 40}', '{"act": "inform", "body": "done"}')
    contract(Voice(id="bob", model=heard.model, instructions="You are bob."))

    turns = heard.requests[1].turns
    assert [(turn.role, turn.text) for turn in turns] == [
        ("system", "You are bob."),
        ("user", "Call for proposals to do something.\nMend the roof"),
        ("assistant", "Propose to do the task, for a price.\nprice: 40"),
        ("user", "Accept a proposal: do what you proposed.\nMend the roof"),
    ]


def test_only_so_much_of_the_thread_is_shown() -> None:
    heard = Heard('{"act": "offer", "body": null, "price": 40}', '{"act": "inform", "body": "done"}')
    contract(Voice(id="bob", model=heard.model, history=1))

    assert [turn.role for turn in heard.requests[1].turns] == ["system", "user"]


class Colour(Message):
    """Name a colour."""

    colour: str


class Ask(Question):
    """Ask for a colour that was not named yet."""

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"colour": {"type": "string", "enum": ["red", "blue"]}} if kind is Colour else {}

    def problem_with(self, answer: Message) -> str | None:
        return "red was named" if isinstance(answer, Colour) and answer.colour == "red" else None


class Begin(Message):
    """Ask all."""


STRICT = Rules("strict", completed([(START, "initiator", Ask, "asked"), ("asked", "participant", Colour, "answered")]))
"""There is nothing that may be said instead."""


class Survey(InteractionProtocol):
    rules: ClassVar = (STRICT,)

    async def abegin(self, message: Begin) -> Message:
        answers = await self.collect(Ask(receiver=member, reply_to=message) for member in self)
        body = ", ".join(answer.colour for answer in answers.of(Colour).values())
        return Outcome.reply(message, body=body, absent=answers.absent)


def survey(*members: GenAgent) -> Outcome:
    outcome = Survey(id="survey", agents=members).result_of(Begin())
    assert isinstance(outcome, Outcome)
    return outcome


def test_the_only_thing_to_say_is_not_asked_for() -> None:
    heard = Heard('{"colour": "blue"}')
    outcome = survey(Voice(id="bob", model=heard.model, stepwise=True))

    assert outcome.body == "blue"
    assert heard.schemas()[0]["properties"] == {"colour": {"type": "string", "enum": ["red", "blue"]}}


def test_what_the_question_does_not_take_is_asked_for_again_with_the_reason() -> None:
    heard = Heard(
        '{"act": "colour", "body": null, "colour": "red"}', '{"act": "colour", "body": null, "colour": "blue"}'
    )
    outcome = survey(Voice(id="bob", model=heard.model))

    assert outcome.body == "blue"
    assert heard.last_words()[1].endswith("Your last answer was wrong. Arguments of colour are wrong. red was named.")


def test_after_so_many_tries_the_fallback_is_said() -> None:
    heard = Heard(*["no JSON at all"] * 3)
    outcome = contract(Choosy(id="bob", answers=["nonsense"] * 3), Voice(id="eve", model=heard.model))

    assert outcome.absent == {"bob": "it refused", "eve": "it refused"}
    assert "its answer breaks the schema" in heard.last_words()[2]


def test_without_a_fallback_it_fails_and_says_why() -> None:
    outcome = survey(Choosy(id="bob", answers=["nonsense"] * 3))

    assert (
        "no right answer after 3 tries: Arguments of answer are wrong. It must be one of colour."
        in outcome.absent["bob"]
    )
    assert InvalidOutput.__name__ in outcome.absent["bob"]


class Choosy(Participant):
    """Gives these answers, right or wrong."""

    answers: list[str]

    async def choose(
        self, options: Mapping[str, Any], *, answering: Message, problem: str = ""
    ) -> tuple[str, dict[str, Any]]:
        answer = self.answers.pop(0)
        if answer not in options:
            raise InvalidArguments("answer", (f"It must be one of {', '.join(options)}",))
        return answer, {}


def test_what_the_rules_do_not_know_is_answered_in_words() -> None:
    network = ContractNet(id="town", agents=[Voice(id="bob", model=ScriptedModel(["Good day."]), stepwise=True)])

    assert network.result_of(Message(method="chat", body="Hello", receiver="bob")).body == "Good day."


def test_in_a_network_without_rules_too() -> None:
    network = GenNetwork(id="town", agents=[Voice(id="bob", model=ScriptedModel([" Good day. "]))])

    assert network.result_of(Message(body="Hello", receiver="bob")).body == "Good day."


def test_where_nothing_may_be_said_nothing_is() -> None:
    bob = Voice(id="bob", model=ScriptedModel(['{"act": "offer", "body": null, "price": 40}']))
    anna = Voice(
        id="anna",
        model=ScriptedModel(['{"act": "offer", "body": null, "price": 30}', '{"act": "inform", "body": "done"}']),
    )

    assert contract(bob, anna).contractor == "anna"  # bob is rejected, and asked nothing more


def test_a_participant_that_does_not_say_how_it_chooses_says_so() -> None:
    outcome = contract(Participant(id="bob"))

    assert "Participant does not say how it chooses; define `async def choose`" in outcome.absent["bob"]


# ---------------------------------------------------------------------------------------------- in a person's words


class Console:
    """Somebody who types these lines, and sees what is asked."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.seen: list[str] = []

    def __call__(self, text: str) -> str:
        self.seen.append(text)
        return self.lines.pop(0)


def test_a_person_chooses_what_to_say_and_then_says_it() -> None:
    console = Console("offer", "40", "inform", "It is tight.")
    outcome = contract(Person(id="bob", read=console))

    assert (outcome.contractor, outcome.price, outcome.body) == ("bob", Decimal(40), "It is tight.")
    assert console.seen == [
        "Call for proposals to do something.\nMend the roof\nrefuse, offer? ",
        "price? ",
        "Accept a proposal: do what you proposed.\nMend the roof\ninform, failure? ",
        "body? ",
    ]


def test_a_person_who_mistypes_is_told_what_was_wrong_and_asked_again() -> None:
    console = Console("ofer", "offer", "-3", "offer", "40", "inform", "done")
    outcome = contract(Person(id="bob", read=console, tries=4))

    assert outcome.price == 40
    assert "It must be one of refuse, offer" in console.seen[1]
    assert "greater than or equal to 0" in console.seen[3]


def test_a_person_sees_the_choices_and_is_asked_only_what_is_open() -> None:
    console = Console("blue")
    outcome = survey(Person(id="bob", read=console))

    assert outcome.body == "blue"
    assert console.seen == ["Ask for a colour that was not named yet.\ncolour (red, blue)? "]


def test_a_person_answers_in_words_where_there_are_no_rules() -> None:
    console = Console("Good day.")
    network = GenNetwork(id="town", agents=[Person(id="bob", read=console)])

    assert network.result_of(Message(body="Hello", receiver="bob")).body == "Good day."
    assert console.seen == ["Hello\n> "]


# ---------------------------------------------------------------------------------------------- a message in words


def test_a_message_is_told_by_what_its_kind_does_what_it_says_and_its_fields() -> None:
    class Lot(Message):
        """Offer things for sale."""

        things: tuple[str, ...]
        prices: dict[str, int]
        note: str = ""

    told = in_words(Lot(body="Come in.", things=("chair", "table"), prices={"chair": 3, "table": 5}))

    assert told == "Offer things for sale.\nCome in.\nthings: chair, table\nprices: chair 3, table 5"
    assert in_words(Message(method="hello")) == "hello"
    assert in_words(Message(body="Hello")) == "Hello"


# ---------------------------------------------------------------------------------------------- a record


def voices(*, silent: bool = False) -> ContractNet:
    scripts = {
        "anna": ['{"act": "refuse", "body": "no"}'],
        "bob": ['{"act": "offer", "body": null, "price": 40}', '{"act": "inform", "body": "It is tight."}'],
    }
    members: list[GenAgent] = [
        Voice(id=name, model=ScriptedModel([] if silent else script)) for name, script in scripts.items()
    ]
    console = Console() if silent else Console("offer", "50")
    return ContractNet(id="town", agents=[*members, Person(id="carla", read=console)])


def test_a_replay_asks_neither_models_nor_persons() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        run = voices().run(Task(body="Mend the roof"), journal=journal)
        async with run:
            pass
        assert isinstance(run.result, Contract)
        assert run.result.contractor == "bob"
        (info,) = await journal.runs()

        replayed = await voices(silent=True).replay(journal, info.run)

        assert replayed.sent == run.statistics().sent

    simulation.run(main())


# ---------------------------------------------------------------------------------------------- elsewhere


def test_a_voice_in_another_process_knows_what_it_may_say() -> None:
    bob = Voice(
        id="bob",
        model=ScriptedModel(
            ['{"act": "offer", "body": null, "price": 40}', '{"act": "inform", "body": "It is tight."}']
        ),
    )
    network = ContractNet(id="town", agents=[bob])

    outcome = network.result_of(Task(body="Mend the roof"), runtime=Processes(workers=1))

    assert isinstance(outcome, Contract)
    assert (outcome.contractor, outcome.price, outcome.absent) == ("bob", Decimal(40), {})


def test_a_participant_handles_messages_in_one_way_only() -> None:
    assert [*Voice.handlers.verbs()] == [*Person.handlers.verbs()] == ["request"]
