"""One identity's life, told event by event, for the tests of its detectors."""

from __future__ import annotations

from typing import Any

from detector.identity.profile import PROFILES, Profile
from detector.indicator_index import IndicatorIndex
from detector.settings import DetectionSettings
from detector.signal import Measure, Signal, SignalKind, Span
from detector.units import DAY_MS
from tests.detector.make import START_MS, event

__all__ = ["Life", "crossed", "grown", "measures"]


class Life:
    """An identity whose days close as time goes by; `usual` are fields of all its events.

    A time is in days since the first, which is a Monday: 1.5 is noon of Tuesday, UTC.
    """

    def __init__(self, settings: DetectionSettings | None = None, **usual: Any) -> None:
        self.settings = settings or DetectionSettings()
        self.usual = usual
        self.events = 0
        self.indicators = IndicatorIndex(self.settings.indicators)
        self.profile: Profile | None = None
        self.said: list[Signal] = []

    def do(self, day: float, **fields: Any) -> list[Signal]:
        """An event, after all that was due before it; what is said about it."""
        self.events += 1
        given = {"time_ms": START_MS + round(day * DAY_MS), "event_id": f"e-{self.events}"}
        made = event(self.events, **(given | self.usual | fields))
        if self.profile is None:
            self.profile = PROFILES.new(made)
        said = PROFILES.close(self.profile, made.time_ms, self.settings)
        indicator = self.indicators.find(made)
        rows, more = PROFILES.observe(self.profile, made, self.settings, indicator)
        assert rows is not None
        self.said += said + more
        return more

    def close(self, day: float) -> list[Signal]:
        """Everything before a time is known; what is said about the days that are over."""
        assert self.profile is not None
        said = PROFILES.close(self.profile, START_MS + round(day * DAY_MS), self.settings)
        self.said += said
        return said

    def work(self, days: int, first: int = 0, rows: int = 100, hour: float = 10.0, **fields: Any) -> None:
        """A query at the same hour of each of some days."""
        for day in range(first, first + days):
            self.do(day + hour / 24, **({"rows": rows} | fields))


def crossed(signals: list[Signal], detector: str) -> list[Signal]:
    """What a detector says is strange."""
    return [found for found in signals if found.kind is SignalKind.CROSSED and found.detector == detector]


def grown(signals: list[Signal], detector: str) -> list[Signal]:
    """Where a detector says that what is strange has grown a little further."""
    return [found for found in signals if found.kind is SignalKind.GROWN and found.detector == detector]


def measures(signals: list[Signal], detector: str) -> dict[tuple[str, Span], Measure]:
    """A detector's measures of the one day that is over, by channel and span."""
    [over] = [found for found in signals if found.kind is SignalKind.CLOSED]
    return {(one.channel, one.span): one for one in over.measures if one.detector == detector}
