"""What rules cost: a monitor alone, in a run, and a contract net that is held to them beside peers that hold to none.

python -m benchmarks.protocols                  two minutes
python -m benchmarks.protocols --write          and into benchmarks/README.md
python -m benchmarks.protocols --profile        where the time of a monitor goes

The peers are those of `python -m benchmarks`, in their environment.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import os
import platform
import pstats
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import process_time
from typing import ClassVar

from benchmarks.calibration import calibrate
from benchmarks.contenders import CONTENDERS, Entry
from benchmarks.measure import Slice, repeat
from benchmarks.workloads import BODY, CONTRACTORS, WORKLOADS, Contender, Go, price
from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.address import Reference
from llm_net.protocols.acts import AcceptProposal, Cfp, Inform, Propose, RejectProposal
from llm_net.protocols.fipa.contract_net import CONTRACT_NET
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.monitor import Monitor
from llm_net.protocols.rules import Rules

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- protocols -->", "<!-- end of protocols -->"
LIMITS = Limits(messages=None, depth=10_000_000, seconds=3_600)


class Bid(Propose):
    """Propose to do it, for a price."""

    method: str = "propose"
    price: int


class Begin(Message):
    """Play so many rounds."""

    n: int


RULES = CONTRACT_NET.saying(Bid)


class Watched(InteractionProtocol):
    """A network that is held to the rules."""

    rules: ClassVar[tuple[Rules, ...]] = (RULES,)


@asynccontextmanager
async def contract_net(network: type[GenNetwork], *, rejects: bool = False) -> AsyncIterator[Go]:
    """W7 in messages of the protocol; with `rejects`, whoever does not get it is told, as FIPA wants it."""
    calls = [0] * CONTRACTORS
    proposals = informs = paid = 0
    done = asyncio.Event()

    class Contractor(GenAgent):
        number: int

        async def acfp(self, message: Cfp) -> Message:
            amount = price(self.number, calls[self.number])
            calls[self.number] += 1
            return Bid.reply(message, price=amount)

        async def aaccept_proposal(self, message: AcceptProposal) -> Message:
            return Inform.reply(message, body="done")

        async def areject_proposal(self, message: RejectProposal) -> None:
            """Another one does it."""

    class Manager(GenAgent):
        async def abegin(self, message: Begin) -> None:
            nonlocal proposals, informs, paid
            for _ in range(message.n):
                task = Message()  # what the conversations of one round are about
                bids = await self.gather([Cfp.reply(task, body=BODY, receiver=one) for one in contractors])
                best = min(bids, key=_price)
                proposals += len(bids)
                paid += _price(best)
                informs += isinstance(await self.call(AcceptProposal.reply(best)), Inform)
                if rejects:
                    for bid in bids:
                        if bid is not best:
                            await self.send(RejectProposal.reply(bid))
            done.set()

    manager = Manager(id="manager")
    contractors = [Contractor(id=f"contractor{i}", number=i) for i in range(CONTRACTORS)]
    async with network(agents=[manager, *contractors]).run(limits=LIMITS) as run:
        ended = asyncio.create_task(run.wait())
        ended.add_done_callback(lambda _: done.set())

        async def go(n: int) -> object:
            nonlocal proposals, informs, paid
            proposals = informs = paid = 0
            done.clear()
            await run.send(Begin(n=n, receiver=manager))
            await done.wait()
            if ended.done():
                ended.result()  # raises what ended the run
            return {"proposals": proposals, "informs": informs, "paid": paid}

        yield go


def _price(bid: Message) -> int:
    assert isinstance(bid, Bid)
    return bid.price


WATCHED: Contender = {"W7": partial(contract_net, Watched)}
UNWATCHED: Contender = {"W7": partial(contract_net, GenNetwork)}
WHOLE: Contender = {"W7": partial(contract_net, Watched, rejects=True)}
WHOLE_UNWATCHED: Contender = {"W7": partial(contract_net, GenNetwork, rejects=True)}

ENTRIES: dict[str, Entry] = {
    "ours, rules watched": Entry("", "benchmarks.protocols:WATCHED"),
    "ours, no rules": Entry("", "benchmarks.protocols:UNWATCHED"),
    "ours, rules watched, all rejected": Entry("", "benchmarks.protocols:WHOLE"),
    "ours, no rules, all rejected": Entry("", "benchmarks.protocols:WHOLE_UNWATCHED"),
    "autogen-core": CONTENDERS["autogen"],
    "mango": CONTENDERS["mango"],
}


# ---------------------------------------------------------------------------------------------- a monitor alone


def stream(rounds: int) -> list[Message]:
    """The messages of so many rounds, in the order in which they are sent."""
    manager = Reference("manager")
    contractors = [Reference(f"contractor{number}") for number in range(CONTRACTORS)]
    told: list[Message] = []
    for _ in range(rounds):
        task = Message(sender=Reference("you"), receiver=manager)
        cfps = [Cfp(sender=manager, receiver=one, reply_to=task) for one in contractors]
        bids = [Bid(sender=cfp.receiver, receiver=manager, reply_to=cfp, price=1) for cfp in cfps]
        accept = AcceptProposal(sender=manager, receiver=bids[0].sender, reply_to=bids[0])
        inform = Inform(sender=accept.receiver, receiver=manager, reply_to=accept)
        rejects = [RejectProposal(sender=manager, receiver=bid.sender, reply_to=bid) for bid in bids[1:]]
        told += [*cfps, *bids, accept, inform, *rejects]
    return told


def admit(rounds: int = 60) -> tuple[float, float]:
    """CPU seconds of one message in a monitor, and of a calibration loop around it."""
    messages, monitor = stream(rounds), Monitor((RULES,))
    gc.collect()
    gc.freeze()
    before = calibrate()
    began = process_time()
    for message in messages:
        monitor.admit(message)
    cpu = process_time() - began
    loop = (before + calibrate()) / 2
    assert monitor.sessions == ()
    return cpu / len(messages), loop


# ---------------------------------------------------------------------------------------------- the sitting


def child(name: str, seconds: float) -> None:
    """One contender, in this process."""
    slices, _ = asyncio.run(repeat(ENTRIES[name], WORKLOADS["W7"], seconds))
    print(json.dumps([asdict(each) for each in slices]))


def ask(python: str, name: str, seconds: float) -> list[Slice]:
    """One contender, in a process of its own; none where its package is absent."""
    command = [python, "-m", "benchmarks.protocols", "--child", name, "--seconds", str(seconds)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        print(f"no {name}: {ended.stderr.strip().rpartition(chr(10))[2]}", file=sys.stderr)
        return []
    return [Slice(**each) for each in json.loads(ended.stdout)]


def sitting(python: str, rounds: int, seconds: float) -> str:
    """All of it, contenders interleaved: the best round of each, since what else runs only ever takes."""
    alone: list[tuple[float, float]] = []
    found: dict[str, list[list[Slice]]] = {name: [] for name in ENTRIES}
    for _ in range(rounds):
        alone.append(admit())
        for name, laps in found.items():
            if slices := ask(python, name, seconds):
                laps.append(slices)
    loops = [loop for _, loop in alone]
    loops += [each.loop for laps in found.values() for slices in laps for each in slices]
    unit = min(loops)
    cost = {
        name: min(statistics.median(each.cpu / each.n / each.loop for each in slices) for slices in laps) * unit
        for name, laps in found.items()
        if laps
    }
    check = min(cpu / loop for cpu, loop in alone) * unit
    return "\n".join(_table(cost, check))


def _table(cost: dict[str, float], check: float) -> list[str]:
    when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, CPython {platform.python_version()}"
    lines = [
        f"{when}, load {os.getloadavg()[0]:.1f}.",
        "",
        f"| a contract net of 1 manager and {CONTRACTORS} contractors | rounds/s | CPU µs a round | × autogen-core |",
        "|---|---:|---:|---:|",
    ]
    peer = cost.get("autogen-core")
    for name, seconds in cost.items():
        times = "–" if peer is None else f"{peer / seconds:.1f}"
        lines.append(f"| {name} | {1 / seconds:,.0f} | {1e6 * seconds:,.0f} | {times} |")
    few, many = 2 * CONTRACTORS + 2, 3 * CONTRACTORS + 1
    in_runs = (cost["ours, rules watched"] - cost["ours, no rules"]) / few
    in_whole = (cost["ours, rules watched, all rejected"] - cost["ours, no rules, all rejected"]) / many
    lines += [
        "",
        "| the check of one message | CPU µs |",
        "|---|---:|",
        f"| `Monitor.admit`, alone | {1e6 * check:.2f} |",
        f"| in a run: watched less unwatched, each of {few} messages | {1e6 * in_runs:.2f} |",
        f"| in a run in which all are rejected, each of {many} | {1e6 * in_whole:.2f} |",
        "",
        "| Aim | measured | reached |",
        "|---|---:|---:|",
        _aim("the check of a message takes at most 3 µs", f"{1e6 * check:.2f} µs", check <= 3e-6),
    ]
    if peer is not None:
        ahead = peer / cost["ours, rules watched"]
        lines.append(_aim("rules watched: at least 20 × autogen-core", f"{ahead:.1f} ×", ahead >= 20))
    return lines


def _aim(text: str, measured: str, met: bool) -> str:
    return f"| {text} | {measured} | {'yes' if met else '**no**'} |"


def profiled(work: Callable[[], object]) -> None:
    """Say where the time goes."""
    with cProfile.Profile() as profile:
        work()
    pstats.Stats(profile).sort_stats("tottime").print_stats(15)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.protocols", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of the sitting (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one contender in one round (1)")
    parser.add_argument("--peer-python", default=sys.executable, help="where the peers are installed (this one)")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--profile", action="store_true", help="say where the time of a monitor goes")
    parser.add_argument("--child", choices=ENTRIES, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if asked.child is not None:
        child(asked.child, asked.seconds)
    elif asked.profile:
        profiled(admit)
    else:
        tables = sitting(asked.peer_python, asked.rounds, asked.seconds)
        print(tables)
        if asked.write:
            before, _, rest = README.read_text().partition(BEGIN)
            README.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
