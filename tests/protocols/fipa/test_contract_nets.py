"""Contract nets with all kinds of contractors: the best one that does it gets the task, whatever the others do."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net import GenAgent, Message, simulation
from llm_net.journal import MemoryJournal
from llm_net.ports import Observation
from llm_net.protocols.fipa.contract_net import Contract, ContractNet, Offer, Task
from llm_net.protocols.fipa.iterated_contract_net import BetterOffer, IteratedContractNet
from llm_net.protocols.tie import Lot, Order
from llm_net.record import Sent
from tests.protocols.fipa.members import Crashing, Doer, Firm, Late, Lying, Silent, contractor

nets = pytest.mark.parametrize("net", [ContractNet, IteratedContractNet])


class Heard:
    """An observer that keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def observe(self, observation: Observation) -> None:
        if observation.kind == "sent" and observation.message is not None and observation.message.receiver is not None:
            self.sent.append(observation.message)

    def receivers(self, *methods: str) -> list[str]:
        return [
            message.receiver.id for message in self.sent if message.method in methods and message.receiver is not None
        ]

    def count(self, *methods: str) -> int:
        return len(self.receivers(*methods))


def contract_of(network: ContractNet, heard: Heard | None = None) -> Contract:
    observers = [] if heard is None else [heard]
    contract = simulation.run(network.aresult_of(Task(body="mend the roof"), observers=observers))
    assert isinstance(contract, Contract)
    return contract


def won(contract: Contract) -> str:
    return f"{contract.contractor} for {contract.price}: {contract.body}"


@nets
def test_the_cheapest_does_it_and_the_others_hear_that_they_do_not(net: type[ContractNet]) -> None:
    anna, bob, carla = contractor("anna", 70), contractor("bob", 40), contractor("carla")

    contract = contract_of(net(id="town", agents=[anna, bob, carla]))

    assert won(contract) == "bob for 40: bob did it"
    assert contract.absent == {"carla": "it refused"}
    assert contract.ties == ()
    assert (anna.told[-1], bob.told[-1], carla.told) == ("reject_proposal", "accept_proposal", ["cfp"])


@nets
def test_where_the_best_one_fails_the_next_best_gets_it(net: type[ContractNet]) -> None:
    contract = contract_of(net(id="town", agents=[contractor("anna", 70), contractor("bob", 40, careful=False)]))

    assert won(contract) == "anna for 70: anna did it"
    assert contract.absent == {"bob": "bob fell down"}


@nets
def test_equals_are_a_tie_that_only_the_declared_rule_breaks(net: type[ContractNet]) -> None:
    def contract(ties: Order | Lot | None) -> Contract:
        return contract_of(net(id="town", agents=[contractor(name, 40) for name in ("anna", "bob")], ties=ties))

    assert contract(None).contractor == "anna"
    assert contract(Order(("bob", "anna"))).contractor == "bob"
    assert sorted(contract(Lot(7)).ties) == ["anna", "bob"]


@nets
def test_nobody_suffers_for_the_silent_the_late_the_crashing_and_the_lying(net: type[ContractNet]) -> None:
    bad: list[GenAgent] = [Silent(id="silent"), Late(id="late"), Crashing(id="crashing"), Lying(id="lying")]

    contract = contract_of(net(id="town", agents=[*bad, contractor("anna", 70)]))

    assert won(contract) == "anna for 70: anna did it"
    assert set(contract.absent) == {"silent", "late", "crashing", "lying"}
    assert "no answer within 120 s" in contract.absent["late"]
    assert "cannot say 'inform' in fipa" in contract.absent["lying"]


@nets
def test_where_nobody_offers_nobody_does_it(net: type[ContractNet]) -> None:
    contract = contract_of(net(id="town", agents=[Silent(id="silent"), contractor("anna")]))

    assert won(contract) == "None for None: nobody did it"


@nets
def test_a_network_is_a_contractor_like_any_other(net: type[ContractNet]) -> None:
    firm = Firm(id="firm", agents=[Doer(id="worker")])

    contract = contract_of(net(id="town", agents=[firm, contractor("anna", 70)]))

    assert won(contract) == "firm for 5: worker did mend the roof"


KINDS = st.sampled_from(["refuses", "fails", "does it", "silent", "late", "crashing", "lying"])


def member(id: str, kind: str, price: int) -> GenAgent:
    match kind:
        case "silent":
            return Silent(id=id)
        case "late":
            return Late(id=id)
        case "crashing":
            return Crashing(id=id)
        case "lying":
            return Lying(id=id)
        case "refuses":
            return contractor(id)
    return contractor(id, price, careful=kind == "does it")


@given(st.lists(st.tuples(KINDS, st.integers(1, 3)), min_size=1, max_size=6))
def test_the_laws_of_a_contract_net(members: list[tuple[str, int]]) -> None:
    heard = Heard()
    network = ContractNet(id="town", agents=[member(f"m{n}", *each) for n, each in enumerate(members)])

    contract = contract_of(network, heard)

    able = [price for kind, price in members if kind == "does it"]
    assert contract.price == (min(able) if able else None)
    bidders = {f"m{n}" for n, (kind, _) in enumerate(members) if kind in ("does it", "fails")}
    judged = Counter(heard.receivers("accept_proposal", "reject_proposal"))
    assert judged == dict.fromkeys(bidders, 1)  # once for each who offered in time, and for nobody else
    if all(kind in ("refuses", "fails", "does it") for kind, _ in members):
        calls, results = len(members), heard.count("inform", "failure")
        assert len(heard.sent) == 2 * calls + sum(judged.values()) + results
        assert results == heard.count("accept_proposal")


# ---------------------------------------------------------------------------------------------- rounds


def test_contractors_undercut_each_other_until_nobody_does_any_more() -> None:
    heard = Heard()
    anna, bob = contractor("anna", 70, 50, 30), contractor("bob", 60, 45)

    contract = contract_of(IteratedContractNet(id="town", agents=[anna, bob], rounds=9), heard)

    assert won(contract) == "anna for 30: anna did it"
    told = [(int(message.best), int(message.yours)) for message in heard.sent if isinstance(message, BetterOffer)]
    assert told == [(60, 70), (60, 60), (45, 50), (45, 45), (30, 30), (30, 45)]  # the last round changed nothing


def test_who_asks_more_than_before_is_out() -> None:
    contract = contract_of(
        IteratedContractNet(id="town", agents=[contractor("anna", 40, 80), contractor("bob", 60, 50)])
    )

    assert won(contract) == "bob for 50: bob did it"
    assert "offer at most 40" in contract.absent["anna"]


def test_there_is_no_second_round_for_one_alone() -> None:
    heard = Heard()

    contract_of(IteratedContractNet(id="town", agents=[contractor("anna", 70, 50)]), heard)

    assert heard.count("cfp") == 1


prices = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@given(st.lists(prices, min_size=1, max_size=4), st.integers(1, 4))
def test_the_laws_of_rounds(offers: list[list[int]], rounds: int) -> None:
    heard = Heard()
    members = [contractor(f"m{n}", *each) for n, each in enumerate(offers)]

    contract = contract_of(IteratedContractNet(id="town", agents=members, rounds=rounds), heard)

    said: dict[str, list[Decimal]] = {}
    for message in heard.sent:
        if isinstance(message, Offer) and message.sender is not None:
            said.setdefault(message.sender.id, []).append(message.price)
    assert all(each == sorted(each, reverse=True) for each in said.values())  # nobody was let to ask for more
    assert heard.count("accept_proposal") <= 1
    assert max(len(each) for each in said.values()) <= rounds
    if contract.price is not None:
        assert contract.price <= min(each[0] for each in said.values()) or contract.absent


# ---------------------------------------------------------------------------------------------- recorded


def test_a_contract_net_is_resumed_where_it_was_cut_off_and_replayed() -> None:
    def town() -> IteratedContractNet:
        return IteratedContractNet(id="town", agents=[contractor("anna", 70, 50, 30), contractor("bob", 60, 45)])

    async def main() -> None:
        journal = MemoryJournal()
        async with town().run(Task(body="mend the roof"), journal=journal) as run:
            whole = await run.wait()
        facts = [fact async for fact in journal.read(run.id)]
        assert isinstance(whole, Contract)

        for cut, fact in enumerate(facts):
            if isinstance(fact, Sent) and fact.receiver:
                rest = MemoryJournal()
                await rest.write(run.id, facts[: cut + 1])
                async with town().resume(rest, run.id) as again:
                    contract = await again.wait()
                assert isinstance(contract, Contract), (cut, fact)
                assert won(contract) == won(whole)

        await town().replay(journal, run.id)

    asyncio.run(main())
