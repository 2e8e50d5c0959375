"""A run of `talk.py`: its nodes and its homes as processes, and the account of it."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import ExitStack
from pathlib import Path

from tests.places.programs import ROOT, Program, node
from tests.places.talk import BURST, TALKERS

TALK = ROOT / "tests/places/talk.py"


class Talk:
    """A run of `talk.py` with its nodes, and what came of it."""

    def __init__(
        self,
        stack: ExitStack,
        url: str,
        folder: Path,
        *,
        silent: float = 2.0,
        lease: float = 2.0,
        journal: str | None = None,
    ) -> None:
        self.stack, self.url, self.folder = stack, url, folder
        self.silent, self.lease = str(silent), str(lease)
        self.journal = journal or str(folder / "run.db")
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.space = re.sub("[^a-z0-9]", "", folder.name)[-20:]
        self.nodes: dict[str, Program] = {}
        self._count = 0

    def add_node(self) -> Program:
        self._count += 1
        name = f"n{self._count}"
        program = node(TALK, self.url, name, self.folder, "--silent", self.silent, "--space", self.space)
        self.nodes[name] = self.stack.enter_context(program)
        return program

    def begin(self, *, patience: float = 30.0) -> Program:
        """Start a home: the first, or another that goes on."""
        words = (self.url, self.journal, str(self.notes), self.space, self.silent, self.lease)
        self.home = self.stack.enter_context(Program(str(TALK), *words, log=self.folder / "home.log"))
        self.home.says("home of", patience)
        return self.home

    @property
    def count(self) -> int:
        """Words that were noted."""
        return len(os.listdir(self.notes))

    def goes_on(self, words: int = 60, seconds: float = 30.0) -> None:
        """Wait until so many more words were heard."""
        wanted, end = self.count + words, time.monotonic() + seconds
        while self.count < wanted:
            assert self.home.alive, self.home.said
            assert time.monotonic() < end, f"it stands still: {self.home.said}"
            time.sleep(0.02)

    def end(self, seconds: float = 30.0) -> int:
        """Have it end; all that was said was heard once, in order, and noted once. Gives how many words that were."""
        (self.notes / "stop").touch()
        told = json.loads(self.home.says('"status"', seconds))
        assert self.home.ends() == 0
        assert told["status"] == "done"
        talkers = told["talkers"]
        assert len(talkers) == TALKERS
        words: list[str] = []
        for name, talker in talkers.items():
            assert talker["wrong"] == []
            assert talker["said"] % BURST == 0
            for other in talkers.keys() - {name}:
                assert talkers[other]["got"].get(name, 0) == talker["said"]
                words += (f"{name} {other} {number}" for number in range(talker["said"]))
        noted = [path.read_text() for path in self.notes.iterdir() if path.name != "stop"]
        assert sorted(noted) == sorted(words)
        return len(words)
