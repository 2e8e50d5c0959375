"""Finds the network or the agent that FILE.py[:NAME] means. Knows how Python files are loaded, not what agents do."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import click

from llm_net.base import GenAgent, GenNetwork
from llm_net.cli.app import did_you_mean
from llm_net.wire import loaded_as_script


class BrokenProgram(click.ClickException):
    """A file that cannot be loaded."""


def program_at(context: click.Context, parameter: click.Parameter, where: str) -> GenAgent:
    """The agent, as a rule a network, that FILE.py[:NAME] means.

    Raises:
        click.BadParameter: there is no such file, or no such name in it.
        BrokenProgram: the file cannot be loaded.
    """
    path, name = _split(where)
    return _find(vars(_load(path)), path, name)


def module_at(context: click.Context, parameter: click.Parameter, where: str) -> Path:
    """The path of a file, which is loaded, whatever it holds. Raises as `program_at`."""
    path, _ = _split(where)
    _load(path)
    return path


FORM = "FILE.py[:NAME]"

argument = click.argument("program", metavar=FORM, type=click.Path(), callback=program_at)
"""The argument FILE.py[:NAME] of a command; it gets the agent as `program`."""


def _wrong(sentence: str) -> click.BadParameter:
    return click.BadParameter(sentence, param_hint=FORM)


def _split(where: str) -> tuple[Path, str]:
    path, colon, name = where.rpartition(":")
    return (Path(path), name) if colon and path.endswith(".py") else (Path(where), "")


def _load(path: Path) -> ModuleType:
    """Load a file as `python FILE.py` would, but as a module of its own name."""
    if not path.is_file():
        others = sorted(str(other) for other in path.parent.glob("*.py"))
        raise _wrong(f"there is no file {str(path)!r}{did_you_mean(str(path), others)}")
    name = path.stem
    if name in sys.stdlib_module_names or name in sys.modules:
        name = f"program_{name}"
    specification = spec_from_file_location(name, path.resolve())
    if specification is None or specification.loader is None:
        raise BrokenProgram(f"{path} is not a Python file")
    module = module_from_spec(specification)
    loaded_as_script(name)  # a run that `python FILE.py` has recorded has its classes as those of __main__
    sys.modules[name] = module  # where pydantic and pickle look up the classes in it
    sys.path.insert(0, str(path.parent.resolve()))  # what lies beside it can be imported
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename) == path.resolve()
        ]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        place = f"{path}:{line}" if line else str(path)
        raise BrokenProgram(f"{place}: {type(error).__name__}: {said}") from error
    return module


def _find(names: Mapping[str, object], path: Path, name: str) -> GenAgent:
    """The agent of that name, or what a function of that name makes; without a name, the only one there is, else what a
    function `network` makes."""
    agents = {known: value for known, value in names.items() if isinstance(value, GenAgent)}
    if name:
        found = names.get(name)
        if callable(found) and not isinstance(found, (type, GenAgent)):
            found = found()
        if isinstance(found, GenAgent):
            return found
        raise _wrong(f"{path} has no agent or network {name!r}{did_you_mean(name, agents)}")
    networks = {known: value for known, value in agents.items() if isinstance(value, GenNetwork)}
    inside = {id(agent) for network in networks.values() for _, agent in network.walk()}
    outermost = {id(value): known for known, value in (networks or agents).items() if id(value) not in inside}
    if len(outermost) == 1:
        return agents[outermost.popitem()[1]]
    if not outermost:
        if callable(names.get("network")):
            return _find(names, path, "network")
        raise _wrong(
            f"{path} holds no GenNetwork and no GenAgent; assign one to a name, as in `network = GenNetwork(…)`, "
            f"or say which function makes one: {path}:NAME"
        )
    first, *_ = names_found = [*outermost.values()]
    raise _wrong(f"{path} holds several: {', '.join(names_found)}; say which: {path}:{first}")
