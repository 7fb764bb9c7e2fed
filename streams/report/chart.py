"""The geometry of an incident's charts, in percent of the plot from its top left.

A page draws them as SVG as wide as there is room; text keeps its size. The page formats numbers, in its language.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from detector.alert.finding import Finding
from detector.units import DAY_MS, MINUTE_MS
from streams.locale.times import clock, day
from streams.report.timeline import DayRows, Mark, Timeline, TimelineStage

__all__ = ["Bar", "Bars", "Curve", "Flag", "RowTick", "TimeTick", "bars", "bars_top", "curve", "shown_marks"]

LEAST_SPAN_MS = 10 * MINUTE_MS
BEFORE, AFTER = 0.08, 0.05
"""How much of the span there is before the first mark and after the end."""
UNSEEN_SHARE = 0.25
"""If no more than this share of the rows was taken before the first stage, the curve begins shortly before it."""
FLAG_WIDTH = 6.5
"""Flags nearer to one another than this are put above one another."""
ALL_BUT = 0.98
"""If the bound's own rows are this share of all, they need no line of their own."""
FARTHEST = 2.5
"""A bound further above the rows than this factor is left outside, or they could not be seen."""
LEAST_HEIGHT = 0.8
"""How high the bar of a day with any rows is at least."""
MOST_STEPS = 1_000
"""How many steps a line has at most: more could not be seen."""
SHOWN_UPDATES = 3
LATE = 0.3
"""An alert is on the curve if it came within this share of the span after its end."""
_ALERTS = (TimelineStage.ALERT, TimelineStage.UPDATE)
_TIME_STEPS_MS = tuple(
    1000 * seconds
    for seconds in (
        10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800,
        432000, 604800, 1209600, 2592000, 7776000,
    )
)  # fmt: skip


class RowTick(msgspec.Struct, frozen=True):
    """A mark on the axis of rows."""

    at: float
    rows: int


class TimeTick(msgspec.Struct, frozen=True):
    """A mark on the axis of time."""

    at: float
    text: str
    below: str = ""
    """A second line."""


class Flag(msgspec.Struct, frozen=True):
    """A mark on the curve, by its number in the list of marks."""

    number: int
    x: float
    level: int
    """How many flags' heights above the plot, from 0."""
    alert: bool
    later: bool
    """Whether it is of a time after the end of the plot."""


class Curve(msgspec.Struct, frozen=True):
    """Cumulative rows over time against the bound, with flags."""

    line: Markup
    """An SVG path in a square of 1,000; so are the others. Markup, as pages cut long text."""
    area: Markup
    bound_line: Markup
    """The rows of the bound's own operation, where they differ from all rows."""
    bound: Markup
    """How far rows could have risen in each window and stayed within the bound."""
    x_ticks: tuple[TimeTick, ...]
    y_ticks: tuple[RowTick, ...]
    flags: tuple[Flag, ...]
    levels: int
    start_ms: int
    end_ms: int
    bound_end: float | None
    """How far from the top the bound ends on the right; ``None`` if it lies above the plot."""


class Bar(msgspec.Struct, frozen=True):
    """A day's rows."""

    x: float
    width: float
    height: float
    inside: bool
    """Whether the day belongs to the incident."""
    start_ms: int
    rows: int


class Bars(msgspec.Struct, frozen=True):
    """Rows by day, the days before an incident included."""

    bars: tuple[Bar, ...]
    bound: float | None
    """How far from the top the bound on a day lies."""
    y_ticks: tuple[RowTick, ...]
    x_ticks: tuple[TimeTick, ...]


def shown_marks(account: Timeline) -> list[Mark]:
    """The marks in order; of many updates the first ones and the last."""
    updates = [index for index, mark in enumerate(account.marks) if mark.stage is TimelineStage.UPDATE]
    hidden = set(updates[SHOWN_UPDATES - 1 : -1])
    return [mark for index, mark in enumerate(account.marks) if index not in hidden]


def curve(incident: Finding, account: Timeline) -> Curve | None:
    """The curve of an incident; ``None`` if no rows are known to have been taken."""
    if not account.points:
        return None
    marks = shown_marks(account)
    start, end = _span(account, marks)
    differs = account.bound_rows < ALL_BUT * account.rows
    steps: list[tuple[int, float]] = []
    if incident.bound is not None:  # each window's bound stands on the rows taken before it
        rows = incident.bound.rows
        steps = [(at, (own if differs else every) + rows) for at, every, own in account.windows]
    top = 1.06 * max(account.rows, min(steps[-1][1], FARTHEST * account.rows) if steps else 0)
    flags = tuple(_flags(marks, start, end))
    line = _stairs(account.points, start, end, top)
    return Curve(
        line=line,
        area=line + "V1000H0Z",
        bound_line=_stairs(account.bound_points, start, end, top) if differs and steps else Markup(),
        bound=_stairs(steps, start, end, top, steps[0][1]) if steps else Markup(),
        bound_end=_height(steps[-1][1], top) if steps and steps[-1][1] <= top else None,
        x_ticks=tuple(_time_ticks(start, end)),
        y_ticks=_row_ticks(top),
        flags=flags,
        levels=1 + max((flag.level for flag in flags), default=-1),
        start_ms=start,
        end_ms=end,
    )


def bars_top(incident: Finding, days: tuple[DayRows, ...]) -> float:
    """As many rows as bars by day are high; 0 if there are none to draw."""
    if all(one.inside for one in days):
        return 0
    line = _day_bound(incident)
    most = max(one.rows for one in days)
    return 1.06 * max(most, min(line, FARTHEST * most) if line is not None else 0, 1)


def _day_bound(incident: Finding) -> float | None:
    bound = incident.bound
    return bound.rows if bound is not None and bound.horizon_ms == DAY_MS else None


def bars(incident: Finding, days: tuple[DayRows, ...], top: float = 0) -> Bars | None:
    """Rows by day, if there are days before the incident to compare with.

    `top` is the scale that incidents share; by default their own.
    """
    own = bars_top(incident, days)
    if not own:
        return None
    top = max(top, own)
    line = _day_bound(incident)
    width = 100 / len(days)
    every = max(1, -(-len(days) // 6))
    return Bars(
        bars=tuple(
            Bar(
                round(index * width + 0.12 * width, 3),
                round(0.76 * width, 3),
                round(max(LEAST_HEIGHT if one.rows else 0, 100 * one.rows / top), 3),
                one.inside,
                one.start_ms,
                one.rows,
            )
            for index, one in enumerate(days)
        ),
        bound=None if line is None or line > top else _height(line, top),
        y_ticks=_row_ticks(top),
        x_ticks=tuple(
            TimeTick(round((index + 0.5) * width, 3), day(one.start_ms)[5:])
            for index, one in enumerate(days)
            if not (len(days) - 1 - index) % every
        ),
    )


def _span(account: Timeline, marks: list[Mark]) -> tuple[int, int]:
    """From shortly before the first stage, unless much was taken before it, to shortly after the end.

    An alert long after the end is not waited for: the curve would be squeezed.
    """
    stages = [mark.time_ms for mark in marks if mark.stage not in _ALERTS]
    first = min(stages, default=account.points[0][0])
    before = max((rows for time_ms, rows in account.points if time_ms < first), default=0)
    if before > UNSEEN_SHARE * account.rows:
        first = min(account.points[0][0], first)
    last = max(account.points[-1][0], *stages, first)
    far = last + LATE * max(last - first, LEAST_SPAN_MS)
    last = max(last, *(mark.time_ms for mark in marks if mark.time_ms <= far), first)
    spare = max(0, LEAST_SPAN_MS - (last - first)) // 2
    before_ms, after_ms = (round(share * (last - first)) + spare for share in (BEFORE, AFTER))
    return first - before_ms, last + after_ms


def _stairs(
    points: Sequence[tuple[int, float]], start: int, end: int, top: float, first: float = 0
) -> Markup:
    """A path through points that holds each value until the next, and `first` until the first of them.

    Of the points in one of `MOST_STEPS` columns, the last is drawn.
    """

    def y(rows: float) -> str:
        return f"{1000 * (1 - rows / top):.1f}"

    before = [rows for time_ms, rows in points if time_ms <= start]
    columns = {
        MOST_STEPS * (time_ms - start) // (end - start): (time_ms, rows)
        for time_ms, rows in points
        if start < time_ms <= end
    }
    path = [f"M0 {y(before[-1] if before else first)}"]
    path += [
        f"H{1000 * (time_ms - start) / (end - start):.1f}V{y(rows)}" for time_ms, rows in columns.values()
    ]
    return Markup("".join((*path, "H1000")))  # noqa: S704 - letters and numbers of our own


def _flags(marks: list[Mark], start: int, end: int) -> list[Flag]:
    """Each at its time, on the lowest level on which there is room."""
    flags: list[Flag] = []
    for index, mark in enumerate(marks, 1):
        x = min(100.0, max(0.0, 100 * (mark.time_ms - start) / (end - start)))
        taken = {flag.level for flag in flags if abs(flag.x - x) < FLAG_WIDTH}
        level = next(level for level in range(len(marks)) if level not in taken)
        flags.append(Flag(index, round(x, 3), level, mark.stage in _ALERTS, mark.time_ms > end))
    return flags


def _row_ticks(top: float) -> tuple[RowTick, ...]:
    """Round whole numbers from 0 to below the top, at most five steps."""
    step = 1
    while top / step > 5:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return tuple(RowTick(_height(rows, top), rows) for rows in range(0, int(top) + 1, step))


def _height(rows: float, top: float) -> float:
    return round(100 - 100 * rows / top, 3)


def _time_ticks(start: int, end: int) -> list[TimeTick]:
    """At most six round times; the day stands below the first and wherever it changes."""
    step = next((step for step in _TIME_STEPS_MS if (end - start) / step <= 6), _TIME_STEPS_MS[-1])
    ticks = []
    shown = ""
    for time_ms in range(-(-start // step) * step, end + 1, step):
        at = round(100 * (time_ms - start) / (end - start), 3)
        date = day(time_ms)
        if step >= DAY_MS:
            ticks.append(TimeTick(at, date[5:], date[:4] if date[:4] != shown else ""))
            shown = date[:4]
            continue
        text = clock(time_ms) if step >= MINUTE_MS else f"{clock(time_ms)}:{time_ms // 1000 % 60:02}"
        ticks.append(TimeTick(at, text, date if date != shown else ""))
        shown = date
    return ticks
