"""What is kept of an agent, and how little of it is written when little changes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr
from pydantic_core import from_json

from llm_net import GenAgent, GenNetwork, Message
from llm_net.address import Address, Border, Reference
from llm_net.errors import NotResumable
from llm_net.runtime.members import Roll
from llm_net.runtime.state import Fields, Shadow, stored

BORDER = Border()


class Bid(Message):
    price: int


@dataclass(frozen=True)
class Lot:
    name: str
    bids: tuple[Bid, ...] = ()


class Form(BaseModel):
    when: datetime
    last: Bid | None = None


class Keeper(GenAgent):
    count: int = 0
    words: list[str] = []
    bids: list[Bid] = []
    lots: dict[str, Lot] = {}
    form: Form | None = None
    line: deque[int] = deque()
    friend: Address = Reference("nobody")
    anything: Any = None
    password: SecretStr = SecretStr("")
    other: GenAgent | None = None


def same(data: bytes) -> bytes:
    return data


def test_kept_is_what_json_can_say_but_no_secrets_and_no_other_agents() -> None:
    names = set(Fields.of(Keeper).names)

    assert {"count", "words", "bids", "lots", "form", "line", "friend", "anything"} < names
    assert not {"id", "password", "other"} & names


def test_every_kept_field_comes_back_equal_with_messages_of_their_class() -> None:
    keeper = Keeper(
        id="k",
        count=3,
        words=["ö", '"'],
        bids=[Bid(price=3, receiver="x")],
        lots={"a": Lot("a", (Bid(price=1),))},
        form=Form(when=datetime(2026, 1, 2, tzinfo=UTC), last=Bid(price=9)),
        line=deque([1, 2]),
        friend=Reference("anna"),
        anything={"deep": [Bid(price=7)]},
    )
    fields = Fields.of(Keeper)

    for name in fields.names:
        data = fields.encode(name, getattr(keeper, name), BORDER)
        assert data is not None
        found = fields.decode(name, data, BORDER)
        assert found == getattr(keeper, name), name
    found = fields.decode("bids", fields.encode("bids", keeper.bids, BORDER) or b"", BORDER)
    assert isinstance(found, list)
    assert type(found[0]) is Bid
    assert found[0].price == 3


def test_something_alive_in_a_field_of_any_type_is_left_out_elsewhere_it_is_an_error() -> None:
    class Holder(GenAgent):
        anything: Any = None
        words: list[str] = []

    holder = Holder(anything=object())
    assert Fields.of(Holder).encode("anything", holder.anything, BORDER) is None
    with pytest.raises(NotResumable, match="field 'words' cannot be kept .*leave it out of `storable`"):
        Fields.of(Holder).encode("words", [object()], BORDER)


def test_a_step_that_changes_nothing_writes_nothing() -> None:
    shadow = Shadow(Keeper(id="k"), BORDER, same)

    assert shadow.change() is not None
    assert shadow.change() is None


def test_the_first_that_is_written_is_whole_also_if_the_agent_was_known_as_it_was_built() -> None:
    keeper = Keeper(id="k", words=["a"])
    shadow = Shadow(keeper, BORDER, same)
    shadow.take()
    assert shadow.change() is None
    keeper.count = 1
    whole, body = shadow.change() or (False, b"")

    assert whole
    assert from_json(body)["words"] == ["a"]
    assert from_json(body)["count"] == 1


def test_what_is_written_does_not_grow_with_what_is_there() -> None:
    keeper = Keeper(id="k")
    shadow = Shadow(keeper, BORDER, same)
    written = 0
    for n in range(1_000):
        keeper.words.append(f"word {n} of a long conversation")
        written += len((shadow.change() or (False, b""))[1])

    assert written < 8 * len(str(keeper.words))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("count"), st.integers(-10, 10)),
            st.tuples(st.just("words"), st.lists(st.text(), max_size=8)),
            st.tuples(st.just("append"), st.text()),
            st.tuples(st.just("drop"), st.integers(0, 5)),
            st.tuples(st.just("anything"), st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner))),
        ),
        max_size=150,
    )
)
def test_whole_states_and_changes_together_are_the_last_state(changes: list[tuple[str, Any]]) -> None:
    keeper = Keeper(id="k", words=["a beginning that is long enough for an edit to be shorter than the whole of it"])
    shadow = Shadow(keeper, BORDER, same)
    written = [shadow.change() or (False, b"")]
    for what, value in changes:
        if what == "append":
            keeper.words.append(value)
        elif what == "drop":
            del keeper.words[value : value + 1]
        else:
            setattr(keeper, what, value)
        if (change := shadow.change()) is not None:
            written.append(change)
    last = max(index for index, (whole, _) in enumerate(written) if whole)
    kept = stored(written[last][1], [body for _, body in written[last + 1 :]])

    for name in Fields.of(Keeper).names:
        expected = Fields.of(Keeper).encode(name, getattr(keeper, name), BORDER)
        assert from_json(kept[name]) == from_json(expected or b"null")


def test_a_network_is_kept_with_members_and_links_once_it_changed() -> None:
    network = GenNetwork(id="n", agents=[Keeper(id="k")])
    shadow = Shadow(network, BORDER, same)
    before = from_json((shadow.change() or (True, b"{}"))[1])
    network.add(Keeper(id="l"))
    network.link("k", "news", "l")
    shadow.roll = Roll.of(network)
    after = from_json((shadow.change() or (True, b"{}"))[1])

    assert "agents" not in before
    assert set(after["set"]["agents"]) == {"k", "l"}
    assert after["set"]["links"] == [["k", "news", "l"]]
