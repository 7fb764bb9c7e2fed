from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.event import ActorKind, Operation
from detector.fleet.population import Expectation
from detector.identity import profile as profiles
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence
from detector.triage.incident import (
    MAX_PARTS,
    MAX_VALUES,
    Incident,
    add,
    channels_left,
    has_part,
    objects_left,
    rows_left,
)
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event, signal

EVERYTHING = DetectionSettings(
    bound_deviations=0.0, growth=1.0, prior_weight=1e9, prior_rows_hour=0.0, prior_rows_day=0.0
)
"""Every window is over its bound, and says so at each event."""


def expected(surprise: float = 3.0) -> Expectation:
    """What was expected of a window."""
    return Expectation(
        typical=40.0,
        bound=900.0,
        residual=4.0,
        surprise=surprise,
        own_windows=20,
        population_windows=500,
        warm=True,
    )


def opened(**fields: object) -> Incident:
    """An incident that has just been opened."""
    given: dict[str, Any] = {
        "tenant": "t",
        "actor": "u",
        "actor_kind": ActorKind.HUMAN,
        "actor_name": None,
        "opened_ms": START_MS,
        "first_ms": START_MS + 50_000,
        "last_ms": START_MS,
        "modified_ms": START_MS,
    }
    return Incident(**(given | fields))


def crossed(value: int, start_ms: int = START_MS, **fields: object) -> Signal:
    """A window that has gone over its bound."""
    given: dict[str, Any] = {
        "kind": SignalKind.CROSSED,
        "value": value,
        "start_ms": start_ms,
        "time_ms": start_ms + 60_000,
        "first_ms": start_ms,
        "last_ms": start_ms + 60_000,
        "crossed": True,
        "objects": {"Case": value},
    }
    return signal(**(given | fields))


def counted(*signals: Signal) -> Incident:
    """An incident of these signals."""
    incident = opened()
    for found in signals:
        add(incident, found, expected(), 10)
    return incident


def test_an_hour_lies_within_its_day() -> None:
    """A day's rows hold its hours', and hours add up where the day has said less."""
    day = crossed(1000, horizon_ms=DAY_MS)
    hours = [crossed(300, START_MS + number * HOUR_MS) for number in range(3)]
    assert rows_left(counted(*hours)) == 900
    assert rows_left(counted(day, *hours)) == 1000
    assert rows_left(counted(*hours, crossed(800, horizon_ms=DAY_MS))) == 900


def test_days_add_up_however_each_is_known() -> None:
    """One day known by its hours and another as a whole: both count."""
    incident = counted(
        crossed(500),
        crossed(2000, START_MS + DAY_MS, horizon_ms=DAY_MS),
        crossed(1500, START_MS + DAY_MS + HOUR_MS),
    )
    assert rows_left(incident) == 2500


def test_an_operation_lies_within_its_hour() -> None:
    """An hour's largest operation is part of the hour; alone it counts, and over days and hours it adds up."""
    largest = crossed(400, detector="export")
    assert rows_left(counted(largest)) == 400
    assert rows_left(counted(largest, crossed(700))) == 700
    assert rows_left(counted(crossed(700), largest)) == 700
    assert rows_left(counted(largest, crossed(300, START_MS + 2 * DAY_MS, detector="export"))) == 700


def test_an_operation_from_an_earlier_hour_is_not_counted_again() -> None:
    """A job's value may be its whole total; only what left within each hour counts."""
    incident = counted(
        crossed(9000, detector="export", objects={"Case": 9000}),
        crossed(12_000, START_MS + HOUR_MS, detector="export", objects={"Case": 3000}),
    )
    assert rows_left(incident) == 12_000


def test_channels_add_up() -> None:
    """Queries and reports are different rows, and channels and objects are told most first."""
    incident = counted(
        crossed(100, objects={"Case": 60, "*": 40}), crossed(500, channel="report", objects={"Lead": 500})
    )
    assert rows_left(incident) == 600
    assert list(channels_left(incident).items()) == [("report", 500), ("query", 100)]
    assert list(objects_left(incident).items()) == [("Lead", 500), ("Case", 60), ("*", 40)]


def test_a_window_counts_with_its_newest_value() -> None:
    """A window that is heard of again replaces what was known of it, and an older word does not."""
    incident = counted(crossed(100), crossed(300), crossed(200))
    assert rows_left(incident) == 300
    assert len(incident.parts) == 1
    assert has_part(incident, crossed(1))
    assert not has_part(incident, crossed(1, START_MS + HOUR_MS))
    assert not has_part(incident, crossed(1, channel="report"))
    assert not has_part(incident, crossed(1, horizon_ms=DAY_MS))
    assert not has_part(incident, crossed(1, detector="export"))


def test_the_most_surprising_window_is_the_finding() -> None:
    """Per detector the greatest surprise is kept, at equal ones the greater value, with what was expected."""
    incident = opened()
    add(incident, crossed(100), expected(2.0), 10)
    add(incident, crossed(200), expected(4.0), 10)
    add(incident, crossed(900, START_MS + HOUR_MS), expected(3.0), 10)
    add(incident, crossed(150, START_MS + HOUR_MS), expected(4.0), 10)
    add(incident, crossed(70, detector="export"), expected(1.6), 10)
    assert {name: (found.surprise, found.value) for name, found in incident.findings.items()} == {
        "volume": (4.0, 200),
        "export": (1.6, 70),
    }
    assert (incident.findings["volume"].typical, incident.findings["volume"].bound) == (40.0, 900.0)


def test_the_span_is_that_of_its_events() -> None:
    """First and last event of all windows, and when it was last heard of; the newest name counts."""
    incident = opened()
    add(incident, crossed(100, START_MS + HOUR_MS, actor_name="Ada"), expected(), 10)
    add(incident, crossed(100, START_MS, actor_name="Ada L"), expected(), 10)
    assert (incident.first_ms, incident.last_ms) == (START_MS, START_MS + HOUR_MS + 60_000)
    assert incident.modified_ms == START_MS + HOUR_MS + 60_000
    assert incident.actor_name == "Ada L"


def test_evidence_keeps_the_first_and_the_largest() -> None:
    """Each event once; where there are too many, the first one stays and the smallest go."""
    incident = opened()
    for number, rows in enumerate((1, 50, 20, 90, 20, 70)):
        found = crossed(100 + number, evidence=evidence(event(number, ip=f"192.0.2.{number % 2}"), rows))
        add(incident, found, expected(), 4)
        add(incident, found, expected(), 4)
    assert [(kept.event_id, kept.rows) for kept in incident.evidence] == [
        ("e-0", 1), ("e-1", 50), ("e-3", 90), ("e-5", 70)
    ]  # fmt: skip
    assert incident.ips == {"192.0.2.0": 6, "192.0.2.1": 6}
    for events in (0, 1):
        incident = opened()
        for number in range(3):
            add(incident, crossed(number + 1, evidence=evidence(event(number), 5)), expected(), events)
        assert [kept.event_id for kept in incident.evidence] == ["e-0"]


def test_evidence_is_cut_to_what_can_be_shown() -> None:
    """Endless texts of a log are cut in evidence; its id is not, for it is how the record is found."""
    long = "x" * 10_000
    found = evidence(
        event(event_id=long, user_agent=long, app=long, session=long, country=long, objects=(long,) * 99), 5
    )
    assert found.event_id == long
    assert len(msgspec.msgpack.encode(found)) < 10_000 + 7_000
    assert found.ip is None


@pytest.mark.parametrize("channels", [1, 3])
def test_folding_keeps_sums(channels: int) -> None:
    """Weeks of windows are folded day by day: the sums stay, by channel and by object, and later windows add."""
    random = Random(channels)
    incident = opened()
    truth: dict[str, int] = defaultdict(int)
    objects: dict[str, int] = defaultdict(int)
    for day in range(60):
        for channel in ("query", "report", "search")[:channels]:
            total: dict[str, int] = defaultdict(int)
            for hour in range(8, 18):
                start_ms = START_MS + day * DAY_MS + hour * HOUR_MS
                rows = random.randint(100, 900)
                kind = random.choice(("Case", "Contact", "Lead"))
                total[kind] += rows
                add(incident, crossed(rows, start_ms, channel=channel, objects={kind: rows}), expected(), 10)
                add(
                    incident,
                    crossed(
                        sum(total.values()),
                        START_MS + day * DAY_MS,
                        channel=channel,
                        horizon_ms=DAY_MS,
                        objects=dict(total),
                    ),
                    expected(),
                    10,
                )
                assert rows_left(incident) == sum(truth.values()) + sum(total.values())
            truth[channel] += sum(total.values())
            for kind, rows in total.items():
                objects[kind] += rows
    assert channels_left(incident) == truth
    assert objects_left(incident) == objects
    assert sum(incident.folded.values()) == sum(incident.folded_objects.values()) > 0
    assert len(incident.parts) <= MAX_PARTS


def test_what_comes_after_the_fold_adds_nothing_twice() -> None:
    """A window that has been folded and is heard of again, when it closes, is not counted a second time."""
    incident = opened()
    hours = [crossed(100, START_MS + number * HOUR_MS) for number in range(24 * 10)]
    for found in hours:
        add(incident, found, expected(), 10)
    before = rows_left(incident)
    assert before == 100 * len(hours)
    for found in hours:
        add(incident, msgspec.structs.replace(found, kind=SignalKind.CLOSED), expected(), 10)
    assert rows_left(incident) == before


def test_an_incident_stays_small() -> None:
    """Whatever happens within days or within one day, on all channels, an incident takes some tens of KB."""
    random = Random(1)
    incident = opened()
    for number in range(6000):
        start_ms = START_MS + (number // 400) * DAY_MS + random.randrange(24) * HOUR_MS
        rows = random.randint(1, 10**12)
        add(
            incident,
            crossed(
                rows,
                start_ms if number % 3 else start_ms // DAY_MS * DAY_MS,
                channel=random.choice(tuple(Operation)).value,
                detector=random.choice(("volume", "export")),
                horizon_ms=HOUR_MS if number % 3 else DAY_MS,
                objects={f"Object{number}__c": rows},
                evidence=evidence(
                    event(
                        number,
                        ip=f"2001:db8::{number:x}",
                        user_agent=f"agent/{number}" * 50,
                        app=f"a{number}",
                    ),
                    rows,
                ),
            ),
            expected(),
            10,
        )
    assert len(incident.ips) == len(incident.user_agents) == len(incident.apps) == MAX_VALUES
    assert len(incident.evidence) == 10
    assert len(msgspec.msgpack.encode(incident)) < 64_000
    assert (
        rows_left(incident) == sum(channels_left(incident).values()) == sum(objects_left(incident).values())
    )


ACCESSES = st.lists(
    st.tuples(
        st.sampled_from([0, 60_000, HOUR_MS // 2, HOUR_MS, 7 * HOUR_MS]),
        st.integers(1, 5000),
        st.sampled_from([Operation.QUERY, Operation.BULK_EXPORT]),
        st.sampled_from([None, "long job", "other job"]),
        st.sampled_from(["Case", "Contact"]),
    ),
    min_size=1,
    max_size=60,
)


@given(ACCESSES)
@settings(max_examples=100, deadline=None)
def test_every_row_is_counted_exactly_once(
    accesses: list[tuple[int, int, Operation, str | None, str]],
) -> None:
    """When every window is part of it, an incident counts each row that left once: by channel and by object."""
    profile = profiles.new(event(0))
    incident = opened()
    by_channel: dict[str, int] = defaultdict(int)
    by_object: dict[str, int] = defaultdict(int)
    time_ms = START_MS
    for number, (later_ms, rows, operation, job, kind) in enumerate(accesses):
        time_ms += later_ms
        found = event(
            number, time_ms=time_ms, rows=rows, operation=operation, operation_id=job, objects=(kind,)
        )
        signals = profiles.close(profile, time_ms, EVERYTHING)
        left, said = profiles.observe(profile, found, EVERYTHING)
        assert left == rows
        by_channel[operation.value] += rows
        by_object[kind] += rows
        for each in signals + said:
            add(incident, each, expected(), 10)
        assert rows_left(incident) == sum(by_channel.values())
    assert channels_left(incident) == by_channel
    assert objects_left(incident) == by_object


@given(ACCESSES)
@settings(max_examples=100, deadline=None)
def test_no_row_is_counted_twice(accesses: list[tuple[int, int, Operation, str | None, str]]) -> None:
    """When only some windows are over their bounds, an incident never counts more than has left."""
    config = DetectionSettings(bound_deviations=0.2, prior_rows_hour=300, prior_rows_day=2000)
    profile = profiles.new(event(0))
    incident = opened()
    left = 0
    time_ms = START_MS
    for number, (later_ms, rows, operation, job, kind) in enumerate(accesses):
        time_ms += later_ms
        found = event(
            number, time_ms=time_ms, rows=rows, operation=operation, operation_id=job, objects=(kind,)
        )
        signals = profiles.close(profile, time_ms, config)
        left += rows
        for each in signals + profiles.observe(profile, found, config)[1]:
            if each.crossed:
                add(incident, each, expected(), 10)
        assert rows_left(incident) <= left
