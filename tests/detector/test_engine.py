from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence

import msgspec
import pytest

from detector import engine as engines
from detector.alert import Activity, Alert
from detector.engine import Engine
from detector.event import AccessEvent
from detector.identity import profile as profiles
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.simulation import Theft
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, THEFT, THIEF, THIEF_IP, alerts_of, event, world

HOURS = 24 * 10
PEOPLE = 120
HELD_OUT = {101: 5, 102: 4, 103: 110}
"""Worlds that no bound, prior or threshold was chosen by, and the minutes within which the theft is told: the first
three of twelve (seeds 101 to 112), in eleven of which it is told within nine, in 103 when its hour closes."""
MOST_FALSE = 4
"""The most incidents in ten days of such a world that nobody should have been called for; 1 to 4 were seen in
those twelve."""
TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.3),
    triage=TriageSettings(alert_risk=5, alert_surprise=0.3, support_surprise=0.2),
)


def identity(alert: Alert) -> str:
    """Whom it is about."""
    return str(json.loads(alert.body)["unmapped"]["crmwatch"]["identity"])


def risk(alert: Alert) -> int:
    """Its risk."""
    return int(json.loads(alert.body)["risk_score"])


def small() -> tuple[AccessEvent, ...]:
    """Four days with a theft, of few identities."""
    return world(5, 24 * 4, Theft(start_ms=START_MS + (2 * 24 + 3) * HOUR_MS), 12, 3)


@pytest.mark.parametrize("seed", [2, 5])
def test_a_stolen_token_is_found(seed: int) -> None:
    """Used on the seventh night for eight minutes: alerted while it lasts, named first by risk, with all its rows."""
    alerts = alerts_of(world(seed, HOURS, THEFT, PEOPLE))
    about = [alert for alert in alerts if identity(alert) == THIEF]
    first, last = about[0], about[-1]
    assert first.activity is Activity.CREATE
    assert THEFT.start_ms < first.time_ms <= THEFT.start_ms + 9 * 60_000
    assert THIEF_IP in first.sentence
    assert last.activity is Activity.CLOSE
    assert THEFT.rows <= json.loads(last.body)["count"] <= 1.1 * THEFT.rows
    assert max(alerts, key=risk) in about
    assert all(risk(alert) < risk(last) for alert in alerts if identity(alert) != THIEF)


@pytest.mark.parametrize("seed", [4])
def test_a_theft_that_peers_excuse_is_found_when_its_hour_closes(seed: int) -> None:
    """Where other programs export nearly as much, it is certain only with the hour's last row; still first by risk."""
    alerts = alerts_of(world(seed, HOURS, THEFT, PEOPLE))
    (first, *_) = [alert for alert in alerts if identity(alert) == THIEF]
    assert first.time_ms == THEFT.start_ms + 110 * 60_000
    assert max(alerts, key=risk).uid == first.uid


@pytest.mark.parametrize(("seed", "minutes"), HELD_OUT.items())
def test_a_theft_is_found_in_worlds_not_tuned_on(seed: int, minutes: int) -> None:
    """It is told within so many minutes, with all its rows in the end, among the three worst incidents by risk."""
    alerts = alerts_of(world(seed, HOURS, THEFT, PEOPLE))
    about = [alert for alert in alerts if identity(alert) == THIEF and alert.time_ms > THEFT.start_ms]
    assert about[0].time_ms <= THEFT.start_ms + minutes * 60_000
    assert THEFT.rows <= json.loads(about[-1].body)["count"] <= 1.1 * THEFT.rows
    worst: dict[str, int] = {}
    for alert in alerts:
        worst[alert.uid] = max(risk(alert), worst.get(alert.uid, 0))
    assert about[-1].uid in sorted(worst, key=lambda uid: -worst[uid])[:3]
    assert len(worst) <= 1 + MOST_FALSE


@pytest.mark.parametrize(("seed", "incidents"), [(1, 2), (2, 3), (5, 1), (101, 2), (102, 4), (103, 1)])
def test_a_world_without_theft_raises_few_alerts(seed: int, incidents: int) -> None:
    """Ten days of 126 identities who do nothing wrong: so many incidents, which the ceiling holds."""
    alerts = alerts_of(world(seed, HOURS, None, PEOPLE))
    created = [alert for alert in alerts if alert.activity is Activity.CREATE]
    assert len(created) == len({alert.uid for alert in alerts}) == incidents <= MOST_FALSE
    assert max(map(risk, alerts)) < 80


def test_nobody_is_accused_on_the_first_day() -> None:
    """Just switched on, with everything new, it learns before it speaks."""
    assert alerts_of(world(1, 24, None, PEOPLE)) == []


def test_every_incident_is_one_story() -> None:
    """Each incident is created once, then updated, then closed; at most one is open per identity."""
    told: dict[str, list[Activity]] = {}
    open_now: dict[str, str] = {}
    alerts = alerts_of(small(), TALKATIVE)
    assert len(alerts) > 20
    for alert in alerts:
        activities = told.setdefault(alert.uid, [])
        if alert.activity is Activity.CREATE:
            assert not activities
            assert open_now.setdefault(identity(alert), alert.uid) == alert.uid
        else:
            assert activities[0] is Activity.CREATE
            assert Activity.CLOSE not in activities
        if alert.activity is Activity.CLOSE:
            assert open_now.pop(identity(alert)) == alert.uid
        activities.append(alert.activity)


def test_each_row_is_counted_once() -> None:
    """Rows that left, by detection's own counter, are those that the simulation took out."""
    engine = Engine(Settings())
    for found in world(3, 24 * 3, None, 30):
        engine.observe(found)
    jobs: dict[str, int] = {}
    rows = 0
    for found in world(3, 24 * 3, None, 30):
        if found.operation_id and found.rows is not None and found.counting.value == "maximum":
            jobs[found.operation_id] = max(jobs.get(found.operation_id, 0), found.rows)
        else:
            rows += found.rows or 0
    assert jobs
    assert sum(engine.detection.rows_left.values()) == rows + sum(jobs.values())


def test_saving_often_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often profiles go back to the store is no matter of what is said."""
    usual = [alert.body for alert in alerts_of(small(), TALKATIVE)]
    monkeypatch.setattr(engines, "SAVE_EVERY", 1)
    assert [alert.body for alert in alerts_of(small(), TALKATIVE)] == usual


def test_duplicates_change_nothing() -> None:
    """Every record twice in a row: the same alerts, and the second of each counted."""
    events = small()
    usual = [alert.body for alert in alerts_of(events, TALKATIVE)]
    engine = Engine(TALKATIVE)
    alerts = [alert for found in events for twice in (found, found) for alert in engine.observe(twice)]
    alerts += engine.finish(events[-1].time_ms)
    assert [alert.body for alert in alerts] == usual
    assert engine.detection.duplicates == len(events)


def test_what_an_engine_knows() -> None:
    """Its identities, their profiles, its signals and its open incidents can be asked for."""
    engine = Engine(TALKATIVE)
    events = small()
    alerts: list[Alert] = []
    for found in events:
        alerts += engine.observe(found)
    named = {found.identity for found in events}
    assert engine.identities == len(named)
    assert {key.decode() for key in engine.profiles()} == named
    assert all(profiles.decode(data).sequence > 0 for data in engine.profiles().values())
    assert engine.signals == sum(profiles.decode(data).sequence for data in engine.profiles().values())
    assert engine.desk.open_incidents
    closing = engine.finish(events[-1].time_ms + 9 * DAY_MS)
    assert {alert.activity for alert in closing} >= {Activity.CLOSE}
    assert engine.desk.open_incidents == []


def test_time_between_events_closes_stories() -> None:
    """A story that is over closes with the next event of anybody, at the moment at which it was quiet enough."""
    engine = Engine(Settings())
    alerts: list[Alert] = []
    for number in range(24 * 20):
        rows = 50_000 if number == 24 * 15 else 100
        alerts += engine.observe(event(number, time_ms=START_MS + number * HOUR_MS, rows=rows))
    created = next(alert for alert in alerts if json.loads(alert.body)["count"] >= 50_000)
    closed = next(alert for alert in alerts if alert.activity is Activity.CLOSE and alert.uid == created.uid)
    end_ms = json.loads(closed.body)["end_time"]
    assert closed.time_ms == end_ms + Settings().triage.quiet_seconds * 1000


def digest(alerts: Sequence[Alert]) -> str:
    """All of the alerts in one number."""
    return hashlib.sha256(b"\n".join(msgspec.json.encode(alert) for alert in alerts)).hexdigest()


def said() -> str:
    """What the engine says about the small world, and what it stores, in one number."""
    engine = Engine(TALKATIVE)
    alerts = [alert for found in small() for alert in engine.observe(found)]
    stored = hashlib.sha256(b"".join(key + data for key, data in engine.profiles().items())).hexdigest()
    return digest(alerts) + stored


def test_hashing_changes_nothing() -> None:
    """Processes whose sets and dicts are seeded differently give the same alerts and profiles, byte for byte."""
    script = "from tests.detector.test_engine import said; print(said())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1", "4242")
    }
    assert digests == {said()}
