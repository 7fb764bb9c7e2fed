"""Ingest: a partition's records become events for their identities' shards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf
from time import monotonic
from typing import Any

import msgspec

from detector.adapters import Adapter, RecordError, reject_future
from detector.event import AccessEvent
from streams.files.reader import EVERY_ADAPTER, MAX_RECORD_BYTES, decode_record
from streams.kafka import messages as wire
from streams.kafka.messages import (
    HEARTBEAT_SECONDS,
    NOTHING_KNOWN,
    REPEAT_SECONDS,
    EventsMessage,
    partition_of,
)
from streams.kafka.topics import TopicNames
from streams.worker.input_activity import InputActivity
from streams.worker.metrics import Metrics
from streams.worker.producer import Output, portions
from streams.worker.turn import Changes

__all__ = ["IngestAgent", "dead_letter"]

KNOWN_PLACES = 8
STEP_RECORDS = 250
"""So many records are decoded before others may run."""
WAKING_SECONDS = 2.0
"""How much later than its like in other partitions a record may come to one that had been quiet."""
OUTAGE_SECONDS = 1.5
"""After so long without news of a partition's end, it may have been out of reach, and its records may be late."""
UNTOLD_BATCHES = 32
"""A shard is told early how far a partition is when so many batches cannot be acknowledged before."""


class IngestAgent:
    """Decode a partition's records: events go to their identities' shards, what cannot be read goes aside."""

    def __init__(
        self,
        source: int,
        shards: int,
        topics: TopicNames,
        metrics: Metrics,
        idle_seconds: float,
        adapters: Sequence[Adapter] = EVERY_ADAPTER,
        *,
        activity: InputActivity,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._activity = activity
        self._clock = clock
        self._adapters = adapters
        self._source = source
        self._shards = shards
        self._topics = topics
        self._metrics = metrics
        self._idle_seconds = idle_seconds
        self._events: list[wire.Pack[tuple[int, msgspec.Raw]]] = [wire.Pack() for _ in range(shards)]
        self._untold = [False] * shards  # has been sent events since it was told how far this partition is
        self._messages: list[Output] = []  # to send before the next ones
        self._first_ms: int | None = None  # when the first record not yet handed over arrived
        self._batches: deque[int] = deque()  # the watermark behind each batch not yet settled
        self._settled = 0
        self._watermark_ms = NOTHING_KNOWN
        self._told: list[tuple[float, int, bool]] = [(0.0, NOTHING_KNOWN, False)] * shards
        self._heard_at = self._clock()
        self._quiet_from: float | None = None  # since when there was nothing new, and news of it all the time
        self._read_at = -inf
        self._idle = False
        # By shard: messages whose place is known, with when it was known, and the newest that may be called complete.
        self._places: list[deque[tuple[float, int]]] = [deque() for _ in range(shards)]
        self._complete = [-1] * shards

    def restore(self) -> Iterator[None]:
        """There is no state."""
        return iter(())

    def take(self, records: Sequence[Any]) -> Iterator[None]:
        """Decode a batch."""
        self._idle = False
        self._quiet_from = None
        self._heard_at = self._clock()
        if self._first_ms is None and records:
            self._first_ms = records[0].timestamp
        events = []
        for number, record in enumerate(records, 1):
            events.append(self._decode(record))
            if number % STEP_RECORDS == 0:
                yield
        arrived_ms = [record.timestamp for record in records]
        read = [event for event in events if event is not None]
        if len(read) < len(events):
            arrived_ms = [came for came, event in zip(arrived_ms, events, strict=True) if event is not None]
        self._metrics.events(read, arrived_ms)
        self._batches.append(self._watermark_ms)

    def tick(self, *, read_to_end_at: float | None) -> Iterator[None]:
        """See whether the partition has gone quiet, and up to where others need not wait for it."""
        at = read_to_end_at
        if at is None or at < self._heard_at:
            self._quiet_from, self._idle = None, False
            return iter(())
        if self._quiet_from is None or at - self._read_at > OUTAGE_SECONDS:
            self._quiet_from = at
        self._read_at = at
        self._idle = at - self._quiet_from >= self._idle_seconds
        if self._idle:
            for shard, places in enumerate(self._places):
                while places and places[0][0] + WAKING_SECONDS <= at:
                    self._complete[shard] = places.popleft()[1]
        return iter(())

    def outputs(self) -> Iterator[list[Output]]:
        """The events by shard, and to shards that got none for a while how far this partition is."""
        now = self._clock()
        for shard, events in enumerate(self._events):
            if events or self._untold[shard] or self._is_news(shard, now):
                self._told[shard] = now, self._watermark_ms, self._idle
                # Only the last message says so: then all before it is there.
                self._post(shard, self._watermark_ms, self._complete[shard])
                self._untold[shard] = False
        self._first_ms = None
        messages, self._messages = self._messages, []
        return portions(messages)

    def sent(self, outputs: Sequence[Output], offsets: Sequence[int]) -> None:
        """Note where the messages for the shards lie."""
        now = self._clock()
        for output, offset in zip(outputs, offsets, strict=True):
            if output.topic == self._topics.events and output.partition is not None:
                places = self._places[output.partition]
                if len(places) >= KNOWN_PLACES:
                    places.pop()
                places.append((now, offset))

    def settled(self) -> int:
        """The batches whose watermark every shard has been told: a successor would not know it."""
        told_ms = min(watermark_ms for _, watermark_ms, _ in self._told)
        while self._batches and self._batches[0] <= told_ms:
            self._batches.popleft()
            self._settled += 1
        return self._settled

    def changes(self) -> Iterator[Changes]:
        """None."""
        return iter(())

    def saved(self, changes: Changes) -> None:
        """Nothing to do."""

    def _is_news(self, shard: int, now: float) -> bool:
        told_at, watermark_ms, idle = self._told[shard]
        if idle != self._idle:  # above all: to have woken up
            return True
        behind = watermark_ms != self._watermark_ms
        if behind and len(self._batches) >= UNTOLD_BATCHES:
            return True
        awaited = idle and self._activity.active(now)
        patience = HEARTBEAT_SECONDS if behind or awaited else REPEAT_SECONDS
        return now - told_at >= patience

    def _decode(self, record: Any) -> AccessEvent | None:
        origin, fault = None, ""
        for name, value in record.headers:
            if name == wire.POSITION_HEADER:
                origin = _text(value)
            elif name == wire.FAULT_HEADER:
                fault = _text(value)
        try:
            event = decode_record(
                record.value or b"", _position(record) if origin is None else origin, fault, self._adapters
            )
            reject_future(event, record.timestamp)
        except RecordError as error:
            position = _position(record)
            self._metrics.dead_letter(error)
            self._messages.append(dead_letter(self._topics.deadletters, position, record.value, error))
            return None
        if event.time_ms > self._watermark_ms:
            self._watermark_ms = event.time_ms
        encoded = wire.encode_event(event)
        shard = partition_of(event.identity, self._shards)
        if self._events[shard].add(len(encoded), (record.offset, msgspec.Raw(encoded))):
            self._post(shard)
            self._untold[shard] = True
        return event

    def _post(self, shard: int, watermark_ms: int = NOTHING_KNOWN, complete: int = -1) -> None:
        """Close the message to a shard."""
        events = self._events[shard].take()
        message = EventsMessage(
            source=self._source,
            watermark_ms=watermark_ms,
            idle=self._idle,
            complete=complete,
            events=events,
        )
        headers = wire.arrival_header(self._first_ms) if events else ()
        self._messages.append(Output(self._topics.events, shard, None, wire.encode(message), headers))


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
