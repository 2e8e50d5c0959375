"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.contenders import CONTENDERS, FLOOR, OURS, OURS_VALIDATED, PYDANTIC
from benchmarks.figures import Figures
from benchmarks.harness import Sitting, participants, sit
from benchmarks.report import aims, markdown
from benchmarks.workloads import WORKLOADS

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

HELP = """\
Measures llm_net through its public API beside what one would write by hand and beside its peers, all in one sitting.

Each contender does each workload in a process of its own; contenders are interleaved, round after round. What counts is
CPU time per operation, corrected by a loop of fixed work that runs before and after each slice: rates and ratios
hold on a busy machine, as long as it is equally busy for all. Each workload proves that its work was done.
"""

WHAT = "workloads:\n" + "\n".join(f"  {key}  {workload.title}" for key, workload in WORKLOADS.items())
WHO = "contenders:\n" + "\n".join(f"  {name:<15} {entry.about}" for name, entry in CONTENDERS.items())
EXAMPLES = """\
examples:
  python -m benchmarks --quick                           a first look: about two minutes
  python -m benchmarks --quick --only W1 --against       one workload, ours and the floor alone
  python -m benchmarks --only W1 W7 --against pykka      two workloads, beside one peer
  python -m benchmarks --peer-python ~/peers/bin/python  the peers from an environment of their own
  python -m benchmarks --write                           everything, and into benchmarks/README.md: about ten minutes
  python -m benchmarks --check                           exit with 1 where an aim is missed

peers: `pip install --group peers` (pip 25.1 or later) into an environment of their own, or into this one."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=HELP,
        epilog=f"{WHAT}\n\n{WHO}\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    others = [name for name in CONTENDERS if name not in (FLOOR, OURS, OURS_VALIDATED, PYDANTIC)]
    parser.add_argument(
        "--only", nargs="+", metavar="WORKLOAD", choices=WORKLOADS, default=list(WORKLOADS), help="these workloads"
    )
    parser.add_argument(
        "--against",
        nargs="*",
        metavar="CONTENDER",
        choices=others,
        default=others,
        help="these beside ours and the floor",
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the sitting (5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of one repetition (0.5)")
    parser.add_argument(
        "--quick", action="store_true", help="one round of short repetitions: a rough figure, no spread"
    )
    parser.add_argument(
        "--peer-python", default=sys.executable, metavar="PATH", help="the interpreter that has the peers (this one)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument(
        "--read", type=Path, metavar="FILE", help="measure nothing: take the samples of an earlier --json"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--check", action="store_true", help="exit with 1 where an aim is missed or a contender fails")
    asked = parser.parse_args()

    if asked.read:
        sitting = Sitting.from_json(asked.read.read_text())
    else:
        names = [name for name in CONTENDERS if name not in others or name in asked.against]
        rows = participants(names, asked.peer_python, _say)
        rounds, seconds = (1, 0.1) if asked.quick else (asked.rounds, asked.seconds)
        sitting = sit(rows, asked.only, rounds=rounds, seconds=seconds, peer_python=asked.peer_python, say=_say)
    if asked.json:
        asked.json.write_text(sitting.to_json())
    tables = markdown(sitting)
    if asked.write:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{rest.partition(END)[2]}")
    print(tables)
    missed = [aim for aim in aims(Figures(sitting)) if aim.met is False]
    return 1 if asked.check and (missed or sitting.failures) else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
