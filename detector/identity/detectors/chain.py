"""The order of a theft: look around, try, take, clean up, each step rare for the one who takes it.

The public accounts of 2025 agree on it (UNC6395: list objects, describe, count, sample; days later a bulk query,
whose job is then deleted). Each step counts by how seldom this identity does such a thing; steps that follow
one another within some days count together, and more when they come in this order.
"""

from __future__ import annotations

from itertools import pairwise
from math import log10
from zlib import crc32

import msgspec

from detector.anomaly import Anomaly
from detector.attack import DEFENSE_EVASION, DISCOVERY, AttackTechnique, technique
from detector.event import Operation
from detector.explanation import Explanation
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.objects import MAX_OBJECT_NAME
from detector.identity.observation import ClosedDay, Observation
from detector.message import Message, Template, message
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence
from detector.units import DAY_MS

__all__ = ["DETECTOR", "STAGES", "ChainState"]

NAME = "chain"

STAGES = ("recon", "sample", "bulk", "clean-up")
_STAGE = {
    Operation.DESCRIBE: 0,
    Operation.COUNT: 0,
    Operation.QUERY: 1,
    Operation.REPORT: 1,
    Operation.BULK_EXPORT: 2,
    Operation.REPORT_EXPORT: 2,
    Operation.EXPORT_DELETE: 3,
}
MEMORY_DAYS = 7
ORDERED = 0.5
"""What a step adds for having come after one that goes before it."""
MOST_RARE = 2.0
LEAST_STAGES = 2
"""One step alone is no chain; only to clean up is strange by itself."""
MANY_OBJECTS = 3
"""Who describes or counts so many kinds of record within an hour looks around."""
FORGET_DAYS = 90


class ChainState(msgspec.Struct, array_like=True, gc=False):
    """Which steps the identity is used to, and those that it has taken lately."""

    days: dict[str, int] = {}
    """Operation → on how many days."""
    today: dict[str, int] = {}
    """Operation → the newest day, not over, on which it was seen."""
    steps: dict[int, tuple[int, float]] = {}
    """Stage → when it was last taken, and how rare that was."""
    looked: list[int] = []
    """Checksums of the kinds of record described or counted in the hour `looked_hour`."""
    looked_hour: int = -1
    looks: int = 0
    """Days on which the identity has looked around among many kinds."""
    looked_day: int = -1


def _observe(state: ChainState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """See whether the event is a step that is rare for the identity."""
    operation = access.event.operation
    stage = _STAGE[operation]
    around = stage == 0 and _looks_around(state, access)
    if state.today.get(operation) == access.day and not around:
        return None
    state.today[operation] = access.day
    if access.known_days < settings.cold_days:
        return None
    seen = state.looks if around else state.days.get(operation, 0)
    rare = min(MOST_RARE, -log10((seen + 0.5) / (min(access.known_days, FORGET_DAYS) + 1)))
    if rare < 0.5:
        return None
    now_ms = access.event.time_ms
    state.steps = {
        kept: step for kept, step in state.steps.items() if now_ms - step[0] < MEMORY_DAYS * DAY_MS
    }
    before = state.steps.get(stage, (0, 0.0))
    state.steps[stage] = (now_ms, max(rare, before[1]))
    score = sum(step[1] for step in state.steps.values())
    taken = sorted(state.steps)
    score += ORDERED * sum(
        state.steps[earlier][0] <= state.steps[later][0] for earlier, later in pairwise(taken)
    )
    if len(taken) < LEAST_STAGES and taken != [3]:
        return None
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector=NAME,
            time_ms=now_ms,
            day=access.day,
            first_ms=min(step[0] for step in state.steps.values()),
            last_ms=now_ms,
            channel=operation,
            rows=access.rows,
            objects={access.object[:MAX_OBJECT_NAME]: access.rows} if access.rows else {},
            score=score,
            facts={STAGES[kept]: step[1] for kept, step in sorted(state.steps.items())},
            evidence=evidence(access.event, access.rows),
        )
    ]


def _close(state: ChainState, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
    """Learn which operations the day had."""
    for operation, seen in state.today.items():
        if seen >= day.day:
            state.days[operation] = min(FORGET_DAYS, state.days.get(operation, 0) + 1)
    if state.looked_day == day.day:
        state.looks = min(FORGET_DAYS, state.looks + 1)
    return []


def _looks_around(state: ChainState, access: Observation) -> bool:
    """Whether this event makes it many kinds of record within the hour."""
    if access.hour != state.looked_hour:
        state.looked_hour = access.hour
        state.looked = []
    kind = crc32(access.object.encode("utf-8", "surrogatepass"))
    if kind in state.looked or len(state.looked) > MANY_OBJECTS:
        return False
    state.looked.append(kind)
    if len(state.looked) != MANY_OBJECTS:
        return False
    state.looked_day = access.day
    return True


TEMPLATES: dict[str, Template] = {
    "stage.recon": "looked around",
    "stage.sample": "tried queries or reports",
    "stage.bulk": "exported in bulk",
    "stage.clean-up": "deleted its export jobs",
}
"""The stages as messages, by code."""


def _title(anomaly: Anomaly, who: str) -> Message:
    return message("title.chain", "The steps of a theft: {who}", who=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    stages = [
        message(f"stage.{stage}", TEMPLATES[f"stage.{stage}"]) for stage in STAGES if stage in anomaly.facts
    ]
    return message("chain.reason", "It {stages}, which it seldom or never does", stages=stages)


def _techniques(anomaly: Anomaly) -> tuple[AttackTechnique, ...]:
    found = []
    if "recon" in anomaly.facts:
        found.append(technique(DISCOVERY, ("T1526", "Cloud Service Discovery")))
    if "clean-up" in anomaly.facts:
        found.append(technique(DEFENSE_EVASION, ("T1070", "Indicator Removal")))
    return tuple(found)


EXPLANATION = Explanation(name=NAME, title=_title, reason=_reason, techniques=_techniques)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=ChainState,
    operations=frozenset(_STAGE),
    observe=_observe,
    close=_close,
)
