"""Finds out from Kafka what a run has already published; nothing about it is kept in a file.

Each record of a run carries the run and its number in the run's order. A run's records reach each partition in
that order and without a gap, so the newest one in a partition proves that all before it are there.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Sequence
from hashlib import blake2b, file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from detector.adapters.generic import Mapping
from detector.errors import CrmwatchError
from streams.files.reader import ReadError, files_of, shown
from streams.kafka.connection import PLAIN, KafkaSettings, arguments

__all__ = ["RUN_HEADER", "SEQUENCE_HEADER", "PublishRun", "ResumeError", "fingerprint", "published_before"]

RUN_HEADER = "crmwatch-run"
"""The Kafka header that names a record's run, as `PublishRun.header` writes it."""
SEQUENCE_HEADER = "crmwatch-sequence"
"""The Kafka header with the record's number in the run, from 0, in event-time order."""
WINDOW_RECORDS = 500
"""How many of a partition's last records are read first; then four times as many, and so on."""
LARGEST_WINDOW_RECORDS = 100_000
SETTLE_SECONDS = 2.0
"""What a killed process had sent may still be on its way into the log."""
PATIENCE_SECONDS = 60.0


class ResumeError(CrmwatchError):
    """Why a run cannot be resumed; one sentence for a person."""


class PublishRun(msgspec.Struct, frozen=True, kw_only=True):
    """One publication of some files, which may be interrupted and resumed."""

    fingerprint: str
    started_ms: int
    """Milliseconds since 1970. The same files may be published again: that is another run."""
    partitions: int
    """The topic's when it began: they decide which record goes where."""

    @property
    def header(self) -> bytes:
        """The run in the header of each of its records.

        >>> PublishRun(fingerprint="00c0ffee", started_ms=1_772_409_600_000, partitions=8).header
        b'00c0ffee.1772409600000.8'
        """
        return f"{self.fingerprint}.{self.started_ms}.{self.partitions}".encode()


def fingerprint(
    paths: Sequence[str], mappings: Sequence[Mapping], plugins: dict[str, str] | None = None
) -> str | None:
    """16 hexadecimal digits for all that decides which records there are, and their keys and order.

    That is each file's name as it is given, its size and content, the operator's own mappings, the release,
    and the plug-ins' versions.
    ``None`` if something is not a file that can be read twice, such as standard input. Raises
    `streams.files.reader.ReadError`.
    """
    digest = blake2b(digest_size=8)
    digest.update(version("crmwatch").encode() + b"\0" + msgspec.msgpack.encode(tuple(mappings)))
    if plugins:
        digest.update(msgspec.msgpack.encode(sorted(plugins.items())))
    for path in paths:
        for name in files_of(path):
            try:
                if name == "-" or not stat.S_ISREG(Path(name).stat().st_mode):
                    return None
                with Path(name).open("rb") as file:
                    content = file_digest(file, "blake2b").digest()
                    size = file.tell()
            except OSError as error:
                raise ReadError(f"{name}: {error.strerror or error}") from error
            digest.update(msgspec.msgpack.encode((shown(name), size, content)))
    return digest.hexdigest()


def published_before(
    bootstrap: str, topic: str, wanted: str, kafka: KafkaSettings = PLAIN
) -> tuple[PublishRun, dict[int, int]] | None:
    """The newest run with a fingerprint, and of each partition that has some of it the newest record's number.

    ``None`` if the topic is empty. Raises `ResumeError` if it has other records only, or more partitions than
    when the run began: then nobody can tell what is missing. The broken run's process must be dead.
    """
    time.sleep(SETTLE_SECONDS)
    try:
        consumer = KafkaConsumer(
            **arguments(bootstrap, kafka),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            bootstrap_timeout_ms=10_000,
        )
        try:
            numbers = consumer.partitions_for_topic(topic) or set()
            partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
            if not any(ends.values()):
                return None
            newest = {
                partition.partition: record
                for partition in partitions
                if (record := _newest(consumer, partition, wanted, begins[partition], ends[partition]))
            }
        finally:
            consumer.close()
    except KafkaError as error:
        raise ResumeError(f"{topic} at {bootstrap} cannot be read: {error}") from error
    if not newest:
        raise ResumeError(
            f"{topic} has nothing of these files as they are now (run {wanted}), so there is nothing to resume;"
            " without --resume they are published from their beginning"
        )
    run = max((run for run, _ in newest.values()), key=lambda run: run.started_ms)
    if run.partitions != len(partitions):
        raise ResumeError(
            f"{topic} had {run.partitions} partitions when run {wanted} began and has {len(partitions)} now:"
            " the same identity's records would go elsewhere, so it cannot be resumed"
        )
    return run, {number: sequence for number, (its_run, sequence) in newest.items() if its_run == run}


def _newest(
    consumer: Any, partition: TopicPartition, wanted: str, begin: int, end: int
) -> tuple[PublishRun, int] | None:
    """The newest record with a fingerprint: its run and number. Looks back window by window."""
    window = WINDOW_RECORDS
    consumer.pause(*(other for other in consumer.assignment() if other != partition))
    consumer.resume(partition)
    while end > begin:
        start = max(begin, end - window)
        consumer.seek(partition, start)
        newest = None
        heard = time.monotonic()
        while (position := consumer.position(partition)) < end:
            for message in consumer.poll(timeout_ms=1000, max_records=5000).get(partition, ()):
                if message.offset < end:
                    newest = _run_of(message.headers, wanted) or newest
            if consumer.position(partition) > position:
                heard = time.monotonic()
            elif time.monotonic() - heard > PATIENCE_SECONDS:
                raise ResumeError(
                    f"{partition.topic}: nothing more came of partition {partition.partition} in a minute"
                )
        if newest is not None:
            return newest
        end = start
        window = min(window * 4, LARGEST_WINDOW_RECORDS)
    return None


def _run_of(headers: Sequence[tuple[str, bytes | None]], wanted: str) -> tuple[PublishRun, int] | None:
    """A record's run and number, if it has this fingerprint."""
    values = {name: value for name, value in headers if name in (RUN_HEADER, SEQUENCE_HEADER) and value}
    try:
        name, started, partitions = values[RUN_HEADER].decode().split(".")
        if name == wanted:
            run = PublishRun(fingerprint=name, started_ms=int(started), partitions=int(partitions))
            return run, int(values[SEQUENCE_HEADER])
    except (KeyError, ValueError):  # somebody else's
        pass
    return None
