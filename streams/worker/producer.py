"""Sending so that it is known to have arrived.

The worker has an idempotent producer of its own instead of Faust's: Faust's flush gives up after 100 ms without
progress and only warns of failed sends, so that an offset can be committed before what it stands for is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

__all__ = ["Output", "Producer"]

MAX_MESSAGE_BYTES = 8_000_000
STATE_BATCH_BYTES = 4_000_000
"""A flush of state is one record batch, written whole or not at all, as long as it is no larger than this."""


class Output(msgspec.Struct, frozen=True):
    """A record to send."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    """``None`` deletes the key from a compacted topic."""
    headers: tuple[tuple[str, bytes], ...] = ()


class Producer:
    """Outputs and state, awaited until the brokers have them."""

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
        """Send what is left and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, outputs: Sequence[Output]) -> None:
        """Send outputs and wait until all have arrived; those of a partition keep their order.

        Records with a key and a partition of their own go in record batches, as state does. Raises aiokafka's
        `KafkaError`.
        """
        producer = self._connected()
        futures = []
        published: dict[tuple[str, int], list[tuple[bytes, bytes | None]]] = {}
        for output in outputs:
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
                futures.append(sent)
        for (topic, partition), records in published.items():
            futures += await self._send_batches(topic, partition, records)
        if futures:
            await asyncio.gather(*futures)

    async def save(self, topic: str, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """Write state to a changelog partition in record batches; ``None`` deletes a key."""
        futures = await self._send_batches(topic, partition, changes.items())
        if futures:
            await asyncio.gather(*futures)

    async def _send_batches(
        self, topic: str, partition: int, records: Iterable[tuple[bytes, bytes | None]]
    ) -> list[Any]:
        """One batch is two to three µs a key where single sends are tens, and it is stored whole or not at all."""
        producer = self._connected()
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

    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the producer has not been started")
        return self._producer
