from __future__ import annotations

import json
from math import expm1, log1p
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.event import ActorKind
from detector.fleet.population import (
    BOUND_SURPRISE,
    MAX_SURPRISE,
    SETTLE_MS,
    Cell,
    Population,
    day_known_at,
    encode,
)
from detector.settings import Settings, TriageSettings
from detector.signal import Signal
from tests.detector.make import DAY_MS, HOUR_MS, START_DAY, START_MS, THEFT, alerts_of, signal, world

SETTINGS = Settings()


def windows(seed: int, count: int, day: int = START_DAY) -> list[Signal]:
    """Closed windows of a day, of identities with levels of their own."""
    random = Random(seed)
    made = []
    for number in range(count):
        level = random.gauss(4, 0.7)
        made.append(
            signal(
                number + 1,
                actor=f"u{number}",
                actor_kind=random.choice((ActorKind.HUMAN, ActorKind.INTEGRATION)),
                channel=random.choice(("query", "report")),
                time_ms=day * DAY_MS + random.randrange(DAY_MS),
                value=round(expm1(max(0.7, random.gauss(level, 0.6)))),
                own_windows=random.choice((0, 2, 5, 60)),
                own_mean=level,
            )
        )
    return made


def learn(population: Population, signals: list[Signal], floor_day: int = 0) -> Population:
    """Expect, then learn, as triage does."""
    for found in signals:
        population.learn(found, population.expect(found), floor_day)
    return population


def cells(population: Population) -> dict[str, bytes]:
    """Its state as it is saved."""
    return {key: encode(cell) for key, cell in population.cells.items()}


def taught(days: int = 5, count: int = 800) -> Population:
    """A population after some days."""
    population = Population(SETTINGS)
    for day in range(days):
        learn(population, windows(day, count, START_DAY + day))
    return population


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_within_a_day_does_not_matter(random: Random) -> None:
    """However the windows of each day interleave, the cells are the same bytes."""
    one, other = Population(SETTINGS), Population(SETTINGS)
    for day in (START_DAY, START_DAY + 1):
        signals = windows(day, 120, day)
        learn(one, signals)
        random.shuffle(signals)
        learn(other, signals)
    assert cells(one) == cells(other)
    probe = signal(time_ms=(START_DAY + 2) * DAY_MS + HOUR_MS, value=700)
    assert one.expect(probe) == other.expect(probe)


def test_a_day_is_used_once_it_has_settled() -> None:
    """A day's figures count from 20 minutes after its end, for decisions about that moment and later."""
    assert day_known_at(START_MS + SETTLE_MS) == START_DAY - 1
    assert day_known_at(START_MS + SETTLE_MS - 1) == START_DAY - 2
    assert day_known_at(START_MS + DAY_MS) == START_DAY - 1


def test_decisions_use_closed_days_only() -> None:
    """What is learned of the day itself, or of a day that has not settled, changes no decision about it."""
    population = taught(days=2)
    today = START_DAY + 2
    probe = signal(time_ms=today * DAY_MS + 5 * HOUR_MS, value=900)
    early = signal(time_ms=today * DAY_MS + SETTLE_MS - 1, value=900)
    before, before_early = population.expect(probe), population.expect(early)
    learn(population, windows(77, 500, today))
    assert population.expect(probe) == before
    assert population.expect(early) == before_early
    assert before_early.population_windows < before.population_windows
    tomorrow = signal(time_ms=probe.time_ms + DAY_MS, value=900)
    assert population.expect(tomorrow).population_windows > before.population_windows


def test_what_comes_late_is_learned_later() -> None:
    """A window of a day that is over is learned with the day that is not, so that closed days stay as they are."""
    population = taught(days=1)
    before = {key: value for key, value in cells(population).items() if f"|{START_DAY}|" in key}
    late = signal(time_ms=START_MS, value=10**6)
    population.learn(late, population.expect(late), START_DAY + 3)
    after = cells(population)
    assert {key: after[key] for key in before} == before
    assert f"t|{START_DAY + 3}|human|volume|query|{HOUR_MS}" in population.dirty


def test_a_provisional_decision_leaves_no_trace() -> None:
    """Asked too early, before a day's windows have all come, it answers anew when they have."""
    hasty, patient = taught(days=1), taught(days=1)
    probe = signal(time_ms=(START_DAY + 2) * DAY_MS + HOUR_MS, value=900)
    hasty.expect(probe)
    for population in (hasty, patient):
        for found in windows(9, 400, START_DAY + 1):
            population.learn(found, patient.expect(found), 0)
    assert hasty.expect(probe) == patient.expect(probe)


def test_a_restored_population_decides_the_same() -> None:
    """The saved cells are all there is to it."""
    population = taught()
    again = Population(SETTINGS)
    for key, data in cells(population).items():
        again.restore(key, msgspec.msgpack.decode(data, type=Cell))
    for value in (1, 100, 2000, 10**6):
        probe = signal(time_ms=(START_DAY + 5) * DAY_MS + HOUR_MS, value=value)
        assert again.expect(probe) == population.expect(probe)
    assert cells(again) == cells(population)


def test_surprise_grows_with_the_value_up_to_a_cap() -> None:
    """More rows are never less surprising; nothing is more so than the cap, however many they are."""
    population = taught()
    asked = [
        population.expect(signal(time_ms=(START_DAY + 5) * DAY_MS + HOUR_MS, value=round(1.3**step)))
        for step in range(90)
    ]
    residuals = [found.residual for found in asked]
    surprises = [found.surprise for found in asked]
    assert residuals == sorted(residuals)
    assert surprises == sorted(surprises)
    assert surprises[0] == 0.0
    assert max(surprises) == surprises[-1]
    assert 4.0 < surprises[-1] <= MAX_SURPRISE


@given(
    value=st.integers(1, 10**12),
    own_windows=st.integers(0, 10**6),
    own_mean=st.floats(0, 30),
    own_variance=st.floats(0, 200),
    days=st.integers(0, 2),
)
@settings(max_examples=100, deadline=None)
def test_an_expectation_is_always_sane(
    value: int, own_windows: int, own_mean: float, own_variance: float, days: int
) -> None:
    """Whatever a signal says, surprise is between 0 and the cap, and levels are finite numbers of rows."""
    population = learn(Population(SETTINGS), windows(1, 30)) if days else Population(SETTINGS)
    found = population.expect(
        signal(
            time_ms=START_MS + days * DAY_MS + HOUR_MS,
            value=value,
            own_windows=own_windows,
            own_mean=own_mean,
            own_variance=own_variance,
        )
    )
    assert 0.0 <= found.surprise <= MAX_SURPRISE
    assert -1.0 < found.typical < 1e14
    assert found.typical <= found.bound
    assert found.warm == (own_windows >= SETTINGS.detection.warm_windows)


def test_little_knowledge_is_little_surprised() -> None:
    """With nothing known at all nothing is rare; own windows count tenfold towards what is known."""
    population = Population(SETTINGS)
    asked = [
        population.expect(signal(value=10**9, own_windows=own, own_mean=4.0)).surprise for own in range(16)
    ]
    assert asked[0] == 0.0
    assert asked == sorted(asked)
    assert asked[3] == pytest.approx(MAX_SURPRISE * 30 / 150)
    newcomer = signal(value=10**9, own_windows=0, time_ms=START_MS + DAY_MS + HOUR_MS)
    learn(population, windows(3, 60))
    found = population.expect(newcomer)
    assert 0 < found.population_windows < 60
    assert found.surprise == pytest.approx(MAX_SURPRISE * found.population_windows / 150)


@pytest.mark.parametrize(("own_windows", "level"), [(0, 4.0), (3, 2.0), (20, 4.0), (200, 9.0)])
def test_what_is_unusual_lies_above_the_bound(own_windows: int, level: float) -> None:
    """Rows below the bound are less surprising than 1 in 100; whatever is clearly more so lies above it."""
    population = taught()
    asked = [
        (value, population.expect(
            signal(time_ms=(START_DAY + 5) * DAY_MS + HOUR_MS, value=value,
                   own_windows=own_windows, own_mean=level)
        ))
        for value in sorted({round(1.02**step) for step in range(900)})
    ]  # fmt: skip
    (bound,) = {found.bound for _, found in asked}
    assert all(found.surprise < BOUND_SURPRISE for value, found in asked if value < bound - 1)
    unusual = [value for value, found in asked if found.surprise >= BOUND_SURPRISE + 0.15]  # a bin's worth
    assert unusual
    assert min(unusual) > bound
    assert all(found.typical < bound for _, found in asked)


@pytest.mark.parametrize("seed", [3, 8, 14])
def test_every_alert_of_a_world_exceeds_its_bound(seed: int) -> None:
    """What an alert calls unusual is more than it says was to be expected, in every alert of three worlds."""
    alerts = alerts_of(world(seed, 24 * 8, THEFT, 40, 4))
    assert alerts
    for alert in alerts:
        analysis = json.loads(alert.body)["anomaly_analyses"][0]
        value = int(analysis["anomalies"][0]["observations"][0]["value"])
        typical, bound = (int(base["observations"][0]["value"]) for base in analysis["baselines"])
        assert typical < bound < value


def test_the_own_level_outweighs_the_populations() -> None:
    """A newcomer is expected to do what its peers do, somebody known to do as ever."""
    population = taught()
    time_ms = (START_DAY + 5) * DAY_MS + HOUR_MS
    typical = [
        population.expect(
            signal(time_ms=time_ms, own_windows=own, own_mean=log1p(5000), own_variance=0.1)
        ).typical
        for own in (0, 1, 5, 500)
    ]
    assert typical == sorted(typical)
    assert 20 < typical[0] < 150
    assert 4000 < typical[-1] < 5001


def test_peers_are_of_ones_own_kind() -> None:
    """People's habits neither excuse nor accuse a program, nor one channel's or tenant's another."""
    population = taught()
    time_ms = (START_DAY + 5) * DAY_MS + HOUR_MS
    known = population.expect(signal(time_ms=time_ms))
    assert known.population_windows > 300
    for other in (
        {"tenant": "x"},
        {"actor_kind": ActorKind.GUEST},
        {"channel": "search"},
        {"detector": "export"},
    ):
        assert population.expect(signal(time_ms=time_ms, **other)).population_windows == 0


@pytest.mark.parametrize("tenant", ["a|b", "|", "a|7|b", "", "a/b"])
def test_a_tenant_may_be_called_anything(tenant: str) -> None:
    """A bar in a tenant's name breaks neither saving nor forgetting."""
    population = Population(SETTINGS)
    found = signal(tenant=tenant, time_ms=START_MS)
    population.learn(found, population.expect(found), 0)
    again = Population(SETTINGS)
    for key, data in cells(population).items():
        again.restore(key, msgspec.msgpack.decode(data, type=Cell))
    later = signal(tenant=tenant, time_ms=START_MS + 2 * DAY_MS)
    assert again.expect(later) == population.expect(later)
    assert again.expect(later).population_windows == 1
    assert len(again.forget(START_DAY + 1)) == 1
    assert again.expect(later).population_windows == 0


def test_old_days_are_forgotten() -> None:
    """Days before a given one are gone from state and decisions, and need not be saved; the others stay."""
    population = taught(days=3)
    gone = population.forget(START_DAY + 2)
    assert gone
    assert {key.split("|")[1] for key in gone} == {str(START_DAY), str(START_DAY + 1)}
    assert {key.split("|")[1] for key in population.cells} == {str(START_DAY + 2)}
    assert population.dirty == set(population.cells)
    later = signal(time_ms=(START_DAY + 3) * DAY_MS + HOUR_MS)
    alone = learn(Population(SETTINGS), windows(2, 800, START_DAY + 2))
    assert population.expect(later).population_windows == alone.expect(later).population_windows
    assert population.forget(START_DAY + 2) == []


def test_days_fade_and_end() -> None:
    """Older days weigh less, and beyond the horizon nothing."""
    population = Population(Settings(triage=TriageSettings(population_days=3)))
    learn(population, windows(0, 800))
    seen = [
        population.expect(signal(time_ms=(START_DAY + days) * DAY_MS + HOUR_MS)).population_windows
        for days in range(1, 6)
    ]
    assert seen[0] > seen[1] > seen[2] > 0
    assert seen[3:] == [0, 0]


def test_a_cell_stays_small() -> None:
    """A day's cell is some hundred bytes, whatever the windows in it."""
    population = Population(SETTINGS)
    for number in range(3000):
        found = signal(number, value=1 + number**4, own_mean=float(number % 30), own_variance=0.001)
        population.learn(found, population.expect(found), 0)
    (cell,) = cells(population).values()
    assert len(cell) < 1_500
