"""Pictures by Graphviz: finds its program and has it draw. Knows its language only so far as to quote a name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click

png = click.option(
    "--png", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT", help="Draw it into this file."
)
svg = click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT", help="Draw it into this file."
)
"""The options of a command that draws pictures."""


def draw(dot: str, *, png: Path | None, svg: Path | None) -> None:
    """Draw what is written in the language of Graphviz into these files, if any."""
    for form, out in (("png", png), ("svg", svg)):
        if out is not None:
            _draw(dot, form, out)


def _draw(dot: str, form: str, out: Path) -> None:
    graphviz = shutil.which("dot")
    if graphviz is None:
        raise click.ClickException(
            "pictures need Graphviz, whose program `dot` was not found; install it (https://graphviz.org/download), "
            "or leave out the option and paste the Mermaid text where it is shown"
        )
    drawn = subprocess.run([graphviz, f"-T{form}"], input=dot.encode(), capture_output=True, check=False)
    if drawn.returncode:
        raise click.ClickException(f"Graphviz could not draw it: {drawn.stderr.decode(errors='replace').strip()}")
    out.write_bytes(drawn.stdout)
    click.echo(f"wrote {out}", err=True)


def quoted(text: str) -> str:
    """Text as a name or label in the language of Graphviz. Source: https://graphviz.org/doc/info/lang.html"""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
