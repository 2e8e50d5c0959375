"""Every journal keeps the promises of the port."""

from __future__ import annotations

import asyncio

from llm_net.testing import check_journal
from tests.journal.conftest import Make


def test_a_journal_keeps_the_promises_of_the_port(make: Make) -> None:
    asyncio.run(check_journal(make))
