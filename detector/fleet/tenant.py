"""Watches a tenant tick by tick: its total volume as one series, and the health of its sources.

It adds up every shard's counts of a tick of ten minutes and checks them when the tick is closed for all shards; the
sums do not depend on which shard counted what.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from detector.fleet import health, series
from detector.fleet.health import Counts, Phase, SourceState
from detector.fleet.series import Series, SeriesSettings
from detector.signal import Tally
from detector.units import DAY_MS, TICK_MS

__all__ = ["Notice", "Tenant", "close_tick"]

MAX_SOURCES = 64
"""The most kinds of record watched per tenant; further ones are ignored."""
MOST_EMPTY_TICKS = 7 * DAY_MS // TICK_MS
"""A longer gap is our own outage and is ignored."""
_SERIES = SeriesSettings(step_ms=TICK_MS)


class Tenant(msgspec.Struct, array_like=True):
    """The state of one tenant."""

    version: int = 1
    tick_ms: int = -1
    """Start of the newest tick."""
    volume: Series = msgspec.field(default_factory=Series)
    sources: dict[str, SourceState] = {}
    seen_ms: int = -1
    """Event time at which it was admitted."""
    active_ticks: int = 0
    """In how many ticks there was something to count."""


class Notice(msgspec.Struct, frozen=True):
    """A notice about the tenant or one of its sources."""

    source: str
    """Adapter and operation; empty for the total volume."""
    trouble: str
    over: bool
    since_ms: int
    time_ms: int
    observed: float
    expected: float
    surprise: float


def close_tick(tenant: Tenant, tick_ms: int, tally: Tally) -> Iterator[list[Notice]]:
    """Check the tick that starts at `tick_ms`; ticks since the last one were empty. Yields what each tick shows."""
    first = tick_ms if tenant.tick_ms < 0 else tenant.tick_ms + TICK_MS
    if tick_ms - first > MOST_EMPTY_TICKS * TICK_MS:
        first = tick_ms
    for start in range(first, tick_ms, TICK_MS):
        yield _tick(tenant, start, Tally())
    if tick_ms > tenant.tick_ms:
        tenant.active_ticks += 1
        yield _tick(tenant, tick_ms, tally)


def _tick(tenant: Tenant, tick_ms: int, tally: Tally) -> list[Notice]:
    tenant.tick_ms = tick_ms
    end_ms = tick_ms + TICK_MS
    notices = []
    score = series.observe(tenant.volume, tick_ms, float(tally.rows), _SERIES)
    if score.alarm:
        notices.append(
            Notice(
                "", "volume", False, tick_ms, end_ms, score.observed, score.expected, max(0.0, score.surprise)
            )
        )
    for name in sorted(tally.sources):
        if name not in tenant.sources and len(tenant.sources) < MAX_SOURCES:
            tenant.sources[name] = SourceState()
    for name in sorted(tenant.sources):
        records = tally.sources.get(name, 0)
        notices += [
            Notice(
                name,
                found.trouble.value,
                found.phase is Phase.ENDED,
                found.since_ms,
                found.time_ms,
                found.observed,
                found.expected,
                found.surprise,
            )
            for found in health.observe(tenant.sources[name], tick_ms, Counts(records=records))
        ]
    return notices
