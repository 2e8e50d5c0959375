"""Who speaks next. Knows names and what was said, not how anybody is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol, TypeAlias, runtime_checkable

from llm_net.protocols.dialogue.line import Line

URGENT: Final = 10
"""The highest urgency with which somebody may want to speak."""


@runtime_checkable
class Selection(Protocol):
    """A way to choose the next speaker."""

    def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
        """The next speaker.

        Args:
            members: who may be chosen, at least one.
            said: so far, also by those who are no longer there.
            chance: where lots are drawn from.

        Returns:
            One of the members, whatever happens.
        """
        ...


def silence(member: str, said: Sequence[Line]) -> int:
    """For how many turns a member has not had the floor; one more than all of them where it never did."""
    for turns, line in enumerate(reversed(said)):
        if line.speaker == member:
            return turns
    return len(said) + 1


def most_urgent(hands: Mapping[str, int], said: Sequence[Line]) -> str:
    """Who of those that want to speak does: who wants it most, where each turn of waiting counts as one degree of urgency.

    Who raises its hand each time waits for fewer than `URGENT` turns and one of each other: in that time everybody else
    has waited less, by more than urgency makes good. Equals come in their order.

    Args:
        hands: how much each wants to speak, 0 to `URGENT`; at least one.
    """
    return max(hands, key=lambda member: hands[member] + silence(member, said))


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """One after the other, in their order: nobody waits for more than one turn of each other."""

    def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
        return max(members, key=lambda member: silence(member, said))


@dataclass(frozen=True, slots=True)
class ByLot:
    """By lot among those who spoke least: nobody has a second turn before everybody had the first."""

    def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
        turns = {member: sum(line.speaker == member for line in said) for member in members}
        return chance.choice([member for member in members if turns[member] == min(turns.values())])


Choice: TypeAlias = Callable[[Sequence[str], Sequence[Line]], str | None]
"""Names the next speaker, of these members and after what was said; None where it does not matter."""


@dataclass(frozen=True, slots=True)
class ByRule:
    """As a function says; `otherwise` where it names nobody who is there."""

    rule: Choice
    otherwise: Selection = RoundRobin()

    def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
        named = self.rule(members, said)
        return named if named is not None and named in members else self.otherwise.pick(members, said, chance)


@dataclass(frozen=True, slots=True)
class Following:
    """By a graph of who may follow whom: whoever had the floor hands it to each of its followers in turn.

    Where each can be reached from each, nobody is left out for ever; and where whoever may follow may also be followed,
    everybody has spoken after at most 2 m d turns, for m pairs and a longest way of d.

    Args:
        followers: of each member; the first member of all begins.
        otherwise: where none of the followers is there.

    Source: Yanovski, Wagner and Bruckstein 2003, A distributed ant algorithm for efficiently patrolling a network.
    """

    followers: Mapping[str, Sequence[str]] = field(hash=False)
    otherwise: Selection = RoundRobin()

    def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
        if not said:
            return members[0]
        last = said[-1].speaker
        after = [name for name in self.followers.get(last, ()) if name in members]
        if not after:
            return self.otherwise.pick(members, said, chance)
        return after[(sum(line.speaker == last for line in said) - 1) % len(after)]


@dataclass(frozen=True, slots=True)
class BySelector:
    """A member that does not speak itself names the speaker, and cannot name anybody else than those who are there.

    Args:
        selector: its id.
        otherwise: where it names nobody.

    Source: Wu et al. 2023, AutoGen (arXiv 2308.08155), its group chat.
    """

    selector: str
    otherwise: Selection = RoundRobin()

    def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
        return self.otherwise.pick(members, said, chance)


@dataclass(frozen=True, slots=True)
class ByHands:
    """Each time everybody is asked how much it wants to speak; see `most_urgent`. Where no hand is raised, it is over."""

    def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
        return most_urgent(dict.fromkeys(members, 0), said)
