"""Detect: applies a shard's events to their identities' profiles, and sends signals and published records."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from time import monotonic
from types import MappingProxyType
from typing import Any

import msgspec

from detector.event import AccessEvent
from detector.identity.detect import Detection
from detector.identity.profile import NOTHING_APPLIED, PROFILES, ProfileModel
from detector.indicator_index import IndicatorIndex
from detector.keyed_state import Key, reading
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
from streams.worker.input_activity import InputActivity
from streams.worker.metrics import Metrics
from streams.worker.ordering import Merge, Watermarks
from streams.worker.producer import Output, portions
from streams.worker.turn import Changes

__all__ = ["DetectAgent"]

STEP_EVENTS = 200
"""So many events are applied before others may run."""


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
        sources: Collection[int],
        state_set: Mapping[str, str] = MappingProxyType({}),
        accept_plugins: bool = False,
        profiles: ProfileModel = PROFILES,
        activity: InputActivity,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`state_set` is saved with the state; `sources` are the numbers of those that are read now.

        Raises `StateSetError` for state that was written with another one, unless `accept_plugins`, and
        `StoredValueError` for a value that cannot be read.
        """
        self._clock = clock
        self._activity = activity
        self._state_set = msgspec.msgpack.encode(dict(state_set))
        written = store.get(Key.STATE_SET)
        if written is not None and not accept_plugins:
            with reading(Key.STATE_SET):
                saved = msgspec.msgpack.decode(written, type=dict[str, str])
            check_state_set(saved, state_set)
        self._shard = shard
        self._shards = shards
        self._desks = triage_shards
        self._topics = topics
        self._metrics = metrics
        self._keyed = keyed
        self._detection = Detection(settings, store, shard=shard, profiles=profiles)
        with reading(Key.WATERMARKS):
            self._watermarks = Watermarks(store.get(Key.WATERMARKS), len(sources))
        self._places = {source: place for place, source in enumerate(sorted(sources))}
        self._complete_ms = self._watermarks.value  # all that is due by then has been said
        self._store = store
        self._identities = IdentityQueue((key.decode() for key in store if _is_identity(key)), clock())
        self._figures = metrics.watch("detect", shard, store)
        self._merge: Merge[tuple[AccessEvent, int, int, int | None, list[int]]] = Merge(merge_events)
        self._received: dict[int, int] = {}
        self._batches: deque[list[int]] = deque()  # of each batch not yet settled: how many events wait
        self._settled = 0
        self._messages: list[Output] = []  # to send before the next ones
        self._signals: list[wire.Pack[msgspec.Raw]] = [wire.Pack() for _ in range(triage_shards)]
        self._untold = [
            False
        ] * triage_shards  # has been sent signals since it was told how far this shard is
        self._first_ms: list[int | None] = [None] * triage_shards  # when the first record behind them arrived
        self._told: list[tuple[float, int]] = [(0.0, NOTHING_KNOWN)] * triage_shards
        metrics.watch_detection(shard, self._detection)

    def watch_for(self, indicators: IndicatorIndex) -> None:
        """Look for these indicators from now on, however they change, beside those that the settings hold."""
        self._detection.watch_for(indicators)

    def restore(self) -> Iterator[None]:
        """Take up the saved state."""
        return self._detection.restore(list(self._store))

    def take(self, records: Sequence[Any]) -> Iterator[None]:
        """Apply a batch of packed events, or hold them until their turn if the input is not keyed."""
        waiting = [0]
        self._batches.append(waiting)
        for record in records:
            message, events = wire.decode_events(record.value)
            source = message.source
            arrived_ms = wire.arrival_ms(record)
            if self._keyed:
                for number, (offset, event) in enumerate(events, 1):
                    self._apply(event, source, offset, arrived_ms)
                    if not number % STEP_EVENTS:
                        yield
            else:
                newest = self._received.get(source, NOTHING_APPLIED)
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
                self._activity.heard_at = self._clock()
            watermark_ms = self._watermarks.value
            place = self._places.get(source)
            if place is not None:  # else a topic that is gone, or one that is newer than this shard
                watermark_ms = self._watermarks.update(
                    place,
                    len(self._places),
                    message.watermark_ms,
                    position=record.offset,
                    idle=message.idle,
                    complete=message.complete,
                )
            yield from self._release(watermark_ms)
            for signals in self._detection.advance(watermark_ms):
                self._say(signals, arrived_ms)
                yield
            self._complete_ms = watermark_ms
            yield
        self._figures.held = self._merge.held
        self._metrics.count_detection(self._shard, self._merge.overrun)

    def tick(self, *, read_to_end_at: float | None) -> Iterator[None]:
        """Nothing depends on time passing here."""
        return iter(())

    def outputs(self) -> Iterator[list[Output]]:
        """The signals by triage shard, behind them how far this shard is, and what is published."""
        now = self._clock()
        for triage, signals in enumerate(self._signals):
            told_at, told_ms = self._told[triage]
            patience = HEARTBEAT_SECONDS / 4 if self._complete_ms > told_ms else REPEAT_SECONDS
            if signals or self._untold[triage] or now - told_at >= patience:
                self._told[triage] = now, self._complete_ms
                self._post(triage, self._complete_ms)
                self._untold[triage] = False
        messages, self._messages = self._messages, []
        yield from portions(chain(messages, map(self._identity, self._identities.take(now))))

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
        for changes in self._detection.changes():
            for key, value in changes.items():
                if value is not None and _is_identity(key):
                    self._identities.changed(key.decode(), new=key not in self._store)
            yield changes
        own: Changes = {}
        watermarks = self._watermarks.encode()
        if watermarks != self._store.get(Key.WATERMARKS):
            own[Key.WATERMARKS] = watermarks
        if self._state_set != self._store.get(Key.STATE_SET):
            own[Key.STATE_SET] = self._state_set
        if own:
            yield own

    def saved(self, changes: Changes) -> None:
        """They are durable."""
        self._figures.saving(self._store, changes)
        self._metrics.count_detection(self._shard, self._merge.overrun)
        self._detection.saved(changes)

    def _release(self, watermark_ms: int) -> Iterator[None]:
        if self._merge.held:
            released = self._merge.released(watermark_ms, everything=self._watermarks.all_idle)
            for number, (event, source, offset, arrived_ms, waiting) in enumerate(released, 1):
                self._apply(event, source, offset, arrived_ms)
                waiting[0] -= 1
                if not number % STEP_EVENTS:
                    yield

    def _apply(self, event: AccessEvent, source: int, offset: int, arrived_ms: int | None) -> None:
        signals = self._detection.observe(event, source, offset)
        if signals:
            self._say(signals, arrived_ms)

    def _say(self, signals: list[Signal], arrived_ms: int | None) -> None:
        for signal in signals:
            self._metrics.signal(signal)
            if signal.kind is SignalKind.TALLY:
                self._messages.append(self._tick(signal))
            else:
                self._identities.note(signal)
            encoded = wire.encode_signal(signal)
            triage = partition_of(signal.tenant, self._desks)
            first_ms = self._first_ms[triage]
            if first_ms is None or (arrived_ms is not None and arrived_ms < first_ms):
                self._first_ms[triage] = arrived_ms
            if self._signals[triage].add(len(encoded), msgspec.Raw(encoded)):
                self._post(triage, NOTHING_KNOWN)
                self._untold[triage] = True

    def _post(self, triage: int, watermark_ms: int) -> None:
        """Close the message to a triage shard, which says how far this shard is if all is behind it."""
        signals = self._signals[triage].take()
        message = SignalsMessage(
            shard=self._shard, shards=self._shards, watermark_ms=watermark_ms, signals=signals
        )
        headers = wire.arrival_header(self._first_ms[triage]) if signals else ()
        self._messages.append(Output(self._topics.signals, triage, None, wire.encode(message), headers))
        self._first_ms[triage] = None

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
