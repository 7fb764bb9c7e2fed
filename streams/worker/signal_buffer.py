"""Signals that wait for a day of the population to be closed, in the order in which they may be judged.

Catching up, one partition may be days of event time ahead of another. Its signals wait here until the others
are as far, while theirs are judged; live, nothing waits. An identity's signals never overtake one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from detector.signal import Signal

__all__ = ["SignalBuffer"]

T = TypeVar("T")


class SignalBuffer(Generic[T]):
    """Signals by the watermark that they wait for, each with whatever the caller wants back with it."""

    def __init__(self) -> None:
        self._groups: dict[int, list[tuple[Signal, float, T]]] = {}
        self._waiting: dict[str, int] = {}
        self.held = 0
        """How many signals wait."""

    def threshold(self, signal: Signal, needs_ms: int) -> int:
        """The watermark from which a signal may be judged: its need, or that of one before it that waits."""
        return max(needs_ms, self._waiting.get(signal.identity, needs_ms))

    def add(self, signal: Signal, threshold_ms: int, now: float, item: T) -> None:
        """Let a signal wait for `threshold_ms`; `now` is when it came."""
        self._groups.setdefault(threshold_ms, []).append((signal, now, item))
        self._waiting[signal.identity] = threshold_ms
        self.held += 1

    def released(self, watermark_ms: int) -> Iterator[tuple[int, list[tuple[Signal, T]]]]:
        """The groups whose threshold the watermark has reached, lowest first, each with its threshold."""
        while self._groups and (threshold := min(self._groups)) <= watermark_ms:
            yield threshold, self._take(threshold)

    def overdue(self, before: float) -> list[tuple[Signal, T]]:
        """The group that is to be judged next, if its first signal came before that moment."""
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
