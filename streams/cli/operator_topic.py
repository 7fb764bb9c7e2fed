"""Signs what operators know and sends it to a topic that workers follow: indicators, the directory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.cli.screen import fail
from streams.config import Config
from streams.kafka.connection import ConnectError, arguments, reach
from streams.kafka.signing import SigningError, signatures
from streams.kafka.topics import TopicsError, partitions

__all__ = ["send"]

SEND_SECONDS = 60


def send(config: Config, topic: str, messages: Iterable[tuple[str, bytes | None]]) -> None:
    """Send values by key, ``None`` to withdraw one, and wait until Kafka has them; exits with a sentence if not."""
    where = config.worker.bootstrap
    failures: list[BaseException] = []
    try:
        ours = signatures(config.signing)
        reach(where, config.kafka)
        partitions(where, topic, config.kafka)  # which says what to do if there is no topic
        producer: Any = KafkaProducer(acks="all", linger_ms=20, **arguments(where, config.kafka))
        try:
            for key, value in messages:
                name = key.encode("utf-8", "replace")
                sent = producer.send(topic, key=name, value=value, headers=ours.headers(topic, name, value))
                sent.add_errback(failures.append)
            producer.flush(timeout=SEND_SECONDS)
        finally:
            producer.close(timeout=5)
    except (ConnectError, SigningError, TopicsError) as error:
        fail(str(error))
    except KafkaError as error:
        failures.append(error)
    if failures:
        fail(f"sending to {topic} at {where} failed: {failures[0]}")
