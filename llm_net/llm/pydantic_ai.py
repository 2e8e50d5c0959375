"""Every provider that pydantic-ai speaks to, as a `Model`. Knows pydantic-ai only once a model is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from llm_net.chat import Chunk, Completion, Embeddings, Price, Request

if TYPE_CHECKING:  # not ours, and may be absent
    from pydantic_ai.models import Model


class ProviderModel:
    """A model of any provider, by its name in pydantic-ai or by the address of an OpenAI-compatible server.

    ```python
    ProviderModel("openai:gpt-5")
    ProviderModel("qwen2.5:7b", base_url="http://localhost:11434/v1")
    ```

    A call is one request: nothing is retried. `Settings.timeout` holds for all of it. Where a provider has no stop
    strings, they are applied here; where it has no JSON under a schema, the answer is asked for as the arguments of a
    function. Reasoning is not part of the answer, but of its usage.

    Args:
        model: "provider:name", the server's own name of the model if `base_url` is given, or a `Model` of pydantic-ai,
            which stays yours to close.
        base_url: where an OpenAI-compatible server is, up to and with `/v1`. It needs no key unless it says so.
        api_key: instead of the one in the provider's environment variable.
        price: of a million tokens, instead of the one that genai-prices knows.
        embedder: the name of the same provider's model for `embed`; with `base_url` it defaults to `model`.

    Raises:
        ModelError: no such model or provider, or no key; the sentence says where to put it.
        ModelUnavailable: the provider's own library is not installed; the sentence says how.
        MissingDependency: pydantic-ai is not installed.
    """

    def __init__(
        self,
        model: str | Model,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        price: Price | None = None,
        embedder: str | None = None,
    ) -> None:
        from llm_net.llm.direct import DirectModel  # takes most of a second

        self._direct = DirectModel(model, base_url=base_url, api_key=api_key, price=price, embedder=embedder)

    @property
    def name(self) -> str:
        return self._direct.name

    @property
    def price(self) -> Price | None:
        return self._direct.price

    async def complete(self, request: Request) -> Completion:
        """Answer a request.

        Raises:
            RateLimited: the provider asks us to wait, `retry_after` seconds if it says how long.
            ModelUnavailable: it cannot be reached, failed, or gave no whole answer in time.
            ContextTooLong: the prompt does not fit.
            InvalidOutput: the answer breaks the form that was asked for.
            ModelError: it refuses the key or the request.
        """
        return await self._direct.complete(request)

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer a request piece by piece; raises as `complete` does. JSON asked for by a detour comes in one piece."""
        return self._direct.stream(request)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Give texts as vectors, by the model named `embedder`. Raises as `complete` does."""
        return await self._direct.embed(texts)

    async def aclose(self) -> None:
        """Close the connections of the running event loop. A later call opens new ones."""
        await self._direct.aclose()
