from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from detector.adapters import decode, recognise
from detector.event import AccessEvent, ActorKind, Counting, Operation
from detector.identity.ledger import Ledger, count
from detector.simulation import Theft, World, records
from detector.units import HOUR_MS
from tests.detector.make import START_MS, THIEF_IP

WORLD = World(seed=9, start_ms=START_MS, hours=72, people=20, integrations=4)
THEFT = Theft(start_ms=START_MS + 30 * HOUR_MS + 3_400_000, rows=60_001)


def decoded(world: World = WORLD, theft: Theft | None = THEFT) -> list[AccessEvent]:
    """A world's records as events."""
    return [decode(record, f"w:{number}") for number, (_, record) in enumerate(records(world, theft), 1)]


def digest(seed: int) -> str:
    """A world in one number."""
    world = World(seed=seed, start_ms=START_MS, hours=48, people=10, integrations=3)
    return hashlib.sha256(b"\n".join(record for _, record in records(world, THEFT))).hexdigest()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes() -> None:
    """In this process and in others, whatever their hash seed; another seed gives another world."""
    script = "from tests.detector.simulation.test_world import digest; print(digest(1))"
    elsewhere = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert elsewhere == {digest(1)}
    assert digest(2) != digest(1)


@pytest.mark.parametrize("theft", [None, THEFT])
def test_records_come_in_the_order_of_their_time(theft: Theft | None) -> None:
    """Each record's time is its own `TIMESTAMP_DERIVED`, none before the last, all within the world's hours."""
    pairs = list(records(WORLD, theft))
    times = [time_ms for time_ms, _ in pairs]
    assert times == sorted(times)
    assert WORLD.start_ms <= times[0] <= times[-1] < WORLD.start_ms + WORLD.hours * HOUR_MS
    assert times == [event.time_ms for event in decoded(WORLD, theft)]


def test_every_record_decodes() -> None:
    """All are recognised as event log rows and become events, each with an id of its own."""
    assert {recognise(record).name for _, record in records(WORLD, THEFT)} == {"salesforce_elf"}  # type: ignore[union-attr]
    events = decoded()
    assert len({event.event_id for event in events}) == len(events)
    assert {event.tenant for event in events} == {events[0].tenant}
    assert {
        Operation.LOGIN,
        Operation.QUERY,
        Operation.REPORT,
        Operation.RECORD_VIEW,
        Operation.BULK_EXPORT,
    } <= {event.operation for event in events}


def test_identities_are_as_many_as_asked_for() -> None:
    """Programs work around the clock, people on their shifts."""
    actors = {event.actor for event in decoded()}
    programs = {actor for actor in actors if actor.startswith("0054R9")}
    assert len(programs) == WORLD.integrations
    assert WORLD.people * 0.8 <= len(actors - programs) <= WORLD.people
    hours = defaultdict(set)
    for event in decoded():
        hours[event.actor].add(event.time_ms // HOUR_MS % 24)
    assert all(len(hours[actor]) == 24 for actor in programs)
    assert all(len(hours[actor]) <= 9 for actor in actors - programs)


def test_jobs_say_their_rows_several_times_and_count_once() -> None:
    """A job's states add up to its final number through the ledger, not to the sum of what they say."""
    ledger = Ledger()
    counted: Counter[str] = Counter()
    final: dict[str, int] = {}
    told: Counter[str] = Counter()
    for event in decoded():
        if event.operation is Operation.BULK_EXPORT and event.operation_id is not None:
            result = count(ledger, event)
            assert result is not None
            assert event.counting is Counting.MAXIMUM
            counted[event.operation_id] += result.rows
            told[event.operation_id] += event.rows or 0
            final[event.operation_id] = max(final.get(event.operation_id, 0), event.rows or 0)
    assert counted == final
    assert len(final) > 4
    assert all(told[job] > final[job] for job in final)


def test_the_theft_takes_what_it_is_said_to() -> None:
    """From one strange host, after sampling: all of its rows in two jobs, which it deletes; over an hour's edge too."""
    stolen = [event for event in decoded() if event.ip == THIEF_IP]
    assert {event.actor for event in stolen} == {"0054R9000000000QAA"}
    jobs: dict[str, int] = {}
    for event in stolen:
        if event.operation is Operation.BULK_EXPORT and event.operation_id is not None:
            jobs[event.operation_id] = max(jobs.get(event.operation_id, 0), event.rows or 0)
    assert sorted(jobs.values()) == [30_000, 30_001]
    assert sum(event.operation is Operation.EXPORT_DELETE for event in stolen) == 2
    assert sum(event.rows or 0 for event in stolen if event.operation is Operation.QUERY) == 80
    assert stolen[0].operation is Operation.LOGIN
    assert len({event.time_ms // HOUR_MS for event in stolen}) == 2


def test_the_theft_changes_nothing_else() -> None:
    """With or without it, everybody else does the same."""
    with_theft = [record for _, record in records(WORLD, THEFT)]
    without = [record for _, record in records(WORLD)]
    assert [record for record in with_theft if THIEF_IP.encode() not in record] == without


def test_a_theft_after_the_end_does_not_happen() -> None:
    """What begins when the world is over is not in it."""
    late = Theft(start_ms=WORLD.start_ms + (WORLD.hours + 1) * HOUR_MS)
    assert list(records(WORLD, late)) == list(records(WORLD))


def test_numbers_are_as_heavy_as_in_real_logs() -> None:
    """Report sizes spread over orders of magnitude, and nights are quiet."""
    events = decoded(World(seed=1, start_ms=START_MS, hours=72, people=60, integrations=0), None)
    sizes = sorted(event.rows or 0 for event in events if event.operation is Operation.REPORT)
    assert sizes[-1] > 20 * sizes[len(sizes) // 2]
    by_hour = Counter(event.time_ms // HOUR_MS % 24 for event in events)
    assert by_hour[2] < by_hour[9] / 20
    assert {event.actor_kind for event in events} == {ActorKind.HUMAN}


def test_rows_are_json_objects_of_strings() -> None:
    """As event log files have them: every value is text."""
    for _, record in records(WORLD, THEFT):
        row = json.loads(record)
        assert all(isinstance(value, str) for value in row.values())
