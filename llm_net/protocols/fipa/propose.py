"""The rules of a proposal: who would do something asks whether it is wanted. Knows nobody who wants it."""

from __future__ import annotations

from llm_net.protocols.acts import AcceptProposal, Propose, RejectProposal
from llm_net.protocols.meta import completed
from llm_net.protocols.rules import START, Rules

PROPOSE = Rules(
    "fipa-propose",
    completed([
        (START, "initiator", Propose, "proposed"),
        ("proposed", "participant", AcceptProposal, "accepted"),
        ("proposed", "participant", RejectProposal, "rejected"),
    ]),
    source="FIPA SC00036H",
    fallback=(RejectProposal,),
)  # fmt: skip
