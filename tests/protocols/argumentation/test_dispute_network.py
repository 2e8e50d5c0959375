"""A dispute ends as the attacks that were made decide it, whoever was silent, late or lied."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, GenNetwork, Limits, Message, simulation
from llm_net.errors import LimitReached
from llm_net.journal import MemoryJournal
from llm_net.protocols.argumentation.dispute import Claim, Dispute, Floor, Pass, Rebut, Semantics, Undercut, Verdict

BRIDGE = Claim(body="We build the bridge")


class Debater(GenAgent):
    """Makes its attacks one after the other, then passes."""

    moves: tuple[tuple[str, str, str], ...] = ()

    async def afloor(self, message: Floor) -> Message | None:
        if len(message.yours) == len(self.moves):
            return Pass.reply(message)
        how, against, because = self.moves[len(message.yours)]
        kind = {"rebut": Rebut, "undercut": Undercut}[how]
        return kind.reply(message, against=tuple(against.split()), because=because)


class Silent(Debater):
    async def afloor(self, message: Floor) -> Message | None:
        return None


class Late(Debater):
    async def afloor(self, message: Floor) -> Message | None:
        await self.delay(100)
        return Undercut.reply(message, against=("claim",), because="it is too late")


class Crashes(Debater):
    async def afloor(self, message: Floor) -> Message | None:
        raise RuntimeError("out of order")


class BeatsTheAir(Debater):
    async def afloor(self, message: Floor) -> Message | None:
        return Undercut.reply(message, against=("claim", "the moon"), because="it is made of cheese")


def judged(*debaters: GenAgent, semantics: Semantics = "grounded", rounds: int = 4) -> Verdict:
    async def main() -> Verdict:
        network = Dispute(id="hall", agents=debaters, semantics=semantics, rounds=rounds, patience=60)
        async with network.run(BRIDGE) as run:
            pass
        assert isinstance(run.result, Verdict)
        return run.result

    return simulation.run(main())


def test_a_claim_that_nobody_attacks_stands() -> None:
    verdict = judged(Debater(id="anna"), Debater(id="bob"))

    assert verdict.claim == "stands"
    assert verdict.body == "We build the bridge: stands"


def test_a_claim_that_is_defended_stands_again() -> None:
    anna = Debater(id="anna", moves=(("undercut", "claim", "it costs too much"),))
    bob = Debater(id="bob", moves=(("undercut", "anna-1", "the county pays"),))

    verdict = judged(anna, bob)

    assert verdict.claim == "stands"
    assert verdict.standing == ("claim", "bob-1")
    assert verdict.arguments["bob-1"] == "the county pays"
    assert verdict.speakers == {"anna-1": "anna", "bob-1": "bob"}
    assert verdict.attacks == (("anna-1", "claim"), ("bob-1", "anna-1"))
    assert judged(anna).claim == "falls"


def test_a_claim_and_its_contrary_leave_it_open() -> None:
    """Nixon's diamond: there are two positions, and each can be held."""
    anna = Debater(id="anna", moves=(("rebut", "claim", "We build a tunnel"),))

    grounded, preferred, stable = (judged(anna, semantics=name) for name in ("grounded", "preferred", "stable"))

    assert grounded.claim == preferred.claim == stable.claim == "open"
    assert grounded.positions == ((),)
    assert preferred.positions == stable.positions == (("anna-1",), ("claim",))


def test_what_falls_either_way_is_open_only_to_the_cautious() -> None:
    """A floating conclusion: one of two contraries is so, and each of them beats the claim."""
    anna = Debater(id="anna", moves=(("undercut", "claim", "the bank is mud"),))
    bob = Debater(id="bob", moves=(("rebut", "claim anna-1", "the bank is sand"),))

    assert judged(anna, bob).claim == "open"
    assert judged(anna, bob, semantics="preferred").claim == "falls"


@pytest.mark.parametrize(
    ("absent", "why"),
    [
        (Silent, "nobody will send"),
        (Late, "no answer within 60 s"),
        (Crashes, "out of order"),
        (BeatsTheAir, "against must be some of claim, anna-1"),
    ],
)
def test_who_gives_no_answer_passes(absent: type[Debater], why: str) -> None:
    anna = Debater(id="anna", moves=(("undercut", "claim", "it costs too much"),))

    verdict = judged(anna, absent(id="bob"))

    assert verdict.claim == "falls"
    assert verdict.attacks == (("anna-1", "claim"),)
    assert why in verdict.absent["bob"]


def test_nobody_attacks_an_argument_of_its_own() -> None:
    verdict = judged(Debater(id="anna", moves=(("undercut", "claim", "no"), ("undercut", "anna-1", "or yes"))))

    assert verdict.attacks == (("anna-1", "claim"),)
    assert "against must be some of claim" in verdict.absent["anna"]


def test_a_dispute_ends_when_its_rounds_are_over() -> None:
    endless = tuple(("undercut", "claim", f"reason {number}") for number in range(9))

    verdict = judged(Debater(id="anna", moves=endless), rounds=3)

    assert len(verdict.attacks) == 3


class Chancer(GenAgent):
    """Attacks whatever comes to hand."""

    seed: int

    def floor(self, message: Floor) -> Message:
        random = Random(f"{self.seed} {len(message.arguments)}")
        kind = random.choice([Rebut, Undercut])
        targets = random.sample(message.open, k=random.randint(1, min(2, len(message.open))))
        return kind.reply(message, against=tuple(targets), because="so it is")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["grounded", "preferred", "stable"]), st.integers(1, 3))
def test_the_verdict_is_that_of_the_definition(seed: int, semantics: Semantics, rounds: int) -> None:
    verdict = judged(
        Chancer(id="anna", seed=seed), Chancer(id="bob", seed=seed + 1), semantics=semantics, rounds=rounds
    )

    names = list(verdict.arguments)
    attacks = set(verdict.attacks)
    every = [frozenset(group) for size in range(len(names) + 1) for group in combinations(names, size)]

    def free(group: frozenset[str]) -> bool:
        return not any((one, other) in attacks for one in group for other in group)

    def hit(group: frozenset[str]) -> set[str]:
        return {other for one, other in attacks if one in group}

    def admissible(group: frozenset[str]) -> bool:
        return free(group) and all(one in hit(group) for one, other in attacks if other in group)

    def defended(group: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name in names if {one for one, other in attacks if other == name} <= hit(group))

    held = [group for group in every if admissible(group)]
    complete = [group for group in held if defended(group) == group]
    expected = {
        "grounded": [frozenset.intersection(*complete)],
        "preferred": [one for one in held if not any(one < other for other in held)],
        "stable": [group for group in every if free(group) and group | hit(group) == set(names)],
    }[semantics]
    assert {frozenset(position) for position in verdict.positions} == set(expected)
    assert (verdict.claim == "stands") == (bool(expected) and all("claim" in one for one in expected))
    if semantics != "grounded":
        assert (verdict.claim == "falls") == (bool(expected) and not any("claim" in one for one in expected))


class Bench(GenNetwork):
    """A debater that is several: whoever speaks for it is asked."""

    async def afloor(self, message: Floor) -> Message:
        answer = await self.call(message.forward("speaker"))
        return answer.forward(self.network, reply_to=message, sender=self)


def test_a_network_may_take_part() -> None:
    bench = Bench(id="anna", agents=[Debater(id="speaker", moves=(("undercut", "claim", "it costs too much"),))])

    assert judged(bench, Debater(id="bob")).attacks == (("anna-1", "claim"),)


def test_a_recorded_dispute_is_resumed_and_replayed() -> None:
    def hall() -> Dispute:
        anna = Debater(id="anna", moves=(("undercut", "claim", "it costs too much"),))
        return Dispute(id="hall", agents=[anna, Debater(id="bob", moves=(("rebut", "anna-1", "it is cheap"),))])

    async def main() -> None:
        journal = MemoryJournal()
        with pytest.raises(LimitReached):
            async with hall().run(BRIDGE, journal=journal, limits=Limits(messages=4)) as run:
                pass
        async with hall().resume(journal, run.id, limits=Limits()) as again:
            pass
        assert isinstance(again.result, Verdict)
        assert again.result.attacks == (("anna-1", "claim"), ("bob-1", "anna-1"), ("anna-1", "bob-1"))
        await hall().replay(journal, run.id)

    simulation.run(main())
