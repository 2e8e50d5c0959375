"""One sitting: every contender in every workload, round after round, each in a process of its own. Knows no figures.

Contenders are interleaved, so that an hour in which the machine is busy falls on all of them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.measure import Sample, Slice

ROOT = Path(__file__).resolve().parent.parent

WORKLOADS_OF = """
import json, sys
from benchmarks.contenders import CONTENDERS
print(json.dumps(CONTENDERS[sys.argv[1]].workloads()))
"""


@dataclass(frozen=True, slots=True)
class Sitting:
    """What was measured, when and where.

    Attributes:
        samples: each with the number of its round.
        failures: what went wrong in which contender and workload; those have no figure.
    """

    date: str
    revision: str
    machine: str
    seconds: float
    samples: list[tuple[int, Sample]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Sitting:
        read = json.loads(text)
        read["samples"] = [
            (round_, Sample(**{**sample, "slices": [Slice(**one) for one in sample["slices"]]}))
            for round_, sample in read["samples"]
        ]
        return cls(**read)


def participants(names: Sequence[str], peer_python: str, say: Callable[[str], None]) -> dict[str, list[str]]:
    """The contenders that can take part, each with the keys of the workloads it has; says who is left out, and why."""
    found: dict[str, list[str]] = {}
    for name in names:
        python = _python(name, peer_python)
        done = _child(python, ["-c", WORKLOADS_OF, name], timeout=120)
        if done.returncode == 0:
            found[name] = json.loads(done.stdout)
        else:
            say(f"{name} is left out: {python} cannot load it ({_last_line(done.stderr)})")
    return found


def sit(
    rows: dict[str, list[str]],
    workloads: Sequence[str],
    *,
    rounds: int,
    seconds: float,
    peer_python: str,
    say: Callable[[str], None],
) -> Sitting:
    """Measure.

    Args:
        rows: as `participants` gives them.
        workloads: keys of those to measure.
        seconds: about how long one repetition takes.
        say: told of each step.
    """
    sitting = Sitting(datetime.now(UTC).isoformat(timespec="minutes"), _revision(), _machine(), seconds)
    for round_ in range(rounds):
        for key in workloads:
            for name in (name for name, has in rows.items() if key in has):
                if (failed := f"{name} {key}") in sitting.failures:
                    continue
                arguments = ["-m", "benchmarks.measure", name, key, str(seconds)]
                try:
                    done = _child(_python(name, peer_python), arguments, timeout=120)
                except subprocess.TimeoutExpired:
                    sitting.failures[failed] = "did not end within 120 s"
                else:
                    if done.returncode == 0:
                        read = json.loads(done.stdout.splitlines()[-1])
                        sample = Sample(**{**read, "slices": [Slice(**one) for one in read["slices"]]})
                        sitting.samples.append((round_, sample))
                    else:
                        sitting.failures[failed] = _last_line(done.stderr)
                say(f"round {round_ + 1} of {rounds}, {key} {name}: {sitting.failures.get(failed, 'done')}")
    return sitting


def _python(name: str, peer_python: str) -> str:
    return peer_python if CONTENDERS[name].peer else sys.executable


def _child(python: str, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [python, *arguments], check=False, capture_output=True, text=True, timeout=timeout, env=environment, cwd=ROOT
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


def _revision() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], check=False, capture_output=True, text=True, cwd=ROOT).stdout.strip()

    changed = git("status", "--porcelain", "--", "llm_net", "benchmarks/*.py")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def _machine() -> str:
    model = platform.processor() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open() as cpuinfo:
            model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), model)
    except OSError:
        pass  # not Linux
    system = f"{platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {system}, {python}"
