"""xoscar's actor of the measurements between processes, in a module that its pool's other process imports."""

# The peer may be absent, or have no types.
# pyright: basic, reportMissingImports=false
# mypy: disable-error-code="import-not-found,import-untyped,misc"

from __future__ import annotations

import xoscar


class Sink(xoscar.Actor):
    async def expect(self, n: int) -> None:
        self.waits = n

    async def note(self, body: str) -> None:
        self.waits -= 1

    async def left(self) -> int:
        return self.waits

    async def echo(self, body: str) -> str:
        return body
