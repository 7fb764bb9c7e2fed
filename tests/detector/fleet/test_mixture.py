from __future__ import annotations

from random import Random
from typing import Any

import pytest

from detector.fleet.forest import WARM
from detector.fleet.mixture import Mixtures, features
from detector.keyed_state import KeyedStates, Prefix
from detector.signal import Signal, Span
from tests.detector.make import START_DAY, closed, exhaust, measure, whole

PEOPLE = 2 * WARM


def day(
    rows: int, calls: int = 3, largest: int = 1, actor: str = "u", day: int = START_DAY, **fields: Any
) -> Signal:
    """A day with so many rows in all, in so many channels, the largest operation of so many."""
    measures = [
        measure(rows, channel="all"),
        measure(max(1, rows // 3), channel="all", span=Span.HOUR),
        measure(largest, detector="export", channel="report", span=Span.OPERATION),
        *(measure(max(1, rows // calls), channel=f"c{number}") for number in range(calls)),
    ]
    return closed(1, day, actor=actor, measures=measures, **fields)


def usual(seed: int, on: int = START_DAY) -> list[Signal]:
    """The days of people who do much the same."""
    random = Random(seed)
    return [
        day(round(random.lognormvariate(4, 0.3)), random.choice((2, 3)), 20, f"u{number}", on)
        for number in range(PEOPLE)
    ]


def taught() -> Mixtures:
    """A day of everybody's, which is closed."""
    mixtures = Mixtures()
    for one in usual(1):
        mixtures.add(one, START_DAY + 1, alarmed=False)
    return mixtures


def surprise(mixtures: Mixtures, one: Signal) -> float:
    """How odd it is, after learning what is closed by then."""
    exhaust(mixtures.learn(one))
    return mixtures.surprise(one)


def test_an_odd_day_is_odder_than_a_usual_one() -> None:
    """Much in one operation, or in many channels, where others have little in few: beyond what one in ten shows."""
    mixtures = taught()
    usuals = [surprise(mixtures, one) for one in usual(2, START_DAY + 2)]
    odd = [
        surprise(mixtures, day(90_000, 3, 90_000, day=START_DAY + 2)),
        surprise(mixtures, day(60, 12, 60, day=START_DAY + 2)),
    ]
    assert sum(one > 1.0 for one in usuals) / len(usuals) < 0.2
    assert min(odd) > 1.5


def test_only_closed_days_are_learned() -> None:
    """The day itself, and one that has not settled, change nothing; before any is closed nothing is odd."""
    mixtures = taught()
    odd = day(90_000, 9, 90_000)
    assert surprise(mixtures, odd) == 0.0
    before = surprise(mixtures, day(90_000, 9, 90_000, day=START_DAY + 2))
    for one in usual(3, START_DAY + 2):
        mixtures.add(one, START_DAY + 3, alarmed=False)
    assert surprise(mixtures, day(90_000, 9, 90_000, day=START_DAY + 2)) == before
    saved = KeyedStates(*mixtures.states)
    saved.saved(whole(saved.changes()))
    exhaust(mixtures.learn(day(1, day=START_DAY + 4)))
    changes = whole(saved.changes())
    assert [key[:1] for key, value in changes.items() if value is not None] == [Prefix.FOREST]
    assert [key[:1] for key, value in changes.items() if value is None] == [Prefix.VECTOR] * PEOPLE


def test_peers_are_ones_own_group_and_tenant() -> None:
    """Where nobody else is known nothing is odd."""
    mixtures = taught()
    for other in ({"peers": "guest"}, {"tenant": "x"}):
        assert surprise(mixtures, day(90_000, 9, 90_000, day=START_DAY + 2, **other)) == 0.0


def anew(mixtures: Mixtures) -> Mixtures:
    """Others that take up what these have to store."""
    again = Mixtures()
    for key, value in whole(KeyedStates(*mixtures.states).changes()).items():
        if value is not None:
            KeyedStates(*again.states).restore(key, value)
    return again


@pytest.mark.parametrize("seed", [1, 2])
def test_order_and_storing_do_not_matter(seed: int) -> None:
    """However days arrive, and if they are stored and taken up before they are learned: the same surprise."""
    one, other = taught(), Mixtures()
    shuffled = usual(1)
    Random(seed).shuffle(shuffled)
    for number, found in enumerate(shuffled):
        other.add(found, START_DAY + 1, alarmed=False)
        if number == PEOPLE // 2:
            other = anew(other)
    later = usual(2, START_DAY + 2)
    assert [surprise(one, found) for found in later] == [surprise(other, found) for found in later]
    stored = anew(other)
    assert [stored.surprise(found) for found in later] == [one.surprise(found) for found in later]


def test_features_are_shares() -> None:
    """Whatever a day had, each figure lies between 0 and 1."""
    for one in (
        day(1),
        day(10**12, 14, 10**12),
        closed(1, measures=[measure(5, span=Span.WEEK)], facts={"drip": 99.0}),
    ):
        assert all(0.0 <= figure <= 1.0 for figure in features(one))
    assert features(day(10**6))[0] == 1.0
