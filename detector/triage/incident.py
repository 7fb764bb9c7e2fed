"""One story: what one identity took out from when it first went too far until it has been quiet again."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from detector.anomaly import Anomaly
from detector.catalogue import Category, category
from detector.event import ActorKind
from detector.explanation import Explanation, Explanations
from detector.signal import Evidence, Signal
from detector.units import DAY_MS

__all__ = [
    "Incident",
    "RowCount",
    "about",
    "add",
    "categories_taken",
    "channels_taken",
    "grow",
    "new",
    "objects_taken",
    "ranked",
    "rows_taken",
    "uid",
]

MAX_PARTS = 64
"""How many parts an incident keeps one by one."""
MAX_VALUES = 12
"""How many different addresses, agents, apps and actors an incident names."""
MAX_FOLDED_OBJECTS = 24
OTHER = "*"
TOTAL_CHANNELS = ("all", "")
"""Channels that hold the others."""
INTERNAL = ":internal"


class RowCount(msgspec.Struct, array_like=True):
    """What one detector counts in one channel on one day, in its newest version."""

    day: int
    detector: str
    channel: str
    rows: int
    objects: dict[str, int]


class Incident(msgspec.Struct, array_like=True, kw_only=True):
    """What is known of an incident so far."""

    tenant: str
    actor: str
    """Who it is about; empty for one that is about a network."""
    actor_kind: ActorKind
    actor_name: str | None
    network: str = ""
    """The network that it is about, if it is about one."""
    source: str | None = None
    """For one that is about the tenant as a whole: which of its sources, empty for all of them."""
    opened_ms: int
    """Event time at which it was first surprising enough; with the identity it is the incident's name."""
    first_ms: int
    last_ms: int
    """First and last event of what it is about."""
    modified_ms: int
    anomalies: dict[str, Anomaly] = {}
    parts: list[RowCount] = []
    running_total: RowCount | None = None
    """What a detector that looks at many days at once counts over them, if it is more than the days say."""
    folded: dict[str, int] = {}
    """Rows by channel of parts that are no longer kept one by one."""
    folded_objects: dict[str, int] = {}
    """The same rows by kind of record."""
    folded_until: int = -(1 << 40)
    """Days before this have been folded; later signals about them add no rows."""
    evidence: list[Evidence] = []
    ips: dict[str, int] = {}
    user_agents: dict[str, int] = {}
    apps: dict[str, int] = {}
    actors: dict[str, int] = {}
    """Identities that it is about, for one that is about a network, with their rows."""
    known_days: int = 0
    published: int = 0
    """How often it has been published."""
    published_rows: int = 0
    published_severity: int = 0
    published_rank: int = -99
    """The highest rank published."""
    provisional: bool = False
    """Whether a decision was taken before every source had finished with the time it rests on."""
    confirmed: bool = False
    """Whether an operator has confirmed that it is a breach: it stays open until one closes it."""
    decision: str = ""
    """What an operator decided last that changed it, and why."""
    breach_ms: int = -1
    """Event time at which it last became a breach, or ceased to be one because the decision was withdrawn."""
    published_ms: int = -1
    """Event time of what was published last."""
    published_categories: list[Category] = []
    """The categories of data that it named."""
    grown_ms: int = -1
    """Event time from which it has had more rows than were published; -1 if it has not."""


def new(signal: Signal) -> Incident:
    """An incident that a signal opens; the signal is still to be added."""
    return Incident(
        tenant=signal.tenant,
        actor=signal.actor,
        actor_kind=signal.actor_kind,
        actor_name=signal.actor_name,
        opened_ms=signal.time_ms,
        first_ms=signal.first_ms,
        last_ms=signal.last_ms,
        modified_ms=signal.time_ms,
    )


def uid(incident: Incident) -> str:
    """The incident's stable name, derived from what it is about: tenant, identity and when it opened."""
    name = about(incident)
    if incident.source is not None:  # several things may be wrong with a source at once
        name += "\x1f" + "\x1f".join(sorted(anomaly.channel for anomaly in incident.anomalies.values()))
    text = f"{incident.tenant}\x1f{name}\x1f{incident.opened_ms}"
    return "crmwatch-" + blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def about(incident: Incident) -> str:
    """What it is about: an identity, a network or a source, without the tenant."""
    if incident.source is not None:
        return incident.source or "all sources"
    return incident.actor or incident.network


def add(
    incident: Incident,
    signal: Signal,
    finding: Anomaly | None,
    evidence_events: int,
    fade: float,
    explanation: Explanation,
) -> None:
    """Enter a signal: its rows in their newest version; its finding, if the detector's greatest by now.

    `fade` is what a finding's surprise is multiplied by for each millisecond that it is old, as an exponent of
    one half.
    """
    _add_part(incident, signal, explanation)
    incident.first_ms = min(incident.first_ms, signal.first_ms)
    incident.last_ms = max(incident.last_ms, signal.last_ms)
    incident.modified_ms = max(incident.modified_ms, signal.time_ms)
    incident.actor_name = signal.actor_name
    incident.known_days = signal.known_days
    if finding is not None:
        best = incident.anomalies.get(finding.detector)
        if best is None or finding.surprise >= best.surprise * 0.5 ** (
            (finding.time_ms - best.time_ms) * fade
        ):
            incident.anomalies[finding.detector] = finding
    event = signal.evidence
    if event is None:
        return
    if all(event.event_id != known.event_id for known in incident.evidence):
        incident.evidence.append(event)
        if len(incident.evidence) > max(1, evidence_events):  # first and newest stay, then the largest
            others = incident.evidence[1:-1] or incident.evidence[1:]
            incident.evidence.remove(min(others, key=lambda known: (known.rows, -known.time_ms)))
    for values, value in (
        (incident.ips, event.ip),
        (incident.user_agents, event.user_agent),
        (incident.apps, event.app),
    ):
        if value is not None and (value in values or len(values) < MAX_VALUES):
            values[value] = values.get(value, 0) + 1


def grow(incident: Incident, signal: Signal, explanation: Explanation) -> None:
    """Enter the rows of a signal that says no more than that there are more of them."""
    _add_part(incident, signal, explanation)
    incident.last_ms = max(incident.last_ms, signal.last_ms)


def categories_taken(incident: Incident) -> list[Category]:
    """The categories of data that the rows belong to."""
    return sorted({category(name) for name in objects_taken(incident) if name != OTHER})


def ranked(incident: Incident, explanations: Explanations) -> list[Anomaly]:
    """The anomalies, the most surprising first; what only ever supports comes last."""
    return sorted(
        incident.anomalies.values(),
        key=lambda anomaly: (
            explanations[anomaly.detector].support is not None, -anomaly.surprise, anomaly.detector,
        ),
    )  # fmt: skip


def rows_taken(incident: Incident) -> int:
    """Rows that left on the incident's days, each counted once.

    Detectors see the same rows from different sides: of each day the side counts that saw the most.
    """
    rows = sum(incident.folded.values()) + sum(part.rows for part in _counted(incident.parts))
    return rows if incident.running_total is None else max(rows, incident.running_total.rows)


def channels_taken(incident: Incident) -> dict[str, int]:
    """Those rows by channel, the most first."""
    rows = dict(incident.folded)
    for part in _counted(incident.parts):
        rows[part.channel] = rows.get(part.channel, 0) + part.rows
    if incident.running_total is not None and incident.running_total.rows > sum(rows.values()):
        return {incident.running_total.channel: incident.running_total.rows}
    return _most_first(rows)


def objects_taken(incident: Incident) -> dict[str, int]:
    """Those rows by kind of record, the most first; under ``*`` those of kinds that are not named."""
    rows = dict(incident.folded_objects)
    for part in _counted(incident.parts):
        _add_all(rows, part.objects)
    if incident.running_total is not None and incident.running_total.rows > sum(rows.values()):
        return _most_first(incident.running_total.objects)
    return _most_first(rows)


def _counted(parts: list[RowCount]) -> list[RowCount]:
    """The parts that count, none of which holds rows of another."""
    sides: dict[int, dict[str, list[RowCount]]] = {}
    for part in parts:
        day = sides.setdefault(part.day, {})
        side = part.detector if part.channel not in TOTAL_CHANNELS else f"{part.detector} as a whole"
        day.setdefault(side, []).append(part)
    return [part for _, day in sorted(sides.items()) for part in max(sorted(day.items()), key=_seen)[1]]


def _seen(side: tuple[str, list[RowCount]]) -> tuple[int, bool]:
    """How much a side saw; of two that saw the same, volume knows best which kinds of record it was."""
    name, parts = side
    return sum(part.rows for part in parts), name.startswith("volume")


def _add_part(incident: Incident, signal: Signal, explanation: Explanation) -> None:
    if signal.day < incident.folded_until or not signal.rows:
        return
    if explanation.many_days or signal.first_ms < (signal.day - 1) * DAY_MS:
        if incident.running_total is None or signal.rows > incident.running_total.rows:
            incident.running_total = RowCount(
                signal.day, signal.detector, signal.channel, signal.rows, signal.objects
            )
        return
    for part in incident.parts:
        if (
            part.day == signal.day
            and part.detector == signal.detector
            and (part.channel == signal.channel or not explanation.by_channel)
        ):
            if signal.rows >= part.rows:
                part.channel = signal.channel
                part.rows = signal.rows
                part.objects = signal.objects
            return
    incident.parts.append(RowCount(signal.day, signal.detector, signal.channel, signal.rows, signal.objects))
    if len(incident.parts) > MAX_PARTS:
        _fold(incident)


def _fold(incident: Incident) -> None:
    """Fold whole days into sums, so that an incident of weeks stays small; the last days are still growing."""
    newest = max(part.day for part in incident.parts)
    for until in (newest - 1, newest):
        old = [part for part in incident.parts if part.day < until]
        for part in _counted(old):
            incident.folded[part.channel] = incident.folded.get(part.channel, 0) + part.rows
            _add_all(incident.folded_objects, part.objects)
        if old:
            incident.parts = [part for part in incident.parts if part.day >= until]
            incident.folded_until = until
        if len(incident.parts) <= MAX_PARTS // 2:
            break
    else:
        incident.parts = _counted(incident.parts)
    least = list(_most_first(incident.folded_objects))[MAX_FOLDED_OBJECTS:]
    rows = sum(incident.folded_objects.pop(name) for name in least)
    if rows:
        _add_all(incident.folded_objects, {OTHER: rows})


def _add_all(rows: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        rows[name] = rows.get(name, 0) + count


def _most_first(rows: dict[str, int]) -> dict[str, int]:
    return dict(sorted(rows.items(), key=lambda item: (-item[1], item[0])))
