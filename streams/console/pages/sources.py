"""The sources' health: what came lately of each, against what usually comes, and what is known to be wrong."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from enum import StrEnum
from statistics import median

import msgspec

from detector.message import Message
from detector.units import DAY_MS, HOUR_MS, TICK_MS
from streams.console.store.alerts import title_from

__all__ = ["SourceRow", "SourceStatus", "sources"]

DAYS = 14
ENOUGH_DAYS = 4
MOST_SOURCES = 500


class SourceStatus(StrEnum):
    """How a source is."""

    TROUBLE = "trouble"
    """The detector says so."""
    QUIET = "quiet"
    """Nothing came in the newest hour, in which something usually does; that may be nothing."""
    FINE = "fine"


LEAST_USUAL = 10
"""A source from which fewer events usually come in this hour is not called quiet."""


class SourceRow(msgspec.Struct, frozen=True):
    """One source: a tenant's records of one kind from one adapter."""

    tenant: str
    name: str
    """Adapter and operation."""
    state: SourceStatus
    newest_ms: int
    """End of the last tick with events."""
    hour: int
    """Events in the newest hour."""
    usual: int | None
    """The median of the same hour on days before; ``None`` while too few are known."""
    hours: tuple[int, ...]
    """Events by hour of the last day, the newest last."""
    incident: str
    """The open incident about it; empty if there is none."""
    trouble: Message | None
    """Its title."""


def sources(db: sqlite3.Connection) -> tuple[int | None, tuple[SourceRow, ...]]:
    """The end of the newest tick, and the sources, those in trouble first."""
    newest = db.execute("SELECT max(start_ms) FROM arrivals").fetchone()[0]
    if newest is None:
        return None, ()
    end_ms = newest + TICK_MS
    first = dict(db.execute("SELECT tenant, min(start_ms) FROM arrivals GROUP BY tenant").fetchall())
    last: dict[tuple[str, str], int] = {
        (tenant, source): start
        for tenant, source, start in db.execute(
            "SELECT tenant, source, max(start_ms) FROM arrivals GROUP BY tenant, source LIMIT ?",
            (MOST_SOURCES,),
        )
    }
    by_hour: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for tenant, source, ago, events in db.execute(
        "SELECT tenant, source, (:end - 1 - start_ms) / :hour AS ago, sum(events) FROM arrivals"
        " WHERE start_ms >= :end - :span AND ((:end - 1 - start_ms) / :hour < 24"
        " OR (:end - 1 - start_ms) % :day < :hour) GROUP BY tenant, source, ago",
        {"end": end_ms, "hour": HOUR_MS, "day": DAY_MS, "span": DAYS * DAY_MS + HOUR_MS},
    ):
        by_hour[tenant, source][ago] = events
    wrong = {
        row["source"]: (row["uid"], title_from(row["title"]))
        for row in db.execute(
            "SELECT source, uid, title FROM incidents WHERE open AND source != '' ORDER BY time_ms"
        )
    }
    found = []
    for (tenant, source), start in last.items():
        hours = by_hour.get((tenant, source), {})
        days = min(DAYS, (end_ms - HOUR_MS - first[tenant]) // DAY_MS)
        before = [hours.get(24 * ago, 0) for ago in range(1, days + 1)]
        usual = round(median(before)) if len(before) >= ENOUGH_DAYS else None
        uid, title = wrong.get(f"{tenant}/{source}", ("", None))
        now = hours.get(0, 0)
        state = SourceStatus.FINE
        if uid:
            state = SourceStatus.TROUBLE
        elif not now and usual is not None and usual >= LEAST_USUAL:
            state = SourceStatus.QUIET
        found.append(
            SourceRow(
                tenant,
                source,
                state,
                start + TICK_MS,
                now,
                usual,
                tuple(hours.get(ago, 0) for ago in reversed(range(24))),
                uid,
                title,
            )
        )
    order = list(SourceStatus)
    found.sort(key=lambda one: (order.index(one.state), one.tenant, one.name))
    return end_ms, tuple(found)
