"""One value over fixed windows of event time, held against the identity's own level: what volume and export
share.

The level is an exponentially weighted mean and variance of ``log1p(value)`` over windows in which anything
happened (river's `EWMean`; Finch, *Incremental calculation of weighted mean and variance*, 2009), shrunk
towards a prior while there are few. It is one-sided: taking out unusually little is not a finding. Per event
there is an add and a compare; the level and its bound are touched only when a window closes, and what
exceeded the bound is learned as the bound, so nobody can teach a profile more than the bound at a time.
"""

from __future__ import annotations

from math import expm1, log1p, sqrt

import msgspec
from river.stats import EWMean

from detector.catalogue import sensitivity
from detector.event import AccessEvent
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "Cell",
    "Cells",
    "Window",
    "add",
    "bound_rows",
    "close",
    "gravest",
    "make_room",
    "next_close_ms",
]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

MAX_OBJECTS = 5
"""How many kinds of record a window names; the rows of others are under `OTHER_OBJECTS`."""
MAX_OBJECT_NAME = 64
OTHER_OBJECTS = "*"
FLOOR_VARIANCE = 0.04
"""No identity is so regular that a tenth more rows would be news."""


class Window(msgspec.Struct, array_like=True):
    """What has happened within one window so far."""

    value: int = 0
    said: int = 0
    """The value when a signal was last sent, 0 if none was."""
    first_ms: int = 0
    last_ms: int = 0
    objects: dict[str, int] = {}
    """Rows that left in this window by kind of record."""
    rows: int = 0
    """Where the largest value counts: the rows that left in this window."""


class Cell(msgspec.Struct, array_like=True):
    """One channel over one horizon: the identity's level and the windows that are still open."""

    windows: int = 0
    mean: float = 0.0
    square: float = 0.0
    """The mean of the squares; variance is ``square - mean²``."""
    bound: float = 0.0
    """Rows above which a signal is sent; 0 until it is first computed."""
    open: dict[int, Window] = {}
    """Window start in ms → window."""

    @property
    def variance(self) -> float:
        """The variance of ``log1p(value)``."""
        return max(0.0, self.square - self.mean * self.mean)


Cells = tuple[tuple[int, dict[str, Cell]], ...]
"""A state's cells: for each horizon in ms its cells by channel."""


def prior_mean(horizon_ms: int, settings: DetectionSettings) -> float:
    """The level expected of an unknown identity."""
    return log1p(settings.prior_rows_hour if horizon_ms <= HOUR_MS else settings.prior_rows_day)


def bound_rows(cell: Cell, horizon_ms: int, settings: DetectionSettings) -> float:
    """The number of rows in one window from which the identity is over its own bound."""
    own, prior = min(cell.windows, 1 / settings.fading), settings.prior_weight
    total = own + prior
    mean = (own * cell.mean + prior * prior_mean(horizon_ms, settings)) / total
    variance = (own * cell.variance + prior * settings.prior_deviation**2) / total + FLOOR_VARIANCE
    return expm1(mean + settings.bound_deviations * sqrt(variance))


def add(
    cell: Cell,
    detector: str,
    channel: str,
    horizon_ms: int,
    event: AccessEvent,
    value: int,
    rows: int,
    settings: DetectionSettings,
    *,
    largest: bool = False,
) -> Signal | None:
    """Enter `value` into the window that `event` falls into; a signal if that takes it over the bound.

    Values add up, or with `largest` the largest one counts. `rows` are what the event added, for the
    evidence.
    """
    time_ms = event.time_ms
    start = time_ms - time_ms % horizon_ms
    window = cell.open.get(start)
    if window is None:
        window = cell.open[start] = Window(first_ms=time_ms, last_ms=time_ms)
    elif time_ms > window.last_ms:
        window.last_ms = time_ms
    elif time_ms < window.first_ms:
        window.first_ms = time_ms
    if not largest:
        window.value += value
        named = event.objects
        kind = named[0] if len(named) == 1 else gravest(named)
        objects = window.objects
        if kind in objects:
            objects[kind] += rows
        else:
            _add_object(objects, kind[:MAX_OBJECT_NAME], rows)
    else:
        window.rows += rows
        if (
            value > window.value
        ):  # an operation may have begun in an earlier window, and its rows left in that
            window.value = value
            window.objects = {gravest(event.objects)[:MAX_OBJECT_NAME]: min(value, window.rows)}
    if window.value <= cell.bound:
        return None
    return _judged(cell, window, detector, channel, horizon_ms, start, event, rows, settings)


def close(cells: Cells, detector: str, until_ms: int, settings: DetectionSettings) -> list[Signal]:
    """Close and learn every window that ended `late_seconds` or more before `until_ms`: cell by cell, the oldest
    first.
    """
    late_ms = settings.late_seconds * 1000
    signals = []
    for horizon_ms, channels in cells:
        wait_ms = horizon_ms + late_ms
        for channel, cell in channels.items():
            signals += [
                _closed(cell, detector, channel, horizon_ms, start, start + wait_ms, settings)
                for start in sorted(cell.open)
                if start + wait_ms <= until_ms
            ]
    return signals


def next_close_ms(cells: Cells, settings: DetectionSettings) -> int | None:
    """When the first open window is due to close, or ``None`` if none is open."""
    ends = [
        start + horizon_ms
        for horizon_ms, channels in cells
        for cell in channels.values()
        for start in cell.open
    ]
    return min(ends) + settings.late_seconds * 1000 if ends else None


def make_room(
    cells: Cells, detector: str, most: int, now_ms: int, settings: DetectionSettings
) -> list[Signal]:
    """Close windows before their time if times all over the calendar have opened too many: the first due go first.

    `most` windows may be open over all cells if windows wait an hour for late events, and a third of that
    more for each further hour that they wait. What closes before its time is known at `now_ms`.
    """
    late_ms = settings.late_seconds * 1000
    if late_ms > HOUR_MS:
        most += most * (late_ms - HOUR_MS) // (3 * HOUR_MS)
    excess = -most
    for _, channels in cells:
        for cell in channels.values():
            excess += len(cell.open)
    if excess <= 0:
        return []
    waiting = sorted(
        (start + horizon_ms, horizon_ms, channel)
        for horizon_ms, channels in cells
        for channel, cell in channels.items()
        for start in cell.open
    )
    of_horizon = dict(cells)
    return [
        _closed(
            of_horizon[horizon_ms][channel],
            detector,
            channel,
            horizon_ms,
            end - horizon_ms,
            min(end + late_ms, now_ms),
            settings,
        )
        for end, horizon_ms, channel in waiting[:excess]
    ]


def gravest(objects: tuple[str, ...]) -> str:
    """The kind of record that an event's rows count as: the most sensitive of those that it names.

    >>> gravest(("User", "Case")), gravest(())
    ('Case', '*')
    """
    if not objects:
        return OTHER_OBJECTS
    return max(objects, key=lambda name: sensitivity((name,)))


def _add_object(objects: dict[str, int], kind: str, rows: int) -> None:
    """Add rows to a kind; where too many are named, the least by sensitivity × rows is named no more."""
    objects[kind] = objects.get(kind, 0) + rows
    if len(objects) <= MAX_OBJECTS:
        return
    named = [name for name in objects if name != OTHER_OBJECTS]
    if len(named) > MAX_OBJECTS:
        least = min(named, key=lambda name: (sensitivity((name,)) * objects[name], name))
        objects[OTHER_OBJECTS] = objects.get(OTHER_OBJECTS, 0) + objects.pop(least)


def _judged(
    cell: Cell,
    window: Window,
    detector: str,
    channel: str,
    horizon_ms: int,
    start: int,
    event: AccessEvent,
    rows: int,
    settings: DetectionSettings,
) -> Signal | None:
    """The signal about a window that has crossed the bound, unless it has not grown enough since the last one."""
    if not cell.bound:
        cell.bound = bound_rows(cell, horizon_ms, settings)
    if window.value <= cell.bound or window.value < window.said * settings.growth:
        return None
    window.said = window.value
    signal = _signal(cell, window, detector, channel, horizon_ms, start, SignalKind.CROSSED, event.time_ms)
    signal.evidence = evidence(event, rows)
    return signal


def _closed(
    cell: Cell,
    detector: str,
    channel: str,
    horizon_ms: int,
    start: int,
    known_ms: int,
    settings: DetectionSettings,
) -> Signal:
    """Learn a window that is open no more; the signal says what was known before it."""
    window = cell.open.pop(start)
    signal = _signal(cell, window, detector, channel, horizon_ms, start, SignalKind.CLOSED, known_ms)
    _learn(cell, window.value, horizon_ms, settings)
    return signal


def _learn(cell: Cell, value: int, horizon_ms: int, settings: DetectionSettings) -> None:
    most = log1p(cell.bound)
    if cell.windows < settings.warm_windows:  # the bound is still the prior's: let the level find its place
        most += settings.bound_deviations * settings.prior_deviation
    learned = min(log1p(value), most)
    weight = max(settings.fading, 1 / (cell.windows + 1))
    cell.mean = _ew_mean(weight, cell.mean, learned)
    cell.square = _ew_mean(weight, cell.square, learned * learned)
    cell.windows += 1
    cell.bound = bound_rows(cell, horizon_ms, settings)


def _ew_mean(weight: float, before: float, value: float) -> float:
    mean = EWMean(fading_factor=weight)
    mean.update(before)  # the first update sets it: the state is this one number
    mean.update(value)
    return float(mean.get())


def _signal(
    cell: Cell,
    window: Window,
    detector: str,
    channel: str,
    horizon_ms: int,
    start: int,
    kind: SignalKind,
    time_ms: int,
) -> Signal:
    crossed = window.said > 0
    return Signal(
        kind,
        detector,
        channel,
        horizon_ms,
        start,
        time_ms,
        window.value,
        cell.windows,
        cell.mean,
        cell.variance,
        cell.bound,
        crossed,
        window.first_ms,
        window.last_ms,
        dict(window.objects) if crossed else {},
    )
