"""The rules of a subscription: to be told of something as often as it changes, until one of the two ends it.

Knows nobody who tells, and nothing of what changes.
"""

from __future__ import annotations

from llm_net.protocols.acts import Agree, Failure, Inform, Refuse, Subscribe
from llm_net.protocols.meta import completed
from llm_net.protocols.rules import START, Rules

SUBSCRIBE = Rules(
    "fipa-subscribe",
    completed([
        (START, "initiator", Subscribe, "asked"),
        ("asked", "participant", Refuse, "refused"),
        ("asked", "participant", Agree, "subscribed"),
        ("asked", "participant", Inform, "subscribed"),
        ("asked", "participant", Failure, "failed"),
        ("subscribed", "participant", Inform, "subscribed"),
        ("subscribed", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00035H",
    initiator="subscriber",
    participant="publisher",
    fallback=(Refuse, Failure),
)  # fmt: skip
"""The publisher ends it by a failure, the subscriber by a cancel."""
