"""Copies the state of stopped workers, the operators' topics and what is published into one file.

The workers must be stopped: while one writes, compaction may drop a value whose successor lies behind the end up to
which the copy reads. Stopped in good order or killed makes no difference, since outputs, state and offsets are
stored in an order from which a successor continues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from time import time
from typing import Any

import msgspec

from streams import __version__
from streams.backup.archive import ArchiveWriter, Copy, Header, SourcePosition
from streams.backup.cluster import Cluster, Place, connected_cluster
from streams.backup.contents import CONTENTS, Share, topic_name
from streams.config import Config
from streams.kafka.sources import source_numbers
from streams.kafka.topics import TopicsError

__all__ = ["BackupSummary", "back_up"]

WRITTEN_BY_WORKERS = ("events", "signals", "profiles_changelog", "incidents_changelog")
DIGEST_BYTES = 16
"""A key is remembered by so much of its hash: some 150 bytes of memory for each key of one partition."""


class BackupSummary(msgspec.Struct, frozen=True):
    """What a backup holds."""

    records: dict[str, int]
    """Topic → records copied."""
    checksum: str
    """The SHA-256 of the file but for its last 32 bytes, which hold it."""


def back_up(config: Config, write: Callable[[bytes], Any]) -> BackupSummary:
    """Copy everything into a file through `write`. Raises `TopicsError`, also if a worker runs or starts meanwhile."""
    with connected_cluster(config) as cluster:
        cluster.wait_for_workers_to_leave()
        return _Backup(config, cluster).write(write)


class _Backup:
    def __init__(self, config: Config, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names = {purpose: topic_name(config.topics, purpose) for purpose in CONTENTS}
        access = list(config.access_topics)
        found = cluster.topics([*self._names.values(), *access])
        self._committed = cluster.committed()
        self._places = {topic: cluster.places(topic, one.partitions) for topic, one in found.items()}
        numbers = source_numbers({topic: found[topic] for topic in access})
        self._sources = tuple(
            SourcePosition(
                topic=topic,
                topic_id=found[topic].id,
                partition=partition,
                number=number,
                next_offset=self._unread(topic, partition),
                end_offset=self._places[topic][partition].end,
            )
            for (topic, partition), number in numbers.items()
        )
        self._partitions = {purpose: found[name].partitions for purpose, name in self._names.items()}

    def write(self, write: Callable[[bytes], Any]) -> BackupSummary:
        header = Header(
            release=__version__,
            made_ms=round(time() * 1000),
            partitions=self._partitions,
            next_offsets={
                purpose: tuple(
                    self._unread(self._names[purpose], partition)
                    for partition in range(self._partitions[purpose])
                )
                for purpose, share in CONTENTS.items()
                if share is Share.UNREAD
            },
            sources=self._sources,
        )
        archive = ArchiveWriter(write, header)
        counts: Counter[str] = Counter()
        for copy, topic in self._copies():
            archive.add(copy)
            counts[topic] += 1
        self._check_that_nothing_moved()
        return BackupSummary(dict(counts), archive.end())

    def _copies(self) -> Iterator[tuple[Copy, str]]:
        """The records of the access topics first: a restore learns from them where sources lie."""
        for source in self._sources:
            for record in self._cluster.read(
                source.topic, source.partition, source.next_offset, source.end_offset
            ):
                yield _copy(source.topic, record), source.topic
        for purpose, share in CONTENTS.items():
            topic = self._names[purpose]
            for partition, place in enumerate(self._places[topic]):
                for record in self._share(share, topic, partition, place):
                    yield _copy(purpose, record), topic

    def _share(self, share: Share, topic: str, partition: int, place: Place) -> Iterator[Any]:
        first = self._unread(topic, partition) if share is Share.UNREAD else place.first
        records = self._cluster.read(topic, partition, first, place.end)
        if share is not Share.NEWEST:
            yield from records
            return
        newest = {_digest(record.key): record.offset for record in records}
        for record in self._cluster.read(topic, partition, first, place.end):
            if record.value is not None and newest[_digest(record.key)] == record.offset:
                yield record

    def _unread(self, topic: str, partition: int) -> int:
        """Where a partition is to be read on: never before what it still retains."""
        first = self._places[topic][partition].first
        return max(first, self._committed.get((topic, partition), first))

    def _check_that_nothing_moved(self) -> None:
        """What operators and publishers send meanwhile is not in the backup, and harms nothing."""
        self._cluster.wait_for_workers_to_leave()
        if self._cluster.committed() != self._committed:
            raise TopicsError("a worker has run during the backup: repeat it while all are stopped")
        for purpose in WRITTEN_BY_WORKERS:
            topic = self._names[purpose]
            places = self._places[topic]
            for partition, now in enumerate(self._cluster.places(topic, len(places))):
                for _ in self._cluster.read(topic, partition, places[partition].end, now.end):
                    raise TopicsError(
                        f"{topic} was written to during the backup: repeat it while all are stopped"
                    )


def _copy(topic: str, record: Any) -> Copy:
    return Copy(
        topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple((name, content or b"") for name, content in record.headers or ()),
    )


def _digest(key: bytes | None) -> bytes:
    return blake2b(key or b"", digest_size=DIGEST_BYTES).digest()
