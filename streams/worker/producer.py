"""Sends messages and awaits their acknowledgement.

The worker uses its own idempotent producer instead of Faust's: Faust's flush gives up after 100 ms without
progress and only warns of failed sends, so an offset could be committed before its outputs are stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

__all__ = [
    "MAX_MESSAGE_BYTES",
    "PORTION_BYTES",
    "PORTION_OUTPUTS",
    "STATE_BATCH_BYTES",
    "Output",
    "Producer",
    "portions",
    "send_batches",
]

MAX_MESSAGE_BYTES = 8_000_000
PORTION_OUTPUTS = 1_000
PORTION_BYTES = 4_000_000
"""A portion ends with so many outputs, or with the one that makes it this large."""
STATE_BATCH_BYTES = 4_000_000
"""A flush of state up to this size is one record batch."""


class Output(msgspec.Struct, frozen=True):
    """A record to send."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    """``None`` deletes the key from a compacted topic."""
    headers: tuple[tuple[str, bytes], ...] = ()


def portions(outputs: Iterable[Output]) -> Iterator[list[Output]]:
    """Outputs in their order, so many at a time that sending them holds nobody up."""
    portion: list[Output] = []
    size = 0
    for output in outputs:
        portion.append(output)
        size += len(output.value or b"")
        if len(portion) >= PORTION_OUTPUTS or size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


class Producer:
    """Sends outputs and waits until the brokers have them."""

    def __init__(self, **connection: Any) -> None:
        self._connection = connection
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            enable_idempotence=True,
            acks="all",
            linger_ms=2,
            max_batch_size=STATE_BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=30_000,
            **self._connection,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Send pending messages and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, outputs: Sequence[Output]) -> list[int]:
        """Send outputs and wait until all have arrived; those of a partition keep their order.

        The offset of each; -1 for records with a key and a partition, which go in record batches, like state. Raises
        aiokafka's `KafkaError`.
        """
        producer = self._connected()
        offsets = [-1] * len(outputs)
        places: list[int] = []
        futures = []
        published: dict[tuple[str, int], list[tuple[bytes, bytes | None]]] = {}
        for place, output in enumerate(outputs):
            if output.key is not None and output.partition is not None:
                at = published.setdefault((output.topic, output.partition), [])
                at.append((output.key, output.value))
            else:
                sent = await producer.send(
                    output.topic,
                    output.value,
                    key=output.key,
                    partition=output.partition,
                    headers=list(output.headers),
                )
                places.append(place)
                futures.append(sent)
        for (topic, partition), records in published.items():
            futures += await send_batches(producer, topic, partition, records)
        if futures:
            arrived = await asyncio.gather(*futures)
            for place, at in zip(places, arrived, strict=False):
                offsets[place] = at.offset
        return offsets

    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the producer has not been started")
        return self._producer


async def send_batches(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[tuple[bytes, bytes | None]]
) -> list[Any]:
    """Send keyed records in record batches, each stored completely or not at all; a future for each batch.

    A batch costs two to three µs per key, single sends cost tens.
    """
    batch = producer.create_batch()
    futures = []
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            futures.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    if batch.record_count():
        batch.close()
        futures.append(await producer.send_batch(batch, topic, partition=partition))
    return futures
