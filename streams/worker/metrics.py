"""What Prometheus sees of a process. Labels are few and never a person, an address or an app.

Counting is done once a batch, and is an addition to plain numbers; families are made when somebody scrapes.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from time import time

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from detector.adapters import RecordError
from detector.alert.alert import Alert
from detector.event import AccessEvent, ActorKind
from detector.identity.detect import Detection
from detector.identity.detectors.registry import DETECTORS
from detector.signal import Signal, SignalKind
from detector.triage import risk
from detector.triage.fleet_incidents import FLEET
from detector.triage.triage import Triage
from streams.worker.metric_definitions import METRICS

__all__ = ["Metrics", "ShardFigures"]


MOST_DEADLINES = 100
_UID = re.compile(r"crmwatch-[0-9a-f]{1,64}")
_BUCKETS = {
    "detection_delay_seconds": (0.5, 1, 2, 5, 15, 60, 300, 3600, 21600, 86400),
    "batch_seconds": (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
    "restore_seconds": (0.5, 1, 2, 5, 15, 60, 300),
}


class ShardFigures:
    """What a shard says of itself beside its `Detection` or `Triage`: the shard sets it, a scrape reads it."""

    def __init__(self, stage: str, state: Mapping[bytes, bytes]) -> None:
        self.stage = stage
        self.held = 0
        """How many events or signals wait."""
        self.early = 0
        """How many have been taken before their turn: events out of order, signals provisionally."""
        self.state_bytes = sum(len(key) + len(value) for key, value in state.items())
        """Saved state, keys and values."""

    def saving(self, state: Mapping[bytes, bytes], changes: Mapping[bytes, bytes | None]) -> None:
        """Note by how much `changes` will alter `state`, before they do."""
        for key, value in changes.items():
            before = state.get(key)
            self.state_bytes += (0 if value is None else len(key) + len(value)) - (
                0 if before is None else len(key) + len(before)
            )


class Metrics:
    """A process's counters, exported through the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events: Counter[tuple[str, str]] = Counter()
        self._dead_letters: Counter[tuple[str, str]] = Counter()
        self._signals: Counter[str] = Counter()
        self._alerts: Counter[tuple[str, str]] = Counter(
            {(level.name.lower(), name): 0 for level in risk.Severity for name in (*DETECTORS, *FLEET)}
        )  # a series that begins with its first alert would hide that from increase()
        self._newest: dict[str, int] = {}
        self._source_lag: dict[str, float] = {}
        self._records: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._detections: dict[int, Detection] = {}
        self._desks: dict[int, Triage] = {}
        self._figures: dict[tuple[str, int], ShardFigures] = {}
        self._gone: Counter[str] = Counter()
        self._rows_gone: Counter[tuple[str, str]] = Counter()
        self._late_gone: Counter[str] = Counter()
        self._histograms = {
            metric.name: Histogram(
                f"crmwatch_{metric.name}",
                metric.meaning,
                metric.labels,
                buckets=_BUCKETS[metric.name],
                registry=None,
            )
            for metric in METRICS
            if metric.type == "histogram"
        }
        self.rebalances = 0
        """How often partitions were given to this worker anew."""
        self.lag: Mapping[tuple[str, int], int] = {}
        """Topic and partition → records not yet committed; none for a partition of which it is not known."""
        self.committed_at = time()
        """When the slowest partition last moved or had nothing to do, in seconds since 1970."""
        self.dropped_decisions = 0
        """How many decisions without any effect this worker has dropped."""
        self.deadlines_ms: Mapping[str, int] = {}
        """Incident → by when the authority must be notified, in ms since 1970, the soonest first."""
        self._lock = threading.Lock()  # a shard's counts move to what is gone while nobody looks
        registry.register(self)

    def read(self, topic: str, records: int, size_bytes: int) -> None:
        """Count a batch of a topic's records."""
        self._records[topic] += records
        self._bytes[topic] += size_bytes

    def events(self, events: Sequence[AccessEvent], arrived_ms: Sequence[int]) -> None:
        """Count a batch's events; `arrived_ms` is when the record of each came, in ms since 1970."""
        adapters = {event.origin.adapter for event in events}
        for adapter in adapters:
            which: Sequence[int] = range(len(events))
            own = events
            if len(adapters) > 1:
                which = [index for index in which if events[index].origin.adapter == adapter]
                own = [events[index] for index in which]
            # The words themselves: enums are slow to look up.
            for operation, count in Counter([event.operation._value_ for event in own]).items():
                self._events[adapter, operation] += count
            times = [event.time_ms for event in own]
            newest = max(times)
            if newest > self._newest.get(adapter, 0):
                self._newest[adapter] = newest
            arrived = arrived_ms[which[times.index(newest)]]
            if arrived > 0:  # else Kafka does not say
                self._source_lag[adapter] = max(0, arrived - newest) / 1000

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

    def delay(self, event_ms: int, arrived_ms: int, now_ms: int) -> None:
        """Time an alert that is published now: when it happened, and when Kafka got the record, in ms since 1970."""
        delay = self._histograms["detection_delay_seconds"]
        delay.labels("source").observe(max(0, arrived_ms - event_ms) / 1000)
        delay.labels("own").observe(max(0, now_ms - arrived_ms) / 1000)

    def batch(self, stage: str, seconds: float) -> None:
        """Time a batch."""
        self._histograms["batch_seconds"].labels(stage).observe(seconds)

    def restored(self, stage: str, seconds: float) -> None:
        """Time a partition's recovery."""
        self._histograms["restore_seconds"].labels(stage).observe(seconds)

    def watch(self, stage: str, shard: int, state: Mapping[bytes, bytes]) -> ShardFigures:
        """Figures for a shard to keep, exported from now on in place of those that it had before."""
        figures = ShardFigures(stage, state)
        with self._lock:
            before = self._figures.get((stage, shard))
            if before is not None:
                self._gone[f"early {stage}"] += before.early
            self._figures[stage, shard] = figures
        return figures

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
            for figures in self._figures.values():
                self._gone[f"early {figures.stage}"] += figures.early
            self._gone["refused"] += sum(triage.refused for triage in self._desks.values())
            self._detections = {}
            self._figures = {}
            self._desks = {}
            self.lag = {}

    def watch_desk(self, shard: int, triage: Triage) -> None:
        """Export a shard's incidents from now on; what the one it replaces has refused stays counted."""
        with self._lock:
            before = self._desks.get(shard)
            self._gone["refused"] += 0 if before is None else before.refused
            self._desks[shard] = triage

    def collect(self) -> Iterable[Metric]:
        """Prometheus's families, in the order of `METRICS`."""
        for metric in METRICS:
            if metric.type == "histogram":
                yield self._histogram(metric.name)
                continue
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
        self._gone["skipped"] += detection.skipped
        self._gone["forgotten"] += detection.forgotten
        self._gone["evicted"] += detection.evicted
        self._late_gone.update(detection.late)
        for (adapter, category), rows in detection.rows_taken.items():
            self._rows_gone[adapter, category.value] += rows

    def _read(self, name: str) -> Iterable[tuple[tuple[str, ...], float]]:
        return _READERS[name](self)

    def _histogram(self, name: str) -> Metric:
        [family] = self._histograms[name].collect()
        family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        return family

    def _rows_taken(self) -> Counter[tuple[str, str]]:
        with self._lock:
            rows = Counter(self._rows_gone)
            for detection in self._detections.values():
                for (adapter, category), count in list(detection.rows_taken.items()):
                    rows[adapter, category.value] += count
        return rows

    def _late(self) -> Counter[str]:
        with self._lock:
            late = Counter(self._late_gone)
            for detection in self._detections.values():
                late.update(dict(detection.late))
        return late

    def _profiles(self) -> dict[tuple[str, ...], float]:
        counts: dict[tuple[str, ...], float] = {(kind.value,): 0.0 for kind in ActorKind}
        for detection in list(self._detections.values()):
            for kind, profiles in list(detection.profiles.items()):
                counts[kind.value,] += profiles
        return counts

    def _state_bytes(self) -> Counter[tuple[str, ...]]:
        sizes: Counter[tuple[str, ...]] = Counter()
        for figures in list(self._figures.values()):
            sizes[figures.stage,] += figures.state_bytes
        return sizes

    def _held(self, stage: str) -> float:
        return float(sum(one.held for one in list(self._figures.values()) if one.stage == stage))

    def _early(self, stage: str) -> float:
        with self._lock:
            here = sum(one.early for one in self._figures.values() if one.stage == stage)
            return float(self._gone[f"early {stage}"] + here)

    def _refused(self) -> float:
        with self._lock:
            return float(self._gone["refused"] + sum(triage.refused for triage in self._desks.values()))

    def _risks(self) -> list[int]:
        return [points for triage in list(self._desks.values()) for points in triage.open_risks]

    def _by_severity(self) -> dict[tuple[str, ...], float]:
        counts: dict[tuple[str, ...], float] = {(level.name.lower(),): 0.0 for level in risk.Severity}
        for points in self._risks():
            counts[risk.severity(points).name.lower(),] += 1
        return counts

    def _deadlines(self) -> list[tuple[tuple[str, ...], float]]:
        """The soonest, of what is an incident's name: whoever may decide could make up others."""
        named = [item for item in self.deadlines_ms.items() if _UID.fullmatch(item[0])]
        return [((incident,), time_ms / 1000) for incident, time_ms in named[:MOST_DEADLINES]]

    def _sum(self, what: str, read: Callable[[Detection], int]) -> float:
        with self._lock:
            return float(self._gone[what] + sum(read(detection) for detection in self._detections.values()))


_READERS: dict[str, Callable[[Metrics], Iterable[tuple[tuple[str, ...], float]]]] = {
    "records_read_total": lambda m: [((topic,), count) for topic, count in list(m._records.items())],
    "bytes_read_total": lambda m: [((topic,), size) for topic, size in list(m._bytes.items())],
    "events_total": lambda m: list(m._events.items()),
    "rows_taken_total": lambda m: m._rows_taken().items(),
    "dead_letters_total": lambda m: list(m._dead_letters.items()),
    "duplicate_events_total": lambda m: [((), m._sum("duplicates", lambda shard: shard.duplicates))],
    "late_events_total": lambda m: [((adapter,), count) for adapter, count in m._late().items()],
    "repeated_events_total": lambda m: [((), m._sum("skipped", lambda shard: shard.skipped))],
    "unordered_events_total": lambda m: [((), m._early("detect"))],
    "forgotten_operations_total": lambda m: [((), m._sum("forgotten", lambda shard: shard.forgotten))],
    "evicted_identities_total": lambda m: [((), m._sum("evicted", lambda shard: shard.evicted))],
    "signals_total": lambda m: [((detector,), count) for detector, count in list(m._signals.items())],
    "refused_signals_total": lambda m: [((), m._refused())],
    "provisional_signals_total": lambda m: [((), m._early("triage"))],
    "alerts_total": lambda m: list(m._alerts.items()),
    "incidents_open": lambda m: m._by_severity().items(),
    "risk_max": lambda m: [((), float(max(m._risks(), default=0)))],
    "notification_deadline_timestamp_seconds": lambda m: m._deadlines(),
    "dropped_decisions_total": lambda m: [((), float(m.dropped_decisions))],
    "profiles": lambda m: m._profiles().items(),
    "state_bytes": lambda m: m._state_bytes().items(),
    "held_events": lambda m: [((), m._held("detect"))],
    "held_signals": lambda m: [((), m._held("triage"))],
    "source_lag_seconds": lambda m: [
        ((adapter,), seconds) for adapter, seconds in list(m._source_lag.items())
    ],
    "source_last_event_timestamp_seconds": lambda m: [
        ((adapter,), newest / 1000) for adapter, newest in list(m._newest.items())
    ],
    "consumer_lag": lambda m: [((topic, str(number)), lag) for (topic, number), lag in m.lag.items()],
    "commit_timestamp_seconds": lambda m: [((), m.committed_at)],
    "rebalances_total": lambda m: [((), float(m.rebalances))],
    "build_info": lambda m: [((version("crmwatch"),), 1.0)],
}
