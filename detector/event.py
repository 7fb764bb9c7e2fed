"""One access to the CRM, normalised and free of any vendor's words.

An adapter turns a vendor's *record* into an `AccessEvent`; everything after it sees only events. Unknown is
``None``, never 0: a log that does not say how many rows left is not a log that says none did.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = [
    "MAX_RECORD_IDS",
    "READING",
    "AccessEvent",
    "ActorKind",
    "Counting",
    "Operation",
    "RecordOrigin",
]

MAX_RECORD_IDS = 200
"""How many record ids an event keeps (`AccessEvent.record_ids`); further ones are dropped."""


class Operation(StrEnum):
    """What was done; a closed vocabulary."""

    LOGIN = "login"
    DESCRIBE = "describe"
    COUNT = "count"
    QUERY = "query"
    BULK_EXPORT = "bulk_export"
    REPORT = "report"
    REPORT_EXPORT = "report_export"
    LIST_VIEW = "list_view"
    RECORD_VIEW = "record_view"
    SEARCH = "search"
    FILE_DOWNLOAD = "file_download"
    EXPORT_DELETE = "export_delete"
    WRITE = "write"
    ADMIN = "admin"
    VENDOR_FINDING = "vendor_finding"
    OTHER = "other"


READING = frozenset(
    {
        Operation.QUERY,
        Operation.BULK_EXPORT,
        Operation.REPORT,
        Operation.REPORT_EXPORT,
        Operation.LIST_VIEW,
        Operation.RECORD_VIEW,
        Operation.SEARCH,
        Operation.FILE_DOWNLOAD,
    }
)
"""The operations by which rows are taken."""


class ActorKind(StrEnum):
    """Who acted, as far as the log tells: a person, a program, or an unauthenticated visitor."""

    HUMAN = "human"
    INTEGRATION = "integration"
    GUEST = "guest"


class Counting(StrEnum):
    """How `AccessEvent.rows` is to be read, so that the ledger counts each row that left once."""

    EACH = "each"
    """The rows of this event alone: add them up."""
    MAXIMUM = "maximum"
    """A total so far of `operation_id`, reported again as a job or report goes on: its maximum counts."""
    RUNNING = "running"
    """As `MAXIMUM`, but the same `operation_id` may start over: a smaller total begins a new run."""


class RecordOrigin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where an event's record lies: the adapter that read it, and ``file:line`` or ``topic/partition/offset``."""

    adapter: str
    position: str


class AccessEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One access, normalised.

    >>> AccessEvent(time_ms=1742551479747, event_id="e-1", tenant="00D1", actor="0051",
    ...             actor_kind=ActorKind.HUMAN, operation=Operation.QUERY, rows=12).counting
    <Counting.EACH: 'each'>
    """

    time_ms: int
    """Event time, milliseconds since 1970 UTC."""
    event_id: str
    """The same for each delivery of one record and different for different records (dedupe key)."""
    tenant: str
    actor: str
    """The vendor's stable id of the account that acted; with `tenant` it is the identity."""
    actor_kind: ActorKind
    operation: Operation
    actor_name: str | None = None
    app: str | None = None
    """The connected app or client, by id or, failing that, by name."""
    session: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    objects: tuple[str, ...] = ()
    """The kinds of record touched, in the vendor's names (``Contact``)."""
    fields: tuple[str, ...] | None = None
    rows: int | None = None
    """Rows read, to be understood as `counting` says."""
    counting: Counting = Counting.EACH
    bytes_out: int | None = None
    record_ids: tuple[str, ...] = ()
    operation_id: str | None = None
    """The job, report execution or cursor that this event is a part of."""
    query_shape: str | None = None
    """The query with its literals taken out."""
    status: str | None = None
    """``success`` or the vendor's word for what went wrong."""
    country: str | None = None
    origin: RecordOrigin = RecordOrigin("", "")

    @property
    def identity(self) -> str:
        """The identity's key: tenant and actor, joined by a slash (ids hold none)."""
        return f"{self.tenant}/{self.actor}"
