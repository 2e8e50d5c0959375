"""Where agents may live besides this event loop: each place is a runtime, `network.run(root, runtime=Processes(workers=2))`,
and several can share a run, `network.run(root, place={"critic": "process", "painter": Ray(num_gpus=1)})`."""

from llm_net.places.cluster import Cluster
from llm_net.places.mixed import Places
from llm_net.places.processes import Processes

__all__ = ["Cluster", "Places", "Processes"]
