"""Agents in this event loop: the default runtime, and the one to read first. Knows no wire and no other process.

A run (`run.py`) keeps the accounts; the engine of the event loop (`engine.py`) moves the messages, step by step as its first
lines tell; `place.py` finds the ways, `cell.py` holds the mailboxes, `step.py` makes most of it free of task switches.
"""

from __future__ import annotations

import os
from asyncio import _get_running_loop
from collections.abc import Sequence
from datetime import UTC, datetime

from llm_net.address import AbstractObject
from llm_net.base import GenAgent
from llm_net.limits import Limits
from llm_net.message import Message, unique_id
from llm_net.ports import Clock, Journal, Observer, Past, World
from llm_net.runtime.engine import Engine
from llm_net.runtime.run import Away, LocalRun


class LocalRuntime:
    """All agents in the event loop that enters the run.

    Args:
        seed: of `self.random` and, together with a clock, of all ids; None for a new one each run (see `run.seed`).
        clock: the time of day; None for the system's.

    In a simulated world seed, ids and times are the world's, unless they are given.
    """

    def __init__(self, *, seed: int | None = None, clock: Clock | None = None) -> None:
        self._seed = seed
        self._clock = clock

    def run(
        self,
        network: AbstractObject,
        root: Message | None,
        *,
        limits: Limits,
        observers: Sequence[Observer],
        journal: Journal | None = None,
        past: Past | None = None,
        away: Away | None = None,
    ) -> LocalRun:
        """Prepare a run of this network (a GenNetwork, or one agent); nothing starts before it is entered.

        Args:
            away: those of its agents that live on other nodes (see `home.py`).
        """
        if not isinstance(network, GenAgent):
            raise TypeError(f"only agents run, not {type(network).__name__}")
        loop = _get_running_loop()
        world = loop if isinstance(loop, World) else None
        seed, source, name = self._seed, None, None
        if seed is None and world is not None:
            seed, source = world.new_seed(), world
        if seed is not None:
            name = f"run-{seed:x}"
        else:
            seed = int.from_bytes(os.urandom(6), "big")
        if source is None and (name is not None or self._clock is not None):
            source = _OwnSource(f"{seed:x}", self._clock or world)
        if past is not None and past.at is None:
            name = past.run
        elif name is None or journal is not None:  # a journal may keep many runs of one seed
            name = unique_id()
        observing = tuple(observers)
        return LocalRun(network, root, limits, observing, name, seed, source, world, Engine.here, journal, past, away)


class _OwnSource:
    """Ids and times of a seeded run: the same again each time."""

    __slots__ = ("_clock", "_count", "_prefix")

    def __init__(self, prefix: str, clock: Clock | None) -> None:
        self._prefix = prefix
        self._clock = clock
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count:x}"

    def now(self) -> datetime:
        return datetime.now(UTC) if self._clock is None else self._clock.now()
