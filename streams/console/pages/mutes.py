"""The mutes and expectations in force: what is not published, because of whom, why, and until when."""

from __future__ import annotations

import sqlite3

from detector.decision_index import DecisionIndex
from detector.mute import MUTING, mutes
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store.decisions import stored_decisions

__all__ = ["mutes_table"]

_COLUMNS = (
    Column("kind", "Decision", ColumnKind.WORD),
    Column("incident", "Incident", ColumnKind.CODE, page="incident"),
    Column("identity", "Identity", ColumnKind.CODE, page="identity"),
    Column("by", "By"),
    Column("role", "Role", ColumnKind.WORD),
    Column("reason", "Why"),
    Column("since", "Since, UTC", ColumnKind.TIME),
    Column("until", "Until, UTC", ColumnKind.TIME),
    Column("id", "Name", ColumnKind.CODE, hidden=True),
)


def mutes_table(db: sqlite3.Connection, now_ms: int, most: int) -> Table:
    """Those that have not ended by a time, the one that lasts longest first; one that begins within a minute, too."""
    index = DecisionIndex(stored_decisions(db, MUTING))
    held = [one for one in mutes(index) if max(now_ms, one.from_ms) < one.until_ms]
    held.sort(key=lambda one: (-one.until_ms, one.decision.id))
    rows = tuple(
        (
            one.decision.kind.value,
            one.decision.subject.incident,
            one.decision.subject.identity,
            one.decision.by,
            one.decision.role,
            one.decision.reason,
            one.from_ms,
            one.until_ms,
            one.decision.id,
        )
        for one in held[:most]
    )
    return Table("mutes", "Mutes and expectations in force", _COLUMNS, rows, len(held) - len(rows))
