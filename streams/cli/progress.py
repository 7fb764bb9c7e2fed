"""A command's progress, as one line in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from streams.cli.screen import errors

__all__ = ["progress"]

LINE_SECONDS = 10.0
"""How often a line is printed where there is no terminal, from so long after the beginning on."""


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show a line while something runs, and yield what changes its text; without a terminal, print one now and then."""
    if not sys.stderr.isatty():
        yield _Lines(text)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors(), transient=True) as line:
        task = line.add_task(text, total=None)
        yield lambda text: line.update(task, description=text)


class _Lines:
    """Prints what a command says of itself, every `LINE_SECONDS`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._began_at = self._printed_at = time.monotonic()

    def __call__(self, text: str) -> None:
        """Take note of a new text."""
        now = time.monotonic()
        if now - self._printed_at < LINE_SECONDS:
            return
        self._printed_at = now
        print(f"{self._text} {text} ({now - self._began_at:.0f} s)", file=sys.stderr, flush=True)
