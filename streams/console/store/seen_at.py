"""Who else was seen where an incident was done from: in other incidents, and by what profiles remember."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence, Set
from typing import Any

from detector.alert.message import Message
from detector.identity import profile as profiles
from detector.identity.detectors.novelty import SORTS, USED, agent_family, checksum
from detector.identity.profile import Profile
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store.alerts import title_from

__all__ = ["marks", "seen_elsewhere"]

DAY_MS = 86_400_000
MOST_VALUES = 40
MOST_LOOKED_AT = 500
MOST_NAMED = 10
"""Where more identities than this are at home, they are counted and not named."""


def marks(profile: Profile) -> frozenset[int]:
    """The checksums of the networks, programs and apps that an identity is known with."""
    return frozenset(
        mark for _, known in zip(USED, profile.states.novelty.known, strict=False) for mark in known
    )


def seen_elsewhere(db: sqlite3.Connection, uid: str, evidence: Sequence[Mapping[str, Any]]) -> Table:
    """Of each address, network, program and app that an incident's evidence quotes: who else is known to use it."""
    own = {event["identity"] for event in evidence}
    rows: list[tuple[Any, ...]] = []
    for what, value in _values(evidence):
        told = _in_incidents(db, uid, what, value, own)
        known, last = _in_profiles(db, what, value, own)
        if known > MOST_NAMED:
            rows.append((what, value, known, "", None, "", ""))
        names = sorted({*told, *last}, key=lambda name: (name not in told, -last.get(name, 0), name))
        rows += [
            (what, value, None, name, last.get(name), *told.get(name, ("", "")))
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


def _in_profiles(db: sqlite3.Connection, what: str, value: str, own: Set[str]) -> tuple[int, dict[str, int]]:
    """How many identities know it by their profiles; if these are few, identity → the day it was last used there."""
    if what not in USED:
        return 0, {}
    sort = SORTS.index(what)
    mark = checksum(sort, agent_family(value) if what == "agent" else value)
    names = db.execute("SELECT identity FROM uses WHERE mark = ?", (mark,)).fetchall()
    found = [name for (name,) in names if name not in own]
    if len(found) > MOST_NAMED:
        return len(found), {}
    days: dict[str, int] = {}
    for name in found:
        row = db.execute("SELECT profile FROM profiles WHERE identity = ?", (name,)).fetchone()
        if row is not None:
            days[name] = profiles.decode(row["profile"]).states.novelty.known[sort][mark] * DAY_MS
    return len(found), days
