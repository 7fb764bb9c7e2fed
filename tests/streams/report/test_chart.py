from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alert.ocsf import Activity
from detector.event import Operation
from streams.locale.log_text import visible
from streams.report.chart import (
    FLAG_WIDTH,
    LEAST_HEIGHT,
    MOST_STEPS,
    Curve,
    bars,
    bars_top,
    curve,
    shown_marks,
)
from streams.report.timeline import DayRows, Mark, Timeline, TimelineStage
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event
from tests.streams.report.make import (
    HOME,
    MINUTE_MS,
    THEFT_MS,
    account,
    alert,
    analysis,
    everyday,
    incident,
    stolen,
)


def drawn(found: Timeline) -> Curve:
    """The curve of the theft."""
    made = curve(incident(), found)
    assert made is not None
    return made


def heights(path: str) -> list[float]:
    """The heights that a path takes, in thousandths from the top."""
    return [float(number) for number in re.findall(r"(?:M0 |V)(-?[\d.]+)", path)]


def test_the_curve_begins_with_the_first_sign_and_ends_after_the_last() -> None:
    """What left hours before is in its height, not in its width."""
    night = [
        event(n, time_ms=THEFT_MS - HOUR_MS, operation=Operation.BULK_EXPORT, rows=300, ip=HOME) for n in (1,)
    ]
    made = drawn(account(everyday() + night + stolen()))
    assert THEFT_MS - 4 * MINUTE_MS < made.start_ms < THEFT_MS
    assert THEFT_MS + 6 * MINUTE_MS < made.end_ms < THEFT_MS + 10 * MINUTE_MS
    assert made.line.startswith("M0 ")
    first, *_, last = heights(made.line)
    assert first == pytest.approx(1000 - 1000 * 300 / (6320 * 1.06), abs=0.1)
    assert last == pytest.approx(1000 - 1000 / 1.06, abs=0.1)
    assert made.area == f"{made.line}V1000H0Z"


def test_what_left_before_the_first_sign_is_shown_if_it_is_much() -> None:
    """A curve that would begin half way up begins earlier."""
    before = [event(1, time_ms=THEFT_MS - 150 * MINUTE_MS, rows=3000, ip=HOME)]
    made = drawn(account(everyday() + before + stolen()))
    assert made.start_ms < THEFT_MS - 150 * MINUTE_MS


def test_the_bound_stands_on_what_had_left() -> None:
    """In each window it is so much above the rows at the window's beginning."""
    hourly = alert(
        end_time=THEFT_MS + 2 * HOUR_MS,
        anomaly_analyses=[analysis("query.rows", 6000, 500, HOUR_MS, THEFT_MS)],
        finding_info={"types": ["volume"]},
    )
    events = [event(n, time_ms=THEFT_MS + n * 30 * MINUTE_MS, rows=1000, ip=HOME) for n in range(4)]
    made = curve(incident(hourly), account(events, hourly))
    assert made is not None
    top = 4000 * 1.06
    expected = [
        1000 - 1000 * rows / top for rows in (500, 500, 2500)
    ]  # at the left edge, then window by window
    assert heights(made.bound) == pytest.approx(expected, abs=0.1)
    assert made.bound_end == pytest.approx(100 - 100 * 2500 / top, abs=0.01)
    assert made.bound_line == ""


def test_a_bound_far_above_is_left_outside() -> None:
    """Or nothing else could be seen."""
    far = alert(
        anomaly_analyses=[analysis("query.rows", 6000, 10**9, DAY_MS, THEFT_MS)],
        finding_info={"types": ["volume"]},
    )
    made = curve(incident(far), account([event(1, time_ms=THEFT_MS, rows=10)], far))
    assert made is not None
    assert made.bound_end is None
    assert heights(made.line)[-1] < 650


def test_the_bounds_own_rows_have_a_line_if_they_are_not_all() -> None:
    """So that like is compared with like."""
    queries = [event(1, time_ms=THEFT_MS, rows=5000, ip=HOME)]
    made = drawn(account(everyday() + queries + stolen()))
    assert heights(made.bound_line)[-1] > heights(made.line)[-1]
    assert drawn(account(everyday() + stolen())).bound_line == ""


def test_flags_do_not_cover_one_another() -> None:
    """Those that are near stand above one another, numbered as the list of marks is."""
    made = drawn(account(everyday() + stolen()))
    assert [flag.number for flag in made.flags] == list(range(1, 8))
    assert [flag.alert for flag in made.flags] == [False] * 5 + [True, False]
    for flag in made.flags:
        for other in made.flags:
            if flag is not other and flag.level == other.level:
                assert abs(flag.x - other.x) >= FLAG_WIDTH
    assert made.levels == 1 + max(flag.level for flag in made.flags)


def test_an_alert_long_after_does_not_squeeze_the_curve() -> None:
    """Its flag stands at the end and says that it is later."""
    late = alert(Activity.UPDATE, time=THEFT_MS + 3 * HOUR_MS)
    made = curve(incident(alert(), late), account(everyday() + stolen(), alert(), late))
    assert made is not None
    assert made.end_ms < THEFT_MS + 20 * MINUTE_MS
    assert [flag.later for flag in made.flags] == [False] * 7 + [True]
    assert made.flags[-1].x == 100


def test_of_many_updates_the_first_and_the_last_are_marked() -> None:
    """The others are on the same curve."""
    updates = [alert(Activity.UPDATE, time=THEFT_MS + (5 + n) * MINUTE_MS) for n in range(9)]
    found = account(everyday() + stolen(), alert(), *updates)
    shown = [mark.time_ms for mark in shown_marks(found) if mark.stage is TimelineStage.UPDATE]
    assert shown == [THEFT_MS + n * MINUTE_MS for n in (5, 6, 13)]


def test_bars_compare_with_the_days_before() -> None:
    """A day's rows each, the highest below the top, with the bound of a day across."""
    found = account(everyday() + stolen())
    made = bars(incident(), found.days)
    assert made is not None
    assert [bar.inside for bar in made.bars] == [False] * 9 + [True]
    assert made.bars[-1].start_ms == THEFT_MS - 3 * HOUR_MS
    assert made.bars[-1].rows == 6000
    assert made.bars[-1].height == pytest.approx(100 / 1.06, abs=0.01)
    assert made.bound == pytest.approx(100 - 100 * 1500 / (6000 * 1.06), abs=0.01)
    assert 4 <= len(made.x_ticks) <= 6
    assert bars(incident(), ()) is None
    assert bars(incident(), (DayRows(START_MS, 5, True),)) is None


def test_without_rows_there_is_no_curve() -> None:
    """Nothing left that the logs know of."""
    assert curve(incident(), account([event(1, time_ms=THEFT_MS, rows=None)])) is None


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 40 * DAY_MS), st.integers(1, 10**12)), min_size=1, max_size=30),
    st.lists(
        st.tuples(st.integers(-7 * DAY_MS, 60 * DAY_MS), st.sampled_from(list(TimelineStage))), max_size=20
    ),
)
def test_everything_is_on_the_plot(
    steps: list[tuple[int, int]], marks: list[tuple[int, TimelineStage]]
) -> None:
    """Whatever the times and rows: ticks and flags within it, few ticks, all of it numbers."""
    total = 0
    points = []
    for after_ms, rows in sorted(steps):
        total += rows
        points.append((THEFT_MS + after_ms, total))
    found = account([event(1, time_ms=THEFT_MS, rows=1)])
    changed = {name: getattr(found, name) for name in Timeline.__struct_fields__} | {
        "points": tuple(points),
        "rows": total,
        "bound_rows": total,
        "marks": tuple(Mark(stage, THEFT_MS + at, None) for at, stage in sorted(marks)),
    }
    made = drawn(Timeline(**changed))
    assert made.start_ms < made.end_ms
    for tick in (*made.x_ticks, *made.y_ticks):
        assert 0 <= tick.at <= 100
    assert 1 <= len(made.x_ticks) <= 7
    assert 1 <= len(made.y_ticks) <= 6
    assert all(0 <= flag.x <= 100 for flag in made.flags)
    assert re.fullmatch(r"M0 -?[\d.]+(H[\d.]+V-?[\d.]+)*H1000", made.line)
    values = heights(made.line)
    assert values == sorted(values, reverse=True)


def test_a_long_curve_is_drawn_to_its_end() -> None:
    """Text on a page is cut after 4,000 characters, and paths are not: of many points one in each column is drawn."""
    points = tuple((THEFT_MS + 100 * number, 10 * number) for number in range(1, 20_001))
    found = msgspec.structs.replace(account(stolen()), points=points, rows=200_000)
    made = drawn(found)
    assert len(made.line) > 4_000
    assert visible(made.line) is made.line
    assert visible(made.area) is made.area
    assert made.line.count("V") <= MOST_STEPS
    assert heights(made.line)[-1] == pytest.approx(1000 - 1000 / 1.06, abs=0.1)
    assert made.line.endswith("H1000")


def test_bars_of_several_incidents_have_one_scale() -> None:
    """A day of a tenth of the rows is a tenth as high, whosever it is, and one of a single row can be seen."""
    large = (DayRows(START_MS, 1_000, False), DayRows(START_MS + DAY_MS, 10_000, True))
    small = (DayRows(START_MS, 1, False), DayRows(START_MS + DAY_MS, 1_000, True))
    top = bars_top(incident(), large)
    one, other = bars(incident(), large, top), bars(incident(), small, top)
    assert one is not None
    assert other is not None
    assert other.y_ticks == one.y_ticks
    assert other.bars[1].height == one.bars[0].height == pytest.approx(one.bars[1].height / 10, abs=0.001)
    assert other.bars[0].height == LEAST_HEIGHT
