"""Records on their way to Kafka, never more than two windows of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from streams.files.reader import FileRecord
from streams.kafka.connection import ConnectError, KafkaSettings, refusal
from streams.kafka.messages import FAULT_HEADER, POSITION_HEADER
from streams.publisher.resume import RUN_HEADER, SEQUENCE_HEADER, PublishRun

__all__ = ["Sender", "new_producer"]

WINDOW_BYTES = 8_000_000
"""After so much, what was sent a window ago must have arrived: the producer itself has no limit."""
WINDOW_SECONDS = 10.0
PATIENCE_SECONDS = 600.0
"""After this long without an answer publishing fails, unless told otherwise."""
LOOK_SECONDS = 0.5
"""How often the wait for an answer is told."""


def new_producer(bootstrap: str, kafka: KafkaSettings, connection: Mapping[str, Any]) -> Any:
    """An idempotent producer; `connection` is what `streams.kafka.connection.arguments` returned.

    Raises `ConnectError`.
    """
    try:
        return KafkaProducer(
            **connection,
            acks="all",
            enable_idempotence=True,
            # A batch that is given up leaves a gap before the next one; it is for `Sender` to give up everything.
            delivery_timeout_ms=2**31 - 1,
            linger_ms=20,
            batch_size=256 * 1024,
            max_request_size=2_000_000,
            metrics_enabled=False,
            bootstrap_timeout_ms=10_000,
        )
    except KafkaError as error:
        sentence = refusal(error, bootstrap, kafka) or f"no Kafka answers at {bootstrap}: {error}"
        raise ConnectError(sentence) from error


class Sender:
    """Sends records, and never has more than two windows of them under way."""

    def __init__(
        self,
        producer: Any,
        topic: str,
        run: PublishRun | None,
        patience_seconds: float = PATIENCE_SECONDS,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`on_wait` is told how long nothing has arrived, while something is waited for, and in the end 0."""
        self._patience_seconds = patience_seconds
        self._on_wait = on_wait
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
        began = time.monotonic()
        for future in futures.values():
            while not future.is_done:
                self.now = time.monotonic()
                waited = self.now - began
                if waited >= self._patience_seconds:
                    raise KafkaTimeoutError(f"nothing has arrived for {waited:.0f} s")
                if waited >= LOOK_SECONDS:
                    self._on_wait(waited)
                with suppress(KafkaTimeoutError):
                    future.get(timeout=min(LOOK_SECONDS, self._patience_seconds))
            future.get()
            if time.monotonic() - began >= LOOK_SECONDS:
                self._on_wait(0.0)
            began = time.monotonic()
