"""Incidents as lists show them, and the questions that lists answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from detector.message import Message
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store.alerts import title_from

__all__ = ["IncidentRow", "about", "by_severity", "clocks", "found_by", "incident_table", "open_incidents"]

_COLUMNS = (
    "uid, tenant, identity, network, source, title, detectors, actor, severity, risk, rows, start_ms, end_ms, time_ms,"
    " closed, acknowledged_ms, acknowledged_by, assignee, confirmed_ms, aware_ms, deadline_ms, notified_ms,"
    " muted_until_ms, ended_ms, ended_as, open"
)
_BY_RISK = "ORDER BY risk DESC, severity DESC, time_ms DESC, uid"


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as its newest alert has it, and what has been decided about it."""

    uid: str
    tenant: str
    identity: str
    network: str
    source: str
    title: Message
    detectors: str
    actor: str
    severity: int
    risk: int
    rows: int
    start_ms: int
    end_ms: int
    time_ms: int
    closed: bool
    """Whether the detector has closed it."""
    acknowledged_ms: int | None
    acknowledged_by: str
    assignee: str
    confirmed_ms: int | None
    aware_ms: int | None
    """When the organisation became aware of the breach, as somebody entered it."""
    deadline_ms: int | None
    """By when the authority must be notified of the breach, or had to be; the latest possible without `aware_ms`."""
    notified_ms: int | None
    """When somebody recorded that the authority was notified, or need not be."""
    muted_until_ms: int | None
    ended_ms: int | None
    """When an operator ended it, which the detector follows."""
    ended_as: str
    """The outcome by which it was ended, or ``expected``."""
    open: bool

    @property
    def due(self) -> bool:
        """Whether the authority is still to be notified, however the incident itself has ended."""
        return self.deadline_ms is not None and self.notified_ms is None

    def muted(self, now_ms: int) -> bool:
        """Whether nothing is published about it at present."""
        return self.muted_until_ms is not None and now_ms < self.muted_until_ms


def open_incidents(db: sqlite3.Connection, most: int) -> list[IncidentRow]:
    """Those that are open, the greatest risk first."""
    return _select(db, f"WHERE open {_BY_RISK} LIMIT ?", (most,))


def clocks(db: sqlite3.Connection) -> list[IncidentRow]:
    """Breaches of which the authority is still to be notified, the one whose time ends first."""
    return _select(
        db, "WHERE deadline_ms IS NOT NULL AND notified_ms IS NULL ORDER BY deadline_ms, uid LIMIT 50", ()
    )


def by_severity(db: sqlite3.Connection) -> dict[int, int]:
    """How many open incidents there are of each severity, the worst first."""
    return dict(
        db.execute(
            "SELECT severity, count(*) FROM incidents WHERE open GROUP BY severity ORDER BY severity DESC"
        ).fetchall()
    )


def incident_by_uid(db: sqlite3.Connection, uid: str) -> IncidentRow | None:
    """The incident of that name."""
    return next(iter(_select(db, "WHERE uid = ?", (uid,))), None)


def about(db: sqlite3.Connection, identity: str, most: int) -> list[IncidentRow]:
    """Those of an identity, the newest first, and those about a network that it was seen on."""
    return _select(
        db,
        "WHERE identity = ? OR uid IN (SELECT uid FROM terms WHERE kind = 'user' AND value = ?)"
        " ORDER BY open DESC, time_ms DESC, uid LIMIT ?",
        (identity, identity, most),
    )


def found_by(
    db: sqlite3.Connection,
    terms: dict[str, str],
    since_ms: int | None,
    until_ms: int | None,
    most: int,
    *,
    open_only: bool = False,
) -> tuple[list[IncidentRow], int]:
    """Those in which each text is part of a term of its kind (or of ``any``), in a span of time; and how many more."""
    conditions: list[str] = []
    values: list[str | int] = []
    for kind, text in terms.items():
        if kind == "uid":
            conditions.append("instr(uid, ?)")
            values.append(text)
        elif kind == "any":
            conditions.append("uid IN (SELECT uid FROM terms WHERE instr(lower(value), lower(?)))")
            values.append(text)
        else:
            conditions.append(
                "uid IN (SELECT uid FROM terms WHERE kind = ? AND instr(lower(value), lower(?)))"
            )
            values += [kind, text]
    if since_ms is not None:
        conditions.append("end_ms >= ?")
        values.append(since_ms)
    if until_ms is not None:
        conditions.append("start_ms < ?")
        values.append(until_ms)
    if open_only:
        conditions.append("open")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    (count,) = db.execute(f"SELECT count(*) FROM incidents {where}", values).fetchone()  # noqa: S608 - values are bound
    rows = _select(db, f"{where} ORDER BY time_ms DESC, uid LIMIT ?", (*values, most))
    return rows, max(0, count - len(rows))


def incident_table(name: str, caption: str, incidents: Iterable[IncidentRow], more: int = 0) -> Table:
    """A table of incidents."""
    return Table(
        name,
        caption,
        (
            Column("severity", "Severity", ColumnKind.SEVERITY),
            Column("risk", "Risk", ColumnKind.NUMBER),
            Column("title", "Incident", page="incident", by="uid"),
            Column("identity", "Identity", ColumnKind.CODE, page="identity"),
            Column("rows", "Rows", ColumnKind.NUMBER),
            Column("since", "Since, UTC", ColumnKind.TIME),
            Column("last", "Last alert, UTC", ColumnKind.TIME),
            Column("state", "State", ColumnKind.WORD),
            Column("uid", "Name", ColumnKind.CODE, hidden=True),
            Column("assignee", "Assigned to", hidden=True),
            Column("confirmed", "Confirmed, UTC", ColumnKind.TIME, hidden=True),
            Column("aware", "Aware since, UTC", ColumnKind.TIME, hidden=True),
            Column("deadline", "Notify by, UTC", ColumnKind.TIME, hidden=True),
            Column("notified", "Notified, UTC", ColumnKind.TIME, hidden=True),
        ),
        tuple(
            (
                found.severity,
                found.risk,
                found.title,
                found.identity or found.network or found.source,
                found.rows,
                found.start_ms,
                found.time_ms,
                state(found),
                found.uid,
                found.assignee,
                found.confirmed_ms,
                found.aware_ms,
                found.deadline_ms,
                found.notified_ms,
            )
            for found in incidents
        ),
        more,
    )


def state(found: IncidentRow) -> str:
    """How it stands, in one of our words."""
    if not found.open:
        if found.due:
            return "due"
        return found.ended_as or "closed"
    if found.confirmed_ms is not None:
        return "breach"
    return "acknowledged" if found.acknowledged_ms is not None else "new"


def _select(db: sqlite3.Connection, rest: str, values: tuple[Any, ...]) -> list[IncidentRow]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM incidents {rest}", values)  # noqa: S608 - values are bound
    return [
        IncidentRow(
            **{
                **dict(row),
                "title": title_from(row["title"]),
                "closed": bool(row["closed"]),
                "open": bool(row["open"]),
            }
        )
        for row in rows.fetchall()
    ]
