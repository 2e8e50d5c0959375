"""pydantic alone: what an agent's own fields and an import cost before any toolkit is there. Knows no agents.

W5 makes as many bare models as the others make agents, with the fields that `ours` gives its idle agents.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from pydantic import BaseModel, Field

from benchmarks.workloads import Contender, Go


class Fields(BaseModel):
    id: str = Field(default="", min_length=1, pattern="^[^/]+$")
    role: Literal["system", "user", "assistant"] = "assistant"
    description: str = ""
    drafts: int = 0


@asynccontextmanager
async def idle() -> AsyncIterator[Go]:
    made: list[Fields] = []

    async def go(n: int) -> object:
        before = len(made)
        made.extend(Fields(id=f"idle{before + number}") for number in range(n))
        return len(made) - before

    yield go


PYDANTIC: Contender = {"W5": idle}
