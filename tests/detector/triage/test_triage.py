from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.alert.ocsf import Activity
from detector.decision import Kind
from detector.keyed_state import StoredValueError
from detector.settings import Announced, Settings, SeverityTable, TriageSettings
from detector.signal import Signal, SignalKind, Span
from detector.triage.risk import Severity, rank_of
from detector.triage.triage import TRIAGE_VERSION, settled_at
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS, TICK_MS
from tests.detector.make import START_DAY, START_MS, closed, decision, measure, signal
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

QUIET_MS = SETTINGS.triage.quiet_seconds * 1000
ONE_SEVERITY = SeverityTable(risks=(), impacts=(), levels=(("medium",),))


# --- who is forgotten


def forgotten(sequence: int, days: float) -> Signal:
    """Nothing has been heard of the identity for so many days after noon."""
    return signal(
        sequence, kind=SignalKind.FORGOTTEN, time_ms=NOON_MS + round(days * DAY_MS), detector="", measures=[]
    )


def test_of_who_is_forgotten_nothing_is_left() -> None:
    """Its incident closes, its standing goes from the store, and when it returns its signals count from anew."""
    store: Store = {}
    triage = Triage(SETTINGS, store)
    assert told(tell(triage, crossed(7, 5_000))) == [("CREATE", 5_000)]
    save(triage)
    key = b"st/u"
    assert key in store
    assert told(tell(triage, forgotten(8, 400))) == [("CLOSE", 5_000)]
    changes = triage.changes()
    assert changes[key] is None
    again = crossed(1, 9_000, 24 * 401)
    assert told(tell(triage, again)) == [("CREATE", 9_000)]  # before it is saved, and after
    save(triage)
    assert key in store
    triage = anew(triage, store)
    tell(triage, forgotten(2, 900))
    save(triage)
    assert key not in store
    assert told(tell(triage, crossed(1, 9_000, 24 * 901))) == [("CREATE", 9_000)]


def test_an_open_incident_outlives_its_identity() -> None:
    """A confirmed breach stays open when its identity is forgotten, and what comes after is part of it."""
    triage = Triage(SETTINGS, {})
    (first,) = tell(triage, crossed(7, 5_000))
    triage.apply_decisions([decision(Kind.BREACH, NOON_MS + HOUR_MS, first.uid)])
    tell(triage, forgotten(8, 400))
    assert [incident.confirmed for incident in triage.open_incidents] == [True]
    (more,) = tell(triage, crossed(1, 50_000, 24 * 401))
    assert more.uid == first.uid


# --- one story


def grown(sequence: int, rows: int, hours: float, **fields: Any) -> Signal:
    """The same detector says that rows have grown, however little."""
    time_ms = NOON_MS + round(hours * HOUR_MS)
    return signal(sequence, kind=SignalKind.GROWN, rows=rows, measures=[], **({"time_ms": time_ms} | fields))


def test_a_story_from_its_first_alert_to_its_last() -> None:
    """Created when too much has left, updated at half as much again and not before, closed after a quiet time."""
    triage = Triage(SETTINGS, {})
    assert told(tell(triage, crossed(1, 5_000))) == [("CREATE", 5_000)]
    assert told(tell(triage, crossed(2, 7_500, 0.1))) == []
    assert told(tell(triage, crossed(3, 7_501, 0.2))) == [("UPDATE", 7_501)]
    last_ms = NOON_MS + round(0.2 * HOUR_MS)
    assert triage.advance(last_ms + QUIET_MS - 1) == []
    assert len(triage.open_incidents) == len(triage.open_assessments) == 1
    (over,) = triage.advance(last_ms + QUIET_MS)
    assert told([over]) == [("CLOSE", 7_501)]
    assert (over.time_ms, body(over)["status_id"]) == (last_ms + QUIET_MS, 4)
    assert (triage.open_incidents, triage.open_assessments) == ([], [])
    assert triage.advance(last_ms + 9 * DAY_MS) == []


@pytest.mark.parametrize("wait", [False, True])
def test_growth_is_published_after_a_quarter_of_an_hour(wait: bool) -> None:
    """However little it is, and at the same moment whether the time or the identity's next signal says so."""
    triage = Triage(SETTINGS, {})
    tell(triage, crossed(1, 5_000))
    assert tell(triage, grown(2, 5_001, 0.1)) == []
    due_ms = NOON_MS + 15 * MINUTE_MS
    assert triage.advance(due_ms - 1) == []
    alerts = triage.advance(due_ms + HOUR_MS) if wait else triage.assess(grown(3, 5_001, 1))
    assert told(alerts) == [("UPDATE", 5_001)]
    assert alerts[0].time_ms == due_ms
    assert tell(triage, grown(4, 5_001, 2)) == []
    assert told(tell(triage, grown(5, 5_002, 3))) == [("UPDATE", 5_002)]


def test_growth_for_days_is_published_ever_less_often() -> None:
    """Every quarter of an hour in the first hours, and then after a tenth of the time that the incident is open."""
    triage = Triage(SETTINGS, {})
    tell(triage, crossed(1, 500_000))
    alerts = [alert for n in range(1, 143) for alert in tell(triage, grown(n + 1, 500_000 + n, n / 12))]
    minutes = [(alert.time_ms - NOON_MS) // MINUTE_MS for alert in alerts]
    assert minutes[:10] == [15 * number for number in range(1, 11)]
    assert 20 < len(minutes) < 30
    assert minutes[-1] - minutes[-2] > 45


def test_another_category_of_data_is_published_at_once() -> None:
    """A single row of customers' cases beside contacts is news; one more of the same category is not."""
    triage = Triage(SETTINGS, {})
    tell(triage, crossed(1, 5_000, objects={"Contact": 5_000}))
    assert tell(triage, grown(2, 5_001, 0.01, objects={"Contact": 5_000, "Lead": 1})) == []
    objects = {"Contact": 5_000, "Lead": 1, "Case": 1}
    assert told(tell(triage, grown(3, 5_002, 0.02, objects=objects))) == [("UPDATE", 5_002)]


def test_growth_alone_opens_nothing() -> None:
    """It counts for an incident that has been published, of a detector that it rests on, and keeps none open."""
    triage = Triage(SETTINGS, {})
    assert tell(triage, grown(1, 50_000, 0)) == []
    assert triage.open_incidents == []
    tell(triage, crossed(2, 5_000))
    assert tell(triage, grown(3, 50_000, 1, detector="novelty")) == []
    assert triage.advance(NOON_MS + QUIET_MS - 1) == []
    tell(triage, grown(4, 5_000, 10))
    assert told(triage.advance(NOON_MS + QUIET_MS)) == [("CLOSE", 5_000)]


def test_one_story_has_one_name_and_the_next_another() -> None:
    """All alerts of an incident have its uid; what comes after it has closed is a new one."""
    triage = Triage(SETTINGS, {})
    alerts = tell(triage, crossed(1, 5_000), crossed(2, 50_000, 1), crossed(3, 60_000, 99))
    assert told(alerts) == [("CREATE", 5_000), ("UPDATE", 50_000), ("CLOSE", 50_000), ("CREATE", 60_000)]
    assert len({alert.uid for alert in alerts[:3]}) == 1
    assert alerts[3].uid != alerts[0].uid


def test_the_end_of_a_story_is_told_when_its_identity_speaks_again() -> None:
    """It closes at the same moment whether the time or the identity's next signal says that it is over."""
    bodies = []
    for wait in (False, True):
        triage = Triage(SETTINGS, {})
        alerts = tell(triage, crossed(1, 5_000))
        alerts += triage.advance(NOON_MS + 3 * DAY_MS) if wait else triage.assess(crossed(2, 100, 80))
        assert told(alerts)[:2] == [("CREATE", 5_000), ("CLOSE", 5_000)]
        bodies.append(alerts[1].body)
    assert bodies[0] == bodies[1]


def test_what_has_not_been_published_ends_in_silence() -> None:
    """Nobody hears of the end of something that nobody has heard of."""
    triage = Triage(SETTINGS, {})
    assert tell(triage, crossed(1, 300)) == []
    assert (len(triage.open_incidents), triage.open_assessments) == (1, [])
    assert triage.advance(NOON_MS + QUIET_MS) == []
    assert triage.open_incidents == []


@pytest.mark.parametrize(
    ("table", "score", "severer", "updated"),
    [
        (SeverityTable(), 0.4, False, False),
        (SeverityTable(), 2.5, True, True),
        (ONE_SEVERITY, 2.5, False, False),
        (ONE_SEVERITY, 5.0, False, True),
    ],
    ids=["a little", "severer", "likelier", "ten tenths likelier"],
)
def test_higher_severity_or_ten_tenths_are_news(
    table: SeverityTable, score: float, severer: bool, updated: bool
) -> None:
    """An incident that has become graver is published again though no row has been added, a little worse one is not."""
    triage = Triage(Settings(triage=TriageSettings(support_surprise=0.2, severity=table)), {})
    (first,) = tell(triage, crossed(1, 1_800))
    ((before, _),) = triage.open_assessments
    alerts = tell(triage, found(2, "vendor", score, 1))
    ((after, _),) = triage.open_assessments
    assert before.rank < after.rank
    assert told(alerts) == ([("UPDATE", 1_800)] if updated else [])
    for alert in alerts:
        assert (alert.severity > first.severity) is severer
        assert severer or after.rank >= before.rank + 10
        assert set(alert.detectors) == {"volume", "vendor"}


def test_nothing_below_the_thresholds() -> None:
    """Neither a risk too small, nor rows that are usual, nor data nobody minds raises an alert."""
    triage = Triage(SETTINGS, {})
    assert tell(triage, crossed(1, 300), crossed(1, 60, actor="usual")) == []
    assert [incident.actor for incident in triage.open_incidents] == ["u"]
    harmless, worse = (
        tell(Triage(SETTINGS, {}), crossed(1, 1_200, objects={kind: 1_200})) for kind in ("User", "Case")
    )
    assert (told(harmless), told(worse)) == ([], [("CREATE", 1_200)])  # fmt: skip


def test_one_contact_among_many_products_is_one_contact() -> None:
    """Risk goes by the rows of what is sensitive, not by all rows because a single one was."""
    products, contacts = (
        tell(Triage(Settings(triage=TriageSettings(alert_risk=0)), {}), crossed(1, 100_000, objects=objects))
        for objects in ({"Opportunity": 99_999, "Contact": 1}, {"Opportunity": 1, "Contact": 99_999})
    )
    assert told(products) == told(contacts) == [("CREATE", 100_000)]
    assert body(products[0])["risk_score"] < body(contacts[0])["risk_score"] - 10


def test_all_that_one_event_says_is_one_alert() -> None:
    """Three detectors about one event: nothing is said before the last, and then once."""
    triage = Triage(SETTINGS, {})
    large = crossed(1, 50_000, detector="export", more=True, measures=[measure(50_000, detector="export")])
    assert tell(triage, large, crossed(2, 50_000, more=True)) == []
    (alert,) = tell(triage, crossed(3, 5, channel="report"))
    assert told([alert]) == [("CREATE", 50_005)]
    assert alert.detectors == ("export", "volume")


def test_the_last_word_of_an_event_need_not_count() -> None:
    """What waits for the last signal of an event is told even if that one itself is announced."""
    window = Announced(reason="migration", from_ms=START_MS, until_ms=START_MS + DAY_MS)
    triage = Triage(Settings(triage=TriageSettings(announced=(window,))), {})
    first = found(1, "intel", 5.0, more=True, rows=9_000, objects={"Contact": 9_000})
    assert tell(triage, first) == []
    (alert,) = tell(triage, crossed(2, 9_000))
    assert (told([alert]), alert.detectors) == ([("CREATE", 9_000)], ("intel",))


def test_a_day_that_is_over_opens_no_incident() -> None:
    """That a day has ended raises nothing, however much was in it; what its end shows does."""
    triage = Triage(SETTINGS, {})
    assert tell(triage, closed(1, measures=[measure(10**6)])) == []
    assert triage.open_incidents == []
    end_ms = closed().time_ms
    weekly = measure(50_000, detector="drip", channel="all", span=Span.WEEK)
    drip = signal(
        2, detector="drip", channel="all", score=9.0, measures=[weekly], time_ms=end_ms, day=START_DAY,
        first_ms=START_MS - 9 * DAY_MS, last_ms=START_MS + DAY_MS - 1, rows=50_000, objects={"Contact": 50_000},
        facts={"days": 10.0, "week_rows": 50_000.0, "typical_day": 50.0}, more=True,
    )  # fmt: skip
    assert tell(triage, drip) == []
    (alert,) = tell(triage, closed(3))
    assert (told([alert]), alert.detectors) == ([("CREATE", 50_000)], ("drip",))
    assert alert.time_ms == end_ms


# --- evidence over time


def test_evidence_decays() -> None:
    """What was found counts half after a half-life, and a quarter after two: the same story is less of a risk."""
    config = Settings(triage=TriageSettings(alert_risk=0, least_risk=0, quiet_seconds=366 * 86_400))
    ranks = []
    for hours in (0, 1, 48, 96):
        triage = Triage(config, {})
        tell(triage, found(1, "vendor", 4.0))
        triage.advance(NOON_MS + hours * HOUR_MS)
        ((assessment, _),) = triage.open_assessments
        ranks.append(assessment.rank)
    weights = (4.0, 4.0 * 0.5 ** (1 / 48), 2.0, 1.0)
    assert ranks == [rank_of(round(45 * (1 - 10 ** (-weight / 9)))) for weight in weights]


@pytest.mark.parametrize(("half_life_hours", "alerts"), [(48, 1), (2, 0), (0, 1)])
def test_the_half_life_is_a_setting(half_life_hours: int, alerts: int) -> None:
    """Two hints half a day apart are an alert only if the first is still remembered; 0 is for ever."""
    config = Settings(triage=TriageSettings(half_life_seconds=half_life_hours * 3600))
    triage = Triage(config, {})
    assert tell(triage, crossed(1, 600)) == []
    said = tell(triage, found(2, "vendor", 1.5, 12))
    assert len(said) == alerts


def test_kinds_that_are_independent_corroborate() -> None:
    """Something new beside the volume is a far graver matter; a large operation within it is hardly one."""
    risks = []
    for detector in ("volume", "export", "vendor"):
        triage = Triage(Settings(triage=TriageSettings(alert_risk=5)), {})
        tell(triage, crossed(1, 900, more=True))
        more = (
            found(2, "vendor", 3.0)
            if detector == "vendor"
            else crossed(2, 900, detector=detector, measures=[measure(900, detector=detector)])
        )
        risks.append(body(tell(triage, more)[0])["risk_score"])
    assert risks[0] < risks[1] < risks[2]
    assert risks[2] - risks[1] > 2 * (risks[1] - risks[0])


# --- judged once


def test_what_was_judged_before_changes_nothing() -> None:
    """Signals that come twice, singly or all again, are skipped and counted."""
    store: Store = {}
    triage = Triage(SETTINGS, store)
    signals = [crossed(1, 5_000), crossed(2, 20_000, 1), closed(3)]
    assert len(tell(triage, *signals)) == 2
    save(triage)
    before = dict(store)
    assert tell(triage, *signals) == []
    assert (triage.skipped, triage.dirty, triage.changes()) == (3, 0, {})
    save(triage)
    assert store == before


def test_killed_between_the_signals_of_one_event() -> None:
    """Begun anew between two signals of one event, the alert that waited for the last of them is still made."""
    store: Store = {}
    triage = Triage(SETTINGS, store)
    assert tell(triage, crossed(1, 50_000, more=True)) == []
    again = anew(triage, store)
    assert told(tell(again, crossed(2, 50_000, detector="export"))) == [("CREATE", 50_000)]


# --- provisional decisions


def test_a_provisional_decision_is_marked() -> None:
    """Once a decision was taken early, the incident says so and is less sure, to its end."""
    sure = body(Triage(SETTINGS, {}).assess(crossed(1, 50_000))[0])
    triage = Triage(SETTINGS, {})
    alerts = triage.assess(crossed(1, 50_000), provisional=True) + triage.assess(crossed(2, 500_000, 1))
    bodies = [body(alert) for alert in alerts]
    assert [one["unmapped"]["crmwatch"]["provisional"] for one in bodies] == [True, True]
    assert sure["unmapped"]["crmwatch"]["provisional"] is False
    assert bodies[0]["confidence_score"] < sure["confidence_score"]


@pytest.mark.parametrize("advance", [False, True])
def test_a_provisional_decision_leaves_no_trace_in_those_after_it(advance: bool) -> None:
    """What was asked too early, before a day had all come, is asked anew: by the next signal or when time goes on."""
    at = {"time_ms": START_MS + 3 * DAY_MS, "known_days": 9}
    bodies = []
    for hasty in (True, False):
        triage = Triage(SETTINGS, {})
        if hasty:
            triage.assess(signal(1, actor="hasty", **at), provisional=True)
        for number in range(300):
            triage.assess(closed(1, actor=f"w{number}", measures=[measure(60 + number)]))
        if advance:
            triage.advance(at["time_ms"])
        (alert,) = triage.assess(signal(1, actor="thief", measures=[measure(9_000)], **at))
        bodies.append(alert.body)
    assert bodies[0] == bodies[1]


# --- state


def test_days_that_are_too_old_are_deleted() -> None:
    """The population's cells and its tenant leave the state when they are of no more use, reported gone once."""
    store: Store = {}
    triage = Triage(SETTINGS, store)
    tell(triage, closed(1))
    save(triage)
    cells = {key for key in store if key.startswith(b"d")}
    assert len(cells) == 3
    last = SETTINGS.triage.population_days + 3
    triage.advance(START_MS + last * DAY_MS)
    assert triage.changes() == {}
    triage.advance(START_MS + (last + 1) * DAY_MS)
    assert triage.changes() == dict.fromkeys({*cells, b"tt"})
    save(triage)
    assert not cells & store.keys()
    assert triage.changes() == {}


def test_time_does_not_go_back() -> None:
    """An older watermark says nothing new."""
    triage = Triage(SETTINGS, {})
    triage.assess(crossed(1, 50_000))
    triage.advance(NOON_MS + HOUR_MS)
    assert triage.advance(NOON_MS) == []
    assert triage.watermark_ms == NOON_MS + HOUR_MS


def test_when_what_a_decision_rests_on_is_complete() -> None:
    """A decision waits until the tick two before its own has closed: 10 to 20 minutes earlier."""
    assert settled_at(NOON_MS) == NOON_MS - TICK_MS
    assert settled_at(NOON_MS + TICK_MS - 1) == NOON_MS - TICK_MS
    assert settled_at(NOON_MS - 1) == NOON_MS - 2 * TICK_MS


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (b"st/u", b"\xc1", "st/u: not a value of triage"),
        (b"st/u", msgspec.msgpack.encode({"version": 2}), "st/u: not a value of triage"),
        (b"st/u", msgspec.msgpack.encode([TRIAGE_VERSION, 1, 7]), "st/u: not a value of triage"),
        (b"st/u", msgspec.msgpack.encode([1, 1, ["t"]]), "st/u: version 1; this release reads"),
        (b"st/u", msgspec.msgpack.encode([TRIAGE_VERSION + 1, 0]), f"st/u: version {TRIAGE_VERSION + 1}"),
        (b"s\xff", b"\xc1", "s\N{REPLACEMENT CHARACTER}: "),
        (b"d1|1|t|n", b"\xc1", "d1|1|t|n: "),
        (b"dnonsense", msgspec.msgpack.encode([1]), "dnonsense: "),
        (b"ot|n", b"\xc1", "ot|n: "),
        (b"p1|x", b"\xc1", "p1|x: "),
        (b"px|x", b"\x90", "px|x: "),
        (b"tt", b"\xc1", "tt: "),
        (b"y1|t", b"\xc1", "y1|t: "),
        (b"?t", b"\xc1", "?t: a key of no known kind"),
        (b"s" * 300, b"\xc1", "s" * 200 + ": "),
    ],
)
def test_what_cannot_be_read_is_an_error(key: bytes, value: bytes, sentence: str) -> None:
    """A broken or foreign value in the store is named by its key, of which at most 200 characters are shown."""
    with pytest.raises(StoredValueError) as error:
        Triage(SETTINGS, {key: value}).restore([key])
    assert str(error.value).startswith(sentence)


def test_many_identities_leave_little_in_memory() -> None:
    """What is saved and has no open incident is not kept decoded, and what is needed again is read from the store."""
    store: Store = {}
    triage = Triage(SETTINGS, store)
    for number in range(500):
        triage.assess(closed(1, actor=f"u{number}"))
    triage.assess(crossed(1, 50_000, actor="thief"))
    save(triage)
    assert len(triage._states) == 1
    for number in range(500):
        assert triage.assess(closed(1, actor=f"u{number}")) == []
    assert triage.skipped == 500
    save(triage)
    assert len(triage._states) == 1
    assert [incident.actor for incident in triage.open_incidents] == ["thief"]


def test_activities_and_severities_are_ocsfs() -> None:
    """An alert's activity and severity have the numbers that OCSF gives them."""
    assert [int(activity) for activity in Activity] == [1, 2, 3]
    assert [int(severity) for severity in Severity] == [1, 2, 3, 4, 5]
