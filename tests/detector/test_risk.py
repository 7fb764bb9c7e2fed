from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.triage.risk import FULL_ROWS, Severity, evidence, risk, severity

SURPRISES = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 5), max_size=6)


def test_the_strongest_counts_whole() -> None:
    """One detector's surprise is the evidence; a second one adds a quarter of its own."""
    assert evidence({}) == 0.0
    assert evidence({"volume": 4.0}) == 4.0
    assert evidence({"volume": 2.0, "export": 4.0}) == evidence({"export": 4.0, "volume": 2.0}) == 4.5


@given(SURPRISES, st.floats(0, 5))
def test_more_evidence_is_never_less(surprises: dict[str, float], more: float) -> None:
    """A further detector that is surprised never lowers the evidence."""
    assert evidence({**surprises, "z": more}) >= evidence(surprises)


@given(st.floats(0, 12), st.floats(0, 1), st.integers(0, 10**12))
def test_risk_is_between_0_and_100(weight: float, sensitivity: float, rows: int) -> None:
    """Whatever it is made of, risk is a whole number from 0 to 100 and has a severity."""
    points = risk(weight, sensitivity, rows)
    assert isinstance(points, int)
    assert 0 <= points <= 100
    assert severity(points) in Severity


@pytest.mark.parametrize("position", [0, 1, 2], ids=["evidence", "sensitivity", "rows"])
def test_each_part_raises_risk(position: int) -> None:
    """More evidence, more sensitive data or more rows never make a smaller risk, and some make a larger one."""
    ranges = [(0.5, 1.0, 2.0, 5.0), (0.2, 0.5, 0.8, 1.0), (1, 20, 500, FULL_ROWS)]
    for others in itertools.product(*(ranges[n] for n in range(3) if n != position)):
        points = []
        for value in ranges[position]:
            first, second = others
            parts = [first, second]
            parts.insert(position, value)
            points.append(risk(parts[0], parts[1], int(parts[2])))
        assert points == sorted(points)
        assert points[0] < points[-1]


def test_nothing_without_all_three() -> None:
    """No evidence, nothing sensitive or no rows: no risk. From 10,000 rows on it is as large as it gets."""
    assert risk(0.0, 1.0, 10_000) == risk(5.0, 0.0, 10_000) == risk(5.0, 1.0, 0) == 0
    assert risk(5.0, 1.0, FULL_ROWS) == risk(5.0, 1.0, 10**9) == 94


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (0, Severity.INFORMATIONAL),
        (24, Severity.INFORMATIONAL),
        (25, Severity.LOW),
        (44, Severity.LOW),
        (45, Severity.MEDIUM),
        (64, Severity.MEDIUM),
        (65, Severity.HIGH),
        (84, Severity.HIGH),
        (85, Severity.CRITICAL),
        (100, Severity.CRITICAL),
    ],
)
def test_severities(points: int, expected: Severity) -> None:
    """Where each severity begins."""
    assert severity(points) is expected
