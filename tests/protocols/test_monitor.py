"""A monitor admits what the rules allow, and nothing else; what it refuses leaves conversations as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llm_net import Message
from llm_net.address import Reference
from llm_net.errors import BrokenRule
from llm_net.protocols.acts import AcceptProposal, Cancel, Cfp, Failure, Inform, Propose, Refuse, RejectProposal
from llm_net.protocols.fipa.contract_net import CONTRACT_NET, Offer
from llm_net.protocols.meta import exchange
from llm_net.protocols.monitor import OVER, REMEMBERED, Monitor
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Move, Rules

MANAGER, ANNA, BOB, CARLA = (Reference(name) for name in ("manager", "anna", "bob", "carla"))
NOON = datetime(2000, 1, 1, 12, tzinfo=UTC)


class Guess(Message):
    """Guess a number."""

    number: int


class Riddle(Question):
    """Ask for a number."""

    most: int

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Guess) and answer.number > self.most:
            return f"guess at most {self.most}"
        return None


RIDDLES = exchange("riddles", Riddle, Guess, source="a test")


def said(
    kind: type[Message], sender: Reference, receiver: Reference, answered: Message | None = None, **fields: Any
) -> Message:
    return kind(sender=sender, receiver=receiver, reply_to=answered, **fields)


@pytest.fixture
def monitor() -> Monitor:
    return Monitor((CONTRACT_NET.saying(Offer), RIDDLES))


def proposed(monitor: Monitor, who: Reference, root: Message | None = None) -> Message:
    """A proposal of somebody who was called for it."""
    cfp = said(Cfp, MANAGER, who, root)
    offer = said(Offer, who, MANAGER, cfp, price=3)
    assert monitor.admit(cfp)
    assert monitor.admit(offer)
    return offer


def states(monitor: Monitor) -> dict[str, str]:
    return {session.participant.id: session.state for session in monitor.sessions}


# ---------------------------------------------------------------------------------------------- moves


def test_what_the_rules_allow_moves_the_conversation_to_its_end(monitor: Monitor) -> None:
    offer = proposed(monitor, ANNA)
    assert states(monitor) == {"anna": "proposed"}

    accept = said(AcceptProposal, MANAGER, ANNA, offer)
    assert monitor.admit(accept)
    assert monitor.admit(said(Inform, ANNA, MANAGER, accept))

    assert monitor.sessions == ()


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        (lambda offer: said(Inform, ANNA, MANAGER, offer), ("not_understood",)),
        (lambda offer: said(Offer, ANNA, MANAGER, offer, price=2), ("not_understood",)),
        (lambda offer: said(Cfp, MANAGER, ANNA, offer), ("reject_proposal", "accept_proposal", "not_understood", "cancel")),
        (lambda offer: said(Message, MANAGER, ANNA, offer), ("reject_proposal", "accept_proposal", "not_understood", "cancel")),
    ],
)  # fmt: skip
def test_what_they_do_not_allow_is_refused_and_changes_nothing(
    monitor: Monitor, wrong: Any, allowed: tuple[str, ...]
) -> None:
    offer = proposed(monitor, ANNA)

    with pytest.raises(BrokenRule) as broken:
        monitor.admit(wrong(offer))

    assert (broken.value.protocol, broken.value.state) == ("fipa-contract-net", "proposed")
    assert broken.value.allowed == allowed
    assert states(monitor) == {"anna": "proposed"}
    assert monitor.admit(said(RejectProposal, MANAGER, ANNA, offer))


def test_a_verb_alone_does_not_make_a_message_of_the_rules(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA)
    monitor.admit(cfp)

    with pytest.raises(BrokenRule, match="it has to be of class Refuse, not Message; it may say refuse, propose"):
        monitor.admit(said(Message, ANNA, MANAGER, cfp, method="refuse"))


def test_what_is_no_matter_of_the_rules_is_not_theirs(monitor: Monitor) -> None:
    note = said(Message, ANNA, BOB)

    assert not monitor.admit(note)
    assert monitor.stray(note) is None


def test_what_belongs_to_no_conversation_is_stray_if_the_rules_know_its_kind(monitor: Monitor) -> None:
    lost = said(Offer, ANNA, MANAGER, price=3)

    assert not monitor.admit(lost)
    broken = monitor.stray(lost)

    assert broken is not None
    assert str(broken) == (
        "'anna' cannot say 'propose' in fipa-contract-net: no conversation goes on that it answers; it may say cfp"
    )


def test_after_its_end_nothing_may_be_said(monitor: Monitor) -> None:
    refusal = said(Refuse, ANNA, MANAGER, said(Cfp, MANAGER, ANNA))
    assert refusal.reply_to is not None
    monitor.admit(refusal.reply_to)
    monitor.admit(refusal)

    after = said(AcceptProposal, MANAGER, ANNA, refusal)

    assert not monitor.admit(after)
    assert monitor.stray(after) is not None


def test_a_wrong_answer_to_a_question_is_refused_in_the_question_s_words(monitor: Monitor) -> None:
    riddle = said(Riddle, MANAGER, ANNA, most=7)
    monitor.admit(riddle)

    with pytest.raises(BrokenRule, match="guess at most 7"):
        monitor.admit(said(Guess, ANNA, MANAGER, riddle, number=8))

    assert states(monitor) == {"anna": "asked"}
    assert monitor.admit(said(Guess, ANNA, MANAGER, riddle, number=7))


def test_an_opening_that_two_rules_have_belongs_to_those_that_it_names() -> None:
    one, other = (exchange(name, Riddle, Guess, source="a test") for name in ("one", "other"))
    monitor = Monitor((one, other))

    monitor.admit(said(Riddle, MANAGER, ANNA, most=1))
    monitor.admit(said(Riddle, MANAGER, BOB, most=1, protocol="other"))

    assert [session.rules.name for session in monitor.sessions] == ["one", "other"]


# ---------------------------------------------------------------------------------------------- lies


def test_nobody_answers_for_somebody_else(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA)
    monitor.admit(cfp)

    for lie in (
        said(Offer, BOB, MANAGER, cfp, price=1),
        said(Message, BOB, MANAGER, cfp),
        said(Cfp, BOB, MANAGER, cfp),
        said(Message, BOB, ANNA, cfp),
    ):
        with pytest.raises(BrokenRule, match="'bob' cannot say .* what it answers was said to somebody else"):
            monitor.admit(lie)
    assert states(monitor) == {"anna": "called"}


def test_who_takes_part_may_tell_others_and_ask_them(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA)
    monitor.admit(cfp)

    assert not monitor.admit(said(Message, ANNA, BOB, cfp))
    assert monitor.admit(said(Cfp, ANNA, BOB, cfp))
    assert not monitor.admit(said(Message, BOB, CARLA, cfp))
    assert states(monitor) == {"anna": "called", "bob": "called"}


def test_the_id_of_another_message_lets_nothing_through(monitor: Monitor) -> None:
    riddle = said(Riddle, MANAGER, ANNA, most=7)
    monitor.admit(riddle)

    with pytest.raises(BrokenRule, match="its id is that of another message"):
        monitor.admit(said(Guess, ANNA, MANAGER, riddle, number=8, id=riddle.id))

    guess = said(Guess, ANNA, MANAGER, riddle, number=3)
    monitor.admit(guess)
    with pytest.raises(BrokenRule, match="its id is that of another message"):
        monitor.admit(said(Guess, ANNA, MANAGER, riddle, number=8, id=guess.id))


def test_the_same_message_again_moves_nothing(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA)
    offer = said(Offer, ANNA, MANAGER, cfp, price=3)
    refusal = said(RejectProposal, MANAGER, ANNA, offer)
    for message in (cfp, cfp, offer, offer, cfp, offer.model_copy()):
        assert monitor.admit(message)
    assert states(monitor) == {"anna": "proposed"}

    for message in (refusal, refusal, said(RejectProposal, MANAGER, ANNA, offer, id=refusal.id)):
        assert monitor.admit(message)
    assert monitor.sessions == ()


def test_of_last_words_only_the_latest_are_known_again(monitor: Monitor) -> None:
    first = said(Refuse, ANNA, MANAGER, cfp := said(Cfp, MANAGER, ANNA))
    monitor.admit(cfp)
    monitor.admit(first)
    for _ in range(OVER):
        monitor.admit(cfp := said(Cfp, MANAGER, ANNA))
        monitor.admit(said(Refuse, ANNA, MANAGER, cfp))

    assert not monitor.admit(first)


# ---------------------------------------------------------------------------------------------- only one


def test_of_the_conversations_about_one_thing_one_is_awarded(monitor: Monitor) -> None:
    root = said(Message, CARLA, MANAGER)
    anna, bob = (proposed(monitor, who, root) for who in (ANNA, BOB))
    accept = said(AcceptProposal, MANAGER, ANNA, anna)
    monitor.admit(accept)

    with pytest.raises(BrokenRule, match="another conversation is awarded or done"):
        monitor.admit(said(AcceptProposal, MANAGER, BOB, bob))

    assert monitor.admit(said(Failure, ANNA, MANAGER, accept))
    assert monitor.admit(said(AcceptProposal, MANAGER, BOB, bob))


def test_what_is_done_is_not_given_to_another(monitor: Monitor) -> None:
    root = said(Message, CARLA, MANAGER)
    anna, bob = (proposed(monitor, who, root) for who in (ANNA, BOB))
    accept = said(AcceptProposal, MANAGER, ANNA, anna)
    monitor.admit(accept)
    monitor.admit(said(Inform, ANNA, MANAGER, accept))

    with pytest.raises(BrokenRule, match="another conversation is awarded or done"):
        monitor.admit(said(AcceptProposal, MANAGER, BOB, bob))


def test_conversations_about_different_things_do_not_hinder_each_other(monitor: Monitor) -> None:
    for who in (ANNA, BOB):
        offer = proposed(monitor, who, said(Message, CARLA, MANAGER))
        assert monitor.admit(said(AcceptProposal, MANAGER, who, offer))


def test_one_in_which_nobody_will_answer_stands_in_nobody_s_way(monitor: Monitor) -> None:
    root = said(Message, CARLA, MANAGER)
    anna, bob = (proposed(monitor, who, root) for who in (ANNA, BOB))
    accept = said(AcceptProposal, MANAGER, ANNA, anna)
    monitor.admit(accept)

    monitor.release(accept)

    assert monitor.admit(said(AcceptProposal, MANAGER, BOB, bob))
    with pytest.raises(BrokenRule, match="another conversation is awarded or done"):
        monitor.admit(said(Inform, ANNA, MANAGER, accept))


# ---------------------------------------------------------------------------------------------- time


def test_an_answer_after_the_deadline_is_refused_and_the_conversation_over(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA, deadline=NOON)
    monitor.admit(cfp, lambda: NOON)
    late = said(Offer, ANNA, MANAGER, cfp, price=3)

    with pytest.raises(BrokenRule, match="it came after its deadline, 12:00:00"):
        monitor.admit(late, lambda: NOON + timedelta(seconds=1))

    assert monitor.sessions == ()
    assert monitor.stray(late) is not None


def test_a_deadline_is_for_who_has_to_answer(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA, deadline=NOON)
    monitor.admit(cfp, lambda: NOON)

    assert monitor.admit(said(Cancel, MANAGER, ANNA, cfp), lambda: NOON + timedelta(seconds=1))


def test_one_that_is_over_by_time_is_no_longer_the_only_one(monitor: Monitor) -> None:
    root = said(Message, CARLA, MANAGER)
    anna, bob = (proposed(monitor, who, root) for who in (ANNA, BOB))
    accept = said(AcceptProposal, MANAGER, ANNA, anna, deadline=NOON)
    monitor.admit(accept, lambda: NOON)
    with pytest.raises(BrokenRule):
        monitor.admit(said(Inform, ANNA, MANAGER, accept), lambda: NOON + timedelta(seconds=1))

    assert monitor.admit(said(AcceptProposal, MANAGER, BOB, bob))


# ---------------------------------------------------------------------------------------------- what was not sent


def test_what_could_not_be_sent_was_never_said(monitor: Monitor) -> None:
    offer = proposed(monitor, ANNA)
    accept = said(AcceptProposal, MANAGER, ANNA, offer)
    monitor.admit(accept)

    monitor.retract(accept)

    assert states(monitor) == {"anna": "proposed"}
    assert monitor.admit(said(RejectProposal, MANAGER, ANNA, offer))


def test_a_first_word_that_could_not_be_sent_began_nothing(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA)
    monitor.admit(cfp)

    monitor.retract(cfp)

    assert monitor.sessions == ()


def test_a_last_word_that_could_not_be_sent_ended_nothing(monitor: Monitor) -> None:
    root = said(Message, CARLA, MANAGER)
    anna, bob = (proposed(monitor, who, root) for who in (ANNA, BOB))
    accept = said(AcceptProposal, MANAGER, ANNA, anna)
    monitor.admit(accept)
    inform = said(Inform, ANNA, MANAGER, accept)
    monitor.admit(inform)

    monitor.retract(inform)

    assert states(monitor) == {"anna": "awarded", "bob": "proposed"}
    with pytest.raises(BrokenRule, match="another conversation"):
        monitor.admit(said(AcceptProposal, MANAGER, BOB, bob))
    assert monitor.admit(said(Inform, ANNA, MANAGER, accept))


def test_only_what_was_said_last_can_be_taken_back(monitor: Monitor) -> None:
    cfp = said(Cfp, MANAGER, ANNA)
    monitor.admit(cfp)
    monitor.admit(said(Offer, ANNA, MANAGER, cfp, price=3))

    monitor.retract(cfp)

    assert states(monitor) == {"anna": "proposed"}


# ---------------------------------------------------------------------------------------------- a past


def test_a_monitor_of_a_run_that_goes_on_reads_threads() -> None:
    offer = proposed(Monitor((CONTRACT_NET.saying(Offer),)), ANNA)
    monitor = Monitor((CONTRACT_NET.saying(Offer),), resumed=True)

    with pytest.raises(BrokenRule):
        monitor.admit(said(Inform, ANNA, MANAGER, offer))
    assert monitor.admit(said(AcceptProposal, MANAGER, ANNA, offer))
    assert states(monitor) == {"anna": "awarded"}


def test_a_conversation_that_was_over_stays_so() -> None:
    refusal = said(Refuse, ANNA, MANAGER, said(Cfp, MANAGER, ANNA))
    monitor = Monitor((CONTRACT_NET,), resumed=True)

    assert not monitor.admit(said(AcceptProposal, MANAGER, ANNA, refusal))
    assert monitor.stray(said(AcceptProposal, MANAGER, ANNA, refusal)) is not None


def test_without_a_past_a_thread_proves_nothing(monitor: Monitor) -> None:
    forged = said(Offer, ANNA, MANAGER, said(Cfp, MANAGER, ANNA), price=3)

    assert not monitor.admit(said(AcceptProposal, MANAGER, ANNA, forged))


def test_only_one_is_awarded_among_those_that_are_recalled() -> None:
    root = said(Message, CARLA, MANAGER)
    before = Monitor((CONTRACT_NET.saying(Offer),))
    anna, bob = (proposed(before, who, root) for who in (ANNA, BOB))
    monitor = Monitor((CONTRACT_NET.saying(Offer),), resumed=True)
    monitor.admit(said(AcceptProposal, MANAGER, ANNA, anna))

    with pytest.raises(BrokenRule, match="another conversation is awarded"):
        monitor.admit(said(AcceptProposal, MANAGER, BOB, bob))


# ---------------------------------------------------------------------------------------------- what it costs


def test_the_first_and_the_latest_messages_of_a_long_conversation_may_be_answered() -> None:
    circles = Rules("circles", (
        Move(START, "initiator", Cfp, "going"), Move("going", "initiator", Inform, "going"),
        Move("going", "participant", Propose, "going"), Move("going", "participant", Refuse, "over"),
    ))  # fmt: skip
    monitor = Monitor((circles,))
    told = [said(Cfp, MANAGER, ANNA)]
    monitor.admit(told[0])
    for _ in range(3 * REMEMBERED):
        told.append(said(Inform, MANAGER, ANNA, told[-1]))
        monitor.admit(told[-1])
    (session,) = monitor.sessions

    assert len(session.messages) == REMEMBERED
    assert not monitor.admit(said(Propose, ANNA, MANAGER, told[REMEMBERED]))
    assert monitor.admit(said(Propose, ANNA, MANAGER, told[0]))
    assert monitor.admit(said(Propose, ANNA, MANAGER, told[-1]))
