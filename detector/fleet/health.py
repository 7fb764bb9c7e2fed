"""Detects a source's problems: silence, a changed schema, lag, clock errors. A missing hour is not "normal".

A source is a tenant's records of one kind from one adapter. For each closed tick of ten minutes of event time,
including empty ticks, its counts are compared with its own past, then learned:

- **Silence.** For each hour of the week the state holds how often a tick, and how often the entire hour, was silent. A
  silent stretch adds up −log10 of those probabilities, so a source that is always silent at this hour adds nothing,
  and one that never is raises a finding within half an hour. Silences are not independent (a holiday, a broken link),
  so a silence must also exceed the worst earlier one by half.
- **Schema, dead letters, clock.** The share over the last hour against the share over the last week or so: a
  Chernoff bound on the probability that chance caused it, and a minimum difference.
- **Lag.** The logarithm of the records' lag, four deviations above its own mean and twice as long as usual, for half
  an hour.

During a finding the state is not learned (silence) or a tenth as fast (lag); a permanent schema change is found once
and accepted within some weeks. Health only checks whether a source delivers; `detector.fleet.series` checks whether it
delivers *less*. Nothing is known in a source's first week, and a yearly holiday is a silence. A
state is under 2.5 KB, a tick costs about 5 µs.
"""

from __future__ import annotations

from enum import StrEnum
from math import exp, log, log10, sqrt

import msgspec

from detector.anomaly import Anomaly
from detector.explanation import Explanation
from detector.message import Message, Template, message
from detector.units import HOUR_MS, TICK_MS

__all__ = ["Counts", "Health", "Phase", "SourceState", "Trouble", "observe"]

TICKS = HOUR_MS // TICK_MS
HOURS = 24
HOURS_OF_WEEK = 7 * HOURS
MONDAY = 4 * HOURS
"""The epoch began on a Thursday."""

SURPRISE = 4.0
"""−log10 of the probability that makes a finding: one in ten thousand."""
WORST_FACTOR = 1.5
"""A silence must exceed the source's worst earlier one by this factor."""
WORST_FADING = 0.99991
"""Decay of that per tick: half after 53 days."""
POOLED_WEEKS = 4.0
"""How many weeks of an hour of the week its hour of the day is worth."""
MOST_TICKS = 120
"""Beyond this many ticks (20 weeks) of an hour of the week the old ones count half."""

SHORT_RATE = 1 / TICKS
LONG_RATE = 1 / (7 * HOURS * TICKS)
LEAST_JUMP = 0.05
"""A share must exceed the usual one by this much to be a jump, and is back at less than half of it."""
LEAST_RECORDS = 200.0
"""Before a source has this many records, its usual shares are unknown."""

LAG_RATE = 1 / (HOURS * TICKS)
LAG_TICKS = 3
LEAST_LAG_TICKS = 2 * HOURS * TICKS
"""Before this many ticks with records the usual lag is unknown."""
LAG_DEVIATIONS = 4.0
LAG_FACTOR = 2.0
LAG_FLOOR = 0.25
"""Added to the deviation of the logarithm: no source is so regular that a quarter more lag matters."""
LEAST_LAG_MS = 900_000


class Trouble(StrEnum):
    """The kinds of trouble of a source."""

    SILENCE = "silence"
    """No records arrive where they always did."""
    SCHEMA = "schema"
    """More records than usual lack known fields or have unknown ones."""
    DEAD_LETTERS = "dead_letters"
    """More records than usual cannot be read."""
    LAG = "lag"
    """Records arrive later than usual."""
    CLOCK = "clock"
    """More records than usual are ahead of the clock."""


class Phase(StrEnum):
    """Whether trouble starts or is over."""

    BEGAN = "began"
    ENDED = "ended"


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """A source's counts in one tick."""

    records: int = 0
    """All records, readable or not."""
    odd: int = 0
    """Of these: readable, but with unknown or missing fields."""
    dead_letters: int = 0
    """Of these: unreadable."""
    future: int = 0
    """Of these: with a time ahead of the clock."""
    lag_ms: int | None = None
    """The median record's lag behind its event; ``None`` if unknown, as in a replay."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A finding about a source, with the facts for a sentence about it."""

    trouble: Trouble
    phase: Phase
    since_ms: int
    """Start of its first tick."""
    time_ms: int
    """End of the tick in which this became known."""
    observed: float
    """Records for a silence (0, or what ended it), seconds for a lag, else a share of the records."""
    expected: float
    """The usual value: the records expected since, the lag in seconds, or the share."""
    surprise: float
    """−log10 of the probability of chance, by the source's own past; 0 when it is over."""


class RecordShare(msgspec.Struct, array_like=True):
    """The recent and usual share of a source's records of some kind."""

    usual_records: float = 0.0
    usual: float = 0.0
    """Over about a week, as numbers of records."""
    recent_records: float = 0.0
    recent: float = 0.0
    """Over about an hour."""
    rising_ms: int | None = None
    """Start of the first tick with the raised share, while it lasts."""
    found: bool = False


def _zeros() -> list[int]:
    return [0] * HOURS_OF_WEEK


class SourceState(msgspec.Struct, array_like=True):
    """The state of one source; its holder keeps the version. Lists are by hour of the week, UTC."""

    tick_ms: int | None = None
    """Start of the newest tick."""
    ticks: list[int] = msgspec.field(default_factory=_zeros)
    silent_ticks: list[int] = msgspec.field(default_factory=_zeros)
    hours: list[int] = msgspec.field(default_factory=_zeros)
    """How many complete hours were seen, and how many of these were silent."""
    silent_hours: list[int] = msgspec.field(default_factory=_zeros)
    records: list[int] = msgspec.field(default_factory=_zeros)
    hour_ticks: int = 0
    """How many ticks of the present hour were seen, and how many of these were silent."""
    hour_silent: int = 0
    hour_records: int = 0
    hour_weight: float = 0.0
    """The present hour's contribution to a silence so far."""
    weight: float = 0.0
    """The contribution of the silence's earlier hours, as −log10 of a probability."""
    missed: float = 0.0
    """The usual number of records during the silence."""
    silent_since_ms: int | None = None
    silence_found: bool = False
    worst: float = 0.0
    """The weight of the source's worst earlier silence, fading."""
    odd: RecordShare = msgspec.field(default_factory=RecordShare)
    dead_letters: RecordShare = msgspec.field(default_factory=RecordShare)
    future: RecordShare = msgspec.field(default_factory=RecordShare)
    lag_ticks: int = 0
    lag_mean: float = 0.0
    """Mean and variance of ``log`` of the lag in ms."""
    lag_variance: float = 0.0
    late_ticks: int = 0
    late_since_ms: int | None = None
    lag_found: bool = False


def observe(state: SourceState, tick_ms: int, counts: Counts) -> list[Health]:
    """Judge the closed tick that starts at `tick_ms`, then learn it; returns findings that start or end with it.

    Omit ticks in which *we* saw nothing at all (our own outage): they say nothing about the source.

    Raises `ValueError` for a tick that is not after the last one.

    >>> source = SourceState()
    >>> for tick in range(3 * 7 * 144):
    ...     said = observe(source, tick * TICK_MS, Counts(records=50))
    >>> silent = [observe(source, (tick + number) * TICK_MS, Counts()) for number in range(1, 7)]
    >>> [found] = sum(silent, [])
    >>> found.trouble.value, found.phase.value, (found.time_ms - found.since_ms) // 60_000, found.expected
    ('silence', 'began', 40, 200.0)
    """
    if state.tick_ms is not None and tick_ms <= state.tick_ms:
        raise ValueError(f"the tick {tick_ms} after {state.tick_ms}")
    found = _silence(state, tick_ms, counts.records)
    for trouble, share, some in (
        (Trouble.SCHEMA, state.odd, counts.odd),
        (Trouble.DEAD_LETTERS, state.dead_letters, counts.dead_letters),
        (Trouble.CLOCK, state.future, counts.future),
    ):
        found += _share(trouble, share, tick_ms, some, counts.records)
    if counts.lag_ms is not None and counts.records:
        found += _lag(state, tick_ms, counts.lag_ms)
    state.tick_ms = tick_ms
    return found


def _silence(state: SourceState, tick_ms: int, records: int) -> list[Health]:
    hour = (tick_ms // HOUR_MS + MONDAY) % HOURS_OF_WEEK
    if state.tick_ms is not None and tick_ms // HOUR_MS != state.tick_ms // HOUR_MS:
        _close_hour(state, (state.tick_ms // HOUR_MS + MONDAY) % HOURS_OF_WEEK)
    state.worst *= WORST_FADING
    state.hour_ticks += 1
    found = []
    if records:
        if state.silence_found:
            found.append(_of_silence(state, Phase.ENDED, tick_ms, records, 0.0))
        _break_silence(state)
    else:
        if state.silent_since_ms is None:
            state.silent_since_ms = tick_ms
        state.hour_silent += 1
        state.hour_weight += _weight(state.silent_ticks[hour], state.ticks[hour])
        state.missed += state.records[hour] / max(1, state.ticks[hour])
        if state.hour_silent == TICKS:
            state.hour_weight = max(state.hour_weight, _whole_hour(state, hour))
        weight = state.weight + state.hour_weight
        if not state.silence_found and weight >= _enough(state):
            state.silence_found = True
            found.append(_of_silence(state, Phase.BEGAN, tick_ms, 0, weight))
    state.hour_records += records
    return found


def _close_hour(state: SourceState, hour: int) -> None:
    """Close the hour: carry its part of a silence over, and learn it unless the silence is a finding."""
    state.weight += state.hour_weight
    if not state.silence_found:
        state.ticks[hour] += state.hour_ticks
        state.silent_ticks[hour] += state.hour_silent
        state.records[hour] += state.hour_records
        if state.hour_ticks == TICKS:
            state.hours[hour] += 1
            state.silent_hours[hour] += state.hour_silent == TICKS
    if state.ticks[hour] > MOST_TICKS:
        for counted in (state.ticks, state.silent_ticks, state.hours, state.silent_hours, state.records):
            counted[hour] = (counted[hour] + 1) // 2
    state.hour_ticks = state.hour_silent = state.hour_records = 0
    state.hour_weight = 0.0


def _break_silence(state: SourceState) -> None:
    """The source delivers again: remember the silence's weight, as at most what made a finding."""
    weight = min(state.weight + state.hour_weight, _enough(state))
    state.worst = max(state.worst, weight)
    state.weight = state.hour_weight = state.missed = 0.0
    state.silent_since_ms = None
    state.silence_found = False


def _enough(state: SourceState) -> float:
    return max(SURPRISE, WORST_FACTOR * state.worst)


def _weight(silent: int, seen: int) -> float:
    """−log10 of the probability of silence, bounded by `seen`: always silent is no surprise."""
    return log10((seen + 1) / (silent + 1))


def _whole_hour(state: SourceState, hour: int) -> float:
    """The same for the entire hour, for sources that deliver once per hour.

    An hour of the week that was never silent is combined with its hour of the day.
    """
    seen, silent = state.hours[hour], state.silent_hours[hour]
    if silent or not seen:
        return _weight(silent, seen)
    days = range(hour % HOURS, HOURS_OF_WEEK, HOURS)
    pooled = _weight(sum(state.silent_hours[day] for day in days), sum(state.hours[day] for day in days))
    return pooled + log10((seen + POOLED_WEEKS) / POOLED_WEEKS)


def _of_silence(state: SourceState, phase: Phase, tick_ms: int, records: int, surprise: float) -> Health:
    assert state.silent_since_ms is not None
    return Health(
        trouble=Trouble.SILENCE,
        phase=phase,
        since_ms=state.silent_since_ms,
        time_ms=tick_ms + TICK_MS,
        observed=float(records),
        expected=state.missed,
        surprise=surprise,
    )


def _share(trouble: Trouble, share: RecordShare, tick_ms: int, some: int, records: int) -> list[Health]:
    """Compare the share of a kind over the last hour with the usual one; a tick without records is ignored."""
    if not records:
        return []
    share.recent += SHORT_RATE * (some - share.recent)
    share.recent_records += SHORT_RATE * (records - share.recent_records)
    recent = share.recent / share.recent_records
    usual = (share.usual + 1) / (share.usual_records + 1) if share.usual_records else 1.0
    known = share.usual_records >= LEAST_RECORDS
    found = []
    if known and recent >= usual + (LEAST_JUMP / 2 if share.found else LEAST_JUMP):
        if share.rising_ms is None:
            share.rising_ms = tick_ms
        surprise = share.recent_records / SHORT_RATE * _divergence(recent, usual) / log(10)
        if not share.found and surprise >= SURPRISE:
            share.found = True
            found.append(_of_share(trouble, Phase.BEGAN, share, tick_ms, recent, usual, surprise))
    else:
        if share.found:
            found.append(_of_share(trouble, Phase.ENDED, share, tick_ms, recent, usual, 0.0))
        share.found, share.rising_ms = False, None
    _learn_share(share, some, records)
    return found


def _learn_share(share: RecordShare, some: int, records: int) -> None:
    """Update the usual share: all records count until there are enough for a week's memory."""
    share.usual = share.usual * (1 - LONG_RATE) + some
    share.usual_records = share.usual_records * (1 - LONG_RATE) + records


def _divergence(observed: float, usual: float) -> float:
    """Kullback-Leibler divergence of two shares; times the number it bounds −ln of the probability (Chernoff, 1952)."""
    divergence = observed * log(observed / usual)
    return divergence if observed >= 1 else divergence + (1 - observed) * log((1 - observed) / (1 - usual))


def _of_share(
    trouble: Trouble,
    phase: Phase,
    share: RecordShare,
    tick_ms: int,
    recent: float,
    usual: float,
    surprise: float,
) -> Health:
    assert share.rising_ms is not None
    return Health(
        trouble=trouble,
        phase=phase,
        since_ms=share.rising_ms,
        time_ms=tick_ms + TICK_MS,
        observed=recent,
        expected=usual,
        surprise=surprise,
    )


def _lag(state: SourceState, tick_ms: int, lag_ms: int) -> list[Health]:
    value = log(max(1, lag_ms))
    deviation = sqrt(state.lag_variance) + LAG_FLOOR
    usual_ms = exp(state.lag_mean)
    away = (value - state.lag_mean) / deviation
    bar = LAG_DEVIATIONS / 2 if state.lag_found else LAG_DEVIATIONS
    least_ms = max(LEAST_LAG_MS, LAG_FACTOR * usual_ms)
    late = state.lag_ticks >= LEAST_LAG_TICKS and away >= bar and lag_ms >= least_ms
    found = []
    phase = None
    if late:
        state.late_ticks += 1
        if state.late_since_ms is None:
            state.late_since_ms = tick_ms
        if state.late_ticks >= LAG_TICKS and not state.lag_found:
            phase, state.lag_found = Phase.BEGAN, True
    elif state.lag_found:
        phase, state.lag_found = Phase.ENDED, False
    if phase is not None:
        assert state.late_since_ms is not None
        found.append(
            Health(
                trouble=Trouble.LAG,
                phase=phase,
                since_ms=state.late_since_ms,
                time_ms=tick_ms + TICK_MS,
                observed=lag_ms / 1000,
                expected=usual_ms / 1000,
                surprise=away * away / 2 / log(10) if phase is Phase.BEGAN else 0.0,
            )
        )
    if not late:
        state.late_ticks, state.late_since_ms = 0, None
    _learn_lag(state, value, late)
    return found


def _learn_lag(state: SourceState, value: float, late: bool) -> None:
    away = value - state.lag_mean
    if late:  # the mean follows slowly, the variance not at all: it would soon excuse everything
        state.lag_mean += LAG_RATE / 10 * away
        return
    rate = max(LAG_RATE, 1 / (state.lag_ticks + 1))
    state.lag_mean += rate * away
    state.lag_variance = (1 - rate) * (state.lag_variance + rate * away * away)
    state.lag_ticks += 1


TEMPLATES: dict[str, Template] = {
    "trouble.silence": "A source has gone silent",
    "trouble.schema": "A source's records have changed",
    "trouble.dead_letters": "A source's records cannot be read",
    "trouble.lag": "A source is late",
    "trouble.clock": "A source's clock is wrong",
    "trouble.other": "A source is in trouble",
}
"""What can be wrong with a source as messages, by code."""


def _title(anomaly: Anomaly, who: str) -> Message:
    code = f"trouble.{anomaly.channel}" if f"trouble.{anomaly.channel}" in TEMPLATES else "trouble.other"
    return message(code, TEMPLATES[code])


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    return _title(anomaly, "")


DETECTOR = Explanation(name="health", title=_title, reason=_reason)
