from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.fleet.health import Counts, Health, Phase, SourceState, Trouble, observe
from detector.units import HOUR_MS, TICK_MS

DAY = 144
WEEK = 7 * DAY
START = 1_772_409_600_000 // TICK_MS  # 2026-03-02, a Monday


def run(
    source: SourceState, ticks: Iterable[int], counts: Callable[[int], Counts], start: int = START
) -> list[Health]:
    """What is found over ticks, whose counts a function gives."""
    return [found for tick in ticks for found in observe(source, (start + tick) * TICK_MS, counts(tick))]


def steady(_: int) -> Counts:
    """Fifty records in every tick."""
    return Counts(records=50)


def silent(_: int) -> Counts:
    """Nothing."""
    return Counts()


def office(tick: int) -> Counts:
    """Records from eight to six on weekdays only."""
    return Counts(records=30 if 48 <= tick % DAY < 108 and tick % WEEK < 5 * DAY else 0)


def nightly(tick: int) -> Counts:
    """One batch a night at ten past two."""
    return Counts(records=4_000 if tick % DAY == 13 else 0)


def arrivals(mean: float, seed: int) -> Callable[[int], Counts]:
    """Independent records, so many a tick on average (gaps are exponential)."""
    random = Random(seed)

    def counts(_: int) -> Counts:
        left, number = random.random(), 0
        while left > exp(-mean):
            left *= random.random()
            number += 1
        return Counts(records=number)

    return counts


def test_an_always_silent_source_never_alarms() -> None:
    """Half a year without a record finds nothing."""
    assert run(SourceState(), range(26 * WEEK), silent) == []


@pytest.mark.parametrize("usual", [office, nightly], ids=["office", "nightly"])
def test_the_usual_silences_of_a_source_are_none(usual: Callable[[int], Counts]) -> None:
    """Nights, weekends and the time between batches find nothing, the first weekend included."""
    assert run(SourceState(), range(20 * WEEK), usual) == []


def test_a_source_that_stops_is_found_within_half_an_hour_or_so() -> None:
    """One that always speaks is missed after four ticks, in its third week, with what should have come; it is said
    once, and again when it speaks.
    """
    source = SourceState()
    assert run(source, range(3 * WEEK + 5), steady) == []
    stop = 3 * WEEK + 5
    [began] = run(source, range(stop, stop + 5 * DAY), silent)
    assert began.trouble is Trouble.SILENCE
    assert began.phase is Phase.BEGAN
    assert began.since_ms == (START + stop) * TICK_MS
    assert began.time_ms == began.since_ms + 4 * TICK_MS
    assert began.observed == 0
    assert began.expected == pytest.approx(4 * 50)
    assert 4 <= began.surprise < 6
    [ended] = run(source, range(stop + 5 * DAY, stop + 6 * DAY), steady)
    assert ended.trouble is Trouble.SILENCE
    assert ended.phase is Phase.ENDED
    assert ended.since_ms == began.since_ms
    assert ended.time_ms == (START + stop + 5 * DAY + 1) * TICK_MS
    assert ended.observed == 50
    assert ended.expected == pytest.approx(5 * DAY * 50)
    assert ended.surprise == 0


@pytest.mark.parametrize("mean", [0.05, 0.2, 1.0])
def test_a_rare_source_is_missed_after_so_many_expected_records(mean: float) -> None:
    """Whatever its rate, one whose records come by chance is found silent when five to fifteen have not come."""
    for seed in range(4):
        source = SourceState()
        run(source, range(8 * WEEK), arrivals(mean, seed))
        found = run(source, range(8 * WEEK, 12 * WEEK), silent)
        assert [health.phase for health in found if health.time_ms > (START + 8 * WEEK) * TICK_MS] == [
            Phase.BEGAN
        ]
        assert 4 < found[-1].expected < 16


def test_a_nightly_batch_is_missed_in_the_third_night() -> None:
    """A source that speaks in one tick a day is found when three batches have not come, after a month."""
    source = SourceState()
    run(source, range(4 * WEEK), nightly)
    [found] = run(source, range(4 * WEEK, 5 * WEEK), silent)
    assert found.phase is Phase.BEGAN
    assert found.time_ms == (START + 4 * WEEK + 2 * DAY + 18) * TICK_MS


@pytest.mark.slow
def test_chance_alone_raises_few_alarms() -> None:
    """Over a hundred weeks of sources of all rates there are at most five silences."""
    false = 0
    for number, mean in enumerate((0.01, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0, 1.0, 0.1)):
        found = run(SourceState(), range(10 * WEEK), arrivals(mean, number))
        false += sum(health.phase is Phase.BEGAN for health in found)
    assert false <= 5


def test_nothing_is_known_in_the_first_week() -> None:
    """A source that stops on its third day is not missed: nobody knows yet whether it rests on Thursdays."""
    source = SourceState()
    run(source, range(3 * DAY), steady)
    assert run(source, range(3 * DAY, WEEK), silent) == []


def test_a_silence_is_not_learned() -> None:
    """After a month of silence the source is missed again as fast, but for what it has once come through."""
    source = SourceState()
    run(source, range(4 * WEEK), steady)
    run(source, range(4 * WEEK, 8 * WEEK), silent)
    run(source, range(8 * WEEK, 8 * WEEK + DAY), steady)
    [found] = run(source, range(8 * WEEK + DAY, 8 * WEEK + 2 * DAY), silent)
    assert found.phase is Phase.BEGAN
    assert found.time_ms - found.since_ms <= 6 * TICK_MS


def test_four_silences_do_not_hide_the_fifth() -> None:
    """A day without records is found five times in a row, each at the latest within a few hours."""
    source = SourceState()
    run(source, range(6 * WEEK), steady)
    for number in range(5):
        begin = 6 * WEEK + number * 2 * DAY
        found = run(source, range(begin, begin + DAY), silent)
        assert [health.phase for health in found] == [Phase.BEGAN]
        assert found[0].time_ms - found[0].since_ms <= 6 * HOUR_MS
        run(source, range(begin + DAY, begin + 2 * DAY), steady)


def test_what_was_not_observed_is_not_silence() -> None:
    """Ticks that were left out, because we were down ourselves, find nothing and change nothing known."""
    source = SourceState()
    run(source, range(3 * WEEK), steady)
    before = sum(source.silent_ticks)
    assert run(source, range(4 * WEEK, 4 * WEEK + DAY), steady) == []
    assert sum(source.silent_ticks) == before


@pytest.mark.parametrize(
    ("field", "trouble"),
    [("odd", Trouble.SCHEMA), ("dead_letters", Trouble.DEAD_LETTERS), ("future", Trouble.CLOCK)],
)
def test_a_jump_in_a_share_is_found_and_ends(field: str, trouble: Trouble) -> None:
    """A share of one in a hundred that becomes one in three is found within an hour, with both shares, and is over
    within some hours after it has gone back; other kinds of trouble are not touched.
    """
    source = SourceState()

    def some(share: float) -> Callable[[int], Counts]:
        return lambda tick: Counts(records=100, **{field: round(100 * share)})

    assert run(source, range(2 * WEEK), some(0.01)) == []
    begin = 2 * WEEK
    [began] = run(source, range(begin, begin + 12), some(0.33))
    assert began.trouble is trouble
    assert began.phase is Phase.BEGAN
    assert began.since_ms == (START + begin) * TICK_MS or began.since_ms == (START + begin + 1) * TICK_MS
    assert began.time_ms <= (START + begin + 6) * TICK_MS
    assert 0.06 <= began.observed <= 0.33
    assert 0.009 <= began.expected <= 0.02
    assert began.surprise >= 4
    [ended] = run(source, range(begin + 12, begin + 3 * DAY), some(0.01))
    assert ended.trouble is trouble
    assert ended.phase is Phase.ENDED
    assert ended.since_ms == began.since_ms
    assert ended.time_ms <= (START + begin + 12 + 24) * TICK_MS
    assert ended.observed < began.observed
    assert ended.surprise == 0


def test_few_odd_records_are_no_jump() -> None:
    """One record in ten ticks that lacks a field, or two dead letters in a quiet hour, prove nothing."""
    source = SourceState()
    run(source, range(2 * WEEK), lambda tick: Counts(records=3, odd=tick % 30 == 0))
    assert run(source, range(2 * WEEK, 3 * WEEK), lambda tick: Counts(records=3, odd=tick % 10 == 0)) == []
    assert run(source, range(3 * WEEK, 3 * WEEK + 2), lambda tick: Counts(records=9, dead_letters=1)) == []


def test_a_schema_that_changed_for_good_is_found_once_and_accepted() -> None:
    """A field that half the records now have is found, and is the usual thing within four weeks."""
    source = SourceState()
    run(source, range(2 * WEEK), steady)
    found = run(source, range(2 * WEEK, 6 * WEEK), lambda tick: Counts(records=50, odd=25))
    assert [health.phase for health in found] == [Phase.BEGAN, Phase.ENDED]
    assert found[1].expected > 0.4


def test_lag_is_found_and_ends() -> None:
    """Records that come a day late instead of four are found after half an hour, with both times in seconds;
    the hourly ups and downs are not, and neither is what nobody knows.
    """
    source = SourceState()
    random = Random(3)

    def late(hours: float) -> Callable[[int], Counts]:
        return lambda tick: Counts(records=9, lag_ms=round(hours * HOUR_MS * random.uniform(0.8, 1.25)))

    assert run(source, range(3 * WEEK), late(4)) == []
    assert run(source, range(3 * WEEK, 3 * WEEK + DAY), steady) == []
    begin = 3 * WEEK + DAY
    [began] = run(source, range(begin, begin + DAY), late(24))
    assert began.trouble is Trouble.LAG
    assert began.phase is Phase.BEGAN
    assert began.since_ms == (START + begin) * TICK_MS
    assert began.time_ms == (START + begin + 3) * TICK_MS
    assert began.observed >= 16 * 3600
    assert began.expected == pytest.approx(4 * 3600, rel=0.1)
    assert began.surprise > 3
    [ended] = run(source, range(begin + DAY, begin + 2 * DAY), late(4))
    assert (ended.trouble, ended.phase, ended.since_ms) == (Trouble.LAG, Phase.ENDED, began.since_ms)


def test_time_only_goes_on() -> None:
    """A tick that is not after the last one is refused, and the state stays as it was."""
    source = SourceState()
    run(source, range(3), steady)
    before = msgspec.msgpack.encode(source)
    for tick in (0, 2):
        with pytest.raises(ValueError, match="after"):
            observe(source, (START + tick) * TICK_MS, Counts(records=1))
    assert msgspec.msgpack.encode(source) == before


@pytest.mark.slow
def test_a_state_is_small() -> None:
    """After two years of a busy source it takes less than 2,500 bytes."""
    source = SourceState()
    run(source, range(104 * WEEK), lambda tick: Counts(records=10_000_000 + tick, odd=tick % 7, lag_ms=tick))
    assert len(msgspec.msgpack.encode(source)) < 2_500


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.integers(1, 200),
            st.integers(0, 50),
            st.integers(0, 50),
            st.none() | st.integers(-(10**9), 10**12),
        ),
        max_size=120,
    ),
    st.integers(0, 120),
)
def test_findings_alternate_and_survive_a_restart(
    ticks: list[tuple[int, int, int, int | None]], cut: int
) -> None:
    """Whatever the counts, each kind of trouble begins before it ends and never twice, and encoding the state between
    any two ticks changes nothing.
    """
    through, restored = SourceState(), SourceState()
    run(through, range(WEEK), steady, START - 2 * WEEK)
    run(restored, range(WEEK), steady, START - 2 * WEEK)
    open_since: dict[Trouble, int] = {}
    tick = START
    for number, (gap, records, some, lag_ms) in enumerate(ticks):
        tick += gap
        counts = Counts(
            records=records,
            odd=min(some, records),
            dead_letters=min(some, records),
            future=min(some, records) // 2,
            lag_ms=lag_ms,
        )
        if number == cut:
            restored = msgspec.msgpack.decode(msgspec.msgpack.encode(restored), type=SourceState)
        found = observe(through, tick * TICK_MS, counts)
        assert observe(restored, tick * TICK_MS, counts) == found
        for health in found:
            assert health.since_ms < health.time_ms == (tick + 1) * TICK_MS
            if health.phase is Phase.BEGAN:
                assert health.trouble not in open_since
                open_since[health.trouble] = health.since_ms
            else:
                assert open_since.pop(health.trouble) == health.since_ms
    assert restored == through
