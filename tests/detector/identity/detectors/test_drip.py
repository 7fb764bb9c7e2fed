from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import pytest

from detector.identity.detectors.drip import DETECTOR, FIRST_SCORE, MAX_DAYS, REFERENCE_DAYS, STEP, DripState
from detector.settings import DetectionSettings
from detector.signal import Familiarity, Signal, SignalKind, Span
from detector.units import DAY_MS
from tests.detector.identity.life import Life, crossed, measures
from tests.detector.make import START_DAY, START_MS

NORMAL = 40


def lived(rows: Callable[[int], float], days: int, seed: int = 1, spread: float = 0.35) -> Life:
    """Somebody who takes out log-normally many rows a day, `rows` of the day being the median; all days closed."""
    random = Random(seed)
    life = Life(DetectionSettings())
    for day in range(days):
        life.do(day + 0.4, rows=max(1, round(rows(day) * random.lognormvariate(0, spread))))
    life.close(days + 0.1)
    return life


def state(life: Life) -> DripState:
    """What the detector knows."""
    assert life.profile is not None
    found = life.profile.states.drip
    assert isinstance(found, DripState)
    return found


def said(life: Life) -> list[Signal]:
    """What it has said."""
    return crossed(life.said, "drip")


@pytest.mark.parametrize("seed", range(10))
def test_a_drip_for_two_weeks_is_said(seed: int) -> None:
    """Two and a half times as much a day for two weeks, none of them strange by itself, is said within them."""
    life = lived(lambda day: 400 if day < NORMAL else 1000, NORMAL + 14, seed)
    days = [found.day - START_DAY for found in said(life) if found.day >= START_DAY + NORMAL]
    assert days
    assert NORMAL <= min(days) < NORMAL + 10


@pytest.mark.slow
def test_who_takes_as_much_as_ever_says_little() -> None:
    """Of fifty people over nine weeks whose days differ as people's do, few are said anything of."""
    lives = [lived(lambda _: 400, 63, seed) for seed in range(50)]
    assert sum(bool(said(life)) for life in lives) <= 10


def test_a_slow_ramp_does_not_walk_the_reference_up() -> None:
    """Four per cent more every day for eight weeks is said early, for the reference hardly follows."""
    life = lived(lambda day: 400 * 1.04 ** max(0, day - NORMAL), NORMAL + 56)
    before = lived(lambda _: 400, NORMAL)
    assert state(life).reference.mean <= state(before).reference.mean + 56 * STEP + 1e-3
    first = next(found for found in said(life) if found.day >= START_DAY + NORMAL)
    assert first.day < START_DAY + NORMAL + 28
    assert said(life)[-1].score > 10


def test_a_single_peak_is_not_a_drip() -> None:
    """However much one day takes, it is only one: this is about many."""
    life = lived(lambda day: 10**8 if day == NORMAL else 400, NORMAL + 20, seed=3, spread=0.1)
    assert all(found.score <= 2.5 + 1e-9 for found in said(life))
    assert len(said(life)) <= 1


def test_a_thief_does_not_become_the_reference() -> None:
    """What exceeds the reference far moves it no more than what exceeds it a little, also while it is learned."""
    calm = lived(lambda _: 400, REFERENCE_DAYS, spread=0.1)
    early = lived(lambda day: 400 if day < REFERENCE_DAYS - 2 else 10**8, REFERENCE_DAYS, spread=0.1)
    assert state(early).reference.mean < state(calm).reference.mean + 0.5
    later = lived(lambda day: 400 if day < NORMAL else 10**8, NORMAL + 1, spread=0.1)
    before = lived(lambda _: 400, NORMAL, spread=0.1)
    assert state(later).reference.mean <= state(before).reference.mean + STEP + 1e-6


def test_what_is_said_of_a_drip() -> None:
    """It is said when a day closes, about the days since it began and the rows of all of them, with what is usual;
    and again only when it has grown."""
    life = lived(lambda day: 100 if day < 20 else 200, 35, spread=0.0)
    first, second, *_ = said(life)
    assert (first.kind, first.channel, first.day) == (SignalKind.CROSSED, "all", START_DAY + 22)
    assert first.first_ms == START_MS + 20 * DAY_MS
    assert first.last_ms == START_MS + 23 * DAY_MS - 1
    assert first.time_ms == START_MS + 23 * DAY_MS + 3_600_000
    assert (first.rows, first.objects) == (600, {"Case": 600})
    assert (first.facts["days"], first.facts["week_rows"], first.facts["day_rows"]) == (3, 1000, 200)
    assert 99 < first.facts["typical_day"] < 103
    assert first.score >= FIRST_SCORE
    [weekly] = first.measures
    assert (weekly.span, weekly.value, weekly.familiarity) == (Span.WEEK, 1000, Familiarity.REGULARLY)
    assert second.score >= first.score + 1
    assert second.rows > first.rows


def test_it_is_over_when_days_are_usual_again() -> None:
    """After enough ordinary days the count is back at nothing, and a new drip begins anew."""
    life = lived(lambda day: 400 if 20 <= day < 26 or day >= 60 else 100, 70, spread=0.0)
    episodes = {found.first_ms for found in said(life)}
    assert episodes == {START_MS + 20 * DAY_MS, START_MS + 60 * DAY_MS}
    begun_anew = next(found for found in said(life) if found.first_ms == START_MS + 60 * DAY_MS)
    assert begun_anew.rows == 400 * round(begun_anew.facts["days"])


def test_a_day_tells_its_week() -> None:
    """From the second week on a day that is over tells the rows of the seven days up to it, and how far the drip is."""
    life = lived(lambda _: 100, 7, spread=0.0)
    assert all(one.span is not Span.WEEK for found in life.said for one in found.measures)
    life.do(7.5, rows=30)
    told = life.close(8.1)
    assert measures(told, "drip")["all", Span.WEEK].value == 630
    life.do(20.5, rows=30)
    told = life.close(21.1)
    assert measures(told, "drip")["all", Span.WEEK].value == 30
    [over] = [found for found in told if found.kind is SignalKind.CLOSED]
    assert "drip" not in over.facts  # the reference is not yet learned
    life.work(20, first=21)
    [over] = [found for found in life.close(41.1) if found.kind is SignalKind.CLOSED]
    assert over.facts["drip"] == state(life).score


def test_days_without_rows_and_the_companys_own_data_do_not_count() -> None:
    """Days on which nothing of anybody's left leave everything as it was."""
    life = lived(lambda _: 100, 20, spread=0.0)
    before = (state(life).reference, state(life).week, state(life).score)
    life.do(20.5, rows=None)
    life.do(21.5, rows=10**6, objects=("User",))
    assert crossed(life.close(23), "drip") == []
    assert (state(life).reference, state(life).week, state(life).score) == before


def test_few_days_are_held() -> None:
    """Whatever days there are events of, a bounded number of them is remembered, and closing forgets the old ones."""
    life = Life(DetectionSettings())
    for day in range(200):
        life.do(day * 37 % 200 + 0.4, rows=5)
        assert len(state(life).days) <= MAX_DAYS
    life.close(400)
    life.do(401.5, rows=5)
    life.close(403)
    assert set(state(life).days) == {START_DAY + 401}
    assert not DETECTOR.shrink(state(life))


def test_the_largest_event_of_the_drip_is_its_evidence() -> None:
    """Of all events since the days ran away from the reference, whichever day they came on."""
    life = Life(DetectionSettings())
    for day in range(NORMAL + 14):
        rows = 400 if day < NORMAL else 1_000 + (500 if day == NORMAL + 2 else 0)
        life.do(day + 0.4, rows=rows)
        life.do(day + 0.5, rows=7)
    life.close(NORMAL + 14.1)
    last = [found for found in said(life) if found.day > START_DAY + NORMAL + 2][-1]
    assert last.evidence is not None
    assert last.evidence.rows == 1_500
    assert last.evidence.time_ms == START_MS + (NORMAL + 2) * DAY_MS + round(0.4 * DAY_MS)
    assert all(found.evidence is not None for found in said(life))


def test_no_event_is_kept_of_who_takes_as_much_as_ever() -> None:
    """Evidence goes when the days are back at the reference."""
    kept = state(lived(lambda _: 400, NORMAL, spread=0.0))
    assert kept.example is None


def test_absurd_rows_do_not_break_the_state() -> None:
    """Whatever a log claims, the state can be written."""
    life = lived(lambda day: 10**18 if day % 2 else 1, NORMAL, spread=0.0)
    assert msgspec.msgpack.encode(state(life))
