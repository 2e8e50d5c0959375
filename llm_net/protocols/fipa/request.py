"""The rules of a request: somebody is asked to do something, and does it or says why not. Knows nobody who does."""

from __future__ import annotations

from llm_net.protocols.acts import Agree, Failure, Inform, Refuse, Request
from llm_net.protocols.meta import completed
from llm_net.protocols.rules import START, Rules

REQUEST = Rules(
    "fipa-request",
    completed([
        (START, "initiator", Request, "asked"),
        ("asked", "participant", Inform, "done"),
        ("asked", "participant", Agree, "agreed"),
        ("asked", "participant", Refuse, "refused"),
        ("asked", "participant", Failure, "failed"),
        ("agreed", "participant", Inform, "done"),
        ("agreed", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00026H",
    fallback=(Refuse, Failure),
)  # fmt: skip
"""To agree is worth a word where the result takes time; who can do it at once says what came of it."""
