"""Operators' decisions: what each changes, from when on, and that a desk taken over knows them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.alert.alert import Alert
from detector.feedback import EFFECTIVE_AFTER_MS, EXPECTED_MS, NOTIFICATION_MS, Decisions, Feedback, Verdict
from detector.settings import Settings, TriageSettings
from detector.triage.triage import Triage
from tests.detector.make import DAY_MS, HOUR_MS
from tests.detector.triage.triages import NOON_MS, SETTINGS, Store, anew, body, crossed, found, tell, told

QUIET_MS = SETTINGS.triage.quiet_seconds * 1000
MINUTE_MS = 60_000


def begun(store: Store | None = None) -> tuple[Triage, Alert]:
    """A desk with one incident, told of at noon."""
    triage = Triage(SETTINGS, {} if store is None else store)
    (first,) = tell(triage, crossed(1, 5_000))
    return triage, first


def said(verdict: Verdict, hours: float = 1.0, **fields: Any) -> Feedback:
    """A decision some hours after noon."""
    return Feedback(verdict=verdict, time_ms=NOON_MS + round(hours * HOUR_MS), **fields)


def test_who_has_seen_it_or_has_it_changes_nothing() -> None:
    """An incident that is acknowledged and assigned is told of as one that is not."""
    bodies = []
    for given in (False, True):
        triage, first = begun()
        if given:
            triage.apply_feedback(
                [
                    said(Verdict.ACKNOWLEDGED, incident=first.uid, by="ana"),
                    said(Verdict.ASSIGNED, incident=first.uid, assignee="ben"),
                ]
            )
        alerts = tell(triage, crossed(2, 50_000, 3)) + triage.advance(NOON_MS + 9 * DAY_MS)
        bodies.append([alert.body for alert in alerts])
    assert len(bodies[0]) == 2
    assert bodies[0] == bodies[1]


def test_what_is_closed_is_over_and_what_follows_is_another() -> None:
    """A closed incident ends a minute after it was closed, with the reason; the next signal opens a new one."""
    triage, first = begun()
    word = said(Verdict.CLOSED, incident=first.uid, reason="token <b>revoked</b>")
    triage.apply_feedback([word])
    assert triage.advance(word.effective_ms - 1) == []
    (over,) = triage.advance(word.effective_ms)
    assert (told([over]), over.uid, over.time_ms) == ([("CLOSE", 5_000)], first.uid, word.effective_ms)
    assert word.effective_ms == word.time_ms + MINUTE_MS == NOON_MS + HOUR_MS + EFFECTIVE_AFTER_MS
    assert (body(over)["status_id"], body(over)["status_detail"]) == (4, "closed: token <b>revoked</b>")
    (again,) = tell(triage, crossed(2, 9_000, 2))
    assert told([again]) == [("CREATE", 9_000)]
    assert again.uid != first.uid


def test_what_is_confirmed_stays_open_until_it_is_closed() -> None:
    """A breach is told of as in progress, outlives any quiet time, and closes when an operator closes it."""
    triage, first = begun()
    confirmed = said(Verdict.CONFIRMED, incident=first.uid)
    triage.apply_feedback([confirmed])
    (told_so,) = triage.advance(confirmed.effective_ms)
    assert told([told_so]) == [("UPDATE", 5_000)]
    assert (body(told_so)["status_id"], body(told_so)["status_detail"]) == (2, "confirmed")
    assert triage.advance(NOON_MS + 30 * DAY_MS) == []
    assert [incident.confirmed for incident in triage.open_incidents] == [True]
    closed = said(Verdict.CLOSED, 24 * 31, incident=first.uid)
    triage.apply_feedback([confirmed, closed])
    (over,) = triage.advance(NOON_MS + 32 * DAY_MS)
    assert told([over]) == [("CLOSE", 5_000)]
    assert over.time_ms == closed.effective_ms


def test_a_confirmation_in_a_silence_of_all_keeps_it_open() -> None:
    """When nothing is heard of anybody until long after the quiet time, as over a weekend, the breach stays open."""
    triage, first = begun()
    triage.apply_feedback([said(Verdict.CONFIRMED, incident=first.uid)])
    assert told(triage.advance(NOON_MS + 4 * DAY_MS)) == [("UPDATE", 5_000)]
    assert [incident.confirmed for incident in triage.open_incidents] == [True]
    late, _ = begun()
    late.apply_feedback([said(Verdict.CONFIRMED, QUIET_MS / HOUR_MS + 1, incident=first.uid)])
    assert told(late.advance(NOON_MS + 4 * DAY_MS)) == [("CLOSE", 5_000)]


def test_what_is_muted_is_counted_and_not_told() -> None:
    """Nothing is published about a muted identity until then; the next word after it holds all that left meanwhile."""
    triage, first = begun()
    until_ms = NOON_MS + 10 * HOUR_MS
    triage.apply_feedback([said(Verdict.MUTED, identity="t/u", until_ms=until_ms)])
    assert told(tell(triage, crossed(2, 50_000, 3))) == []
    assert told(tell(triage, crossed(3, 60_000, 11))) == [("UPDATE", 60_000)]
    other = tell(Triage(SETTINGS, {}), crossed(1, 5_000, actor="v"))
    assert told(other) == [("CREATE", 5_000)]
    assert first.uid


def test_the_newest_mute_holds() -> None:
    """A later decision takes the place of an earlier one, from when it is honoured on: that is how a mute is lifted."""
    long = said(Verdict.MUTED, 1, identity="t/u", until_ms=NOON_MS + 90 * DAY_MS)
    lifted = said(Verdict.MUTED, 5, identity="t/u", until_ms=NOON_MS + 5 * HOUR_MS + 1)
    decisions = Decisions([lifted, long])
    assert decisions.muted("t/u", lifted.effective_ms - 1)
    assert not decisions.muted("t/u", lifted.effective_ms)
    assert not decisions.muted("t/u", long.effective_ms - 1)


def test_an_incident_is_muted_alone() -> None:
    """A mute that names an incident does not silence the identity's next one."""
    triage, first = begun()
    triage.apply_feedback([said(Verdict.MUTED, incident=first.uid, until_ms=NOON_MS + 90 * DAY_MS)])
    assert told(tell(triage, crossed(2, 50_000, 3))) == []
    assert told(tell(triage, crossed(3, 60_000, 99)))[-1] == ("CREATE", 60_000)


def test_what_was_expected_closes_and_its_volume_is_nothing_unusual() -> None:
    """The incident closes, the identity's volume opens none until the time given, and then does again."""
    triage, first = begun()
    until_ms = NOON_MS + 20 * HOUR_MS
    word = said(Verdict.EXPECTED, incident=first.uid, identity="t/u", until_ms=until_ms, reason="move")
    triage.apply_feedback([word])
    (over,) = triage.advance(word.effective_ms)
    assert (told([over]), body(over)["status_detail"]) == ([("CLOSE", 5_000)], "expected: move")
    assert told(tell(triage, crossed(2, 90_000, 5))) == []
    stolen = found(3, "vendor", 9.0, 6, rows=90_000, objects={"Case": 90_000})
    (grave,) = tell(triage, stolen)
    assert told([grave]) == [("CREATE", 90_000)]
    assert told(tell(triage, crossed(4, 200_000, 21))) == [("UPDATE", 290_000)]


def test_a_day_that_was_expected_is_not_learned() -> None:
    """What an identity took out on such a day does not become normal for others; by default it lasts a day."""
    word = said(Verdict.EXPECTED, identity="t/u")
    decisions = Decisions([word])
    assert decisions.expected("t/u", word.effective_ms, word.effective_ms)
    assert not decisions.expected("t/u", 0, word.effective_ms - 1)
    assert decisions.expected("t/u", word.time_ms + EXPECTED_MS - 1, NOON_MS * 2)
    assert not decisions.expected("t/u", word.time_ms + EXPECTED_MS, NOON_MS * 2)
    assert not decisions.expected("t/v", word.effective_ms, word.effective_ms)


@pytest.mark.parametrize("known", ["from the beginning", "before it holds", "by settings"])
def test_when_it_was_learned_of_does_not_matter(known: str) -> None:
    """A desk that has known a decision for ever says the same as one that learns of it just before it holds."""
    _, first = begun()
    words = [
        said(Verdict.CONFIRMED, 2, incident=first.uid),
        said(Verdict.CLOSED, 4, incident=first.uid, reason="done"),
        said(Verdict.MUTED, 5, identity="t/u", until_ms=NOON_MS + 9 * HOUR_MS),
    ]
    settings = Settings(triage=TriageSettings(feedback=tuple(words) if known == "by settings" else ()))
    triage = Triage(settings, {})
    if known == "from the beginning":
        triage.apply_feedback(words)
    alerts = tell(triage, crossed(1, 5_000))
    if known == "before it holds":
        triage.apply_feedback(words)
    alerts += tell(triage, crossed(2, 6_000, 3), crossed(3, 90_000, 6), crossed(4, 95_000, 10))
    assert told(alerts) == [
        ("CREATE", 5_000),
        ("UPDATE", 5_000),
        ("CLOSE", 6_000),
        ("CREATE", 95_000),
    ]


def test_a_desk_that_is_taken_over_keeps_what_was_confirmed() -> None:
    """Its state says that the incident is a breach; it is not confirmed, nor told of, twice."""
    store: Store = {}
    triage, first = begun(store)
    word = said(Verdict.CONFIRMED, incident=first.uid)
    triage.apply_feedback([word])
    assert len(triage.advance(word.effective_ms)) == 1
    again = anew(triage, store)
    again.apply_feedback([word])
    assert again.advance(NOON_MS + 2 * QUIET_MS) == []
    assert [incident.word for incident in again.open_incidents] == ["confirmed"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"verdict": "closed", "time_ms": 1}, "names an incident"),
        ({"verdict": "closed", "time_ms": 1, "identity": "t/u"}, "is an incident"),
        ({"verdict": "muted", "time_ms": 1, "identity": "t/u"}, "needs an end"),
        ({"verdict": "muted", "time_ms": 5, "identity": "t/u", "until_ms": 5}, "after time_ms"),
        ({"verdict": "deleted", "time_ms": 1, "incident": "x"}, "Invalid enum value"),
        ({"verdict": "closed", "time_ms": 1, "incident": "x", "mood": "good"}, "unknown field"),
    ],
)
def test_a_decision_that_says_nothing_is_refused(fields: dict[str, Any], problem: str) -> None:
    """Feedback about nothing, without an end, or with a word that there is not, says what is wrong with it."""
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.convert(fields, Feedback)


def test_the_words_are_short() -> None:
    """However long a reason is, an alert repeats 400 characters of it at most."""
    word = said(Verdict.CLOSED, incident="x", reason="a" * 1_000_000)
    assert len(word.words) == 400


def test_a_breachs_deadline_stands_until_the_authority_is_notified() -> None:
    """By incident, the soonest first, 72 hours after the first confirmation; nothing else ends it."""
    words = [
        said(Verdict.CONFIRMED, 2, incident="a"),
        said(Verdict.CONFIRMED, 5, incident="a"),
        said(Verdict.CLOSED, 6, incident="a"),
        said(Verdict.CONFIRMED, 1, incident="b", identity="t/u"),
        said(Verdict.CONFIRMED, 1, incident="c"),
        said(Verdict.NOTIFIED, 3, incident="c"),
        said(Verdict.NOTIFIED, 3, incident="d"),
        said(Verdict.ACKNOWLEDGED, 3, incident="e"),
    ]
    first = said(Verdict.CONFIRMED, 1, incident="b").time_ms
    assert list(Decisions(words).deadlines_ms().items()) == [
        ("b", first + NOTIFICATION_MS),
        ("a", first + HOUR_MS + NOTIFICATION_MS),
    ]
    with pytest.raises(ValueError, match="what is notified is an incident"):
        said(Verdict.NOTIFIED, identity="t/u")
