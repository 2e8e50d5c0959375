"""Where agents may live besides this event loop: each place is a runtime, `network.run(root, runtime=Processes(workers=2))`."""

from llm_net.places.cluster import Cluster
from llm_net.places.processes import Processes

__all__ = ["Cluster", "Processes"]
