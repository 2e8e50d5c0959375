"""Members who know whom, or what, they would have, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_net import GenAgent, Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.matching.ranking import CallForRanking, RankedWishes
from llm_net.protocols.matching.stable_matching import CallForChoice, Chosen
from tests.protocols.speakers import Says, Speaker


def likes(*names: str) -> Says:
    """Lists these, or chooses the first of them that are offered."""

    def says(message: Message) -> Message | None:
        match message:
            case CallForRanking():
                return RankedWishes.reply(message, ranking=names)
            case CallForChoice():
                wanted = tuple(name for name in names if name in message.candidates)[: message.most]
                return Chosen.reply(message, names=wanted) if wanted else Refuse.reply(message)
            case _:
                return None

    return says


def choosers(preferences: Mapping[str, Sequence[str]]) -> list[GenAgent]:
    """A member of each name."""
    return [Speaker(id=name, says=likes(*names)) for name, names in preferences.items()]
