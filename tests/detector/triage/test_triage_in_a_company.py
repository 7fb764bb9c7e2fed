from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from detector.alert.alert import Alert
from detector.alert.ocsf import Activity
from detector.event import ActorKind
from detector.settings import Announced, Settings, TriageSettings
from detector.signal import Signal, Span, evidence
from detector.triage.publisher import MOST_ABSORBED_ROWS
from detector.units import DAY_MS, HOUR_MS, TICK_MS
from tests.detector.make import START_DAY, START_MS, closed, event, measure, new, signal
from tests.detector.triage.triages import (
    NOON_MS,
    SETTINGS,
    Store,
    anew,
    body,
    crossed,
    found,
    save,
    tell,
    told,
)
from tests.detector.triage.triages import AlertingTriage as Triage

# --- the budget


def populated(
    triage: Triage, days: int, people: int, spread: float = 0.3, seed: int = 1
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
        alerts += tell(triage, *crossing, *closing)
        by_day.append(alerts)
    return by_day, sequences


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.3, 1.0])
@pytest.mark.parametrize("budget", [10.0, 40.0])
def test_a_soc_gets_what_it_can_look_at(spread: float, budget: float) -> None:
    """On a noisy population, once it is known, no more incidents a day than the budget, whatever the noise."""
    config = Settings(triage=TriageSettings(alert_budget=budget, least_risk=0))
    by_day, _ = populated(Triage(config, {}), 22, 300, spread)
    created = [sum(alert.activity is Activity.CREATE for alert in alerts) for alerts in by_day[8:]]
    allowed = 0.3 * budget
    assert 0 < sum(created) / len(created) <= 1.5 * allowed
    assert max(created) <= 4 * allowed


@pytest.mark.slow
def test_the_threshold_follows_the_noise() -> None:
    """The same theft is raised in a calm company and not in one in which such days are daily."""
    raised = {}
    for spread in (0.2, 1.3):
        triage = Triage(Settings(triage=TriageSettings(alert_budget=2)), {})
        populated(triage, 16, 200, spread)
        rows = measure(700, variance=spread**2)
        theft = signal(1, actor="thief", time_ms=START_MS + 17 * DAY_MS, measures=[rows], known_days=30)
        raised[spread] = told(tell(triage, theft))
    assert raised == {0.2: [("CREATE", 700)], 1.3: []}


def test_what_is_certain_always_goes_out() -> None:
    """However noisy and however small the budget: from `certain_risk` on an alert is raised."""
    config = Settings(triage=TriageSettings(alert_budget=0.001, certain_risk=75))
    triage = Triage(config, {})
    populated(triage, 12, 100, 1.3)
    at: dict[str, Any] = {"time_ms": START_MS + 13 * DAY_MS, "actor": "thief", "known_days": 30}
    nearly = found(1, "intel", 5.0, **at)
    assert tell(triage, nearly) == []
    (alert,) = tell(triage, crossed(2, 40_000, **at, objects={"Contact": 40_000}))
    assert body(alert)["risk_score"] >= config.triage.certain_risk
    assert told([alert]) == [("CREATE", 40_000)]


@pytest.mark.parametrize(("alert_risk", "alerts"), [(40, 1), (60, 0)])
def test_what_has_just_been_switched_on_goes_by_the_given_risk(alert_risk: int, alerts: int) -> None:
    """Nothing is known of the others, little of the one: `alert_risk` decides, and the alert says how little it is."""
    triage = Triage(Settings(triage=TriageSettings(alert_risk=alert_risk)), {})
    said = tell(triage, crossed(1, 900, known_days=3))
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
        triage = Triage(config, {})
        assert len(tell(triage, crossed(1, 50_000, hours, detector=detector, actor=actor))) == alerts
        assert len(triage.open_incidents) == alerts


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
    triage = Triage(Settings(triage=TriageSettings(announced=(window,))), {})
    alerts = tell(triage, other, crossed(2, 50_000, 0.1))
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
    triage = Triage(Settings(triage=TriageSettings(announced=(window,))), store)
    assert tell(triage, closed(1)) == []
    save(triage)
    assert bool([key for key in store if key.startswith(b"d")]) is learned
    assert (tell(triage, closed(1)), triage.skipped) == ([], 1)


@pytest.mark.parametrize(
    ("pattern", "rows", "alerts"),
    [("u", 5_000, 0), ("u*", 9_000, 0), ("u", 4_999, 1), ("x*", 9_000, 1)],
)
def test_expected_rows_are_never_unusual(pattern: str, rows: float, alerts: int) -> None:
    """Up to the rows given, by whom they are given for; more than that is as unusual as ever."""
    config = Settings(triage=TriageSettings(expected_rows={pattern: rows, "u?": 10.0}))
    said = tell(Triage(config, {}), crossed(1, 5_000))
    assert len(said) == alerts
    assert [alert.body for alert in said] == [
        alert.body for alert in tell(Triage(SETTINGS, {}), crossed(1, 5_000))
    ][:alerts]


def test_expected_rows_are_for_a_day() -> None:
    """A week may have seven times as many."""
    config = Settings(triage=TriageSettings(expected_rows={"u": 1_000.0}))
    alerts = [
        len(tell(Triage(config, {}), crossed(1, rows, measures=[measure(rows, span=span)])))
        for span, rows in (
            (Span.HOUR, 1_000), (Span.DAY, 1_001), (Span.WEEK, 7_000), (Span.WEEK, 7_001)
        )
    ]  # fmt: skip
    assert alerts == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("daily", "total", "expected", "alerts"),
    [(900.0, 9_000, 1_000.0, 0), (1_100.0, 9_000, 1_000.0, 1), (900.0, 11_000, 1_000.0, 1), (900.0, 9_000, 0.0, 1)],
)  # fmt: skip
def test_expected_rows_hold_for_what_adds_up_over_days(
    daily: float, total: int, expected: float, alerts: int
) -> None:
    """A slow theft of ten days is one only if its last day, or its days on average, had more than is expected."""
    config = Settings(triage=TriageSettings(expected_rows={"u": expected}, alert_risk=1, least_risk=1))
    slow = signal(
        1, time_ms=NOON_MS, detector="drip", measures=[], score=9.0, rows=total, objects={"Case": total},
        first_ms=NOON_MS - 10 * DAY_MS, last_ms=NOON_MS, facts={"day_rows": daily},
    )  # fmt: skip
    assert len(tell(Triage(config, {}), slow)) == alerts


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


def company(active: int, config: Settings = SETTINGS, store: Store | None = None) -> Triage:
    """A desk that knows of so many people, none of whom was ever on 192.0.2.0/24."""
    triage = Triage(config, {} if store is None else store)
    for number in range(active):
        one = closed(1, START_DAY + 7, actor=f"c{number}", measures=[], used={"network": [7]})
        tell(triage, one)
    return triage


def of_network(alerts: Iterable[Alert]) -> list[Any]:
    """The bodies of alerts that are about a network."""
    return [body(alert) for alert in alerts if body(alert)["unmapped"]["crmwatch"]["network"]]


def test_three_newcomers_on_a_network_are_one_incident() -> None:
    """About the network: who, what they took together, from where; when the third one's tick closes, and not before."""
    triage = company(200)
    alerts = tell(triage, newcomer(1, 400), newcomer(2, 300, minutes=3))
    alerts += triage.advance(NOON_MS + 10 * DAY_MS + TICK_MS)
    assert of_network(alerts) == []
    third = newcomer(3, 500, minutes=11)
    alerts = tell(triage, third) + triage.advance(NOON_MS + 10 * DAY_MS + 2 * TICK_MS - 1)
    assert of_network(alerts) == []
    alerts = triage.advance(NOON_MS + 10 * DAY_MS + 2 * TICK_MS)
    (told_of,) = of_network(alerts)
    crm = told_of["unmapped"]["crmwatch"]
    assert (crm["network"], crm["actors"]) == ("192.0.2.0/24", {"p1": 400, "p2": 300, "p3": 500})
    assert (crm["rows_taken"], crm["identity"]) == (1_200, "")
    assert told_of["finding_info"]["types"] == ["origin"]
    assert told_of["time"] == NOON_MS + 10 * DAY_MS + 2 * TICK_MS
    assert [found["uid"] for found in told_of["evidences"]] == ["e-1", "e-2", "e-3"]
    observed = {found["value"] for found in told_of["observables"]}
    assert observed == {"p1", "p2", "p3", "192.0.2.1", "192.0.2.2", "192.0.2.3", "curl/8"}


def test_a_network_goes_on_over_midnight() -> None:
    """More newcomers and more rows are updates of one incident whose rows count once; quiet, it closes."""
    triage = company(200)
    evening = 12 * 60 - 30
    alerts = tell(triage, *[newcomer(number, 300, minutes=evening + number) for number in (1, 2, 3)])
    alerts += tell(triage, *[newcomer(number, 300, minutes=evening + 60 + number) for number in (4, 5, 6, 7)])
    alerts += triage.advance(NOON_MS + 13 * DAY_MS)
    said = of_network(alerts)
    assert [(one["activity_name"], one["count"]) for one in said] == [
        ("Create", 900), ("Update", 2_100), ("Close", 2_100)
    ]  # fmt: skip
    assert len({one["finding_info"]["uid"] for one in said}) == 1
    assert len(said[1]["unmapped"]["crmwatch"]["actors"]) == 7


def test_a_network_that_was_quiet_is_another_story() -> None:
    """Newcomers after the quiet time are another incident, whether or not time was told in between."""
    said = []
    for fine in (False, True):
        triage = company(200)
        alerts = tell(triage, *[newcomer(number, 300) for number in (1, 2, 3)])
        later = [newcomer(number, 300, minutes=37 * 60) for number in (4, 5, 6)]
        if fine:
            for tick in range(37 * 6):
                alerts += triage.advance(NOON_MS + 10 * DAY_MS + tick * TICK_MS)
            alerts += tell(triage, *later)
        else:
            for one in later:
                alerts += triage.assess(one)
        alerts += triage.advance(NOON_MS + 14 * DAY_MS)
        said.append(of_network(alerts))
    assert [one["activity_name"] for one in said[0]] == ["Create", "Close", "Create", "Close"]
    assert said[0] == said[1]


@pytest.mark.parametrize(("arrived", "incidents"), [(3, 1), (6, 1), (10, 0), (20, 0)])
def test_a_new_office_is_no_incident(arrived: int, incidents: int) -> None:
    """When a quarter of all turn up on a network at once it is theirs."""
    triage = company(40)
    alerts = tell(triage, *[newcomer(number, 30, minutes=number / 10) for number in range(arrived)])
    alerts += triage.advance(NOON_MS + 11 * DAY_MS)
    assert len({one["finding_info"]["uid"] for one in of_network(alerts)}) == incidents


@pytest.mark.parametrize("own", ["192.0.2.0/24", "192.0.2.64/26", "192.0.0.0/8"])
def test_own_networks_are_never_strange(own: str) -> None:
    """Neither anybody's being there nor a crowd of newcomers is said."""
    triage = company(200, Settings(triage=TriageSettings(own_networks=(own,), alert_risk=0, least_risk=0)))
    alerts = tell(triage, *[newcomer(number, 900, minutes=number) for number in range(5)])
    alerts += triage.advance(NOON_MS + 11 * DAY_MS)
    assert (alerts, triage.open_incidents) == ([], [])


def test_visitors_are_no_newcomers() -> None:
    """Guests are many people; on whichever network they are, they are no crowd of accounts."""
    guests = [
        newcomer(number, 300, minutes=number, actor_kind=ActorKind.GUEST, peers="guest")
        for number in range(6)
    ]
    triage = company(200)
    assert of_network(tell(triage, *guests) + triage.advance(NOON_MS + 11 * DAY_MS)) == []


def test_networks_that_nobody_came_to_for_days_are_forgotten() -> None:
    """Two days after the last change nothing is kept of who turned up where."""
    store: Store = {}
    triage = company(50, store=store)
    tell(triage, *[newcomer(number) for number in range(4)])
    save(triage)
    assert len([key for key in store if key.startswith(b"p")]) == 4
    triage.advance(NOON_MS + 10 * DAY_MS + TICK_MS)
    save(triage)
    assert {key for key in store if key[:1] in (b"p", b"o")} == {b"ot|192.0.2.0/24"}
    triage.advance(NOON_MS + 14 * DAY_MS)
    save(triage)
    assert not [key for key in store if key[:1] in (b"p", b"o")]


# --- when everybody does


def crowd(triage: Triage, people: int, rows: int, day: int) -> list[Alert]:
    """So many take so much, one after the other from noon on."""
    alerts: list[Alert] = []
    for number in range(people):
        time_ms = NOON_MS + day * DAY_MS + number * 60_000
        alerts += tell(
            triage, signal(99, actor=f"p{number}", time_ms=time_ms, measures=[measure(rows)], known_days=30)
        )
    return alerts


def test_what_everybody_does_is_not_strange() -> None:
    """On a disruption day the first may be told of; then what many have shown is worth no more than their share."""
    triage = Triage(SETTINGS, {})
    populated(triage, 9, 200)
    alerts = crowd(triage, 120, 900, 12)
    times = [alert.time_ms for alert in alerts if alert.activity is Activity.CREATE]
    assert 0 < len(times) <= 35
    assert max(times) < NOON_MS + 12 * DAY_MS + 4 * TICK_MS


def test_one_thief_excuses_nobody_not_even_himself() -> None:
    """However much one takes and however often it is said, the surprise at it, and at another one, is whole."""
    triage = Triage(SETTINGS, {})
    populated(triage, 9, 200)
    day_ms = START_MS + 12 * DAY_MS
    for number in range(30):
        rows = round(500 * 1.3**number)
        tell(
            triage,
            signal(99 + number, actor="p0", time_ms=day_ms + number * TICK_MS, measures=[measure(rows)]),
        )
    later = signal(99, actor="p1", time_ms=day_ms + 12 * HOUR_MS, measures=[measure(5_000)], known_days=30)
    tell(triage, later)
    alone = Triage(SETTINGS, {})
    populated(alone, 9, 200)
    tell(alone, msgspec.structs.replace(later))
    surprises = [
        {name: kept.surprise for name, kept in incident.anomalies.items()}
        for one in (triage, alone)
        for incident in one.open_incidents
        if incident.actor == "p1"
    ]
    assert surprises[0] == surprises[1]
    (thief,) = [incident for incident in triage.open_incidents if incident.actor == "p0"]
    assert thief.anomalies["volume"].surprise > 4.0


def test_what_is_certain_is_so_of_however_many() -> None:
    """An indicator that twenty accounts meet on one day is twenty times what it is of one."""
    triage = Triage(SETTINGS, {})
    populated(triage, 9, 200)
    for number in range(20):
        tell(triage, found(99, "intel", 4.0, 12 * 24 + number, actor=f"p{number}"))
    assert {incident.anomalies["intel"].surprise for incident in triage.open_incidents} == {4.0}


# --- accounts on a network that is reported


def account(
    number: int, minutes: float, away: int = 0, at_it: int = 1, rows: int = MOST_ABSORBED_ROWS
) -> list[Signal]:
    """Somebody takes much: so many events from elsewhere, so many from 192.0.2.0/24."""
    signals = []
    places = ["198.51.100.7"] * away + [f"192.0.2.{number}"] * at_it
    for place, ip in enumerate(places):
        time_ms = NOON_MS + 10 * DAY_MS + round(minutes * 60_000) + place
        one = event(1000 * number + place, actor=f"c{number}", ip=ip, rows=rows)
        fields: dict[str, Any] = {"time_ms": time_ms, "more": place < len(places) - 1}
        signals.append(crossed(90 + place, rows, actor=f"c{number}", evidence=evidence(one, rows), **fields))
    return signals


def reported(store: Store | None = None) -> Triage:
    """A company in which three accounts on 192.0.2.0/24 have just been reported as one incident."""
    triage = company(200, store=store)
    alerts = tell(triage, *[newcomer(number, 400, minutes=number) for number in (1, 2, 3)])
    alerts += triage.advance(NOON_MS + 10 * DAY_MS + TICK_MS)
    assert len(of_network(alerts)) == 1
    return triage


def whom(alerts: Iterable[Alert]) -> set[str]:
    """The identities that incidents are created for."""
    created = (body(alert) for alert in alerts if alert.activity is Activity.CREATE)
    return {one["unmapped"]["crmwatch"]["identity"] for one in created} - {""}


def test_an_account_on_a_reported_network_is_not_alone() -> None:
    """What one of many does there belongs to the network's incident; its own stays open and unpublished."""
    triage = reported()
    assert whom(tell(triage, *account(50, 60))) == set()
    assert "c50" in {incident.actor for incident in triage.open_incidents}


def test_an_account_that_takes_much_by_itself_is_told_of() -> None:
    """Whoever has closed the network's incident still hears of a theft on it."""
    assert whom(tell(reported(), *account(50, 60, rows=MOST_ABSORBED_ROWS + 1))) == {"t/c50"}


def test_before_the_report_an_account_is_published() -> None:
    """Nothing is held back in the hope of a report: neither without one, nor in the ticks before one is settled."""
    assert whom(tell(company(200), *account(50, 60))) == {"t/c50"}
    assert whom(tell(reported(), *account(50, 11))) == {"t/c50"}


def test_what_was_published_before_goes_on() -> None:
    """An incident that has been published is updated and closed as ever, though its network is reported since."""
    triage = company(200)
    (first,) = tell(triage, *account(50, 0))
    tell(triage, *[newcomer(number, 400, minutes=number) for number in (1, 2, 3)])
    triage.advance(NOON_MS + 10 * DAY_MS + TICK_MS)
    time_ms = NOON_MS + 10 * DAY_MS + HOUR_MS
    one = event(7, actor="c50", ip="192.0.2.50", rows=90_000)
    grown = crossed(95, 90_000, actor="c50", time_ms=time_ms, evidence=evidence(one, 90_000))
    alerts = [alert for alert in tell(triage, grown) if alert.uid == first.uid]
    assert told(alerts) == [("UPDATE", 90_000)]


@pytest.mark.parametrize(
    ("away", "at_it", "published"), [(0, 2, False), (1, 1, False), (2, 1, True), (3, 0, True)]
)
def test_an_account_that_was_mostly_elsewhere_is_published(away: int, at_it: int, published: bool) -> None:
    """Half of its evidence from the reported network makes it one of many there; with less it stands alone."""
    assert whom(tell(reported(), *account(50, 60, away, at_it))) == ({"t/c50"} if published else set())


@pytest.mark.parametrize("hours", [1, 47, 49])
def test_a_report_holds_for_two_days(hours: int) -> None:
    """Later than that, what somebody does on the network is a story of its own."""
    assert whom(tell(reported(), *account(50, 60 * hours))) == ({"t/c50"} if hours > 48 else set())


@pytest.mark.parametrize("minutes", [5, 11, 30, 60])
def test_how_far_triage_is_does_not_decide(minutes: int) -> None:
    """A signal judged at its own moment and one judged when time has gone on come to the same."""
    said = []
    for ahead_ms in (0, 2 * TICK_MS, 6 * HOUR_MS):
        triage = company(200)
        tell(triage, *[newcomer(number, 400, minutes=number) for number in (1, 2, 3)])
        signals = account(50, minutes)
        if ahead_ms:
            triage.advance(signals[-1].time_ms + ahead_ms)
        said.append(whom(tell(triage, *signals)))
    assert said[0] == said[1] == said[2]


def test_a_report_is_remembered_over_a_restart() -> None:
    """A triage step that takes over holds accounts back as the one before would have."""
    store: Store = {}
    again = anew(reported(store), store)
    assert whom(tell(again, *account(50, 60))) == set()
