"""One access to the CRM, normalised and free of vendor terms.

An adapter turns a vendor's *record* into an `AccessEvent`; everything after it sees only events. Unknown is
``None``, never 0: a log without row counts does not say that no rows were taken.
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
"""The most record ids that an event keeps (`AccessEvent.record_ids`); further ones are dropped."""


class Operation(StrEnum):
    """Kinds of operation; a closed vocabulary."""

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
    """The kind of actor, as far as the log tells: a person, a program, or an unauthenticated visitor."""

    HUMAN = "human"
    INTEGRATION = "integration"
    GUEST = "guest"


class Counting(StrEnum):
    """How to read `AccessEvent.rows`, so that the ledger counts each row taken once."""

    EACH = "each"
    """The rows of this event alone: the ledger adds them up."""
    MAXIMUM = "maximum"
    """The total of `operation_id` so far, reported repeatedly as a job or report progresses: the maximum counts."""
    RUNNING = "running"
    """Like `MAXIMUM`, but the same `operation_id` may start over: a smaller total starts a new run."""


class RecordOrigin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The origin of an event: the adapter that read it, and ``file:line`` or ``topic/partition/offset``."""

    adapter: str
    position: str


_UNAUTHORIZED = frozenset({"401", "403", "407"})
"""The statuses of a web server that asks for a credential or does not take it."""


class AccessEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One normalised access.

    >>> AccessEvent(time_ms=1742551479747, event_id="e-1", tenant="00D1", actor="0051",
    ...             actor_kind=ActorKind.HUMAN, operation=Operation.QUERY, rows=12).counting
    <Counting.EACH: 'each'>
    """

    time_ms: int
    """Event time, milliseconds since 1970 UTC."""
    event_id: str
    """Deduplication key: the same for each delivery of a record, different for different records."""
    tenant: str
    actor: str
    """The vendor's stable id of the account that acted; with `tenant` it is the identity."""
    actor_kind: ActorKind
    operation: Operation
    actor_name: str | None = None
    app: str | None = None
    """The connected app or client, by id or otherwise by name."""
    session: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    objects: tuple[str, ...] = ()
    """The objects accessed, by the vendor's names (``Contact``)."""
    fields: tuple[str, ...] | None = None
    rows: int | None = None
    """Rows read; `counting` says how to read the number."""
    counting: Counting = Counting.EACH
    bytes_out: int | None = None
    record_ids: tuple[str, ...] = ()
    operation_id: str | None = None
    """The job, report execution or cursor that this event belongs to."""
    query_shape: str | None = None
    """The query without its literals."""
    status: str | None = None
    """``success`` or the vendor's term for the failure."""
    country: str | None = None
    origin: RecordOrigin = RecordOrigin("", "")
    unmapped_type: str | None = None
    """The vendor's name of a type that its adapter does not map, if the record counts rows: `rows` has them, and
    `operation` is ``other``, as what was done is not understood."""

    @property
    def identity(self) -> str:
        """The identity's key: tenant and actor, joined by a slash (ids hold none)."""
        return f"{self.tenant}/{self.actor}"

    @property
    def refused(self) -> bool:
        """Whether it was refused before anybody had shown a credential: anyone can cause such an event, in any name.

        >>> from msgspec.structs import replace
        >>> event = AccessEvent(0, "a", "t", "u", ActorKind.HUMAN, Operation.LOGIN, status="Invalid Password")
        >>> event.refused, replace(event, status="success").refused, replace(event, status=None).refused
        (True, False, False)
        """
        status = self.status
        if status is None:
            return False
        if self.operation is Operation.LOGIN:
            return status.lower() != "success"
        return status in _UNAUTHORIZED
