"""Commits where a new consumer group starts in the access topics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from streams.kafka.topics import TopicsError

__all__ = ["begin_at", "parsed"]

EARLIEST, LATEST = "earliest", "latest"


def parsed(start: str) -> int | str:
    """The setting `worker.start`: ``earliest``, ``latest``, or milliseconds since 1970 UTC.

    Raises `ValueError` with a sentence for a person.

    >>> parsed("1970-01-01T00:00:01Z")
    1000
    """
    if start in (EARLIEST, LATEST):
        return start
    try:
        time = datetime.fromisoformat(start)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(
            f"worker.start is earliest, latest, or a time with its zone such as 2026-03-01T00:00:00Z, not {start}"
        )
    return round(time.timestamp() * 1000)


def begin_at(start: int | str, group: str, topics: Sequence[str], **connection: Any) -> int:
    """Commit the start for each partition without a commit of the group; returns how many there were.

    Raises `TopicsError`. With several workers, the first one does it for all.
    """
    if start == EARLIEST:  # the default of a group without a commit
        return 0
    consumer = None
    try:
        consumer = KafkaConsumer(group_id=group, enable_auto_commit=False, **connection)
        tps = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(tps)
        new = [tp for tp in tps if consumer.committed(tp) is None]
        if not new:
            return 0
        offsets = consumer.end_offsets(new)
        if isinstance(start, int):
            found = consumer.offsets_for_times(dict.fromkeys(new, start))
            offsets |= {tp: at.offset for tp, at in found.items() if at is not None}
        consumer.commit({tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()})
        return len(new)
    except KafkaError as error:
        raise TopicsError(f"the start offsets could not be committed: {error}") from error
    finally:
        if consumer is not None:
            consumer.close()
