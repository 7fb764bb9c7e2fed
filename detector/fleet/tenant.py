"""A tenant as a whole, tick by tick: its volume as one series, and the health of the sources it comes from.

What every shard counted in a tick of ten minutes is added up, and looked at when the tick is closed for all
of them; sums do not depend on who counted what.
"""

from __future__ import annotations

import msgspec

from detector.fleet import health, series
from detector.fleet.health import Counts, Phase, SourceState
from detector.fleet.series import Series, SeriesSettings
from detector.signal import Tally
from detector.units import DAY_MS, TICK_MS

__all__ = ["Notice", "Tenant", "close_tick"]

MAX_SOURCES = 64
"""How many kinds of record of a tenant are watched; further ones are not."""
MOST_EMPTY_TICKS = 7 * DAY_MS // TICK_MS
"""A longer hole is an outage of our own, and says nothing."""
_SERIES = SeriesSettings(step_ms=TICK_MS)


class Tenant(msgspec.Struct, array_like=True):
    """What is known of a tenant as a whole."""

    version: int = 1
    tick_ms: int = -1
    """Start of the newest tick."""
    volume: Series = msgspec.field(default_factory=Series)
    sources: dict[str, SourceState] = {}


class Notice(msgspec.Struct, frozen=True):
    """Something about the tenant or one of its sources that somebody should know."""

    source: str
    """Adapter and operation; empty for the volume as a whole."""
    trouble: str
    over: bool
    since_ms: int
    time_ms: int
    observed: float
    expected: float
    surprise: float


def close_tick(tenant: Tenant, tick_ms: int, tally: Tally) -> list[Notice]:
    """Look at the tick that begins at `tick_ms`; ticks since the last one were empty."""
    notices: list[Notice] = []
    first = tick_ms if tenant.tick_ms < 0 else tenant.tick_ms + TICK_MS
    if tick_ms - first > MOST_EMPTY_TICKS * TICK_MS:
        first = tick_ms
    for start in range(first, tick_ms, TICK_MS):
        notices += _tick(tenant, start, Tally())
    if tick_ms > tenant.tick_ms:
        notices += _tick(tenant, tick_ms, tally)
    return notices


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
