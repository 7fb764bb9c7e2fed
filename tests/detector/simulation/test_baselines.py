from __future__ import annotations

from typing import Any

import pytest

from detector.event import AccessEvent, ActorKind, Counting, Operation
from detector.simulation import ScoredAlert
from detector.simulation.baselines import BaselineDetector, BaselineDetectors
from detector.units import DAY_MS, HOUR_MS


def event(time_ms: int, rows: int, **other: Any) -> AccessEvent:
    """Rows read by one account from its usual place."""
    given: dict[str, Any] = {
        "event_id": f"{time_ms}:{rows}",
        "tenant": "t",
        "actor": "u",
        "actor_kind": ActorKind.HUMAN,
        "operation": Operation.QUERY,
        "ip": "192.0.2.1",
    }
    return AccessEvent(time_ms=time_ms, rows=rows, **(given | other))


def usual(days: int) -> list[AccessEvent]:
    """Forty rows in each of three hours a day."""
    return [event(day * DAY_MS + hour * HOUR_MS, 40) for day in range(days) for hour in (9, 10, 11)]


def found(events: list[AccessEvent]) -> dict[BaselineDetector, list[ScoredAlert]]:
    """What the five say of some events."""
    run = BaselineDetectors(seed=1)
    for one in events:
        run.observe(one)
    return run.finish()


def test_rows_in_an_hour_are_the_fixed_score() -> None:
    """They add up within the hour, each counted once; the day is one finding, and the hour begins at nothing."""
    job = {"operation_id": "j", "counting": Counting.MAXIMUM}
    said = found([event(0, 100, **job), event(1, 160, **job), event(1, 160, **job), event(HOUR_MS, 30)])
    assert [(one.uid, one.time_ms, one.risk) for one in said[BaselineDetector.FIXED_ROWS]] == [
        ("fixed rows:t/u:0", 0, 100.0),
        ("fixed rows:t/u:0", 1, 160.0),
    ]
    assert said[BaselineDetector.FIXED_ROWS][0].identities == ("t/u",)


def test_deviations_are_from_the_accounts_own_hours() -> None:
    """The usual is silent; ten times the usual is as many deviations above the mean as arithmetic says."""
    assert found(usual(14))[BaselineDetector.DEVIATIONS] == []
    at = 14 * DAY_MS + 10 * HOUR_MS
    [one] = found([*usual(14), event(at, 400)])[BaselineDetector.DEVIATIONS]
    hours = 14 * 24
    mean = 41 * 40 / hours  # the very first of the 42 is longer ago
    deviation = (41 * 40 * 40 / hours - mean * mean) ** 0.5
    assert one.time_ms == at
    assert one.risk == pytest.approx((400 - mean) / deviation)


def test_the_ratio_is_to_the_accounts_own_days() -> None:
    """Three times a usual day is not yet more than three; the days before are counted whole."""
    at = 14 * DAY_MS + 10 * HOUR_MS
    assert found([*usual(14), event(at, 360)])[BaselineDetector.RATIO] == []
    [one] = found([*usual(14), event(at, 1_200)])[BaselineDetector.RATIO]
    assert one.risk == pytest.approx(1_200 / 120)


def test_the_trailing_days_are_forgotten() -> None:
    """What was usual three weeks ago is no excuse today."""
    busy = [event(day * DAY_MS, 50_000) for day in range(5)]
    later = [event(day * DAY_MS, 30) for day in range(5, 26)]
    [one] = found([*busy, *later, event(26 * DAY_MS, 400)])[BaselineDetector.RATIO]
    assert one.risk == pytest.approx(400 / 30)


@pytest.mark.slow
def test_a_new_network_counts_for_a_day() -> None:
    """Rows taken through it are the score; the first days of an account, and a network it knows, count nothing."""
    at = 5 * DAY_MS
    assert found([*usual(5), event(at, 300)])[BaselineDetector.NEW_NETWORK] == []
    assert found([event(0, 300), event(HOUR_MS, 300, ip="192.0.3.1")])[BaselineDetector.NEW_NETWORK] == []
    new = [event(at, 300, ip="192.0.3.1"), event(at + 1, 300, ip="192.0.3.2"), event(at + 2, 9)]
    assert [one.risk for one in found([*usual(5), *new])[BaselineDetector.NEW_NETWORK]] == [300, 600]
    later = [event(at, 5, ip="192.0.3.1"), event(at + DAY_MS, 300, ip="192.0.3.1")]
    assert found([*usual(5), *later])[BaselineDetector.NEW_NETWORK] == []
    assert found([*usual(5), event(at, 300, ip=None)])[BaselineDetector.NEW_NETWORK] == []


def test_nobody_is_compared_with_a_past_of_hours() -> None:
    """For three days only the fixed threshold and the population speak."""
    said = found([event(0, 30), event(2 * DAY_MS, 90_000)])
    assert said[BaselineDetector.DEVIATIONS] == said[BaselineDetector.RATIO] == []
    assert said[BaselineDetector.FIXED_ROWS][-1].risk == 90_000


def test_the_trees_find_what_is_unlike_the_population() -> None:
    """When the hour is over, scores from 0 to 1, and the same again with the same seed."""
    crowd = [
        event(hour * HOUR_MS + number, 20 + number % 5, actor=f"u{number}", event_id=f"{hour}:{number}")
        for hour in range(60)
        for number in range(20)
    ]
    odd = event(59 * HOUR_MS + 50, 80_000, bytes_out=10**9, actor="thief")
    said = found([*crowd, odd])[BaselineDetector.TREES]
    best = max(said, key=lambda one: one.risk)
    assert best.identities == ("t/thief",)
    assert best.time_ms == 60 * HOUR_MS
    assert all(0 < one.risk <= 1 for one in said)
    assert found([*crowd, odd])[BaselineDetector.TREES] == said


def test_few_rows_are_never_reported() -> None:
    """However unusual they are."""
    said = found([*usual(5), event(6 * DAY_MS, 19, ip="192.0.3.1")])
    assert all(one.time_ms < 6 * DAY_MS for publications in said.values() for one in publications)
