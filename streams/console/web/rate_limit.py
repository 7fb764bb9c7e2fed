"""At most so often in a minute: token buckets by name, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

__all__ = ["RateLimiter"]

MOST_NAMES = 10_000


class RateLimiter:
    """So many a minute for each name, and as many at once.

    >>> now = [0.0]
    >>> rate = RateLimiter(2, clock=lambda: now[0])
    >>> [rate.allows("a"), rate.allows("a"), rate.allows("a"), rate.allows("b")]
    [True, True, False, True]
    >>> now[0] = 31.0
    >>> [rate.allows("a"), rate.allows("a")]
    [True, False]
    """

    def __init__(self, a_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = float(a_minute)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, at what time
        self._lock = threading.Lock()

    def would_allow(self, name: str) -> bool:
        """Whether once more is allowed; nothing is counted."""
        with self._lock:
            return self._left(name, self._clock()) >= 1

    def allows(self, name: str) -> bool:
        """Whether once more is allowed; if so it is counted."""
        now = self._clock()
        with self._lock:
            left = self._left(name, now)
            allowed = left >= 1
            self._buckets.pop(name, None)
            self._buckets[name] = (left - 1 if allowed else left), now
            if len(self._buckets) > MOST_NAMES:
                self._buckets.popitem(last=False)
        return allowed

    def _left(self, name: str, now: float) -> float:
        left, at = self._buckets.get(name, (self._most, now))
        return min(self._most, left + (now - at) * self._most / 60)
