"""The coverage of the logs read: which event types in which hours, and the hours missing.

An hour is missing when a source says nothing in it although at that hour of a working day (or of a weekend
day) it usually does. Quiet nights are not missing; nor is anything of a source too small to say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from math import sqrt
from statistics import median

import msgspec

from detector.event import AccessEvent, Operation
from detector.units import DAY_MS, HOUR_MS

__all__ = ["Coverage", "CoverageRow", "Gap", "HourCount", "SourceCoverage", "Strip"]

MOST_HOURS = 20_000
"""How many hours are kept apart: more than two years."""
MOST_DAYS = 400
"""How far back from the last event hours are looked at."""
MOST_ROWS = 62
"""How many rows a map has; more days than that share rows."""
USUAL_EVENTS = 10
"""A source with fewer events than this in the median of an hour's like is too small to miss it."""
LIKE_HOURS = 3
"""How many other days must tell what is usual for an hour."""
LEVELS = 5
BUSY = 0.95


_Cell = defaultdict[str, defaultdict[Operation, int]]
"""An hour's events by adapter and operation."""


class Gap(msgspec.Struct, frozen=True):
    """Hours in which a source was silent against its habit."""

    start_ms: int
    end_ms: int
    hours: int
    """Of these, the hours in which something was to be expected."""
    usual_events: int
    """What usually comes in these hours together."""


class SourceCoverage(msgspec.Struct, frozen=True):
    """What an adapter said of one operation, or of all of them."""

    adapter: str
    operation: Operation | None
    events: int
    first_ms: int
    """The hour of its first event."""
    last_ms: int
    """The hour of its last event."""
    hours: int
    """In how many hours it said anything."""
    gaps: tuple[Gap, ...]
    judged: bool
    """Whether it is large enough for silence to mean anything."""


class CoverageRow(msgspec.Struct, frozen=True):
    """A row of the map of hours: one day or several."""

    start_ms: int
    end_ms: int
    events: tuple[int, ...]
    """By hour of day, UTC."""
    levels: tuple[int, ...]
    """From 0, nothing, to `LEVELS`."""
    missing: tuple[bool, ...]
    """Hours missing in a whole adapter."""
    partly: tuple[bool, ...]
    """Hours missing in one of its operations."""
    outside: tuple[bool, ...]
    """Hours before the first or after the last event."""


class Strip(msgspec.Struct, frozen=True):
    """One source over the map's days."""

    source: SourceCoverage
    events: tuple[int, ...]
    levels: tuple[int, ...]


class HourCount(msgspec.Struct, frozen=True, array_like=True):
    """How many events there were in one hour, of one operation from one adapter."""

    hour: int | None
    """Since 1970; ``None`` for hours that are not kept apart."""
    adapter: str
    operation: Operation
    events: int


class Coverage:
    """Counts events by adapter, operation and hour, for every event of a run."""

    __slots__ = ("_cell", "_hours", "_next_ms", "_start_ms", "_uncharted")

    def __init__(self) -> None:
        self._hours: dict[int, _Cell] = {}
        self._uncharted: _Cell = _new_cell()
        self._cell = self._uncharted  # the current hour's
        self._start_ms = self._next_ms = 0

    def observe(self, event: AccessEvent) -> None:
        """Count an event; called for each of them, mostly in the order of their time, so it does little."""
        if not self._start_ms <= event.time_ms < self._next_ms:
            self._turn(event.time_ms)
        self._cell[event.origin.adapter][event.operation] += 1

    def counts(self) -> list[HourCount]:
        """All that has been counted, to be added to another's."""
        cells = [*self._hours.items(), (None, self._uncharted)]
        return [
            HourCount(hour, adapter, operation, events)
            for hour, cell in cells
            for adapter, counts in cell.items()
            for operation, events in counts.items()
        ]

    def add(self, counts: Iterable[HourCount]) -> None:
        """Add what has been counted elsewhere."""
        for count in counts:
            if count.hour is None:
                cell = self._uncharted
            else:
                self._turn(count.hour * HOUR_MS)
                cell = self._cell
            cell[count.adapter][count.operation] += count.events

    @property
    def uncharted(self) -> int:
        """Events beyond `MOST_HOURS`: counted, and on no map."""
        return sum(count for counts in self._uncharted.values() for count in counts.values())

    @property
    def days(self) -> Counter[int]:
        """Days since 1970 and their events, of the hours that are kept apart."""
        days: Counter[int] = Counter()
        for hour, cell in self._hours.items():
            days[hour // 24] += sum(count for counts in cell.values() for count in counts.values())
        return days

    @property
    def operations(self) -> frozenset[Operation]:
        """The operations that there were."""
        cells = (*self._hours.values(), self._uncharted)
        return frozenset(operation for cell in cells for counts in cell.values() for operation in counts)

    def sources(self) -> list[SourceCoverage]:
        """By adapter: all of it first, then its operations, those with the most events first.

        What is missing in all of an adapter is not said again of each operation.
        """
        span = self._span()
        tables = self._tables()
        found: list[SourceCoverage] = []
        for adapter in sorted({adapter for adapter, _ in tables}):
            whole = _source(adapter, None, tables[adapter, None], span, ())
            parts = [
                _source(adapter, operation, hours, span, whole.gaps)
                for (name, operation), hours in tables.items()
                if name == adapter and operation is not None
            ]
            found += [whole, *sorted(parts, key=lambda part: (-part.events, part.operation or ""))]
        return found

    def rows(self) -> list[CoverageRow]:
        """The map of hours, all adapters together, the earliest day first."""
        span = self._span()
        if not span:
            return []
        hours: Counter[int] = Counter()
        for (_, operation), counts in self._tables().items():
            if operation is None:
                hours.update(counts)
        most = _most(hours.values())
        missing, partly = set[int](), set[int]()
        for source in self.sources():
            (missing if source.operation is None else partly).update(*map(_gap_hours, source.gaps))
        return [_row(first, last, hours, most, missing, partly, span) for first, last in _days(span)]

    def strips(self) -> list[Strip]:
        """The map of event types over the same days as `rows`: each adapter and its operations, to one scale."""
        days = _days(self._span())
        tables = self._tables()
        found = []
        for source in self.sources():
            hours = tables[source.adapter, source.operation]
            events = [sum(hours[hour] for hour in range(24 * first, 24 * last + 24)) for first, last in days]
            found.append((source, events))
        most = max((_most(events) for _, events in found), default=1)
        return [
            Strip(source, tuple(events), tuple(_level(count, most) for count in events))
            for source, events in found
        ]

    def _turn(self, time_ms: int) -> None:
        """Go to another hour's cell."""
        hour = time_ms // HOUR_MS
        self._start_ms, self._next_ms = hour * HOUR_MS, (hour + 1) * HOUR_MS
        cell = self._hours.get(hour)
        if cell is None:
            cell = _new_cell() if len(self._hours) < MOST_HOURS else self._uncharted
            if cell is not self._uncharted:
                self._hours[hour] = cell
        self._cell = cell

    def _span(self) -> range:
        """The hours looked at: those of the last `MOST_DAYS`."""
        if not self._hours:
            return range(0)
        last = max(self._hours)
        return range(max(min(self._hours), last - 24 * MOST_DAYS + 1), last + 1)

    def _tables(self) -> dict[tuple[str, Operation | None], Counter[int]]:
        """Hours and their events, by adapter and operation, and by adapter alone."""
        tables: dict[tuple[str, Operation | None], Counter[int]] = {}
        for hour, cell in self._hours.items():
            for adapter, counts in cell.items():
                for operation, count in counts.items():
                    tables.setdefault((adapter, operation), Counter())[hour] = count
                tables.setdefault((adapter, None), Counter())[hour] = sum(counts.values())
        return tables


def _new_cell() -> _Cell:
    return defaultdict(_new_counts)


def _new_counts() -> defaultdict[Operation, int]:
    return defaultdict(int)


def _source(
    adapter: str, operation: Operation | None, hours: Counter[int], span: range, known: Iterable[Gap]
) -> SourceCoverage:
    usual = _usual(hours, span)
    gone = set[int]().union(*map(_gap_hours, known))
    return SourceCoverage(
        adapter,
        operation,
        hours.total(),
        min(hours) * HOUR_MS,
        max(hours) * HOUR_MS,
        len(hours),
        tuple(_gaps(hours, span, usual, gone)),
        any(count >= USUAL_EVENTS for count in usual.values()),
    )


def _like(hour: int) -> tuple[bool, int]:
    """Hours that are alike: the same hour of day, of a weekend or not."""
    return (hour // 24 + 3) % 7 >= 5, hour % 24  # 1970 began on a Thursday


def _usual(hours: Counter[int], span: range) -> dict[tuple[bool, int], float]:
    """Like hours → the median of their events, where there are enough of them."""
    counts: dict[tuple[bool, int], list[int]] = {}
    for hour in span:
        counts.setdefault(_like(hour), []).append(hours[hour])
    return {like: median(found) for like, found in counts.items() if len(found) > LIKE_HOURS}


def _gaps(
    hours: Counter[int], span: range, usual: dict[tuple[bool, int], float], gone: set[int]
) -> list[Gap]:
    """Runs of silent hours, from the first to the last of them in which something was to be expected."""
    gaps: list[Gap] = []
    run: list[tuple[int, float]] = []
    for hour in (*span, span.stop):
        expected = usual.get(_like(hour), 0.0)
        if hour < span.stop and not hours[hour]:
            if expected >= USUAL_EVENTS and hour not in gone:
                run.append((hour, expected))
            continue
        if run:
            events = round(sum(count for _, count in run))
            gaps.append(Gap(run[0][0] * HOUR_MS, (run[-1][0] + 1) * HOUR_MS, len(run), events))
            run = []
    return gaps


def _days(span: range) -> list[tuple[int, int]]:
    """The map's rows: first and last day of each, counted from 1970."""
    if not span:
        return []
    first, last = span[0] // 24, span[-1] // 24
    step = -(-(last - first + 1) // MOST_ROWS)
    return [(day, min(day + step - 1, last)) for day in range(first, last + 1, step)]


def _gap_hours(gap: Gap) -> range:
    return range(gap.start_ms // HOUR_MS, gap.end_ms // HOUR_MS)


def _row(
    first: int, last: int, hours: Counter[int], most: int, missing: set[int], partly: set[int], span: range
) -> CoverageRow:
    insides = [
        [hour for day in range(first, last + 1) if (hour := 24 * day + of_day) in span]
        for of_day in range(24)
    ]
    return CoverageRow(
        first * DAY_MS,
        (last + 1) * DAY_MS,
        tuple(sum(hours[hour] for hour in inside) for inside in insides),
        tuple(_level(max((hours[hour] for hour in inside), default=0), most) for inside in insides),
        tuple(not missing.isdisjoint(inside) for inside in insides),
        tuple(not partly.isdisjoint(inside) for inside in insides),
        tuple(not inside for inside in insides),
    )


def _most(counts: Iterable[int]) -> int:
    """The count from which on a map is darkest: exceeded by one in twenty of those that are not empty."""
    full = sorted(filter(None, counts))
    return full[int(BUSY * (len(full) - 1))] if full else 1


def _level(count: int, most: int) -> int:
    """From 0, nothing, to `LEVELS`; in steps of the square root, so that quiet hours differ too."""
    if not count:
        return 0
    return min(LEVELS, 1 + int(LEVELS * sqrt(count / most)))
