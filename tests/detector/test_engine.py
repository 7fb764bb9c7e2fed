from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from zlib import crc32

import msgspec
import pytest

from detector import engine as engines
from detector.alert.alert import Alert
from detector.alert.ocsf import Activity
from detector.engine import Batch, DetectionShard, Engine, SequencedTriage
from detector.event import AccessEvent
from detector.identity.profile import PROFILES, SIGNALS_A_DAY
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.simulation import Theft
from detector.triage.risk import Severity
from detector.triage.triage import settled_at
from detector.units import DAY_MS, HOUR_MS
from tests.detector.make import START_MS, THEFT, THIEF, THIEF_IP, alerts_of, event, whole, world
from tests.detector.triage.plain import PlainAssessor
from tests.detector.triage.triages import AlertingTriage

HOURS = 24 * 10
PEOPLE = 120
TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.3, cold_days=2),
    triage=TriageSettings(alert_risk=0, least_risk=0, support_surprise=0.3, alert_budget=1000),
)


def identity(alert: Alert) -> str:
    """Whom it is about."""
    return str(json.loads(alert.body)["unmapped"]["crmwatch"]["identity"])


def risk(alert: Alert) -> int:
    """Its risk."""
    return int(json.loads(alert.body)["risk_score"])


def small() -> tuple[AccessEvent, ...]:
    """Five days with a theft, of few identities."""
    return world(5, 24 * 5, Theft(start_ms=START_MS + (4 * 24 + 3) * HOUR_MS), 12, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 101])
def test_a_stolen_token_is_found(seed: int) -> None:
    """Told within its first minutes, grave within ten, before all others by risk, with its host and all its rows."""
    alerts = alerts_of(world(seed, HOURS, THEFT, PEOPLE))
    about = [alert for alert in alerts if identity(alert) == THIEF and alert.time_ms >= THEFT.start_ms]
    first, last = about[0], about[-1]
    assert first.time_ms <= THEFT.start_ms + 2 * 60_000
    assert THIEF_IP in first.sentence
    grave = next(alert for alert in about if alert.severity >= Severity.HIGH)
    assert grave.time_ms <= THEFT.start_ms + 10 * 60_000
    assert json.loads(last.body)["count"] >= THEFT.rows
    assert max(alerts, key=risk) in about
    assert max(risk(alert) for alert in about) > 10 + max(
        risk(alert) for alert in alerts if identity(alert) != THIEF
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 103])
def test_a_world_without_theft_keeps_to_its_budget(seed: int) -> None:
    """Ten days of 126 identities who do nothing wrong raise about what a budget for 126 allows, none of it critical."""
    alerts = alerts_of(world(seed, HOURS, None, PEOPLE))
    created = [alert for alert in alerts if alert.activity is Activity.CREATE]
    allowed = Settings().triage.alert_budget / 1000 * 126 * HOURS / 24
    assert 0 < len(created) <= 1.5 * allowed
    assert max(alert.severity for alert in alerts) < Severity.CRITICAL


@pytest.mark.slow
def test_nobody_is_accused_on_the_first_days() -> None:
    """Just switched on, with everything new, it learns before it speaks."""
    assert alerts_of(world(1, 48, None, PEOPLE)) == []


@pytest.mark.slow
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
            assert open_now.setdefault(identity(alert) or alert.uid, alert.uid) == alert.uid
        else:
            assert activities[0] is Activity.CREATE
            assert Activity.CLOSE not in activities
        if alert.activity is Activity.CLOSE:
            assert open_now.pop(identity(alert) or alert.uid) == alert.uid
        activities.append(alert.activity)


@pytest.mark.slow
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
    assert sum(engine.detection.rows_taken.values()) == rows + sum(jobs.values())


@pytest.mark.slow
def test_saving_often_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often profiles go back to the store is no matter of what is said."""
    usual = [alert.body for alert in alerts_of(small(), TALKATIVE)]
    monkeypatch.setattr(engines, "SAVE_EVERY", 1)
    assert [alert.body for alert in alerts_of(small(), TALKATIVE)] == usual


@pytest.mark.slow
def test_duplicates_change_nothing() -> None:
    """Every record twice in a row: the same alerts, and the second of each counted."""
    events = small()
    usual = [alert.body for alert in alerts_of(events, TALKATIVE)]
    engine = Engine(TALKATIVE)
    alerts = [alert for found in events for twice in (found, found) for alert in engine.observe(twice)]
    alerts += engine.finish(events[-1].time_ms)
    assert [alert.body for alert in alerts] == usual
    assert engine.detection.duplicates == len(events)


@pytest.mark.slow
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
    said = [PROFILES.decode(data).sequence % SIGNALS_A_DAY for data in engine.profiles().values()]
    assert all(said)
    assert engine.signals == sum(said)
    assert engine.triage.open_incidents
    closing = engine.finish(events[-1].time_ms + 9 * DAY_MS)
    assert {alert.activity for alert in closing} >= {Activity.CLOSE}
    assert engine.triage.open_incidents == []


def test_time_between_events_closes_stories() -> None:
    """A story that is over closes when time has gone on enough, at the moment at which it was quiet enough."""
    engine = Engine(Settings())
    alerts: list[Alert] = []
    for number in range(24 * 20):
        rows = 50_000 if number == 24 * 15 else 100
        alerts += engine.observe(event(number, time_ms=START_MS + number * HOUR_MS, rows=rows))
    created = next(alert for alert in alerts if json.loads(alert.body)["count"] >= 50_000)
    closed = next(alert for alert in alerts if alert.activity is Activity.CLOSE and alert.uid == created.uid)
    modified_ms = json.loads(closed.body)["finding_info"]["modified_time"]
    assert closed.time_ms == modified_ms + Settings().triage.quiet_seconds * 1000
    assert START_MS + 15 * DAY_MS <= modified_ms < START_MS + 17 * DAY_MS


@pytest.mark.slow
@pytest.mark.parametrize("shards", [2, 5])
def test_several_shards_say_what_one_says(shards: int) -> None:
    """Identities divided among shards whose batches one court judges by ticks: the same alerts in the same order."""
    events = small()
    expected = [alert.body for alert in alerts_of(events, TALKATIVE)]
    waiting: dict[int, list[Batch]] = defaultdict(list)
    makers = [DetectionShard(TALKATIVE, number) for number in range(shards)]
    for found in events:
        for batch in makers[crc32(found.identity.encode()) % shards].observe(found):
            waiting[batch.tick].append(batch)
    for shard in makers:
        for batch in shard.finish(events[-1].time_ms):
            waiting[batch.tick].append(batch)
    triage = SequencedTriage(TALKATIVE)
    alerts = [alert for tick in sorted(waiting) for alert in triage.assess(waiting[tick])]
    alerts += triage.finish(events[-1].time_ms)
    assert len(expected) > 20
    assert [alert.body for alert in alerts] == expected


@pytest.mark.slow
@pytest.mark.parametrize("gap_hours", [1, 30, 24 * 9])
def test_a_silence_of_all_is_no_matter_of_order(gap_hours: int) -> None:
    """Days that end while nobody does anything are learned as they ended, not all at once when somebody returns."""
    events = [found for found in small() if found.time_ms < START_MS + 3 * DAY_MS]
    later = [
        msgspec.structs.replace(
            found, time_ms=found.time_ms + gap_hours * HOUR_MS, event_id=f"{found.event_id}+"
        )
        for found in small()
        if found.time_ms >= START_MS + 3 * DAY_MS
    ]
    once = Engine(TALKATIVE, assessor=PlainAssessor(TALKATIVE.triage))
    alerts = [alert for found in [*events, *later] for alert in once.observe(found)]
    alerts += once.finish(later[-1].time_ms)
    shard, triage = DetectionShard(TALKATIVE), AlertingTriage(TALKATIVE, {})
    batches = [batch for found in [*events, *later] for batch in shard.observe(found)]
    told: list[Alert] = []
    for batch in [*batches, *shard.finish(later[-1].time_ms)]:
        for signal in sorted(batch.signals, key=lambda one: one.time_ms):
            told += triage.advance(settled_at(signal.time_ms)) + triage.assess(signal)
    told += triage.advance(later[-1].time_ms)
    assert sorted(alert.body for alert in told) == sorted(alert.body for alert in alerts)


def digest(alerts: Sequence[Alert]) -> str:
    """All of the alerts in one number."""
    return hashlib.sha256(b"\n".join(msgspec.json.encode(alert) for alert in alerts)).hexdigest()


def said() -> str:
    """What the engine says about the small world, and what it stores, in one number."""
    engine = Engine(TALKATIVE)
    alerts = [alert for found in small() for alert in engine.observe(found)]
    values = [*engine.profiles().items(), *whole(engine.triage.changes()).items()]
    stored = hashlib.sha256(b"".join(key + (data or b"") for key, data in values)).hexdigest()
    return digest(alerts) + stored


@pytest.mark.slow
def test_hashing_changes_nothing() -> None:
    """Processes whose sets and dicts are seeded differently give the same alerts and state, byte for byte."""
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
