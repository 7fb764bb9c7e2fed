from __future__ import annotations

from math import log1p

import pytest

from detector.event import ActorKind, Operation
from detector.identity.baseline import Baseline, bound
from detector.identity.detectors.volume import ALL, INTERNAL, MAX_CHANNELS
from detector.settings import DetectionSettings
from detector.signal import Familiarity, Signal, SignalKind, Span
from detector.units import DAY_MS, HOUR_MS
from tests.detector.identity.life import Life, crossed, grown, measures
from tests.detector.make import START_DAY, START_MS

SETTINGS = DetectionSettings()
DAY_BOUND = bound(Baseline(), Span.DAY, SETTINGS)
HOUR_BOUND = bound(Baseline(), Span.HOUR, SETTINGS)


def by_channel(signals: list[Signal]) -> dict[str, Signal]:
    """What volume says, by channel; at most one signal each."""
    found = {signal.channel: signal for signal in crossed(signals, "volume")}
    assert len(found) == len(crossed(signals, "volume"))
    return found


def spans(signal: Signal) -> dict[Span, int]:
    """A signal's measures: value by span."""
    return {one.span: one.value for one in signal.measures}


def test_an_hour_speaks_when_it_crosses_and_when_it_has_grown() -> None:
    """A signal at the first crossing, then not before the hour has grown by half, with the event as evidence."""
    life = Life(SETTINGS)
    assert life.do(0.5, rows=HOUR_BOUND) == []
    said = by_channel(life.do(0.501, rows=1))
    assert set(said) == {"query", ALL}
    for found in said.values():
        assert found.kind is SignalKind.CROSSED
        assert (found.day, found.rows) == (START_DAY, HOUR_BOUND + 1)
        assert found.time_ms == found.last_ms == START_MS + round(0.501 * DAY_MS)
        assert found.first_ms == START_MS + DAY_MS // 2
        assert spans(found) == {Span.HOUR: HOUR_BOUND + 1}
        assert found.objects == {"Case": HOUR_BOUND + 1}
        assert found.evidence is not None
        assert (found.evidence.event_id, found.evidence.rows, found.evidence.position) == ("e-2", 1, "log:2")
    assert by_channel(life.do(0.502, rows=HOUR_BOUND // 2 - 1)) == {}
    assert set(by_channel(life.do(0.503, rows=2))) == {"query", ALL}


def test_growth_is_said_every_five_minutes_and_of_another_kind_at_once() -> None:
    """After a crossing: all rows of the day so far, however few have been added; before one nothing is said."""
    life = Life(SETTINGS)
    minute = 1 / 1440
    assert life.do(0.5, rows=HOUR_BOUND) == []
    assert by_channel(life.do(0.5 + minute, rows=1))
    assert life.do(0.5 + 5 * minute, rows=1) == []
    [found] = life.do(0.5 + 6 * minute, rows=1)
    assert grown([found], "volume") == [found]
    assert (found.channel, found.rows, found.objects) == (ALL, HOUR_BOUND + 3, {"Case": HOUR_BOUND + 3})
    assert found.measures == []
    assert life.do(0.5 + 7 * minute, rows=1) == []
    [found] = life.do(0.5 + 8 * minute, rows=1, objects=("Contact",))
    assert found.objects == {"Case": HOUR_BOUND + 4, "Contact": 1}
    assert life.do(0.5 + 9 * minute, rows=1, objects=("Contact",)) == []


def test_a_day_speaks_though_none_of_its_hours_does() -> None:
    """Rows that are few in each hour add up to a day, whose signal begins with the day's first event."""
    life = Life(SETTINGS)
    total = 0
    for hour in range(24):
        said = by_channel(life.do(hour / 24, rows=HOUR_BOUND - 10))
        total += HOUR_BOUND - 10
        if said:
            break
    assert DAY_BOUND < total <= DAY_BOUND + HOUR_BOUND
    assert spans(said[ALL]) == {Span.DAY: total}
    assert (said[ALL].first_ms, said[ALL].last_ms) == (START_MS, START_MS + hour * HOUR_MS)


def test_a_closed_day_says_what_it_was() -> None:
    """A day that is over tells, for each channel, its rows and those of its fullest hour, and what was known of the
    identity before it; and it is learned."""
    life = Life(SETTINGS)
    for hour, rows in ((9, 30), (9.5, 5), (11, 20), (15, 10), (20, 10), (21, 10)):
        life.do(hour / 24, rows=rows)
    told = measures(life.close(1.1), "volume")
    assert {key: one.value for key, one in told.items()} == {
        ("query", Span.HOUR): 35, ("query", Span.DAY): 85, (ALL, Span.HOUR): 35, (ALL, Span.DAY): 85,
    }  # fmt: skip
    assert {(one.days, one.familiarity) for one in told.values()} == {(0, Familiarity.COLD)}
    life.do(1.5, rows=10)
    again = measures(life.close(2.1), "volume")
    assert {one.days for one in again.values()} == {1}
    assert again[ALL, Span.DAY].mean == pytest.approx(4.454, abs=1e-3)


def test_how_used_to_an_operation_goes_with_it() -> None:
    """A first export of somebody well known is compared with those who never export."""
    life = Life(SETTINGS)
    life.work(days=10)
    life.do(10.5, rows=5000, operation=Operation.REPORT_EXPORT)
    [found] = [one for one in crossed(life.said, "volume") if one.channel == "report_export"]
    assert {one.familiarity for one in found.measures} == {Familiarity.NEVER}
    told = measures(life.close(11.1), "volume")
    assert told["report_export", Span.DAY].familiarity is Familiarity.NEVER
    assert told[ALL, Span.DAY].familiarity is Familiarity.REGULARLY


def test_the_companys_own_data_count_apart() -> None:
    """Rows of configuration or staff have a channel of their own and are no part of all that left."""
    life = Life(SETTINGS)
    life.do(0.5, rows=100, objects=("User",))
    life.do(0.5, rows=7, objects=("Case",))
    told = measures(life.close(1.1), "volume")
    assert {key: one.value for key, one in told.items() if key[1] is Span.DAY} == {
        ("query" + INTERNAL, Span.DAY): 100, ("query", Span.DAY): 7, (ALL, Span.DAY): 7,
    }  # fmt: skip


def test_the_gravest_kind_decides() -> None:
    """An event that touches several kinds counts as the most sensitive, in whatever place it is named; one that names
    none counts as unclassified."""
    life = Life(SETTINGS)
    life.do(0.5, rows=100, objects=("User", "Case"))
    life.do(0.5, rows=20, objects=("Case", "User"))
    life.do(0.5, rows=3, objects=())
    found = by_channel(life.do(0.5, rows=10_000))[ALL]
    assert found.objects == {"Case": 10_120, "*": 3}


def test_nothing_that_left_is_nothing_new() -> None:
    """Events that say that no rows left make no channel, no measure and no signal."""
    life = Life(SETTINGS)
    life.do(0.5, rows=0)
    assert measures(life.close(1.1), "volume") == {}
    assert life.profile is not None
    assert life.profile.states.volume.channels == {}


def export(life: Life, day: float) -> list[Signal]:
    """A full export of 12,000 rows over four hours; what volume says."""
    return [one for part in range(4) for one in crossed(life.do(day + part / 24, rows=3000), "volume")]


def test_the_usual_is_not_said() -> None:
    """Who has taken 5,000 rows a day for weeks is not above its own bound with 5,400; who takes 100 is."""
    for usual, strange in ((5000, False), (100, True)):
        life = Life(SETTINGS)
        life.work(days=40, rows=usual)
        assert bool(by_channel(life.do(40.5, rows=5400))) == strange


def test_a_weekly_peak_is_expected_after_two_weeks() -> None:
    """A full export every Sunday is said twice, and from the third on it is neither said nor more than expected; on
    another day it still is strange, and so is much more than the peak on a Sunday."""
    life = Life(SETTINGS, actor_kind=ActorKind.INTEGRATION)
    life.work(days=14, rows=1000)
    said = []
    for week in range(2, 8):
        life.work(days=7, first=7 * week, rows=1000)
        said.append(bool(export(life, 7 * week + 6.6)))
        over = measures(life.close(7 * week + 7.1), "volume")[ALL, Span.DAY]
        assert (over.mean > log1p(12_000)) == (week > 3)
    assert said == [True, True, False, False, False, False]
    life.work(days=6, first=56, rows=1000)
    assert export(life, 61.6)
    assert crossed(life.do(62.5, rows=400_000), "volume")


def test_a_weekly_peak_is_expected_after_midnight_too() -> None:
    """Though the day before closes only after the peak's day has begun, the peak is expected."""
    life = Life(SETTINGS)
    life.work(days=14, rows=1000)
    for week in range(2, 6):
        life.work(days=6, first=7 * week, rows=1000)
        life.do(7 * week + 6.01, rows=10)  # before the sixth day closes
        assert bool(export(life, 7 * week + 6.1)) == (week < 4)


def test_a_thief_teaches_a_weekday_little() -> None:
    """A single enormous Monday, or two, do not make ten times as much usual on the third."""
    life = Life(SETTINGS)
    life.work(days=28, rows=100)
    for week in range(4, 7):
        life.work(days=7, first=7 * week, rows=100)
        assert set(spans(by_channel(life.do(7 * week + 6.9, rows=10**7))[ALL])) == {Span.HOUR, Span.DAY}


def test_more_hours_than_are_held_keep_the_fullest() -> None:
    """Of a day only the newest hours are open; the fullest of those before is remembered."""
    life = Life(SETTINGS)
    for hour in range(8):
        life.do(hour / 24 + 0.001, rows=50 if hour == 1 else 5)
    told = measures(life.close(1.1), "volume")
    assert told[ALL, Span.HOUR].value == 50
    assert told[ALL, Span.DAY].value == 85


def test_room_for_channels_is_bounded() -> None:
    """With more kinds of operation than there is room for, the one used on the fewest days goes, and the sum of all
    stays."""
    life = Life(SETTINGS)
    life.work(days=5)
    for operation in Operation:
        life.do(5.5, operation=operation, rows=3)
        life.do(5.5, operation=operation, rows=3, objects=("User",))
    assert life.profile is not None
    channels = life.profile.states.volume.channels
    assert len(channels) <= MAX_CHANNELS
    assert {ALL, "query"} <= set(channels)
    told = measures(life.close(6.1), "volume")
    assert told[ALL, Span.DAY].value == 3 * len(Operation)


def test_levels_stay_where_they_were_when_somebody_takes_everything() -> None:
    """Who takes out a billion rows once has moved the own bound a little, not to a billion."""
    bounds = []
    for theft in (None, 10**9):
        life = Life(SETTINGS)
        life.work(days=30)
        if theft:
            life.do(29.9, rows=theft)
        life.close(31)
        assert life.profile is not None
        bounds.append(life.profile.states.volume.channels[ALL].daily.bound)
    assert bounds[0] <= bounds[1] <= 1.25 * bounds[0]


def test_where_a_log_tells_no_rows_its_bytes_or_its_calls_count() -> None:
    """Kilobytes, rounded up, where it tells bytes; else how often something was read; no rows are claimed."""
    life = Life(SETTINGS)
    said: list[Signal] = []
    for number in range(400):
        at = 0.5 + number / 100_000
        said += life.do(at, rows=None, bytes_out=1500, operation=Operation.FILE_DOWNLOAD)
        said += life.do(at, rows=None, operation=Operation.RECORD_VIEW)
        assert life.do(at, rows=None, operation=Operation.WRITE, bytes_out=10**9) == []
    channels = {signal.channel for signal in crossed(said, "volume")}
    assert channels == {"file_download:kilobytes", "record_view:calls"}
    assert all((signal.rows, signal.objects) == (0, {}) for signal in crossed(said, "volume"))
    [*_, calls] = [signal for signal in crossed(said, "volume") if signal.channel == "record_view:calls"]
    [*_, kilobytes] = [signal for signal in crossed(said, "volume") if signal.channel != "record_view:calls"]
    assert HOUR_BOUND < spans(calls)[Span.HOUR] <= 400
    assert spans(kilobytes)[Span.HOUR] % 2 == 0
