"""`llm-net graph`: a network as Mermaid text or as a picture. Knows the language of Graphviz, not its program."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import click

from llm_net.base import GenAgent, GenNetwork
from llm_net.cli.app import debug
from llm_net.cli.graphviz import draw, png, quoted, svg
from llm_net.cli.program import argument
from llm_net.graph import ITSELF
from llm_net.picture import links_of, networks_of

EPILOG = """
\b
Examples:
  llm-net graph team.py
  llm-net graph team.py:network --svg team.svg
"""


@click.command(epilog=EPILOG)
@argument
@png
@svg
@click.option("--dot", is_flag=True, help="Print it in the language of Graphviz instead of Mermaid.")
@debug
def command(program: GenAgent, png: Path | None, svg: Path | None, dot: bool) -> None:
    """Draw a network: agents, the networks they are in, and who hears which event of whom.

    Prints Mermaid, which GitHub, GitLab and many editors show as a picture. Pictures need Graphviz.
    """
    if not isinstance(program, GenNetwork):
        raise click.UsageError(f"{program.id!r} is one agent; only networks can be drawn")
    draw(dot_of(program), png=png, svg=svg)
    if dot:
        print(dot_of(program))
    elif png is None and svg is None:
        print(program.mermaid())


def dot_of(network: GenNetwork) -> str:
    """A network in the language of Graphviz. Source: https://graphviz.org/doc/info/lang.html"""
    lines = [
        "digraph {",
        "  rankdir=LR; fontname=sans; node [shape=box style=rounded fontname=sans]; edge [fontname=sans];",
    ]
    links = [link for prefix, inner in networks_of(network) for link in links_of(prefix, inner)]
    linked = {end for link in links for end in (link.source, link.listener)}
    if ITSELF in linked:
        lines.append(f"  {quoted(ITSELF)} [label={quoted(network.id)} shape=oval];")
    lines += _inside(network, "", frozenset((id(network),)), linked, "  ")
    lines += (f"  {quoted(link.source)} -> {quoted(link.listener)} [label={quoted(link.event)}];" for link in links)
    return "\n".join([*lines, "}"])


def _inside(
    network: GenNetwork, prefix: str, above: frozenset[int], linked: Collection[str], indent: str
) -> Iterator[str]:
    """The members of a network; nested networks as boxes around theirs, with an oval in it where they are linked."""
    for agent in network:
        path = f"{prefix}{agent.id}"
        if isinstance(agent, GenNetwork) and len(agent) and id(agent) not in above:
            yield f"{indent}subgraph {quoted(f'cluster_{path}')} {{"
            yield f"{indent}  label={quoted(agent.id)}; style=rounded;"
            if path in linked:
                yield f"{indent}  {quoted(path)} [label={quoted(agent.id)} shape=oval];"
            yield from _inside(agent, f"{path}/", above | {id(agent)}, linked, f"{indent}  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{quoted(path)} [label={quoted(agent.id)}];"
