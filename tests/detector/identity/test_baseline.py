from __future__ import annotations

from math import exp, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.identity.baseline import MAX_BOUND, Baseline, bound, familiarity, learn, measure
from detector.prior import prior_mean
from detector.settings import DetectionSettings
from detector.signal import Familiarity, Span

SETTINGS = DetectionSettings()
DEVIATIONS = SETTINGS.bound_deviations


def learned(values: list[int], span: Span = Span.DAY) -> Baseline:
    """A level that has learned one day of each value."""
    level = Baseline()
    for value in values:
        learn(level, value, span, SETTINGS)
    return level


def test_a_newcomer_has_the_priors_bound() -> None:
    """Nothing known: the bound is the prior's level, of an hour or of a day, and some of its deviations."""
    deviation = (SETTINGS.prior_deviation**2 + 0.04) ** 0.5
    for span in (Span.OPERATION, Span.HOUR):
        assert bound(Baseline(), span, SETTINGS) == int(41 * exp(DEVIATIONS * deviation) - 1)
    for span in (Span.DAY, Span.WEEK):
        assert bound(Baseline(), span, SETTINGS) == int(121 * exp(DEVIATIONS * deviation) - 1)
        assert prior_mean(span, SETTINGS) == log1p(120)


def test_the_level_becomes_the_identitys_own() -> None:
    """After many days of 1,000 rows the level is theirs and the bound not far above it."""
    level = learned([1000] * 200)
    assert level.days == 200
    assert level.mean == pytest.approx(log1p(1000), abs=1e-5)
    assert level.variance == pytest.approx(0.0, abs=1e-4)
    assert 1000 < level.bound < 2500


def test_the_first_days_count_alike() -> None:
    """While an identity is new, its level is the plain mean and variance of its days."""
    level = learned([10, 20, 40])
    logs = [log1p(value) for value in (10, 20, 40)]
    mean = sum(logs) / 3
    assert level.mean == pytest.approx(mean, abs=1e-5)
    assert level.variance == pytest.approx(sum((each - mean) ** 2 for each in logs) / 3, abs=1e-4)


def test_old_days_are_forgotten() -> None:
    """Of a warm level each day takes away a fixed share of what was known, so that it follows a change of habits."""
    level = learned([100] * 300)
    before = level.mean
    learn(level, 150, Span.DAY, SETTINGS)
    assert level.mean == pytest.approx(before + SETTINGS.fading * (log1p(150) - before), abs=1e-5)
    for _ in range(300):
        learn(level, 150, Span.DAY, SETTINGS)
    assert level.mean == pytest.approx(log1p(150), abs=1e-4)


def test_learning_is_winsorised() -> None:
    """Whatever a day holds, a known identity learns at most its bound."""
    at_bound, far_beyond = learned([100] * 50), learned([100] * 50)
    learn(at_bound, at_bound.bound, Span.DAY, SETTINGS)
    learn(far_beyond, 10**9, Span.DAY, SETTINGS)
    assert far_beyond == at_bound


def test_a_newcomer_finds_its_level() -> None:
    """While nothing is known, more than the prior's bound is learned, or a busy program would never be known."""
    assert learned([20_000] * 30).bound > 20_000


def test_unusually_little_is_learned_as_it_is() -> None:
    """The bound is one-sided: a quiet day is no finding, and moves the level down."""
    level = learned([1000] * 50)
    before = level.mean
    learn(level, 0, Span.DAY, SETTINGS)
    assert level.mean == pytest.approx(before - SETTINGS.fading * before, abs=1e-4)


def test_a_peak_that_is_expected_raises_the_bound() -> None:
    """A mean that is to be expected anyway lifts bound and measure, and never lowers them."""
    level = learned([100] * 50)
    assert bound(level, Span.DAY, SETTINGS, at_least=log1p(5000)) > 5000
    assert bound(level, Span.DAY, SETTINGS, at_least=1.0) == bound(level, Span.DAY, SETTINGS)
    lifted = measure("volume", "all", Span.DAY, 7, level, Familiarity.REGULARLY, at_least=9.0)
    assert (lifted.value, lifted.days, lifted.mean) == (7, 50, 9.0)
    plain = measure("volume", "all", Span.DAY, 7, level, Familiarity.REGULARLY)
    assert (plain.mean, plain.variance) == (level.mean, level.variance)
    assert measure("volume", "all", Span.DAY, 7, Baseline(), Familiarity.COLD).mean == 0.0


def test_how_used_an_identity_is_to_something() -> None:
    """Cold before it is known at all, however often it did it; then never, rarely or regularly."""
    cold = SETTINGS.cold_days
    assert familiarity(cold - 1, cold - 1, SETTINGS) is Familiarity.COLD
    assert familiarity(0, cold, SETTINGS) is Familiarity.NEVER
    assert familiarity(3, 20, SETTINGS) is Familiarity.RARELY
    assert familiarity(4, 20, SETTINGS) is Familiarity.REGULARLY


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40), st.sampled_from(Span))
def test_whatever_is_learned_is_a_number(values: list[int], span: Span) -> None:
    """Bound and level stay whole, finite numbers, and the variance is none below zero."""
    level = learned(values, span)
    assert isinstance(level.bound, int)
    assert 0 <= level.bound <= MAX_BOUND
    assert 0 <= level.variance < 400
    assert 0 <= level.mean <= log1p(10**12)


@given(st.lists(st.integers(0, 10**6), min_size=8, max_size=30), st.integers(0, 10**12))
def test_no_day_teaches_more_than_the_bound(values: list[int], more: int) -> None:
    """Nobody moves a warm level up by more than its share of the way to the bound."""
    level = learned(values)
    before = level.mean
    weight = max(SETTINGS.fading, 1 / (level.days + 1))
    most = before + weight * (log1p(level.bound) - before)
    learn(level, more, Span.DAY, SETTINGS)
    assert level.mean <= max(before, most) + 1e-5
