from __future__ import annotations

import pytest

from detector.event import Counting, Operation
from detector.identity.baseline import Baseline, bound
from detector.identity.detectors.export import OPERATIONS
from detector.settings import DetectionSettings
from detector.signal import Familiarity, Signal, SignalKind, Span
from detector.units import DAY_MS
from tests.detector.identity.life import Life, crossed, measures
from tests.detector.make import START_DAY, START_MS

SETTINGS = DetectionSettings()
BOUND = bound(Baseline(), Span.OPERATION, SETTINGS)
JOB = {"operation": Operation.BULK_EXPORT, "operation_id": "job", "counting": Counting.MAXIMUM}


def exports(life: Life, day: float, **fields: object) -> list[Signal]:
    """What is said of one event."""
    return crossed(life.do(day, **fields), "export")


def test_one_operation_too_large_is_said() -> None:
    """A query of more rows than the bound is a signal at once, with what it was, its rows and the event."""
    life = Life(SETTINGS)
    assert exports(life, 0.5, rows=BOUND) == []
    [found] = exports(life, 0.6, rows=BOUND + 1)
    assert (found.kind, found.channel, found.day) == (SignalKind.CROSSED, "query", START_DAY)
    assert found.time_ms == found.first_ms == found.last_ms == START_MS + round(0.6 * DAY_MS)
    assert (found.rows, found.objects) == (BOUND + 1, {"Case": BOUND + 1})
    [one] = found.measures
    assert (one.detector, one.channel, one.span, one.value) == ("export", "query", Span.OPERATION, BOUND + 1)
    assert one.familiarity is Familiarity.COLD
    assert found.evidence is not None
    assert found.evidence.event_id == "e-2"


def test_many_small_ones_are_not_one_large() -> None:
    """However many operations there are, each is held against the largest of other days alone."""
    life = Life(SETTINGS)
    for number in range(50):
        assert exports(life, 0.5 + number / 1000, rows=BOUND - 10) == []


def test_a_job_grows_in_its_parts() -> None:
    """A job that reports its progress is one operation: said when its sum crosses the bound, and again when it has
    grown by half, with only the rows that are new to it counted."""
    life = Life(SETTINGS)
    said = []
    for part, rows in enumerate((BOUND - 1, BOUND + 100, BOUND + 200, 2 * BOUND + 200, 2 * BOUND + 201)):
        said += exports(life, 0.5 + part / 1000, rows=rows, **JOB)
    assert [one.measures[0].value for one in said] == [BOUND + 100, 2 * BOUND + 200]
    assert [one.rows for one in said] == [BOUND + 100, 2 * BOUND + 200]
    assert said[0].evidence is not None
    assert said[0].evidence.rows == 101


def test_a_job_over_midnight_is_one_operation_of_two_days() -> None:
    """Its size is that of the whole job, but each day's rows are those that left on it."""
    life = Life(SETTINGS)
    exports(life, 0.99, rows=10 * BOUND, **JOB)
    [found] = exports(life, 1.01, rows=20 * BOUND, **JOB)
    assert found.measures[0].value == 20 * BOUND
    assert (found.day, found.rows) == (START_DAY + 1, 10 * BOUND)
    assert found.objects == {"Case": 10 * BOUND}


def test_said_of_a_day_is_said_again_only_when_larger_by_half() -> None:
    """A second operation of the same day as large as the first is no news; one half larger is; the next day is new."""
    life = Life(SETTINGS)
    assert exports(life, 0.5, rows=1000 + BOUND)
    assert exports(life, 0.6, rows=1001 + BOUND) == []
    assert exports(life, 0.7, rows=(1000 + BOUND) * 2)
    assert exports(life, 1.5, rows=1001 + BOUND)


@pytest.mark.parametrize("operation", Operation)
def test_only_what_can_be_large_is_looked_at(operation: Operation) -> None:
    """A view of one record or a login is no export, whatever its log says; and the company's own data are none."""
    life = Life(SETTINGS, operation=operation, rows=10**6)
    assert exports(life, 0.5, objects=("User",)) == []
    assert bool(exports(life, 0.5)) == (operation in OPERATIONS)


def test_each_kind_of_operation_has_its_own_level() -> None:
    """Who is used to bulk jobs of 50,000 rows is not used to a report of so many."""
    life = Life(SETTINGS)
    for day in range(30):
        life.do(day + 0.5, rows=50_000, operation=Operation.BULK_EXPORT)
    assert exports(life, 30.5, rows=40_000, operation=Operation.BULK_EXPORT) == []
    [found] = exports(life, 30.6, rows=40_000, operation=Operation.REPORT)
    assert found.measures[0].familiarity is Familiarity.NEVER
    assert found.measures[0].days == 0


def test_the_largest_of_a_day_is_learned() -> None:
    """A day that is over tells the largest operation of each kind, beside what was usual before, and learns it."""
    life = Life(SETTINGS)
    for rows in (100, 300, 200):
        life.do(0.5, rows=rows)
    life.do(0.5, rows=40, operation=Operation.REPORT)
    told = measures(life.close(1.1), "export")
    assert {key: (one.value, one.days) for key, one in told.items()} == {
        ("query", Span.OPERATION): (300, 0), ("report", Span.OPERATION): (40, 0)
    }  # fmt: skip
    life.do(1.5, rows=7)
    told = measures(life.close(2.1), "export")
    assert {key: (one.value, one.days) for key, one in told.items()} == {("query", Span.OPERATION): (7, 1)}
    assert told["query", Span.OPERATION].mean == pytest.approx(5.707, abs=1e-3)


@pytest.mark.parametrize("past", [0, 3, 30])
def test_fewer_rows_are_never_worse(past: int) -> None:
    """After the same past, an operation of fewer rows is not said if one of more is not."""
    said = []
    for rows in (0, 1, 3, 10, 100, 300, 1000, 10_000, 10**6, 10**12):
        life = Life(SETTINGS)
        life.work(days=past)
        said.append(bool(exports(life, past + 0.5, rows=rows)))
    assert said == sorted(said)
    assert not said[0]
    assert said[-1]
