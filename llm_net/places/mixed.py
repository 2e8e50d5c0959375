"""Several places in one run, by the addresses of agents. Knows the words for places, and nothing of how one works."""

from __future__ import annotations

from collections.abc import Mapping

from llm_net.errors import PlaceUnavailable
from llm_net.places.cluster import Cluster
from llm_net.places.elsewhere import Elsewhere
from llm_net.places.processes import Processes
from llm_net.ports import Clock, Hosts, Place
from llm_net.runtime.home import Share


class Places(Elsewhere):
    """Agents in the places that are named for them; the others stay here: `network.run(root, place={"critic": "process"})`.

    Args:
        where: places by address: of an agent, or of a network for all inside. Where several speak of one agent, the address
            that names the fewest counts: `{"market": Processes(workers=2), "market/clerk": "here"}`. A place is

            - `"here"`: this event loop;
            - `"process"`: a worker process for this address;
            - the URL of a cluster, `"nats://…"` or `"postgresql://…"`;
            - an object such as `Processes(workers=2)` or `Ray(num_gpus=1)`: one object, one place, for all that it is given
              to. Its own words `agents`, `seed` and `clock` do not count.
        seed, clock: as for `LocalRuntime`.
    """

    def __init__(
        self, where: Mapping[str, Place | str], *, seed: int | None = None, clock: Clock | None = None
    ) -> None:
        self._where = {address: _place(word) for address, word in where.items()}
        super().__init__(self._shares_of_run, seed=seed, clock=clock)

    def _shares_of_run(self) -> list[Share]:
        hosts: dict[int, Hosts | None] = {}
        for place in self._where.values():
            if id(place) not in hosts:
                hosts[id(place)] = None if place is None else place.hosts()
        return [Share(hosts[id(place)], [address]) for address, place in self._where.items()]


def _place(word: Place | str) -> Place | None:
    if not isinstance(word, str):
        return word
    if word == "here":
        return None
    if word == "process":
        return Processes(workers=1)
    if "://" in word:
        return Cluster(word)
    raise PlaceUnavailable(f'no place is called {word!r}; say "here", "process", "nats://host:4222", or give an object')
