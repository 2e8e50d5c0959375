"""Who may know which hidden roles. Knows the roles of a game, not how it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from random import Random
from typing import Final, Literal, TypeAlias

Secret: TypeAlias = Literal["werewolf", "seer", "villager"]
"""Werewolves know each other and kill by night; the seer learns one part each night; villagers know nothing."""

WEREWOLF: Final[Secret] = "werewolf"
SEER: Final[Secret] = "seer"
VILLAGER: Final[Secret] = "villager"


def dealt(players: Sequence[str], chance: Random) -> dict[str, Secret]:
    """Parts by lot: of four players one is a werewolf, one more of each further four; one is the seer.

    Raises:
        ValueError: there are fewer than three players.

    Source: the game Mafia of Dimitry Davidoff, 1986; Andrew Plotkin 1997, Werewolf.
    """
    if len(players) < 3:
        raise ValueError(f"{len(players)} players cannot play; have at least three")
    wolves = max(1, len(players) // 4)
    parts: list[Secret] = [SEER, *repeat(WEREWOLF, wolves), *repeat(VILLAGER, len(players) - wolves - 1)]
    chance.shuffle(parts)
    return dict(zip(players, parts, strict=True))


def known(player: str, parts: Mapping[str, Secret], seen: Iterable[str]) -> dict[str, Secret]:
    """The parts that a player knows: its own; of a werewolf, the other werewolves; of the seer, those it has seen.

    Args:
        seen: whom the seer has looked at so far.
    """
    mine = parts[player]
    if mine == WEREWOLF:
        return {name: part for name, part in parts.items() if part == WEREWOLF}
    told = {player, *seen} if mine == SEER else {player}
    return {name: part for name, part in parts.items() if name in told}


def winner(alive: Iterable[str], parts: Mapping[str, Secret]) -> str | None:
    """ "villagers" once no werewolf is left, "werewolves" once the others are no more than they are; None while it goes on."""
    wolves = [parts[name] == WEREWOLF for name in alive]
    if not any(wolves):
        return "villagers"
    return "werewolves" if 2 * sum(wolves) >= len(wolves) else None
