"""Carriers over NATS servers: one, or a cluster of them. Knows subjects, not what is carried.

What goes where, in the space `s`:

- `llm_net.s.m.<from>.<to>`: bytes from node to node. Core NATS: nothing is stored, and what nobody hears is lost.
- `$KV.llm_net-s.here.<node>`: the node is there. Said every second; the server forgets it after `HERE` seconds.
- `$KV.llm_net-s.lease.<name>.<node>`: the node wants, has, or gives back a lease. Each is written under the condition that
  nothing was written about this lease since it was read, and forgotten by the server when it has run out. Its epoch is its
  number in the stream, which the server gives, and which only grows.

Who writes what is so part of the subject, and a server that was given users with permissions (`server_config`) refuses
whoever would speak as another. Without that, every client of the server is trusted to say who it is. One thing cannot be
refused: a node may have the server send its own answers (JSON, or with headers) anywhere. As packets they are dropped, as
presence they say nothing and are written over; a lease that is spoiled so is its holder's to renew, and nobody else's for as
long as a lease can last. Nodes that may hold leases (`homes`) are trusted not to take one that runs: then its epoch grows, and
whoever had it learns that when it renews it.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import ssl
from asyncio import Future, Task, TimerHandle
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes
from struct import Struct
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from llm_net.carriers.presence import Presence, check_name
from llm_net.errors import CarrierFailed, MissingDependency
from llm_net.ports import Lease

if TYPE_CHECKING:  # not ours, and may be absent
    from nats.aio.client import Client
    from nats.aio.msg import Msg

LARGEST: Final = 256 * 1024
"""Bytes of a packet, if the server takes as many: large enough to cost little, small enough not to stand in the way."""

HERE: Final = 5
"""Seconds after which a node that was not heard of is not there any more."""

BEAT: Final = 1.0
"""Seconds between two signs of life."""

ANSWER: Final = 2.0
"""Seconds that a server has to answer what is asked about presence and leases."""

AGREE: Final = 10.0
"""Seconds that the servers of a cluster have to agree on who leads them when a node joins."""

SHORTEST_WAIT: Final = 0.05
LONGEST_WAIT: Final = 2.0
"""Seconds between two attempts to connect: at first, and at most."""

LONGEST_LEASE: Final = 300.0
"""Seconds that a lease can be taken for."""

PENDING: Final = 32 * 1024 * 1024
"""Bytes heard and not yet taken; what comes beyond is lost."""

MARK: Final = b"\x01"
"""Begins all that nodes write. What servers write begins otherwise: with a brace, or it has headers."""

OLDEST: Final = (2, 12)
"""The first servers that forget messages one by one and check, before they write, what was last about several subjects."""

SIGN: Final = Struct(">8s")
"""Of presence: the incarnation of the node; then what it says about itself."""

CLAIM: Final = Struct(">8sQd")
"""Of a lease: the incarnation of the node, the epoch (0: the number of this message), and for how many seconds."""


@dataclass(frozen=True, slots=True)
class _Record:
    """The last message of some subjects; `data` without the mark, None if no node wrote it."""

    subject: str
    seq: int
    data: bytes | None


class NatsCarrier:
    """A `Carrier` over NATS, 2.12 or later, with JetStream. Connects again by itself for as long as it is joined.

    Args:
        url: of one server or several of a cluster: `nats://user:password@host:4222`; commas between several.
        space: nodes of one space see each other; letters, digits, "-" and "_".
        replicas: how many servers of a cluster keep presence and leases; 3 survives the loss of one.
        credentials: a file with a JWT and a seed, for servers that want these.
        tls: for servers that want it.

    Raises:
        MissingDependency: nats-py is not installed.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        space: str = "default",
        replicas: int = 1,
        credentials: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        try:
            import nats.aio.client
            import nats.errors
        except ImportError as error:
            raise MissingDependency("nats-py", "nats", "a carrier over NATS") from error
        self._nats = nats
        self._urls = [each.strip() for each in (url.split(",") if isinstance(url, str) else url)]
        self._where = f"NATS at {', '.join(_without_secrets(each) for each in self._urls)}"
        check_name(self._where, space)
        self._space = space
        self._bucket = f"llm_net-{space}"
        self._replicas = replicas
        self._credentials, self._tls = credentials, tls
        self._node = ""
        self._about = b""
        self._incarnation = token_bytes(SIGN.size)
        self._hear: Callable[[str, bytes], None] = lambda sender, data: None
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._largest = LARGEST - len(MARK)
        self._problem = self._refused = ""
        self._asking: dict[str, Future[Msg]] = {}
        self._said = 0  # the number of the last sign of life
        self._tasks: list[Task[None]] = []
        self._presence = Presence()
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._sweep: TimerHandle | None = None
        self._held: dict[str, Lease] = {}
        self._spoiled: dict[tuple[str, int], float] = {}
        self._leasing = asyncio.Lock()
        self._over = False

    @property
    def largest(self) -> int:
        """Bytes that a packet may have."""
        return self._largest

    # ------------------------------------------------------------------------------------------ being there

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        """See `ports.Carrier.join`. A name whose node died is free after some seconds: they are waited for."""
        check_name(self._where, node, about)
        if self._node:
            raise self._failed(f"it was joined as {self._node!r} already; make another")
        self._node, self._about, self._hear = node, about, hear
        try:
            await self._connect()
            await self._make_bucket()
            await self._take_name()
            await self._look_around()
        except BaseException:
            await self._disconnect()
            self._node = ""
            raise
        self._tasks = [asyncio.create_task(self._stay_connected()), asyncio.create_task(self._say_so())]

    async def aclose(self) -> None:
        """See `ports.Carrier.aclose`."""
        left, self._over = self._over, True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._said and not left:
            with suppress(CarrierFailed):  # the server forgets it anyhow, a little later
                key = f"here.{self._node}"
                if await self._write(key, b"", 1, expected=self._said) is None:
                    await self._write(key, b"", 1, expected=await self._say_anew())
        await self._disconnect()
        self._presence.close()

    async def _take_name(self) -> None:
        """Write that this node is there, unless somebody else goes on saying so."""
        first: _Record | None = None
        clock = asyncio.get_running_loop().time
        patience = clock() + HERE + 3
        while True:
            found = await self._last(f"here.{self._node}")
            if found is None or found.data == b"" or clock() > patience:
                seq = await self._write(f"here.{self._node}", self._sign(), HERE, expected=found.seq if found else 0)
                if seq is not None:
                    self._said = seq
                    return
            else:
                first = first or found
                if found.seq != first.seq and found.data is not None:
                    raise self._failed(f"somebody else is there as {self._node!r}; join under another name")
                await asyncio.sleep(0.2)

    def _sign(self) -> bytes:
        return SIGN.pack(self._incarnation) + self._about

    async def _say_so(self) -> None:
        """Every second, that this node is there."""
        while not self._over:
            await asyncio.sleep(BEAT)
            with suppress(CarrierFailed):  # said again soon, on another connection
                seq = await self._write(f"here.{self._node}", self._sign(), HERE, expected=self._said)
                self._said = await self._say_anew() if seq is None else seq

    async def _say_anew(self) -> int:
        """What was said last is not what is there: it was forgotten meanwhile, or spoiled, or somebody else took the name."""
        found = await self._last(f"here.{self._node}")
        if found is not None and found.data and not found.data.startswith(self._incarnation):
            # Whoever was away for so long is this node no more, and must not speak as it.
            self._over = True
            self._presence.close()
            await self._disconnect()
            raise self._failed(f"somebody else has taken the name {self._node!r}")
        return found.seq if found else 0  # to be written after, the next time

    # ------------------------------------------------------------------------------------------ bytes

    async def send(self, node: str, data: bytes) -> None:
        """See `ports.Carrier.send`."""
        client = self._client
        if len(data) > self._largest:
            raise ValueError(f"a packet of {len(data):,} bytes; this carrier takes {self._largest:,}")
        if client is None or not client.is_connected or self._over:
            return  # lost: what is late would only stand in the way when the server is back
        with suppress(self._nats.errors.Error, OSError):
            await client.publish(f"llm_net.{self._space}.m.{self._node}.{node}", MARK + data)

    async def _heard(self, message: Msg) -> None:
        if message.header is None and message.data.startswith(MARK):
            self._hear(message.subject.split(".")[3], message.data[1:])

    # ------------------------------------------------------------------------------------------ who is there

    def watch(self) -> AsyncIterator[Mapping[str, bytes]]:
        """See `ports.Carrier.watch`."""
        return self._presence.watch()

    async def _saw(self, message: Msg) -> None:
        node = message.subject.rpartition(".")[2]
        if message.data == MARK:
            self._seen.pop(node, None)
        elif len(message.data) > SIGN.size and message.data.startswith(MARK):
            self._see(node, message.data[1:])
        self._tell()

    def _see(self, node: str, sign: bytes) -> None:
        self._seen[node] = sign[SIGN.size :], asyncio.get_running_loop().time()

    def _tell(self) -> None:
        """Who was heard of lately is there; look again when the first of them may be gone."""
        now = asyncio.get_running_loop().time()
        self._seen = {node: seen for node, seen in self._seen.items() if now - seen[1] < HERE}
        self._presence.set({node: about for node, (about, _) in self._seen.items()})
        if self._sweep is None or self._sweep.when() <= now:
            self._sweep = asyncio.get_running_loop().call_later(BEAT, self._tell)

    async def _look_around(self) -> None:
        info = await self._ask(f"STREAM.INFO.KV_{self._bucket}", {"subjects_filter": f"$KV.{self._bucket}.here.*"})
        assert info is not None  # by now it is there
        for subject in info["state"].get("subjects", {}):
            found = await self._last(f"here.{subject.rpartition('.')[2]}")
            if found is not None and found.data:
                self._see(subject.rpartition(".")[2], found.data)
        self._see(self._node, self._sign())
        self._tell()

    # ------------------------------------------------------------------------------------------ leases

    async def lease(self, name: str, *, seconds: float) -> Lease:
        """See `ports.Carrier.lease`. Others get it up to two seconds after it ran out: the server counts whole ones."""
        if not self._tasks or self._over:
            raise self._failed("it is not joined, or somebody else has taken its name")
        if seconds > LONGEST_LEASE:
            raise self._failed(f"a lease for {seconds:g} s; take it for at most {LONGEST_LEASE:g} and renew it")
        async with self._leasing:
            for _ in range(20):
                asked = asyncio.get_running_loop().time()
                lease = await self._lease(name, seconds, asked)
                if lease is not None:
                    return lease
        raise self._failed(f"so many want the lease {name!r} at the same time that it was not got; try again")

    async def _lease(self, name: str, seconds: float, asked: float) -> Lease | None:
        """One attempt; None if somebody else wrote about this lease meanwhile."""
        key = f"lease.{_token(name)}"
        found = await self._last(f"{key}.*")
        held = self._held.get(name)
        if held is not None and held.until <= asked:
            held = None
        epoch, holder, runs = 0, "", 0.0
        if found is not None:
            holder = found.subject.rpartition(".")[2]
            if found.data is not None and len(found.data) == CLAIM.size:
                incarnation, epoch, runs = CLAIM.unpack(found.data)
                epoch = epoch or found.seq
                if holder == self._node and incarnation != self._incarnation and runs:
                    await self._still_here()  # then it was of this node in an earlier life
            elif held is not None:
                holder, epoch, runs = self._node, held.epoch, held.until - asked
            elif self._spoiled.setdefault((name, found.seq), asked) + LONGEST_LEASE > asked:
                raise self._failed(f"the lease {name!r} was spoiled; wait until its holder renews it")
        if runs and holder != self._node:
            return Lease(name, holder, epoch, asked + runs)
        mine = held is not None and held.epoch == epoch and bool(runs)
        if seconds <= 0 and not mine:
            return Lease(name, "", epoch, asked)
        claim = CLAIM.pack(self._incarnation, epoch if mine else 0, max(seconds, 0.0))
        keep = max(math.ceil(seconds), 1)
        seq = await self._write(f"{key}.{self._node}", claim, keep, expected=found.seq if found else 0, of=f"{key}.*")
        if seq is None:
            return None
        lease = Lease(name, self._node, epoch if mine else seq, asked + max(seconds, 0.0))
        self._held[name] = lease
        if seconds <= 0:
            del self._held[name]
        return lease

    async def _still_here(self) -> None:
        found = await self._last(f"here.{self._node}")
        if found is not None and found.data and not found.data.startswith(self._incarnation):
            raise self._failed(f"somebody else has taken the name {self._node!r}")

    # ------------------------------------------------------------------------------------------ what is kept

    async def _last(self, key: str) -> _Record | None:
        """The last message about this."""
        asked = {"last_by_subj": f"$KV.{self._bucket}.{key}"}
        answer = await self._ask(f"STREAM.MSG.GET.KV_{self._bucket}", asked, absent=10037)
        if answer is None:
            return None
        message = answer["message"]
        data = b64decode(message.get("data", ""))
        return _Record(message["subject"], message["seq"], data[1:] if data.startswith(MARK) else None)

    async def _write(self, key: str, data: bytes, seconds: int, *, expected: int, of: str = "") -> int | None:
        """Write it if `expected` is the number of the last message (of these subjects): its number, else None."""
        headers = {"Nats-TTL": f"{seconds}s", "Nats-Expected-Last-Subject-Sequence": str(expected)}
        if of:
            headers["Nats-Expected-Last-Subject-Sequence-Subject"] = f"$KV.{self._bucket}.{of}"
        answer = await self._request(f"$KV.{self._bucket}.{key}", MARK + data, headers)
        if (error := answer.get("error")) is not None:
            if error.get("err_code") in (10071, 10164):  # another was last
                return None
            raise self._failed(str(error.get("description")))
        return int(answer["seq"])

    async def _make_bucket(self) -> None:
        """Make what keeps presence and leases, if nobody did before. A cluster may have to agree first on who leads it."""
        name = f"KV_{self._bucket}"
        wanted = {
            "name": name,
            "subjects": [f"$KV.{self._bucket}.>"],
            "max_msgs_per_subject": 1,
            "max_msg_size": 4_096,
            "max_bytes": 64 * 1024 * 1024,
            "discard": "new",
            "storage": "file",
            "num_replicas": self._replicas,
            "allow_msg_ttl": True,
            "deny_delete": True,
            "deny_purge": True,
        }
        clock = asyncio.get_running_loop().time
        patience = clock() + AGREE
        while True:
            try:
                if await self._ask(f"STREAM.INFO.{name}", {}, absent=10059) is None:
                    await self._ask(f"STREAM.CREATE.{name}", wanted, absent=10058)  # 10058: another made it meanwhile
                await self._last("none")
            except CarrierFailed as error:
                if "refuses" in error.problem or clock() > patience:
                    raise
                if "refuses" in self._problem:  # the inbox, which is asked for with the first question
                    raise self._failed(self._problem) from error
                await asyncio.sleep(0.2)
            else:
                return

    async def _ask(self, what: str, question: Mapping[str, object], *, absent: int = 0) -> dict[str, Any] | None:
        """Ask JetStream; None for the error that says that it is not there."""
        answer = await self._request(f"$JS.API.{what}", json.dumps(question).encode())
        if (error := answer.get("error")) is not None:
            if error.get("err_code") == absent:
                return None
            raise self._failed(str(error.get("description")))
        return answer

    async def _request(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        client = self._client
        if client is None or not client.is_connected:
            raise self._failed(self._problem or "there is no connection")
        asked = asyncio.ensure_future(client.request(subject, data, timeout=ANSWER, headers=headers))
        self._asking[subject.lower()] = asked
        try:
            message = await asked
            answer = json.loads(message.data)
        except asyncio.CancelledError:
            if not asked.cancelled() or subject.lower() in self._asking:
                raise
            raise self._failed(self._refused) from None
        except (self._nats.errors.Error, OSError, ValueError) as error:
            if isinstance(error, self._nats.errors.NoRespondersError):
                problem = "its servers are choosing who leads them; try again in some seconds"
            elif isinstance(error, self._nats.errors.TimeoutError):
                problem = "it did not answer"
            else:
                problem = _sentence(error)
            raise self._failed(problem) from error
        finally:
            self._asking.pop(subject.lower(), None)
        if not isinstance(answer, dict):
            raise self._failed("its answer is none of JetStream's")
        return answer

    # ------------------------------------------------------------------------------------------ the connection

    async def _connect(self) -> None:
        """Connect to the first server that answers, and listen."""
        problem = ""
        for url in list(self._urls):
            client = self._nats.aio.client.Client()
            self._problem = ""
            try:
                await client.connect(
                    url,
                    name=self._node,
                    error_cb=self._note,
                    closed_cb=self._note_lost,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=2,
                    ping_interval=2,
                    max_outstanding_pings=2,
                    flush_timeout=ANSWER,
                    inbox_prefix=f"_INBOX.{self._bucket}.{self._node}",
                    user_credentials=str(self._credentials) if self._credentials else None,
                    tls=self._tls,
                )
                self._lost.clear()
                await client.subscribe(
                    f"llm_net.{self._space}.m.*.{self._node}", cb=self._heard, pending_bytes_limit=PENDING
                )
                await client.subscribe(f"$KV.{self._bucket}.here.*", cb=self._saw, pending_bytes_limit=PENDING)
                for _ in range(2):  # the first may overtake what was asked for before it
                    await client.flush(timeout=2)
            except (TimeoutError, self._nats.errors.Error, OSError, ValueError) as error:
                problem = self._problem or _sentence(error)
                await client.close()
                continue
            version = client.connected_server_version
            if (version.major, version.minor) < OLDEST:
                self._problem = f"its server is too old; install NATS {'.'.join(map(str, OLDEST))} or later"
            elif not client._server_info.get("jetstream"):
                self._problem = (
                    "its server has no JetStream, which keeps presence and leases; start it with `--jetstream`"
                )
            if self._problem:
                problem = self._problem
                await client.close()
                continue
            self._client = client
            self._largest = min(LARGEST, client.max_payload) - len(MARK)
            return
        raise self._failed(problem)

    async def _stay_connected(self) -> None:
        wait = SHORTEST_WAIT
        while True:
            await self._lost.wait()
            if self._over:
                return
            self._client = None
            try:
                await self._connect()
            except CarrierFailed as error:
                self._problem = error.problem
                self._urls = [*self._urls[1:], self._urls[0]]
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                wait = SHORTEST_WAIT

    async def _disconnect(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        client, self._client = self._client, None
        if client is not None:
            with suppress(self._nats.errors.Error, OSError):
                await client.close()

    async def _note(self, error: Exception) -> None:
        self._problem = _sentence(error)
        if "permissions violation" in str(error).lower():  # what was asked for under that subject has no answer
            asked = self._asking.pop(str(error).lower().partition('"')[2].partition('"')[0], None)
            if asked is not None:
                self._refused = self._problem
                asked.cancel()

    async def _note_lost(self) -> None:
        self._lost.set()

    def _failed(self, problem: str) -> CarrierFailed:
        return CarrierFailed(self._where, problem)


def _sentence(error: BaseException) -> str:
    """What happened, in a sentence with the cure."""
    said = str(error).removeprefix("nats: ").strip() or type(error).__name__
    low = said.lower()
    if "permissions violation" in low:
        return f"its server refuses this user ({said}); give it the permissions that `server_config` writes"
    if "authorization" in low or "authentication" in low:
        return (
            "its server refuses this user or password; look at the URL and at the users in the server's configuration"
        )
    if isinstance(error, OSError | asyncio.TimeoutError) or "no servers available" in low:
        return f"no server answers ({said}); start one, or look at the URL"
    return said


def _without_secrets(url: str) -> str:
    return urlsplit(url if "//" in url else f"//{url}").netloc.rpartition("@")[2]


def _token(name: str) -> str:
    """A name as one token of a subject."""
    return re.sub(rb"[^A-Za-z0-9_-]", lambda odd: b"=%02X" % odd[0][0], name.encode(errors="surrogatepass")).decode()


def server_config(
    nodes: Mapping[str, str], *, space: str = "default", homes: Collection[str] | None = None, account: str = "llm_net"
) -> str:
    """The part of a NATS server's configuration that lets each node speak in its own name only.

    To be written into the file that the server is started with, beside `jetstream` and, for other machines, `tls`. A node's
    URL is then `nats://<node>:<password>@<host>:4222`; its user has the name of the node.

    Args:
        nodes: names of nodes and their passwords (or bcrypt hashes of these, as `nats server passwd` gives them).
        homes: those that may hold leases, and make the bucket where these are kept; None for all.
    """
    where = "a configuration of NATS"
    check_name(where, space)
    bucket, users = f"llm_net-{space}", []
    for node, password in nodes.items():
        check_name(where, node)
        publish = [
            f"llm_net.{space}.m.{node}.*",
            f"$KV.{bucket}.here.{node}",
            f"$JS.API.STREAM.INFO.KV_{bucket}",
            f"$JS.API.STREAM.MSG.GET.KV_{bucket}",
        ]
        if homes is None or node in homes:
            publish += [f"$KV.{bucket}.lease.*.{node}", f"$JS.API.STREAM.CREATE.KV_{bucket}"]
        subscribe = [f"llm_net.{space}.m.*.{node}", f"$KV.{bucket}.here.*", f"_INBOX.{bucket}.{node}.>"]
        permissions = {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}
        user = {"user": node, "password": password, "permissions": permissions}
        users.append("      " + json.dumps(user))  # the server's configuration is a superset of JSON
    listed = ",\n".join(users)
    return (
        f"accounts {{\n  {json.dumps(account)}: {{\n    jetstream: enabled\n    users: [\n{listed}\n    ]\n  }}\n}}\n"
    )
