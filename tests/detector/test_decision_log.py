"""The decisions that a worker keeps: none that holds is ever dropped, and memory is bounded."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.decision import Decision, DecisionSubject, Kind
from detector.decision_index import DecisionIndex
from detector.decision_log import MAX_DECISIONS, PRUNE_EVERY, DecisionLog, obsolete
from detector.response.clock import deadlines
from detector.units import DAY_MS, HOUR_MS
from tests.detector.make import START_MS, decision, withdrawn

KEEP_MS = 7 * DAY_MS
LATER_MS = START_MS + 60 * DAY_MS


def filled(log: DecisionLog, decisions: Iterable[Decision]) -> DecisionLog:
    """The log after these, the clock being as far as they are."""
    for one in decisions:
        log.add(one, one.time_ms)
    return log


def closings(count: int, first_ms: int) -> Iterable[Decision]:
    """So many incidents closed, one a minute."""
    return (decision(Kind.DISPOSITION, first_ms + 60_000 * n, f"crmwatch-{n}") for n in range(count))


@pytest.mark.slow
def test_a_breach_outlives_tens_of_thousands_of_newer_decisions() -> None:
    """Its clock, a mute and an exception stay while 60,000 newer ones pass; closings long past go, and are counted."""
    in_force = [
        decision(Kind.BREACH, START_MS, "crmwatch-a"),
        decision(Kind.MUTE, START_MS, identity="t/u", until_ms=START_MS + 900 * DAY_MS),
        decision(Kind.EXCEPTION, START_MS, identity="t/u"),
        decision(Kind.AWARENESS, START_MS, "crmwatch-b", aware_ms=START_MS),
    ]
    log = filled(DecisionLog(KEEP_MS), in_force)
    due = deadlines(DecisionIndex(log))
    filled(log, closings(60_000, START_MS + 1))
    assert len(log) <= MAX_DECISIONS
    assert log.dropped >= 60_000 - MAX_DECISIONS
    assert len(log) + log.dropped == 60_000 + len(in_force)
    assert set(in_force) <= set(log)
    assert deadlines(DecisionIndex(log)) == due != {}


def test_a_log_full_of_what_holds_refuses_newcomers() -> None:
    """20,001 newer breaches push nothing out; beyond the limit a newcomer is refused, and none is dropped."""
    log = DecisionLog(KEEP_MS, 20_002)
    old = decision(Kind.BREACH, START_MS, "crmwatch-old")
    breaches = [decision(Kind.BREACH, LATER_MS + n, f"crmwatch-{n}") for n in range(20_001)]
    assert all(log.add(one, LATER_MS) for one in [old, *breaches])
    assert not log.add(decision(Kind.BREACH, LATER_MS, "crmwatch-new"), LATER_MS)
    assert log.add(old, LATER_MS)
    assert (len(log), log.dropped) == (20_002, 0)
    assert old in set(log)


def test_room_is_made_again_once_something_ends() -> None:
    """A log that was full takes newcomers again after it has been searched again."""
    log = DecisionLog(KEEP_MS, 2)
    mutes = [decision(Kind.MUTE, START_MS, f"crmwatch-{n}", until_ms=START_MS + DAY_MS) for n in range(2)]
    filled(log, mutes)
    new = [decision(Kind.BREACH, LATER_MS, f"crmwatch-b{n}") for n in range(PRUNE_EVERY + 1)]
    assert not log.add(new[0], START_MS + 8 * DAY_MS)
    taken = [log.add(one, LATER_MS) for one in new[1:]]
    assert taken.index(True) == PRUNE_EVERY - 1
    assert (set(log), log.dropped) == ({new[-1]}, 2)


def test_a_decision_dated_in_the_future_makes_nothing_obsolete() -> None:
    """The clock bounds it: a mute that holds until tomorrow stays."""
    log = DecisionLog(KEEP_MS, 2)
    mute = decision(Kind.MUTE, START_MS, identity="t/u", until_ms=START_MS + DAY_MS)
    log.add(mute, START_MS)
    log.add(decision(Kind.BREACH, START_MS + 9_999 * DAY_MS, "crmwatch-1"), START_MS)
    assert not log.add(decision(Kind.BREACH, START_MS, "crmwatch-2"), START_MS)
    assert mute in set(log)


BREACH = decision(Kind.BREACH, START_MS, "x")
NOTIFIED = decision(Kind.NOTIFIED, START_MS + HOUR_MS, "x")
CLOSED = decision(Kind.DISPOSITION, START_MS + 2 * HOUR_MS, "x")
MUTE = decision(Kind.MUTE, START_MS, identity="t/u", until_ms=START_MS + DAY_MS)
LONG = decision(Kind.MUTE, START_MS, identity="t/u", until_ms=LATER_MS + DAY_MS)
SHORT = decision(Kind.MUTE, START_MS + HOUR_MS, identity="t/u", until_ms=START_MS + 2 * HOUR_MS)
WIDE = decision(Kind.MUTE, START_MS, "x", "t/u", until_ms=LATER_MS + DAY_MS)
EXPECTED = decision(Kind.EXPECTED, START_MS, "x", "t/u")


@pytest.mark.parametrize(
    ("held", "gone"),
    [
        ([BREACH], []),
        ([BREACH, NOTIFIED], []),
        ([BREACH, CLOSED], []),
        ([BREACH, NOTIFIED, CLOSED], [BREACH, NOTIFIED, CLOSED]),
        ([NOTIFIED, CLOSED], [NOTIFIED, CLOSED]),
        ([BREACH, back := withdrawn(BREACH, START_MS + 5)], [BREACH, back]),
        ([BREACH, NOTIFIED, CLOSED, withdrawn(NOTIFIED, START_MS + 5 * HOUR_MS)], []),
        ([MUTE], [MUTE]),
        ([LONG], []),
        ([LONG, off := withdrawn(LONG, START_MS + 5)], [LONG, off]),
        ([LONG, withdrawn(LONG, LATER_MS)], []),
        ([LONG, SHORT], [LONG, SHORT]),  # the long one was replaced for good
        (
            [WIDE, SHORT],
            [],
        ),  # for its incident it was not, and without the short one it would hold for the identity
        ([EXPECTED], [EXPECTED]),
        ([EXPECTED, decision(Kind.BREACH, START_MS, "x")], []),
        ([ack := decision(Kind.ACKNOWLEDGE, LATER_MS, "x")], [ack]),
        ([decision(Kind.DISPOSITION, LATER_MS, "y")], []),
        ([decision(Kind.EXCEPTION, START_MS, identity="t/u", until_ms=LATER_MS + 1)], []),
        ([over := decision(Kind.EXCEPTION, START_MS, identity="t/u", until_ms=START_MS + 1)], [over]),
    ],
)
def test_only_what_has_no_effect_is_obsolete(held: list[Decision], gone: list[Decision]) -> None:
    """A clock that runs, a mute that would hold again and what was decided lately stay; pairs go together."""
    assert obsolete(DecisionIndex(held), LATER_MS) == {one.id for one in gone}


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_dropping_changes_no_answer(seed: int) -> None:
    """Whatever was decided and withdrawn: at later event times mutes, expectations, breaches and deadlines stay."""
    random_ = random.Random(seed)
    kinds = [Kind.MUTE, Kind.EXPECTED, Kind.BREACH, Kind.NOTIFIED, Kind.DISPOSITION, Kind.ASSIGN]
    held: list[Decision] = []
    for _ in range(random_.randrange(1, 14)):
        time_ms = START_MS + random_.randrange(0, 40) * HOUR_MS
        if held and random_.random() < 0.3:
            held.append(withdrawn(random_.choice(held), time_ms))
            continue
        kind = random_.choice(kinds)
        incident, identity = random_.choice([("x", ""), ("y", ""), ("x", "t/u"), ("", "t/u"), ("y", "t/u")])
        payload = {
            Kind.MUTE: {"until_ms": time_ms + random_.randrange(1, 60) * HOUR_MS},
            Kind.EXPECTED: {"until_ms": time_ms + random_.randrange(1, 60) * HOUR_MS},
            Kind.ASSIGN: {"assignee": "bo"},
        }.get(kind, {})
        needs_incident = kind in (Kind.BREACH, Kind.NOTIFIED, Kind.DISPOSITION)
        held.append(decision(kind, time_ms, incident or ("x" if needs_incident else ""), identity, **payload))
    before_ms = START_MS + random_.randrange(0, 60) * HOUR_MS
    all_of_it = DecisionIndex(held)
    gone = obsolete(all_of_it, before_ms)
    rest = DecisionIndex(one for one in held if one.id not in gone)
    assert deadlines(rest) == deadlines(all_of_it)
    for hour in range(110):
        time_ms = before_ms + hour * HOUR_MS
        assert rest.expected("t/u", time_ms, time_ms) == all_of_it.expected("t/u", time_ms, time_ms)
        for incident in ("x", "y"):
            about = DecisionSubject(incident=incident, identity="t/u")
            assert rest.muted(about, time_ms) == all_of_it.muted(about, time_ms)
    for incident in ("x", "y"):
        ending = all_of_it.ending(incident)
        if ending is None or ending.effective_ms >= before_ms:  # else the incident is over
            assert rest.ending(incident) == ending
            assert rest.breach(incident, before_ms) == all_of_it.breach(incident, before_ms)
