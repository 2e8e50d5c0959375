"""One contender, one workload, one process: the measurement itself, printed as one line of JSON. Knows of no table.

`python -m benchmarks.measure CONTENDER WORKLOAD SECONDS` is what the harness starts; it can be run by hand.

What is measured is the CPU time of the whole process, all threads, on one core (W6: on all), between two calibration
loops. The garbage collector is on, as it is for users; what the set-up and the warm-up left is collected and frozen
first, so that a repetition pays only for its own objects.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.calibration import calibrate
from benchmarks.contenders import CONTENDERS, Entry
from benchmarks.workloads import WORKLOADS, Go, Workload

IMPORT = """
from benchmarks.calibration import calibrate
from time import perf_counter, process_time
before = calibrate()
wall, cpu = perf_counter(), process_time()
{statement}
print(process_time() - cpu, perf_counter() - wall, (before + calibrate()) / 2)
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some operations in one go.

    Attributes:
        n: operations done.
        cpu: CPU seconds, all threads.
        wall: seconds.
        loop: CPU seconds of a calibration loop, the mean of the one before and the one after.
    """

    n: int
    cpu: float
    wall: float
    loop: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One repetition: slices of it, bytes by which the process grew, and the versions of the package and of Python."""

    contender: str
    workload: str
    slices: list[Slice]
    grown: int
    version: str
    python: str


class ProofFailed(Exception):
    """A contender did not do what it was timed for."""


def measure(contender: str, workload: Workload, seconds: float) -> Sample:
    """One repetition of about `seconds`, after a warm-up."""
    entry = CONTENDERS[contender]
    if workload.key == "W9":
        slices, grown = [_import(entry.statement)], 0
    else:
        slices, grown = asyncio.run(repeat(entry, workload, seconds))
    return Sample(contender, workload.key, slices, grown, _version(entry.package), platform.python_version())


async def repeat(entry: Entry, workload: Workload, seconds: float) -> tuple[list[Slice], int]:
    async with entry.load()[workload.key]() as go:
        n = await _size(go, workload, (workload.seconds or seconds) / workload.slices)
        gc.collect()
        gc.freeze()
        resident = _resident()
        slices = [await _slice(go, workload, n) for _ in range(workload.slices)]
        gc.collect()
        return slices, _resident() - resident


async def _slice(go: Go, workload: Workload, n: int) -> Slice:
    before = calibrate()
    wall, cpu = time.perf_counter(), time.process_time()
    result = await go(n)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    loop = (before + calibrate()) / 2
    _prove(workload, n, result)
    return Slice(n, cpu, wall, loop)


async def _size(go: Go, workload: Workload, seconds: float) -> int:
    """Warm up, and find how many operations take about `seconds`."""
    if workload.fixed is not None:
        _prove(workload, workload.fixed, await go(workload.fixed))
        return workload.fixed
    n = workload.step
    await go(n)  # the first time imports and caches are made
    while True:
        started = time.perf_counter()
        result = await go(n)
        took = time.perf_counter() - started
        _prove(workload, n, result)
        if took >= seconds / 10:
            break
        n *= 2 if took > seconds / 100 else 10
    n = max(1, round(n * seconds / took / workload.step)) * workload.step
    return min(n, workload.most or n)


def _prove(workload: Workload, n: int, result: object) -> None:
    proof = workload.proof(n)
    if result != proof:
        raise ProofFailed(f"{workload.key} of {n} {workload.unit} gave {result!r:.300}, and must give {proof!r:.300}")


def _import(statement: str) -> Slice:
    """Run a statement in a new interpreter: the second time, so that it is compiled."""
    output = ""
    for _ in range(2):
        command = [sys.executable, "-c", IMPORT.format(statement=statement)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu, wall, loop = map(float, output.split())
    return Slice(1, cpu, wall, loop)


def _resident() -> int:
    """Bytes of memory that this process holds. Linux only; 0 elsewhere."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _version(package: str) -> str:
    """The version installed; empty where there is none, as for a checkout that was never installed."""
    try:
        return metadata.version(package) if package else ""
    except metadata.PackageNotFoundError:
        return ""


if __name__ == "__main__":
    name, key, seconds = sys.argv[1:]
    if hasattr(os, "sched_setaffinity") and not WORKLOADS[key].wall:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps(asdict(measure(name, WORKLOADS[key], float(seconds)))))
