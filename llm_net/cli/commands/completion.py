"""`llm-net completion`: the script that lets a shell complete commands, options and files. Knows shells by name."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from llm_net.cli.app import app, debug

EPILOG = """
\b
Examples:
  eval "$(llm-net completion bash)"       # in ~/.bashrc
  eval "$(llm-net completion zsh)"        # in ~/.zshrc
  llm-net completion fish | source        # in ~/.config/fish/config.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug
def command(shell: str) -> None:
    """Print the script that completes llm-net's commands, options and files in your SHELL."""
    completion = get_completion_class(shell)
    assert completion is not None  # click knows all three
    print(completion(app, {}, "llm-net", "_LLM_NET_COMPLETE").source())
