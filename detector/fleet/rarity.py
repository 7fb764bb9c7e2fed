"""How strange it is that this identity shows this new thing: how seldom it does so × how rare the thing is.

An identity that turns up on another network every week surprises nobody with one more; a network that half of
the company uses surprises nobody either.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import log10

from detector.event import ActorKind
from detector.fleet.population import Population, day_known_at
from detector.signal import NewValue, Signal
from detector.trait import SORTS, YOUNG_DAYS, checksum

__all__ = ["Strangeness", "strangeness"]

PRIOR_DAYS = 10.0
"""How many days of its own the usual rate of new things counts for."""
USUAL_NEWS = {
    ActorKind.HUMAN: {
        "network": 0.06, "agent": 0.02, "app": 0.02, "country": 0.01, "operation": 0.03, "object": 0.03,
        "query": 0.1,
    },
    ActorKind.INTEGRATION: {
        "network": 0.004, "agent": 0.004, "app": 0.004, "country": 0.002, "operation": 0.01, "object": 0.02,
        "query": 0.05,
    },
    ActorKind.GUEST: {
        "network": 1.0, "agent": 0.5, "app": 0.1, "country": 0.5, "operation": 0.05, "object": 0.05,
        "query": 0.3,
    },
}  # fmt: skip
"""On which share of days one shows something new, before more is known."""
WEIGHT = {"network": 1.0, "agent": 0.8, "app": 1.0, "country": 0.6, "operation": 0.7, "object": 0.5,
          "query": 0.3, "hour": 0.6}  # fmt: skip
"""How much each sort tells: the rest follows from another sort, or is often harmless."""
FURTHER = 0.5
"""Each further strange thing counts half of the one before it: they come together."""
COMMON_SHARE = 0.2
"""What so large a share of the others uses is not strange at all."""
FULL_ROWS = 300.0
IDLE_SHARE = 0.35
"""What is new counts so much before anything has left with it."""

Strangeness = float


def strangeness(
    population: Population, signal: Signal, own_networks: tuple[str, ...] = ()
) -> tuple[Strangeness, list[tuple[float, NewValue]]]:
    """How strange a signal's news are in all, and each of them, the strangest first."""
    known = day_known_at(signal.time_ms)
    found = [(_one(population, signal, new, known, own_networks), new) for new in signal.news]
    found = sorted((one for one in found if one[0] > 0), key=lambda one: (-one[0], one[1].what, one[1].value))
    total = sum(score * FURTHER**place for place, (score, _) in enumerate(found))
    share = min(1.0, log10(1 + signal.rows) / log10(1 + FULL_ROWS))
    return total * (IDLE_SHARE + (1 - IDLE_SHARE) * share), found


def _one(population: Population, signal: Signal, new: NewValue, known: int, own: Sequence[str]) -> float:
    if new.what == "hour":
        return WEIGHT["hour"] * -log10(max(new.news, 1e-3))
    if new.what == "network" and any(_within(new.value, network) for network in own):
        return 0.0
    usual = USUAL_NEWS[signal.actor_kind].get(new.what, 0.05)
    rate = (new.news + PRIOR_DAYS * usual) / (new.days + PRIOR_DAYS)
    score = -log10(min(1.0, rate))
    sort = SORTS.index(new.what)
    if new.what in ("network", "agent", "app"):
        share = population.users(signal.tenant, new.what, checksum(sort, new.value), known)
        score *= max(0.0, 1 - share / COMMON_SHARE)
    fresh = max(0.0, 1 - new.age_days / YOUNG_DAYS)
    return WEIGHT[new.what] * score * fresh


@lru_cache(maxsize=4_096)
def _within(network: str, own: str) -> bool:
    """Whether any of a network's addresses is one's own: what is smaller than a /24 or /48 is not told apart."""
    try:
        one, other = ip_network(network, strict=False), ip_network(own, strict=False)
    except ValueError:
        return network == own
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.overlaps(other)
    return isinstance(other, IPv6Network) and one.overlaps(other)
