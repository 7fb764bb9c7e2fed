"""HubSpot: the account activity API's three logs, of changes and exports, of logins, and of security.

The audit log says who did what to which kind of object, without addresses and without row counts: an export is
seen, its rows are not, and reads are not logged at all. Logins and security activity have addresses. No log names
the account it belongs to, so that the tenant is ``hubspot``.

See https://developers.hubspot.com/docs/api-reference/latest/account/audit-logs/guide
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import (
    MAX_ID,
    agent,
    clip,
    digest,
    has_key,
    id_texts,
    ip_without_port,
    normalise_actor,
)
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "hubspot"
TENANT = "hubspot"

_Id = int | str | None


class _User(msgspec.Struct, rename="camel", gc=False):
    user_id: _Id = None
    user_email: str | None = None


class _Record(msgspec.Struct, rename="camel"):
    """The fields of the three logs; all have ids, users and times, under different names."""

    acting_user: _User | str | None = None
    action: str | None = None
    category: str | None = None
    id: _Id = None
    occurred_at: str | int | float | None = None
    sub_category: str | None = None
    target_object_id: _Id = None
    country_code: str | None = None
    email: str | None = None
    ip_address: str | None = None
    login_at: str | int | float | None = None
    login_succeeded: bool | str | None = None
    user_agent: str | None = None
    user_id: _Id = None
    created_at: str | int | float | None = None
    object_id: _Id = None
    type: str | None = None


_decoder = msgspec.json.Decoder(_Record)

_SETTINGS = re.compile(
    r"permission|security|user|team|integration|app\b|api|key|token|sso|domain|setting|account|billing|login|role"
)
_CHANGES = frozenset(
    {
        "add", "archive", "associate", "bulk_create", "bulk_delete", "bulk_update", "create", "delete",
        "disassociate", "import", "merge", "publish", "purge", "remove", "restore", "send", "unpublish", "update",
    }
)  # fmt: skip


@lru_cache(maxsize=2_048)
def _audited(category: str, sub_category: str, action: str) -> Operation:
    """The operation of an audit entry; exports are a category in some entries and an action in others."""
    words = f"{category} {sub_category}".lower()
    action = action.lower()
    if "export" in words or "export" in action:
        return Operation.REPORT_EXPORT if "report" in words else Operation.BULK_EXPORT
    if "login" in words:
        return Operation.LOGIN
    if action in ("view", "read", "access"):
        return Operation.RECORD_VIEW
    if action in ("download",):
        return Operation.FILE_DOWNLOAD
    if _SETTINGS.search(words.replace("_", " ")):
        return Operation.ADMIN
    return Operation.WRITE if action in _CHANGES else Operation.OTHER


_NOT_OBJECTS = frozenset({"", "crm_object", "export", "other", "property_value", "unknown"})


def _audit(record: _Record) -> AccessFields:
    operation = _audited(
        *((text or "")[:80] for text in (record.category, record.sub_category, record.action))
    )
    if operation is Operation.LOGIN:
        return AccessFields(operation=operation)
    thing = next(
        (
            word
            for text in (record.sub_category, record.category)
            if (word := (text or "")[:80].lower()) not in _NOT_OBJECTS
        ),
        None,
    )
    shown = operation in (Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD)
    return AccessFields(
        operation=operation,
        objects=(thing,) if thing else (),
        rows=1 if shown else None,
        record_ids=_ids(record.target_object_id),
    )


def _security(record: _Record) -> AccessFields:
    """Rights and keys changed hands, or somebody exported."""
    kind = (record.type or "")[:80].upper()
    exported = "EXPORT" in kind
    return AccessFields(
        operation=Operation.BULK_EXPORT if exported else Operation.ADMIN,
        record_ids=_ids(record.object_id),
        status=clip(kind.lower()),
    )


def _login(record: _Record) -> AccessFields:
    succeeded = str(record.login_succeeded).strip().lower() == "true"
    known = record.login_succeeded is not None
    return AccessFields(
        operation=Operation.LOGIN, status=("success" if succeeded else "failed") if known else None
    )


def _ids(value: _Id) -> tuple[str, ...]:
    return id_texts((_text(value),))


def _text(value: _Id) -> str:
    return "" if value is None else str(value)


def _who(record: _Record) -> tuple[str, str | None]:
    """The account's id, or its address, and its name."""
    acting = record.acting_user
    if isinstance(acting, _User):
        user_id, name = acting.user_id, acting.user_email
    else:
        user_id, name = record.user_id, acting or record.email
    account = _text(record.user_id if user_id is None else user_id) or name
    if not account:
        raise FieldError(Rejection.MISSING_FIELD, "neither a user's id nor an address")
    return normalise_actor(account), clip(name)


def _event(raw: bytes, position: str) -> AccessEvent:
    record = _decoder.decode(raw)
    if record.occurred_at is not None:
        log, when, access = "audit", record.occurred_at, _audit(record)
    elif record.login_at is not None:
        log, when, access = "login", record.login_at, _login(record)
    elif record.created_at is not None:
        log, when, access = "security", record.created_at, _security(record)
    else:
        raise FieldError(Rejection.MISSING_FIELD, "neither occurredAt nor loginAt nor createdAt")
    actor, name = _who(record)
    # The vendor's own automation acts under the number 0 or under a name that is no address.
    program = actor == "0" or (name is not None and "@" not in name)
    return event_of(
        access,
        time_ms(when),
        f"hubspot:{log}:{_text(record.id)[:MAX_ID] or digest(raw)}",
        (TENANT, actor, ActorKind.INTEGRATION if program else ActorKind.HUMAN, name),
        None,
        None,
        ip_without_port(record.ip_address),
        agent(record.user_agent),
        clip(record.country_code, 8),
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it has the two keys that mark an entry of one of the three logs."""
    return (
        (has_key(record, b"occurredAt") and has_key(record, b"subCategory"))
        or (has_key(record, b"loginAt") and has_key(record, b"loginSucceeded"))
        or (has_key(record, b"infoUrl") and has_key(record, b"createdAt"))
    )


ADAPTER = Adapter(
    name=NAME,
    sign="keys occurredAt and subCategory, or loginAt and loginSucceeded, or infoUrl and createdAt",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for the account activity logs."""
