from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.signal import Signal, SignalKind
from streams.worker.signal_buffer import SignalBuffer


def signal(actor: str, sequence: int) -> Signal:
    """An identity's signal."""
    return Signal(
        kind=SignalKind.CROSSED, detector="volume", channel="query", time_ms=0, day=0, first_ms=0, last_ms=0,
        tenant="t", actor=actor, sequence=sequence,
    )  # fmt: skip


def hold(held: SignalBuffer[str], actor: str, sequence: int, needs_ms: int, now: float = 0.0) -> int:
    """Let a signal wait as triage does; the threshold it waits for."""
    one = signal(actor, sequence)
    threshold_ms = held.threshold(one, needs_ms)
    held.add(one, threshold_ms, now, f"{actor}{sequence}")
    return threshold_ms


def test_groups_come_lowest_threshold_first_in_the_order_of_arrival() -> None:
    """What waits for the same day is judged together, in order, and not before its day is closed."""
    held: SignalBuffer[str] = SignalBuffer()
    hold(held, "a", 1, 20)
    hold(held, "b", 1, 10)
    hold(held, "c", 1, 20)
    hold(held, "d", 1, 30)
    assert held.held == 4
    assert list(held.released(9)) == []
    groups = [(threshold, list(group)) for threshold, group in held.released(20)]
    assert groups == [(10, ["b1"]), (20, ["a1", "c1"])]
    assert held.held == 1
    assert [threshold for threshold, _ in held.released(30)] == [30]
    assert held.held == 0


def test_a_signal_does_not_overtake_one_of_its_identity() -> None:
    """It waits as long as the one before it, and again for its own need alone once that one is gone."""
    held: SignalBuffer[str] = SignalBuffer()
    assert hold(held, "a", 1, 20) == 20
    assert held.threshold(signal("a", 2), 5) == 20
    assert held.threshold(signal("b", 1), 5) == 5
    assert hold(held, "a", 2, 30) == 30
    assert held.threshold(signal("a", 3), 5) == 30
    list(held.released(20))
    assert held.threshold(signal("a", 3), 5) == 30
    list(held.released(30))
    assert held.threshold(signal("a", 3), 5) == 5


def test_what_came_too_long_ago_is_overdue_by_groups() -> None:
    """The next group is given up once its first signal is older than that moment; so is the one behind it."""
    held: SignalBuffer[str] = SignalBuffer()
    hold(held, "a", 1, 20, now=5.0)
    hold(held, "b", 1, 10, now=7.0)
    hold(held, "c", 1, 10, now=9.0)
    hold(held, "d", 1, 30, now=8.0)
    assert list(held.overdue(7.0)) == []
    assert list(held.overdue(7.5)) == ["b1", "c1", "a1"]
    assert held.held == 1
    assert list(held.overdue(100.0)) == ["d1"]
    assert (list(held.overdue(100.0)), held.held) == ([], 0)


def test_signals_leave_one_by_one() -> None:
    """What has not been taken yet still counts as buffered; a group that is passed over leaves as a whole."""
    held: SignalBuffer[str] = SignalBuffer()
    for actor in "abc":
        hold(held, actor, 1, 10)
    hold(held, "d", 1, 20)
    released = held.released(20)
    _, group = next(released)
    assert (next(group), held.held) == ("a1", 3)
    assert held.threshold(signal("a", 2), 5) == 5
    assert held.threshold(signal("b", 2), 5) == 10
    assert next(released)[0] == 20
    assert held.held == 1


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.none() | st.integers(0, 6)), max_size=40
    )
)
def test_nothing_is_lost_and_every_identity_keeps_its_order(
    steps: list[tuple[str, int, int | None]],
) -> None:
    """Whatever is needed, reached or overdue when: each comes back once, an identity's in their order."""
    held: SignalBuffer[str] = SignalBuffer()
    came: list[str] = []
    for sequence, (actor, needs_ms, reached) in enumerate(steps, 1):
        hold(held, actor, sequence, needs_ms, float(sequence))
        if reached == 6:
            came += held.overdue(sequence - 3)
        elif reached is not None:
            came += [item for _, group in held.released(reached) for item in group]
        assert held.held == sequence - len(came)
    came += [item for _, group in held.released(100) for item in group]
    assert sorted(int(item[1:]) for item in came) == list(range(1, len(steps) + 1))
    for actor in "abc":
        numbers = [int(item[1:]) for item in came if item[0] == actor]
        assert numbers == sorted(numbers)
