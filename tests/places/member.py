"""A node in a process of its own, until its standard input is closed: `python -m tests.places.member URL NAME MODULE`."""

from __future__ import annotations

import asyncio
import importlib
import sys

from llm_net.places.cluster import carrier_at, node


async def main(url: str, name: str) -> None:
    async with node(carrier_at(url), name, silent=5.0):
        print("here", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    importlib.import_module(sys.argv[3])
    asyncio.run(main(sys.argv[1], sys.argv[2]))
