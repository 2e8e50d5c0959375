"""`llm-net completion`."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.cli.conftest import Call, process


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.skipif(shutil.which("bash") is None, reason="click asks bash for its version")
def test_each_shell_gets_a_script(call: Call, shell: str) -> None:
    called = call("completion", shell)

    assert called.code == 0
    assert f"_LLM_NET_COMPLETE={shell}_complete" in called.out


def test_a_command_is_completed() -> None:
    asked = {**os.environ, "_LLM_NET_COMPLETE": "bash_complete", "COMP_WORDS": "llm-net do", "COMP_CWORD": "1"}

    completed = subprocess.run(process(), env=asked, capture_output=True, text=True, check=False, timeout=60)

    assert completed.stdout.split() == ["plain,doctor"]


def test_another_shell_is_a_wrong_use(call: Call) -> None:
    assert call("completion", "cmd").code == 2
