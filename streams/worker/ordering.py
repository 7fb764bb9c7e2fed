"""Many partitions, one order: what makes an unkeyed topic as exact as a keyed one.

Where an identity's records are spread over partitions, the log does not say which came first. Event time
does: an event is let through once every other partition is known to have passed it (its watermark), or is
idle. Each partition keeps its own order, so that offsets still say what has been applied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

import msgspec

from streams.kafka.messages import NOTHING_KNOWN

__all__ = ["Merge", "Watermarks"]

T = TypeVar("T")

WAKING_MS = 2000
"""How much later than the others a partition that was idle may be read."""

_saved = msgspec.msgpack.Decoder(tuple[int, int, int, int])


class Watermarks:
    """Up to which event time a set of partitions is known; `saved` is what `encode` gave.

    What is saved is the watermark of all of them and the newest time seen, not each partition's own: what one
    was known to beyond the common watermark may have been held back and not applied, and comes again. When it
    does, that a partition was idle then does not count: the others are known further now than they were then.

    An idle partition is not waited for, but it may have woken up already and only be read a little later than
    the others, which may be hours of event time. So while some are idle, what the others are known to counts
    `WAKING_MS` later, by the log's own clock, which is the same when the log is read again.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        self._expected = 0
        self._value = self._newest = self._said_ms = NOTHING_KNOWN
        if saved is not None:
            self._expected, self._value, self._newest, self._said_ms = _saved.decode(saved)
        self._resumed_ms = self._said_ms
        self._known = dict.fromkeys(range(self._expected), (self._value, False))
        self._pending: deque[tuple[int, int]] = deque()  # when it was said, watermark

    def encode(self) -> bytes:
        """What is known, as bytes."""
        return msgspec.msgpack.encode((self._expected, self._value, self._newest, self._said_ms))

    def update(self, source: int, sources: int, watermark_ms: int, *, idle: bool, said_ms: int) -> int:
        """Note what one of `sources` partitions said; the watermark of all of them.

        `said_ms` is when it said so, by the log's clock. The watermark never falls: a partition that wakes up
        with older events has late ones.
        """
        self._expected = max(self._expected, sources)
        self._newest = max(self._newest, watermark_ms)
        self._said_ms = max(self._said_ms, said_ms)
        idle = idle and said_ms > self._resumed_ms
        before, _ = self._known.get(source, (NOTHING_KNOWN, False))
        self._known[source] = (max(before, watermark_ms), idle)
        if len(self._known) >= self._expected:
            active = [known for known, idle in self._known.values() if not idle]
            reached = min(active, default=self._newest)
            if 0 < len(active) < len(self._known):
                reached = self._reached(reached, said_ms)
            else:
                self._pending.clear()
            self._value = max(self._value, reached)
        return self._value

    def _reached(self, watermark_ms: int, said_ms: int) -> int:
        """The watermark reached `WAKING_MS` before `said_ms`, unless the present one is behind it."""
        pending = self._pending
        since_ms = said_ms
        while pending and pending[-1][1] >= watermark_ms:  # one that has woken up is behind
            since_ms = pending.pop()[0]
        pending.append((since_ms, watermark_ms))
        reached = self._value
        while pending and pending[0][0] <= said_ms - WAKING_MS:
            reached = pending.popleft()[1]
        return reached

    @property
    def value(self) -> int:
        """Milliseconds of event time; `NOTHING_KNOWN` until every partition has said something."""
        return self._value

    @property
    def all_idle(self) -> bool:
        """Whether every partition has been read to its end and is quiet."""
        return len(self._known) >= self._expected > 0 and all(idle for _, idle in self._known.values())


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
        """How many items wait."""
        self.overrun = 0
        """How many items were let through early because more than the limit waited."""

    def push(self, source: int, time_ms: int, event_id: str, item: T) -> None:
        """Add the next item of a partition. One that is older than its predecessors goes right after them."""
        time_ms = self._newest[source] = max(time_ms, self._newest.get(source, time_ms))
        queue = self._queues.get(source)
        if queue is None:
            queue = self._queues[source] = deque()
        queue.append((time_ms, event_id, item))
        self.held += 1
        if len(queue) == 1:
            heappush(self._heads, (time_ms, event_id, source))

    def released(self, watermark_ms: int, *, everything: bool = False) -> Iterator[T]:
        """In order, what every partition has passed (`time < watermark`), or `everything` that waits."""
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
