"""A person's account driven by a program: too regular, too long without a pause, or walking through ids.

People pause; the quartiles of the gaps between their actions lie far apart. A program's lie close together,
even if it waits at random.
"""

from __future__ import annotations

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.attack import COLLECTION, AttackTechnique, technique
from detector.event import ActorKind, Operation
from detector.explanation import Explanation
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.objects import add_rows, cut
from detector.identity.observation import Observation
from detector.message import Message, message
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence
from detector.units import DAY_MS, MINUTE_MS

__all__ = ["DETECTOR", "RhythmState"]

NAME = "rhythm"

OPERATIONS = frozenset(
    {
        Operation.RECORD_VIEW,
        Operation.LIST_VIEW,
        Operation.SEARCH,
        Operation.REPORT,
        Operation.REPORT_EXPORT,
        Operation.FILE_DOWNLOAD,
    }
)
GAPS = 32
"""How many gaps are looked at."""
FIRST_ACTIONS = 40
PAUSE_MS = 10 * MINUTE_MS
"""A longer gap ends a run of actions."""
USUAL_SPREAD = 0.5
"""People's gaps have (q75 - q25) / (q75 + q25) above this; that of random arrivals is 0.65."""
ASCENDING = 20
"""Of so many ids each higher than the one before, chance makes none."""
CENTI_MS = 100
MAX_ID = 40
"""How many bytes of an id are kept."""


class RhythmState(msgspec.Struct, array_like=True, gc=False):
    """The newest run of actions."""

    last_ms: int = 0
    start_ms: int = 0
    actions: int = 0
    rows: int = 0
    gaps: list[int] = []
    """Tenths of seconds, a ring."""
    last_id: str = ""
    ascending: int = 0
    said: float = 0.0
    objects: dict[str, int] = {}


def _observe(state: RhythmState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Add the gap since the last action, and now and then look at them all."""
    event = access.event
    if event.actor_kind is ActorKind.INTEGRATION:
        return None
    gap_ms = event.time_ms - state.last_ms
    if gap_ms > PAUSE_MS or gap_ms < -PAUSE_MS:
        state.actions = state.rows = state.ascending = 0
        state.start_ms = event.time_ms
        state.gaps = []
        state.objects = {}
        state.said = 0.0
        gap_ms = -1
    elif state.last_ms // DAY_MS != access.day:  # rows are told by day
        state.rows = 0
        state.objects = {}
    state.last_ms = event.time_ms
    actions = state.actions = state.actions + 1
    if gap_ms >= 0:
        if len(state.gaps) < GAPS:
            state.gaps.append(gap_ms // CENTI_MS)
        else:
            state.gaps[actions % GAPS] = gap_ms // CENTI_MS
    if event.record_ids:
        newest = cut(event.record_ids[0], MAX_ID)
        if newest > state.last_id and len(newest) == len(state.last_id):
            state.ascending += 1
        elif newest != state.last_id:
            state.ascending = 0
        state.last_id = newest
    if access.rows:
        state.rows += access.rows
        access.grown += add_rows(state.objects, access.object, access.rows)
    if actions < FIRST_ACTIONS or actions % 10:
        return None
    return _crossed(state, access)


def _crossed(state: RhythmState, access: Observation) -> list[Signal] | None:
    gaps = sorted(state.gaps)
    low, high = gaps[len(gaps) // 4], gaps[(3 * len(gaps)) // 4]
    spread = (high - low) / (high + low + 1)
    regular = max(0.0, 1 - spread / USUAL_SPREAD)
    walking = min(1.0, state.ascending / (2 * ASCENDING)) if state.ascending >= ASCENDING else 0.0
    long = min(2.0, state.actions / 100)
    score = (4 * regular + 4 * walking) * (0.5 + 0.5 * long)
    if score < 1.0 or score < state.said + 0.5:
        return None
    state.said = score
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector=NAME,
            time_ms=access.event.time_ms,
            day=access.day,
            first_ms=min(state.start_ms, access.event.time_ms),
            last_ms=access.event.time_ms,
            channel=access.event.operation,
            rows=state.rows,
            objects=dict(state.objects),
            score=score,
            facts={
                "actions": float(state.actions),
                "low_seconds": low / 10,
                "high_seconds": high / 10,
                "ascending": float(state.ascending),
            },
            evidence=evidence(access.event, access.rows),
        )
    ]


WALKING = 20
"""From so many ids in ascending order on, that is what is said."""


def _title(anomaly: Anomaly, who: str) -> Message:
    return message("title.rhythm", "An account driven by a program: {who}", who=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    actions = phrase.counted(round(anomaly.facts.get("actions", 0)), "action")
    ascending = round(anomaly.facts.get("ascending", 0))
    if ascending >= WALKING:
        template = "{actions} in a row, {ascending} of them through ids in ascending order, as a program does"
        return message("rhythm.ascending", template, actions=actions, ascending=ascending)
    low, high = (f"{anomaly.facts.get(name, 0.0):.1f}" for name in ("low_seconds", "high_seconds"))
    template = "{actions} in a row, half of them {low} to {high} s apart: a program's rhythm, not a person's"
    return message("rhythm.regular", template, actions=actions, low=low, high=high)


def _techniques(anomaly: Anomaly) -> tuple[AttackTechnique, ...]:
    return (technique(COLLECTION, ("T1119", "Automated Collection")),)


EXPLANATION = Explanation(name=NAME, title=_title, reason=_reason, techniques=_techniques)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=RhythmState,
    operations=OPERATIONS,
    observe=_observe,
)
