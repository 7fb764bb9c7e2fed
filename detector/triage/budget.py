"""The alert budget: the rank from which an incident is raised follows what a SOC can look at.

Operators say how many alerts a day per 1,000 identities they can look at; the threshold is the lowest rank that,
over the days remembered, no more identities' days reached than that.
"""

from __future__ import annotations

from detector.fleet.population import DAILY_FADING, Population, day_known_at
from detector.settings import TriageSettings
from detector.triage.risk import MOST_RANK, rank_of

__all__ = ["NAME", "threshold"]

NAME = "rank"
FULL_DAYS = 5.0
"""From so many days on, the observed distribution alone decides."""


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
