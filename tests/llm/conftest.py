"""What tests of models share: the weights, and for each module the embedded model and two servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_net.llm import weights
from llm_net.llm.local import LocalModel
from tests.llm.servers import Endpoint, FaultServer, llama_server


@pytest.fixture(scope="session")
def gguf() -> Path:
    return weights.pull()


@pytest.fixture(scope="module")
def local(gguf: Path) -> Iterator[LocalModel]:
    model = LocalModel(gguf)
    yield model
    asyncio.run(model.aclose())


@pytest.fixture(scope="module")
def llama(gguf: Path) -> Iterator[Endpoint]:
    with llama_server(gguf) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def faults() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
