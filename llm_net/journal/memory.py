"""Facts in the memory of this process: the reference that every other journal is compared with. Knows no file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace

from llm_net.chat import Usage
from llm_net.journal.opening import ANCESTORS, once_each, open_facts, opened, parts_named, usage_of, with_edits
from llm_net.journal.order import check_cut, check_forks, check_order, check_remembered, first_fact, unknown
from llm_net.journal.words import words, words_of
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Opened, Part, RunInfo, Select, Sent

__all__ = ["MemoryJournal"]


@dataclass(slots=True)
class _Kept:
    """One run. `parent` is the one whose facts it begins with; `base` what it was when it was compacted."""

    begun: Begun
    parent: _Kept | None = None
    base: Opened | None = None
    facts: list[Fact] = field(default_factory=list)
    status: str = ""
    error: str = ""
    at: float = 0.0
    messages: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def seq(self) -> int:
        """Of its last fact."""
        return max(self.facts[-1].seq if self.facts else self.begun.cut, self.base.seq if self.base else 0)

    @property
    def beginning(self) -> int:
        """The first place that it can be opened at."""
        oldest = self
        while oldest.parent is not None:
            oldest = oldest.parent
        return oldest.base.seq if oldest.base else 0

    def note(self, fact: Fact) -> None:
        """One more fact."""
        self.facts.append(fact)
        if not isinstance(fact, Part):
            self.at = fact.at
        match fact:
            case Begun():
                self.status = self.error = ""
            case Finished():
                self.status, self.error = fact.status, fact.error
            case Sent() if not fact.edited:
                self.messages += 1
            case Effect():
                self.usage += usage_of(fact)
            case _:
                pass


class MemoryJournal:
    """Keeps runs as long as it lives. Plain and slow where that is plainer: `open` and `read` look at every fact."""

    def __init__(self) -> None:
        self._runs: dict[str, _Kept] = {}

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        if not facts:
            return
        kept = self._runs.get(run)
        if kept is None:
            begun = first_fact(run, facts)
            kept = _Kept(begun)
            if begun.parent is not None:
                kept.parent = self._find(begun.parent)
                check_cut(begun, kept.parent.beginning, kept.parent.seq)
        check_order(run, kept.seq, facts)
        self._runs[run] = kept
        for fact in facts:
            kept.note(fact)

    async def open(self, run: str, *, upto: int | None = None) -> Opened:
        return self._open(run, upto)

    async def read(self, run: str, select: Select = Select()) -> AsyncIterator[Fact]:  # noqa: B008 - frozen
        facts = self._facts(self._find(run))
        receivers = {fact.number: fact.receiver for fact in facts if isinstance(fact, Sent)}
        chosen = [fact for fact in facts if _is_chosen(fact, select, receivers)]
        if select.newest:
            chosen.reverse()
        for fact in chosen[: select.limit]:
            yield fact

    async def runs(self) -> Sequence[RunInfo]:
        return [
            RunInfo(
                name, run.begun.network, run.begun.at, run.status, run.error, run.at, run.messages, run.usage,
                run.begun.parent, run.begun.cut,
            )
            for name, run in self._runs.items()
        ]  # fmt: skip

    async def forget(self, run: str, *, keep_open: bool = False) -> None:
        kept = self._find(run)
        check_forks(run, [name for name, other in self._runs.items() if other.parent is kept])
        if not keep_open:
            del self._runs[run]
            return
        base, facts = self._open(run, None), self._facts(kept)
        needed = open_facts(base)
        named = parts_named(needed)
        parts = [fact for fact in facts if isinstance(fact, Part) and fact.hash in named]
        needed += _answered(needed, with_edits(facts, kept.beginning))
        kept.facts = once_each([kept.begun, *parts, *needed, *_ends(needed, facts)])
        kept.base, kept.parent = base, None

    async def aclose(self) -> None:
        """Nothing to give back."""

    def _find(self, run: str) -> _Kept:
        try:
            return self._runs[run]
        except KeyError:
            raise unknown(run, list(self._runs)) from None

    def _open(self, run: str, upto: int | None) -> Opened:
        kept = oldest = self._find(run)
        if upto is not None:
            check_remembered(run, kept.beginning, upto)
        while oldest.parent is not None:
            oldest = oldest.parent
        return opened(kept.begun, self._facts(kept, upto), oldest.base)

    def _facts(self, run: _Kept, upto: int | None = None) -> list[Fact]:
        """Its facts with those of its parents, each Sent with its message."""
        own: Iterable[Fact] = run.facts
        if run.parent is not None:
            own = [*self._facts(run.parent, run.begun.cut), *own]
        messages: dict[str, bytes] = {}
        facts: list[Fact] = []
        for fact in own:
            if upto is not None and fact.seq > upto:
                break
            if isinstance(fact, Sent):
                if fact.message:
                    messages[fact.id] = fact.message
                else:
                    fact = replace(fact, message=messages.get(fact.id, b""))  # noqa: PLW2901
            facts.append(fact)
        return facts


def _answered(needed: Sequence[Fact], facts: Sequence[Fact]) -> list[Sent]:
    """The first delivery of each message that these answer, of those that those answer, and so on."""
    first: dict[str, Sent] = {}
    for fact in facts:
        if isinstance(fact, Sent):
            first.setdefault(fact.id, fact)
    found: dict[str, Sent] = {}
    wanted = {fact.reply_to for fact in needed if isinstance(fact, Sent)}
    for _ in range(ANCESTORS):
        new = {id: first[id] for id in wanted if id in first and id not in found}
        found |= new
        wanted = {sent.reply_to for sent in new.values()}
    return list(found.values())


def _ends(needed: Sequence[Fact], facts: Sequence[Fact]) -> list[Ended]:
    """The ends of these deliveries, without what is told of states elsewhere."""
    numbers = {fact.number for fact in needed if isinstance(fact, Sent)}
    return [
        replace(fact, states=())
        for fact in facts
        if isinstance(fact, Ended) and fact.number in numbers and fact.end != "retried"
    ]


def _is_chosen(fact: Fact, select: Select, receivers: dict[int, str]) -> bool:
    return (
        (not select.facts or isinstance(fact, select.facts))
        and fact.seq > select.after
        and (select.upto is None or fact.seq <= select.upto)
        and (not select.numbers or _number(fact) in select.numbers)
        and (not select.agent or any(_is_in(address, select.agent) for address in _addresses(fact, receivers)))
        and (select.since is None or (not isinstance(fact, Part) and fact.at >= select.since))
        and (select.until is None or (not isinstance(fact, Part) and fact.at <= select.until))
        and (not _asks_for_messages(select) or (isinstance(fact, Sent) and _is_chosen_message(fact, select)))
    )


def _asks_for_messages(select: Select) -> bool:
    return bool(select.ids or select.replies_to or select.method or select.conversation or select.text)


def _is_chosen_message(sent: Sent, select: Select) -> bool:
    return (
        (not select.ids or sent.id in select.ids)
        and (not select.replies_to or sent.reply_to in select.replies_to)
        and (not select.method or sent.method == select.method)
        and (not select.conversation or sent.conversation == select.conversation)
        and (not select.text or _holds(sent.message, select.text))
    )


def _holds(message: bytes, text: str) -> bool:
    held = words_of(message)
    return all(any(word.startswith(wanted) for word in held) for wanted in words(text))


def _number(fact: Fact) -> int | None:
    match fact:
        case Sent() | Ended():
            return fact.number
        case Effect():
            return fact.step
        case _:
            return None


def _addresses(fact: Fact, receivers: dict[int, str]) -> tuple[str, ...]:
    match fact:
        case Sent():
            return fact.sender, fact.receiver
        case Ended():
            return (fact.agent,)
        case Effect() if fact.step in receivers:
            return (receivers[fact.step],)
        case _:
            return ()


def _is_in(address: str, agent: str) -> bool:
    return address == agent or (agent.endswith("/") and (address == agent[:-1] or address.startswith(agent)))
