from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alert import Activity, Alert
from detector.detection import Detection
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.signal import Signal, SignalKind, evidence
from detector.simulation import Theft
from detector.triage.desk import DESK_VERSION, Desk, DeskError, settled_at
from detector.triage.risk import Severity
from tests.detector.make import DAY_MS, HOUR_MS, START_DAY, START_MS, event, signal, world

SETTINGS = Settings()
QUIET_MS = SETTINGS.triage.quiet_seconds * 1000
TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.3),
    triage=TriageSettings(alert_risk=5, alert_surprise=0.3, support_surprise=0.2, quiet_seconds=26 * 3600),
)
Store = dict[bytes, bytes]


def crossed(sequence: int, value: int, hour: int = 0, **fields: object) -> Signal:
    """An hour of somebody well known in which too much left."""
    start_ms = START_MS + hour * HOUR_MS
    given: dict[str, Any] = {
        "kind": SignalKind.CROSSED,
        "value": value,
        "crossed": True,
        "start_ms": start_ms,
        "first_ms": start_ms,
        "last_ms": start_ms + 60_000,
        "time_ms": start_ms + 60_000,
        "objects": {"Case": value},
        "evidence": evidence(event(sequence, rows=value), value),
    }
    return signal(sequence, **(given | fields))


def told(alerts: Sequence[Alert]) -> list[tuple[str, int]]:
    """What kind of alerts, with how many rows."""
    return [(alert.activity.name, json.loads(alert.body)["count"]) for alert in alerts]


def save(desk: Desk) -> None:
    """Make all of it durable."""
    desk.saved(desk.changes())


@cache
def stream() -> tuple[tuple[Signal, ...], int]:
    """The signals of a small world with a theft, as triage gets them: sorted as they became known; and its end."""
    detection = Detection(TALKATIVE, {})
    events = world(5, 24 * 4, Theft(start_ms=START_MS + (2 * 24 + 3) * HOUR_MS), 12, 3)
    signals = []
    for found in events:
        signals += detection.advance(found.time_ms)
        signals += detection.observe(found)
    end_ms = events[-1].time_ms + 3 * DAY_MS
    signals += detection.advance(end_ms)
    return tuple(signals), end_ms


def copied(found: Signal) -> Signal:
    """A signal as it arrives: nothing of it shared with anybody."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Signal)


@cache
def uninterrupted() -> tuple[tuple[bytes, ...], Store]:
    """What a desk says about the stream if nothing happens to it, and what it stores."""
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    signals, end_ms = stream()
    alerts = []
    for found in signals:
        alerts += desk.advance(found.time_ms)
        alerts += desk.judge(copied(found))
    alerts += desk.advance(end_ms)
    save(desk)
    return tuple(alert.body for alert in alerts), store


def test_a_story_from_its_first_alert_to_its_last() -> None:
    """Created when too much has left, updated at twice as much and not before, closed after a quiet time."""
    desk = Desk(SETTINGS, {})
    assert told(desk.judge(crossed(1, 5_000))) == [("CREATE", 5_000)]
    assert told(desk.judge(crossed(2, 3_000, hour=1))) == []
    assert told(desk.judge(crossed(3, 6_000, hour=1))) == [("UPDATE", 11_000)]
    last_ms = START_MS + HOUR_MS + 60_000
    assert desk.advance(last_ms + QUIET_MS - 1) == []
    assert len(desk.open_incidents) == 1
    (closed,) = desk.advance(last_ms + QUIET_MS)
    assert told([closed]) == [("CLOSE", 11_000)]
    assert closed.time_ms == last_ms + QUIET_MS
    assert desk.open_incidents == []
    assert desk.advance(last_ms + 9 * DAY_MS) == []


def test_one_story_has_one_name_and_the_next_another() -> None:
    """All alerts of an incident have its uid; what comes after it has closed is a new one."""
    desk = Desk(SETTINGS, {})
    alerts = (
        desk.judge(crossed(1, 5_000))
        + desk.judge(crossed(2, 50_000))
        + desk.judge(crossed(3, 60_000, hour=99))
    )
    assert told(alerts) == [("CREATE", 5_000), ("UPDATE", 50_000), ("CLOSE", 50_000), ("CREATE", 60_000)]
    assert len({alert.uid for alert in alerts[:3]}) == 1
    assert alerts[3].uid != alerts[0].uid


def test_higher_severity_is_news() -> None:
    """An incident that has become graver is published again even if few rows have been added."""
    desk = Desk(SETTINGS, {})
    first = desk.judge(crossed(1, 6_000, objects={"Loyalty__c": 6_000}))
    second = desk.judge(
        crossed(2, 1_500, hour=1, detector="export", channel="report", objects={"Passport__c": 1_500})
    )
    assert told(first + second) == [("CREATE", 6_000), ("UPDATE", 7_500)]
    assert first[0].severity < second[0].severity


def test_nothing_below_the_thresholds() -> None:
    """Neither a risk too small, nor evidence too weak, nor data nobody minds raises an alert."""
    assert Desk(SETTINGS, {}).judge(crossed(1, 300)) == []
    harmless = crossed(1, 10**6, objects={"User": 10**6})
    assert Desk(SETTINGS, {}).judge(harmless) == []
    few_known = crossed(1, 10**6, own_windows=7)
    assert Desk(SETTINGS, {}).judge(few_known) == []
    assert Desk(SETTINGS, {}).judge(crossed(1, 10**6)) != []


def test_one_contact_among_many_products_is_one_contact() -> None:
    """Risk goes by the rows of what is sensitive, not by all rows because a single one was."""
    objects = {"Opportunity": 99_999, "Contact": 1}
    assert Desk(SETTINGS, {}).judge(crossed(1, 100_000, objects=objects)) == []
    objects = {"Opportunity": 1, "Contact": 99_999}
    assert told(Desk(SETTINGS, {}).judge(crossed(1, 100_000, objects=objects))) == [("CREATE", 100_000)]


def test_all_that_one_event_says_is_one_alert() -> None:
    """Three detectors about one event: nothing is said before the last, and then once."""
    desk = Desk(SETTINGS, {})
    assert desk.judge(crossed(1, 50_000, detector="export", more=True)) == []
    assert desk.judge(crossed(2, 50_000, more=True)) == []
    (alert,) = desk.judge(crossed(3, 5, channel="report"))
    assert told([alert]) == [("CREATE", 50_000)]
    assert alert.detectors == ("export", "volume")


def test_a_closed_window_opens_no_incident_but_belongs_to_one() -> None:
    """The news of a window's end raises nothing by itself, and completes a window that has been reported."""
    desk = Desk(SETTINGS, {})
    assert desk.judge(crossed(1, 90_000, kind=SignalKind.CLOSED, evidence=None)) == []
    assert desk.open_incidents == []
    assert told(desk.judge(crossed(2, 50_000, hour=5))) == [("CREATE", 50_000)]
    assert told(desk.judge(crossed(3, 100_000, hour=5, kind=SignalKind.CLOSED, evidence=None))) == [
        ("UPDATE", 100_000)
    ]


def test_what_was_judged_before_changes_nothing() -> None:
    """Signals that come twice, singly or all again, are skipped and counted."""
    store: Store = {}
    desk = Desk(SETTINGS, store)
    signals = [crossed(1, 5_000), crossed(2, 20_000), signal(3, time_ms=START_MS + 2 * HOUR_MS)]
    assert len([alert for found in signals for alert in desk.judge(found)]) == 2
    save(desk)
    before = dict(store)
    for found in signals:
        assert desk.judge(found) == []
    assert desk.skipped == 3
    assert desk.changes() == {}
    assert desk.dirty == 0
    save(desk)
    assert store == before


def test_the_same_signals_twice_over_a_whole_stream() -> None:
    """Every signal of a world judged twice, and some again much later: the same alerts and the same state."""
    expected, stored = uninterrupted()
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    signals, end_ms = stream()
    alerts = []
    for number, found in enumerate(signals):
        alerts += desk.advance(found.time_ms)
        for again in (found, found, signals[number // 2]):
            alerts += desk.judge(copied(again))
    alerts += desk.advance(end_ms)
    save(desk)
    assert len(expected) >= 5
    assert tuple(alert.body for alert in alerts) == expected
    assert store == stored


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_desk_begun_anew_says_the_same(data: st.DataObject) -> None:
    """Saved and taken over by another at any points, some signals delivered again: the same alerts and state."""
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    alerts = []
    stops = sorted(data.draw(st.lists(st.integers(1, len(signals) - 1), max_size=5)))
    begin = 0
    for stop in [*stops, len(signals)]:
        for found in signals[begin:stop]:
            alerts += desk.advance(found.time_ms)
            alerts += desk.judge(copied(found))
        save(desk)
        store = dict(store)
        desk = Desk(TALKATIVE, store)
        desk.restore(list(store))
        begin = max(0, stop - data.draw(st.integers(0, 50)))
    alerts += desk.advance(end_ms)
    save(desk)
    assert tuple(alert.body for alert in alerts) == expected
    assert store == stored


@pytest.mark.parametrize("every", [1, 7, 100])
def test_saving_at_every_nth_signal_changes_nothing(every: int) -> None:
    """Saved, dropped and taken over by another after so many signals, all the way: the same alerts and state."""
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    alerts = []
    for number, found in enumerate(signals):
        alerts += desk.advance(found.time_ms)
        alerts += desk.judge(copied(found))
        if number % every == 0:
            save(desk)
            desk = Desk(TALKATIVE, store)
            desk.restore(list(store))
    alerts += desk.advance(end_ms)
    save(desk)
    assert tuple(alert.body for alert in alerts) == expected
    assert store == stored


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_how_identities_interleave_changes_nothing(seed: int) -> None:
    """Within a day, whoever's signals come first: the same alerts, and the same state in the end."""
    random = Random(seed)
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    alerts = []
    for day, of_day in groupby(signals, lambda found: found.time_ms // DAY_MS):
        alerts += desk.advance(day * DAY_MS)
        waiting: dict[str, deque[Signal]] = {}
        for found in of_day:
            waiting.setdefault(found.identity, deque()).append(found)
        while waiting:
            name = random.choice(list(waiting))
            alerts += desk.judge(copied(waiting[name].popleft()))
            if not waiting[name]:
                del waiting[name]
    alerts += desk.advance(end_ms)
    save(desk)
    assert sorted(alert.body for alert in alerts) == sorted(expected)
    assert store == stored


def test_killed_between_the_signals_of_one_event() -> None:
    """Begun anew between two signals of one event, the alert that waited for the last of them is still made."""
    store: Store = {}
    desk = Desk(SETTINGS, store)
    assert desk.judge(crossed(1, 50_000, more=True)) == []
    save(desk)
    again = Desk(SETTINGS, store)
    again.restore(list(store))
    assert told(again.judge(crossed(2, 50_000, detector="export"))) == [("CREATE", 50_000)]


def test_a_provisional_decision_is_marked() -> None:
    """Once a decision was taken early, the incident says so and is less sure, to its end."""
    sure = json.loads(Desk(SETTINGS, {}).judge(crossed(1, 50_000))[0].body)
    desk = Desk(SETTINGS, {})
    alerts = desk.judge(crossed(1, 50_000), provisional=True) + desk.judge(crossed(2, 500_000))
    bodies = [json.loads(alert.body) for alert in alerts]
    assert [body["unmapped"]["crmwatch"]["provisional"] for body in bodies] == [True, True]
    assert sure["unmapped"]["crmwatch"]["provisional"] is False
    assert bodies[0]["confidence_score"] < sure["confidence_score"]


def test_days_that_are_too_old_are_deleted() -> None:
    """The population's cells go from state when they can no longer be used, and are told as gone once."""
    store: Store = {}
    desk = Desk(SETTINGS, store)
    desk.judge(signal(1))
    save(desk)
    cells = [key for key in store if key.startswith(b"c")]
    assert cells == [f"ct|{START_DAY}|human|volume|query|{HOUR_MS}".encode()]
    desk.advance(START_MS + (SETTINGS.triage.population_days + 2) * DAY_MS)
    assert desk.changes() == {}
    desk.advance(START_MS + (SETTINGS.triage.population_days + 3) * DAY_MS)
    assert desk.changes() == {cells[0]: None}
    save(desk)
    assert cells[0] not in store
    assert desk.changes() == {}


def test_time_does_not_go_back() -> None:
    """An older watermark says nothing new."""
    desk = Desk(SETTINGS, {})
    desk.judge(crossed(1, 50_000))
    desk.advance(START_MS + HOUR_MS)
    assert desk.advance(START_MS) == []
    assert desk.watermark_ms == START_MS + HOUR_MS


def test_when_the_days_of_a_decision_are_closed() -> None:
    """A decision waits for the watermark to reach the end of the last day that it rests on, which is long past."""
    assert settled_at(START_MS + 12 * HOUR_MS) == START_MS
    assert settled_at(START_MS + 19 * 60_000) == START_MS - DAY_MS
    assert settled_at(START_MS + 20 * 60_000) == START_MS


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (b"st/u", b"\xc1", "t/u: not a value of triage"),
        (b"ct|1|human|volume|query|1", b"\xc1", "not a value of triage"),
        (b"cnonsense", msgspec.msgpack.encode([1]), "nonsense: not a value of triage"),
        (b"ct|x|human|volume|query|1", msgspec.msgpack.encode([1]), "not a value of triage"),
        (b"st/u", msgspec.msgpack.encode([DESK_VERSION + 1, 0]), f"t/u: version {DESK_VERSION + 1}"),
        (b"s\xff", b"\xc1", "not a value of triage"),
    ],
)
def test_what_cannot_be_read_is_an_error(key: bytes, value: bytes, sentence: str) -> None:
    """A broken or foreign value in the store is named."""
    with pytest.raises(DeskError, match=sentence):
        Desk(SETTINGS, {key: value}).restore([key])


def test_many_identities_leave_little_in_memory() -> None:
    """What is saved and has no open incident is not kept decoded, and what is needed again is read from the store."""
    store: Store = {}
    desk = Desk(SETTINGS, store)
    for number in range(500):
        desk.judge(signal(1, actor=f"u{number}"))
    desk.judge(crossed(1, 50_000, actor="thief"))
    save(desk)
    assert len(desk._standings) == 1
    for number in range(500):
        assert desk.judge(signal(1, actor=f"u{number}")) == []
    assert desk.skipped == 500
    save(desk)
    assert len(desk._standings) == 1
    assert [incident.actor for incident in desk.open_incidents] == ["thief"]


def test_activities_and_severities_are_ocsfs() -> None:
    """Their numbers are those of OCSF."""
    assert [int(activity) for activity in Activity] == [1, 2, 3]
    assert [int(severity) for severity in Severity] == [1, 2, 3, 4, 5]
