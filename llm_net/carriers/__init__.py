"""How bytes travel between nodes: a `Carrier` per way, each in a file of its own, and `Exchange`, which mends what they lose.

`NatsCarrier` (a server or a cluster, which refuses forged senders), `PostgresCarrier` (for who has nothing else),
`SimulatedCarrier` (one process, seeded bad weather).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_net.carriers.links import Exchange, Traffic
    from llm_net.carriers.nats import NatsCarrier
    from llm_net.carriers.postgres import PostgresCarrier
    from llm_net.carriers.simulated import SimulatedCarrier, Weather

__all__ = ["Exchange", "NatsCarrier", "PostgresCarrier", "SimulatedCarrier", "Traffic", "Weather"]


def __getattr__(name: str) -> object:
    # Whoever goes one way does not pay for the libraries of the others.
    match name:
        case "Exchange" | "Traffic":
            from llm_net.carriers import links

            return getattr(links, name)
        case "NatsCarrier":
            from llm_net.carriers.nats import NatsCarrier

            return NatsCarrier
        case "PostgresCarrier":
            from llm_net.carriers.postgres import PostgresCarrier

            return PostgresCarrier
        case "SimulatedCarrier" | "Weather":
            from llm_net.carriers import simulated

            return getattr(simulated, name)
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
