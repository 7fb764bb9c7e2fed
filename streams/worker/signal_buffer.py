"""Buffers signals until the day of the population that they need is closed, in the order of judging.

During a catch-up, one partition may be days of event time ahead of another. Its signals wait here until the others
have caught up; on live traffic, nothing waits. An identity's signals never overtake one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from detector.signal import Signal

__all__ = ["SignalBuffer"]

T = TypeVar("T")


class SignalBuffer(Generic[T]):
    """Signals by the watermark they wait for, each with an item that the caller gets back."""

    def __init__(self) -> None:
        self._groups: dict[int, list[tuple[Signal, float, T]]] = {}
        self._waiting: dict[str, int] = {}
        self.held = 0
        """How many signals are buffered."""

    def threshold(self, signal: Signal, needs_ms: int) -> int:
        """The watermark from which a signal may be judged: its own, or that of an earlier buffered one."""
        return max(needs_ms, self._waiting.get(signal.identity, needs_ms))

    def add(self, signal: Signal, threshold_ms: int, now: float, item: T) -> None:
        """Buffer a signal until `threshold_ms`; `now` is its time of arrival."""
        self._groups.setdefault(threshold_ms, []).append((signal, now, item))
        self._waiting[signal.identity] = threshold_ms
        self.held += 1

    def released(self, watermark_ms: int) -> Iterator[tuple[int, list[tuple[Signal, T]]]]:
        """The groups whose threshold the watermark has reached, lowest first, each with its threshold."""
        while self._groups and (threshold := min(self._groups)) <= watermark_ms:
            yield threshold, self._take(threshold)

    def overdue(self, before: float) -> list[tuple[Signal, T]]:
        """The next group to judge, if its first signal arrived before `before`."""
        if not self._groups:
            return []
        threshold = min(self._groups)
        return self._take(threshold) if self._groups[threshold][0][1] < before else []

    def _take(self, threshold: int) -> list[tuple[Signal, T]]:
        group = self._groups.pop(threshold)
        self.held -= len(group)
        for signal, _, _ in group:
            if self._waiting.get(signal.identity) == threshold:
                del self._waiting[signal.identity]
        return [(signal, item) for signal, _, item in group]
