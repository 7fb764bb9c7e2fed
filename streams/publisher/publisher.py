"""Publishes files to the access topic, in event-time order and keyed by identity, as a replay reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec
from kafka.errors import KafkaError
from kafka.partitioner import murmur2

from detector.adapters import AUTO, RecordError, choose
from detector.adapters.generic import Mapping, decoder
from detector.errors import CrmwatchError
from detector.event import AccessEvent
from streams.files.reader import FileRecord, read_in_order
from streams.kafka.connection import PLAIN, ConnectError, KafkaSettings, arguments, reach
from streams.plugins import NO_PLUGINS, Plugins
from streams.publisher.interruption import Interruption
from streams.publisher.pace import PublishPace
from streams.publisher.resume import PublishRun, ResumeError, fingerprint, published_before
from streams.publisher.sender import PATIENCE_SECONDS, Sender, new_producer

__all__ = ["PublishError", "Published", "publish", "publish_files"]

PROGRESS_SECONDS = 0.1
KEPT_KEYS = 200_000


class PublishError(CrmwatchError):
    """Why the records could not be published; one sentence for a person."""


class Published(msgspec.Struct):
    """How much has been published."""

    records: int = 0
    keyed: int = 0
    """Records with an identity; the others are unreadable, have no key and become dead letters."""
    size_bytes: int = 0
    already: int = 0
    """Records that an earlier part of the run published; the other figures exclude them."""
    time_ms: int | None = None
    """The event time reached."""
    behind_seconds: float | None = None
    """How far the last record lagged behind the wanted speed; ``None`` at full speed."""
    run: str | None = None
    """The fingerprint to resume it by, if it can be resumed."""
    waiting_seconds: float = 0.0
    """For how long the brokers have not answered."""
    interrupted: bool = False
    """Whether it ended early; Kafka has what the other figures count all the same."""


def publish_files(
    bootstrap: str,
    topic: str,
    paths: Sequence[str],
    speed: float | None = None,
    on_progress: Callable[[Published], None] = lambda published: None,
    *,
    mappings: Sequence[Mapping] = (),
    plugins: Plugins = NO_PLUGINS,
    resume: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
    interruption: Interruption | None = None,
    kafka: KafkaSettings = PLAIN,
) -> Published:
    """Publish every record of some files; at `speed` times real time, or as fast as it goes.

    The operator's `mappings` and the adapters of `plugins` are asked before the built-in adapters. With `resume` the
    records that an earlier run over the same files has brought to the topic are left out. Brokers that do not answer
    are waited for, up to `patience_seconds`. Raises `PublishError`, and `ReadError` for a bad path.
    """
    adapters = choose(AUTO, [*(decoder(mapping) for mapping in mappings), *plugins.adapters])
    mark = fingerprint(paths, mappings, plugins.versions)
    records = read_in_order(paths, adapters=adapters)
    if resume and mark is None:
        raise PublishError("only files can be resumed, and one of these inputs cannot be read twice")
    return publish(
        bootstrap,
        topic,
        records,
        speed,
        on_progress,
        mark=mark,
        resume=resume,
        patience_seconds=patience_seconds,
        interruption=interruption,
        kafka=kafka,
    )


def publish(
    bootstrap: str,
    topic: str,
    records: Iterable[tuple[FileRecord, AccessEvent | RecordError]],
    speed: float | None = None,
    on_progress: Callable[[Published], None] = lambda published: None,
    *,
    mark: str | None = None,
    resume: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
    interruption: Interruption | None = None,
    kafka: KafkaSettings = PLAIN,
) -> Published:
    """Publish records in their order, with an idempotent producer; Kafka has all of them when this returns.

    `mark` is the records' fingerprint: each record then carries its run and its number, and with `resume` those that
    are there already are skipped. Raises `PublishError`.
    """
    published = Published(run=mark)
    try:
        connection = arguments(bootstrap, kafka)
        reach(bootstrap, kafka)
        before = published_before(bootstrap, topic, mark, kafka) if resume and mark is not None else None
        producer = new_producer(bootstrap, kafka, connection)
    except (ConnectError, ResumeError) as error:
        raise PublishError(str(error)) from error
    try:
        partitions = len(producer.partitions_for(topic))
        run, last = before or (None, {})
        if mark is not None and run is None:
            run = PublishRun(fingerprint=mark, started_ms=time.time_ns() // 1_000_000, partitions=partitions)
        pace = PublishPace(speed)
        due: Iterable[_Due] = _due(records, partitions, last, published, pace)
        if interruption is not None:
            due = interruption.between(due)

        def on_wait(seconds: float) -> None:
            published.waiting_seconds = seconds
            on_progress(published)

        sender = Sender(producer, topic, run, patience_seconds, on_wait)
        shown = 0.0
        try:
            for raw, key, partition, sequence in due:
                sender.send(raw, key, partition, sequence)
                published.records += 1
                published.size_bytes += len(raw.record)
                if key is not None:
                    published.keyed += 1
                if sender.now - shown > PROGRESS_SECONDS:
                    shown = sender.now
                    published.behind_seconds = pace.behind_seconds
                    on_progress(published)
        except KeyboardInterrupt:
            published.interrupted = True
        sender.finish()
    except KafkaError as error:
        raise PublishError(f"publishing to {topic} at {bootstrap} failed: {error}") from error
    finally:
        with suppress(KafkaError):  # when it gives up, what could not be sent is not waited for
            producer.close(timeout=1)
    published.behind_seconds = pace.behind_seconds
    on_progress(published)
    return published


_Due = tuple[FileRecord, bytes | None, int, int]
"""A record, its key, its partition, and its number in the run."""


def _due(
    records: Iterable[tuple[FileRecord, AccessEvent | RecordError]],
    partitions: int,
    last: dict[int, int],
    published: Published,
    pace: PublishPace,
) -> Iterator[_Due]:
    """Yield the records that are not there yet, each when it is due."""
    keys: dict[str, tuple[bytes, int]] = {}
    for sequence, (raw, result) in enumerate(records):
        if isinstance(result, RecordError):
            key, partition = None, sequence % partitions
        else:
            identity = result.identity
            known = keys.get(identity)
            if known is None:
                if len(keys) >= KEPT_KEYS:
                    keys.clear()
                key = identity.encode()
                # As Kafka's own clients do by default.
                known = keys[identity] = key, (murmur2(key) & 0x7FFFFFFF) % partitions
            key, partition = known
        if sequence <= last.get(partition, -1):
            published.already += 1
            continue
        if key is not None:
            published.time_ms = result.time_ms  # type: ignore[union-attr] # it has a key
            pace.wait(result.time_ms)  # type: ignore[union-attr] # it has a key
        yield raw, key, partition, sequence
