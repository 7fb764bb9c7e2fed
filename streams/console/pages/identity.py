"""An identity: its normal week, what it takes, where it was seen, its incidents."""

from __future__ import annotations

import sqlite3
from math import expm1
from typing import Any

import msgspec

from detector.identity import profile as profiles
from detector.identity.detectors.novelty import HOUR, SORTS, agent_family, checksum
from detector.identity.profile import Profile
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store import incidents
from streams.console.store.incidents import IncidentRow

__all__ = ["IdentityView", "KnownProfile", "identities", "identity"]

DAY_MS = 86_400_000
MOST_INCIDENTS = 100
MOST_ROWS = 200
LEVELS = 5
_MONDAY = 4  # the epoch began on a Thursday: this many days after it is a Monday


class KnownProfile(msgspec.Struct, frozen=True):
    """What the profile says."""

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
    """``None`` while no profile of it has been read."""
    incidents: tuple[IncidentRow, ...]
    takes: Table
    seen: Table


def identity(db: sqlite3.Connection, name: str) -> IdentityView | None:
    """What is known of ``tenant/actor``; ``None`` if nothing is."""
    found = incidents.about(db, name, MOST_INCIDENTS)
    row = db.execute("SELECT profile FROM profiles WHERE identity = ?", (name,)).fetchone()
    if row is None and not found:
        return None
    profile = None if row is None else profiles.decode(row["profile"])
    quoted = db.execute(
        "SELECT address, network, agent, app, min(time_ms) AS first, max(time_ms) AS last, sum(rows) AS rows"
        " FROM (SELECT DISTINCT event, time_ms, rows, address, network, agent, app FROM evidence WHERE identity = ?)"
        " GROUP BY address, network, agent, app",
        (name,),
    ).fetchall()
    return IdentityView(
        id=name,
        known=None if profile is None else _known(profile),
        incidents=tuple(found),
        takes=_takes(profile),
        seen=_seen(profile, quoted),
    )


def identities(db: sqlite3.Connection, text: str, most: int) -> Table:
    """Identities whose id or name holds a text."""
    rows = db.execute(
        "SELECT identity, name, kind, clock_ms FROM profiles WHERE instr(lower(identity), lower(:text))"
        " OR instr(lower(name), lower(:text)) ORDER BY clock_ms DESC, identity LIMIT :most",
        {"text": text, "most": most},
    ).fetchall()
    return Table(
        "identities",
        "Identities",
        (
            Column("identity", "Identity", ColumnKind.CODE, page="identity"),
            Column("name", "Name"),
            Column("kind", "Kind", ColumnKind.WORD),
            Column("last", "Last event, UTC", ColumnKind.TIME),
        ),
        tuple(tuple(row) for row in rows),
    )


def _known(profile: Profile) -> KnownProfile:
    hours = profile.states.novelty.hours or [0] * 48
    days = max(1, profile.known_days)
    # Of the days that are known five of seven are workdays, as far as a profile tells.
    most = max(max(hours), 1)
    scale = (max(most, round(days * 5 / 7)), max(1, max(hours[24:48], default=0), round(days * 2 / 7)))
    week = getattr(profile.states.volume.channels.get("all"), "week", []) or []
    return KnownProfile(
        name=profile.actor_name or "",
        kind=profile.actor_kind.value,
        first_ms=profile.first_ms,
        clock_ms=profile.clock_ms,
        days=profile.known_days,
        hours=(
            tuple(min(1.0, count / scale[0]) for count in hours[:24]),
            tuple(min(1.0, count / scale[1]) for count in hours[24:48]),
        ),
        weekdays=tuple(
            (_rows(week, (day + _MONDAY) % 7, 0), _rows(week, (day + _MONDAY) % 7, 1)) for day in range(7)
        ),
    )


def _rows(week: list[int], weekday: int, before: int) -> int | None:
    tenths = week[2 * weekday + before] if len(week) > 2 * weekday + before else 0
    return round(expm1(tenths / 10)) if tenths else None


def _takes(profile: Profile | None) -> Table:
    rows: list[tuple[Any, ...]] = []
    if profile is not None:
        for name, channel in profile.states.volume.channels.items():
            newest = max(channel.open, default=None)
            opened = None if newest is None else channel.open[newest]
            rows.append(
                (
                    name.partition(":")[0],
                    name.partition(":")[2],
                    round(expm1(channel.hour.mean)) if channel.hour.days else None,
                    channel.hour.bound or None,
                    round(expm1(channel.daily.mean)) if channel.daily.days else None,
                    channel.daily.bound or None,
                    channel.daily.days,
                    None if newest is None else newest * DAY_MS,
                    None if opened is None else opened.rows,
                    ""
                    if opened is None
                    else ", ".join(f"{kind} {count:,}" for kind, count in opened.objects.items()),
                )
            )
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


def _seen(profile: Profile | None, quoted: list[Any]) -> Table:
    """Networks, programs and apps with first and last day: a profile keeps names only of what is young.

    Of the rest it keeps a checksum and the day last seen; the name is found if an alert has quoted it.
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
    if profile is not None:
        state = profile.states.novelty
        for young in state.young.values():
            if young.what != HOUR:
                note(young.what, young.value, young.first_ms, None, young.rows)
        sums = {checksum(SORTS.index(what), value): (what, value) for what, value in named if what in SORTS}
        for number, sort in enumerate(SORTS):
            for key, day in (state.known[number] if number < len(state.known) else {}).items():
                if key in sums:
                    note(*sums[key], None, day * DAY_MS, None)
                elif sort in ("network", "agent", "app"):
                    unnamed.append((sort, "", None, day * DAY_MS, None))
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
