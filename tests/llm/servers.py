"""Two OpenAI-compatible servers on loopback: a real one, and one that does what goes wrong in the world."""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

KEY = "the key of the tests"


@dataclass(frozen=True)
class Endpoint:
    base_url: str
    key: str


@contextmanager
def llama_server(gguf: Path) -> Iterator[Endpoint]:
    """llama.cpp serving the embedded weights with a key."""
    engine = importlib.import_module("xllamacpp")
    params = engine.CommonParams()
    params.model.path = str(gguf)
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys = [KEY]
    params.verbosity, params.warmup, params.fit_params = -1, False, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_parallel, params.n_ctx, params.kv_unified = 4, 8192, False
    params.n_batch = params.n_ubatch = 64
    params.endpoint_metrics = True
    server = engine.Server(params)
    server.handle_metrics()  # see LocalModel: it must not be freed before it runs
    yield Endpoint(f"{server.listening_address}/v1", KEY)
    del server


class FaultServer:
    """Each first part of the path is another fate; `asked` holds the bodies of the requests that came."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.connections: set[socket.socket] = set()
        self.released = threading.Event()
        fates = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                fates.connections.add(self.connection)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fates.asked.append(body)
                fate, _, route = self.path.lstrip("/").partition("/v1/")
                getattr(fates, fate.replace("-", "_"))(self, body, route)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # so that closing it waits for them
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        for connection in self.connections:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    def url(self, fate: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{fate}/v1"

    # ------------------------------------------------------------------------------------------ fates

    def rate_limited(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        _fail(to, 429, {"message": "Slow down.", "type": "rate_limit_error"}, {"Retry-After": "7"})

    def broke(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        _fail(to, 500, {"message": "It broke."})

    def out_of_money(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        _fail(to, 429, {"message": "You exceeded your quota.", "code": "insufficient_quota"})

    def too_long(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        _fail(
            to, 400, {"message": "This model's maximum context length is 8 tokens.", "code": "context_length_exceeded"}
        )

    def refused(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        _fail(to, 400, {"message": "Unknown parameter."})

    def missing(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        _fail(to, 404, {"message": "No such model.", "code": "model_not_found"})

    def no_json(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        _send(to, 200, b'{"choices": [{"mess', {})

    def hang(self, to: BaseHTTPRequestHandler, *_: object) -> None:
        self.released.wait()

    def reset(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Break the connection in the middle of a stream."""
        _begin(to)
        _event(to, _delta({"content": "The beginning"}))
        to.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        to.close_connection = True
        os.close(to.connection.detach())  # with that option, a reset and not an end

    def halt(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Stop talking in the middle of a stream."""
        _begin(to)
        _event(to, _delta({"content": "The beginning"}))
        self.released.wait()

    def call(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Call the first function that is offered."""
        name = body["tools"][0]["function"]["name"]
        called = {"id": "call_9", "type": "function", "function": {"name": name, "arguments": '{"city": "Oslo"}'}}
        self._answer(to, body, {"content": None, "tool_calls": [called]}, "tool_calls")

    def chatter(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Say one thing, whatever is asked for."""
        self._answer(to, body, {"content": "One, two, three, four."}, "stop")

    def odd(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Answer with characters that no encoding carries."""
        self._answer(to, body, {"content": "a\ud800b\0c\ud83d\ude00"}, "stop")

    def refusal(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        self._answer(to, body, {"content": None, "refusal": "I will not."}, "stop")

    def uncounted(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Say nothing of usage."""
        self._answer(to, body, {"content": "Hello."}, "stop", usage=False)

    def wrapped(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Answer in the object that is asked for."""
        self._answer(to, body, {"content": '{"answer": "bid"}'}, "stop")

    def vectors(self, to: BaseHTTPRequestHandler, body: dict[str, Any], route: str) -> None:
        """Embed a text as its length."""
        rows = [
            {"object": "embedding", "index": index, "embedding": [float(len(text)), 0.0]}
            for index, text in enumerate(body["input"])
        ]
        answer = {"object": "list", "model": "fate", "data": rows, "usage": {"prompt_tokens": 7, "total_tokens": 7}}
        _send(to, 200, json.dumps(answer).encode(), {})

    def _answer(
        self, to: BaseHTTPRequestHandler, body: dict[str, Any], message: dict[str, Any], finish: str, usage: bool = True
    ) -> None:
        counted = {"usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}} if usage else {}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
            answer = {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": "fate",
                "choices": [choice],
                **counted,
            }
            _send(to, 200, json.dumps(answer).encode(), {})
            return
        _begin(to)
        if calls := message.pop("tool_calls", None):
            message["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
        content = message.pop("content", None)
        for piece in content or ():
            _event(to, _delta({"content": piece}))
        if message:
            _event(to, _delta(message))
        _event(to, _delta({}, finish))
        if usage:
            _event(to, {**_delta({}), "choices": [], **counted})
        _chunk(to, b"data: [DONE]\n\n")
        _chunk(to, b"")


def _fail(
    to: BaseHTTPRequestHandler, status: int, error: dict[str, str], headers: dict[str, str] | None = None
) -> None:
    _send(to, status, json.dumps({"error": error}).encode(), headers or {})


def _send(to: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    to.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        to.send_header(name, value)
    to.end_headers()
    to.wfile.write(body)


def _begin(to: BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.send_header("Content-Type", "text/event-stream")
    to.send_header("Transfer-Encoding", "chunked")
    to.end_headers()


def _chunk(to: BaseHTTPRequestHandler, data: bytes) -> None:
    to.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    to.wfile.flush()


def _event(to: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    _chunk(to, b"data: " + json.dumps(body).encode() + b"\n\n")


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "fate", "choices": [choice]}
