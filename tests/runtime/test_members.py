"""Whose doing a change of a network is, where several steps change it at a time."""

from llm_net import GenAgent, GenNetwork
from llm_net.runtime.members import Members


class House:
    """A network, and those who keep account of it."""

    def __init__(self) -> None:
        self.network = GenNetwork(id="house", agents=[GenAgent(id="old")])
        self.members = Members(self.network)
        self.members.look_at(self.network)
        self.at_work = ""
        self.network._graph.wary["members"] = lambda: self.members.change(self.network, self.at_work)

    def ends(self, step: str) -> list[str]:
        """Let the changes of a step count; gives who is in the network then."""
        for change in self.members.changes_of(step):
            self.members.keep(change)
        return list(self.members.kept(self.network).agents)


def test_a_step_is_told_of_no_change_that_another_makes_after_it() -> None:
    house = House()
    house.at_work = "one"
    house.network.remove("old")
    house.at_work = "two"
    house.network.add(GenAgent(id="new"))
    house.network.link("new", "said", "new")
    assert house.ends("one") == []
    assert house.ends("two") == ["new"]


def test_what_a_step_changed_and_another_undid_is_no_change_whoever_ends_first() -> None:
    house = House()
    house.at_work = "one"
    house.network.add(GenAgent(id="new"))
    old = house.network.remove("old")
    house.at_work = "two"
    house.network.remove("new")
    house.network.add(old)
    assert house.ends("two") == ["old"]
    assert house.ends("one") == ["old"]


def test_who_took_the_place_of_one_who_left_stays_whoever_ends_first() -> None:
    house = House()
    house.at_work = "one"
    house.network.remove("old")
    house.at_work = "two"
    house.network.add(GenAgent(id="old"))
    assert house.ends("two") == ["old"]
    assert house.ends("one") == ["old"]
    assert house.members.kept(house.network).agents["old"] is house.network["old"]
