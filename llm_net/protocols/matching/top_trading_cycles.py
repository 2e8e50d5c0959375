"""Everybody brings a thing and may swap it for another's. Knows no owner from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.matching.ranking import CallForRanking, RankedWishes
from llm_net.protocols.matching.trading_cycles import top_trading_cycles
from llm_net.protocols.meta import exchange
from llm_net.protocols.outcome import Outcome


class Swap(Message):
    """Let the owners swap what they bring."""


class Swapped(Outcome):
    """What each has in the end.

    Args:
        has: of each owner.
        moved: who has something else than before.
    """

    has: Mapping[str, str] = {}
    moved: tuple[str, ...] = ()


TOP_TRADING_CYCLES = exchange(
    "top-trading-cycles",
    CallForRanking,
    RankedWishes,
    source="L. Shapley and H. Scarf 1974, On cores and indivisibility",
    initiator="broker",
    participant="owner",
)


class TopTradingCycles(InteractionProtocol):
    """A swap whose members are the owners: a `Swap` to the network is answered by `Swapped`.

    Owners get a `CallForRanking` of all things and answer by `RankedWishes`. They swap in rings, so that no group could do better
    by swapping among themselves. Nobody gains by lying. Who refuses, or gives no answer, keeps what it has.

    Args:
        owned: what each brings; members who bring nothing are not asked. What each has afterwards.
    """

    rules: ClassVar = (TOP_TRADING_CYCLES,)

    owned: Mapping[str, str]

    async def aswap(self, message: Swap) -> Swapped:
        owned = {member.id: self.owned[member.id] for member in self if member.id in self.owned}
        answers = await self.collect(
            CallForRanking(body=message.body, candidates=tuple(owned.values()), receiver=self[name], reply_to=message)
            for name in owned
        )
        wishes = {name: said.ranking for name, said in answers.of(RankedWishes).items()}
        has = top_trading_cycles({name: wishes.get(name, ()) for name in owned}, owned)
        self.owned = {**self.owned, **has}
        return Swapped.reply(
            message,
            body=message.body,
            has=has,
            moved=tuple(name for name in owned if has[name] != owned[name]),
            absent={**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")},
        )
