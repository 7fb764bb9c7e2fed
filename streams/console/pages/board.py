"""The board: one word readable across the room, the reasons for it, and what is open, taken, silent and due."""

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
from streams.locale import gettext_noop, ngettext_noop

__all__ = ["Board", "BoardReason", "BoardState", "board", "board_state", "outflow_table"]

SHOWN = 50
"""How many incidents the board lists; all are found by searching."""
ACT_SEVERITY = 4
"""An unacknowledged incident of at least this severity calls for action."""
LOOK_SEVERITY = 2


class BoardState(StrEnum):
    """What the person in front of the board should do."""

    CALM = "calm"
    LOOK = "look"
    ACT = "act"
    BLIND = "blind"
    """Nobody knows: what is shown may be old."""


class BoardReason(msgspec.Struct, frozen=True):
    """A reason for the state, as a message; one that counts has a form for one thing and a form for several."""

    one: str
    more: str = ""
    count: int = 1


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
    taken = outflow(db)
    _, sources = health.sources(db)
    unseen = dict(
        db.execute(
            "SELECT severity, count(*) FROM incidents WHERE open AND acknowledged_ms IS NULL AND confirmed_ms IS NULL"
            " AND coalesce(muted_until_ms, 0) <= ? GROUP BY severity",
            (now_ms,),
        ).fetchall()
    )
    state, reasons = board_state(unseen, severities, len(due), taken, sources, feed)
    return Board(
        state=state,
        reasons=reasons,
        incidents=tuple(opened),
        more=max(0, sum(severities.values()) - len(opened)),
        severities=severities,
        clocks=tuple(due),
        outflow=taken,
        sources=sources,
        newest_ms=newest_ms,
    )


def board_state(
    unseen: dict[int, int],
    severities: dict[int, int],
    breaches: int,
    taken: Outflow,
    sources: tuple[health.SourceRow, ...],
    feed: Feed,
) -> tuple[BoardState, tuple[BoardReason, ...]]:
    """The state and its reasons, from unacknowledged incidents by severity, all open ones, and the rest.

    The worst state wins, and only its own reasons are given.
    """
    blind = [
        BoardReason(gettext_noop("Kafka does not answer: this page may be out of date"))
        if feed.lost_ms is not None
        else None,
        BoardReason(gettext_noop("The index is being built: not everything has been read yet"))
        if feed.lost_ms is None and not feed.caught_up
        else None,
    ]
    grave = sum(count for severity, count in unseen.items() if severity >= ACT_SEVERITY)
    act = [
        BoardReason(
            *ngettext_noop(
                "{n} breach is not yet notified to the authority",
                "{n} breaches are not yet notified to the authority",
            ),
            breaches,
        )
        if breaches
        else None,
        BoardReason(
            *ngettext_noop("{n} serious incident not acknowledged", "{n} serious incidents not acknowledged"),
            grave,
        )
        if grave
        else None,
    ]
    lesser = sum(count for severity, count in unseen.items() if LOOK_SEVERITY <= severity < ACT_SEVERITY)
    in_progress = sum(count for severity, count in severities.items() if severity >= ACT_SEVERITY) - grave
    above = sum(category.above for category in taken.categories)
    troubled = sum(source.state is health.SourceStatus.TROUBLE for source in sources)
    look = [
        BoardReason(*ngettext_noop("{n} incident to review", "{n} incidents to review"), lesser)
        if lesser
        else None,
        BoardReason(
            *ngettext_noop("{n} serious incident in progress", "{n} serious incidents in progress"),
            in_progress,
        )
        if in_progress and not breaches
        else None,
        BoardReason(
            *ngettext_noop(
                "{n} category of data is being taken faster than ever at this hour",
                "{n} categories of data are being taken faster than ever at this hour",
            ),
            above,
        )
        if above
        else None,
        BoardReason(*ngettext_noop("{n} source is in trouble", "{n} sources are in trouble"), troubled)
        if troubled
        else None,
    ]
    for state, reasons in ((BoardState.ACT, act), (BoardState.BLIND, blind), (BoardState.LOOK, look)):
        found = tuple(reason for reason in reasons if reason is not None)
        if found:
            if state is BoardState.ACT:
                found += tuple(reason for reason in blind if reason is not None)
            return state, found
    return BoardState.CALM, (BoardReason(gettext_noop("Nothing needs attention")),)


def outflow_table(taken: Outflow) -> Table:
    """The newest hour as a table."""
    return Table(
        "outflow",
        "Rows taken in the latest hour, by category of data",
        (
            Column("category", "Data", ColumnKind.WORD),
            Column("rows", "Rows", ColumnKind.NUMBER),
            Column("usual", "Usual", ColumnKind.NUMBER),
            Column("most", "Previous maximum", ColumnKind.NUMBER),
            Column("days", "Days compared", ColumnKind.NUMBER),
        ),
        tuple((one.category, one.rows, one.usual, one.most, one.days) for one in taken.categories),
    )
