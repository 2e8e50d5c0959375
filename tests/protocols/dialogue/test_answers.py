"""Samples, debates and mixtures: who is asked sees what it may see, and it costs as many calls as promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.errors import AgentFailed
from llm_net.protocols.acts import NotUnderstood
from llm_net.protocols.dialogue.debate import Argue, Debate, Judge, Judgement, Resolution
from llm_net.protocols.dialogue.mixture_of_agents import Improve, MixtureOfAgents, Synthesis
from llm_net.protocols.dialogue.problem import Problem, Solution, Solve
from llm_net.protocols.dialogue.self_consistency import CommonAnswer, SelfConsistency
from llm_net.protocols.tie import Order
from tests.protocols.dialogue.members import WRONG, Crashing, Late, Member, Says, Silent, outcome


def sampler(id: str, *answers: str) -> Member:
    """Gives these answers one after the other, again and again."""
    given = iter(answers * 99)
    return Member(id=id, says={Solve: lambda question: Solution.reply(question, answer=next(given))})


def verdict(network: SelfConsistency, **fields: Any) -> CommonAnswer:
    end = outcome(network, Problem(**{"body": "6 · 7?", **fields}))
    assert isinstance(end, CommonAnswer)
    return end


# ------------------------------------------------------------------------------------------ self-consistency


def test_what_most_samples_say_is_the_answer() -> None:
    end = verdict(SelfConsistency(id="urn", agents=[sampler("ann", "42", "41", "42.")], samples=5, early=False))

    assert (end.answer, end.counts, end.calls) == ("42", {"42": 3, "41": 2}, 5)


def test_a_tie_is_the_result_unless_a_rule_decides() -> None:
    def urn(**fields: Any) -> SelfConsistency:
        return SelfConsistency(id="urn", agents=[sampler("ann", "42", "41")], samples=4, **fields)

    assert (verdict(urn()).answer, verdict(urn()).ties) == (None, ("42", "41"))
    assert verdict(urn(ties=Order(("41", "42")))).answer == "41"
    assert verdict(urn(ties=Order(("41", "42")))).ties == ("42", "41")


def test_members_are_asked_side_by_side_and_nobody_sees_what_others_say() -> None:
    members = [sampler(name, "42") for name in ("ann", "bob")]

    end = verdict(SelfConsistency(id="urn", agents=members, samples=5, early=False))

    assert [len(member.told) for member in members] == [3, 2]
    assert {type(message) for member in members for message in member.told} == {Solve}
    assert {len(message.thread()) for member in members for message in member.told} == {
        2
    }  # the problem, and the question
    assert end.calls == 5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=9), st.integers(1, 3))
def test_stopping_early_never_changes_who_wins(answers: list[str], members: int) -> None:
    def asked(early: bool) -> CommonAnswer:
        drawn = iter(answers)
        says: Says = {Solve: lambda question: Solution.reply(question, answer=next(drawn))}
        group = [Member(id=f"m{index}", says=says) for index in range(members)]
        return verdict(SelfConsistency(id="urn", agents=group, samples=len(answers), early=early))

    early, whole = asked(True), asked(False)

    assert (early.answer, early.ties) == (whole.answer, whole.ties)
    assert early.calls <= whole.calls == len(answers)


def test_samples_that_fail_do_not_count() -> None:
    wrong = [kind(id=f"m{index}") for index, kind in enumerate(WRONG)]

    end = verdict(SelfConsistency(id="urn", agents=[*wrong, sampler("ann", "42")], samples=9, early=False))

    assert (end.answer, end.counts) == ("42", {"42": 4})
    assert end.absent.keys() == {agent.id for agent in wrong}


def test_what_is_no_choice_is_no_answer() -> None:
    end = verdict(SelfConsistency(id="urn", agents=[sampler("ann", "43")]), choices=("41", "42"))

    assert end.answer is None
    assert "'43' is no choice; give one of 41, 42" in end.absent["ann"]
    assert Solve(choices=("41", "42")).fields_for(Solution) == {"answer": {"type": "string", "enum": ["41", "42"]}}


# ------------------------------------------------------------------------------------------ debate


def stubborn(id: str, answer: str) -> Member:
    return Member(id=id, says={Argue: lambda question: Solution.reply(question, answer=answer, body=f"{id} says so")})


def yielding(id: str, answer: str) -> Member:
    """Says what most others say, once it has heard them."""

    def argue(question: Argue) -> Message:
        heard = [other.partition(" ")[0] for other in question.others.values()]
        return Solution.reply(question, answer=max(heard, key=heard.count) if heard else answer)

    return Member(id=id, says={Argue: argue})


def judge(id: str, answer: str | int) -> Member:
    """Always names this answer, or whichever stands at this place."""
    return Member(
        id=id,
        says={
            Judge: lambda question: Judgement.reply(
                question, answer=answer if isinstance(answer, str) else [*question.cases][answer]
            )
        },
    )


def resolution(*members: GenAgent, **fields: Any) -> Resolution:
    end = outcome(Debate(id="hall", agents=members, **fields), Problem(body="6 · 7?"))
    assert isinstance(end, Resolution)
    return end


def test_who_hears_the_others_may_change_its_mind_and_unanimity_ends_it() -> None:
    end = resolution(stubborn("ann", "42"), yielding("bob", "41"), stubborn("cat", "42"))

    assert (end.answer, end.rounds, end.calls) == ("42", 2, 6)


@given(st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=16, deadline=None)
def test_n_debaters_of_r_rounds_cost_n_times_r_calls(debaters: int, rounds: int) -> None:
    members = [stubborn(f"m{index}", str(index)) for index in range(debaters + 1)]

    end = resolution(*members, rounds=rounds)

    assert (end.calls, end.rounds) == ((debaters + 1) * rounds, rounds)
    assert sum(len(member.told) for member in members) == end.calls


def test_every_debater_sees_its_own_answer_and_the_others_of_the_round_before_and_nothing_else() -> None:
    members = [stubborn(name, answer) for name, answer in (("ann", "41"), ("bob", "42"), ("cat", "43"))]

    resolution(*members, rounds=3)

    for member in members:
        answers = {
            other.id: f"{answer} ({other.id} says so)"
            for other, answer in zip(members, ["41", "42", "43"], strict=True)
        }
        mine = answers.pop(member.id).partition(" ")[0]
        assert [(question.own, question.others) for question in member.told if isinstance(question, Argue)] == [
            ("", {}),
            (mine, answers),
            (mine, answers),
        ]
        for message in member.told:
            assert [type(each) for each in message.thread()] == [Problem, Argue]


def test_debaters_who_tie_are_the_result_unless_a_rule_decides() -> None:
    members = [stubborn("ann", "41"), stubborn("bob", "42")]

    assert (resolution(*members).answer, resolution(*members).ties) == (None, ("41", "42"))
    assert resolution(*members, ties=Order(("42", "41"))).answer == "42"


def test_judges_decide_where_the_debaters_do_not_agree() -> None:
    members = [stubborn("ann", "41"), stubborn("bob", "42"), stubborn("cat", "41")]
    judges = [judge("jim", "42"), judge("joe", "42"), judge("jan", "41")]

    end = resolution(*members, *judges, judges=("jim", "joe", "jan"), rounds=2)

    assert (end.answer, end.counts) == ("42", {"42": 2, "41": 1})
    assert end.calls == 3 * 2 + 2 * 3
    orders = [[*message.cases.items()] for message in judges[0].told if isinstance(message, Judge)]
    assert orders[0] == [("41", "ann says so cat says so"), ("42", "bob says so")]
    assert orders[1] == orders[0][::-1]


@pytest.mark.parametrize("place", [0, 1])
def test_a_judge_who_goes_by_the_order_of_the_answers_has_no_voice(place: int) -> None:
    end = resolution(
        stubborn("ann", "41"), stubborn("bob", "42"), judge("jim", place), judge("joe", "42"), judges=("jim", "joe")
    )

    assert (end.answer, end.counts) == ("42", {"42": 1})
    assert end.absent == {"jim": "its judgement depends on the order of the answers"}


def test_judges_are_not_asked_where_all_agree() -> None:
    jim = judge("jim", "42")

    assert resolution(stubborn("ann", "42"), stubborn("bob", "42"), jim, judges=("jim",)).answer == "42"
    assert jim.told == []


def test_the_baseline_costs_as_many_answers_as_the_debate_had_calls() -> None:
    members = [stubborn("ann", "41"), yielding("bob", "42"), yielding("cat", "42")]

    end = resolution(*members, rounds=3, baseline=True)

    asked = sum(len(member.told) for member in members)
    first = sum(message.others == {} for member in members for message in member.told if isinstance(message, Argue))
    assert first == end.calls  # as many samples, of which the debate had its first round
    assert asked == end.calls + first - 3
    assert end.baseline == "42"


def test_who_fails_in_a_debate_is_absent_and_the_last_answers_of_the_others_count() -> None:
    wrong = [kind(id=f"m{index}") for index, kind in enumerate(WRONG)]
    puzzled = Member(id="eve", says={Argue: lambda question: NotUnderstood.reply(question, body="I do not know.")})

    end = resolution(stubborn("ann", "42"), *wrong, puzzled, stubborn("bob", "42"), judge("jim", "x"), judges=("jim",))

    assert end.answer == "42"
    assert end.absent.keys() == {"eve", *(agent.id for agent in wrong)}
    assert end.absent["eve"] == "I do not know."


def test_a_debate_of_nobody_has_no_answer() -> None:
    end = resolution(judge("jim", "42"), judges=("jim",), baseline=True)

    assert (end.answer, end.baseline, end.rounds, end.calls) == (None, None, 0, 0)


def test_judges_who_fail_have_no_voice() -> None:
    end = resolution(
        stubborn("ann", "41"), stubborn("bob", "42"), Silent(id="jim"), Late(id="joe"), judge("jan", "43"),
        judges=("jim", "joe", "jan"),
    )  # fmt: skip

    assert end.answer is None
    assert end.absent.keys() == {"jim", "joe", "jan"}


# ------------------------------------------------------------------------------------------ mixture of agents


def improver(id: str) -> Member:
    """Says who it is and how much it was given."""
    return Member(
        id=id, says={Improve: lambda question: Solution.reply(question, answer=f"{id}({','.join(question.drafts)})")}
    )


def synthesis(members: Sequence[GenAgent], layers: tuple[tuple[str, ...], ...], aggregator: str) -> Synthesis:
    network = MixtureOfAgents(id="mix", agents=members, layers=layers, aggregator=aggregator)
    end = outcome(network, Problem(body="Why bees?"))
    assert isinstance(end, Synthesis)
    return end


def test_each_layer_sees_the_answers_of_the_one_before_and_nothing_else() -> None:
    end = synthesis([improver(name) for name in "abcd"], (("a", "b"), ("b", "c")), "d")

    assert end.drafts == ("b(a(),b())", "c(a(),b())")
    assert end.answer == "d(b(a(),b()),c(a(),b()))"
    assert end.calls == 5


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from("abc"), min_size=1).map(sorted), min_size=1, max_size=4), st.sampled_from("abcd")
)
def test_it_costs_the_sum_of_the_widths_and_one(layers: list[list[str]], aggregator: str) -> None:
    members = [improver(name) for name in "abcd"]

    end = synthesis(members, tuple(map(tuple, layers)), aggregator)

    assert end.calls == sum(map(len, layers)) + 1 == sum(len(member.told) for member in members)
    assert all(
        [type(each) for each in message.thread()] == [Problem, Improve] for member in members for message in member.told
    )


def test_who_fails_in_one_layer_is_not_asked_in_the_next() -> None:
    members = [improver("a"), Crashing(id="b"), Silent(id="c"), improver("d")]

    end = synthesis(members, (("a", "b", "c"), ("b", "a")), "d")

    assert end.answer == "d(a(a()))"
    assert end.absent.keys() == {"b", "c"}
    assert end.calls == 3 + 1 + 1


def test_without_an_aggregator_there_is_no_answer() -> None:
    end = synthesis([improver("a"), Late(id="b")], (("a",),), "b")

    assert (end.answer, end.drafts) == (None, ("a()",))


def test_a_layer_of_somebody_who_is_no_member_is_an_error_with_its_cure() -> None:
    with pytest.raises(AgentFailed, match="'z' is no member; name one of a, b"):
        synthesis([improver("a"), improver("b")], (("a", "z"),), "b")
