"""`llm-net node`: this process as a node of a cluster. Knows when it came and went, not what its agents do."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path

import click

from llm_net.carriers.links import Exchange
from llm_net.cli.app import debug
from llm_net.cli.places import at as at_option
from llm_net.cli.places import space as space_option
from llm_net.cli.places import without_secrets
from llm_net.cli.program import module_at
from llm_net.errors import CarrierFailed
from llm_net.places.cluster import Visit, carrier_at, node, user_in
from llm_net.ports import Carrier

EPILOG = """
\b
Examples:
  llm-net node team.py --at nats://127.0.0.1:4222
  llm-net node team.py --at nats://n1:SECRET@broker:4222     # as the user n1
  llm-net run team.py "Go" --runtime nats://127.0.0.1:4222   # lives there
  llm-net cluster status --at nats://127.0.0.1:4222          # who is there
"""


@click.command(epilog=EPILOG)
@click.argument("module", metavar="FILE.py", type=click.Path(), callback=module_at)
@at_option
@click.option(
    "--name", metavar="NAME", help="Of this node, and none other.  [default: the user in the URL, or HOST-PID]"
)
@space_option
@click.option(
    "--silent",
    type=click.FloatRange(0.5),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="A run whose home is silent for so long is given up.",
)
@debug
def command(module: Path, at: str, name: str | None, space: str, silent: float) -> None:
    """Run agents for the runs of others, until Ctrl-C or SIGTERM.

    Agents whose classes FILE.py defines or imports can live here. The process that enters a run is its home, and has them
    made here: whoever says `network.run(…, runtime=Cluster(URL))`, and `llm-net run FILE.py MESSAGE --runtime URL`. Home and
    nodes load the same files. When this node leaves, its agents move to others, with their state; when it is lost, what they
    were doing is done again elsewhere, if the run is recorded.
    """
    asyncio.run(
        _be_there(carrier_at(at, space=space), name or user_in(at) or _name(), module, without_secrets(at), silent)
    )


async def _be_there(carrier: Carrier, name: str, file: Path, where: str, silent: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def came(visit: Visit) -> None:
        _say(f"run {visit.run} came, from {visit.home}")

    def went(visit: Visit) -> None:
        _say(f"run {visit.run} is over here")

    about = {"file": file.name}
    async with node(carrier, name, silent=silent, about=about, came=came, went=went) as exchange:
        with suppress(NotImplementedError):  # Windows: there Ctrl-C cancels this
            for each in signals:
                loop.add_signal_handler(each, stop.set)
        _say(f"{name} joined {where} with {file.name}; Ctrl-C leaves")
        evicted = loop.create_task(_evicted(exchange, name))
        stopped = loop.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, evicted], return_when=asyncio.FIRST_COMPLETED)
            if evicted.done():
                evicted.result()
        finally:
            stopped.cancel()
            evicted.cancel()
            with suppress(NotImplementedError):  # as above
                for each in signals:
                    loop.remove_signal_handler(each)  # the second time it is meant
        _say(f"{name} leaves; its agents move to other nodes")
    _say(f"{name} left")


async def _evicted(exchange: Exchange, name: str) -> None:
    async for _ in exchange.carrier.watch():
        pass
    raise CarrierFailed(
        "the cluster",
        f"this process stood still for so long that somebody else has taken the name {name!r}; start again",
    )


def _name() -> str:
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:48] or "node"
    return f"{host}-{os.getpid()}"


def _say(line: str) -> None:
    print(line, flush=True)
