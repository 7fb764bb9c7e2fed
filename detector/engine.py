"""Both steps in one process, for a replay: events in event-time order in, alerts out."""

from __future__ import annotations

from detector.alert import Alert
from detector.detection import TALLIES_KEY, Detection
from detector.event import AccessEvent
from detector.fleet.population import TICK_MS
from detector.settings import Settings
from detector.triage.desk import Desk, settled_at

__all__ = ["Engine"]

SAVE_EVERY = 20_000
"""Profiles are put back into the store after so many have changed, which bounds how many are kept decoded."""


class Engine:
    """Detection and triage over one ordered run of events; the worker does the same over many partitions.

    >>> from detector.event import ActorKind, Operation
    >>> engine = Engine(Settings())
    >>> engine.observe(AccessEvent(time_ms=0, event_id="a", tenant="t", actor="u", rows=3,
    ...                            actor_kind=ActorKind.HUMAN, operation=Operation.QUERY))
    []
    >>> engine.identities
    1
    """

    def __init__(self, settings: Settings) -> None:
        self._profiles: dict[bytes, bytes] = {}
        self._values: dict[bytes, bytes] = {}
        self._detection = Detection(settings, self._profiles)
        self._desk = Desk(settings, self._values)
        self._tick = -1
        self.signals = 0
        """Signals sent from detection to triage."""

    def observe(self, event: AccessEvent) -> list[Alert]:
        """Apply one event, whose time is not before that of the last one; the alerts that follow from it."""
        alerts: list[Alert] = []
        tick = event.time_ms // TICK_MS
        if tick > self._tick:
            self._tick = tick
            alerts += self._advance(event.time_ms)
        for signal in self._detection.observe(event):
            self.signals += 1
            alerts += self._desk.judge(signal)
        if self._detection.dirty >= SAVE_EVERY:
            self._save()
        return alerts

    def finish(self, time_ms: int) -> list[Alert]:
        """The input has ended at event time `time_ms`: everything before it is known."""
        alerts = self._advance(time_ms)
        self._save()
        return alerts

    @property
    def identities(self) -> int:
        """How many identities have been seen."""
        return len(self.profiles())

    @property
    def detection(self) -> Detection:
        """The detect step, for its counters."""
        return self._detection

    @property
    def desk(self) -> Desk:
        """The triage step, for its incidents and counters."""
        return self._desk

    def profiles(self) -> dict[bytes, bytes]:
        """Every identity's encoded profile, by its key."""
        self._save()
        return {key: value for key, value in self._profiles.items() if key != TALLIES_KEY}

    def _advance(self, time_ms: int) -> list[Alert]:
        alerts: list[Alert] = []
        for signal in sorted(self._detection.advance(time_ms), key=lambda found: found.time_ms):
            self.signals += 1
            alerts += self._desk.advance(settled_at(signal.time_ms))  # no further: ticks in between are open
            alerts += self._desk.judge(signal)
        alerts += self._desk.advance(time_ms)
        return alerts

    def _save(self) -> None:
        self._detection.saved(self._detection.changes())
        self._desk.saved(self._desk.changes())
