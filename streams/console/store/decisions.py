"""Operators' decisions in the index, and what they make of the incidents in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from detector import decision as decisions
from detector.decision import Assignment, Decision, DecisionSubject, Kind
from detector.decision_index import DecisionIndex, precedes
from detector.mute import cut
from detector.response.clock import deadline

__all__ = ["decisions_about", "enter_decision", "prune_decisions", "refresh_decision", "stored_decisions"]

_stored = msgspec.json.Decoder(Decision)


def enter_decision(
    db: sqlite3.Connection, record: Any, *, signed: bool = False, longest_mute_days: int
) -> None:
    """Enter a decision, and what it changes about incidents. Raises `DecisionError`."""
    decision = decisions.decode(record.value or b"")
    decisions.check_role(decision, stated=signed)
    decision = cut(decision, longest_mute_days)
    known = db.execute("SELECT body FROM decisions WHERE id = ?", (decision.id,)).fetchone()
    if known is not None and not precedes(decision, _stored.decode(known[0])):  # delivered twice
        return
    subject = decision.subject
    db.execute(
        "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            decision.id,
            decision.kind.value,
            decision.time_ms,
            subject.incident,
            subject.identity,
            decision.withdraws,
            decision.until_ms,
            decisions.encode(decision),
        ),
    )
    if subject.incident:
        refresh_decision(db, subject.incident)
    if subject.identity:
        incidents = db.execute("SELECT uid FROM incidents WHERE identity = ?", (subject.identity,))
        for (uid,) in incidents.fetchall():
            refresh_decision(db, uid)


def stored_decisions(db: sqlite3.Connection, kinds: Collection[Kind]) -> Iterator[Decision]:
    """All decisions of these kinds, withdrawals too."""
    for kind in sorted(kinds):
        for (body,) in db.execute("SELECT body FROM decisions WHERE kind = ?", (kind.value,)):
            yield _stored.decode(body)


def decisions_about(db: sqlite3.Connection, uid: str) -> DecisionIndex:
    """The decisions about an incident and about the identity that it is about."""
    rows = db.execute(
        """
        SELECT body FROM decisions WHERE incident = :uid
        UNION
        SELECT body FROM decisions
        WHERE identity != '' AND identity = (SELECT identity FROM incidents WHERE uid = :uid)
        """,
        {"uid": uid},
    )
    return DecisionIndex(_stored.decode(body) for (body,) in rows.fetchall())


def refresh_decision(db: sqlite3.Connection, uid: str) -> None:
    """Work out anew what has been decided about an incident, whether it has taken effect yet or not."""
    index = decisions_about(db, uid)
    (identity,) = db.execute("SELECT identity FROM incidents WHERE uid = ?", (uid,)).fetchone() or ("",)
    acknowledged = _first(index, uid, Kind.ACKNOWLEDGE, Kind.ASSIGN)
    ending = _first(index, uid, Kind.DISPOSITION, Kind.EXPECTED)
    breach, notified = index.first(Kind.BREACH, uid), index.first(Kind.NOTIFIED, uid)
    due = deadline(index, uid)
    about = DecisionSubject(incident=uid)
    assigned = [one.payload for one in index.latest(Kind.ASSIGN, about) if not index.withdrawal(one)]
    mutes = index.latest(Kind.MUTE, DecisionSubject(incident=uid, identity=identity))
    state = {
        "acknowledged_ms": acknowledged and acknowledged.time_ms,
        "acknowledged_by": acknowledged.by if acknowledged else "",
        "assignee": next((payload.assignee for payload in assigned if isinstance(payload, Assignment)), ""),
        "confirmed_ms": breach and breach.time_ms,
        "aware_ms": due and due.aware_ms,
        "deadline_ms": due and due.deadline_ms,
        "notified_ms": notified and notified.time_ms,
        "muted_until_ms": max(
            (one.until_ms or 0 for one in mutes if not index.withdrawal(one)), default=None
        ),
        "ended_ms": ending and ending.time_ms,
        "ended_as": ending.outcome if ending else "",
    }
    db.execute(
        f"UPDATE incidents SET {', '.join(f'{name} = :{name}' for name in state)},"  # noqa: S608 - our own names
        " open = (closed = 0 AND :ended_ms IS NULL) WHERE uid = :uid",
        state | {"uid": uid},
    )


def prune_decisions(db: sqlite3.Connection, oldest_ms: int, newest_ms: int) -> None:
    """Drop old decisions about incidents that are gone, if they no longer have any effect.

    A breach of which the authority has not been notified stays, and so does what replaces a decision that stays.
    """
    db.execute(
        """
        DELETE FROM decisions AS old WHERE time_ms < :oldest AND coalesce(until_ms, 0) < :newest AND withdraws = ''
        AND incident NOT IN (SELECT uid FROM incidents)
        AND NOT EXISTS (
            SELECT 1 FROM decisions_in_force WHERE id = old.id AND (
                kind = 'exception' AND until_ms IS NULL
                OR kind IN ('breach', 'awareness') AND incident NOT IN (
                    SELECT incident FROM decisions_in_force WHERE kind = 'notified'
                )
            )
        )
        AND NOT EXISTS (
            SELECT 1 FROM decisions WHERE kind = old.kind AND time_ms <= old.time_ms AND until_ms >= :newest
            AND (identity != '' AND identity = old.identity OR incident != '' AND incident = old.incident)
        )
        """,
        {"oldest": oldest_ms, "newest": newest_ms},
    )
    db.execute(
        "DELETE FROM decisions WHERE withdraws != '' AND time_ms < ? AND withdraws NOT IN (SELECT id FROM decisions)",
        (oldest_ms,),
    )


def _first(index: DecisionIndex, uid: str, *kinds: Kind) -> Decision | None:
    """The first decision of these kinds about an incident that is not withdrawn."""
    firsts = [decision for kind in kinds if (decision := index.first(kind, uid))]
    return min(firsts, key=lambda decision: (decision.time_ms, decision.kind), default=None)
