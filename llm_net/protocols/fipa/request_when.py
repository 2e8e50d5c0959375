"""The rules of a request for later: do it as soon as something else is true. Knows nobody who does, and no clock."""

from __future__ import annotations

from llm_net.protocols.acts import Agree, Failure, Inform, Refuse, RequestWhen
from llm_net.protocols.meta import completed
from llm_net.protocols.rules import START, Rules

REQUEST_WHEN = Rules(
    "fipa-request-when",
    completed([
        (START, "initiator", RequestWhen, "asked"),
        ("asked", "participant", Agree, "agreed"),
        ("asked", "participant", Refuse, "refused"),
        ("agreed", "participant", Inform, "done"),
        ("agreed", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00028H",
    fallback=(Refuse, Failure),
)  # fmt: skip
"""Here one has to agree: nobody else can know that the other waits for its moment."""
