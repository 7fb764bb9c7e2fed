"""Files onto the access topic, in event-time order and keyed by identity, as a replay would read them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, Self, TypeVar

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import murmur2

from detector.adapters import AUTO, RecordError, choose
from detector.adapters.generic import Mapping, decoder
from detector.errors import CrmwatchError
from detector.event import AccessEvent
from streams.files.reader import FileRecord, read_in_order
from streams.kafka.connection import PLAIN, ConnectError, KafkaSettings, arguments, reach, refusal
from streams.plugins import NO_PLUGINS, Plugins
from streams.publisher.resume import (
    RUN_HEADER,
    SEQUENCE_HEADER,
    PublishRun,
    ResumeError,
    fingerprint,
    published_before,
)
from streams.worker.agents import FAULT_HEADER, POSITION_HEADER

__all__ = ["Interruption", "PublishError", "Published", "publish", "publish_files"]

T = TypeVar("T")

WINDOW_BYTES = 8_000_000
"""After so much, what was sent a window ago must have arrived: the producer itself has no limit."""
WINDOW_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
"""After this long without an answer publishing fails."""
PROGRESS_SECONDS = 0.1
KEPT_KEYS = 200_000


class PublishError(CrmwatchError):
    """Why the records could not be published; one sentence for a person."""


class Published(msgspec.Struct):
    """How much has been published."""

    records: int = 0
    keyed: int = 0
    """Records with an identity; the others cannot be read, go without a key and become dead letters."""
    size_bytes: int = 0
    already: int = 0
    """Records that were there before, of the run that is resumed; the other figures are without them."""
    time_ms: int | None = None
    """The event time reached."""
    behind_seconds: float | None = None
    """How much later than the wanted speed demands the last record was handed over; ``None`` at full speed."""
    run: str | None = None
    """The fingerprint by which it can be resumed, if it can."""
    interrupted: bool = False
    """Whether it was ended before all was published; what the other figures count is there nevertheless."""


class Interruption:
    """Lets SIGINT end an iteration between two items, and not while one is being worked on; a context manager.

    A second SIGINT does not wait.
    """

    def __init__(self) -> None:
        self._waiting = True
        self._asked = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def between(self, items: Iterable[T]) -> Iterator[T]:
        """The items; raises KeyboardInterrupt in their stead once SIGINT has come."""
        for item in items:
            self._waiting = False
            if self._asked:
                raise KeyboardInterrupt
            yield item
            self._waiting = True
            if self._asked:
                raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._waiting or self._asked:
            raise KeyboardInterrupt
        self._asked = True


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
    interruption: Interruption | None = None,
    kafka: KafkaSettings = PLAIN,
) -> Published:
    """Publish every record of some files; at `speed` times real time, or as fast as it goes.

    The operator's `mappings` and the adapters of `plugins` are asked before the built-in adapters. With `resume` the
    records that an earlier run over the same files has brought to the topic are left out. Raises `PublishError`,
    and `ReadError` for a bad path.
    """
    adapters = choose(AUTO, [*(decoder(mapping) for mapping in mappings), *plugins.adapters])
    mark = fingerprint(paths, mappings, plugins.versions)
    records = read_in_order(paths, adapters=adapters)
    if resume and mark is None:
        raise PublishError("only files can be resumed, and something here cannot be read twice")
    return publish(
        bootstrap,
        topic,
        records,
        speed,
        on_progress,
        mark=mark,
        resume=resume,
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
    interruption: Interruption | None = None,
    kafka: KafkaSettings = PLAIN,
) -> Published:
    """Publish records in their order, with an idempotent producer; Kafka has all of them when this returns.

    `mark` is the records' fingerprint; with it each goes with its run and its number, and with `resume`, too,
    those that are there already are left out. Raises `PublishError`.
    """
    published = Published(run=mark)
    try:
        connection = arguments(bootstrap, kafka)
        reach(bootstrap, kafka)
        before = published_before(bootstrap, topic, mark, kafka) if resume and mark is not None else None
    except (ConnectError, ResumeError) as error:
        raise PublishError(str(error)) from error
    try:
        producer: Any = KafkaProducer(
            **connection,
            acks="all",
            enable_idempotence=True,
            # A batch that is given up leaves a gap before the next one; it is for `_Sender` to give up, whole.
            delivery_timeout_ms=2**31 - 1,
            linger_ms=20,
            batch_size=256 * 1024,
            max_request_size=2_000_000,
            metrics_enabled=False,
            bootstrap_timeout_ms=10_000,
        )
    except KafkaError as error:
        told = refusal(error, bootstrap, kafka)
        raise PublishError(told or f"no Kafka answers at {bootstrap}: {error}") from error
    try:
        partitions = len(producer.partitions_for(topic))
        run, last = before or (None, {})
        if mark is not None and run is None:
            run = PublishRun(fingerprint=mark, started_ms=time.time_ns() // 1_000_000, partitions=partitions)
        pace = _Pace(speed)
        due: Iterable[_Due] = _due(records, partitions, last, published, pace)
        if interruption is not None:
            due = interruption.between(due)
        sender = _Sender(producer, topic, run)
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
    pace: _Pace,
) -> Iterator[_Due]:
    """The records that are not there yet, each when it is due."""
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


class _Sender:
    """Sends records, and never has more than two windows of them under way."""

    def __init__(self, producer: Any, topic: str, run: PublishRun | None) -> None:
        self._producer = producer
        self._topic = topic
        self._run = run.header if run is not None else None
        self._failures: list[BaseException] = []
        self._size_bytes = 0
        self._before: dict[int, Any] = {}
        self._sent: dict[int, Any] = {}
        self._began = self.now = time.monotonic()

    def send(self, raw: FileRecord, key: bytes | None, partition: int, sequence: int) -> None:
        """Hand a record to the producer. Raises `KafkaError` if one has failed, or nothing arrives any more."""
        headers = [(POSITION_HEADER, raw.position.encode("utf-8", "surrogateescape"))]
        if self._run is not None:
            headers += [(RUN_HEADER, self._run), (SEQUENCE_HEADER, b"%d" % sequence)]
        if raw.fault:
            headers.append((FAULT_HEADER, raw.fault.encode("utf-8", "replace")))
        future = self._producer.send(self._topic, raw.record, key, headers, partition)
        self._sent[partition] = future.add_errback(self._failures.append)
        self._size_bytes += len(raw.record)
        self.now = time.monotonic()
        if self._failures:
            raise self._failures[0]
        if self._size_bytes >= WINDOW_BYTES or self.now - self._began >= WINDOW_SECONDS:
            self._arrived(self._before)
            self._before, self._sent = self._sent, {}
            self._size_bytes = 0
            self._began = self.now

    def finish(self) -> None:
        """Wait until all is there. Raises `KafkaError`."""
        self._arrived(self._before)
        self._arrived(self._sent)
        if self._failures:
            raise self._failures[0]

    def _arrived(self, futures: dict[int, Any]) -> None:
        for future in futures.values():
            future.get(timeout=PATIENCE_SECONDS)


class _Pace:
    """Keeps event time at a multiple of real time, from the first event on."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._began: tuple[float, int] | None = None
        self.behind_seconds: float | None = None
        """How late the last event was, in real time."""

    def wait(self, time_ms: int) -> None:
        if self._speed is None:
            return
        now = time.monotonic()
        if self._began is None:
            self._began = now, time_ms
        began, first_ms = self._began
        ahead = (time_ms - first_ms) / 1000 / self._speed - (now - began)
        self.behind_seconds = max(0.0, -ahead)
        if ahead > 0:
            time.sleep(ahead)
