"""One story: what one identity took out from when it first went too far until it has been quiet again."""

from __future__ import annotations

import msgspec

from detector.event import ActorKind
from detector.fleet.population import Expectation
from detector.signal import Evidence, Signal

__all__ = ["Finding", "Incident", "Part", "add", "rows_left"]

MAX_PARTS = 96
MAX_VALUES = 12
"""How many different addresses, agents, apps an incident names."""


class Part(msgspec.Struct, array_like=True):
    """One window of an incident."""

    channel: str
    detector: str
    horizon_ms: int
    start_ms: int
    value: int
    objects: dict[str, int]


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
    """Enter a signal: its window, once, with its newest value; its surprise, if it is the detector's greatest."""
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
        if len(incident.evidence) > evidence_events:  # the first stays, then the largest
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

    A day holds its hours, and an hour its largest operation, so per channel only the largest of these sums counts.
    """
    return sum(_channel_rows(incident).values())


def objects_left(incident: Incident) -> dict[str, int]:
    """Those rows by kind of record, the most first; what is no longer kept one by one is under ``*``."""
    result = {"*": sum(incident.folded.values())} if incident.folded else {}
    for keep in _winners(incident).values():
        for part in keep:
            for name, count in part.objects.items():
                result[name] = result.get(name, 0) + count
    return dict(sorted(result.items(), key=lambda item: (-item[1], item[0])))


def _winners(incident: Incident) -> dict[str, list[Part]]:
    """Per channel the parts whose sum is the largest: a day's, its hours', or the largest single operation."""
    groups: dict[tuple[str, str, int], list[Part]] = {}
    for part in incident.parts:
        groups.setdefault((part.channel, part.detector, part.horizon_ms), []).append(part)
    best: dict[str, tuple[int, list[Part]]] = {}
    for (channel, detector, _), parts in sorted(groups.items()):
        if detector == "export":
            parts = [max(parts, key=lambda part: (part.value, part.start_ms))]
        rows = sum(part.value for part in parts)
        if channel not in best or rows > best[channel][0]:
            best[channel] = rows, parts
    return {channel: parts for channel, (_, parts) in best.items()}


def _channel_rows(incident: Incident) -> dict[str, int]:
    rows = dict(incident.folded)
    for channel, parts in _winners(incident).items():
        rows[channel] = rows.get(channel, 0) + sum(part.value for part in parts)
    return rows


def _add_part(incident: Incident, signal: Signal) -> None:
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
    """Fold the older half of the parts into sums per channel: an incident of weeks stays small."""
    before = _channel_rows(incident)
    incident.parts = incident.parts[MAX_PARTS // 2 :]
    incident.folded = {}
    kept = _channel_rows(incident)
    incident.folded = {channel: rows - kept.get(channel, 0) for channel, rows in before.items()}


def _same(part: Part, signal: Signal) -> bool:
    return (
        part.start_ms == signal.start_ms
        and part.channel == signal.channel
        and part.detector == signal.detector
        and part.horizon_ms == signal.horizon_ms
    )
