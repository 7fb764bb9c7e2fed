"""What alerts tell of incidents, as the index keeps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from detector.alert.finding import Finding, read
from detector.alert.ocsf import Activity
from detector.trait import network
from streams.console.store.decisions import refresh_decision

__all__ = ["POSITIONS_HEADER", "enter_alert"]

POSITIONS_HEADER = "crmwatch-positions"
"""The header in which an alert's Kafka record says where the quoted records lie."""
_SOURCE = "source"


def enter_alert(db: sqlite3.Connection, record: Any) -> int | None:
    """Enter an alert, and what its incident may be found by; its event time, ``None`` if it is in there already.

    Raises msgspec's errors, `TypeError` or `ValueError` for what is no alert.
    """
    value = record.value
    body = msgspec.json.decode(value)
    if not isinstance(body, dict):
        raise TypeError("an alert is a JSON object")
    positions = _positions(record.headers)
    incident = read(body, positions, ())
    if not incident.uid:
        raise ValueError("an alert without finding_info.uid")
    activity = body.get("activity_id")
    activity = activity if activity in [*Activity] else int(Activity.UPDATE)
    time_ms = _whole(body.get("time"), incident.end_ms)
    added = db.execute(
        "INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            incident.uid,
            blake2b(value, digest_size=16).digest(),
            record.partition,
            record.offset,
            record.timestamp,
            time_ms,
            activity,
            incident.severity,
            incident.risk or 0,
            incident.rows,
            incident.sentence,
        ),
    ).rowcount
    if not added:  # delivered twice
        return None
    own = _part(_part(body, "unmapped"), "crmwatch")
    tenant = str(_part(body, "metadata").get("tenant_uid") or "")
    identity, where = str(own.get("identity") or ""), str(own.get("network") or "")
    db.execute(
        """
        INSERT INTO incidents (uid, tenant, identity, network, source, title, detectors, actor, severity, risk,
            rows, start_ms, end_ms, time_ms, closed, open, body, positions)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
        ON CONFLICT (uid) DO UPDATE SET tenant = excluded.tenant, identity = excluded.identity,
            network = excluded.network, source = excluded.source, title = excluded.title,
            detectors = excluded.detectors, actor = excluded.actor, severity = excluded.severity,
            risk = excluded.risk, rows = excluded.rows, start_ms = excluded.start_ms, end_ms = excluded.end_ms,
            time_ms = excluded.time_ms, closed = excluded.closed, body = excluded.body,
            positions = excluded.positions
        """,
        (
            incident.uid,
            tenant,
            identity,
            where,
            _source(body),
            incident.title,
            " ".join(incident.detectors),
            incident.actor,
            incident.severity,
            incident.risk or 0,
            incident.rows,
            incident.start_ms,
            incident.end_ms,
            time_ms,
            activity == Activity.CLOSE,
            value,
            msgspec.json.encode(positions),
        ),
    )
    _quote(db, incident, tenant)
    _find_by(db, incident, body, tenant, identity, where)
    refresh_decision(db, incident.uid)
    return time_ms


def _quote(db: sqlite3.Connection, incident: Finding, tenant: str) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                incident.uid,
                event.event_id,
                event.time_ms,
                event.operation,
                event.rows,
                msgspec.json.encode(event.objects).decode(),
                f"{tenant}/{event.actor}" if event.actor else "",
                event.ip,
                network(event.ip) if event.ip else "",
                event.user_agent,
                event.app,
                event.position,
            )
            for event in incident.quoted
        ],
    )


def _find_by(
    db: sqlite3.Connection,
    incident: Finding,
    body: Mapping[str, Any],
    tenant: str,
    identity: str,
    where: str,
) -> None:
    found = {("user", name) for name in (*incident.identities, identity, incident.actor)}
    found |= {("address", address) for address in (*incident.addresses, where)}
    found |= {("app", text) for event in incident.quoted for text in (event.app, event.user_agent)}
    found |= {
        ("user", f"{tenant}/{actor}")
        for actor in _part(_part(body, "unmapped"), "crmwatch").get("actors") or ()
    }
    db.executemany(
        "INSERT OR IGNORE INTO terms VALUES (?, ?, ?)",
        [(kind, value, incident.uid) for kind, value in sorted(found) if value],
    )


def _positions(headers: Iterable[tuple[str, bytes | None]] | None) -> dict[str, str]:
    for name, value in headers or ():
        if name == POSITIONS_HEADER and value:
            found = msgspec.json.decode(value)
            if isinstance(found, dict):
                return {str(event): str(where) for event, where in found.items()}
    return {}


def _source(body: Mapping[str, Any]) -> str:
    """``tenant/adapter/operation`` of an incident that is about a source."""
    analyses = body.get("anomaly_analyses")
    for analysis in analyses if isinstance(analyses, list) else ():
        targets = analysis.get("analysis_targets") if isinstance(analysis, dict) else None
        for target in targets if isinstance(targets, list) else ():
            if isinstance(target, dict) and target.get("type") == _SOURCE:
                return str(target.get("name") or "")
    return ""


def _part(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and abs(value) < 1 << 62 else otherwise
