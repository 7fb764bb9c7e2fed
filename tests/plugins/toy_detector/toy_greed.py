"""A detector that somebody else wrote: an event with a thousand rows or more is greedy."""

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

GREEDY_ROWS = 1_000


class GreedState(msgspec.Struct, array_like=True):
    """How often the identity was greedy."""

    times: int = 0


def observe(state: GreedState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Report each greedy event."""
    if access.rows < GREEDY_ROWS:
        return None
    state.times += 1
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector="toy_greed",
            time_ms=access.event.time_ms,
            day=access.day,
            first_ms=access.event.time_ms,
            last_ms=access.event.time_ms,
            channel=access.event.operation,
            rows=access.rows,
            objects={access.object: access.rows},
            score=9.0,
            facts={"times": float(state.times)},
            evidence=evidence(access.event, access.rows),
        )
    ]


def title(anomaly: Anomaly, who: str) -> Message:
    """The alert in a few words."""
    return message("toy_greed.title", "Greed: {who}", who=who)


def reason(anomaly: Anomaly, known_days: int) -> Message:
    """Why it is unusual."""
    return message("toy_greed.reason", "It was greedy {n} times", n=round(anomaly.facts["times"]))


DETECTOR = IdentityDetector(
    State=GreedState,
    observe=observe,
    explanation=Explanation(
        name="toy_greed",
        title=title,
        reason=reason,
        certain=True,
        rarity=False,
        steps=dict.fromkeys(ActorKind, ("ask_greedy", "keep_logs")),
        step_templates={"ask_greedy": "Ask whether anybody needs that much."},
    ),
)
