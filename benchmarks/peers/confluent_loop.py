"""A loop written by hand on confluent-kafka: levels in memory, offsets committed by the client every five seconds."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer

from benchmarks.peers.job import Course, Level, task, value_of


def main() -> None:
    """Read for ever."""
    given = task()
    course = Course(given)
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            # By default a full queue of fetched records is left alone for a second: a quarter of the speed.
            "fetch.queue.backoff.ms": 10,
        }
    )
    producer = Producer({"bootstrap.servers": given.bootstrap, "linger.ms": 5})
    consumer.subscribe([given.topic])
    known: dict[bytes, Level] = {}
    while True:
        for record in consumer.consume(5000, timeout=0.1):
            if record.error():
                continue
            key, value = record.key(), record.value()
            level = known.get(key)
            if level is None:
                level = known[key] = Level()
            far = level.is_far(value_of(value))
            if far:
                producer.produce(given.alerts, value, key)
            course.taken(key, level.count, alerted=far)
        producer.poll(0)


if __name__ == "__main__":
    main()
