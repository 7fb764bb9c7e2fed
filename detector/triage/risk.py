"""How much an incident matters: evidence × sensitivity × rows taken, from 0 to 100."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from math import log10, sqrt

from detector.catalogue import sensitivity
from detector.explanation import Explanations
from detector.triage.incident import Incident, objects_taken

__all__ = ["Severity", "evidence", "incident_risk", "risk", "severity"]

FULL_ROWS = 10_000
"""From this many rows on, more of them do not make it worse: it is a breach."""
SAME_KIND = 0.15
"""What a further detector of the same kind adds."""
FURTHER = (1.0, 0.8, 0.6, 0.5)
"""What independent kinds add, the strongest first; they are independent only in part."""
IDLE = 0.45
"""What is certain counts so much before anything has left."""


class Severity(IntEnum):
    """OCSF's `severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


def evidence(surprises: Mapping[str, float], explanations: Explanations) -> float:
    """The weight of several detectors' surprises, in −log10 of a probability.

    Of each kind the strongest counts; independent kinds corroborate.

    >>> evidence({"rhythm": 3.0, "novelty": 2.0}, Explanations(())), evidence({}, Explanations(()))
    (4.6, 0.0)
    """
    kinds: dict[str, list[float]] = {}
    support = 0.0
    for detector, surprise in surprises.items():
        explanation = explanations[detector]
        if explanation.support is not None:
            support += explanation.support * surprise
            continue
        kinds.setdefault(explanation.evidence_kind, []).append(surprise)
    ranked = sorted(
        (max(found) + SAME_KIND * (sum(found) - max(found)) for found in kinds.values()), reverse=True
    )
    grounds = sum(surprise * FURTHER[min(place, len(FURTHER) - 1)] for place, surprise in enumerate(ranked))
    return grounds + support if ranked else 0.0


def risk(evidence: float, sensitivity: float, rows: int) -> int:
    """Risk from 0 to 100; `evidence` in −log10 p, `sensitivity` from 0 to 1.

    >>> risk(5.0, 1.0, 10_000), risk(5.0, 1.0, 300), risk(2.0, 1.0, 300), risk(5.0, 0.2, 10_000)
    (72, 64, 35, 50)
    """
    certainty = 1 - 10 ** (-evidence / 9)
    extent = sqrt(sensitivity * min(1.0, log10(1 + rows) / log10(1 + FULL_ROWS)))
    return round(100 * certainty * (IDLE + (1 - IDLE) * extent))


def incident_risk(incident: Incident, time_ms: int, explanations: Explanations, fade: float = 0.0) -> int:
    """The incident's risk from 0 to 100 at an event time; old evidence has faded."""
    weight = evidence(
        {
            name: anomaly.surprise * 0.5 ** (max(0, time_ms - anomaly.time_ms) * fade)
            for name, anomaly in incident.anomalies.items()
        },
        explanations,
    )
    by_sensitivity = sorted(
        ((sensitivity((name,)), rows) for name, rows in objects_taken(incident).items()), reverse=True
    )
    points = risk(weight, 0.0, 0)
    rows_so_far = 0
    for (
        sensitive,
        rows,
    ) in by_sensitivity:  # one contact among ten thousand products is not ten thousand contacts
        rows_so_far += rows
        points = max(points, risk(weight, sensitive, rows_so_far))
    return points


def severity(risk: int) -> Severity:
    """The severity that a risk is shown as."""
    if risk >= 85:
        return Severity.CRITICAL
    if risk >= 65:
        return Severity.HIGH
    if risk >= 45:
        return Severity.MEDIUM
    return Severity.LOW if risk >= 25 else Severity.INFORMATIONAL
