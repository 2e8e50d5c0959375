"""What all places have in common: a run in this event loop, with agents that live elsewhere. Knows no place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from llm_net.address import AbstractObject
from llm_net.limits import Limits
from llm_net.message import Message
from llm_net.ports import Clock, Journal, Observer, Past
from llm_net.runtime.home import Home, Share
from llm_net.runtime.local import LocalRuntime
from llm_net.runtime.run import LocalRun


class Elsewhere:
    """A runtime with agents on nodes.

    Args:
        shares: which of them live where, in one run. Raises PlaceError where they cannot.
        seed, clock: as for `LocalRuntime`.
    """

    def __init__(self, shares: Callable[[], Iterable[Share]], *, seed: int | None, clock: Clock | None) -> None:
        self._shares = shares
        self._local = LocalRuntime(seed=seed, clock=clock)

    def run(
        self,
        network: AbstractObject,
        root: Message | None,
        *,
        limits: Limits,
        observers: Sequence[Observer],
        journal: Journal | None = None,
        past: Past | None = None,
    ) -> LocalRun:
        """Prepare a run; nothing starts before it is entered. A replay does nothing elsewhere."""
        home = None if past is not None and past.replay else Home(*self._shares())
        return self._local.run(network, root, limits=limits, observers=observers, journal=journal, past=past, away=home)
