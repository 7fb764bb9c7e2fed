from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.settings import SEVERITIES, SeverityTable
from detector.triage.risk import (
    FULL_ROWS,
    MOST_RANK,
    Assessment,
    Severity,
    impact,
    rank_of,
    risk_of,
    severity_of,
)
from tests.detector.incidents import incident, part

RANKS = range(-MOST_RANK, MOST_RANK + 1)
TABLE = SeverityTable()


def test_risk_is_the_probability_of_a_rank() -> None:
    """A rank of 0 is 50 %, its negative is what is missing to 100 %, and an assessment says the same."""
    risks = [risk_of(rank) for rank in RANKS]
    assert risks == sorted(risks)
    assert (risks[0], risk_of(0), risks[-1]) == (0, 50, 100)
    assert all(risk_of(rank) + risk_of(-rank) == 100 for rank in RANKS)
    assert [Assessment(rank, 7).risk for rank in RANKS] == risks


@pytest.mark.parametrize("risk", range(101))
def test_a_risk_and_its_rank_agree(risk: int) -> None:
    """A risk's rank is that risk again, but for what a tenth of log-odds rounds away; 0 and 100 are the ends."""
    rank = rank_of(risk)
    assert rank in RANKS
    assert abs(risk_of(rank) - risk) <= 1
    assert (rank_of(0), rank_of(100)) == (-MOST_RANK, MOST_RANK)
    assert risk == 0 or rank_of(risk - 1) <= rank


def test_every_cell_of_the_table_is_the_severity_there() -> None:
    """A row begins at its least risk, a column at its least impact, and each cell names the severity."""
    rows, columns = (0, *TABLE.risks, 101), (0, *TABLE.impacts, 101)
    for row, column in itertools.product(range(len(TABLE.levels)), range(len(TABLE.levels[0]))):
        corners = itertools.product(
            (rows[row], rows[row + 1] - 1), (columns[column], columns[column + 1] - 1)
        )
        found = {severity_of(risk, impact, TABLE).name.lower() for risk, impact in corners}
        assert found == {TABLE.levels[row][column]}


def test_the_severities_are_ocsfs() -> None:
    """The table's words name `Severity` in its order, whose numbers are OCSF's."""
    assert tuple(level.name.lower() for level in Severity) == SEVERITIES
    assert [int(level) for level in Severity] == [1, 2, 3, 4, 5]


@given(*[st.integers(0, 100)] * 4)
def test_what_is_likelier_and_worse_is_not_less_severe(
    risk: int, worse_risk: int, impact: int, worse_impact: int
) -> None:
    """With the shipped table neither more risk nor more impact lowers the severity."""
    (risk, worse_risk), (impact, worse_impact) = sorted((risk, worse_risk)), sorted((impact, worse_impact))
    assert severity_of(risk, impact, TABLE) <= severity_of(worse_risk, worse_impact, TABLE)


def test_a_table_of_ones_own_decides() -> None:
    """A single row and column give everything one severity; others follow their own limits."""
    same = SeverityTable(risks=(), impacts=(), levels=(("medium",),))
    assert {severity_of(risk, risk, same) for risk in range(101)} == {Severity.MEDIUM}
    by_impact = SeverityTable(risks=(), impacts=(50,), levels=(("low", "critical"),))
    assert severity_of(100, 49, by_impact) is Severity.LOW
    assert severity_of(0, 50, by_impact) is Severity.CRITICAL


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"risks": [60, 30, 85]}, "the limits of risks and of impacts must rise"),
        ({"impacts": [30, 30]}, "the limits of risks and of impacts must rise"),
        ({"risks": [30, 60]}, "levels must have 3 rows of 3, one more than there are limits"),
        ({"impacts": [30]}, "levels must have 4 rows of 2, one more than there are limits"),
        ({"levels": [["low"], ["low", "low", "low"]]}, "levels must have 4 rows of 3"),
        ({"levels": []}, "levels must have 4 rows of 3"),
        ({"risks": [30, 60, 101]}, "Expected `int` <= 100"),
        ({"risks": [], "impacts": [], "levels": [["grave"]]}, "Invalid enum value 'grave'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(fields: dict[str, object], sentence: str) -> None:
    """Limits that do not rise, rows or columns too many or few, and unknown words are errors that say so."""
    with pytest.raises(msgspec.ValidationError, match=sentence):
        msgspec.convert(fields, SeverityTable)


# --- impact


def of(**objects: int) -> int:
    """The impact of taking so many rows of each kind."""
    return impact(incident(parts=[part(sum(objects.values()), objects)]))


def test_impact_weighs_what_was_taken() -> None:
    """A single contact among ten thousand products hardly counts; every row of a kind counts as that kind."""
    products, contacts = of(Product2=10_001), of(Contact=10_001)
    assert of(Product2=10_000, Contact=1) == products < contacts - 10
    assert of(Product2=1, Contact=10_000) == contacts
    mixed = [of(Product2=10_000 - count, Contact=count) for count in (1, 20, 100, 500, 2_000, 10_000)]
    assert mixed == sorted(mixed)
    assert mixed[-1] == contacts
    assert of(Product2=10_000, Contact=100) >= of(Contact=100)
    assert of(Passport__c=5, Contact=5_000) >= of(Contact=5_005)


@given(
    st.dictionaries(st.sampled_from(["Contact", "Case", "User", "Product2"]), st.integers(1, 10**9)),
    st.sampled_from(["Contact", "Case", "User", "Product2"]),
    st.integers(1, 10**6),
)
def test_more_rows_are_never_less_impact(objects: dict[str, int], kind: str, more: int) -> None:
    """From 0 to 100, and further rows of any kind never lower it."""
    before, after = of(**objects), of(**{**objects, kind: objects.get(kind, 0) + more})
    assert 0 <= before <= after <= 100


def test_impact_goes_from_nothing_to_a_breach() -> None:
    """Without rows there is none; from 10,000 rows on more of them do not make it worse."""
    assert impact(incident(parts=[])) == 0
    assert of(Contact=1) < of(Contact=FULL_ROWS) == of(Contact=10**9)
