"""The board: one word that can be read across the room, why, and what is open, leaving, silent and due."""

from __future__ import annotations

import sqlite3
from enum import StrEnum

import msgspec

from streams.console.pages import sources as health
from streams.console.pages.outflow import Outflow, outflow
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store import incidents
from streams.console.store.freshness import Feed
from streams.console.store.incidents import IncidentRow

__all__ = ["Board", "BoardReason", "BoardState", "board", "board_state", "outflow_table"]

SHOWN = 50
"""How many incidents the board lists; all are found by searching."""
ACT_SEVERITY = 4
"""From this severity on, what nobody has taken on is to be acted on."""
LOOK_SEVERITY = 2


class BoardState(StrEnum):
    """What whoever looks at it is to do."""

    CALM = "calm"
    LOOK = "look"
    ACT = "act"
    BLIND = "blind"
    """Nobody knows: what is shown may be old."""


class BoardReason(msgspec.Struct, frozen=True):
    """Why, as a message for one and for several."""

    one: str
    more: str
    count: int


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """All that it shows."""

    state: BoardState
    reasons: tuple[BoardReason, ...]
    incidents: tuple[IncidentRow, ...]
    more: int
    severities: dict[int, int]
    clocks: tuple[IncidentRow, ...]
    outflow: Outflow
    sources: tuple[health.SourceRow, ...]
    newest_ms: int
    """The newest event time."""


def board(db: sqlite3.Connection, feed: Feed, newest_ms: int, now_ms: int) -> Board:
    """The board as it stands."""
    opened = incidents.open_incidents(db, SHOWN)
    severities = incidents.by_severity(db)
    due = incidents.clocks(db)
    left = outflow(db)
    _, sources = health.sources(db)
    unseen = dict(
        db.execute(
            "SELECT severity, count(*) FROM incidents WHERE open AND acknowledged_ms IS NULL AND confirmed_ms IS NULL"
            " AND coalesce(muted_until_ms, 0) <= ? GROUP BY severity",
            (now_ms,),
        ).fetchall()
    )
    state, reasons = board_state(unseen, severities, len(due), left, sources, feed)
    return Board(
        state=state,
        reasons=reasons,
        incidents=tuple(opened),
        more=max(0, sum(severities.values()) - len(opened)),
        severities=severities,
        clocks=tuple(due),
        outflow=left,
        sources=sources,
        newest_ms=newest_ms,
    )


def board_state(
    unseen: dict[int, int],
    severities: dict[int, int],
    breaches: int,
    left: Outflow,
    sources: tuple[health.SourceRow, ...],
    feed: Feed,
) -> tuple[BoardState, tuple[BoardReason, ...]]:
    """The state, and why: incidents by severity that nobody has taken on, all that are open, and what else there is.

    What is worse goes before; in a state, only its own reasons are given.
    """
    blind = [
        BoardReason("Kafka does not answer: this is what was known before", "", 1)
        if feed.lost_ms is not None
        else None,
        BoardReason("The index is being built: not everything has been read yet", "", 1)
        if feed.lost_ms is None and not feed.caught_up
        else None,
    ]
    grave = sum(count for severity, count in unseen.items() if severity >= ACT_SEVERITY)
    act = [
        BoardReason(
            "{n} breach is not yet notified to the authority",
            "{n} breaches are not yet notified to the authority",
            breaches,
        )
        if breaches
        else None,
        BoardReason(
            "{n} grave incident that nobody has taken on",
            "{n} grave incidents that nobody has taken on",
            grave,
        )
        if grave
        else None,
    ]
    lesser = sum(count for severity, count in unseen.items() if LOOK_SEVERITY <= severity < ACT_SEVERITY)
    taken_on = sum(count for severity, count in severities.items() if severity >= ACT_SEVERITY) - grave
    above = sum(one.above for one in left.categories)
    troubled = sum(source.state is health.SourceStatus.TROUBLE for source in sources)
    look = [
        BoardReason("{n} incident to look at", "{n} incidents to look at", lesser) if lesser else None,
        BoardReason(
            "{n} grave incident is being worked on", "{n} grave incidents are being worked on", taken_on
        )
        if taken_on and not breaches
        else None,
        BoardReason(
            "{n} kind of data leaves faster than it ever did at this hour",
            "{n} kinds of data leave faster than they ever did at this hour",
            above,
        )
        if above
        else None,
        BoardReason("{n} source is in trouble", "{n} sources are in trouble", troubled) if troubled else None,
    ]
    for state, reasons in ((BoardState.ACT, act), (BoardState.BLIND, blind), (BoardState.LOOK, look)):
        found = tuple(reason for reason in reasons if reason is not None)
        if found:
            if state is BoardState.ACT:
                found += tuple(reason for reason in blind if reason is not None)
            return state, found
    return BoardState.CALM, (BoardReason("Nothing is waiting for you", "", 1),)


def outflow_table(left: Outflow) -> Table:
    """The newest hour as a table."""
    return Table(
        "leaving",
        "Rows leaving in the newest hour, by kind of data",
        (
            Column("category", "Data", ColumnKind.WORD),
            Column("rows", "Rows", ColumnKind.NUMBER),
            Column("usual", "Usual", ColumnKind.NUMBER),
            Column("most", "Most before", ColumnKind.NUMBER),
            Column("days", "Days compared", ColumnKind.NUMBER),
        ),
        tuple((one.category, one.rows, one.usual, one.most, one.days) for one in left.categories),
    )
