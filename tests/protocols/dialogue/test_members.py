"""Whoever is silent, late, crashes or lies: no dialogue hangs, and what comes of it is what the protocol promises."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from llm_net import GenAgent
from llm_net.protocols.catalog import CATALOG
from tests.protocols.dialogue.members import WRONG, outcome, voice
from tests.protocols.dialogue.stages import STAGES
from tests.protocols.stage import Stage

stages = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.rules)


def test_every_dialogue_of_the_catalog_is_on_stage() -> None:
    assert [stage.rules for stage in STAGES] == [name for name, entry in CATALOG.items() if entry.family == "dialogue"]


@stages
@pytest.mark.parametrize("seed", range(2))
def test_members_who_keep_to_the_rules_come_to_an_end(stage: Stage, seed: int) -> None:
    network = stage.make([voice(f"m{index}", seed) for index in range(stage.members)])

    stage.check(network, outcome(network, stage.root(Random(seed)), seed=seed))


@stages
@pytest.mark.parametrize(
    ("kind", "place"), [*product(WRONG, range(4))][::3], ids=lambda each: getattr(each, "__name__", each)
)
def test_one_who_does_not_changes_nothing_for_the_others(stage: Stage, kind: type[GenAgent], place: int) -> None:
    members: list[GenAgent] = [voice(f"m{index}") for index in range(stage.members)]
    members[place] = kind(id=f"m{place}")
    network = stage.make(members)

    end = outcome(network, stage.root(Random(place)))

    stage.check(network, end)


@stages
def test_where_nobody_keeps_to_them_there_is_an_outcome_all_the_same(stage: Stage) -> None:
    network = stage.make([WRONG[index](id=f"m{index}") for index in range(stage.members)])

    stage.check(network, outcome(network, stage.root(Random(0))))
