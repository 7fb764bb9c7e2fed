"""How many records an intruder reached: bounds for each object, with their reasons.

Unlike the ledger of detection (`detector.identity.ledger`), this one forgets nothing. What grows with the log lies in
a `ScopeStore` that the caller hands in and that may spill to the disk.

For one object let *K* be the distinct record ids that the log lists. An operation that returned *r* rows and lists *l*
distinct ids has reached at most *r − l* records that it does not list. So::

    lower = max(|K|, largest result that consists of distinct records)
    upper = |K| + Σ (r − l), at most the size of the table

Only the rows of a SELECT on one object, without aggregates and sub-queries, are known to be distinct records. Records
that are missing from the log can only raise the truth, so the upper bound is open unless somebody vouches for the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from detector.event import READING, AccessEvent, Counting, Operation

__all__ = [
    "UNNAMED",
    "BoundReason",
    "Bounds",
    "OperationRows",
    "ScopeLedger",
    "ScopeStore",
    "is_download",
    "reads",
]

UNNAMED = "*"
"""Stands for the object of events that name none."""
MOST_OBJECTS = 2_000
"""Objects beyond this many count as unnamed: names come from the log, and a log may be forged."""
MAX_SHAPE = 300
"""A query's shape of this length may have been cut, so what follows is unknown."""


class BoundReason(StrEnum):
    """Why a bound is what it is."""

    LISTED = "listed"
    """Lower: distinct record ids in the log."""
    LARGEST_RESULT = "largest_result"
    """Lower: one query returned this many distinct records."""
    ROWS = "rows"
    """Upper: listed ids and rows without one."""
    TABLE = "table"
    """Upper: the table holds no more."""
    TABLE_TOO_SMALL = "table_too_small"
    """The given size is below the lower bound, so it is not used."""
    ROWS_UNKNOWN = "rows_unknown"
    """Open: an operation does not say its rows."""
    OBJECT_UNKNOWN = "object_unknown"
    """Rows of operations that name no object, or several, count here, too."""
    LOG_INCOMPLETE = "log_incomplete"
    """Open: nobody vouches that the log holds every event."""


class OperationRows(msgspec.Struct, frozen=True):
    """What one operation returned of one object."""

    rows: int = 0
    """Rows so far, each run's counted once."""
    run: int = 0
    """Rows of the current run."""
    unknown: bool = False
    """Whether an event of it does not say its rows."""


class ScopeStore(Protocol):
    """Where the ledger keeps what grows with the log."""

    def enter(self, key: str) -> bool:
        """Whether an event's key is new; it is known from now on."""

    def operation(self, object_name: str, operation: str) -> OperationRows:
        """What is known of an operation; by default nothing."""

    def keep(self, object_name: str, operation: str, rows: OperationRows) -> None:
        """Replace what is known of an operation."""

    def list_ids(self, object_name: str, operation: str, ids: Iterable[str]) -> None:
        """Add record ids that an operation lists."""

    def known(self, object_name: str) -> int:
        """How many distinct ids of an object are listed."""

    def unlisted(self, object_name: str) -> tuple[int, bool]:
        """Rows without an id, summed over operations (none below 0), and whether one has unknown rows."""

    def ids(self) -> Iterator[tuple[str, str]]:
        """Each object and distinct id, in order."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many distinct records of one object were reached."""

    object: str
    lower: int
    upper: int | None
    """``None`` is open: nothing limits it."""
    upper_in_log: int | None
    """The same if the log were complete and no table had a size."""
    listed: int
    operations: int
    rows: int
    """Rows that events say, repetitions included; see the bounds for records."""
    refused: int
    """Operations that were refused and returned nothing."""
    downloads: int
    """Operations whose event is the download itself."""
    reasons: tuple[BoundReason, ...]


class _Object(msgspec.Struct):
    name: str
    largest: int = 0
    events: int = 0
    rows: int = 0
    refused: int = 0
    downloads: int = 0
    shared: bool = False


def reads(event: AccessEvent) -> bool:
    """Whether rows may have been taken: a reading operation, or one that is not understood and counts rows."""
    return event.operation in READING or event.unmapped_type is not None


def is_download(event: AccessEvent) -> bool:
    """Whether the event itself is a download: an exported report, a file, a bulk result being fetched.

    A bulk job is not: its rows were prepared, and perhaps nobody fetched them.
    """
    operation = event.operation
    if operation is Operation.BULK_EXPORT:
        return event.operation_id is None
    return operation in (Operation.REPORT_EXPORT, Operation.FILE_DOWNLOAD)


class ScopeLedger:
    """Counts an intruder's events; they must come in the order of their times."""

    def __init__(self, store: ScopeStore) -> None:
        self._store = store
        self._objects: dict[str, _Object] = {}

    def observe(self, event: AccessEvent) -> bool:
        """Count an event; whether it was counted, as it reads and is no repetition."""
        if not reads(event):
            return False
        if not self._store.enter(f"{event.identity}\0{event.event_id}\0{event.time_ms}\0{event.rows}"):
            return False
        names = tuple(dict.fromkeys(self._key(name) for name in event.objects)) or (UNNAMED,)
        for name in names:
            self._observe(name, event, alone=len(names) == 1 and name != UNNAMED)
        return True

    def _key(self, name: str) -> str:
        key = name.lower()
        if key not in self._objects:
            if len(self._objects) >= MOST_OBJECTS:
                return UNNAMED
            self._objects[key] = _Object(name)
        return key

    def _observe(self, name: str, event: AccessEvent, *, alone: bool) -> None:
        seen = self._objects.setdefault(name, _Object(name))
        if event.refused:
            seen.refused += 1
            return
        seen.events += 1
        seen.downloads += is_download(event)
        seen.shared |= not alone
        rows = None if event.rows is None else max(0, event.rows)
        operation = f"{event.identity}\0{event.operation_id or event.event_id}"
        kept = self._store.operation(name, operation)
        self._store.keep(name, operation, _added(kept, rows, event.counting))
        if rows is not None:
            seen.rows += rows
            if alone and _is_plain(event):
                seen.largest = max(seen.largest, rows)
        if alone and event.record_ids:
            self._store.list_ids(name, operation, event.record_ids)

    def bounds(self, tables: Mapping[str, int], *, complete: bool) -> list[Bounds]:
        """The bounds of every object that was reached or refused, by name.

        `tables` are tables' sizes by object in lower case. `complete` says that somebody vouches for the log.
        """
        unnamed = self._store.unlisted(UNNAMED) if UNNAMED in self._objects else (0, False)
        return [
            self._bounds(name, self._objects[name], unnamed, tables.get(name), complete=complete)
            for name in sorted(self._objects)
        ]

    def _bounds(
        self, name: str, seen: _Object, unnamed: tuple[int, bool], table: int | None, *, complete: bool
    ) -> Bounds:
        listed = self._store.known(name)
        unlisted, unknown = self._store.unlisted(name)
        lower = max(listed, seen.largest)
        reasons = []
        if lower:
            reasons.append(BoundReason.LISTED if listed == lower else BoundReason.LARGEST_RESULT)
        if name != UNNAMED and unnamed != (0, False):
            unlisted, unknown = unlisted + unnamed[0], unknown or unnamed[1]
        if seen.shared or (name != UNNAMED and unnamed != (0, False)):
            reasons.append(BoundReason.OBJECT_UNKNOWN)
        in_log = None if unknown else max(lower, listed + unlisted)
        upper = in_log if complete else None
        if table is not None and table < lower:
            reasons.append(BoundReason.TABLE_TOO_SMALL)
        elif table is not None and (upper is None or table <= upper):
            return self._made(seen, lower, table, in_log, listed, (*reasons, BoundReason.TABLE))
        if unknown:
            reasons.append(BoundReason.ROWS_UNKNOWN)
        if not complete:
            reasons.append(BoundReason.LOG_INCOMPLETE)
        if upper is not None:
            reasons.append(BoundReason.ROWS)
        return self._made(seen, lower, upper, in_log, listed, tuple(reasons))

    def _made(
        self,
        seen: _Object,
        lower: int,
        upper: int | None,
        in_log: int | None,
        listed: int,
        reasons: tuple[BoundReason, ...],
    ) -> Bounds:
        return Bounds(
            object=seen.name,
            lower=lower,
            upper=upper,
            upper_in_log=in_log,
            listed=listed,
            operations=seen.events,
            rows=seen.rows,
            refused=seen.refused,
            downloads=seen.downloads,
            reasons=reasons,
        )


def _added(kept: OperationRows, rows: int | None, counting: Counting) -> OperationRows:
    """What is known of an operation after one more event of it."""
    if rows is None:
        return OperationRows(kept.rows, kept.run, True)
    if counting is Counting.EACH:
        return OperationRows(kept.rows + rows, kept.run, kept.unknown)
    if rows >= kept.run:
        return OperationRows(kept.rows + rows - kept.run, rows, kept.unknown)
    if counting is Counting.RUNNING:  # the same cursor has been opened anew
        return OperationRows(kept.rows + rows, rows, kept.unknown)
    return kept


_NOT_PLAIN = (" group by ", " having ", "typeof ")


def _is_plain(event: AccessEvent) -> bool:
    """Whether each row is a distinct record: a SELECT on one object without aggregates and sub-queries.

    A call before FROM may be an aggregate. A shape that may have been cut is not plain.
    """
    shape = event.query_shape
    if shape is None or len(event.objects) != 1:
        return False
    if event.status is not None and event.status.lower() not in ("success", "200"):
        return False
    if len(shape) >= MAX_SHAPE or not shape.startswith("select "):
        return False
    selected, found, rest = shape.partition(" from ")
    return (
        bool(found)
        and "(" not in selected
        and "select " not in rest
        and not any(word in f"{shape} " for word in _NOT_PLAIN)
    )
