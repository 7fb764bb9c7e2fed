"""A command of ours as a child process that ends, at the latest, when this process does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from streams.child_process import ChildProcess

__all__ = ["Child"]

GRACE_SECONDS = 15.0


class Child(ChildProcess):
    """``crmwatch`` with some arguments."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        command = [sys.executable, "-m", "streams.cli.main", *arguments]
        super().__init__(command, log, grace_seconds=GRACE_SECONDS)
