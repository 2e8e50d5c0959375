"""Exactly one leads, and everybody knows; in a ring for the known number of messages, by the bully's way whoever is gone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import chain, combinations, permutations

import pytest

from llm_net import GenAgent, Message
from llm_net.address import Reference
from llm_net.protocols.coordination.bully_election import (
    Alive,
    BullyElection,
    BullyElector,
    Challenge,
    TakeOver,
    Victory,
)
from llm_net.protocols.coordination.election import Begin, Elect, Elected, Leader, Poll
from llm_net.protocols.coordination.leader import leader
from llm_net.protocols.coordination.ring_election import Announce, Nominate, RingElection, RingElector
from llm_net.protocols.tie import Order
from tests.protocols.coordination.hearing import count, said
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


def rings(most: int) -> list[tuple[str, ...]]:
    """All orders of so many members."""
    return [order for size in range(1, most + 1) for order in permutations("abcde"[:size])]


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """All but the empty one."""
    return list(chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1)))


def elected(messages: Sequence[Message]) -> Leader:
    (end,) = [message for message in messages if isinstance(message, Leader)]
    return end


def begin(*members: str) -> Begin:
    """What the first member is told, who does not begin."""
    following = members[1]
    return Begin(election="e", members=members, following=following, starts=False, sender="ring", receiver=members[0])


# ---------------------------------------------------------------------------------------------- ring


@pytest.mark.parametrize("order", rings(4), ids="".join)
def test_a_ring_elects_its_highest_whoever_begins(order: tuple[str, ...]) -> None:
    for starters in [(), *subsets(order)]:
        members = [RingElector(id=name) for name in order]

        messages = said(RingElection(id="ring", agents=members), Elect(starters=starters))

        assert elected(messages).leader == max(order)
        assert {member.leader for member in members} == {max(order)}
        assert count(messages, Announce) == len(order) - 1
        assert count(messages, Elected) == len(order)


def test_over_all_rings_of_five_one_leads_for_n_times_the_harmonic_number_of_nominations() -> None:
    """Source: Chang and Roberts 1979: n · H(n) on average, between 2n - 1 and n(n + 1)/2."""
    counts: list[int] = []
    for order in permutations("abcde"):
        members = [RingElector(id=name) for name in order]
        messages = said(RingElection(id="ring", agents=members), Elect())
        counts.append(count(messages, Nominate))
        assert [member.leader for member in members] == ["e"] * 5

    assert Fraction(sum(counts), len(counts)) == 5 * sum(Fraction(1, k) for k in range(1, 6))
    assert (min(counts), max(counts)) == (9, 15)


def test_who_outranks_whom_may_be_said() -> None:
    ring = RingElection(id="ring", agents=[RingElector(id=name) for name in "abc"], ranks=Order(("b", "a", "c")))

    assert elected(said(ring, Elect())).leader == "b"


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_a_ring_with_a_gap_elects_nobody_and_says_where_it_is(kind: type[GenAgent]) -> None:
    ring = RingElection(id="ring", agents=[RingElector(id="a"), kind(id="b"), RingElector(id="c")], patience=10)

    end = elected(said(ring, Elect()))

    assert end.leader is None
    assert "b" in end.absent


def test_a_second_election_begins_anew() -> None:
    members = [RingElector(id=name) for name in "abc"]
    ring = RingElection(id="ring", agents=members)

    assert elected(said(ring, Elect())).leader == "c"
    ring.remove("c")

    assert elected(said(ring, Elect())).leader == "b"
    assert [member.leader for member in members] == ["b", "b", "c"]


def test_what_is_heard_before_the_election_is_known_is_kept() -> None:
    member = RingElector(id="a")

    assert list(member.nominate(Nominate(election="e", candidate="b"))) == []
    (passed_on,) = member.begin(begin("a", "b"))

    assert isinstance(passed_on, Nominate)
    assert (passed_on.candidate, passed_on.receiver) == ("b", Reference("b"))


def test_a_name_that_nobody_has_is_not_passed_on() -> None:
    member = RingElector(id="a")
    assert list(member.begin(begin("a", "b"))) == []

    assert list(member.nominate(Nominate(election="e", candidate="zoe"))) == []
    assert list(member.announce(Announce(election="e", leader="zoe"))) == []
    assert member.leader is None


# ---------------------------------------------------------------------------------------------- bully


@pytest.mark.parametrize("kind", [Silent, Crashing])
@pytest.mark.parametrize("alive", subsets("abcd"), ids="".join)
def test_the_bullies_elect_the_highest_that_is_there_whoever_begins(
    alive: tuple[str, ...], kind: type[GenAgent]
) -> None:
    for starters in [(), *[(name,) for name in alive]]:
        members = {name: BullyElector(id=name) if name in alive else kind(id=name) for name in "abcd"}

        end = elected(said(BullyElection(id="crew", agents=list(members.values())), Elect(starters=starters)))

        assert end.leader == leader(alive, Order(tuple("dcba"))) == max(alive)
        assert set(end.absent) == set("abcd") - set(alive)
        for name in alive:
            assert getattr(members[name], "leader") == max(alive)  # noqa: B009 - a plain agent has none


@pytest.mark.parametrize("kind", [Late, Lying])
def test_bullies_do_without_who_is_late_or_lies(kind: type[GenAgent]) -> None:
    crew = BullyElection(id="crew", agents=[BullyElector(id="a"), BullyElector(id="b"), kind(id="c")], patience=10)

    end = elected(said(crew, Elect()))

    assert (end.leader, list(end.absent)) == ("b", ["c"])


@pytest.mark.parametrize("order", [*permutations("abcd")], ids="".join)
def test_bullies_send_no_more_than_they_have_to(order: tuple[str, ...]) -> None:
    messages = said(BullyElection(id="crew", agents=[BullyElector(id=name) for name in order]), Elect())

    assert count(messages, Challenge) == count(messages, Alive) == 6
    assert count(messages, Victory) == 3


def test_where_the_highest_begins_it_only_has_to_tell_the_others() -> None:
    crew = BullyElection(id="crew", agents=[BullyElector(id=name) for name in "abcde"])

    messages = said(crew, Elect(starters=("e",)))

    assert (count(messages, Challenge), count(messages, Victory)) == (0, 4)


def test_who_is_too_slow_to_be_noticed_bullies_the_others_in_the_end() -> None:
    class Slow(BullyElector):
        async def achallenge(self, message: Challenge) -> Message:
            await self.delay(5)
            return Alive.reply(message)

    members = [BullyElector(id="a"), BullyElector(id="b"), Slow(id="c")]

    assert elected(said(BullyElection(id="crew", agents=members), Elect())).leader == "c"
    assert {member.leader for member in members} == {"c"}


@pytest.mark.parametrize("last", ["take over", "poll"])
def test_a_leader_that_is_gone_as_soon_as_it_has_won_is_replaced(last: str) -> None:
    class Mayfly(GenAgent):
        """Says that it is there, and fails at what comes then."""

        gone: bool = False

        def begin(self, message: Begin) -> Message:
            return Elected.reply(message, leader=self.id)

        def challenge(self, message: Challenge) -> Message:
            if self.gone:
                raise RuntimeError("gone")
            return Alive.reply(message)

        def take_over(self, message: TakeOver) -> Message:
            self.gone = self.gone or last == "take over"
            if self.gone:
                raise RuntimeError("gone")
            return Elected.reply(message, leader=self.id)

        def poll(self, message: Poll) -> None:
            self.gone = True
            raise RuntimeError("gone")

    members: list[GenAgent] = [BullyElector(id="a"), BullyElector(id="b"), Mayfly(id="c")]

    end = elected(said(BullyElection(id="crew", agents=members, patience=10), Elect(starters=("a",))))

    assert (end.leader, list(end.absent)) == ("b", ["c"])


# ---------------------------------------------------------------------------------------------- on record


def test_an_election_that_was_interrupted_anywhere_goes_on_to_the_same_leader() -> None:
    check_it_goes_on(
        lambda: RingElection(id="r", agents=[RingElector(id=name) for name in "bca"]), partial(Elect), every=2
    )
    check_it_goes_on(
        lambda: BullyElection(id="r", agents=[BullyElector(id="b"), Crashing(id="c"), BullyElector(id="a")]),
        partial(Elect),
        every=3,
        again=False,
    )
