"""Worlds for the simulated cluster, and the comparison of a run with the replay."""

from __future__ import annotations

import functools
from random import Random

from detector.adapters import decode
from detector.engine import Engine
from detector.event import AccessEvent
from detector.identity.profile import PROFILES
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.simulation import Theft, World, records
from tests.chaos.comparison import alerts_that_differ
from tests.schedules.cluster import Cluster, Plan

__all__ = ["TALKATIVE", "differences"]

HOUR_MS = 3_600_000
WORLDS = 7
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
DAYS = 3
# Quick to speak, so that a small world says much.
TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.3),
    triage=TriageSettings(
        alert_risk=0, least_risk=0, certain_risk=0, support_surprise=0.2, quiet_seconds=26 * 3600
    ),
)


@functools.cache
def world(seed: int) -> tuple[tuple[bytes, AccessEvent], ...]:
    """A few people's and integrations' records with a theft, in order; some are there twice."""
    random = Random(seed)
    theft = Theft(start_ms=START_MS + (24 + 3) * HOUR_MS)
    small = World(seed=seed, start_ms=START_MS, hours=24 * DAYS, people=3, integrations=1)
    found = []
    for number, (_, record) in enumerate(records(small, theft)):
        pair = record, decode(record, f"{number}")
        found += [pair] * (2 if random.random() < 0.01 else 1)
    found.sort(key=lambda pair: (pair[1].time_ms, pair[1].event_id, pair[0]))
    return tuple(found)


@functools.cache
def replayed(seed: int) -> tuple[frozenset[bytes], dict[bytes, bytes]]:
    """What a replay says and knows in the end."""
    stream = world(seed)
    engine = Engine(TALKATIVE)
    alerts = [alert.body for _, event in stream for alert in engine.observe(event)]
    alerts += [alert.body for alert in engine.finish(stream[-1][1].time_ms)]
    return frozenset(alerts), engine.profiles()


def differences(plan: Plan) -> tuple[list[str], Cluster]:
    """What a run says and knows otherwise than the replay of the same world, a line each; and what befell it."""
    seed = plan.seed % WORLDS
    expected, profiles = replayed(seed)
    cluster = Cluster(plan, TALKATIVE, world(seed))
    found = []
    if not cluster.run():
        found.append("not caught up")
    found += alerts_that_differ(expected, cluster.alerts())
    known = {}
    for name, value in cluster.profiles().items():
        profile = PROFILES.decode(value)
        profile.applied = {}
        known[name] = PROFILES.encode(profile)
    wrong = [name for name in known.keys() | profiles.keys() if known.get(name) != profiles.get(name)]
    if wrong:
        found.append(f"{len(wrong)} of {len(profiles)} identities have another state")
    return found, cluster
