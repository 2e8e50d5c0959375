"""How tests of coordination hear what is said. Knows no protocol."""

from __future__ import annotations

from collections.abc import Sequence

from llm_net import GenNetwork, Message, simulation


def said(network: GenNetwork, root: Message, *, seed: int = 0) -> list[Message]:
    """Everything that is said in a run, in a world without real time; the outcome last."""

    async def main() -> list[Message]:
        return [message async for message in network.areceive(root)]

    return simulation.run(main(), seed=seed)


def outcome(network: GenNetwork, root: Message, *, seed: int = 0) -> Message:
    """What a network answers."""

    async def main() -> Message:
        return await network.aresult_of(root)

    return simulation.run(main(), seed=seed)


def count(messages: Sequence[Message], *kinds: type[Message]) -> int:
    """How many of them are of these classes."""
    return sum(isinstance(message, kinds) for message in messages)
