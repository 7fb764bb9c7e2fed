"""An identity's usual level of one quantity, learned a day at a time.

The level is an exponentially weighted mean and variance of ``log1p(value)`` over the days on which anything
happened (river's `EWMean`; Finch, *Incremental calculation of weighted mean and variance*, 2009), shrunk
towards a prior while there are few. It is one-sided: taking out unusually little is not a finding. What
exceeded the bound is learned as the bound, so nobody can teach a profile more than the bound at a time.
"""

from __future__ import annotations

from functools import cache
from math import expm1, log1p, sqrt
from typing import TYPE_CHECKING

import msgspec

from detector.prior import FLOOR_VARIANCE, prior_mean
from detector.settings import DetectionSettings
from detector.signal import Familiarity, Measure, Span

if TYPE_CHECKING:
    from river.stats import EWMean

__all__ = ["Baseline", "bound", "familiarity", "learn", "measure"]

MICRO = 1_000_000
MAX_BOUND = 10**18
RARE_SHARE = 0.2
"""What is done on fewer than one active day in five is done rarely."""


class Baseline(msgspec.Struct, array_like=True, gc=False):
    """The level and the bound that follows from it."""

    days: int = 0
    mean_micro: int = 0
    square_micro: int = 0
    """The mean, and the mean of the squares, in millionths: whole numbers take half the room of others."""
    bound: int = 0
    """The value above which it is unusual; 0 until it is first computed."""

    @property
    def mean(self) -> float:
        """The mean of ``log1p(value)``."""
        return self.mean_micro / MICRO

    @property
    def variance(self) -> float:
        """The variance of ``log1p(value)``."""
        mean = self.mean_micro / MICRO
        return max(0.0, self.square_micro / MICRO - mean * mean)

    def place(self, mean: float, square: float) -> None:
        """Set the mean, and the mean of the squares."""
        self.mean_micro = round(mean * MICRO)
        self.square_micro = round(square * MICRO)


def bound(level: Baseline, span: Span, settings: DetectionSettings, at_least: float = 0.0) -> int:
    """The value above which the identity is over its own bound; computed once after each learning.

    `at_least` is a mean of ``log1p`` that is to be expected whatever the level says (a weekly peak).
    """
    own, prior = min(level.days, 1 / settings.fading), settings.prior_weight
    total = own + prior
    own_mean = (
        level.mean_micro / MICRO
    )  # properties are slow, and this runs for every level of a day that closes
    own_variance = max(0.0, level.square_micro / MICRO - own_mean * own_mean)
    mean = (own * own_mean + prior * prior_mean(span, settings)) / total
    variance = (own * own_variance + prior * settings.prior_deviation**2) / total + FLOOR_VARIANCE
    return min(MAX_BOUND, int(expm1(max(mean, at_least) + settings.bound_deviations * sqrt(variance))))


def learn(level: Baseline, value: int, span: Span, settings: DetectionSettings) -> None:
    """Learn one day's value, at most as the bound."""
    most = log1p(level.bound or bound(level, span, settings))
    if level.days < settings.warm_days:  # the bound is still the prior's: let the level find its place
        most += settings.bound_deviations * settings.prior_deviation
    learned = min(log1p(value), most)
    weight = max(settings.fading, 1 / (level.days + 1))
    level.place(
        _ew_mean(weight, level.mean, learned),
        _ew_mean(weight, level.square_micro / MICRO, learned * learned),
    )
    level.days += 1
    level.bound = bound(level, span, settings)


def measure(
    detector: str,
    channel: str,
    span: Span,
    value: int,
    level: Baseline,
    familiar: Familiarity,
    at_least: float = 0.0,
) -> Measure:
    """The value beside the level; `at_least` as for `bound`."""
    return Measure(
        detector,
        channel,
        span,
        value,
        level.days,
        max(level.mean, at_least) if level.days else at_least,
        level.variance,
        familiar,
    )


def familiarity(level_days: int, known_days: int, settings: DetectionSettings) -> Familiarity:
    """How used an identity of `known_days` active days is to what it did on `level_days` of them.

    >>> familiarity(0, 30, DetectionSettings()).value, familiarity(30, 30, DetectionSettings()).value
    ('never', 'regularly')
    """
    if known_days < settings.cold_days:
        return Familiarity.COLD
    if level_days == 0:
        return Familiarity.NEVER
    return Familiarity.RARELY if level_days < RARE_SHARE * known_days else Familiarity.REGULARLY


def _ew_mean(weight: float, before: float, value: float) -> float:
    mean = _mean_type()(fading_factor=weight)
    mean.update(before)  # the first update sets it: the state is this one number
    mean.update(value)
    return float(mean.get())


@cache
def _mean_type() -> type[EWMean]:
    from river.stats import EWMean  # brings numpy and scipy: a command that learns nothing does without

    return EWMean
