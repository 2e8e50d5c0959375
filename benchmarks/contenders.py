"""Who takes part, and where each is written down. Imports none of them: one may be absent from an environment."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import cast

from benchmarks.workloads import Contender


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender.

    Attributes:
        about: what it is, in a few words.
        where: module and name of its table of set-ups; empty: it only takes part in W9.
        package: the distribution whose version is shown; empty for a floor.
        statement: what W9 runs in a new interpreter; empty: it takes no part in W9.
        peer: it lives in the peers' environment.
    """

    about: str
    where: str = ""
    package: str = ""
    statement: str = ""
    peer: bool = False

    def load(self) -> Contender:
        """Its table of set-ups. Raises ImportError where its package is absent."""
        if not self.where:
            return {}
        module, _, name = self.where.partition(":")
        return cast(Contender, getattr(import_module(module), name))

    def workloads(self) -> list[str]:
        """Keys of the workloads that it has. Raises ImportError where its package is absent."""
        return [*self.load(), *(["W9"] if self.statement else [])]


FLOOR = "raw_deque"
OURS = "ours"
OURS_VALIDATED = "ours_validated"
PYDANTIC = "pydantic"

CONTENDERS: dict[str, Entry] = {
    FLOOR: Entry("the floor: a task and a deque per agent, no message object", "benchmarks.raw_deque:RAW_DEQUE"),
    "raw_drain": Entry("for orientation: a deque per agent, no task", "benchmarks.raw_drain:RAW_DRAIN"),
    "raw_call": Entry(
        "for orientation: a method found by name and awaited, no mailbox", "benchmarks.raw_call:RAW_CALL"
    ),
    OURS: Entry("llm_net, replies made by the library", "benchmarks.ours:LIBRARY", "llm-net", "import llm_net"),
    OURS_VALIDATED: Entry(
        "llm_net, each message made by the user and validated", "benchmarks.ours:VALIDATED", "llm-net"
    ),
    "xoscar": Entry(
        "actors in one pool, local references", "benchmarks.xoscar_actors:XOSCAR", "xoscar", "import xoscar", peer=True
    ),
    "pykka": Entry("actors, a thread each", "benchmarks.pykka_actors:PYKKA", "pykka", "import pykka", peer=True),
    "mango": Entry(
        "agents in one container", "benchmarks.mango_agents:MANGO", "mango-agents", "import mango", peer=True
    ),
    "autogen": Entry(
        "agents in a SingleThreadedAgentRuntime",
        "benchmarks.autogen_agents:AUTOGEN",
        "autogen-core",
        "import autogen_core",
        peer=True,
    ),
    PYDANTIC: Entry(
        "no agents: bare models with an agent's fields",
        "benchmarks.bare:PYDANTIC",
        "pydantic",
        "from pydantic import BaseModel",
    ),
    "pydantic_model": Entry(
        "pydantic with one model defined",
        package="pydantic",
        statement="from pydantic import BaseModel\nclass Model(BaseModel):\n    number: int = 0",
    ),
}
