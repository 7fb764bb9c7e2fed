"""Finds who else was seen where an incident was done from: in other incidents, and by what identities use."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence, Set
from typing import Any

from detector.message import Message
from detector.trait import SORTS, agent_family, checksum
from detector.units import DAY_MS
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store.alerts import title_from

__all__ = ["USED", "seen_elsewhere"]

USED = ("network", "agent", "app")
"""The sorts of trait of which identities publish when they last used each."""

MOST_VALUES = 40
MOST_LOOKED_AT = 500
MOST_NAMED = 10
"""Where more identities than this are at home, they are counted and not named."""


def seen_elsewhere(db: sqlite3.Connection, uid: str, evidence: Sequence[Mapping[str, Any]]) -> Table:
    """Of each address, network, program and app that an incident's evidence quotes: who else is known to use it."""
    own = {event["identity"] for event in evidence}
    rows: list[tuple[Any, ...]] = []
    for what, value in _values(evidence):
        quoted = _in_incidents(db, uid, what, value, own)
        known, last = _by_use(db, what, value, own)
        if known > MOST_NAMED:
            rows.append((what, value, known, "", None, "", ""))
        names = sorted({*quoted, *last}, key=lambda name: (name not in quoted, -last.get(name, 0), name))
        rows += [
            (what, value, None, name, last.get(name), *quoted.get(name, ("", "")))
            for name in names[:MOST_NAMED]
        ]
    return Table(
        "others",
        "Other identities seen there, from other incidents and from profiles",
        (
            Column("what", "What", ColumnKind.WORD),
            Column("value", "Where", ColumnKind.CODE),
            Column("count", "Identities", ColumnKind.NUMBER),
            Column("identity", "Identity", ColumnKind.CODE, page="identity"),
            Column("last", "Last seen there, UTC", ColumnKind.TIME),
            Column("title", "Incident", page="incident", by="uid"),
            Column("uid", "Name", ColumnKind.CODE, hidden=True),
        ),
        tuple(rows),
    )


def _values(evidence: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What the evidence quotes, each once, in the order of kinds and then of time."""
    found = {(what, event[what]): None for what in ("address", *USED) for event in evidence if event[what]}
    return list(found)[:MOST_VALUES]


def _in_incidents(
    db: sqlite3.Connection, uid: str, what: str, value: str, own: Set[str]
) -> dict[str, tuple[Message, str]]:
    """Identity → title and uid of the newest other incident that quotes it there."""
    rows = db.execute(
        f"SELECT evidence.identity, title, incidents.uid FROM evidence JOIN incidents USING (uid)"  # noqa: S608 - our own columns
        f" WHERE evidence.{what} = ? AND uid != ? AND evidence.identity != '' ORDER BY incidents.time_ms DESC LIMIT ?",
        (value, uid, MOST_LOOKED_AT),
    )
    found: dict[str, tuple[Message, str]] = {}
    for identity, title, where in rows:
        if identity not in own:
            found.setdefault(identity, (title_from(title), where))
    return found


def _by_use(db: sqlite3.Connection, what: str, value: str, own: Set[str]) -> tuple[int, dict[str, int]]:
    """How many identities use it; if these are few, identity → the day it was last used."""
    if what not in USED:
        return 0, {}
    mark = checksum(SORTS.index(what), agent_family(value) if what == "agent" else value)
    rows = db.execute("SELECT identity, day FROM uses WHERE checksum = ?", (mark,))
    days = {identity: day * DAY_MS for identity, day in rows if identity not in own}
    return len(days), days if len(days) <= MOST_NAMED else {}
