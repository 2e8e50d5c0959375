"""A single text is adopted when those who have to accept it accepted this very text, and not else."""

from __future__ import annotations

import pytest

from llm_net import GenAgent, Message, simulation
from llm_net.errors import AgentFailed
from llm_net.protocols.negotiation.single_text import Accept, Adoption, Criticise, Draft, Matter, Read, SingleText, Text


class Mediator(GenAgent):
    """Adds to the text what it is criticised for not saying."""

    def draft(self, message: Draft) -> Message:
        wanted = [message.text or "We share the garden", *message.criticism.values()]
        return Text.reply(message, body=", ".join(wanted))


class Party(GenAgent):
    """Accepts a text that says what it wants."""

    wants: str

    async def aread(self, message: Read) -> Message | None:
        if self.wants in message.text:
            return Accept.reply(message)
        return Criticise.reply(message, body=self.wants)


class Silent(Party):
    async def aread(self, message: Read) -> None:
        return None


class Late(Party):
    async def aread(self, message: Read) -> Message:
        await self.delay(100)
        return Accept.reply(message)


class Crashes(Party):
    async def aread(self, message: Read) -> Message:
        raise RuntimeError("out of order")


class WritesItself(Party):
    async def aread(self, message: Read) -> Message:
        return Text.reply(message, body="All is mine")


def adopted(*members: GenAgent, text: str = "", rounds: int = 4, needed: int | None = None) -> Adoption:
    async def main() -> Adoption:
        network = SingleText(id="table", agents=members, mediator="mira", rounds=rounds, needed=needed, patience=60)
        async with network.run(Matter(body="the garden", text=text)) as run:
            pass
        assert isinstance(run.result, Adoption)
        return run.result

    return simulation.run(main())


def test_a_text_grows_until_all_accept_it() -> None:
    outcome = adopted(Mediator(id="mira"), Party(id="anna", wants="no dogs"), Party(id="bob", wants="a swing"))

    assert outcome.adopted
    assert outcome.body == "We share the garden, no dogs, a swing"
    assert outcome.accepted == ("anna", "bob")
    assert outcome.round == 2


def test_a_text_that_all_accept_needs_no_mediation() -> None:
    outcome = adopted(Mediator(id="mira"), Party(id="anna", wants="dogs"), text="dogs and cats")

    assert (outcome.adopted, outcome.body, outcome.round) == (True, "dogs and cats", 1)


def test_when_the_rounds_are_over_the_last_text_stands_criticised() -> None:
    class Forgetful(Mediator):
        def draft(self, message: Draft) -> Message:
            return Text.reply(message, body=["nothing", *message.criticism.values()][-1])

    outcome = adopted(
        Forgetful(id="mira"), Party(id="anna", wants="no dogs"), Party(id="bob", wants="a swing"), rounds=3
    )

    assert not outcome.adopted
    assert outcome.round == 3
    assert outcome.body == "no dogs"
    assert outcome.criticism == {"bob": "a swing"}


@pytest.mark.parametrize(
    ("party", "why"),
    [
        (Silent, "nobody will send"),
        (Late, "no answer within 60 s"),
        (Crashes, "out of order"),
        (WritesItself, "it may say accept, criticise"),
    ],
)
def test_who_says_nothing_has_not_accepted(party: type[Party], why: str) -> None:
    members = Mediator(id="mira"), Party(id="anna", wants="no dogs"), party(id="bob", wants="a swing")

    alone, enough = adopted(*members), adopted(*members, needed=1)

    assert not alone.adopted
    assert alone.accepted == ("anna",)
    assert why in alone.absent["bob"]
    assert enough.adopted
    assert enough.accepted == ("anna",)


@pytest.mark.parametrize("way", ["silent", "empty", "breaks a rule"])
def test_without_a_mediator_the_last_text_stays_as_it_is(way: str) -> None:
    class Poor(GenAgent):
        def draft(self, message: Draft) -> Message | None:
            return {
                "silent": None,
                "empty": Text.reply(message),
                "breaks a rule": Accept.reply(message),
            }[way]

    outcome = adopted(Poor(id="mira"), Party(id="anna", wants="no dogs"), text="We share the garden")

    assert not outcome.adopted
    assert outcome.body == "We share the garden"
    assert outcome.criticism == {"anna": "no dogs"}
    assert list(outcome.absent) == ["mira"]


def test_it_takes_a_mediator_and_parties() -> None:
    for members in ([Mediator(id="mira")], [Party(id="anna", wants="dogs")]):
        with pytest.raises(AgentFailed, match="needs its mediator 'mira' and 1 parties"):
            adopted(*members)
