"""What the three agents send one another: packed messages, many events or signals in one Kafka record.

A message says which partition it comes from, how many there are of them, and up to which event time that
partition is known: that is how a watermark travels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
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
    "SignalsMessage",
    "WireError",
    "arrival_header",
    "arrival_ms",
    "decode_events",
    "decode_signals",
    "encode",
    "encode_event",
    "encode_signal",
    "packed",
    "partition_of",
]

T = TypeVar("T")

WIRE_VERSION = 1
PACKED_BYTES = 900_000
"""A packed message is closed when it has grown to this size."""
NOTHING_KNOWN = -(1 << 62)
"""The watermark of a partition that nothing has come from."""
HEARTBEAT_SECONDS = 1.0
"""How often a shard is told how far a partition is when that has changed; a desk four times as often."""
REPEAT_SECONDS = 5.0
"""How often it is told when nothing has changed, for one that has just been taken over."""
ARRIVAL_HEADER = "crmwatch-arrived"
"""The header that says when the first of the records behind a message came to Kafka."""
POSITION_HEADER = "crmwatch-position"
"""The header of a published record that says where it lay in a file."""
POSITIONS_HEADER = "crmwatch-positions"
"""The header of an alert that says where the records lie that it quotes: event id → adapter and position, as JSON."""
FAULT_HEADER = "crmwatch-fault"
"""The header of a published record that says what was wrong with it in the file."""


class WireError(CrmwatchError, ValueError):
    """An internal message that cannot be read: two releases that do not fit run side by side, or worse."""


class EventsMessage(msgspec.Struct, array_like=True, kw_only=True):
    """Events of one input partition for one shard of identities."""

    version: int = WIRE_VERSION
    source: int
    """The input partition, numbered over all input topics."""
    sources: int
    watermark_ms: int
    idle: bool = False
    """The input partition has been read to its end and is quiet: do not wait for it."""
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
encode_event = _encoder.encode
encode_signal = _encoder.encode


def arrival_header(first_ms: int | None) -> tuple[tuple[str, bytes], ...]:
    """The header for records the first of which came at that time, in milliseconds since 1970 UTC."""
    # Kafka gives a record that has no time -1.
    return () if first_ms is None or first_ms < 0 else ((ARRIVAL_HEADER, b"%d" % first_ms),)


def arrival_ms(record: Any) -> int | None:
    """When the first of the records behind a message came to Kafka, if it says so."""
    for name, value in record.headers:
        if name == ARRIVAL_HEADER:
            return int(value)
    return None


def decode_events(data: bytes) -> tuple[EventsMessage, list[tuple[int, AccessEvent]]]:
    """An events message and its events by offset. Raises `WireError`."""
    try:
        message = _events.decode(data)
        decode = _event.decode
        events = [(offset, decode(raw)) for offset, raw in message.events]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"not an events message: {error}") from error
    if message.version != WIRE_VERSION:
        raise WireError(f"events message of version {message.version}; this release reads {WIRE_VERSION}")
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


def packed(items: Iterable[tuple[int, T]], limit: int = PACKED_BYTES) -> Iterator[list[T]]:
    """Cut sized items into lists that keep their order, each closed once it has reached `limit` bytes.

    >>> list(packed([(40, "a"), (70, "b"), (10, "c")], limit=100))
    [['a', 'b'], ['c']]
    """
    part: list[T] = []
    size = 0
    for length, item in items:
        part.append(item)
        size += length
        if size >= limit:
            yield part
            part, size = [], 0
    if part:
        yield part


def partition_of(key: str, partitions: int) -> int:
    """Which of an internal topic's partitions a key belongs to; the same on every machine and release.

    >>> partition_of("00D4R000001kSkyUAW/0054R0000000001AAA", 8)
    0
    """
    return crc32(key.encode("utf-8", "surrogatepass")) % partitions
