"""What Prometheus sees of a process. Labels are few and never a person, an address or an app.

Counting is an addition to a plain dict; families are made when somebody scrapes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from time import time

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from detector.adapters import RecordError
from detector.alert import Alert
from detector.detection import Detection
from detector.event import AccessEvent
from detector.signal import Signal, SignalKind
from detector.triage import risk
from detector.triage.desk import Desk

__all__ = ["METRICS", "Definition", "Metrics"]


class Definition(msgspec.Struct, frozen=True):
    """A metric's name (without the prefix ``crmwatch_``), type, labels and meaning."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


METRICS = (
    Definition("events_total", "counter", ("source", "operation"), "Events read, by adapter and operation."),
    Definition(
        "rows_left_total",
        "counter",
        ("source", "category"),
        "Rows that left, each counted once, by adapter and data category.",
    ),
    Definition(
        "dead_letters_total",
        "counter",
        ("source", "reason"),
        "Records that could not be read, by adapter and reason.",
    ),
    Definition(
        "duplicate_events_total", "counter", (), "Events the vendor delivered again, not counted again."
    ),
    Definition("late_events_total", "counter", (), "Events that came after their window had closed."),
    Definition(
        "signals_total", "counter", ("detector",), "Signals raised by identities going over their own bound."
    ),
    Definition(
        "alerts_total",
        "counter",
        ("severity", "detector"),
        "Alerts published, by severity and strongest detector.",
    ),
    Definition(
        "incidents_open", "gauge", ("severity",), "Published incidents that are open here, by severity."
    ),
    Definition("risk_max", "gauge", (), "The highest risk of an incident that is open here, 0 to 100."),
    Definition("profiles", "gauge", (), "Identities whose profile this process owns and has in use."),
    Definition(
        "source_last_event_timestamp_seconds",
        "gauge",
        ("source",),
        "Event time of the newest event read, by adapter.",
    ),
    Definition(
        "consumer_lag",
        "gauge",
        ("topic", "partition"),
        "Records published but not yet committed as processed.",
    ),
    Definition(
        "commit_timestamp_seconds",
        "gauge",
        (),
        "When the committed position last moved, or the lag was last zero.",
    ),
    Definition("build_info", "gauge", ("version",), "Always 1; the version of crmwatch."),
)
"""Every metric there is; documentation and dashboards are tested against it."""


class Metrics:
    """A process's counters, exported through the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events: Counter[tuple[str, str]] = Counter()
        self._dead_letters: Counter[tuple[str, str]] = Counter()
        self._signals: Counter[str] = Counter()
        self._alerts: Counter[tuple[str, str]] = Counter()
        self._newest: dict[str, int] = {}
        self._detections: dict[int, Detection] = {}
        self._desks: dict[int, Desk] = {}
        self._gone: Counter[str] = Counter()
        self._rows_gone: Counter[tuple[str, str]] = Counter()
        self.lag: Mapping[tuple[str, int], int] = {}
        """Topic and partition → records not yet committed."""
        self.committed_at = time()
        self._lock = threading.Lock()  # a shard's counts move to what is gone while nobody looks
        registry.register(self)

    def event(self, event: AccessEvent) -> None:
        """Count an event read."""
        adapter = event.origin.adapter
        self._events[adapter, event.operation] += 1
        if event.time_ms > self._newest.get(adapter, 0):
            self._newest[adapter] = event.time_ms

    def dead_letter(self, error: RecordError) -> None:
        """Count a record that could not be read."""
        self._dead_letters[error.adapter or "none", error.reason] += 1

    def signal(self, signal: Signal) -> None:
        """Count a signal, if it says that a bound was crossed."""
        if signal.kind is SignalKind.CROSSED:
            self._signals[signal.detector] += 1

    def alert(self, alert: Alert) -> None:
        """Count an alert published."""
        self._alerts[alert.severity.name.lower(), alert.detectors[0]] += 1

    def watch_detection(self, shard: int, detection: Detection) -> None:
        """Export a shard's figures from now on; those of the one it replaces stay counted."""
        with self._lock:
            before = self._detections.get(shard)
            if before is not None:
                self._count_gone(before)
            self._detections[shard] = detection

    def watch_none(self) -> None:
        """No shard is this process's any more: export nothing that is another's now; counts stay counted."""
        with self._lock:
            for detection in self._detections.values():
                self._count_gone(detection)
            self._detections = {}
            self._desks = {}

    def watch_desk(self, shard: int, desk: Desk) -> None:
        """Export a shard's incidents from now on."""
        self._desks[shard] = desk

    def collect(self) -> Iterable[Metric]:
        """Prometheus's families, in the order of `METRICS`."""
        for metric in METRICS:
            family = (CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily)(
                f"crmwatch_{metric.name}", metric.meaning, labels=metric.labels
            )
            for labels, value in self._read(metric.name):
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing is collected to register."""
        return ()

    def _count_gone(self, detection: Detection) -> None:
        self._gone["duplicates"] += detection.duplicates
        self._gone["late"] += detection.late
        for (adapter, category), rows in detection.rows_left.items():
            self._rows_gone[adapter, category.value] += rows

    def _read(self, name: str) -> Iterable[tuple[tuple[str, ...], float]]:
        return _READERS[name](self)

    def _rows_left(self) -> Counter[tuple[str, str]]:
        with self._lock:
            rows = Counter(self._rows_gone)
            for detection in self._detections.values():
                for (adapter, category), count in list(detection.rows_left.items()):
                    rows[adapter, category.value] += count
        return rows

    def _risks(self) -> list[int]:
        return [points for desk in list(self._desks.values()) for points in desk.open_risks]

    def _by_severity(self) -> dict[tuple[str, ...], float]:
        counts: dict[tuple[str, ...], float] = {(level.name.lower(),): 0.0 for level in risk.Severity}
        for points in self._risks():
            counts[risk.severity(points).name.lower(),] += 1
        return counts

    def _sum(self, what: str, read: Callable[[Detection], int]) -> float:
        with self._lock:
            return float(self._gone[what] + sum(read(detection) for detection in self._detections.values()))


_READERS: dict[str, Callable[[Metrics], Iterable[tuple[tuple[str, ...], float]]]] = {
    "events_total": lambda m: list(m._events.items()),
    "rows_left_total": lambda m: m._rows_left().items(),
    "dead_letters_total": lambda m: list(m._dead_letters.items()),
    "duplicate_events_total": lambda m: [((), m._sum("duplicates", lambda shard: shard.duplicates))],
    "late_events_total": lambda m: [((), m._sum("late", lambda shard: shard.late))],
    "signals_total": lambda m: [((detector,), count) for detector, count in list(m._signals.items())],
    "alerts_total": lambda m: list(m._alerts.items()),
    "incidents_open": lambda m: m._by_severity().items(),
    "risk_max": lambda m: [((), float(max(m._risks(), default=0)))],
    "profiles": lambda m: [((), float(sum(shard.live for shard in list(m._detections.values()))))],
    "source_last_event_timestamp_seconds": lambda m: [
        ((adapter,), newest / 1000) for adapter, newest in list(m._newest.items())
    ],
    "consumer_lag": lambda m: [((topic, str(number)), lag) for (topic, number), lag in m.lag.items()],
    "commit_timestamp_seconds": lambda m: [((), m.committed_at)],
    "build_info": lambda m: [((version("crmwatch"),), 1.0)],
}
