"""The stages on which the laws are played."""

import asyncio
import sys

import pytest

from llm_net.testing.stage import Stage


def eager() -> asyncio.AbstractEventLoop:
    """A loop whose tasks make their first step at once."""
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def debugging() -> asyncio.AbstractEventLoop:
    """A loop that looks for mistakes, and takes longer for everything."""
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    return loop


STAGES = [
    Stage("world, watched"),
    Stage("world", watched=False),
    Stage("asyncio", asyncio.new_event_loop, watched=False),
    Stage("asyncio, debugging", debugging),
]
if sys.version_info >= (3, 12):
    STAGES.append(Stage("asyncio, eager", eager))
try:
    import uvloop
except ImportError:
    pass  # it is faster, not needed
else:
    STAGES.append(Stage("uvloop", uvloop.new_event_loop))


@pytest.fixture(params=STAGES, ids=lambda stage: stage.name)
def stage(request: pytest.FixtureRequest) -> Stage:
    """Any event loop: for what takes no time."""
    chosen: Stage = request.param
    return chosen


@pytest.fixture(params=STAGES[:2], ids=lambda stage: stage.name)
def world(request: pytest.FixtureRequest) -> Stage:
    """A simulated one: for what waits, and would take long."""
    chosen: Stage = request.param
    return chosen
