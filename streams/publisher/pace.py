"""Event time at a multiple of real time."""

from __future__ import annotations

import time

__all__ = ["PublishPace"]


class PublishPace:
    """Keeps event time at a multiple of real time, from the first event on."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._began: tuple[float, int] | None = None
        self.behind_seconds: float | None = None
        """How late the last event was, in real time."""

    def wait(self, time_ms: int) -> None:
        """Wait until an event of this time is due."""
        if self._speed is None:
            return
        now = time.monotonic()
        if self._began is None:
            self._began = now, time_ms
        began, first_ms = self._began
        ahead = (time_ms - first_ms) / 1000 / self._speed - (now - began)
        self.behind_seconds = max(0.0, -ahead)
        if ahead > 0:
            time.sleep(ahead)
