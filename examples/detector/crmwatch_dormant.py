"""Reports an account that reads data again after weeks of silence.

Accounts of people who left, and tokens of forgotten integrations, are silent; a thief who finds one is not. The
longer the silence, the higher the score. It looks at gaps between active days, so holidays stay below the bound.
"""

from __future__ import annotations

import msgspec

from detector.anomaly import Anomaly
from detector.event import ActorKind
from detector.explanation import Explanation
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.observation import Observation
from detector.message import Message, message
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence

SILENT_DAYS = 45
"""A shorter silence is a holiday."""
MOST_SCORE = 4.0


class DormantState(msgspec.Struct, array_like=True):
    """All that the detector remembers of an identity; every field has a default, so old state stays readable."""

    last_day: int = 0
    """The last day with rows, since 1970; 0 for none."""
    woke_day: int = 0
    """The day on which the silence ended."""
    silent_days: int = 0
    rows: int = 0
    """Rows taken on `woke_day`."""
    reported_rows: int = 0


def observe(state: DormantState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Report the first rows after a long silence, and again each time that they have doubled that day."""
    if not access.rows:
        return None
    if access.day > state.last_day:
        silent = access.day - state.last_day if state.last_day else 0
        state.woke_day = access.day if silent > SILENT_DAYS else 0
        state.silent_days = silent
        state.rows = state.reported_rows = 0
        state.last_day = access.day
    if access.day != state.woke_day:
        return None
    state.rows += access.rows
    if state.rows < 2 * state.reported_rows:
        return None
    state.reported_rows = state.rows
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector="dormant",
            time_ms=access.event.time_ms,
            day=access.day,
            first_ms=access.event.time_ms,
            last_ms=access.event.time_ms,
            channel=access.event.operation,
            rows=state.rows,
            objects={access.object: state.rows},
            score=min(MOST_SCORE, 1.0 + state.silent_days / SILENT_DAYS),
            facts={"silent_days": float(state.silent_days)},
            evidence=evidence(access.event, access.rows),
        )
    ]


def title(anomaly: Anomaly, who: str) -> Message:
    """The alert in a few words."""
    return message("dormant.title", "Awake after a long silence: {who}", who=who)


def reason(anomaly: Anomaly, known_days: int) -> Message:
    """Why it is unusual."""
    days = round(anomaly.facts.get("silent_days", 0))
    return message("dormant.reason", "It reads data again after {days} days of silence", days=days)


DETECTOR = IdentityDetector(
    State=DormantState,
    observe=observe,
    explanation=Explanation(
        name="dormant",
        title=title,
        reason=reason,
        steps=dict.fromkeys(ActorKind, ("ask_who_woke", "end_sessions", "keep_logs")),
        step_templates={"ask_who_woke": "Ask who still uses this account; if nobody does, disable it now."},
    ),
)
