"""What the brokers say of the topics that the workers read, and what of them nobody reads.

Faust reads what it is assigned, and does not say what is assigned to nobody: a topic that is missing, or partitions
that were added. Nor does it notice a topic that was deleted and created again, whose offsets begin anew.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.protocol.consumer import OffsetSpec

from streams.kafka.topics import TopicIdentity, identities

__all__ = ["Commit", "Start", "TopicView", "TopicWatch", "UnreadTopics"]

STABLE = "Stable"
"""The state of a group whose assignment is complete."""
REQUEST_MS = 5_000


class Commit(msgspec.Struct, frozen=True):
    """A committed offset of the workers' group."""

    offset: int
    topic_id: str
    """The id of the topic that it is an offset of; empty if whoever committed it did not say."""


class Start(msgspec.Struct, frozen=True):
    """Where a partition is read on."""

    offset: int
    dropped: int
    """How many records before it were deleted before they were read."""
    is_new_topic: bool
    """Whether the committed offset is another topic's, which had the same name."""


class TopicView(msgspec.Struct, frozen=True):
    """The topics at one moment. Partitions are named by topic and number."""

    topics: dict[str, TopicIdentity] = {}
    """Those that exist."""
    first: dict[tuple[str, int], int] = {}
    """The first offset that each partition retains."""
    committed: dict[tuple[str, int], Commit] = {}
    owned: frozenset[tuple[str, int]] | None = None
    """The partitions that some worker reads; ``None`` while they are being assigned."""

    def starts(self, topic: str, partition: int) -> Start | None:
        """Where to read on instead of at the committed offset; ``None`` if that holds, or there is none."""
        commit = self.committed.get((topic, partition))
        first = self.first.get((topic, partition))
        if commit is None or first is None:
            return None
        if commit.topic_id not in ("", self.topics[topic].id):
            return Start(first, first, is_new_topic=True)
        return Start(first, first - commit.offset, is_new_topic=False) if commit.offset < first else None


class TopicWatch:
    """Asks the brokers, in whatever thread it is called, one call at a time."""

    def __init__(self, topics: Sequence[str], group: str, **connection: Any) -> None:
        self._topics = tuple(topics)
        self._group = group
        self._connection = connection
        self._client: Any = None
        self._lock = threading.Lock()

    def look(self) -> TopicView:
        """Ask the brokers. Raises kafka-python's `KafkaError`; the next call connects anew."""
        with self._lock:
            try:
                if self._client is None:
                    self._client = KafkaAdminClient(
                        bootstrap_timeout_ms=REQUEST_MS, request_timeout_ms=REQUEST_MS, **self._connection
                    )
                return self._look(self._client)
            except KafkaError:
                self._close()
                raise

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _look(self, client: Any) -> TopicView:
        topics = identities(client, self._topics)
        places = [
            TopicPartition(name, partition)
            for name, one in topics.items()
            for partition in range(one.partitions)
        ]
        first = client.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST)) if places else {}
        group = client.describe_groups([self._group])[self._group]
        committed = client.list_group_offsets({self._group: places or None})[self._group]
        return TopicView(
            topics,
            {(tp.topic, tp.partition): at.offset for tp, at in first.items()},
            {
                (tp.topic, tp.partition): Commit(at.offset, at.metadata or "")
                for tp, at in committed.items()
                if at.offset >= 0
            },
            _owned(group) if group["group_state"] == STABLE else None,
        )


class UnreadTopics:
    """Since when parts of topics have been read by nobody; a short while is an assignment that is under way.

    >>> unread = UnreadTopics(["a"], patience_seconds=10.0)
    >>> unread.note(TopicView({"a": TopicIdentity("id", 2)}, owned=frozenset({("a", 0)})), now=0.0)
    >>> unread.reason(9.0), unread.reason(11.0)
    (None, 'a/1: no worker reads it')
    >>> unread.counts
    {'a': 1}
    """

    def __init__(self, topics: Sequence[str], patience_seconds: float) -> None:
        self._topics = tuple(topics)
        self._patience_seconds = patience_seconds
        self._since: dict[str, tuple[float, str]] = {}  # topic → since when, and what of it
        self.counts: Mapping[str, int] = dict.fromkeys(topics, 0)
        """How many partitions of each topic nobody reads; a topic that is missing counts as one."""

    def note(self, view: TopicView, now: float) -> None:
        """Take in what the brokers say; while partitions are being assigned, nothing is known of them."""
        if view.owned is None and len(view.topics) == len(self._topics):
            return
        found = {topic: self._found(view, topic) for topic in self._topics}
        since = self._since
        self._since = {
            topic: (since[topic][0] if topic in since else now, sentences[0])
            for topic, sentences in found.items()
            if sentences
        }
        self.counts = {topic: len(sentences) for topic, sentences in found.items()}

    def reason(self, now: float) -> str | None:
        """What has been unread for longer than the patience, and why; the longest first. ``None`` if nothing has."""
        since, sentence = min(self._since.values(), default=(now, ""))
        return sentence if now - since > self._patience_seconds else None

    def _found(self, view: TopicView, topic: str) -> list[str]:
        known = view.topics.get(topic)
        if known is None:
            return [f"{topic}: the topic does not exist"]
        return [
            f"{topic}/{partition}: no worker reads it"
            for partition in range(known.partitions)
            if view.owned is not None and (topic, partition) not in view.owned
        ]


def _owned(group: Mapping[str, Any]) -> frozenset[tuple[str, int]]:
    return frozenset(
        (str(one["topic"]), int(partition))
        for member in group["members"]
        for one in (member["member_assignment"] or {"assigned_partitions": []})["assigned_partitions"]
        for partition in one["partitions"]
    )
