"""What the core asks of the outside, as typing.Protocols of a few methods each. Knows no adapter.

Whatever has these methods will do: adapters do not inherit, and `llm_net.testing` has a check for each port that says
when one is right.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from llm_net.chat import Chunk, Completion, Embeddings, Price, Request


@runtime_checkable
class Model(Protocol):
    """A language model, wherever it runs. Errors are `ModelError`s; a cancelled call stops the model.

    `name` is for people and logs; `price` is None where it is not known, zero for a model that costs nothing.
    """

    @property
    def name(self) -> str: ...

    @property
    def price(self) -> Price | None: ...

    async def complete(self, request: Request) -> Completion:
        """Answer a request. With `request.output` the answer's text is JSON valid under that schema."""
        ...

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer a request piece by piece: TextDeltas as they are decoded, then one Completion."""
        ...

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Give each text as a vector. Raises ModelError where the model has no embeddings."""
        ...

    async def aclose(self) -> None:
        """Give back what the model holds (memory, sockets, threads). May be called twice."""
        ...
