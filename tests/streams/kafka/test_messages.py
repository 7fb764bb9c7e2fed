from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin
from detector.signal import Familiarity, Measure, NewValue, Signal, SignalKind, Span, evidence
from streams.kafka import messages as wire
from streams.kafka.messages import (
    EventsMessage,
    Pack,
    SignalsMessage,
    WireError,
    decode_events,
    decode_signals,
    partition_of,
)

EVENT = AccessEvent(
    time_ms=1_772_409_600_000, event_id="e-1", tenant="00D1", actor="0051", actor_kind=ActorKind.GUEST,
    operation=Operation.REPORT, objects=("Case", "Contact"), rows=12, query_shape="select ?",
    origin=RecordOrigin("salesforce_elf", "a.csv:7"),
)  # fmt: skip
SIGNAL = Signal(
    kind=SignalKind.CROSSED, detector="volume", channel="query", time_ms=5, day=20_514, first_ms=1, last_ms=5,
    measures=[Measure("volume", "query", Span.DAY, 700, 4, 1.5, 0.25, Familiarity.RARELY)], rows=700,
    objects={"Contact": 700}, news=[NewValue("network", "192.0.2.0/24", 1.0, 9.5, 0.25, 700)], score=2.5,
    facts={"days": 3.0}, used={"network": [7, 2**32 - 1]}, evidence=evidence(EVENT, 12), tenant="00D1",
    actor="0051", peers="analysts", known_days=4, sequence=9, more=True,
)  # fmt: skip


def test_events_come_back_as_they_were_sent() -> None:
    """With their offsets, their partition, its watermark and whether it is idle."""
    raw = msgspec.Raw(wire.encode_event(EVENT))
    sent = EventsMessage(source=3, watermark_ms=-5, idle=True, events=[(41, raw), (44, raw)])
    message, events = decode_events(wire.encode(sent))
    assert (message.version, message.source) == (wire.WIRE_VERSION, 3)
    assert (message.watermark_ms, message.idle) == (-5, True)
    assert events == [(41, EVENT), (44, EVENT)]


def test_signals_come_back_as_they_were_sent() -> None:
    """With everything that triage judges by, evidence and number included."""
    raw = msgspec.Raw(wire.encode_signal(SIGNAL))
    sent = SignalsMessage(shard=1, shards=2, watermark_ms=wire.NOTHING_KNOWN, signals=[raw])
    message, signals = decode_signals(wire.encode(sent))
    assert (message.shard, message.shards, message.watermark_ms) == (1, 2, wire.NOTHING_KNOWN)
    assert signals == [SIGNAL]


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (decode_events, EventsMessage(version=99, source=0, watermark_ms=0)),
        (decode_signals, SignalsMessage(version=99, shard=0, shards=1, watermark_ms=0)),
    ],
)
def test_another_version_is_refused(decode: object, message: object) -> None:
    """Two releases that do not fit must not misread one another: the error names both versions."""
    with pytest.raises(WireError, match=r"version 99; this release reads 2"):
        decode(wire.encode(message))  # type: ignore[operator]


@given(data=st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    """Whatever is no message raises `WireError` and nothing else."""
    for decode in (decode_events, decode_signals):
        with contextlib.suppress(WireError):  # some few are a message by chance
            decode(data)


@given(cut=st.integers(0, 60), signals=st.booleans())
def test_half_a_message_is_refused(cut: int, signals: bool) -> None:
    """A message that has been cut is an error, not a shorter message."""
    inner = msgspec.Raw(wire.encode_signal(SIGNAL) if signals else wire.encode_event(EVENT))
    message: object
    if signals:
        message = SignalsMessage(shard=1, shards=2, watermark_ms=0, signals=[inner])
    else:
        message = EventsMessage(source=1, watermark_ms=0, events=[(1, inner)])
    data = wire.encode(message)
    with pytest.raises(WireError):
        (decode_signals if signals else decode_events)(data[: min(cut, len(data) - 1)])


@given(sizes=st.lists(st.integers(0, 50)), limit=st.integers(1, 100))
def test_parts_keep_order_and_close_at_the_limit(sizes: list[int], limit: int) -> None:
    """Nothing is lost or turned around; every part but the last has just reached the limit."""
    pack: Pack[tuple[int, int]] = Pack(limit)
    parts = [pack.take() for item in enumerate(sizes) if pack.add(item[1], item)]
    if pack:
        parts.append(pack.take())
    assert not pack
    assert [item for part in parts for item in part] == list(enumerate(sizes))
    assert all(parts)
    for part in parts:
        assert sum(size for _, size in part[:-1]) < limit
    for part in parts[:-1]:
        assert sum(size for _, size in part) >= limit


@given(key=st.text(), partitions=st.integers(1, 64))
def test_a_key_has_one_partition(key: str, partitions: int) -> None:
    """It is among those there are, also for keys that are no proper text, and the same each time."""
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(key, partitions)


def test_partitions_stay_where_they_are() -> None:
    """State lies by these numbers: a release that counts otherwise would lose it."""
    assert [partition_of(f"00D1/{number:04d}", 8) for number in range(12)] == [
        0,
        6,
        4,
        2,
        1,
        7,
        5,
        3,
        2,
        4,
        1,
        7,
    ]
