from __future__ import annotations

from math import log10

import pytest

from detector.event import ActorKind, Operation
from detector.identity.detectors.chain import MANY_OBJECTS, MEMORY_DAYS, ORDERED, STAGES
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind
from detector.units import DAY_MS
from tests.detector.identity.life import Life, crossed
from tests.detector.make import START_DAY, START_MS

RARE = -log10(0.5 / 21)
"""What a step counts that was never taken in twenty days."""


def settled(days: int = 20) -> Life:
    """An integration that has written for some days, and nothing else."""
    life = Life(DetectionSettings(), actor_kind=ActorKind.INTEGRATION)
    for day in range(days):
        life.do(day + 0.4, operation=Operation.WRITE, rows=None)
    return life


def step(
    life: Life, day: float, operation: Operation, rows: int | None = None, **fields: object
) -> list[Signal]:
    """What is said of one step."""
    return crossed(life.do(day, operation=operation, rows=rows, **fields), "chain")


def test_a_theft_step_by_step() -> None:
    """Counting, a sample, a bulk job and the deletion of the job: each step that follows makes the chain stronger,
    and it is told since the first."""
    life = settled()
    assert step(life, 20.1, Operation.COUNT) == []
    said = [
        *step(life, 20.2, Operation.QUERY, rows=20),
        *step(life, 22.3, Operation.BULK_EXPORT, rows=60_000),
        *step(life, 22.4, Operation.EXPORT_DELETE),
    ]
    assert [found.channel for found in said] == ["query", "bulk_export", "export_delete"]
    assert [found.score for found in said] == pytest.approx(
        [RARE * steps + ORDERED * (steps - 1) for steps in (2, 3, 4)], abs=0.1
    )
    assert {found.first_ms for found in said} == {START_MS + round(20.1 * DAY_MS)}
    last = said[-1]
    assert (last.kind, last.day) == (SignalKind.CROSSED, START_DAY + 22)
    assert tuple(last.facts) == STAGES
    assert all(value == pytest.approx(RARE, abs=0.1) for value in last.facts.values())
    assert (said[1].rows, said[1].objects) == (60_000, {"Case": 60_000})
    assert (last.rows, last.objects) == (0, {})
    assert last.evidence is not None
    assert last.evidence.operation is Operation.EXPORT_DELETE


def test_another_order_counts_less() -> None:
    """The same steps backwards are as rare but no plan."""
    steps = (Operation.COUNT, Operation.QUERY, Operation.BULK_EXPORT)
    scores = []
    for order in (steps, tuple(reversed(steps))):
        life = settled()
        for number, operation in enumerate(order):
            said = step(life, 20.1 + number / 10, operation, rows=5)
        scores.append(said[0].score)
    assert scores[0] == pytest.approx(scores[1] + 2 * ORDERED)


def test_one_step_alone_is_no_chain_but_cleaning_up_is() -> None:
    """A rare first step says nothing; to delete an export is strange even alone."""
    for operation in (Operation.COUNT, Operation.QUERY, Operation.BULK_EXPORT):
        assert step(settled(), 20.1, operation, rows=5) == []
    [found] = step(settled(), 20.1, Operation.EXPORT_DELETE)
    assert found.facts == {"clean-up": pytest.approx(RARE)}


def test_steps_far_apart_do_not_belong_together() -> None:
    """After a week a step is forgotten."""
    life = settled()
    step(life, 20.1, Operation.COUNT)
    assert step(life, 20.1 + MEMORY_DAYS, Operation.QUERY, rows=5) == []
    life = settled()
    step(life, 20.1, Operation.COUNT)
    assert step(life, 20.0 + MEMORY_DAYS, Operation.QUERY, rows=5)


def test_who_does_it_every_day_is_not_strange() -> None:
    """An integration whose work is to count, query, export and delete says nothing once it is known."""
    life = Life(DetectionSettings(), actor_kind=ActorKind.INTEGRATION)
    for day in range(15):
        for number, operation in enumerate(
            (Operation.COUNT, Operation.QUERY, Operation.BULK_EXPORT, Operation.EXPORT_DELETE)
        ):
            life.do(day + 0.4 + number / 100, operation=operation, rows=5)
    assert crossed(life.said, "chain") == []


def test_what_is_seldom_counts_less_than_what_never_was() -> None:
    """The rarity of a step is that of the days on which it was taken before."""
    life = settled(days=0)
    for day in range(20):
        life.do(day + 0.4, operation=Operation.WRITE, rows=None)
        if day in (3, 8):
            life.do(day + 0.5, operation=Operation.BULK_EXPORT, rows=5)
    step(life, 20.1, Operation.COUNT)
    [found] = step(life, 20.2, Operation.BULK_EXPORT, rows=5)
    assert found.facts == {
        "recon": pytest.approx(RARE, abs=1e-3), "bulk": pytest.approx(-log10(2.5 / 21), abs=1e-3)
    }  # fmt: skip


def test_cold_identities_take_no_steps() -> None:
    """Of whom little is known nothing is rare."""
    for days, strange in ((3, False), (4, True)):
        assert bool(step(settled(days), days + 0.1, Operation.EXPORT_DELETE)) == strange


def test_a_step_is_taken_once_a_day() -> None:
    """The thousandth query of a day says nothing that the first did not."""
    life = settled()
    step(life, 20.1, Operation.COUNT)
    assert step(life, 20.2, Operation.QUERY, rows=5)
    assert all(step(life, 20.2 + number / 1000, Operation.QUERY, rows=5) == [] for number in range(50))
    assert step(life, 21.2, Operation.QUERY, rows=5)


def test_looking_around_is_a_step_even_for_who_describes_daily() -> None:
    """To describe many kinds of record within an hour is rare for who describes one a day."""
    life = Life(DetectionSettings())
    for day in range(20):
        life.do(day + 0.4, operation=Operation.DESCRIBE, rows=None)
        life.do(day + 0.5, operation=Operation.QUERY, rows=5)
    for number in range(MANY_OBJECTS):
        step(life, 20.1 + number / 1000, Operation.DESCRIBE, objects=(f"Thing{number}__c",))
    [found] = step(life, 20.2, Operation.BULK_EXPORT, rows=5)
    assert set(found.facts) == {"recon", "bulk"}
    assert found.facts["recon"] == pytest.approx(RARE, abs=1e-3)

    slow = Life(DetectionSettings())
    for day in range(20):
        slow.do(day + 0.4, operation=Operation.DESCRIBE, rows=None)
    for number in range(MANY_OBJECTS):
        step(slow, 20.1 + number / 12, Operation.DESCRIBE, objects=(f"Thing{number}__c",))
    assert step(slow, 20.5, Operation.BULK_EXPORT, rows=5) == []


def test_who_looks_around_daily_does_not_take_a_step() -> None:
    """An inventory tool that describes everything every day is known for it."""
    life = Life(DetectionSettings())
    for day in range(20):
        for number in range(10):
            life.do(
                day + 0.4 + number / 1000, operation=Operation.DESCRIBE, objects=(f"T{number}",), rows=None
            )
    assert step(life, 20.1, Operation.BULK_EXPORT, rows=5) == []
    assert crossed(life.said, "chain") == []
