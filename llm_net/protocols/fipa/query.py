"""The rules of a question: whether something is true, or which thing fits a description. Knows nobody who answers."""

from __future__ import annotations

from llm_net.protocols.acts import Agree, Failure, Inform, QueryIf, QueryRef, Refuse
from llm_net.protocols.meta import completed
from llm_net.protocols.rules import START, Rules

QUERY = Rules(
    "fipa-query",
    completed([
        (START, "initiator", QueryIf, "asked"),
        (START, "initiator", QueryRef, "asked"),
        ("asked", "participant", Inform, "answered"),
        ("asked", "participant", Agree, "agreed"),
        ("asked", "participant", Refuse, "refused"),
        ("asked", "participant", Failure, "failed"),
        ("agreed", "participant", Inform, "answered"),
        ("agreed", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00027H",
    fallback=(Refuse, Failure),
)  # fmt: skip
