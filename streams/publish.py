"""Files onto the access topic, in event-time order and keyed by identity, as a replay would read them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
from kafka import KafkaProducer  # type: ignore[import-untyped] # it ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from detector.adapters import Adapter, RecordError
from detector.event import AccessEvent
from streams.agents import FAULT_HEADER, POSITION_HEADER
from streams.reader import EVERY_ADAPTER, Raw, read_in_order

__all__ = ["PublishError", "Published", "publish", "publish_files"]


class PublishError(Exception):
    """Why the records could not be published; one sentence for a person."""


class Published(msgspec.Struct):
    """How much has been published."""

    records: int = 0
    keyed: int = 0
    """Records with an identity; the others cannot be read, go without a key and become dead letters."""
    size_bytes: int = 0


def publish_files(
    bootstrap: str,
    topic: str,
    paths: Sequence[str],
    speed: float | None = None,
    on_record: Callable[[Published], None] = lambda published: None,
    adapters: Sequence[Adapter] = EVERY_ADAPTER,
) -> Published:
    """Publish every record of some files; at `speed` times real time, or as fast as it goes.

    `adapters` tell whose a record is, as for `detector.adapters.decode`.
    Raises `PublishError`, and `ReadError` for a bad path.
    """
    return publish(bootstrap, topic, read_in_order(paths, adapters=adapters), speed, on_record)


def publish(
    bootstrap: str,
    topic: str,
    records: Iterable[tuple[Raw, AccessEvent | RecordError]],
    speed: float | None = None,
    on_record: Callable[[Published], None] = lambda published: None,
) -> Published:
    """Publish records in their order, with an idempotent producer; it has all of them when this returns.

    Raises `PublishError`.
    """
    published = Published()
    failures: list[BaseException] = []
    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=256 * 1024,
            max_request_size=2_000_000,
            bootstrap_timeout_ms=10_000,
        )
    except KafkaError as error:
        raise PublishError(f"no Kafka answers at {bootstrap}: {error}") from error
    try:
        pace = _Pace(speed)
        for raw, result in records:
            key = None
            if not isinstance(result, RecordError):
                key = result.identity.encode()
                published.keyed += 1
                pace.wait(result.time_ms)
            headers = [(POSITION_HEADER, raw.position.encode("utf-8", "surrogateescape"))]
            if raw.fault:
                headers.append((FAULT_HEADER, raw.fault.encode("utf-8", "replace")))
            producer.send(topic, value=raw.record, key=key, headers=headers).add_errback(failures.append)
            published.records += 1
            published.size_bytes += len(raw.record)
            if failures:
                break
            if not published.records % 500:
                on_record(published)
        producer.flush(timeout=60)
    except KafkaError as error:
        raise PublishError(f"publishing to {topic} at {bootstrap} failed: {error}") from error
    finally:
        producer.close(timeout=10)
    if failures:
        raise PublishError(f"publishing to {topic} at {bootstrap} failed: {failures[0]}")
    on_record(published)
    return published


class _Pace:
    """Keeps event time at a multiple of real time, from the first event on."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._began: tuple[float, int] | None = None

    def wait(self, time_ms: int) -> None:
        if self._speed is None:
            return
        now = time.monotonic()
        if self._began is None:
            self._began = now, time_ms
        began, first_ms = self._began
        ahead = (time_ms - first_ms) / 1000 / self._speed - (now - began)
        if ahead > 0:
            time.sleep(ahead)
