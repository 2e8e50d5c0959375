"""What a journal keeps of a run, and how a run goes on from there. Knows only the journal in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from llm_net.base import GenAgent, GenNetwork
from llm_net.journal.memory import MemoryJournal
from llm_net.message import Message
from llm_net.ports import Journal
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Sent
from llm_net.runtime.local import LocalRuntime
from llm_net.runtime.state import stored
from llm_net.supervision import Retry
from llm_net.testing.runtime.agents import Notes
from llm_net.testing.runtime.chance_and_time import Dices
from llm_net.testing.runtime.changes import make_house
from llm_net.testing.runtime.effects import Digger, Doer
from llm_net.testing.runtime.events import make_town
from llm_net.testing.runtime.failures import Stumbles
from llm_net.testing.runtime.models import Reader, make_model
from llm_net.testing.runtime.networks import Alone
from llm_net.testing.runtime.place import LONG, Place, equal
from llm_net.testing.runtime.same import ending, states


async def _facts(journal: Journal, run: str) -> list[Fact]:
    return [fact async for fact in journal.read(run)]


def _said_by(facts: Iterable[Fact]) -> Counter[tuple[object, ...]]:
    """What a record says, but for times, places and ids."""
    said: Counter[tuple[object, ...]] = Counter()
    for fact in facts:
        match fact:
            case Begun():
                said["begun", fact.network] += 1
            case Sent():
                said[
                    "sent", fact.kind, fact.method, fact.sender, fact.receiver, fact.depth, fact.waits, fact.event
                ] += 1
            case Effect():
                said["effect", fact.kind, fact.name, fact.repeats, fact.status, fact.input_tokens, fact.cost] += 1
            case Ended():
                said["ended", fact.end, fact.agent, fact.error] += 1
            case Finished():
                said["finished", fact.status, fact.error] += 1
            case _:
                pass
    return said


def _kept_of(facts: Iterable[Fact]) -> dict[str, dict[str, bytes]]:
    """What a record leaves of the agents."""
    whole: dict[str, bytes] = {}
    changes: dict[str, list[bytes]] = defaultdict(list)
    for fact in facts:
        for state in fact.states if isinstance(fact, Ended) else ():
            if state.whole:
                whole[state.agent], changes[state.agent] = state.body, []
            else:
                changes[state.agent].append(state.body)
    return {agent: stored(body, changes[agent]) for agent, body in whole.items()}


def _recorded_plays() -> Mapping[str, tuple[Callable[[], GenAgent], list[Message]]]:
    def doing() -> GenNetwork:
        return GenNetwork(
            id="net", agents=[Doer(id="doer"), Dices(id="dices"), Reader(id="reader", model=make_model())]
        )

    def digging() -> GenNetwork:
        agents = [Digger(id="digger"), Notes(id="notes")]
        return GenNetwork(id="net", agents=agents, links=[("digger", "dug", "notes")], supervision="skip")

    def failing() -> GenNetwork:
        retry = Retry(times=2, delay=0.001, then="skip")
        return GenNetwork(id="net", agents=[Stumbles(id="s"), Notes(id="notes")], supervision=retry)

    return {
        "doing": (
            doing,
            [Message(receiver="doer", body="cake"), Message(receiver="dices"), Message(receiver="reader")],
        ),
        "town": (make_town, [Message(receiver="house/crier", body=body) for body in ("hello", "secret")]),
        "house": (
            make_house,
            [Message(receiver="house/host", body=body) for body in ("invite anna", "ask anna", "expel anna", "room x")],
        ),
        "digging": (digging, [Message(method="do", receiver="digger", body=str(n)) for n in range(3)]),
        "failing": (failing, [Message(method="do", receiver="s", body=body) for body in ("x", "never", "y")]),
        "alone": (lambda: Alone(id="alone"), [Message(body="a"), Message(body="b")]),
    }


async def check_records(place: Place) -> None:
    for name, (build, roots) in _recorded_plays().items():
        journal, local = MemoryJournal(), MemoryJournal()
        network = build()
        played = await place.play(network, *roots, journal=journal, one_by_one=True)
        there = Place(lambda: LocalRuntime(seed=played.run.seed), away=False, watched=True, seconds=LONG)  # noqa: B023
        same = build()
        wanted = await there.play(same, *roots, journal=local, one_by_one=True)
        equal(ending(played.error), ending(wanted.error), f"what ended {name}")
        facts, local_facts = await _facts(journal, played.run.id), await _facts(local, wanted.run.id)
        found, expected = _said_by(facts), _said_by(local_facts)
        equal(_kept_of(facts), _kept_of(local_facts), f"what the record of {name} keeps of agents")
        equal(dict(found - expected), {}, f"what the record of {name} says that it should not")
        equal(dict(expected - found), {}, f"what the record of {name} does not say")
        equal(states(network), states(same), f"the state of the agents of {name}")
        again = await build().replay(journal, played.run.id)
        equal(again.sent, played.run.statistics().sent, f"the messages of {name}, replayed here")


class Patient(GenAgent):
    """Works in two halves."""

    done: list[str] = []

    async def arequest(self, message: Message) -> Message:
        self.done.append(await self.effect("first", lambda: f"first {message.body}", repeats="pure"))
        self.emit("begun", Message(body=message.body))
        answer = await self.call(Message(method="ask", body="go on?", receiver=message.sender))
        self.done.append(await self.effect("second", lambda: f"second {answer.body}", repeats="pure"))
        return message.reply(body=" ".join(self.done))


async def check_resuming(place: Place) -> None:
    journal = MemoryJournal()
    network = GenNetwork(
        id="net", agents=[Patient(id="patient"), Notes(id="notes")], links=[("patient", "begun", "notes")]
    )
    async with place.run(network, Message(receiver="patient", body="x", sender="boss"), journal=journal) as run:
        pass
    equal(run.status, "waiting", "the status of a run that waits for an answer from outside")
    asked = [fact async for fact in journal.read(run.id) if isinstance(fact, Sent) and fact.method == "ask"]
    (question,) = asked
    network = GenNetwork(
        id="net",
        agents=[patient := Patient(id="patient"), notes := Notes(id="notes")],
        links=[("patient", "begun", "notes")],
    )
    answer = Message(sender="boss", receiver="patient", reply_to=Message(id=question.id), body="yes")
    again = network.resume(journal, run.id, answer, runtime=place.make())
    async with again:
        pass
    assert again.result is not None
    equal((again.status, again.result.body), ("done", "first x second yes"), "the end of a run that was resumed")
    equal((patient.done, notes.notes), (["first x", "second yes"], ["x"]), "the state of its agents")
    fresh = GenNetwork(
        id="net", agents=[Patient(id="patient"), Notes(id="notes")], links=[("patient", "begun", "notes")]
    )
    await fresh.replay(journal, run.id)
