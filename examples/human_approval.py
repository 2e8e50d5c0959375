"""A run that waits for a person for days, in a journal: processes come and go, and nothing is done twice.

A clerk asks a shop for the price, asks the boss, and pays. Each day is a process of its own. Monday's ends as soon as only
an answer from outside can help: waiting costs nothing. Thursday's brings the answer, and is killed at the worst moment: the
money is gone, and that it is gone is not on record. Friday's therefore does not pay again. It asks somebody to look, is told
what was found, and goes on.

    python examples/human_approval.py

prints

    monday: clerk → ·  ask: May I pay 120 for 3 chairs? (waiting)
    thursday: killed
    friday: 'clerk' is in doubt whether it did 'pay'
    friday: clerk → boss  response: 3 chairs for 120, receipt 1 (done)
    The shop was asked 1 time, and paid 1 time.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message
from llm_net.errors import AgentFailed, InDoubt
from llm_net.journal import History, SqliteJournal


class Shop:
    """The world outside: it keeps books that outlive our processes."""

    books = Path("books.txt")
    deadly = False

    def note(self, what: str) -> int:
        with self.books.open("a") as books:
            books.write(f"{what}\n")
        return self.times(what)

    def times(self, what: str) -> int:
        return self.books.read_text().splitlines().count(what)

    def price(self) -> int:
        self.note("asked")
        return 120

    def pay(self) -> int:
        receipt = self.note("paid")
        if self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return receipt


class Clerk(GenAgent):
    """Buys what the boss agrees to."""

    shop: Shop = Field(default_factory=Shop, exclude=True)  # excluded fields are not kept in journals

    async def arequest(self, message: Message) -> Message:
        price = await self.effect("ask the price", self.shop.price, repeats="pure")
        answer = await self.call(Message(method="ask", body=f"May I pay {price} for {message.body}?"))
        if answer.body != "yes":
            return message.reply(body=f"no {message.body}")
        receipt = await self.effect("pay", self.shop.pay, repeats="once")
        return message.reply(body=f"{message.body} for {price}, receipt {receipt}")


network = GenNetwork(id="office", agents=[Clerk(id="clerk")])  # with ids that are the same in each process


async def begin(journal: SqliteJournal) -> None:
    order = Message(body="3 chairs", sender="boss", receiver="clerk")
    async with network.run(order, journal=journal) as run:
        pass
    print(f"monday: {run.result} ({run.status})")


async def answer(journal: SqliteJournal) -> None:
    name = (await journal.runs())[-1].run
    async for asked in History(journal, name).messages(method="ask"):
        question = Message(id=asked.id, sender="clerk", receiver="boss")
        async with network.resume(journal, name, question.reply(body="yes")):
            pass


async def go_on(journal: SqliteJournal, settle: Mapping[str, object]) -> None:
    name = (await journal.runs())[-1].run
    try:
        async with network.resume(journal, name, settle=settle) as run:
            pass
        print(f"friday: {run.result} ({run.status})")
    except AgentFailed as failed:
        doubt = failed.__cause__
        if not isinstance(doubt, InDoubt):
            raise
        print(f"friday: {doubt.agent!r} is in doubt whether it did {doubt.name!r}")
        await go_on(journal, {doubt.key: Shop().times("paid")})  # somebody looked into the books


async def part(day: str) -> None:
    journal = SqliteJournal("run.db")
    Shop.deadly = day == "thursday"
    try:
        match day:
            case "monday":
                await begin(journal)
            case "thursday":
                await answer(journal)
            case _:
                await go_on(journal, {})
    finally:
        await journal.aclose()


def main() -> None:
    with TemporaryDirectory() as folder:
        script = Path(__file__).resolve()
        for day in ("monday", "thursday", "friday"):
            done = subprocess.run([sys.executable, str(script), day], cwd=folder, check=False)
            if done.returncode == -signal.SIGKILL:
                print(f"{day}: killed", flush=True)
        Shop.books = Path(folder) / "books.txt"
        print(f"The shop was asked {Shop().times('asked')} time, and paid {Shop().times('paid')} time.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(part(sys.argv[1]))
    else:
        main()
