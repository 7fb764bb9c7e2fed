"""The promise of exactness under any schedule, by simulation: each run follows from its seed."""

from __future__ import annotations

import pytest

from tests.schedules.cluster import FAULTS, Plan
from tests.schedules.run import differences

pytestmark = pytest.mark.slow

PLANS = [Plan(seed=seed, keyed=seed % 3 > 0) for seed in range(180)] + [
    Plan(seed=seed, keyed=seed % 2 > 0, partitions=3, workers=3, faults=8, seconds=45.0)
    for seed in range(180, 200)
]


@pytest.mark.parametrize(
    "plan", PLANS, ids=lambda plan: f"{plan.seed}-{'keyed' if plan.keyed else 'unkeyed'}"
)
def test_no_schedule_changes_anything(plan: Plan) -> None:
    """Killed, frozen, cut off and taken over in any order, the agents say and know what a replay does."""
    found, cluster = differences(plan)
    assert found == [], "\n".join((*found, *cluster.story))


def test_a_run_follows_from_its_seed() -> None:
    """The same plan befalls the same workers at the same times, and ends at the same time."""
    (_, one), (_, other) = (differences(Plan(seed=5)) for _ in range(2))
    assert one.story == other.story
    assert one.now == other.now
    assert one.brokers.logs.keys() == other.brokers.logs.keys()


def test_every_kind_of_fault_befalls_some() -> None:
    """The schedules hold all that the simulation knows of, and workers that are fenced."""
    stories = [line for seed in range(12) for line in differences(Plan(seed=seed))[1].story]
    assert [kind for kind in FAULTS if not any(f" {kind}" in line for line in stories)] == []
    assert any("is fenced" in line for line in stories)


def test_without_fencing_one_that_wakes_up_does_harm() -> None:
    """The simulation sees it when old state is written over newer."""
    assert any(
        differences(Plan(seed=seed, kinds=("freeze", "kill"), faults=6, fencing=False))[0]
        for seed in range(40)
    )
