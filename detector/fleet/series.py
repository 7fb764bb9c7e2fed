"""One regular series of counts (a tenant's rows every ten minutes, a source's records) held against its own past.

A slow level and what is usual by hour of the day and of the week give a *residual*; four signals are made of it:
the residual itself, its mean over a short and over a long while, and how restless the values are. Each is compared
with its own past peaks, because real counts have tails that no deviation describes; the four are combined by a
soft maximum, and a story is told once, until it gets worse or is over.

**What an attack cannot do.** Once warm, a peak is learned as at most what raises an alarm, and so is the residual
that level and profile learn from, then with a tenth of its weight. So a burst of any size moves the bar by a step
that does not depend on its size: four bursts do not hide the fifth. Many walk it up, by e^½ for about every four
bursts, each of which has raised an alarm of its own. During the warm-up everything is learned as it is.

Measured on the Numenta Anomaly Benchmark (58 series, 116 windows; Lavin and Ahmad, *Evaluating real-time anomaly
detection algorithms*, 2015), causal, two-sided, one configuration for all: 71.5 / 59.4 / 77.9 (standard / low FP /
low FN); without the caps 72.4 / 66.4 / 77.2; Numenta's HTM has 70.1 / 63.1 / 74.3. The constants were found on
that corpus, and what that is worth is in `docs/benchmarks.md`. Limits: it needs 600 values to be warm, takes
holidays for quiet days, and its floor, made for that corpus, lets one steady tenant raise two or three false
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
"""How many peaks are kept of each signal; the two smallest of them are the reference."""
LEAST_QUOTIENT, MOST_QUOTIENT = -3.0, 8.0
"""The limits of a signal's logarithm over its reference; without any peak to compare with it is the upper one."""
FIRST_SCORED = 20
"""Before so many values nothing is scored at all."""
FIRST_DEVIATION = 10
"""Before so many values a deviation means nothing."""
MOST_DEVIATIONS = 5.0
MOST_COUNTED = 100
"""By then a profile's rate is long its own."""
LONGEST_MEMORY = 4_000
"""Values over which the ordinary mean and deviation are taken."""


class Residual(StrEnum):
    """Which of the four signals says most."""

    POINT = "point"
    """This one value."""
    SHORT = "short"
    """The mean over some values."""
    LONG = "long"
    """The mean over many values: a shift too small to be seen in one."""
    RESTLESS = "restless"
    """How far the values have lately been from their ordinary mean, above or below."""


class SeriesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a series is and when it is unusual. Lengths are in steps; the defaults are those that were measured."""

    step_ms: int
    """The time from one value to the next."""
    one_sided: bool = True
    """Whether only more than expected is unusual: to take out unusually little is no theft."""
    floor: float = 0.2
    """The surprise from which an alarm is raised. A budget of alerts may raise it."""
    offset: float = 0.3
    """What a signal may exceed its reference by, as a logarithm, for a surprise of 0."""
    sharpness: float = 6.0
    """Of the soft maximum over the signals."""
    warm_up: int = 600
    """Values before which no alarm is raised and peaks are learned as they are."""
    level_rate: float = 0.01
    profile_rate: float = 0.1
    short: float = 5.0
    long: float = 20.0
    restless: float = 60.0
    """Steps over which the signals' means are taken."""
    event_steps: float = 25.0
    """A peak is over when nothing has exceeded it for so long."""
    peak_fading: float = 7.5e-5
    """What a peak's logarithm loses with each step: a half-life of 9,200 steps."""
    doubt: float = 0.1
    """The share of its usual weight with which profile and level learn what alone would raise an alarm."""
    quiet_steps: float = 80.0
    """After an alarm a similar one is raised only when so long has passed, or when it is worse by `worse`."""
    worse: float = 0.7


class Series(msgspec.Struct, array_like=True):
    """What is known of one series: plain numbers, under 700 bytes encoded; its holder says the version."""

    values: int = 0
    """How many values have been seen."""
    last_ms: int = 0
    """The newest value's time; missing intervals are told from it."""
    step: int = 0
    """The newest value's place on the series' own clock, in steps since the first one."""
    level: float = 0.0
    profile: list[float] = msgspec.field(default_factory=lambda: [0.0] * (HOURS + HOURS_OF_WEEK))
    """What is usual above or below the level: by hour of the day (UTC), then by hour of the week."""
    profile_values: list[int] = msgspec.field(default_factory=lambda: [0] * (HOURS + HOURS_OF_WEEK))
    """How many values each hour has learned from, as far as it matters; one without any says nothing."""
    short_mean: float = 0.0
    long_mean: float = 0.0
    restlessness: float = 0.0
    mean: float = 0.0
    variance: float = 0.0
    peaks: list[list[float]] = msgspec.field(default_factory=lambda: [[] for _ in Residual])
    """For each signal the logarithms of its largest peaks, largest first, each as if it had happened at step 0:
    what a peak has lost by now is the same for all."""
    open_peak: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(Residual))
    open_step: list[int] = msgspec.field(default_factory=lambda: [0] * len(Residual))
    """For each signal the event that is still going on: its largest value so far, and when that was."""
    alarm: float | None = None
    """The surprise of the last alarm, until it is forgotten."""
    alarm_step: int = 0


class SeriesScore(msgspec.Struct, frozen=True):
    """What is said of one value, as it was judged before it was learned."""

    score: float
    """0 to 1; 0 also for what an alarm has already told, so a threshold on it finds every story once."""
    alarm: bool
    warm: bool
    """Whether `warm_up` values were known before: without them there is no alarm, whatever the score."""
    surprise: float
    """The soft maximum over the signals, as a logarithm; `floor` is what alarms."""
    observed: float
    expected: float
    """What was usual at this hour, give or take an hour, at the present level."""
    residual: Residual
    """The signal that says most."""
    times_peak: float
    """How many times its own usual peak that signal is."""


def observe(state: Series, time_ms: int, value: float, settings: SeriesSettings) -> SeriesScore:
    """Score the value of the interval that begins at `time_ms`, then learn it.

    A missing interval is simply not observed: clocks go on, and nothing is learned, least of all a 0. That a
    source has gone silent is for its health to say (`detector.fleet.health`). A count of 0 is a value.

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
    """Move the series' clock to a time; how many intervals are missing before it."""
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
    """Where in the profile an hour of the day and that hour of the week lie."""
    hour = time_ms // HOUR_MS
    return hour % HOURS, HOURS + (hour + MONDAY) % HOURS_OF_WEEK


def _residual(state: Series, hours: tuple[int, int], above_level: float) -> float:
    """The smallest difference to what is usual at this hour of the day or an hour earlier or later, for habits are
    not punctual, or at this hour of the week, for a Monday is no Sunday."""
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
    """The four signals, of which none is negative; missing intervals count as expected ones."""
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
    """Level and profile take their share of how far the hours were away; little of what would raise an alarm."""
    most, weight = _believable(state, residual, settings)
    for hour in hours:
        away = max(-most, min(most, above_level - state.profile[hour])) * weight
        if hour < HOURS:
            state.level += settings.level_rate * away
        count = min(state.profile_values[hour] + 1, MOST_COUNTED)
        state.profile[hour] += max(settings.profile_rate, 1 / count) * away
        state.profile_values[hour] = count


def _believable(state: Series, residual: float, settings: SeriesSettings) -> tuple[float, float]:
    """The most of a residual that is learned, and with which weight."""
    peaks = state.peaks[0]
    if state.values < settings.warm_up or len(peaks) < PEAKS:
        return inf, 1.0
    lost = settings.peak_fading * state.step
    most = exp(_reference(peaks) - lost + settings.offset + settings.floor)
    return most, settings.doubt if abs(residual) > most else 1.0


def _learn_peak(state: Series, index: int, signal: float, settings: SeriesSettings) -> None:
    """Follow the event that is going on; when it is over, keep its peak, capped at what raises an alarm."""
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
    """The score: nothing while an alarm of this size has just been raised."""
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
