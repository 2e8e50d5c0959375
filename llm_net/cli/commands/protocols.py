"""`llm-net protocols`: the conversations with rules that the library has. Knows its catalog, not how they are played."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from inspect import getdoc
from itertools import groupby
from pathlib import Path

import click

from llm_net.base import first_paragraph
from llm_net.cli.app import debug, did_you_mean
from llm_net.cli.graphviz import draw, png, quoted, svg
from llm_net.message import Message
from llm_net.protocols.catalog import CATALOG, Entry
from llm_net.protocols.interaction import OWN_FIELDS
from llm_net.protocols.participant import Option
from llm_net.protocols.picture import own_moves, sequence_of, states_of
from llm_net.protocols.rules import Move, Rules, act_of
from llm_net.schema import JsonSchema

EPILOG = """
\b
Examples:
  llm-net protocols
  llm-net protocols fipa-contract-net
  llm-net protocols fipa-contract-net --draw states --whole
"""

SIDES = {"initiator": "›", "participant": "‹"}


@click.command(epilog=EPILOG)
@click.argument("name", required=False, shell_complete=lambda *_: [*CATALOG])
@click.option("--draw", "drawn", type=click.Choice(["states", "sequence", "all"]), help="Print this diagram alone.")
@click.option("--whole", is_flag=True, help="With the moves that all have: not understood, and cancel.")
@png
@svg
@click.option("--json", "as_json", is_flag=True, help="Print it for programs to read.")
@debug
def command(
    name: str | None, drawn: str | None, whole: bool, png: Path | None, svg: Path | None, as_json: bool
) -> None:
    """List the protocols, or tell of the one with this NAME: its roles, messages and moves, and draw it.

    Diagrams are Mermaid, which GitHub, GitLab and many editors show as pictures. PNG and SVG, of the states, need
    Graphviz.
    """
    if name is None:
        if drawn or whole or png or svg:
            raise click.UsageError("say which protocol to draw: llm-net protocols NAME")
        print(
            json.dumps([_summary(entry) for entry in CATALOG.values()], indent=2, ensure_ascii=False)
        ) if as_json else _list()
        return
    if name not in CATALOG:
        raise click.BadParameter(f"there is no protocol {name!r}{did_you_mean(name, CATALOG)}", param_hint="NAME")
    entry = CATALOG[name]
    moves = list(entry.spoken.moves) if whole else own_moves(entry.spoken)
    diagrams = {"states": states_of(entry.rules, whole=whole), "sequence": sequence_of(entry.rules)}
    draw(_dot_of(moves), png=png, svg=svg)
    if as_json:
        print(
            json.dumps({**_summary(entry), **_details(entry.spoken, moves), **diagrams}, indent=2, ensure_ascii=False)
        )
    elif drawn is not None:
        print("\n\n".join(text for form, text in diagrams.items() if drawn in (form, "all")))
    elif png is None and svg is None:
        print("\n".join([*_told(entry, moves), *(f"\n{text}" for text in diagrams.values())]))


def _list() -> None:
    formatter = click.HelpFormatter(width=100)
    for family, entries in groupby(CATALOG.values(), key=lambda entry: entry.family):
        with formatter.section(family):
            formatter.write_dl([(entry.rules.name, entry.about) for entry in entries], col_max=40)
    print(formatter.getvalue().strip())


def _summary(entry: Entry) -> dict[str, object]:
    page, example = entry.documents
    network = entry.network and f"{entry.network.__module__}.{entry.network.__qualname__}"
    return {
        "family": entry.family,
        "name": entry.rules.name,
        "about": entry.about,
        "network": network,
        "source": entry.rules.source,
        "page": page,
        "example": example,
    }


def _details(rules: Rules, moves: list[Move]) -> dict[str, object]:
    kinds = dict.fromkeys(move.kind for move in moves)
    return {
        "initiator": rules.initiator,
        "participant": rules.participant,
        "messages": [
            {"act": act_of(kind), "class": kind.__name__, "about": _about(kind), "fields": _fields(kind)}
            for kind in kinds
        ],
        "moves": [
            {"state": move.state, "speaker": move.speaker, "act": act_of(move.kind), "then": move.then}
            for move in moves
        ],
        "ends": _ends(rules, moves),
        "sole": sorted(rules.sole),
    }


def _told(entry: Entry, moves: list[Move]) -> Iterator[str]:
    """A protocol in words, a line each."""
    rules = entry.spoken
    page, example = entry.documents
    yield entry.rules.name
    yield entry.about
    yield ""
    if entry.network is not None:
        kinds = [kind.__name__ for taken in entry.network.handlers.verbs().values() for kind in taken]
        yield f"network   {entry.network.__module__}.{entry.network.__name__}, begun by {' or '.join(kinds)}"
    yield f"roles     › {rules.initiator}, ‹ {rules.participant}"
    yield f"source    {rules.source}"
    yield f"page      {page}"
    yield f"example   {example}"
    yield ""
    yield "messages"
    for kind in dict.fromkeys(move.kind for move in moves):
        yield f"  {act_of(kind)} ({kind.__name__}): {_about(kind)}"
        yield from (f"      {name}: {_form(schema)}" for name, schema in _fields(kind).items() if name != "body")
    yield ""
    yield "moves"
    widths = [max(len(word) for word in column) for column in zip(*map(_cells, moves), strict=True)]
    for move in moves:
        state, said, then = _cells(move)
        yield f"  {state:{widths[0]}}  {said:{widths[1]}}  {then}"
    yield ""
    yield f"ends      {', '.join(_ends(rules, moves))}"
    if rules.sole:
        yield f"sole      {', '.join(sorted(rules.sole))}: one conversation about one thing may be there, the others not"


def _cells(move: Move) -> tuple[str, str, str]:
    return move.state, f"{SIDES[move.speaker]} {act_of(move.kind)}", move.then


def _ends(rules: Rules, moves: list[Move]) -> list[str]:
    shown = {move.then for move in moves}
    return [state for state in rules.states if state in rules.ends & shown]


def _about(kind: type[Message]) -> str:
    return first_paragraph(getdoc(kind))


def _fields(kind: type[Message]) -> Mapping[str, JsonSchema]:
    """What a speaker has to say in it."""
    return Option.of(kind, kind.declare(omit=OWN_FIELDS)).asks


def _form(schema: JsonSchema) -> str:
    """What a field may be, in a few words."""
    branches = schema.get("anyOf")
    if isinstance(branches, list):
        return " or ".join(_form(branch) for branch in branches if isinstance(branch, dict))
    types = schema.get("type", "anything")
    words = " or ".join(map(str, types)) if isinstance(types, list) else str(types)
    if isinstance(items := schema.get("items"), dict):
        words += f" of {_form(items)}"
    if isinstance(choices := schema.get("enum"), list):
        words = " | ".join(map(str, choices))
    if "const" in schema:
        words = str(schema["const"])
    for bound, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")):
        if bound in schema:
            words += f" {sign} {schema[bound]}"
    return f"{words}, {schema['description']}" if "description" in schema else words


def _dot_of(moves: list[Move]) -> str:
    """The states of a conversation in the language of Graphviz."""
    left = {move.state for move in moves}
    ends = dict.fromkeys(move.then for move in moves if move.then not in left)
    lines = [
        "digraph {",
        "  rankdir=LR; node [shape=box style=rounded fontname=sans]; edge [fontname=sans];",
        *(f"  {quoted(end)} [peripheries=2];" for end in ends),
        *(
            f"  {quoted(move.state)} -> {quoted(move.then)} [label={quoted(f'{SIDES[move.speaker]} {act_of(move.kind)}')}];"
            for move in moves
        ),
    ]
    return "\n".join([*lines, "}"])
