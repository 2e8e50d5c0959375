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

READ = 256 * 1024
"""Bytes that are read at once; for a longer frame as many as it has."""

PARTS = 512
"""Pieces that are written at once. The least that a system takes: 1,024 (Linux, macOS)."""

_PROGRAM = "import sys; fd, *sys.path = sys.argv[1:]; from llm_net.carriers.pipes import work; work(int(fd))"
"""What a worker runs, with the number of its socket and the path on which modules are found."""

_LENGTH = Struct("<I")

in_worker = False
"""Whether this process is a worker."""


class Pipe:
    """A link over a connected stream socket.

    It reads and writes the socket itself: what is written is not copied, and what comes is copied once. A transport of asyncio
    does both twice, which is half of what a frame of 100 kB costs.

    Args:
        end: closed with the link.
        far: the name of the node at the other end.
        why: says, when the other end is gone, how it ended.
        lingers: whether `close` waits until the other end has closed too: else what it still writes meets nobody, and it loses
            what was written here last.
    """

    def __init__(
        self,
        end: socket.socket,
        far: str,
        why: Callable[[], str] = lambda: "its process is gone",
        *,
        lingers: bool = False,
    ) -> None:
        end.setblocking(False)
        self._end = end
        self._far = far
        self._why = why
        self._lingers = lingers
        self._loop = asyncio.get_running_loop()
        self._heard: Callable[[bytes], None] | None = None
        self._broken: Callable[[BaseException | None], None] | None = None
        self._came = memoryview(bytearray(READ))
        self._filled = 0  # bytes of that
        self._waiting: list[bytes | memoryview] = []
        self._size = 0  # bytes of those
        self._scheduled = False
        self._blocked = False  # whether the socket takes nothing at the moment
        self._flushed = 0.0  # when something was last sent
        self._room: list[asyncio.Future[None]] = []
        self._closing = False
        self._abort: asyncio.TimerHandle | None = None
        self._over = False

    # ------------------------------------------------------------------------------------------ as a link

    @property
    def far(self) -> str:
        return self._far

    def begin(self, hear: Callable[[bytes], None], broken: Callable[[BaseException | None], None]) -> None:
        self._heard, self._broken = hear, broken
        if self._over:
            broken(NodeLost(self._far, self._why()))
        else:
            self._loop.add_reader(self._end, self._read)

    def send(self, frame: bytes) -> None:
        if self._over or self._closing:
            return
        self._waiting += _LENGTH.pack(len(frame)), frame
        self._size += len(frame) + _LENGTH.size
        if not (self._scheduled or self._blocked):
            now = perf_counter()
            if now - self._flushed > BURST:
                self._write()
            else:
                self._scheduled = True
                self._loop.call_soon(self._write)
            self._flushed = now

    @property
    def full(self) -> bool:
        return self._size > WINDOW and not self._over

    async def room(self) -> None:
        while self.full:
            future = self._loop.create_future()
            self._room.append(future)
            await future

    def close(self) -> None:
        if not (self._closing or self._over):
            self._closing = True
            if self._lingers:
                self._abort = self._loop.call_later(GRACE, self._lose)
            else:
                self._loop.remove_reader(self._end)
            self._write()

    # ------------------------------------------------------------------------------------------ what goes out

    def _write(self) -> None:
        """Write what waits, as far as the socket takes it."""
        self._scheduled = False
        while self._waiting and not self._over:
            parts = self._waiting[:PARTS]
            try:
                sent = self._end.sendmsg(parts)
            except (BlockingIOError, InterruptedError):
                if not self._blocked:
                    self._blocked = True
                    self._loop.add_writer(self._end, self._write)
                return
            except OSError:
                self._lose()
                return
            self._size -= sent
            whole = 0
            for part in parts:
                if sent < len(part):
                    break
                sent -= len(part)
                whole += 1
            del self._waiting[:whole]
            if sent:
                self._waiting[0] = memoryview(self._waiting[0])[sent:]
            if self._size <= WINDOW // 4:
                self._make_room()
        if self._blocked and not self._over:
            self._blocked = False
            self._loop.remove_writer(self._end)
        if self._closing and not self._over:
            self._hang_up()

    def _hang_up(self) -> None:
        """All is written that was to be."""
        if self._lingers:
            with suppress(OSError):  # the other end is gone already
                self._end.shutdown(socket.SHUT_WR)
        else:
            self._lose()

    def _make_room(self) -> None:
        for future in self._room:
            if not future.done():
                future.set_result(None)
        self._room.clear()

    # ------------------------------------------------------------------------------------------ what comes

    def _read(self) -> None:
        try:
            size = self._end.recv_into(self._came[self._filled :])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            size = 0
        if not size:
            self._lose()
            return
        assert self._heard is not None
        came, at, end = self._came, 0, self._filled + size
        needed = 0
        try:
            while end - at >= _LENGTH.size and not self._over:
                (length,) = _LENGTH.unpack_from(came, at)
                if length > LARGEST:
                    self._lose()
                    return
                if end - at - _LENGTH.size < length:
                    needed = _LENGTH.size + length
                    break
                at += _LENGTH.size + length
                self._heard(bytes(came[at - length : at]))
        except Exception as error:  # noqa: BLE001 - nobody else hears of it, and what follows would make no sense
            self._loop.call_exception_handler({"message": f"a frame of {self._far} was not taken", "exception": error})
            self._lose()
        finally:
            self._filled = end - at
            if (room := max(READ, needed)) != len(came):
                self._came = memoryview(bytearray(room))
            if at or room != len(came):
                self._came[: self._filled] = came[at:end]

    def _lose(self) -> None:
        """It is over."""
        if self._over:
            return
        self._over = True
        if self._abort is not None:
            self._abort.cancel()
        self._loop.remove_reader(self._end)
        self._loop.remove_writer(self._end)
        self._end.close()
        self._make_room()
        if self._broken is not None:
            self._loop.call_soon(self._tell_end, self._broken)

    def _tell_end(self, broken: Callable[[BaseException | None], None]) -> None:
        broken(None if self._closing else NodeLost(self._far, self._why()))


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

    def link(self) -> Pipe:
        """One more link to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"l"], [theirs.fileno()])
        return Pipe(ours, self.name, self._why)

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

    def told() -> None:
        try:
            data, ends, _, _ = socket.recv_fds(control, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            data, ends = b"", []
        for end in ends:
            link: Link = Pipe(socket.socket(fileno=end), "home", lingers=True)
            nodes.append(Node(link, imports=imports))
            nodes[:] = [node for node in nodes if not node.over.is_set()]
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
