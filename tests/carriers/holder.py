"""A node in a process of its own, which can be stopped and killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

HOLDER = """
import asyncio, sys
from llm_net import carriers

async def main():
    carrier = getattr(carriers, sys.argv[1])(sys.argv[2])
    await carrier.join("anna", lambda sender, data: None)
    for line in sys.stdin:
        lease = await carrier.lease("run", seconds=1)
        print(lease.holder, lease.epoch, flush=True)

asyncio.run(main())
"""


class Holder:
    """A node in a process of its own, which renews a lease when it is asked to."""

    def __init__(self, kind: str, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, kind, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )

    async def ask(self) -> tuple[str, int] | None:
        """Who has the lease, as it says; None if it says nothing any more."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        line = await asyncio.to_thread(self.process.stdout.readline)
        return (line.split()[0].decode(), int(line.split()[1])) if line else None

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
