"""How far a run may go. Knows the bounds, not how they are enforced."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one run; all finite unless you say `None`. Reaching one ends the run as `LimitReached`.

    Args:
        messages: deliveries to agents, the root included.
        depth: length of the longest chain of messages that cause each other; a ring of agents grows it by one a hop.
        seconds: wall time, by the clock of the run.
        tokens: input and output tokens of all calls of models that agents make through `complete` and `stream`. A call
            reserves what it may use before it starts, so concurrent calls cannot overshoot together.
        money: US dollars for those calls; a model whose `price` is None counts as nothing.
    """

    messages: int | None = 10_000
    depth: int | None = 1_000
    seconds: float | None = 600.0
    tokens: int | None = 1_000_000
    money: Decimal | None = Decimal(10)

    def __post_init__(self) -> None:
        for name in ("messages", "depth", "seconds", "tokens", "money"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"limit {name} is {value}; it must not be negative")
