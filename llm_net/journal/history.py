"""What happened in a run: its messages and threads, what models used, why somebody said something; and exports of it.

Knows a journal, from which it reads what it is asked for, and keeps nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from llm_net.chat import Usage
from llm_net.errors import UnknownRun
from llm_net.journal.causes import Causes, Why
from llm_net.journal.difference import Difference, Places, says_the_same, side_by_side
from llm_net.journal.jsonl import line_of
from llm_net.journal.opening import usage_of
from llm_net.journal.otlp import Spans
from llm_net.journal.said import Said, party, said
from llm_net.journal.sequence import lines_of
from llm_net.ports import Journal
from llm_net.record import Begun, Effect, RunInfo, Select, Sent

STEPS = 100
"""Steps that `why` goes back, unless it is told otherwise."""

DRAWN = 400
"""Messages of a diagram, unless told otherwise: Mermaid takes no text of more than 50,000 characters."""


@dataclass(frozen=True, slots=True)
class Used:
    """What one agent used of one model."""

    agent: str
    model: str
    usage: Usage
    seconds: float


class History:
    """One run of a journal, to be asked. All of its methods raise UnknownRun and JournalFailed."""

    def __init__(self, journal: Journal, run: str) -> None:
        self.journal = journal
        self.run = run

    async def info(self) -> RunInfo:
        """What there is to say of the run without looking into it."""
        for info in await self.journal.runs():
            if info.run == self.run:
                return info
        await self.journal.open(self.run)  # which says what it is not
        raise AssertionError(self.run)

    async def messages(
        self,
        *,
        agent: str = "",
        method: str = "",
        text: str = "",
        since: float | None = None,
        until: float | None = None,
        newest: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Said]:
        """The messages of the run in the order sent, each once for each receiver; all that is given must hold.

        Args:
            agent: an address, who sent it or got it; "team/" with everybody inside.
            method: of the message.
            text: words that it holds, in any order and case, whole or as the beginning of a longer one.
            since, until: seconds since 1970.
            newest: from the last to the first.
            limit: how many at most.
        """
        select = Select(
            facts=(Sent,), agent=agent, method=method, text=text, since=since, until=until, newest=newest, limit=limit
        )
        network = await self._network()
        async for sent in self._sent(select):
            yield said(sent, network)

    async def message(self, id: str) -> Said:
        """One message, as it was last edited, to its first receiver. Raises UnknownRun if there is none of this id."""
        return said(await self._find(id), await self._network())

    async def thread(self, id: str) -> tuple[Said, ...]:
        """A message and those that it answers, the first of them first. Raises UnknownRun if there is none of this id."""
        network = await self._network()
        found: dict[str, Sent] = {}
        sent: Sent | None = await self._find(id)
        while sent is not None and sent.id not in found:
            found[sent.id] = sent
            sent = await self._last(sent.reply_to) if sent.reply_to else None
        return tuple(said(sent, network) for sent in reversed(found.values()))

    async def usage(self) -> tuple[Used, ...]:
        """What agents used of models: one for each agent and model, who used most tokens first."""
        network = await self._network()
        used: dict[tuple[str, str], tuple[Usage, float]] = {}
        calls: list[Effect] = []

        async def settle() -> None:
            steps = {call.step for call in calls}
            agents = {sent.number: sent.receiver async for sent in self._sent(Select((Sent,), numbers=tuple(steps)))}
            for call in calls:
                key = party(agents.get(call.step, ""), network), call.name
                before, seconds = used.get(key, (Usage(), 0.0))
                used[key] = before + usage_of(call), seconds + call.at - call.began
            calls.clear()

        async for fact in self.journal.read(self.run, Select(facts=(Effect,))):
            if isinstance(fact, Effect) and fact.kind == "model" and fact.status != "intent":
                calls.append(fact)
                if len(calls) == 1_000:
                    await settle()
        if calls:
            await settle()
        result = [Used(agent, model, usage, seconds) for (agent, model), (usage, seconds) in used.items()]
        return tuple(sorted(result, key=lambda each: -each.usage.tokens))

    async def why(self, id: str, *, steps: int = STEPS) -> Why:
        """What led to a message, back to the outside. Raises UnknownRun if there is none of this id.

        Args:
            steps: how many steps it looks at, at most.
        """
        return await Causes(self.journal, self.run, await self._network(), steps).why(await self._find(id))

    async def compare(self, other: str) -> Difference:
        """This run beside another one of the journal, such as its fork. Reads all messages of both."""
        places = Places()
        left, right = await self._placed(places), await History(self.journal, other)._placed(places)
        pairs = list(side_by_side(left, right))
        different = [
            pair for pair in pairs if pair[0] is None or pair[1] is None or not says_the_same(pair[0], pair[1])
        ]
        return Difference(self.run, other, await self._shared(other), len(pairs) - len(different), different)

    # ------------------------------------------------------------------------------------------ exports

    async def jsonl(self) -> AsyncIterator[str]:
        """A line of JSON for each fact: its kind under "fact", then its fields."""
        async for fact in self.journal.read(self.run):
            yield line_of(fact)

    async def sequence(self, *, limit: int = DRAWN) -> str:
        """The messages as a Mermaid sequence diagram: arrows, dashed for replies, open for events.

        Args:
            limit: how many messages, from the first on.
        """
        messages = [message async for message in self.messages(limit=limit)]
        total = (await self.info()).messages
        return "\n".join(lines_of(messages, more=max(total - len(messages), 0)))

    async def otel(self, *, contents: bool = False) -> str:
        """The run as spans, in the JSON that OpenTelemetry collectors take at `/v1/traces`.

        Args:
            contents: whether what models were asked, and what they and effects answered, goes along.
        """
        spans = Spans(self.run, contents=contents)
        async for fact in self.journal.read(self.run):
            spans.add(fact)
        return to_json(spans.json()).decode()

    # ------------------------------------------------------------------------------------------ facts

    async def _network(self) -> str:
        async for fact in self.journal.read(self.run, Select(facts=(Begun,), limit=1)):
            if isinstance(fact, Begun):
                return fact.network
        return ""

    async def _find(self, id: str) -> Sent:
        found = await self._last(id)
        if found is None:
            raise UnknownRun(f"{self.run} with a message {id}")
        return found

    async def _last(self, id: str) -> Sent | None:
        """The first delivery of a message, as it was last edited; None for one that is not there."""
        first: Sent | None = None
        async for sent in self._sent(Select(facts=(Sent,), ids=(id,))):
            if first is None or sent.edited:
                first = sent
        return first

    async def _sent(self, select: Select) -> AsyncIterator[Sent]:
        async for fact in self.journal.read(self.run, select):
            if isinstance(fact, Sent):
                yield fact

    async def _placed(self, places: Places) -> dict[int, Said]:
        network = await self._network()
        found = await places.of(self.journal.read(self.run, Select(facts=(Sent,))))
        return {place: said(sent, network) for place, sent in found.items()}

    async def _shared(self, other: str) -> int:
        """How many facts two runs have together."""
        infos = await self.journal.runs()
        mine, theirs = ancestry(infos, self.run), ancestry(infos, other)
        return max((min(cut, theirs[run]) for run, cut in mine.items() if run in theirs), default=0)


def ancestry(infos: Sequence[RunInfo], run: str) -> dict[str, int]:
    """A run and those that it was forked from, each with the last of its facts that the run has."""
    known = {info.run: info for info in infos}
    cuts: dict[str, int] = {}
    cut = 1 << 62
    following: str | None = run
    while following is not None and following not in cuts:
        cuts[following] = cut
        info = known.get(following)
        following = None if info is None else info.parent
        cut = cut if info is None else min(cut, info.cut)
    return cuts
