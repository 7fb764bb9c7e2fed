"""Rows that left, each counted once.

Vendors report the same rows several times: a job in every state it passes, a report in chunks, a record twice
because the network hiccupped. The ledger of an identity remembers enough of what it has counted to add only
what is new. It is bounded: encoded it takes at most some 1,200 bytes. What falls out is what does least harm
should it be reported again, and how many did is counted in `Ledger.forgotten`.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice

import msgspec

from detector.event import AccessEvent, Counting

__all__ = ["Counted", "Ledger", "count"]

RECENT_EVENTS = 56
OPEN_OPERATIONS = 48
OPEN_SUMS = 16
MAX_ROWS = 10**12
"""More rows than this in one event or operation are not told apart: sums of them stay within 64 bits."""


class Ledger(msgspec.Struct, array_like=True, gc=False):
    """What one identity's rows have been counted for.

    Events and operations are known by 64 and by 32 bits of a hash: the bytes of their id as a number, modulo
    `modulus`. That is nearly as fast as a checksum, but as each ledger has a modulus of its own, which hangs on
    the vendor's id of the identity's first event, nobody can make two ids that pass for one.
    """

    recent: dict[int, int] = {}
    """The newest events, oldest first: hash of id and time → bits of its row count, plus 1 (0: unknown)."""
    operations: dict[int, int] = {}
    """The newest operations that report totals: hash of the operation id → rows counted so far, oldest first."""
    forgotten: int = 0
    """How many of those have fallen out; one that reports again after that is counted again."""
    sums: dict[int, int] = {}
    """The same for operations whose events each say their own rows; they are counted right without it."""
    modulus: int = 0
    """An odd number of 64 bits; 0 before the first event."""


class Counted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an event adds."""

    rows: int
    """Rows that left and had not been counted before."""
    operation_rows: int
    """Rows of the whole operation so far, this event included."""


_NOTHING = Counted(0, 0)
_EACH, _RUNNING = Counting.EACH, Counting.RUNNING


def count(ledger: Ledger, event: AccessEvent) -> Counted | None:
    """Enter an event; ``None`` if it has been entered before, with as many rows.

    An id alone does not make an event another's duplicate: whoever writes a record of one row first would hide the real
    one. One that comes again with at least twice the rows counts by how much it is more.

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
    modulus = ledger.modulus or _begin(ledger, event.event_id)
    # The 1 before the bytes tells an id from the same one behind zeros; shifted, a short id is large enough, too.
    number = int.from_bytes(b"\1" + event.event_id.encode("utf-8", "surrogatepass"), "big")
    known = ((number << 64) + event.time_ms) % modulus
    recent = ledger.recent
    rows = event.rows
    if not rows or rows < 0:
        rows = 0
    elif rows > MAX_ROWS:
        rows = MAX_ROWS
    size = rows.bit_length() + 1
    entered = recent.get(known)
    if entered is not None and (size <= entered or not entered):
        return None
    recent[known] = size
    if len(recent) > RECENT_EVENTS:
        del recent[next(iter(recent))]
    if not rows:
        return _NOTHING
    operation_id = event.operation_id
    if entered and (operation_id is None or event.counting is _EACH):
        rows -= (1 << entered - 1) - 1  # at most so many have been counted with its id
    if operation_id is None:
        return Counted(rows, rows)
    number = int.from_bytes(b"\1" + operation_id.encode("utf-8", "surrogatepass"), "big")
    operation = (number << 64) % modulus & 0xFFFFFFFF
    return _of_operation(ledger, operation, event.counting, rows)


def _begin(ledger: Ledger, event_id: str) -> int:
    digest = blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    ledger.modulus = int.from_bytes(digest, "big") | 1 << 63 | 1
    return ledger.modulus


def _of_operation(ledger: Ledger, operation: int, counting: Counting, rows: int) -> Counted:
    operations, sums = ledger.operations, ledger.sums
    seen = operations.pop(operation, 0) or sums.pop(operation, 0)
    if counting is _EACH:
        total, new = min(seen + rows, MAX_ROWS), rows
        sums[operation] = total  # at the end: the newest
        if len(sums) > OPEN_SUMS:
            del sums[next(iter(sums))]
        return Counted(new, total)
    if rows >= seen:
        total, new = rows, rows - seen
    elif counting is _RUNNING:  # the same cursor has been opened anew
        total, new = rows, rows
    else:
        total, new = seen, 0
    operations[operation] = total
    if len(operations) > OPEN_OPERATIONS:
        # Of those that have been quiet for longest the smallest, as it is counted again if it goes on.
        del operations[min(islice(operations, OPEN_OPERATIONS // 2), key=operations.__getitem__)]
        ledger.forgotten += 1
    return Counted(new, total)
