"""The vendor's own findings (Salesforce Shield, Microsoft Sentinel): passed through as signals.

What a vendor's models found counts as evidence of its own kind. It seldom opens an incident alone; with
anything else it does.
"""

from __future__ import annotations

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.event import Operation
from detector.explanation import Explanation
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.observation import Observation
from detector.message import Message, message
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence

__all__ = ["DETECTOR", "VendorState"]

NAME = "vendor"

SCORE = 3.0
"""What a vendor's finding counts for, in -log10 of a probability."""


class VendorState(msgspec.Struct, array_like=True, gc=False):
    """The day on which a finding was last passed on, and how many were that day."""

    day: int = -1
    findings: int = 0


def _observe(state: VendorState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Pass a vendor's finding on."""
    if access.day != state.day:
        state.day, state.findings = access.day, 0
    state.findings += 1
    if state.findings & (state.findings - 1):
        return None
    time_ms = access.event.time_ms
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector=NAME,
            time_ms=time_ms,
            day=access.day,
            first_ms=time_ms,
            last_ms=time_ms,
            channel=Operation.VENDOR_FINDING,
            score=SCORE,
            facts={"findings": float(state.findings)},
            evidence=evidence(access.event, 0),
        )
    ]


def _title(anomaly: Anomaly, who: str) -> Message:
    return message("title.vendor", "The vendor's own finding about {who}", who=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    findings = phrase.counted(round(anomaly.facts.get("findings", 1)), "finding")
    return message(
        "vendor.reason", "The vendor's own detection raised {findings} about it", findings=findings
    )


EXPLANATION = Explanation(name=NAME, title=_title, reason=_reason, certain=True, common=False, rarity=False)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=VendorState,
    operations=frozenset({Operation.VENDOR_FINDING}),
    observe=_observe,
)
