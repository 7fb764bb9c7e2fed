"""Builds an incident's timeline, counting event by event.

It is bounded: curves are thinned to their largest steps, origins and objects beyond a limit are only counted.
"""

from __future__ import annotations

from collections import Counter

from detector.alert.ocsf import Activity
from detector.catalogue import Category, category, sensitivity
from detector.event import READING, AccessEvent, Operation
from detector.trait import network
from detector.units import DAY_MS, HOUR_MS
from streams.report.findings import FindingHistory, FindingVersion
from streams.report.identity_history import IdentityHistory, is_new
from streams.report.timeline import (
    FURTHER,
    UNNAMED,
    AccessOrigin,
    DayRows,
    ExportPath,
    Mark,
    Timeline,
    TimelineStage,
)

__all__ = ["TimelineBuilder"]

LOOKBACK_MS = 7 * DAY_MS
"""How long before an incident its first signs are looked for: thieves log in first and come back later."""
TAIL_MS = 36 * HOUR_MS
"""How long after an open incident's last alert its new networks are still followed."""
CONTEXT_DAYS = 21
CURVE_POINTS = 400
MOST_ORIGINS = 500
MOST_WINDOWS = 1_000
MOST_OBJECTS = 200
MOST_NEIGHBOURS = 4
"""One more than the other identities named at an address."""
SAMPLE_ROWS = 200
"""The first read of at most so many rows from a new network is a sample."""
BULK_SHARE = 0.1
BULK_ROWS = 100
"""The first read of such a share of the incident's rows, and of at least so many, is its bulk."""
_RECONNAISSANCE = {Operation.DESCRIBE, Operation.COUNT}


class _Trail:
    """One network's part in an incident."""

    __slots__ = ("bulk", "events", "first_ms", "new", "recon", "rows", "sample")

    def __init__(self, first_ms: int, new: bool) -> None:
        self.first_ms = first_ms
        self.new = new
        self.rows = 0
        self.events = 0
        self.recon: tuple[int, int | None] | None = None
        self.sample: tuple[int, int | None] | None = None
        self.bulk: tuple[int, int | None] | None = None


class _Use:
    """One origin's part in an incident."""

    __slots__ = ("country", "events", "first_ms", "known_ms", "last_ms", "new", "rows")

    def __init__(self, time_ms: int, known_ms: int | None, new: bool | None) -> None:
        self.first_ms = time_ms
        self.last_ms = time_ms
        self.known_ms = known_ms
        self.new = new
        self.rows = 0
        self.events = 0
        self.country = ""


class TimelineBuilder:
    """The timeline of one incident, as far as events have been entered."""

    def __init__(self, history: FindingHistory) -> None:
        self.incident = incident = history.finding
        bound = incident.bound
        start = incident.start_ms
        self._base = start
        if bound is not None:  # rows are compared with a bound from where its window begins
            self._base = min(start, max(bound.start_ms, start - bound.horizon_ms))
        self._from = self._base - LOOKBACK_MS
        self._last_alert = max(
            (made.time_ms for made in history.versions if made.activity is not Activity.CLOSE), default=0
        )
        self._end = incident.end_ms
        self.until_ms = incident.end_ms if incident.closed else incident.end_ms + TAIL_MS
        self._many = len(incident.identities) > 1
        self._least = max(BULK_ROWS, BULK_SHARE * incident.rows)
        self.events = 0
        self._rows = 0
        self._bound_rows = 0
        self._points: list[tuple[int, int]] = []
        self._bound_points: list[tuple[int, int]] = []
        self._windows: list[tuple[int, int, int]] = []
        self._crossed: tuple[int, int] | None = None
        self._objects: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._touched: set[Category] = set()
        self._unnamed = 0
        self._ways: dict[Operation, list[int]] = {}
        self._uses: dict[tuple[str, str, str], _Use] = {}
        self._more_uses = 0
        self._trails: dict[str, _Trail] = {}
        self._deletion: tuple[int, str, int | None] | None = None
        self._vendor: tuple[int, str, int | None] | None = None
        self._days: Counter[int] = Counter()
        self._alerts: list[tuple[FindingVersion, int]] = []
        self._waiting = [made for made in history.versions if made.activity is not Activity.CLOSE]

    def observe(self, event: AccessEvent, rows: int, where: str, past: IdentityHistory) -> None:
        """Enter an event that counts for `rows`; `past` is what its identity had done before."""
        time_ms = event.time_ms
        if time_ms > self.until_ms:
            return
        if self._many and self.incident.addresses and event.ip not in self.incident.addresses:
            return
        bound = self.incident.bound
        own = bound is None or bound.operation is None or bound.operation is event.operation
        if own and rows and time_ms >= self._base - CONTEXT_DAYS * DAY_MS:
            self._days[time_ms // DAY_MS] += rows
        if time_ms < self._from:
            return
        new = is_new(past, where, time_ms, self._from) if where else False
        trail = self._trails.get(where)
        if trail is None and where and len(self._trails) < MOST_ORIGINS:
            trail = self._trails[where] = _Trail(time_ms, bool(new))
        if time_ms > self.incident.end_ms and not (trail is not None and trail.new):
            return  # the incident is over but for those who came with it
        while self._waiting and self._waiting[0].time_ms < time_ms:
            self._alerts.append((self._waiting.pop(0), self._rows))
        inside = time_ms >= self._base
        if inside:
            self._count(event, rows, own)
        elif not new:
            return
        self.events += 1
        self._end = max(self._end, time_ms)
        self._use(event, rows if inside else 0, where, past, new)
        if trail is not None:
            self._follow(trail, event, rows, inside, past)

    def _count(self, event: AccessEvent, rows: int, own: bool) -> None:
        operation = event.operation
        way = self._ways.setdefault(operation, [0, 0, 0])
        way[0] += 1
        way[1] += rows
        objects = event.objects
        self._touched.update(category(name) for name in objects)
        if operation in READING:
            if not objects:
                self._unnamed += 1
            if event.rows is None:
                way[2] += 1
                _add(self._unknown, _gravest(objects), 1)
        if operation is Operation.EXPORT_DELETE and self._deletion is None:
            self._deletion = (event.time_ms, ", ".join(objects), self._rows)
        if operation is Operation.VENDOR_FINDING and self._vendor is None:
            self._vendor = (event.time_ms, event.query_shape or "", self._rows)
        if not rows:
            return
        if own:
            self._bound(event.time_ms, rows)
        self._rows += rows
        _extend(self._points, event.time_ms, self._rows)
        _add(self._objects, _gravest(objects), rows)

    def _bound(self, time_ms: int, rows: int) -> None:
        """Enter rows of the bound's own operation; called before they are added to all rows."""
        bound = self.incident.bound
        if bound is not None:
            start = time_ms - (time_ms - bound.start_ms) % bound.horizon_ms
            if not self._windows or self._windows[-1][0] != start:
                self._windows.append((start, self._rows, self._bound_rows))
                del self._windows[: -MOST_WINDOWS - 1]
            if self._crossed is None and self._bound_rows + rows - self._windows[-1][2] > bound.rows:
                self._crossed = (time_ms, self._rows + rows)
        self._bound_rows += rows
        _extend(self._bound_points, time_ms, self._bound_rows)

    def _use(
        self, event: AccessEvent, rows: int, where: str, past: IdentityHistory, new: bool | None
    ) -> None:
        key = (event.ip or "", event.user_agent or "", event.app or "")
        use = self._uses.get(key)
        if use is None:
            if len(self._uses) >= MOST_ORIGINS:
                self._more_uses += 1
                return
            use = self._uses[key] = _Use(event.time_ms, past.addresses.get(key[0]), new)
        use.last_ms = event.time_ms
        use.rows += rows
        use.events += 1
        use.country = use.country or event.country or ""

    def _follow(
        self, trail: _Trail, event: AccessEvent, rows: int, inside: bool, past: IdentityHistory
    ) -> None:
        trail.events += 1
        if inside:
            trail.rows += rows
        at = (event.time_ms, self._rows if inside else None)
        unheard = event.operation not in past.operations
        if event.operation in _RECONNAISSANCE and trail.recon is None and (trail.new or unheard):
            trail.recon = at
        if trail.new and trail.sample is None and 0 < rows <= SAMPLE_ROWS:
            trail.sample = at
        if inside and trail.bulk is None and rows >= self._least:
            trail.bulk = at

    def account(self, pasts: list[IdentityHistory], neighbours: dict[str, tuple[str, ...]]) -> Timeline:
        """The timeline so far."""
        alerts = self._alerts + [(made, self._rows) for made in self._waiting]
        return Timeline(
            base_ms=self._base,
            end_ms=max(self._end, self._last_alert),
            events=self.events,
            rows=self._rows,
            points=_thinned(self._points),
            bound_rows=self._bound_rows,
            bound_points=_thinned(self._bound_points),
            windows=tuple(self._windows) if len(self._windows) <= MOST_WINDOWS else (),
            marks=self._marks(alerts),
            origins=self._origins(neighbours),
            more_origins=self._more_uses,
            objects=tuple(self._objects.most_common()),
            unknown_objects=tuple(self._unknown.most_common()),
            touched=frozenset(self._touched),
            unnamed_reads=self._unnamed,
            ways=tuple(
                sorted(
                    (ExportPath(name, *counts) for name, counts in self._ways.items()),
                    key=lambda way: (-way.rows, -way.events, way.operation),
                )
            ),
            days=self._shown_days(),
            known_from_ms=min((past.first_ms for past in pasts), default=None),
            forgotten=sum(past.ledger.forgotten for past in pasts),
        )

    def _marks(self, alerts: list[tuple[FindingVersion, int]]) -> tuple[Mark, ...]:
        ranked = sorted(self._trails.items(), key=lambda item: (-item[1].rows, item[1].first_ms, item[0]))
        fresh = [(where, trail) for where, trail in ranked if trail.new][:3]
        marks = [
            Mark(TimelineStage.NETWORK, trail.first_ms, self._so_far(trail.first_ms), where)
            for where, trail in fresh
        ]
        followed = fresh or ranked
        for stage, times in (
            (
                TimelineStage.RECONNAISSANCE,
                [(trail.recon, where) for where, trail in followed if trail.recon],
            ),
            (TimelineStage.SAMPLE, [(trail.sample, where) for where, trail in followed if trail.sample]),
            (TimelineStage.BULK, [(trail.bulk, where) for where, trail in ranked[:1] if trail.bulk]),
        ):
            if times:
                (time_ms, rows), where = min(times)
                marks.append(Mark(stage, time_ms, rows, where))
        if self._crossed is not None:
            marks.append(Mark(TimelineStage.BOUND, *self._crossed))
        if self._deletion is not None:
            marks.append(
                Mark(TimelineStage.DELETION, self._deletion[0], self._deletion[2], self._deletion[1])
            )
        if self._vendor is not None:
            marks.append(Mark(TimelineStage.VENDOR, self._vendor[0], self._vendor[2], self._vendor[1]))
        for made, rows in alerts:
            stage = TimelineStage.ALERT if made.activity is Activity.CREATE else TimelineStage.UPDATE
            marks.append(Mark(stage, made.time_ms, rows, severity=made.severity))
        order = list(TimelineStage)
        return tuple(sorted(marks, key=lambda mark: (mark.time_ms, order.index(mark.stage), mark.where)))

    def _so_far(self, time_ms: int) -> int | None:
        if time_ms < self._base:
            return None
        return max((rows for at, rows in self._points if at < time_ms), default=0)

    def _origins(self, neighbours: dict[str, tuple[str, ...]]) -> tuple[AccessOrigin, ...]:
        identities = set(self.incident.identities)
        found = []
        for (address, agent, app), use in self._uses.items():
            others = tuple(name for name in neighbours.get(address, ()) if name not in identities)
            found.append(
                AccessOrigin(
                    address=address,
                    network=_network(address),
                    user_agent=agent,
                    app=app,
                    country=use.country,
                    first_ms=use.first_ms,
                    last_ms=use.last_ms,
                    rows=use.rows,
                    events=use.events,
                    known_since_ms=use.known_ms,
                    new=use.new,
                    neighbours=others[: MOST_NEIGHBOURS - 1],
                    more_neighbours=len(others) >= MOST_NEIGHBOURS,
                )
            )
        return tuple(sorted(found, key=lambda origin: (-origin.rows, -origin.events, origin.first_ms)))

    def _shown_days(self) -> tuple[DayRows, ...]:
        first, last = self._base // DAY_MS, max(self._end, self._base) // DAY_MS
        if last - first >= 2 * CONTEXT_DAYS or not self._days:
            return ()
        begin = max(min(self._days), first - CONTEXT_DAYS)
        return tuple(DayRows(day * DAY_MS, self._days[day], day >= first) for day in range(begin, last + 1))


def _network(address: str) -> str:
    """The network of an address; what is none, however long, is its own."""
    found = network(address) if address else ""
    return address if address.startswith(found) else found


def _gravest(objects: tuple[str, ...]) -> str:
    if not objects:
        return UNNAMED
    return objects[0] if len(objects) == 1 else max(objects, key=lambda name: (sensitivity((name,)), name))


def _add(counts: Counter[str], name: str, rows: int) -> None:
    counts[name if name in counts or len(counts) < MOST_OBJECTS else FURTHER] += rows


def _extend(points: list[tuple[int, int]], time_ms: int, rows: int) -> None:
    if points and points[-1][0] == time_ms:
        points[-1] = (time_ms, rows)
        return
    points.append((time_ms, rows))
    if len(points) > 4 * CURVE_POINTS:
        points[:] = _thinned(points)


def _thinned(points: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """At most `CURVE_POINTS`: the first, the last, and those with the largest steps."""
    if len(points) <= CURVE_POINTS:
        return tuple(points)
    steps = range(1, len(points) - 1)
    largest = sorted(steps, key=lambda at: points[at - 1][1] - points[at][1])[: CURVE_POINTS - 2]
    return (points[0], *(points[at] for at in sorted(largest)), points[-1])
