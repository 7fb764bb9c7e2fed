"""The topics that a worker reads: which there are, where each is read on, and what of them nobody reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic

from faust.types import TP
from kafka.errors import KafkaError

from streams.kafka.sources import source_numbers
from streams.worker.metrics import Metrics
from streams.worker.topic_watch import TopicView, TopicWatch, UnreadTopics

__all__ = ["InputTopics"]

log = logging.getLogger(__name__)

WATCH_SECONDS = 5.0
"""How often the brokers are asked which topics there are and who reads them."""
UNREAD_SECONDS = 10.0
"""How long a partition may be read by nobody, as while partitions are assigned."""
RETRY_SECONDS = 1.0


class InputTopics:
    """What the brokers say of the topics, as it was when the shards were opened, and what has changed since."""

    def __init__(
        self, access: Sequence[str], internal: Sequence[str], watch: TopicWatch, metrics: Metrics
    ) -> None:
        self._access = tuple(access)
        self.names = (*access, *internal)
        self._watch = watch
        self._metrics = metrics
        self._view = TopicView()
        self._unread = UnreadTopics(self.names, UNREAD_SECONDS)
        for topic in self.names:
            metrics.dropped_records(topic, 0)  # a counter that began with its first record would hide it

    @property
    def sources(self) -> Mapping[tuple[str, int], int]:
        """The number of each partition of the access topics, when the shards were opened."""
        topics = self._view.topics
        return source_numbers({topic: topics[topic] for topic in self._access if topic in topics})

    @property
    def unread(self) -> str | None:
        """What nobody reads, and why, in a sentence; ``None`` if everything is read."""
        return self._unread.reason(monotonic())

    def id_of(self, topic: str) -> str:
        """The id of a topic when the shards were opened; empty if there was none."""
        known = self._view.topics.get(topic)
        return "" if known is None else known.id

    async def look(self) -> None:
        """Ask the brokers which topics there are; to be done before shards are opened."""
        self._view = await self._look()

    def starts(self, assigned: Iterable[TP]) -> dict[TP, int]:
        """Where to read on instead of at committed offsets that do not hold; counts what was dropped before."""
        starts = {}
        for tp in assigned:
            start = self._view.starts(tp.topic, tp.partition)
            if start is None:
                continue
            starts[tp] = start.offset
            if start.is_new_topic:
                log.warning(
                    "%s/%d was deleted and created anew: it is read from its beginning",
                    tp.topic,
                    tp.partition,
                )
            if start.dropped:
                self._drop(tp, start.dropped)
        return starts

    async def gap(self, tp: TP, first: int, then: int) -> None:
        """Between offsets `first` and `then` nothing came: count what retention has deleted there."""
        view = await self._look()
        retained = view.first.get((tp.topic, tp.partition), first)
        if retained > first:
            self._drop(tp, min(then, retained) - first)

    async def follow(self, ready: Callable[[], bool], rejoin: Callable[[], Awaitable[None]]) -> None:
        """Ask the brokers again and again; let a worker that is `ready` `rejoin` when access topics have changed."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            view = await self._look()
            self._unread.note(view, monotonic())
            self._metrics.unread = self._unread.counts
            if ready() and self._have_changed(view):
                log.warning("the access topics have changed: partitions are assigned anew")
                await rejoin()

    def _have_changed(self, view: TopicView) -> bool:
        return any(
            topic in view.topics and view.topics[topic] != self._view.topics.get(topic)
            for topic in self._access
        )

    def _drop(self, tp: TP, records: int) -> None:
        log.warning(
            "%s/%d: retention deleted %d records that nobody had read", tp.topic, tp.partition, records
        )
        self._metrics.dropped_records(tp.topic, records)

    async def _look(self) -> TopicView:
        while True:
            try:
                return await asyncio.to_thread(self._watch.look)
            except KafkaError:  # without brokers there is nothing to read either
                await asyncio.sleep(RETRY_SECONDS)
