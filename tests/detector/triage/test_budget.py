from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.fleet.population import SETTLE_MS, Population
from detector.settings import Settings, TriageSettings
from detector.triage.budget import NAME, threshold
from detector.triage.risk import MOST_RANK, rank_of
from detector.units import DAY_MS
from tests.detector.make import START_DAY, START_MS, closed

DEFAULT = TriageSettings()
NOON_MS = DAY_MS // 2


def days(ranks: list[list[int]], active: int, tenant: str = "t") -> Population:
    """A population that was so large each day, with the greatest ranks of those who had any."""
    population = Population(Settings())
    for day, reached in enumerate(ranks, START_DAY + 1):
        one = closed(1, day - 1, measures=[], tenant=tenant)
        for _ in range(active):
            population.learn(one, 0)
        for rank in reached:
            population.count_at(tenant, day, NAME, rank)
    return population


def after(population: Population, count: int, settings: TriageSettings = DEFAULT, tenant: str = "t") -> int:
    """The threshold when the last of so many days has settled."""
    return threshold(population, tenant, START_MS + (count + 1) * DAY_MS + SETTLE_MS, settings)


def noise(seed: int, share: float, count: int = 20, active: int = 300) -> list[list[int]]:
    """Ranks of days on which a share of the identities does something slightly unusual."""
    random = Random(seed)
    return [
        [min(MOST_RANK, -20 + int(random.expovariate(1 / 9))) for _ in range(round(share * active))]
        for _ in range(count)
    ]


def test_until_something_is_known_the_given_risk_counts() -> None:
    """Without a closed day the threshold is the rank of `alert_risk`; then the observed takes over within five days."""
    population = days([[10] * 50] * 9, 200)
    first = rank_of(DEFAULT.alert_risk)
    assert threshold(population, "t", START_MS, DEFAULT) == first
    assert threshold(population, "other", START_MS + 9 * DAY_MS, DEFAULT) == first
    told = [after(population, count) for count in range(9)]
    assert told == sorted(told)
    assert first == told[0] < told[2] < told[4] < told[6] == told[8] == 11


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_more_noise_is_a_higher_threshold(seed: int) -> None:
    """The threshold follows the population: what one tenant's SOC never sees is another's daily noise."""
    told = [after(days(noise(seed, share), 300), 20) for share in (0.0, 0.02, 0.1, 0.4)]
    assert told == sorted(told)
    assert len(set(told)) == len(told)
    assert told[0] == rank_of(DEFAULT.least_risk)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("budget", [10.0, 20.0, 80.0])
def test_what_a_soc_can_look_at_is_what_it_gets(seed: int, share: float, budget: float) -> None:
    """Of days like those known no more ranks reach the threshold than the budget, and nearly as many."""
    settings = TriageSettings(alert_budget=budget)
    allowed = 0.3 * budget
    known, others = noise(seed, share), noise(seed + 100, share)
    level = after(days(known, 300), 20, settings)

    def a_day(reached: list[list[int]], least: int) -> float:
        return sum(rank >= least for ranks in reached for rank in ranks) / len(reached)

    assert a_day(known, level) <= 1.1 * allowed
    assert a_day(others, level) <= 1.4 * allowed
    if level > rank_of(settings.least_risk):
        assert a_day(known, level - 1) >= 0.9 * allowed


def test_the_budget_is_for_a_thousand_identities() -> None:
    """Twice as many identities with twice as much noise have the same threshold; half the budget raises it."""
    small, large = (
        days([[rank for rank in range(-20, 25) for _ in range(factor)]] * 9, 500 * factor)
        for factor in (1, 2)
    )
    assert after(small, 9) == after(large, 9)
    assert after(small, 9, TriageSettings(alert_budget=5)) > after(small, 9)


def test_it_lies_between_its_limits() -> None:
    """Never below the rank of `least_risk`, however quiet it is; never above that of `certain_risk`, however noisy."""
    quiet, noisy = days([[]] * 9, 300), days([[MOST_RANK] * 900] * 9, 300)
    settings = TriageSettings(least_risk=22, certain_risk=60)
    assert (after(quiet, 9, settings), after(noisy, 9, settings)) == (rank_of(22), rank_of(60))


def test_a_day_counts_once_it_has_settled() -> None:
    """The day that is not over, and the one that has just ended, do not change the threshold."""
    population = days([[-10] * 9] * 7 + [[99] * 900], 300)
    last_ms = START_MS + 9 * DAY_MS + SETTLE_MS
    before = [threshold(population, "t", last_ms + late_ms, DEFAULT) for late_ms in (-NOON_MS, -1)]
    assert len(set(before)) == 1
    assert threshold(population, "t", last_ms, DEFAULT) > before[0]


def test_old_days_weigh_less() -> None:
    """What was normal last week counts more than what was a month ago, and beyond the horizon nothing does."""
    once = days([[10] * 14] * 5 + [[-15] * 60] * 20, 300)
    lately = days([[-15] * 60] * 20 + [[10] * 14] * 5, 300)
    assert after(once, 25) < after(lately, 25)
    assert after(once, 25, TriageSettings(population_days=10)) < rank_of(DEFAULT.alert_risk)


@given(
    st.lists(st.lists(st.integers(-MOST_RANK, MOST_RANK), max_size=40), max_size=8),
    st.integers(0, 40),
    st.floats(0.1, 1000),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_whatever_happened_it_is_a_rank(
    ranks: list[list[int]], active: int, budget: float, one: int, other: int
) -> None:
    """Within ± `MOST_RANK` and its limits, and lower for a larger budget."""
    population = days(ranks, active)
    limits = {"least_risk": min(one, other), "certain_risk": max(one, other)}
    levels = [
        after(population, len(ranks), TriageSettings(alert_budget=allowed, **limits))  # type: ignore[arg-type]
        for allowed in (budget, 2 * budget)
    ]
    assert -MOST_RANK <= levels[1] <= levels[0] <= MOST_RANK
    if levels[0] != rank_of(DEFAULT.alert_risk):
        least, certain = rank_of(limits["least_risk"]), rank_of(limits["certain_risk"])
        assert least <= levels[1] <= levels[0] <= certain
