"""The protocols of FIPA on stage."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Literal

from llm_net import Message
from llm_net.protocols.acts import (
    Agree,
    Failure,
    Inform,
    NotUnderstood,
    Propose,
    QueryIf,
    QueryRef,
    Request,
    RequestWhen,
    Subscribe,
)
from llm_net.protocols.fipa.brokering import Broker, Brokered
from llm_net.protocols.fipa.contract_net import Contract, ContractNet, Task
from llm_net.protocols.fipa.facilitator import NotDone, Wanted
from llm_net.protocols.fipa.fipa import Fipa
from llm_net.protocols.fipa.iterated_contract_net import IteratedContractNet
from llm_net.protocols.fipa.recruiting import Recruit, Recruited, Recruiter
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.outcome import Outcome
from tests.protocols.stage import Stage

Opening = Literal["request", "query_if", "query_ref", "request_when", "subscribe", "propose"]

OPENINGS: Mapping[Opening, type[Message]] = {
    "request": Request,
    "query_if": QueryIf,
    "query_ref": QueryRef,
    "request_when": RequestWhen,
    "subscribe": Subscribe,
    "propose": Propose,
}


class Begin(Message):
    """Begin this conversation with everybody."""

    act: Opening


class Begun(Outcome):
    """What everybody answered."""

    answers: Mapping[str, str] = {}


class Beginning(Fipa):
    """A network that speaks to its members by the rules of those who begin conversations themselves."""

    async def abegin(self, message: Begin) -> Message:
        kind = OPENINGS[message.act]
        answers = await self.collect(kind(body=message.body, receiver=member, reply_to=message) for member in self)
        said = {name: answer.method for name, answer in answers.given.items()}
        return Begun.reply(message, answers=said, absent=answers.absent)

    def agree(self, message: Agree) -> None: ...
    def inform(self, message: Inform) -> None: ...
    def failure(self, message: Failure) -> None: ...
    def not_understood(self, message: NotUnderstood) -> None: ...


def _beginning(rules: str, *acts: Opening) -> Stage:
    def root(random: Random) -> Message:
        return Begin(act=random.choice(acts), body=f"thing {random.randrange(10)}")

    return Stage(rules, lambda members: Beginning(id="house", agents=members), root, _check_begun)


def _check_begun(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Begun)
    assert {*outcome.answers, *outcome.absent} == {member.id for member in network}
    assert not outcome.answers.keys() & outcome.absent.keys()
    rules = {kind for each in network.rules for kind in each.kinds}
    assert rules >= {*outcome.answers.values()}


def _check_contract(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Contract)
    assert (outcome.contractor is None) == (outcome.price is None)
    assert outcome.contractor is None or outcome.contractor in network
    assert outcome.contractor not in outcome.absent


def _check_found(network: InteractionProtocol, outcome: Message) -> None:
    if isinstance(outcome, Recruited):
        assert outcome.members
        assert all(name in network for name in outcome.members)
    elif isinstance(outcome, Brokered):
        assert 1 <= len(outcome.replies) <= 2
        assert not outcome.replies.keys() & outcome.absent.keys()
        assert all(name in network for name in outcome.replies)
    else:
        assert isinstance(outcome, NotDone)
        assert outcome.body


STAGES = (
    Stage(
        "fipa-contract-net",
        lambda members: ContractNet(id="town", agents=members),
        lambda random: Task(body=f"task {random.randrange(10)}"),
        _check_contract,
    ),
    Stage(
        "fipa-iterated-contract-net",
        lambda members: IteratedContractNet(id="town", agents=members),
        lambda random: Task(body=f"task {random.randrange(10)}"),
        _check_contract,
    ),
    Stage(
        "fipa-brokering",
        lambda members: Broker(id="house", agents=members),
        lambda random: Wanted(body="tea", count=random.choice((1, 2))),
        _check_found,
    ),
    Stage(
        "fipa-recruiting",
        lambda members: Recruiter(id="house", agents=members),
        lambda random: Recruit(body="tea", count=random.choice((1, 2)), tell="m0"),
        _check_found,
    ),
    _beginning("fipa-request", "request"),
    _beginning("fipa-query", "query_if", "query_ref"),
    _beginning("fipa-request-when", "request_when"),
    _beginning("fipa-subscribe", "subscribe"),
    _beginning("fipa-propose", "propose"),
)
