"""Makes the model that the words of `--model` mean. Knows names, paths and addresses; nothing of how models work."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from llm_net.cli.app import did_you_mean
from llm_net.errors import MissingDependency
from llm_net.llm.local import LocalModel
from llm_net.llm.weights import KNOWN, find
from llm_net.ports import Model

SLOTS = 1
"""Calls at the same time of a model on this machine: several are rounded differently, and the same seed shall give the
same words (with 4, one answer in 24 was another one)."""

FORMS = (*KNOWN, "PATH.gguf", "PROVIDER:NAME", "NAME@URL")
"""What can be said: a model that can be fetched, a file, a provider's model, a model of a server."""


def model_of(words: str) -> Model:
    """Make a model.

    Args:
        words: as in `FORMS`, such as smollm2, openai:gpt-5 or llama3.2@http://127.0.0.1:11434/v1.

    Raises:
        MissingDependency: the library that it needs is not installed.
        ModelUnavailable: its weights are not here and could not be fetched.
    """
    if words in KNOWN or words.endswith(".gguf"):
        if find_spec("xllamacpp") is None:  # said before 98 MB are fetched for nothing
            raise MissingDependency("xllamacpp", "local", "a model on this machine")
        if words in KNOWN:
            return LocalModel(_weights(words), slots=SLOTS)
        if not Path(words).is_file():
            others = sorted(str(path) for path in Path(words).parent.glob("*.gguf"))
            raise click.BadParameter(f"there is no file {words!r}{did_you_mean(words, others)}", param_hint="--model")
        return LocalModel(words, slots=SLOTS)
    name, _, url = words.partition("@")
    if url or ":" in words:
        from llm_net.llm.pydantic_ai import ProviderModel

        return ProviderModel(name, base_url=url) if url else ProviderModel(words)
    raise click.BadParameter(f"there is no model {words!r}{did_you_mean(words, FORMS)}", param_hint="--model")


def _weights(name: str) -> Path:
    if (path := find(name)) is not None:
        return path
    from llm_net.cli.weights import fetch

    click.echo(f"the model {name} is not here yet; fetching it once ({KNOWN[name].size / 1e6:.0f} MB)", err=True)
    return fetch(name)
