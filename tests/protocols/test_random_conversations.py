"""Whoever takes part, and whatever they do: each protocol ends, with an outcome that keeps its promise, and nothing is left.

A thousand conversations are played; ten thousand by

    pytest tests/protocols/test_random_conversations.py --conversations 10000

A conversation that fails tells its seed, which plays it again:

    pytest tests/protocols/test_random_conversations.py --conversation fipa-contract-net:17
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from itertools import chain, count
from pathlib import Path
from random import Random

import pytest

from llm_net import GenAgent, Limits, Message, simulation
from llm_net.errors import BrokenRule
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.outcome import Outcome
from llm_net.testing.probe import Recorder
from tests.protocols.stage import Stage
from tests.protocols.strangers import HABITS, Stranger

HERE = Path(__file__).parent


def stages() -> dict[str, Stage]:
    """All of them, by the names of their rules; of several with the same rules the later ones are numbered."""
    found: dict[str, Stage] = {}
    for path in sorted(HERE.glob("*/stages.py")):
        for stage in import_module(f"tests.protocols.{path.parent.name}.stages").STAGES:
            names = chain([stage.rules], (f"{stage.rules}-{number}" for number in count(2)))
            found[next(name for name in names if name not in found)] = stage
    return found


STAGES = stages()

LIMITS = Limits(seconds=100_000)
"""Nobody waits in a world without real time."""


SHARE = 50
"""Conversations of one test: more of them take longer than a test may."""


class Told:
    """What came of one conversation, for the statistics of all."""

    def __init__(self) -> None:
        self.habits: Counter[str] = Counter()
        self.refused = 0
        self.messages = 0


def play(name: str, seed: int, told: Told) -> None:
    """Play it once, with members of a seed. Raises AssertionError where anything is not as promised."""
    stage, random = STAGES[name], Random(f"{name}:{seed}")
    met: list[Message] = []
    honest = random.random() < 0.2  # and nothing else
    members = [
        Stranger(id=f"m{number}", habit="honest" if honest else random.choice(HABITS), met=met)
        for number in range(stage.members)
    ]
    simulation.run(_play(stage, members, random, told), seed=seed)
    for member in members:
        told.habits.update(member.done)


async def _play(stage: Stage, members: list[Stranger], random: Random, told: Told) -> None:
    network: InteractionProtocol = stage.make(list[GenAgent](members))
    recorder = Recorder()
    run = network.run(stage.root(random), observers=[recorder], limits=LIMITS)
    async with run:
        pass
    assert run.status == "done", run.status
    assert isinstance(run.result, Outcome), f"it ended with {run.result}"
    assert run.result.reply_to is not None
    assert run.result.reply_to.reply_to is None, "the outcome answers something else than what began it"
    for member in members:
        if member not in network:
            network.add(member)  # who has left took part all the same
    stage.check(network, run.result)
    recorder.check(run.statistics())
    told.messages += run.statistics().sent
    told.refused += sum(isinstance(each.error, BrokenRule) and each.kind == "refused" for each in recorder.observations)
    for _ in range(3):  # what just ended has yet to be forgotten
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks are left: {left}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test plays some conversations of one protocol; all protocols are played alike."""
    if "seeds" not in metafunc.fixturenames:
        return
    config = metafunc.config
    if wanted := config.getoption("--conversation"):
        name, _, seed = wanted.partition(":")
        metafunc.parametrize(("name", "seeds"), [(name, [int(seed)])], ids=[wanted])
        return
    conversations = int(config.getoption("--conversations") or 0)
    each = -(-conversations // len(STAGES))
    shares = [(name, range(first, min(each, first + SHARE))) for name in STAGES for first in range(0, each, SHARE)]
    metafunc.parametrize(("name", "seeds"), shares, ids=[f"{name}:{seeds[0]}-{seeds[-1]}" for name, seeds in shares])


def test_each_conversation_ends_well_whoever_takes_part(
    name: str, seeds: Sequence[int], pytestconfig: pytest.Config
) -> None:
    told, failed = Told(), list[str]()
    for seed in seeds:
        try:
            play(name, seed, told)
        except Exception as error:
            if pytestconfig.getoption("--conversation"):
                raise
            reason = " ".join(str(error).split())[:200]
            failed.append(f"--conversation {name}:{seed}  # {type(error).__name__}: {reason}")
    print(f"{told.messages} messages, {told.refused} refused; {dict(told.habits)}")

    assert not failed, "\n".join([f"{len(failed)} conversations failed", *failed])


def test_all_habits_are_met_and_lies_are_refused() -> None:
    told = Told()
    for seed in range(20):
        play("fipa-contract-net", seed, told)

    assert set(told.habits) == set(HABITS) - {"mixed"}
    assert told.refused > 0
