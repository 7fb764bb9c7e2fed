from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detector.decision import Kind
from detector.decision_index import DecisionIndex
from detector.response.clock import (
    Deadline,
    Duty,
    Nis2,
    awareness,
    awareness_history,
    clock,
    deadlines,
    nis2_clocks,
    rule,
)
from detector.units import HOUR_MS
from tests.detector.make import START_MS, decision, withdrawn


def ms(text: str) -> int:
    """A moment in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_breachs_deadline_stands_until_the_authority_is_notified() -> None:
    """Without awareness it is the latest possible, 72 hours after the first confirmation; closing does not end it."""
    decisions = [
        decision(Kind.BREACH, START_MS + 2 * HOUR_MS, "a"),
        decision(Kind.BREACH, START_MS + 5 * HOUR_MS, "a"),
        decision(Kind.DISPOSITION, START_MS + 6 * HOUR_MS, "a"),
        decision(Kind.BREACH, START_MS + HOUR_MS, "b", "t/u"),
        decision(Kind.BREACH, START_MS + HOUR_MS, "c"),
        decision(Kind.NOTIFIED, START_MS + 3 * HOUR_MS, "c"),
        decision(Kind.NOTIFIED, START_MS + 3 * HOUR_MS, "d"),
        decision(Kind.ACKNOWLEDGE, START_MS + 3 * HOUR_MS, "e"),
    ]
    assert list(deadlines(DecisionIndex(decisions)).items()) == [
        ("b", Deadline(START_MS + 73 * HOUR_MS, None)),
        ("a", Deadline(START_MS + 74 * HOUR_MS, None)),
    ]
    undone = [*decisions, *(withdrawn(decisions[n], START_MS + 9 * HOUR_MS) for n in (3, 5))]
    assert list(deadlines(DecisionIndex(undone))) == ["c", "a"]


def test_the_newest_awareness_holds_and_the_older_ones_are_kept() -> None:
    """A correction moves the deadline in either direction; withdrawing it brings the older entry back."""
    breach = decision(Kind.BREACH, START_MS, "a")
    first = decision(Kind.AWARENESS, START_MS + HOUR_MS, "a", aware_ms=START_MS - 5 * HOUR_MS)
    later = decision(Kind.AWARENESS, START_MS + 2 * HOUR_MS, "a", aware_ms=START_MS - HOUR_MS)
    index = DecisionIndex([breach, first, later])
    assert deadlines(index) == {"a": Deadline(START_MS + 71 * HOUR_MS, START_MS - HOUR_MS)}
    assert (awareness(index, "a"), awareness_history(index, "a")) == (later, [first, later])
    back = DecisionIndex([breach, first, later, withdrawn(later, START_MS + 3 * HOUR_MS)])
    assert deadlines(back)["a"].aware_ms == START_MS - 5 * HOUR_MS
    assert awareness(DecisionIndex([breach]), "a") is None


def test_awareness_alone_starts_the_clock() -> None:
    """An organisation that is aware of a breach has one, whether the incident was confirmed or not."""
    aware = decision(Kind.AWARENESS, START_MS, "a", aware_ms=START_MS - HOUR_MS)
    assert deadlines(DecisionIndex([aware])) == {"a": Deadline(START_MS + 71 * HOUR_MS, START_MS - HOUR_MS)}


@pytest.mark.parametrize(
    ("aware", "end"),
    [
        ("2026-03-06T09:20", "2026-03-09T09:20"),
        ("2026-03-27T22:30", "2026-03-30T22:30"),
        ("2026-12-24T18:00", "2026-12-27T18:00"),
    ],
)
def test_72_hours_are_plain_hours(aware: str, end: str) -> None:
    """Over a weekend, over the night that skips an hour in Europe, and over holidays."""
    assert clock(Duty.GDPR_NOTIFICATION, ms(aware)).deadline_ms == ms(end)


def test_nis2_runs_only_for_what_a_person_called_significant() -> None:
    """And only where the organisation falls under it; the month of the final report runs from the notification."""
    aware = ms("2026-01-29T08:00")
    assert nis2_clocks(aware, Nis2.NONE, True) == ()
    assert nis2_clocks(aware, Nis2.ESSENTIAL, None) == nis2_clocks(aware, Nis2.ESSENTIAL, False) == ()
    early, notification, final = nis2_clocks(aware, Nis2.IMPORTANT, True)
    assert (early.deadline_ms, notification.deadline_ms) == (ms("2026-01-30T08:00"), ms("2026-02-01T08:00"))
    assert (final.start_ms, final.deadline_ms, final.certain) == (None, None, False)
    sent = nis2_clocks(aware, Nis2.IMPORTANT, True, ms("2026-01-31T07:00"))
    assert sent[2].deadline_ms == ms("2026-02-28T07:00")


def test_a_rule_holds_from_its_date_on() -> None:
    """Before the first there is none, and a newer one replaces it for what begins later."""
    found = rule(Duty.GDPR_NOTIFICATION, START_MS)
    assert found is not None
    assert rule(Duty.GDPR_NOTIFICATION, ms("2018-05-24T00:00")) is None
    newer = type(found)(
        duty=found.duty,
        hours=96,
        begins_with="awareness",
        in_force_from=datetime(2028, 1, 1, tzinfo=UTC),
        source="a later law",
    )
    rules = (found, newer)
    assert rule(found.duty, ms("2027-12-31T23:59"), rules) == found
    assert rule(found.duty, ms("2028-01-01T00:00"), rules) == newer
