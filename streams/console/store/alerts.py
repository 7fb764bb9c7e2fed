"""What alerts tell of incidents, as the index keeps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from detector.alert.finding import Finding, read
from detector.message import Message
from detector.trait import network
from streams.console.store.decisions import refresh_decision
from streams.kafka.messages import POSITIONS_HEADER

__all__ = ["enter_alert", "sentences_from", "title_from"]


_title = msgspec.json.Decoder(Message)
_sentences = msgspec.json.Decoder(tuple[Message, ...])


def title_from(text: str) -> Message:
    """The title of an alert, as the index keeps it."""
    return _title.decode(text)


def sentences_from(text: str) -> tuple[Message, ...]:
    """What an alert says, as the index keeps it."""
    return _sentences.decode(text)


def enter_alert(db: sqlite3.Connection, record: Any) -> int | None:
    """Enter an alert, and what its incident may be found by; its event time, ``None`` if it is in there already.

    Raises `FindingError` for what is no alert, and msgspec's errors for bad positions.
    """
    value = record.value
    finding = read(value)
    positions = _positions(record.headers)
    added = db.execute(
        "INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            finding.uid,
            blake2b(value, digest_size=16).digest(),
            record.partition,
            record.offset,
            record.timestamp,
            finding.time_ms,
            finding.activity,
            finding.severity,
            finding.risk,
            finding.rows,
            msgspec.json.encode(finding.extension.summary).decode(),
        ),
    ).rowcount
    if not added:  # delivered twice
        return None
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
            finding.uid,
            finding.tenant,
            finding.extension.identity,
            finding.extension.network,
            finding.source,
            msgspec.json.encode(finding.extension.title).decode(),
            " ".join(finding.detectors),
            finding.actor,
            finding.severity,
            finding.risk,
            finding.rows,
            finding.start_ms,
            finding.end_ms,
            finding.time_ms,
            finding.closed,
            value,
            msgspec.json.encode(positions),
        ),
    )
    _quote(db, finding, positions)
    _find_by(db, finding)
    refresh_decision(db, finding.uid)
    return finding.time_ms


def _quote(db: sqlite3.Connection, finding: Finding, positions: Mapping[str, str]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                finding.uid,
                event.uid,
                event.data.time,
                event.api.operation,
                event.data.rows,
                msgspec.json.encode(event.data.objects).decode(),
                f"{finding.tenant}/{event.account}" if event.account else "",
                event.address,
                network(event.address) if event.address else "",
                event.user_agent,
                event.app,
                positions.get(event.uid, ""),
            )
            for event in finding.evidences
        ],
    )


def _find_by(db: sqlite3.Connection, finding: Finding) -> None:
    terms = {
        ("user", name) for name in (*finding.identities, finding.actor, *finding.extension.names.values())
    }
    terms |= {("address", address) for address in (*finding.addresses, finding.extension.network)}
    terms |= {("app", text) for event in finding.evidences for text in (event.app, event.user_agent)}
    db.executemany(
        "INSERT OR IGNORE INTO terms VALUES (?, ?, ?)",
        [(kind, value, finding.uid) for kind, value in sorted(terms) if value],
    )


def _positions(headers: Iterable[tuple[str, bytes | None]] | None) -> dict[str, str]:
    for name, value in headers or ():
        if name == POSITIONS_HEADER and value:
            found = msgspec.json.decode(value)
            if isinstance(found, dict):
                return {str(event): str(where) for event, where in found.items()}
    return {}
