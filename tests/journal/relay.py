"""A program that is killed again and again: runners hand a baton on, and each writes down outside that it had it.

Its `main` forks a child for each life, which goes on with the last run, or begins one; and kills it at a moment of chance.
It prints how many lives and kills there were.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

import psycopg  # in the parent, so that no child has to

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.errors import AgentFailed, InDoubt, JournalFailed
from llm_net.journal import PostgresJournal, SqliteJournal
from llm_net.ports import REPEAT, Journal
from llm_net.record import Select, Sent

RUNNERS = 4
LEGS = 60


class Baton(Message):
    """Run the next leg."""

    leg: int


class Runner(GenAgent):
    """Notes its leg outside: one that must not be noted twice, or one that is noted once for each key."""

    ledger: str
    legs: list[int] = []
    cheers: int = 0

    async def abaton(self, message: Baton) -> None:
        entry = f"{message.conversation}-{message.leg}"
        if message.leg % 2:
            await self.effect("note", lambda: note(self.ledger, entry))
        else:
            await self.effect("note", lambda key: note(self.ledger, entry, once=True), repeats="idempotent")
        self.legs.append(message.leg)
        self.emit("passed", Message(method="cheer", body=str(message.leg)))
        if message.leg + 1 < LEGS:
            following = f"runner{(message.leg + 1) % RUNNERS}"
            heard = await self.call(Message(method="ready", receiver=following))
            await self.send(Baton.reply(message, leg=message.leg + 1, receiver=heard.sender))

    def ready(self, message: Message) -> Message:
        return message.reply()

    def cheer(self, message: Message) -> None:
        self.cheers += 1


def note(ledger: str, entry: str, *, once: bool = False) -> None:
    """Write a line; a service that knows its keys writes none twice."""
    if not (once and entry in entries(ledger)):
        with Path(ledger).open("a") as file:
            file.write(f"{entry}\n")


def entries(ledger: str) -> list[str]:
    return Path(ledger).read_text().splitlines() if Path(ledger).exists() else []


def relay(ledger: str) -> GenNetwork:
    runners = [Runner(id=f"runner{n}", ledger=ledger) for n in range(RUNNERS)]
    links = [(runner, "passed", runners[(n + 2) % RUNNERS]) for n, runner in enumerate(runners)]
    return GenNetwork(id="relay", agents=runners, links=links)


def journal_at(where: str) -> Journal:
    return PostgresJournal(where) if "dbname=" in where or "://" in where else SqliteJournal(where)


async def live(where: str, ledger: str) -> None:
    """Go on with the last run until it is done; begin one if there is none to go on with."""
    journal = journal_at(where)
    runs = await journal.runs()
    if not runs or runs[-1].status == "done":
        async with relay(ledger).run(Baton(leg=0, receiver="runner0"), journal=journal):
            pass
        return
    settle: dict[str, object] = {}
    while True:
        try:
            async with relay(ledger).resume(journal, runs[-1].run, settle=settle, limits=Limits(messages=None)):
                return
        except AgentFailed as failed:
            doubt = failed.__cause__
            if not isinstance(doubt, InDoubt):
                raise
            settle[doubt.key] = await _found_out(journal, runs[-1].run, doubt, ledger)


async def _found_out(journal: Journal, run: str, doubt: InDoubt, ledger: str) -> object:
    """What a human would do: look whether it happened."""
    number = int(doubt.key.split("-")[-2])
    async for fact in journal.read(run, Select(facts=(Sent,), numbers=(number,))):
        assert isinstance(fact, Sent)
        leg = int(fact.message.partition(b'"leg":')[2].partition(b"}")[0].partition(b",")[0])
        return None if f"{fact.conversation}-{leg}" in entries(ledger) else REPEAT
    raise AssertionError(doubt.key)


def main(where: str, ledger: str, kills: int, seed: int) -> None:
    """Live and be killed."""
    assert psycopg
    chance = random.Random(seed)
    killed = lives = 0
    while killed < kills:
        lives += 1
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(live(where, ledger))
                code = 0
            except JournalFailed:
                code = 0  # the server is being killed too: the next life goes on
            except Exception:  # noqa: BLE001 - whatever it was, the parent is told
                traceback.print_exc()
            finally:
                os._exit(code)
        time.sleep(chance.uniform(0.005, 0.06))
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
        elif status:
            sys.exit(f"a life ended with an error, seed {seed}")
    while True:
        try:
            asyncio.run(live(where, ledger))
            break
        except JournalFailed:
            time.sleep(0.1)  # until the server is back
    print(lives, killed)
