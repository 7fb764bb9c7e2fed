"""How much an incident matters: evidence × sensitivity × rows that left, from 0 to 100."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from math import log10, sqrt

__all__ = ["Severity", "evidence", "risk", "severity"]

FULL_ROWS = 10_000
"""From this many rows on, more of them do not make it worse: it is a breach."""


class Severity(IntEnum):
    """OCSF's `severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


def evidence(surprises: Mapping[str, float]) -> float:
    """The weight of several detectors' best surprises, in −log10 of a probability.

    The strongest counts whole, each further one a quarter: they look at the same rows from different sides,
    and are not independent.

    >>> evidence({"volume": 4.0, "export": 2.0}), evidence({})
    (4.5, 0.0)
    """
    ranked = sorted(surprises.values(), reverse=True)
    return ranked[0] + 0.25 * sum(ranked[1:]) if ranked else 0.0


def risk(evidence: float, sensitivity: float, rows: int) -> int:
    """Risk from 0 to 100; `evidence` in −log10 p, `sensitivity` from 0 to 1.

    >>> risk(5.0, 1.0, 10_000), risk(5.0, 1.0, 300), risk(2.0, 1.0, 300), risk(5.0, 0.2, 10_000)
    (94, 74, 54, 42)
    """
    certainty = 1 - 10 ** (-evidence / 4)
    extent = min(1.0, log10(1 + rows) / log10(1 + FULL_ROWS))
    return round(100 * certainty * sqrt(sensitivity * extent))


def severity(risk: int) -> Severity:
    """The severity that a risk is shown as."""
    if risk >= 85:
        return Severity.CRITICAL
    if risk >= 65:
        return Severity.HIGH
    if risk >= 45:
        return Severity.MEDIUM
    return Severity.LOW if risk >= 25 else Severity.INFORMATIONAL
