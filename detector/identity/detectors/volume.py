"""Too many rows in an hour or a day: their sum by kind of operation and over all, against the identity's own level.

Per event there is an add and a compare; a level and its bound are touched only when a day is over. A peak that
comes back every week is known: if two of the same weekdays in a row had it, the third is expected to.
"""

from __future__ import annotations

from math import expm1, log1p

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.event import READING
from detector.explanation import Explanation
from detector.identity.baseline import Baseline, bound, familiarity, learn, measure
from detector.identity.detectors.amount import amount_reason
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.objects import add_rows
from detector.identity.observation import ClosedDay, Observation
from detector.message import Message, message
from detector.published import UsualVolume
from detector.settings import DetectionSettings
from detector.signal import GROWN_MS, Measure, Signal, SignalKind, Span, evidence
from detector.units import DAY_MS, HOUR_MS

__all__ = ["ALL", "CALLS", "DETECTOR", "KILOBYTES", "Channel", "Open", "VolumeState"]

NAME = "volume"

ALL = "all"
"""The channel in which all rows of personal data count, whatever the operation."""
INTERNAL = ":internal"
"""Behind an operation: rows of the company's own data, counted apart."""
CALLS, KILOBYTES = ":calls", ":kilobytes"
"""Behind an operation: what is counted where a log does not tell rows."""
MAX_CHANNELS = 14
MAX_HOURS = 3
"""How many hours of a day are open for late events."""
WEEKLY_EXCESS = 2.0
"""What is learned for a weekday lies at most so far above the bound, in logarithms."""
DECI = 10
MONDAY = 4
"""Day 0 was a Thursday."""


class Open(msgspec.Struct, array_like=True, gc=False):
    """One channel's day so far."""

    rows: int = 0
    said: int = 0
    """The rows when a signal was last sent about the day, 0 if none was."""
    peak: int = 0
    """The fullest of the hours that are no longer held."""
    said_hour: int = 0
    first_ms: int = 0
    last_ms: int = 0
    """Its first and last event, since midnight."""
    hours: dict[int, int] = {}
    """Rows by hour of the day."""
    objects: dict[str, int] = {}


class Channel(msgspec.Struct, array_like=True, gc=False):
    """The identity's levels of one channel, and its days that are not over."""

    hour: Baseline = msgspec.field(default_factory=Baseline)
    daily: Baseline = msgspec.field(default_factory=Baseline)
    week: list[int] = []
    """By weekday: ``log1p(rows)`` in tenths of the last such day and of the one before."""
    open: dict[int, Open] = {}

    def usual(self, day: int) -> float:
        """The ``log1p(rows)`` that this weekday has had twice in a row, 0 if it has not."""
        at = 2 * (day % 7)
        return min(self.week[at], self.week[at + 1]) / DECI if self.week else 0.0


class VolumeState(msgspec.Struct, gc=False):
    """An identity's channels."""

    channels: dict[str, Channel] = {}
    said: tuple[int, int] = (0, 0)
    """When all rows were last said, in event time, and of how many kinds of record; profiles are small."""

    def usual(self) -> tuple[UsualVolume, ...]:
        """The levels of each channel and its newest open day, as they are published."""
        return tuple(_usual_volume(name, channel) for name, channel in self.channels.items())

    def weekdays(self) -> tuple[tuple[int | None, int | None], ...]:
        """From Monday: all rows on the last such day and on the one before, ``None`` where there were none."""
        week = self.channels[ALL].week if ALL in self.channels else []
        rows = [round(expm1(level / DECI)) if level else None for level in week or [0] * 14]
        return tuple((rows[2 * (day % 7)], rows[2 * (day % 7) + 1]) for day in range(MONDAY, MONDAY + 7))


def _observe(state: VolumeState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Add the event's rows to the hour and the day that it falls into."""
    rows = access.rows
    if not rows:
        return _without_rows(state, access, settings) if access.event.rows is None else None
    operation = access.event.operation
    if not access.personal:
        return _add(state, operation + INTERNAL, rows, access, settings)
    signals = _add(state, operation, rows, access, settings)
    total = _add(state, ALL, rows, access, settings)
    if not total or not signals:
        return total or signals
    return signals + total


def _close(state: VolumeState, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
    """Learn the day."""
    if state.said[0] // DAY_MS <= day.day:
        state.said = 0, 0
    for name, channel in state.channels.items():
        opened = channel.open.get(day.day)
        if opened is None:
            continue
        familiar = familiarity(channel.daily.days, day.known_days, settings)
        peak = max(opened.peak, *opened.hours.values())
        usual = channel.usual(day.day)
        day.measures.append(measure(NAME, name, Span.HOUR, peak, channel.hour, familiar, usual - 1.0))
        day.measures.append(measure(NAME, name, Span.DAY, opened.rows, channel.daily, familiar, usual))
        _learn(channel, day.day, opened.rows, peak, settings)
    return []


def _drop(state: VolumeState, day: int) -> None:
    """Forget the day."""
    if state.said[0] // DAY_MS == day:
        state.said = 0, 0
    for channel in state.channels.values():
        channel.open.pop(day, None)


def _shrink(state: VolumeState) -> bool:
    """Give up the channel that has been used least."""
    return _forget_channel(state)


def _without_rows(
    state: VolumeState, access: Observation, settings: DetectionSettings
) -> list[Signal] | None:
    """Count what the log does tell of a reading whose rows it does not: its bytes, or that it was made."""
    event = access.event
    if event.operation not in READING:
        return None
    if event.bytes_out:
        kilobytes = -(-event.bytes_out // 1024)
        return _add(state, event.operation + KILOBYTES, kilobytes, access, settings)
    return _add(state, event.operation + CALLS, 1, access, settings)


def _add(
    state: VolumeState, name: str, value: int, access: Observation, settings: DetectionSettings
) -> list[Signal] | None:
    channel = state.channels.get(name)
    if channel is None:
        if len(state.channels) >= MAX_CHANNELS:
            _forget_channel(state)
        channel = state.channels[name] = Channel()
        access.grown += 3
    opened = channel.open.get(access.day)
    time_ms = access.event.time_ms - access.day * DAY_MS
    if opened is None:
        opened = channel.open[access.day] = Open(first_ms=time_ms, last_ms=time_ms)
        access.grown += 2
        _set_bounds(channel, access.day, settings)
    elif time_ms > opened.last_ms:
        opened.last_ms = time_ms
    elif time_ms < opened.first_ms:
        opened.first_ms = time_ms
    rows = value
    opened.rows += rows
    hours = opened.hours
    hour = access.hour % 24
    in_hour = hours.get(hour)
    if in_hour is None:
        in_hour = rows
        hours[hour] = rows
        if len(hours) > MAX_HOURS:
            opened.peak = max(opened.peak, hours.pop(min(hours)))
    else:
        in_hour += rows
        hours[hour] = in_hour
    kind = access.object
    if kind in opened.objects:
        opened.objects[kind] += rows
    else:
        access.grown += add_rows(opened.objects, kind, rows)
    if opened.rows <= channel.daily.bound and in_hour <= channel.hour.bound:
        return None
    return _crossed(state, channel, name, opened, in_hour, access, settings)


def _crossed(
    state: VolumeState,
    channel: Channel,
    name: str,
    opened: Open,
    in_hour: int,
    access: Observation,
    settings: DetectionSettings,
) -> list[Signal] | None:
    """A signal if the day or the hour is over its bound and has grown enough since the last one."""
    growth = settings.growth
    day = opened.rows > channel.daily.bound and opened.rows >= opened.said * growth
    hour = in_hour > channel.hour.bound and in_hour >= opened.said_hour * growth
    if not day and not hour:
        return _grown(state, opened, access) if name == ALL else None
    if name == ALL:
        state.said = access.event.time_ms, len(opened.objects)
    familiar = familiarity(channel.daily.days, access.known_days, settings)
    usual = channel.usual(access.day)
    first_ms = access.day * DAY_MS + opened.first_ms
    measures: list[Measure] = []
    if day:
        opened.said = opened.rows
        measures.append(measure(NAME, name, Span.DAY, opened.rows, channel.daily, familiar, usual))
    if hour:
        opened.said_hour = in_hour
        measures.append(measure(NAME, name, Span.HOUR, in_hour, channel.hour, familiar, usual - 1.0))
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector=NAME,
            time_ms=access.event.time_ms,
            day=access.day,
            first_ms=first_ms if day else max(first_ms, access.hour * HOUR_MS),
            last_ms=access.day * DAY_MS + opened.last_ms,
            channel=name,
            rows=opened.rows if counts_rows(name) else 0,
            objects=dict(opened.objects) if counts_rows(name) else {},
            measures=measures,
            evidence=evidence(access.event, access.rows),
        )
    ]


def _grown(state: VolumeState, opened: Open, access: Observation) -> list[Signal] | None:
    """After a signal: that there are more rows, at once if they are of another kind, or else now and then."""
    time_ms = access.event.time_ms
    said_ms, said_kinds = state.said
    if said_ms // DAY_MS != access.day or (
        time_ms - said_ms < GROWN_MS and len(opened.objects) <= said_kinds
    ):
        return None
    state.said = max(time_ms, said_ms), len(opened.objects)
    return [
        Signal(
            kind=SignalKind.GROWN,
            detector=NAME,
            time_ms=access.event.time_ms,
            day=access.day,
            first_ms=access.day * DAY_MS + opened.first_ms,
            last_ms=access.day * DAY_MS + opened.last_ms,
            channel=ALL,
            rows=opened.rows,
            objects=dict(opened.objects),
            evidence=evidence(access.event, access.rows),
        )
    ]


def counts_rows(channel: str) -> bool:
    """Whether a channel counts rows.

    >>> counts_rows("query"), counts_rows("query:calls")
    (True, False)
    """
    return not channel.endswith((CALLS, KILOBYTES))


def _usual_volume(name: str, channel: Channel) -> UsualVolume:
    operation, _, counted = name.partition(":")
    hour, daily = channel.hour, channel.daily
    newest = max(channel.open, default=None)
    opened = None if newest is None else channel.open[newest]
    return UsualVolume(
        channel=operation,
        counted=counted or "rows",
        days=daily.days,
        usual_hour=round(expm1(hour.mean)) if hour.days else None,
        most_hour=hour.bound or None,
        usual_day=round(expm1(daily.mean)) if daily.days else None,
        most_day=daily.bound or None,
        newest_day=newest,
        newest_amount=None if opened is None else opened.rows,
        newest_objects={} if opened is None else dict(opened.objects),
    )


def _set_bounds(channel: Channel, day: int, settings: DetectionSettings) -> None:
    usual = channel.usual(day)
    channel.hour.bound = bound(channel.hour, Span.HOUR, settings, usual - 1.0)
    channel.daily.bound = bound(channel.daily, Span.DAY, settings, usual)


def _learn(channel: Channel, day: int, rows: int, peak: int, settings: DetectionSettings) -> None:
    del channel.open[day]
    _set_bounds(channel, day, settings)
    if not channel.week:
        channel.week = [0] * 14
    at = 2 * (day % 7)
    most = log1p(channel.daily.bound) + WEEKLY_EXCESS
    channel.week[at + 1] = channel.week[at]
    channel.week[at] = round(min(log1p(rows), most) * DECI)
    learn(channel.hour, peak, Span.HOUR, settings)
    learn(channel.daily, rows, Span.DAY, settings)
    if channel.open:
        _set_bounds(channel, max(channel.open), settings)  # the next weekday has a peak of its own


def _forget_channel(state: VolumeState) -> bool:
    """Make room by giving up the channel that has been used least."""
    channels = state.channels
    least = min(
        (name for name in channels if name != ALL),
        key=lambda name: (channels[name].daily.days, name),
        default=None,
    )
    if least is None:
        return False
    del channels[least]
    return True


def _title(anomaly: Anomaly, who: str) -> Message:
    channel, _, unit = anomaly.channel.partition(":")
    if unit == "calls":
        operations = phrase.operations(channel)
        return message("title.calls", "Unusually many {operations}: {who}", operations=operations, who=who)
    way = phrase.way(channel) or message("way.any", "taken out")
    if unit == "kilobytes":
        return message("title.kilobytes", "Unusually many kilobytes {way}: {who}", way=way, who=who)
    return message("title.rows", "Unusually many rows {way}: {who}", way=way, who=who)


EXPLANATION = Explanation(
    name=NAME, title=_title, reason=amount_reason, kind="amount", silenced_by_expected=True, by_channel=True
)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=VolumeState,
    observe=_observe,
    close=_close,
    drop=_drop,
    shrink=_shrink,
)
