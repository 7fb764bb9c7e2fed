from __future__ import annotations

from math import log10
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.fleet.burst import BINS, LEAST_OTHERS, STEP, ShownSurprise, count, discount_for_common_surprise
from detector.fleet.population import Population
from detector.settings import Settings
from detector.units import DAY_MS, HOUR_MS, TICK_MS
from tests.detector.make import START_DAY, START_MS, closed

NOW_MS = START_MS + 3 * DAY_MS + 12 * HOUR_MS
PEOPLE = 200


def company(active: int = PEOPLE) -> Population:
    """A population of so many, known from a day that is long closed."""
    population = Population(Settings())
    for _ in range(active):
        population.learn(closed(1, START_DAY, measures=[]), 0)
    return population


def show(population: Population, people: int, surprise: float, time_ms: int, tenant: str = "t") -> None:
    """So many others have been so surprising at a time."""
    for _ in range(people):
        count(population, tenant, "amount", None, time_ms, surprise)


def worth(
    population: Population, surprise: float, time_ms: int = NOW_MS, shown: ShownSurprise | None = None
) -> float:
    """What a surprise is worth by then."""
    return discount_for_common_surprise(population, "t", "amount", shown, time_ms, surprise)


@pytest.mark.parametrize("others", [LEAST_OTHERS, 10, 40, 150])
def test_what_many_do_is_worth_no_more_than_their_share(others: int) -> None:
    """When forty of two hundred have been as surprising, it is as surprising as forty in two hundred."""
    population = company()
    show(population, others, 3.0, NOW_MS - 2 * HOUR_MS)
    assert worth(population, 3.0) == pytest.approx(-log10((others + 1) / (PEOPLE + 1)))
    assert worth(population, 3.0) < 3.0


def test_a_few_others_are_nothing() -> None:
    """On any day some few may be as surprising, and one thief is not excused by them."""
    population = company()
    show(population, LEAST_OTHERS - 1, 5.0, NOW_MS - HOUR_MS)
    assert worth(population, 4.0) == 4.0


def test_only_those_count_who_are_as_surprising() -> None:
    """Everybody a little over their bounds does not excuse one who is far over it; far more excuse a little."""
    population = company()
    show(population, 80, 1.5, NOW_MS - HOUR_MS)
    assert worth(population, 1.5) < 0.5
    assert worth(population, 1.5 + STEP) == 1.5 + STEP
    assert worth(population, 4.0) == 4.0
    assert worth(population, 1.0) < 0.5


def test_it_is_never_worth_more() -> None:
    """A surprise that is smaller than the share of the others stays what it is."""
    population = company()
    show(population, 5, 3.0, NOW_MS - HOUR_MS)
    assert worth(population, 0.4) == 0.4


def test_others_count_from_two_ticks_after() -> None:
    """What is shown in this tick or the one before changes nothing, so that it does not matter who was seen first."""
    population = company()
    start_ms = NOW_MS // TICK_MS * TICK_MS
    show(population, 50, 3.0, start_ms - TICK_MS)
    assert worth(population, 3.0, start_ms + TICK_MS - 1) == 3.0
    assert worth(population, 3.0, start_ms + TICK_MS) < 1.0


def test_another_day_another_kind_or_tenant_excuses_nobody() -> None:
    """Only what others of the tenant show today, of the same kind of evidence."""
    population = company()
    show(population, 50, 3.0, NOW_MS - DAY_MS)
    show(population, 50, 3.0, NOW_MS - HOUR_MS, tenant="x")
    assert worth(population, 3.0) == 3.0
    assert discount_for_common_surprise(population, "t", "novelty", None, NOW_MS, 3.0) == 3.0


def test_in_a_days_first_minutes_yesterday_counts() -> None:
    """Until today's first tick is known, the evening before is what there is."""
    population = company()
    midnight_ms = START_MS + 4 * DAY_MS
    show(population, 50, 3.0, midnight_ms - HOUR_MS)
    assert worth(population, 3.0, midnight_ms + TICK_MS) < 1.0
    assert worth(population, 3.0, midnight_ms + 2 * TICK_MS) == 3.0


def test_one_is_counted_once() -> None:
    """Somebody who grows is moved up, not counted again, and does not excuse themselves."""
    population = company()
    shown: ShownSurprise | None = None
    for number in range(40):
        found = count(population, "t", "amount", shown, NOW_MS - (60 - number) * TICK_MS, 0.1 * number)
        shown = found if found is not None else shown
    assert shown is not None
    assert population.counts("t", shown.day, "today|amount")
    assert sum(population.counts("t", shown.day, "today|amount").values()) == 1
    assert count(population, "t", "amount", shown, NOW_MS, 1.0) is None
    show(population, LEAST_OTHERS - 1, 3.9, NOW_MS - HOUR_MS)
    assert worth(population, 3.9, shown=shown) == 3.9
    assert worth(population, 3.9) < 3.9


def test_a_new_day_begins_anew() -> None:
    """Who was surprising yesterday is counted today from the beginning."""
    population = company()
    shown = count(population, "t", "amount", None, NOW_MS, 4.0)
    again = count(population, "t", "amount", shown, NOW_MS + DAY_MS, 1.0)
    assert shown is not None
    assert again is not None
    assert (again.day, again.step) == (shown.day + 1, int(1.0 / STEP))


def test_of_a_crowd_larger_than_what_is_known_all_count() -> None:
    """Where nothing is known of the population yet, those seen today are all that there are."""
    population = Population(Settings())
    show(population, 50, 3.0, NOW_MS - HOUR_MS)
    assert worth(population, 3.0) == pytest.approx(0.0)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20), st.floats(0, 99)), max_size=40),
    st.randoms(use_true_random=False),
    st.floats(0, 20),
)
def test_order_does_not_matter(moves: list[tuple[int, int, float]], random: Random, surprise: float) -> None:
    """However different people's moves interleave, a later surprise is worth the same; nothing is counted twice."""
    results = []
    for turn in range(2):
        population = company(20)
        queues = {who: sorted((tick, how) for one, tick, how in moves if one == who) for who, _, _ in moves}
        shown: dict[int, ShownSurprise] = {}
        while queues:
            who = random.choice(sorted(queues)) if turn else min(queues)
            tick, how = queues[who].pop(0)
            found = count(population, "t", "amount", shown.get(who), NOW_MS + tick * TICK_MS, how)
            if found is not None:
                shown[who] = found
            if not queues[who]:
                del queues[who]
        counts = population.counts("t", NOW_MS // DAY_MS, "today|amount")
        assert sum(counts.values()) == len({who for who, _, _ in moves})
        assert all(place % BINS < BINS for place in counts)
        results.append(
            discount_for_common_surprise(population, "t", "amount", None, NOW_MS + 30 * TICK_MS, surprise)
        )
    assert results[0] == results[1]
    assert 0.0 <= results[0] <= surprise
