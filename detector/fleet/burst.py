"""When everybody takes more: a disruption day, a quarter's end. What many do at once is not strange of one.

Counted are today's identities by the greatest surprise that each has shown so far. If forty of three hundred have
been over two (one day in a hundred) by now, being over two says no more than forty in three hundred. Identities
count, not rows, so that one thief who takes very much excuses nobody.
"""

from __future__ import annotations

from math import log10

import msgspec

from detector.fleet.population import Population, day_known_at
from detector.units import DAY_MS, TICK_MS

__all__ = ["ShownSurprise", "count", "discount_for_common_surprise"]

SETTLED_TICKS = 2
TICKS_A_DAY = DAY_MS // TICK_MS
STEP = 0.25
"""Width of a bin, in surprise."""
BINS = 64
LEAST_OTHERS = 3
"""So few others may be so surprising on any day."""


class ShownSurprise(msgspec.Struct, array_like=True):
    """What an identity has been counted for today."""

    day: int = -1
    step: int = 0
    tick: int = 0
    """Its bin, and the tick in which it came there."""


def count(
    population: Population, tenant: str, kind: str, shown: ShownSurprise | None, time_ms: int, surprise: float
) -> ShownSurprise | None:
    """Note how surprising an identity is by now; what it has been counted for, if that has changed."""
    tick = time_ms // TICK_MS
    day = tick // TICKS_A_DAY
    step = min(BINS - 1, int(surprise / STEP))
    place = tick % TICKS_A_DAY * BINS
    name = f"today|{kind}"
    if shown is not None and shown.day == day:
        if step <= shown.step:
            return None
        population.count_at(tenant, day, name, place + shown.step, -1)
    population.count_at(tenant, day, name, place + step)
    return ShownSurprise(day, step, tick)


def discount_for_common_surprise(
    population: Population, tenant: str, kind: str, shown: ShownSurprise | None, time_ms: int, surprise: float
) -> float:
    """What a surprise is worth when what others have shown today is known up to two ticks before."""
    last = time_ms // TICK_MS - SETTLED_TICKS
    day = last // TICKS_A_DAY
    step = min(BINS - 1, int(surprise / STEP))
    others = population.until(tenant, day, f"today|{kind}", last % TICKS_A_DAY * BINS + BINS, BINS)[step]
    if shown is not None and shown.day == day and shown.step >= step and shown.tick <= last:
        others -= 1
    if others < LEAST_OTHERS:
        return surprise
    active = max(others, population.identities(tenant, day_known_at(time_ms)))
    return min(surprise, -log10((others + 1) / (active + 1)))
