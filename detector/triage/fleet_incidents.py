"""Incidents that are about no single identity: a network that several are new on, a source, or the tenant's volume."""

from __future__ import annotations

from detector.anomaly import Anomaly
from detector.event import ActorKind
from detector.explanation import Explanation
from detector.fleet.origin import NetworkNewcomers
from detector.fleet.tail import MAX_SURPRISE
from detector.fleet.tenant import Notice
from detector.signal import NewValue, Signal
from detector.triage import incident as incidents
from detector.triage.incident import Incident

__all__ = ["detector_of", "enter_network", "enter_notice", "troubled"]


def detector_of(notice: Notice) -> str:
    """Which of them has something to say of a tenant's volume, or of one of its sources."""
    return "health" if notice.source else "series"


def troubled(tenant: str, notice: Notice) -> Incident:
    """An incident that a notice opens; the notice is still to be entered."""
    return Incident(
        tenant=tenant,
        actor="",
        actor_kind=ActorKind.HUMAN,
        actor_name=None,
        source=notice.source.partition("/")[0],
        opened_ms=notice.time_ms,
        first_ms=notice.since_ms,
        last_ms=notice.time_ms,
        modified_ms=notice.time_ms,
    )


def enter_notice(incident: Incident, notice: Notice) -> None:
    """Enter what is wrong with a source or a volume, and since when."""
    detector = detector_of(notice)
    operation = notice.source.partition("/")[2]
    incident.last_ms = incident.modified_ms = notice.time_ms
    if operation:
        incident.apps[operation] = round(notice.expected)
    incident.anomalies[detector] = Anomaly(
        detector,
        notice.trouble,
        "",
        notice.time_ms,
        notice.since_ms,
        notice.time_ms,
        notice.surprise,
        value=round(notice.observed),
        typical=notice.expected,
    )


def enter_network(
    incident: Incident,
    signal: Signal,
    found: NetworkNewcomers,
    score: float,
    evidence_events: int,
    fade: float,
    explanation: Explanation,
) -> None:
    """Enter who has newly turned up on a network, what left to it, and how surprising that is."""
    finding = Anomaly(
        "origin", "", "", signal.time_ms, signal.first_ms, signal.last_ms, min(score, 2 * MAX_SURPRISE),
        facts={"identities": float(len(found.newcomers))}, rows=signal.rows,
        news=[NewValue("network", found.network, 0.0, 0.0, 0.0, signal.rows)],
    )  # fmt: skip
    incidents.add(incident, signal, finding, evidence_events, fade, explanation)
    for event in found.evidence:
        if event.ip is not None and len(incident.ips) < incidents.MAX_VALUES:
            incident.ips.setdefault(event.ip, 1)
        if event.user_agent is not None and len(incident.user_agents) < incidents.MAX_VALUES:
            incident.user_agents.setdefault(event.user_agent, 1)
    incident.evidence = list(found.evidence[:evidence_events])
    incident.actors = {actor: found.newcomers[actor].rows for actor in sorted(found.newcomers)}
