from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import msgspec
import pytest

from detector.adapters import decode, recognise
from detector.event import AccessEvent, Counting, Operation
from detector.identity.ledger import Ledger, count
from detector.simulation import Format, Scenario, Simulation, Theft
from detector.simulation.shapes import Difficulty, Shape
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.traffic import MONDAY_MS, THIEF, THIEF_IP

DAYS, PEOPLE, INTEGRATIONS = 3, 20, 4
THEFT = Theft(MONDAY_MS + 30 * HOUR_MS + 55 * MINUTE_MS, rows=60_001)
QUIET = Scenario(
    seed=9, format=Format.ELF, days=DAYS, people=PEOPLE, integrations=INTEGRATIONS,
    shapes=(), start_ms=MONDAY_MS, calm=True,
)  # fmt: skip
ROBBED = msgspec.structs.replace(QUIET, thefts=(THEFT,))


def stream(scenario: Scenario = ROBBED) -> Iterator[tuple[int, bytes]]:
    """A scenario's records."""
    return Simulation(scenario).stream()


def decoded(scenario: Scenario = ROBBED) -> list[AccessEvent]:
    """A scenario's records as events."""
    return [decode(record, f"w:{number}") for number, (_, record) in enumerate(stream(scenario), 1)]


def digest(seed: int) -> str:
    """A stream in one number."""
    scenario = msgspec.structs.replace(ROBBED, seed=seed)
    return hashlib.sha256(b"\n".join(record for _, record in stream(scenario))).hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    """In this process and in others, whatever their hash seed; another seed gives another company."""
    script = "from tests.detector.simulation.test_stream import digest; print(digest(1))"
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


@pytest.mark.parametrize("log_format", list(Format))
@pytest.mark.parametrize("calm", [True, False])
def test_records_come_in_the_order_of_their_time(log_format: Format, calm: bool) -> None:
    """Each is at its event's own time, or within a second where that is how the format writes times, none before the
    last, all within the days."""
    scenario = msgspec.structs.replace(ROBBED, format=log_format, calm=calm)
    pairs = list(stream(scenario))
    times = [time_ms for time_ms, _ in pairs]
    assert times == sorted(times)
    assert MONDAY_MS <= times[0] <= times[-1] < MONDAY_MS + DAYS * DAY_MS
    away = [abs(event.time_ms - time_ms) for event, time_ms in zip(decoded(scenario), times, strict=True)]
    assert max(away) < (1 if log_format is Format.ELF else 1000)


def test_the_first_record_is_there_at_once() -> None:
    """A stream of ten years begins without ten years being made, and goes on day after day."""
    began = time.process_time()
    long = msgspec.structs.replace(QUIET, days=3_650)
    first = list(islice(stream(long), 2_000))
    assert time.process_time() - began < 10
    assert len({time_ms // DAY_MS for time_ms, _ in first}) >= 3


def test_every_record_decodes() -> None:
    """All are recognised as event log rows whose values are text, and become events with ids of their own."""
    records = [record for _, record in stream()]
    assert {recognise(record).name for record in records} == {"salesforce_elf"}  # type: ignore[union-attr]
    assert all(isinstance(value, str) for record in records for value in json.loads(record).values())
    events = decoded()
    assert len({event.event_id for event in events}) == len(events) > 1_000
    assert len({event.tenant for event in events}) == 1
    assert {
        Operation.LOGIN,
        Operation.QUERY,
        Operation.REPORT,
        Operation.RECORD_VIEW,
        Operation.BULK_EXPORT,
    } <= {event.operation for event in events}


def test_the_company_is_as_large_as_asked_for() -> None:
    """So many programs and people, but for those who are away; more programs than kinds have an account each."""
    events = decoded(QUIET)
    kinds = {event.actor: event.actor_kind for event in events}
    programs = {actor for actor in kinds if actor.startswith("0054R00000090")}
    assert len(programs) == INTEGRATIONS
    assert PEOPLE * 0.7 <= len(kinds.keys() - programs) <= PEOPLE
    many = {event.actor for event in decoded(msgspec.structs.replace(QUIET, people=0, integrations=30))}
    assert len(many) == 30


def test_jobs_say_their_rows_several_times_and_count_once() -> None:
    """A job's states add up to its final number through the ledger, not to the sum of what they say."""
    ledger = Ledger()
    counted: Counter[str] = Counter()
    final: dict[str, int] = {}
    reported: Counter[str] = Counter()
    for event in decoded():
        if event.operation is Operation.BULK_EXPORT and event.operation_id is not None:
            result = count(ledger, event)
            assert result is not None
            assert event.counting is Counting.MAXIMUM
            counted[event.operation_id] += result.rows
            reported[event.operation_id] += event.rows or 0
            final[event.operation_id] = max(final.get(event.operation_id, 0), event.rows or 0)
    assert counted == final
    assert len(final) > 4
    assert all(reported[job] > final[job] for job in final)


def test_the_theft_takes_what_it_is_said_to() -> None:
    """From one strange host, after counting and sampling: all of its rows in two jobs, which it deletes, in minutes."""
    stolen = [event for event in decoded() if event.ip == THIEF_IP]
    assert {event.actor for event in stolen} == {THIEF}
    jobs: dict[str, int] = {}
    for event in stolen:
        if event.operation is Operation.BULK_EXPORT and event.operation_id is not None:
            jobs[event.operation_id] = max(jobs.get(event.operation_id, 0), event.rows or 0)
    assert sorted(jobs.values()) == [30_000, 30_001]
    operations = Counter(event.operation for event in stolen)
    assert operations[Operation.EXPORT_DELETE] == 2
    assert operations[Operation.COUNT] == 4
    assert sum(event.rows or 0 for event in stolen if event.operation is Operation.QUERY) == 80
    assert stolen[0].operation is Operation.LOGIN
    assert stolen[0].time_ms == THEFT.start_ms
    assert stolen[-1].time_ms < THEFT.start_ms + 10 * MINUTE_MS
    assert len({event.time_ms // HOUR_MS for event in stolen}) == 2


def test_the_theft_changes_nothing_else() -> None:
    """With or without it, everybody else does the same at the same time."""

    def done(scenario: Scenario) -> list[dict[str, str]]:
        rows = [json.loads(record) for _, record in stream(scenario) if THIEF_IP.encode() not in record]
        numbered = {"REQUEST_ID", "RUN_TIME", "CPU_TIME", "DB_TOTAL_TIME", "SQL_ID"}
        return [{name: value for name, value in row.items() if name not in numbered} for row in rows]

    assert done(ROBBED) == done(QUIET)


def test_a_theft_after_the_end_does_not_happen() -> None:
    """What begins when the days are over is not in the stream."""
    late = Theft(MONDAY_MS + DAYS * DAY_MS + HOUR_MS)
    assert list(stream(msgspec.structs.replace(QUIET, thefts=(late,)))) == list(stream(QUIET))


def test_a_planned_theft_is_labelled_in_the_files() -> None:
    """Files with a planned theft have its records, and a label with its identity, address, time and rows."""
    simulation = Simulation(ROBBED)
    log = b"".join(file.data for file in simulation.files())
    [attack] = simulation.labels().attacks
    assert (attack.shape, attack.level, attack.networks) == (Shape.STOLEN_TOKEN, Difficulty.EASY, (THIEF_IP,))
    assert attack.identities[0].endswith(f"/{THIEF}")
    assert (attack.start_ms, attack.taken[-1][1]) == (THEFT.start_ms // 1000 * 1000, 60_081)
    assert log.count(THIEF_IP.encode()) >= 20


def test_numbers_are_as_heavy_as_in_real_logs() -> None:
    """Report sizes spread over orders of magnitude, and nights are quieter than days."""
    scenario = msgspec.structs.replace(QUIET, people=60, integrations=0)
    events = decoded(scenario)
    sizes = sorted(event.rows or 0 for event in events if event.operation is Operation.REPORT)
    assert sizes[-1] > 10 * sizes[len(sizes) // 2]
    by_hour = Counter(event.time_ms // HOUR_MS % 24 for event in events)
    assert max(by_hour[hour] for hour in (1, 2, 3)) < by_hour[9] / 3
