"""What the logs hold of a span: a matrix of hours and operations.

A cell without events proves nothing by itself: vendors write no file for an hour without events. An hour without any
event of anybody is named, as it may be one whose logs are missing.
"""

from __future__ import annotations

from detector.event import READING, AccessEvent, Operation
from detector.units import HOUR_MS

__all__ = ["MOST_CELLS", "CoverageMatrix"]

MOST_CELLS = 500_000
"""Cells kept; times come from the log, and a log may be forged."""


class CoverageMatrix:
    """Counts everybody's events by hour and operation."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, Operation], int] = {}
        self._hours: set[int] = set()

    def observe(self, event: AccessEvent) -> None:
        """Add an event of anybody."""
        cell = (event.time_ms // HOUR_MS, event.operation)
        if cell in self._cells or len(self._cells) < MOST_CELLS:
            self._cells[cell] = self._cells.get(cell, 0) + 1
            self._hours.add(cell[0])

    def count(self, hour: int, operation: Operation) -> int:
        """Events of an operation in an hour, numbered since 1970 UTC."""
        return self._cells.get((hour, operation), 0)

    def dark_hours(self, since_ms: int, until_ms: int) -> int:
        """Hours of a span in which the logs hold no event of anybody."""
        hours = range(since_ms // HOUR_MS, (until_ms - 1) // HOUR_MS + 1)
        return len(hours) - sum(1 for hour in self._hours if hour in hours)

    def absent(self) -> tuple[Operation, ...]:
        """The reading operations of which the logs hold no event at all."""
        held = {operation for _, operation in self._cells}
        return tuple(one for one in Operation if one in READING and one not in held)
