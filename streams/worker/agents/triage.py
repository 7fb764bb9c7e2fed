"""Triage: a desk's signals are judged once the days they rest on are closed, and become alerts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic, time
from typing import Any

import msgspec

from detector.alert.alert import Alert
from detector.alert.build import alerts_of
from detector.decision import Decision
from detector.detectors import BUILT_IN
from detector.directory import Directory, directory_of
from detector.explanation import Explanations
from detector.settings import Settings
from detector.signal import Signal
from detector.triage.publication import Activity, Publication
from detector.triage.triage import Triage, settled_at
from streams.kafka import messages as wire
from streams.kafka.topics import TopicNames
from streams.worker.metrics import Metrics
from streams.worker.ordering import Watermarks
from streams.worker.producer import Output, portions
from streams.worker.signal_buffer import SignalBuffer
from streams.worker.turn import Changes

__all__ = ["TriageAgent"]

STEP_SIGNALS = 20
"""So many signals are judged before others may run."""
HELD_SIGNALS = 200_000
"""More signals than this are not held for a day to close: the first are judged provisionally."""

_Held = tuple[bytes, list[int], int | None]
"""A signal that waits, encoded, as so it takes the least room; how many of its batch wait; when its record arrived."""


class TriageAgent:
    """Judge signals once the days they rest on are closed, and publish alerts."""

    def __init__(
        self,
        triage: int,
        settings: Settings,
        store: dict[bytes, bytes],
        topics: TopicNames,
        metrics: Metrics,
        hold_seconds: float,
        explanations: Explanations = BUILT_IN.explanations,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._shard = triage
        self._topics = topics
        self._metrics = metrics
        self._hold_seconds = hold_seconds
        self._store = store
        self._figures = metrics.watch("triage", triage, store)
        self._explanations = explanations
        self._directory = directory_of(settings.directory)
        self._triage = Triage(settings, store, explanations)
        self._watermarks = Watermarks()
        self._hold: SignalBuffer[_Held] = SignalBuffer()
        self._batches: deque[list[int]] = deque()  # of each batch not yet settled: how many signals wait
        self._settled = self._judged = 0
        self._alerts: list[Alert] = []
        self._delays: list[tuple[int, int]] = []  # of alerts not handed over: event time, arrival
        metrics.watch_triage(triage, self._triage)

    def apply_decisions(self, decisions: Sequence[Decision]) -> None:
        """Follow these decisions from now on, and those of the settings."""
        self._triage.apply_decisions(decisions)

    def name_by(self, directory: Directory) -> None:
        """Take names and owners from this directory from now on; the settings match the same identities as before."""
        self._directory = directory

    def restore(self) -> Iterator[None]:
        """Take up the saved state."""
        return self._triage.restore(list(self._store))

    def take(self, records: Sequence[Any]) -> Iterator[None]:
        """Judge a batch of packed signals, or hold those that rest on a day that is not closed yet."""
        waiting = [0]
        self._batches.append(waiting)
        now = self._clock()
        for record in records:
            message, signals = wire.decode_signals(record.value)
            arrived_ms = wire.arrival_ms(record)
            for raw, signal in zip(message.signals, signals, strict=True):
                threshold_ms = self._hold.threshold(signal, settled_at(signal.time_ms))
                if threshold_ms <= self._triage.watermark_ms:
                    yield from self._judge(signal, arrived_ms)
                else:
                    self._hold.add(signal, threshold_ms, now, (bytes(raw), waiting, arrived_ms))
                    waiting[0] += 1
            watermark_ms = self._watermarks.update(
                message.shard, message.shards, message.watermark_ms, position=record.offset
            )
            for threshold_ms, group in self._hold.released(watermark_ms):
                yield from self._advance(threshold_ms, arrived_ms)
                yield from self._judge_held(group)
            yield from self._advance(watermark_ms, arrived_ms)
            yield
        self._figures.held = self._hold.held
        self._metrics.count_triage(self._shard)

    def tick(self, *, read_to_end_at: float | None) -> Iterator[None]:
        """Judge provisionally what has been held too long, or what is too much to hold."""
        patience = 0.0 if self._hold.held > HELD_SIGNALS else self._hold_seconds
        before = self._clock() - patience
        held = self._hold.held
        yield from self._judge_held(self._hold.overdue(before), provisional=True)
        if held > self._hold.held:
            self._metrics.provisional(held - self._hold.held)
            self._figures.held = self._hold.held

    def outputs(self) -> Iterator[list[Output]]:
        """The alerts."""
        alerts, self._alerts = self._alerts, []
        now_ms = round(time() * 1000)
        for event_ms, arrived_ms in self._delays:
            self._metrics.delay(event_ms, arrived_ms, now_ms)
        self._delays = []
        return portions(map(self._alert, alerts))

    def sent(self, outputs: Sequence[Output], offsets: Sequence[int]) -> None:
        """Nothing to do."""

    def settled(self) -> int:
        """The batches all of whose signals have been judged."""
        while self._batches and self._batches[0][0] == 0:
            self._batches.popleft()
            self._settled += 1
        return self._settled

    def changes(self) -> Iterator[Changes]:
        """The incidents and the population's figures that changed."""
        return self._triage.changes()

    def saved(self, changes: Changes) -> None:
        """They are durable."""
        self._figures.saving(self._store, changes)
        self._triage.saved(changes)

    def _advance(self, watermark_ms: int, arrived_ms: int | None) -> Iterator[None]:
        for publications in self._triage.advance(watermark_ms):
            self._publish(publications, arrived_ms)
            yield

    def _judge_held(self, group: Iterable[_Held], *, provisional: bool = False) -> Iterator[None]:
        for raw, waiting, arrived_ms in group:
            yield from self._judge(wire.decode_signal(raw), arrived_ms, provisional=provisional)
            waiting[0] -= 1

    def _judge(self, signal: Signal, arrived_ms: int | None, *, provisional: bool = False) -> Iterator[None]:
        yield from self._triage.prepare(signal)
        self._publish(self._triage.assess(signal, provisional=provisional), arrived_ms)
        self._judged += 1
        if not self._judged % STEP_SIGNALS:
            yield

    def _alert(self, alert: Alert) -> Output:
        positions = msgspec.json.encode(alert.positions)
        headers = ((wire.POSITIONS_HEADER, positions),)
        return Output(self._topics.alerts, None, alert.uid.encode(), alert.body, headers)

    def _publish(self, publications: list[Publication], arrived_ms: int | None) -> None:
        alerts = alerts_of(publications, self._explanations, self._directory)
        for alert in alerts:
            self._metrics.alert(alert)
            if arrived_ms is not None and alert.activity is not Activity.CLOSE:  # to close takes its time
                self._delays.append((alert.time_ms, arrived_ms))
        self._alerts += alerts
