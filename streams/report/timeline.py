"""An incident's timeline as values: rows counted once, origins, ways, and marks in time."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from detector.catalogue import Category
from detector.event import Operation
from streams.locale import gettext_noop

__all__ = [
    "FURTHER",
    "STAGES",
    "UNNAMED",
    "AccessOrigin",
    "DayRows",
    "ExportPath",
    "Mark",
    "Timeline",
    "TimelineStage",
]

UNNAMED = gettext_noop("(not named in the log)")
FURTHER = gettext_noop("(further objects)")


class TimelineStage(StrEnum):
    """What a mark on the curve stands for."""

    NETWORK = "network"
    RECONNAISSANCE = "reconnaissance"
    SAMPLE = "sample"
    BULK = "bulk"
    BOUND = "bound"
    DELETION = "deletion"
    VENDOR = "vendor"
    ALERT = "alert"
    UPDATE = "update"


STAGES = {
    TimelineStage.NETWORK: gettext_noop("New network"),
    TimelineStage.RECONNAISSANCE: gettext_noop("Reconnaissance"),
    TimelineStage.SAMPLE: gettext_noop("Sample"),
    TimelineStage.BULK: gettext_noop("Bulk read"),
    TimelineStage.BOUND: gettext_noop("Above the baseline"),
    TimelineStage.DELETION: gettext_noop("Traces deleted"),
    TimelineStage.VENDOR: gettext_noop("Vendor finding"),
    TimelineStage.ALERT: gettext_noop("Alert"),
    TimelineStage.UPDATE: gettext_noop("Alert again"),
}
"""The names of the stages, as messages."""


class Mark(msgspec.Struct, frozen=True):
    """Something that happened at one time."""

    stage: TimelineStage
    time_ms: int
    rows: int | None
    """Rows of the incident taken by then; ``None`` before it began."""
    where: str = ""
    """The network, or the object of the deletion or the finding."""
    severity: int = 0


class AccessOrigin(msgspec.Struct, frozen=True):
    """An address, agent and app that an incident's identity was used from."""

    address: str
    network: str
    user_agent: str
    app: str
    country: str
    first_ms: int
    last_ms: int
    rows: int
    events: int
    known_since_ms: int | None
    """When this identity was first seen at this address."""
    new: bool | None
    """Whether its network is new to this identity; ``None`` if too little of its past is known."""
    neighbours: tuple[str, ...]
    """Other identities at this address in these logs, at most three."""
    more_neighbours: bool


class ExportPath(msgspec.Struct, frozen=True):
    """One way by which rows were taken."""

    operation: Operation
    events: int
    rows: int
    unknown: int
    """Events whose log does not say how many rows."""


class DayRows(msgspec.Struct, frozen=True):
    """A day's rows."""

    start_ms: int
    rows: int
    inside: bool
    """Whether it is of the incident."""


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The timeline of an incident."""

    base_ms: int
    """From when on its rows are counted."""
    end_ms: int
    events: int
    rows: int
    points: tuple[tuple[int, int], ...]
    """Time and rows so far, where they rose; thinned to the largest steps."""
    bound_rows: int
    """Rows of the bound's own operation."""
    bound_points: tuple[tuple[int, int], ...]
    windows: tuple[tuple[int, int, int], ...]
    """Windows of the bound in which rows were taken: their start, and all rows and the bound's own before it.
    Empty if there are too many."""
    marks: tuple[Mark, ...]
    origins: tuple[AccessOrigin, ...]
    more_origins: int
    """Events of origins beyond those that are listed."""
    objects: tuple[tuple[str, int], ...]
    """Objects and the rows taken of them, the most first."""
    unknown_objects: tuple[tuple[str, int], ...]
    """Objects and in how many reads of them the log does not say how many rows."""
    touched: frozenset[Category]
    """Categories of all objects that were named in any access."""
    unnamed_reads: int
    """Reads whose log does not say of which object."""
    ways: tuple[ExportPath, ...]
    days: tuple[DayRows, ...]
    """Rows of the bound's operation, or of all, by day, with the days before."""
    known_from_ms: int | None
    """The identity's first event in these logs."""
    forgotten: int
    """Operations that fell out of the ledger: rows of them may be counted twice."""
