"""Merges many partitions into one order, so that an unkeyed topic is as exact as a keyed one.

If an identity's records are spread over partitions, the log does not say which came first. Event time does: an
event is released once every other partition is known to have passed it (its watermark), or is idle. Each
partition keeps its own order, so that offsets still say what has been applied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

import msgspec

from streams.kafka.messages import NOTHING_KNOWN

__all__ = ["Merge", "Watermarks", "with_moved_position"]

T = TypeVar("T")

MOST_PENDING = 1000
"""More reports than this are not kept apart while an idle partition is out of reach."""

_saved = msgspec.msgpack.Decoder(tuple[int, int, int, int])


def with_moved_position(saved: bytes, move: Callable[[int], int]) -> bytes:
    """Saved watermarks whose reports lie elsewhere now; `move` turns a place in the old log into the new one.

    Raises msgspec's `DecodeError`.
    """
    expected, value, newest, position = _saved.decode(saved)
    return msgspec.msgpack.encode((expected, value, newest, move(position)))


class Watermarks:
    """The event time up to which a set of partitions is known; `saved` is the result of `encode`.

    Saves the common watermark and the newest time seen, not each partition's own: events beyond the common
    watermark may be buffered and not applied, and are delivered again. On redelivery, an earlier idle mark does
    not count: the other partitions are known further now than they were then.

    The merge does not wait for an idle partition, but a record may have come to it that is only read later than the
    others', which may be hours of event time. So what the others have reached counts once each idle partition is known
    to be complete up to there: by places in this log, not by anybody's clock.
    """

    def __init__(self, saved: bytes | None = None, sources: int | None = None) -> None:
        """`sources` is how many partitions there are now; by default as many as were saved, or have reported."""
        self._expected = 0
        self._value = self._newest = NOTHING_KNOWN
        self._position = -1
        if saved is not None:
            self._expected, self._value, self._newest, self._position = _saved.decode(saved)
        if sources is not None:
            self._expected = sources
        self._resumed = self._position
        self._active = self._position  # the place of the last report of a partition that was not idle
        self._known = dict.fromkeys(range(self._expected), (self._value, False))
        self._complete: dict[int, int] = {}
        self._pending: deque[tuple[int, int]] = deque()  # place of the report, watermark

    def encode(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode((self._expected, self._value, self._newest, self._position))

    def update(
        self,
        source: int,
        sources: int,
        watermark_ms: int,
        *,
        position: int,
        idle: bool = False,
        complete: int = -1,
    ) -> int:
        """Take in a report from one of `sources` partitions; returns the common watermark.

        The report lies at `position`; all that came to its partition before what lies at `complete` was written has
        been reported. The watermark never falls: older events of a partition that wakes up are late.
        """
        self._expected = max(self._expected, sources)
        self._newest = max(self._newest, watermark_ms)
        self._position = max(self._position, position)
        idle = idle and position > self._resumed
        if not idle:
            self._active = max(self._active, position)
        before, _ = self._known.get(source, (NOTHING_KNOWN, False))
        self._known[source] = (max(before, watermark_ms), idle)
        self._complete[source] = max(self._complete.get(source, -1), complete)
        if len(self._known) >= self._expected:
            active = [known for known, idle in self._known.values() if not idle]
            reached = min(active, default=self._newest)
            if len(active) < len(self._known):
                reached = self._reached(reached, position)
            else:
                self._pending.clear()
            self._value = max(self._value, reached)
        return self._value

    def _reached(self, watermark_ms: int, position: int) -> int:
        """The watermark reached where every idle partition is complete, unless the present one is behind it."""
        pending = self._pending
        since = position
        while pending and pending[-1][1] >= watermark_ms:  # a partition that has woken up is behind
            since = pending.pop()[0]
        if len(pending) >= MOST_PENDING:
            pending.pop()
        pending.append((since, watermark_ms))
        reached = self._value
        complete = self._idle_complete()
        while pending and pending[0][0] < complete:
            reached = pending.popleft()[1]
        return reached

    def _idle_complete(self) -> int:
        return min(self._complete[source] for source, (_, idle) in self._known.items() if idle)

    @property
    def value(self) -> int:
        """Milliseconds of event time; `NOTHING_KNOWN` until every partition has reported."""
        return self._value

    @property
    def all_idle(self) -> bool:
        """Whether every partition has been read to its end and is quiet, as far as any of them has reported."""
        if not (len(self._known) >= self._expected > 0 and all(idle for _, idle in self._known.values())):
            return False
        return self._idle_complete() > self._active


class Merge(Generic[T]):
    """A merge of partitions by (event time, event id) that keeps each partition's own order.

    >>> merge = Merge(limit=10)
    >>> merge.push(0, 5, "b", "later"); merge.push(1, 3, "a", "first")
    >>> list(merge.released(4))
    ['first']
    >>> merge.held
    1
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[int, deque[tuple[int, str, T]]] = {}
        self._newest: dict[int, int] = {}
        self._heads: list[tuple[int, str, int]] = []
        self.held = 0
        """How many items are buffered."""
        self.overrun = 0
        """How many items were released early because the buffer was over its limit."""

    def push(self, source: int, time_ms: int, event_id: str, item: T) -> None:
        """Add the next item of a partition. An item older than its predecessors goes right after them."""
        time_ms = self._newest[source] = max(time_ms, self._newest.get(source, time_ms))
        queue = self._queues.get(source)
        if queue is None:
            queue = self._queues[source] = deque()
        queue.append((time_ms, event_id, item))
        self.held += 1
        if len(queue) == 1:
            heappush(self._heads, (time_ms, event_id, source))

    def released(self, watermark_ms: int, *, everything: bool = False) -> Iterator[T]:
        """Items that every partition has passed (`time < watermark`), in order, or `everything` buffered."""
        while self._heads:
            time_ms, _, source = self._heads[0]
            if time_ms >= watermark_ms and not everything:
                if self.held <= self._limit:
                    return
                self.overrun += 1
            heappop(self._heads)
            queue = self._queues[source]
            _, _, item = queue.popleft()
            self.held -= 1
            if queue:
                following, event_id, _ = queue[0]
                heappush(self._heads, (following, event_id, source))
            yield item
