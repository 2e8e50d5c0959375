"""When a conversation is over, and that endings put together are over when logic says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.dialogue.ending import (
    AllSilent,
    Ending,
    NoProgress,
    Talk,
    Tokens,
    Turns,
    When,
    Words,
)
from llm_net.protocols.dialogue.line import Line

lines = st.builds(Line, speaker=st.sampled_from("abc"), text=st.sampled_from(["", "yes", "no", "Yes.", "the end"]))
talks = st.builds(lambda said: Talk("abc", said), st.lists(lines, max_size=8))
simple: st.SearchStrategy[Ending] = st.one_of(
    st.builds(Turns, st.integers(1, 8)),
    st.builds(Words, st.sampled_from(["end", "no", "maybe"])),
    st.builds(Tokens, st.integers(1, 20)),
    st.builds(NoProgress, st.integers(1, 3)),
    st.just(AllSilent()),
    st.just(When(lambda said: len(said) % 2 == 1, "it is odd")),
)
endings = st.recursive(
    simple,
    lambda inner: st.one_of(st.builds(lambda a, b: a | b, inner, inner), st.builds(lambda a, b: a & b, inner, inner)),
)


def over(ending: Ending, talk: Talk) -> bool:
    return bool(ending.reason(talk))


def talk(*texts: str) -> Talk:
    return Talk(
        ["ann", "bob"], [Line(speaker="ann" if not n % 2 else "bob", text=text) for n, text in enumerate(texts)]
    )


@given(endings, endings, endings, talks)
def test_endings_obey_the_laws_of_logic(a: Ending, b: Ending, c: Ending, said: Talk) -> None:
    def same(one: Ending, other: Ending) -> bool:
        return over(one, said) == over(other, said)

    assert over(a | b, said) == (over(a, said) or over(b, said))
    assert over(a & b, said) == (over(a, said) and over(b, said))
    assert same(a | b, b | a) and same(a & b, b & a)
    assert same((a | b) | c, a | (b | c)) and same((a & b) & c, a & (b & c))
    assert same(a & (b | c), (a & b) | (a & c)) and same(a | (b & c), (a | b) & (a | c))
    assert same(a | (a & b), a) and same(a & (a | b), a) and same(a | a, a) and same(a & a, a)


@given(st.integers(1, 8), st.integers(1, 20), st.lists(lines, min_size=1, max_size=8))
def test_who_has_said_enough_has_said_enough_after_more(turns: int, tokens: int, said: list[Line]) -> None:
    for ending in (Turns(turns), Tokens(tokens), Words("no")):
        before, after = over(ending, Talk("abc", said[:-1])), over(ending, Talk("abc", said))
        assert after or not before


@pytest.mark.parametrize(
    ("ending", "goes_on", "is_over"),
    [
        (Turns(2), talk("hi"), talk("hi", "")),
        (Words("Agreed"), talk("I do not agree"), talk("well", "AGREED!")),
        (When(lambda said: len(said) == 1, "one is enough"), talk(), talk("hi")),
        (AllSilent(), talk("hi", ""), talk("hi", "", "")),
        (NoProgress(2), talk("yes", "no", "Yes."), talk("yes", "no", "Yes.", "", " no ")),
        (NoProgress(1), talk("yes", "no"), talk("yes", "no", "no")),
        (Tokens(4), talk("four"), talk("four", "five")),
    ],
)
def test_each_ending_comes_when_it_should(ending: Ending, goes_on: Talk, is_over: Talk) -> None:
    assert not over(ending, goes_on)
    assert over(ending, is_over)


def test_the_reason_says_which_ending_it_was() -> None:
    ending = Turns(9) | (Words("stop") & Words("now"))

    assert ending.reason(talk("stop", "why?")) == ""
    assert ending.reason(talk("stop", "now")) == "'stop' was said and 'now' was said"
    assert (Turns(1) & Turns(1)).reason(talk("hi")) == "1 turns are over"
