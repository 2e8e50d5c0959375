"""Networks: who is in them, where they live, and who hears whom."""

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from pydantic import ValidationError

from llm_net import Event, GenAgent, GenNetwork, Link, Message
from llm_net.address import Reference
from llm_net.errors import AmbiguousAddress, DuplicateAddress, UnknownAddress
from llm_net.graph import Graph


class Bee(GenAgent):
    def step(self, message: Message) -> Message:
        return message.reply(body=self.id)


def bees(*ids: str) -> list[GenAgent]:
    return [Bee(id=id) for id in ids]


@pytest.fixture
def market() -> GenNetwork:
    """anna, and two halls with one bob each; the second holds a room with carl."""
    room = GenNetwork(id="room", agents=bees("carl"))
    north = GenNetwork(id="north", agents=bees("bob"))
    south = GenNetwork(id="south", agents=[*bees("bob", "dora"), room])
    return GenNetwork(id="market", agents=[*bees("anna"), north, south])


# ------------------------------------------------------------------------------------------------ members


def test_a_network_holds_the_agents_that_it_was_given() -> None:
    anna, bob = bees("anna", "bob")
    network = GenNetwork(agents=[anna, bob])

    assert list(network) == [anna, bob]
    assert network["anna"] is anna
    assert len(network) == 2
    assert dict(network.directory) == {"anna": anna, "bob": bob}


def test_an_empty_network_is_something() -> None:
    assert bool(GenNetwork())
    assert list(GenNetwork()) == []
    assert len(GenNetwork()) == 0


def test_members_come_and_go() -> None:
    network = GenNetwork(agents=bees("anna"))
    bob = Bee(id="bob")

    network.add(bob)
    assert "bob" in network
    assert network.remove("anna").id == "anna"
    assert network.remove(bob) is bob

    assert list(network) == []


def test_adding_the_same_agent_again_changes_nothing() -> None:
    network = GenNetwork(agents=(both := bees("anna", "bob")))

    network.add(both[0])

    assert list(network) == both


@pytest.mark.parametrize("other", [Bee(id="anna"), GenNetwork(id="anna")])
def test_two_agents_of_one_id_cannot_live_in_one_network(other: GenAgent) -> None:
    anna = Bee(id="anna")
    network = GenNetwork(id="market", agents=[anna])

    with pytest.raises(
        DuplicateAddress, match="network 'market' already has an agent 'anna'; give one of them another id"
    ):
        network.add(other)

    assert network["anna"] is anna
    assert list(network.walk()) == [("anna", anna)]


def test_membership_is_of_the_very_agent_or_of_an_id() -> None:
    anna = Bee(id="anna")
    network = GenNetwork(agents=[anna])

    assert anna in network
    assert "anna" in network
    assert Bee(id="anna") not in network
    assert Reference("anna") not in network
    assert 3 not in network


def test_removing_who_is_not_there_says_who_may_be_meant() -> None:
    network = GenNetwork(id="market", agents=bees("anna"))

    with pytest.raises(UnknownAddress, match="no agent 'ana' in network 'market'; did you mean 'anna'"):
        network.remove("ana")


def test_views_of_members_and_links_are_live() -> None:
    network = GenNetwork(agents=bees("anna", "bob"))
    directory, agents, links = network.directory, network.agents, network.links

    network.add(carl := Bee(id="carl"))
    network.link("anna", "x", "carl")

    assert directory["carl"] is carl
    assert carl in agents
    assert list(links) == [Link("anna", "x", "carl")]
    network.remove(carl)
    assert "carl" not in directory
    assert list(links) == []


def test_the_directory_is_read_only() -> None:
    directory: Any = GenNetwork(agents=bees("anna")).directory

    with pytest.raises(TypeError):
        directory["bob"] = Bee(id="bob")


def test_members_may_change_while_one_walks() -> None:
    network = GenNetwork(agents=bees("anna", "bob", "carl"))

    for agent in network:
        network.remove(agent)

    assert len(network) == 0


@pytest.mark.parametrize("id", ["", "a/b", "/", "."])
def test_an_id_that_could_not_be_addressed_is_refused(id: str) -> None:
    with pytest.raises(ValidationError):
        Bee(id=id)


def test_an_agent_without_an_id_gets_one_with_the_name_of_its_class() -> None:
    ids = {Bee().id for _ in range(1_000)}

    assert len(ids) == 1_000
    assert all(id.startswith("Bee:") and len(id) == 12 for id in ids)


# ------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("anna", "anna"),
        ("north", "north"),
        ("north/bob", "north/bob"),
        ("south/room/carl", "south/room/carl"),
        ("carl", "south/room/carl"),
        ("room", "south/room"),
        ("dora", "south/dora"),
        ("market/anna", "anna"),
        ("market/south/room/carl", "south/room/carl"),
        ("south/carl", "south/room/carl"),
    ],
)
def test_an_agent_is_found_by_path_or_by_an_id_that_is_unique(market: GenNetwork, address: str, path: str) -> None:
    found, agent = market.find(address)

    assert found == path
    assert market[address] is agent
    assert market.address_of(agent) == path
    assert market.address_of(Reference(address)) == path


@pytest.mark.parametrize(
    "address", ["nobody", "north/anna", "north/south/bob", "anna/bob", "/anna", "anna/", "", "/", "."]
)
def test_nobody_lives_elsewhere(market: GenNetwork, address: str) -> None:
    with pytest.raises(UnknownAddress):
        market.find(address)


def test_a_bare_id_of_several_agents_names_none(market: GenNetwork) -> None:
    with pytest.raises(AmbiguousAddress) as refused:
        market.find("bob")

    assert refused.value.candidates == ("north/bob", "south/bob")
    assert "write the whole path: north/bob, south/bob" in str(refused.value)


def test_a_member_comes_before_an_agent_inside(market: GenNetwork) -> None:
    market.add(bob := Bee(id="bob"))

    assert market["bob"] is bob


@pytest.mark.parametrize(("address", "meant"), [("ana", "anna"), ("north/bab", "bob"), ("south/rom/carl", "room")])
def test_an_unknown_address_says_who_may_be_meant(market: GenNetwork, address: str, meant: str) -> None:
    with pytest.raises(UnknownAddress, match=f"did you mean '[a-z/]*{meant}"):
        market.find(address)


def test_the_address_of_a_stranger_is_unknown(market: GenNetwork) -> None:
    with pytest.raises(UnknownAddress):
        market.address_of(Bee(id="stranger"))
    with pytest.raises(UnknownAddress):
        market.address_of(Bee(id="anna"))  # the same id, but somebody else


def test_a_walk_passes_every_agent_nearer_ones_first(market: GenNetwork) -> None:
    assert [path for path, _ in market.walk()] == [
        "anna", "north", "south", "north/bob", "south/bob", "south/dora", "south/room", "south/room/carl",
    ]  # fmt: skip


def test_an_agent_may_live_in_several_networks() -> None:
    anna = Bee(id="anna")
    network = GenNetwork(agents=[GenNetwork(id="a", agents=[anna]), GenNetwork(id="b", agents=[anna])])

    assert network["a/anna"] is network["b/anna"] is anna
    assert network.address_of(anna) == "a/anna"


def test_a_network_may_be_inside_itself() -> None:
    network = GenNetwork(id="ring", agents=bees("anna"))
    network.add(network)

    assert [path for path, _ in network.walk()] == ["anna", "ring"]
    assert network["ring/ring/anna"].id == "anna"
    assert network["anna"].id == "anna"


def test_nesting_1_000_deep_needs_no_recursion_to_walk() -> None:
    network = GenNetwork(id="n", agents=bees("anna"))
    for _ in range(1_000):
        network = GenNetwork(id="n", agents=[network])

    assert network.find("anna")[0] == "n/" * 1_000 + "anna"


# ------------------------------------------------------------------------------------------------ links


def test_links_are_given_as_records_or_triples_of_agents_or_ids() -> None:
    anna, bob = bees("anna", "bob")

    network = GenNetwork(agents=[anna, bob], links=[Link("anna", "x", "bob"), ("anna", "y", "bob"), (bob, "z", anna)])

    assert list(network.links) == [Link("anna", "x", "bob"), Link("anna", "y", "bob"), Link("bob", "z", "anna")]


def test_two_agents_may_be_linked_by_several_events_once_each() -> None:
    network = GenNetwork(agents=bees("anna", "bob"))
    for event in ("x", "y", "x"):
        network.link("anna", event, "bob")

    assert list(network.links) == [Link("anna", "x", "bob"), Link("anna", "y", "bob")]


def test_cycles_and_links_to_oneself_are_allowed() -> None:
    network = GenNetwork(
        agents=bees("anna", "bob"), links=[("anna", "x", "bob"), ("bob", "x", "anna"), ("bob", "x", "bob")]
    )

    assert len(network.links) == 3


def test_links_reach_into_nested_networks_and_the_network_itself(market: GenNetwork) -> None:
    market.link("carl", "x", "north")
    market.link(market, "y", "anna")
    market.link("anna", "z", "market")

    assert list(market.links) == [
        Link("south/room/carl", "x", "north"),
        Link(".", "y", "anna"),
        Link("anna", "z", "."),
    ]


def test_a_link_to_nobody_is_refused_at_once(market: GenNetwork) -> None:
    with pytest.raises(UnknownAddress, match="did you mean 'anna'"):
        market.link("ana", "x", "anna")
    with pytest.raises(AmbiguousAddress):
        market.link("anna", "x", "bob")
    with pytest.raises(UnknownAddress):
        GenNetwork(links=[("a", "x", "b")])


def test_unlinking_undoes_one_link() -> None:
    network = GenNetwork(agents=bees("anna", "bob"), links=[("anna", "x", "bob"), ("anna", "y", "bob")])

    network.unlink("anna", "x", "bob")

    assert list(network.links) == [Link("anna", "y", "bob")]
    with pytest.raises(KeyError):
        network.unlink("anna", "x", "bob")


def test_who_leaves_takes_its_links_along(market: GenNetwork) -> None:
    market.link("anna", "x", "south")
    market.link("carl", "x", "anna")
    market.link("anna", "y", "north")

    market.remove("south")

    assert list(market.links) == [Link("anna", "y", "north")]


def test_listeners_are_told_apart_by_event_and_each_hears_once() -> None:
    graph: Graph[GenAgent] = Graph()
    for link in (
        Link("a", "x", "b"),
        Link("a", "*", "b"),
        Link("a", "*", "c"),
        Link("a", "y", "d"),
        Link("b", "x", "e"),
    ):
        graph.link(link)

    assert list(graph.listeners("a", "x")) == ["b", "c"]
    assert list(graph.listeners("a", "y")) == ["d", "b", "c"]
    assert list(graph.listeners("a", "*")) == ["b", "c"]
    assert list(graph.listeners("c", "x")) == []


def test_watchers_are_told_of_every_change_and_who_is_new() -> None:
    graph: Graph[GenAgent] = Graph()
    seen: list[GenAgent | None] = []
    graph.watchers["me"] = seen.append
    bob = Bee(id="bob")

    graph.add(bob, "market")
    graph.link(Link("bob", "x", "bob"))
    graph.unlink(Link("bob", "x", "bob"))
    graph.remove("bob")

    assert seen == [bob, None, None, None]


def test_networks_and_their_links_are_not_shared() -> None:
    one, other = GenNetwork(agents=bees("anna")), GenNetwork(agents=bees("anna"))
    one.link("anna", "x", "anna")

    assert len(other.links) == 0


# ------------------------------------------------------------------------------------------------ what is heard


def heard_in(network: GenNetwork, root: Message) -> list[str]:
    heard: list[str] = []

    def note(event: Event) -> None:
        heard.append(f"{event.path} {event.name} {event.message.body}")

    network.on("*", note)
    list(network.receive(root))
    network.off("*", note)
    return heard


class Singer(GenAgent):
    def sing(self, message: Message) -> None:
        self.emit("song", message.reply(body="la"))


class Echo(GenAgent):
    def song(self, message: Message) -> None:
        self.emit("echo", message.reply(body=f"{message.body} {message.body}"))


def test_listeners_hear_and_what_they_emit_is_heard_in_turn() -> None:
    network = GenNetwork(agents=[Singer(id="s"), Echo(id="e")], links=[("s", "song", "e")])

    assert heard_in(network, Message(method="sing", receiver="s")) == ["s song la", "e echo la la"]


def test_events_pass_up_with_their_path() -> None:
    inner = GenNetwork(id="inner", agents=[Singer(id="s")])
    network = GenNetwork(
        agents=[GenNetwork(id="middle", agents=[inner]), Echo(id="e")], links=[("middle", "song", "e")]
    )

    assert heard_in(network, Message(method="sing", receiver="s")) == ["middle/inner/s song la", "e echo la la"]


def test_links_made_and_undone_count_at_once() -> None:
    network = GenNetwork(agents=[Singer(id="s"), Echo(id="e")])
    sing = Message(method="sing", receiver="s")
    alone = heard_in(network, sing)

    network.link("s", "song", "e")
    linked = heard_in(network, sing)
    network.unlink("s", "song", "e")

    assert (len(alone), len(linked), len(heard_in(network, sing))) == (1, 2, 1)


# ------------------------------------------------------------------------------------------------ laws


ids = st.text("abc", min_size=1, max_size=2)


@settings(max_examples=50)
@given(st.recursive(st.lists(ids, max_size=3), lambda inner: st.dictionaries(ids, inner, max_size=3), max_leaves=6))
def test_every_agent_is_found_under_the_path_where_a_walk_meets_it(plan: list[str] | dict[str, Any]) -> None:
    def built(id: str, plan: list[str] | dict[str, Any]) -> GenNetwork:
        inside = [built(name, inner) for name, inner in plan.items()] if isinstance(plan, dict) else bees(*set(plan))
        return GenNetwork(id=id, agents=inside)

    network = built("outermost", plan)
    met = list(network.walk())

    for path, agent in met:
        assert network.find(path) == (path, agent)
        assert network.address_of(agent) == path
    count = Counter(agent.id for _, agent in met)
    for path, agent in met:
        if count[agent.id] == 1:
            assert network.find(agent.id) == (path, agent)
        elif agent.id not in network.directory:
            with pytest.raises(AmbiguousAddress):
                network.find(agent.id)


class Growing(RuleBasedStateMachine):
    """A network beside a model of it made of a dict and a set."""

    members = Bundle("members")

    def __init__(self) -> None:
        super().__init__()
        self.network = GenNetwork(id="market")
        self.agents: dict[str, GenAgent] = {}
        self.links: list[Link] = []
        self.numbers = itertools.count()

    @rule(target=members)
    def add(self) -> str:
        agent = Bee(id=f"bee{next(self.numbers)}")
        self.network.add(agent)
        self.agents[agent.id] = agent
        return agent.id

    @rule(id=consumes(members))
    def remove(self, id: str) -> None:
        assert self.network.remove(id) is self.agents.pop(id)
        self.links = [link for link in self.links if id not in (link.source, link.listener)]

    @rule(source=members, event=st.sampled_from("xy*"), listener=members)
    def link(self, source: str, event: str, listener: str) -> None:
        self.network.link(source, event, listener)
        if (link := Link(source, event, listener)) not in self.links:
            self.links.append(link)

    @rule(choice=st.integers(0, 99))
    def unlink(self, choice: int) -> None:
        if self.links:
            link = self.links.pop(choice % len(self.links))
            self.network.unlink(link.source, link.event, link.listener)

    @invariant()
    def members_and_links_are_those_of_the_model(self) -> None:
        assert dict(self.network.directory) == self.agents
        assert list(self.network.links) == self.links

    @invariant()
    def the_graph_is_that_of_the_model(self) -> None:
        graph = self.network.graph
        assert set(graph.nodes) == set(self.agents)
        assert set(graph.edges(keys=True)) == {(link.source, link.listener, link.event) for link in self.links}

    @invariant()
    def listeners_are_those_of_the_model(self) -> None:
        for source in self.agents:
            for event in "xy":
                heard = list(self.network._graph.listeners(source, event))
                assert len(heard) == len(set(heard))
                assert set(heard) == {
                    link.listener for link in self.links if link.source == source and link.event in (event, "*")
                }


TestGrowing = Growing.TestCase
TestGrowing.settings = settings(max_examples=30, stateful_step_count=30)
