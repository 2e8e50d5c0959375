"""A network that really parts: a node in a network namespace of its own, whose cable is pulled and put back. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.carriers.servers import answers, free_ports
from tests.places.programs import Program
from tests.places.talking import TALK, Talk

SPACE = f"llmnet{os.getpid()}"
CABLE, HERE = f"ll{os.getpid()}", "10.213.77"


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


def can_part() -> bool:
    """Whether this machine lets us have network namespaces."""
    if os.geteuid() or shutil.which("ip") is None or not ip("netns", "add", SPACE):
        return False
    made = ip("link", "add", CABLE, "type", "veth", "peer", "name", "eth0", "netns", SPACE)
    ip("netns", "del", SPACE)
    return made


pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not can_part(), reason="no network namespaces here; the simulated carrier parts anyhow"),
]


@pytest.fixture
def cable() -> Iterator[None]:
    for words in (
        ("netns", "add", SPACE),
        ("link", "add", CABLE, "type", "veth", "peer", "name", "eth0", "netns", SPACE),
        ("addr", "add", f"{HERE}.1/24", "dev", CABLE),
        ("link", "set", CABLE, "up"),
        ("-n", SPACE, "addr", "add", f"{HERE}.2/24", "dev", "eth0"),
        ("-n", SPACE, "link", "set", "eth0", "up"),
    ):
        assert ip(*words), words
    yield
    ip("netns", "del", SPACE)


@pytest.fixture
def url(cable: None, tmp_path: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    program = Path(sys.executable).with_name("nats-server")
    server = subprocess.Popen(
        [program, "-js", "-a", f"{HERE}.1", "-p", str(port), "-sd", str(tmp_path / "js"), "-l", str(tmp_path / "log")]
    )
    assert answers(server, f"{HERE}.1", port), (tmp_path / "log").read_text()
    yield f"nats://{HERE}.1:{port}"
    server.kill()
    server.wait()


def test_a_node_behind_a_cable_that_is_pulled_is_given_up_and_taken_back(url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        talk = Talk(stack, url, tmp_path, silent=1.5)
        talk.add_node()
        words = ("-m", "llm_net.cli", "node", str(TALK), "--at", url, "--name", "far", "--silent", "1.5")
        before = ("ip", "netns", "exec", SPACE)
        far = stack.enter_context(Program(*words, "--space", talk.space, log=tmp_path / "far.log", before=before))
        far.says("joined")
        talk.begin()
        far.says("came")
        talk.goes_on(20)
        assert ip("link", "set", CABLE, "down")
        far.says("is over here")
        talk.goes_on(20)
        assert ip("link", "set", CABLE, "up")
        far.says("came", again=1)
        talk.goes_on(20)
        assert talk.end() > 100
