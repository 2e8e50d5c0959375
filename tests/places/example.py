"""What is said in each run of an example: here, then with its agents in a worker process; a line of JSON each."""

from __future__ import annotations

import asyncio
import builtins
import json
import runpy
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

from llm_net import GenAgent, Message, Run
from llm_net.places import Processes
from llm_net.ports import Runtime
from tests.places.test_processes import Said

RUN = GenAgent.run
TYPED = {"human": ["tea", "huge", "large"]}


def told_by(example: Path, runtime: Runtime | None) -> list[Said]:
    """What is said in each run of an example."""
    runs: list[Said] = []
    typed = cycle(TYPED.get(example.stem, [""]))

    def run(agent: GenAgent, root: Message | None = None, **settings: Any) -> Run:
        runs.append(Said())
        observers = [*settings.pop("observers", ()), runs[-1]]
        return RUN(agent, root, **{**settings, "runtime": runtime, "observers": observers})

    GenAgent.run = run  # type: ignore[assignment,method-assign]
    builtins.input = lambda _="": next(typed)
    sys.argv = [str(example)]
    runpy.run_path(str(example), run_name="__main__")
    return runs


def main(example: Path) -> None:
    tell(told_by(example, None))
    runtime = Processes(workers=1, agents=["barista"] if example.stem == "human" else None)  # a worker has no console
    asyncio.run(runtime.__aenter__())
    try:
        far = told_by(example, runtime)
    finally:
        asyncio.run(runtime.__aexit__(None, None, None))
    tell(far)


def tell(runs: list[Said]) -> None:
    said = [sorted((pair, sorted(counts.items())) for pair, counts in one.counted().items()) for one in runs]
    print(json.dumps(said), file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
