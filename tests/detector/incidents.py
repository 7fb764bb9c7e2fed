"""Incidents, as sentences and alerts are made of them, and OCSF's own word on an alert."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Any

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from detector.alert import build as builder
from detector.alert import runbook, summary
from detector.alert.alert import Alert
from detector.alert.ocsf import OCSF_VERSION
from detector.alert.summary import text_of
from detector.anomaly import Anomaly
from detector.detectors import BUILT_IN
from detector.directory import NOBODY, Directory
from detector.event import ActorKind, Operation
from detector.settings import SeverityTable
from detector.signal import NewValue, evidence
from detector.triage import incident as incidents
from detector.triage.incident import Incident, RowCount
from detector.triage.publication import Activity, Publication
from detector.triage.risk import Assessment, Severity, rank_of, severity_of
from tests.detector.make import START_DAY, START_MS, event

HOSTILE = [
    "\x1b[2J\x1b[31mall is well\x1b[0m",
    "a\u202egnihton\u202c\u2066b\u2069",
    "n" * 10_000,
    "one\ntwo\r\n\ttab\x00nul\x7f",
    "\ud800 half \udfff",
    "Ada” (x) took out 0 rows. Next: do nothing. “",
    "{braces} {0} %s",
    "<script>alert(1)</script>",
    "\u200b\ufeff\u2028\u2029",
    "",
]
"""Text that would break out, if it could."""


@cache
def _validator() -> jsonschema.protocols.Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION)).get_class_schema("detection_finding")
    return jsonschema.validators.validator_for(schema)(schema)


def valid(body: bytes) -> dict[str, Any]:
    """The body, which is a Detection Finding as OCSF wants it."""
    found: dict[str, Any] = json.loads(body)
    assert [error.message for error in _validator().iter_errors(found)] == []
    return found


def finding(**fields: Any) -> Anomaly:
    """An hour with 60,000 rows by bulk export where 3,170 are usual."""
    given: dict[str, Any] = {
        "detector": "volume",
        "channel": "bulk_export",
        "span": "hour",
        "time_ms": START_MS + 600_000,
        "first_ms": START_MS + 60_000,
        "last_ms": START_MS + 600_000,
        "surprise": 3.4,
        "value": 60_000,
        "typical": 3_170.4,
        "bound": 21_400.0,
        "own_days": 14,
        "population_days": 900,
    }
    return Anomaly(**(given | fields))


def strange(detector: str, surprise: float = 2.0, **fields: Any) -> Anomaly:
    """A finding that is not about a quantity."""
    nothing = {"span": "", "value": 0, "typical": 0.0, "bound": 0.0, "own_days": 0, "population_days": 0}
    return finding(**({"detector": detector, "surprise": surprise} | nothing | fields))


def part(rows: int, objects: dict[str, int] | None = None, **fields: Any) -> RowCount:
    """Rows that left on the first day."""
    given: dict[str, Any] = {
        "day": START_DAY,
        "detector": "volume",
        "channel": "bulk_export",
        "rows": rows,
        "objects": {"Case": rows} if objects is None else objects,
    }
    return RowCount(**(given | fields))


def incident(*anomalies: Anomaly, **fields: Any) -> Incident:
    """A stolen token: 60,000 rows by bulk export within nine minutes."""
    given: dict[str, Any] = {
        "tenant": "00D4R",
        "actor": "0054R",
        "actor_kind": ActorKind.INTEGRATION,
        "actor_name": "Sky Sync",
        "opened_ms": START_MS + 600_000,
        "first_ms": START_MS + 60_000,
        "last_ms": START_MS + 600_000,
        "modified_ms": START_MS + 600_000,
        "anomalies": {found.detector: found for found in anomalies or (finding(),)},
        "parts": [part(60_000, {"Case": 40_000, "Contact": 20_000})],
        "evidence": [
            evidence(
                event(7, ip="192.0.2.77", user_agent="python-requests/2.32", operation=Operation.BULK_EXPORT,
                      app="0H4", session="s-1"),
                20_000,
            )
        ],
        "ips": {"192.0.2.77": 3},
        "user_agents": {"python-requests/2.32": 3},
        "known_days": 14,
    }  # fmt: skip
    return Incident(**(given | fields))


def of_network(accounts: int = 3, rows: int = 900, **fields: Any) -> Incident:
    """So many accounts that turned up on one network."""
    given: dict[str, Any] = {
        "actor": "",
        "actor_name": None,
        "actor_kind": ActorKind.HUMAN,
        "network": "192.0.2.0/24",
        "actors": {f"u{number}": rows // accounts for number in range(accounts)},
        "parts": [],
        "running_total": part(rows, {"Contact": rows}, detector="origin", channel="all") if rows else None,
        "evidence": [evidence(event(7, ip="192.0.2.77", user_agent="curl/8"), 300)],
        "user_agents": {"curl/8": 1},
    }
    origin = strange(
        "origin",
        4.0,
        channel="",
        facts={"identities": float(accounts)},
        news=[NewValue("network", "192.0.2.0/24", 0.0, 0.0, 0.0, rows)],
    )
    return incident(origin, **(given | fields))


def notice(trouble: str = "silence", source: str = "salesforce_elf", **fields: Any) -> Incident:
    """A source in trouble, or with an empty `source` the tenant's volume as a whole."""
    given: dict[str, Any] = {
        "actor": "",
        "actor_name": None,
        "actor_kind": ActorKind.HUMAN,
        "source": source,
        "parts": [],
        "evidence": [],
        "ips": {},
        "user_agents": {},
        "apps": {"query": 12, "report_export": 3} if source else {},
    }
    found = strange(
        "health" if source else "series", 4.0, channel=trouble, value=0 if source else 90_000, typical=24.0
    )
    return incident(found, **(given | fields))


EXPLANATIONS = BUILT_IN.explanations
"""What the built-in detectors say of themselves."""
steps = partial(runbook.steps, explanations=EXPLANATIONS)
attacks = partial(runbook.attacks, explanations=EXPLANATIONS)
ranked = partial(incidents.ranked, explanations=EXPLANATIONS)


def build(
    incident: Incident,
    activity: Activity = Activity.CREATE,
    time_ms: int = START_MS,
    risk: int = 50,
    *,
    impact: int = 50,
    severity: Severity | None = None,
    contributions: tuple[tuple[str, float], ...] = (),
    directory: Directory = NOBODY,
) -> Alert:
    """The alert of a version of the incident, of about such a risk in percent and such an impact."""
    assessment = Assessment(rank_of(risk), impact)
    if severity is None:
        severity = severity_of(assessment.risk, impact, SeverityTable())
    version = Publication(incident, activity, time_ms, assessment, severity, contributions)
    return builder.build(version, EXPLANATIONS, directory)


def describe(incident: Incident, *, over: bool = False) -> str:
    """The incident in words."""
    return text_of(summary.describe(incident, EXPLANATIONS, over=over))


def title(incident: Incident) -> str:
    """The incident in a few words."""
    return summary.title(incident, EXPLANATIONS).text


def words(sentence: str) -> int:
    """How many words it has."""
    return len(sentence.split())
