"""A process that is there to be killed: a network of shops, its ledger outside, and a warm parent that forks lives of it.

The parent reads a command a line, as JSON, forks a child that goes on with the run of a journal (or begins one), kills it
after so many seconds, and says what became of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

import psycopg  # noqa: F401 - it is imported by each life else
from pydantic_core import from_json

from llm_net import GenAgent, GenNetwork, Limits, Mailbox, Message, Retry
from llm_net.errors import JournalFailed
from llm_net.journal import MemoryJournal, PostgresJournal, SqliteJournal
from llm_net.ports import REPEAT, Journal
from llm_net.record import Effect

ORDERS = 12
"""Of one run."""

LIMITS = Limits(seconds=60.0)


@dataclass(frozen=True)
class Life:
    """A command.

    Args:
        journal: path of a file, or what PostgresJournal takes.
        ledger: path of what happened outside.
        seconds: until it is killed; None to let it live.
        early: whether they are counted from its birth, not from when its run is entered.
    """

    kind: Literal["sqlite", "postgres"]
    journal: str
    ledger: str
    seconds: float | None = None
    early: bool = False


class Ledger:
    """What happened outside, a line each; a line that is written outlives the process."""

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, what: str) -> str:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, f"{what}\n".encode())
        finally:
            os.close(file)
        return f"{what}: done"

    def write_once(self, what: str, key: str) -> str:
        if f"{what} {key}" not in self.lines():
            self.write(f"{what} {key}")
        return f"{what}: done"

    def lines(self) -> list[str]:
        path = Path(self._path)
        return path.read_text().splitlines() if path.exists() else []


class Member(GenAgent):
    """Counts what it has handled."""

    ledger: ClassVar[Ledger]
    handled: int = 0


class Door(Member):
    def request(self, message: Message) -> Iterator[Message]:
        self.handled += 1
        for n in range(ORDERS):
            yield Message(method="order", body=f"{message.body}-{n}", receiver="shop")


class Shop(Member):
    sold: list[str] = []

    async def aorder(self, message: Message) -> AsyncIterator[Message]:
        self.handled += 1
        order = message.body
        offers = await self.gather([Message(method="offer", body=order, receiver=name) for name in ("anna", "bert")])
        paid = await self.effect(f"pay {order}", lambda: self.ledger.write(f"pay {order}"))
        packed = await self.call(min(offers, key=lambda offer: offer.body).reply(method="pack", body=order))
        await self.delay(0.001)
        self.sold.append(f"{paid}, {packed.body}")
        self.emit("sold", Message(method="sold", body=order))
        yield Message(method="letter", body=order, receiver="post/clerk")


class Seller(Member):
    def offer(self, message: Message) -> Message:
        self.handled += 1
        return message.reply(body=f"{self.random.randint(1, 9)} {self.id}")

    async def apack(self, message: Message) -> Message:
        self.handled += 1
        order = message.body
        looked = await self.effect("look", lambda: f"{order} is there", repeats="pure")
        await self.effect(
            f"pack {order}", lambda key: self.ledger.write_once(f"pack {order}", key), repeats="idempotent"
        )
        return message.reply(body=looked)


class Clerk(Member):
    """Fails at each letter once."""

    seen: list[str] = []
    letters: list[Message] = []

    async def aletter(self, message: Message) -> None:
        if message.body not in self.seen:
            self.seen.append(message.body)
            raise ConnectionError("the pen is dry")
        self.handled += 1
        self.letters.append(message)
        await self.effect(f"mail {message.body}", lambda: self.ledger.write(f"mail {message.body}"))

    def sold(self, message: Message) -> None:
        self.handled += 1
        self.seen.append(f"sold {message.body}")


class Runner(Member):
    """Takes three at a time, of which few may wait."""

    concurrency: ClassVar[int] = 3
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2)

    async def asold(self, message: Message) -> None:
        await self.delay(0.002)
        await self.effect(f"run {message.body}", lambda: self.ledger.write(f"run {message.body}"))
        self.handled += 1


def town() -> GenNetwork:
    post = GenNetwork(id="post", agents=[Clerk(id="clerk")], supervision=Retry(times=2, delay=0.001))
    sellers = [Seller(id="anna"), Seller(id="bert")]
    network = GenNetwork(id="town", agents=[Door(id="door"), Shop(id="shop"), Runner(id="runner"), *sellers, post])
    network.link("shop", "sold", "post/clerk")
    network.link("shop", "sold", "runner")
    return network


def expected(batch: int) -> Counter[str]:
    """What the ledger has of one batch, without keys."""
    return Counter(f"{what} {batch}-{n}" for what in ("pay", "pack", "mail", "run") for n in range(ORDERS))


def journal_of(life: Life) -> Journal:
    return SqliteJournal(life.journal) if life.kind == "sqlite" else PostgresJournal(life.journal)


async def live(life: Life, entered: int) -> None:
    """Begin a run, or go on with the one that has not ended; say so by closing a file."""
    Member.ledger = Ledger(life.ledger)
    journal = journal_of(life)
    runs = await journal.runs()
    if runs and runs[-1].status != "done":
        run = town().resume(journal, runs[-1].run, settle=await settled(journal, runs[-1].run), limits=LIMITS)
    else:  # the first of the next batch of orders
        run = town().run(Message(body=str(len(runs)), receiver="door"), journal=journal, limits=LIMITS)
    async with run:
        os.close(entered)
    await journal.aclose()


async def settled(journal: Journal, run: str) -> dict[str, object]:
    """What a human finds in the ledger of the calls in doubt."""
    lines = Member.ledger.lines()
    known: dict[str, Effect] = {}
    for facts in (await journal.open(run)).past.values():
        known.update((fact.key, fact) for fact in facts if isinstance(fact, Effect) and fact.n)
    return {
        key: f"{effect.name}: done" if effect.name in lines else REPEAT
        for key, effect in known.items()
        if effect.status == "intent" and effect.repeats == "once"
    }


# ---------------------------------------------------------------------------------------------- the processes

ENDED, JOURNAL_FAILED, WRONG, KILLED = 0, 3, 4, -signal.SIGKILL


def child(life: Life, entered: int) -> int:
    try:
        asyncio.run(live(life, entered))
    except JournalFailed:
        return JOURNAL_FAILED
    except BaseException:  # noqa: BLE001 - it is told, and a child must not go on
        traceback.print_exc()
        return WRONG
    return ENDED


async def rehearse() -> None:
    """Have everything imported and looked up that each life needs."""
    Member.ledger = Ledger(os.devnull)
    async with town().run(Message(body="rehearsal", receiver="door"), journal=MemoryJournal()):
        pass


def main() -> None:
    asyncio.run(rehearse())
    for line in sys.stdin:
        life = Life(**from_json(line))
        watched, entered = os.pipe()
        pid = os.fork()
        if pid == 0:
            os._exit(child(life, entered))
        os.close(entered)
        handle = os.pidfd_open(pid)
        if not life.early:
            select.select([watched], [], [])
        os.close(watched)
        over, _, _ = select.select([handle], [], [], life.seconds)
        if not over:
            os.kill(pid, signal.SIGKILL)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def command(life: Life) -> bytes:
    return json.dumps(asdict(life)).encode() + b"\n"


if __name__ == "__main__":
    main()
