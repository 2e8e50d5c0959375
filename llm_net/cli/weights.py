"""Fetching weights while somebody watches. Knows how to draw a bar, not where weights come from."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from llm_net.llm.weights import pull


def fetch(name: str) -> Path:
    """Fetch weights with a bar on standard error. Raises ModelUnavailable with the reason."""
    console = Console(stderr=True, highlight=False)
    with Progress(
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(name, total=None)
        return pull(name, progress=lambda done, total: bar.update(task, completed=done, total=total))
