"""The packed messages between the three agents: many events or signals in one Kafka record.

A message states its source partition and the event time up to which that partition is known: this is how a watermark
travels.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from zlib import crc32

import msgspec

from detector.errors import CrmwatchError
from detector.event import AccessEvent
from detector.signal import Signal

__all__ = [
    "ARRIVAL_HEADER",
    "FAULT_HEADER",
    "HEARTBEAT_SECONDS",
    "NOTHING_KNOWN",
    "POSITIONS_HEADER",
    "POSITION_HEADER",
    "REPEAT_SECONDS",
    "EventsMessage",
    "Pack",
    "SignalsMessage",
    "WireError",
    "arrival_header",
    "arrival_ms",
    "decode_events",
    "decode_events_message",
    "decode_signal",
    "decode_signals",
    "encode",
    "encode_event",
    "encode_signal",
    "partition_of",
]

T = TypeVar("T")

WIRE_VERSION = 2
PACKED_BYTES = 900_000
"""A packed message is closed at this size."""
NOTHING_KNOWN = -(1 << 62)
"""The watermark of a partition without messages."""
HEARTBEAT_SECONDS = 1.0
"""How often a shard gets a partition's watermark if it has changed; triage four times as often."""
REPEAT_SECONDS = 5.0
"""How often it gets an unchanged watermark, in case it has just been taken over."""
ARRIVAL_HEADER = "crmwatch-arrived"
"""The header with the arrival time in Kafka of the first record behind a message."""
POSITION_HEADER = "crmwatch-position"
"""The header with a published record's position in its file."""
POSITIONS_HEADER = "crmwatch-positions"
"""The header with the positions of the records that an alert quotes: event id → adapter and position, as JSON."""
FAULT_HEADER = "crmwatch-fault"
"""The header with a published record's fault in its file."""


class WireError(CrmwatchError, ValueError):
    """An unreadable internal message: incompatible releases run side by side, or worse."""


class EventsMessage(msgspec.Struct, array_like=True, kw_only=True):
    """Events of one input partition for one shard of identities."""

    version: int = WIRE_VERSION
    source: int
    """The input partition (`streams.kafka.sources`)."""
    watermark_ms: int
    idle: bool = False
    """Whether the input partition is read to its end and has been quiet for long: do not wait for it."""
    complete: int = -1
    """All that came to the input partition before the record at this offset of the topic of events was written has been
    read, and is in records before this one."""
    events: list[tuple[int, msgspec.Raw]] = []
    """Offset within the input partition, and the encoded event."""


class SignalsMessage(msgspec.Struct, array_like=True, kw_only=True):
    """Signals of one shard of identities for one shard of tenants."""

    version: int = WIRE_VERSION
    shard: int
    shards: int
    watermark_ms: int
    signals: list[msgspec.Raw] = []


_encoder = msgspec.msgpack.Encoder()
_events = msgspec.msgpack.Decoder(EventsMessage)
_signals = msgspec.msgpack.Decoder(SignalsMessage)
_event = msgspec.msgpack.Decoder(AccessEvent)
_signal = msgspec.msgpack.Decoder(Signal)

encode = _encoder.encode
"""A message as bytes."""
decode_signal = _signal.decode
"""A signal from the bytes of `encode_signal`."""
encode_event = _encoder.encode
encode_signal = _encoder.encode


def arrival_header(first_ms: int | None) -> tuple[tuple[str, bytes], ...]:
    """The header for records whose first arrived at this time, in milliseconds since 1970 UTC."""
    # Kafka's time of a record without one is -1.
    return () if first_ms is None or first_ms < 0 else ((ARRIVAL_HEADER, b"%d" % first_ms),)


def arrival_ms(record: Any) -> int | None:
    """The arrival time in Kafka of the first record behind a message, if known."""
    for name, value in record.headers:
        if name == ARRIVAL_HEADER:
            return int(value)
    return None


def decode_events_message(data: bytes) -> EventsMessage:
    """An events message, its events as they are. Raises `WireError`."""
    try:
        message = _events.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"not an events message: {error}") from error
    if message.version != WIRE_VERSION:
        raise WireError(f"events message of version {message.version}; this release reads {WIRE_VERSION}")
    return message


def decode_events(data: bytes) -> tuple[EventsMessage, list[tuple[int, AccessEvent]]]:
    """An events message and its events by offset. Raises `WireError`."""
    message = decode_events_message(data)
    try:
        decode = _event.decode
        events = [(offset, decode(raw)) for offset, raw in message.events]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"not an events message: {error}") from error
    return message, events


def decode_signals(data: bytes) -> tuple[SignalsMessage, list[Signal]]:
    """A signals message and its signals in order. Raises `WireError`."""
    try:
        message = _signals.decode(data)
        signals = [_signal.decode(raw) for raw in message.signals]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"not a signals message: {error}") from error
    if message.version != WIRE_VERSION:
        raise WireError(f"signals message of version {message.version}; this release reads {WIRE_VERSION}")
    return message, signals


class Pack(Generic[T]):
    """Items on their way into a message, which is closed once it has `limit` bytes.

    >>> pack: Pack[str] = Pack(limit=100)
    >>> pack.add(40, "a"), pack.add(70, "b"), pack.take(), pack.add(10, "c"), pack.take()
    (False, True, ['a', 'b'], False, ['c'])
    """

    __slots__ = ("_items", "_limit", "_size")

    def __init__(self, limit: int = PACKED_BYTES) -> None:
        self._limit = limit
        self._items: list[T] = []
        self._size = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, size: int, item: T) -> bool:
        """Add an item of so many bytes; whether the message is to be closed now."""
        self._items.append(item)
        self._size += size
        return self._size >= self._limit

    def take(self) -> list[T]:
        """The items of the message, in their order; those of the next one are still to come."""
        items, self._items, self._size = self._items, [], 0
        return items


def partition_of(key: str, partitions: int) -> int:
    """The partition of an internal topic that a key belongs to; the same on every machine and release.

    >>> partition_of("00D4R000001kSkyUAW/0054R0000000001AAA", 8)
    0
    """
    return crc32(key.encode("utf-8", "surrogatepass")) % partitions
