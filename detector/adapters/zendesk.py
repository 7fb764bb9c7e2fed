"""Zendesk: the audit log (what was changed, exported, signed in to) and the access log (what was looked at).

The audit log names what was done and to which kind of thing, never how many: an export is seen, its rows are not.
The access log, an add-on, has a request a row, with its path; a path that names one thing is a row of it. The
access log does not say whose account it is, so that the tenant of both is ``zendesk``, under which a user's id
is the same in both. The file that the admin centre offers of the audit log names people by their names alone.

See https://developer.zendesk.com/api-reference/ticketing/account-configuration/audit_logs/
and https://developer.zendesk.com/api-reference/ticketing/account-configuration/access_logs
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import PAGE_KEYS, Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import (
    MAX_ID,
    agent,
    clip,
    count,
    digest,
    has_key,
    id_texts,
    ip_without_port,
    normalise_actor,
)
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "zendesk"
TENANT = "zendesk"

_Id = int | str | None


class _Record(msgspec.Struct):
    """The fields of both logs, the audit log's first."""

    url: str | None = None
    id: _Id = None
    action: str | None = None
    actor_id: _Id = None
    actor_name: str | None = None
    ip_address: str | None = None
    source_id: _Id = None
    source_type: str | None = None
    source_label: str | None = None
    change_description: str | None = None
    created_at: str | None = None
    timestamp: str | None = None
    user_id: _Id = None
    origin_ip: str | None = None
    method: str | None = None
    status: int | str | None = None
    authorization_type: str | None = None
    client: str | None = None
    referer: str | None = None
    bytes_sent: int | float | str | None = None
    graphql: msgspec.Raw = msgspec.Raw(b"null")
    page_time: str | None = msgspec.field(default=None, name="Time")
    page_actor: str | None = msgspec.field(default=None, name="Actor")
    page_address: str | None = msgspec.field(default=None, name="IP address")
    page_item: str | None = msgspec.field(default=None, name="Item")
    page_action: str | None = msgspec.field(default=None, name="Activity type")
    page_activity: str | None = msgspec.field(default=None, name="Activity")


_decoder = msgspec.json.Decoder(_Record)
_graphql_decoder = msgspec.json.Decoder(dict[str, object])

# --- the audit log

_DATA = frozenset(
    {
        "article", "attachment", "call", "chat", "comment", "conversation", "organization", "satisfaction_rating",
        "ticket", "user", "user_identity", "voice_recording",
    }
)  # fmt: skip
"""The objects that hold customers' data; a change of any other is administration."""


_QUALIFIED = {"organization": "zendesk:organization", "user": "zendesk:user"}
"""Objects that mean a customer here and the company itself elsewhere → their names in `detector.catalogue`."""


@lru_cache(maxsize=1_024)
def _kind_of_thing(source_type: str) -> str:
    """``ticket`` for ``ticket``, ``Ticket``, ``zendesk/ticket`` and ``Zendesk::Ticket``."""
    word = re.split(r"[/:]+", source_type.strip())[-1]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower()[:80]


_PAGE_ACTIONS = {
    "created": "create", "deleted": "destroy", "export": "exported", "merged": "merge", "restored": "restore",
    "permanently deleted": "permanently_destroy", "sign in": "login", "signed in": "login", "logged in": "login",
    "updated": "update",
}  # fmt: skip


def _of_page(record: _Record) -> _Record:
    """A row of the admin centre's file as an entry of the log; of its item's words the first known one counts."""
    words = re.findall(r"[a-z_]+", (record.page_item or "")[:200].lower())
    things = [word.removesuffix("s") for word in words]
    action = (record.page_action or "").strip().lower()
    thing = next(
        (word for word in things if word in _DATA or word in ("report", "view")), things[0] if things else ""
    )
    return msgspec.structs.replace(
        record,
        action=_PAGE_ACTIONS.get(action, action),
        actor_name=record.page_actor,
        ip_address=record.page_address,
        source_type=thing,
        change_description=record.page_activity,
        created_at=record.page_time,
    )


def _audited(record: _Record) -> AccessFields:
    action = (record.action or "").lower()
    thing = _kind_of_thing(record.source_type or "")
    status = None
    if action == "exported":
        operation = Operation.REPORT_EXPORT if thing in ("report", "view") else Operation.BULK_EXPORT
    elif action == "login":
        operation = Operation.LOGIN
        failed = "fail" in (record.change_description or "")[:400].lower()
        status = "failed" if failed else "success"
    elif action in ("create", "update", "destroy", "permanently_destroy", "restore", "merge"):
        operation = Operation.WRITE if thing in _DATA else Operation.ADMIN
    else:
        operation = Operation.OTHER
    if operation is Operation.LOGIN:
        return AccessFields(operation=operation, status=status)
    return AccessFields(
        operation=operation,
        objects=(_QUALIFIED.get(thing, thing),) if thing else (),
        record_ids=_ids(record.source_id),
    )


def _ids(value: _Id) -> tuple[str, ...]:
    return () if value in (None, 0, "") else id_texts((_text(value),))


# --- the access log


class _Path(msgspec.Struct, frozen=True, gc=False):
    operation: Operation
    objects: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    rows: int | None = None


_THINGS = {
    "articles": "article", "attachments": "attachment", "audits": "ticket", "calls": "call", "chats": "chat",
    "comments": "comment", "conversations": "conversation", "customers": "user", "deleted_tickets": "ticket",
    "deleted_users": "user", "end_users": "user", "identities": "user_identity", "organizations": "organization",
    "people": "user", "profiles": "user", "recordings": "voice_recording", "requests": "ticket",
    "satisfaction_ratings": "satisfaction_rating", "suspended_tickets": "ticket", "tickets": "ticket",
    "users": "user", "views": "view",
}  # fmt: skip
_SIGN_IN = frozenset({"access", "login", "oauth", "sessions", "sso"})


@lru_cache(maxsize=4_096)
def _path(method: str, path: str) -> _Path:
    """What a request asks for: ``/api/v2/tickets/12.json`` is one ticket, ``/api/v2/tickets.json`` a list of them."""
    words = [word.removesuffix(".json") for word in path.lower().split("/") if word]
    things = [place for place, word in enumerate(words) if word in _THINGS]
    thing = _THINGS[words[things[-1]]] if things else ""
    objects = (_QUALIFIED.get(thing, thing),) if thing else ()
    after = words[things[-1] + 1] if things and things[-1] + 1 < len(words) else ""
    ids = (after[:MAX_ID],) if after.isdecimal() else ()
    if words[:1] and words[0] in _SIGN_IN:
        return _Path(Operation.LOGIN)
    if method not in ("GET", "HEAD", ""):
        # A GraphQL request may write, but a theft must not hide in one.
        asked = Operation.QUERY if "graphql" in words else Operation.WRITE if objects else Operation.ADMIN
        return _Path(asked, objects, ids)
    if "attachments" in words and words[-1] != "attachments":
        return _Path(Operation.FILE_DOWNLOAD, ("attachment",), ids, 1)
    if "incremental" in words or words[-1:] == ["export"]:
        return _Path(Operation.BULK_EXPORT, objects)
    if words[-1:] == ["csv"] or path.endswith(".csv"):
        return _Path(Operation.REPORT_EXPORT, objects)
    if words[-1:] in (["count"], ["counts"]):
        return _Path(Operation.COUNT, objects)
    if "search" in words:
        return _Path(Operation.SEARCH, objects)
    if not objects:
        return _Path(Operation.OTHER)
    if after == "show_many":
        return _Path(Operation.QUERY, objects)
    return _Path(Operation.RECORD_VIEW, objects, ids, 1) if ids else _Path(Operation.LIST_VIEW, objects)


def _accessed(record: _Record) -> AccessFields:
    url = urlsplit((record.url or "")[:2_000])
    asked = _path((record.method or "").upper()[:8], url.path)
    many = _many(url.query) if asked.operation is Operation.QUERY else ()
    operation = asked.operation
    if operation is Operation.OTHER and len(record.graphql) > len(b"null"):
        operation = Operation.QUERY
    status = _text(record.status)
    failed = status != "" and not status.startswith(("2", "3"))
    rows = asked.rows if not many else len(many)
    return AccessFields(
        operation=operation,
        objects=asked.objects,
        rows=0 if failed and rows else rows,
        bytes_out=count(record.bytes_sent, "bytes_sent"),
        record_ids=id_texts(many) or asked.ids,
        query_shape=_graphql_name(record.graphql),
        status=status[:80] if failed else "success" if status else None,
    )


def _many(query: str) -> list[str]:
    """The ids of ``show_many?ids=1,2,3``."""
    for part in query.split("&"):
        if part.startswith("ids="):
            return [text for text in re.split(r",|%2C|%2c", part[4:]) if text.isdecimal()]
    return []


def _graphql_name(raw: msgspec.Raw) -> str | None:
    """The name of a GraphQL operation; its text is not kept, as it may hold literals."""
    if len(raw) <= len(b"null"):
        return None
    try:
        name = _graphql_decoder.decode(raw).get("operation_name")
    except msgspec.MsgspecError:
        return None
    return clip(name, 300) if isinstance(name, str) else None


# --- who


def _text(value: _Id) -> str:
    return "" if value is None else str(value)


def _actor(record: _Record) -> str:
    account = _text(record.actor_id if record.user_id is None else record.user_id) or record.actor_name
    if not account:
        raise FieldError(Rejection.MISSING_FIELD, "neither actor_id nor user_id")
    return normalise_actor(account)


def _kind(record: _Record, actor: str) -> ActorKind:
    """Ids below 1 are Zendesk's own; a token without a referring page is a program's."""
    if actor.startswith("-") or actor == "0":
        return ActorKind.INTEGRATION
    if record.authorization_type in ("anonymous", "none"):
        return ActorKind.GUEST
    token = record.authorization_type in ("basic", "bearer", "oauth", "api_token", "token")
    return ActorKind.INTEGRATION if token and not record.referer else ActorKind.HUMAN


def _event(raw: bytes, position: str) -> AccessEvent:
    record = _decoder.decode(raw)
    if record.page_time is not None:
        record = _of_page(record)
    access = _accessed(record) if record.timestamp is not None else _audited(record)
    when = record.created_at if record.timestamp is None else record.timestamp
    if not when:
        raise FieldError(Rejection.MISSING_FIELD, "neither created_at nor timestamp")
    actor = _actor(record)
    log = "audit" if record.timestamp is None else "access"
    return event_of(
        access,
        time_ms(when),
        f"zendesk:{log}:{_text(record.id)[:MAX_ID] or digest(raw)}",
        (TENANT, actor, _kind(record, actor), clip(record.actor_name)),
        None,
        None,
        ip_without_port(record.ip_address) or ip_without_port(record.origin_ip),
        agent(record.client),
        None,
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it has the two keys that mark an entry of the audit log, or of the access log."""
    return (
        (has_key(record, b"change_description") and has_key(record, b"source_type"))
        or (
            has_key(record, b"graphql")
            and (has_key(record, b"authorization_type") or has_key(record, b"ip_address"))
        )
        or (has_key(record, b"Activity type") and has_key(record, b"Actor") and has_key(record, b"Time"))
    )


ADAPTER = Adapter(
    name=NAME,
    sign="keys change_description and source_type, or authorization_type and graphql, or Activity type and Actor",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
    page_keys=(*PAGE_KEYS, "access_logs", "audit_logs"),
)
"""The adapter for audit and access logs."""
