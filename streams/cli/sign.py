"""``crmwatch sign``: signs again what operators have sent, when keys are introduced or changed."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from rich.text import Text

from streams.cli.screen import fail, out, settings
from streams.config import Config
from streams.kafka.connection import ConnectError, arguments, reach
from streams.kafka.signing import SignatureError, Signatures, SigningError, signatures
from streams.kafka.topics import TopicsError, partitions

__all__ = ["sign"]

POLL_MS = 500
ANSWER_MS = 15_000
SEND_SECONDS = 120


def sign(
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Sign what bears no signature, too: look at it first.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Count only; send nothing.")] = False,
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Sign again what operators have sent: after the first key, or with a new one.

    Decisions, indicators and the directory's entries that the previous key signed are sent once more, unchanged, signed
    with the key in use. What neither key signed is left alone. Send nothing else meanwhile.

    Exit code: 0 done, 2 bad settings, no key or no Kafka.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    names, where = config.topics, config.worker.bootstrap
    try:
        ours = signatures(config.signing)
        if not ours.signs:
            fail("there is no key to sign with: set signing.key_file")
        reach(where, config.kafka)
        for topic in (names.feedback, names.indicators, names.directory):
            partitions(where, topic, config.kafka)
            found: Counter[str] = Counter()
            records = _newest(config, topic, ours, found, unsigned, compacted=topic != names.feedback)
            if not check:
                _send(config, ours, records)
            out().print(Text(_counted(topic, found, check)), soft_wrap=True)
    except (ConnectError, SigningError, TopicsError) as error:
        fail(str(error))
    except KafkaError as error:
        fail(f"signing again at {where} failed: {error}")


def _newest(
    config: Config, topic: str, ours: Signatures, found: Counter[str], unsigned: bool, *, compacted: bool
) -> list[Any]:
    """A topic's messages to sign; of a compacted topic the newest of each key that is believed."""
    every: list[Any] = []
    newest: dict[tuple[int, bytes | None], tuple[Any, bool]] = {}
    for record in _records(config, topic):
        state = _state(record, ours)
        found[state] += 1
        wanted = state == "previous key" or (state == "unsigned" and unsigned)
        if compacted and (wanted or state == "key in use"):
            newest[record.partition, record.key] = record, wanted
        elif wanted:
            every.append(record)
    every += [record for record, wanted in newest.values() if wanted]
    found["to sign"] = len(every)
    return every


def _state(record: Any, ours: Signatures) -> str:
    """What a message is signed with."""
    if not ours.is_signed(record):
        return "unsigned"
    try:
        return "previous key" if ours.check(record) else "key in use"
    except SignatureError:
        return "another key"


def _records(config: Config, topic: str) -> Iterator[Any]:
    """A topic's messages up to its present end."""
    consumer: Any = KafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **arguments(config.worker.bootstrap, config.kafka),
    )
    try:
        parts = [
            TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts, timeout_ms=ANSWER_MS)
        consumer.seek_to_beginning(*parts)
        while any(consumer.position(part, timeout_ms=ANSWER_MS) < end for part, end in ends.items()):
            for part, records in consumer.poll(timeout_ms=POLL_MS).items():
                yield from (record for record in records if record.offset < ends[part])
    finally:
        consumer.close()


def _send(config: Config, ours: Signatures, records: Iterable[Any]) -> None:
    """Send messages again, each to its own partition, and wait until Kafka has them. Raises `KafkaError`."""
    failures: list[BaseException] = []
    producer: Any = KafkaProducer(
        acks="all", linger_ms=20, **arguments(config.worker.bootstrap, config.kafka)
    )
    try:
        for record in records:
            headers = ours.headers(record.topic, record.key, record.value)
            producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                headers=headers,
                partition=record.partition,
            ).add_errback(failures.append)
        producer.flush(timeout=SEND_SECONDS)
    finally:
        producer.close(timeout=5)
    if failures:
        raise failures[0]


def _counted(topic: str, found: Counter[str], check: bool) -> str:
    signed = found.pop("to sign")
    of = ", ".join(f"{count:,} {what}" for what, count in sorted(found.items())) or "no messages"
    return f"{topic}: {of}; {signed:,} {'to sign' if check else 'signed again'}"
