"""A line in the terminal that says how far a command is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from streams.cli.screen import errors

__all__ = ["progress"]


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show a line while something runs, and yield what changes its text; where there is no terminal, show nothing."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors(), transient=True, disable=not sys.stderr.isatty()) as line:
        task = line.add_task(text, total=None)
        yield lambda text: line.update(task, description=text)
