from __future__ import annotations

from detector.event import Operation
from detector.response.coverage import CoverageMatrix
from detector.units import HOUR_MS
from tests.detector.make import START_MS, event


def test_hours_without_any_event_and_operations_without_any_are_named() -> None:
    """The matrix counts events by hour and operation, and names hours and reading operations that have none."""
    matrix = CoverageMatrix()
    for hour in (0, 0, 2):
        matrix.observe(event(hour * 3_600))
    first = START_MS // HOUR_MS
    assert [matrix.count(first + hour, Operation.QUERY) for hour in range(3)] == [2, 0, 1]
    assert matrix.dark_hours(START_MS, START_MS + 3 * HOUR_MS) == 1
    assert matrix.dark_hours(START_MS, START_MS + 1) == 0
    assert Operation.QUERY not in matrix.absent()
    assert Operation.REPORT in matrix.absent()
    assert Operation.LOGIN not in matrix.absent()
