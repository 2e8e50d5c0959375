"""Who came into the networks of a run, who left, and by whose doing. Knows neither facts nor what is done with them.

Several steps may change one network at a time, and each may be repeated alone: so what each of them changed is kept apart,
until it has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm_net.base import GenAgent, GenNetwork
from llm_net.graph import Link


@dataclass(frozen=True, slots=True)
class Roll:
    """Who is in a network, and who hears whom there."""

    agents: Mapping[str, GenAgent]
    links: Mapping[Link, None]

    @classmethod
    def of(cls, network: GenNetwork) -> Roll:
        """As it is now."""
        return cls(dict(network._graph.members), dict.fromkeys(network._graph.links))


def arrange(network: GenNetwork, agents: Sequence[GenAgent], links: Sequence[Link]) -> None:
    """Let a network have these members and these links, in this order."""
    wanted = set(map(id, agents))
    stay = [agent for agent in network if id(agent) in wanted]
    if any(one is not other for one, other in zip(stay, agents, strict=False)):  # they are in another order
        stay = []
    if len(stay) == len(network) == len(agents) and list(network._graph.links) == list(links):
        return
    for link in list(network._graph.links):
        network._graph.unlink(link)
    staying = set(map(id, stay))
    for agent in list(network):
        if id(agent) not in staying:
            network.remove(agent)
    for agent in agents[len(stay) :]:
        network.add(agent)
    for link in links:
        network._graph.link(link)


@dataclass(frozen=True, slots=True)
class Change:
    """What became different in a network."""

    network: GenNetwork
    left: dict[str, GenAgent]
    came: dict[str, GenAgent]
    unlinked: dict[Link, None]
    linked: dict[Link, None]

    def forget_undone(self, later: Change) -> None:
        """Somebody else undid some of this before it counted: of that nothing is left."""
        for mine, theirs in ((self.came, later.left), (self.left, later.came)):
            for id, agent in theirs.items():
                if mine.get(id) is agent:
                    del mine[id]
        for links, others in ((self.linked, later.unlinked), (self.unlinked, later.linked)):
            for link in others:
                links.pop(link, None)


class Members:
    """Keeps account. An owner is whose doing a change is: None for somebody outside."""

    def __init__(self, outermost: GenAgent) -> None:
        self._outermost = outermost
        self._seen: dict[int, tuple[GenNetwork, Roll]] = {}
        self._kept: dict[int, Roll] = {}
        self._open: dict[int, tuple[GenNetwork, object]] = {}  # networks that an owner is changing
        self._changes: dict[object, list[Change]] = {}

    def look_at(self, agent: GenAgent) -> None:
        """Nobody changed this network, and those inside, until now."""
        if isinstance(agent, GenNetwork):
            for network in (agent, *(inner for _, inner in agent.walk())):
                if isinstance(network, GenNetwork):
                    roll = Roll.of(network)
                    self._seen[id(network)], self._kept[id(network)] = (network, roll), roll

    def seen(self) -> list[tuple[GenNetwork, Roll]]:
        """The networks, as they were the last time."""
        return list(self._seen.values())

    def change(self, network: GenNetwork, owner: object) -> None:
        """Somebody is about to change a network; what it is by now was the doing of those before."""
        last = self._open.get(id(network))
        if last is not None and last[1] is not owner:
            self._settle(*last)
        self._open[id(network)] = network, owner

    def changes_of(self, owner: object) -> list[Change]:
        """What became different by the doing of an owner, or of somebody outside, since they were last asked for."""
        if not self._open and not self._changes:
            return []
        for network, by in list(self._open.values()):
            if by is None or by is owner:
                self._settle(network, by)
        return [*self._changes.pop(None, ()), *self._changes.pop(owner, ())]

    def keep(self, change: Change) -> Roll:
        """Let a change count. Gives the network with all that count."""
        before = self._kept[id(change.network)]
        agents = {id: agent for id, agent in before.agents.items() if change.left.get(id) is not agent}
        links = {link: None for link in before.links if link not in change.unlinked}
        roll = self._kept[id(change.network)] = Roll({**agents, **change.came}, {**links, **change.linked})
        return roll

    def kept(self, network: GenNetwork) -> Roll:
        """A network with all changes that count."""
        return self._kept[id(network)]

    def is_there(self, agent: GenAgent, path: str) -> bool:
        """Whether an agent is there as far as changes count, be it that a step which has not ended has removed it."""
        found: GenAgent | None = self._outermost
        for id_ in path.split("/"):
            roll = self._kept.get(id(found))
            found = None if roll is None else roll.agents.get(id_)
        return found is agent

    def _settle(self, network: GenNetwork, owner: object) -> None:
        del self._open[id(network)]
        _, before = self._seen[id(network)]
        now = Roll.of(network)
        self._seen[id(network)] = network, now
        change = Change(
            network,
            {id: agent for id, agent in before.agents.items() if now.agents.get(id) is not agent},
            {id: agent for id, agent in now.agents.items() if before.agents.get(id) is not agent},
            {link: None for link in before.links if link not in now.links},
            {link: None for link in now.links if link not in before.links},
        )
        for others in self._changes.values():
            for other in others:
                if other.network is network:
                    other.forget_undone(change)
        self._changes.setdefault(owner, []).append(change)
