"""Alerts, events and reports, made for the tests of a run's report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from detector.alert.alert import Alert, alert_of
from detector.alert.finding import Finding, read
from detector.alert.ocsf import Activity
from detector.anomaly import Anomaly
from detector.event import AccessEvent, ActorKind, Counting, Operation
from detector.settings import Settings
from detector.signal import Evidence, Span
from detector.triage.incident import Incident, RowCount
from detector.triage.risk import Severity
from streams.replay.coverage import Coverage
from streams.replay.replay import DeadLetter, Summary
from streams.report import DeadLetters, Findings
from streams.report.findings import FindingHistory
from streams.report.page import Report, ReportedIncident
from streams.report.report import settings_used, timelines_of
from streams.report.timeline import Timeline
from streams.report.timelines import Timelines
from tests.detector.incidents import build
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event

MINUTE_MS = 60_000
THEFT_MS = START_MS + 9 * DAY_MS + 3 * HOUR_MS
HOME, AWAY = "198.51.100.10", "192.0.2.77"
AGENT = "python-requests/2.32.4"


def stolen_token() -> Incident:
    """An integration that took 6,000 rows of Case by two bulk exports, where 1,500 a day are its bound."""
    return Incident(
        tenant="t",
        actor="u",
        actor_kind=ActorKind.INTEGRATION,
        actor_name="sync",
        opened_ms=THEFT_MS + 4 * MINUTE_MS,
        first_ms=THEFT_MS,
        last_ms=THEFT_MS + 6 * MINUTE_MS,
        modified_ms=THEFT_MS + 4 * MINUTE_MS,
        anomalies={
            "export": _anomaly("export", Span.OPERATION, 4.0, 3_000, 900.0),
            "volume": _anomaly("volume", Span.DAY, 3.4, 6_000, 1_500.0),
        },
        parts=[RowCount(THEFT_MS // DAY_MS, "volume", "bulk_export", 6_000, {"Case": 6_000})],
        evidence=[
            Evidence(
                "e-1", THEFT_MS + 4 * MINUTE_MS, Operation.BULK_EXPORT, 3_000, ("Case",), AWAY, AGENT, "0H4",
                None, None, "test", "log:7",
            )
        ],
        ips={AWAY: 2},
        user_agents={AGENT: 2},
        apps={"0H4": 2},
        known_days=9,
    )  # fmt: skip


def _anomaly(detector: str, span: Span, surprise: float, value: int, bound: float) -> Anomaly:
    at_ms = THEFT_MS + 4 * MINUTE_MS
    return Anomaly(
        detector, "bulk_export", span, at_ms, THEFT_MS, at_ms, surprise, value=value, typical=410.0, bound=bound,
        own_days=9, population_days=120, rows=value,
    )  # fmt: skip


def body(**changes: Any) -> dict[str, Any]:
    """The alert on `stolen_token` as the detector writes it, as JSON, under a short name, with changes."""
    written = build(stolen_token(), Activity.CREATE, THEFT_MS + 4 * MINUTE_MS, 71, severity=Severity.HIGH)
    value = msgspec.json.decode(written.body, type=dict[str, Any])
    value["finding_info"]["uid"] = "crmwatch-1"
    return _changed(value, changes)


def _changed(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Objects within objects are changed, too; everything else is replaced."""
    inner = {
        name: _changed(value[name], change)
        for name, change in changes.items()
        if name in ("finding_info", "unmapped", "crmwatch", "metadata") and isinstance(change, dict)
    }
    return value | changes | inner


def analysis(parameter: str, observed: float, bound: float, horizon_ms: int, start_ms: int) -> dict[str, Any]:
    """What was seen in one window, and at most expected."""
    span = {
        "type_id": 1, "type": "Milliseconds", "duration": horizon_ms,
        "start_time": start_ms, "end_time": start_ms + horizon_ms,
    }  # fmt: skip
    about = {"observation_parameter": parameter}
    return {
        "analysis_targets": [{"name": "t/u", "type": "identity"}],
        "anomalies": [
            about
            | {"observation_type": "observed", "observations": [{"value": str(observed), "timespan": span}]}
        ],
        "baselines": [about | {"observation_type": "bound", "observations": [{"value": str(bound)}]}],
    }


def alert(activity: Activity = Activity.CREATE, uid: str = "crmwatch-1", **changes: Any) -> Alert:
    """An alert with such a body."""
    changed = body(**(changes | {"activity_id": int(activity)}))
    changed["finding_info"] |= {"uid": uid}
    return alert_of(read(msgspec.json.encode(changed)), {"e-1": "test log:7"})


def incidents(*alerts: Alert) -> Findings:
    """The collector with these alerts, or with one on the theft."""
    found = Findings()
    for one in alerts or (alert(),):
        found.observe(one)
    return found


def history(*alerts: Alert) -> FindingHistory:
    """The worst of them, with all that was published of it."""
    return incidents(*alerts).ranked()[0]


def incident(*alerts: Alert) -> Finding:
    """The worst of them."""
    return history(*alerts).finding


def account(events: Iterable[AccessEvent], *alerts: Alert) -> Timeline:
    """The account of the worst incident."""
    one = history(*alerts)
    accounts = Timelines([one])
    for made in events:
        accounts.observe(made)
    found = accounts.account(one.finding)
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
