"""The workloads: what one operation is, and what must have come of n of them. Knows of no contender and no clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

LISTENERS = 1_000
RING = 1_000
CONTRACTORS = 100
WORKERS = 1_000
WAITS = 5
WAIT = 0.05
BODY = "x" * 100

Go = Callable[[int], Awaitable[object]]
"""Does n operations and returns the proof that they were done, which is `Workload.proof(n)` in an honest contender."""

Setup = Callable[[], AbstractAsyncContextManager[Go]]
"""Makes the agents, yields `go`, takes them down. Only what `go` does is measured; it is called several times."""

Contender = dict[str, Setup]
"""What one contender can do: a setup by the key of its workload."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of the results.

    Attributes:
        unit: what one operation is, in the plural.
        proof: what `go(n)` must return.
        step: n is a multiple of it.
        fixed: n is this, whatever the time it takes; None: as many as fill a repetition.
        most: n is at most this.
        seconds: a repetition takes about this long, whatever was asked for.
        slices: a repetition is cut into so many, each between two calibration loops.
        wall: what counts is the time on the wall, so all cores may be used.
    """

    key: str
    title: str
    unit: str
    proof: Callable[[int], object]
    step: int = 1
    fixed: int | None = None
    most: int | None = None
    seconds: float | None = None
    slices: int = 5
    wall: bool = False


def price(contractor: int, calls: int) -> int:
    """What a contractor asks when `calls` calls for proposals have reached him before: all prices of a round differ.

    The lowest is 100 as long as all have heard equally many calls; one that is lost raises the sum of the prices paid.
    """
    return 100 + (17 * contractor + calls) % CONTRACTORS


def _round_trips(n: int) -> object:
    return {"served": n, "answered": n}


WORKLOADS: dict[str, Workload] = {
    workload.key: workload
    for workload in (
        Workload("W1", "sequential request and reply between two agents", "round trips", _round_trips),
        Workload(
            "W2",
            "one-way messages with a body of 100 bytes, until the receiver has handled all",
            "messages",
            lambda n: {"received": n, "last": BODY},
            most=1_000_000,
        ),
        Workload(
            "W3",
            f"one emitter, {LISTENERS:,} listeners",
            "deliveries",
            lambda n: [n // LISTENERS] * LISTENERS,
            step=LISTENERS,
        ),
        Workload("W4", f"a token round a ring of {RING:,} agents", "hops", lambda n: [n // RING] * RING, step=RING),
        Workload("W5", "idle agents made, and kept", "agents", lambda n: n, most=100_000, seconds=1.5, slices=1),
        Workload(
            "W6",
            f"{WORKERS:,} agents, each answering {WAITS} messages in turn with a wait of {1000 * WAIT:.0f} ms",
            "waits",
            lambda n: [n // WORKERS] * WORKERS,
            fixed=WORKERS * WAITS,
            slices=1,
            wall=True,
        ),
        Workload(
            "W7",
            f"contract net with {CONTRACTORS} contractors: call to all, each proposes, lowest accepted, informs",
            "rounds",
            lambda n: {"proposals": n * CONTRACTORS, "informs": n, "paid": 100 * n},
        ),
        Workload("W9", "import", "imports", lambda n: n, fixed=1, slices=1),
        Workload(
            "R1",
            "a whole run: begun, one request handled and answered, ended",
            "runs",
            lambda n: {"handled": n, "replies": n},
        ),
        Workload("F0", "W1 with short threads, in a small flat network", "round trips", _round_trips),
        Workload("F1", "W1 at the end of a thread of 100,000 messages", "round trips", _round_trips),
        Workload("F2", "W1 with 100,000 agents in the directory", "round trips", _round_trips),
        Workload("F3", "W1 across 10 levels of nested networks", "round trips", _round_trips),
    )
}
