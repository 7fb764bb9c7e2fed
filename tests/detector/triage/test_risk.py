from __future__ import annotations

import itertools
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detectors import BUILT_IN
from detector.triage.risk import FULL_ROWS, IDLE, Severity, risk, severity
from detector.triage.risk import evidence as evidence_of

SURPRISES = st.dictionaries(
    st.sampled_from(["volume", "export", "drip", "novelty", "chain", "intel"]), st.floats(0, 5), max_size=6
)

evidence = partial(evidence_of, explanations=BUILT_IN.explanations)


def test_one_detectors_surprise_is_the_evidence() -> None:
    """Nothing is no evidence; what one detector says counts whole."""
    assert evidence({}) == 0.0
    assert evidence({"volume": 4.0}) == evidence({"novelty": 4.0}) == 4.0


@pytest.mark.parametrize("other", ["novelty", "chain", "rhythm", "vendor", "intel", "origin"])
def test_an_independent_kind_corroborates(other: str) -> None:
    """Another kind of evidence adds most of its surprise, another detector of the same kind hardly any."""
    alone = evidence({"volume": 3.0})
    assert evidence({"volume": 3.0, other: 3.0}) - alone == pytest.approx(0.8 * 3.0)
    assert evidence({"volume": 3.0, "export": 3.0}) - alone == pytest.approx(0.15 * 3.0)
    assert evidence({"volume": 3.0, "export": 3.0, "drip": 3.0}) - alone == pytest.approx(0.3 * 3.0)
    kinds = [BUILT_IN.explanations[name].evidence_kind for name in ("volume", "export", "drip")]
    assert kinds == ["amount"] * 3
    assert BUILT_IN.explanations[other].evidence_kind == other


def test_corroboration_raises_risk() -> None:
    """The same rows are a graver matter when two independent kinds speak than when one speaks twice."""
    alone, same, other = (
        risk(evidence(surprises), 0.8, 1000)
        for surprises in (
            {"volume": 3.0},
            {"volume": 3.0, "export": 3.0},
            {"volume": 3.0, "novelty": 3.0},
        )
    )
    assert alone < same < other
    assert other - alone > 4 * (same - alone)


@given(SURPRISES, st.floats(0, 5))
def test_more_evidence_is_never_less(surprises: dict[str, float], more: float) -> None:
    """A further detector that is surprised never lowers the evidence."""
    assert evidence({**surprises, "rhythm": more}) >= evidence(surprises) - 1e-9


@given(SURPRISES)
def test_order_does_not_matter(surprises: dict[str, float]) -> None:
    """Who spoke first is no matter; all together never weigh more than their sum."""
    turned = dict(reversed(list(surprises.items())))
    assert evidence(turned) == pytest.approx(evidence(surprises))
    assert max(surprises.values(), default=0.0) <= evidence(surprises) + 1e-9
    assert evidence(surprises) <= sum(surprises.values()) + 1e-9


@given(st.floats(0, 25), st.floats(0, 1), st.integers(0, 10**12))
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


def test_without_evidence_there_is_no_risk() -> None:
    """However many and sensitive the rows are; from 10,000 rows on more of them do not make it worse."""
    assert risk(0.0, 1.0, 10**9) == 0
    assert risk(5.0, 1.0, FULL_ROWS) == risk(5.0, 1.0, 10**9) == 72


@pytest.mark.parametrize("weight", [3.0, 6.0, 12.0])
def test_what_is_certain_counts_before_anything_has_left(weight: float) -> None:
    """A login from a known-bad address is a risk without a row: a share of what it is when everything has left."""
    idle = risk(weight, 1.0, 0)
    assert idle == risk(weight, 0.0, 10_000) > 0
    assert idle == pytest.approx(IDLE * risk(weight, 1.0, FULL_ROWS), abs=1)


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
    """Where each severity begins; its number is OCSF's."""
    assert severity(points) is expected
    assert [int(level) for level in Severity] == [1, 2, 3, 4, 5]
