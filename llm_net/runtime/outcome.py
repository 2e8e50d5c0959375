"""Errors as bytes, and back: a step that is repeated meets the same ones again. Knows no run."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from llm_net.chat import Usage
from llm_net.errors import AgentFailed, EffectFailed, LlmNetError

_MORE: dict[str, TypeAdapter[Any]] = {"usage": TypeAdapter(Usage | None)}
"""The fields of errors that are more than JSON."""


def written_error(error: BaseException) -> bytes:
    """An error as JSON: its class, its facts, its sentence."""
    kind = type(error)
    facts: object = error.facts() if isinstance(error, LlmNetError) else list(error.args)
    try:
        written = to_json(facts)
    except ValueError:  # something in it is alive
        written = to_json([str(error)])
    return b'{"kind":%b,"facts":%b,"text":%b}' % (
        to_json(f"{kind.__module__}:{kind.__qualname__}"),
        written,
        to_json(str(error)),
    )


def read_error(data: bytes) -> BaseException:
    """The error of `written_error`: of its class if that is one of ours or of Python's own, else an EffectFailed."""
    written = cast(Mapping[str, Any], from_json(data))
    module, _, name = str(written["kind"]).partition(":")
    facts = written["facts"]
    try:
        if module == "builtins" and isinstance(facts, list):
            kind = getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, Exception):
                return kind(*facts)
        elif isinstance(facts, dict):
            for ours in _ours():
                if (ours.__module__, ours.__qualname__) == (module, name):
                    return of_facts(ours, facts)
    except (TypeError, ValueError):
        return EffectFailed(name, str(written["text"]))  # it takes other arguments now
    return EffectFailed(name, str(written["text"]))


def of_facts(kind: type[LlmNetError], facts: Mapping[str, Any]) -> LlmNetError:
    """An error of ours, of its facts as JSON has them. Raises TypeError if it takes others, ValueError if they are wrong."""
    read = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
    return kind(**read | {name: _MORE[name].validate_python(read[name]) for name in _MORE.keys() & read.keys()})


def _ours() -> list[type[LlmNetError]]:
    found: list[type[LlmNetError]] = [AgentFailed, LlmNetError]
    for kind in found:
        found.extend(each for each in kind.__subclasses__() if each not in found)
    return found
