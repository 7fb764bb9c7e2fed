from __future__ import annotations

import pytest

from detector.signal import SignalKind
from streams.worker.identity_queue import RECORDS_A_SECOND, REFRESH_SECONDS, IdentityQueue
from tests.detector.make import signal

MANY = [f"t/{number:04}" for number in range(1000)]


@pytest.mark.parametrize("kind", [SignalKind.CROSSED, SignalKind.CLOSED, SignalKind.FORGOTTEN])
def test_what_was_learned_or_is_unusual_is_published_at_once(kind: SignalKind) -> None:
    """An identity that crossed a bound, whose day was learned or that is forgotten comes next, once."""
    queue = IdentityQueue((), 0.0)
    queue.note(signal(kind=kind))
    queue.note(signal(kind=kind))
    assert queue.take(0.0) == ["t/u"]
    assert queue.take(1.0) == []


def test_who_is_new_is_published_at_once_and_who_is_only_active_later() -> None:
    """A new identity comes next; one that was active comes once in each refresh, however often it changed."""
    queue = IdentityQueue((), 0.0)
    queue.changed("t/new", new=True)
    for _ in range(3):
        queue.changed("t/active", new=False)
    assert queue.take(1.0) == ["t/new"]
    assert queue.take(REFRESH_SECONDS - 1) == []
    assert queue.take(REFRESH_SECONDS) == ["t/active"]
    assert queue.take(2 * REFRESH_SECONDS) == []


def test_who_was_just_published_is_not_refreshed() -> None:
    """An active identity that comes for another reason is not published again until it has changed again."""
    queue = IdentityQueue((), 0.0)
    queue.changed("t/u", new=False)
    queue.note(signal(kind=SignalKind.CROSSED))
    assert queue.take(1.0) == ["t/u"]
    assert queue.take(REFRESH_SECONDS) == []
    queue.changed("t/u", new=False)
    assert queue.take(2 * REFRESH_SECONDS) == ["t/u"]


def test_a_restored_shard_publishes_all_it_knows_at_a_bounded_rate() -> None:
    """All of them come, in their order, never more in a second than the rate; what is prompt goes before."""
    queue = IdentityQueue(MANY, 0.0)
    most = int(RECORDS_A_SECOND)
    assert queue.take(0.0) == MANY[:most]
    queue.note(signal(kind=SignalKind.CLOSED))
    assert queue.take(1.0) == ["t/u", *MANY[most : 2 * most - 1]]
    assert queue.take(1.0) == []
    assert len(queue.take(1_000.0)) == most
    taken = [name for second in range(1_001, 1_030) for name in queue.take(float(second))]
    assert taken[-1] == MANY[-1]


def test_to_forget_is_never_put_off() -> None:
    """All that are forgotten come at once, though the rate is used up: their profiles will be gone."""
    queue = IdentityQueue(MANY, 0.0)
    queue.take(0.0)
    for name in MANY:
        queue.note(signal(kind=SignalKind.FORGOTTEN, actor=name.removeprefix("t/")))
    assert queue.take(0.0) == MANY
