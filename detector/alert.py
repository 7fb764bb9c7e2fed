"""An incident as it is published: an OCSF 1.8.0 Detection Finding (class 2004), with its sentence.

The alert says what happened in the world. Where its records lie (a file and line, a topic and offset) is beside
it, in `Alert.positions`: so the same events give the same alert, byte for byte, whatever brought them here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from hashlib import blake2b
from typing import Any

import msgspec

from detector.catalogue import Category, category, sensitivity
from detector.event import ActorKind, Operation
from detector.identity.windows import DAY_MS
from detector.signal import Evidence
from detector.triage import risk
from detector.triage.incident import Finding, Incident, objects_left, rows_left
from detector.triage.risk import Severity

__all__ = ["OCSF_VERSION", "Activity", "Alert", "build", "incident_risk", "incident_uid"]

OCSF_VERSION = "1.8.0"
PRODUCT = {"name": "crmwatch", "vendor_name": "crmwatch"}
SHOWN_CHARACTERS = 120
"""How much of one log field a sentence quotes."""


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


_TACTIC_COLLECTION = {"uid": "TA0009", "name": "Collection"}
_TACTIC_EXFILTRATION = {"uid": "TA0010", "name": "Exfiltration"}
_CRM = {
    "version": "19.0",
    "tactics": [_TACTIC_COLLECTION],
    "technique": {"uid": "T1213", "name": "Data from Information Repositories"},
    "sub_technique": {"uid": "T1213.004", "name": "Customer Relationship Management Software"},
}
_AUTOMATED = {
    "version": "19.0",
    "tactics": [_TACTIC_EXFILTRATION],
    "technique": {"uid": "T1020", "name": "Automated Exfiltration"},
}
_WEB_SERVICE = {
    "version": "19.0",
    "tactics": [_TACTIC_EXFILTRATION],
    "technique": {"uid": "T1567", "name": "Exfiltration Over Web Service"},
}
_PROGRAMMATIC = {Operation.QUERY, Operation.BULK_EXPORT}

_DONE = {
    Operation.QUERY: "by API query",
    Operation.BULK_EXPORT: "by bulk export",
    Operation.REPORT: "in reports",
    Operation.REPORT_EXPORT: "by exporting reports",
    Operation.LIST_VIEW: "in list views",
    Operation.RECORD_VIEW: "by opening records",
    Operation.FILE_DOWNLOAD: "by downloading files",
    Operation.SEARCH: "by searching",
}
_WHY = {
    Category.CONTACT: "they hold how to reach customers, which is what phishing is made of",
    Category.CUSTOMER_SERVICE: "they hold what customers wrote to customer service",
    Category.IDENTITY_DOCUMENTS: "they hold identity documents",
    Category.PAYMENT: "they hold payment data",
    Category.CREDENTIALS: "they hold credentials, which open other systems",
    Category.LOYALTY: "they hold loyalty accounts, which can be emptied or sold",
    Category.HEALTH: "they hold health data, a special category of personal data",
    Category.INTERNAL: "what they hold is the company's own",
    Category.UNCLASSIFIED: "nobody has said yet what they hold",
}


def incident_uid(incident: Incident) -> str:
    """The incident's stable name, derived from what it is about: tenant, identity and when it opened."""
    about = f"{incident.tenant}\x1f{incident.actor}\x1f{incident.opened_ms}"
    return "crmwatch-" + blake2b(about.encode("utf-8", "replace"), digest_size=12).hexdigest()


def incident_risk(incident: Incident) -> int:
    """The incident's risk from 0 to 100 as it stands."""
    weight = risk.evidence({name: finding.surprise for name, finding in incident.findings.items()})
    return risk.risk(weight, sensitivity(tuple(objects_left(incident))), rows_left(incident))


def build(incident: Incident, activity: Activity, time_ms: int) -> Alert:
    """The alert that says how the incident stands."""
    points = incident_risk(incident)
    severity = risk.severity(points)
    rows = rows_left(incident)
    findings = sorted(incident.findings.values(), key=lambda found: (-found.surprise, found.detector))
    uid = incident_uid(incident)
    sentence = describe(incident)
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
        "status_id": 4 if activity is Activity.CLOSE else 1,
        "is_alert": True,
        "risk_score": points,
        "confidence_score": _confidence(findings, incident.provisional),
        "count": max(1, rows),
        "message": sentence,
        "metadata": {"version": OCSF_VERSION, "product": PRODUCT, "tenant_uid": incident.tenant},
        "finding_info": {
            "uid": uid,
            "title": _title(incident, findings),
            "desc": sentence,
            "created_time": incident.opened_ms,
            "modified_time": incident.modified_ms,
            "first_seen_time": incident.first_ms,
            "last_seen_time": incident.last_ms,
            "types": [found.detector for found in findings],
            "analytic": {"type_id": 2, "type": "Behavioral", "name": findings[0].detector, "uid": findings[0].detector},
            "attacks": _attacks(incident),
        },
        "resources": [
            {"name": name, "type": "CRM object", "data": {"rows": count, "category": category(name).value}}
            for name, count in objects_left(incident).items()
        ],
        "evidences": [_evidence(incident, event) for event in incident.evidence],
        "observables": _observables(incident),
        "anomaly_analyses": [_analysis(incident, found) for found in findings],
        "remediation": {"desc": " ".join(f"{n}. {step}" for n, step in enumerate(_steps(incident), 1))},
        "unmapped": {
            "crmwatch": {
                "identity": f"{incident.tenant}/{incident.actor}",
                "actor_kind": incident.actor_kind.value,
                "rows_left": rows,
                "surprise": {found.detector: round(found.surprise, 3) for found in findings},
                "warm": all(found.warm for found in findings),
                "provisional": incident.provisional,
            }
        },
    }
    return Alert(
        uid=uid,
        activity=activity,
        severity=severity,
        detectors=tuple(found.detector for found in findings),
        time_ms=time_ms,
        sentence=sentence,
        body=msgspec.json.encode(body),
        positions={event.event_id: f"{event.adapter} {event.position}" for event in incident.evidence},
    )


def describe(incident: Incident) -> str:
    """What happened, how much, what was normal, since when, from where and why it matters, in one breath."""
    findings = sorted(incident.findings.values(), key=lambda found: (-found.surprise, found.detector))
    found = findings[0]
    left = objects_left(incident)
    named = [f"{name} {count:,}" for name, count in left.items() if name != "*"][:4]
    what = f" ({', '.join(named)})" if named else ""
    places = [f"from {_quote(ip)}" for ip in sorted(incident.ips)[:2]]
    agents = [f"with {_quote(agent)}" for agent in sorted(incident.user_agents)[:1]]
    origin = " ".join(places[:1] + ([f"and {len(incident.ips) - 1} more"] if len(incident.ips) > 1 else []) + agents)
    span = "day" if found.horizon_ms >= DAY_MS else "hour"
    thing = "operation" if found.detector == "export" else span
    doing = _DONE.get(Operation(found.channel), found.channel)
    normal = f"its usual {thing} is {max(0, round(found.typical)):,} rows and at most {round(found.bound):,} were expected"
    known = (
        f"learned from {found.own_windows} of its own {span}s"
        if found.warm
        else f"it is little known ({found.own_windows} {span}s), so this is what its peers do"
    )
    rare = f"1 in {round(10**found.surprise):,}"
    sensitive = max(left, key=lambda name: (sensitivity((name,)), name), default="*")
    return (
        f"{_who(incident)} took out {rows_left(incident):,} rows{what} {doing}"
        f" between {_utc(incident.first_ms)} and {_utc(incident.last_ms)} UTC"
        f"{' ' + origin if origin else ''}: {found.value:,} in one {thing}, where {normal} ({known});"
        f" so much is seen in about {rare} windows of comparable accounts."
        f" It matters because of {'these records' if sensitive == '*' else _quote(sensitive)}:"
        f" {_WHY[category(sensitive)]}."
        f" Next: {_steps(incident)[0][0].lower()}{_steps(incident)[0][1:]}"
    )


def _who(incident: Incident) -> str:
    kind = {ActorKind.HUMAN: "The user", ActorKind.INTEGRATION: "The integration", ActorKind.GUEST: "The guest"}
    name = incident.actor_name
    who = f"{_quote(name)} ({_quote(incident.actor)})" if name else _quote(incident.actor)
    return f"{kind[incident.actor_kind]} {who}"


def _title(incident: Incident, findings: list[Finding]) -> str:
    what = "Bulk export" if findings[0].detector == "export" else "Unusual query volume"
    return f"{what} by {_quote(incident.actor_name or incident.actor)}"


def _steps(incident: Incident) -> tuple[str, ...]:
    if incident.actor_kind is ActorKind.INTEGRATION:
        return (
            "Ask the integration's owner whether this was planned, and if not, revoke its tokens now.",
            "Block the connected app and the addresses named here.",
            "Rotate the integration's secrets and every secret stored in the records it read.",
            "Keep the logs and establish which records left before anything else is cleaned up.",
        )
    return (
        "Call the person on a known number, and if it was not them, freeze the account and end its sessions.",
        "Reset its credentials and MFA and remove connected apps authorised lately.",
        "Look for other accounts seen from the addresses named here.",
        "Keep the logs and establish which records left before anything else is cleaned up.",
    )


def _attacks(incident: Incident) -> list[dict[str, Any]]:
    channels = {Operation(found.channel) for found in incident.findings.values()}
    attacks = [_CRM]
    if channels & _PROGRAMMATIC:
        attacks.append(_AUTOMATED)
    if Operation.BULK_EXPORT in channels or Operation.REPORT_EXPORT in channels:
        attacks.append(_WEB_SERVICE)
    return attacks


def _confidence(findings: list[Finding], provisional: bool) -> int:
    best = findings[0]
    own = min(1.0, best.own_windows / 30)
    peers = min(1.0, best.population_windows / 300)
    sure = 100 * min(1.0, best.surprise / 5) * (0.4 + 0.3 * own + 0.3 * peers)
    return round(sure * (0.8 if provisional else 1.0))


def _evidence(incident: Incident, event: Evidence) -> dict[str, Any]:
    user = {"uid": incident.actor} | ({"name": incident.actor_name} if incident.actor_name else {})
    actor: dict[str, Any] = {"user": user}
    if event.app is not None:
        actor["app_uid"] = event.app
    if event.session is not None:
        actor["session"] = {"uid": event.session}
    result: dict[str, Any] = {
        "uid": event.event_id,
        "actor": actor,
        "api": {"operation": event.operation.value},
        "data": {"time": event.time_ms, "rows": event.rows, "objects": list(event.objects)},
    }
    if event.ip is not None:
        result["src_endpoint"] = {"ip": event.ip}
    if event.user_agent is not None:
        result["http_request"] = {"user_agent": event.user_agent}
    return result


def _observables(incident: Incident) -> list[dict[str, Any]]:
    found = [
        {"name": "evidences.actor.user.uid", "type_id": 31, "type": "User Credential ID", "value": incident.actor}
    ]
    found += [
        {"name": "evidences.src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": ip}
        for ip in sorted(incident.ips)
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


def _analysis(incident: Incident, found: Finding) -> dict[str, Any]:
    parameter = f"{found.channel}.rows"
    span = {
        "type_id": 1,
        "type": "Milliseconds",
        "duration": found.horizon_ms,
        "start_time": found.start_ms,
        "end_time": found.start_ms + found.horizon_ms,
    }
    return {
        "analysis_targets": [{"name": f"{incident.tenant}/{incident.actor}", "type": "identity"}],
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
                "observations": [{"value": str(round(found.typical)), "count": max(1, found.own_windows)}],
            },
            {
                "observation_parameter": parameter,
                "observation_type": "bound",
                "observations": [{"value": str(round(found.bound))}],
            },
        ],
    }


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _quote(text: str) -> str:
    """Log text within a sentence: printable and short; what it may mean to a terminal or a page is up to those."""
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return clean if len(clean) <= SHOWN_CHARACTERS else clean[: SHOWN_CHARACTERS - 1] + "…"
