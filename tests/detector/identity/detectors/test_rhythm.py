from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from detector.event import ActorKind, Operation
from detector.identity.detectors.rhythm import ASCENDING, FIRST_ACTIONS, OPERATIONS, PAUSE_MS
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind
from detector.units import DAY_MS
from tests.detector.identity.life import Life, crossed
from tests.detector.make import START_DAY, START_MS

VIEW: dict[str, Any] = {"operation": Operation.RECORD_VIEW, "rows": 1}


def viewed(gaps_seconds: Iterable[float], ids: Iterable[str] | None = None, **fields: Any) -> list[Signal]:
    """What is said of somebody who views records, so many seconds apart, from noon on."""
    life = Life(DetectionSettings(), **(VIEW | fields))
    at_seconds = 0.0
    names = iter(ids or ())
    for gap in gaps_seconds:
        at_seconds += gap
        name = next(names, None)
        life.do(0.5 + at_seconds / 86_400, record_ids=() if name is None else (name,))
    return crossed(life.said, "rhythm")


def people(seed: int, actions: int = 400) -> list[float]:
    """Gaps as people's are: log-normal, half of them under twelve seconds, some of minutes."""
    random = Random(seed)
    return [random.lognormvariate(2.5, 1.1) for _ in range(actions)]


def programs(seed: int, actions: int = 400, wait: float = 2.0, jitter: float = 0.2) -> list[float]:
    """Gaps of a program that waits as long each time, give or take."""
    random = Random(seed)
    return [wait * (1 + random.uniform(-jitter, jitter)) for _ in range(actions)]


def test_a_person_is_not_taken_for_a_program() -> None:
    """Of forty people who look at four hundred records each at their log-normal gaps, most are said nothing of, and
    none scores as high as any program that pages as long."""
    scores = [max((found.score for found in viewed(people(seed))), default=0.0) for seed in range(40)]
    assert sorted(scores)[24] == 0
    machines = [max(found.score for found in viewed(programs(seed))) for seed in range(10)]
    assert max(scores) + 1 < min(machines)


@pytest.mark.parametrize("jitter", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("wait", [0.5, 2.0, 30.0])
def test_a_program_that_pages_is_said(wait: float, jitter: float) -> None:
    """Equal gaps, and gaps that differ at random between narrow limits, are said within a hundred actions."""
    said = viewed(programs(1, 100, wait, jitter))
    assert said
    assert said[0].kind is SignalKind.CROSSED
    assert said[0].facts["actions"] >= FIRST_ACTIONS
    low, high = said[0].facts["low_seconds"], said[0].facts["high_seconds"]
    assert wait * (1 - jitter) - 0.1 <= low <= high <= wait * (1 + jitter)


def test_the_longer_it_goes_on_the_surer() -> None:
    """The score rises with the length of the run, and each signal is worth more than the one before."""
    scores = [found.score for found in viewed([2.0] * 400)]
    assert scores[0] < 4 < scores[-1]
    assert all(later >= earlier + 0.5 for earlier, later in pairwise(scores))


def test_ids_in_ascending_order_are_a_walk() -> None:
    """Record after record in the order of their ids is said even at people's gaps; in any other order it is not."""
    ids = [f"500{number:015d}" for number in range(0, 700, 7)]
    walked = viewed(people(7, 100), ids)
    assert walked
    assert walked[-1].facts["ascending"] >= ASCENDING
    assert walked[-1].score > 3
    shuffled = list(ids)
    Random(1).shuffle(shuffled)
    assert viewed(people(7, 100), shuffled) == []


def test_the_same_record_again_does_not_break_a_walk() -> None:
    """Opening a record twice goes on where it was; one lower id begins anew."""
    ids = [f"500{number // 2:015d}" for number in range(100)]
    assert viewed(people(7, 100), ids)[-1].facts["ascending"] >= ASCENDING
    back = [f"500{number % 15:015d}" for number in range(100)]
    assert viewed(people(7, 100), back) == []


def test_what_is_said_of_a_run() -> None:
    """It is about the run: from its first action, with the rows and kinds of record taken, and the last event."""
    first, *_ = viewed([1.0] * 100, rows=3)
    assert (first.channel, first.day) == ("record_view", START_DAY)
    assert first.first_ms == START_MS + DAY_MS // 2 + 1000
    assert first.last_ms == first.time_ms == START_MS + DAY_MS // 2 + FIRST_ACTIONS * 1000
    assert (first.rows, first.objects) == (3 * FIRST_ACTIONS, {"Case": 3 * FIRST_ACTIONS})
    assert (first.facts["low_seconds"], first.facts["high_seconds"]) == (1.0, 1.0)
    assert first.evidence is not None
    assert first.evidence.event_id == f"e-{FIRST_ACTIONS}"


def test_a_pause_begins_a_new_run() -> None:
    """Short runs with pauses between them are said of in none, however many there are."""
    short = [1.0] * (FIRST_ACTIONS - 2) + [PAUSE_MS / 1000 + 1]
    assert viewed(short * 5) == []
    assert viewed(([1.0] * (FIRST_ACTIONS - 2) + [PAUSE_MS / 1000 - 1]) * 5)


def test_programs_are_programs() -> None:
    """An integration is as regular as it likes; a guest is not."""
    assert viewed([1.0] * 100, actor_kind=ActorKind.INTEGRATION) == []
    assert viewed([1.0] * 100, actor_kind=ActorKind.GUEST)


@pytest.mark.parametrize("operation", Operation)
def test_only_what_people_do_by_hand_is_looked_at(operation: Operation) -> None:
    """What a client does on its own account has no rhythm."""
    assert bool(viewed([1.0] * 100, operation=operation)) == (operation in OPERATIONS)


def test_rows_are_told_by_day() -> None:
    """A run over midnight goes on, and its rows on the new day are those of that day."""
    life = Life(DetectionSettings(), **VIEW)
    for second in range(-60, 60):
        life.do(1 + second / 86_400)
    said = crossed(life.said, "rhythm")
    assert said[0].day == START_DAY
    assert (said[-1].day, said[-1].facts["actions"]) == (START_DAY + 1, 100)
    assert said[-1].rows == 40
