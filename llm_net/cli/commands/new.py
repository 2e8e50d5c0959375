"""`llm-net new`: a directory with the files of a small project. Knows where they go, not what is in them."""

from __future__ import annotations

from pathlib import Path

import click

from llm_net.cli.app import debug
from llm_net.cli.project import files_of

EPILOG = """
\b
Examples:
  llm-net new bees
  cd bees && pytest
  llm-net run agents.py "What do bees do?"
"""


@click.command(epilog=EPILOG)
@click.argument("directory", metavar="NAME", type=click.Path(path_type=Path))
@debug
def command(directory: Path) -> None:
    """Make the directory NAME with a small project: a program with two agents, a test that passes, a README."""
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        raise click.BadParameter(f"{directory} is there already; choose another name", param_hint="NAME") from None
    except OSError as error:
        raise click.ClickException(f"{directory} cannot be made: {error.strerror}") from None
    for path, text in files_of(directory.resolve().name).items():
        (directory / path).write_text(text, encoding="utf-8")
        print(f"wrote {directory / path}")
    print(f'\nNext:\n  cd {directory}\n  pytest\n  llm-net run agents.py "What do bees do?"')
