"""The alert budget: the rank from which an incident is raised follows what a SOC can look at.

Operators say how many alerts a day per 1,000 identities they can look at; the threshold is the lowest rank that,
over the days remembered, no more identities' days reached than that.
"""

from __future__ import annotations

from detector.fleet.population import DAILY_FADING, SETTLE_MS, Population, day_known_at
from detector.settings import TriageSettings
from detector.triage.risk import MOST_RANK, rank_of
from detector.units import DAY_MS, TICK_MS

__all__ = ["NAME", "count_raised", "day_threshold", "threshold"]

NAME = "rank"
RAISED = "raised"
DAY_SHARES = 2.5
"""A day may bring so many times its share of the budget. Then only what ranks above those raises an alert."""
LEAST_A_DAY = 3
"""So many alerts are allowed on any day."""
RANKS = 2 * MOST_RANK + 1
TICKS_A_DAY = DAY_MS // TICK_MS
SETTLED_TICKS = SETTLE_MS // TICK_MS
FULL_DAYS = 5.0
"""From so many days on, the observed distribution alone decides."""


def count_raised(population: Population, tenant: str, time_ms: int, rank: int) -> None:
    """Note that an incident of a rank is raised at an event time."""
    place = time_ms // TICK_MS % TICKS_A_DAY * RANKS + rank + MOST_RANK
    population.count_at(tenant, time_ms // DAY_MS, RAISED, place)


def day_threshold(population: Population, tenant: str, time_ms: int, settings: TriageSettings) -> int:
    """The rank that is asked for because of the alerts of the day up to two ticks before an event time.

    A disruption or a quarter's end sets many off at once; an analyst's day is no longer for that. Never more than
    `certain_risk`.
    """
    last = time_ms // TICK_MS - SETTLED_TICKS
    end = (last % TICKS_A_DAY + 1) * RANKS
    above = population.until(tenant, last // TICKS_A_DAY, RAISED, end, RANKS)
    active = population.identities(tenant, day_known_at(time_ms))
    allowed = max(LEAST_A_DAY, DAY_SHARES * settings.alert_budget / 1000 * active)
    lowest = next((place for place, count in enumerate(above) if count < allowed), RANKS)
    return min(lowest - MOST_RANK, rank_of(settings.certain_risk))


def threshold(population: Population, tenant: str, time_ms: int, settings: TriageSettings) -> int:
    """The rank from which an incident of a tenant is raised at an event time."""
    known = day_known_at(time_ms)
    counts: dict[int, float] = {}
    weight = 0.0
    for day in population.known_days(tenant, known):
        faded = DAILY_FADING ** (known - day)
        weight += faded
        for rank, count in population.counts(tenant, day, NAME).items():
            counts[rank] = counts.get(rank, 0.0) + faded * count
    identities = population.identities(tenant, known)
    at_first, least, certain = map(rank_of, (settings.alert_risk, settings.least_risk, settings.certain_risk))
    if weight < 1.0:
        return at_first
    allowed = settings.alert_budget / 1000 * identities * weight
    above = 0.0
    lowest = MOST_RANK + 1
    while lowest > least and above + counts.get(lowest - 1, 0.0) <= allowed:
        lowest -= 1
        above += counts.get(lowest, 0.0)
    sure = min(1.0, weight / FULL_DAYS)
    mixed = sure * lowest + (1 - sure) * at_first
    return max(least, min(certain, round(mixed)))
