"""Links over a carrier: what is lost is sent again, what comes twice or early is put right, who is silent is given up.

Knows packets and frames of bytes; neither what they say nor who carries them.

A link is a session between the one who opened it and the one who accepted it. Three packets begin one (OPEN with a number of
the opener's, WELCOME with one of the acceptor's added, then anything with both), so no packet that was held up can bring back
a session that is over. Frames travel in numbered packets, several in one or one in several. The receiver says which number it
waits for and which later ones it has; the sender keeps packets until then, a windowful at most, and sends them again when
there is a hole, or when nothing was said for longer than a round trip takes. Whoever speaks in a session that is over is told
so. Sources: RFC 9293 (three-way handshake), RFC 6298 (the time until a packet is sent again), RFC 2018 (saying what came early).
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, Task, TimerHandle
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random, SystemRandom
from struct import Struct
from types import TracebackType
from typing import Final, Self

from llm_net.errors import NodeLost
from llm_net.ports import LARGEST_FRAME, Carrier, Link

WINDOW_FRAMES: Final = 1_000
WINDOW_BYTES: Final = 8 * 1024 * 1024
"""What may be under way in a link, and wait to be sent before `room` waits."""

BATCH_FRAMES: Final = WINDOW_FRAMES // 4
BATCH_BYTES: Final = WINDOW_BYTES // 8
"""What a packet holds at most: so small that one can be read while the next is on its way."""

ACK_AFTER: Final = 0.005
"""Seconds that an acknowledgement waits for a packet that goes its way anyhow."""

FIRST_RESEND: Final = 0.2
SHORTEST_RESEND: Final = 0.03
LONGEST_RESEND: Final = 1.0
"""Seconds until a packet is sent again: before anything was measured, and at least and at most."""

BEATS: Final = 10
"""How often a link that has nothing to say is heard in the time after which silence means that it is broken."""

CANDIDATES: Final = 8
"""Sessions that one node may have begun to open and not confirmed."""

REMEMBERED: Final = 1_000
"""Sessions closed in good order whose last acknowledgement is kept, in case that it was lost."""

HEADER: Final = Struct(">BB8s8sQQQ")
"""Version; kind; the opener's number and the acceptor's; number of the packet; the number waited for; bits of what came early."""

LENGTH: Final = Struct(">I")
"""Before each frame; with MORE, it is a piece, and the next frame goes on with it."""

MORE: Final = 1 << 31
VERSION: Final = 1
OPEN, WELCOME, FRAMES, LAST, ACK, BREAK = range(1, 7)
FROM_OPENER: Final = 0x80
NOBODY: Final = bytes(8)
AGAIN: Final = "a new link was opened in place of this one"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an exchange has done: `frames` and `packets` sent and heard, packets sent again, and packets that were dropped
    because they came twice, were of a session that is over, or were none at all."""

    frames_sent: int = 0
    frames_heard: int = 0
    packets_sent: int = 0
    packets_heard: int = 0
    sent_again: int = 0
    doubled: int = 0
    stale: int = 0
    malformed: int = 0


class Exchange:
    """All links of one node.

    Args:
        carrier: not yet joined; it is left, and closed, with the exchange.
        node: the name of this node.
        accept: is given each link that another opens; begin it there. None: nobody can open one.
        about: what others see of this node in `carrier.watch()`.
        silent: seconds of silence after which a link is broken.
        random: of the numbers of sessions; give a seeded one in a simulated world.
    """

    def __init__(
        self,
        carrier: Carrier,
        node: str,
        *,
        accept: Callable[[Link], None] | None = None,
        about: bytes = b"",
        silent: float = 10.0,
        random: Random | None = None,
    ) -> None:
        self.carrier = carrier
        self.node = node
        self.silent = silent
        self.batch_bytes = 0
        self._accept = accept
        self._about = about
        self._random = random or SystemRandom()
        self._opening: dict[str, tuple[bytes, Future[_Line]]] = {}
        self._opened: dict[str, _Line] = {}
        self._accepted: dict[str, _Line] = {}
        self._candidates: dict[str, dict[bytes, bytes]] = {}
        self._closed: dict[bytes, bytes] = {}  # sessions, and what they are told if they ask again
        self._letters: deque[tuple[str, bytes]] = deque(maxlen=REMEMBERED)  # packets of no link
        self._postman: Task[None] | None = None
        self._quiet: list[Future[None]] = []
        self._joined = self._left = False
        self.frames_sent = self.frames_heard = self.packets_sent = self.packets_heard = 0
        self.sent_again = self.doubled = self.stale = self.malformed = 0

    def statistics(self) -> Traffic:
        """The counts so far."""
        return Traffic(**{name: getattr(self, name) for name in Traffic.__slots__})

    async def join(self) -> None:
        """Be there. Raises CarrierFailed."""
        self._joined = True
        self._measure()
        await self.carrier.join(self.node, self._hear, about=self._about)
        self._measure()

    def _measure(self) -> None:
        """What the carrier takes at a time; it may know better when it has joined."""
        self.batch_bytes = min(self.carrier.largest - HEADER.size, BATCH_BYTES)

    async def __aenter__(self) -> Self:
        try:
            await self.join()
        except BaseException:
            await self.carrier.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self, far: str) -> Link:
        """Open a link to a node. One that this exchange opened to it before breaks, at both ends.

        Raises:
            NodeLost: it does not answer for `silent` seconds, or takes no links.
        """
        if self._left:
            raise NodeLost(far, "this node has left")
        if (line := self._opened.get(far)) is not None:
            line.give_up(NodeLost(far, AGAIN), AGAIN)
        if before := self._opening.pop(far, None):
            before[1].cancel()
        half = self._random.randbytes(8)
        answer: Future[_Line] = asyncio.get_running_loop().create_future()
        self._opening[far] = half, answer
        wait = 0.1
        try:
            async with asyncio.timeout(self.silent):
                while not answer.done():
                    self.post(far, self._packet(OPEN | FROM_OPENER, half + NOBODY))
                    await asyncio.wait({answer}, timeout=wait)
                    wait = min(2 * wait, LONGEST_RESEND)
        except TimeoutError:
            raise NodeLost(far, f"it did not answer for {self.silent:g} s") from None
        except asyncio.CancelledError:
            if (line := self._opened.get(far)) is not None and line.session[:8] == half:
                line.give_up(None, "nobody waits for it any more")
            raise
        finally:
            if self._opening.get(far) == (half, answer):
                del self._opening[far]
        if answer.cancelled():
            raise NodeLost(far, "this node has left" if self._left else AGAIN)
        return answer.result()

    def accept_no_more(self) -> None:
        """Refuse links that others want to open from now on; those that there are stay."""
        self._accept = None

    async def aclose(self, *, patience: float = 1.0) -> None:
        """Close all links, and leave. What is not sent after `patience` seconds is lost. May be called twice."""
        if self._left:
            return
        self._left = True
        for _, answer in self._opening.values():
            answer.cancel()
        try:
            for line in self._lines():
                line.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._all_over()
            for line in self._lines():
                line.give_up(None, "it left")
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._all_posted()
        finally:
            for line in self._lines():
                line.end(None)
            if self._postman is not None:
                self._postman.cancel()
            await asyncio.sleep(0)  # those who began links hear that they are over before this returns
            if self._joined:
                await self.carrier.aclose()

    # ------------------------------------------------------------------------------------------ what lines need

    def over(self, line: _Line, *, told: bytes | None = None) -> None:
        """A link has ended; `told` is for a far end that asks again."""
        lines = self._opened if line.opener else self._accepted
        if lines.get(line.far) is line:
            del lines[line.far]
        if told is not None:
            self._closed[line.session] = told
            if len(self._closed) > REMEMBERED:
                del self._closed[next(iter(self._closed))]
        if not self._lines():
            self._wake()

    def post(self, far: str, packet: bytes) -> None:
        """Send a packet that no link waits for; the oldest are lost if there are too many."""
        self._letters.append((far, packet))
        if self._postman is None or self._postman.done():
            self._postman = asyncio.get_running_loop().create_task(self._post_all())

    async def _post_all(self) -> None:
        while self._letters:
            far, packet = self._letters.popleft()
            with suppress(Exception):  # lost, as the carrier may lose them: who needs an answer asks again
                await self.carrier.send(far, packet)
        self._wake()

    def _lines(self) -> list[_Line]:
        return [*self._opened.values(), *self._accepted.values()]

    def _wake(self) -> None:
        for future in self._quiet:
            if not future.done():
                future.set_result(None)
        self._quiet.clear()

    async def _all_over(self) -> None:
        while self._lines():
            await self._woken()

    async def _all_posted(self) -> None:
        while self._postman is not None and not self._postman.done():
            await self._woken()

    async def _woken(self) -> None:
        future: Future[None] = asyncio.get_running_loop().create_future()
        self._quiet.append(future)
        await future

    def _packet(self, kind: int, session: bytes, payload: bytes = b"") -> bytes:
        return HEADER.pack(VERSION, kind, session[:8], session[8:], 0, 0, 0) + payload

    # ------------------------------------------------------------------------------------------ what comes

    def _hear(self, far: str, data: bytes) -> None:
        """Take what the carrier brings."""
        if self._left and not self._lines():
            return
        self.packets_heard += 1
        if len(data) < HEADER.size or data[0] != VERSION:
            self.malformed += 1
            return
        _, kind, half, other, number, ack, early = HEADER.unpack_from(data)
        from_opener = bool(kind & FROM_OPENER)
        kind &= ~FROM_OPENER
        if kind == OPEN and from_opener:
            self._asked(far, half)
        elif kind == WELCOME and not from_opener:
            self._welcomed(far, half, other)
        elif kind == BREAK:
            self._broken(far, from_opener, half, other, data[HEADER.size : HEADER.size + 200])
        elif kind in (FRAMES, LAST, ACK):
            line = self._line(far, from_opener, half, other, asks=kind != ACK)
            if line is not None:
                line.heard(kind, number, ack, early, data)
        else:
            self.malformed += 1

    def _line(self, far: str, from_opener: bool, half: bytes, other: bytes, *, asks: bool) -> _Line | None:
        """The link that a packet belongs to; who speaks in one that is over is told so.

        Of one that was closed in order, only who asks for an acknowledgement: else two that closed it would tell each other
        for ever.
        """
        session = half + other
        line = (self._accepted if from_opener else self._opened).get(far)
        if line is not None and line.session == session:
            return line
        if from_opener and self._accept is not None and self._candidates.get(far, {}).get(half) == other:
            del self._candidates[far]
            if line is not None:
                line.give_up(NodeLost(far, AGAIN), AGAIN)
            line = self._accepted[far] = _Line(self, far, session, opener=False)
            try:
                self._accept(line)
            except Exception as error:  # noqa: BLE001 - the carrier can do nothing about it
                asyncio.get_running_loop().call_exception_handler({"message": "accept failed", "exception": error})
                line.give_up(error, f"it refused: {error}")
                return None
            return line
        self.stale += 1
        known = self._closed.get(session)
        if known is None:
            self.post(far, self._packet(BREAK if from_opener else BREAK | FROM_OPENER, session, b"this link is over"))
        elif asks:
            self.post(far, known)
        return None

    def _asked(self, far: str, half: bytes) -> None:
        if self._accept is None or self._left:
            self.post(far, self._packet(BREAK, half + NOBODY, b"it takes no links"))
            return
        line = self._accepted.get(far)
        if line is not None and line.session[:8] == half:
            other = line.session[8:]
        else:
            candidates = self._candidates.setdefault(far, {})
            if half not in candidates and len(candidates) >= CANDIDATES:
                del candidates[next(iter(candidates))]
            other = candidates.setdefault(half, self._random.randbytes(8))
        self.post(far, self._packet(WELCOME, half + other))

    def _welcomed(self, far: str, half: bytes, other: bytes) -> None:
        opening = self._opening.get(far)
        if opening is None or opening[0] != half or opening[1].done():
            self.stale += 1
            return
        line = self._opened[far] = _Line(self, far, half + other, opener=True)
        opening[1].set_result(line)

    def _broken(self, far: str, from_opener: bool, half: bytes, other: bytes, why: bytes) -> None:
        reason = why.decode(errors="replace") or "it broke the link"
        opening = self._opening.get(far)
        if other == NOBODY and not from_opener and opening is not None and opening[0] == half:
            if not opening[1].done():
                opening[1].set_exception(NodeLost(far, reason))
            return
        line = (self._accepted if from_opener else self._opened).get(far)
        if line is None or line.session != half + other:
            self.stale += 1
            return
        line.end(NodeLost(far, reason))


class _Packet:
    """Frames under way."""

    __slots__ = ("at", "frames", "kind", "payload", "size", "taken", "times")

    def __init__(self, kind: int, payload: bytes, frames: int, at: float) -> None:
        self.kind = kind
        self.payload = payload
        self.size = len(payload)
        self.frames = frames
        self.at = at
        """When it was last sent."""
        self.times = 0
        """How often it was sent. If more than once, nobody can say which of them was acknowledged."""
        self.taken = False
        """Whether it came early, and waits there for one before it."""


class _Line:
    """One end of one link. See `ports.Link`."""

    def __init__(self, exchange: Exchange, far: str, session: bytes, *, opener: bool) -> None:
        self.session = session
        self.opener = opener
        self._far = far
        self._exchange = exchange
        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        self._over = self._closing = False
        self._hear: Callable[[bytes], None] | None = None
        self._tell: Callable[[BaseException | None], None] | None = None
        self._why: BaseException | None = None
        self._mark = FROM_OPENER if opener else 0
        now = self._loop.time()
        # What goes out.
        self._queue: deque[bytes] = deque()
        self._queued = 0  # bytes
        self._cut = 0  # bytes of the first in the queue that are under way
        self._under_way: dict[int, _Packet] = {}
        self._frames = self._bytes = 0  # under way
        self._first = self._number = 0  # of the packets: the first not acknowledged, the next
        self._last_sent = False
        self._again: dict[int, None] = {}
        self._spoke = now
        self._sending = False
        self._awake = asyncio.Event()
        self._waiting: list[Future[None]] = []
        # When to send again.
        self._round: float | None = None
        self._spread = 0.0
        self._patience = 1.0
        self._resend: TimerHandle | None = None
        # What comes in.
        self._next = 0
        self._ahead: dict[int, tuple[int, bytes]] = {}
        self._ahead_bytes = 0
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._unacked = 0  # frames heard since the last acknowledgement
        self._ack_now = False
        self._ack: TimerHandle | None = None
        self._reading = False
        # Silence.
        self._heard_at = now
        self._beat_at = now
        self._beat: TimerHandle | None = None
        self._beats()
        self._pump = self._loop.create_task(self._run())
        if opener:  # the far end hears both numbers, so this has to arrive
            self._pack(FRAMES, [], 0)
            self._again[0] = None
            self._awake.set()

    # ------------------------------------------------------------------------------------------ the port

    @property
    def far(self) -> str:
        """The name of the node at the other end."""
        return self._far

    def begin(self, hear: Callable[[bytes], None], broken: Callable[[BaseException | None], None]) -> None:
        """Hear each frame from now on, and, once, that it broke. What `hear` raises breaks the link."""
        self._hear, self._tell = hear, broken
        self._read()
        if self._over:
            self._tell_end()

    def send(self, frame: bytes) -> None:
        """Queue a frame; never waits."""
        if self._over or self._closing:
            return
        if len(frame) > LARGEST_FRAME:
            raise ValueError(f"a frame of {len(frame):,} bytes; a link takes {LARGEST_FRAME:,}")
        self._queue.append(frame)
        self._queued += len(frame)
        if not self._sending:
            self._awake.set()

    @property
    def full(self) -> bool:
        """Whether a windowful waits to be sent."""
        return not self._over and (len(self._queue) >= WINDOW_FRAMES or self._queued >= WINDOW_BYTES)

    async def room(self) -> None:
        """Wait until it is not full, or broken."""
        while self.full:
            future: Future[None] = self._loop.create_future()
            self._waiting.append(future)
            await future

    def close(self) -> None:
        """Send what waits, then end it."""
        self._closing = True
        self._awake.set()

    # ------------------------------------------------------------------------------------------ its end

    def give_up(self, error: BaseException | None, why: str) -> None:
        """End it here, and tell the far end."""
        if not self._over:
            packet = HEADER.pack(VERSION, BREAK | self._mark, self.session[:8], self.session[8:], 0, 0, 0)
            self._exchange.post(self._far, packet + why.encode(errors="replace")[:200])
            self.end(error)

    def end(self, error: BaseException | None, *, told: bytes | None = None) -> None:
        """It is over: nothing is heard or sent any more."""
        if self._over:
            return
        self._over = True
        self._why = error
        for timer in (self._resend, self._ack, self._beat):
            if timer is not None:
                timer.cancel()
        self._pump.cancel()
        for holder in (self._queue, self._under_way, self._again, self._ahead, self._pieces):
            holder.clear()
        self._make_room()
        self._exchange.over(self, told=told)
        self._tell_end()

    def _tell_end(self) -> None:
        if self._tell is not None:
            self._loop.call_soon(self._tell, self._why)
            self._tell = None

    # ------------------------------------------------------------------------------------------ what goes out

    async def _run(self) -> None:
        """Bring packets on their way, as long as there are any."""
        send, far = self._exchange.carrier.send, self._far
        try:
            while not self._over:  # what a carrier is built on may swallow that it was cancelled
                packet = self._following()
                if packet is None:
                    self._sending = False
                    await self._awake.wait()
                    self._awake.clear()
                    continue
                self._sending = True
                self._spoke = self._loop.time()
                self._exchange.packets_sent += 1
                await send(far, packet)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be sent by it
            self.give_up(NodeLost(far, f"the carrier failed: {error}"), "its carrier failed")

    def _following(self) -> bytes | None:
        """The next packet to send: one again, else a new one, else what was heard is acknowledged."""
        while self._again:
            number = next(iter(self._again))
            del self._again[number]
            packet = self._under_way.get(number)
            if packet is not None and not packet.taken:
                self._exchange.sent_again += packet.times > 0
                return self._written(number, packet)
        if self._queue:
            number, packet = self._number, self._fill()
            if packet is not None:
                return self._written(number, packet)
        if self._closing and not self._queue and not self._last_sent:
            self._last_sent = True
            return self._written(self._number, self._pack(LAST, [], 0))
        if self._ack_now:
            return self._header(ACK, 0)
        return None

    def _fill(self) -> _Packet | None:
        """A packet of frames that wait, if the window has room for it."""
        limit, queue = self._exchange.batch_bytes, self._queue
        most = min(BATCH_FRAMES, WINDOW_FRAMES - self._frames)
        if most <= 0 or (self._under_way and self._bytes + limit > WINDOW_BYTES):
            return None
        parts: list[bytes | memoryview] = []
        left, count, queued = limit, 0, self._queued
        while queue and count < most:
            frame, length = queue[0], len(queue[0]) - self._cut
            left -= LENGTH.size
            if length <= left:
                parts += (LENGTH.pack(length), memoryview(frame)[self._cut :] if self._cut else frame)
                queue.popleft()
                self._cut = 0
                count += 1
            elif count == 0:
                length = left
                parts += (LENGTH.pack(length | MORE), memoryview(frame)[self._cut : self._cut + length])
                self._cut += length
                count, most = 1, 0
            else:
                break
            left -= length
            queued -= length
        self._queued = queued
        self._exchange.frames_sent += count
        self._make_room()
        return self._pack(FRAMES, parts, count)

    def _pack(self, kind: int, parts: list[bytes | memoryview], frames: int) -> _Packet:
        """The next packet, which counts as under way from now on."""
        packet = _Packet(kind, b"".join(parts), frames, self._loop.time())
        self._under_way[self._number] = packet
        self._number += 1
        self._frames += frames
        self._bytes += packet.size
        if self._resend is None:
            self._resend = self._loop.call_later(self._until_resend(), self._overdue_now)
        return packet

    def _written(self, number: int, packet: _Packet) -> bytes:
        packet.at = self._loop.time()
        packet.times += 1
        return self._header(packet.kind, number) + packet.payload

    def _header(self, kind: int, number: int) -> bytes:
        """The head of a packet, with all that was heard so far."""
        self._ack_now = False
        self._unacked = 0
        if self._ack is not None:
            self._ack.cancel()
            self._ack = None
        early = 0
        for ahead in self._ahead:
            if 0 < ahead - self._next <= 64:
                early |= 1 << (ahead - self._next - 1)
        return HEADER.pack(VERSION, kind | self._mark, self.session[:8], self.session[8:], number, self._next, early)

    def _make_room(self) -> None:
        if self._waiting and (self._over or (len(self._queue) < WINDOW_FRAMES and self._queued < WINDOW_BYTES)):
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()

    # ------------------------------------------------------------------------------------------ what is sent again

    def _until_resend(self) -> float:
        if self._round is None:
            return min(FIRST_RESEND * self._patience, LONGEST_RESEND)
        usual = max(self._round + 4 * self._spread, SHORTEST_RESEND) + ACK_AFTER
        return min(usual * self._patience, LONGEST_RESEND)

    def _overdue_now(self) -> None:
        """The time for an acknowledgement is over, of some packet: send the oldest of those again."""
        self._resend = None
        wait = self._until_resend()
        oldest = next((packet for packet in self._under_way.values() if not packet.taken), None)
        if oldest is None:
            return
        before = self._loop.time() - wait
        left = oldest.at - before
        if left <= 0:
            if not self._again:  # else the carrier takes nothing at the moment
                self._send_overdue(before)
                self._patience *= 2
            left = self._until_resend()
        self._resend = self._loop.call_later(max(left, 0.001), self._overdue_now)

    def _send_overdue(self, before: float) -> None:
        size = 0
        for number, packet in self._under_way.items():
            if not packet.taken and packet.at <= before:
                self._again[number] = None
                size += packet.size
                if size >= self._exchange.batch_bytes:
                    break
        if self._again:
            self._awake.set()

    def _acknowledged(self, ack: int, early: int) -> None:
        """The far end waits for packet `ack`, and has those after it whose bits are set."""
        now = self._loop.time()
        if ack > self._first:
            for number in range(self._first, ack):
                packet = self._under_way.pop(number)
                self._frames -= packet.frames
                self._bytes -= packet.size
                if packet.times == 1 and number == ack - 1:
                    self._measure(now - packet.at)
            self._first = ack
            if self._patience > 1:
                self._patience = 1.0
                self._send_overdue(now - self._until_resend())
            self._awake.set()
            if self._last_sent and not self._under_way:
                self.end(None)
                return
        if early and ack == self._first:
            highest = ack + early.bit_length()
            settled = now - (self._round or FIRST_RESEND)  # of what was sent before, all is here that is not lost
            for number in range(ack, min(highest + 1, self._number)):
                packet = self._under_way[number]
                if number > ack and early >> (number - ack - 1) & 1:
                    packet.taken = True
                    packet.payload = b""
                elif not packet.taken and packet.at < settled and number < highest:
                    self._again[number] = None
            if self._again:
                self._awake.set()

    def _measure(self, seconds: float) -> None:
        if self._round is None:
            self._round, self._spread = seconds, seconds / 2
        else:
            self._spread += (abs(seconds - self._round) - self._spread) / 4
            self._round += (seconds - self._round) / 8

    # ------------------------------------------------------------------------------------------ what comes in

    def heard(self, kind: int, number: int, ack: int, early: int, data: bytes) -> None:
        """Take a packet of this session."""
        if ack > self._number:
            self._exchange.malformed += 1
            return
        self._heard_at = self._loop.time()
        self._acknowledged(ack, early)
        if kind == ACK or self._over:
            return
        size = len(data)
        if number < self._next or number in self._ahead:
            self._exchange.doubled += 1
            self._acknowledge()
        elif number - self._next >= WINDOW_FRAMES + 2 or self._ahead_bytes + size > WINDOW_BYTES + 2 * BATCH_BYTES:
            self._exchange.malformed += 1  # nobody who keeps to the window sends that
        else:
            if number > self._next:
                self._acknowledge()  # there is a hole: say so
            self._ahead[number] = kind, data
            self._ahead_bytes += size
            self._read()

    def _read(self) -> None:
        """Give the frames of all packets whose turn it is."""
        if self._hear is None or self._reading:
            return
        self._reading = True
        try:
            while not self._over and self._next in self._ahead:
                kind, data = self._ahead.pop(self._next)
                self._ahead_bytes -= len(data)
                self._next += 1
                if kind == LAST:
                    told = self._header(ACK, 0)
                    self._exchange.post(self._far, told)
                    self.end(None, told=told)
                else:
                    self._give(data)
        finally:
            self._reading = False
        if self._over:
            return
        if self._unacked >= BATCH_FRAMES:
            self._acknowledge()
        elif self._ack is None and not self._ack_now:
            self._ack = self._loop.call_later(ACK_AFTER, self._acknowledge)

    def _give(self, data: bytes) -> None:
        """Give the frames of one packet."""
        hear, at, end = self._hear, HEADER.size, len(data)
        assert hear is not None
        heard = 0
        try:
            while at < end:
                (length,) = LENGTH.unpack_from(data, at) if at + LENGTH.size <= end else (end,)
                at += LENGTH.size
                more, length = length & MORE, length & ~MORE
                if at + length > end or self._pieces_bytes + length > LARGEST_FRAME:
                    self._exchange.malformed += 1
                    self.give_up(NodeLost(self._far, "it sent what is no frame"), "you sent what is no frame")
                    return
                frame = data[at : at + length]
                at += length
                heard += 1
                if more:
                    self._pieces.append(frame)
                    self._pieces_bytes += length
                    continue
                if self._pieces:
                    frame = b"".join((*self._pieces, frame))
                    self._pieces.clear()
                    self._pieces_bytes = 0
                hear(frame)
                if self._over:
                    return
        except Exception as error:  # noqa: BLE001 - it is told to whoever began the link
            self.give_up(error, f"it failed: {error}")
        finally:
            self._unacked += max(heard, 1)
            self._exchange.frames_heard += heard

    def _acknowledge(self) -> None:
        self._ack_now = True
        self._awake.set()

    # ------------------------------------------------------------------------------------------ silence

    def _beats(self) -> None:
        """Say something if nothing was said, and break if nothing was heard."""
        now, every = self._loop.time(), self._exchange.silent / BEATS
        # Time in which this process stood still is no silence of the other.
        self._heard_at += max(now - self._beat_at - every, 0)
        self._heard_at = min(self._heard_at, now)
        if now - self._heard_at >= self._exchange.silent:
            self.give_up(NodeLost(self._far, f"it was silent for {self._exchange.silent:g} s"), "you were silent")
            return
        if now - self._spoke >= every * 0.9 and self._beat is not None:
            self._acknowledge()
        self._beat_at = now
        self._beat = self._loop.call_later(every, self._beats)
