"""Puts a backup into a cluster, so that workers continue from it.

Where an access topic is the one that the backup was taken of, offsets hold as they are, and workers read on from
where they were. Where it is another of the same name, as on an empty cluster, the unread records are put into it and
everything that names records moves along (`streams.backup.shift`). Offsets are committed last: a restore that was
interrupted leaves state without offsets, which the next one refuses to overwrite unless it is told to.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from detector.identity.profile import ProfileError
from detector.keyed_state import Key
from streams.backup.archive import Archive, ArchiveError, Copy, SourcePosition
from streams.backup.cluster import Cluster, Place, connected_cluster
from streams.backup.contents import CONTENTS, Share, topic_name
from streams.backup.shift import Shift, SourceShift
from streams.config import Config
from streams.kafka.messages import POSITIONS_HEADER, WireError
from streams.kafka.sources import source_numbers
from streams.kafka.topics import TopicsError

__all__ = ["RestoreSummary", "restore"]

NAMED = 3
"""How many topics that hold something are named."""


class RestoreSummary(msgspec.Struct, frozen=True):
    """What was restored."""

    records: dict[str, int]
    """Topic → records put there."""
    dropped: int
    """Unread records that the cluster's own access topic does not retain any more."""


def restore(config: Config, path: Path, *, overwrite: bool = False) -> RestoreSummary:
    """Restore a backup. Raises `ArchiveError`, and `TopicsError` if a worker runs or the cluster does not fit.

    Unless `overwrite`, a cluster that holds state is refused; with it, what crmwatch's topics hold is deleted. The
    access topics' records are never deleted.
    """
    with Archive(path) as archive, connected_cluster(config) as cluster:
        cluster.wait_for_workers_to_leave()
        return _Restore(config, cluster, archive).run(overwrite=overwrite)


class _Restore:
    def __init__(self, config: Config, cluster: Cluster, archive: Archive) -> None:
        self._cluster = cluster
        self._archive = archive
        self._sources = archive.header.sources
        self._names = {purpose: topic_name(config.topics, purpose) for purpose in CONTENTS}
        access = list(config.access_topics)
        self._found = cluster.topics([*self._names.values(), *access])
        self._check_partitions(access)
        self._places = {topic: cluster.places(topic, one.partitions) for topic, one in self._found.items()}
        self._numbers = source_numbers({topic: self._found[topic] for topic in access})
        self._same = {
            source.topic for source in self._sources if source.topic_id == self._found[source.topic].id
        }
        """The access topics that the backup was taken of."""
        self._shifts = {(source.topic, source.partition): self._shift(source) for source in self._sources}
        self._put: Counter[tuple[str, int]] = Counter()
        """Topic and partition → how many unread records of an access topic were put there."""
        events = self._names["events"]
        self._events = [place.end for place in self._places[events]]
        """Where each shard's next message of events is put."""
        self._logs = [
            SourceShift(partition, offset, self._events[partition])
            for partition, offset in enumerate(archive.header.next_offsets["events"])
        ]
        """Where each shard's messages of events lie now."""

    def run(self, *, overwrite: bool) -> RestoreSummary:
        self._check_access_topics()
        if overwrite:
            self._clear()
        else:
            self._check_empty()
        by_number = {source.number: self._shifts[source.topic, source.partition] for source in self._sources}
        shift = Shift(by_number, self._shifts)
        counts: Counter[str] = Counter()
        for copy in self._archive.copies():
            if copy.topic in self._same:
                continue
            moved = self._moved(copy, shift) if copy.topic in CONTENTS else self._placed(copy)
            topic = self._names.get(copy.topic, copy.topic)
            self._cluster.send(
                topic, copy.partition, moved.key, moved.value, moved.timestamp_ms, moved.headers
            )
            counts[topic] += 1
        self._cluster.flush()
        self._check_placed()
        self._cluster.commit(self._offsets())
        return RestoreSummary(dict(counts), self._dropped())

    def _shift(self, source: SourcePosition) -> SourceShift:
        at = (source.topic, source.partition)
        place = source.next_offset if source.topic in self._same else self._place(*at).first
        return SourceShift(self._numbers[at], source.next_offset, place)

    def _place(self, topic: str, partition: int) -> Place:
        return self._places[topic][partition]

    def _placed(self, copy: Copy) -> Copy:
        """An unread record of an access topic; notes where it will lie."""
        at = (copy.topic, copy.partition)
        self._shifts[at].found(copy.offset, self._place(*at).first + self._put[at])
        self._put[at] += 1
        return copy

    def _moved(self, copy: Copy, shift: Shift) -> Copy:
        """A record as it is on this cluster. Raises `ArchiveError`."""
        value = copy.value
        log = self._logs[copy.partition]
        try:
            if copy.topic == "profiles_changelog" and value is not None:
                if copy.key == Key.WATERMARKS:
                    value = shift.watermarks(value, log)
                elif not _is_shards_own(copy.key):
                    value = shift.profile(value)
            elif copy.topic == "events" and value is not None:
                log.found(
                    copy.offset,
                    self._place(self._names["events"], copy.partition).end + self._events[copy.partition],
                )
                self._events[copy.partition] += 1
                value = shift.events(value, log)
        except (ProfileError, WireError, msgspec.DecodeError) as error:
            raise ArchiveError(f"{copy.topic}/{copy.partition}/{copy.offset}: {error}") from error
        headers = copy.headers
        if copy.topic == "alerts":
            headers = tuple(
                (name, shift.positions(content) if name == POSITIONS_HEADER else content)
                for name, content in headers
            )
        return msgspec.structs.replace(copy, value=value, headers=headers)

    def _check_partitions(self, access: list[str]) -> None:
        header = self._archive.header
        for purpose, name in self._names.items():
            there, wanted = self._found[name].partitions, header.partitions.get(purpose)
            if there != wanted:
                raise TopicsError(f"{name} has {there} partitions here and {wanted} in the backup")
        if len(header.next_offsets.get("events", ())) != header.partitions["events"]:
            raise ArchiveError("the backup is damaged: it does not say where its events begin")
        for source in self._sources:
            if source.topic not in access:
                raise TopicsError(
                    f"the backup's workers read {source.topic}, which is not among these settings' access topics"
                )
            if source.partition >= self._found[source.topic].partitions:
                raise TopicsError(f"{source.topic} has fewer partitions here than in the backup")

    def _check_access_topics(self) -> None:
        """Unread records must come before those that are published from now on."""
        for source in self._sources:
            if source.topic in self._same or source.next_offset == source.end_offset:
                continue
            if not self._place(source.topic, source.partition).empty:
                raise TopicsError(
                    f"{source.topic} holds records, and unread ones of the backup must come before them: "
                    "delete its records, and restore before anybody publishes to it"
                )

    def _check_empty(self) -> None:
        holding = [
            name for name in self._names.values() if not all(place.empty for place in self._places[name])
        ]
        if holding:
            more = "" if len(holding) <= NAMED else f" and {len(holding) - NAMED} more"
            raise TopicsError(
                f"the cluster has state already, in {', '.join(holding[:NAMED])}{more}: "
                "--overwrite deletes it and puts the backup in its place"
            )
        if self._cluster.committed():
            raise TopicsError(
                "workers have read on this cluster already: --overwrite puts the backup in place of what they know"
            )

    def _clear(self) -> None:
        for purpose, share in CONTENTS.items():
            name = self._names[purpose]
            self._cluster.clear(name, self._places[name], compacted=share is Share.NEWEST)

    def _check_placed(self) -> None:
        for (topic, partition), number in self._put.items():
            now = self._cluster.places(topic, self._found[topic].partitions)[partition]
            if now.end != self._place(topic, partition).first + number:
                raise TopicsError(
                    f"somebody publishes to {topic}: delete its records, and restore before that begins"
                )

    def _offsets(self) -> dict[tuple[str, int], int]:
        """Where workers read on."""
        offsets = {
            (source.topic, source.partition): (
                source.next_offset
                if source.topic in self._same
                else self._place(source.topic, source.partition).first
            )
            for source in self._sources
        }
        for purpose, share in CONTENTS.items():
            if share is Share.UNREAD:
                name = self._names[purpose]
                offsets |= {(name, number): place.end for number, place in enumerate(self._places[name])}
        return offsets

    def _dropped(self) -> int:
        return sum(
            max(0, self._place(source.topic, source.partition).first - source.next_offset)
            for source in self._sources
            if source.topic in self._same
        )


def _is_shards_own(key: bytes | None) -> bool:
    """Whether a key of the profiles' changelog is the shard's own, and no identity's."""
    return key is None or key.startswith(b"\x00")
