"""Follows the topics into the index, from the beginning or from where the index has got to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.config import Config
from streams.console.store.freshness import Freshness
from streams.console.store.index import Index
from streams.kafka.connection import ConnectError, arguments, reach

__all__ = ["Follower"]

log = logging.getLogger(__name__)

POLL_MS = 250
POLL_RECORDS = 2_000
ASK_SECONDS = 3.0
"""How often Kafka is asked how far the topics are, which also shows that it is there."""
ANSWER_MS = 6_000
"""How long it has to answer."""
RETRY_SECONDS = 3.0
PARTITION_BYTES = 8 * 1024 * 1024


class Follower:
    """A thread that is the index's only writer."""

    def __init__(self, index: Index, freshness: Freshness, config: Config) -> None:
        self._index = index
        self._freshness = freshness
        self._at = config.worker.bootstrap
        self._kafka = config.kafka
        self._topics = config.topics
        self._stopping = threading.Event()
        self._rebuild = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self.fatal: BaseException | None = None
        """What ended it, if it was nothing that passes."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, with what has been read entered."""
        self._stopping.set()
        self._thread.join(20)

    def rebuild(self) -> None:
        """Empty the index and read everything again."""
        self._rebuild.set()

    @property
    def alive(self) -> bool:
        """Whether it still follows."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except (KafkaError, ConnectError) as error:
                self._freshness.lost(str(error) or type(error).__name__)
                self._stopping.wait(RETRY_SECONDS)
            except BaseException as error:  # a page that stands still must say so
                log.exception("the index can no longer be written")
                self.fatal = error
                self._freshness.lost(f"the index can no longer be written: {error}")
                return

    def _follow(self) -> None:
        reach(self._at, self._kafka)
        consumer: Any = KafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=POLL_RECORDS,
            max_partition_fetch_bytes=PARTITION_BYTES,
            fetch_max_wait_ms=POLL_MS,
            metadata_max_age_ms=30_000,
            request_timeout_ms=ANSWER_MS,
            allow_auto_create_topics=False,
            **arguments(self._at, self._kafka),
        )
        try:
            assigned: list[Any] = []
            asked = 0.0
            while not self._stopping.is_set():
                if self._rebuild.is_set():
                    self._index.clear()
                    self._rebuild.clear()
                    assigned = []
                if monotonic() - asked >= ASK_SECONDS or not assigned:
                    found = self._partitions(consumer)
                    if found != assigned:
                        assigned = found
                        self._take_up(consumer, assigned)
                    self._ask(consumer, assigned)
                    asked = monotonic()
                if not assigned:
                    self._stopping.wait(1.0)
                    continue
                fetched: Mapping[Any, list[Any]] = consumer.poll(timeout_ms=POLL_MS)
                if fetched:
                    said = self._index.apply(record for records in fetched.values() for record in records)
                    positions = {
                        (tp.topic, tp.partition): records[-1].offset + 1 for tp, records in fetched.items()
                    }
                    self._freshness.read(positions, shown=bool(said - {self._topics.identities}))
                    if not self._freshness.feed.caught_up:
                        asked = 0.0
        finally:
            consumer.close()

    def _partitions(self, consumer: Any) -> list[Any]:
        """All partitions of the topics that there are; new ones are found in time."""
        found = []
        for topic in self._index.topics:
            for number in sorted(consumer.partitions_for_topic(topic) or ()):
                found.append(TopicPartition(topic, number))  # noqa: PERF401 - two loops read better
        return found

    def _take_up(self, consumer: Any, assigned: list[Any]) -> None:
        """Go on from where the index is; if that lies behind a topic's end, it is the index of other topics."""
        if not assigned:
            return
        known = self._index.offsets()
        ends = consumer.end_offsets(assigned, timeout_ms=ANSWER_MS)
        if any(known.get((tp.topic, tp.partition), 0) > end for tp, end in ends.items()):
            self._index.clear()
            known = {}
        begins = consumer.beginning_offsets(assigned, timeout_ms=ANSWER_MS)
        consumer.assign(assigned)
        for tp in assigned:
            consumer.seek(tp, max(known.get((tp.topic, tp.partition), 0), begins[tp]))

    def _ask(self, consumer: Any, assigned: list[Any]) -> None:
        if not assigned:
            self._freshness.lost("the topics are not there yet: run crmwatch topics")
            return
        ends = consumer.end_offsets(assigned, timeout_ms=ANSWER_MS)
        behind = sum(max(0, end - consumer.position(tp, timeout_ms=ANSWER_MS)) for tp, end in ends.items())
        self._freshness.heard(behind)
