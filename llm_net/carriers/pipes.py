"""Worker processes on this machine, and the links to them. Knows sockets and processes, not what is said.

A worker is told of each link by a socket that it inherits, and of each socket of a link by the socket that it has: nobody
else can speak to it. It ends with its parent.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import Struct
from time import perf_counter
from types import ModuleType
from typing import cast

from llm_net.errors import NodeLost, PlaceUnavailable
from llm_net.ports import LARGEST_FRAME, Link
from llm_net.runtime.node import Node

LARGEST = LARGEST_FRAME
"""Bytes of a frame; whoever announces a longer one is not understood."""

WINDOW = 1024 * 1024
"""Bytes that may wait to be sent before `room` waits."""

BURST = 0.0001
"""Seconds: frames that follow each other sooner are sent together, at the next turn of the event loop."""

GRACE = 5.0
"""Seconds that a worker has to end after its last link; then it is killed."""

_PROGRAM = "import sys; fd, *sys.path = sys.argv[1:]; from llm_net.carriers.pipes import work; work(int(fd))"
"""What a worker runs, with the number of its socket and the path on which modules are found."""

_LENGTH = Struct("<I")

in_worker = False
"""Whether this process is a worker."""


class Pipe(asyncio.Protocol):
    """A link over a connected stream socket.

    Args:
        far: the name of the node at the other end.
        why: says, when the other end is gone, how it ended.
        lingers: whether `close` waits until the other end has closed too: else what it still writes meets nobody, and it loses
            what was written here last.
    """

    def __init__(
        self, far: str, why: Callable[[], str] = lambda: "its process is gone", *, lingers: bool = False
    ) -> None:
        self._far = far
        self._why = why
        self._lingers = lingers
        self._transport: asyncio.Transport | None = None
        self._heard: Callable[[bytes], None] | None = None
        self._broken: Callable[[BaseException | None], None] | None = None
        self._early: list[bytes] = []
        self._came = bytearray()
        self._waiting: list[bytes] = []
        self._size = 0  # bytes of those
        self._scheduled = False
        self._flushed = 0.0  # when something was last sent
        self._paused = False
        self._room: list[asyncio.Future[None]] = []
        self._closing = False
        self._abort: asyncio.TimerHandle | None = None
        self._over = False

    @classmethod
    async def over(
        cls,
        end: socket.socket,
        far: str,
        why: Callable[[], str] = lambda: "its process is gone",
        *,
        lingers: bool = False,
    ) -> Pipe:
        """A link over one end of a pair of sockets."""
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        _, pipe = await loop.create_unix_connection(lambda: cls(far, why, lingers=lingers), sock=end)
        return pipe

    # ------------------------------------------------------------------------------------------ as a link

    @property
    def far(self) -> str:
        return self._far

    def begin(self, hear: Callable[[bytes], None], broken: Callable[[BaseException | None], None]) -> None:
        self._heard, self._broken = hear, broken
        early, self._early = self._early, []
        for frame in early:
            hear(frame)
        if self._over:
            broken(NodeLost(self._far, self._why()))

    def send(self, frame: bytes) -> None:
        if self._over or self._closing:
            return
        self._waiting += _LENGTH.pack(len(frame)), frame
        self._size += len(frame) + _LENGTH.size
        if not self._scheduled:
            now = perf_counter()
            if now - self._flushed > BURST:
                self._flush()
            else:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._flush)
            self._flushed = now

    @property
    def full(self) -> bool:
        return (self._paused or self._size > WINDOW) and not self._over

    async def room(self) -> None:
        while self.full:
            future = asyncio.get_running_loop().create_future()
            self._room.append(future)
            await future

    def close(self) -> None:
        if not self._closing:
            self._flush()
            self._closing = True
            if self._transport is not None and not self._lingers:
                self._transport.close()
            elif self._transport is not None and not self._over:
                self._transport.write_eof()
                self._abort = asyncio.get_running_loop().call_later(GRACE, self._transport.abort)

    def _flush(self) -> None:
        self._scheduled = False
        if self._waiting and self._transport is not None and not self._over:
            waiting, self._waiting, self._size = self._waiting, [], 0
            self._transport.write(b"".join(waiting))
            self._make_room()

    def _make_room(self) -> None:
        if not self._paused or self._over:
            for future in self._room:
                if not future.done():
                    future.set_result(None)
            self._room.clear()

    # ------------------------------------------------------------------------------------------ as a protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(WINDOW)

    def data_received(self, data: bytes) -> None:
        came = self._came
        came += data
        at, end = 0, len(came)
        try:
            while end - at >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(came, at)
                if length > LARGEST:
                    self._transport.abort()  # type: ignore[union-attr]  # data came over it
                    return
                if end - at - _LENGTH.size < length:
                    break
                at += _LENGTH.size + length
                frame = bytes(memoryview(came)[at - length : at])
                if self._heard is None:
                    self._early.append(frame)
                else:
                    self._heard(frame)
        finally:
            del came[:at]

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        if self._abort is not None:
            self._abort.cancel()
        self._make_room()
        if self._broken is not None:
            self._broken(None if self._closing else NodeLost(self._far, self._why()))


# ---------------------------------------------------------------------------------------------- at home


def refuse_in_worker() -> None:
    """Raise PlaceUnavailable where this process is a worker itself."""
    if in_worker:
        raise PlaceUnavailable(
            "a worker process starts worker processes, because it imports the program that does; put that under "
            "`if __name__ == '__main__':`",
        )


def main_program() -> tuple[str | None, str | None]:
    """The module and the file of the program that runs here."""
    main = sys.modules.get("__main__")
    name = getattr(getattr(main, "__spec__", None), "name", None)
    return None if name == "__main__" else name, getattr(main, "__file__", None)


class Worker:
    """A worker process, started by this one.

    Args:
        name: of the node that it is.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._control, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            words = [sys.executable, "-c", _PROGRAM, str(fd), *(entry or str(Path.cwd()) for entry in sys.path)]
            self._process = subprocess.Popen(words, pass_fds=(fd,), stdin=subprocess.DEVNULL)
        data = json.dumps(main_program()).encode()
        self._control.sendall(_LENGTH.pack(len(data)) + data)

    @property
    def pid(self) -> int:
        """Its number for the system."""
        return self._process.pid

    async def link(self) -> Pipe:
        """One more link to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"l"], [theirs.fileno()])
        return await Pipe.over(ours, self.name, self._why)

    def _why(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)  # its sockets close a moment before it is gone
        code = self._process.returncode
        if code is None:
            return "its process closed the line"
        if code < 0:
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with exit code {code}"

    def close(self) -> None:
        """Let it end."""
        self._control.close()

    async def end(self) -> None:
        """Wait until it has ended; kill it if it does not."""
        self.close()
        loop = asyncio.get_running_loop()
        try:
            handle = os.pidfd_open(self._process.pid)
        except ProcessLookupError:
            handle = -1
        if handle >= 0:
            over = loop.create_future()

            def ended() -> None:
                loop.remove_reader(handle)
                over.set_result(None)

            loop.add_reader(handle, ended)
            try:
                await asyncio.wait([over], timeout=GRACE)
            finally:
                loop.remove_reader(handle)
                os.close(handle)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


# ---------------------------------------------------------------------------------------------- in the worker


def work(fd: int) -> None:
    """Be a worker: the socket with this number says what for."""
    global in_worker  # noqa: PLW0603 - it is one process, and one fact of it
    in_worker = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this
    control = socket.socket(fileno=fd)
    told = json.loads(_exactly(control, _LENGTH.unpack(_exactly(control, _LENGTH.size))[0]))
    asyncio.run(_serve(control, Importer(*told)))


def _exactly(control: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := control.recv(size - len(data))):
            raise SystemExit(0)  # the parent is gone already
        data += more
    return data


async def _serve(control: socket.socket, imports: Callable[[str], object]) -> None:
    control.setblocking(False)
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    nodes: list[Node] = []
    opening: set[asyncio.Task[None]] = set()

    async def open_link(end: socket.socket) -> None:
        link: Link = await Pipe.over(end, "home", lingers=True)
        nodes.append(Node(link, imports=imports))
        nodes[:] = [node for node in nodes if not node.over.is_set()]

    def told() -> None:
        try:
            data, ends, _, _ = socket.recv_fds(control, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            data, ends = b"", []
        for end in ends:
            task = loop.create_task(open_link(socket.socket(fileno=end)))
            opening.add(task)
            task.add_done_callback(opening.discard)
        if not data and not over.done():
            over.set_result(None)

    loop.add_reader(control, told)
    await over
    loop.remove_reader(control)
    if nodes:  # their links break too: each ends its agents
        await asyncio.wait([loop.create_task(node.over.wait()) for node in nodes], timeout=GRACE)


class Importer:
    """Imports what the agents of the parent are made of; its main program under the name `__mp_main__`, so that what stands
    under `if __name__ == "__main__"` is not run."""

    def __init__(self, module: str | None, file: str | None) -> None:
        self._module, self._file = module, file

    def __call__(self, name: str) -> None:
        if name not in ("__main__", "__mp_main__"):
            importlib.import_module(name)
        elif "__mp_main__" not in sys.modules:
            main = ModuleType("__mp_main__")
            sys.modules["__mp_main__"] = main
            if self._module is not None:
                found = runpy.run_module(self._module, run_name="__mp_main__", alter_sys=True)
            else:
                assert self._file is not None
                found = runpy.run_path(str(Path(self._file)), run_name="__mp_main__")
            vars(main).update(found)
            sys.modules["__main__"] = sys.modules["__mp_main__"] = main
