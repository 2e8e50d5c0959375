"""What every conversation of FIPA has: a cancel, which answers may cross, and a beginning that others may have made."""

from __future__ import annotations

import pytest

from llm_net import GenAgent, Message, errors
from llm_net.address import Address, Reference
from llm_net.errors import BrokenRule
from llm_net.protocols.acts import Agree, Cancel, Failure, Inform, NotUnderstood, Request, RequestWhen, Subscribe
from llm_net.protocols.fipa.fipa import Fipa
from llm_net.protocols.meta import CANCELLING, completed
from llm_net.protocols.monitor import Monitor
from llm_net.protocols.rules import START, Rules, standing_in

ANNA, BOB, CARLA = Reference("anna"), Reference("bob"), Reference("carla")

NEWS = Rules(
    "news",
    completed([
        (START, "initiator", Subscribe, "subscribed"),
        ("subscribed", "participant", Inform, "subscribed"),
        ("subscribed", "participant", Failure, "failed"),
    ]),
)  # fmt: skip

WHEN = Rules(
    "when",
    completed([
        (START, "initiator", RequestWhen, "asked"),
        ("asked", "participant", Agree, "agreed"),
        ("agreed", "participant", Inform, "done"),
    ]),
)  # fmt: skip


def subscribed() -> tuple[Monitor, Subscribe]:
    monitor = Monitor([NEWS])
    wish = Subscribe(sender=ANNA, receiver=BOB)
    assert monitor.admit(wish)
    return monitor, wish


def state(monitor: Monitor) -> str:
    (session,) = monitor.sessions
    return session.state


def test_a_word_that_crosses_a_cancel_is_let_through_and_not_taken_for_its_answer() -> None:
    monitor, wish = subscribed()
    cancel = Cancel(sender=ANNA, receiver=BOB, reply_to=wish)
    monitor.admit(cancel)

    monitor.admit(Inform.reply(wish, body="news"))
    monitor.admit(Failure.reply(wish, body="no more news"))

    assert state(monitor) == CANCELLING
    monitor.admit(Inform.reply(cancel, body="you hear no more of it"))
    assert monitor.sessions == ()


def test_to_cancel_again_changes_nothing() -> None:
    monitor, wish = subscribed()
    cancel = Cancel(sender=ANNA, receiver=BOB, reply_to=wish)

    for again in (cancel, cancel, Cancel(sender=ANNA, receiver=BOB, reply_to=wish)):
        monitor.admit(again)

    assert state(monitor) == CANCELLING


def test_after_its_end_nothing_is_said_any_more() -> None:
    monitor, wish = subscribed()
    cancel = Cancel(sender=ANNA, receiver=BOB, reply_to=wish)
    monitor.admit(cancel)
    monitor.admit(Inform.reply(cancel))

    late = Inform.reply(wish, body="news")

    assert not monitor.admit(late)
    assert monitor.stray(late) is not None


def test_only_the_initiator_cancels() -> None:
    monitor, wish = subscribed()

    with pytest.raises(BrokenRule, match="it may say inform, failure"):
        monitor.admit(Cancel.reply(wish))

    assert state(monitor) == "subscribed"


class Order(Request):
    """Ask for something to be done for somebody else."""

    method: str = "request"
    answer_to: Address


def test_who_is_named_in_answer_to_gets_the_answers() -> None:
    rules = Rules(
        "request", completed([(START, "initiator", Request, "asked"), ("asked", "participant", Inform, "done")])
    )
    monitor = Monitor([rules])
    order = Order(sender=ANNA, receiver=BOB, answer_to=CARLA)
    monitor.admit(order)

    assert not monitor.admit(wrong := Inform.reply(order))
    assert monitor.stray(wrong) is not None
    standing = rules.standing(order)
    assert standing is not None
    assert (standing.initiator, standing.participant) == (CARLA, BOB)
    assert monitor.admit(Inform.reply(order, receiver=CARLA))
    assert monitor.sessions == ()


def test_where_several_rules_begin_alike_the_protocol_that_a_message_names_decides() -> None:
    other = Rules("other news", NEWS.moves)

    for name in ("news", "other news"):
        standing = standing_in([NEWS, other], Subscribe(sender=ANNA, receiver=BOB, protocol=name))
        assert standing is not None
        assert standing.rules.name == name


def test_a_monitor_that_came_later_believes_what_may_have_been_said_before() -> None:
    wish = RequestWhen(sender=ANNA, receiver=BOB)

    assert Monitor([WHEN], resumed=True).admit(Inform.reply(wish))  # an Agree is in another branch of the thread
    begun = Monitor([WHEN])
    begun.admit(wish)
    with pytest.raises(BrokenRule):
        begun.admit(Inform.reply(wish))


def test_the_outside_has_no_part_in_conversations() -> None:
    monitor = Monitor([NEWS])

    assert not monitor.admit(Subscribe(receiver=BOB))
    assert monitor.stray(Subscribe(receiver=BOB)) is None
    assert monitor.stray(Inform.reply(Subscribe(sender=ANNA), sender=BOB)) is None


def test_what_is_said_by_other_rules_is_no_matter_of_these() -> None:
    answer = Inform.reply(Request(sender=ANNA, receiver=BOB))

    assert Monitor([NEWS]).stray(answer) is None
    assert Monitor([NEWS]).stray(Inform(sender=ANNA, receiver=BOB)) is not None
    assert Monitor([NEWS]).stray(NotUnderstood(sender=ANNA, receiver=BOB)) is None


def test_a_member_cannot_fail_a_network_by_what_it_does_not_understand() -> None:
    class Babbler(GenAgent):
        def start(self, message: Message) -> Message:
            return Message(method="babble", receiver="house")

    house = Fipa(id="house", agents=[Babbler(id="babbler")])

    assert list(house.receive(Message(method="start", receiver="babbler")))
    with pytest.raises(errors.NotUnderstood):
        list(house.receive(Message(method="babble")))
