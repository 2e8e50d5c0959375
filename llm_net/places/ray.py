"""Agents in Ray actors, where there is a GPU or many cores. Knows how bytes travel by calls of actors, not what they say."""

from __future__ import annotations

import asyncio
import sys
import threading
from asyncio import Future, Task
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType, TracebackType
from typing import Self, cast

from llm_net.carriers import pipes
from llm_net.errors import MissingDependency, NodeLost, PlaceUnavailable
from llm_net.places.elsewhere import Elsewhere
from llm_net.ports import Clock, Hosts, Link
from llm_net.runtime.frames import joined, taken_apart
from llm_net.runtime.home import Share
from llm_net.runtime.node import Node

WINDOW = 1024 * 1024
"""Bytes that may wait to be carried before `room` waits."""

GRACE = 5.0
"""Seconds in which a link to an actor that is kept must have ended."""


class Ray(Elsewhere):
    """Agents in Ray actors: `network.run(root, place={"painter": Ray(num_gpus=1)})`.

    An actor hosts many agents. Actors are started when a run is entered and end with it; to keep them for several runs, enter
    the runtime too: `async with Ray() as runtime: …`. One that is lost is replaced by us, not by Ray: with a journal, what was
    begun there goes on in the new one. Ray's own wire is no border against attackers: it belongs into a network that you trust.

    Args:
        actors: how many.
        num_cpus, num_gpus, resources: what each of them needs, in Ray's words.
        options: more words of Ray for actors: `{"runtime_env": {"working_dir": "."}, "accelerator_type": "A100"}`.
        address: of the cluster, as for `ray.init`; None for the one to which this process is connected, else for one that Ray
            finds, else for a new one on this machine, which ends with the run.
        agents: the addresses of those that shall live there, networks for all inside; None for all that can.
        patience: seconds that Ray has to start an actor.
        seed, clock: as for `LocalRuntime`.

    Raises:
        MissingDependency: ray is not installed.
    """

    def __init__(
        self,
        *,
        actors: int = 1,
        num_cpus: float | None = None,
        num_gpus: float | None = None,
        resources: Mapping[str, float] | None = None,
        options: Mapping[str, object] | None = None,
        address: str | None = None,
        agents: Iterable[str] | None = None,
        patience: float = 60.0,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if actors < 1:
            raise ValueError(f"at least one actor, not {actors}")
        _ray()
        needs = {"num_cpus": num_cpus, "num_gpus": num_gpus, "resources": resources and dict(resources)}
        self._words = {**(options or {}), **{word: need for word, need in needs.items() if need is not None}}
        self._number = actors
        self._address = address
        self._agents = None if agents is None else list(agents)
        self._patience = patience
        super().__init__(lambda: [Share(self.hosts(), self._agents)], seed=seed, clock=clock)
        self._kept: _Actors | None = None

    def hosts(self) -> Hosts:
        """The actors that are kept, or new ones for a run. Raises PlaceUnavailable in an actor."""
        pipes.refuse_in_worker()
        return self._kept or self._new()

    def _new(self, *, keep: bool = False) -> _Actors:
        return _Actors(self._number, self._words, self._address, self._patience, keep=keep)

    async def __aenter__(self) -> Self:
        self._kept = self._new(keep=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.end()


class _Actors:
    """The hosts of a Home."""

    imports = True

    def __init__(
        self, number: int, words: Mapping[str, object], address: str | None, patience: float, *, keep: bool
    ) -> None:
        self._number = number
        self._words = words
        self._address = address
        self._patience = patience
        self._keep = keep
        self._count = 0
        self._connected = False
        self._actors: list[_Actor] = []

    async def open(
        self, run: str, network: str, *, joined: Callable[[Link], None], lost: Callable[[Exception], None]
    ) -> Sequence[Link]:
        if not self._connected:
            await asyncio.to_thread(_connection.enter, self._address)
            self._connected = True
        try:
            self._actors += [self._new() for _ in range(self._number - len(self._actors))]
            return await asyncio.gather(*(actor.link() for actor in self._actors))
        except BaseException:
            await self.end()
            raise

    async def replace(self, lost: Link) -> Link:
        for actor in self._actors:
            if actor.name == lost.far:
                self._actors.remove(actor)
                await actor.end()
                break
        self._actors.append(actor := self._new())
        return await actor.link()

    def gone(self, link: Link) -> None:
        pass  # an actor that is lost is replaced when it is missed

    async def release(self, links: Iterable[Link]) -> None:
        if self._keep:
            await asyncio.gather(*(actor.quiet() for actor in self._actors))
        else:
            await self.end()

    async def end(self) -> None:
        """End them all."""
        actors, self._actors = self._actors, []
        for actor in actors:
            await actor.end()
        if self._connected:
            self._connected = False
            await asyncio.to_thread(_connection.leave)

    def _new(self) -> _Actor:
        self._count += 1
        return _Actor(f"actor-{self._count}", self._words, self._patience)


class _Actor:
    """A Ray actor, as seen from home."""

    def __init__(self, name: str, words: Mapping[str, object], patience: float) -> None:
        ray = _ray()
        self.name = name
        self._words = words
        self._patience = patience
        self._failure: type[Exception] = ray.exceptions.RayError
        kind = ray.remote(max_restarts=0, max_task_retries=0, **words)(NodeActor)
        self._far = kind.remote([entry for entry in sys.path if entry], *pipes.main_program())
        self._links = 0
        self._tasks: list[Task[None]] = []

    async def link(self) -> _End:
        """One more link to it, when it is there."""
        number = self._links = self._links + 1
        try:
            async with asyncio.timeout(self._patience):
                await self._far.begin.remote(number)
        except TimeoutError:
            there = ", ".join(f"{name}: {many:g}" for name, many in sorted(_ray().cluster_resources().items()))
            problem = f"Ray started no actor with {dict(self._words)} within {self._patience:g} s; it has {there}"
            raise PlaceUnavailable(f"{problem}; ask for less, or add machines") from None
        except self._failure as failed:
            raise PlaceUnavailable(f"an actor did not start: {_sentence(failed)}; see Ray's logs") from failed
        end = _End(self.name)
        loop = asyncio.get_running_loop()
        self._tasks += [loop.create_task(self._give(number, end)), loop.create_task(self._take(number, end))]
        return end

    async def _give(self, number: int, end: _End) -> None:
        """Carry there what is sent, one call after the other: what is sent during a call goes with the next."""
        try:
            while data := await end.next():
                await self._far.take.remote(number, data)
            await self._far.take.remote(number, b"")
        except self._failure as failed:
            end.lose(_sentence(failed))

    async def _take(self, number: int, end: _End) -> None:
        """Have one call there that waits for what comes from there."""
        try:
            while data := await self._far.give.remote(number):
                end.came(data)
            end.came(b"")
        except self._failure as failed:
            end.lose(_sentence(failed))

    async def quiet(self) -> None:
        """Wait until nothing of the links that were closed is left."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
        self._tasks = [task for task in self._tasks if not task.done()]

    async def end(self) -> None:
        """End it, and all that was waited for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _ray().kill(self._far)


class NodeActor:
    """The Ray actor: a node that bytes are given to and taken from. Each link to it has a number.

    Args:
        path: on which modules are found at home.
        module, file: the main program there.
    """

    def __init__(self, path: Sequence[str], module: str | None, file: str | None) -> None:
        pipes.in_worker = True
        sys.path += [entry for entry in path if entry not in sys.path]
        self._imports = pipes.Importer(module, file)
        self._ends: dict[int, _End] = {}

    async def begin(self, number: int) -> None:
        """Open a link."""
        end = self._ends[number] = _End("home")
        Node(end, imports=self._imports)

    async def take(self, number: int, data: bytes) -> None:
        """Hear what was sent from home."""
        if (end := self._ends.get(number)) is not None:
            asyncio.get_running_loop().call_soon(end.came, data)

    async def give(self, number: int) -> bytes:
        """What is to be sent home, as soon as there is something; nothing: it is over."""
        data = await self._ends[number].next()
        if not data:
            del self._ends[number]
        return data


class _End:
    """One end of a link: what is sent waits until a call has time to carry it."""

    def __init__(self, far: str) -> None:
        self._far = far
        self._heard: Callable[[bytes], None] | None = None
        self._broken: Callable[[BaseException | None], None] | None = None
        self._early: list[bytes] = []
        self._waiting: list[bytes] = []
        self._size = 0  # bytes of those
        self._something: Future[None] | None = None
        self._room: list[Future[None]] = []
        self._closing = False
        self._over = False
        self._problem = ""

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
            broken(NodeLost(self._far, self._problem))

    def send(self, frame: bytes) -> None:
        if not self._over and not self._closing:
            self._waiting.append(frame)
            self._size += len(frame)
            self._wake()

    @property
    def full(self) -> bool:
        return self._size > WINDOW and not self._over

    async def room(self) -> None:
        while self.full:
            future = asyncio.get_running_loop().create_future()
            self._room.append(future)
            await future

    def close(self) -> None:
        self._closing = True
        self._wake()

    # ------------------------------------------------------------------------------------------ for those who carry

    async def next(self) -> bytes:
        """All that waits, as soon as there is something; nothing: it is closed."""
        while not self._waiting and not self._closing and not self._over:
            self._something = asyncio.get_running_loop().create_future()
            await self._something
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._make_room()
        return joined(waiting)

    def came(self, data: bytes) -> None:
        """Hear what was carried here; nothing: the other end was closed."""
        if not data:
            self.lose("it closed the line")
        for frame in taken_apart(data):
            if self._heard is None:
                self._early.append(frame)
            else:
                self._heard(frame)

    def lose(self, problem: str) -> None:
        """The other end is gone."""
        if not self._over:
            self._over, self._problem = True, problem
            self._make_room()
            self._wake()
            if self._broken is not None:
                self._broken(None if self._closing else NodeLost(self._far, problem))

    def _wake(self) -> None:
        if self._something is not None and not self._something.done():
            self._something.set_result(None)

    def _make_room(self) -> None:
        for future in self._room:
            if not future.done():
                future.set_result(None)
        self._room.clear()


class _Connection:
    """The one connection that a process may have to Ray; ended by us if we made it and nobody here needs it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._ours = False

    def enter(self, address: str | None) -> None:
        """Use it. Takes seconds where Ray has to be started."""
        ray = _ray()
        with self._lock:
            if not ray.is_initialized():
                try:
                    ray.init(address=address, include_dashboard=False, logging_level="ERROR")
                except (ConnectionError, RuntimeError, ValueError) as failed:
                    problem = f"there is no Ray at {address or 'this machine'}: {_sentence(failed)}"
                    raise PlaceUnavailable(f"{problem}; start one with `ray start --head`") from failed
                self._ours = True
            self._users += 1

    def leave(self) -> None:
        """Use it no more."""
        with self._lock:
            self._users -= 1
            if not self._users and self._ours:
                self._ours = False
                _ray().shutdown()


_connection = _Connection()


def _ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise MissingDependency("ray", "ray", "agents in Ray actors") from error
    return cast(ModuleType, ray)


def _sentence(error: Exception) -> str:
    """What Ray says, in one line, and no more than that."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    why = next((line for line in said if "is dead because" in line), said[0] if said else type(error).__name__)
    for more in (". Some common causes include", ". There are some potential root causes"):
        why = why.partition(more)[0]
    return why.rstrip(".")
