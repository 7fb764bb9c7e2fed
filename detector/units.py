"""Lengths of time in milliseconds, the unit of every event time."""

from __future__ import annotations

__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "TICK_MS"]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
TICK_MS = 10 * MINUTE_MS
"""The step in which shards count what a tenant does and triage looks at it."""
