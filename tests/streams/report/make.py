"""Alerts, events and reports, made for the tests of a run's report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from detector.alert.alert import Alert
from detector.alert.finding import Finding
from detector.alert.ocsf import Activity
from detector.event import AccessEvent, ActorKind, Counting, Operation
from detector.settings import Settings
from detector.triage.risk import Severity
from streams.replay.coverage import Coverage
from streams.replay.replay import DeadLetter, Summary
from streams.report import DeadLetters, Findings
from streams.report.page import Report, ReportedIncident
from streams.report.report import settings_used, timelines_of
from streams.report.timeline import Timeline
from streams.report.timelines import Timelines
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event

MINUTE_MS = 60_000
THEFT_MS = START_MS + 9 * DAY_MS + 3 * HOUR_MS
HOME, AWAY = "198.51.100.10", "192.0.2.77"
AGENT = "python-requests/2.32.4"


def body(**changes: Any) -> dict[str, Any]:
    """A finding on an integration that took 6,000 rows within six minutes; `changes` to its top level."""
    return {
        "class_uid": 2004,
        "activity_id": 1,
        "time": THEFT_MS + 4 * MINUTE_MS,
        "start_time": THEFT_MS,
        "end_time": THEFT_MS + 6 * MINUTE_MS,
        "severity_id": 4,
        "risk_score": 71,
        "confidence_score": 60,
        "count": 6000,
        "metadata": {"version": "1.8.0", "tenant_uid": "t"},
        "finding_info": {
            "uid": "crmwatch-1",
            "title": "Unusually many rows by bulk export: sync",
            "desc": "The integration “sync” (u) took out 6,000 rows.",
            "types": ["export", "volume"],
            "attacks": [
                {
                    "version": "19.0",
                    "tactics": [{"uid": "TA0009", "name": "Collection"}],
                    "technique": {"uid": "T1213", "name": "Data from Information Repositories"},
                    "sub_technique": {"uid": "T1213.004", "name": "CRM Software"},
                }
            ],
        },
        "resources": [{"name": "Case", "data": {"rows": 6000, "category": "customer_service"}}],
        "evidences": [
            {
                "uid": "e-1",
                "actor": {"user": {"uid": "u", "name": "sync"}, "app_uid": "0H4"},
                "api": {"operation": "bulk_export"},
                "data": {"time": THEFT_MS + 4 * MINUTE_MS, "rows": 3000, "objects": ["Case"]},
                "src_endpoint": {"ip": AWAY},
                "http_request": {"user_agent": AGENT},
            }
        ],
        "observables": [{"type_id": 2, "value": AWAY}],
        "anomaly_analyses": [
            analysis("bulk_export.rows", 3000, 900, HOUR_MS, THEFT_MS),
            analysis("bulk_export.rows", 6000, 1500, DAY_MS, THEFT_MS - 3 * HOUR_MS),
        ],
        "remediation": {"desc": "1. Ask its owner. 2. Revoke its tokens."},
        "unmapped": {
            "crmwatch": {
                "identity": "t/u",
                "actor_kind": "integration",
                "rows_taken": 6000,
                "warm": True,
                "provisional": False,
            }
        },
    } | changes


def analysis(parameter: str, observed: float, bound: float, horizon_ms: int, start_ms: int) -> dict[str, Any]:
    """What was seen in one window, and at most expected."""
    span = {"duration": horizon_ms, "start_time": start_ms, "end_time": start_ms + horizon_ms}
    return {
        "anomalies": [
            {
                "observation_parameter": parameter,
                "observations": [{"value": str(observed), "timespan": span}],
            }
        ],
        "baselines": [{"observation_type": "bound", "observations": [{"value": str(bound)}]}],
    }


def alert(activity: Activity = Activity.CREATE, uid: str = "crmwatch-1", **changes: Any) -> Alert:
    """An alert with such a body."""
    made = body(**(changes | {"activity_id": int(activity)}))
    made["finding_info"] = made.get("finding_info", {}) | {"uid": uid}
    return Alert(
        uid=uid,
        activity=activity,
        severity=Severity(made["severity_id"]),
        detectors=("volume",),
        time_ms=made["time"],
        sentence="",
        body=msgspec.json.encode(made),
        positions={"e-1": "test log:7"},
    )


def incidents(*alerts: Alert) -> Findings:
    """The collector with these alerts, or with one on the theft."""
    found = Findings()
    for one in alerts or (alert(),):
        found.observe(one)
    return found


def incident(*alerts: Alert) -> Finding:
    """The worst of them."""
    return incidents(*alerts).ranked()[0]


def account(events: Iterable[AccessEvent], *alerts: Alert) -> Timeline:
    """The account of the worst incident."""
    one = incident(*alerts)
    accounts = Timelines([one])
    for made in events:
        accounts.observe(made)
    found = accounts.account(one)
    assert found is not None
    return found


def everyday(days: int = 9) -> list[AccessEvent]:
    """What the integration does: 100 rows of Case in each hour, a nightly job of 500, all from home."""
    events = []
    for hour in range(24 * days):
        at = {"time_ms": START_MS + hour * HOUR_MS, "actor_kind": ActorKind.INTEGRATION, "ip": HOME}
        events.append(event(hour, rows=100, user_agent="sync/1", app="0H4", **at))
        if hour % 24 == 2:
            job = {"operation": Operation.BULK_EXPORT, "rows": 500, "operation_id": f"nightly-{hour}"}
            events.append(event(100_000 + hour, counting=Counting.MAXIMUM, **(at | job)))
    return events


def stolen(start_ms: int = THEFT_MS) -> list[AccessEvent]:
    """A theft in ten steps: login, count, sample, two jobs of 3,000 rows in two states each, both deleted."""

    def step(number: int, minutes: float, operation: Operation, rows: int | None, **more: Any) -> AccessEvent:
        return event(
            900_000 + number,
            time_ms=start_ms + round(minutes * MINUTE_MS),
            actor_kind=ActorKind.INTEGRATION,
            operation=operation,
            rows=rows,
            ip=AWAY,
            user_agent=AGENT,
            **more,
        )

    def job(name: str) -> dict[str, Any]:
        return {"operation_id": name, "counting": Counting.MAXIMUM}

    return [
        step(0, 0, Operation.LOGIN, None, objects=()),
        step(1, 1, Operation.COUNT, None, objects=("User",)),
        step(2, 2, Operation.QUERY, 20, objects=("Contact",)),
        step(3, 3, Operation.BULK_EXPORT, 1000, **job("a")),
        step(4, 4, Operation.BULK_EXPORT, 3000, **job("a")),
        step(5, 4, Operation.BULK_EXPORT, 3000, **job("a")),
        step(6, 5, Operation.EXPORT_DELETE, None),
        step(7, 5.5, Operation.BULK_EXPORT, 1000, **job("b")),
        step(8, 6, Operation.BULK_EXPORT, 3000, **job("b")),
        step(9, 6, Operation.EXPORT_DELETE, None),
    ]


def report(
    events: Iterable[AccessEvent] = (),
    found: Findings | None = None,
    letters: Iterable[DeadLetter] = (),
    **changes: Any,
) -> Report:
    """What a page is made of, from these events and incidents."""
    read = list(events)
    collected = found or Findings()
    coverage, dead = Coverage(), DeadLetters()
    for made in read:
        coverage.observe(made)
    for letter in letters:
        dead.observe(letter)
    given: dict[str, Any] = {
        "paths": ("logs",),
        "made_ms": THEFT_MS + DAY_MS,
        "interrupted": False,
        "reread": True,
        "told": timelines_of(collected.ranked(), read),
        "severities": tuple(collected.severities.values()),
        "summary": Summary(
            records=len(read),
            events=len(read),
            identities=len({made.identity for made in read}),
            first_ms=min((made.time_ms for made in read), default=None),
            last_ms=max((made.time_ms for made in read), default=None),
        ),
        "coverage": coverage,
        "letters": tuple(dead.groups()),
        "settings": settings_used(Settings()),
        "versions": (("crmwatch", "1"),),
    }
    return Report(**(given | changes))


def untold(found: Findings) -> tuple[ReportedIncident, ...]:
    """Findings of which the logs could not be read again."""
    return tuple(ReportedIncident(one, None) for one in found.ranked())
