"""An incident in full, from its alerts and from what was decided about it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from detector.alert.finding import Finding, read
from detector.alert.ocsf import Activity
from detector.catalogue import SENSITIVITY, Category, category
from detector.decision import Assignment, Decision, Kind, StepMark
from detector.decision_index import DecisionIndex
from detector.event import Operation
from detector.message import Message
from detector.units import MINUTE_MS
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store import incidents
from streams.console.store.alerts import sentences_from
from streams.console.store.decisions import decisions_about
from streams.console.store.incidents import IncidentRow
from streams.console.store.seen_at import seen_elsewhere
from streams.report.chart import Curve, curve, shown_marks
from streams.report.findings import FindingVersion
from streams.report.timeline import Mark, Timeline, TimelineStage

__all__ = ["ChecklistStep", "ExposedCategory", "IncidentView", "incident_view", "withdrawable"]

MOST_VERSIONS = 500
MOST_ROWS = 200
SAMPLE_ROWS = 200
BULK_SHARE = 0.5
BULK_ROWS = 100
"""The first quoted read of so many rows, and of such a share of the largest, is called large."""
BEFORE = 0.15
LEAST_BEFORE_MS = 10 * MINUTE_MS
UNSEEN_SHARE = 0.25
"""If no more than this share of the rows was taken before the first alert, the curve begins shortly before it."""
_RECONNAISSANCE = (Operation.DESCRIBE, Operation.COUNT)


class ExposedCategory(msgspec.Struct, frozen=True):
    """What is known to have been taken of a category of data."""

    category: Category
    rows: int
    objects: tuple[tuple[str, int], ...]


class ChecklistStep(msgspec.Struct, frozen=True):
    """A step of the checklist."""

    id: str
    message: Message
    done: bool
    by: str
    """Who ticked or unticked it last; empty if nobody did."""
    time_ms: int | None


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """All that its page shows."""

    listed: IncidentRow
    incident: Finding
    shares: tuple[ExposedCategory, ...]
    """The categories of which rows were taken, the most first."""
    spared: tuple[Category, ...]
    """The categories of which none are known to have been taken, the most sensitive first."""
    marks: tuple[Mark, ...]
    curve: Curve | None
    bound_rows: int | None
    steps: tuple[ChecklistStep, ...]
    withdrawable: tuple[Decision, ...]
    """The decisions about it that can be taken back, the newest first."""
    origins: Table
    seen_elsewhere: Table
    evidence: Table
    taken: Table
    history: Table
    techniques: Table


def incident_view(db: sqlite3.Connection, uid: str) -> IncidentView | None:
    """The incident of that name; ``None`` if there is none."""
    listed = incidents.incident_by_uid(db, uid)
    if listed is None:
        return None
    row = db.execute("SELECT body FROM incidents WHERE uid = ?", (uid,)).fetchone()
    versions = db.execute(
        "SELECT time_ms, activity, severity, risk, rows, message, arrived_ms FROM versions WHERE uid = ?"
        " ORDER BY time_ms, part, position LIMIT ?",
        (uid, MOST_VERSIONS),
    ).fetchall()
    publications = tuple(
        FindingVersion(one["time_ms"], Activity(one["activity"]), one["severity"], one["rows"])
        for one in versions
    )
    incident = read(row["body"])
    evidence = db.execute(
        "SELECT * FROM evidence WHERE uid = ? ORDER BY time_ms, event LIMIT ?", (uid, MOST_ROWS)
    ).fetchall()
    decisions = decisions_about(db, uid)
    account = _account(incident, publications, evidence)
    shares = _shares(incident)
    return IncidentView(
        listed=listed,
        incident=incident,
        shares=shares,
        spared=tuple(
            kind
            for kind in sorted(Category, key=lambda kind: -SENSITIVITY[kind])
            if kind is not Category.UNCLASSIFIED and all(share.category is not kind for share in shares)
        ),
        marks=tuple(shown_marks(account)),
        curve=curve(incident, account),
        bound_rows=None if incident.bound is None else round(incident.bound.rows),
        steps=_steps(incident, decisions, uid),
        withdrawable=tuple(withdrawable(decisions, uid)),
        origins=_origins(evidence),
        seen_elsewhere=seen_elsewhere(db, uid, evidence),
        evidence=_evidence(evidence),
        taken=_taken(shares),
        history=_history(versions, decisions, incident, uid),
        techniques=_techniques(incident),
    )


def _account(incident: Finding, publications: Sequence[FindingVersion], evidence: Sequence[Any]) -> Timeline:
    """The curve's points and stages, as far as alerts know them.

    Each alert says how many rows were taken by then; before the first, the quoted events say how they began.
    """
    points: list[tuple[int, int]] = []
    first = publications[0] if publications else None
    so_far = 0
    for event in evidence:
        if first is not None and event["time_ms"] is not None and event["time_ms"] <= first.time_ms:
            so_far += max(0, event["rows"] or 0)
            if 0 < so_far <= first.rows:
                points.append((event["time_ms"], so_far))
    for made in publications:
        if made.rows > (points[-1][1] if points else 0):
            time_ms = (
                made.time_ms if made.activity is not Activity.CLOSE else min(made.time_ms, incident.end_ms)
            )
            points.append((max(time_ms, points[-1][0] if points else time_ms), made.rows))
    rows = points[-1][1] if points else 0
    points = _from_where_it_began(points, first)
    bound = incident.bound
    windows: tuple[tuple[int, int, int], ...] = ()
    if bound is not None and points:
        start = max(bound.start_ms, points[0][0] - bound.horizon_ms)
        before = [count for time_ms, count in points if time_ms < start]
        base = before[-1] if before else 0
        windows = ((start, base, base),)
    return Timeline(
        base_ms=incident.start_ms,
        end_ms=max(incident.end_ms, points[-1][0] if points else 0),
        events=len(evidence),
        rows=rows,
        points=tuple(points),
        bound_rows=rows,
        bound_points=tuple(points),
        windows=windows,
        marks=tuple(_marks(incident, publications, evidence, points)),
        origins=(),
        more_origins=0,
        objects=incident.objects,
        unknown_objects=(),
        touched=frozenset(),
        unnamed_reads=0,
        ways=(),
        days=(),
        known_from_ms=None,
        forgotten=0,
    )


def _from_where_it_began(
    points: list[tuple[int, int]], first: FindingVersion | None
) -> list[tuple[int, int]]:
    """Without the days before the first alert, if few rows were taken in them: they would squeeze the curve."""
    if first is None or not points:
        return points
    begin = first.time_ms - max(LEAST_BEFORE_MS, round(BEFORE * (points[-1][0] - first.time_ms)))
    before = [rows for time_ms, rows in points if time_ms < begin]
    if not before or before[-1] > UNSEEN_SHARE * points[-1][1]:
        return points
    return [(begin, before[-1]), *(point for point in points if point[0] >= begin)]


def _marks(
    incident: Finding,
    publications: Sequence[FindingVersion],
    evidence: Sequence[Any],
    points: Sequence[tuple[int, int]],
) -> list[Mark]:
    """Stages from the quoted events, the bound where the curve crosses it, and every alert."""

    def by_then(time_ms: int) -> int | None:
        return next((rows for at, rows in reversed(points) if at <= time_ms), None)

    most = max((event["rows"] or 0 for event in evidence), default=0)
    least = max(BULK_ROWS, BULK_SHARE * most)
    first_ms = points[0][0] if points else 0
    bulk = next(
        (
            event
            for event in evidence
            if (event["rows"] or 0) >= least and (event["time_ms"] or 0) >= first_ms
        ),
        None,
    )
    found: dict[TimelineStage, Mark] = {}
    for event in evidence:
        time_ms, operation, rows = event["time_ms"], event["operation"], event["rows"] or 0
        if time_ms is None or time_ms < first_ms:
            continue
        before = bulk is not None and event["address"] == bulk["address"] and time_ms <= bulk["time_ms"]
        stage = None
        if operation in _RECONNAISSANCE:
            stage = TimelineStage.RECONNAISSANCE
        elif operation == Operation.EXPORT_DELETE:
            stage = TimelineStage.DELETION
        elif operation == Operation.VENDOR_FINDING:
            stage = TimelineStage.VENDOR
        elif rows >= least:
            stage = TimelineStage.BULK
        elif 0 < rows <= SAMPLE_ROWS and before:
            stage = TimelineStage.SAMPLE
        if stage is not None and stage not in found:
            found[stage] = Mark(stage, time_ms, by_then(time_ms), event["address"])
    marks = list(found.values())
    if incident.bound is not None:
        crossed = next((time_ms for time_ms, rows in points if rows > incident.bound.rows), None)
        if crossed is not None:
            marks.append(Mark(TimelineStage.BOUND, crossed, by_then(crossed)))
    seen = 0
    for made in publications:
        if made.activity is Activity.CLOSE:
            continue
        marks.append(
            Mark(
                TimelineStage.UPDATE if seen else TimelineStage.ALERT,
                made.time_ms,
                made.rows,
                severity=max(1, made.severity),
            )
        )
        seen += 1
    return sorted(marks, key=lambda mark: (mark.time_ms, list(TimelineStage).index(mark.stage)))


def _shares(incident: Finding) -> tuple[ExposedCategory, ...]:
    rows: Counter[Category] = Counter()
    for name, count in incident.objects:
        rows[category(name)] += count
    return tuple(
        ExposedCategory(
            kind, count, tuple((name, rows) for name, rows in incident.objects if category(name) is kind)
        )
        for kind, count in rows.most_common()
    )


def withdrawable(index: DecisionIndex, uid: str) -> list[Decision]:
    """The decisions about an incident or its identity that can be withdrawn, the newest first.

    Steps have their own buttons, and an incident that was closed is not opened again.
    """
    return [
        decision
        for decision in reversed(list(index))
        if not decision.withdraws
        and index.withdrawal(decision) is None
        and decision.kind not in (Kind.STEP, Kind.DISPOSITION)
        and (decision.subject.incident == uid or decision.kind in (Kind.MUTE, Kind.EXPECTED))
    ]


def _steps(incident: Finding, decisions: DecisionIndex, uid: str) -> tuple[ChecklistStep, ...]:
    latest: dict[str, Decision] = {}
    for decision in decisions.of_kind(Kind.STEP, uid):
        if isinstance(decision.payload, StepMark):
            latest[decision.payload.step_id] = decision
    steps = []
    for step in incident.steps:
        mark = latest.get(step.id)
        if mark is None or decisions.withdrawal(mark) is not None:
            steps.append(ChecklistStep(step.id, step.message, False, "", None))
        else:
            done = isinstance(mark.payload, StepMark) and mark.payload.done
            steps.append(ChecklistStep(step.id, step.message, done, mark.by, mark.time_ms))
    return tuple(steps)


def _origins(evidence: Sequence[Any]) -> Table:
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for event in evidence:
        key = event["address"], event["network"], event["agent"], event["app"]
        if not any(key):
            continue
        time_ms = event["time_ms"] or 0
        at = found.setdefault(key, [time_ms, time_ms, 0, 0])
        at[0], at[1] = min(at[0], time_ms), max(at[1], time_ms)
        at[2] += event["rows"] or 0
        at[3] += 1
    ordered = sorted(found.items(), key=lambda item: (-item[1][2], item[1][0]))
    return Table(
        "origins",
        "Origins, as quoted by alerts",
        (
            Column("address", "Address", ColumnKind.CODE, page="address"),
            Column("network", "Network", ColumnKind.CODE, page="address"),
            Column("agent", "Program", ColumnKind.TEXT, page="app"),
            Column("app", "App", ColumnKind.CODE, page="app"),
            Column("rows", "Rows", ColumnKind.NUMBER),
            Column("events", "Events", ColumnKind.NUMBER),
            Column("first", "First seen, UTC", ColumnKind.TIME),
            Column("last", "Last seen, UTC", ColumnKind.TIME),
        ),
        tuple((*key, rows, events, first, last) for key, (first, last, rows, events) in ordered),
    )


def _evidence(evidence: Sequence[Any]) -> Table:
    return Table(
        "evidence",
        "Events quoted by alerts",
        (
            Column("time", "Time, UTC", ColumnKind.TIME),
            Column("operation", "Operation", ColumnKind.WORD),
            Column("rows", "Rows", ColumnKind.NUMBER),
            Column("objects", "Objects"),
            Column("identity", "Identity", ColumnKind.CODE, page="identity"),
            Column("address", "Address", ColumnKind.CODE, page="address"),
            Column("agent", "Program"),
            Column("app", "App", ColumnKind.CODE),
            Column("record", "Record", ColumnKind.CODE, page="record", by="event"),
            Column("event", "Event", ColumnKind.CODE, hidden=True),
        ),
        tuple(
            (
                event["time_ms"],
                event["operation"],
                event["rows"],
                ", ".join(msgspec.json.decode(event["objects"])),
                event["identity"],
                event["address"],
                event["agent"],
                event["app"],
                event["record"],
                event["event"],
            )
            for event in evidence
        ),
    )


def _taken(shares: Sequence[ExposedCategory]) -> Table:
    return Table(
        "taken",
        "Rows taken, by category of data and object",
        (
            Column("category", "Data", ColumnKind.WORD),
            Column("object", "Object", ColumnKind.CODE),
            Column("rows", "Rows", ColumnKind.NUMBER),
        ),
        tuple((share.category.value, name, rows) for share in shares for name, rows in share.objects),
    )


def _history(versions: Sequence[Any], decisions: DecisionIndex, incident: Finding, uid: str) -> Table:
    rows: list[tuple[Any, ...]] = []
    for number, version in enumerate(versions):
        what = "alert again" if number else "alert"
        if version["activity"] == Activity.CLOSE:
            what = "closed by the detector"
        figures = version["severity"], version["risk"], version["rows"]
        rows.append(
            (version["time_ms"], what, "crmwatch", *figures, sentences_from(version["message"]), None)
        )
    steps = {step.id: step.message for step in incident.steps}
    for decision in decisions:
        what = str(decision.outcome)
        text: str | tuple[Message | str, ...] = decision.reason
        match decision.payload:
            case StepMark(step, done):
                what = "step taken" if done else "step taken back"
                text = tuple(filter(None, (steps.get(step, step), decision.reason)))
            case Assignment(assignee):
                text = f"→ {assignee} {decision.reason}".strip()
        if decision.withdraws:
            what = f"{decision.kind} withdrawn"
        elif decision.subject.incident != uid:
            what = f"{decision.kind} (identity)"
        rows.append((decision.time_ms, what, decision.by, None, None, None, text, decision.until_ms))
    rows.sort(key=lambda row: row[0], reverse=True)
    return Table(
        "history",
        "History of the incident, newest first",
        (
            Column("time", "Time, UTC", ColumnKind.TIME),
            Column("what", "What", ColumnKind.WORD),
            Column("who", "Who"),
            Column("severity", "Severity", ColumnKind.SEVERITY),
            Column("risk", "Risk", ColumnKind.NUMBER),
            Column("rows", "Rows", ColumnKind.NUMBER),
            Column("text", "Text", ColumnKind.ALERT),
            Column("until", "Until, UTC", ColumnKind.TIME),
        ),
        tuple(rows),
    )


def _techniques(incident: Finding) -> Table:
    return Table(
        "attack",
        "Techniques of MITRE ATT&CK",
        (
            Column("technique", "Technique", ColumnKind.CODE),
            Column("name", "Name"),
            Column("tactics", "Tactics"),
        ),
        tuple(
            (one.uid, one.name, ", ".join(tactic.name for tactic in one.tactics))
            for one in incident.techniques
        ),
    )
