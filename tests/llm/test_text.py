"""Text on its way out of a model: whole characters, stop strings, tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llm_net.llm.text import Cut, clean, split

any_text = st.text(st.characters(codec=None))
pieces = st.lists(st.text("abc. \n", max_size=4), max_size=12)
stops = st.lists(st.text("abc. \n", min_size=1, max_size=3), max_size=3)


@given(any_text)
def test_clean_text_can_be_encoded_and_has_no_nul(text: str) -> None:
    assert "\0" not in clean(text).encode().decode()


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text_without_nul_or_surrogates_is_left_alone(text: str) -> None:
    assert clean(text) == text


def test_a_surrogate_pair_becomes_its_character_and_a_lone_one_a_mark() -> None:
    assert clean("\ud83d\ude00 \ud83d \0") == "😀 \ufffd \ufffd"


@given(st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(split(text)) == text


@given(pieces, stops)
def test_a_cut_in_pieces_shows_what_a_cut_of_the_whole_shows(pieces: list[str], stop: list[str]) -> None:
    cut = Cut(stop)
    shown = "".join([cut.push(piece) for piece in pieces] + [cut.end()])

    ends = [at for string in stop if (at := "".join(pieces).find(string)) >= 0]
    assert cut.stopped == bool(ends)
    assert not any(string in shown for string in stop)
    if not ends:
        assert shown == "".join(pieces)


@given(any_text, st.integers(0, 10))
def test_no_piece_of_a_cut_is_half_a_character(text: str, at: int) -> None:
    cut = Cut()
    shown = [cut.push(text[:at]), cut.push(text[at:]), cut.end()]

    assert "".join(shown).encode().decode() == clean(text)


def test_text_is_held_back_only_while_it_may_become_a_stop_string() -> None:
    cut = Cut(["\n\nUser:"])

    assert cut.push("Hello.\n") == "Hello."
    assert cut.push("\nUs") == ""
    assert cut.push("ually") == "\n\nUsually"
    assert cut.push("\n\nUser: hi") == ""
    assert cut.push("more") == ""
    assert cut.stopped
