"""What is wrong with a network before its first message. Knows its members, its links and their habits; runs nothing.

Only what is certain, as far as the sources say, is a problem. Where they do not say (no source, a computed name, agents
that are added while it runs) nothing is claimed.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import FunctionType
from typing import get_args

from llm_net.graph import ANY_EVENT, ITSELF, Link
from llm_net.habits import Habits, Made, Sent, is_base, methods_of, place_of
from llm_net.message import Message, Method
from llm_net.picture import Member, Network, is_network, networks_of


def problems_of(network: Network) -> list[str]:
    """What will go wrong in this network or in one inside it, a sentence each with who, where and the cure.

    Links to events that nobody emits, or that the listener has no handler for; messages to nobody, or that nobody
    handles; answers to an agent that has no handler for them; agents that nothing can reach because what was meant as
    their handlers is none.
    """
    house = _House(network)
    return list(dict.fromkeys([*_links(house), *_messages(house), *_answers(house), *_deaf(house)]))


# ---------------------------------------------------------------------------------------------- the network


class _House:
    """A network with all that is inside. A prefix is the beginning of the addresses in one network: "", "market/" …"""

    def __init__(self, network: Network) -> None:
        self.networks = dict(networks_of(network))
        self.members = {prefix: {agent.id: agent for agent in inner} for prefix, inner in self.networks.items()}
        self.paths = {prefix + id: agent for prefix, members in self.members.items() for id, agent in members.items()}
        self.alike: dict[tuple[type, str], list[Member]] = {(type(network), ""): [network]}
        """Agents of one class in one network: they meet the same problems."""
        for prefix, members in self.members.items():
            for agent in members.values():
                self.alike.setdefault((type(agent), prefix), []).append(agent)
        self._habits: dict[type, Habits] = {}

    def habits(self, agent: Member) -> Habits:
        kind = type(agent)
        if kind not in self._habits:
            self._habits[kind] = Habits.of(kind, kind.handlers)
        return self._habits[kind]

    @cached_property
    def grows(self) -> bool:
        """Whether agents add agents, so that nobody can say yet who will be there."""
        return any(self.habits(agents[0]).adds for agents in self.alike.values())

    def sends(self) -> Iterator[tuple[str, list[Member], Sent]]:
        """Every message that is sent: where, by which agents, and the message."""
        for (_, prefix), agents in self.alike.items():
            for sends in self.habits(agents[0]).sends.values():
                for sent in sends:
                    yield prefix, agents, sent

    def at(self, prefix: str, address: str) -> Member | None:
        """Who lives at an address that agents of this network write: here, in a network around, or alone of that id."""
        around = [prefix]
        while around[-1]:
            around.append(around[-1][:-1].rpartition("/")[0] + "/" if "/" in around[-1][:-1] else "")
        for here in around:
            if address.partition("/")[0] in self.members[here]:
                return self.inside(here, address)
            if address == self.networks[here].id:
                return self.networks[here]
        if address.startswith(outermost := self.networks[""].id + "/"):
            return self.inside("", address.removeprefix(outermost))
        return next((members[address] for members in self.members.values() if address in members), None)

    def inside(self, prefix: str, path: str) -> Member | None:
        """Who lives at this path of members, also through networks that are in themselves."""
        if (found := self.paths.get(prefix + path)) is not None:
            return found
        agent: Member | None = self.networks[prefix]
        for id in path.split("/"):
            agent = {member.id: member for member in agent}.get(id) if agent is not None and is_network(agent) else None
        return agent

    def emitted(self, prefix: str, source: str) -> dict[str, list[Made | None]] | None:
        """What can be heard of a source, each event with its messages; None if that cannot be said."""
        if source == ITSELF:
            return self._emitted_by([self.networks[prefix]])
        agent, path = self.paths[prefix + source], prefix + source + "/"
        on_the_way = [path[:end] for end in range(len(prefix) + 1, len(path)) if path[end - 1] == "/"]
        if any(_overrides(self.networks[name], "boundary") for name in on_the_way):
            return None
        if not is_network(agent):
            return self._emitted_by([agent])
        inside = [network for name, network in self.networks.items() if name.startswith(path)]
        if not inside or any(_overrides(network, "boundary") for network in inside):
            return None  # it renames events, or is in itself
        return self._emitted_by([agent, *(member for name, member in self.paths.items() if name.startswith(path))])

    def _emitted_by(self, agents: Iterable[Member]) -> dict[str, list[Made | None]] | None:
        found: dict[str, list[Made | None]] = {}
        for agent in agents:
            if self.habits(agent).whatever or getattr(agent, "_callbacks", None):  # callbacks emit in the agent's name
                return None
            for event, made in self.habits(agent).emits.items():
                found.setdefault(event, []).extend(made)
        return found


def _understands(agent: Member, kind: type[Message], *methods: str) -> bool:
    return _overrides(agent, "missing") or any(type(agent).handlers.find(kind, method) for method in methods)


def _overrides(agent: Member, name: str) -> bool:
    return any(name in vars(base) for base in type(agent).__mro__ if not is_base(base))


# ---------------------------------------------------------------------------------------------- the checks


def _links(house: _House) -> Iterator[str]:
    for prefix, network in house.networks.items():
        for link in network.links:
            if isinstance(link, Link):
                yield from _link(house, prefix, link)


def _link(house: _House, prefix: str, link: Link) -> Iterator[str]:
    """What is wrong with one link."""
    network = house.networks[prefix]
    source, listener = (network if end == ITSELF else house.inside(prefix, end) for end in (link.source, link.listener))
    where = f"{network.id!r} links {link.source!r} at {link.event!r} to {link.listener!r}"
    if source is None or listener is None:
        gone = link.source if source is None else link.listener
        yield f"{where}, but {gone!r} is not there any more; unlink it"
        return
    if link.source != ITSELF and prefix + link.source not in house.paths:
        return  # through a network that is in itself
    emitted = house.emitted(prefix, link.source)
    if emitted is not None and link.event not in (ANY_EVENT, "receive", "sent") and link.event not in emitted:
        known = f"only {_quoted(emitted)}{_meant(link.event, emitted)}" if emitted else "nothing at all"
        yield f"{where}, but nobody there emits that, {known}; emit it in a handler, or link another event"
        return
    if not _overrides(listener, "missing") and not list(type(listener).handlers):
        yield f"{where}, who has no handlers at all; define {_handler(link.event, Message)}"
        return
    for made in (emitted or {}).get(link.event, []):
        if made is None or made.method is None:
            return
        if not _understands(listener, made.kind, link.event, made.method):
            known = _quoted(type(listener).handlers.verbs())
            yield (
                f"{where}, who has no handler for that {made.kind.__name__}, only for {known}; "
                f"define {_handler(link.event, made.kind)}"
            )
            return


def _messages(house: _House) -> Iterator[str]:
    """Messages to nobody, or that nobody handles."""
    if house.grows:
        return
    for prefix, agents, sent in house.sends():
        names, made = _names(agents), sent.made
        if not made.addressed or made.method is None:
            continue
        method, handler = made.method, _handler(made.method, made.kind)
        if made.receiver is None:
            if not any(_understands(agent, made.kind, method) for agent in _everybody(house)):
                yield f"{names} sends {method!r} ({sent.place}), which nobody here handles; define {handler}"
            continue
        receiver = house.at(prefix, made.receiver)
        if receiver is None:
            near = _meant(made.receiver, house.paths)
            yield f"{names} sends {method!r} to {made.receiver!r} ({sent.place}), but nobody lives there{near}; add it"
        elif not _understands(receiver, made.kind, method):
            known = _quoted(type(receiver).handlers.verbs()) or "nothing"
            yield (
                f"{names} sends {method!r} to {made.receiver!r} ({sent.place}), who understands {known}; "
                f"define {handler} there"
            )


def _answers(house: _House) -> Iterator[str]:
    """Answers that come to an agent which does not wait for them and has no handler for them."""
    for prefix, agents, sent in house.sends():
        names, sender, made = _names(agents), agents[0], sent.made
        if not made.addressed or sent.waits or made.method is None:
            continue
        if made.receiver is not None:
            receiver = house.at(prefix, made.receiver)
            asked = [receiver] if receiver is not None else []
        else:
            asked = [agent for agent in _everybody(house) if _understands(agent, made.kind, made.method)]
        unread = [next(_unread_of(house, agent, made, sender), None) for agent in asked]
        if unread and unread[0] is not None and all(unread):
            answer, method = unread[0].made, unread[0].made.method or ""
            yield (
                f"{names} sends {made.method!r} ({sent.place}) and does not wait, but has no handler for the answer "
                f"{method!r} ({unread[0].place}); write `await self.call(…)`, or define {_handler(method, answer.kind)}"
            )


def _unread_of(house: _House, asked: Member, question: Made, asker: Member) -> Iterator[Sent]:
    """The answers to a question that the asker cannot take."""
    handler = type(asked).handlers.find(question.kind, question.method or "")
    for sent in house.habits(asked).sends.get(handler.name, []) if handler is not None else []:
        answer = sent.made
        taken = sent.waits or answer.method is None or _understands(asker, answer.kind, answer.method)
        if answer.answers and not taken:
            yield sent


def _deaf(house: _House) -> Iterator[str]:
    """Agents that nothing can reach, although they have methods that look like handlers."""
    for (kind, _), agents in house.alike.items():
        agent = agents[0]
        if not is_network(agent) and not list(type(agent).handlers) and not _overrides(agent, "missing"):
            for name, function, overridden in methods_of(kind):
                if not overridden and _looks_like_a_handler(name, function):
                    yield (
                        f"nothing can reach {_names(agents)}: {kind.__name__} has no handlers; "
                        f"annotate what its method takes, `{name}(self, message: Message)` ({place_of(function)})"
                    )
                    break


# ---------------------------------------------------------------------------------------------- words

_VERBS = frozenset(get_args(Method))


def _looks_like_a_handler(name: str, function: FunctionType) -> bool:
    verb = (
        name.removeprefix("a")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        else name
    )
    return verb in _VERBS and len(inspect.signature(function).parameters) == 2


def _everybody(house: _House) -> Iterator[Member]:
    """One agent of each class in each network."""
    return (agents[0] for agents in house.alike.values())


def _names(agents: list[Member]) -> str:
    return repr(agents[0].id) + (f" (and {len(agents) - 1} more)" if len(agents) > 1 else "")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _handler(method: str, kind: type[Message]) -> str:
    if method.isidentifier():
        return f"`async def a{method}(self, message: {kind.__name__})`"
    return f"a handler marked `@handles({method!r})`"
