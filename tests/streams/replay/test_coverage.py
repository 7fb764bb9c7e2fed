from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.event import AccessEvent, Operation, RecordOrigin
from streams.replay import coverage
from streams.replay.coverage import LEVELS, MOST_DAYS, MOST_ROWS, Coverage, Gap
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event


def covered(events: Iterable[AccessEvent]) -> Coverage:
    """What these events cover."""
    found = Coverage()
    for made in events:
        found.observe(made)
    return found


def at(
    hour: int, count: int, operation: Operation = Operation.QUERY, adapter: str = "a"
) -> list[AccessEvent]:
    """So many events in an hour."""
    origin = RecordOrigin(adapter, "x")
    time_ms = START_MS + hour * HOUR_MS
    return [event(n, time_ms=time_ms + n, operation=operation, origin=origin) for n in range(count)]


def fortnight(
    without: Iterable[int] = (), operation: Operation = Operation.QUERY, count: int = 20
) -> list[AccessEvent]:
    """Two weeks of events from 8 to 18 on working days, but for some hours."""
    gone = set(without)
    hours = [24 * day + hour for day in range(14) if day % 7 < 5 for hour in range(8, 18)]
    return [made for hour in hours if hour not in gone for made in at(hour, count, operation)]


def test_sources_are_counted_by_adapter_and_event_type() -> None:
    """The whole adapter first, then its types by their events; first and last are hours."""
    found = covered(
        [*at(3, 5), *at(9, 2), *at(1, 1, Operation.LOGIN), *at(2, 4, Operation.LOGIN, adapter="b")]
    ).sources()
    assert [(one.adapter, one.operation, one.events, one.hours) for one in found] == [
        ("a", None, 8, 3),
        ("a", Operation.QUERY, 7, 2),
        ("a", Operation.LOGIN, 1, 1),
        ("b", None, 4, 1),
        ("b", Operation.LOGIN, 4, 1),
    ]
    assert (found[1].first_ms, found[1].last_ms) == (START_MS + 3 * HOUR_MS, START_MS + 9 * HOUR_MS)
    assert not any(one.judged for one in found)


def test_a_silent_hour_that_usually_speaks_is_missing() -> None:
    """Hours that belong together are one gap, nights and weekends between them are not held against it."""
    days = fortnight(without=[24 * 2 + 10, 24 * 2 + 11, 24 * 4 + 17, *range(24 * 7 + 8, 24 * 7 + 10)])
    [whole, query] = covered(days).sources()
    assert whole.gaps == (
        Gap(START_MS + (24 * 2 + 10) * HOUR_MS, START_MS + (24 * 2 + 12) * HOUR_MS, 2, 40),
        Gap(START_MS + (24 * 4 + 17) * HOUR_MS, START_MS + (24 * 7 + 10) * HOUR_MS, 3, 60),
    )
    assert whole.judged
    assert query.gaps == ()


def test_an_event_type_may_be_missing_alone() -> None:
    """It is a gap of that type, and not of the adapter; a source that ends early is missing from then on."""
    events = [
        *fortnight(),
        *fortnight(range(24 * 8, 24 * 14), Operation.REPORT),
        *fortnight(count=9, operation=Operation.SEARCH, without=range(100)),
    ]
    gaps = {one.operation: one.gaps for one in covered(events).sources()}
    [gap] = gaps[Operation.REPORT]
    assert (gap.start_ms, gap.end_ms) == (
        START_MS + (24 * 8 + 8) * HOUR_MS,
        START_MS + (24 * 11 + 18) * HOUR_MS,
    )
    assert (gap.hours, gap.usual_events) == (40, 800)
    assert gaps[None] == gaps[Operation.QUERY] == ()
    assert gaps[Operation.SEARCH] == ()  # too small to miss


def test_the_map_has_a_row_a_day() -> None:
    """Each hour with its events; what is missing, and what lies before and after the logs, is marked."""
    rows = covered([*fortnight(without=[34]), *fortnight([34, 35], Operation.REPORT)]).rows()
    assert len(rows) == 12  # to the second Friday
    assert rows[0].start_ms == START_MS
    assert rows[0].events[8:18] == (40,) * 10
    assert rows[0].outside == (True,) * 8 + (False,) * 16
    assert rows[-1].outside == (False,) * 18 + (True,) * 6
    assert [(day, hour) for day, row in enumerate(rows) for hour in range(24) if row.missing[hour]] == [
        (1, 10)
    ]
    assert [(day, hour) for day, row in enumerate(rows) for hour in range(24) if row.partly[hour]] == [
        (1, 11)
    ]
    assert rows[1].levels[10] == 0
    assert max(max(row.levels) for row in rows) == LEVELS


def test_event_types_have_a_strip_over_the_same_days() -> None:
    """With their events by day."""
    found = covered([*fortnight(), *at(30, 3, Operation.LOGIN)])
    strips = {strip.source.operation: strip.events for strip in found.strips()}
    assert strips[Operation.LOGIN] == (0, 3, *[0] * 10)
    assert strips[Operation.QUERY] == tuple(200 if day % 7 < 5 else 0 for day in range(12))
    assert {len(strip.levels) for strip in found.strips()} == {len(found.rows())}


@pytest.mark.parametrize(("days", "rows"), [(62, 62), (63, 32), (400, 58), (3000, 58)])
def test_many_days_share_rows(days: int, rows: int) -> None:
    """A map never has more than its rows, however long the logs are; the newest days are on it."""
    found = covered(event(n, time_ms=START_MS + n * DAY_MS) for n in range(days)).rows()
    assert len(found) == rows <= MOST_ROWS
    assert found[-1].end_ms == START_MS + days * DAY_MS
    assert sum(sum(row.events) for row in found) == min(days, MOST_DAYS)


def test_an_hour_from_long_ago_costs_nothing() -> None:
    """Two events fifty years apart make a small map."""
    found = covered([event(1, time_ms=0), event(2, time_ms=START_MS)])
    assert len(found.rows()) <= MOST_ROWS
    assert [one.events for one in found.sources()] == [2, 2]
    assert found.sources()[0].first_ms == 0


def test_hours_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit events are counted as such, and those that have a place go on being counted."""
    monkeypatch.setattr(coverage, "MOST_HOURS", 3)
    found = covered([*at(0, 2), *at(1, 1), *at(2, 1), *at(3, 5), *at(0, 4), *at(0, 1, Operation.LOGIN)])
    assert found.uncharted == 5
    assert found.operations == {Operation.QUERY, Operation.LOGIN}
    assert [one.events for one in found.sources()] == [9, 8, 1]


def test_nothing_covers_nothing() -> None:
    """No source, no row, no strip."""
    found = Coverage()
    assert (found.sources(), found.rows(), found.strips(), found.operations) == ([], [], [], frozenset())


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            event,
            st.integers(0, 9),
            time_ms=st.integers(START_MS, START_MS + 100 * DAY_MS),
            operation=st.sampled_from(list(Operation)[:3]),
            origin=st.sampled_from([RecordOrigin("a", ""), RecordOrigin("b", "")]),
        ),
        max_size=60,
    )
)
def test_maps_add_up(events: list[AccessEvent]) -> None:
    """Sources, map and strips each hold every event once; only what is empty has no level."""
    found = covered(events)
    sources = found.sources()
    assert sum(one.events for one in sources if one.operation is None) == len(events)
    assert sum(one.events for one in sources if one.operation is not None) == len(events)
    assert sum(sum(row.events) for row in found.rows()) == len(events)
    assert sum(sum(strip.events) for strip in found.strips()) == 2 * len(events)
    for row in found.rows():
        assert all((count == 0) == (level == 0) for count, level in zip(row.events, row.levels, strict=True))
