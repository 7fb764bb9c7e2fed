"""Operators' decisions: what each changes about an incident, from when on, and that triage taken over knows them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.alert.alert import Alert
from detector.decision import Decision, Kind
from detector.settings import Settings, TriageSettings
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detector.make import decision, withdrawn
from tests.detector.triage.triages import NOON_MS, SETTINGS, Store, anew, body, crossed, found, tell, told
from tests.detector.triage.triages import AlertingTriage as Triage

QUIET_MS = SETTINGS.triage.quiet_seconds * 1000


def begun(store: Store | None = None) -> tuple[Triage, Alert]:
    """Triage with one incident, published at noon."""
    triage = Triage(SETTINGS, {} if store is None else store)
    (first,) = tell(triage, crossed(1, 5_000))
    return triage, first


def decided(kind: Kind, hours: float = 1.0, incident: str = "", **fields: Any) -> Decision:
    """A decision some hours after noon."""
    return decision(kind, NOON_MS + round(hours * HOUR_MS), incident, **fields)


def test_who_has_seen_it_or_has_it_changes_nothing() -> None:
    """An incident that is acknowledged and assigned is told of as one that is not."""
    bodies = []
    for given in (False, True):
        triage, first = begun()
        if given:
            triage.apply_decisions(
                [
                    decided(Kind.ACKNOWLEDGE, incident=first.uid, by="ana"),
                    decided(Kind.ASSIGN, incident=first.uid, assignee="ben"),
                ]
            )
        alerts = tell(triage, crossed(2, 50_000, 3)) + triage.advance(NOON_MS + 9 * DAY_MS)
        bodies.append([alert.body for alert in alerts])
    assert len(bodies[0]) == 2
    assert bodies[0] == bodies[1]


def test_what_is_closed_is_over_and_what_follows_is_another() -> None:
    """A closed incident ends a minute after it was closed, with the reason; the next signal opens a new one."""
    triage, first = begun()
    closing = decided(Kind.DISPOSITION, incident=first.uid, reason="token <b>revoked</b>")
    triage.apply_decisions([closing])
    assert triage.advance(closing.effective_ms - 1) == []
    (over,) = triage.advance(closing.effective_ms)
    assert (told([over]), over.uid, over.time_ms) == ([("CLOSE", 5_000)], first.uid, closing.effective_ms)
    assert closing.effective_ms == closing.time_ms + MINUTE_MS == NOON_MS + HOUR_MS + MINUTE_MS
    assert (body(over)["status_id"], body(over)["status_detail"]) == (4, "closed: token <b>revoked</b>")
    (again,) = tell(triage, crossed(2, 9_000, 2))
    assert told([again]) == [("CREATE", 9_000)]
    assert again.uid != first.uid


def test_a_breach_stays_open_until_it_is_closed() -> None:
    """It is published as in progress, outlives any quiet time, and closes when an operator closes it."""
    triage, first = begun()
    breach = decided(Kind.BREACH, incident=first.uid)
    triage.apply_decisions([breach])
    (told_so,) = triage.advance(breach.effective_ms)
    assert told([told_so]) == [("UPDATE", 5_000)]
    assert (body(told_so)["status_id"], body(told_so)["status_detail"]) == (2, "breach")
    assert triage.advance(NOON_MS + 30 * DAY_MS) == []
    assert [incident.confirmed for incident in triage.open_incidents] == [True]
    closed = decided(Kind.DISPOSITION, 24 * 31, incident=first.uid)
    triage.apply_decisions([breach, closed])
    (over,) = triage.advance(NOON_MS + 32 * DAY_MS)
    assert told([over]) == [("CLOSE", 5_000)]
    assert over.time_ms == closed.effective_ms


def test_a_breach_in_a_silence_of_all_stays_open() -> None:
    """When nothing is heard of anybody until long after the quiet time, as over a weekend, the breach stays open."""
    triage, first = begun()
    triage.apply_decisions([decided(Kind.BREACH, incident=first.uid)])
    assert told(triage.advance(NOON_MS + 4 * DAY_MS)) == [("UPDATE", 5_000)]
    assert [incident.confirmed for incident in triage.open_incidents] == [True]
    late, _ = begun()
    late.apply_decisions([decided(Kind.BREACH, QUIET_MS / HOUR_MS + 1, incident=first.uid)])
    assert told(late.advance(NOON_MS + 4 * DAY_MS)) == [("CLOSE", 5_000)]


def test_what_is_muted_is_counted_and_not_told() -> None:
    """Nothing is published about a muted identity until then; the next word after it holds all that left meanwhile."""
    triage, first = begun()
    until_ms = NOON_MS + 10 * HOUR_MS
    triage.apply_decisions([decided(Kind.MUTE, identity="t/u", until_ms=until_ms)])
    assert told(tell(triage, crossed(2, 50_000, 3))) == []
    assert told(tell(triage, crossed(3, 60_000, 11))) == [("UPDATE", 60_000)]
    other = tell(Triage(SETTINGS, {}), crossed(1, 5_000, actor="v"))
    assert told(other) == [("CREATE", 5_000)]
    assert first.uid


def test_an_incident_is_muted_alone() -> None:
    """A mute that names an incident does not silence the identity's next one."""
    triage, first = begun()
    triage.apply_decisions([decided(Kind.MUTE, incident=first.uid, until_ms=NOON_MS + 90 * DAY_MS)])
    assert told(tell(triage, crossed(2, 50_000, 3))) == []
    assert told(tell(triage, crossed(3, 60_000, 99)))[-1] == ("CREATE", 60_000)


def test_what_was_expected_closes_and_its_volume_is_nothing_unusual() -> None:
    """The incident closes, the identity's volume opens none until the time given, and then does again."""
    triage, first = begun()
    until_ms = NOON_MS + 20 * HOUR_MS
    expected = decided(Kind.EXPECTED, incident=first.uid, identity="t/u", until_ms=until_ms, reason="move")
    triage.apply_decisions([expected])
    (over,) = triage.advance(expected.effective_ms)
    assert (told([over]), body(over)["status_detail"]) == ([("CLOSE", 5_000)], "expected: move")
    assert told(tell(triage, crossed(2, 90_000, 5))) == []
    stolen = found(3, "vendor", 9.0, 6, rows=90_000, objects={"Case": 90_000})
    (grave,) = tell(triage, stolen)
    assert told([grave]) == [("CREATE", 90_000)]
    assert told(tell(triage, crossed(4, 200_000, 21))) == [("UPDATE", 290_000)]


@pytest.mark.parametrize("known", ["from the beginning", "before it holds", "by settings"])
def test_when_it_was_learned_of_does_not_matter(known: str) -> None:
    """Known from the beginning, from the settings or just before it holds: the alerts are the same."""
    _, first = begun()
    decisions = [
        decided(Kind.BREACH, 2, incident=first.uid),
        decided(Kind.DISPOSITION, 4, incident=first.uid, reason="done"),
        decided(Kind.MUTE, 5, identity="t/u", until_ms=NOON_MS + 9 * HOUR_MS),
    ]
    settings = Settings(triage=TriageSettings(decisions=tuple(decisions) if known == "by settings" else ()))
    triage = Triage(settings, {})
    if known == "from the beginning":
        triage.apply_decisions(decisions)
    alerts = tell(triage, crossed(1, 5_000))
    if known == "before it holds":
        triage.apply_decisions(decisions)
    alerts += tell(triage, crossed(2, 6_000, 3), crossed(3, 90_000, 6), crossed(4, 95_000, 10))
    assert told(alerts) == [
        ("CREATE", 5_000),
        ("UPDATE", 5_000),
        ("UPDATE", 6_000),
        ("CLOSE", 6_000),
        ("CREATE", 95_000),
    ]


def test_triage_that_is_taken_over_keeps_a_breach() -> None:
    """Its state says that the incident is a breach; it is not published as one twice."""
    store: Store = {}
    triage, first = begun(store)
    breach = decided(Kind.BREACH, incident=first.uid)
    triage.apply_decisions([breach])
    assert len(triage.advance(breach.effective_ms)) == 1
    again = anew(triage, store)
    again.apply_decisions([breach])
    assert again.advance(NOON_MS + 2 * QUIET_MS) == []
    assert [incident.decision for incident in again.open_incidents] == ["breach"]


@pytest.mark.parametrize("steps", [1, 500])
def test_a_breach_that_is_withdrawn_closes_by_quiet(steps: int) -> None:
    """It is published as new again with the reason, and closes when it has been quiet since the withdrawal: however
    often somebody looks in between."""
    triage, first = begun()
    breach = decided(Kind.BREACH, 1, first.uid)
    back = withdrawn(breach, NOON_MS + 90 * HOUR_MS, "a test of ours")
    triage.apply_decisions([breach, back])
    span = 9 * DAY_MS
    alerts = [alert for n in range(steps) for alert in triage.advance(NOON_MS + span * (n + 1) // steps)]
    assert told(alerts) == [("UPDATE", 5_000), ("UPDATE", 5_000), ("CLOSE", 5_000)]
    assert [(body(alert)["status_id"], body(alert)["status_detail"]) for alert in alerts[:2]] == [
        (2, "breach"),
        (1, "breach withdrawn: a test of ours"),
    ]
    assert [alert.time_ms for alert in alerts] == [
        breach.effective_ms,
        back.effective_ms,
        back.effective_ms + QUIET_MS,
    ]


def test_a_breach_that_is_decided_again_is_one_again() -> None:
    """After its withdrawal a new decision makes it a breach anew; a second decision outlives the first's withdrawal."""
    triage, first = begun()
    breach, again = decided(Kind.BREACH, 1, first.uid), decided(Kind.BREACH, 5, first.uid)
    back = withdrawn(breach, NOON_MS + 3 * HOUR_MS)
    triage.apply_decisions([breach, back, again])
    alerts = triage.advance(NOON_MS + 30 * DAY_MS)
    assert [(alert.time_ms, body(alert)["status_id"]) for alert in alerts] == [
        (breach.effective_ms, 2),
        (back.effective_ms, 1),
        (again.effective_ms, 2),
    ]
    both, first = begun()
    both.apply_decisions([breach, again, withdrawn(breach, NOON_MS + 9 * HOUR_MS)])
    assert len(both.advance(NOON_MS + 30 * DAY_MS)) == 1
    assert [incident.confirmed for incident in both.open_incidents] == [True]


def test_a_withdrawn_mute_lets_alerts_out_again() -> None:
    """From the withdrawal's effective time on, with all that was counted meanwhile."""
    triage, _ = begun()
    mute = decided(Kind.MUTE, 1, identity="t/u", until_ms=NOON_MS + 90 * DAY_MS)
    triage.apply_decisions([mute, withdrawn(mute, NOON_MS + 5 * HOUR_MS)])
    assert tell(triage, crossed(2, 50_000, 3)) == []
    assert told(tell(triage, crossed(3, 60_000, 6))) == [("UPDATE", 60_000)]


def test_steps_and_assignments_change_no_alert() -> None:
    """Ticking a step off neither acknowledges nor closes anything: the alerts are those without it."""
    bodies = []
    for given in (False, True):
        triage, first = begun()
        if given:
            step = {"step_id": "s1", "done": True}
            aware = decided(Kind.AWARENESS, 1, first.uid, aware_ms=NOON_MS)
            exempt = decided(Kind.EXCEPTION, 1, first.uid, identity="t/u")
            triage.apply_decisions([decided(Kind.STEP, 1, first.uid, **step), aware, exempt])
        alerts = tell(triage, crossed(2, 50_000, 3)) + triage.advance(NOON_MS + 9 * DAY_MS)
        bodies.append([alert.body for alert in alerts])
    assert bodies[0] == bodies[1]


def test_a_mute_ends_with_the_longest_that_is_allowed() -> None:
    """Whether it comes from the settings or from a worker, a mute of years holds for a day if a day is the longest."""
    made = decision(Kind.MUTE, NOON_MS - HOUR_MS, identity="t/u", until_ms=NOON_MS + 900 * DAY_MS)
    for of_settings in (True, False):
        triage_settings = msgspec.structs.replace(
            SETTINGS.triage, longest_mute_days=1, decisions=(made,) if of_settings else ()
        )
        triage = Triage(msgspec.structs.replace(SETTINGS, triage=triage_settings), {})
        if not of_settings:
            triage.apply_decisions([made])
        assert tell(triage, crossed(1, 5_000)) == []
        later = crossed(2, 50_000, 24)
        assert [alert.uid[:9] for alert in tell(triage, later)] == ["crmwatch-"]
