"""Dataverse's own audit entity, as its Web API gives it: what was changed, and who signed in.

An entry names its user by id alone, unless the request asked for formatted values. It has no addresses, no rows
and not the organisation, so that its tenant is that of Microsoft 365's records that name none. Reads are not in it.

See https://learn.microsoft.com/en-us/power-apps/developer/data-platform/reference/entities/audit
"""

from __future__ import annotations

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import clip, count, digest, has_key, id_texts, normalise_actor
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "dataverse_audit"
TENANT = "microsoft_365"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_Number = int | float | str | None


class _Entry(msgspec.Struct):
    action: _Number = None
    action_name: str | None = msgspec.field(default=None, name="action" + _FORMATTED)
    audit_id: str | None = msgspec.field(default=None, name="auditid")
    created_on: str | float | None = msgspec.field(default=None, name="createdon")
    objects: str | None = msgspec.field(default=None, name="objecttypecode")
    object_id: str | None = msgspec.field(default=None, name="_objectid_value")
    operation: _Number = None
    user_id: str | None = msgspec.field(default=None, name="_userid_value")
    user_name: str | None = msgspec.field(default=None, name="_userid_value" + _FORMATTED)
    calling_user_id: str | None = msgspec.field(default=None, name="_callinguserid_value")


_decoder = msgspec.json.Decoder(_Entry)
_SIGN_INS = frozenset({64, 65})
"""Access by a browser, and by web services."""
_RIGHTS = frozenset({14, 48, 49, *range(53, 64), *range(100, 112)})
"""Sharing, membership, roles and the settings of auditing itself."""
_ADMINISTERED = frozenset(
    {"fieldpermission", "fieldsecurityprofile", "organization", "privilege", "role", "systemuser", "team"}
)
_READ = 4


def _operation(entry: _Entry) -> Operation:
    action, operation = count(entry.action, "action"), count(entry.operation, "operation")
    if action in _SIGN_INS:
        return Operation.LOGIN
    if action in _RIGHTS or (entry.objects or "").lower() in _ADMINISTERED:
        return Operation.ADMIN
    if operation == _READ:
        return Operation.RECORD_VIEW
    return Operation.WRITE if operation in (1, 2, 3, 5) else Operation.OTHER


def _event(raw: bytes, position: str) -> AccessEvent:
    entry = _decoder.decode(raw)
    if not entry.created_on:
        raise FieldError(Rejection.MISSING_FIELD, "createdon is blank")
    user = entry.calling_user_id or entry.user_id
    if not user:
        raise FieldError(Rejection.MISSING_FIELD, "_userid_value is blank")
    operation = _operation(entry)
    signs_in = operation is Operation.LOGIN
    access = AccessFields(
        operation,
        () if signs_in or not entry.objects else (entry.objects[:80],),
        rows=1 if operation is Operation.RECORD_VIEW else None,
        record_ids=() if signs_in else id_texts((entry.object_id,)),
        status="success" if signs_in else None,
    )
    return event_of(
        access,
        time_ms(entry.created_on, month_first=True),
        "dataverse:" + (entry.audit_id[:128].lower() if entry.audit_id else digest(raw)),
        (TENANT, normalise_actor(user), ActorKind.HUMAN, clip(entry.user_name)),
        None,
        None,
        None,
        None,
        None,
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it has the entity's key, its user and its action."""
    return has_key(record, b"auditid") and has_key(record, b"_userid_value") and has_key(record, b"action")


ADAPTER = Adapter(
    name=NAME,
    sign="keys auditid, _userid_value and action",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for Dataverse's audit entity."""
