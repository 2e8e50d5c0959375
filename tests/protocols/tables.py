"""All tables of rules that the library has, in words of their own: a class without fields for each verb."""

from __future__ import annotations

from functools import cache

import pytest

from llm_net import Message
from llm_net.protocols.catalog import CATALOG
from llm_net.protocols.rules import Rules


@cache
def word(act: str) -> type[Message]:
    """A message class for a verb, that asks nothing and says nothing."""
    name = "".join(part.capitalize() for part in act.split("_"))
    fields = {"__module__": __name__, "__annotations__": {"method": str}, "method": act}
    return type(f"{name}Word", (Message,), fields)


def bare(rules: Rules) -> Rules:
    """The same table of moves, of bare words."""
    return rules.saying(*(word(act) for act in rules.kinds))


TABLES = {entry.rules.name: bare(entry.rules) for entry in CATALOG.values()}
for each in CATALOG.values():
    if each.network is not None:
        TABLES.update((rules.name, bare(rules)) for rules in each.network.rules)

tables = pytest.mark.parametrize("rules", TABLES.values(), ids=list(TABLES))
"""Runs a test on each table."""
