"""What the logs that were read cover: which event types in which hours, and the hours that are missing.

An hour is missing when a source says nothing in it although at that hour of a working day (or of a weekend
day) it usually does. Quiet nights are not missing; nor is anything of a source too small to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import sqrt
from statistics import median

import msgspec

from detector.event import AccessEvent, Operation

__all__ = ["Coverage", "Gap", "Row", "Source", "Strip"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MOST_CELLS = 200_000
"""How many hours of event types are kept apart."""
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


class Gap(msgspec.Struct, frozen=True):
    """Hours in which a source was silent against its habit."""

    start_ms: int
    end_ms: int
    hours: int
    """Of these, the hours in which something was to be expected."""
    usual_events: int
    """What usually comes in these hours together."""


class Source(msgspec.Struct, frozen=True):
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


class Row(msgspec.Struct, frozen=True):
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

    source: Source
    events: tuple[int, ...]
    levels: tuple[int, ...]


class Coverage:
    """Counts events by adapter, operation and hour, for every event of a run."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Operation, int], int] = {}
        self.uncharted = 0
        """Events beyond `MOST_CELLS` hours of event types: counted, and on no map."""

    def observe(self, event: AccessEvent) -> None:
        """Count an event; called for each of them, so it does next to nothing."""
        key = (event.origin.adapter, event.operation, event.time_ms // HOUR_MS)
        try:
            self._counts[key] += 1
        except KeyError:
            if len(self._counts) < MOST_CELLS:
                self._counts[key] = 1
            else:
                self.uncharted += 1

    @property
    def operations(self) -> frozenset[Operation]:
        """The operations that there were."""
        return frozenset(operation for _, operation, _ in self._counts)

    def sources(self) -> list[Source]:
        """By adapter: all of it first, then its operations, those with the most events first.

        What is missing in all of an adapter is not said again of each operation.
        """
        span = self._span()
        found: list[Source] = []
        for adapter in sorted({adapter for adapter, _, _ in self._counts}):
            whole = _source(adapter, None, self._hours(adapter), span, ())
            found.append(whole)
            operations = {operation for name, operation, _ in self._counts if name == adapter}
            parts = [
                _source(adapter, operation, self._hours(adapter, operation), span, whole.gaps)
                for operation in operations
            ]
            found += sorted(parts, key=lambda part: (-part.events, part.operation or ""))
        return found

    def rows(self) -> list[Row]:
        """The map of hours, all adapters together, the earliest day first."""
        span = self._span()
        if not span:
            return []
        hours = self._hours()
        most = _most(hours.values())
        missing, partly = set[int](), set[int]()
        for source in self.sources():
            (missing if source.operation is None else partly).update(*map(_gap_hours, source.gaps))
        return [_row(first, last, hours, most, missing, partly, span) for first, last in _days(span)]

    def strips(self) -> list[Strip]:
        """The map of event types: each adapter and each of its operations over the same days as `rows`."""
        span = self._span()
        strips = []
        for source in self.sources():
            hours = self._hours(source.adapter, source.operation)
            days = [
                sum(hours[hour] for hour in range(24 * first, 24 * last + 24)) for first, last in _days(span)
            ]
            most = _most(days)
            strips.append(Strip(source, tuple(days), tuple(_level(count, most) for count in days)))
        return strips

    def _span(self) -> range:
        """The hours looked at: those of the last `MOST_DAYS`."""
        hours = [hour for _, _, hour in self._counts]
        return range(max(min(hours), max(hours) - 24 * MOST_DAYS + 1), max(hours) + 1) if hours else range(0)

    def _hours(self, adapter: str | None = None, operation: Operation | None = None) -> Counter[int]:
        found: Counter[int] = Counter()
        for (name, done, hour), count in self._counts.items():
            if adapter in (None, name) and operation in (None, done):
                found[hour] += count
        return found


def _source(
    adapter: str, operation: Operation | None, hours: Counter[int], span: range, known: Iterable[Gap]
) -> Source:
    usual = _usual(hours, span)
    gone = set[int]().union(*map(_gap_hours, known))
    return Source(
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
) -> Row:
    insides = [
        [hour for day in range(first, last + 1) if (hour := 24 * day + of_day) in span]
        for of_day in range(24)
    ]
    return Row(
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
