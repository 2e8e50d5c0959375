"""What holds for the whole house: its public names, what an import costs in modules, and what no file may do."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import llm_net

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "llm_net").rglob("*.py"))

# ------------------------------------------------------------------------------------------------ data, to be edited

EXPECTED = [
    "AbstractObject",
    "Call",
    "Event",
    "GenAgent",
    "GenNetwork",
    "Limits",
    "Link",
    "Mailbox",
    "Message",
    "Method",
    "Retry",
    "Role",
    "Run",
    "blocking",
    "call",
    "every",
    "handles",
]
"""The names that users may import from `llm_net`, as promised. Taking one away breaks programs."""

HOMES = {
    "pydantic": {"llm_net"},
    "pydantic_core": {"llm_net"},
    "networkx": {"llm_net/picture.py", "llm_net/base.py"},  # base only names a type of it
    "msgpack": {"llm_net/wire.py"},
    "xllamacpp": {"llm_net/llm/engine.py"},
    "pydantic_ai": {"llm_net/llm/direct.py", "llm_net/llm/pydantic_ai.py"},
    "genai_prices": {"llm_net/llm/direct.py"},  # comes with pydantic_ai
    "psycopg": {"llm_net/journal/postgres.py", "llm_net/carriers/postgres.py"},
    "nats": {"llm_net/carriers/nats.py"},
    "ray": {"llm_net/places/ray.py"},
    "scipy": {"llm_net/protocols/auctions/milp.py"},
    "negmas": {"llm_net/protocols/negotiation/negmas.py"},  # AGPL-3: no extra of ours installs it
    "pytest": {"llm_net/testing"},
    "click": {"llm_net/cli"},
    "rich": {"llm_net/cli", "llm_net/observe/progress.py"},
}
"""Each library that we import, and the files or folders that may."""

ALWAYS_THERE = {"pydantic", "pydantic_core", "networkx", "msgpack", "pytest"}
"""Of these, what comes with the core, and pytest, which alone loads our plugin; every other is optional."""

OURS_AND_PYTHONS = {"llm_net", "annotationlib"} | sys.stdlib_module_names  # annotationlib: from Python 3.14 on

SHELLS = ("llm_net/cli", "llm_net/studio")
"""The only places that read the environment and print."""

FORBIDDEN = {
    "pickle": "runs what it reads",
    "marshal": "runs what it reads",
    "shelve": "runs what it reads",
    "eval": "runs text",
    "exec": "runs text",
    "compile": "makes text runnable",
    "__import__": "imports what data names",
    "importlib.import_module": "imports what data names",
    "importlib.util.spec_from_file_location": "runs a file",
    "runpy": "runs a file",
    "os.system": "runs text in a shell",
}
"""What no module does, and why."""

FORBIDDEN_OUTSIDE_SHELLS = {
    "os.environ": "makes a program depend on where it runs",
    "os.getenv": "makes a program depend on where it runs",
    "print": "takes the terminal from the program that uses us",
}

ALLOWED = {
    (
        "llm_net/carriers/pipes.py",
        "importlib.import_module",
    ): "a worker has the modules of its parent, who has started it",
    ("llm_net/carriers/pipes.py", "runpy"): "and its main program",
    ("llm_net/cli/app.py", "importlib.import_module"): "a command is imported when it is typed; the names are ours",
    ("llm_net/cli/program.py", "importlib.util.spec_from_file_location"): "`llm-net run FILE.py` is asked to run it",
}
"""The exceptions: (file, what it does) and the reason. One that is no longer needed has to go."""

# ------------------------------------------------------------------------------------------------ reading


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def within(file: str, home: str) -> bool:
    return file == home or file.startswith(f"{home}/")


def imports(tree: ast.AST) -> dict[str, str]:
    """What a module imports, at its top or in a function: the name it has there, and its full name."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else first(alias.name)
                found[alias.asname or name] = name
        elif isinstance(node, ast.ImportFrom):
            found.update((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)
    return found


def uses(tree: ast.AST) -> set[str]:
    """Every name that a module uses, in full: after `from os import environ as e`, `e.get` is `os.environ.get`."""
    known = imports(tree)
    found = set(known.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and (name := spelled(node)):
            found.add(known.get(first(name), first(name)) + name.removeprefix(first(name)))
    return found


def spelled(node: ast.expr) -> str | None:
    """`a.b.c` as it is written; None where it does not begin with a name."""
    if isinstance(node, ast.Attribute):
        return f"{before}.{node.attr}" if (before := spelled(node.value)) else None
    return node.id if isinstance(node, ast.Name) else None


def first(name: str) -> str:
    return name.partition(".")[0]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def forbidden(source: str, *, shell: bool) -> set[str]:
    """Which of the forbidden things a module does."""
    rules = FORBIDDEN if shell else FORBIDDEN | FORBIDDEN_OUTSIDE_SHELLS
    return {rule for rule in rules for name in uses(ast.parse(source)) if name == rule or name.startswith(f"{rule}.")}


each_module = pytest.mark.parametrize("path", MODULES, ids=place)


def python(program: str) -> str:
    """What a fresh interpreter prints."""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def modules_after(statement: str) -> set[str]:
    return set(python(f"import sys; {statement}; print(*sys.modules)").split())


# ------------------------------------------------------------------------------------------------ what is promised


def test_the_public_names_are_those_that_were_promised() -> None:
    assert sorted(llm_net.__all__) == EXPECTED
    assert [name for name in EXPECTED if not hasattr(llm_net, name)] == []


def test_the_version_stands_in_one_place() -> None:
    places = [*MODULES, ROOT / "pyproject.toml", ROOT / "docs/conf.py"]

    assert [place(path) for path in places if f'"{llm_net.__version__}"' in path.read_text()] == ["llm_net/__init__.py"]


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {**project["project"]["optional-dependencies"], **project["dependency-groups"]}
    asked = [*project["project"]["dependencies"]]
    asked += [
        line
        for name in ("local", "ai", "cli", "postgres", "nats", "markets", "build", "test", "servers", "check")
        for line in groups[name]
    ]
    lines = (ROOT / "requirements/dev.txt").read_text().splitlines()
    locked = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]

    def holds(one: Requirement) -> bool:
        pins = [str(pin.specifier) for pin in locked if pin.name == canonicalize_name(one.name)]
        return bool(pins) and all(one.specifier.contains(pin.removeprefix("==")) for pin in pins)

    assert [line for line in asked if not holds(Requirement(line))] == [], "run scripts/lock"


# ------------------------------------------------------------------------------------------------ what an import brings


def test_importing_llm_net_brings_no_library_but_pydantic() -> None:
    before = {first(name) for name in modules_after("from pydantic import BaseModel, Field")}

    after = {first(name) for name in modules_after("import llm_net")}

    assert after - before - sys.stdlib_module_names == {"llm_net"}


def test_importing_llm_net_brings_no_event_loop() -> None:
    assert "asyncio" not in modules_after("import llm_net")


def test_every_module_imports_where_optional_libraries_are_absent() -> None:
    absent = sorted(HOMES.keys() - ALWAYS_THERE)
    modules = [dotted(path) for path in MODULES if not place(path).startswith(SHELLS)]

    failed = python(
        f"""
import importlib, sys
sys.modules.update(dict.fromkeys({absent}))
from llm_net.errors import MissingDependency
for name in {modules}:
    try:
        importlib.import_module(name)
    except MissingDependency:
        pass
    except ImportError as error:
        print(name, error, sep=": ")
"""
    )

    assert failed == ""


# ------------------------------------------------------------------------------------------------ what all files keep


@each_module
def test_a_module_says_what_it_holds(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@each_module
def test_a_library_is_imported_only_where_it_is_at_home(path: Path) -> None:
    libraries = {first(name) for name in imports(ast.parse(path.read_text())).values()} - OURS_AND_PYTHONS

    assert {name for name in libraries if not any(within(place(path), home) for home in HOMES.get(name, ()))} == set()


@each_module
def test_a_module_does_nothing_that_is_forbidden(path: Path) -> None:
    allowed = {what for file, what in ALLOWED if file == place(path)}

    assert forbidden(path.read_text(), shell=place(path).startswith(SHELLS)) == allowed


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("eval('1')", {"eval"}),
        ("run = exec", {"exec"}),
        ("from pickle import loads as read", {"pickle"}),
        ("import os as system\nsystem.environ['HOME']", {"os.environ"}),
        ("def late():\n    import importlib\n    return importlib.import_module", {"importlib.import_module"}),
        ("import re\nre.compile('a').match('a')\nmodel.eval()\nconsole.print()", set()),
    ],
)
def test_what_is_forbidden_is_found_under_any_name(source: str, found: set[str]) -> None:
    assert forbidden(source, shell=False) == found
