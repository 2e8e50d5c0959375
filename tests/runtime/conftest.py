"""The stages on which the laws are played."""

import asyncio

import pytest

from llm_net.testing.stage import Stage

STAGES = [
    Stage("world, watched"),
    Stage("world", watched=False),
    Stage("asyncio", asyncio.new_event_loop, watched=False),
]
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


def pytest_configure(config: pytest.Config) -> None:
    """On a machine that is busy with other things any step may take long."""
    config.addinivalue_line("filterwarnings", "default:.* held the event loop:RuntimeWarning")
