from __future__ import annotations

from detector.decision import Kind
from detector.decision_index import DecisionIndex
from detector.mute import cut, mutes
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detector.make import START_MS, decision, withdrawn


def test_what_lasts_too_long_is_cut() -> None:
    """A mute or an expectation ends at the latest so many days after it was decided and keeps its id; shorter ones,
    those without an end and other kinds stay as they are."""
    for kind in (Kind.MUTE, Kind.EXPECTED):
        made = decision(kind, START_MS, "crmwatch-1", "t/u", until_ms=START_MS + 31 * DAY_MS)
        shorter = cut(made, 30)
        assert (shorter.until_ms, shorter.id) == (START_MS + 30 * DAY_MS, made.id)
        assert (shorter.kind, shorter.subject, shorter.time_ms) == (kind, made.subject, START_MS)
        assert cut(made, 31) is made
    others = (
        decision(Kind.EXPECTED, START_MS, identity="t/u"),
        decision(Kind.EXCEPTION, START_MS, identity="t/u", until_ms=START_MS + 900 * DAY_MS),
        withdrawn(
            decision(Kind.MUTE, START_MS, identity="t/u", until_ms=START_MS + 900 * DAY_MS), START_MS + 1
        ),
    )
    assert all(cut(other, 1) is other for other in others)


def test_each_mute_holds_until_it_ends_is_withdrawn_or_replaced() -> None:
    """From a minute after it was taken; one that is replaced for its identity alone still holds for its incident."""
    until = {"until_ms": START_MS + DAY_MS}
    ends = decision(Kind.MUTE, START_MS, "crmwatch-1", **until)
    taken_back = decision(Kind.EXPECTED, START_MS, identity="t/a", **until)
    replaced = decision(Kind.MUTE, START_MS, identity="t/b", **until)
    replacing = decision(Kind.MUTE, START_MS + HOUR_MS, identity="t/b", until_ms=START_MS + 2 * HOUR_MS)
    both = decision(Kind.MUTE, START_MS, "crmwatch-2", "t/b", **until)
    other = decision(Kind.BREACH, START_MS, "crmwatch-2")
    back = withdrawn(taken_back, START_MS + HOUR_MS)
    found = {
        mute.decision.id: (mute.from_ms, mute.until_ms)
        for mute in mutes(DecisionIndex([ends, taken_back, replaced, replacing, both, other, back]))
    }
    start, hour = START_MS + MINUTE_MS, START_MS + HOUR_MS + MINUTE_MS
    later = max((replaced, both), key=lambda one: one.id)
    expected = {
        ends.id: (start, START_MS + DAY_MS),
        taken_back.id: (start, hour),
        replacing.id: (hour, START_MS + 2 * HOUR_MS),
        both.id: (start, START_MS + DAY_MS),
        # of two mutes decided in the same millisecond the one with the greater id is the newer one
        replaced.id: (start, hour if later is replaced else start),
    }
    assert found == expected
    [first] = mutes(DecisionIndex([ends]))
    times = (start - 1, start, START_MS + DAY_MS - 1, START_MS + DAY_MS)
    assert [first.holds_at(time) for time in times] == [False, True, True, False]
