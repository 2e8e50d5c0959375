"""A network as a picture: for networkx, for Mermaid, in words. Knows a network's members and links, nothing of runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeGuard

from llm_net.dispatch import Table
from llm_net.graph import ITSELF, Link
from llm_net.message import Message

if TYPE_CHECKING:  # networkx is imported only when a graph is asked for: it costs more than all of llm_net
    from networkx import MultiDiGraph


class Member(Protocol):
    """What there is to see of an agent."""

    handlers: ClassVar[Table]

    @property
    def id(self) -> str: ...

    @property
    def description(self) -> str: ...


class Network(Member, Protocol):
    """What there is to see of a network besides. All its links are `Link`s, whatever else it can be given as such."""

    @property
    def links(self) -> Collection[object]: ...

    def __iter__(self) -> Iterator[Member]: ...


def is_network(agent: Member) -> TypeGuard[Network]:
    """Whether this agent has members and links."""
    return hasattr(type(agent), "boundary") and hasattr(agent, "links")


def networks_of(network: Network) -> Iterator[tuple[str, Network]]:
    """This network and those inside, however deep, each with the beginning of its members' addresses; outer ones first.

    A network that is in itself is given once on each path.
    """
    level: list[tuple[str, Network, frozenset[int]]] = [("", network, frozenset((id(network),)))]
    while level:
        deeper: list[tuple[str, Network, frozenset[int]]] = []
        for prefix, outer, above in level:
            yield prefix, outer
            deeper += (
                (f"{prefix}{inner.id}/", inner, above | {id(inner)})
                for inner in outer
                if is_network(inner) and id(inner) not in above
            )
        level = deeper


def links_of(prefix: str, network: Network) -> Iterator[Link]:
    """The links of a network, with addresses as seen from where `prefix` begins; `ITSELF` is the outermost network."""
    itself = prefix[:-1] or ITSELF
    for link in network.links:
        if isinstance(link, Link):
            source = itself if link.source == ITSELF else prefix + link.source
            listener = itself if link.listener == ITSELF else prefix + link.listener
            yield Link(source, link.event, listener)


def graph_of(network: Network) -> MultiDiGraph[str]:
    """The network as networkx knows it: nodes are addresses (attribute `agent`), edges go from source to listener and
    have the event as key. Nested networks are nodes, and so is what they hold; the outermost is `.` where it is linked.
    """
    from networkx import MultiDiGraph

    graph: MultiDiGraph[str] = MultiDiGraph()
    for prefix, inner in networks_of(network):
        for agent in inner:
            graph.add_node(prefix + agent.id, agent=agent)
        for link in links_of(prefix, inner):
            for end in (link.source, link.listener):
                if end == ITSELF:
                    graph.add_node(ITSELF, agent=network)
            graph.add_edge(link.source, link.listener, key=link.event)
    return graph


def mermaid_of(network: Network) -> str:
    """The network as a Mermaid flowchart: networks are boxes, links are arrows with their event.

    An arrow to or from a network itself ends at a round node in its box: Mermaid cannot draw one between a box and what
    is in it.
    """
    links = [link for prefix, inner in networks_of(network) for link in links_of(prefix, inner)]
    linked = dict.fromkeys(end for link in links for end in (link.source, link.listener))
    names: dict[str, str] = {}

    def name(address: str) -> str:
        return names.setdefault(address, f"n{len(names)}")

    def box(address: str, inner: Network, above: frozenset[int]) -> Iterator[str]:
        if address in linked:
            yield f'{name(address)}(["{_label(inner.id)}"])'
        prefix = "" if address == ITSELF else address + "/"
        for agent in inner:
            path = prefix + agent.id
            if is_network(agent) and id(agent) not in above:
                yield f'subgraph {name(path + "/")}["{_label(agent.id)}"]'
                yield from ("  " + line for line in box(path, agent, above | {id(agent)}))
                yield "end"
            else:
                yield f'{name(path)}["{_label(agent.id)}"]'

    lines = ["flowchart LR", *("  " + line for line in box(ITSELF, network, frozenset((id(network),))))]
    lines += [f'  {name(end)}["{_label(end)}"]' for end in linked if end not in names]  # in networks drawn once
    lines += (f'  {name(link.source)} -->|"{_label(link.event)}"| {name(link.listener)}' for link in links)
    return "\n".join(lines) + "\n"


def description_of(network: Network) -> str:
    """The network in words: members, what they understand, who hears whom; what is nested is indented."""
    return "\n".join(_described(network, frozenset((id(network),)))) + "\n"


def _described(agent: Member, above: frozenset[int]) -> Iterator[str]:
    kind = type(agent).__name__
    about = " ".join(agent.description.split())
    yield f"{_line(agent.id)}: {kind}" + (f", {about}" if about else "")
    if understood := type(agent).handlers.verbs():
        yield "  understands " + ", ".join(_verb(verb, kinds) for verb, kinds in understood.items())
    if not is_network(agent):
        return
    for member in agent:
        if is_network(member) and id(member) in above:
            yield f"  {_line(member.id)}: the network around it"
        else:
            yield from ("  " + line for line in _described(member, above | {id(member)}))
    for link in links_of("", agent):
        source, listener = (_line(agent.id if end == ITSELF else end) for end in (link.source, link.listener))
        event = "everything" if link.event == "*" else repr(link.event)
        yield f"  {listener} hears {event} of {source}"


def _verb(verb: str, kinds: tuple[type[Message], ...]) -> str:
    own = [kind.__name__ for kind in dict.fromkeys(kinds) if kind is not Message]
    return f"{verb} ({', '.join(own)})" if own else verb


def _line(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _label(text: str) -> str:
    """Text as Mermaid shows it as it is, whatever is in it. Source: Mermaid's entity codes, `#` number `;`."""
    return "".join(c if c.isalnum() or c in " _-./:,*" else f"#{ord(c)};" for c in text) or " "
