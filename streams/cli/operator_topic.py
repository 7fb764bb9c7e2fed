"""Sends what operators know to a topic that workers follow: indicators, the directory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.cli.screen import fail
from streams.config import Config
from streams.kafka.connection import ConnectError, arguments, reach
from streams.kafka.topics import TopicsError, partitions

__all__ = ["send"]

SEND_SECONDS = 60


def send(config: Config, topic: str, messages: Iterable[tuple[str, bytes | None]]) -> None:
    """Send values by key, ``None`` to withdraw one, and wait until Kafka has them; exits with a sentence if not."""
    where = config.worker.bootstrap
    failures: list[BaseException] = []
    try:
        reach(where, config.kafka)
        partitions(where, topic, config.kafka)  # which says what to do if there is no topic
        producer: Any = KafkaProducer(acks="all", linger_ms=20, **arguments(where, config.kafka))
        try:
            for key, value in messages:
                sent = producer.send(topic, key=key.encode("utf-8", "replace"), value=value)
                sent.add_errback(failures.append)
            producer.flush(timeout=SEND_SECONDS)
        finally:
            producer.close(timeout=5)
    except (ConnectError, TopicsError) as error:
        fail(str(error))
    except KafkaError as error:
        failures.append(error)
    if failures:
        fail(f"sending to {topic} at {where} failed: {failures[0]}")
