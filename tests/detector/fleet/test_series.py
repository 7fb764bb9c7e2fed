from __future__ import annotations

from math import exp, sin, tau
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.fleet.series import Residual, Series, SeriesScore, SeriesSettings, observe

STEP_MS = 600_000
DAY = 144
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
SETTINGS = SeriesSettings(step_ms=STEP_MS)


def traffic(days: int, seed: int = 1) -> list[float]:
    """A tenant's rows every ten minutes: more by day, little at the weekend, heavy-tailed."""
    random = Random(seed)
    return [
        round(
            300
            * (1.1 + sin(tau * (step % DAY / DAY - 0.3)))
            * (0.3 if step // DAY % 7 > 4 else 1.0)
            * random.lognormvariate(0, 0.3)
        )
        for step in range(days * DAY)
    ]


def scores(
    values: list[float], settings: SeriesSettings = SETTINGS, state: Series | None = None
) -> list[SeriesScore]:
    """What is said of values that follow one another."""
    state = state or Series()
    return [observe(state, START_MS + step * STEP_MS, value, settings) for step, value in enumerate(values)]


def alarm_days(found: list[SeriesScore]) -> set[int]:
    """The days on which there was an alarm."""
    return {step // DAY for step, score in enumerate(found) if score.alarm}


def test_an_alarm_says_what_was_seen_and_what_was_expected() -> None:
    """A burst at night is an alarm with the value, what is usual at that hour, and how far it stands out."""
    values = traffic(21)
    night = 20 * DAY + 4
    values[night] += 9_000
    found = scores(values)[night]
    assert found.alarm
    assert found.warm
    assert found.observed == values[night]
    assert 0 < found.expected < 600
    assert found.residual is Residual.POINT
    assert found.times_peak > 5
    assert found.surprise > 1.5
    assert 0.8 < found.score <= 1


@pytest.mark.slow
def test_ordinary_weeks_are_quiet() -> None:
    """Over two months of ten tenants there are at most three alarms a month and tenant, Mondays after weekends
    included.
    """
    alarms = [sum(score.alarm for score in scores(traffic(60, seed))) for seed in range(10)]
    assert sum(alarms) <= 10 * 2 * 3


def test_cold_is_not_normal() -> None:
    """Before the warm-up is over it says so and raises no alarm, and before twenty values it scores nothing."""
    values = [100.0] * 40 + [50_000.0] + [100.0] * 559 + [50_000.0]
    found = scores(values)
    assert [score.warm for score in found] == [False] * 600 + [True]
    assert not any(score.alarm for score in found[:600])
    assert all(score.score == 0 for score in found[:20])
    assert found[40].score > 0.9
    assert found[600].alarm


@pytest.mark.parametrize(("hour", "values_long"), [(3, 1), (3, 6), (13, 1), (13, 6)])
def test_four_big_bursts_do_not_hide_the_fifth(hour: int, values_long: int) -> None:
    """Bursts of the same size on eight days in a row, one value or an hour long, each raise an alarm, and none is
    ever half expected.
    """
    clean = traffic(40)
    values = list(clean)
    days = range(28, 36)
    for day in days:
        for step in range(values_long):
            values[day * DAY + hour * 6 + step] += 4_000
    found = scores(values)
    expected = {day: found[day * DAY + hour * 6].expected for day in days}
    assert alarm_days(found) >= set(days)
    assert all(any(score.alarm for score in found[day * DAY + hour * 6 :][: values_long + 1]) for day in days)
    assert all(value < 4_000 / 2 for value in expected.values())


@pytest.mark.slow
def test_a_burst_moves_the_bar_by_a_step_that_does_not_depend_on_its_size() -> None:
    """After four bursts of a hundred, ten thousand or a million rows above the usual peak all is learned alike, and
    the bar has risen by less than e.
    """
    bars = {}
    for size in (0, 10_000, 100_000, 10_000_000):
        values = traffic(32)
        for day in range(28, 32):
            values[day * DAY + 20] += size
        state = Series()
        scores(values[: 32 * DAY], state=state)
        peaks = state.peaks[0]
        bars[size] = exp((peaks[2] + peaks[3]) / 2)
    assert bars[10_000] == pytest.approx(bars[10_000_000], rel=0.05)
    assert bars[100_000] == pytest.approx(bars[10_000_000], rel=0.05)
    assert bars[10_000_000] < exp(1) * bars[0]


def test_a_new_normal_is_accepted_in_time() -> None:
    """A volume that trebles for good raises alarms in its first days and at most one a week from the third week on."""
    values = traffic(84)
    values[42 * DAY :] = [3 * value for value in values[42 * DAY :]]
    days = alarm_days(scores(values))
    assert days & {42, 43}
    assert len({day for day in days if day >= 42 + 21}) <= 3


def test_a_missing_interval_is_not_a_zero() -> None:
    """After a gap of a day a series goes on as if it had not been away, where zeros in between would
    be learned; its clock counts what was missing.
    """
    values = traffic(22)
    state, zeros = Series(), Series()
    for step, value in enumerate(values):
        if not 20 * DAY <= step < 21 * DAY:
            observe(state, START_MS + step * STEP_MS, value, SETTINGS)
            observe(zeros, START_MS + step * STEP_MS, value, SETTINGS)
        else:
            observe(zeros, START_MS + step * STEP_MS, 0.0, SETTINGS)
    assert state.step == zeros.step == len(values) - 1
    assert state.values == len(values) - DAY
    assert zeros.mean < state.mean


def test_a_story_is_told_once_until_it_gets_worse() -> None:
    """After an alarm a burst of the same size is not told again for a while, a missing one counted, but one of
    ten times the size is, and so is the same one half a day later.
    """
    night = 19 * DAY + 12
    values = traffic(20)
    for step, size in ((0, 6_000), (10, 6_000), (40, 60_000), (45, 60_000), (121, 60_000)):
        values[night + step] += size
    told = [step for step, score in enumerate(scores(values), -night) if score.alarm and step >= 0]
    assert told == [0, 40, 121]
    gone = Series(values=700, step=700, last_ms=START_MS, alarm=2.0, alarm_step=700)
    observe(gone, START_MS + 81 * STEP_MS, 0.0, SETTINGS)
    assert gone.alarm is None


def test_one_sided_ignores_what_is_missing_and_two_sided_does_not() -> None:
    """A busy day on which nothing happens raises no alarm, unless both sides are asked for."""
    values = [1000.0 + step % 7 for step in range(10 * DAY)]
    values[9 * DAY : 9 * DAY + 40] = [0.0] * 40
    both = msgspec.structs.replace(SETTINGS, one_sided=False)
    assert 9 not in alarm_days(scores(values)[: 9 * DAY + 40])
    assert 9 in alarm_days(scores(values, both)[: 9 * DAY + 40])


def test_a_higher_floor_raises_fewer_alarms() -> None:
    """A budget that allows fewer alarms gets a subset that is no larger, and a great burst is still in it."""
    values = traffic(40)
    values[39 * DAY + 20] += 100_000
    low = scores(values)
    high = scores(values, msgspec.structs.replace(SETTINGS, floor=0.8))
    assert sum(score.alarm for score in high) < sum(score.alarm for score in low)
    assert high[39 * DAY + 20].alarm


def test_time_only_goes_on() -> None:
    """A value of the same time or an earlier one is refused, and the state stays as it was."""
    state = Series()
    scores([1.0, 2.0, 3.0], state=state)
    before = msgspec.msgpack.encode(state)
    for time_ms in (START_MS, START_MS + 2 * STEP_MS):
        with pytest.raises(ValueError, match="after one of"):
            observe(state, time_ms, 1.0, SETTINGS)
    assert msgspec.msgpack.encode(state) == before


def test_a_state_is_small() -> None:
    """After a hundred days of values with many digits it takes at most 2,300 bytes."""
    state = Series()
    scores([value + 0.123456789 for value in traffic(100)], state=state)
    assert len(msgspec.msgpack.encode(state)) <= 2_300


@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1e15)), max_size=80),
    st.integers(0, 80),
    st.booleans(),
)
def test_any_values_are_scored_alike_across_a_restart(
    steps: list[tuple[int, float]], cut: int, one_sided: bool
) -> None:
    """Whatever the values and gaps, scores stay in [0, 1], figures stay numbers, and encoding the state between any
    two values changes nothing.
    """
    settings = SeriesSettings(step_ms=STEP_MS, one_sided=one_sided, warm_up=30)
    through, restored = Series(), Series()
    time_ms = START_MS
    for number, (gap, value) in enumerate(steps):
        time_ms += gap * STEP_MS // 4
        if time_ms <= through.last_ms:
            time_ms = through.last_ms + 1
        if number == cut:
            restored = msgspec.msgpack.decode(msgspec.msgpack.encode(restored), type=Series)
        said = observe(through, time_ms, value, settings)
        assert observe(restored, time_ms, value, settings) == said
        assert 0 <= said.score <= 1
        assert said.alarm <= said.warm
        assert -4 < said.surprise < 9
        assert abs(said.expected) < 1e17
    assert restored == through
