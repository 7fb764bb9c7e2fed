"""A Kafka cluster as backup and restore see it: topics with their ids and ends, the workers' group, records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from streams.config import Config
from streams.kafka.connection import arguments
from streams.kafka.topics import PACKED_BYTES, TopicIdentity, TopicsError, connected_admin, identities

__all__ = ["Cluster", "Place", "connected_cluster"]

READ_SECONDS = 30.0
"""Reading a partition fails after this long without a record."""
SEND_SECONDS = 120
MOST_SENT_BYTES = 4 * PACKED_BYTES
COORDINATOR_SECONDS = 30.0
SESSIONS = 2
"""A worker that was killed stays in the group for a session, and for another if that was during an assignment."""
LEAVE_SECONDS = 10.0
"""How much longer the brokers may take to notice."""
GONE = frozenset({"Empty", "Dead"})
"""The states of a group without members."""


class Place(msgspec.Struct, frozen=True):
    """What a partition retains: from `first` to before `end`."""

    first: int
    end: int

    @property
    def empty(self) -> bool:
        """Whether it retains no record."""
        return self.first == self.end


class Cluster:
    """A connection. Its methods raise `TopicsError`, or kafka-python's `KafkaError`."""

    def __init__(self, config: Config, admin: Any) -> None:
        from kafka import KafkaConsumer

        self._connection = arguments(config.worker.bootstrap, config.kafka)
        self._group = config.topics.app_id
        self._session_seconds = config.worker.session_seconds
        self._admin = admin
        self._consumer: Any = KafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=PACKED_BYTES,
            fetch_max_bytes=PACKED_BYTES,
            allow_auto_create_topics=False,
            **self._connection,
        )
        self._producer: Any = None
        self._failures: list[BaseException] = []
        self._sent_bytes = 0  # since everything sent had arrived: the client bounds nothing

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
        if self._producer is not None:
            self._producer.close(timeout=5)

    def topics(self, names: Iterable[str]) -> dict[str, TopicIdentity]:
        """The topics of these names. Raises `TopicsError` if one is missing."""
        wanted = list(names)
        found = identities(self._admin, wanted)
        for name in wanted:
            if name not in found:
                raise TopicsError(f"there is no topic {name}; `crmwatch topics` creates it")
        return found

    def places(self, topic: str, partitions: int) -> list[Place]:
        """What each partition retains."""
        tps = _partitions(topic, partitions)
        first, end = self._consumer.beginning_offsets(tps), self._consumer.end_offsets(tps)
        return [Place(first[tp], end[tp]) for tp in tps]

    def committed(self) -> dict[tuple[str, int], int]:
        """The workers' committed offset of each partition that has one."""
        from kafka.errors import GroupIdNotFoundError

        try:
            found = _of_coordinator(lambda: self._admin.list_group_offsets(self._group))[self._group]
        except GroupIdNotFoundError:
            return {}
        return {(tp.topic, tp.partition): at.offset for tp, at in found.items() if at.offset >= 0}

    def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit for the workers, of which none may run."""
        from kafka import TopicPartition
        from kafka.errors import NoError
        from kafka.structs import OffsetAndMetadata

        wanted = {TopicPartition(*at): OffsetAndMetadata(offset, "", -1) for at, offset in offsets.items()}
        answers = _of_coordinator(lambda: self._admin.alter_group_offsets(self._group, wanted))
        for tp, answer in answers.items():
            if answer is not NoError:
                raise TopicsError(f"Kafka refused the offset of {tp.topic}/{tp.partition}: {answer.__name__}")

    def wait_for_workers_to_leave(self) -> None:
        """Wait for workers that have just ended to leave the group. Raises `TopicsError` if one runs."""
        end = time.monotonic() + SESSIONS * self._session_seconds + LEAVE_SECONDS
        while (members := self._members()) and time.monotonic() < end:
            time.sleep(0.5)
        if members:
            raise TopicsError(f"the group {self._group} still has {members}: stop all workers first")

    def _members(self) -> str:
        group = _of_coordinator(lambda: self._admin.describe_groups([self._group]))[self._group]
        count = len(group["members"])
        if group["group_state"] in GONE and not count:
            return ""
        return "1 worker" if count == 1 else f"{count or 'some'} workers"

    def read(self, topic: str, partition: int, first: int, end: int) -> Iterator[Any]:
        """The partition's records from `first` to before `end`, one fetch of at most 8 MiB in memory."""
        from kafka import TopicPartition

        tp = TopicPartition(topic, partition)
        self._consumer.assign([tp])
        self._consumer.seek(tp, first)
        heard_at = time.monotonic()
        while (position := self._consumer.position(tp)) < end:
            for record in self._consumer.poll(timeout_ms=1000).get(tp, ()):
                if record.offset >= end:
                    return
                yield record
            if self._consumer.position(tp) > position:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > READ_SECONDS:
                raise TopicsError(f"{topic}/{partition} cannot be read beyond offset {position}")

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send a record; those of a partition keep their order. `flush` says whether all have arrived."""
        if self._producer is None:
            from kafka import KafkaProducer

            self._producer = KafkaProducer(
                acks="all",
                enable_idempotence=True,
                linger_ms=20,
                batch_size=262_144,
                max_request_size=PACKED_BYTES,
                **self._connection,
            )
        sent = self._producer.send(
            topic,
            value,
            key=key,
            partition=partition,
            timestamp_ms=timestamp_ms,
            headers=list(headers),
        )
        sent.add_errback(self._failures.append)
        self._sent_bytes += len(key or b"") + len(value or b"")
        if self._sent_bytes > MOST_SENT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Wait until all that was sent has arrived."""
        if self._producer is not None:
            self._producer.flush(timeout=SEND_SECONDS)
            self._sent_bytes = 0
        if self._failures:
            raise TopicsError(f"Kafka refused a record: {self._failures[0]}")

    def clear(self, topic: str, places: Sequence[Place], *, compacted: bool) -> None:
        """Delete what a topic holds: its records, or the values of its keys if it is only compacted."""
        from kafka import TopicPartition

        if compacted:
            for partition, place in enumerate(places):
                for record in self.read(topic, partition, place.first, place.end):
                    if record.value is not None:
                        self.send(topic, partition, record.key, None)
            self.flush()
        else:
            self._admin.delete_records(
                {
                    TopicPartition(topic, partition): place.end
                    for partition, place in enumerate(places)
                    if not place.empty
                }
            )


@contextmanager
def connected_cluster(config: Config) -> Iterator[Cluster]:
    """A connection for a while; Kafka's errors become `TopicsError`."""
    with connected_admin(config.worker.bootstrap, config.kafka) as admin:
        cluster = Cluster(config, admin)
        try:
            yield cluster
        finally:
            cluster.close()


def _of_coordinator(ask: Callable[[], Any]) -> Any:
    """The answer of the group's coordinator, which a new cluster elects when it is first asked for."""
    from kafka import errors

    passing = (
        errors.CoordinatorLoadInProgressError,
        errors.CoordinatorNotAvailableError,
        errors.NotCoordinatorError,
    )
    end = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            return ask()
        except passing:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _partitions(topic: str, count: int) -> list[Any]:
    from kafka import TopicPartition

    return [TopicPartition(topic, number) for number in range(count)]
