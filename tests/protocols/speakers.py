"""Plain agents that answer as a function says: in time or late, by the rules or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import Field

from llm_net import GenAgent, Message, simulation
from llm_net.dispatch import handles
from llm_net.journal import MemoryJournal
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.record import Fact, Sent

M = TypeVar("M", bound=Message)

Says = Callable[[Message], Message | None]


class Speaker(GenAgent):
    """Answers each message as it says, and hears what wants no answer.

    Args:
        after: seconds that it takes.
    """

    says: Says = Field(exclude=True, repr=False)
    after: float = 0

    @handles(Message)
    async def aanswer(self, message: Message) -> Message | None:
        if self.after:
            await self.delay(self.after)
        return self.says(message)


def silent(message: Message) -> None:
    """Says nothing."""


def crashes(message: Message) -> None:
    """Raises whatever it is told."""
    raise RuntimeError("out of order")


def outcome_of(network: InteractionProtocol, root: Message, kind: type[M]) -> M:
    """What the network answers, in a world in which waiting takes no time."""
    outcome = simulation.run(network.aresult_of(root))
    assert isinstance(outcome, kind)
    return outcome


def said_in(network: InteractionProtocol, root: Message) -> list[str]:
    """All that is said, in the order in which it is."""

    async def main() -> list[str]:
        return [str(message) async for message in network.areceive(root)]

    return simulation.run(main())


def outcomes_after_each_crash(make: Callable[[], InteractionProtocol], root: Message) -> list[str]:
    """The contents of the outcome of a recorded run: as it was, and of runs that a crash ended after each message and that
    were then resumed. The record is replayed first.

    Args:
        make: the network, made anew.
    """

    async def main() -> list[str]:
        journal = MemoryJournal()
        async with make().run(root, journal=journal) as run:
            pass
        await make().replay(journal, run.id)
        assert run.result is not None
        contents = [str(run.result)]
        facts: list[Fact] = [fact async for fact in journal.read(run.id)]
        sent = {fact.id: index for index, fact in enumerate(facts) if isinstance(fact, Sent)}
        for cut in [index for index in sent.values() if index < sent[run.result.id]]:
            rest = MemoryJournal()
            await rest.write(run.id, facts[: cut + 1])
            async with make().resume(rest, run.id) as again:
                pass
            contents.append(str(again.result))
        return contents

    return simulation.run(main())
