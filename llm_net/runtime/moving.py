"""A network as data, and back: its agents with class and fields, who is in which network, who hears whom. Knows no wire.

An agent moves as validated state: the fields that JSON can say, each read by its own type. A model that an agent has stays
where it is, and what was borrowed for it takes its place. What else is alive (a client, a lock, a socket) does not move: an
agent makes it in `astart`, where it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

from pydantic_core import PydanticUndefined, from_json, to_json

from llm_net.address import AbstractObject, Border, Reference
from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import NotMovable, NotResumable
from llm_net.graph import ITSELF, Link
from llm_net.ports import Model
from llm_net.runtime.state import Fields, agent_kind, kind_of_agent

ELSEWHERE = "/."
"""What the address of somebody begins with who is not in the run; no agent's does."""

AS_WRITTEN = "/="
"""What an address begins with that somebody wrote, in place of an agent: whom it means depends on who sends it."""


class Manifest:
    """The agents of a run by number, the same ones in each process. The outermost is number 0.

    Args:
        first: the number of the next agent that is added here: each process has numbers of its own.
        borrow: makes what stands for a model that is elsewhere, of its number and name there.
    """

    def __init__(self, first: int = 0, borrow: Callable[[int, str], Model] | None = None) -> None:
        self.agents: dict[int, GenAgent] = {}
        self.models: list[Model] = []  # those that agents have here, by number
        self.border = Border(address=self.written, agent=self.found)
        self._next = first
        self._borrow = borrow
        self._numbers: dict[int, int] = {}
        self._stale = False
        self._here: dict[str, GenAgent] = {}
        self._addresses: dict[int, str] = {}

    @property
    def outermost(self) -> GenAgent:
        return self.agents[0]

    def add(self, agent: GenAgent) -> list[GenAgent]:
        """Give an agent, and all inside it, numbers. Gives those that had none."""
        new: list[GenAgent] = []
        for one in (agent, *_inside(agent)):
            if id(one) not in self._numbers:
                self._know(self._next, one)
                self._next += 1
                new.append(one)
        self.renew()
        return new

    def _know(self, number: int, agent: GenAgent) -> None:
        self._numbers[id(agent)] = number
        self.agents[number] = agent

    def renew(self) -> None:
        """A network changed: addresses are found anew when the next one is asked for."""
        self._stale = True

    def _look_around(self) -> None:
        self._stale = False
        outermost = self.outermost
        self._here = {ITSELF: outermost}
        self._addresses = {id(outermost): ITSELF}
        for path, agent in outermost.walk() if isinstance(outermost, GenNetwork) else ():
            self._here[path] = agent
            self._addresses.setdefault(id(agent), path)

    def numbers_in(self, agents: Iterable[GenAgent]) -> list[int]:
        """The numbers of these agents, and of all inside them."""
        return list(dict.fromkeys(self._numbers[id(one)] for agent in agents for one in (agent, *_inside(agent))))

    def number(self, agent: object) -> int | None:
        """The number of an agent; None if it has none."""
        return self._numbers.get(id(agent))

    def written(self, party: AbstractObject) -> str:
        """The address of a party, for the other side."""
        if type(party) is Reference:
            return AS_WRITTEN + party.id
        if self._stale:
            self._look_around()
        return self._addresses.get(id(party)) or ELSEWHERE + party.id

    def found(self, address: str) -> AbstractObject:
        """Who lives at an address that the other side wrote."""
        if self._stale:
            self._look_around()
        return self._here.get(address) or Reference(address.removeprefix(AS_WRITTEN).removeprefix(ELSEWHERE))

    __getitem__ = found

    # ------------------------------------------------------------------------------------------ writing

    def described(self, agents: Iterable[GenAgent], living: Container[int] = ()) -> bytes:
        """These agents as JSON: those that shall be living there, by their numbers, with fields and models; of the others, who
        are only known there, what can be said; of networks who is in them."""
        return to_json([self._described(agent, self._numbers[id(agent)] in living) for agent in agents])

    def _described(self, agent: GenAgent, lives: bool) -> dict[str, Any]:
        fields: dict[str, bytes] = {}
        with suppress(*(() if lives else (NotResumable,))):
            fields = fields_of(agent, self.border)
        said: dict[str, Any] = {
            "number": self._numbers[id(agent)],
            "kind": kind_of_agent(type(agent)),
            "lives": lives,
            "id": agent.id,
            "fields": {name: from_json(data) for name, data in fields.items()},
            "models": {name: self._lent(model) for name, model in _models_of(agent).items()} if lives else {},
        }
        if isinstance(agent, GenNetwork):
            said["roll"] = self.roll(agent)
        return said

    def roll(self, network: GenNetwork) -> list[list[Any]]:
        """The numbers of a network's members, and its links."""
        members = [self._numbers[id(member)] for member in network]
        return [members, [[link.source, link.event, link.listener] for link in network._graph.links]]

    def _lent(self, model: Model) -> list[Any]:
        for number, known in enumerate(self.models):
            if known is model:
                return [number, model.name]
        self.models.append(model)
        return [len(self.models) - 1, model.name]

    # ------------------------------------------------------------------------------------------ reading

    def make(self, data: bytes) -> list[int]:
        """Make the agents that another process described, or bring those that are here up to date. Gives their numbers.

        Raises:
            NotMovable: a class is not defined here, or its fields cannot be read.
        """
        described = cast("list[dict[str, Any]]", from_json(data))
        for said in described:
            if said["number"] not in self.agents:
                self._know(said["number"], self._made(said))
            agent = self.agents[said["number"]]
            for name, (number, called) in said["models"].items():
                if self._borrow is not None and not isinstance(vars(agent).get(name), Model):
                    vars(agent)[name] = self._borrow(number, called)
        for said in described:
            if "roll" in said:
                self.call(said["number"], said["roll"])
        self.renew()
        for said in described:  # now everybody is there of whom a field may speak
            agent = self.agents[said["number"]]
            with suppress(*(() if said["lives"] else (NotMovable,))):
                self.write(agent, {name: to_json(value) for name, value in said["fields"].items()})
        return [said["number"] for said in described]

    def _made(self, said: Mapping[str, Any]) -> GenAgent:
        kind = agent_kind(said["kind"])
        if kind is None and not said["lives"]:  # somebody to write to
            kind = GenNetwork if "roll" in said else GenAgent
        if kind is None:
            raise NotMovable(
                said["id"], f"class {said['kind']} is not defined there; import the module that defines it on the node"
            )
        return kind.model_construct(id=said["id"])

    def call(self, number: int, roll: list[list[Any]]) -> None:
        """Have exactly these members and links in a network; what is so already is left alone."""
        network = self.agents[number]
        if not isinstance(network, GenNetwork):
            raise NotMovable(network.id, "it is no network here")
        members = {member.id: member for member in (self.agents[one] for one in roll[0])}
        for member in list(network):
            if members.get(member.id) is not member:
                network.remove(member)
        for member in members.values():
            if member not in network:
                network.add(member)
        links = {Link(*link): None for link in roll[1]}
        for link in list(network._graph.links):
            if link not in links:
                network._graph.unlink(link)
        for link in links:
            if link not in network._graph.links:
                network._graph.link(link)

    def write(self, agent: GenAgent, written: Mapping[str, bytes]) -> None:
        """Give an agent the fields that came from elsewhere. Raises NotMovable for one that is none of its own, or wrong."""
        fields = Fields.of(type(agent))
        for name, data in written.items():
            if name not in fields.names:
                raise NotMovable(
                    agent.id, f"{type(agent).__name__} has no field {name!r} there; load the same code on both sides"
                )
            try:
                vars(agent)[name] = fields.decode(name, data, self.border)
            except ValueError as wrong:
                raise NotMovable(agent.id, f"its field {name!r} cannot be read: {wrong}") from wrong


# ---------------------------------------------------------------------------------------------- what can move


def fields_of(agent: GenAgent, border: Border) -> dict[str, bytes]:
    """The fields of an agent that can move, as JSON."""
    fields, found = Fields.of(type(agent)), dict[str, bytes]()
    for name in fields.names:
        if name in vars(agent) and (data := fields.encode(name, vars(agent)[name], border)) is not None:
            found[name] = data
    return found


def why_not(agent: GenAgent) -> str | None:
    """Why an agent cannot live in another process; None if it can."""
    kind = type(agent)
    if isinstance(agent, GenNetwork):
        return "a network stays where its run is; its members may live elsewhere"
    if "<locals>" in kind.__qualname__:
        return f"class {kind.__qualname__} is defined in a function; define it at the top of a module"
    if kind.__module__ == "__main__" and _at_a_prompt():
        return f"class {kind.__qualname__} is defined at a prompt; define it in a file"
    try:
        said = fields_of(agent, Border())
    except NotResumable as failed:
        return failed.problem
    models = _models_of(agent)
    for name, field in kind.model_fields.items():
        if name == "id" or name in said or name in models or name not in vars(agent):
            continue
        value = vars(agent)[name]
        default = field.get_default(call_default_factory=True, validated_data=vars(agent))
        if default is PydanticUndefined or not (value is default or _equal(value, default)):
            problem = "which cannot be sent; make it in `astart`, where the agent runs"
            return f"its field {name!r} holds a {type(value).__name__}, {problem}"
    return None


def modules_of(agents: Iterable[GenAgent]) -> list[str]:
    """The modules that define the classes of agents, as far as others can import them."""
    names = dict.fromkeys(base.__module__ for agent in agents for base in type(agent).__mro__)
    known: tuple[str, ...] = ("llm_net.base", "llm_net.address", "pydantic.", "builtins", "abc")
    if _at_a_prompt():
        known = (*known, "__main__")
    return [name for name in names if not name.startswith(known)]


def _at_a_prompt() -> bool:
    return not getattr(sys.modules["__main__"], "__file__", None)


def _models_of(agent: GenAgent) -> dict[str, Model]:
    stored = Fields.of(type(agent)).names
    return {name: value for name, value in vars(agent).items() if name not in stored and isinstance(value, Model)}


def _inside(agent: GenAgent) -> list[GenAgent]:
    return [inner for _, inner in agent.walk()] if isinstance(agent, GenNetwork) else []


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # of anybody's class
        return False
