"""What must hold of a protocol on record: killed anywhere, it goes on to the same outcome, and is replayed. Knows none of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm_net import GenAgent, Message
from llm_net.record import Fact
from tests.journal.crashes import check_record, crash, deliveries_of, gone_on, recorded, replayed
from tests.journal.plays import Play, World


@dataclass(frozen=True)
class Conversation(Play):
    """A play that one typed message begins.

    Args:
        root: makes it, from its fields as a message.
    """

    root: Callable[..., Message] = Message

    def messages(self) -> list[Message]:
        return [self.root(id="root0", sender="boss")]


def check_it_goes_on(
    build: Callable[[], GenAgent], root: Callable[..., Message], *, every: int = 1, again: bool = True
) -> None:
    """Record it, kill it after each fact (or each so many), go on, and replay. Raises AssertionError, and what a replay does.

    Args:
        again: whether what went on is replayed too. Where members do several things at once with one state, a replay need not
            find the order in which they did them after an interruption: see docs/why/journal.md.
    """

    def built(world: World) -> GenAgent:
        return build()

    play = Conversation(built, (), root=root)
    facts, whole, run = recorded(play)

    assert whole.status == "done"
    replayed(play, facts, run)
    for upto in range(1, len(facts) + 1, every):
        after, outcome = gone_on(play, crash(facts, upto, happened=False), run)
        where = f"killed after fact {upto} of {len(facts)}"
        check_record(after)
        assert outcome.status == "done", where
        assert told(after) == told(facts), where
        if again:
            replayed(play, after, run)


def told(facts: Sequence[Fact]) -> Counter[tuple[str, ...]]:
    """What was said to the outside."""
    return Counter({what: times for what, times in deliveries_of(facts, strict=False).items() if what[2] == "boss"})
