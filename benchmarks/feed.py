"""Records onto a topic, far faster than anybody reads them, or at a steady rate."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from detector.adapters import decode
from detector.simulation import Theft, World, records
from detector.units import HOUR_MS

__all__ = ["THIEVES_NETWORK", "Keyed", "fill", "steadily", "traffic", "world"]

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
HOURS = 24 * 366 * 10
BATCH_BYTES = 1_000_000
SLICE_SECONDS = 0.01
IN_FLIGHT = 64

THIEVES_NETWORK = b"192.0.2."
"""Where all thieves of `traffic` sit, and nobody else."""

Keyed = tuple[bytes, bytes]
"""An identity, and a record of it."""


def world(events: int, people: int, seed: int = 7) -> list[Keyed]:
    """So many records of a simulated company, in the order of their time, each with its identity for a key."""
    made = World(
        seed=seed, start_ms=START_MS, hours=HOURS, people=people, integrations=integrations_of(people)
    )
    return [(key_of(record), record) for _, record in islice(records(made), events)]


def traffic(days: int, live: int, thefts: int, people: int, seed: int = 7) -> tuple[list[Keyed], list[Keyed]]:
    """So many days of a company, and so many records of what comes after, with so many thefts in them, evenly spread.

    Each theft is of another integration's token, by another thief, so that each has reason for an alert of its own.
    """
    made = World(
        seed=seed,
        start_ms=START_MS,
        hours=HOURS,
        people=people,
        integrations=max(thefts, integrations_of(people)),
    )
    past: list[Keyed] = []
    present: list[tuple[int, bytes]] = []
    for time_ms, record in records(made):
        if time_ms < START_MS + days * 24 * HOUR_MS:
            past.append((key_of(record), record))
        elif len(present) < live:
            present.append((time_ms, record))
        else:
            break
    begin_ms, span_ms = present[0][0], present[-1][0] - present[0][0]
    stolen = [_theft(number, begin_ms + int(span_ms * number / thefts)) for number in range(thefts)]
    return past, [(key_of(record), record) for _, record in heapq.merge(present, *stolen)]


def integrations_of(people: int) -> int:
    """How many integrations a company of so many people has here."""
    return max(6, people // 20)


def _theft(number: int, start_ms: int) -> list[tuple[int, bytes]]:
    nobody = World(
        seed=1_000 + number, start_ms=start_ms // HOUR_MS * HOUR_MS, hours=2, people=0, integrations=0
    )
    address, job = THIEVES_NETWORK + b"%d" % (1 + number % 250), b"st%04d" % number
    return [
        (time_ms, record.replace(b"192.0.2.77", address).replace(b"stolen", job))
        for time_ms, record in records(nobody, Theft(start_ms=start_ms, integration=number))
    ]


def key_of(record: bytes) -> bytes:
    """Its identity, which is the key that `crmwatch publish` gives it."""
    return decode(record, "").identity.encode()


def fill(bootstrap: str, topic: str, partitions: int, keyed: Iterable[Keyed]) -> None:
    """Send them all, in their order within a partition; the broker has them when this returns."""

    async def run() -> None:
        async with _Sender(bootstrap, topic, partitions) as sender:
            rest = iter(keyed)
            while part := list(islice(rest, 20_000)):
                await sender.send(part)

    asyncio.run(run())


def steadily(
    bootstrap: str,
    topic: str,
    partitions: int,
    keyed: Sequence[Keyed],
    rate: float,
    stopped: Callable[[], bool] = lambda: False,
) -> float:
    """Send so many a second until all are sent, or until `stopped`; the seconds it took.

    They are more than there should be where this machine cannot send so fast.
    """

    async def run() -> float:
        async with _Sender(bootstrap, topic, partitions) as sender:
            began = time.monotonic()
            sent = 0
            while sent < len(keyed) and not stopped():
                due = min(len(keyed), int((time.monotonic() - began) * rate))
                if due > sent:
                    await sender.send(keyed[sent:due])
                    sent = due
                await asyncio.sleep(SLICE_SECONDS)
        return time.monotonic() - began

    return asyncio.run(run())


class _Sender:
    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=2 * BATCH_BYTES,
        )
        self._sent: list[Any] = []

    async def __aenter__(self) -> _Sender:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._sent)
        await self._producer.stop()

    async def send(self, keyed: Iterable[Keyed]) -> None:
        batches: dict[int, Any] = {}
        for key, value in keyed:
            partition = _partition(key, self._partitions)
            batch = batches.get(partition)
            if batch is None:
                batch = batches[partition] = self._producer.create_batch()
            if batch.append(key=key, value=value, timestamp=None) is None:
                await self._send(partition, batch)
                batch = batches[partition] = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        for partition, batch in batches.items():
            await self._send(partition, batch)

    async def _send(self, partition: int, batch: Any) -> None:
        batch.close()
        self._sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
        if len(self._sent) >= IN_FLIGHT:
            await asyncio.gather(*self._sent)
            self._sent.clear()


@cache
def _partition(key: bytes, partitions: int) -> int:
    """Where Kafka's own clients put a key."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions
