"""One story: what one identity took out from when it first went too far until it has been quiet again."""

from __future__ import annotations

import msgspec

from detector.event import ActorKind
from detector.fleet.population import Expectation
from detector.identity.windows import DAY_MS, OTHER_OBJECTS
from detector.signal import Evidence, Signal

__all__ = [
    "Finding",
    "Incident",
    "Part",
    "add",
    "channels_left",
    "has_part",
    "objects_left",
    "rows_left",
]

MAX_PARTS = 96
"""How many windows an incident keeps one by one."""
MAX_VALUES = 12
"""How many different addresses, agents, apps an incident names."""
MAX_FOLDED_OBJECTS = 24


class Part(msgspec.Struct, array_like=True):
    """One window of an incident."""

    channel: str
    detector: str
    horizon_ms: int
    start_ms: int
    value: int
    objects: dict[str, int]

    @property
    def rows(self) -> int:
        """Rows that left within the window; `value` may be more, if an operation began before it."""
        return sum(self.objects.values())

    @property
    def day(self) -> int:
        """The day (since 1970) that the window lies in."""
        return self.start_ms // DAY_MS


class Finding(msgspec.Struct, array_like=True):
    """The most surprising window of one detector."""

    detector: str
    channel: str
    horizon_ms: int
    start_ms: int
    time_ms: int
    value: int
    typical: float
    bound: float
    surprise: float
    own_windows: int
    population_windows: int
    warm: bool


class Incident(msgspec.Struct, array_like=True, kw_only=True):
    """What is known of an incident so far."""

    tenant: str
    actor: str
    actor_kind: ActorKind
    actor_name: str | None
    opened_ms: int
    """Event time at which it was first surprising enough; with the identity it is the incident's name."""
    first_ms: int
    last_ms: int
    """First and last event of its windows."""
    modified_ms: int
    findings: dict[str, Finding] = {}
    parts: list[Part] = []
    folded: dict[str, int] = {}
    """Rows by channel of parts that are no longer kept one by one."""
    folded_objects: dict[str, int] = {}
    """The same rows by kind of record."""
    folded_until_ms: int = 0
    """Windows that began before this have been folded; what is still heard of them adds no rows."""
    evidence: list[Evidence] = []
    ips: dict[str, int] = {}
    user_agents: dict[str, int] = {}
    apps: dict[str, int] = {}
    published: int = 0
    """How often it has been published."""
    published_rows: int = 0
    published_severity: int = 0
    provisional: bool = False
    """Whether a decision was taken before every source had finished with the day it rests on."""


def add(incident: Incident, signal: Signal, expectation: Expectation, evidence_events: int) -> None:
    """Enter a signal: its window, once, with its newest value; its surprise, if the detector's greatest."""
    _add_part(incident, signal)
    incident.first_ms = min(incident.first_ms, signal.first_ms)
    incident.last_ms = max(incident.last_ms, signal.last_ms)
    incident.modified_ms = max(incident.modified_ms, signal.time_ms)
    incident.actor_name = signal.actor_name
    best = incident.findings.get(signal.detector)
    if best is None or (expectation.surprise, signal.value) > (best.surprise, best.value):
        incident.findings[signal.detector] = Finding(
            signal.detector,
            signal.channel,
            signal.horizon_ms,
            signal.start_ms,
            signal.time_ms,
            signal.value,
            expectation.typical,
            expectation.bound,
            expectation.surprise,
            expectation.own_windows,
            expectation.population_windows,
            expectation.warm,
        )
    event = signal.evidence
    if event is None:
        return
    if all(event.event_id != known.event_id for known in incident.evidence):
        incident.evidence.append(event)
        if len(incident.evidence) > max(1, evidence_events):  # the first stays, then the largest
            smallest = min(incident.evidence[1:], key=lambda known: (known.rows, -known.time_ms))
            incident.evidence.remove(smallest)
    for values, value in (
        (incident.ips, event.ip),
        (incident.user_agents, event.user_agent),
        (incident.apps, event.app),
    ):
        if value is not None and (value in values or len(values) < MAX_VALUES):
            values[value] = values.get(value, 0) + 1


def has_part(incident: Incident, signal: Signal) -> bool:
    """Whether the signal's window is part of the incident."""
    return any(_same(part, signal) for part in incident.parts)


def rows_left(incident: Incident) -> int:
    """Rows that left in the incident's windows, each counted once.

    A day holds its hours, and an hour its largest operation: per channel and day the day counts or all of its
    hours, per hour the hour or its largest operation, whichever says more.
    """
    return sum(incident.folded.values()) + sum(part.rows for part in _counted(incident.parts))


def channels_left(incident: Incident) -> dict[str, int]:
    """Those rows by channel, the most first."""
    rows = dict(incident.folded)
    for part in _counted(incident.parts):
        rows[part.channel] = rows.get(part.channel, 0) + part.rows
    return _most_first(rows)


def objects_left(incident: Incident) -> dict[str, int]:
    """Those rows by kind of record, the most first; under ``*`` those of kinds that are not named."""
    rows = dict(incident.folded_objects)
    for part in _counted(incident.parts):
        _add_all(rows, part.objects)
    return _most_first(rows)


def _counted(parts: list[Part]) -> list[Part]:
    """The parts that count, none of which lies within another."""
    hours: dict[tuple[str, int], Part] = {}
    days: dict[tuple[str, int], list[Part]] = {}
    for part in parts:
        key = part.channel, part.start_ms
        if part.horizon_ms >= DAY_MS:
            days.setdefault((part.channel, part.day), []).append(part)
        elif key not in hours or part.rows > hours[key].rows:
            hours[key] = part
    by_day: dict[tuple[str, int], list[Part]] = {}
    for part in hours.values():
        by_day.setdefault((part.channel, part.day), []).append(part)
    for day_key, found in days.items():
        day = max(found, key=lambda part: part.rows)
        if day.rows >= sum(part.rows for part in by_day.get(day_key, ())):
            by_day[day_key] = [day]
    return [part for _, found in sorted(by_day.items()) for part in found]


def _add_part(incident: Incident, signal: Signal) -> None:
    if signal.start_ms < incident.folded_until_ms:
        return
    for part in incident.parts:
        if _same(part, signal):
            if signal.value >= part.value:
                part.value = signal.value
                part.objects = signal.objects
            return
    part = Part(
        signal.channel, signal.detector, signal.horizon_ms, signal.start_ms, signal.value, signal.objects
    )
    incident.parts.append(part)
    if len(incident.parts) > MAX_PARTS:
        _fold(incident)


def _fold(incident: Incident) -> None:
    """Fold whole days into sums, so that an incident of weeks stays small; the last days are still growing.

    Should these alone be too many, only what counts of them is kept: 24 parts a channel at most.
    """
    newest = max(part.day for part in incident.parts)
    for until in (newest - 1, newest):
        old = [part for part in incident.parts if part.day < until]
        for part in _counted(old):
            incident.folded[part.channel] = incident.folded.get(part.channel, 0) + part.rows
            _add_all(incident.folded_objects, part.objects)
        if old:
            incident.parts = [part for part in incident.parts if part.day >= until]
            incident.folded_until_ms = until * DAY_MS
        if len(incident.parts) <= MAX_PARTS // 2:
            break
    else:
        incident.parts = _counted(incident.parts)
    least = list(_most_first(incident.folded_objects))[MAX_FOLDED_OBJECTS:]
    rows = sum(incident.folded_objects.pop(name) for name in least)
    if rows:
        _add_all(incident.folded_objects, {OTHER_OBJECTS: rows})


def _add_all(rows: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        rows[name] = rows.get(name, 0) + count


def _most_first(rows: dict[str, int]) -> dict[str, int]:
    return dict(sorted(rows.items(), key=lambda item: (-item[1], item[0])))


def _same(part: Part, signal: Signal) -> bool:
    return (
        part.start_ms == signal.start_ms
        and part.channel == signal.channel
        and part.detector == signal.detector
        and part.horizon_ms == signal.horizon_ms
    )
