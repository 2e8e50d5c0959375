"""Pictures of a network: for networkx, for Mermaid, in words."""

import re

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net import GenAgent, GenNetwork, Message


class Bid(Message):
    pass


class Seller(GenAgent):
    """Sells
    tea."""

    def call(self, message: str) -> None: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]

    def bid(self, message: Bid) -> None: ...

    def step(self, message: Message) -> None: ...


@pytest.fixture
def market() -> GenNetwork:
    hall = GenNetwork(id="hall", agents=[Seller(id="bob"), Seller(id="carl")], links=[("bob", "bid", "carl")])
    network = GenNetwork(id="market", agents=[Seller(id="anna"), hall], description="Buys and sells")
    network.link("anna", "bid", "hall")
    network.link("anna", "step", "hall/bob")
    network.link("anna", "bid", "hall/bob")
    network.link("hall/bob", "*", "hall")
    network.link("market", "step", "anna")
    hall.link("bob", "over", "hall")
    return network


# ------------------------------------------------------------------------------------------------ networkx


def test_the_graph_has_every_agent_and_every_link_under_its_address(market: GenNetwork) -> None:
    graph = market.graph

    assert isinstance(graph, nx.MultiDiGraph)
    assert set(graph.nodes) == {"anna", "hall", "hall/bob", "hall/carl", "."}
    assert graph.nodes["hall/bob"]["agent"] is market["hall/bob"]
    assert graph.nodes["."]["agent"] is market
    assert set(graph.edges(keys=True)) == {
        ("anna", "hall", "bid"),
        ("anna", "hall/bob", "step"),
        ("anna", "hall/bob", "bid"),
        ("hall/bob", "hall", "*"),
        ("hall/bob", "hall", "over"),
        ("hall/bob", "hall/carl", "bid"),
        (".", "anna", "step"),
    }


def test_a_network_that_is_not_linked_itself_is_no_node() -> None:
    assert list(GenNetwork(agents=[Seller(id="anna")]).graph.nodes) == ["anna"]
    assert list(GenNetwork().graph.nodes) == []


def test_the_graph_is_a_copy(market: GenNetwork) -> None:
    market.graph.remove_node("anna")

    assert "anna" in market
    assert "anna" in market.graph


# ------------------------------------------------------------------------------------------------ mermaid


def test_the_flowchart_draws_networks_as_boxes_and_links_as_arrows(market: GenNetwork) -> None:
    assert (
        market.mermaid()
        == """\
flowchart LR
  n0(["market"])
  n1["anna"]
  subgraph n2["hall"]
    n3(["hall"])
    n4["bob"]
    n5["carl"]
  end
  n1 -->|"bid"| n3
  n1 -->|"step"| n4
  n1 -->|"bid"| n4
  n4 -->|"*"| n3
  n0 -->|"step"| n1
  n4 -->|"bid"| n5
  n4 -->|"over"| n3
"""
    )


def test_an_empty_network_is_an_empty_flowchart() -> None:
    assert GenNetwork().mermaid() == "flowchart LR\n"


LINES = re.compile(
    r"""
    flowchart\ LR
    | \s+ subgraph\ (?P<box>n\d+)\["(?P<title>[^"\[\]|<>`]+)"\]
    | \s+ (?P<end>end)
    | \s+ (?P<node>n\d+) (\["|\(\[") (?P<label>[^"\[\]|<>`]+) ("\]|"\]\))
    | \s+ (?P<source>n\d+)\ -->\|"(?P<event>[^"|<>`]+)"\|\ (?P<listener>n\d+)
    """,
    re.VERBOSE,
)


def shown(label: str) -> str:
    """A label as Mermaid shows it."""
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), label)


ids = st.text(min_size=1, max_size=8).filter(lambda id: "/" not in id and id != ".") | st.sampled_from(
    ["end", "graph", "subgraph", '"', "]", "-->", "`", "%%", "<script>", "#35;", "a\nb", "💥", " ", "|", "n0", ".."]
)


@given(
    st.lists(ids, unique=True, min_size=1, max_size=4),
    st.lists(ids, unique=True, max_size=3),
    st.lists(st.tuples(st.integers(0, 9), ids, st.integers(0, 9)), max_size=5),
)
def test_whatever_agents_and_events_are_called_the_flowchart_is_well_formed(
    outer: list[str], inner: list[str], links: list[tuple[int, str, int]]
) -> None:
    hall = GenNetwork(id="hall", agents=[Seller(id=id) for id in inner])
    network = GenNetwork(id="market", agents=[*(Seller(id=id) for id in outer if id != "hall"), hall])
    members = [*(path for path, _ in network.walk()), "market"]
    for source, event, listener in links:
        network.link(members[source % len(members)], event, members[listener % len(members)])

    lines = [LINES.fullmatch(line) for line in network.mermaid().splitlines()]

    assert all(lines), network.mermaid()
    parts = [line.groupdict() for line in lines if line]
    nodes = [part["node"] for part in parts if part["node"]]
    assert len(nodes) == len(set(nodes))
    assert {part[end] for part in parts for end in ("source", "listener") if part[end]} <= set(nodes)
    assert sum(part["box"] is not None for part in parts) == sum(part["end"] is not None for part in parts) == 1
    assert {shown(part["label"]) for part in parts if part["label"]} >= {*outer, *inner} - {"hall"}
    assert [shown(part["event"]) for part in parts if part["event"]] == [link.event for link in network._graph.links]


# ------------------------------------------------------------------------------------------------ words


def test_the_description_says_who_is_there_and_who_hears_whom(market: GenNetwork) -> None:
    assert (
        market.describe()
        == """\
market: GenNetwork, Buys and sells
  anna: Seller, Sells tea.
    understands bid (Bid), step
  hall: GenNetwork
    bob: Seller, Sells tea.
      understands bid (Bid), step
    carl: Seller, Sells tea.
      understands bid (Bid), step
    carl hears 'bid' of bob
    hall hears 'over' of bob
  hall hears 'bid' of anna
  hall/bob hears 'step' of anna
  hall/bob hears 'bid' of anna
  hall hears everything of hall/bob
  anna hears 'step' of market
"""
    )


@given(ids, ids)
def test_whatever_agents_are_called_each_has_one_line(id: str, event: str) -> None:
    network = GenNetwork(id="market", agents=[Seller(id=id)], links=[(id, event, id)])

    assert len(network.describe().splitlines()) == 4


def test_a_network_inside_itself_is_drawn_once() -> None:
    ring = GenNetwork(id="ring", agents=[Seller(id="anna")])
    ring.add(ring)
    ring.link("ring/ring/anna", "x", "anna")

    assert set(ring.graph.nodes) == {"anna", "ring", "ring/ring/anna"}
    assert ring.mermaid().count('["anna"]') == 1
    assert '["ring/ring/anna"]' in ring.mermaid()
    assert "ring: the network around it" in ring.describe()
