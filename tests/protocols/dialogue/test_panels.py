"""Delphi, consensus and Socratic questioning: what is told between rounds, and when it ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.protocols.acts import Agree, Refuse
from llm_net.protocols.coordination.delphi import spread
from llm_net.protocols.dialogue.consensus import Agreement, Consensus, Consider, Motion, Objection, Revise, Revision
from llm_net.protocols.dialogue.delphi import Consult, Delphi, Estimate, Forecast, Panel
from llm_net.protocols.dialogue.socratic import (
    Ask,
    Examination,
    Examine,
    Explain,
    Explanation,
    FollowUp,
    Satisfied,
    Socratic,
    Thesis,
)
from tests.protocols.dialogue.members import WRONG, Late, Member, Silent, outcome

# ------------------------------------------------------------------------------------------ Delphi


def expert(id: str, first: int, *, moves: Decimal = Decimal("0.5")) -> Member:
    """Moves this share of the way from its own estimate to the median."""

    def consult(question: Consult) -> Message:
        if question.own is None or question.median is None:
            return Estimate.reply(question, value=Decimal(first))
        return Estimate.reply(question, value=question.own + (question.median - question.own) * moves)

    return Member(id=id, says={Consult: consult})


def panel(*members: GenAgent, lowest: int | None = None, highest: int | None = None, **fields: Any) -> Panel:
    root = Forecast(
        body="Bees in the hive?",
        lowest=None if lowest is None else Decimal(lowest),
        highest=None if highest is None else Decimal(highest),
    )
    end = outcome(Delphi(id="panel", agents=members, **fields), root)
    assert isinstance(end, Panel)
    return end


def test_a_panel_that_moves_to_its_middle_settles() -> None:
    end = panel(expert("ann", 0), expert("bob", 40), expert("cat", 80), within=10)

    assert (end.median, end.lower, end.upper) == (Decimal(40), Decimal(35), Decimal(45))
    assert (end.rounds, end.settled) == (3, True)


def test_a_panel_that_no_longer_moves_is_settled_too_and_one_that_moves_for_ever_is_not() -> None:
    stuck = [expert("ann", 0, moves=Decimal(0)), expert("bob", 80, moves=Decimal(0))]
    away = [expert("ann", 0, moves=Decimal(-1)), expert("bob", 80, moves=Decimal(-1))]

    assert (panel(*stuck).rounds, panel(*stuck).settled) == (2, True)
    assert (panel(*stuck, drift=None).rounds, panel(*stuck, drift=None).settled) == (4, False)
    assert (panel(*away, rounds=3).rounds, panel(*away, rounds=3).settled) == (3, False)


def test_an_expert_is_told_its_own_estimate_and_the_quartiles_and_not_who_gave_which() -> None:
    experts = [expert("ann", 0), expert("bob", 10), expert("cat", 80)]

    panel(*experts, rounds=2)

    for member, first in zip(experts, (0, 10, 80), strict=True):
        one, other = (message.content() for message in member.told)
        middle = {"lower": 5, "median": 10, "upper": 45}
        assert one == {"body": "Bees in the hive?", "round": 1, **dict.fromkeys(["own", *middle, "lowest", "highest"])}
        assert other == {**one, "round": 2, "own": first, **middle}
        assert all([type(each) for each in message.thread()] == [Forecast, Consult] for message in member.told)


def width(question: Consult) -> Decimal:
    assert question.upper is not None and question.lower is not None
    return question.upper - question.lower


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-99, 99), st.sampled_from(["0", "0.3", "1"])), min_size=1, max_size=5))
def test_the_range_never_widens_where_all_move_to_the_middle_or_stay(drawn: list[tuple[int, str]]) -> None:
    experts = [expert(f"m{index}", first, moves=Decimal(share)) for index, (first, share) in enumerate(drawn)]

    panel(*experts, rounds=5, drift=None)

    questions = [message for each in experts for message in each.told if isinstance(message, Consult)]
    told = [question for question in questions if question.receiver == experts[0] and question.upper is not None]
    quartiles = [width(question) for question in told]
    owns = [[each.own for each in questions if each.round == one.round and each.own is not None] for one in told]
    ranges = [max(own) - min(own) for own in owns]
    assert quartiles == sorted(quartiles, reverse=True)
    assert ranges == sorted(ranges, reverse=True)


def test_an_estimate_out_of_bounds_does_not_count() -> None:
    end = panel(expert("ann", 50), expert("bob", 101), expert("cat", -1), lowest=0, highest=100)

    assert end.median == 50
    assert "101 is too high; give at most 100" in end.absent["bob"]
    assert "-1 is too low; give at least 0" in end.absent["cat"]
    question = Consult(lowest=Decimal(0), highest=Decimal(100))
    assert question.fields_for(Estimate) == {"value": {"type": "number", "minimum": 0, "maximum": 100}}


def test_a_panel_does_without_those_who_fail() -> None:
    wrong = [kind(id=f"m{index}") for index, kind in enumerate(WRONG)]

    end = panel(*wrong, expert("ann", 40), expert("bob", 60))

    assert end.median == 50 == spread([40, 60]).median
    assert end.absent.keys() == {agent.id for agent in wrong}
    assert panel(*wrong).median is None


# ------------------------------------------------------------------------------------------ consensus


def voter(id: str, wants: str = "") -> Member:
    """Agrees to whatever has this word in it."""

    def consider(question: Consider) -> Message:
        if wants in question.body:
            return Agree.reply(question)
        return Objection.reply(question, reason=f"without {wants}?")

    return Member(id=id, says={Consider: consider})


def editor() -> Member:
    """Adds what the objections miss."""

    def revise(question: Revise) -> Message:
        wanted = sorted({objection.split()[-1].rstrip("?") for objection in question.objections})
        return Revision.reply(question, text=" ".join([question.body, *wanted]))

    return Member(id="ed", says={Revise: revise})


def agreement(*members: GenAgent, text: str = "lunch", **fields: Any) -> Agreement:
    end = outcome(Consensus(id="house", agents=members, **fields), Motion(body=text))
    assert isinstance(end, Agreement)
    return end


def test_a_proposal_is_revised_until_a_quorum_agrees() -> None:
    end = agreement(
        voter("ann", "soup"), voter("bob"), voter("cat", "bread"), voter("dan", "cake"), editor(), editor="ed"
    )

    assert (end.agreed, end.rounds, end.body) == (True, 2, "lunch bread cake soup")
    assert end.agree == ("ann", "bob", "cat", "dan")


def test_nobody_is_told_who_objected_nor_what_was_said_before_that() -> None:
    ann, bob, ed = voter("ann", "soup"), voter("bob", "bread"), editor()

    agreement(ann, bob, ed, editor="ed")

    told = [message.content() for message in [*ann.told, *bob.told] if isinstance(message, Consider)]
    assert (
        told
        == [
            {"body": "lunch", "objections": ()},
            {"body": "lunch bread soup", "objections": ("without soup?", "without bread?")},
        ]
        * 2
    )
    assert all(len(message.thread()) == 2 for member in (ann, bob, ed) for message in member.told)


def test_a_quorum_is_more_than_half_of_those_who_have_a_voice() -> None:
    members = [voter("ann"), voter("bob"), voter("cat", "soup"), voter("dan", "soup")]

    assert not agreement(*members).agreed
    assert agreement(*members, voter("eve")).agreed
    assert not agreement(*members, voter("eve"), quorum=4).agreed
    assert agreement(*members).objections == {"cat": "without soup?", "dan": "without soup?"}


def test_without_an_editor_or_a_new_proposal_it_ends_and_so_it_does_after_the_last_round() -> None:
    same = Member(id="ed", says={Revise: lambda question: Revision.reply(question, text=question.body)})
    other = Member(id="ed", says={Revise: lambda question: Revision.reply(question, text=question.body + "!")})
    objecting = [voter("ann", "soup"), voter("bob", "soup")]

    assert agreement(*objecting).rounds == 1
    assert agreement(*objecting, same, editor="ed").rounds == 1
    assert agreement(*objecting, other, editor="ed", rounds=3).rounds == 3
    assert agreement(*objecting, Silent(id="ed"), editor="ed").absent.keys() == {"ed"}


def test_who_abstains_fails_or_objects_without_a_reason_agrees_to_nothing() -> None:
    wrong = [kind(id=f"m{index}") for index, kind in enumerate(WRONG)]
    abstaining = Member(id="abe", says={Consider: Refuse.reply})
    grumbling = Member(id="gus", says={Consider: lambda question: Objection.reply(question, reason=" ")})

    end = agreement(*wrong, abstaining, grumbling, voter("ann"), voter("bob"), quorum=5)

    assert (end.agreed, end.agree, end.objections) == (False, ("ann", "bob"), {})
    assert end.absent.keys() == {"gus", *(agent.id for agent in wrong)}
    assert "an objection needs a reason" in end.absent["gus"]


# ------------------------------------------------------------------------------------------ Socratic


def questioner(questions: int) -> Member:
    """Asks so many questions, then is satisfied."""

    def ask(message: Message) -> Message:
        asked = sum(isinstance(each, Ask) for each in message.thread())
        if asked == questions:
            return Satisfied.reply(message, body="So it is.")
        return Ask.reply(message, body=f"Why {asked + 1}?")

    return Member(id="sam", says={Examine: ask, FollowUp: ask})


def answerer() -> Member:
    return Member(
        id="ann", says={Explain: lambda question: Explanation.reply(question, body=f"Because of {question.body}")}
    )


def examination(*members: GenAgent, **fields: Any) -> Examination:
    network = Socratic(id="agora", agents=members, questioner="sam", answerer="ann", **fields)
    end = outcome(network, Thesis(body="Bees think."))
    assert isinstance(end, Examination)
    return end


def test_one_asks_and_the_other_answers_until_the_questioner_is_satisfied() -> None:
    sam, ann = questioner(2), answerer()

    end = examination(sam, ann)

    assert [str(line) for line in end.said] == [
        "sam: Why 1?",
        "ann: Because of Why 1?",
        "sam: Why 2?",
        "ann: Because of Why 2?",
    ]
    assert (end.satisfied, end.body) == (True, "So it is.")
    assert [message.body for message in sam.told] == ["Bees think.", "Because of Why 1?", "Because of Why 2?"]
    assert [len(message.said) for message in ann.told if isinstance(message, Explain)] == [0, 2]
    assert all(message.thesis == "Bees think." for message in ann.told if isinstance(message, Explain))


def test_it_is_over_when_the_questions_are() -> None:
    end = examination(questioner(99), answerer(), questions=3)

    assert (end.satisfied, len(end.said), end.body) == (False, 6, "3 questions are over")


@pytest.mark.parametrize("kind", [*WRONG])
def test_it_is_over_where_one_of_them_fails(kind: type[GenAgent]) -> None:
    assert examination(kind(id="sam"), answerer()).absent.keys() == {"sam"}
    end = examination(questioner(2), kind(id="ann"))
    assert end.absent.keys() == {"ann"}
    assert [line.speaker for line in end.said] == ["sam"]


def test_who_is_late_is_not_waited_for() -> None:
    assert examination(Late(id="sam"), answerer()).body == "no answer within 120 s"
