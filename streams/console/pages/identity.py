"""An identity: its normal week, what it takes, where it was seen, its incidents."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from detector.directory import NOBODY, Directory
from detector.directory_entry import DirectoryEntry, folded
from detector.published import IdentityRecord, decode_identity
from detector.trait import SORTS, agent_family, checksum
from detector.units import DAY_MS
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store import incidents
from streams.console.store.incidents import IncidentRow

__all__ = ["IdentityView", "KnownProfile", "identities", "identity"]

MOST_INCIDENTS = 100
MOST_ROWS = 200


class KnownProfile(msgspec.Struct, frozen=True):
    """What its published record says, as the page shows it."""

    name: str
    kind: str
    first_ms: int
    clock_ms: int
    """Its newest event."""
    days: int
    """Active days learned."""
    hours: tuple[tuple[float, ...], tuple[float, ...]]
    """By hour of the day, the share of active days on which it is active then: workdays, weekends."""
    weekdays: tuple[tuple[int | None, int | None], ...]
    """From Monday: rows on the last such day, and on the one before."""


class IdentityView(msgspec.Struct, frozen=True, kw_only=True):
    """All that its page shows."""

    id: str
    known: KnownProfile | None
    """``None`` while no record of it has been read."""
    incidents: tuple[IncidentRow, ...]
    takes: Table
    seen: Table


def identity(db: sqlite3.Connection, name: str) -> IdentityView | None:
    """What is known of ``tenant/actor``; ``None`` if nothing is."""
    about = incidents.about(db, name, MOST_INCIDENTS)
    row = db.execute("SELECT record FROM identities WHERE identity = ?", (name,)).fetchone()
    if row is None and not about:
        return None
    record = None if row is None else decode_identity(row["record"])
    quoted = db.execute(
        "SELECT address, network, agent, app, min(time_ms) AS first, max(time_ms) AS last, sum(rows) AS rows"
        " FROM (SELECT DISTINCT event, time_ms, rows, address, network, agent, app FROM evidence WHERE identity = ?)"
        " GROUP BY address, network, agent, app",
        (name,),
    ).fetchall()
    return IdentityView(
        id=name,
        known=None if record is None else _known(record),
        incidents=tuple(about),
        takes=_takes(record),
        seen=_seen(record, quoted),
    )


def identities(db: sqlite3.Connection, text: str, most: int, directory: Directory = NOBODY) -> Table:
    """Identities whose id or name, in the records or in the directory, holds a text."""
    rows = [tuple(row) for row in _by_text(db, text, most)]
    meant = {entry.key for entry in directory if any(folded(text) in folded(term) for term in entry.terms)}
    if meant:
        known = {row[0] for row in rows}
        for row in db.execute(
            "SELECT identity, name, kind, last_ms FROM identities ORDER BY last_ms DESC, identity"
        ):
            if len(rows) >= most:
                break
            entry = _entry_of(row["identity"], directory)
            if entry is not None and entry.key in meant and row["identity"] not in known:
                rows.append(tuple(row))
    rows = [_renamed(row, _entry_of(row[0], directory)) for row in rows]
    return Table(
        "identities",
        "Identities",
        (
            Column("identity", "Identity", ColumnKind.CODE, page="identity"),
            Column("name", "Name"),
            Column("kind", "Kind", ColumnKind.WORD),
            Column("last", "Last event, UTC", ColumnKind.TIME),
        ),
        tuple(rows),
    )


def _entry_of(identity: str, directory: Directory) -> DirectoryEntry | None:
    tenant, _, account = identity.partition("/")
    return directory.find(account, tenant)


def _renamed(row: tuple[Any, ...], entry: DirectoryEntry | None) -> tuple[Any, ...]:
    return row if entry is None or not entry.name else (row[0], entry.name, *row[2:])


def _by_text(db: sqlite3.Connection, text: str, most: int) -> list[Any]:
    return db.execute(
        "SELECT identity, name, kind, last_ms FROM identities WHERE instr(lower(identity), lower(:text))"
        " OR instr(lower(name), lower(:text)) ORDER BY last_ms DESC, identity LIMIT :most",
        {"text": text, "most": most},
    ).fetchall()


def _known(record: IdentityRecord) -> KnownProfile:
    hours = record.active_hours or (0,) * 48
    days = max(1, record.known_days)
    # Of the days that are known five of seven are workdays, as far as a record tells.
    most = max(*hours, 1)
    scale = (max(most, round(days * 5 / 7)), max(1, *hours[24:48], round(days * 2 / 7)))
    return KnownProfile(
        name=record.name or "",
        kind=record.kind.value,
        first_ms=record.first_ms,
        clock_ms=record.last_ms,
        days=record.known_days,
        hours=(
            tuple(min(1.0, count / scale[0]) for count in hours[:24]),
            tuple(min(1.0, count / scale[1]) for count in hours[24:48]),
        ),
        weekdays=record.weekdays,
    )


def _takes(record: IdentityRecord | None) -> Table:
    rows: list[tuple[Any, ...]] = [
        (
            usual.channel,
            "" if usual.counted == "rows" else usual.counted,
            usual.usual_hour,
            usual.most_hour,
            usual.usual_day,
            usual.most_day,
            usual.days,
            None if usual.newest_day is None else usual.newest_day * DAY_MS,
            usual.newest_amount,
            ", ".join(f"{kind} {count:,}" for kind, count in usual.newest_objects.items()),
        )
        for usual in (() if record is None else record.usual)
    ]
    rows.sort(key=lambda row: (row[0] != "all", -(row[4] or 0), row[0], row[1]))
    return Table(
        "takes",
        "Volume: what is usual, the expected maximum, and the latest day so far",
        (
            Column("way", "Operation", ColumnKind.WORD),
            Column("counted", "Counted", ColumnKind.WORD),
            Column("usual_hour", "Usual in its busiest hour", ColumnKind.NUMBER),
            Column("most_hour", "Expected maximum", ColumnKind.NUMBER),
            Column("usual_day", "Usual per day", ColumnKind.NUMBER),
            Column("most_day", "Expected maximum", ColumnKind.NUMBER),
            Column("days", "Days learned", ColumnKind.NUMBER),
            Column("day", "Day", ColumnKind.TIME, hidden=True),
            Column("today", "Latest day", ColumnKind.NUMBER),
            Column("objects", "By object"),
        ),
        tuple(rows),
    )


def _seen(record: IdentityRecord | None, quoted: list[Any]) -> Table:
    """Networks, programs and apps with first and last day: a record names only what is new.

    Of the rest it has a checksum and the day last seen; the name is found if an alert has quoted it.
    """
    named: dict[tuple[str, str], list[int | None]] = {}

    def note(what: str, value: str, first: int | None, last: int | None, rows: int | None) -> None:
        if not value:
            return
        at = named.setdefault((what, value), [first, last, None])
        at[0] = min((one for one in (at[0], first) if one is not None), default=None)
        at[1] = max((one for one in (at[1], last) if one is not None), default=None)
        if rows is not None:
            at[2] = max(at[2] or 0, rows)

    for row in quoted:
        note("network", row["network"], row["first"], row["last"], None)
        note("agent", agent_family(row["agent"]) if row["agent"] else "", row["first"], row["last"], None)
        note("app", row["app"], row["first"], row["last"], None)
    unnamed: list[tuple[Any, ...]] = []
    if record is not None:
        for new in record.new:
            note(new.what, new.value, new.first_ms, _start_ms(new.last_day), new.rows)
        names = {checksum(SORTS.index(what), value): value for what, value in named if what in SORTS}
        for what, days in record.last_used.items():
            for mark, day in days.items():
                if mark in names:
                    note(what, names[mark], None, day * DAY_MS, None)
                else:
                    unnamed.append((what, "", None, day * DAY_MS, None))
    rows = [(what, value, first, last, count) for (what, value), (first, last, count) in named.items()]
    rows.sort(key=lambda row: (-(row[3] or row[2] or 0), row[0], row[1]))
    unnamed.sort(key=lambda row: (-row[3], row[0]))
    return Table(
        "seen",
        "Where it was seen; names come from alerts and from recent days",
        (
            Column("what", "What", ColumnKind.WORD),
            Column("value", "Value", ColumnKind.CODE),
            Column("first", "First seen, UTC", ColumnKind.TIME),
            Column("last", "Last seen, UTC", ColumnKind.TIME),
            Column("rows", "Rows since first seen", ColumnKind.NUMBER),
        ),
        tuple((rows + unnamed)[:MOST_ROWS]),
    )


def _start_ms(day: int | None) -> int | None:
    return None if day is None else day * DAY_MS
