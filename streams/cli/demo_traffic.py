"""The demo's traffic: a small airline's three weeks up to now, then hours that go by in minutes, with a theft."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from detector.adapters import RecordError, decode
from detector.event import AccessEvent
from detector.simulation import Theft, World, records
from detector.simulation.directory import world_directory
from detector.units import HOUR_MS
from streams.files.reader import FileRecord

__all__ = ["SPEED", "THEFT_AFTER_SECONDS", "Traffic"]

HISTORY_HOURS = 21 * 24
"""After two weeks integrations are still being learned: what is odd about them then would count as the thief's."""
LIVE_HOURS = 8
PEOPLE, INTEGRATIONS = 25, 2
STOLEN = 1
"""Whose token it is: this one has no bulk jobs of its own, so that the rows in bulk are the thief's."""
SPEED = 60.0
THEFT_AFTER_SECONDS = 60
"""Of real time, from the first live record on."""


class Traffic:
    """A world whose last hours are still to come; `on_theft` hears the event time when the thief comes."""

    def __init__(self, seed: int, on_theft: Callable[[int], None]) -> None:
        now_ms = time.time_ns() // 1_000_000
        self.live_ms = now_ms - LIVE_HOURS * HOUR_MS
        """Event time at which the live traffic begins."""
        self._theft_ms = self.live_ms + int(THEFT_AFTER_SECONDS * SPEED * 1000)
        self._on_theft = on_theft
        start_ms = (self.live_ms // HOUR_MS - HISTORY_HOURS) * HOUR_MS
        hours = HISTORY_HOURS + LIVE_HOURS
        world = World(seed=seed, start_ms=start_ms, hours=hours, people=PEOPLE, integrations=INTEGRATIONS)
        self._records = records(world, Theft(start_ms=self._theft_ms, integration=STOLEN))
        self.directory = world_directory(world)
        """Who is who in it."""
        self._line = 0
        self._held: tuple[int, bytes] | None = None
        self._seen: set[str] = set()
        self.stopped = False

    def stop(self) -> None:
        """Let the live traffic end."""
        self.stopped = True

    @property
    def identities(self) -> int:
        """How many identities there have been so far."""
        return len(self._seen)

    def history(self) -> Iterator[tuple[FileRecord, AccessEvent | RecordError]]:
        """What has happened already."""
        for time_ms, record in self._records:
            if time_ms >= self.live_ms:
                self._held = time_ms, record
                return
            yield self._read(record)

    def live(self) -> Iterator[tuple[FileRecord, AccessEvent | RecordError]]:
        """What happens now."""
        if self._held is not None:
            yield self._read(self._held[1])
        come = False
        for time_ms, record in self._records:
            if self.stopped:
                return
            yield self._read(record)  # and back when it has been published, at its time
            if time_ms >= self._theft_ms and not come:
                come = True
                self._on_theft(time_ms)

    def _read(self, record: bytes) -> tuple[FileRecord, AccessEvent | RecordError]:
        self._line += 1
        position = f"demo:{self._line}"
        event = decode(record, position)
        self._seen.add(event.identity)
        return FileRecord(record, position, "demo"), event
