"""What Prometheus sees of a process. Labels are few and never a person, an address or an app.

Counters are added to once a batch; gauges are read when somebody scrapes.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from time import time

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric

from detector.adapters import RecordError
from detector.alert.alert import Alert
from detector.detectors import BUILT_IN
from detector.event import AccessEvent, ActorKind
from detector.identity.detect import Detection
from detector.mute import MUTING, Mute
from detector.response.clock import Deadline
from detector.signal import Signal, SignalKind
from detector.triage import risk
from detector.triage.triage import Triage
from streams import __version__
from streams.worker.metric_definitions import METRICS

__all__ = ["Metrics", "ShardFigures"]

MOST_DEADLINES = 100
DELAY_PARTS = ("source", "pipeline")
"""The parts of the delay from event to alert: until the record arrived, and from then on."""
_UID = re.compile(r"crmwatch-[0-9a-f]{1,64}")
_DEFINED = {metric.name: metric for metric in METRICS}

OPENING = tuple(name for name in BUILT_IN.explanations.names if BUILT_IN.explanations[name].support is None)
"""The detectors that an alert may be named after."""

Labels = tuple[str, ...]
Totals = Tally[tuple[str, Labels]]
"""Counter and labels → what a shard had counted when it was last asked."""


class ShardFigures:
    """A shard's gauges beside those of its `Detection` or `Triage`: the shard sets them, a scrape reads them."""

    def __init__(self, state: Mapping[bytes, bytes]) -> None:
        self.held = 0
        """How many events or signals wait."""
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
    """A process's metrics, exported through the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # gauges that say when a counter began
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in METRICS:
            name, meaning, labels = f"crmwatch_{metric.name}", metric.meaning, metric.labels
            if metric.type == "counter":
                self._counters[metric.name] = Counter(name, meaning, labels, registry=registry)
            elif metric.type == "histogram":
                histogram = Histogram(name, meaning, labels, buckets=metric.buckets, registry=registry)
                self._histograms[metric.name] = histogram
        # A series that began with its first alert would hide that alert from increase() and rate().
        for level in risk.Severity:
            for detector in OPENING:
                self._count("alerts_total", 0, level.name.lower(), detector)
        for part in DELAY_PARTS:
            self._histograms["detection_delay_seconds"].labels(part)
        self._detections: dict[int, tuple[Detection, Totals]] = {}
        self._triages: dict[int, tuple[Triage, Totals]] = {}
        self._figures: dict[tuple[str, int], ShardFigures] = {}
        self._inputs: Totals = Tally()
        self._newest_ms: dict[str, int] = {}
        self._source_lag: dict[str, float] = {}
        self.lag: Mapping[tuple[str, int], int] = {}
        """Topic and partition → records not yet committed; none for a partition of which it is not known."""
        self.unread: Mapping[str, int] = {}
        """Topic → how many of its partitions no worker reads."""
        self.committed_at = time()
        """When the slowest partition last moved or had nothing to do, in seconds since 1970."""
        self.deadlines: Mapping[str, Deadline] = {}
        """Incident → by when the authority must be notified, in ms since 1970, the soonest first."""
        self.mutes: Sequence[Mute] = ()
        """The mutes and expectations that hold at some time."""
        registry.register(self)

    def read(self, topic: str, records: int, size_bytes: int) -> None:
        """Count a batch of a topic's records."""
        self._count("records_read_total", records, topic)
        self._count("bytes_read_total", size_bytes, topic)

    def dropped_records(self, topic: str, records: int) -> None:
        """Count records of a topic that were deleted before they were read."""
        self._count("dropped_records_total", records, topic)

    def events(self, events: Sequence[AccessEvent], arrived_ms: Sequence[int]) -> None:
        """Count a batch's events; `arrived_ms` is when the record of each came, in ms since 1970."""
        adapters = {event.origin.adapter for event in events}
        for adapter in adapters:
            which: Sequence[int] = range(len(events))
            own = events
            if len(adapters) > 1:
                which = [index for index in which if events[index].origin.adapter == adapter]
                own = [events[index] for index in which]
            # The values themselves: enums are slow to look up.
            for operation, count in Tally([event.operation._value_ for event in own]).items():
                self._count("events_total", count, adapter, operation)
            times = [event.time_ms for event in own]
            newest = max(times)
            if newest > self._newest_ms.get(adapter, 0):
                self._newest_ms[adapter] = newest
            arrived = arrived_ms[which[times.index(newest)]]
            if arrived > 0:  # else Kafka does not say
                self._source_lag[adapter] = max(0, arrived - newest) / 1000

    def dead_letter(self, error: RecordError) -> None:
        """Count a record that could not be read."""
        self._count("dead_letters_total", 1, error.adapter or "none", error.reason)

    def signal(self, signal: Signal) -> None:
        """Count a signal, if it says that a bound was crossed."""
        if signal.kind is SignalKind.CROSSED:
            self._count("signals_total", 1, signal.detector)

    def provisional(self, signals: int) -> None:
        """Count signals judged before the days that they rest on were complete."""
        self._count("provisional_signals_total", signals)

    def alert(self, alert: Alert) -> None:
        """Count an alert published."""
        self._count("alerts_total", 1, alert.severity.name.lower(), alert.detectors[0])

    def delay(self, event_ms: int, arrived_ms: int, now_ms: int) -> None:
        """Time an alert that is published now: when it happened, and when Kafka got the record, in ms since 1970."""
        delay = self._histograms["detection_delay_seconds"]
        until_arrival, from_then_on = DELAY_PARTS
        delay.labels(until_arrival).observe(max(0, arrived_ms - event_ms) / 1000)
        delay.labels(from_then_on).observe(max(0, now_ms - arrived_ms) / 1000)

    def step(self, stage: str, seconds: float) -> None:
        """Time one step of a shard's work, during which nothing else runs."""
        self._histograms["batch_seconds"].labels(stage).observe(seconds)

    def restored(self, stage: str, seconds: float) -> None:
        """Time a partition's recovery."""
        self._histograms["restore_seconds"].labels(stage).observe(seconds)

    def rebalanced(self) -> None:
        """Count that partitions were given to this worker anew."""
        self._count("rebalances_total", 1)

    def dropped_decisions(self, total: int) -> None:
        """Count decisions that were dropped because they have no effect any more, `total` so far."""
        self._add_growth(self._inputs, "dropped_decisions_total", total)

    def watch(self, stage: str, shard: int, state: Mapping[bytes, bytes]) -> ShardFigures:
        """Register a shard's figures, in place of its predecessor's."""
        self._figures[stage, shard] = figures = ShardFigures(state)
        return figures

    def watch_detection(self, shard: int, detection: Detection) -> None:
        """Register a shard's detection, in place of its predecessor's; what both count is added up."""
        self._detections[shard] = detection, Tally()
        self.count_detection(shard)

    def count_detection(self, shard: int, unordered: int = 0) -> None:
        """Count what a shard's detection has counted since last time; `unordered` is how many events came before their
        turn since the shard began.
        """
        if shard not in self._detections:  # another process's since a moment ago
            return
        detection, before = self._detections[shard]
        self._add_growth(before, "out_of_order_events_total", unordered)
        self._add_growth(before, "duplicate_events_total", detection.duplicates)
        self._add_growth(before, "redelivered_events_total", detection.skipped)
        self._add_growth(before, "evicted_operations_total", detection.forgotten)
        self._add_growth(before, "evicted_identities_total", detection.evicted)
        self._add_growth(before, "refused_events_total", detection.refused.total())
        for adapter, events in detection.late.items():
            self._add_growth(before, "late_events_total", events, adapter)
        for (adapter, category), rows in detection.rows_taken.items():
            self._add_growth(before, "rows_taken_total", rows, adapter, category.value)

    def watch_triage(self, shard: int, triage: Triage) -> None:
        """Register a shard's incidents, in place of its predecessor's."""
        self._triages[shard] = triage, Tally()
        self.count_triage(shard)

    def count_triage(self, shard: int) -> None:
        """Count what a shard's triage has counted since last time."""
        if shard not in self._triages:  # another process's since a moment ago
            return
        triage, before = self._triages[shard]
        self._add_growth(before, "dropped_signals_total", triage.refused)
        self._add_growth(before, "displaced_tenants_total", triage.displaced_tenants)

    def watch_none(self) -> None:
        """Export no gauge of any shard any more: all are another process's now."""
        self._detections, self._triages, self._figures = {}, {}, {}
        self.lag = {}

    def collect(self) -> Iterator[Metric]:
        """The gauges, as things stand."""
        figures = list(self._figures.items())
        profiles = [detection.profiles for detection, _ in list(self._detections.values())]
        found = [stand for triage, _ in list(self._triages.values()) for stand in triage.open_assessments]
        risks = [assessment.risk for assessment, _ in found]
        severities = Tally(severity for _, severity in found)
        state_bytes: Tally[Labels] = Tally()
        held = Tally({"detect": 0, "triage": 0})
        for (stage, _), shard in figures:
            state_bytes[stage,] += shard.state_bytes
            held[stage] += shard.held
        # A decision may be about anything: only what is an incident's name becomes a label.
        deadlines = [item for item in self.deadlines.items() if _UID.fullmatch(item[0])][:MOST_DEADLINES]

        yield _gauge("incidents_open", {(level.name.lower(),): severities[level] for level in risk.Severity})
        yield _gauge("risk_max", {(): max(risks, default=0)})
        yield _gauge(
            "notification_deadline_timestamp_seconds",
            {
                (uid, "missing" if found.aware_ms is None else "entered"): found.deadline_ms / 1000
                for uid, found in deadlines
            },
        )
        now_ms = round(time() * 1000)
        muting = Tally(mute.decision.kind for mute in self.mutes if mute.holds_at(now_ms))
        yield _gauge("mutes", {(kind.value,): muting[kind] for kind in sorted(MUTING)})
        yield _gauge(
            "profiles", {(kind.value,): sum(known[kind] for known in profiles) for kind in ActorKind}
        )
        yield _gauge("state_bytes", state_bytes)
        yield _gauge("buffered_events", {(): held["detect"]})
        yield _gauge("buffered_signals", {(): held["triage"]})
        yield _gauge("source_lag_seconds", {(name,): lag for name, lag in list(self._source_lag.items())})
        yield _gauge(
            "source_last_event_timestamp_seconds",
            {(name,): newest / 1000 for name, newest in list(self._newest_ms.items())},
        )
        yield _gauge("consumer_lag", {(topic, str(number)): lag for (topic, number), lag in self.lag.items()})
        yield _gauge("unread_partitions", {(topic,): count for topic, count in self.unread.items()})
        yield _gauge("last_progress_timestamp_seconds", {(): self.committed_at})
        yield _gauge("build_info", {(__version__,): 1})

    def describe(self) -> Iterator[Metric]:
        """Nothing is collected to register."""
        return iter(())

    def _count(self, name: str, number: int, *labels: str) -> None:
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(number)

    def _add_growth(self, before: Totals, name: str, total: int, *labels: str) -> None:
        """Count by how much a total has grown since `before`, which becomes it."""
        if (growth := total - before[name, labels]) > 0:
            self._count(name, growth, *labels)
            before[name, labels] = total


def _gauge(name: str, values: Mapping[Labels, float]) -> Metric:
    metric = _DEFINED[name]
    family = GaugeMetricFamily(f"crmwatch_{name}", metric.meaning, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
