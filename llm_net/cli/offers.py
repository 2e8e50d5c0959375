"""What else could speak on this machine: servers on loopback, keys in the environment. Names them; never uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException

SERVERS = {11434: "Ollama", 1234: "LM Studio", 8080: "llama-server"}
"""The ports on which servers with an OpenAI-compatible interface listen unless they are told otherwise."""

KEYS = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "GOOGLE_API_KEY": "google",
    "GEMINI_API_KEY": "google",
    "MISTRAL_API_KEY": "mistral",
    "GROQ_API_KEY": "groq",
    "XAI_API_KEY": "xai",
    "DEEPSEEK_API_KEY": "deepseek",
    "OPENROUTER_API_KEY": "openrouter",
}
"""The variables in which providers' keys are kept, and what the provider is called in `--model`."""


def offers(environment: Mapping[str, str], servers: Mapping[int, str] = SERVERS) -> Iterator[str]:
    """Each other way to a model, as a few words that end with the option that takes it.

    Args:
        environment: where keys may be; only whether there is one is looked at.
        servers: ports on 127.0.0.1 and what listens there. Each is asked for its models, for half a second at most.
    """
    for port, name in servers.items():
        if models := _models_at(port):
            yield f"{name} runs here: --model {models[0]}@http://127.0.0.1:{port}/v1"
    for variable, provider in KEYS.items():
        if environment.get(variable):
            yield f"{variable} is set: --model {provider}:NAME"


def _models_at(port: int) -> list[str]:
    """The models of a server on this machine; none if nobody answers, or not as such a server does."""
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=0.5)) as connection:
            connection.request("GET", "/v1/models")
            answer = json.loads(connection.getresponse().read(1_000_000))
        return [str(model["id"]) for model in answer["data"]]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return []
