"""Whether anything is going on: what is quiet says less while everything is quiet."""

from __future__ import annotations

from math import inf

__all__ = ["InputActivity"]

ACTIVE_SECONDS = 5.0
"""So long after the last record, what was reached with it may still be waited for."""


class InputActivity:
    """When a worker's shards last heard of a partition that is not idle, of any worker."""

    def __init__(self) -> None:
        self.heard_at = -inf

    def active(self, now: float) -> bool:
        """Whether that was a moment ago."""
        return now - self.heard_at < ACTIVE_SECONDS
