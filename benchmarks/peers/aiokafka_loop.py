"""A loop written by hand on aiokafka: levels in memory, offsets committed by the client every five seconds."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.peers.job import Course, Level, task, value_of


async def main() -> None:
    """Read for ever."""
    given = task()
    course = Course(given)
    consumer = AIOKafkaConsumer(
        given.topic,
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8_000_000,
    )
    producer = AIOKafkaProducer(bootstrap_servers=given.bootstrap, linger_ms=5)
    await consumer.start()
    await producer.start()
    known: dict[bytes, Level] = {}
    while True:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=8000)).values():
            for record in records:
                level = known.get(record.key)
                if level is None:
                    level = known[record.key] = Level()
                far = level.is_far(value_of(record.value))
                if far:
                    await producer.send(given.alerts, record.value, key=record.key)
                course.taken(record.key, level.count, alerted=far)


if __name__ == "__main__":
    asyncio.run(main())
