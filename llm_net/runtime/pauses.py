"""How long Python's collector held everything up. Knows nothing of who was at work meanwhile."""

from __future__ import annotations

import gc
from collections import deque
from time import perf_counter


class Pauses:
    """The latest collections of this process that took more than a millisecond; told by `gc.callbacks`."""

    def __init__(self) -> None:
        self._began = 0.0
        self._latest: deque[tuple[float, float]] = deque(maxlen=16)

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        elif (seconds := (now := perf_counter()) - self._began) > 0.001:
            self._latest.append((now, seconds))

    def since(self, time: float) -> float:
        """Seconds that collections took which ended after this time (of `perf_counter`)."""
        return sum(seconds for ended, seconds in self._latest if ended > time)


PAUSES = Pauses()
gc.callbacks.append(PAUSES)
