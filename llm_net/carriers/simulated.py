"""Carriers in one process under bad weather: seeded loss, doubling, reordering, delay, partitions and sudden death.

Knows no clock but the event loop's: under `simulation.run` the same seed gives the same weather.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from random import Random
from typing import Final

from llm_net.carriers.presence import Presence, check_name
from llm_net.errors import CarrierFailed
from llm_net.ports import Lease

GONE_AFTER: Final = 3.0
"""Seconds of silence after which a node is not there any more."""

CROWD: Final = 1_000
"""Packets of one carrier that may be under way."""

HELD: Final = 10
"""A packet that is overtaken arrives up to so many times later than it would have."""

WHERE: Final = "a simulated carrier"


class Weather:
    """What happens to packets between the `SimulatedCarrier`s that share it.

    Args:
        seed: of all that is random here.
        lose: how many of the packets are lost, 0.0 to 1.0.
        double: how many arrive twice.
        reorder: how many are held up while others overtake them.
        delay: seconds that a packet takes.
        largest: bytes that a packet may have.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        lose: float = 0.0,
        double: float = 0.0,
        reorder: float = 0.0,
        delay: float = 0.0,
        largest: int = 64 * 1024,
    ) -> None:
        self.lose, self.double, self.reorder, self.delay = lose, double, reorder, delay
        self.largest = largest
        self._random = Random(seed)
        self._carriers: dict[str, SimulatedCarrier] = {}
        self._groups: list[frozenset[str]] = []
        self._apart_since: dict[tuple[str, str], float] = {}
        self._leases: dict[str, Lease] = {}
        self._arrivals: dict[tuple[str, str], float] = {}

    def part(self, *groups: Iterable[str]) -> None:
        """From now on nothing goes from one group to another, what is under way included.

        Leases are kept in the first: the others cannot ask for any. Nodes in no group reach all.
        """
        self._groups = [frozenset(group) for group in groups]
        self.changed()

    def heal(self) -> None:
        """From now on everybody reaches everybody."""
        self.part()

    # ------------------------------------------------------------------------------------------ what carriers need

    def enter(self, carrier: SimulatedCarrier) -> None:
        """Somebody joins."""
        before = self._carriers.get(carrier.node)
        if before is not None and (before.alive or self._silent(before) < GONE_AFTER):
            raise CarrierFailed(WHERE, f"somebody else is there as {carrier.node!r}; join under another name")
        self._carriers[carrier.node] = carrier
        self.changed()

    def leave(self, carrier: SimulatedCarrier) -> None:
        """Somebody goes, and says so."""
        if self._carriers.get(carrier.node) is carrier:
            del self._carriers[carrier.node]
            self.changed()

    def changed(self) -> None:
        """Who reaches whom is not what it was: tell those who watch, now and when it is sure."""
        self._tell()
        asyncio.get_running_loop().call_later(GONE_AFTER, self._tell)

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in self._carriers.values():
            there = {}
            for other in self._carriers.values():
                pair = one.node, other.node
                if other.alive and not self.apart(*pair):
                    self._apart_since.pop(pair, None)
                    there[other.node] = other.about
                elif now - self._apart_since.setdefault(pair, now) < GONE_AFTER:
                    there[other.node] = other.about
            one.presence.set(there)

    def _silent(self, carrier: SimulatedCarrier) -> float:
        now = asyncio.get_running_loop().time()
        return now - self._apart_since.get((carrier.node, carrier.node), now)

    def apart(self, one: str, other: str) -> bool:
        """Whether a partition is between two nodes."""
        places = [next((n for n, group in enumerate(self._groups) if node in group), -1) for node in (one, other)]
        return -1 not in places and places[0] != places[1]

    def bring(self, sender: SimulatedCarrier, node: str, data: bytes) -> None:
        """Bring a packet on its way, as often as it arrives; `sender.arrived` is called as often as it was under way."""
        chance = self._random.random
        for copy in range(2 if self.double and chance() < self.double else 1):
            if self.lose and chance() < self.lose:
                continue
            held = copy or (self.reorder and chance() < self.reorder)
            sender.under_way += 1
            self._send_off(sender, node, data, chance() * HELD * max(self.delay, 0.001) if held else 0.0)

    def _send_off(self, sender: SimulatedCarrier, node: str, data: bytes, held: float) -> None:
        loop = asyncio.get_running_loop()
        if not self.delay and not held:
            loop.call_soon(self._arrive, sender, node, data)
            return
        pair, at = (sender.node, node), loop.time() + self.delay
        if not held:
            # A clock may not tell two times apart that follow each other at once.
            at = self._arrivals[pair] = max(at, self._arrivals.get(pair, 0.0) + 1e-9)
        loop.call_at(at + held, self._arrive, sender, node, data)

    def _arrive(self, sender: SimulatedCarrier, node: str, data: bytes) -> None:
        sender.arrived()
        carrier = self._carriers.get(node)
        if carrier is not None and carrier.alive and not self.apart(sender.node, node):
            carrier.hear(sender.node, data)

    def lease(self, name: str, node: str, seconds: float) -> Lease:
        """See `ports.Carrier.lease`."""
        if any(node in group for group in self._groups[1:]):
            raise CarrierFailed(WHERE, "it cannot reach who keeps leases")
        now = asyncio.get_running_loop().time()
        before = self._leases.get(name, Lease(name, "", 0, now))
        runs = before.until > now
        if (runs and before.holder != node) or (not runs and seconds <= 0):
            return before
        lease = Lease(name, node, before.epoch if runs else before.epoch + 1, now + max(seconds, 0.0))
        self._leases[name] = lease
        return lease


class SimulatedCarrier:
    """A `Carrier` to the others that share its weather."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._waiting: list[Future[None]] = []
        self.node = ""
        self.about = b""
        self.alive = False
        self.under_way = 0
        self.presence = Presence()
        self.hear: Callable[[str, bytes], None] = lambda sender, data: None

    @property
    def largest(self) -> int:
        """Bytes that a packet may have."""
        return self._weather.largest

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        """See `ports.Carrier.join`."""
        check_name(WHERE, node, about)
        if self.node:
            raise CarrierFailed(WHERE, f"it was joined as {self.node!r} already; make another")
        self.node, self.about, self.hear = node, about, hear
        try:
            self._weather.enter(self)
        except CarrierFailed:
            self.node = ""
            raise
        self.alive = True
        self._weather.changed()

    async def send(self, node: str, data: bytes) -> None:
        """See `ports.Carrier.send`."""
        if len(data) > self.largest:
            raise ValueError(f"a packet of {len(data):,} bytes; this carrier takes {self.largest:,}")
        while self.alive and self.under_way >= CROWD:
            future: Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        if self.alive:
            self._weather.bring(self, node, data)

    def arrived(self) -> None:
        """One packet less is under way."""
        self.under_way -= 1
        if self._waiting and self.under_way < CROWD:
            self._wake()

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def watch(self) -> AsyncIterator[Mapping[str, bytes]]:
        """See `ports.Carrier.watch`."""
        return self.presence.watch()

    async def lease(self, name: str, *, seconds: float) -> Lease:
        """See `ports.Carrier.lease`."""
        if not self.alive:
            raise CarrierFailed(WHERE, "it is not joined")
        return self._weather.lease(name, self.node, seconds)

    def kill(self) -> None:
        """Be dead from now on, as a process is that was killed: nobody is told."""
        self.alive = False
        self._wake()
        self._weather.changed()

    async def aclose(self) -> None:
        """See `ports.Carrier.aclose`."""
        self.alive = False
        self._wake()
        self._weather.leave(self)
        self.presence.close()
