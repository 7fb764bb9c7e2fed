"""A program as a child process that ends, at the latest, when this process does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["ChildProcess"]

DISMISS_SECONDS = 20.0

# A sibling process reads from a pipe whose other end only we hold. However we end, SIGKILL included, the pipe closes
# and it ends the child: SIGTERM first if the child has time to obey, then SIGKILL. One byte instead means that we have
# seen the child end. The kernel's parent-death signal would do without a process, but it is Linux's alone, it fires
# when the *thread* that started the child ends, and it must be set between fork and exec, which is unsafe in a process
# with threads.
_WATCHDOG = """\
import os, sys, time
pid, grace = int(sys.argv[1]), float(sys.argv[2])
if not os.read(0, 1):
    try:
        if grace:
            os.kill(pid, 15)
        end = time.monotonic() + grace
        while time.monotonic() < end:
            time.sleep(0.1)
            os.kill(pid, 0)
        os.kill(pid, 9)
    except ProcessLookupError:
        pass
"""


class ChildProcess:
    """A program in a session of its own: the terminal's Ctrl-C does not reach it. Its output goes to the end of a log.

    When this process ends first, the child gets SIGTERM and so many seconds of grace, or SIGKILL at once. Raises
    `OSError` if the program cannot be run.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        grace_seconds: float = 0.0,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watchdog: subprocess.Popen[bytes] | None = subprocess.Popen(  # noqa: S603 - our own program and numbers
            [sys.executable, "-I", "-S", "-c", _WATCHDOG, str(self._process.pid), str(grace_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
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
        return None if self._process.poll() is None else self._end()

    def wait(self, seconds: float) -> int:
        """Wait for it to end by itself; its exit code. Raises `subprocess.TimeoutExpired`."""
        self._process.wait(seconds)
        return self._end()

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to end (SIGTERM), insist after some seconds (SIGKILL); its exit code."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass  # the kill below is for this
        finally:
            self.kill()
        return self._end()

    def kill(self) -> int:
        """SIGKILL; its exit code."""
        self._process.kill()
        return self._end()

    def _end(self) -> int:
        code = self._process.wait()
        if self._watchdog is not None:  # its process id may be another's from here on
            try:
                self._watchdog.communicate(b".", timeout=DISMISS_SECONDS)
            except subprocess.TimeoutExpired:
                self._watchdog.kill()
            self._watchdog = None
        return code
