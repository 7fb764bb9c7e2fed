"""What operators have decided about the incidents in the index."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from detector.decision import Feedback, Verdict

__all__ = ["enter_feedback", "refresh_decision"]

_feedback = msgspec.json.Decoder(Feedback)


def enter_feedback(db: sqlite3.Connection, record: Any) -> None:
    """Enter an operator's decision, and what follows for the incidents that it is about. Raises msgspec's errors."""
    word = _feedback.decode(record.value or b"")
    db.execute(
        "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.partition,
            record.offset,
            word.verdict.value,
            word.time_ms,
            word.incident,
            word.identity,
            word.until_ms,
            word.by,
            word.reason,
            word.assignee,
        ),
    )
    if word.incident:
        refresh_decision(db, word.incident)
    if word.identity:
        about = db.execute("SELECT uid FROM incidents WHERE identity = ?", (word.identity,))
        for (uid,) in about.fetchall():
            refresh_decision(db, uid)


def refresh_decision(db: sqlite3.Connection, uid: str) -> None:
    """Work out anew what has been decided about an incident, in the order in which it was."""
    state: dict[str, Any] = {
        "acknowledged_ms": None,
        "acknowledged_by": "",
        "assignee": "",
        "confirmed_ms": None,
        "notified_ms": None,
        "muted_until_ms": None,
        "ended_ms": None,
        "ended_as": "",
    }
    words = db.execute(
        """
        SELECT verdict, time_ms, incident, until_ms, by, assignee FROM feedback WHERE incident = :uid
        UNION
        SELECT verdict, time_ms, incident, until_ms, by, assignee FROM feedback
        WHERE incident = '' AND identity = (SELECT identity FROM incidents WHERE uid = :uid)
        ORDER BY time_ms, verdict, by
        """,
        {"uid": uid},
    )
    for verdict, time_ms, incident, until_ms, by, assignee in words.fetchall():
        if verdict == Verdict.MUTED:
            state["muted_until_ms"] = until_ms
        elif incident != uid:
            continue
        elif verdict == Verdict.ACKNOWLEDGED and state["acknowledged_ms"] is None:
            state |= {"acknowledged_ms": time_ms, "acknowledged_by": by}
        elif verdict == Verdict.ASSIGNED:
            state["assignee"] = assignee
            if state["acknowledged_ms"] is None:
                state |= {"acknowledged_ms": time_ms, "acknowledged_by": by}
        elif verdict == Verdict.CONFIRMED and state["confirmed_ms"] is None:
            state["confirmed_ms"] = time_ms
        elif verdict == Verdict.NOTIFIED and state["notified_ms"] is None:
            state["notified_ms"] = time_ms
        elif verdict in (Verdict.CLOSED, Verdict.EXPECTED) and state["ended_ms"] is None:
            state |= {"ended_ms": time_ms, "ended_as": verdict}
    db.execute(
        f"UPDATE incidents SET {', '.join(f'{name} = :{name}' for name in state)},"  # noqa: S608 - our own names
        " open = (closed = 0 AND :ended_ms IS NULL) WHERE uid = :uid",
        state | {"uid": uid},
    )
