"""Standings as version 1 stored them, taken over by this release.

Nothing is judged twice, and an incident that somebody has been told of goes on under its name, with the rows,
reasons and evidence that it had. One that had not been published is dropped: nobody knows of it. The population's
cells of version 1 count hours, of which no days can be made; they are not taken over.
"""

from __future__ import annotations

import msgspec

from detector.event import ActorKind
from detector.identity.baseline import DAY_MS
from detector.signal import Evidence
from detector.triage.incident import Finding, Incident, Part

__all__ = ["FORMER_VERSION", "taken_over"]

FORMER_VERSION = 1
HOURS_A_DAY = 24


class _Part(msgspec.Struct, array_like=True):
    channel: str
    detector: str
    horizon_ms: int
    start_ms: int
    value: int
    objects: dict[str, int]


class _Finding(msgspec.Struct, array_like=True):
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


class _Incident(msgspec.Struct, array_like=True, kw_only=True):
    tenant: str
    actor: str
    actor_kind: ActorKind
    actor_name: str | None
    opened_ms: int
    first_ms: int
    last_ms: int
    modified_ms: int
    findings: dict[str, _Finding]
    parts: list[_Part]
    folded: dict[str, int]
    folded_objects: dict[str, int]
    folded_until_ms: int
    evidence: list[Evidence]
    ips: dict[str, int]
    user_agents: dict[str, int]
    apps: dict[str, int]
    published: int
    published_rows: int
    published_severity: int
    provisional: bool


class _Standing(msgspec.Struct, array_like=True):
    version: int
    sequence: int
    incident: _Incident | None


_decoder = msgspec.msgpack.Decoder(_Standing)


def taken_over(data: bytes) -> tuple[int, Incident | None]:
    """The last signal judged, and the incident that goes on, if one does. Raises msgspec's `DecodeError`."""
    standing = _decoder.decode(data)
    former = standing.incident
    if former is None or not former.published:
        return standing.sequence, None
    findings = {name: _finding(found) for name, found in former.findings.items()}
    return standing.sequence, Incident(
        tenant=former.tenant,
        actor=former.actor,
        actor_kind=former.actor_kind,
        actor_name=former.actor_name,
        opened_ms=former.opened_ms,
        first_ms=former.first_ms,
        last_ms=former.last_ms,
        modified_ms=former.modified_ms,
        findings=findings,
        parts=_parts(former.parts),
        folded=former.folded,
        folded_objects=former.folded_objects,
        folded_until=former.folded_until_ms // DAY_MS,
        evidence=former.evidence,
        ips=former.ips,
        user_agents=former.user_agents,
        apps=former.apps,
        known_days=max(found.own_days for found in findings.values()),
        published=former.published,
        published_rows=former.published_rows,
        published_severity=former.published_severity,
        provisional=former.provisional,
    )


def _finding(former: _Finding) -> Finding:
    whole = former.horizon_ms == DAY_MS
    return Finding(
        former.detector,
        former.channel,
        "operation" if former.detector == "export" else "day" if whole else "hour",
        former.time_ms,
        former.start_ms,
        former.start_ms + former.horizon_ms - 1,
        former.surprise,
        value=former.value,
        typical=former.typical,
        bound=former.bound,
        own_days=_days(former.own_windows, whole=whole),
        population_days=_days(former.population_windows, whole=whole),
        rows=former.value,
    )


def _days(windows: int, *, whole: bool) -> int:
    """So many days at least."""
    return windows if whole else -(-windows // HOURS_A_DAY)


def _parts(former: list[_Part]) -> list[Part]:
    """One part for each channel's day: the day, its hours or its largest operations, whichever knew of most rows."""
    sides: dict[tuple[int, str], dict[tuple[str, int], dict[str, int]]] = {}
    for part in former:
        day = sides.setdefault((part.start_ms // DAY_MS, part.channel), {})
        objects = day.setdefault((part.detector, part.horizon_ms), {})
        for name, rows in part.objects.items():
            objects[name] = objects.get(name, 0) + rows
    return [
        Part(day, "volume", channel, sum(objects.values()), objects)
        for (day, channel), found in sorted(sides.items())
        for objects in [max(found.values(), key=lambda side: sum(side.values()))]
    ]
