from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alert import Activity, Alert
from detector.detection import Detection
from detector.event import AccessEvent, ActorKind, Operation
from detector.fleet.population import TICK_MS
from detector.settings import Announced, DetectionSettings, Indicator, Settings, TriageSettings
from detector.signal import Familiarity, Measure, New, Signal, SignalKind, Span, evidence
from detector.simulation import Theft
from detector.triage.desk import DESK_VERSION, Desk, DeskError, settled_at
from detector.triage.risk import Severity
from tests.detector.make import (
    DAY_MS,
    HOUR_MS,
    START_DAY,
    START_MS,
    closed,
    event,
    measure,
    new,
    signal,
    world,
)

SETTINGS = Settings()
QUIET_MS = SETTINGS.triage.quiet_seconds * 1000
NOON_MS = START_MS + 12 * HOUR_MS
TALKATIVE = Settings(
    detection=DetectionSettings(
        bound_deviations=0.3, cold_days=2, indicators={"python-requests/2.32.4": Indicator(name="thief")}
    ),
    triage=TriageSettings(
        alert_budget=1000, alert_risk=5, least_risk=5, support_surprise=0.3, quiet_seconds=26 * 3600
    ),
)
"""Quick to speak, so that a small world says much."""
Store = dict[bytes, bytes]


def crossed(sequence: int, rows: int, hours: float = 0.0, **fields: Any) -> Signal:
    """So many rows have left by so many hours after noon, of somebody well known."""
    given: dict[str, Any] = {
        "time_ms": NOON_MS + round(hours * HOUR_MS),
        "measures": [measure(rows)],
        "evidence": evidence(event(sequence, rows=rows), rows),
    }
    return signal(sequence, **(given | fields))


def found(sequence: int, detector: str, score: float, hours: float = 0.0, **fields: Any) -> Signal:
    """A detector says how strange something is, whatever its rows."""
    given: dict[str, Any] = {"measures": [], "rows": 0, "evidence": None, "channel": "login"}
    time_ms = NOON_MS + round(hours * HOUR_MS)
    return signal(sequence, **({"time_ms": time_ms} | given | fields), detector=detector, score=score)


def told(alerts: Iterable[Alert]) -> list[tuple[str, int]]:
    """What kind of alerts, with how many rows."""
    return [(alert.activity.name, json.loads(alert.body)["count"]) for alert in alerts]


def body(alert: Alert) -> Any:
    """What an alert says."""
    return json.loads(alert.body)


def tell(desk: Desk, *signals: Signal) -> list[Alert]:
    """Signals as triage gets them: once what they rest on is known, and sharing nothing with anybody."""
    alerts = []
    for one in signals:
        alerts += desk.advance(settled_at(one.time_ms))
        alerts += desk.judge(msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Signal))
    return alerts


def save(desk: Desk) -> None:
    """Make all of it durable."""
    desk.saved(desk.changes())


def anew(desk: Desk, store: Store, config: Settings = SETTINGS) -> Desk:
    """Another desk that takes over what is durable of this one."""
    save(desk)
    again = Desk(config, store)
    again.restore(list(store))
    return again


# --- one story


def test_a_story_from_its_first_alert_to_its_last() -> None:
    """Created when too much has left, updated at twice as much and not before, closed after a quiet time."""
    desk = Desk(SETTINGS, {})
    assert told(tell(desk, crossed(1, 5_000))) == [("CREATE", 5_000)]
    assert told(tell(desk, crossed(2, 10_000, 1))) == []
    assert told(tell(desk, crossed(3, 10_001, 2))) == [("UPDATE", 10_001)]
    last_ms = NOON_MS + 2 * HOUR_MS
    assert desk.advance(last_ms + QUIET_MS - 1) == []
    assert len(desk.open_incidents) == len(desk.open_risks) == 1
    (over,) = desk.advance(last_ms + QUIET_MS)
    assert told([over]) == [("CLOSE", 10_001)]
    assert (over.time_ms, body(over)["status_id"]) == (last_ms + QUIET_MS, 4)
    assert (desk.open_incidents, desk.open_risks) == ([], [])
    assert desk.advance(last_ms + 9 * DAY_MS) == []


def test_one_story_has_one_name_and_the_next_another() -> None:
    """All alerts of an incident have its uid; what comes after it has closed is a new one."""
    desk = Desk(SETTINGS, {})
    alerts = tell(desk, crossed(1, 5_000), crossed(2, 50_000, 1), crossed(3, 60_000, 99))
    assert told(alerts) == [("CREATE", 5_000), ("UPDATE", 50_000), ("CLOSE", 50_000), ("CREATE", 60_000)]
    assert len({alert.uid for alert in alerts[:3]}) == 1
    assert alerts[3].uid != alerts[0].uid


def test_the_end_of_a_story_is_told_when_its_identity_speaks_again() -> None:
    """It closes at the same moment whether the time or the identity's next signal says that it is over."""
    bodies = []
    for wait in (False, True):
        desk = Desk(SETTINGS, {})
        alerts = tell(desk, crossed(1, 5_000))
        alerts += desk.advance(NOON_MS + 3 * DAY_MS) if wait else desk.judge(crossed(2, 100, 80))
        assert told(alerts)[:2] == [("CREATE", 5_000), ("CLOSE", 5_000)]
        bodies.append(alerts[1].body)
    assert bodies[0] == bodies[1]


def test_what_has_not_been_published_ends_in_silence() -> None:
    """Nobody hears of the end of something that nobody has heard of."""
    desk = Desk(SETTINGS, {})
    assert tell(desk, crossed(1, 300)) == []
    assert (len(desk.open_incidents), desk.open_risks) == (1, [])
    assert desk.advance(NOON_MS + QUIET_MS) == []
    assert desk.open_incidents == []


@pytest.mark.parametrize(
    ("rows", "score", "severer", "updated"),
    [(1_800, 0.4, False, False), (1_800, 2.5, True, True), (5_000, 1.2, False, False), (5_000, 3.0, False, True)],
)  # fmt: skip
def test_higher_severity_or_ten_points_are_news(
    rows: int, score: float, severer: bool, updated: bool
) -> None:
    """An incident that has become graver is published again though no row has been added, a little worse one is not."""
    config = Settings(triage=TriageSettings(support_surprise=0.2))
    desk = Desk(config, {})
    (first,) = tell(desk, crossed(1, rows))
    alerts = tell(desk, found(2, "vendor", score, 1))
    assert told(alerts) == ([("UPDATE", rows)] if updated else [])
    if updated:
        assert (alerts[0].severity > first.severity) is severer
        assert severer or body(alerts[0])["risk_score"] >= body(first)["risk_score"] + 10
        assert body(alerts[0])["finding_info"]["types"] == ["volume", "vendor"]


def test_nothing_below_the_thresholds() -> None:
    """Neither a risk too small, nor rows that are usual, nor data nobody minds raises an alert."""
    desk = Desk(SETTINGS, {})
    assert tell(desk, crossed(1, 300), crossed(1, 60, actor="usual")) == []
    assert [incident.actor for incident in desk.open_incidents] == ["u"]
    harmless, worse = (
        tell(Desk(SETTINGS, {}), crossed(1, 1_200, objects={kind: 1_200})) for kind in ("User", "Case")
    )
    assert (told(harmless), told(worse)) == ([], [("CREATE", 1_200)])  # fmt: skip


def test_one_contact_among_many_products_is_one_contact() -> None:
    """Risk goes by the rows of what is sensitive, not by all rows because a single one was."""
    products, contacts = (
        tell(Desk(Settings(triage=TriageSettings(alert_risk=0)), {}), crossed(1, 100_000, objects=objects))
        for objects in ({"Opportunity": 99_999, "Contact": 1}, {"Opportunity": 1, "Contact": 99_999})
    )
    assert told(products) == told(contacts) == [("CREATE", 100_000)]
    assert body(products[0])["risk_score"] < body(contacts[0])["risk_score"] - 10


def test_all_that_one_event_says_is_one_alert() -> None:
    """Three detectors about one event: nothing is said before the last, and then once."""
    desk = Desk(SETTINGS, {})
    large = crossed(1, 50_000, detector="export", more=True, measures=[measure(50_000, detector="export")])
    assert tell(desk, large, crossed(2, 50_000, more=True)) == []
    (alert,) = tell(desk, crossed(3, 5, channel="report"))
    assert told([alert]) == [("CREATE", 50_000)]
    assert alert.detectors == ("export", "volume")


def test_the_last_word_of_an_event_need_not_count() -> None:
    """What waits for the last signal of an event is told even if that one itself is announced."""
    window = Announced(reason="migration", from_ms=START_MS, until_ms=START_MS + DAY_MS)
    desk = Desk(Settings(triage=TriageSettings(announced=(window,))), {})
    first = found(1, "intel", 5.0, more=True, rows=9_000, objects={"Contact": 9_000})
    assert tell(desk, first) == []
    (alert,) = tell(desk, crossed(2, 9_000))
    assert (told([alert]), alert.detectors) == ([("CREATE", 9_000)], ("intel",))


def test_a_day_that_is_over_opens_no_incident() -> None:
    """That a day has ended raises nothing, however much was in it; what its end shows does."""
    desk = Desk(SETTINGS, {})
    assert tell(desk, closed(1, measures=[measure(10**6)])) == []
    assert desk.open_incidents == []
    end_ms = closed().time_ms
    weekly = measure(50_000, detector="drip", channel="all", span=Span.WEEK)
    drip = signal(
        2, detector="drip", channel="all", score=9.0, measures=[weekly], time_ms=end_ms, day=START_DAY,
        first_ms=START_MS - 9 * DAY_MS, last_ms=START_MS + DAY_MS - 1, rows=50_000, objects={"Contact": 50_000},
        facts={"days": 10.0, "week_rows": 50_000.0, "typical_day": 50.0}, more=True,
    )  # fmt: skip
    assert tell(desk, drip) == []
    (alert,) = tell(desk, closed(3))
    assert (told([alert]), alert.detectors) == ([("CREATE", 50_000)], ("drip",))
    assert alert.time_ms == end_ms


# --- evidence over time


def test_evidence_decays() -> None:
    """What was found counts half after a half-life: too old, it no longer helps to raise an alert."""
    risks = {}
    for hours in (0, 1, 24, 35):
        desk = Desk(SETTINGS, {})
        assert tell(desk, found(1, "chain", 2.0)) == []
        (incident,) = desk.open_incidents
        before = incident.findings["chain"].surprise
        tell(desk, crossed(2, 900, hours))
        risks[hours] = body(tell(desk, found(3, "vendor", 5.0, hours))[0])["risk_score"]
        assert desk.open_incidents[0].findings["chain"].surprise == before
    assert risks[0] == risks[1] > risks[24] > risks[35]


@pytest.mark.parametrize(("half_life_hours", "alerts"), [(48, 1), (2, 0), (0, 1)])
def test_the_half_life_is_a_setting(half_life_hours: int, alerts: int) -> None:
    """Two hints half a day apart are an alert only if the first is still remembered; 0 is for ever."""
    config = Settings(triage=TriageSettings(half_life_seconds=half_life_hours * 3600))
    desk = Desk(config, {})
    assert tell(desk, crossed(1, 600)) == []
    said = tell(desk, found(2, "vendor", 1.5, 12))
    assert len(said) == alerts


def test_kinds_that_are_independent_corroborate() -> None:
    """Something new beside the volume is a far graver matter; a large operation within it is hardly one."""
    risks = []
    for detector in ("volume", "export", "vendor"):
        desk = Desk(Settings(triage=TriageSettings(alert_risk=5)), {})
        tell(desk, crossed(1, 900, more=True))
        more = (
            found(2, "vendor", 3.0)
            if detector == "vendor"
            else crossed(2, 900, detector=detector, measures=[measure(900, detector=detector)])
        )
        risks.append(body(tell(desk, more)[0])["risk_score"])
    assert risks[0] < risks[1] < risks[2]
    assert risks[2] - risks[1] > 2 * (risks[1] - risks[0])


# --- judged once


def test_what_was_judged_before_changes_nothing() -> None:
    """Signals that come twice, singly or all again, are skipped and counted."""
    store: Store = {}
    desk = Desk(SETTINGS, store)
    signals = [crossed(1, 5_000), crossed(2, 20_000, 1), closed(3)]
    assert len(tell(desk, *signals)) == 2
    save(desk)
    before = dict(store)
    assert tell(desk, *signals) == []
    assert (desk.skipped, desk.dirty, desk.changes()) == (3, 0, {})
    save(desk)
    assert store == before


def test_killed_between_the_signals_of_one_event() -> None:
    """Begun anew between two signals of one event, the alert that waited for the last of them is still made."""
    store: Store = {}
    desk = Desk(SETTINGS, store)
    assert tell(desk, crossed(1, 50_000, more=True)) == []
    again = anew(desk, store)
    assert told(tell(again, crossed(2, 50_000, detector="export"))) == [("CREATE", 50_000)]


# --- the budget


def populated(
    desk: Desk, days: int, people: int, spread: float = 0.3, seed: int = 1
) -> tuple[list[list[Alert]], list[int]]:
    """Days of a company whose people's rows are so wild: the alerts of each, and how far each one's signals are."""
    random = Random(seed)
    sequences = [0] * people
    usual = [random.gauss(4, 0.5) for _ in range(people)]
    by_day = []
    for day in range(days):
        alerts = []
        crossing: list[Signal] = []
        closing: list[Signal] = []
        for number in range(people):
            rows = max(1, round(2.718 ** random.gauss(usual[number], spread)))
            day_ms = day * DAY_MS + random.randrange(8 * HOUR_MS)
            fields: dict[str, Any] = {
                "actor": f"p{number}",
                "measures": [measure(rows, days=min(day + 5, 20), mean=usual[number], variance=spread**2)],
                "known_days": day + 5,
            }
            if rows > 2.718 ** (usual[number] + 1.6 * spread):
                sequences[number] += 1
                crossing.append(signal(sequences[number], time_ms=START_MS + day_ms + 8 * HOUR_MS, **fields))
            sequences[number] += 1
            closing.append(closed(sequences[number], START_DAY + day, **fields))
        crossing.sort(key=lambda one: one.time_ms)
        alerts += tell(desk, *crossing, *closing)
        by_day.append(alerts)
    return by_day, sequences


@pytest.mark.parametrize("spread", [0.3, 1.0])
@pytest.mark.parametrize("budget", [10.0, 40.0])
def test_a_soc_gets_what_it_can_look_at(spread: float, budget: float) -> None:
    """On a noisy population, once it is known, no more incidents a day than the budget, whatever the noise."""
    config = Settings(triage=TriageSettings(alert_budget=budget, least_risk=0))
    by_day, _ = populated(Desk(config, {}), 22, 300, spread)
    created = [sum(alert.activity is Activity.CREATE for alert in alerts) for alerts in by_day[8:]]
    allowed = 0.3 * budget
    assert 0 < sum(created) / len(created) <= 1.3 * allowed
    assert max(created) <= 4 * allowed


def test_the_threshold_follows_the_noise() -> None:
    """The same theft is raised in a calm company and not in one in which such days are daily."""
    raised = {}
    for spread in (0.2, 1.3):
        desk = Desk(Settings(triage=TriageSettings(alert_budget=2)), {})
        populated(desk, 16, 200, spread)
        theft = signal(
            1, actor="thief", time_ms=START_MS + 17 * DAY_MS, measures=[measure(700, variance=0.3)], known_days=30
        )  # fmt: skip
        raised[spread] = told(tell(desk, theft))
    assert raised == {0.2: [("CREATE", 700)], 1.3: []}


def test_what_is_certain_always_goes_out() -> None:
    """However noisy and however small the budget: from `certain_risk` on an alert is raised."""
    config = Settings(triage=TriageSettings(alert_budget=0.001))
    desk = Desk(config, {})
    populated(desk, 12, 100, 1.3)
    at = {"time_ms": START_MS + 13 * DAY_MS, "actor": "thief", "known_days": 30}
    nearly = found(1, "intel", 5.0, **at)
    assert tell(desk, nearly) == []
    (alert,) = tell(desk, crossed(2, 40_000, **at, objects={"Contact": 40_000}))
    assert body(alert)["risk_score"] >= config.triage.certain_risk
    assert told([alert]) == [("CREATE", 40_000)]


@pytest.mark.parametrize(("alert_risk", "alerts"), [(40, 1), (60, 0)])
def test_what_has_just_been_switched_on_goes_by_the_given_risk(alert_risk: int, alerts: int) -> None:
    """Nothing is known of the others, little of the one: `alert_risk` decides, and the alert says how little it is."""
    desk = Desk(Settings(triage=TriageSettings(alert_risk=alert_risk)), {})
    said = tell(desk, crossed(1, 900, known_days=3))
    assert len(said) == alerts
    for alert in said:
        assert body(alert)["unmapped"]["crmwatch"]["known_days"] == 3


# --- what operators say


def test_announced_volume_is_not_alerted_on() -> None:
    """Within its window, by whom it is for; not before, not after, not by others."""
    window = Announced(reason="migration", from_ms=NOON_MS, until_ms=NOON_MS + HOUR_MS, identities=("sync*",))
    config = Settings(triage=TriageSettings(announced=(window,)))
    for detector, actor, hours, alerts in (
        ("volume", "sync-1", 0.0, 0),
        ("export", "sync-1", 0.5, 0),
        ("volume", "sync-1", -0.01, 1),
        ("volume", "sync-1", 1.0, 1),
        ("volume", "u", 0.5, 1),
    ):
        desk = Desk(config, {})
        assert len(tell(desk, crossed(1, 50_000, hours, detector=detector, actor=actor))) == alerts
        assert len(desk.open_incidents) == alerts


@pytest.mark.parametrize(
    "other",
    [
        found(1, "intel", 5.0, rows=900, objects={"Contact": 900}),
        found(1, "vendor", 5.0, rows=900, objects={"Contact": 900}),
        found(1, "novelty", 0.0, rows=900, objects={"Contact": 900}, news=[
            new("network", "192.0.2.0/24", news=0.0, days=300.0, rows=900),
            new("agent", "curl", news=0.0, days=300.0, rows=900),
            new("app", "x", news=0.0, days=300.0, rows=900),
        ]),
    ],
    ids=lambda one: one.detector,
)  # fmt: skip
def test_an_announced_window_excuses_nothing_but_volume(other: Signal) -> None:
    """A thief who comes with the migration is seen by what is new about him, or known."""
    window = Announced(reason="migration", from_ms=START_MS, until_ms=START_MS + DAY_MS)
    desk = Desk(Settings(triage=TriageSettings(announced=(window,))), {})
    alerts = tell(desk, other, crossed(2, 50_000, 0.1))
    assert [alert.detectors for alert in alerts] == [(other.detector,)]


@pytest.mark.parametrize(
    ("from_hour", "until_hour", "learned"),
    [(0, 24, False), (11, 12, False), (-30, 1, False), (23, 99, False), (-24, 0, True), (24, 26, True)],
)
def test_an_announced_day_is_not_learned(from_hour: int, until_hour: int, learned: bool) -> None:
    """A day that the window touches teaches nobody what is usual, though its end becomes known an hour later."""
    window = Announced(
        reason="migration", from_ms=START_MS + from_hour * HOUR_MS, until_ms=START_MS + until_hour * HOUR_MS
    )
    store: Store = {}
    desk = Desk(Settings(triage=TriageSettings(announced=(window,))), store)
    assert tell(desk, closed(1)) == []
    save(desk)
    assert bool([key for key in store if key.startswith(b"d")]) is learned
    assert (tell(desk, closed(1)), desk.skipped) == ([], 1)


@pytest.mark.parametrize(
    ("pattern", "rows", "alerts"),
    [("u", 5_000, 0), ("u*", 9_000, 0), ("u", 4_999, 1), ("x*", 9_000, 1)],
)
def test_expected_rows_are_never_unusual(pattern: str, rows: float, alerts: int) -> None:
    """Up to the rows given, by whom they are given for; more than that is as unusual as ever."""
    config = Settings(triage=TriageSettings(expected_rows={pattern: rows, "u?": 10.0}))
    said = tell(Desk(config, {}), crossed(1, 5_000))
    assert len(said) == alerts
    assert [alert.body for alert in said] == [
        alert.body for alert in tell(Desk(SETTINGS, {}), crossed(1, 5_000))
    ][:alerts]


def test_expected_rows_are_for_a_day() -> None:
    """A week may have seven times as many."""
    config = Settings(triage=TriageSettings(expected_rows={"u": 1_000.0}))
    alerts = [
        len(tell(Desk(config, {}), crossed(1, rows, measures=[measure(rows, span=span)])))
        for span, rows in (
            (Span.HOUR, 1_000), (Span.DAY, 1_001), (Span.WEEK, 7_000), (Span.WEEK, 7_001)
        )
    ]  # fmt: skip
    assert alerts == [0, 1, 0, 1]


# --- networks


def newcomer(number: int, rows: int = 0, minutes: float = 0.0, sequence: int = 1, **fields: Any) -> Signal:
    """Somebody is on a network for the first time."""
    time_ms = NOON_MS + 10 * DAY_MS + round(minutes * 60_000)
    one = event(number, actor=f"p{number}", ip=f"192.0.2.{number}", user_agent="curl/8", rows=rows)
    given: dict[str, Any] = {
        "detector": "novelty",
        "actor": f"p{number}",
        "time_ms": time_ms,
        "measures": [],
        "rows": rows,
        "objects": {"Contact": rows} if rows else {},
        "news": [new(news=0.0, days=30.0, rows=rows)],
        "evidence": evidence(one, rows),
    }
    return signal(sequence, **(given | fields))


def company(active: int, config: Settings = SETTINGS, store: Store | None = None) -> Desk:
    """A desk that knows of so many people, none of whom was ever on 192.0.2.0/24."""
    desk = Desk(config, {} if store is None else store)
    for number in range(active):
        one = closed(1, START_DAY + 7, actor=f"c{number}", measures=[], used={"network": [7]})
        tell(desk, one)
    return desk


def of_network(alerts: Iterable[Alert]) -> list[Any]:
    """The bodies of alerts that are about a network."""
    return [body(alert) for alert in alerts if body(alert)["unmapped"]["crmwatch"]["network"]]


def test_three_newcomers_on_a_network_are_one_incident() -> None:
    """About the network: all of them, what they took together and from where; told when the tick closes, two are nothing."""
    desk = company(200)
    alerts = tell(desk, newcomer(1, 400), newcomer(2, 300, minutes=3))
    alerts += desk.advance(NOON_MS + 10 * DAY_MS + TICK_MS)
    assert of_network(alerts) == []
    third = newcomer(3, 500, minutes=11)
    alerts = tell(desk, third) + desk.advance(NOON_MS + 10 * DAY_MS + 2 * TICK_MS - 1)
    assert of_network(alerts) == []
    alerts = desk.advance(NOON_MS + 10 * DAY_MS + 2 * TICK_MS)
    (told_of,) = of_network(alerts)
    crm = told_of["unmapped"]["crmwatch"]
    assert (crm["network"], crm["actors"]) == ("192.0.2.0/24", {"p1": 400, "p2": 300, "p3": 500})
    assert (crm["rows_left"], crm["identity"]) == (1_200, "")
    assert told_of["finding_info"]["types"] == ["origin"]
    assert told_of["time"] == NOON_MS + 10 * DAY_MS + 2 * TICK_MS
    assert [found["uid"] for found in told_of["evidences"]] == ["e-1", "e-2", "e-3"]
    observed = {found["value"] for found in told_of["observables"]}
    assert observed == {"p1", "p2", "p3", "192.0.2.1", "192.0.2.2", "192.0.2.3", "curl/8"}


def test_a_network_goes_on_over_midnight() -> None:
    """More newcomers and more rows are updates of one incident whose rows count once; quiet, it closes."""
    desk = company(200)
    evening = 12 * 60 - 30
    alerts = tell(desk, *[newcomer(number, 300, minutes=evening + number) for number in (1, 2, 3)])
    alerts += tell(desk, *[newcomer(number, 300, minutes=evening + 60 + number) for number in (4, 5, 6, 7)])
    alerts += desk.advance(NOON_MS + 13 * DAY_MS)
    said = of_network(alerts)
    assert [(one["activity_name"], one["count"]) for one in said] == [
        ("Create", 900), ("Update", 2_100), ("Close", 2_100)
    ]  # fmt: skip
    assert len({one["finding_info"]["uid"] for one in said}) == 1
    assert len(said[1]["unmapped"]["crmwatch"]["actors"]) == 7


@pytest.mark.parametrize(("arrived", "incidents"), [(3, 1), (9, 1), (10, 0), (20, 0)])
def test_a_new_office_is_no_incident(arrived: int, incidents: int) -> None:
    """When a quarter of all turn up on a network at once it is theirs."""
    desk = company(40)
    alerts = tell(desk, *[newcomer(number, 30, minutes=number / 10) for number in range(arrived)])
    alerts += desk.advance(NOON_MS + 11 * DAY_MS)
    assert len({one["finding_info"]["uid"] for one in of_network(alerts)}) == incidents


@pytest.mark.parametrize("own", ["192.0.2.0/24", "192.0.2.64/26", "192.0.0.0/8"])
def test_own_networks_are_never_strange(own: str) -> None:
    """Neither anybody's being there nor a crowd of newcomers is said."""
    desk = company(200, Settings(triage=TriageSettings(own_networks=(own,), alert_risk=0, least_risk=0)))
    alerts = tell(desk, *[newcomer(number, 900, minutes=number) for number in range(5)])
    alerts += desk.advance(NOON_MS + 11 * DAY_MS)
    assert (alerts, desk.open_incidents) == ([], [])


def test_visitors_are_no_newcomers() -> None:
    """Guests are many people; on whichever network they are, they are no crowd of accounts."""
    guests = [
        newcomer(number, 300, minutes=number, actor_kind=ActorKind.GUEST, peers="guest")
        for number in range(6)
    ]
    desk = company(200)
    assert of_network(tell(desk, *guests) + desk.advance(NOON_MS + 11 * DAY_MS)) == []


# --- when everybody does


def crowd(desk: Desk, people: int, rows: int, day: int) -> list[Alert]:
    """So many take so much, one after the other from noon on."""
    alerts: list[Alert] = []
    for number in range(people):
        time_ms = NOON_MS + day * DAY_MS + number * 60_000
        alerts += tell(
            desk, signal(99, actor=f"p{number}", time_ms=time_ms, measures=[measure(rows)], known_days=30)
        )
    return alerts


def test_what_everybody_does_is_not_strange() -> None:
    """On a disruption day the first may be told of; then what many have shown is worth no more than their share."""
    desk = Desk(SETTINGS, {})
    populated(desk, 9, 200)
    alerts = crowd(desk, 120, 900, 12)
    times = [alert.time_ms for alert in alerts if alert.activity is Activity.CREATE]
    assert 0 < len(times) <= 35
    assert max(times) < NOON_MS + 12 * DAY_MS + 4 * TICK_MS


def test_one_thief_excuses_nobody_not_even_himself() -> None:
    """However much one takes and however often it is said, the surprise at it, and at another one, is whole."""
    desk = Desk(SETTINGS, {})
    populated(desk, 9, 200)
    day_ms = START_MS + 12 * DAY_MS
    for number in range(30):
        rows = round(500 * 1.3**number)
        tell(
            desk, signal(99 + number, actor="p0", time_ms=day_ms + number * TICK_MS, measures=[measure(rows)])
        )
    later = signal(99, actor="p1", time_ms=day_ms + 12 * HOUR_MS, measures=[measure(5_000)], known_days=30)
    tell(desk, later)
    alone = Desk(SETTINGS, {})
    populated(alone, 9, 200)
    tell(alone, msgspec.structs.replace(later))
    surprises = [
        {name: kept.surprise for name, kept in incident.findings.items()}
        for one in (desk, alone)
        for incident in one.open_incidents
        if incident.actor == "p1"
    ]
    assert surprises[0] == surprises[1]
    (thief,) = [incident for incident in desk.open_incidents if incident.actor == "p0"]
    assert thief.findings["volume"].surprise > 4.0


def test_what_is_certain_is_so_of_however_many() -> None:
    """An indicator that twenty accounts meet on one day is twenty times what it is of one."""
    desk = Desk(SETTINGS, {})
    populated(desk, 9, 200)
    for number in range(20):
        tell(desk, found(99, "intel", 4.0, 12 * 24 + number, actor=f"p{number}"))
    assert {incident.findings["intel"].surprise for incident in desk.open_incidents} == {4.0}


# --- provisional decisions


def test_a_provisional_decision_is_marked() -> None:
    """Once a decision was taken early, the incident says so and is less sure, to its end."""
    sure = body(Desk(SETTINGS, {}).judge(crossed(1, 50_000))[0])
    desk = Desk(SETTINGS, {})
    alerts = desk.judge(crossed(1, 50_000), provisional=True) + desk.judge(crossed(2, 500_000, 1))
    bodies = [body(alert) for alert in alerts]
    assert [one["unmapped"]["crmwatch"]["provisional"] for one in bodies] == [True, True]
    assert sure["unmapped"]["crmwatch"]["provisional"] is False
    assert bodies[0]["confidence_score"] < sure["confidence_score"]


@pytest.mark.parametrize("advance", [False, True])
def test_a_provisional_decision_leaves_no_trace_in_those_after_it(advance: bool) -> None:
    """What was asked too early, before a day had all come, is asked anew: thresholds, surprises and shares."""
    bodies = []
    for hasty in (True, False):
        desk = Desk(SETTINGS, {})
        populated(desk, 8, 100, 0.2, seed=2)
        late_ms = START_MS + 12 * DAY_MS
        early = signal(1, actor="hasty", time_ms=late_ms, measures=[measure(70)], known_days=9)
        if hasty:
            desk.judge(early, provisional=True)
        for number in range(300):
            one = closed(
                1, START_DAY + 9, actor=f"w{number}", peers="human", measures=[measure(60 + 40 * number)]
            )
            desk.judge(one)
        if advance:
            desk.advance(late_ms)
        alerts = desk.judge(
            signal(1, actor="thief", time_ms=late_ms, measures=[measure(9_000)], known_days=9)
        )
        bodies.append([alert.body for alert in alerts])
        assert alerts
    assert bodies[0] == bodies[1]


# --- a stream of all that there is


def extra() -> list[AccessEvent]:
    """What the small world lacks: a crowd on a new network, vendor's findings, people driven by programs, joiners."""
    made = []
    for number in range(5):
        for view in range(60):
            made.append(
                event(
                    time_ms=START_MS + (8 * 24 + 10) * HOUR_MS + number * 400_000 + view * 7_000,
                    event_id=f"crowd-{number}-{view}",
                    tenant="00D4R000001kSkyUAE",
                    actor=f"0054R{number:010d}QAA",
                    operation=Operation.RECORD_VIEW,
                    objects=("Contact",),
                    ip=f"192.0.2.{50 + number}",
                    user_agent="curl/8.1",
                    record_ids=(f"003{view:012d}",),
                )
            )
    for day in range(12):
        made.append(
            event(
                time_ms=START_MS + day * DAY_MS + 11 * HOUR_MS, event_id=f"vendor-{day}",
                tenant="00D4R000001kSkyUAE", actor="0054R0000000001QAA", operation=Operation.VENDOR_FINDING, rows=None,
            )
        )  # fmt: skip
    return made


@cache
def stream() -> tuple[tuple[Signal, ...], int]:
    """The signals of a small world with a theft, as triage gets them: in the order of their time; and its end."""
    detection = Detection(TALKATIVE, {})
    events = sorted(
        [*world(5, 24 * 12, Theft(start_ms=START_MS + (9 * 24 + 3) * HOUR_MS), 10, 3), *extra()],
        key=lambda one: (one.time_ms, one.event_id),
    )
    signals = []
    for one in events:
        signals += detection.advance(one.time_ms)
        signals += detection.observe(one)
    end_ms = events[-1].time_ms + 3 * DAY_MS
    signals += detection.advance(end_ms)
    return tuple(sorted(signals, key=lambda one: one.time_ms)), end_ms


@cache
def uninterrupted() -> tuple[tuple[bytes, ...], Store]:
    """What a desk says about the stream if nothing happens to it, and what it stores."""
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    signals, end_ms = stream()
    alerts = tell(desk, *signals) + desk.advance(end_ms)
    save(desk)
    return tuple(sorted(alert.body for alert in alerts)), store


def test_the_stream_has_everything_in_it() -> None:
    """All kinds of signals, alerts of all activities, on identities and on a network: so the tests below see all."""
    signals, _ = stream()
    assert {one.kind for one in signals} == set(SignalKind)
    assert {one.detector for one in signals} >= {
        "volume",
        "export",
        "novelty",
        "rhythm",
        "chain",
        "vendor",
        "intel",
    }
    bodies = [json.loads(one) for one in uninterrupted()[0]]
    assert len(bodies) > 60
    assert {one["activity_id"] for one in bodies} == {1, 2, 3}
    assert {bool(one["unmapped"]["crmwatch"]["network"]) for one in bodies} == {True, False}
    assert {key[:1] for key in uninterrupted()[1]} >= {b"s", b"d", b"t"}


def told_by(alerts: Sequence[Alert]) -> tuple[bytes, ...]:
    """Alerts, to be compared whatever their order."""
    return tuple(sorted(alert.body for alert in alerts))


def test_the_same_signals_twice_over_a_whole_stream() -> None:
    """Every signal of a world judged twice, and some again much later: the same alerts and the same state."""
    expected, stored = uninterrupted()
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    signals, end_ms = stream()
    alerts = []
    for number, one in enumerate(signals):
        alerts += tell(desk, one, one, signals[number // 2])
    alerts += desk.advance(end_ms)
    save(desk)
    assert told_by(alerts) == expected
    assert store == stored


@given(st.data())
@settings(max_examples=15)
def test_a_desk_begun_anew_says_the_same(data: st.DataObject) -> None:
    """Saved and taken over by another at any points, some signals delivered again, told the time at other moments."""
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    alerts: list[Alert] = []
    stops = sorted(data.draw(st.lists(st.integers(1, len(signals) - 1), max_size=5)))
    hurry = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    begin = 0
    for stop in [*stops, len(signals)]:
        for one in signals[begin:stop]:
            alerts += desk.advance(
                settled_at(one.time_ms) + round(hurry * (one.time_ms - settled_at(one.time_ms)))
            )
            alerts += tell(desk, one)
        desk = anew(desk, store, TALKATIVE)
        begin = max(0, stop - data.draw(st.integers(0, 50)))
    alerts += desk.advance(end_ms)
    save(desk)
    assert told_by(alerts) == expected
    assert store == stored


@pytest.mark.parametrize("every", [1, 7, 100])
def test_saving_at_every_nth_signal_changes_nothing(every: int) -> None:
    """Saved, dropped and taken over by another after so many signals, all the way: the same alerts and state."""
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    alerts = []
    for number, one in enumerate(signals):
        alerts += tell(desk, one)
        if number % every == 0:
            desk = anew(desk, store, TALKATIVE)
    alerts += desk.advance(end_ms)
    save(desk)
    assert told_by(alerts) == expected
    assert store == stored


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_how_identities_interleave_changes_nothing(seed: int) -> None:
    """Whoever's signals come first, as long as each waits for its time to have settled: the same alerts and state."""
    random = Random(seed)
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    waiting: dict[str, deque[Signal]] = defaultdict(deque)
    for one in signals:
        waiting[one.identity].append(one)
    store: Store = {}
    desk = Desk(TALKATIVE, store)
    alerts: list[Alert] = []
    while waiting:
        known_ms = min(queue[0].time_ms for queue in waiting.values())  # all before it has come
        alerts += desk.advance(known_ms - random.choice((0, 0, random.randrange(TICK_MS))))
        ready = [name for name, queue in waiting.items() if settled_at(queue[0].time_ms) <= desk.watermark_ms]
        if not ready:
            alerts += desk.advance(known_ms)
            continue
        name = random.choice(ready)
        alerts += desk.judge(
            msgspec.msgpack.decode(msgspec.msgpack.encode(waiting[name].popleft()), type=Signal)
        )
        if not waiting[name]:
            del waiting[name]
    alerts += desk.advance(end_ms)
    save(desk)
    assert told_by(alerts) == expected
    assert store == stored


SIGNALS = st.lists(
    st.tuples(
        st.integers(0, 5),  # who
        st.sampled_from([0, 1, 9, 60, 700, 1500]),  # minutes later
        st.sampled_from(["volume", "export", "novelty", "chain", "rhythm", "intel", "closed", "tally"]),
        st.integers(0, 10**6),
        st.floats(0, 9),
        st.booleans(),
    ),
    max_size=60,
)


def made_of(drawn: list[tuple[int, int, str, int, float, bool]]) -> list[Signal]:
    """Signals of few identities of two tenants, in the order of their time."""
    sequences: dict[str, int] = defaultdict(int)
    time_ms = NOON_MS
    signals = []
    for who, later, what, rows, score, more in drawn:
        time_ms += later * 60_000
        about: dict[str, Any] = {"actor": f"u{who}", "tenant": f"t{who % 2}", "time_ms": time_ms}
        if what == "tally":
            about["actor"] = f"\x00{who % 3}"
            end_ms = time_ms - time_ms % TICK_MS
            about |= {
                "time_ms": end_ms,
                "kind": SignalKind.TALLY,
                "detector": "",
                "measures": [],
                "facts": {"a/x": score},
            }
        elif what == "closed":
            about |= {"kind": SignalKind.CLOSED, "detector": "", "used": {"network": [rows % 5]}}
            about |= {
                "day": time_ms // DAY_MS - 1,
                "measures": [measure(rows), measure(rows // 2, channel="all")],
            }
        elif what in ("volume", "export"):
            about |= {"detector": what, "measures": [measure(rows, detector=what)], "more": more}
        else:
            news = (
                [new("network", f"192.0.{rows % 2}.0/24", rows=rows), new("agent", "x")]
                if what == "novelty"
                else []
            )
            about |= {
                "detector": what,
                "measures": [],
                "score": score,
                "rows": rows,
                "news": news,
                "more": more,
            }
        sequences[about["actor"]] += 1
        signals.append(signal(sequences[about["actor"]], **about))
    return sorted(signals, key=lambda one: one.time_ms)


@given(SIGNALS, st.sets(st.integers(0, 60)), st.lists(st.floats(0, 1), min_size=60, max_size=60))
@settings(max_examples=150)
def test_any_signals_any_stops(drawn: Any, stops: set[int], moments: list[float]) -> None:
    """Whatever is said in whatever order: taken over anywhere and told the time at any moments, a desk says the same."""
    config = Settings(triage=TriageSettings(alert_risk=10, least_risk=5, support_surprise=0.3))
    signals = made_of(drawn)
    end_ms = NOON_MS + 200 * DAY_MS
    one, other = Desk(config, {}), Desk(config, store := {})
    expected = tell(one, *signals) + one.advance(end_ms)
    alerts: list[Alert] = []
    for number, each in enumerate(signals):
        from_ms = settled_at(each.time_ms)
        alerts += other.advance(from_ms + round(moments[number] * (each.time_ms - from_ms)))
        alerts += tell(other, each)
        if number in stops:
            other = anew(other, store, config)
    alerts += other.advance(end_ms)
    assert told_by(alerts) == told_by(expected)


# --- state


def test_days_that_are_too_old_are_deleted() -> None:
    """The population's cells go from state when they can no longer be used, and are told as gone once."""
    store: Store = {}
    desk = Desk(SETTINGS, store)
    tell(desk, closed(1))
    save(desk)
    cells = {key for key in store if key.startswith(b"d")}
    assert len(cells) == 3
    last = SETTINGS.triage.population_days + 3
    desk.advance(START_MS + last * DAY_MS)
    assert desk.changes() == {}
    desk.advance(START_MS + (last + 1) * DAY_MS)
    assert desk.changes() == dict.fromkeys(cells)
    save(desk)
    assert not cells & store.keys()
    assert desk.changes() == {}


def test_networks_that_nobody_came_to_for_days_are_forgotten() -> None:
    """Two days after the last change nothing is kept of who turned up where."""
    store: Store = {}
    desk = company(50, store=store)
    tell(desk, *[newcomer(number) for number in range(4)])
    save(desk)
    assert len([key for key in store if key.startswith(b"p")]) == 4
    desk.advance(NOON_MS + 10 * DAY_MS + TICK_MS)
    save(desk)
    assert {key for key in store if key[:1] in (b"p", b"o")} == {b"ot|192.0.2.0/24"}
    desk.advance(NOON_MS + 14 * DAY_MS)
    save(desk)
    assert not [key for key in store if key[:1] in (b"p", b"o")]


def test_time_does_not_go_back() -> None:
    """An older watermark says nothing new."""
    desk = Desk(SETTINGS, {})
    desk.judge(crossed(1, 50_000))
    desk.advance(NOON_MS + HOUR_MS)
    assert desk.advance(NOON_MS) == []
    assert desk.watermark_ms == NOON_MS + HOUR_MS


def test_when_what_a_decision_rests_on_is_complete() -> None:
    """A decision waits until the tick two before its own has closed: 10 to 20 minutes earlier."""
    assert settled_at(NOON_MS) == NOON_MS - TICK_MS
    assert settled_at(NOON_MS + TICK_MS - 1) == NOON_MS - TICK_MS
    assert settled_at(NOON_MS - 1) == NOON_MS - 2 * TICK_MS


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (b"st/u", b"\xc1", "t/u: not a value of triage"),
        (b"st/u", msgspec.msgpack.encode({"version": 2}), "t/u: not a value of triage"),
        (b"st/u", msgspec.msgpack.encode([DESK_VERSION, 1, 7]), "t/u: not a value of triage"),
        (b"st/u", msgspec.msgpack.encode([1, 1, ["t"]]), "t/u: not a value of triage"),
        (b"st/u", msgspec.msgpack.encode([DESK_VERSION + 1, 0]), f"t/u: version {DESK_VERSION + 1}"),
        (b"s\xff", b"\xc1", "not a value of triage"),
        (b"d1|1|t|n", b"\xc1", "not a value of triage"),
        (b"dnonsense", msgspec.msgpack.encode([1]), "nonsense: not a value of triage"),
        (b"ot|n", b"\xc1", "not a value of triage"),
        (b"p1|x", b"\xc1", "not a value of triage"),
        (b"px|x", b"\x90", "not a value of triage"),
        (b"tt", b"\xc1", "t: not a value of triage"),
        (b"y1|t", b"\xc1", "not a value of triage"),
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
        desk.judge(closed(1, actor=f"u{number}"))
    desk.judge(crossed(1, 50_000, actor="thief"))
    save(desk)
    assert len(desk._standings) == 1
    for number in range(500):
        assert desk.judge(closed(1, actor=f"u{number}")) == []
    assert desk.skipped == 500
    save(desk)
    assert len(desk._standings) == 1
    assert [incident.actor for incident in desk.open_incidents] == ["thief"]


def test_activities_and_severities_are_ocsfs() -> None:
    """An alert's activity and severity have the numbers that OCSF gives them."""
    assert [int(activity) for activity in Activity] == [1, 2, 3]
    assert [int(severity) for severity in Severity] == [1, 2, 3, 4, 5]


# --- the tenant as a whole


def tally(shard: int, tick: int, rows: int, **sources: float) -> Signal:
    """What a shard counted in a tick."""
    start_ms = START_MS + tick * TICK_MS
    return Signal(
        kind=SignalKind.TALLY, detector="", time_ms=start_ms + TICK_MS, day=start_ms // DAY_MS, first_ms=start_ms,
        last_ms=start_ms + TICK_MS - 1, rows=rows, facts={f"elf/{name}": count for name, count in sources.items()},
        tenant="t", actor=f"\x00{shard}", sequence=tick,
    )  # fmt: skip


def weeks(desk: Desk, shards: int, ticks: int, random: Random) -> list[Alert]:
    """Weeks in which much the same happens, until the queries stop for half a day and then much leaves."""
    alerts = []
    for tick in range(ticks):
        silent = ticks - 150 <= tick < ticks - 80
        rows = 100 + random.randrange(20) + (90_000 if tick == ticks - 10 else 0)
        for shard in range(shards):
            part = rows // shards + (rows % shards if shard == 0 else 0)
            sources = {"login": 6.0 / shards} | ({} if silent else {"query": 12.0 / shards})
            alerts += tell(desk, tally(shard, tick, part, **sources))
    return alerts + desk.advance(START_MS + (ticks + 1) * TICK_MS)


def test_a_silent_source_and_a_tenants_burst_are_notices() -> None:
    """Each is told once, to be known rather than to wake somebody up; the silence's end is told when records come again."""
    said = [body(alert) for alert in weeks(Desk(SETTINGS, {}), 1, 3 * 7 * 144, Random(1))]
    silence = [one for one in said if one["finding_info"]["types"] == ["health"]]
    assert [one["activity_name"] for one in silence] == ["Create", "Close"]
    hours = (silence[1]["time"] - silence[0]["time"]) / HOUR_MS
    assert 8 < hours < 12
    burst = [one for one in said if one["finding_info"]["types"] == ["series"]]
    assert [one["activity_name"] for one in burst] == ["Create"]
    assert {one["severity"] for one in said} == {"Informational"}


def test_sums_do_not_depend_on_who_counted() -> None:
    """Three shards that share what one would have counted alone lead to the same notices."""
    bodies = [
        [alert.body for alert in weeks(Desk(SETTINGS, {}), shards, 3 * 7 * 144, Random(1))]
        for shards in (1, 3)
    ]
    assert bodies[0] == bodies[1] != []


def test_a_silence_is_not_over_because_nothing_is_heard_of_it() -> None:
    """However long a source is silent, the notice stays open until it speaks."""
    desk = Desk(SETTINGS, {})
    ticks = 3 * 7 * 144
    alerts = weeks(desk, 1, ticks, Random(1))
    silent = [tell(desk, tally(0, ticks + tick, 100, login=6.0)) for tick in range(4 * 144)]
    assert not [
        alert
        for tick in silent
        for alert in tick
        if alert.activity is Activity.CLOSE and "health" in alert.detectors
    ]
    assert [incident.source for incident in desk.open_incidents] == ["elf"]
    assert alerts


# --- values of version 1


# Of one known, one whose published incident is open, and one whose incident nobody has been told of: as the release
# that judged windows of an hour stored them.
FORMER = {
    b"ct|20514|human|volume|query|3600000": "9601cd100fce0101e0e101cd3021810001",
    b"st/calm": "930107c0",
    b"st/odd": """
        930105dc0015a174a36f6464a568756d616ec0cf0000019cabd92260cf0000019cabd83800cf0000019cabd92260cf0000019cabd9226081
        a6766f6c756d659ca6766f6c756d65a57175657279ce0036ee80cf0000019cabd83800cf0000019cabd92260cd012ccb404aa6e5935b75b8
        cb4072d87ec7e77de5cb40004155fbbe4a071400c39196a57175657279a6766f6c756d65ce0036ee80cf0000019cabd83800cd012c81a443
        617365cd012c808000919ca3652d35cf0000019cabd84b88a57175657279cd012c91a443617365c0c0c0c0c0a474657374a56c6f673a3580
        8080000000c2""",
    b"st/thief": """
        930104dc0015a174a57468696566a568756d616ea3416461cf0000019cabd92260cf0000019cabd83800cf0000019cac1010e0cf0000019c
        ac1010e082a6766f6c756d659ca6766f6c756d65a57175657279ce05265c00cf0000019cabd83800cf0000019cabd92260cd36b0cb404b5c
        9f1ba961d5cb4073570ba5092814cb40140000000000001400c3a66578706f72749ca66578706f7274a57175657279ce0036ee80cf000001
        9cac0f2680cf0000019cac1010e0cd1f40cb404aa6e5935b75b8cb4072d87ec7e77de5cb40140000000000001400c39496a57175657279a6
        766f6c756d65ce0036ee80cf0000019cabd83800cd138881a443617365cd138896a57175657279a6766f6c756d65ce0036ee80cf0000019c
        ac0f2680cd232882a443617365cd1770a7436f6e74616374cd0bb896a57175657279a6766f6c756d65ce05265c00cf0000019cabd83800cd
        36b082a443617365cd2af8a7436f6e74616374cd0bb896a57175657279a66578706f7274ce0036ee80cf0000019cac0f2680cd1f4081a443
        617365cd1f40808000939ca3652d31cf0000019cabd83be8a57175657279cd138891a443617365c0c0c0c0c0a474657374a56c6f673a319c
        a3652d32cf0000019cabd83fd0a57175657279cd232891a443617365c0c0c0c0c0a474657374a56c6f673a329ca3652d34cf0000019cabd8
        47a0a57175657279cd1f4091a443617365c0c0c0c0c0a474657374a56c6f673a3480808003cd36b005c2""",
}
FORMER_UID = "crmwatch-afb1b39ab8a2875e1833918e"


def former() -> tuple[Desk, Store]:
    """A desk that has taken such a store over."""
    store = {key: bytes.fromhex(value) for key, value in FORMER.items()}
    desk = Desk(SETTINGS, store)
    desk.restore(list(store))
    return desk, store


def test_version_1_is_not_judged_again() -> None:
    """Whoever has been judged up to a signal stays so; the next signal is judged."""
    desk, _ = former()
    for actor, sequence in (("calm", 7), ("odd", 5), ("thief", 4)):
        assert desk.judge(crossed(sequence, 10**6, 30, actor=actor)) == []
    assert desk.skipped == 3
    assert told(desk.judge(crossed(8, 5_000, actor="calm"))) == [("CREATE", 5_000)]


def test_a_published_incident_of_version_1_goes_on() -> None:
    """Under its name, with its rows, reasons and evidence: it grows, and it closes; what nobody was told of is gone."""
    desk, _ = former()
    (incident,) = desk.open_incidents
    assert (incident.actor, incident.actor_name) == ("thief", "Ada")
    assert desk.judge(crossed(5, 2_000, actor="thief", actor_name="Ada")) == []
    (grown,) = desk.judge(crossed(6, 30_000, 1, actor="thief", actor_name="Ada"))
    (over,) = desk.advance(NOON_MS + 3 * DAY_MS)
    assert told([grown, over]) == [("UPDATE", 30_000), ("CLOSE", 30_000)]
    assert {grown.uid, over.uid} == {FORMER_UID}
    assert [one["uid"] for one in body(grown)["evidences"]] == ["e-1", "e-2", "e-4", "e-6"]


def test_a_published_incident_of_version_1_closes_as_it_was() -> None:
    """If nothing more is heard, it is closed with what it had: 14,000 rows, 11,000 of them cases."""
    desk, _ = former()
    (over,) = desk.advance(NOON_MS + 3 * DAY_MS)
    assert (told([over]), over.uid) == ([("CLOSE", 14_000)], FORMER_UID)
    assert over.sentence.startswith(
        "The user “Ada” (thief) took out 14,000 rows (Case 11,000, Contact 3,000) by API query"
    )
    assert body(over)["finding_info"]["types"] == ["export", "volume"]


def test_version_1_is_stored_anew() -> None:
    """Its cells are deleted, its incidents stored as this release has them; taken over again, nothing has changed."""
    desk, store = former()
    assert {key: None for key in store if key.startswith(b"c")}.items() <= desk.changes().items()
    again = anew(desk, store)
    assert not [key for key in store if key.startswith(b"c")]
    assert msgspec.msgpack.decode(store[b"st/thief"])[0] == DESK_VERSION
    assert again.open_incidents == desk.open_incidents
    assert again.changes() == {}
