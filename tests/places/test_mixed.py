"""Several places in one run: each agent lives where its address says, and what is lost is replaced there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_net import GenNetwork, Message
from llm_net.errors import NotMovable, PlaceUnavailable, UnknownAddress
from llm_net.journal import MemoryJournal
from llm_net.places import Places, Processes
from llm_net.ports import Journal, Place
from tests.places.mill import mill
from tests.places.tellers import Asker, Teller, street
from tests.places.test_losses import BEGIN, check

ALL = "anna bert house/carl house/dora"


def where(network: GenNetwork, place: Mapping[str, Place | str], journal: Journal | None = None) -> dict[str, int]:
    """The processes in which agents lived."""

    async def main() -> None:
        root = Message(method="begin", body=ALL, receiver="asker")
        async with network.run(root, place=place, journal=journal) as run:
            pass
        assert run.status == "done"

    asyncio.run(main())
    asker = network["asker"]
    assert isinstance(asker, Asker)
    assert [teller.asked for _, teller in network.walk() if isinstance(teller, Teller)] == [1, 1, 1, 1, 0]
    return asker.found


def test_each_agent_lives_where_it_was_placed_and_the_others_here() -> None:
    found = where(street(), {"anna": "process", "bert": "process"})

    assert found["house/carl"] == found["house/dora"] == os.getpid()
    assert len({os.getpid(), found["anna"], found["bert"]}) == 3


def test_one_object_is_one_place() -> None:
    both = Processes(workers=1)

    found = where(street(), {"anna": both, "house/dora": both, "bert": Processes(workers=1)})

    assert found["anna"] == found["house/dora"] != found["bert"]
    assert found["house/carl"] == os.getpid()


def test_the_place_of_an_agent_counts_more_than_that_of_its_network() -> None:
    found = where(street(), {"house/carl": "process", "house": "process", "house/emil": "here"})

    assert len({os.getpid(), found["house/carl"], found["house/dora"]}) == 3


def test_what_is_lost_is_replaced_where_it_was(tmp_path: Path) -> None:
    died = tmp_path / "house"
    network = street(died)

    found = where(network, {"anna": "process", "house": Processes(workers=2), "house/emil": "here"}, MemoryJournal())

    assert Path(f"{died}.died").exists()
    assert len({os.getpid(), *found.values()}) == 4  # bert lives here


def test_a_run_across_places_is_the_same_run(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger), dies_over=7)

    async def main() -> None:
        journal = MemoryJournal()
        places = Places({"store": "process", "clerk": "process", "miller1": Processes(workers=1)}, seed=3)
        async with network.run(BEGIN, runtime=places, journal=journal) as run:
            pass
        assert run.status == "done"
        await mill(str(ledger), dies_over=7).replay(journal, run.id, runtime=places)

    asyncio.run(main())
    check(network, ledger)


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ({"house": "process"}, NotMovable, "'emil' cannot live in another process"),
        ({"nobody": "process"}, UnknownAddress, "nobody"),
        ({"anna": "moon"}, PlaceUnavailable, "no place is called 'moon'"),
    ],
)
def test_what_cannot_be_placed_is_said_before_the_first_message(
    place: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        where(street(), place)


def test_places_and_a_runtime_are_not_given_both() -> None:
    with pytest.raises(TypeError, match="not both"):
        street().run(runtime=Processes(workers=1), place={"anna": "process"})
