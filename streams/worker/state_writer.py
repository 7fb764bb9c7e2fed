"""Writes one shard's state to its changelog, each save completely or not at all, and only while the shard is its own.

A process that is frozen does not know that others have taken over its shards. When it wakes up, a save that was on its
way would put old state over newer, behind the offsets that its successor has committed. So saves are transactions under
the shard's name: whoever takes a shard over ends those of its predecessor and fences it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    ProducerFenced,
    RequestTimedOutError,
)

from detector.errors import CrmwatchError
from streams.worker.producer import MAX_MESSAGE_BYTES, STATE_BATCH_BYTES, send_batches
from streams.worker.turn import Changes

__all__ = ["FencedError", "StateWriter"]

PATIENCE_SECONDS = 60.0
"""How long brokers that are away are waited for when a shard is taken over."""
RETRY_SECONDS = 0.5


class FencedError(CrmwatchError):
    """Another worker has taken over the shard."""


class StateWriter:
    """The changelog of one shard."""

    def __init__(self, group: str, topic: str, partition: int, **connection: Any) -> None:
        """`group` is the application's name, under which its shards are known to the brokers."""
        self._topic = topic
        self._partition = partition
        self._new = partial(
            AIOKafkaProducer,
            transactional_id=f"{group}-{topic}-{partition}",
            linger_ms=0,
            max_batch_size=STATE_BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=30_000,
            **connection,
        )
        self._producer = self._new()

    async def take_over(self) -> None:
        """Become the only one who may write: to be done before the state is read.

        Waits for brokers that are away, up to `PATIENCE_SECONDS`. Raises aiokafka's `KafkaError`.
        """
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await self._producer.start()
            except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, AssertionError):
                # The assertion is the client's, which knows no broker as all of them have gone.
                await self.stop()
                if monotonic() >= deadline:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
                self._producer = self._new()
            else:
                return

    async def save(self, changes: Iterator[Changes]) -> list[Changes]:
        """Write slices of the state as one; returns them.

        Raises `FencedError` if another has taken over, and aiokafka's `KafkaError`.
        """
        saved: list[Changes] = []
        try:
            for part in changes:
                if not saved:
                    await self._producer.begin_transaction()
                saved.append(part)
                futures = await send_batches(self._producer, self._topic, self._partition, part.items())
                await asyncio.gather(*futures)
            if saved:
                await self._producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise FencedError(
                f"partition {self._partition} of {self._topic} is another worker's now"
            ) from error
        return saved

    async def stop(self) -> None:
        """Disconnect; what has not been committed is dropped."""
        with contextlib.suppress(KafkaError):  # fenced meanwhile: there is nothing to finish
            await self._producer.stop()
