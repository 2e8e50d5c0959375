"""llm_net through its public API: typed messages between GenAgents in a GenNetwork. Knows none of its internals.

LIBRARY lets the library make whatever follows from a message at hand: `message.reply()`, `Kind.reply(message, body=…)`.
VALIDATED is the same programs with each message the user's own, `Kind(field=…)`, validated by pydantic.

Counters are variables of the set-up, as in the other contenders: writing an agent's state is not what is timed.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from benchmarks.workloads import BODY, CONTRACTORS, LISTENERS, RING, WAIT, WAITS, WORKERS, Contender, Go, price
from llm_net import GenAgent, GenNetwork, Limits, Message

LONG_THREAD = 100_000
LARGE_NETWORK = 100_000
DEEP_NETWORK = 10


class Begin(Message):
    n: int


class Ping(Message):
    number: int = 0


class Pong(Message):
    number: int = 0


class Note(Message):
    pass


class Heard(Message):
    pass


class Token(Message):
    hops_left: int = 0


class Work(Message):
    pass


class Worked(Message):
    worker: int = 0


class Tender(Message):
    pass


class Proposal(Message):
    price: int = 0


class Accept(Message):
    price: int = 0


class Inform(Message):
    result: str = ""


LIMITS = Limits(messages=1_000_000_000, depth=1_000_000_000, seconds=3_600.0)
"""Wide, and kept: what a limit costs is in every figure."""


@asynccontextmanager
async def _running(network: GenNetwork, done: asyncio.Event) -> AsyncIterator[Callable[[Message], Awaitable[None]]]:
    """A run that stays open, as the others' runtimes do; gives what sends a message to it and waits for `done`."""
    async with network.run(limits=LIMITS) as run:
        ended = asyncio.create_task(run.wait())
        ended.add_done_callback(lambda _: done.set())

        async def begin(message: Message) -> None:
            done.clear()
            await run.send(message)
            await done.wait()
            if ended.done():
                ended.result()  # raises what ended the run

        yield begin
        run.cancel()
        await asyncio.wait([ended])


@asynccontextmanager
async def request_reply(validated: bool) -> AsyncIterator[Go]:
    served = answered = 0
    done = asyncio.Event()

    class Server(GenAgent):
        async def aping(self, message: Ping) -> Message:
            nonlocal served
            served += 1
            return (
                Pong(number=message.number, receiver=message.sender, reply_to=message) if validated else message.reply()
            )

    class Client(GenAgent):
        async def abegin(self, message: Begin) -> None:
            nonlocal answered
            for number in range(message.n):
                ping = Ping(number=number, receiver=server) if validated else Ping.reply(message, receiver=server)
                await self.call(ping)
                answered += 1
            done.set()

    server, client = Server(id="server"), Client(id="client")
    network = GenNetwork(agents=[server, client])

    async with _running(network, done) as begin:

        async def go(n: int) -> object:
            nonlocal served, answered
            served = answered = 0
            await begin(Begin(n=n, receiver=client))
            return {"served": served, "answered": answered}

        yield go


@asynccontextmanager
async def one_way(validated: bool) -> AsyncIterator[Go]:
    received = expected = 0
    last: object = None
    done = asyncio.Event()

    class Receiver(GenAgent):
        async def anote(self, message: Note) -> None:
            nonlocal received, last
            received += 1
            last = message.body
            if received == expected:
                done.set()

    class Sender(GenAgent):
        async def abegin(self, message: Begin) -> AsyncGenerator[Message]:
            for _ in range(message.n):
                yield (
                    Note(body=BODY, receiver=receiver)
                    if validated
                    else Note.reply(message, body=BODY, receiver=receiver)
                )

    receiver, sender = Receiver(id="receiver"), Sender(id="sender")
    network = GenNetwork(agents=[receiver, sender])

    async with _running(network, done) as begin:

        async def go(n: int) -> object:
            nonlocal received, expected
            received, expected = 0, n
            await begin(Begin(n=n, receiver=sender))
            return {"received": received, "last": last}

        yield go


@asynccontextmanager
async def fan_out(validated: bool) -> AsyncIterator[Go]:
    heard = [0] * LISTENERS
    events = 0
    done = asyncio.Event()

    class Listener(GenAgent):
        number: int

        async def anote(self, message: Note) -> Message | None:
            heard[self.number] += 1
            if self.number < LISTENERS - 1:
                return None
            return Heard(receiver=emitter) if validated else Heard.reply(message)

    class Emitter(GenAgent):
        async def abegin(self, message: Begin) -> None:
            self.speak(message)

        async def aheard(self, message: Heard) -> None:
            self.speak(message)

        def speak(self, because: Message) -> None:
            nonlocal events
            if events:
                events -= 1
                self.emit("note", Note(body=BODY) if validated else Note.reply(because, body=BODY))
            else:
                done.set()

    emitter, listeners = Emitter(id="emitter"), [Listener(id=f"listener{i}", number=i) for i in range(LISTENERS)]
    network = GenNetwork(agents=[emitter, *listeners])
    for listener in listeners:
        network.link(emitter, "note", listener)

    async with _running(network, done) as begin:

        async def go(n: int) -> object:
            nonlocal events
            heard[:] = [0] * LISTENERS
            events = n // LISTENERS
            await begin(Begin(n=n, receiver=emitter))
            return heard

        yield go


@asynccontextmanager
async def ring(validated: bool) -> AsyncIterator[Go]:
    visits = [0] * RING
    laps = 0
    first = Token()
    done = asyncio.Event()

    class Member(GenAgent):
        number: int

        async def atoken(self, message: Token) -> Message | None:
            visits[self.number] += 1
            if self.number == RING - 1 and visits[self.number] == laps:
                done.set()
                return None
            after = members[self.number + 1 - RING]
            return (
                Token(hops_left=message.hops_left - 1, receiver=after)
                if validated
                else Token.reply(first, receiver=after)  # all answer one: what a growing thread costs is F1
            )

    members = [Member(id=f"member{i}", number=i) for i in range(RING)]
    network = GenNetwork(agents=members)

    async with _running(network, done) as begin:

        async def go(n: int) -> object:
            nonlocal laps
            visits[:] = [0] * RING
            laps = n // RING
            await begin(Token(hops_left=n - 1, receiver=members[0]))
            return visits

        yield go


@asynccontextmanager
async def idle() -> AsyncIterator[Go]:
    class Idle(GenAgent):
        drafts: int = 0

        async def anote(self, message: Note) -> Message:
            return message.reply()

    network = GenNetwork()
    async with network.run() as run:

        async def go(n: int) -> object:
            before = len(network)
            for number in range(before, before + n):
                network.add(Idle(id=f"idle{number}"))
            return len(network) - before

        yield go
        run.cancel()


@asynccontextmanager
async def waits(validated: bool) -> AsyncIterator[Go]:
    answers = [0] * WORKERS
    at_work = 0
    done = asyncio.Event()

    class Worker(GenAgent):
        number: int

        async def awork(self, message: Work) -> Message:
            await asyncio.sleep(WAIT)
            answers[self.number] += 1
            if validated:
                return Worked(worker=self.number, receiver=driver, reply_to=message)
            return Worked.reply(message)

    class Driver(GenAgent):
        async def abegin(self, message: Begin) -> AsyncGenerator[Message]:
            for worker in workers:
                yield Work(body=BODY, receiver=worker) if validated else Work.reply(message, body=BODY, receiver=worker)

        async def aworked(self, message: Worked) -> Message | None:
            nonlocal at_work
            worker = message.sender
            assert isinstance(worker, Worker)
            if answers[worker.number] == WAITS:
                at_work -= 1
                if not at_work:
                    done.set()
                return None
            return Work(body=BODY, receiver=worker) if validated else Work.reply(message, body=BODY)

    driver, workers = Driver(id="driver"), [Worker(id=f"worker{i}", number=i) for i in range(WORKERS)]
    network = GenNetwork(agents=[driver, *workers])

    async with _running(network, done) as begin:

        async def go(n: int) -> object:
            nonlocal at_work
            answers[:] = [0] * WORKERS
            at_work = WORKERS
            await begin(Begin(n=n, receiver=driver))
            return answers

        yield go


@asynccontextmanager
async def contract_net(validated: bool) -> AsyncIterator[Go]:
    calls = [0] * CONTRACTORS
    proposals = informs = paid = 0
    done = asyncio.Event()

    class Contractor(GenAgent):
        number: int

        async def atender(self, message: Tender) -> Message:
            amount = price(self.number, calls[self.number])
            calls[self.number] += 1
            if validated:
                return Proposal(price=amount, receiver=message.sender, reply_to=message)
            return Proposal.reply(message, body=str(amount))

        async def aaccept(self, message: Accept) -> Message:
            if validated:
                return Inform(result="done", receiver=message.sender, reply_to=message)
            return Inform.reply(message, body="done")

    class Manager(GenAgent):
        async def abegin(self, message: Begin) -> None:
            nonlocal proposals, informs, paid
            for _ in range(message.n):
                if validated:
                    bids = await self.gather([Tender(body=BODY, receiver=one) for one in contractors])
                    best = min(bids, key=_price)
                    acceptance = Accept(price=_price(best), receiver=best.sender, reply_to=best)
                else:
                    bids = await self.gather([Tender.reply(message, body=BODY, receiver=one) for one in contractors])
                    best = min(bids, key=_spoken_price)
                    acceptance = Accept.reply(best)
                proposals += len(bids)
                paid += _price(best) if validated else _spoken_price(best)
                informs += isinstance(await self.call(acceptance), Inform)
            done.set()

    manager, contractors = (
        Manager(id="manager"),
        [Contractor(id=f"contractor{i}", number=i) for i in range(CONTRACTORS)],
    )
    network = GenNetwork(agents=[manager, *contractors])

    async with _running(network, done) as begin:

        async def go(n: int) -> object:
            nonlocal proposals, informs, paid
            proposals = informs = paid = 0
            await begin(Begin(n=n, receiver=manager))
            return {"proposals": proposals, "informs": informs, "paid": paid}

        yield go


def _price(proposal: Message) -> int:
    assert isinstance(proposal, Proposal)
    return proposal.price


def _spoken_price(proposal: Message) -> int:
    return int(proposal.body)


@asynccontextmanager
async def flatness(*, thread: int = 0, others: int = 0, depth: int = 0) -> AsyncIterator[Go]:
    """Round trips at the end of a thread, among other agents, or down through nested networks.

    The requests all answer one message, so that their thread does not grow.
    """
    served = answered = 0
    done = asyncio.Event()

    class Server(GenAgent):
        async def aping(self, message: Ping) -> Message:
            nonlocal served
            served += 1
            return message.reply()

    class Client(GenAgent):
        async def abegin(self, message: Begin) -> None:
            nonlocal answered
            for _ in range(message.n):
                await self.call(Ping.reply(message, receiver=server))
                answered += 1
            done.set()

    server, client = Server(id="server"), Client(id="client")
    inner: GenAgent = server
    for level in range(depth):
        inner = GenNetwork(id=f"level{level}", agents=[inner])
    network = GenNetwork(agents=[client, inner])
    for number in range(others):
        network.add(GenAgent(id=f"other{number}"))
    end = Message()
    for _ in range(thread):
        end = end.reply()

    async with _running(network, done) as begin:

        async def go(n: int) -> object:
            nonlocal served, answered
            served = answered = 0
            await begin(Begin(n=n, receiver=client, reply_to=end))
            return {"served": served, "answered": answered}

        yield go


@asynccontextmanager
async def runs() -> AsyncIterator[Go]:
    handled = 0

    class Server(GenAgent):
        async def aping(self, message: Ping) -> Message:
            nonlocal handled
            handled += 1
            return message.reply()

    server = Server(id="server")
    network = GenNetwork(agents=[server, GenAgent(id="other")])

    async def go(n: int) -> object:
        nonlocal handled
        handled = replies = 0
        for _ in range(n):
            async with network.run(Ping(receiver=server)) as run:
                replies += await run.wait() is not None
        return {"handled": handled, "replies": replies}

    yield go


def _workloads(validated: bool) -> Contender:
    return {
        "W1": partial(request_reply, validated),
        "W2": partial(one_way, validated),
        "W3": partial(fan_out, validated),
        "W4": partial(ring, validated),
        "W6": partial(waits, validated),
        "W7": partial(contract_net, validated),
    }


LIBRARY: Contender = {
    **_workloads(validated=False),
    "W5": idle,
    "R1": runs,
    "F0": flatness,
    "F1": partial(flatness, thread=LONG_THREAD),
    "F2": partial(flatness, others=LARGE_NETWORK),
    "F3": partial(flatness, depth=DEEP_NETWORK),
}

VALIDATED: Contender = _workloads(validated=True)
