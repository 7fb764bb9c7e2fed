"""Buffers signals until the day of the population that they need is closed, in the order of judging.

During a catch-up, one partition may be days of event time ahead of another. Its signals wait here until the others
have caught up; on live traffic, nothing waits. An identity's signals never overtake one another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from detector.signal import Signal

__all__ = ["SignalBuffer"]

T = TypeVar("T")


class SignalBuffer(Generic[T]):
    """Signals by the watermark they wait for, each as an item that the caller gets back: there may be very many."""

    def __init__(self) -> None:
        self._groups: dict[int, deque[tuple[str, float, T]]] = {}
        self._waiting: dict[str, int] = {}
        self.held = 0
        """How many signals are buffered."""

    def threshold(self, signal: Signal, needs_ms: int) -> int:
        """The watermark from which a signal may be judged: its own, or that of an earlier buffered one."""
        return max(needs_ms, self._waiting.get(signal.identity, needs_ms))

    def add(self, signal: Signal, threshold_ms: int, now: float, item: T) -> None:
        """Buffer what stands for a signal until `threshold_ms`; `now` is its time of arrival."""
        self._groups.setdefault(threshold_ms, deque()).append((signal.identity, now, item))
        self._waiting[signal.identity] = threshold_ms
        self.held += 1

    def released(self, watermark_ms: int) -> Iterator[tuple[int, Iterator[T]]]:
        """The groups whose threshold the watermark has reached, lowest first, each with its threshold.

        There may be very many signals: they leave the buffer one by one.
        """
        while self._groups and (threshold := min(self._groups)) <= watermark_ms:
            group = self._leaving(threshold)
            yield threshold, group
            deque(group, maxlen=0)

    def overdue(self, before: float) -> Iterator[T]:
        """The next groups to judge, as long as the first signal of one arrived before `before`."""
        while self._groups and self._groups[threshold := min(self._groups)][0][1] < before:
            yield from self._leaving(threshold)

    def _leaving(self, threshold: int) -> Iterator[T]:
        group = self._groups[threshold]
        while group:
            identity, _, item = group.popleft()
            self.held -= 1
            if not group:
                del self._groups[threshold]
            if self._waiting.get(identity) == threshold:
                del self._waiting[identity]
            yield item
