from __future__ import annotations

import json
from collections.abc import Callable
from math import expm1, log1p
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.event import ActorKind
from detector.fleet.cell import Cell, encode
from detector.fleet.population import (
    BOUND_SURPRISE,
    FULL_KNOWLEDGE,
    OWN_KNOWLEDGE,
    SETTLE_MS,
    Expectation,
    Population,
    day_known_at,
)
from detector.fleet.tail import MAX_SURPRISE
from detector.keyed_state import KeyedStates
from detector.settings import Settings, TriageSettings
from detector.signal import Familiarity, Measure, Signal, Span
from detector.units import DAY_MS, HOUR_MS
from tests.detector.make import (
    START_DAY,
    START_MS,
    THEFT,
    alerts_of,
    closed,
    exhaust,
    measure,
    signal,
    whole,
    world,
)

SETTINGS = Settings()
HUMAN, INTEGRATION = ActorKind.HUMAN, ActorKind.INTEGRATION


def days_over(seed: int, count: int, day: int = START_DAY) -> list[Signal]:
    """The days of identities with levels of their own, told in the hours after it."""
    random = Random(seed)
    made = []
    for number in range(count):
        level = random.gauss(4, 0.7)
        kind = random.choice((HUMAN, INTEGRATION))
        measures = [
            measure(
                round(expm1(max(0.7, random.gauss(level, 0.6)))),
                channel=channel,
                days=random.choice((3, 5, 20, 60)),
                mean=level,
            )
            for channel in random.sample(("query", "report", "all"), 2)
        ]
        made.append(
            closed(
                number + 1,
                day,
                time_ms=(day + 1) * DAY_MS + random.randrange(12) * HOUR_MS,
                actor=f"u{number}",
                actor_kind=kind,
                peers=kind.value,
                measures=measures,
                used={"network": random.sample(range(30), 2), "agent": [random.randrange(5)], "app": []},
            )
        )
    return made


def learn(population: Population, signals: list[Signal], floor_day: int = 0) -> Population:
    """Learn days as triage does."""
    for one in signals:
        population.learn(one, floor_day)
    return population


def taught(days: int = 5, count: int = 600) -> Population:
    """A population of which some days are known."""
    population = Population(SETTINGS)
    for day in range(days):
        learn(population, days_over(day, count, START_DAY + day))
    return population


def at(days: float, **fields: Any) -> Signal:
    """Something that is to be judged so many days after the first one began."""
    return signal(time_ms=START_MS + round(days * DAY_MS), **fields)


def expect(population: Population, value: int, days: float = 7.5, **fields: Any) -> Expectation:
    """What is expected of somebody well known, when all days of `taught` are closed."""
    return population.expect(at(days), measure(value, **fields))


# --- which days count


def test_a_day_is_used_once_it_has_settled() -> None:
    """A day's figures count from 20 minutes after its end, for decisions about that moment and later."""
    assert day_known_at(START_MS + SETTLE_MS) == START_DAY - 1
    assert day_known_at(START_MS + SETTLE_MS - 1) == START_DAY - 2
    assert day_known_at(START_MS + DAY_MS) == START_DAY - 1


def everything(population: Population, days: float) -> tuple[Any, ...]:
    """All that a decision at a time may ask for."""
    one = at(days)
    known = day_known_at(one.time_ms)
    return (
        population.expect(one, measure(900)),
        population.surprise(one, "novelty", 2.0),
        population.users("t", "network", 7, known),
        population.identities("t", known),
        population.windows("t", "active|human", known),
        population.known_days("t", known),
    )


def test_decisions_use_closed_days_only() -> None:
    """What is learned of today, or of yesterday before it has settled, changes no decision; later it does."""
    population = taught(days=2)
    population.count("t", START_DAY + 1, "score|human|novelty", 3.0)
    today = START_DAY + 3
    before = everything(population, 3.5), everything(population, 3 + (SETTLE_MS - 1) / DAY_MS)
    learn(population, days_over(77, 700, today - 1))
    population.count("t", today, "score|human|novelty", 3.0)
    assert all(one.time_ms // DAY_MS == today for one in days_over(77, 700, today - 1))
    assert (everything(population, 3.5), everything(population, 3 + (SETTLE_MS - 1) / DAY_MS)) == before
    after = everything(population, 4.5)
    assert all(one != other for one, other in zip(before[0], after, strict=True))


def test_what_comes_late_is_learned_later() -> None:
    """A day that becomes known too late counts to the day that is not over yet, so that what is in use stays."""
    population = taught(days=1)
    before = whole(population.state.changes())
    assert population.learn(closed(1, START_DAY - 9), START_DAY + 3) == START_DAY + 3
    after = whole(population.state.changes())
    assert {key: after[key] for key in before} == before
    assert {day_of(key) for key in after.keys() - before.keys()} == {START_DAY + 3}


def test_days_fade_and_end() -> None:
    """Older days weigh less, and beyond the horizon nothing."""
    population = learn(Population(Settings(triage=TriageSettings(population_days=3))), days_over(0, 600))
    seen = [expect(population, 900, days=1.5 + number).population_days for number in range(1, 6)]
    assert seen[0] > seen[1] > seen[2] > 0
    assert seen[3:] == [0, 0]


def test_figures_asked_for_too_early_can_be_summed_up_anew() -> None:
    """After a decision that was taken before a day was complete, the next one sees what has come since."""
    hasty, patient = taught(days=1), taught(days=1)
    one = everything(hasty, 3.5)
    for population in (hasty, patient):
        learn(population, days_over(9, 400, START_DAY + 1))
    assert everything(hasty, 3.5)[:2] == one[:2]
    hasty.forget_sums()
    assert everything(hasty, 3.5) == everything(patient, 3.5) != one


# --- order and storing


@pytest.mark.slow
@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_order_within_a_day_does_not_matter(random: Random) -> None:
    """However identities' days interleave, the cells are the same bytes."""
    one, other = Population(SETTINGS), Population(SETTINGS)
    for day in (START_DAY, START_DAY + 1):
        signals = days_over(day, 120, day)
        learn(one, signals)
        random.shuffle(signals)
        learn(other, signals)
    assert whole(one.state.changes()) == whole(other.state.changes())
    assert everything(one, 3.5) == everything(other, 3.5)


def test_a_restored_population_decides_the_same() -> None:
    """The saved cells are all there is to it, and what is saved is not saved again."""
    population = taught()
    population.count("t", START_DAY + 2, "score|human|novelty", 3.0)
    saved = whole(population.state.changes())
    assert population.state.dirty == len(saved) > 50
    population.state.saved(whole(population.state.changes()))
    assert (population.state.dirty, whole(population.state.changes())) == (0, {})
    again = Population(SETTINGS)
    for key, data in saved.items():
        KeyedStates(again.state).restore(key, data or b"")
    for value in (1, 100, 2000, 10**6):
        assert expect(again, value) == expect(population, value)
    assert everything(again, 7.5) == everything(population, 7.5)
    assert whole(again.state.changes()) == {}
    more = days_over(3, 50, START_DAY + 5)
    assert whole(learn(again, more).state.changes()) == whole(learn(population, more).state.changes()) != {}


@pytest.mark.parametrize("tenant", ["a|b", "|", "a|7|b", "3|x", "", "a/b", "7"])
@pytest.mark.parametrize("peers", ["human", "2026", "a|7|b", "", "|"])
def test_a_tenant_and_a_group_may_be_called_anything(tenant: str, peers: str) -> None:
    """Bars and numbers in their names break neither saving nor forgetting."""
    population = Population(SETTINGS)
    population.learn(closed(tenant=tenant, peers=peers), 0)
    again = Population(SETTINGS)
    for key, data in whole(population.state.changes()).items():
        KeyedStates(again.state).restore(key, data or b"")
    asked = [
        one.expect(at(3.5, tenant=tenant, peers=peers), measure()).population_days
        for one in (population, again)
    ]
    assert asked == [1, 1]
    assert again.known_days(tenant, START_DAY + 9) == [START_DAY + 1]
    exhaust(again.forget(START_DAY + 1))
    assert whole(again.state.changes()) == {}
    exhaust(again.forget(START_DAY + 2))
    assert whole(again.state.changes()) == dict.fromkeys(whole(population.state.changes()))
    assert again.known_days(tenant, START_DAY + 9) == []


@pytest.mark.parametrize("key", ["", "x", "7", "7|1", "7|x|t|n", "x|1|t|n", "7|2|t|n", "7|1|tt|n"])
def test_a_strange_key_is_refused(key: str) -> None:
    """What is no cell's key is named, not guessed at."""
    with pytest.raises(ValueError, match=r".") as caught:
        Population(SETTINGS).state.restore(key, encode(Cell()))
    assert not isinstance(caught.value, msgspec.DecodeError)


def test_old_days_are_forgotten() -> None:
    """Days before a given one are gone from state and decisions, and need not be saved; the others stay."""
    population = taught(days=3)
    exhaust(population.forget(START_DAY + 3))
    changes = whole(population.state.changes())
    assert {day_of(key) for key, cell in changes.items() if cell is None} == {START_DAY + 1, START_DAY + 2}
    assert {day_of(key) for key, cell in changes.items() if cell is not None} == {START_DAY + 3}
    alone = learn(Population(SETTINGS), days_over(2, 600, START_DAY + 2))
    assert everything(population, 5.5)[1:] == everything(alone, 5.5)[1:]
    population.state.saved(whole(population.state.changes()))
    exhaust(population.forget(START_DAY + 3))
    assert whole(population.state.changes()) == {}


def day_of(key: bytes) -> int:
    """The day of a stored cell."""
    return int(key[1:].split(b"|")[0])


def test_a_cell_stays_small() -> None:
    """A day's cell is some hundred bytes, however many identities' days are in it."""
    population = Population(SETTINGS)
    for number in range(3000):
        one = measure(1 + number**4, mean=float(number % 30), variance=0.001, familiarity=Familiarity.RARELY)
        population.learn(closed(number, measures=[one]), 0)
    sizes = {
        key.rpartition(b"|")[2]: len(data or b"") for key, data in whole(population.state.changes()).items()
    }
    assert sizes.keys() == {b"active", b"human", b"rarely"}
    assert max(sizes.values()) < 1_500


# --- surprise


def test_surprise_grows_with_the_value_up_to_a_cap() -> None:
    """More rows are never less surprising; nothing is more so than the cap, however many they are."""
    population = taught()
    asked = [expect(population, round(1.3**step)) for step in range(90)]
    residuals = [found.residual for found in asked]
    surprises = [found.surprise for found in asked]
    assert residuals == sorted(residuals)
    assert surprises == sorted(surprises)
    assert surprises[0] == 0.0
    assert 4.0 < surprises[-1] <= MAX_SURPRISE


@pytest.mark.parametrize("spread", [0.3, 0.7, 1.2])
def test_surprise_is_what_the_population_shows(spread: float) -> None:
    """What one day in a hundred reaches is about 2, in -log10, however wild the population's days are."""
    random = Random(5)
    population = Population(SETTINGS)

    def day() -> Measure:
        return measure(round(expm1(max(0.5, random.gauss(4, spread)))), variance=0.3, days=20)

    for number in range(5000):
        population.learn(closed(number, START_DAY + number // 200, measures=[day()]), 0)
    asked = [population.expect(at(27.5), day()).surprise for number in range(4000)]
    assert 0.004 < sum(surprise >= BOUND_SURPRISE for surprise in asked) / len(asked) < 0.02


@given(
    value=st.integers(1, 10**12),
    own_days=st.integers(0, 10**6),
    mean=st.floats(0, 30),
    variance=st.floats(0, 200),
    span=st.sampled_from(Span),
    familiarity=st.sampled_from(Familiarity),
    days=st.integers(0, 2),
)
@settings(max_examples=100)
def test_an_expectation_is_always_sane(
    value: int, own_days: int, mean: float, variance: float, span: Span, familiarity: Familiarity, days: int
) -> None:
    """Whatever a signal says, surprise is between 0 and the cap, and levels are finite numbers of rows."""
    population = learn(Population(SETTINGS), days_over(1, 30)) if days else Population(SETTINGS)
    one = measure(value, days=own_days, mean=mean, variance=variance, span=span, familiarity=familiarity)
    found = population.expect(at(days + 0.5), one)
    assert 0.0 <= found.surprise <= MAX_SURPRISE
    assert -1.0 < found.typical < 1e14
    assert found.typical <= found.bound
    assert (found.own_days, found.population_days >= 0) == (own_days, True)
    population.learn(closed(measures=[one]), 0)


def test_little_knowledge_is_little_surprised() -> None:
    """With nothing known at all nothing is rare; own days count eightfold towards what is known."""
    population = Population(SETTINGS)
    asked = [population.expect(at(0.5), measure(10**9, days=own)).surprise for own in range(20)]
    assert asked[0] == 0.0
    assert asked == sorted(asked)
    assert asked[3] == pytest.approx(MAX_SURPRISE * 3 * OWN_KNOWLEDGE / FULL_KNOWLEDGE)
    learn(population, days_over(3, 60))
    found = population.expect(at(2.5), measure(10**9, days=0))
    assert 0 < found.population_days < FULL_KNOWLEDGE
    assert found.surprise == pytest.approx(MAX_SURPRISE * found.population_days / FULL_KNOWLEDGE)


@pytest.mark.parametrize(("own_days", "level"), [(0, 4.0), (3, 2.0), (20, 4.0), (200, 9.0)])
def test_what_is_unusual_lies_above_the_bound(own_days: int, level: float) -> None:
    """But for a bin's width, rows below the bound are less surprising than 1 in 100, and those above it more."""
    population = taught()
    values = sorted({round(1.02**step) for step in range(900)})
    asked = [
        (value, population.expect(at(7.5), measure(value, days=own_days, mean=level))) for value in values
    ]
    (bound,) = {found.bound for _, found in asked}
    width = 0.15
    assert all(found.surprise < BOUND_SURPRISE + width for value, found in asked if value < bound - 1)
    unusual = [value for value, found in asked if found.surprise >= BOUND_SURPRISE + width]
    assert unusual
    assert min(unusual) > bound
    assert all(found.typical < bound for _, found in asked)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 8, 14])
def test_every_alert_of_a_world_exceeds_its_bound(seed: int) -> None:
    """Where an alert says how much is to be expected at most, what it saw is more: in every alert of three worlds."""
    analyses = 0
    for alert in alerts_of(world(seed, 24 * 8, THEFT, 40, 4)):
        body = json.loads(alert.body)
        for analysis in body["anomaly_analyses"]:
            if analysis["anomalies"][0]["observation_parameter"].endswith(".surprise"):
                continue
            value = int(analysis["anomalies"][0]["observations"][0]["value"])
            typical, bound = (int(base["observations"][0]["value"]) for base in analysis["baselines"])
            assert typical <= bound
            assert typical < value
            analyses += 1
    assert analyses > 5


def test_the_own_level_outweighs_the_populations() -> None:
    """A newcomer is expected to do what its peers do, somebody known to do as ever."""
    population = taught()
    typical = [
        population.expect(
            at(7.5),
            measure(days=own, mean=log1p(5000) if own else 0.0, variance=0.1, familiarity=Familiarity.RARELY),
        ).typical
        for own in (1, 5, 500)
    ]
    assert typical == sorted(typical)
    assert typical[-1] == pytest.approx(5000, rel=0.2)
    newcomer = population.expect(at(7.5), measure(days=0, mean=0.0, familiarity=Familiarity.COLD)).typical
    assert 20 < newcomer < 400


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "x"},
        {"peers": "guest"},
        {"channel": "search"},
        {"detector": "export"},
        {"span": Span.HOUR},
        {"familiarity": Familiarity.NEVER},
        {"mean": 9.0},
    ],
    ids=lambda other: next(iter(other)),
)
def test_one_is_compared_with_ones_like(other: dict[str, Any]) -> None:
    """Neither another tenant nor another group, channel or span, nor those who take much more, excuse or accuse."""
    population = taught()
    assert expect(population, 900).population_days > 300
    about = {name: other[name] for name in ("tenant", "peers") if name in other}
    one = measure(900, **{name: value for name, value in other.items() if name not in about})
    assert population.expect(at(7.5, **about), one).population_days == 0


# --- scores


def scored(days: int, active: int, scores: list[float]) -> Population:
    """A population that was so large on each of some days, and the scores of those who had any."""
    population = Population(SETTINGS)
    for day in range(days):
        for _ in range(active):
            population.learn(closed(1, START_DAY + day, measures=[]), 0)
        for score in scores:
            population.count("t", START_DAY + day + 1, "score|human|novelty", score)
    return population


def test_a_score_is_as_surprising_as_it_is_rare_among_peers() -> None:
    """The share of the peers' days that reached it, those without any score included."""
    population = scored(5, 1000, [0.5] * 100 + [1.5] * 10 + [2.5])
    asked = [population.surprise(at(8.5), "novelty", score) for score in (0.0, 0.5, 1.5, 2.5, 9.0)]
    assert asked[0] == 0.0
    assert asked[1:4] == pytest.approx([1.0, 2.0, 2.9], abs=0.25)
    assert asked == sorted(asked)
    assert asked[4] <= MAX_SURPRISE
    for fields in ({"tenant": "x"}, {"peers": "integration"}):
        unknown = [population.surprise(at(8.5, **fields), "novelty", score) for score in (0.5, 2.5)]
        assert unknown == [Population(SETTINGS).surprise(at(8.5), "novelty", score) for score in (0.5, 2.5)]


def test_how_many_use_something() -> None:
    """Of the busiest day in the last week known, the share of the active who were seen with it."""
    population = Population(SETTINGS)
    for day, (users, active) in enumerate([(90, 90), (2, 10), (1, 40)]):
        for number in range(active):
            used = {"network": [7] if number < users else [8]}
            population.learn(closed(1, START_DAY + day, actor=f"a{number}", used=used), 0)
    known = START_DAY + 3
    assert population.users("t", "network", 7, START_DAY + 1) == 1.0
    assert population.users("t", "network", 7, known) == 1.0
    assert population.users("t", "network", 7, known + 6) == pytest.approx(1 / 40)
    assert population.users("t", "network", 7, known + 7) == 0.0
    assert population.users("t", "agent", 7, known) == population.users("x", "network", 7, known) == 0.0
    assert [population.identities("t", known - back) for back in (0, 3, 4)] == [90, 0, 0]


def test_places_up_to_a_tick() -> None:
    """Counts at a tick's place are known from that tick on, by bin or above, and one may move up."""
    population = Population(SETTINGS)
    count: Callable[..., None] = population.count_at
    for tick, step, more in ((3, 2, 1), (5, 2, 1), (7, 2, -1), (7, 4, 1)):
        count("t", START_DAY, "today|x", tick * 8 + step, more)
    asked = [population.until("t", START_DAY, "today|x", end * 8, 8) for end in (3, 4, 6, 8)]
    assert [above[2] for above in asked] == [0, 1, 2, 2]
    assert [above[4] for above in asked] == [0, 0, 0, 1]
    assert population.until("t", START_DAY + 1, "today|x", 99, 8) == [0] * 8
