"""Rows that left, each counted once.

Vendors report the same rows several times: a job in every state it passes, a report in chunks, a record twice
because the network hiccupped. The ledger of an identity remembers enough of what it has counted to add only
what is new. It is bounded: the oldest entries fall out, and how many did is counted in `Ledger.forgotten`.
"""

from __future__ import annotations

from zlib import crc32

import msgspec

from detector.event import AccessEvent, Counting

__all__ = ["Counted", "Ledger", "count"]

RECENT_EVENTS = 64
OPEN_OPERATIONS = 48
MAX_ROWS = 10**12
"""More rows than this in one event or operation are not told apart: sums of them stay within 64 bits."""


class Ledger(msgspec.Struct, array_like=True):
    """What one identity's rows have been counted for."""

    recent: dict[int, int] = {}
    """The newest events: checksum of the event id → event time in ms, oldest first."""
    operations: dict[int, int] = {}
    """The newest operations: checksum of the operation id → rows counted so far, oldest first."""
    forgotten: int = 0
    """How many operations have fallen out; one that reports again after that is counted again."""


class Counted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an event adds."""

    rows: int
    """Rows that left and had not been counted before."""
    operation_rows: int
    """Rows of the whole operation so far, this event included."""


def count(ledger: Ledger, event: AccessEvent) -> Counted | None:
    """Enter an event; ``None`` if it has been entered before.

    >>> from detector.event import ActorKind, Operation
    >>> job = AccessEvent(time_ms=0, event_id="a", tenant="t", actor="u", actor_kind=ActorKind.INTEGRATION,
    ...                   operation=Operation.BULK_EXPORT, operation_id="j", rows=700,
    ...                   counting=Counting.MAXIMUM)
    >>> ledger = Ledger()
    >>> count(ledger, job)
    Counted(rows=700, operation_rows=700)
    >>> count(ledger, msgspec.structs.replace(job, event_id="b", rows=1000))
    Counted(rows=300, operation_rows=1000)
    >>> count(ledger, job) is None
    True
    """
    recent = ledger.recent
    checksum = crc32(event.event_id.encode("utf-8", "surrogatepass"))
    if recent.get(checksum) == event.time_ms:
        return None
    recent[checksum] = event.time_ms
    if len(recent) > RECENT_EVENTS:
        del recent[next(iter(recent))]
    rows = event.rows
    if not rows or rows < 0:
        return Counted(0, 0)
    if rows > MAX_ROWS:
        rows = MAX_ROWS
    if event.operation_id is None:
        return Counted(rows, rows)
    return _of_operation(ledger, event.operation_id, event.counting, rows)


def _of_operation(ledger: Ledger, operation_id: str, counting: Counting, rows: int) -> Counted:
    operations = ledger.operations
    checksum = crc32(operation_id.encode("utf-8", "surrogatepass"))
    seen = operations.pop(checksum, 0)
    if counting is Counting.EACH:
        total, new = min(seen + rows, MAX_ROWS), rows
    elif rows >= seen:
        total, new = rows, rows - seen
    elif counting is Counting.RUNNING:  # the same cursor has been opened anew
        total, new = rows, rows
    else:
        total, new = seen, 0
    operations[checksum] = total  # at the end: the newest
    if len(operations) > OPEN_OPERATIONS:
        del operations[next(iter(operations))]
        ledger.forgotten += 1
    return Counted(new, total)
