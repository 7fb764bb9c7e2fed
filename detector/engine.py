"""Both steps in one process, for a replay: events in event-time order in, alerts out.

    events ──DetectionShard──▶ batches of signals, a tick each ──SequencedTriage──▶ alerts

Triage weighs the signals of one tick together, in an order that does not depend on who saw what first: so one
shard or several, each with its own share of the identities, make the same alerts in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detector.alert.alert import Alert
from detector.alert.build import alerts_of
from detector.detectors import BUILT_IN, DetectorSet
from detector.directory import directory_of
from detector.event import AccessEvent
from detector.identity.detect import Detection
from detector.identity.profile import ProfileModel
from detector.keyed_state import Key
from detector.settings import Settings
from detector.signal import Signal, SignalKind
from detector.triage.assessor import Assessor
from detector.triage.triage import Triage, settled_at
from detector.units import TICK_MS

__all__ = ["Batch", "DetectionShard", "Engine", "SequencedTriage"]

SAVE_EVERY = 20_000
"""Profiles are put back into the store after so many have changed, which bounds how many are kept decoded."""


class Batch(msgspec.Struct, array_like=True):
    """All that one shard has to say of one tick."""

    tick: int
    """In ticks since 1970."""
    signals: list[Signal]


class DetectionShard:
    """Detection over one ordered run of events: those of some identities."""

    def __init__(self, settings: Settings, number: int = 0, detectors: DetectorSet = BUILT_IN) -> None:
        self._profiles: dict[bytes, bytes] = {}
        model = ProfileModel(detectors.identity, directory_of(settings.directory))
        self.detection = Detection(settings, self._profiles, shard=number, profiles=model)
        """The detect step, for its counters."""
        self._tick = -(1 << 62)
        self._waiting: dict[int, list[Signal]] = {}
        self.signals = 0
        """How many signals about identities there have been."""

    def observe(self, event: AccessEvent) -> list[Batch]:
        """Apply one event, whose time is not before that of the last one; the batches of ticks that are over."""
        tick = event.time_ms // TICK_MS
        batches: list[Batch] = []
        if tick > self._tick:
            self._tick = tick
            self._advance(event.time_ms)
            batches = self._over(tick)
        signals = self.detection.observe(event)
        if signals:
            self._wait(signals)
        if self.detection.dirty >= SAVE_EVERY:
            self._save()
        return batches

    def finish(self, time_ms: int) -> list[Batch]:
        """The input has ended at event time `time_ms`; what is left."""
        self._advance(time_ms)
        self._save()
        return self._over(1 << 62)

    def profiles(self) -> dict[bytes, bytes]:
        """Every identity's encoded profile, by its key."""
        self._save()
        return {key: value for key, value in self._profiles.items() if key != Key.TALLIES}

    def _advance(self, time_ms: int) -> None:
        for signals in self.detection.advance(time_ms):
            self._wait(signals)

    def _wait(self, signals: list[Signal]) -> None:
        for signal in signals:
            self.signals += signal.kind is not SignalKind.TALLY
            self._waiting.setdefault(signal.time_ms // TICK_MS, []).append(signal)

    def _over(self, before: int) -> list[Batch]:
        ticks = sorted(tick for tick in self._waiting if tick < before)
        return [Batch(tick, self._waiting.pop(tick)) for tick in ticks]

    def _save(self) -> None:
        for changes in self.detection.changes():
            self.detection.saved(changes)


class SequencedTriage:
    """Triage of the batches of one shard or of several, tick by tick."""

    def __init__(
        self, settings: Settings, detectors: DetectorSet = BUILT_IN, assessor: Assessor | None = None
    ) -> None:
        self._values: dict[bytes, bytes] = {}
        self._explanations = detectors.explanations
        self._directory = directory_of(settings.directory)
        self.triage = Triage(settings, self._values, self._explanations, assessor)
        """The triage step, for its incidents and counters."""

    def assess(self, batches: Iterable[Batch]) -> list[Alert]:
        """Weigh what the shards say of one tick; no shard will say more of it, or of one before."""
        alerts: list[Alert] = []
        for signal in sorted((signal for batch in batches for signal in batch.signals), key=_order):
            alerts += self._advance(settled_at(signal.time_ms))  # no further: later ticks are open
            alerts += alerts_of(self.triage.assess(signal), self._explanations, self._directory)
        if self.triage.dirty >= SAVE_EVERY:
            self._save()
        return alerts

    def finish(self, time_ms: int) -> list[Alert]:
        """The input has ended at event time `time_ms`: everything before it is known."""
        alerts = self._advance(time_ms)
        self._save()
        return alerts

    def _advance(self, watermark_ms: int) -> list[Alert]:
        alerts: list[Alert] = []
        for publications in self.triage.advance(watermark_ms):
            alerts += alerts_of(publications, self._explanations, self._directory)
        return alerts

    def _save(self) -> None:
        for changes in self.triage.changes():
            self.triage.saved(changes)


class Engine:
    """One shard and its triage; the worker does the same over many partitions.

    >>> from detector.event import ActorKind, Operation
    >>> engine = Engine(Settings())
    >>> engine.observe(AccessEvent(time_ms=0, event_id="a", tenant="t", actor="u", rows=3,
    ...                            actor_kind=ActorKind.HUMAN, operation=Operation.QUERY))
    []
    >>> engine.identities
    1
    """

    def __init__(
        self, settings: Settings, detectors: DetectorSet = BUILT_IN, assessor: Assessor | None = None
    ) -> None:
        self._shard = DetectionShard(settings, detectors=detectors)
        self._triage = SequencedTriage(settings, detectors, assessor)

    def observe(self, event: AccessEvent) -> list[Alert]:
        """Apply one event, whose time is not before that of the last one; the alerts of ticks that are over."""
        alerts: list[Alert] = []
        for batch in self._shard.observe(event):
            alerts += self._triage.assess((batch,))
        return alerts

    def finish(self, time_ms: int) -> list[Alert]:
        """The input has ended at event time `time_ms`: everything before it is known."""
        alerts: list[Alert] = []
        for batch in self._shard.finish(time_ms):
            alerts += self._triage.assess((batch,))
        return alerts + self._triage.finish(time_ms)

    @property
    def signals(self) -> int:
        """Signals sent from detection to triage."""
        return self._shard.signals

    @property
    def identities(self) -> int:
        """How many identities have been seen."""
        return len(self.profiles())

    @property
    def detection(self) -> Detection:
        """The detect step, for its counters."""
        return self._shard.detection

    @property
    def triage(self) -> Triage:
        """The triage step, for its incidents and counters."""
        return self._triage.triage

    def profiles(self) -> dict[bytes, bytes]:
        """Every identity's encoded profile, by its key."""
        return self._shard.profiles()


def _order(signal: Signal) -> tuple[int, bool, str, int]:
    """The order within a tick: by time, tallies last, then by identity, whose own order is kept."""
    return signal.time_ms, signal.kind is SignalKind.TALLY, signal.identity, signal.sequence
