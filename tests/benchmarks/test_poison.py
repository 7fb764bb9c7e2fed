"""A smaller world of the poisoning suite: what the detector withstands stays so."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.poison import STRATEGIES, STRENGTHS, Outcome, Past, Stage, losses, outcome, stage
from detector.settings import Settings

MOST_LOST = 0.07  # of a small world, in which one attack weighs a thirteenth
WEAK, MEDIUM, STRONG = range(len(STRENGTHS))
WITHSTOOD = {
    "eviction": WEAK,
    "feedback abuse": STRONG,
    "clock tricks": WEAK,  # a stronger one is refused at the door
    "id collisions": STRONG,
    "refused sign-ins": MEDIUM,
    "made-up tenants": WEAK,
}
"""Poison → the strength that a small world has time for."""


@pytest.fixture(scope="module")
def world() -> Stage:
    """Twelve days of a company of sixteen, with an attack of each shape."""
    return stage(seed=3, days=12, people=16)


@pytest.fixture(scope="module")
def plain(world: Stage) -> dict[bytes, Outcome]:
    """What is saved without poison, by settings."""
    return {msgspec.json.encode(Settings()): outcome(world, Settings())}


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHSTOOD)
def test_what_is_withstood_costs_next_to_nothing(
    name: str, world: Stage, plain: dict[bytes, Outcome]
) -> None:
    """It costs less than one attack of thirteen, by all that is published."""
    assert plain[msgspec.json.encode(Settings())].published > 0.3
    [lost] = losses(world, name, plain, (WITHSTOOD[name],))
    assert lost.published < MOST_LOST


@pytest.mark.slow
def test_each_kind_of_poison_is_poison(world: Stage) -> None:
    """It adds events, withholds some or sets a window, unless it is refused at the door; the stronger, the more."""
    for name, make in STRATEGIES.items():
        sizes = []
        for level in range(len(STRENGTHS)):
            made = make(Past(world), level)
            changed = made.settings != made.plain or bool(made.decisions)
            sizes.append(len(made.added) + sum(map(made.missing, world.events)) + changed)
        if name == "feedback abuse":
            assert sizes == [0, 0, 0]
        elif name == "clock tricks":
            assert sizes[0] > 0 == sizes[1] == sizes[2]
        else:
            assert 0 < sizes[0] <= sizes[1] <= sizes[2], name
