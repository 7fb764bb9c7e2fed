"""Which decisions hold: by time, by what they are about, and after a withdrawal."""

from __future__ import annotations

from itertools import permutations

import msgspec

from detector.decision import EXPECTED_MS, DecisionSubject, Kind
from detector.decision_index import NEVER_MS, DecisionIndex
from detector.units import DAY_MS, HOUR_MS
from tests.detector.make import START_MS, decision, withdrawn

IDENTITY = DecisionSubject(identity="t/u")


def test_the_newest_mute_holds() -> None:
    """A later mute replaces an earlier one from its effective time on: a short one lifts a long one."""
    long = decision(Kind.MUTE, START_MS, identity="t/u", until_ms=START_MS + 90 * DAY_MS)
    short = decision(Kind.MUTE, START_MS + HOUR_MS, identity="t/u", until_ms=START_MS + HOUR_MS + 1)
    index = DecisionIndex([short, long])
    assert not index.muted(IDENTITY, long.effective_ms - 1)
    assert index.muted(IDENTITY, long.effective_ms)
    assert index.muted(IDENTITY, short.effective_ms - 1)
    assert not index.muted(IDENTITY, short.effective_ms)


def test_a_withdrawn_mute_no_longer_holds() -> None:
    """From the withdrawal's effective time on, and what it had replaced does not come back."""
    old = decision(Kind.MUTE, START_MS, identity="t/u", until_ms=START_MS + 90 * DAY_MS)
    mute = decision(Kind.MUTE, START_MS + HOUR_MS, identity="t/u", until_ms=START_MS + 80 * DAY_MS)
    back = withdrawn(mute, START_MS + 2 * HOUR_MS)
    for order in permutations([old, mute, back]):
        index = DecisionIndex(order)
        assert index.muted(IDENTITY, back.effective_ms - 1)
        assert not index.muted(IDENTITY, back.effective_ms)
        assert index.end_ms(mute) == back.effective_ms


def test_a_mute_of_an_incident_is_not_its_identitys() -> None:
    """An incident is muted by a mute of its own or of its identity; the identity only by the latter."""
    own = decision(Kind.MUTE, START_MS, "x", until_ms=START_MS + DAY_MS)
    other = decision(Kind.MUTE, START_MS, identity="t/u", until_ms=START_MS + DAY_MS)
    both = DecisionSubject(incident="x", identity="t/u")
    assert DecisionIndex([own]).muted(both, START_MS + HOUR_MS)
    assert DecisionIndex([other]).muted(both, START_MS + HOUR_MS)
    assert not DecisionIndex([own]).muted(IDENTITY, START_MS + HOUR_MS)


def test_volume_is_expected_until_it_ends_or_is_withdrawn() -> None:
    """By default for a day from the decision; any overlap with a span of time counts."""
    expected = decision(Kind.EXPECTED, START_MS, identity="t/u")
    index = DecisionIndex([expected])
    assert index.expected("t/u", expected.effective_ms, expected.effective_ms)
    assert not index.expected("t/u", 0, expected.effective_ms - 1)
    assert index.expected("t/u", START_MS + EXPECTED_MS - 1, START_MS + 9 * DAY_MS)
    assert not index.expected("t/u", START_MS + EXPECTED_MS, START_MS + 9 * DAY_MS)
    assert not index.expected("t/v", expected.effective_ms, expected.effective_ms)
    back = withdrawn(expected, START_MS + HOUR_MS)
    index = DecisionIndex([expected, back])
    assert index.expected("t/u", back.effective_ms - 1, NEVER_MS)
    assert not index.expected("t/u", back.effective_ms, NEVER_MS)


def test_a_withdrawal_must_name_the_same_kind_and_subject() -> None:
    """Else it takes nothing back, and neither does the withdrawal of a withdrawal or of something unknown."""
    breach = decision(Kind.BREACH, START_MS, "x")
    back = withdrawn(breach, START_MS + 1)
    replace = msgspec.structs.replace
    wrong = [
        replace(back, id="k", kind=Kind.NOTIFIED),
        replace(back, id="s", subject=DecisionSubject(incident="y")),
        replace(back, id="u", withdraws="unknown"),
    ]
    assert DecisionIndex([breach, *wrong]).withdrawal(breach) is None
    again = withdrawn(back, START_MS + 2)
    index = DecisionIndex([breach, back, again, replace(back, id="later", time_ms=START_MS + 9)])
    assert index.withdrawal(breach) == back
    assert index.withdrawal(back) is None


def test_each_decision_counts_once() -> None:
    """One that arrives again changes nothing; of two with one id the earlier holds, in whatever order they come."""
    mute = decision(Kind.MUTE, START_MS, "x", until_ms=START_MS + DAY_MS)
    forged = msgspec.structs.replace(mute, time_ms=START_MS + 1, by="eve")
    for order in permutations([mute, forged, mute]):
        assert list(DecisionIndex(order)) == [mute]


def test_a_breach_that_is_withdrawn_and_decided_again_has_a_gap() -> None:
    """It ceases when nothing says any more that it is one, and begins again with the next decision."""
    first = decision(Kind.BREACH, START_MS, "x")
    second = decision(Kind.BREACH, START_MS + HOUR_MS, "x")
    third = decision(Kind.BREACH, START_MS + 9 * HOUR_MS, "x")
    off = withdrawn(first, START_MS + 2 * HOUR_MS), withdrawn(second, START_MS + 3 * HOUR_MS)
    index = DecisionIndex([third, first, second, *off])
    assert index.breach("x", -1) == first
    assert index.breach_withdrawal("x", first.effective_ms) == off[1]
    assert index.breach("x", off[1].effective_ms) == third
    assert index.breach_withdrawal("x", third.effective_ms) is None
    assert index.breach("y", -1) is None


def test_a_decision_withdrawn_before_it_holds_never_did() -> None:
    """An incident is not closed by it; one that was withdrawn later has been closed all the same."""
    closing = decision(Kind.DISPOSITION, START_MS, "x")
    assert DecisionIndex([closing, withdrawn(closing, START_MS)]).ending("x") is None
    assert DecisionIndex([closing, withdrawn(closing, START_MS + 1)]).ending("x") == closing
