"""Makes a run what its journal says it was: agents, mailboxes, open questions. Knows how facts become live, not how they came.

What a run goes on with is what its record says; the network is built by the same code as before, and only the fields, the
members and the links that changed are made as they were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from llm_net.address import AbstractObject, Border, Reference
from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import CallTimeout, DeliveryError, NotResumable, UnknownAddress, UnknownRun, WireError
from llm_net.event import Event
from llm_net.graph import ITSELF
from llm_net.message import Message
from llm_net.ports import Journal, Past
from llm_net.record import Effect, Ended, Opened, Select, Sent, State
from llm_net.runtime.before import FIELDS, ROLLS, Before, is_same_roll
from llm_net.runtime.cell import Entry
from llm_net.runtime.members import Roll, arrange
from llm_net.runtime.place import Route
from llm_net.runtime.recorder import GONE, OUTSIDE, Recorder
from llm_net.runtime.state import (
    AGENTS,
    LINKS,
    Fields,
    agent_kind,
    forget_computed,
    links_in,
    members_in,
    stored,
    upcast,
)
from llm_net.wire import ANCESTORS, LONG_AGO, Elsewhere, decode_alone

if TYPE_CHECKING:
    from llm_net.runtime.run import LocalRun

DEEPEST = 10 * ANCESTORS
"""How much of a thread is read again: so many messages up from each that goes on."""

_ANSWERED = re.compile(rb'"reply_to":("(?:[^"\\]|\\.)*")')


async def opened(run: LocalRun, journal: Journal) -> Recorder:
    """The recorder of a run that begins, or goes on with its past, which is then made present.

    Raises:
        NotResumable, UnknownRun, JournalFailed: it cannot be recorded, or cannot go on.
    """
    from llm_net.runtime.replay import replayer  # which knows us

    past = run.past
    if past is not None and past.replay:
        return await replayer(run, journal)
    before = None if past is None else await _before(journal, past)
    if before is not None:
        run.seed = before.begun.seed
    recorder = recorder_of(run, journal, Recorder)
    kept: dict[str, dict[str, bytes]] = {}
    if past is not None and before is not None:
        kept = {address: _values(states) for address, states in before.states.items()}
        take_back(run, recorder, {past.run, before.begun.parent or past.run}, kept)
    recorder.build(run.agent)
    version = str(type(run.agent).version)
    if past is None or before is None:
        _refuse_chance(run.agent)
        recorder.began(run.agent.id, run.seed, version)
        return recorder
    recorder.seq, recorder.number, recorder.turns = before.seq, before.number, dict(before.turns)
    parent, cut = (None, 0) if past.at is None else (past.run, before.seq)
    recorder.began(run.agent.id, run.seed, version, parent, cut)
    recorder.settled = past.settle
    before = _edited(before, past, recorder)
    await _Restoring(run, recorder, before, kept).restore(journal, past.run)
    return recorder


def route_to(run: LocalRun, address: str) -> Route:
    """The way to an address of a record: to nobody else of that id, who might be elsewhere. Raises UnknownAddress."""
    assert run.engine is not None
    network = run.place.network
    if network is None or address == ITSELF or (address == network.id and address not in network):
        return Route(run.agent, run.engine.cell_of(run.agent), run.place)
    return run.place.route_along(address)


def entry_of(run: LocalRun, sent: Sent, message: Message, route: Route) -> Entry:
    """A delivery of a record as it lies in a mailbox."""
    event = Event(sent.event, message, sent.path) if sent.event else None
    return message, run, sent.depth, route.place, event, sent.event or sent.method, sent.number


R = TypeVar("R", bound=Recorder)


def recorder_of(run: LocalRun, journal: Journal, kind: type[R]) -> R:
    """A recorder for a run."""
    assert run.engine is not None
    return kind(
        run.id,
        run.seed,
        run.agent,
        journal,
        loop=run.engine.loop,
        now=None if run.source is None else run.source.now,
        outside=_await if run.world is None else run.world.outside,
        failed=lambda error: run.finish("failed", error),
    )


async def _await(work: Any) -> Any:
    return await work


async def _before(journal: Journal, past: Past) -> Opened:
    if past.at is None:
        return await journal.open(past.run)
    return await journal.open(past.run, upto=await _cut(journal, past.run, past.at))


async def _cut(journal: Journal, run: str, id: str) -> int:
    """The place where a message is on its way to all to whom it went at once: several may hear an event."""
    deliveries = [fact async for fact in journal.read(run, Select(facts=(Sent,), ids=(id,))) if isinstance(fact, Sent)]
    if not deliveries:
        raise UnknownRun(f"{run} with a message {id}")
    first, last = deliveries[0], deliveries[-1]
    cut = first.seq
    if first.step and last is not first:
        async for fact in journal.read(run, Select(facts=(Sent, Effect), after=first.seq, upto=last.seq)):
            if isinstance(fact, Sent | Effect) and fact.step == first.step:
                if not isinstance(fact, Sent) or fact.id != id or fact.edited:
                    break  # it went on with something else
                cut = fact.seq
    return cut


def _edited(before: Opened, past: Past, recorder: Recorder) -> Opened:
    """With the last message as it shall be in a fork, for all to whom it is on its way; which is noted for each."""
    if not past.edit:
        return before
    edited: dict[int, Sent] = {}
    for sent in (*before.pending, *before.replies.values()):
        if sent.id == past.at and sent.number not in edited:
            record = from_json(sent.message)
            record["fields"].update(past.edit)
            edit = replace(sent, seq=recorder.seq + 1, message=to_json(record), edited=True)
            edited[sent.number] = replace(edit, seq=sent.seq)
            recorder.note(edit)
    if not edited:
        raise NotResumable(past.run, f"message {past.at} went to the outside; edit one that somebody receives")

    def put(each: Any) -> Any:
        return edited.get(each.number, each) if isinstance(each, Sent) else each

    return replace(
        before,
        pending=[put(each) for each in before.pending],
        replies={question: put(each) for question, each in before.replies.items()},
        past={number: [put(each) for each in facts] for number, facts in before.past.items()},
    )


def _refuse_chance(outermost: GenAgent) -> None:
    """An agent whose id is made by chance cannot be found again."""
    for _, agent in outermost.walk() if isinstance(outermost, GenNetwork) else ():
        if re.fullmatch(re.escape(type(agent).__name__) + ":[0-9a-f]{8}", agent.id):
            raise NotResumable(
                outermost.id,
                f"agent {agent.id!r} has an id made by chance, by which no resume finds it; give it one: id=…",
            )


class Decoder:
    """The messages of a record, live: each once, tied to those that it answers.

    Args:
        records: their JSON by id; those that are missing are known by their ids alone.
    """

    def __init__(self, run: LocalRun, recorder: Recorder, records: dict[str, bytes]) -> None:
        self._run = run
        self._recorder = recorder
        self._records = records
        self._messages: dict[str, Message] = {}
        self.border = Border(address=recorder.address, agent=self._agent, message=self.message)

    async def read_threads(self, journal: Journal, name: str, upto: int, also: Iterable[bytes]) -> None:
        """The messages that those at hand answer, as they were last edited, and so on; and those that other JSON speaks of."""
        wanted = _answered_in([*self._records.values(), *also])
        for _ in range(DEEPEST):
            wanted -= self._records.keys()
            if not wanted:
                return
            found: dict[str, bytes] = {}
            async for fact in journal.read(name, Select(facts=(Sent,), upto=upto, ids=tuple(wanted))):
                if isinstance(fact, Sent) and (fact.edited or fact.id not in found):
                    found[fact.id] = fact.message
            self._records.update(found)
            wanted = _answered_in(found.values())

    def message(self, id: str) -> Message:
        """A message of the record; of one that is not at hand, only the id."""
        waiting = [id]
        while waiting:  # whom it answers comes first; no recursion
            last = waiting[-1]
            record = self._records.get(last)
            if last in self._messages or record is None:
                if last not in self._messages:
                    self._messages[last] = Elsewhere(id=last, created_at=LONG_AGO)
                waiting.pop()
                continue
            above = [each for each in _answered_in([record]) if each not in self._messages]
            if above and above[0] not in waiting:
                waiting.append(above[0])
                continue
            try:
                self._messages[last] = decode_alone(record, self.border)
            except WireError as failed:
                raise NotResumable(self._run.agent.id, f"message {last} of the record: {failed}") from failed
            waiting.pop()
        return self._messages[id]

    def _agent(self, address: str) -> AbstractObject:
        if address.startswith(GONE):
            return Reference(address.removeprefix(GONE))
        if address.startswith(OUTSIDE):
            id = address.removeprefix(OUTSIDE)
            self._run.outsiders.add(id)
            self._recorder.outsiders.add(id)
            return Reference(id)
        try:
            return route_to(self._run, address).agent
        except DeliveryError:
            return Reference(address)


def take_back(run: LocalRun, recorder: Recorder, runs: set[str], kept: Mapping[str, Mapping[str, bytes]]) -> None:
    """Make live agents what they were before a run that goes on changed these very objects.

    Args:
        runs: the names of that run, and of the one that it began with.
        kept: by address, whose fields and members are on record, and will be made what they were by that.

    Raises:
        NotResumable: another run has changed them meanwhile.
    """
    _TakingBack(run, runs, kept, Decoder(run, recorder, {}).border).take_back(run.agent, ITSELF)


class _TakingBack:
    """Takes back what became of one agent after the other."""

    def __init__(self, run: LocalRun, runs: set[str], kept: Mapping[str, Mapping[str, bytes]], border: Border) -> None:
        self._run = run
        self._runs = runs
        self._kept = kept
        self._border = border
        self._seen: set[int] = set()

    def take_back(self, agent: GenAgent, address: str) -> None:
        """Take back what became of an agent, and of all inside. Raises NotResumable."""
        if id(agent) in self._seen:
            return
        self._seen.add(id(agent))
        kept = self._kept.get(address, {})
        self._take_back_fields(agent, known=bool(kept))
        if isinstance(agent, GenNetwork):
            self._take_back_members(agent, known=AGENTS in kept)
            members = dict(agent._graph.members)
            if AGENTS in kept and (before := ROLLS.of(agent)) is not None:
                members.update(before.what.agents)  # some of whom may come back
            for id_, member in members.items():
                self.take_back(member, id_ if address == ITSELF else f"{address}/{id_}")

    def _take_back_fields(self, agent: GenAgent, *, known: bool) -> None:
        before = FIELDS.of(agent)
        if before is None:
            return
        fields = Fields.of(type(agent))
        now = fields.of_agent(agent, self._border)
        if self._is_this(before):
            changed = {name: data for name, data in before.what.items() if data != now.get(name)}
            if not known and now.keys() - before.what.keys():
                self._refuse(agent)
            forget_computed(agent)
            vars(agent).update((name, fields.decode(name, data, self._border)) for name, data in changed.items())
        elif not known and (before.lived or before.what != now):
            self._refuse(agent)

    def _take_back_members(self, network: GenNetwork, *, known: bool) -> None:
        before = ROLLS.of(network)
        if before is None:
            return
        if self._is_this(before):
            if not known:
                arrange(network, list(before.what.agents.values()), list(before.what.links))
        elif not known and (before.lived or not is_same_roll(before.what, Roll.of(network))):
            self._refuse(network)

    def _is_this(self, before: Before[Any]) -> bool:
        """Whether it was so when the run began that goes on; then a fork of it begins so too."""
        if before.runs.isdisjoint(self._runs):
            return False
        before.runs.add(self._run.id)
        return True

    def _refuse(self, agent: GenAgent) -> None:
        if self._run.past is not None and self._run.past.replay:
            return  # which finds out whether it matters
        problem = f"another run has changed the object of {agent.id!r} meanwhile; build the network anew to go on with this one"
        raise NotResumable(self._run.agent.id, problem)


class _Restoring:
    """Makes one run what it was."""

    def __init__(self, run: LocalRun, recorder: Recorder, before: Opened, kept: dict[str, dict[str, bytes]]) -> None:
        self._run = run
        self._recorder = recorder
        self._before = before
        self._kept = kept
        at_hand = [*before.pending, *before.replies.values()]
        self._decoder = Decoder(run, recorder, {sent.id: sent.message for sent in at_hand})
        self._border = self._decoder.border
        self._changed = {address for address, values in self._kept.items() if AGENTS in values}  # networks
        self._orphans: list[Sent] = []  # of whom the receiver is not there

    async def restore(self, journal: Journal, name: str) -> None:
        run, before, recorder = self._run, self._before, self._recorder
        assert run.engine is not None
        states = [state.body for states in before.states.values() for state in states]
        await self._decoder.read_threads(journal, name, before.seq, states)
        # The outer ones first: they say who is in them.
        for address in sorted(self._kept, key=lambda address: (address != ITSELF, address.count("/"))):
            self._restore_agent(address)
        recorder.present()
        ends = dict(before.ends)
        taken, handled = ends.pop("taken", 0), ends.pop("handled", 0)
        run.restore(before.sent, taken + handled, ends, before.usage)
        run.abandoned.update(before.abandoned)
        recorder.past = dict(before.past)
        recorder.replies = {question: self._decoder.message(sent.id) for question, sent in before.replies.items()}
        for sent in before.pending:
            for fact in before.past.get(sent.number, ()):
                if isinstance(fact, Effect):
                    recorder.met(fact)
                elif isinstance(fact, Sent) and fact.receiver == "" and fact.id not in before.replies:
                    recorder.asked_outside[fact.id] = sent.receiver
        pending = list(before.pending)
        if pending and pending[-1].seq == before.seq and run.is_late(self._decoder.message(pending[-1].id)):
            late = pending.pop()  # it was just about to be put to the dead letters
            run.engine.loop.call_soon(self._bury, late, CallTimeout(late.sender, late.method, 0.0))
        self._orphans = [sent for sent in pending if not self._bring_back(sent)]
        recorder.before = {sent.number for sent in pending} - {sent.number for sent in self._orphans}
        for number, did in before.past.items():
            if number in recorder.before:
                recorder.unsaid.update((sent.number, number) for sent in _last_try(did))
        if self._kept or self._orphans:
            recorder.late = self._late
        if self._orphans:
            recorder.never = self._never
            if not recorder.before:
                assert run.engine is not None
                run.engine.loop.call_soon(self._never)

    def _late(self) -> None:
        """A step that is repeated brought somebody whom others knew already when the run was interrupted."""
        for address in sorted(self._kept, key=lambda address: address.count("/")):
            if address in self._kept:  # else it was restored with the network around it
                self._restore_agent(address)
        self._orphans = [sent for sent in self._orphans if not self._bring_back(sent)]

    def _never(self) -> None:
        """All has ended that was under way, and some did not come: they have left, or the network was built without them."""
        run, orphans = self._run, self._orphans
        self._orphans = []
        for sent in orphans:
            around = sent.receiver
            while (around := around.rpartition("/")[0]) and around not in self._changed:
                pass
            if not around and ITSELF not in self._changed:
                problem = f"{sent.method!r} waits for {sent.receiver!r}, who is not there; build the network as it was"
                run.finish("failed", NotResumable(run.agent.id, problem))
                return
            self._bury(sent, UnknownAddress(sent.receiver, run.agent.id))

    def _bury(self, sent: Sent, reason: Exception) -> None:
        self._run.bury(self._decoder.message(sent.id), sent.receiver, reason, number=sent.number)

    def _bring_back(self, sent: Sent) -> bool:
        """Put a message into the mailbox in which it was. False if its receiver is not there."""
        run = self._run
        assert run.engine is not None
        message = self._decoder.message(sent.id)
        try:
            route = route_to(run, sent.receiver)
        except UnknownAddress:
            return False
        if message.deadline is not None:
            run.special = True
        tries = sum(isinstance(fact, Ended) for fact in self._before.past.get(sent.number, ()))
        run.bring_back(route, entry_of(run, sent, message, route), tries)
        return True

    # ------------------------------------------------------------------------------------------ agents

    def _restore_agent(self, address: str) -> None:
        """Make an agent what it was, if it is there."""
        values = self._kept[address]
        try:
            agent = route_to(self._run, address).agent if values else None
        except DeliveryError:
            return  # a step that is repeated will bring it
        del self._kept[address]
        if agent is None:
            return  # it left
        assert isinstance(agent, GenAgent)
        if isinstance(agent, GenNetwork) and AGENTS in values:
            self._restore_members(agent, address, values)
        self._restore_fields(agent, values)
        self._recorder.restored(agent, values)

    def _restore_members(self, network: GenNetwork, address: str, values: Mapping[str, bytes]) -> None:
        before = ROLLS.of(network)
        members: list[GenAgent] = []
        for id, name in members_in(values[AGENTS]).items():
            kept = self._kept.get(id if address == ITSELF else f"{address}/{id}", {})
            member = network._graph.members.get(id)
            if not kept and before is not None and id in before.what.agents:  # the very one that was there, unchanged
                member = before.what.agents[id]
            members.append(self._made(id, name, kept) if member is None else member)
        arrange(network, members, links_in(values[LINKS]))

    def _made(self, id: str, name: str, values: Mapping[str, bytes]) -> GenAgent:
        kind = agent_kind(name)
        if kind is None:
            raise NotResumable(self._run.agent.id, f"the class {name} of its agent {id!r} is unknown; import it first")
        try:
            return kind.model_validate({"id": id, **self._fields(kind, values)}, context=self._border)
        except ValidationError as invalid:
            raise NotResumable(
                self._run.agent.id, f"agent {id!r}, which was added while it ran, cannot be made again: {invalid}"
            ) from invalid

    def _restore_fields(self, agent: GenAgent, values: Mapping[str, bytes]) -> None:
        try:
            FIELDS.remember(agent, self._run.id, Fields.of(type(agent)).of_agent(agent, self._border))
            fields = self._fields(type(agent), values)
            forget_computed(agent)
            vars(agent).update(fields)
        except (ValidationError, WireError, ValueError) as invalid:
            raise NotResumable(
                self._run.agent.id,
                f"what is kept of agent {agent.id!r} does not fit {type(agent).__name__}: {invalid}; "
                "say in its `upcast_state` how it does",
            ) from invalid

    def _fields(self, kind: type[GenAgent], values: Mapping[str, bytes]) -> dict[str, object]:
        fields = Fields.of(kind)
        own = {name: data for name, data in upcast(kind, values).items() if name not in (AGENTS, LINKS)}
        if unknown := [name for name in own if name not in fields.names]:
            raise ValueError(f"it has no field {unknown[0]!r}")
        return {name: fields.decode(name, data, self._border) for name, data in own.items()}


def _last_try(did: Iterable[Sent | Effect | Ended]) -> list[Sent]:
    """What a step sent since it last failed."""
    sent: list[Sent] = []
    for fact in did:
        if isinstance(fact, Ended):
            sent.clear()
        elif isinstance(fact, Sent):
            sent.append(fact)
    return sent


def _values(states: Iterable[State]) -> dict[str, bytes]:
    whole, *changes = [state.body for state in states]
    return stored(whole, changes)


def _answered_in(records: Iterable[bytes]) -> set[str]:
    return {str(from_json(id)) for record in records for id in _ANSWERED.findall(record)}
