"""A model made of a function of yours: a rule, a library, a service. Knows nothing of what the function does."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import TypeAlias

from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, Tool, Turn
from llm_net.errors import DefinitionError, LlmNetError, ModelError, ModelUnavailable
from llm_net.llm.answer import FREE, check_request, collect, deadline, in_time, recite, write

Answer: TypeAlias = str | Completion | AsyncIterator[str]
"""What a function may answer: the text, the whole Completion, or the text in pieces."""

Function: TypeAlias = (
    Callable[[Request], Answer | Awaitable[Answer]]
    | Callable[[Sequence[Turn], Sequence[Tool]], Answer | Awaitable[Answer]]
)


class FunctionModel:
    """A model whose answers come from a function.

    ```python
    async def parrot(turns, tools):
        return turns[-1].text

    model = FunctionModel(parrot)
    ```

    Text is held to the request's stop strings, `max_tokens` and output form; tokens are estimated. A Completion is
    passed on as it is.

    Args:
        f: takes the Request, or its turns and tools; gives text, a Completion, or an async iterator of pieces of text;
            `async` or not. A plain function runs on the event loop: keep it quick, or hand its work to a thread.
        name: for people and logs; default: the function's name.
        price: US dollars for a million tokens; default: nothing.

    Raises:
        DefinitionError: `f` takes neither one nor two arguments.
    """

    def __init__(self, f: Function, *, name: str | None = None, price: Price = FREE) -> None:
        self._name = name or str(getattr(f, "__name__", type(f).__name__))
        self._price = price
        required = [
            parameter
            for parameter in inspect.signature(f).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        if len(required) not in (1, 2):
            raise DefinitionError(self._name, "a model's function takes (request) or (turns, tools)")
        self._f: Callable[..., Answer | Awaitable[Answer]] = f
        self._whole = len(required) == 1

    @property
    def name(self) -> str:
        return self._name

    @property
    def price(self) -> Price | None:
        return self._price

    async def complete(self, request: Request) -> Completion:
        """Answer a request; what the function raises comes as the cause of a ModelError."""
        return await collect(self.stream(request))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece, in the pieces that the function gives."""
        check_request(request, self._name)
        until = deadline(request)
        with self._blamed():
            answer = self._f(request) if self._whole else self._f(request.turns, request.tools)
            if inspect.isawaitable(answer):
                answer = await in_time(answer, until, request, self._name)
        if isinstance(answer, Completion):
            chunks = recite(answer, request, model=self._name, price=self._price)
        else:
            chunks = write(self._pieces(answer), request, until, model=self._name, price=self._price)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Raises ModelError: a function gives no embeddings."""
        raise ModelError(self._name, "it has no embeddings; use a model that has")

    async def aclose(self) -> None:
        """Nothing is held, so nothing is given back."""

    async def _pieces(self, answer: object) -> AsyncGenerator[str, None]:
        if isinstance(answer, str):
            yield answer
            return
        if not isinstance(answer, AsyncIterator):
            raise ModelError(
                self._name, f"its function gave {type(answer).__name__}; return str, Completion or an async iterator"
            )
        try:
            while True:
                with self._blamed():
                    try:
                        piece: str = await anext(answer)
                    except StopAsyncIteration:
                        return
                yield piece
        finally:
            if isinstance(answer, AsyncGenerator):
                await answer.aclose()

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """Make what the function raises a ModelError that names it."""
        try:
            yield
        except LlmNetError:
            raise
        except OSError as error:  # a TimeoutError and every network error are OSErrors
            raise ModelUnavailable(self._name, f"its function raised {type(error).__name__}: {error}") from error
        except Exception as error:
            raise ModelError(self._name, f"its function raised {type(error).__name__}: {error}") from error
