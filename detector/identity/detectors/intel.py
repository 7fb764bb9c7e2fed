"""Known-bad addresses, agents and apps, as the operator's indicators name them."""

from __future__ import annotations

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.explanation import Explanation
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.objects import add_rows
from detector.identity.observation import Observation
from detector.message import Message, message
from detector.settings import DetectionSettings
from detector.signal import GROWN_MS, NewValue, Signal, SignalKind, evidence

__all__ = ["DETECTOR", "IntelState"]

NAME = "intel"

GROWTH_ROWS = 100


class IntelState(msgspec.Struct, array_like=True, gc=False):
    """What has been said today."""

    day: int = -1
    rows: int = 0
    said: int = -1
    objects: dict[str, int] = {}
    said_ms: int = 0


def _observe(state: IntelState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Report that the event matches an indicator."""
    found = access.indicator
    if found is None:
        return None
    event = access.event
    if access.day != state.day:
        state.day, state.rows, state.said, state.objects = access.day, 0, -1, {}
    state.rows += access.rows
    if access.rows:
        access.grown += add_rows(state.objects, access.object, access.rows)
    further = state.said >= 0 and state.rows < state.said * settings.growth + GROWTH_ROWS
    if further and (not access.rows or event.time_ms - state.said_ms < GROWN_MS):
        return None
    if not further:
        state.said = state.rows
    state.said_ms = event.time_ms
    return [
        Signal(
            kind=SignalKind.GROWN if further else SignalKind.CROSSED,
            detector=NAME,
            time_ms=event.time_ms,
            day=access.day,
            first_ms=event.time_ms,
            last_ms=event.time_ms,
            channel=event.operation,
            rows=state.rows,
            objects=dict(state.objects),
            score=found.score,
            news=[NewValue("indicator", found.name, 0.0, 0.0, 0.0, state.rows)],
            evidence=evidence(event, access.rows),
        )
    ]


def _title(anomaly: Anomaly, who: str) -> Message:
    return message("title.intel", "A known-bad origin for {who}", who=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    names = [phrase.quoted(new.value) for new in anomaly.news]
    return message("intel.reason", "What it came from, or with, is known to be bad: {names}", names=names)


EXPLANATION = Explanation(name=NAME, title=_title, reason=_reason, certain=True, common=False, rarity=False)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=IntelState,
    observe=_observe,
)
