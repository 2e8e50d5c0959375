"""Is this a `Carrier`? Every promise of the port as a check that can fail. Knows no adapter and no broker."""

from __future__ import annotations

import asyncio
import os
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Final, TypeAlias

from llm_net.carriers.links import Exchange
from llm_net.errors import CarrierFailed
from llm_net.message import unique_id
from llm_net.ports import Carrier, Lease, Link

Make: TypeAlias = Callable[[str], Carrier]

NODES: Final = ("anna", "bob-2", "Carl_3", "dora")
"""The names of the nodes that the check joins."""

PATIENCE: Final = 10.0
"""Seconds in which what is sent again and again has to arrive, and a change has to be seen."""


async def check_carrier(make: Make, *, seconds: float = 60.0) -> None:
    """Check that carriers keep the promises of the port `Carrier`. Takes some ten seconds, mostly of waiting for leases.

    Args:
        make: a carrier for the node of this name, over the same place each time; called for each of `NODES`, several times.
        seconds: the longest that one promise may take to check.

    Raises:
        AssertionError: a promise is broken; the sentence says which.
    """
    checks: dict[str, Callable[[Make], Awaitable[None]]] = {
        "names": _check_names,
        "bytes": _check_bytes,
        "senders": _check_senders,
        "order": _check_order,
        "nobody there": _check_nobody,
        "who is there": _check_watch,
        "leases": _check_leases,
        "leases run out": _check_running_out,
        "leases of many": _check_many,
        "leaving": _check_leaving,
        "a link": _check_link,
    }
    for name, check in checks.items():
        try:
            async with asyncio.timeout(seconds):
                await check(make)
        except TimeoutError:
            raise AssertionError(f"{name}: not done after {seconds:g} s") from None
        except Exception as error:
            kind = "" if isinstance(error, AssertionError) else f"the carrier raised {type(error).__name__}: "
            raise AssertionError(f"{name}: {kind}{error}") from error


class _Ear:
    """What one node hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._waiting: list[Future[None]] = []

    def __call__(self, sender: str, data: bytes) -> None:
        self.heard.append((sender, bytes(data)))
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def wait_for(self, something: tuple[str, bytes], seconds: float) -> bool:
        """Whether it is heard within that time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while something not in self.heard:
                    future: Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
        return something in self.heard


@asynccontextmanager
async def _joined(make: Make, *names: str, about: bytes = b"") -> AsyncIterator[list[tuple[Carrier, _Ear]]]:
    carriers = [make(name) for name in names]
    ears = [_Ear() for _ in names]
    try:
        for name, carrier, ear in zip(names, carriers, ears, strict=True):
            await carrier.join(name, ear, about=about)
        yield list(zip(carriers, ears, strict=True))
    finally:
        for carrier in carriers:
            await carrier.aclose()
            await carrier.aclose()


async def _arrives(carrier: Carrier, sender: str, receiver: str, ear: _Ear, data: bytes) -> None:
    """Send it until it is heard: a carrier may lose."""
    for _ in range(int(PATIENCE / 0.1)):
        await carrier.send(receiver, data)
        if await ear.wait_for((sender, data), 0.1):
            return
    what = f"{len(data):,} bytes" if len(data) > 40 else repr(data)
    raise AssertionError(f"{what} from {sender!r} to {receiver!r} never arrived, or not as they were sent")


async def _refused(work: Awaitable[object], why: str) -> None:
    try:
        await work
    except CarrierFailed:
        return
    raise AssertionError(f"{why} must raise CarrierFailed, and nothing was raised")


# ---------------------------------------------------------------------------------------------- bytes


async def _check_names(make: Make) -> None:
    anna, bob, *_ = NODES
    for name in ("", "a.b", "a b", "*", ">", "ä", "a/b", "a\n"):
        carrier = make(anna)
        await _refused(carrier.join(name, _Ear()), f"to join as {name!r}")
        await carrier.aclose()
    async with _joined(make, anna) as [(carrier, ear)]:
        await _refused(carrier.join(anna, ear), "to join twice with one carrier")
        other = make(anna)
        await _refused(other.join(anna, _Ear()), "to join under a name that somebody else has")
        await other.aclose()
        await _arrives(carrier, anna, anna, ear, b"still there after somebody else wanted the name")
    async with _joined(make, anna, bob) as [(carrier, _), (_, ear)]:
        await _arrives(carrier, anna, bob, ear, b"under a name that was given back")
    carrier = make(anna)
    await _refused(carrier.join(anna, _Ear(), about=bytes(1_001)), "to say 1,001 bytes about a node")
    await carrier.aclose()


async def _check_bytes(make: Make) -> None:
    anna, bob, *_ = NODES
    async with _joined(make, anna, bob) as [(carrier, _), (_, ear)]:
        assert carrier.largest >= 1_024, f"it takes {carrier.largest} bytes at a time, and 1,024 are the least"
        for data in (b"", b"\0", bytes(range(256)), b"\r\n+OK\r\n", "\ud800".encode(errors="surrogatepass")):
            await _arrives(carrier, anna, bob, ear, data)
        await _arrives(carrier, anna, bob, ear, os.urandom(carrier.largest))
        await _arrives(carrier, anna, bob, ear, bytes(carrier.largest))


async def _check_senders(make: Make) -> None:
    mark = unique_id()  # what was held up since an earlier check is no concern of this one
    async with _joined(make, *NODES) as nodes:
        for sender, (carrier, _) in zip(NODES, nodes, strict=True):
            for receiver, (_, ear) in zip(NODES, nodes, strict=True):
                await _arrives(carrier, sender, receiver, ear, f"{mark} {sender} to {receiver}".encode())
        for receiver, (_, ear) in zip(NODES, nodes, strict=True):
            for sender, data in ear.heard:
                fits = data == f"{mark} {sender} to {receiver}".encode() or not data.startswith(mark.encode())
                assert fits, f"{receiver!r} heard {data!r}, said to be of {sender!r}"


async def _check_order(make: Make) -> None:
    """Whatever is lost, doubled or overtaken: nothing is made up, and most of it arrives, mostly in order."""
    anna, bob, *_ = NODES
    mark = unique_id().encode()
    async with _joined(make, anna, bob) as [(carrier, _), (_, ear)]:
        await _arrives(carrier, anna, bob, ear, b"begin")
        sent = [b"%b %d" % (mark, n) for n in range(1_000)]
        for data in sent:
            await carrier.send(bob, data)
        await _arrives(carrier, anna, bob, ear, b"end")
        heard = [int(data.split()[1]) for sender, data in ear.heard if sender == anna and data.startswith(mark)]
        assert set(heard) <= set(range(1_000)), "something was heard that nobody sent"
        assert len(set(heard)) >= 250, f"of 1,000 packets {len(set(heard))} arrived"
        steps = sum(later > earlier for earlier, later in pairwise(heard))
        assert steps >= len(heard) / 2, "packets arrive in no order at all"


async def _check_nobody(make: Make) -> None:
    anna, bob, carl, _ = NODES
    async with _joined(make, anna, bob) as [(carrier, _), (_, ear)]:
        for _ in range(100):
            await carrier.send(carl, b"is anybody there?")
        await _arrives(carrier, anna, bob, ear, b"after packets to nobody")
        assert all(data != b"is anybody there?" for _, data in ear.heard), "who was not addressed heard it"


# ---------------------------------------------------------------------------------------------- who is there


async def _until(seen: AsyncIterator[Mapping[str, bytes]], wanted: Mapping[str, bytes], what: str) -> None:
    there: Mapping[str, bytes] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            async for found in seen:
                there = found
                if there == wanted:
                    return
    except TimeoutError:
        pass
    raise AssertionError(f"{what}: seen are {dict(there)!r}, and there are {dict(wanted)!r}")


async def _check_watch(make: Make) -> None:
    anna, bob, carl, _ = NODES
    about = bytes(range(256)) * 3
    async with _joined(make, anna, about=b"first") as [(carrier, _)]:
        seen = carrier.watch()
        await _until(seen, {anna: b"first"}, "who is there alone")
        async with _joined(make, bob, about=about) as [(later, _)]:
            await _until(seen, {anna: b"first", bob: about}, "who is there when another joined")
            await _until(later.watch(), {anna: b"first", bob: about}, "who is there, as the later sees it")
            async with _joined(make, carl):
                await _until(seen, {anna: b"first", bob: about, carl: b""}, "who is there of three")
        await _until(seen, {anna: b"first"}, "who is there when the others left")
        async with _joined(make, bob, about=b"again"):
            await _until(seen, {anna: b"first", bob: b"again"}, "who is there when one came back")
    try:
        async with asyncio.timeout(PATIENCE):
            async for _ in seen:
                pass
    except TimeoutError:
        raise AssertionError("`watch` goes on after its carrier has left") from None


# ---------------------------------------------------------------------------------------------- leases


def _holds(lease: Lease, name: str, holder: str, why: str) -> Lease:
    assert lease.name == name, f"{why}: the lease is named {lease.name!r}"
    assert lease.holder == holder, f"{why}: the holder is {lease.holder!r} and should be {holder!r}"
    return lease


async def _check_leases(make: Make) -> None:
    anna, bob, *_ = NODES
    name, other = f"check-{unique_id()}", f"check.{unique_id()}"
    early = make(anna)
    await _refused(early.lease(name, seconds=1), "to take a lease before one has joined")
    await early.aclose()
    async with _joined(make, anna, bob) as [(one, _), (two, _)]:
        clock = asyncio.get_running_loop().time
        before = clock()
        taken = _holds(await one.lease(name, seconds=30), name, anna, "a lease that was free")
        assert taken.epoch >= 1, f"the first epoch is {taken.epoch}"
        assert before + 29 < taken.until <= clock() + 30, "it does not run out after the time that it was asked for"
        assert taken.until <= before + 30 + 0.001, (
            "its time is counted from after it was asked for: it may be over earlier"
        )
        for _ in "12":
            found = _holds(await two.lease(name, seconds=30), name, anna, "a lease that somebody else has")
            assert found.epoch == taken.epoch, "asking for a lease that somebody else has changes its epoch"
        _holds(await two.lease(name, seconds=0), name, anna, "a lease that somebody else wanted to give back")
        renewed = _holds(await one.lease(name, seconds=60), name, anna, "a renewed lease")
        assert renewed.epoch == taken.epoch, "renewing a lease changes its epoch"
        assert renewed.until > taken.until, "a lease that was renewed for longer runs out no later"
        _holds(await two.lease(other, seconds=30), other, bob, "a lease of another name")
        await one.lease(name, seconds=0)
        moved = _holds(await two.lease(name, seconds=30), name, bob, "a lease that was given back")
        assert moved.epoch > taken.epoch, "the epoch does not grow when a lease is given back and taken by another"
        _holds(await one.lease(name, seconds=30), name, bob, "a lease that somebody else took meanwhile")
        await two.lease(name, seconds=0)
        again = _holds(await one.lease(name, seconds=30), name, anna, "a lease that came back")
        assert again.epoch > moved.epoch, "the epoch does not grow when a lease comes back"
        for carrier, each in ((one, name), (two, other)):
            await carrier.lease(each, seconds=0)
            await carrier.lease(each, seconds=0)


async def _check_running_out(make: Make) -> None:
    anna, bob, *_ = NODES
    names = [f"check-{unique_id()}" for _ in range(2)]
    async with _joined(make, anna, bob) as [(one, _), (two, _)]:
        clock = asyncio.get_running_loop().time
        taken = [_holds(await one.lease(name, seconds=1), name, anna, "a lease that was free") for name in names]
        for name, carrier, who in ((names[0], two, bob), (names[1], one, anna)):
            old = taken[names.index(name)]
            if carrier is one:  # who holds it waits until it has run out for all
                await asyncio.sleep(max(old.until - clock(), 0) + 2)
            while (lease := await carrier.lease(name, seconds=1)).holder != who:
                assert clock() < old.until + PATIENCE, (
                    f"a lease still belongs to its holder {PATIENCE:g} s after it ran out"
                )
                await asyncio.sleep(0.1)
            if carrier is two:
                assert clock() >= old.until - 0.05, "a lease went to another before it had run out"
            assert lease.epoch > old.epoch, f"the epoch does not grow when a lease that had run out goes to {who!r}"


async def _check_many(make: Make) -> None:
    name = f"check-{unique_id()}"
    async with _joined(make, *NODES) as nodes:
        epochs: list[int] = []
        for _ in range(3):
            leases = await asyncio.gather(*(carrier.lease(name, seconds=30) for carrier, _ in nodes))
            holders = {lease.holder for lease in leases}
            assert len(holders) == 1, f"of those who ask at the same time {sorted(holders)} hold one lease"
            assert len({lease.epoch for lease in leases}) == 1, "one lease has several epochs at a time"
            epochs.append(leases[0].epoch)
            await nodes[NODES.index(holders.pop())][0].lease(name, seconds=0)
        assert epochs[0] < epochs[1] < epochs[2], f"the epochs of one lease are {epochs}"


# ---------------------------------------------------------------------------------------------- the end


async def _check_leaving(make: Make) -> None:
    anna, bob, *_ = NODES
    async with _joined(make, anna, bob) as [(one, ear), (two, _)]:
        await _arrives(two, bob, anna, ear, b"before")
        await one.aclose()
        count = len(ear.heard)
        await one.send(bob, b"from one who has left")
        for _ in range(10):
            await two.send(anna, b"to one who has left")
        await asyncio.sleep(0.1)
        assert len(ear.heard) == count, "who has left still hears"
        await _refused(one.lease("check", seconds=1), "to take a lease after one has left")
    never = make(anna)
    await never.aclose()


async def _check_link(make: Make) -> None:
    """A link over it loses nothing and changes nothing."""
    anna, bob, *_ = NODES
    frames = [b"%d " % n * (n % 50) for n in range(3_000)]
    frames[1_500] = os.urandom(3 * make(anna).largest + 7)
    heard: list[bytes] = []
    over: Future[BaseException | None] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    def hear(frame: bytes) -> None:
        heard.append(frame)
        if len(heard) == len(frames):
            done.set()

    def broken(error: BaseException | None) -> None:
        over.set_result(error)
        done.set()

    def accept(link: Link) -> None:
        link.begin(link.send, lambda error: None)  # say it again

    async with Exchange(make(bob), bob, accept=accept), Exchange(make(anna), anna) as exchange:
        link = await exchange.open(bob)
        link.begin(hear, broken)
        for frame in frames:
            link.send(frame)
            await link.room()
        await done.wait()
        assert not over.done(), f"the link broke: {over.result()}"
        assert heard == frames, "what came back over a link is not what was sent"
        link.close()
        await over
