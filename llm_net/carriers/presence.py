"""What all carriers say alike: which names they take, and who is there. Knows no carrier."""

from __future__ import annotations

import asyncio
import re
from asyncio import Future
from collections.abc import AsyncIterator, Mapping
from typing import Final

from llm_net.errors import CarrierFailed

LARGEST_ABOUT: Final = 1_000


def check_name(where: str, node: str, about: bytes = b"") -> None:
    """Raise CarrierFailed for what cannot name a node, or is too long to be said about it."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", node):
        raise CarrierFailed(where, f'{node!r} cannot name a node; use up to 64 letters, digits, "-" and "_"')
    if len(about) > LARGEST_ABOUT:
        raise CarrierFailed(where, f"{len(about):,} bytes about {node!r} are too many; say it in {LARGEST_ABOUT:,}")


class Presence:
    """Who is there, as far as it was told, for any number of watchers; each hears of the latest state, not of each."""

    def __init__(self) -> None:
        self._there: dict[str, bytes] = {}
        self._over = False
        self._waiting: list[Future[None]] = []

    def set(self, there: Mapping[str, bytes]) -> None:
        """These are there."""
        if there != self._there:
            self._there = dict(there)
            self._wake()

    def close(self) -> None:
        """There is nobody more to come: who watches is done."""
        self._over = True
        self._wake()

    async def watch(self) -> AsyncIterator[Mapping[str, bytes]]:
        """See `ports.Carrier.watch`."""
        told: Mapping[str, bytes] | None = None
        while not self._over:
            if told != self._there:
                told = dict(self._there)
                yield told
                continue
            future: Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()
