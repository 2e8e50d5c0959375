"""The command `llm-net`: the way in. Knows nothing of what the commands do, nor of the libraries they draw with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from llm_net.errors import MissingDependency


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `llm-net` with these arguments (None: those of the process).

    Returns:
        The exit code: 0; 1 for an error, told in one sentence on standard error; 2 for a wrong use; 130 after Ctrl-C.
    """
    if missing := [library for library in ("click", "rich") if find_spec(library) is None]:
        print(f"Error: {MissingDependency(' and '.join(missing), 'cli', 'the command llm-net')}", file=sys.stderr)
        return 1
    from llm_net.cli.app import run

    return run(arguments)
