"""The check of the port Carrier: right carriers pass, each broken promise is found and named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

import pytest

from llm_net import simulation
from llm_net.carriers import SimulatedCarrier, Weather
from llm_net.errors import CarrierFailed
from llm_net.ports import Lease
from llm_net.testing import check_carrier


class Forgetful(SimulatedCarrier):
    """Lets two have one name."""

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        if node in self._weather._carriers and node.isidentifier():
            self._weather.leave(self._weather._carriers[node])
        await super().join(node, hear, about=about)


class Lenient(SimulatedCarrier):
    """Takes any name."""

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        await super().join(node.replace(".", "_"), hear, about=about)


class Textual(SimulatedCarrier):
    """Carries text."""

    async def send(self, node: str, data: bytes) -> None:
        await super().send(node, data.decode(errors="ignore").encode())


class Cutting(SimulatedCarrier):
    """Takes less than it says."""

    async def send(self, node: str, data: bytes) -> None:
        await super().send(node, data[:1_000])


class Anonymous(SimulatedCarrier):
    """Says of all that it was the first node."""

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        await super().join(node, lambda sender, data: hear("anna", data), about=about)


class Loud(SimulatedCarrier):
    """Tells everybody."""

    async def send(self, node: str, data: bytes) -> None:
        for each in list(self._weather._carriers):
            await super().send(each, data)


class Choking(SimulatedCarrier):
    """Loses nearly all when there is much."""

    count = 0

    async def send(self, node: str, data: bytes) -> None:
        Choking.count += 1
        if Choking.count % 7 == 0 or len(data) > 100:
            await super().send(node, data)


class Strict(SimulatedCarrier):
    """Minds that nobody is there."""

    async def send(self, node: str, data: bytes) -> None:
        if node not in self._weather._carriers:
            raise CarrierFailed("here", "nobody there")
        await super().send(node, data)


class Blind(SimulatedCarrier):
    """Sees who is there once."""

    async def watch(self) -> AsyncIterator[Mapping[str, bytes]]:
        async for there in super().watch():
            yield dict.fromkeys(there, b"")


class Greedy(SimulatedCarrier):
    """Gives a lease to whoever asks."""

    async def lease(self, name: str, *, seconds: float) -> Lease:
        return replace(await super().lease(name, seconds=seconds), holder=self.node)


class Timeless(SimulatedCarrier):
    """Does not count epochs."""

    async def lease(self, name: str, *, seconds: float) -> Lease:
        return replace(await super().lease(name, seconds=seconds), epoch=1)


class Eternal(SimulatedCarrier):
    """Lets no lease run out."""

    async def lease(self, name: str, *, seconds: float) -> Lease:
        lease = await super().lease(name, seconds=seconds and 1_000)
        return replace(lease, until=lease.until - 1_000 + seconds)


class Hasty(SimulatedCarrier):
    """Lets leases run out early."""

    async def lease(self, name: str, *, seconds: float) -> Lease:
        lease = await super().lease(name, seconds=seconds / 2)
        return replace(lease, until=lease.until + seconds / 2)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Lenient, "names: to join as 'a.b'"),
        (Forgetful, "names: to join under a name that somebody else has"),
        (Textual, "bytes: .* never arrived"),
        (Cutting, "bytes: .* never arrived"),
        (Anonymous, "senders: .* never arrived"),
        (Loud, "senders: 'anna' heard"),
        (Choking, "order: of 1,000 packets"),
        (Strict, "nobody there: the carrier raised CarrierFailed"),
        (Blind, "who is there: who is there alone"),
        (Greedy, "leases: a lease that somebody else has"),
        (Timeless, "leases: the epoch does not grow"),
        (Eternal, "leases run out: a lease still belongs"),
        (Hasty, "leases run out: a lease went to another before"),
    ],
)
def test_a_broken_promise_is_found_and_named(kind: type[SimulatedCarrier], named: str) -> None:
    async def main() -> None:
        weather = Weather()
        await check_carrier(lambda node: kind(weather), seconds=600)

    with pytest.raises(AssertionError, match=f"^{named}"):
        simulation.run(main())
