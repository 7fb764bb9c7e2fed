"""Detect: applies a shard's events to their identities' profiles, and sends signals and published records."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import Any

import msgspec

from detector.event import AccessEvent
from detector.identity.detect import Detection
from detector.identity.profile import PROFILES, ProfileModel
from detector.indicator_index import IndicatorIndex
from detector.keyed_state import Key
from detector.published import ActivityRecord, encode
from detector.settings import Settings
from detector.signal import Signal, SignalKind
from streams.kafka import messages as wire
from streams.kafka.messages import (
    HEARTBEAT_SECONDS,
    NOTHING_KNOWN,
    REPEAT_SECONDS,
    SignalsMessage,
    partition_of,
)
from streams.kafka.topics import TopicNames
from streams.plugins import check_state_set
from streams.worker.identity_queue import IdentityQueue
from streams.worker.metrics import Metrics
from streams.worker.ordering import Merge, Watermarks
from streams.worker.producer import Output
from streams.worker.traffic import Traffic
from streams.worker.turn import Changes

__all__ = ["DetectAgent"]


class DetectAgent:
    """Apply events to their identities' profiles, each once, and send signals to their tenants' shards."""

    def __init__(
        self,
        shard: int,
        shards: int,
        triage_shards: int,
        settings: Settings,
        store: dict[bytes, bytes],
        topics: TopicNames,
        metrics: Metrics,
        *,
        keyed: bool,
        merge_events: int,
        state_set: Mapping[str, str] = MappingProxyType({}),
        accept_plugins: bool = False,
        profiles: ProfileModel = PROFILES,
        traffic: Traffic,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`state_set` is saved with the state.

        Raises `StateSetError` for state that was written with another one, unless `accept_plugins`.
        """
        self._clock = clock
        self._traffic = traffic
        self._state_set = msgspec.msgpack.encode(dict(state_set))
        written = store.get(Key.STATE_SET)
        if written is not None and not accept_plugins:
            check_state_set(msgspec.msgpack.decode(written, type=dict[str, str]), state_set)
        self._shard = shard
        self._shards = shards
        self._desks = triage_shards
        self._topics = topics
        self._metrics = metrics
        self._keyed = keyed
        self._detection = Detection(settings, store, shard=shard, profiles=profiles)
        self._detection.restore(list(store))
        self._watermarks = Watermarks(store.get(Key.WATERMARKS))
        self._store = store
        self._identities = IdentityQueue((key.decode() for key in store if _is_identity(key)), clock())
        self._activity: list[Output] = []
        self._figures = metrics.watch("detect", shard, store)
        self._merge: Merge[tuple[AccessEvent, int, int, int | None, list[int]]] = Merge(merge_events)
        self._received: dict[int, int] = {}
        self._batches: deque[list[int]] = deque()  # of each batch not yet settled: how many events wait
        self._settled = 0
        self._signals: list[list[tuple[int, msgspec.Raw]]] = [[] for _ in range(triage_shards)]
        self._first_ms: list[int | None] = [None] * triage_shards  # when the first record behind them arrived
        self._told: list[tuple[float, int]] = [(0.0, NOTHING_KNOWN)] * triage_shards
        metrics.watch_detection(shard, self._detection)

    def watch_for(self, indicators: IndicatorIndex) -> None:
        """Look for these indicators from now on, however they change, beside those that the settings hold."""
        self._detection.watch_for(indicators)

    def take(self, records: Sequence[Any]) -> Iterator[None]:
        """Apply a batch of packed events, or hold them until their turn if the input is not keyed."""
        waiting = [0]
        self._batches.append(waiting)
        for record in records:
            message, events = wire.decode_events(record.value)
            source = message.source
            arrived_ms = wire.arrival_ms(record)
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
            if not message.idle:
                self._traffic.heard_at = self._clock()
            watermark_ms = self._watermarks.update(
                source,
                message.sources,
                message.watermark_ms,
                position=record.offset,
                idle=message.idle,
                complete=message.complete,
            )
            self._release(watermark_ms)
            self._say(self._detection.advance(watermark_ms), arrived_ms)
            yield
        self._figures.held = self._merge.held
        self._metrics.count_detection(self._shard, self._merge.overrun)

    def tick(self, *, read_to_end_at: float | None) -> None:
        """Nothing depends on time passing here."""

    def outputs(self) -> list[Output]:
        """The signals by triage shard with how far this shard is, and what is published."""
        result = []
        now = self._clock()
        watermark_ms = self._watermarks.value
        for triage, signals in enumerate(self._signals):
            told_at, told_ms = self._told[triage]
            patience = HEARTBEAT_SECONDS / 4 if watermark_ms > told_ms else REPEAT_SECONDS
            if not signals and now - told_at < patience:
                continue
            self._told[triage] = now, watermark_ms
            parts = list(wire.packed(signals)) or [[]]
            for index, part in enumerate(parts):
                last = index == len(parts) - 1
                message = SignalsMessage(
                    shard=self._shard,
                    shards=self._shards,
                    watermark_ms=watermark_ms if last else NOTHING_KNOWN,
                    signals=part,
                )
                headers = wire.arrival_header(self._first_ms[triage]) if part else ()
                result.append(Output(self._topics.signals, triage, None, wire.encode(message), headers))
            self._signals[triage] = []
            self._first_ms[triage] = None
        result += self._activity
        self._activity = []
        result += [self._identity(name) for name in self._identities.take(now)]
        return result

    def sent(self, outputs: Sequence[Output], offsets: Sequence[int]) -> None:
        """Nothing to do."""

    def settled(self) -> int:
        """The batches all of whose events have been applied."""
        while self._batches and self._batches[0][0] == 0:
            self._batches.popleft()
            self._settled += 1
        return self._settled

    def changes(self) -> Iterator[Changes]:
        """The profiles changed, and how far each input partition is."""
        changes = self._detection.changes()
        watermarks = self._watermarks.encode()
        if watermarks != self._store.get(Key.WATERMARKS):
            changes[Key.WATERMARKS] = watermarks
        if self._state_set != self._store.get(Key.STATE_SET):
            changes[Key.STATE_SET] = self._state_set
        for key in changes:
            if _is_identity(key) and changes[key] is not None:
                self._identities.changed(key.decode(), new=key not in self._store)
        if changes:
            yield changes

    def saved(self, changes: Changes) -> None:
        """They are durable."""
        self._figures.saving(self._store, changes)
        self._metrics.count_detection(self._shard, self._merge.overrun)
        self._detection.saved(changes)

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
            if signal.kind is SignalKind.TALLY:
                self._activity.append(self._tick(signal))
            else:
                self._identities.note(signal)
            encoded = wire.encode_signal(signal)
            triage = partition_of(signal.tenant, self._desks)
            self._signals[triage].append((len(encoded), msgspec.Raw(encoded)))
            first_ms = self._first_ms[triage]
            if first_ms is None or (arrived_ms is not None and arrived_ms < first_ms):
                self._first_ms[triage] = arrived_ms

    def _identity(self, name: str) -> Output:
        record = self._detection.summary(name)
        value = None if record is None else encode(record)
        return Output(self._topics.identities, self._shard, name.encode(), value)

    def _tick(self, tally: Signal) -> Output:
        record = ActivityRecord(
            tenant=tally.tenant,
            shard=self._shard,
            start_ms=tally.first_ms,
            end_ms=tally.time_ms,
            rows=tally.objects,
            events={source: int(events) for source, events in tally.facts.items()},
        )
        return Output(self._topics.activity, self._shard, record.key.encode(), encode(record))


def _is_identity(key: bytes) -> bool:
    """Whether a key of the state is an identity's, and not of the shard's own."""
    return not key.startswith(b"\x00")
