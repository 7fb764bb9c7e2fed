"""Ends a process that no longer does its work, from outside its event loop.

Faust reports a stream that has stopped in its log and goes on stopped; a process that is gone is restarted.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from time import monotonic

__all__ = ["Pulse", "Watchdog", "end_process"]

EXIT_CODE = 70
"""EX_SOFTWARE: a supervisor should restart the process."""


def end_process(reason: str, code: int = EXIT_CODE) -> None:
    """End at once, with the reason as the last line. Nothing is flushed: what was not durable will be done again."""
    after = "" if code == 0 else ", to be restarted from the last saved state"
    sys.__stderr__.write(f"crmwatch: {reason}; ending{after}\n")  # type: ignore[union-attr]
    sys.__stderr__.flush()  # type: ignore[union-attr]
    os._exit(code)


class Pulse:
    """What the event loop tells of itself, once a second."""

    def __init__(self) -> None:
        self.beat_at = monotonic()
        """When the event loop last ran."""
        self.moved_at = monotonic()
        """When the committed position last moved, or the lag was last zero."""
        self.ready = False
        """Whether state is recovered and records are being read."""
        self.recovering_since: float | None = monotonic()
        self._committed = -1

    def beat(self, committed: int, lag: int) -> bool:
        """The loop runs; `committed` is the sum of committed offsets. Whether that counts as movement."""
        self.beat_at = monotonic()
        moved = committed != self._committed or lag == 0
        if moved:
            self.moved_at = self.beat_at
        self._committed = committed
        return moved

    def trouble(self, patience_seconds: float) -> str | None:
        """Why the process is no longer alive, or ``None``."""
        now = monotonic()
        if now - self.beat_at > patience_seconds:
            return f"the event loop has not run for {now - self.beat_at:.0f} s"
        if self.recovering_since is not None:
            if now - self.recovering_since > 10 * patience_seconds:
                return f"state has been recovering for {now - self.recovering_since:.0f} s"
        elif now - self.moved_at > patience_seconds:
            return (
                f"there are records to process, but none has been committed for {now - self.moved_at:.0f} s"
            )
        return None


class Watchdog(threading.Thread):
    """Looks at a pulse once a second and ends the process when it is in trouble."""

    def __init__(
        self, pulse: Pulse, patience_seconds: float, end: Callable[[str], None] = end_process
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._pulse = pulse
        self._patience_seconds = patience_seconds
        self._end = end
        self._stopped = threading.Event()

    def run(self) -> None:
        """Watch until stopped."""
        while (reason := self._pulse.trouble(self._patience_seconds)) is None:
            if self._stopped.wait(1.0):
                return
        self._end(reason)

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
