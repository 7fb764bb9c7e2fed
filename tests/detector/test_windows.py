from __future__ import annotations

from math import exp, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.event import AccessEvent
from detector.identity.windows import (
    DAY_MS,
    HOUR_MS,
    MAX_OBJECT_NAME,
    MAX_OBJECTS,
    OTHER_OBJECTS,
    Cell,
    add,
    bound_rows,
    close,
    gravest,
    make_room,
    next_close_ms,
)
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind
from tests.detector.make import START_MS, event

SETTINGS = DetectionSettings()
LATE_MS = SETTINGS.late_seconds * 1000


def enter(
    cell: Cell, found: AccessEvent, *, value: int | None = None, horizon_ms: int = HOUR_MS
) -> Signal | None:
    """An event into a cell: a sum of its rows, or with `value` the largest operation."""
    rows = found.rows or 0
    return add(
        cell, "volume", "query", horizon_ms, found, rows if value is None else value, rows, SETTINGS,
        largest=value is not None,
    )  # fmt: skip


def end(cell: Cell, until_ms: int, horizon_ms: int = HOUR_MS) -> list[Signal]:
    """Close what is due."""
    return close(((horizon_ms, {"query": cell}),), "volume", until_ms, SETTINGS)


def learned(values: list[int]) -> Cell:
    """A cell that has learned one window of each value."""
    cell = Cell()
    for number, rows in enumerate(values):
        start = START_MS + number * HOUR_MS
        enter(cell, event(number, time_ms=start, rows=rows))
        end(cell, start + HOUR_MS + LATE_MS)
    return cell


def test_a_newcomer_has_the_priors_bound() -> None:
    """Nothing known: the bound is the prior's level and two of its deviations."""
    deviation = (SETTINGS.prior_deviation**2 + 0.04) ** 0.5
    assert bound_rows(Cell(), HOUR_MS, SETTINGS) == pytest.approx(41 * exp(2 * deviation) - 1)
    assert bound_rows(Cell(), DAY_MS, SETTINGS) == pytest.approx(161 * exp(2 * deviation) - 1)


def test_the_level_becomes_the_identitys_own() -> None:
    """After many windows of 1,000 rows the level is theirs and the bound not far above it."""
    cell = learned([1000] * 200)
    assert cell.windows == 200
    assert cell.mean == pytest.approx(log1p(1000))
    assert cell.variance == pytest.approx(0.0, abs=1e-9)
    assert 1000 < cell.bound < 3000


def test_the_first_windows_count_alike() -> None:
    """While an identity is new, its level is the plain mean of its windows."""
    cell = learned([10, 20, 40])
    assert cell.mean == pytest.approx((log1p(10) + log1p(20) + log1p(40)) / 3)


def test_a_window_speaks_when_it_crosses_and_when_it_has_grown() -> None:
    """A signal at the first crossing, then not before the value has grown by half, with the event as evidence."""
    cell = Cell()
    bound = int(bound_rows(cell, HOUR_MS, SETTINGS))
    assert enter(cell, event(1, rows=bound)) is None
    first = enter(cell, event(2, rows=1))
    assert first is not None
    assert (first.kind, first.value, first.crossed) == (SignalKind.CROSSED, bound + 1, True)
    assert (first.start_ms, first.first_ms, first.last_ms) == (START_MS, START_MS + 1000, START_MS + 2000)
    assert first.time_ms == START_MS + 2000
    assert first.own_bound < first.value
    assert first.evidence is not None
    assert (first.evidence.event_id, first.evidence.rows, first.evidence.position) == ("e-2", 1, "log:2")
    assert enter(cell, event(3, rows=bound // 2 - 1)) is None
    again = enter(cell, event(4, rows=bound // 2))
    assert again is not None
    assert again.value >= 1.5 * first.value


def test_a_closed_window_says_what_it_was() -> None:
    """Each window that ends is told and learned once, whether it crossed or not, at the same moment."""
    cell = Cell()
    enter(cell, event(1, rows=30, objects=("Case",)))
    due = START_MS + HOUR_MS + LATE_MS
    assert next_close_ms(((HOUR_MS, {"query": cell}),), SETTINGS) == due
    assert end(cell, due - 1) == []
    (told,) = end(cell, due + 12_345)
    assert (told.kind, told.value, told.crossed, told.time_ms) == (SignalKind.CLOSED, 30, False, due)
    assert told.objects == {}
    assert told.own_windows == 0
    assert cell.windows == 1
    assert cell.open == {}
    assert next_close_ms(((HOUR_MS, {"query": cell}),), SETTINGS) is None
    assert end(cell, due + DAY_MS) == []


def test_windows_close_oldest_first() -> None:
    """Several windows that are due close in the order of their time."""
    cell = Cell()
    for number in (2, 0, 1):
        enter(cell, event(number, time_ms=START_MS + number * HOUR_MS))
    assert [told.start_ms for told in end(cell, START_MS + DAY_MS)] == [
        START_MS + number * HOUR_MS for number in range(3)
    ]


def test_a_late_event_joins_its_window_while_that_is_open() -> None:
    """An event of the hour before adds to the hour before, and moves neither its first nor last event wrongly."""
    cell = Cell()
    enter(cell, event(1, time_ms=START_MS + 600_000, rows=5))
    enter(cell, event(2, time_ms=START_MS + HOUR_MS + 5, rows=7))
    enter(cell, event(3, time_ms=START_MS + 100, rows=11))
    window = cell.open[START_MS]
    assert (window.value, window.first_ms, window.last_ms) == (16, START_MS + 100, START_MS + 600_000)
    assert cell.open[START_MS + HOUR_MS].value == 7


def test_days_begin_at_midnight_utc() -> None:
    """A day's window is the day in UTC, also before 1970."""
    cell = Cell()
    enter(cell, event(1, time_ms=START_MS + DAY_MS - 1), horizon_ms=DAY_MS)
    enter(cell, event(2, time_ms=START_MS + DAY_MS), horizon_ms=DAY_MS)
    enter(cell, event(3, time_ms=-1), horizon_ms=DAY_MS)
    assert sorted(cell.open) == [-DAY_MS, START_MS, START_MS + DAY_MS]


def test_the_largest_operation_counts() -> None:
    """With `largest` a window is its largest operation, and only what left within the window counts as left."""
    cell = Cell()
    enter(cell, event(1, rows=100, objects=("Case",)), value=100)
    enter(cell, event(2, rows=50, objects=("Lead",)), value=50)
    window = cell.open[START_MS]
    assert (window.value, window.objects) == (100, {"Case": 100})
    found = enter(cell, event(3, rows=800, objects=("Contact",)), value=5000)
    assert found is not None
    assert found.value == 5000
    assert found.objects == {"Contact": 950}


def test_objects_add_up() -> None:
    """Rows are told by kind of record, and an event without one counts under the rest."""
    cell = Cell()
    enter(cell, event(1, rows=300, objects=("Case",)))
    enter(cell, event(2, rows=200, objects=()))
    found = enter(cell, event(3, rows=400, objects=("User", "Contact")))
    assert found is not None
    assert found.objects == {"Case": 300, OTHER_OBJECTS: 200, "Contact": 400}


def test_small_fry_cannot_hide_a_theft() -> None:
    """Where many kinds are read, those that matter most are named: a few rows of others do not crowd them out."""
    cell = Cell()
    for number in range(MAX_OBJECTS + 3):
        enter(cell, event(number, rows=2, objects=(f"Trifle{number}__c",)))
    found = enter(cell, event(99, rows=9000, objects=("Case",)))
    assert found is not None
    assert found.objects["Case"] == 9000
    assert sum(found.objects.values()) == found.value == 9000 + 2 * (MAX_OBJECTS + 3)
    assert len(found.objects) == MAX_OBJECTS + 1


def test_an_endless_name_is_cut() -> None:
    """The name of a kind of record takes bounded room, and its rows still add up."""
    cell = Cell()
    for number in range(3):
        enter(cell, event(number, rows=5, objects=("N" * 10_000,)))
    assert cell.open[START_MS].objects == {"N" * MAX_OBJECT_NAME: 15}


def test_the_gravest_kind_decides() -> None:
    """An event that touches several kinds counts as the most sensitive, in whatever place it is named."""
    assert gravest(("User", "Case")) == gravest(("Case", "User")) == "Case"
    assert gravest(()) == OTHER_OBJECTS


def test_learning_is_winsorised() -> None:
    """Whatever a window holds, a known identity learns at most its bound."""
    one, other = learned([100] * 50), learned([100] * 50)
    for cell, rows in ((one, int(one.bound) + 1), (other, 10**9)):
        enter(cell, event(99, time_ms=START_MS + 99 * HOUR_MS, rows=rows))
        end(cell, START_MS + 200 * HOUR_MS)
    assert one.mean == pytest.approx(other.mean, rel=1e-3)
    assert one.bound == pytest.approx(other.bound, rel=1e-2)


def test_a_newcomer_finds_its_level() -> None:
    """While nothing is known, more than the prior's bound is learned, or a busy program would never be known."""
    assert learned([20_000] * 30).bound > 20_000


def test_room_is_made_for_the_newest() -> None:
    """One too many open windows: the first due closes, and says it was known now rather than later."""
    cells = {"query": Cell(), "report": Cell()}
    hours = ((HOUR_MS, cells),)
    now_ms = START_MS + 3 * HOUR_MS + 7
    for number in range(2):
        enter(cells["query"], event(number, time_ms=START_MS + (3 - number) * HOUR_MS))
        enter(cells["report"], event(number, time_ms=START_MS + (12 - number) * HOUR_MS))
    assert make_room(hours, "volume", 4, now_ms, SETTINGS) == []
    (told,) = make_room(hours, "volume", 3, now_ms, SETTINGS)
    assert (told.channel, told.start_ms, told.time_ms) == ("query", START_MS + 2 * HOUR_MS, now_ms)
    assert make_room(hours, "volume", 3, now_ms, SETTINGS) == []
    patient = DetectionSettings(late_seconds=4 * 3600)
    assert make_room(hours, "volume", 2, now_ms, patient) == []
    assert len(make_room(hours, "volume", 2, now_ms, SETTINGS)) == 1


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=40))
def test_a_bound_is_finite_and_above_the_prior_of_nothing(values: list[int]) -> None:
    """Whatever has been learned, bound and level are finite numbers, and the variance is none below zero."""
    cell = learned(values)
    assert 0 < cell.bound < 1e30
    assert 0 <= cell.variance < 400
    assert 0 < cell.mean < 40
