"""A command of ours as a child process that ends, at the latest, when this process does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Child"]

_PROGRAM = """\
import os, signal, sys, threading
def follow():
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Timer(15, os._exit, (1,)).start()
threading.Thread(target=follow, daemon=True).start()
from streams.cli.main import main
main()
"""
# The child reads from a pipe whose other end only the parent holds: however the parent ends, the pipe closes.


class Child:
    """``crmwatch`` with some arguments, in a session of its own: the terminal's Ctrl-C does not reach it."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", _PROGRAM, *arguments],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, or ``None`` while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        """Wait for it to end by itself; its exit code. Raises `subprocess.TimeoutExpired`."""
        self._process.wait(seconds)
        return self._end()

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to end (SIGTERM), insist after some seconds; its exit code."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._end()

    def kill(self) -> int:
        """SIGKILL."""
        self._process.kill()
        return self._end()

    def _end(self) -> int:
        code = self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code
