"""An incident as it is published: an OCSF 1.8.0 Detection Finding (class 2004), with its sentence.

The alert says what happened in the world. Where its records lie (a file and line, a topic and offset) is
beside it, in `Alert.positions`: so the same events give the same alert, byte for byte, whatever brought them
here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from hashlib import blake2b
from ipaddress import ip_address
from typing import Any

import msgspec

from detector.catalogue import Category, category, sensitivity
from detector.event import ActorKind, Operation
from detector.identity.windows import DAY_MS, OTHER_OBJECTS
from detector.signal import Evidence
from detector.triage import risk
from detector.triage.incident import Finding, Incident, channels_left, objects_left, rows_left
from detector.triage.risk import Severity

__all__ = ["OCSF_VERSION", "Activity", "Alert", "build", "incident_risk", "incident_uid"]

OCSF_VERSION = "1.8.0"
PRODUCT = {"name": "crmwatch", "vendor_name": "crmwatch"}
SHOWN_CHARACTERS, SHOWN_AGENT = 60, 40
"""How much of one log field, and of a user agent, a sentence quotes."""
SHOWN_OBJECTS = 3
MANY_ROWS, MANY_SHARE = 20, 0.05
"""Of so many rows, or of such a share of them, a kind of record must be to be the reason why it matters."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:@+-")


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
_SINGLE = {
    Operation.QUERY: "API query",
    Operation.BULK_EXPORT: "bulk export",
    Operation.REPORT: "report",
    Operation.REPORT_EXPORT: "exported report",
    Operation.LIST_VIEW: "list view",
    Operation.RECORD_VIEW: "record view",
    Operation.FILE_DOWNLOAD: "file download",
    Operation.SEARCH: "search",
}
_WHY = {
    Category.CONTACT: "{} hold contact data, which is what phishing is made of",
    Category.CUSTOMER_SERVICE: "{} hold what customers wrote to customer service",
    Category.IDENTITY_DOCUMENTS: "{} hold identity documents",
    Category.PAYMENT: "{} hold payment data",
    Category.CREDENTIALS: "{} hold credentials, which open other systems",
    Category.LOYALTY: "{} hold loyalty accounts, which can be emptied or sold",
    Category.HEALTH: "{} hold health data, a special category of personal data",
    Category.INTERNAL: "{} are the company's own",
    Category.UNCLASSIFIED: "Nobody has said yet what {} hold",
}


def incident_uid(incident: Incident) -> str:
    """The incident's stable name, derived from what it is about: tenant, identity and when it opened."""
    about = f"{incident.tenant}\x1f{incident.actor}\x1f{incident.opened_ms}"
    return "crmwatch-" + blake2b(about.encode("utf-8", "replace"), digest_size=12).hexdigest()


def incident_risk(incident: Incident) -> int:
    """The incident's risk from 0 to 100 as it stands."""
    weight = risk.evidence({name: finding.surprise for name, finding in incident.findings.items()})
    weighed = sorted(
        ((sensitivity((name,)), rows) for name, rows in objects_left(incident).items()), reverse=True
    )
    points = 0
    rows_so_far = 0
    for sensitive, rows in weighed:  # one contact among ten thousand products is not ten thousand contacts
        rows_so_far += rows
        points = max(points, risk.risk(weight, sensitive, rows_so_far))
    return points


def build(incident: Incident, activity: Activity, time_ms: int) -> Alert:
    """The alert that says how the incident stands."""
    points = incident_risk(incident)
    severity = risk.severity(points)
    rows = rows_left(incident)
    findings = _ranked(incident)
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
            "analytic": {
                "type_id": 2,
                "type": "Behavioral",
                "name": findings[0].detector,
                "uid": findings[0].detector,
            },
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
        body=_encoded(body),
        positions={event.event_id: f"{event.adapter} {event.position}" for event in incident.evidence},
    )


def describe(incident: Incident) -> str:
    """Who took out how much, when and from where; what is normal; why it matters and what to do next.

    For somebody tired: about eighty words, what happened first, each sentence one thing, log text in quotes.
    """
    found = _ranked(incident)[0]
    first_step = _steps(incident)[0]
    return (
        f"{_who(incident)} took out {_what(incident)} {_when(incident)}{_where(incident)}."
        f" {_normal(found)}.{_rare(found)}"
        f" {_why(incident)}."
        f" Next: {first_step[0].lower()}{first_step[1:]}"
    )


def _ranked(incident: Incident) -> list[Finding]:
    """The findings, that which explains most first: one above what was to be expected, strange and large."""
    return sorted(
        incident.findings.values(),
        key=lambda found: (
            found.value <= found.bound,
            -risk.risk(found.surprise, 1.0, found.value),
            -found.surprise,
            found.detector,
        ),
    )


def _who(incident: Incident) -> str:
    kind = {
        ActorKind.HUMAN: "The user",
        ActorKind.INTEGRATION: "The integration",
        ActorKind.GUEST: "The guest",
    }
    name = incident.actor_name
    who = f"{_quote(name)} ({_text(incident.actor)})" if name else _text(incident.actor)
    return f"{kind[incident.actor_kind]} {who}"


def _what(incident: Incident) -> str:
    left = objects_left(incident)
    named = [name for name in left if name != OTHER_OBJECTS]
    shown = [f"{_text(name)} {left[name]:,}" for name in named[:SHOWN_OBJECTS]]
    rest = sum(left.values()) - sum(left[name] for name in named[:SHOWN_OBJECTS])
    if shown and rest:
        shown.append(f"others {rest:,}")
    ways = [_DONE.get(Operation(channel), "otherwise") for channel in channels_left(incident)]
    done = " and ".join(ways if len(ways) <= 2 else [ways[0], "in other ways"])
    if len(named) == 1 and not rest:  # "3 rows of Case" rather than "3 rows (Case 3)"
        return f"{_number(rows_left(incident), 'row')} of {_text(named[0])} {done}"
    return f"{_number(rows_left(incident), 'row')}{' (' + ', '.join(shown) + ')' if shown else ''} {done}"


def _when(incident: Incident) -> str:
    (first_day, first), (last_day, last) = _utc(incident.first_ms), _utc(incident.last_ms)
    if first_day != last_day:
        return f"between {first_day} {first} and {last_day} {last} UTC"
    return (
        f"on {first_day} at {first} UTC"
        if first == last
        else f"on {first_day} between {first} and {last} UTC"
    )


def _where(incident: Incident) -> str:
    addresses = _most_seen(incident.ips)
    agents = _most_seen(incident.user_agents)
    where = f", from {_text(addresses[0])}" if addresses else ""
    if len(addresses) > 1:
        where += f" and {_number(len(addresses) - 1, 'other address', 'other addresses')}"
    if agents:
        where += f"{'' if where else ','} with {_quote(agents[0], SHOWN_AGENT)}"
    return where


def _normal(found: Finding) -> str:
    """What its most surprising window had, what is usual, the most to be expected, and whence that is known."""
    typical = max(0, round(found.typical))
    usual = f"about {_about(typical)} {'is' if typical == 1 else 'are'}" if typical else "hardly any are"
    most = _truncated(found.bound)
    # A finding that only supports an alert may lie below; then the most to be expected explains nothing.
    limit = f", at most {most:,} expected" if typical < most < found.value else ""
    span = _span(found)
    if found.detector == "export":
        told = f"In one {_SINGLE.get(Operation(found.channel), 'operation')}"
        usual = f"{usual} usual for an {span}'s largest"
    else:
        told = f"In one {span}"
        usual = f"{usual} usual"
    return f"{told} it was {_number(found.value, 'row')}; {usual}{limit}, {_basis(found, span)}"


def _basis(found: Finding, span: str) -> str:
    if found.warm:
        return f"known from {found.own_windows:,} of its own {span}s"
    known = f"only {found.own_windows:,}" if found.own_windows else "no"
    if found.own_windows <= 1:
        return f"judged by its peers: {known} own {span} is known"
    return f"judged by its peers: {known} own {span}s are known"


def _rare(found: Finding) -> str:
    odds = 10**found.surprise
    return f" About 1 in {_about(odds)} comparable {_span(found)}s reaches this." if odds >= 2 else ""


def _span(found: Finding) -> str:
    return "day" if found.horizon_ms >= DAY_MS else "hour"


def _about(number: float) -> str:
    """Two digits: more would claim more than is known."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _truncated(number: float) -> int:
    """Two digits, never rounded up: what is said to lie above a bound does so as shown, too."""
    whole = max(0, int(number))
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def _why(incident: Incident) -> str:
    """What the most sensitive records hold of which more than a few left."""
    left = objects_left(incident)
    few = min(MANY_ROWS, MANY_SHARE * sum(left.values()))
    many = [name for name, rows in left.items() if rows >= few]
    gravest = max(many, key=lambda name: (sensitivity((name,)), left[name], name), default=OTHER_OBJECTS)
    records = "these records" if gravest == OTHER_OBJECTS else f"{_text(gravest)} records"
    why = _WHY[category(gravest)].format(records)
    return why[0].upper() + why[1:] if gravest == OTHER_OBJECTS else why


def _number(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _most_seen(values: dict[str, int]) -> list[str]:
    return sorted(values, key=lambda value: (-values[value], value))


def _title(incident: Incident, findings: list[Finding]) -> str:
    found = findings[0]
    channel = Operation(found.channel)
    who = _quote(incident.actor_name) if incident.actor_name else _text(incident.actor)
    if found.detector == "export":
        return f"Unusually large {_SINGLE.get(channel, 'operation')} by {who}"
    return f"Unusually many rows {_DONE.get(channel, 'taken out')}: {who}"


def _steps(incident: Incident) -> tuple[str, ...]:
    if incident.actor_kind is ActorKind.INTEGRATION:
        return (
            "Ask the integration's owner whether this was planned; if not, revoke its tokens now.",
            "Block the connected app and the addresses named here.",
            "Rotate the integration's secrets and every secret stored in the records it read.",
            "Keep the logs and establish which records left before anything else is cleaned up.",
        )
    if incident.actor_kind is ActorKind.GUEST:
        return (
            "Close the guest's access to these records until it is known what they are shared for.",
            "Block the addresses named here.",
            "Look for other guests and self-registered users who read the same kinds of record.",
            "Keep the logs and establish which records left before anything else is cleaned up.",
        )
    return (
        "Call the person on a known number; if it was not them, freeze the account.",
        "End its sessions, reset its credentials and MFA and remove connected apps authorised lately.",
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
        result["src_endpoint"] = {"ip" if _is_address(event.ip) else "name": event.ip}
    if event.user_agent is not None:
        result["http_request"] = {"user_agent": event.user_agent}
    return result


def _observables(incident: Incident) -> list[dict[str, Any]]:
    found = [
        {
            "name": "evidences.actor.user.uid",
            "type_id": 31,
            "type": "User Object: uid",
            "value": incident.actor,
        }
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


def _utc(time_ms: int) -> tuple[str, str]:
    """The day and the minute; what lies outside the calendar is shown as its end."""
    seconds = max(-62_135_596_800, min(time_ms // 1000, 253_402_300_799))
    day, minute = (_EPOCH + timedelta(seconds=seconds)).isoformat(" ", "minutes")[:16].split()
    return day, minute


def _quote(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Free text of a log within a sentence, between quotes that it cannot close."""
    return f"“{_clean(text, '“”', most)}”"


def _text(text: str) -> str:
    """An id, an address or a name within a sentence: bare if it is plainly one, otherwise quoted."""
    plain = text and len(text) <= SHOWN_CHARACTERS and text.isascii() and not set(text) - _PLAIN
    return text if plain else _quote(text)


def _clean(text: str, without: str, most: int) -> str:
    """Printable and short; what it may mean to a terminal or a page is up to those."""
    clean = "".join(
        letter if letter.isprintable() and letter not in without else _REPLACED for letter in text[: most + 1]
    )
    return clean if len(clean) <= most else clean[: most - 1] + "…"
