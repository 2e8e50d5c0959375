"""Facts for tests of journals, as plain as they can be."""

from __future__ import annotations

from collections.abc import Sequence

from llm_net.errors import JournalError
from llm_net.ports import Journal
from llm_net.record import Begun, Ended, Fact, Sent

BEGUN = Begun(1, "net", 7, 1.0)


def sent(seq: int, body: str = "Bees") -> Sent:
    """A delivery, numbered as its place."""
    message = b'{"kind": "ask", "fields": {"body": "%s"}}' % body.encode()
    return Sent(seq, seq, 0, f"m{seq}", "ask", "ask", "", "anna", "", "c", "", "", 1, True, 1.0, message)


def ended(seq: int, number: int) -> Ended:
    """The end of a delivery."""
    return Ended(seq, number, "handled", "anna", number, 1.0, 2.0)


FIRST: list[Fact] = [BEGUN, sent(2), ended(3, 2), sent(4)]
"""A small run."""


async def facts_of(journal: Journal, run: str) -> list[Fact]:
    """All facts of a run."""
    return [fact async for fact in journal.read(run)]


async def refusal(journal: Journal, run: str, facts: Sequence[Fact]) -> str:
    """The sentence with which facts are not kept; "" if they are."""
    try:
        await journal.write(run, facts)
    except JournalError as error:
        return str(error)
    return ""
