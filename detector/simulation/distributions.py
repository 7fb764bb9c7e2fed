"""Draws from a seed: the distributions that the simulation needs, over Python's own generator.

Each identity draws from a stream of its own, so that one more or fewer leaves the others as they were.
"""

from __future__ import annotations

from math import exp, log
from random import Random

__all__ = ["around", "number_of", "stream"]


def stream(seed: int, *about: object) -> Random:
    """A generator for one subject; the same in every process, whatever Python's hash seed."""
    return Random("/".join(map(str, (seed, *about))))  # noqa: S311 - a simulation, not a secret


def around(random: Random, typical: float, deviation: float, most: float = 1e9) -> int:
    """A log-normal number of at least 1: half the draws lie below `typical`.

    `deviation` is of the number's natural logarithm; 1 is as heavy a tail as report sizes have.
    """
    return max(1, int(min(most, exp(random.gauss(log(typical), deviation)))))


def number_of(random: Random, mean: float) -> int:
    """How many of something happen where `mean` are to be expected (Poisson; by the normal one above 30)."""
    if mean > 30:
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, product, found = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        found += 1
    return found
