"""Too many rows in an hour or a day: their sum over each channel, against the identity's own level."""

from __future__ import annotations

import msgspec

from detector.event import AccessEvent
from detector.identity.windows import DAY_MS, HOUR_MS, Cell, Cells, add, close, make_room, next_close_ms
from detector.ledger import Counted
from detector.settings import DetectionSettings
from detector.signal import Signal

__all__ = ["DETECTOR", "Volume", "VolumeState"]


OPEN_WINDOWS = 16
"""How many windows are open at once over all channels, if they wait an hour for late events."""


class VolumeState(msgspec.Struct):
    """An identity's channels (operations), over an hour and over a day."""

    hours: dict[str, Cell] = {}
    days: dict[str, Cell] = {}


class Volume:
    """Rows that left over one hour and one day, per channel."""

    name = "volume"
    State = VolumeState

    def observe(
        self, state: VolumeState, event: AccessEvent, counted: Counted, settings: DetectionSettings
    ) -> list[Signal] | None:
        """Add the event's rows to the hour and the day that it falls into."""
        rows = counted.rows
        if not rows:
            return None
        channel = event.operation
        hour = state.hours.get(channel)
        if hour is None:
            hour, state.days[channel] = Cell(), Cell()
            state.hours[channel] = hour
        day = state.days[channel]
        opened = len(hour.open)
        signals = []
        signal = add(hour, self.name, channel, HOUR_MS, event, rows, rows, settings)
        if signal is not None:
            signals.append(signal)
        signal = add(day, self.name, channel, DAY_MS, event, rows, rows, settings)
        if signal is not None:
            signals.append(signal)
        if len(hour.open) > opened:  # a new day has a new hour
            signals += make_room(_cells(state), self.name, OPEN_WINDOWS, event.time_ms, settings)
        return signals

    def close(self, state: VolumeState, until_ms: int, settings: DetectionSettings) -> list[Signal]:
        """Learn the hours and days that have ended."""
        return close(_cells(state), self.name, until_ms, settings)

    def next_close_ms(self, state: VolumeState, settings: DetectionSettings) -> int | None:
        """When the first open hour or day is due."""
        return next_close_ms(_cells(state), settings)


def _cells(state: VolumeState) -> Cells:
    return (HOUR_MS, state.hours), (DAY_MS, state.days)


DETECTOR = Volume()
