"""When everybody takes more: a disruption day, a quarter's end. It raises everybody's bound together.

How many identities went over their own bound lately, against how many usually do at this time of day: if it
is ten times as many, going over it says a tenth. Counted are identities, not rows, so that one thief who
takes very much excuses nobody.
"""

from __future__ import annotations

from math import log10

from detector.fleet.population import DAILY_FADING, TICK_MS, Population, day_known_at
from detector.identity.level import DAY_MS

__all__ = ["count", "discount"]

NAME = "ticks"
WINDOW_TICKS = 12
SETTLED_TICKS = 2
TICKS_A_DAY = DAY_MS // TICK_MS
USUAL_FACTOR, USUAL_MORE = 1.5, 4.0
"""So much more than usual is still usual."""


def count(population: Population, tenant: str, time_ms: int) -> None:
    """Note that one more identity went over its bound in a tick."""
    tick = time_ms // TICK_MS
    population.count_at(tenant, tick // TICKS_A_DAY, NAME, tick % TICKS_A_DAY)


def discount(population: Population, tenant: str, time_ms: int) -> float:
    """What surprise is worth less at an event time, in -log10, for being shared; 0 when it is not."""
    last = time_ms // TICK_MS - SETTLED_TICKS
    lately = _around(population, tenant, last)
    if lately <= USUAL_MORE:
        return 0.0
    expected = population.remembered(
        (tenant, NAME, last), lambda: _expected(population, tenant, last, day_known_at(time_ms))
    )
    return log10(max(1.0, lately / (USUAL_FACTOR * expected + USUAL_MORE)))


def _around(population: Population, tenant: str, last: int) -> int:
    """How many went over their bounds in the ticks up to one."""
    first = last - WINDOW_TICKS + 1
    total = 0
    for day in range(first // TICKS_A_DAY, last // TICKS_A_DAY + 1):
        counts = population.counts(tenant, day, NAME)
        start = day * TICKS_A_DAY
        total += sum(
            counts.get(tick - start, 0)
            for tick in range(max(first, start), min(last + 1, start + TICKS_A_DAY))
        )
    return total


def _expected(population: Population, tenant: str, last: int, known: int) -> float:
    """How many usually do at this time of such a day."""
    usual = weight = 0.0
    today = last // TICKS_A_DAY
    for day in population.known_days(tenant, known):
        if _is_weekend(day) == _is_weekend(today):
            faded = DAILY_FADING ** (known - day)
            weight += faded
            usual += faded * _around(population, tenant, last + (day - today) * TICKS_A_DAY)
    return usual / weight if weight else 0.0


def _is_weekend(day: int) -> bool:
    return (day + 3) % 7 >= 5  # day 0 was a Thursday
