"""What a record says was done, and the event that is made of it."""

from __future__ import annotations

import msgspec

from detector.event import AccessEvent, ActorKind, Counting, Operation, RecordOrigin

__all__ = ["AccessFields", "event_of"]


class AccessFields(msgspec.Struct, frozen=True, gc=False):
    """What a record says was done: the part of an `AccessEvent` that depends on the record's type."""

    operation: Operation = Operation.OTHER
    objects: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    rows: int | None = None
    counting: Counting = Counting.EACH
    bytes_out: int | None = None
    record_ids: tuple[str, ...] = ()
    operation_id: str | None = None
    query_shape: str | None = None
    status: str | None = None
    by_program: bool = False
    """Whether a program spoke to an API, rather than a person to a page."""
    unmapped_type: str | None = None


def event_of(
    access: AccessFields,
    time_ms: int,
    event_id: str,
    who: tuple[str, str, ActorKind, str | None],
    app: str | None,
    session: str | None,
    ip: str | None,
    user_agent: str | None,
    country: str | None,
    origin: RecordOrigin,
) -> AccessEvent:
    """The event of an access by `who` (tenant, account, kind, name)."""
    tenant, account, kind, name = who
    return AccessEvent(
        time_ms,
        event_id,
        tenant,
        account,
        kind,
        access.operation,
        name,
        app,
        session,
        ip,
        user_agent,
        access.objects,
        access.fields,
        access.rows,
        access.counting,
        access.bytes_out,
        access.record_ids,
        access.operation_id,
        access.query_shape,
        access.status,
        country,
        origin,
        access.unmapped_type,
    )
