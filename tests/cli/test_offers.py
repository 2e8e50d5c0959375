"""What else could speak on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from llm_net.cli.offers import offers


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """A server on loopback that answers every question in the same way; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *values: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening.server_port
        listening.shutdown()
        thread.join()


def test_a_server_on_loopback_is_offered_with_its_first_model() -> None:
    with server(b'{"data": [{"id": "llama3.2"}, {"id": "other"}]}') as port:
        assert list(offers({}, {port: "Ollama"})) == [f"Ollama runs here: --model llama3.2@http://127.0.0.1:{port}/v1"]


@pytest.mark.parametrize("answer", [b"<html>a web page</html>", b'{"data": 3}', b'{"data": []}', b"[]", b""])
def test_another_server_at_that_port_is_not_offered(answer: bytes) -> None:
    with server(answer) as port:
        assert list(offers({}, {port: "llama-server"})) == []


def test_where_nobody_listens_nothing_is_offered() -> None:
    with server(b"") as port:
        pass
    assert list(offers({}, {port: "Ollama"})) == []


def test_a_key_is_offered_and_never_shown() -> None:
    found = list(offers({"OPENAI_API_KEY": "sk-secret", "GROQ_API_KEY": ""}, {}))

    assert found == ["OPENAI_API_KEY is set: --model openai:NAME"]
