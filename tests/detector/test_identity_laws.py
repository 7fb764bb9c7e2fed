"""Laws that every identity detector keeps; they run on each that `detector.identity.registry` finds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from detector.event import AccessEvent, Counting, Operation
from detector.identity import profile as profiles
from detector.identity.registry import DETECTORS, IdentityDetector
from detector.ledger import Ledger, count
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event

SETTINGS = DetectionSettings()
KINDS = ("Case", "Contact", "Account", "User", "Loyalty__c")
YEAR_MS = 365 * DAY_MS
every_detector = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)


def ordinary(seed: int, events: int = 400) -> list[AccessEvent]:
    """Some days of one identity: mostly in order, with jobs, a burst now and then, and some late events."""
    random = Random(seed)
    time_ms = START_MS
    made = []
    for number in range(events):
        time_ms += int(random.expovariate(1 / 1_200_000))
        late_ms = random.choice((0, 0, 0, 0, 600_000, 5 * HOUR_MS))
        made.append(
            event(
                number,
                time_ms=time_ms - late_ms,
                rows=int(random.lognormvariate(4, 1)) * (100 if random.random() < 0.03 else 1),
                operation=random.choice(
                    (Operation.QUERY, Operation.QUERY, Operation.BULK_EXPORT, Operation.REPORT)
                ),
                objects=tuple(random.sample(KINDS, random.choice((0, 1, 1, 2)))),
                counting=random.choice(tuple(Counting)),
                operation_id=random.choice((None, f"job-{number // 4}")),
            )
        )
    return made


def hostile(
    seed: int, events: int, operations: tuple[Operation, ...], longest_name: int
) -> list[AccessEvent]:
    """All that may inflate a state: new objects, jobs, sessions, huge rows, times all over the years."""
    random = Random(seed)
    return [
        event(
            number,
            time_ms=START_MS
            + random.choice((number * 60_000, -number * 977_777, random.randrange(9 * YEAR_MS))),
            rows=random.choice((1, 5000, 10**9, 10**12, 10**25)),
            operation=random.choice(operations),
            objects=(f"Object{number}__c".rjust(random.randint(0, longest_name), "O"),),
            operation_id=f"job-{random.randrange(10**9)}",
            ip=f"2001:db8::{number:x}",
            user_agent=f"agent/{number}" * 9,
            app=f"app-{number}",
            session=f"session-{number}",
            actor_name="n" * random.choice((3, 10_000)),
        )
        for number in range(events)
    ]


def drive(
    detector: IdentityDetector, events: Iterable[AccessEvent], *, reload: bool = False, state: Any = None
) -> tuple[list[Signal], Any]:
    """What a detector says about events; with `reload`, its state is stored and read again before each."""
    state = detector.State() if state is None else state
    ledger = Ledger()
    said: list[Signal] = []
    for found in events:
        if reload:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=detector.State)
        counted = count(ledger, found)
        if counted is None:
            continue
        due = detector.next_close_ms(state, SETTINGS)
        if due is not None and found.time_ms >= due:
            said += detector.close(state, found.time_ms, SETTINGS)
        said += detector.observe(state, found, counted, SETTINGS) or []
    return said, state


def crossings(said: Iterable[Signal]) -> list[Signal]:
    """Those that say that something is too much."""
    return [found for found in said if found.kind is SignalKind.CROSSED]


@every_detector
def test_a_state_begins_empty(detector: IdentityDetector) -> None:
    """A state needs nothing to begin with, so that a new detector can join old profiles."""
    assert msgspec.msgpack.decode(b"\x80", type=detector.State) == detector.State()
    assert detector.next_close_ms(detector.State(), SETTINGS) is None
    assert len(msgspec.msgpack.encode(detector.State())) < 64


@every_detector
def test_a_state_can_be_stored_at_any_event(detector: IdentityDetector) -> None:
    """Stored and read again before every single event, a state says the same as one that was never stored."""
    events = ordinary(1)
    said, state = drive(detector, events)
    said_again, state_again = drive(detector, events, reload=True)
    assert crossings(said)
    assert msgspec.msgpack.encode(said) == msgspec.msgpack.encode(said_again)
    assert msgspec.msgpack.encode(state) == msgspec.msgpack.encode(state_again)


@every_detector
def test_a_name_is_its_own(detector: IdentityDetector) -> None:
    """Every signal carries its detector's name, which is what the registry knows it by."""
    said, _ = drive(detector, ordinary(2))
    assert {found.detector for found in said} == {detector.name}
    assert DETECTORS[detector.name] is detector


@every_detector
def test_nothing_is_due_before_its_time(detector: IdentityDetector) -> None:
    """`close` just before `next_close_ms` says nothing and leaves the state alone; at that moment it acts."""
    closed = 0
    state = None
    for found in ordinary(3, events=150):
        _, state = drive(detector, [found], state=state)
        due = detector.next_close_ms(state, SETTINGS)
        if due is None:
            continue
        before = msgspec.msgpack.encode(state)
        assert detector.close(state, due - 1, SETTINGS) == []
        assert msgspec.msgpack.encode(state) == before
        copy = msgspec.msgpack.decode(before, type=detector.State)
        detector.close(copy, due, SETTINGS)
        assert msgspec.msgpack.encode(copy) != before
        closed += 1
    assert closed > 100


@every_detector
@pytest.mark.parametrize("seed", range(4))
def test_fewer_rows_are_never_worse(detector: IdentityDetector, seed: int) -> None:
    """After the same past, an hour in which fewer rows leave crosses no bound that more rows would not cross."""
    _, past = drive(detector, ordinary(seed))
    encoded = msgspec.msgpack.encode(past)
    hour_ms = START_MS + 60 * DAY_MS
    crossed = []
    for rows in (0, 1, 3, 10, 30, 100, 300, 1000, 10_000, 1_000_000):
        state = msgspec.msgpack.decode(encoded, type=detector.State)
        events = [event(n, time_ms=hour_ms + n, rows=rows, event_id=f"x-{n}") for n in range(5)]
        said, _ = drive(detector, events, state=state)
        crossed.append(bool(crossings(said)))
    assert crossed == sorted(crossed)
    assert not crossed[0]
    assert not crossed[1]
    assert crossed[-1]


@every_detector
def test_one_enormous_window_teaches_little(detector: IdentityDetector) -> None:
    """Who takes out a billion rows once has moved the own bound by a tenth, not to a billion."""
    hours = [event(n, time_ms=START_MS + n * HOUR_MS, rows=100 + n % 7) for n in range(24 * 14)]
    end_ms = START_MS + 30 * DAY_MS

    def bounds(*last: AccessEvent) -> dict[tuple[str, int], float]:
        said, state = drive(detector, [*hours, *last])
        detector.close(state, end_ms - DAY_MS, SETTINGS)
        probes = [event(n, time_ms=end_ms, rows=10**9, event_id=f"p-{n}") for n in range(2)]
        said, _ = drive(detector, probes, state=state)
        return {(found.channel, found.horizon_ms): found.own_bound for found in crossings(said)}

    calm = bounds()
    taught = bounds(event(9000, time_ms=START_MS + 14 * DAY_MS, rows=10**9))
    assert calm
    assert calm.keys() == taught.keys()
    assert all(calm[key] <= taught[key] <= 1.25 * calm[key] for key in calm)


@every_detector
@pytest.mark.parametrize("longest_name", [12, 10_000])
def test_a_state_stays_small(detector: IdentityDetector, longest_name: int) -> None:
    """Nothing in a log makes a state grow without bound; it still says when too much leaves."""
    largest = 0
    state = None
    for part in range(20):
        events = hostile(part, 200, tuple(Operation), longest_name)
        _, state = drive(detector, events, state=state)
        largest = max(largest, len(msgspec.msgpack.encode(state)))
    assert largest < (3_000 if longest_name == 12 else 4_000)


@pytest.mark.parametrize(
    ("operations", "longest_name", "bytes_at_most"),
    [
        pytest.param((Operation.QUERY, Operation.BULK_EXPORT), 12, 4_096, id="two channels"),
        pytest.param(tuple(Operation), 12, 6_144, id="every channel"),
        pytest.param(tuple(Operation), 10_000, 8_192, id="every channel, endless names"),
    ],
)
def test_a_profile_stays_small(
    operations: tuple[Operation, ...], longest_name: int, bytes_at_most: int
) -> None:
    """A whole profile stays within a few KB whatever is in its log: four, where it uses one or two channels."""
    profile = profiles.new(event(actor_name="n" * 10_000))
    largest = 0
    for number, found in enumerate(hostile(5, 4000, operations, longest_name)):
        profiles.observe(profile, found, SETTINGS)
        if number % 10 == 0:
            largest = max(largest, len(profiles.encode(profile)))
    assert 1_000 < largest < bytes_at_most


def test_an_ordinary_profile_is_smaller() -> None:
    """Some days of an ordinary identity take less than 3 KB."""
    events = ordinary(8)
    profile = profiles.new(events[0])
    for found in events:
        profiles.close(profile, found.time_ms, SETTINGS)
        profiles.observe(profile, found, SETTINGS)
        assert len(profiles.encode(profile)) < 3_072


def digest() -> str:
    """All that all detectors say about two streams, and the states they end with, in one number."""
    total = hashlib.sha256()
    for detector in DETECTORS.values():
        for events in (ordinary(6), hostile(7, 500, tuple(Operation), 40)):
            said, state = drive(detector, events)
            total.update(msgspec.msgpack.encode(said))
            total.update(msgspec.msgpack.encode(state))
    return total.hexdigest()


def test_hashing_changes_nothing() -> None:
    """Processes whose sets and dicts are seeded differently say the same, byte for byte."""
    script = "from tests.detector.test_identity_laws import digest; print(digest())"
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.strip()
        for seed in ("1", "31337")
    }
    assert said == {digest()}
