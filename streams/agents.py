"""The three agents' work: ingest (records → events), detect (events → signals), triage (signals → alerts)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from time import monotonic, time
from typing import Any

import msgspec

from detector.adapters import Adapter, RecordError, believed
from detector.alert import Activity, Alert
from detector.detection import Detection
from detector.event import AccessEvent
from detector.feedback import Feedback
from detector.settings import Indicator, Settings
from detector.signal import Signal
from detector.triage.desk import Desk, settled_at
from streams import wire
from streams.hold import Hold
from streams.merge import Merge, Watermarks
from streams.metrics import Metrics
from streams.producer import Output
from streams.reader import EVERY_ADAPTER, MAX_RECORD_BYTES, decode_record
from streams.topics import TopicNames
from streams.wire import NOTHING_KNOWN, EventsMessage, SignalsMessage, partition_of

__all__ = ["FAULT_HEADER", "POSITION_HEADER", "Detect", "Ingest", "Triage", "dead_letter"]

POSITION_HEADER = "crmwatch-position"
"""The Kafka header in which `publish` says where a record lay in a file."""
FAULT_HEADER = "crmwatch-fault"
"""The one in which it says what was found wrong with the record while reading the file."""
ARRIVAL_HEADER = "crmwatch-arrived"
"""The header in which the agents tell one another when the first of the records behind a message came to Kafka."""
HEARTBEAT_SECONDS = 1.0
"""How often a shard is told how far a partition is when that has changed; a desk four times as often."""
REPEAT_SECONDS = 5.0
"""How often it is told when nothing has changed, for one that has just been taken over."""
UNTOLD_BATCHES = 32
"""It is told early when so many batches cannot be acknowledged before."""
HELD_SIGNALS = 200_000
"""More signals than this are not held for a day to close: the first are judged provisionally."""
_WATERMARKS_KEY = b"\x00watermarks"
"""Where a shard keeps its inputs' watermarks among its profiles; no identity has this name."""


class Ingest:
    """Decode a partition's records: events go to their identities' shards, what cannot be read goes aside."""

    def __init__(
        self,
        source: int,
        sources: int,
        shards: int,
        topics: TopicNames,
        metrics: Metrics,
        idle_seconds: float,
        adapters: Sequence[Adapter] = EVERY_ADAPTER,
    ) -> None:
        self._adapters = adapters
        self._source = source
        self._sources = sources
        self._shards = shards
        self._topics = topics
        self._metrics = metrics
        self._idle_seconds = idle_seconds
        self._events: list[list[tuple[int, tuple[int, msgspec.Raw]]]] = [[] for _ in range(shards)]
        self._letters: list[Output] = []
        self._first_ms: int | None = None  # when the first record not yet handed over arrived
        self._batches: deque[int] = deque()  # the watermark behind each batch not yet settled
        self._settled = 0
        self._watermark_ms = NOTHING_KNOWN
        self._told: list[tuple[float, int, bool]] = [(0.0, NOTHING_KNOWN, False)] * shards
        self._heard_at = monotonic()
        self._idle = False

    def take(self, records: Sequence[Any]) -> None:
        """Decode a batch."""
        self._idle = False
        self._heard_at = monotonic()
        events = [self._decode(record) for record in records]
        arrived_ms = [record.timestamp for record in records]
        if self._first_ms is None and arrived_ms:
            self._first_ms = arrived_ms[0]
        read = [event for event in events if event is not None]
        if len(read) < len(events):
            arrived_ms = [came for came, event in zip(arrived_ms, events, strict=True) if event is not None]
        self._metrics.events(read, arrived_ms)
        self._batches.append(self._watermark_ms)

    def tick(self, position: int | None, *, caught_up: bool) -> None:
        """See whether the partition has gone quiet."""
        self._idle = caught_up and monotonic() - self._heard_at >= self._idle_seconds

    def outputs(self) -> list[Output]:
        """The events by shard, and to shards that got none for a while how far this partition is."""
        letters, self._letters = self._letters, []
        now = monotonic()
        arrived, self._first_ms = _arrived(self._first_ms), None
        for shard, events in enumerate(self._events):
            if not events and not self._is_news(shard, now):
                continue
            self._told[shard] = now, self._watermark_ms, self._idle
            parts = list(wire.packed(events)) or [[]]
            for index, part in enumerate(parts):
                last = index == len(parts) - 1  # only then all up to the watermark is there
                message = EventsMessage(
                    source=self._source,
                    sources=self._sources,
                    watermark_ms=self._watermark_ms if last else NOTHING_KNOWN,
                    idle=self._idle,
                    events=part,
                )
                headers = arrived if part else ()
                letters.append(Output(self._topics.events, shard, None, wire.encode(message), headers))
            self._events[shard] = []
        return letters

    def settled(self) -> int:
        """The batches whose watermark every shard has been told: a successor would not know it."""
        told_ms = min(watermark_ms for _, watermark_ms, _ in self._told)
        while self._batches and self._batches[0] <= told_ms:
            self._batches.popleft()
            self._settled += 1
        return self._settled

    def changes(self) -> dict[bytes, bytes | None]:
        """None."""
        return {}

    def saved(self, changes: dict[bytes, bytes | None]) -> None:
        """Nothing to do."""

    def _is_news(self, shard: int, now: float) -> bool:
        told_at, watermark_ms, idle = self._told[shard]
        if idle != self._idle:  # above all: to have woken up
            return True
        behind = watermark_ms != self._watermark_ms
        if behind and len(self._batches) >= UNTOLD_BATCHES:
            return True
        patience = HEARTBEAT_SECONDS if behind else REPEAT_SECONDS
        return now - told_at >= patience

    def _decode(self, record: Any) -> AccessEvent | None:
        origin, fault = None, ""
        for name, value in record.headers:
            if name == POSITION_HEADER:
                origin = _text(value)
            elif name == FAULT_HEADER:
                fault = _text(value)
        try:
            event = decode_record(
                record.value or b"", _position(record) if origin is None else origin, fault, self._adapters
            )
            believed(event, record.timestamp)
        except RecordError as error:
            position = _position(record)
            self._metrics.dead_letter(error)
            self._letters.append(dead_letter(self._topics.deadletters, position, record.value, error))
            return None
        if event.time_ms > self._watermark_ms:
            self._watermark_ms = event.time_ms
        encoded = wire.encode_event(event)
        shard = partition_of(event.identity, self._shards)
        self._events[shard].append((len(encoded), (record.offset, msgspec.Raw(encoded))))
        return event


class Detect:
    """Apply events to their identities' profiles, each once, and send signals to their tenants' shards."""

    def __init__(
        self,
        shard: int,
        shards: int,
        desks: int,
        settings: Settings,
        store: dict[bytes, bytes],
        topics: TopicNames,
        metrics: Metrics,
        *,
        keyed: bool,
        merge_events: int,
    ) -> None:
        self._shard = shard
        self._shards = shards
        self._desks = desks
        self._topics = topics
        self._metrics = metrics
        self._keyed = keyed
        self._detection = Detection(settings, store, shard=shard)
        self._detection.restore([key for key in store if key != _WATERMARKS_KEY])
        self._watermarks = Watermarks(store.get(_WATERMARKS_KEY))
        self._store = store
        self._figures = metrics.watch("detect", shard, store)
        self._merge: Merge[tuple[AccessEvent, int, int, int | None, list[int]]] = Merge(merge_events)
        self._received: dict[int, int] = {}
        self._batches: deque[list[int]] = deque()  # of each batch not yet settled: how many events wait
        self._settled = 0
        self._signals: list[list[tuple[int, msgspec.Raw]]] = [[] for _ in range(desks)]
        self._first_ms: list[int | None] = [None] * desks  # when the first record behind them arrived
        self._told: list[tuple[float, int]] = [(0.0, NOTHING_KNOWN)] * desks
        metrics.watch_detection(shard, self._detection)

    def watch_for(self, indicators: Mapping[str, Indicator]) -> None:
        """Look for these indicators from now on, beside those that the settings hold."""
        self._detection.watch_for(indicators)

    def take(self, records: Sequence[Any]) -> None:
        """Apply a batch of packed events, or hold them until their turn if the input is not keyed."""
        waiting = [0]
        self._batches.append(waiting)
        for record in records:
            message, events = wire.decode_events(record.value)
            source = message.source
            arrived_ms = _arrival(record)
            if self._keyed:
                for offset, event in events:
                    self._apply(event, source, offset, arrived_ms)
            else:
                newest = self._received.get(source, -1)
                for offset, event in events:
                    if offset > newest:  # else: sent twice, and waiting or applied already
                        waiting[0] += 1
                        self._merge.push(
                            source,
                            event.time_ms,
                            event.event_id,
                            (event, source, offset, arrived_ms, waiting),
                        )
                if events:
                    self._received[source] = max(newest, events[-1][0])
            watermark_ms = self._watermarks.update(
                source, message.sources, message.watermark_ms, idle=message.idle, said_ms=record.timestamp
            )
            self._release(watermark_ms)
            self._say(self._detection.advance(watermark_ms), arrived_ms)
        self._figures.held, self._figures.early = self._merge.held, self._merge.overrun

    def tick(self, position: int | None, *, caught_up: bool) -> None:
        """Nothing depends on time passing here."""

    def outputs(self) -> list[Output]:
        """The signals by desk, and how far this shard is."""
        result = []
        now = monotonic()
        watermark_ms = self._watermarks.value
        for desk, signals in enumerate(self._signals):
            told_at, told_ms = self._told[desk]
            patience = HEARTBEAT_SECONDS / 4 if watermark_ms > told_ms else REPEAT_SECONDS
            if not signals and now - told_at < patience:
                continue
            self._told[desk] = now, watermark_ms
            parts = list(wire.packed(signals)) or [[]]
            for index, part in enumerate(parts):
                last = index == len(parts) - 1
                message = SignalsMessage(
                    shard=self._shard,
                    shards=self._shards,
                    watermark_ms=watermark_ms if last else NOTHING_KNOWN,
                    signals=part,
                )
                headers = _arrived(self._first_ms[desk]) if part else ()
                result.append(Output(self._topics.signals, desk, None, wire.encode(message), headers))
            self._signals[desk] = []
            self._first_ms[desk] = None
        return result

    def settled(self) -> int:
        """The batches all of whose events have been applied."""
        while self._batches and self._batches[0][0] == 0:
            self._batches.popleft()
            self._settled += 1
        return self._settled

    def changes(self) -> dict[bytes, bytes | None]:
        """The profiles changed, and how far each input partition is."""
        changes: dict[bytes, bytes | None] = dict(self._detection.changes())
        watermarks = self._watermarks.encode()
        if watermarks != self._store.get(_WATERMARKS_KEY):
            changes[_WATERMARKS_KEY] = watermarks
        return changes

    def saved(self, changes: dict[bytes, bytes | None]) -> None:
        """They are durable."""
        self._figures.saving(self._store, changes)
        self._detection.saved({key: value for key, value in changes.items() if value is not None})

    def _release(self, watermark_ms: int) -> None:
        if self._merge.held:
            everything = self._watermarks.all_idle
            for event, source, offset, arrived_ms, waiting in self._merge.released(
                watermark_ms, everything=everything
            ):
                self._apply(event, source, offset, arrived_ms)
                waiting[0] -= 1

    def _apply(self, event: AccessEvent, source: int, offset: int, arrived_ms: int | None) -> None:
        signals = self._detection.observe(event, source, offset)
        if signals:
            self._say(signals, arrived_ms)

    def _say(self, signals: list[Signal], arrived_ms: int | None) -> None:
        for signal in signals:
            self._metrics.signal(signal)
            encoded = wire.encode_signal(signal)
            desk = partition_of(signal.tenant, self._desks)
            self._signals[desk].append((len(encoded), msgspec.Raw(encoded)))
            first_ms = self._first_ms[desk]
            if first_ms is None or (arrived_ms is not None and arrived_ms < first_ms):
                self._first_ms[desk] = arrived_ms


class Triage:
    """Judge signals once the days they rest on are closed, and publish alerts."""

    def __init__(
        self,
        desk: int,
        settings: Settings,
        store: dict[bytes, bytes],
        topics: TopicNames,
        metrics: Metrics,
        hold_seconds: float,
    ) -> None:
        self._topics = topics
        self._metrics = metrics
        self._hold_seconds = hold_seconds
        self._store = store
        self._figures = metrics.watch("triage", desk, store)
        self._desk = Desk(settings, store)
        self._desk.restore(list(store))
        self._watermarks = Watermarks()
        self._hold: Hold[tuple[list[int], int | None]] = Hold()
        self._batches: deque[list[int]] = deque()  # of each batch not yet settled: how many signals wait
        self._settled = 0
        self._alerts: list[Alert] = []
        self._delays: list[tuple[int, int]] = []  # of alerts not handed over: event time, arrival
        metrics.watch_desk(desk, self._desk)

    def honour(self, feedback: Sequence[Feedback]) -> None:
        """Decide with this feedback from now on, and with what the settings hold."""
        self._desk.honour(feedback)

    def take(self, records: Sequence[Any]) -> None:
        """Judge a batch of packed signals, or hold those that rest on a day that is not closed yet."""
        waiting = [0]
        self._batches.append(waiting)
        now = monotonic()
        for record in records:
            message, signals = wire.decode_signals(record.value)
            arrived_ms = _arrival(record)
            for signal in signals:
                threshold_ms = self._hold.threshold(signal, settled_at(signal.time_ms))
                if threshold_ms <= self._desk.watermark_ms:
                    self._publish(self._desk.judge(signal), arrived_ms)
                else:
                    self._hold.add(signal, threshold_ms, now, (waiting, arrived_ms))
                    waiting[0] += 1
            watermark_ms = self._watermarks.update(
                message.shard, message.shards, message.watermark_ms, idle=False, said_ms=record.timestamp
            )
            for threshold_ms, group in self._hold.released(watermark_ms):
                self._publish(self._desk.advance(threshold_ms), arrived_ms)
                self._judge(group, provisional=False)
            self._publish(self._desk.advance(watermark_ms), arrived_ms)
        self._figures.held = self._hold.held

    def tick(self, position: int | None, *, caught_up: bool) -> None:
        """Judge provisionally what has been held too long, or what is too much to hold."""
        patience = 0.0 if self._hold.held > HELD_SIGNALS else self._hold_seconds
        before = monotonic() - patience
        while group := self._hold.overdue(before):
            self._judge(group, provisional=True)
            self._figures.early += len(group)
            self._figures.held = self._hold.held

    def outputs(self) -> list[Output]:
        """The alerts."""
        alerts, self._alerts = self._alerts, []
        now_ms = round(time() * 1000)
        for event_ms, arrived_ms in self._delays:
            self._metrics.delay(event_ms, arrived_ms, now_ms)
        self._delays = []
        return [
            Output(
                self._topics.alerts,
                None,
                alert.uid.encode(),
                alert.body,
                (("crmwatch-positions", msgspec.json.encode(alert.positions)),),
            )
            for alert in alerts
        ]

    def settled(self) -> int:
        """The batches all of whose signals have been judged."""
        while self._batches and self._batches[0][0] == 0:
            self._batches.popleft()
            self._settled += 1
        return self._settled

    def changes(self) -> dict[bytes, bytes | None]:
        """The incidents and the population's figures that changed."""
        return self._desk.changes()

    def saved(self, changes: dict[bytes, bytes | None]) -> None:
        """They are durable."""
        self._figures.saving(self._store, changes)
        self._desk.saved(changes)

    def _judge(self, group: list[tuple[Signal, tuple[list[int], int | None]]], *, provisional: bool) -> None:
        for signal, (waiting, arrived_ms) in group:
            self._publish(self._desk.judge(signal, provisional=provisional), arrived_ms)
            waiting[0] -= 1

    def _publish(self, alerts: list[Alert], arrived_ms: int | None) -> None:
        for alert in alerts:
            self._metrics.alert(alert)
            if arrived_ms is not None and alert.activity is not Activity.CLOSE:  # to close takes its time
                self._delays.append((alert.time_ms, arrived_ms))
        self._alerts += alerts


def _arrived(first_ms: int | None) -> tuple[tuple[str, bytes], ...]:
    # Kafka gives a record that has no time -1.
    return () if first_ms is None or first_ms < 0 else ((ARRIVAL_HEADER, b"%d" % first_ms),)


def _arrival(record: Any) -> int | None:
    for name, value in record.headers:
        if name == ARRIVAL_HEADER:
            return int(value)
    return None


def _position(record: Any) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def dead_letter(topic: str, position: str, record: bytes | None, error: RecordError) -> Output:
    """A record that could not be read, with where it lay and why, keyed by its position."""
    body = {
        "position": position,
        "origin": error.position,
        "adapter": error.adapter,
        "reason": error.reason,
        "detail": error.detail,
        "record": (record or b"")[:MAX_RECORD_BYTES],
        "record_bytes": len(record or b""),
    }
    return Output(topic, None, position.encode(), msgspec.json.encode(body))


def _text(header: bytes | None) -> str:
    return (header or b"")[:1024].decode("utf-8", "replace")
