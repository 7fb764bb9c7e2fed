"""Rarity of a residual or score from histograms of days, and a built-in expectation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import log10

__all__ = ["BIN", "MAX_SURPRISE", "bin_of", "residual_of", "score_surprise", "surprise_of", "tail_of"]

BIN = 0.2
"""Width of a residual's or score's histogram bin."""
LOWEST_BIN, HIGHEST_BIN = -25, 200
PRIOR_RESIDUALS = 60.0
"""How many days the built-in expectation is worth, until the population has its own."""
MAX_SURPRISE = 5.0
"""Statistics alone never claim a rarity beyond one in a hundred thousand."""


def bin_of(residual: float) -> int:
    """The bin that a residual or a score lies in."""
    return max(LOWEST_BIN, min(HIGHEST_BIN, int(residual // BIN)))


def tail_of(bins: Mapping[int, float]) -> list[float]:
    """From the lowest bin on: the weight in that bin or above."""
    tail = list(accumulate(bins.get(index, 0.0) for index in range(HIGHEST_BIN, LOWEST_BIN - 1, -1)))
    tail.reverse()
    return tail


def surprise_of(tail: Sequence[float], windows: float, index: int, residual: float) -> float:
    """−log10 of the probability of a residual in that bin or above, given the days; at most `MAX_SURPRISE`."""
    return _rarity(tail[index - LOWEST_BIN], windows, _prior_tail(residual))


def score_surprise(tail: Sequence[float], windows: float, score: float) -> float:
    """The same for a detector's score."""
    return _rarity(tail[bin_of(score) - LOWEST_BIN], windows, 0.3 * 10 ** (-0.8 * max(0.0, score)))


def residual_of(tail: Sequence[float], windows: float, surprise: float) -> float:
    """The lower edge of the first bin with at least the given surprise.

    The bin is given by its index: ``5 * BIN`` as a float lies in bin 4.
    """
    low, high = 0, HIGHEST_BIN
    while low < high:
        middle = (low + high) // 2
        if surprise_of(tail, windows, middle, middle * BIN) >= surprise:
            high = middle
        else:
            low = middle + 1
    return low * BIN


def _rarity(above: float, windows: float, prior: float) -> float:
    probability = (above + PRIOR_RESIDUALS * prior) / (windows + PRIOR_RESIDUALS)
    return max(0.0, min(MAX_SURPRISE, -log10(min(1.0, probability))))


def _prior_tail(residual: float) -> float:
    """The built-in probability of a residual at least this large: half at 0, then falling by e every 0.7."""
    return 1.0 if residual <= -1.0 else min(1.0, 0.5 * 10 ** (-0.62 * residual))
