"""Every example, recorded as it runs, is replayed to the same end without its model being asked."""

from __future__ import annotations

import asyncio
import builtins
import runpy
from copy import deepcopy
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from llm_net import GenAgent, GenNetwork, Message, Run
from llm_net.journal import MemoryJournal
from llm_net.llm.scripted import ScriptedModel
from tests.journal.crashes import check_order, check_record, facts_of

ROOT = Path(__file__).parents[2]
OTHERS = {"human_approval", "all_cores"}
"""Those with a journal of their own, and with agents in processes that import them by the name of a script."""

EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.py")) if path.stem not in OTHERS]
TYPED = {"human": ["tea", "huge", "large"]}

RUN = GenAgent.run


def agents_of(agent: GenAgent) -> list[GenAgent]:
    return [agent, *(inner for _, inner in agent.walk())] if isinstance(agent, GenNetwork) else [agent]


def fields_of(agent: GenAgent) -> dict[str, Any]:
    """Copies of what a run may change."""
    kept = type(agent).storable()
    return {
        name: deepcopy(value) for name, value in vars(agent).items() if name in kept and name not in ("agents", "links")
    }


class Recorded:
    """One run of an example."""

    def __init__(self, agent: GenAgent) -> None:
        self._agent = agent
        self._before = [(each, fields_of(each)) for each in agents_of(agent)]
        self.journal = MemoryJournal()

    async def replay(self) -> None:
        """From the state in which it began."""
        for each, fields in self._before:
            vars(each).update(fields)
        (run,) = await self.journal.runs()
        facts = await facts_of(self.journal, run.run)
        check_record(facts)
        check_order(facts, self._agent)
        assert (await self._agent.replay(self.journal, run.run)).sent == run.messages


def _nobody(*args: object) -> None:
    raise AssertionError("a model was asked while a record was replayed")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_what_it_does_is_recorded_and_replayed(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Recorded] = []
    typed = cycle(TYPED.get(example.stem, [""]))

    def run(agent: GenAgent, root: Message | None = None, **settings: Any) -> Run:
        runs.append(Recorded(agent))
        settings["journal"] = runs[-1].journal
        return RUN(agent, root, **settings)

    monkeypatch.setattr(GenAgent, "run", run)
    monkeypatch.setattr(builtins, "input", lambda _: next(typed))
    monkeypatch.setattr("sys.argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")

    assert runs
    monkeypatch.setattr(ScriptedModel, "stream", _nobody)
    for recorded in runs:
        asyncio.run(recorded.replay())
