"""One operation too large: the largest of an hour per channel, against that of the identity's other hours."""

from __future__ import annotations

import msgspec

from detector.event import AccessEvent
from detector.identity.windows import HOUR_MS, Cell, Cells, add, close, make_room, next_close_ms
from detector.ledger import Counted
from detector.settings import DetectionSettings
from detector.signal import Signal

__all__ = ["DETECTOR", "Export", "ExportState"]


OPEN_WINDOWS = 8
"""How many windows are open at once over all channels, if they wait an hour for late events."""


class ExportState(msgspec.Struct):
    """An identity's channels (operations) and the largest operation of each hour."""

    hours: dict[str, Cell] = {}


class Export:
    """The rows of a single job, report, query or download."""

    name = "export"
    State = ExportState

    def observe(
        self, state: ExportState, event: AccessEvent, counted: Counted, settings: DetectionSettings
    ) -> list[Signal] | None:
        """Hold the operation's rows so far against the largest of this hour."""
        if not counted.rows:
            return None
        channel = event.operation
        cell = state.hours.get(channel)
        if cell is None:
            cell = state.hours[channel] = Cell()
        opened = len(cell.open)
        signal = add(
            cell,
            self.name,
            channel,
            HOUR_MS,
            event,
            counted.operation_rows,
            counted.rows,
            settings,
            largest=True,
        )
        signals = [] if signal is None else [signal]
        if len(cell.open) > opened:
            signals += make_room(_cells(state), self.name, OPEN_WINDOWS, event.time_ms, settings)
        return signals

    def close(self, state: ExportState, until_ms: int, settings: DetectionSettings) -> list[Signal]:
        """Learn the hours that have ended."""
        return close(_cells(state), self.name, until_ms, settings)

    def next_close_ms(self, state: ExportState, settings: DetectionSettings) -> int | None:
        """When the first open hour is due."""
        return next_close_ms(_cells(state), settings)


def _cells(state: ExportState) -> Cells:
    return ((HOUR_MS, state.hours),)


DETECTOR = Export()
