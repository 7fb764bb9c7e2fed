from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.fleet.origin import (
    COMMON_SHARE,
    LEAST_IDENTITIES,
    MAX_EVIDENCE,
    MAX_NEWCOMERS,
    NetworkNewcomers,
    Newcomer,
    decode,
    encode,
    enter,
    forget,
    score,
    tick_end,
)
from detector.fleet.population import Population
from detector.settings import Settings
from detector.signal import evidence
from detector.trait import SORTS, checksum
from detector.units import DAY_MS, TICK_MS
from tests.detector.make import START_DAY, START_MS, closed, event

NETWORK = "192.0.2.0/24"
NOW_MS = START_MS + 2 * DAY_MS + DAY_MS // 2


def newcomer(minutes: float = 0.0, rows: int = 0, strange: float = 1.5, **fields: Any) -> Newcomer:
    """Somebody who turned up so many minutes after noon."""
    time_ms = NOW_MS + round(minutes * 60_000)
    return Newcomer(time_ms, rows, strange, time_ms // DAY_MS, **fields)


def network(count: int, **fields: Any) -> NetworkNewcomers:
    """A network on which so many have turned up."""
    found = NetworkNewcomers(NETWORK)
    for number in range(count):
        enter(found, f"a{number}", newcomer(number, **fields), None)
    return found


def company(active: int, users: int = 0) -> Population:
    """A population of so many, some of whom have long used the network."""
    population = Population(Settings())
    value = checksum(SORTS.index("network"), NETWORK)
    for number in range(active):
        used = {"network": [value] if number < users else []}
        population.learn(closed(1, START_DAY, actor=f"a{number}", measures=[], used=used), 0)
    return population


def test_a_few_are_no_crowd() -> None:
    """Two newcomers on a network are nothing together; from the third on there is a score that grows."""
    asked = [score(company(200), "t", network(count), NOW_MS) for count in range(8)]
    assert asked[:LEAST_IDENTITIES] == [0.0] * LEAST_IDENTITIES
    assert asked[LEAST_IDENTITIES:] == sorted(asked[LEAST_IDENTITIES:])
    assert asked[LEAST_IDENTITIES] > 1.0


def test_what_leaves_there_counts() -> None:
    """The more newcomers take, the stranger the network, and it is so before they have taken anything."""
    asked = [score(company(200), "t", network(4, rows=rows), NOW_MS) for rows in (0, 1, 10, 30, 10**9)]
    assert asked == sorted(asked)
    assert 0 < asked[0] < asked[1] < asked[3] == asked[4]


def test_a_new_office_is_no_attack() -> None:
    """Where a quarter of all turn up it is not strange at all, and less strange the nearer it is to that."""
    population = company(40)
    asked = [score(population, "t", network(count), NOW_MS) / count for count in (3, 5, 8, 10, 30)]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] > asked[2] > asked[3] == asked[4] == 0.0


def test_in_a_handful_of_people_shares_say_nothing() -> None:
    """Of a tenant of ten, three at once are a crowd, not an office; of forty they are a part of one."""
    few, some = (score(company(active), "t", network(3), NOW_MS) for active in (10, 40))
    assert some == pytest.approx(few * (1 - 3 / 40 / COMMON_SHARE))


def test_a_network_that_others_use_is_less_strange() -> None:
    """It loses with the share of those who have long used it, and is nothing from a quarter of them on."""
    asked = [score(company(200, users), "t", network(4), NOW_MS) for users in (0, 10, 30, 50, 150)]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] > asked[1] > asked[2] > asked[3] == asked[4] == 0.0


def test_the_same_one_again_is_one() -> None:
    """Somebody who is told of again has come when first seen, with the most rows and kinds of record."""
    found = NetworkNewcomers(NETWORK)
    enter(found, "a", newcomer(5, rows=10, objects={"Case": 6, "Lead": 4}), None)
    enter(found, "a", newcomer(9, rows=30, objects={"Case": 30}), None)
    enter(found, "a", newcomer(7, rows=20), None)
    assert found.newcomers == {"a": newcomer(5, rows=30, objects={"Case": 6, "Lead": 4})}


def test_who_came_a_day_ago_is_forgotten() -> None:
    """A newcomer counts for a day of event time from when they turned up."""
    found = network(3)
    forget(found, NOW_MS + DAY_MS - 1)
    assert len(found.newcomers) == 3
    forget(found, NOW_MS + DAY_MS + 60_000)
    assert list(found.newcomers) == ["a2"]


@given(st.randoms(use_true_random=False))
def test_order_within_a_tick_does_not_matter(random: Random) -> None:
    """Whoever is entered first, the origin is the same bytes, and has the same score after being stored."""
    entries = [
        (f"a{number}", newcomer(number % 7, rows=number % 5, strange=1 + number / 10),
         evidence(event(number, ip="192.0.2.7"), number) if number % 3 else None)
        for number in range(25)
    ]  # fmt: skip
    one, other = NetworkNewcomers(NETWORK), NetworkNewcomers(NETWORK)
    for origin in (one, other):
        for actor, entry, found in entries:
            enter(origin, actor, msgspec.structs.replace(entry), found)
        random.shuffle(entries)
    assert encode(one) == encode(other)
    population = company(200)
    again = decode(encode(other))
    assert score(population, "t", again, NOW_MS) == score(population, "t", one, NOW_MS) > 0
    assert encode(again) == encode(one)


def test_it_stays_small() -> None:
    """However many turn up, some hundred are kept, the newest, and the earliest events as evidence."""
    found = NetworkNewcomers(NETWORK)
    for number in range(3 * MAX_NEWCOMERS):
        enter(found, f"a{number}", newcomer(number), evidence(event(number), 1))
    assert len(found.newcomers) == MAX_NEWCOMERS
    assert f"a{3 * MAX_NEWCOMERS - 1}" in found.newcomers
    assert [kept.event_id for kept in found.evidence] == [f"e-{number}" for number in range(MAX_EVIDENCE)]
    assert len(encode(found)) < 40_000


def test_a_tick_ends_after_its_times() -> None:
    """A time on the border belongs to the tick that begins there."""
    assert [tick_end(START_MS + late) for late in (-1, 0, 1, TICK_MS - 1)] == [
        START_MS, START_MS + TICK_MS, START_MS + TICK_MS, START_MS + TICK_MS
    ]  # fmt: skip
