from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alert.ocsf import Activity
from detector.catalogue import Category
from detector.event import AccessEvent, Counting, Operation
from streams.report.timeline import UNNAMED, ExportPath, Timeline, TimelineStage
from streams.report.timeline_builder import CURVE_POINTS, FURTHER, MOST_OBJECTS, MOST_ORIGINS, MOST_WINDOWS
from streams.report.timelines import Timelines
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event
from tests.streams.report.make import (
    AGENT,
    AWAY,
    HOME,
    MINUTE_MS,
    THEFT_MS,
    account,
    alert,
    analysis,
    everyday,
    history,
    stolen,
)

DAY_START_MS = THEFT_MS - 3 * HOUR_MS
JOB = Operation.BULK_EXPORT


def stages(found: Timeline) -> list[tuple[TimelineStage, float, int | None]]:
    """The marks: what, how many minutes into the theft, and rows by then."""
    return [(mark.stage, (mark.time_ms - THEFT_MS) / MINUTE_MS, mark.rows) for mark in found.marks]


def read(number: int, minutes: float = 1, **fields: Any) -> AccessEvent:
    """An event of the same account, within the incident's time unless said otherwise."""
    given: dict[str, Any] = {"time_ms": THEFT_MS + round(minutes * MINUTE_MS), "ip": HOME}
    return event(number, **(given | fields))


def test_rows_count_once_and_the_stages_are_found() -> None:
    """A job counts its running total; each stage of a theft stands at its time with the rows gone by then."""
    found = account(everyday() + stolen())
    assert (found.events, found.rows) == (10, 6020)
    assert stages(found) == [
        (TimelineStage.NETWORK, 0, 0),
        (TimelineStage.RECONNAISSANCE, 1, 0),
        (TimelineStage.SAMPLE, 2, 20),
        (TimelineStage.BULK, 3, 1020),
        (TimelineStage.BOUND, 4, 3020),
        (TimelineStage.ALERT, 4, 3020),
        (TimelineStage.DELETION, 5, 3020),
    ]
    assert {mark.where for mark in found.marks[:4]} == {"192.0.2.0/24"}
    assert found.points[-1] == (THEFT_MS + 6 * MINUTE_MS, 6020)
    assert (found.bound_rows, found.bound_points[-1][1]) == (6000, 6000)
    assert found.objects == (("Case", 6000), ("Contact", 20))
    assert found.ways == (
        ExportPath(JOB, 5, 6000, 0),
        ExportPath(Operation.QUERY, 1, 20, 0),
        ExportPath(Operation.EXPORT_DELETE, 2, 0, 0),
        ExportPath(Operation.COUNT, 1, 0, 0),
        ExportPath(Operation.LOGIN, 1, 0, 0),
    )


def test_rows_are_compared_from_where_the_bounds_window_begins() -> None:
    """What the identity had read that day before the incident counts against the day's bound."""
    night = [read(7, -30, operation=JOB, rows=500, operation_id="nightly")]
    found = account(everyday() + night + stolen())
    assert found.base_ms == DAY_START_MS
    assert found.rows == 6520
    assert found.windows == ((DAY_START_MS, 0, 0),)
    bound = next(mark for mark in found.marks if mark.stage is TimelineStage.BOUND)
    assert (bound.time_ms, bound.rows) == (THEFT_MS + 4 * MINUTE_MS, 3520)


def test_each_window_has_its_bound() -> None:
    """A bound on an hour is not crossed by what two hours took together."""
    hourly = alert(
        start_time=THEFT_MS,
        end_time=THEFT_MS + 3 * HOUR_MS,
        anomaly_analyses=[analysis("query.rows", 6000, 900, HOUR_MS, THEFT_MS)],
        finding_info={"types": ["volume"]},
    )
    minutes = (1, 59, 61, 119, 121, 122)
    found = account([read(n, at, rows=n * 100) for n, at in enumerate(minutes, 3)], hourly)
    assert found.windows == (
        (THEFT_MS, 0, 0),
        (THEFT_MS + HOUR_MS, 700, 700),
        (THEFT_MS + 2 * HOUR_MS, 1800, 1800),
    )
    bound = next(mark for mark in found.marks if mark.stage is TimelineStage.BOUND)
    assert (bound.time_ms, bound.rows) == (THEFT_MS + 119 * MINUTE_MS, 1800)


def test_origins_say_what_is_new_and_who_else_is_there() -> None:
    """An address is new or known since when; up to three other identities at it are named."""
    others = [
        event(10_000 + number, actor=f"other-{number}", ip=AWAY, time_ms=START_MS + number)
        for number in range(5)
    ]
    neighbour = [event(20_000, actor="colleague", ip=HOME, time_ms=START_MS)]
    found = account(others + neighbour + everyday() + [read(1, rows=7, user_agent="sync/1"), *stolen()])
    [away, home] = found.origins
    assert (away.address, away.network, away.user_agent) == (AWAY, "192.0.2.0/24", AGENT)
    assert (away.rows, away.events, away.new, away.known_since_ms) == (6020, 10, True, None)
    assert (away.first_ms, away.last_ms) == (THEFT_MS, THEFT_MS + 6 * MINUTE_MS)
    assert (away.neighbours, away.more_neighbours) == (("t/other-0", "t/other-1", "t/other-2"), True)
    assert (home.address, home.rows, home.new, home.known_since_ms) == (HOME, 7, False, START_MS)
    assert (home.neighbours, home.more_neighbours) == (("t/colleague",), False)


def test_nothing_is_new_to_somebody_unknown() -> None:
    """Without a day of an identity's past, no network is called new and no stage rests on it."""
    found = account([read(1, -600, rows=0), *stolen()])
    assert [origin.new for origin in found.origins if origin.address == AWAY] == [None]
    assert [stage for stage, _, _ in stages(found)] == [
        TimelineStage.RECONNAISSANCE,  # it had never counted anything before
        TimelineStage.BULK,
        TimelineStage.BOUND,
        TimelineStage.ALERT,
        TimelineStage.DELETION,
    ]


def test_first_signs_are_looked_for_in_the_days_before() -> None:
    """Thieves log in first: a new network five days earlier is a part of it, one of ten days ago is known."""
    early = [
        read(n, -5 * 24 * 60 + n, operation=Operation.COUNT, rows=None, ip="203.0.113.9") for n in (1, 2)
    ]
    found = account(sorted(everyday() + early + stolen(), key=lambda made: made.time_ms))
    assert stages(found)[:2] == [
        (TimelineStage.NETWORK, -5 * 24 * 60 + 1, None),
        (TimelineStage.RECONNAISSANCE, -5 * 24 * 60 + 1, None),
    ]
    assert [origin.address for origin in found.origins] == [AWAY, "203.0.113.9"]
    assert found.rows == 6020
    later = alert(start_time=THEFT_MS + 10 * DAY_MS, end_time=THEFT_MS + 10 * DAY_MS + 6 * MINUTE_MS)
    again = account(everyday() + early + stolen() + stolen(THEFT_MS + 10 * DAY_MS), later)
    assert TimelineStage.NETWORK not in [mark.stage for mark in again.marks]
    assert {origin.new for origin in again.origins} == {False}


def test_an_open_incident_is_followed_where_it_came_with_a_new_network() -> None:
    """After the last alert the thief's own network counts on for a day and a half, others do not."""
    after = [
        read(1, 10, ip=AWAY, operation=JOB, rows=700),
        read(2, 11, rows=90),
        read(3, 36 * 60 + 6, ip=AWAY, rows=5),
        read(4, 36 * 60 + 7, ip=AWAY, rows=5),
    ]
    found = account(everyday() + stolen() + after)
    assert found.rows == 6020 + 700 + 5
    assert found.end_ms == THEFT_MS + (36 * 60 + 6) * MINUTE_MS
    closed = account(everyday() + stolen() + after, alert(), alert(Activity.CLOSE))
    assert closed.rows == 6020


def test_marks_say_how_much_had_left_at_each_alert() -> None:
    """Alerts that came after the last event stand with all rows; that one is closed is no mark."""
    made = [
        alert(),
        alert(Activity.UPDATE, severity_id=5, time=THEFT_MS + 330_000),
        alert(Activity.UPDATE, severity_id=5, time=THEFT_MS + HOUR_MS),
        alert(Activity.CLOSE, time=THEFT_MS + DAY_MS),
    ]
    found = account(everyday() + stolen(), *made)
    alerts = [(mark.stage, mark.severity, mark.rows) for mark in found.marks if mark.severity]
    assert alerts == [
        (TimelineStage.ALERT, 4, 3020),
        (TimelineStage.UPDATE, 5, 4020),
        (TimelineStage.UPDATE, 5, 6020),
    ]


def test_what_the_log_does_not_say_is_not_nothing() -> None:
    """Reads without a number of rows or an object are counted as such, and their categories as touched."""
    events = [
        read(1, rows=None, objects=("Passport__c",), operation=Operation.REPORT_EXPORT),
        read(2, rows=None, objects=(), operation=Operation.FILE_DOWNLOAD),
        read(3, rows=0, objects=("Voucher",)),
        read(4, rows=None, objects=("Payment",), operation=Operation.COUNT),
        read(5, rows=9, objects=("Account", "Case")),
        read(6, rows=4, objects=()),
    ]
    found = account(events)
    assert found.objects == (("Case", 9), (UNNAMED, 4))
    assert found.unknown_objects == (("Passport__c", 1), (UNNAMED, 1))
    assert found.unnamed_reads == 2
    assert found.touched == {
        Category.IDENTITY_DOCUMENTS, Category.LOYALTY, Category.PAYMENT, Category.CONTACT, Category.CUSTOMER_SERVICE,
    }  # fmt: skip
    assert ExportPath(Operation.REPORT_EXPORT, 1, 0, 1) in found.ways


def test_days_before_are_there_to_compare_with() -> None:
    """Rows of the bound's own operation by day, from its first day in the logs on."""
    found = account(everyday() + stolen())
    assert [(day.rows, day.inside) for day in found.days] == [(500, False)] * 9 + [(6000, True)]
    assert found.days[0].start_ms == START_MS
    assert found.known_from_ms == START_MS


def test_of_many_identities_only_what_came_from_the_origin_counts() -> None:
    """Accounts misused from one address go on working from their own."""
    many = alert(
        unmapped={"crmwatch": {"identity": "", "network": "192.0.2.0/24", "actors": {"a": 1, "b": 1}}}
    )
    events = [
        read(n, actor=name, ip=ip, rows=rows)
        for n, (name, ip, rows) in enumerate(
            [("a", AWAY, 5), ("a", HOME, 100), ("b", AWAY, 6), ("c", AWAY, 1000)]
        )
    ]
    found = account(events, many)
    assert (found.rows, found.events) == (11, 2)
    assert found.origins[0].neighbours == ("t/c",)


def test_what_is_too_much_is_counted_not_kept() -> None:
    """Ten thousand addresses, objects and steps stay within their limits, and nothing is lost from the sums."""
    count = 10_000
    events = [
        read(n, n / count, ip=f"10.{n >> 8}.{n & 255}.1", objects=(f"O{n}__c",), rows=2) for n in range(count)
    ]
    found = account(events)
    assert found.rows == 2 * count
    assert len(found.points) == CURVE_POINTS
    assert (found.points[0][1], found.points[-1][1]) == (2, 2 * count)
    assert len(found.objects) == MOST_OBJECTS + 1
    assert dict(found.objects)[FURTHER] == 2 * (count - MOST_OBJECTS)
    assert len(found.origins) == MOST_ORIGINS
    assert found.more_origins == count - MOST_ORIGINS


def test_more_windows_than_can_be_drawn_are_none() -> None:
    """Rather than a bound that ends somewhere, none is drawn."""
    span = alert(
        end_time=THEFT_MS + 2 * MOST_WINDOWS * HOUR_MS,
        anomaly_analyses=[analysis("query.rows", 6000, 900, HOUR_MS, THEFT_MS)],
        finding_info={"types": ["volume"]},
    )
    events = [read(n, 60 * n, rows=1) for n in range(MOST_WINDOWS + 1)]
    assert account(events, span).windows == ()
    assert len(account(events[1:], span).windows) == MOST_WINDOWS


def test_a_thinned_curve_keeps_its_steps() -> None:
    """The largest steps of a curve with many are where they were."""
    events = [read(n, n / 1000, rows=5000 if n == 2500 else 1) for n in range(5000)]
    points = account(events).points
    assert (THEFT_MS + 150_000, 7500) in points
    assert (THEFT_MS + 149_940, 2500) in points or points[0][0] <= THEFT_MS + 149_940


def test_without_events_there_is_no_account() -> None:
    """Of an incident whose events were not seen, nothing is claimed."""
    one = history()
    accounts = Timelines([one])
    accounts.observe(event(1, actor="somebody-else", time_ms=THEFT_MS))
    assert accounts.account(one.finding) is None
    assert accounts.until_ms == THEFT_MS + 6 * MINUTE_MS + 36 * HOUR_MS
    assert Timelines([]).until_ms is None


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            read,
            st.integers(0, 40),
            st.sampled_from([-20_000, -9000, -1, 0, 1, 2, 3, 5, 6, 7, 2000]),
            ip=st.sampled_from([None, HOME, AWAY, "Salesforce.com IP", "::1", "fe80::1%eth0"]),
            rows=st.none() | st.integers(-1, 10**13),
            objects=st.sampled_from([(), ("Case",), ("Case", "Contact"), ("?",)]),
            operation=st.sampled_from(list(Operation)),
            operation_id=st.sampled_from([None, "a", "b"]),
            counting=st.sampled_from(list(Counting)),
        ),
        max_size=40,
    )
)
def test_an_account_adds_up(events: list[AccessEvent]) -> None:
    """The curve rises to the rows; so do objects, ways and origins; marks are in order."""
    one = history(alert(), alert(Activity.UPDATE, time=THEFT_MS + HOUR_MS))
    accounts = Timelines([one])
    for made in sorted(events, key=lambda made: made.time_ms):
        accounts.observe(made)
    found = accounts.account(one.finding)
    if found is None:
        return
    assert list(found.points) == sorted(set(found.points))
    assert (found.points[-1][1] if found.points else 0) == found.rows
    assert sum(rows for _, rows in found.objects) == found.rows
    assert sum(way.rows for way in found.ways) == found.rows
    assert sum(origin.rows for origin in found.origins) == found.rows
    assert sum(origin.events for origin in found.origins) == found.events
    times = [mark.time_ms for mark in found.marks]
    assert times == sorted(times)
    assert all(mark.rows is None or 0 <= mark.rows <= found.rows for mark in found.marks)


@pytest.mark.parametrize("stage", [TimelineStage.NETWORK, TimelineStage.SAMPLE])
def test_a_known_network_is_no_stage(stage: TimelineStage) -> None:
    """The same theft from the identity's own network has neither."""
    home = [
        event(
            500 + n,
            time_ms=made.time_ms,
            operation=made.operation,
            rows=made.rows,
            ip=HOME,
            operation_id=made.operation_id,
            counting=made.counting,
        )
        for n, made in enumerate(stolen())
    ]
    found = account(everyday() + home)
    assert found.rows == 6020
    assert stage not in [mark.stage for mark in found.marks]
