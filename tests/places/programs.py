"""Processes for tests of places: nodes and homes, started, stopped and killed as people and machines do it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]


class Program:
    """A process whose output is read; killed at the end of a `with`.

    Args:
        words: what to run, by this Python.
        cwd: where.
        before: what starts Python.
    """

    def __init__(self, *words: str, log: Path, cwd: Path = ROOT, before: Sequence[str] = ()) -> None:
        self._log = log
        self._read = 0
        path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        with log.open("ab") as out:
            self._read = out.tell()
            self._process = subprocess.Popen(
                [*before, sys.executable, *words],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": path},
            )

    @property
    def said(self) -> str:
        return self._log.read_bytes()[self._read :].decode()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def says(self, what: str, seconds: float = 30.0, *, again: int = 0) -> str:
        """Wait for a line that has this, after so many others that have it; the process may end with it."""
        end = time.monotonic() + seconds
        while True:
            over = not self.alive
            lines = [line for line in self.said.splitlines() if what in line]
            if len(lines) > again:
                return lines[again]
            if over or time.monotonic() > end:
                raise AssertionError(f"it never said {what!r}, but: {self.said}")
            time.sleep(0.02)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def ends(self, seconds: float = 30.0) -> int:
        """Its exit code."""
        return self._process.wait(seconds)

    def memory(self) -> int:
        """Bytes of the main memory that it takes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.alive:
            self._process.send_signal(signal.SIGCONT)
            self.kill()


def llm_net(*words: str, log: Path, cwd: Path = ROOT) -> Program:
    """The command."""
    return Program("-m", "llm_net.cli", *words, log=log, cwd=cwd)


def node(file: Path, at: str, name: str, folder: Path, *more: str) -> Program:
    """A node that is there."""
    program = llm_net("node", str(file), "--at", at, "--name", name, *more, log=folder / f"{name}.log")
    program.says("joined")
    return program
