"""Times as every language writes them here: ISO 8601, UTC. What lies outside the calendar is shown as its end."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["clock", "day", "minute", "second"]

_FIRST_SECOND = -62_135_596_800  # 0001-01-01
_LAST_SECOND = 253_402_300_799  # 9999-12-31


def day(time_ms: int) -> str:
    """The day.

    >>> day(0), minute(0), second(0), clock(0)
    ('1970-01-01', '1970-01-01 00:00', '1970-01-01 00:00:00', '00:00')
    """
    return _iso(time_ms // 1000)[:10]


def minute(time_ms: int) -> str:
    """The day and minute."""
    return _iso(time_ms // 1000)[:16]


def second(time_ms: int) -> str:
    """The day and second."""
    return _iso(time_ms // 1000)


def clock(time_ms: int) -> str:
    """The minute alone."""
    return _iso(time_ms // 1000)[11:16]


@lru_cache(maxsize=4_096)
def _iso(seconds: int) -> str:
    within = max(_FIRST_SECOND, min(seconds, _LAST_SECOND))
    return datetime.fromtimestamp(within, UTC).isoformat(" ")[:19]
