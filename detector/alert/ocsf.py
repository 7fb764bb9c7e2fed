"""An incident as it is published: an OCSF 1.8.0 Detection Finding (class 2004).

The alert says what happened in the world. Where its records lie (a file and line, a topic and offset) is
beside it, in `Alert.positions`: so the same events give the same alert, byte for byte, whatever brought them
here.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import blake2b
from ipaddress import ip_address
from typing import Any

import msgspec

from detector.alert.runbook import attacks, steps
from detector.alert.summary import describe, ranked, title
from detector.catalogue import category, sensitivity
from detector.signal import Evidence
from detector.triage import risk
from detector.triage.incident import Anomaly, Incident, channels_taken, objects_taken, rows_taken
from detector.triage.risk import Severity
from detector.units import DAY_MS, HOUR_MS

__all__ = ["OCSF_VERSION", "Activity", "Alert", "build", "incident_risk", "incident_uid"]

OCSF_VERSION = "1.8.0"
PRODUCT = {"name": "crmwatch", "vendor_name": "crmwatch"}
_REPLACED = "\N{REPLACEMENT CHARACTER}"
MAX_OBSERVABLES = 50


class Activity(IntEnum):
    """OCSF's `activity_id` for a finding."""

    CREATE = 1
    UPDATE = 2
    CLOSE = 3


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert and what is needed to send it on."""

    uid: str
    """The incident's `finding_info.uid`: the same in every update."""
    activity: Activity
    severity: Severity
    detectors: tuple[str, ...]
    time_ms: int
    """Event time at which it fired."""
    sentence: str
    body: bytes
    """The OCSF finding as JSON, keys always in the same order."""
    positions: dict[str, str]
    """Evidence: event id → adapter and position of its record."""


def incident_uid(incident: Incident) -> str:
    """The incident's stable name, derived from what it is about: tenant, identity and when it opened."""
    what = _about(incident)
    if incident.source is not None:  # several things may be wrong with a source at once
        what += "\x1f" + "\x1f".join(sorted(found.channel for found in incident.anomalies.values()))
    about = f"{incident.tenant}\x1f{what}\x1f{incident.opened_ms}"
    return "crmwatch-" + blake2b(about.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _about(incident: Incident) -> str:
    if incident.source is not None:
        return incident.source or "all sources"
    return incident.actor or incident.network


def incident_risk(incident: Incident, time_ms: int, fade: float = 0.0) -> int:
    """The incident's risk from 0 to 100 as it stands at an event time; old evidence has faded."""
    weight = risk.evidence(
        {
            name: finding.surprise * 0.5 ** (max(0, time_ms - finding.time_ms) * fade)
            for name, finding in incident.anomalies.items()
        }
    )
    weighed = sorted(
        ((sensitivity((name,)), rows) for name, rows in objects_taken(incident).items()), reverse=True
    )
    points = risk.risk(weight, 0.0, 0)
    rows_so_far = 0
    for sensitive, rows in weighed:  # one contact among ten thousand products is not ten thousand contacts
        rows_so_far += rows
        points = max(points, risk.risk(weight, sensitive, rows_so_far))
    return points


def build(incident: Incident, activity: Activity, time_ms: int, points: int) -> Alert:
    """The alert that says how the incident stands; `points` is its risk."""
    severity = risk.severity(points)
    rows = rows_taken(incident)
    anomalies = ranked(incident)
    uid = incident_uid(incident)
    sentence = describe(incident, over=activity is Activity.CLOSE)
    body = {
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": int(activity),
        "activity_name": activity.name.capitalize(),
        "type_uid": 200400 + int(activity),
        "time": time_ms,
        "start_time": incident.first_ms,
        "end_time": incident.last_ms,
        "severity_id": int(severity),
        "severity": severity.name.capitalize(),
        "status_id": 4 if activity is Activity.CLOSE else 2 if incident.confirmed else 1,
        **({"status_detail": incident.word} if incident.word else {}),
        "is_alert": True,
        "risk_score": points,
        "confidence_score": _confidence(anomalies, incident.provisional),
        "count": max(1, rows),
        "message": sentence,
        "metadata": {"version": OCSF_VERSION, "product": PRODUCT, "tenant_uid": incident.tenant},
        "finding_info": {
            "uid": uid,
            "title": title(incident),
            "desc": sentence,
            "created_time": incident.opened_ms,
            "modified_time": incident.modified_ms,
            "first_seen_time": incident.first_ms,
            "last_seen_time": incident.last_ms,
            "types": [found.detector for found in anomalies],
            "analytic": {
                "type_id": 2,
                "type": "Behavioral",
                "name": anomalies[0].detector,
                "uid": anomalies[0].detector,
            },
            "attacks": attacks(incident),
        },
        "resources": [
            {"name": name, "type": "CRM object", "data": {"rows": count, "category": category(name).value}}
            for name, count in objects_taken(incident).items()
        ],
        "evidences": [_evidence(incident, event) for event in incident.evidence],
        "observables": _observables(incident),
        "anomaly_analyses": [_analysis(incident, found) for found in anomalies if found.span]
        or [_strangeness(incident, anomalies[0])],
        "remediation": {"desc": " ".join(f"{n}. {step}" for n, step in enumerate(steps(incident), 1))},
        "unmapped": {
            "crmwatch": {
                "identity": f"{incident.tenant}/{incident.actor}" if incident.actor else "",
                "network": incident.network,
                "actors": incident.actors,
                "actor_kind": incident.actor_kind.value,
                "rows_taken": rows,
                "channels": channels_taken(incident),
                "surprise": {found.detector: round(found.surprise, 3) for found in anomalies},
                "news": [
                    {"what": new.what, "value": new.value, "rows": new.rows}
                    for found in anomalies
                    for new in found.news
                ],
                "known_days": incident.known_days,
                "provisional": incident.provisional,
            }
        },
    }
    return Alert(
        uid=uid,
        activity=activity,
        severity=severity,
        detectors=tuple(found.detector for found in anomalies),
        time_ms=time_ms,
        sentence=sentence,
        body=_encoded(body),
        positions={event.event_id: f"{event.adapter} {event.position}" for event in incident.evidence},
    )


def _confidence(anomalies: list[Anomaly], provisional: bool) -> int:
    best = anomalies[0]
    own = min(1.0, best.own_days / 15)
    peers = min(1.0, best.population_days / 300)
    sure = 100 * min(1.0, best.surprise / 5) * (0.4 + 0.3 * own + 0.3 * peers)
    return round(sure * (0.8 if provisional else 1.0))


def _evidence(incident: Incident, event: Evidence) -> dict[str, Any]:
    actor: dict[str, Any] = {}
    if incident.actor:
        name = {"name": incident.actor_name} if incident.actor_name else {}
        actor["user"] = {"uid": incident.actor} | name
    if event.app is not None:
        actor["app_uid"] = event.app
    if event.session is not None:
        actor["session"] = {"uid": event.session}
    result: dict[str, Any] = {
        "uid": event.event_id,
        "api": {"operation": event.operation.value},
        "data": {"time": event.time_ms, "rows": event.rows, "objects": list(event.objects)},
    }
    if actor:
        result["actor"] = actor
    if event.ip is not None:
        result["src_endpoint"] = {"ip" if _is_address(event.ip) else "name": event.ip}
    if event.user_agent is not None:
        result["http_request"] = {"user_agent": event.user_agent}
    return result


def _observables(incident: Incident) -> list[dict[str, Any]]:
    actors = sorted(incident.actors) if incident.network else [incident.actor] if incident.actor else []
    found = [
        {"name": "evidences.actor.user.uid", "type_id": 31, "type": "User Object: uid", "value": actor}
        for actor in actors[:MAX_OBSERVABLES]
    ]
    found += [
        {"name": "evidences.src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": ip}
        for ip in sorted(incident.ips)
        if _is_address(ip)
    ]
    found += [
        {
            "name": "evidences.http_request.user_agent",
            "type_id": 16,
            "type": "HTTP User-Agent",
            "value": agent,
        }
        for agent in sorted(incident.user_agents)
    ]
    return found


def _is_address(text: str) -> bool:
    """Whether it is an IP address; logs have words in its place too (``Salesforce.com IP``)."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _analysis(incident: Incident, found: Anomaly) -> dict[str, Any]:
    channel, _, unit = found.channel.partition(":")
    parameter = f"{channel}.{unit if unit in ('calls', 'kilobytes') else 'rows'}"
    start, end = found.first_ms, found.last_ms
    length = {"hour": HOUR_MS, "day": DAY_MS}.get(found.span)
    if length is not None:  # these begin and end with the clock's
        start = found.time_ms // length * length
        end = start + length
    span = {
        "type_id": 1,
        "type": "Milliseconds",
        "duration": end - start,
        "start_time": start,
        "end_time": end,
    }
    return {
        "analysis_targets": [_target(incident)],
        "anomalies": [
            {
                "observation_parameter": parameter,
                "observation_type": "observed",
                "observations": [{"value": str(found.value), "count": 1, "timespan": span}],
            }
        ],
        "baselines": [
            {
                "observation_parameter": parameter,
                "observation_type": "typical",
                "observations": [{"value": str(round(found.typical)), "count": max(1, found.own_days)}],
            },
            {
                "observation_parameter": parameter,
                "observation_type": "bound",
                "observations": [{"value": str(round(found.bound))}],
            },
        ],
    }


def _target(incident: Incident) -> dict[str, str]:
    if incident.network:
        return {"name": incident.network, "type": "network"}
    about = f"{incident.tenant}/{_about(incident)}"
    return {"name": about, "type": "identity" if incident.source is None else "source"}


def _strangeness(incident: Incident, found: Anomaly) -> dict[str, Any]:
    """The analysis of a finding that is not about a quantity."""
    return {
        "analysis_targets": [_target(incident)],
        "anomalies": [
            {
                "observation_parameter": f"{found.detector}.surprise",
                "observation_type": "observed",
                "observations": [{"value": f"{found.surprise:.3f}", "count": 1}],
            }
        ],
        "baselines": [
            {
                "observation_parameter": f"{found.detector}.surprise",
                "observation_type": "typical",
                "observations": [{"value": "0"}],
            }
        ],
    }


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half of a surrogate pair, which no log in UTF-8 can hold
        return msgspec.json.encode(_valid(body))


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(_REPLACED if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    if isinstance(value, dict):
        return {_valid(key): _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, list) else value
