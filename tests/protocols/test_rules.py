"""Tables of moves: what is refused as a table, what may be said, and where a thread says that a conversation is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llm_net import Message
from llm_net.address import Reference
from llm_net.errors import DefinitionError
from llm_net.protocols.acts import ACTS, Cancel, Cfp, Failure, Inform, NotUnderstood, Propose, Refuse, Request
from llm_net.protocols.fipa.contract_net import CONTRACT_NET, Offer
from llm_net.protocols.meta import completed, exchange
from llm_net.protocols.rules import START, Move, Rules, act_of, standing_in

MANAGER, ANNA, BOB = Reference("manager"), Reference("anna"), Reference("bob")


class Question(Message):
    """Ask."""


class Reply(Message):
    """Answer."""


ASKING = exchange("asking", Question, Reply, source="a test")


def moves(*written: tuple[str, str, type[Message], str]) -> tuple[Move, ...]:
    return tuple(
        Move(state, "initiator" if side == ">" else "participant", kind, then) for state, side, kind, then in written
    )


class OtherReply(Message):
    """Answer in another way."""

    method: str = "reply"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ([(START, "<", Question, "asked")], "nobody can begin; give the initiator a move from 'start'"),
        ([(START, ">", Question, "asked"), ("lost", "<", Reply, "answered")], "no move leads to 'lost'; leave it out"),
        ([(START, ">", Question, "asked"), ("asked", "<", Reply, "asked")], "no way leads from 'asked' to an end"),
        (
            [(START, ">", Question, "asked"), ("asked", "<", Reply, "yes"), ("asked", "<", OtherReply, "no")],
            "OtherReply and Reply are both 'reply'; rename one of them",
        ),
        (
            [(START, ">", Question, "asked"), ("asked", "<", Reply, "yes"), ("asked", "<", Reply, "no")],
            "in 'asked' the participant's 'reply' leads to two states; let it lead to one",
        ),
    ],
)
def test_a_table_that_cannot_work_is_refused_with_the_cure(
    table: list[tuple[str, str, type[Message], str]], problem: str
) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Rules("wrong", moves(*table))


def test_an_exchange_is_a_question_and_an_answer_or_a_refusal() -> None:
    assert ASKING.openings == {"question"}
    assert set(ASKING.allowed("asked", "participant")) == {Reply, Refuse, NotUnderstood}
    assert set(ASKING.allowed("asked", "initiator")) == {NotUnderstood, Cancel}
    assert {"answered", "refused", "not understood", "cancelled", "cancel failed"} == ASKING.ends
    assert ASKING.fallback == (Refuse,)


def test_a_cancel_is_answered_by_an_inform_or_a_failure_and_may_be_said_twice() -> None:
    cancelling = ASKING.next("asked", "initiator", "cancel")
    assert cancelling is not None

    assert ASKING.next(cancelling, "initiator", "cancel") == cancelling
    assert ASKING.next(cancelling, "participant", "reply") is None
    assert ASKING.next(cancelling, "participant", "inform") == "cancelled"
    assert ASKING.next(cancelling, "participant", "failure") == "cancel failed"


def test_a_move_of_ones_own_goes_before_the_one_that_all_have() -> None:
    table = completed([(START, "initiator", Question, "asked"), ("asked", "initiator", Cancel, "over")])

    assert [move.then for move in table if move.state == "asked" and move.kind is Cancel] == ["over"]


def test_typed_messages_stand_for_the_verbs_that_they_have() -> None:
    typed = CONTRACT_NET.saying(Offer, name="roofs")

    assert typed.name == "roofs"
    assert typed.allowed("called", "participant") == tuple(
        Offer if kind is Propose else kind for kind in CONTRACT_NET.allowed("called", "participant")
    )
    assert [move._replace(kind=Message) for move in typed.moves] == [
        move._replace(kind=Message) for move in CONTRACT_NET.moves
    ]


def test_a_fallback_is_typed_as_the_moves_are() -> None:
    class Decline(Refuse):
        """Refuse, politely."""

        method: str = "refuse"

    assert ASKING.saying(Decline).fallback == (Decline,)


def test_a_class_with_a_verb_that_is_not_in_the_rules_is_refused() -> None:
    with pytest.raises(DefinitionError, match="there is no 'request'; there is question, reply, refuse"):
        ASKING.saying(Request)


def test_a_message_is_what_its_class_says_however_it_calls_itself() -> None:
    typed = CONTRACT_NET.saying(Offer)

    assert typed.act(Offer(price=Decimal(3))) == "propose"
    assert typed.act(Offer(price=Decimal(3), method="offer_of_a_lifetime")) == "propose"
    assert typed.act(Propose()) is None
    assert typed.act(Message(method="propose")) is None
    assert CONTRACT_NET.act(Offer(price=Decimal(3))) == "propose"


def test_all_acts_have_a_verb_of_their_own() -> None:
    assert len({act_of(kind) for kind in ACTS}) == len(ACTS) == 22


# ---------------------------------------------------------------------------------------------- what a thread says


def said(kind: type[Message], sender: Reference, receiver: Reference, answered: Message | None = None) -> Message:
    return kind(sender=sender, receiver=receiver, reply_to=answered)


def test_a_thread_says_where_its_conversation_is() -> None:
    cfp = said(Cfp, MANAGER, ANNA)
    proposal = said(Propose, ANNA, MANAGER, cfp)

    standing = CONTRACT_NET.standing(proposal)

    assert standing is not None
    assert (standing.state, standing.initiator, standing.participant) == ("proposed", MANAGER, ANNA)
    assert standing.speaker(MANAGER) == "initiator"
    assert standing.speaker(BOB) is None
    assert standing.allowed(ANNA) == (NotUnderstood,)
    assert standing.allowed(BOB) == ()


def test_what_led_to_a_conversation_is_no_part_of_it() -> None:
    root = said(Message, BOB, MANAGER)
    standing = CONTRACT_NET.standing(said(Cfp, MANAGER, ANNA, root))

    assert standing is not None
    assert standing.state == "called"


def test_a_conversation_within_another_is_the_one_that_stands() -> None:
    outer = said(Cfp, MANAGER, ANNA)
    inner = said(Propose, BOB, ANNA, said(Cfp, ANNA, BOB, outer))

    standing = CONTRACT_NET.standing(inner)

    assert standing is not None
    assert (standing.initiator, standing.participant, standing.state) == (ANNA, BOB, "proposed")


def test_a_thread_that_breaks_the_rules_stands_nowhere() -> None:
    cfp = said(Cfp, MANAGER, ANNA)

    assert CONTRACT_NET.standing(said(Inform, ANNA, MANAGER, cfp)) is None
    assert CONTRACT_NET.standing(said(Propose, BOB, MANAGER, cfp)) is None
    assert CONTRACT_NET.standing(said(Propose, ANNA, MANAGER)) is None
    assert CONTRACT_NET.standing(said(Message, ANNA, MANAGER, cfp)) is None
    assert CONTRACT_NET.standing(Cfp()) is None


def test_of_several_rules_those_tell_that_know_the_conversation() -> None:
    standing = standing_in((CONTRACT_NET, ASKING), said(Question, MANAGER, ANNA))

    assert standing is not None
    assert standing.rules is ASKING
    assert standing_in((CONTRACT_NET, ASKING), said(Failure, MANAGER, ANNA)) is None


def test_a_long_thread_is_walked_without_recursion() -> None:
    circles = Rules(
        "circles",
        moves((START, ">", Question, "asked"), ("asked", "<", Reply, "answered"), ("answered", ">", Question, "asked"),
              ("answered", ">", Cancel, "over")),
    )  # fmt: skip
    message = said(Question, MANAGER, ANNA)
    for _ in range(2_000):
        message = said(Question, MANAGER, ANNA, said(Reply, ANNA, MANAGER, message))

    standing = circles.standing(message)

    assert standing is not None
    assert standing.state == "asked"
