"""llama.cpp in this process, with one GGUF file loaded; the only file that imports `xllamacpp`. Blocks: for threads.

Knows nothing of our records; it speaks the JSON of the OpenAI API as plain dicts. Each setting says what was measured.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from typing import Any, Literal, TypeAlias

from llm_net.errors import MissingDependency

Json: TypeAlias = dict[str, Any]
"""An object of the OpenAI API, of which each reader knows what it looks for."""

Purpose: TypeAlias = Literal["chat", "embedding"]


class Engine:
    """One model, loaded.

    Args:
        path: a GGUF file.
        purpose: one engine does one of them.
        slots: calls decoded at the same time.
        context: tokens of prompt and answer together, in each slot.
        threads: of the CPU.
        unix: listen on a Unix socket, which nobody can reach; else on loopback, with a key that nobody knows.

    Raises:
        RuntimeError: the file cannot be loaded.
        MissingDependency: `xllamacpp` is not installed.
    """

    def __init__(
        self,
        path: Path,
        purpose: Purpose,
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
        params.endpoint_metrics = True
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
        self._guided = str(engine.json_schema_to_grammar({"type": "null"})).startswith("%llguidance")
        self._decoding = _Room()
        # Answered by the engine's own thread. Freed before that has begun its work, the engine waits for it for ever.
        self._server.handle_metrics()

    @property
    def address(self) -> str:
        """Where it listens, which it cannot be kept from."""
        return str(self._server.listening_address)

    def chat(self, question: Json, hear: Callable[[Json], bool]) -> None:
        """Answer a question by chunks; `hear` gives True to stop. Raises ValueError for a schema that cannot be used.

        Of a `grammar` and a `response_format` the grammar holds, where this build of llama.cpp has llguidance.
        One with a seed is decoded while no other is: what shares its batches changes roundings, and with them its words.
        """
        if "grammar" in question:
            left_out = "response_format" if self._guided else "grammar"
            question = {name: value for name, value in question.items() if name != left_out}
        with self._decoding.taken(alone="seed" in question):
            self._server.handle_chat_completions(question, hear)

    def embed(self, texts: list[str]) -> Json:
        """Give texts as vectors."""
        return dict(self._server.handle_embeddings({"input": texts}))

    def close(self) -> None:
        """Free it. Nothing may be running on it."""
        self._server = None


class _Room:
    """Taken by many threads at a time, or by one alone, who waits for no newcomers."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._taken = 0
        self._alone = False
        self._waiting = 0  # for being alone

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        with self._changed:
            if alone:
                self._waiting += 1
                self._changed.wait_for(lambda: not self._taken)
                self._waiting -= 1
            else:
                self._changed.wait_for(lambda: not self._alone and not self._waiting)
            self._taken += 1
            self._alone = alone
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._alone = False
                self._changed.notify_all()
