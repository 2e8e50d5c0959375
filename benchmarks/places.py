"""What a border between processes costs: ours beside floors that move bare bytes, and beside the peers, in one run.

python -m benchmarks.places                                    two minutes
python -m benchmarks.places --factor 0.1                       a first look
python -m benchmarks.places --peer-python ~/peers/bin/python   the peers from environments of their own: more than one may be given
python -m benchmarks.places --profile ours                     where the time goes at home
python -m benchmarks.places --write                            into benchmarks/README.md
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.far import CONTENDERS, LARGE, MANY, ROOT, ROUNDS, Amounts, Figures, cores, encoded
from benchmarks.far_peers import PEERS

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- places -->", "<!-- end of places -->"

LIBRARIES = {"ours_ray": "ray", **{name: name for name in PEERS}}
"""What contenders need that may be somewhere else."""

ORDER = ["unix_socket", "pipe", "ours", "xoscar", "mango", "ray", "ours_ray", "raw_nats", "ours_nats"]

AIMS: list[tuple[str, Callable[[dict[str, Figures]], float], float]] = [
    ("100 bytes one way: ours ÷ Unix socket, at least", lambda of: of["ours"].one / of["unix_socket"].one, 0.5),
    ("round trip p50: Unix socket ÷ ours, at least", lambda of: of["unix_socket"].p50 / of["ours"].p50, 0.5),
    ("100 kB one way: ours ÷ pipe, at least", lambda of: of["ours"].large / of["pipe"].large, 0.5),
    ("100 bytes one way: ours ÷ mango, at least", lambda of: of["ours"].one / of["mango"].one, 4.0),
    ("100 bytes one way: ours ÷ Ray actors, at least", lambda of: of["ours"].one / of["ray"].one, 30.0),
    (
        "100 bytes one way: ours over NATS ÷ raw NATS, at least",
        lambda of: of["ours_nats"].one / of["raw_nats"].one,
        0.5,
    ),
]


def run_in(python: str, words: list[str]) -> Figures | str:
    """The figures that another interpreter finds, or why it finds none."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            [python, *words], check=False, capture_output=True, text=True, timeout=180, env=environment, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        return "not done after 180 s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def has(python: str, library: str) -> bool:
    program = f"import importlib.util as u, sys; sys.exit(u.find_spec('{library}') is None)"
    return not subprocess.run([python, "-c", program], check=False, cwd="/").returncode


def measure(names: list[str], pythons: list[str], factor: float) -> tuple[dict[str, Figures], dict[str, str]]:
    """Each contender in a process of its own, one after the other."""
    found: dict[str, Figures] = {}
    missing: dict[str, str] = {}
    for name in names:
        library = LIBRARIES.get(name)
        python = next((one for one in pythons if library is None or has(one, library)), None)
        if python is None:
            missing[name] = f"{library} is not installed"
            continue
        module = "benchmarks.far_peers" if name in PEERS else "benchmarks.places"
        words = [name, str(factor)] if name in PEERS else ["--one", name, "--factor", str(factor)]
        said = run_in(python, ["-m", module, *words])
        if isinstance(said, str):
            missing[name] = said
        else:
            found[name] = said
        print(f"{name}: {missing.get(name, 'done')}", file=sys.stderr, flush=True)
    return found, missing


def table(found: dict[str, Figures], missing: dict[str, str]) -> Iterator[str]:
    yield f"| | 100 bytes to one | to {MANY} in turn | round trip p50 · p99 | 100 kB to one | round trip p50 · p99 |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name in ORDER:
        if name in missing:
            yield f"| {name} | {missing[name]} | | | | |"
        elif name in found:
            one = found[name]
            yield (
                f"| {name} | {one.one:,.0f}/s | {one.many:,.0f}/s | {1e6 * one.p50:,.0f} · {1e6 * one.p99:,.0f} µs "
                f"| {one.large * LARGE / 1e6:,.0f} MB/s | {1e6 * one.large_p50:,.0f} · {1e6 * one.large_p99:,.0f} µs |"
            )


def aims(found: dict[str, Figures], speedup: float | None) -> Iterator[str]:
    yield ""
    yield "| Aim | | measured | reached |"
    yield "|---|---:|---:|---:|"
    for words, of, aim in AIMS:
        try:
            value = of(found)
        except KeyError:
            continue
        yield f"| {words} | {aim:g} | {value:.3g} | {'yes' if value >= aim else '**no**'} |"
    if speedup is not None:
        reached = "yes" if speedup >= 1.8 else "**no**"
        yield f"| agents who only compute: 1 worker ÷ 2 workers, at least | 1.8 | {speedup:.3g} | {reached} |"


def profile(name: str, factor: float) -> None:
    """Where the time goes in this process."""
    profiler = cProfile.Profile()
    profiler.runcall(CONTENDERS[name], Amounts().times(factor))
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ORDER, default=ORDER, metavar="CONTENDER", help=", ".join(ORDER))
    parser.add_argument("--factor", type=float, default=1.0, help="of the number of messages (1)")
    parser.add_argument("--peer-python", nargs="+", default=[], metavar="PATH", help="interpreters that have peers")
    parser.add_argument("--profile", choices=CONTENDERS, help="profile one contender of ours")
    parser.add_argument("--one", choices=CONTENDERS, help="one contender, as JSON")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(asdict(CONTENDERS[asked.one](Amounts().times(asked.factor)))))
        return
    if asked.profile:
        profile(asked.profile, asked.factor)
        return
    before = os.getloadavg()[0]
    found, missing = measure(asked.only, [sys.executable, *asked.peer_python], asked.factor)
    speedup = None
    if "ours" in asked.only:
        seconds = [(cores(1), cores(2)) for _ in range(ROUNDS)]
        speedup = min(one for one, _ in seconds) / min(two for _, two in seconds)
    lines = [*table(found, missing), *aims(found, speedup), ""]
    lines += [
        f"Load of the machine before and after, of {os.cpu_count()} cores: {before:.1f}, {os.getloadavg()[0]:.1f}.",
        "",
    ]
    lines.append(f"A message of 100 bytes is {len(encoded(100))} bytes on our wire.")
    tables = "\n".join(lines)
    if asked.write:
        head, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{head}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")
    print(tables)


if __name__ == "__main__":
    main()
