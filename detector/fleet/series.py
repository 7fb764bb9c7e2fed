"""Compares one regular series of counts (a tenant's rows every ten minutes, a source's records) with its own past.

A slow level and the usual value by hour of the day and of the week give a *residual*. It yields four signals: the
residual itself, its means over a short and a long time, and the restlessness of the values. Each is compared with
its own past peaks, because real counts have tails that no deviation describes; a soft maximum combines the four, and
an event raises one alarm, until it gets worse or is over.

**Resistance to attacks.** Once warm, the series learns a peak as at most the value that raises an alarm; level and
profile learn from a residual capped in the same way, with a tenth of its weight. So a burst of any size moves the
threshold by a step that does not depend on its size: four bursts do not hide the fifth. Many bursts raise it, by e^½
for about every four, each of which has raised its own alarm. During the warm-up everything is learned unchanged.

Measured on the Numenta Anomaly Benchmark (58 series, 116 windows; Lavin and Ahmad, *Evaluating real-time anomaly
detection algorithms*, 2015), causal, two-sided, one configuration for all: 71.5 / 59.4 / 77.9 (standard / low FP /
low FN); without the caps 72.4 / 66.4 / 77.2; Numenta's HTM has 70.1 / 63.1 / 74.3. The constants were found on
that corpus; `docs/benchmarks.md` says what that is worth. Limits: it needs 600 values to be warm, treats holidays as
quiet days, and its floor, made for that corpus, lets one steady tenant raise two or three false
alarms a month. A state is at most 2.3 KB; a value costs about 9 µs.
"""

from __future__ import annotations

from enum import StrEnum
from math import exp, inf, log, sqrt

import msgspec

from detector.anomaly import Anomaly
from detector.explanation import Explanation
from detector.message import Message, message
from detector.units import HOUR_MS

__all__ = ["Residual", "Series", "SeriesScore", "SeriesSettings", "observe"]

HOURS = 24
HOURS_OF_WEEK = 7 * HOURS
MONDAY = 4 * HOURS
"""The epoch began on a Thursday."""
PEAKS = 4
"""How many peaks are kept per signal; the two smallest are the reference."""
LEAST_QUOTIENT, MOST_QUOTIENT = -3.0, 8.0
"""Limits of a signal's logarithm over its reference; without a peak for comparison it is the upper limit."""
FIRST_SCORED = 20
"""Before this many values nothing is scored."""
FIRST_DEVIATION = 10
"""Before this many values a deviation is meaningless."""
MOST_DEVIATIONS = 5.0
MOST_COUNTED = 100
"""By then a profile's rate has long settled."""
LONGEST_MEMORY = 4_000
"""Number of values for the ordinary mean and deviation."""


class Residual(StrEnum):
    """The strongest of the four signals."""

    POINT = "point"
    """This one value."""
    SHORT = "short"
    """The mean over some values."""
    LONG = "long"
    """The mean over many values: a shift too small to see in one value."""
    RESTLESS = "restless"
    """How far the values have lately been from their ordinary mean, above or below."""


class SeriesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a series. Lengths are in steps; the benchmark figures use the defaults."""

    step_ms: int
    """The time from one value to the next."""
    one_sided: bool = True
    """Whether only more than expected is unusual: taking unusually little is not a theft."""
    floor: float = 0.2
    """The surprise that raises an alarm. An alert budget may increase it."""
    offset: float = 0.3
    """How far a signal may exceed its reference, as a logarithm, at a surprise of 0."""
    sharpness: float = 6.0
    """Sharpness of the soft maximum over the signals."""
    warm_up: int = 600
    """Before this many values no alarm is raised, and peaks are learned unchanged."""
    level_rate: float = 0.01
    profile_rate: float = 0.1
    short: float = 5.0
    long: float = 20.0
    restless: float = 60.0
    """Steps of the signals' means."""
    event_steps: float = 25.0
    """A peak is over when nothing has exceeded it for this long."""
    peak_fading: float = 7.5e-5
    """Loss of a peak's logarithm per step: a half-life of 9,200 steps."""
    doubt: float = 0.1
    """The weight with which profile and level learn a value that alone would raise an alarm."""
    quiet_steps: float = 80.0
    """After an alarm, a similar one is raised only after this long, or if it is worse by `worse`."""
    worse: float = 0.7


class Series(msgspec.Struct, array_like=True):
    """The state of one series: plain numbers, under 700 bytes encoded; its holder keeps the version."""

    values: int = 0
    """The number of values seen."""
    last_ms: int = 0
    """The newest value's time, which reveals missing intervals."""
    step: int = 0
    """The newest value's position on the series' own clock, in steps since the first one."""
    level: float = 0.0
    profile: list[float] = msgspec.field(default_factory=lambda: [0.0] * (HOURS + HOURS_OF_WEEK))
    """The usual difference from the level: by hour of the day (UTC), then by hour of the week."""
    profile_values: list[int] = msgspec.field(default_factory=lambda: [0] * (HOURS + HOURS_OF_WEEK))
    """How many values each hour has learned from, up to a limit; an hour without any is ignored."""
    short_mean: float = 0.0
    long_mean: float = 0.0
    restlessness: float = 0.0
    mean: float = 0.0
    variance: float = 0.0
    peaks: list[list[float]] = msgspec.field(default_factory=lambda: [[] for _ in Residual])
    """For each signal the logarithms of its largest peaks, largest first, normalised to step 0:
    the decay so far is the same for all."""
    open_peak: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(Residual))
    open_step: list[int] = msgspec.field(default_factory=lambda: [0] * len(Residual))
    """For each signal the ongoing event: its largest value so far, and its time."""
    alarm: float | None = None
    """The surprise of the last alarm, until it is forgotten."""
    alarm_step: int = 0


class SeriesScore(msgspec.Struct, frozen=True):
    """The score of one value, judged before it was learned."""

    score: float
    """0 to 1; 0 also during an event that has raised an alarm, so a threshold on it finds every event once."""
    alarm: bool
    warm: bool
    """Whether `warm_up` values were known before: otherwise there is no alarm, whatever the score."""
    surprise: float
    """The soft maximum over the signals, as a logarithm; `floor` raises an alarm."""
    observed: float
    expected: float
    """The usual value at this hour, give or take an hour, at the present level."""
    residual: Residual
    """The strongest signal."""
    times_peak: float
    """That signal as a multiple of its own usual peak."""


def observe(state: Series, time_ms: int, value: float, settings: SeriesSettings) -> SeriesScore:
    """Score the value of the interval that starts at `time_ms`, then learn it.

    A missing interval is not observed: clocks advance, and nothing is learned, least of all a 0.
    `detector.fleet.health` detects silent sources. A count of 0 is a value.

    Raises `ValueError` for a time that is not after the last one.

    >>> state, settings = Series(), SeriesSettings(step_ms=600_000)
    >>> for number in range(1000):
    ...     score = observe(state, number * 600_000, 100 + number % 7, settings)
    >>> score.warm, score.alarm, round(score.expected)
    (True, False, 103)
    >>> burst = observe(state, 1000 * 600_000, 900, settings)
    >>> burst.alarm, burst.observed, round(burst.expected), burst.residual.value
    (True, 900, 104, 'point')
    """
    missing = _advance(state, time_ms, value, settings)
    hours = _hours(time_ms)
    above_level = value - state.level
    residual = _residual(state, hours, above_level)
    deviation = _deviation(state, value)
    signals = _signals(state, residual, deviation, missing, settings)
    quotients = [
        _quotient(signal, peaks, settings.peak_fading * state.step)
        for signal, peaks in zip(signals, state.peaks, strict=True)
    ]
    sharpness = settings.sharpness
    surprise = log(sum([exp(sharpness * (quotient - settings.offset)) for quotient in quotients])) / sharpness
    _learn_ordinary(state, value)
    _learn_expected(state, hours, above_level, residual, settings)
    for index, signal in enumerate(signals):
        _learn_peak(state, index, signal, settings)
    warm = state.values >= settings.warm_up
    score = _told(state, surprise, settings) if state.values >= FIRST_SCORED else 0.0
    state.values += 1
    most = max(range(len(quotients)), key=quotients.__getitem__)
    return SeriesScore(
        score=score,
        alarm=warm and score > 0.0 and surprise >= settings.floor,
        warm=warm,
        surprise=surprise,
        observed=value,
        expected=value - residual,
        residual=_RESIDUALS[most],
        times_peak=exp(quotients[most]),
    )


_RESIDUALS = tuple(Residual)


def _advance(state: Series, time_ms: int, value: float, settings: SeriesSettings) -> int:
    """Move the series' clock to a time; returns the number of missing intervals before it."""
    if not state.values:
        state.level = value
        state.last_ms = time_ms
        return 0
    if time_ms <= state.last_ms:
        raise ValueError(f"a value of {time_ms} after one of {state.last_ms}")
    steps = max(1, (time_ms - state.last_ms) // settings.step_ms)
    state.step += steps
    state.last_ms = time_ms
    return steps - 1


def _hours(time_ms: int) -> tuple[int, int]:
    """The positions of an hour of the day and of the week in the profile."""
    hour = time_ms // HOUR_MS
    return hour % HOURS, HOURS + (hour + MONDAY) % HOURS_OF_WEEK


def _residual(state: Series, hours: tuple[int, int], above_level: float) -> float:
    """The smallest difference from the usual value at this hour of the day, an hour earlier or later (habits are not
    punctual), or at this hour of the week (a Monday is not a Sunday)."""
    day, week = hours
    residual = above_level - state.profile[day]
    for hour in ((day - 1) % HOURS, (day + 1) % HOURS, week):
        if state.profile_values[hour]:
            difference = above_level - state.profile[hour]
            if abs(difference) < abs(residual):
                residual = difference
    return residual


def _deviation(state: Series, value: float) -> float:
    if state.values < FIRST_DEVIATION or state.variance <= 0.0:
        return 0.0
    return (value - state.mean) / sqrt(state.variance)


def _signals(
    state: Series, residual: float, deviation: float, missing: int, settings: SeriesSettings
) -> tuple[float, float, float, float]:
    """The four signals, none negative; missing intervals count as expected ones."""
    if missing:
        state.short_mean *= (1.0 - 1.0 / settings.short) ** missing
        state.long_mean *= (1.0 - 1.0 / settings.long) ** missing
        state.restlessness *= (1.0 - 1.0 / settings.restless) ** missing
    state.short_mean += (residual - state.short_mean) / settings.short
    state.long_mean += (residual - state.long_mean) / settings.long
    far = max(deviation, 0.0) if settings.one_sided else abs(deviation)
    state.restlessness += (min(far, MOST_DEVIATIONS) - state.restlessness) / settings.restless
    if settings.one_sided:
        return max(residual, 0.0), max(state.short_mean, 0.0), max(state.long_mean, 0.0), state.restlessness
    return abs(residual), abs(state.short_mean), abs(state.long_mean), state.restlessness


def _quotient(signal: float, peaks: list[float], lost: float) -> float:
    """The logarithm of a signal over its reference, within limits."""
    if signal <= 0.0:
        return LEAST_QUOTIENT
    if not peaks:
        return MOST_QUOTIENT
    now = log(signal) + lost
    quotient = now - _reference(peaks) if len(peaks) == PEAKS else now - peaks[0] + 1.0
    return max(LEAST_QUOTIENT, min(MOST_QUOTIENT, quotient))


def _reference(peaks: list[float]) -> float:
    return (peaks[-2] + peaks[-1]) / 2


def _learn_ordinary(state: Series, value: float) -> None:
    """The mean and variance of all values, exponentially weighted once there are many (Finch, 2009)."""
    rate = max(1 / LONGEST_MEMORY, 1 / (state.values + 1))
    away = value - state.mean
    state.mean += rate * away
    state.variance = (1 - rate) * (state.variance + rate * away * away)


def _learn_expected(
    state: Series, hours: tuple[int, int], above_level: float, residual: float, settings: SeriesSettings
) -> None:
    """Update level and profile by the residual, with little weight if it would raise an alarm."""
    most, weight = _believable(state, residual, settings)
    for hour in hours:
        away = max(-most, min(most, above_level - state.profile[hour])) * weight
        if hour < HOURS:
            state.level += settings.level_rate * away
        count = min(state.profile_values[hour] + 1, MOST_COUNTED)
        state.profile[hour] += max(settings.profile_rate, 1 / count) * away
        state.profile_values[hour] = count


def _believable(state: Series, residual: float, settings: SeriesSettings) -> tuple[float, float]:
    """The learned part of a residual, and its weight."""
    peaks = state.peaks[0]
    if state.values < settings.warm_up or len(peaks) < PEAKS:
        return inf, 1.0
    lost = settings.peak_fading * state.step
    most = exp(_reference(peaks) - lost + settings.offset + settings.floor)
    return most, settings.doubt if abs(residual) > most else 1.0


def _learn_peak(state: Series, index: int, signal: float, settings: SeriesSettings) -> None:
    """Follow the ongoing event; when it is over, keep its peak, capped at the value that raises an alarm."""
    if signal > state.open_peak[index]:
        state.open_peak[index], state.open_step[index] = signal, state.step
        return
    if state.open_peak[index] <= 0.0 or state.step - state.open_step[index] < settings.event_steps:
        return
    peaks = state.peaks[index]
    peak = log(state.open_peak[index]) + settings.peak_fading * state.step
    if len(peaks) == PEAKS:
        if state.values >= settings.warm_up:
            peak = min(peak, _reference(peaks) + settings.offset + settings.floor)
        peaks[-1] = max(peaks[-1], peak)
    else:
        peaks.append(peak)
    peaks.sort(reverse=True)
    state.open_peak[index], state.open_step[index] = signal, state.step


def _told(state: Series, surprise: float, settings: SeriesSettings) -> float:
    """The score: 0 right after an alarm of this size."""
    if state.alarm is not None and state.step - state.alarm_step > settings.quiet_steps:
        state.alarm = None
    if surprise < settings.floor:
        return _logistic(surprise) if state.alarm is None and surprise > -1.5 else 0.0
    if state.alarm is not None and surprise <= state.alarm + settings.worse:
        return 0.0
    state.alarm, state.alarm_step = surprise, state.step
    return _logistic(surprise)


def _logistic(surprise: float) -> float:
    return 1.0 / (1.0 + exp(-surprise))


def _title(anomaly: Anomaly, who: str) -> Message:
    return message("series.title", "Unusually many rows from all identities together")


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    return _title(anomaly, "")


DETECTOR = Explanation(name="series", title=_title, reason=_reason)
