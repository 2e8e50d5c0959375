"""`llm-net models`: the models that run on this machine. Knows where weights are kept, not how they are used."""

from __future__ import annotations

import json

import click

from llm_net.cli.app import debug, did_you_mean
from llm_net.cli.weights import fetch
from llm_net.llm.weights import KNOWN, cache_dir, find

EPILOG = """
\b
Examples:
  llm-net models list
  llm-net models pull smollm2
"""


@click.group(epilog=EPILOG)
@debug
def command() -> None:
    """List and fetch the models that run on this machine, with no key and no network.

    Any other model in a GGUF file runs too: give its path where a model is asked for.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@debug
def list_models(as_json: bool) -> None:
    """List the models that can be fetched by name, and where they are."""
    places = {name: find(name) for name in KNOWN}
    if as_json:
        models = [
            {"name": name, "file": KNOWN[name].file, "bytes": KNOWN[name].size, "path": path and str(path)}
            for name, path in places.items()
        ]
        print(json.dumps(models, indent=2))
    else:
        for name, path in places.items():
            where = path or f"not here; fetch it with: llm-net models pull {name}"
            print(f"{name}  {KNOWN[name].size / 1e6:.0f} MB  {where}")


@command.command("pull")
@click.argument("name", metavar="NAME")
@debug
def pull_model(name: str) -> None:
    """Fetch a model into the cache of this user, unless it is there, and check that it is the right one."""
    if name not in KNOWN:
        raise click.BadParameter(f"there is no model {name!r}{did_you_mean(name, KNOWN)}", param_hint="NAME")
    if (path := find(name)) is None:
        click.echo(f"fetching {name} ({KNOWN[name].size / 1e6:.0f} MB) into {cache_dir()}", err=True)
        path = fetch(name)
    print(path)
