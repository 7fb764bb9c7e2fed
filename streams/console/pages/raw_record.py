"""The record behind a piece of evidence, read from Kafka when somebody asks for it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from detector.errors import CrmwatchError
from streams.config import Config
from streams.kafka.connection import ConnectError, arguments, reach

__all__ = ["RawRecord", "RawRecordError", "read_raw"]

READ_MS = 6_000
MOST_BYTES = 200_000
"""How much of a record is shown."""
_POSITION = re.compile(r"(?:\S+ )?([\w.-]{1,249})/(\d{1,9})/(\d{1,18})")


class RawRecordError(CrmwatchError):
    """Why a record cannot be shown; a message for a person."""


class RawRecord(msgspec.Struct, frozen=True):
    """A record as it lies in Kafka."""

    topic: str
    partition: int
    offset: int
    arrived_ms: int | None
    key: str
    headers: tuple[tuple[str, str], ...]
    text: str
    """Its value; JSON is laid out."""
    size: int
    """Of how many bytes."""


def read_raw(config: Config, position: str) -> RawRecord:
    """The record at ``adapter topic/partition/offset``, if it is one of the access topics'. Raises `RawRecordError`."""
    found = _POSITION.fullmatch(position)
    if found is None:
        raise RawRecordError("This record is not in Kafka; its position says where it is.")
    topic, partition, offset = found[1], int(found[2]), int(found[3])
    if topic not in config.access_topics:
        raise RawRecordError("This record is not in a topic that crmwatch reads.")
    try:
        record = _fetch(config, TopicPartition(topic, partition), offset)
    except (KafkaError, ConnectError, TimeoutError) as error:
        raise RawRecordError("Kafka does not answer. Try again.") from error
    if record is None:
        raise RawRecordError("This record is no longer in Kafka: its retention has passed.")
    value = record.value or b""
    return RawRecord(
        topic,
        partition,
        offset,
        record.timestamp if record.timestamp >= 0 else None,
        _text(record.key),
        tuple((str(name), _text(content)) for name, content in record.headers or ()),
        _laid_out(value[:MOST_BYTES]),
        len(value),
    )


def _fetch(config: Config, tp: Any, offset: int) -> Any:
    at, kafka = config.worker.bootstrap, config.kafka
    reach(at, kafka)
    consumer = KafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_poll_records=1,
        request_timeout_ms=READ_MS,
        allow_auto_create_topics=False,
        **arguments(at, kafka),
    )
    try:
        consumer.assign([tp])
        first = consumer.beginning_offsets([tp], timeout_ms=READ_MS)[tp]
        end = consumer.end_offsets([tp], timeout_ms=READ_MS)[tp]
        if not first <= offset < end:
            return None
        consumer.seek(tp, offset)
        for records in consumer.poll(timeout_ms=READ_MS, max_records=1).values():
            for record in records:
                return record if record.offset == offset else None
        return None
    finally:
        consumer.close()


def _text(data: bytes | None) -> str:
    return (data or b"")[:1_000].decode("utf-8", "replace")


def _laid_out(value: bytes) -> str:
    try:
        return msgspec.json.format(value, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value.decode("utf-8", "replace")
