"""Restores saved state: a changelog partition's newest values.

Faust's tables are not used: Faust decides that a table is recovered by comparing offsets that a second rebalance
changes under it, and after two rebalances in a row shards sometimes came up empty. Here, the state is complete, or
the shard does not start.
"""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from detector.errors import CrmwatchError
from detector.keyed_state import StoredValueError
from streams.worker.producer import MAX_MESSAGE_BYTES

__all__ = ["SavedValueError", "restore"]


class SavedValueError(CrmwatchError):
    """A value in a changelog that cannot be read; a sentence for a person says where it lies and what to do."""

    def __init__(self, changelog: str, partition: int, error: StoredValueError) -> None:
        super().__init__(
            f"{changelog}/{partition}: the value of {error.key} cannot be read ({error.reason}): put a backup back "
            "with crmwatch restore --overwrite, or send that key without a value, and what it held is learned anew"
        )


async def restore(topic: str, partition: int, **connection: Any) -> dict[bytes, bytes]:
    """The values of a changelog partition, up to its present end, by key, without deleted keys.

    Raises aiokafka's `KafkaError`.
    """
    consumer = AIOKafkaConsumer(
        group_id=None,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        **connection,
    )
    await consumer.start()
    try:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        values: dict[bytes, bytes] = {}
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    if record.value is None:
                        values.pop(record.key, None)
                    else:
                        values[record.key] = record.value
        return values
    finally:
        await consumer.stop()
