from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from detector.adapters import RecordError, recognise
from detector.event import AccessEvent, ActorKind, Operation
from detector.simulation import Format, Scenario, Simulation
from detector.simulation.bursts import BurstKind, calendar
from detector.simulation.company import company
from detector.simulation.shapes import Difficulty, Shape, difficulty_of
from detector.units import DAY_MS, HOUR_MS
from tests.detector.simulation.worlds import DAYS, PEOPLE, decoded, read, results, world

pytestmark = pytest.mark.slow

FORMATS = list(Format)
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
ADAPTERS = {Format.ELF: "salesforce_elf", Format.RTEM: "salesforce_rtem", Format.UAL: "dynamics_ual"}
LOOK_ALIKES = {
    BurstKind.NEW_HIRE, BurstKind.RETURN, BurstKind.NIGHT_TRAVEL, BurstKind.ON_CALL, BurstKind.LARGE_REPORT,
    BurstKind.SPRAY,
}  # fmt: skip


def digest(log_format: Format, seed: int) -> str:
    """A small world's files and labels in one number."""
    simulation = Simulation(Scenario(seed=seed, format=log_format, days=8, people=15))
    sums = hashlib.sha256()
    for file in simulation.files():
        sums.update(file.path.encode() + file.data)
    sums.update(repr(simulation.labels()).encode())
    return sums.hexdigest()


def test_the_same_seed_gives_the_same_world() -> None:
    """The same files and labels in this process and in others, whatever their hash seed; another seed others."""
    script = (
        "from detector.simulation import Format; from tests.detector.simulation.test_scenario import digest;"
        "print([digest(log_format, 1) for log_format in Format])"
    )
    elsewhere = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = [digest(log_format, 1) for log_format in Format]
    assert elsewhere == {str(here)}
    assert len(set(here)) == 3
    assert digest(Format.ELF, 2) not in here


@pytest.mark.parametrize("log_format", FORMATS)
def test_what_cannot_be_read_is_what_was_broken_on_purpose(log_format: Format) -> None:
    """Every record is recognised as its vendor's and becomes an event, but for those labelled as malformed."""
    labels = world(log_format)[2]
    broken = [result for result in results(log_format) if isinstance(result, RecordError)]
    assert len(broken) == sum(one.records for one in labels.defects if one.kind == "malformed") > 0
    assert len(results(log_format)) == labels.records
    adapters = {event.origin.adapter for event in decoded(log_format)}
    assert adapters == {ADAPTERS[log_format]}
    assert recognise(b"{}") is None


@pytest.mark.parametrize("log_format", FORMATS)
def test_duplicates_are_as_many_as_labelled(log_format: Format) -> None:
    """A record written twice has the same event id both times; no two others share one."""
    events = decoded(log_format)
    labelled = sum(one.records for one in world(log_format)[2].defects if one.kind == "duplicated")
    repeated = len(events) - len({event.event_id for event in events})
    assert labelled > 0
    assert labelled - 2 <= repeated <= labelled  # one of a pair may have been broken off


@pytest.mark.parametrize("log_format", FORMATS)
def test_identities_are_spelled_as_the_adapters_do(log_format: Format) -> None:
    """The labels name exactly those who act in the logs, and whom attacks and bursts concern is among them."""
    simulation, _, labels = world(log_format)
    known = {one.id for one in labels.identities}
    assert {event.identity for event in decoded(log_format)} == known
    assert (
        0.85 * PEOPLE < sum(one.role not in ("integration", "guest") for one in labels.identities) <= PEOPLE
    )
    assert sum(one.role == "integration" for one in labels.identities) == simulation.traits.programs
    assert sum(one.role == "guest" for one in labels.identities) == simulation.traits.portals
    for attack in labels.attacks:
        assert attack.identities
        assert set(attack.identities) <= known
    for burst in labels.bursts:
        assert burst.identities == "all" or set(burst.identities) <= known


@pytest.mark.parametrize("log_format", FORMATS)
def test_attacks_begin_after_the_warm_up_on_accounts_of_their_own(log_format: Format) -> None:
    """Each shape once; none before half of so short a world, none after its end; no account is attacked twice."""
    labels = world(log_format)[2]
    assert [attack.shape for attack in labels.attacks] == list(Shape)
    victims = [name for attack in labels.attacks for name in attack.identities]
    assert len(victims) == len(set(victims))
    for attack in labels.attacks:
        assert labels.start_ms + DAYS // 2 * DAY_MS <= attack.start_ms <= attack.end_ms < labels.end_ms
        assert attack.taken
        assert attack.start_ms <= attack.taken[0][0]
        assert attack.taken[-1][0] <= attack.end_ms
        for (before_ms, before), (after_ms, after) in pairwise(attack.taken):
            assert before_ms < after_ms
            assert before < after


def test_three_seeds_show_every_shape_at_every_level() -> None:
    """Whichever three follow one another."""
    seen = {
        (attack.shape, attack.level) for seed in (1, 2, 3) for attack in world(Format.ELF, seed)[2].attacks
    }
    assert seen == {(shape, level) for shape in Shape for level in Difficulty}
    for first in range(30):
        assert {difficulty_of(seed, Shape.RAMP) for seed in range(first, first + 3)} == set(Difficulty)


def test_only_the_shapes_asked_for_happen() -> None:
    """None, or some, in a world that is otherwise like the others."""
    for shapes in ((), (Shape.RAMP, Shape.LEAVER)):
        simulation = Simulation(Scenario(seed=2, format=Format.RTEM, days=DAYS, people=PEOPLE, shapes=shapes))
        assert sum(1 for _ in simulation.files()) > 400
        assert {attack.shape for attack in simulation.labels().attacks} == set(shapes)


@pytest.mark.parametrize("log_format", FORMATS)
def test_files_lie_in_the_order_of_their_arrival(log_format: Format) -> None:
    """An hour's file comes after those before it; a late one hours later, under its own hour's name."""
    _, files, labels = world(log_format)
    arrivals = [file.path[:13] for file in files]
    assert arrivals == sorted(arrivals)
    assert len({file.path for file in files}) == len(files)
    late = [file for file in files if "late_" in file.path]
    assert len(late) == sum(one.kind == "late_hour" for one in labels.defects) > 0
    for file in late:
        arrived = int(file.path[11:13])
        written = int(file.path.partition("late_")[2][:2])
        assert 3 <= (arrived - written) % 24 <= 24
        events = [event for event in read(file) if isinstance(event, AccessEvent)]
        assert {event.time_ms // HOUR_MS % 24 for event in events} == {written}


def test_a_missing_hour_is_missing() -> None:
    """Nothing of that hour's file is there, and no attack lost rows by it."""
    labels = world(Format.RTEM, 2)[2]
    missing = [one for one in labels.defects if one.kind == "missing_hour"]
    hours = {event.time_ms // HOUR_MS for event in decoded(Format.RTEM, 2)}
    for one in missing:
        assert one.start_ms // HOUR_MS not in hours
        assert one.records > 0


def test_real_times_shape_the_traffic() -> None:
    """Nights and weekends are quieter, sizes spread over orders of magnitude, programs never sleep."""
    events = decoded(Format.ELF, varied=False)
    people = [event for event in events if event.actor_kind is ActorKind.HUMAN]
    by_hour = Counter(event.time_ms // HOUR_MS % 24 for event in people)
    assert by_hour[2] < by_hour[10] / 2
    by_weekday = Counter((event.time_ms // DAY_MS + 3) % 7 for event in people)
    assert by_weekday[6] < by_weekday[1] * 0.6
    sizes = sorted(event.rows or 0 for event in people if event.operation is Operation.REPORT)
    assert sizes[-1] > 20 * sizes[len(sizes) // 2]
    programs = {
        (event.actor, event.time_ms // HOUR_MS % 24)
        for event in events
        if event.actor_kind is ActorKind.INTEGRATION
    }
    assert Counter(actor for actor, _ in programs).most_common(1)[0][1] == 24


def test_every_kind_of_burst_happens_in_some_world() -> None:
    """Each planned one in most, none in all; all begin after the first week, at a month's or at a quarter's end."""
    seen: Counter[BurstKind] = Counter()
    for seed in range(40):
        plan = calendar(company(seed, START_MS, 42, 30), 29)
        seen.update({burst.kind for burst in plan.bursts})
        for burst in plan.bursts:
            assert START_MS + 4 * DAY_MS < burst.start_ms < burst.end_ms <= START_MS + 42 * DAY_MS
    assert all(20 < times < 40 for times in seen.values())
    assert set(seen) == set(BurstKind) - LOOK_ALIKES


def test_a_disruption_and_an_outage_are_in_the_records() -> None:
    """There is more to do on the one day; there is nothing in the hours of the other."""
    seen: set[str] = set()
    for seed in (1, 2, 3, 4):
        labels = world(Format.ELF, seed)[2]
        if not {"disruption", "outage"} & {burst.kind for burst in labels.bursts} - seen:
            continue
        events = decoded(Format.ELF, seed)
        stolen = {name for attack in labels.attacks for name in attack.identities}
        for burst in labels.bursts:
            if burst.kind == "disruption":
                people = (event for event in events if event.actor_kind is ActorKind.HUMAN)
                days = Counter((event.time_ms - labels.start_ms) // DAY_MS for event in people)
                day = (burst.start_ms - labels.start_ms) // DAY_MS
                others = sorted(days[one] for one in days if one % 7 == day % 7 and one != day)
                assert days[day] > 1.7 * others[len(others) // 2]
            if burst.kind == "outage":
                end_ms = burst.start_ms + 3 * HOUR_MS
                during = (event for event in events if burst.start_ms <= event.time_ms < end_ms)
                assert {event.identity for event in during} <= stolen
            seen.add(burst.kind)
    assert {"disruption", "outage"} <= seen
