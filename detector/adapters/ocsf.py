"""OCSF: records that a SIEM has normalised, of the classes that describe an access to data.

Read are API Activity (6003), Datastore Activity (6005), Web Resources Activity (6001) and Authentication (3002);
other classes are not recognised, crmwatch's own findings among them. OCSF has no place for a number of rows: they
are unknown unless the record's ``unmapped`` part names them, or resources are listed one by one. Who acts is
``actor.user``, except in an Authentication, where it is ``user``: the actor there is who asked for the sign-in, mostly
a service. Producers write ``time`` in any unit; ``time_dt`` outranks it.

See https://schema.ocsf.io/1.8.0/classes/api_activity and https://schema.ocsf.io/1.8.0/classes/datastore_activity
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.soql import Soql, soql
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import (
    MAX_ID,
    agent,
    clip,
    count,
    digest,
    id_texts,
    ip_without_port,
    normalise_actor,
)
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "ocsf"
UNNAMED_TENANT = "ocsf"
"""The tenant of a record that names none."""

_API = 6003
_DATASTORE = 6005
_WEB = 6001
_AUTHENTICATION = 3002

_NOTHING = msgspec.Raw(b"null")
_Number = int | float | str | None


class _Organisation(msgspec.Struct, gc=False):
    uid: str | None = None
    name: str | None = None


class _Account(msgspec.Struct, gc=False):
    uid: _Number = None
    name: str | None = None


class _Cloud(msgspec.Struct):
    account: _Account | None = None
    org: _Account | None = None
    project_uid: _Number = None


class _User(msgspec.Struct):
    account: _Account | None = None
    uid: _Number = None
    name: str | None = None
    email_addr: str | None = None
    type_id: _Number = None
    org: _Organisation | None = None


class _Named(msgspec.Struct, gc=False):
    """A session, resource, table, request …: what has a name, a type and an id."""

    uid: _Number = None
    name: str | None = None
    type: str | None = None


class _Actor(msgspec.Struct):
    user: _User | None = None
    session: _Named | None = None
    app_name: str | None = None
    app_uid: str | None = None


class _Metadata(msgspec.Struct, gc=False):
    uid: _Number = None
    original_event_uid: _Number = None
    correlation_uid: _Number = None
    tenant_uid: _Number = None


class _Api(msgspec.Struct):
    operation: str | None = None


class _Location(msgspec.Struct, gc=False):
    country: str | None = None


class _Endpoint(msgspec.Struct):
    ip: str | None = None
    location: _Location | None = None


class _Request(msgspec.Struct, gc=False):
    user_agent: str | None = None


class _Response(msgspec.Struct, gc=False):
    body_length: _Number = None
    length: _Number = None


class _QueryInfo(msgspec.Struct, gc=False):
    query_string: str | None = None
    bytes: _Number = None


class _Rows(msgspec.Struct):
    """The names that producers give to the number of rows, for which OCSF has none."""

    rows: _Number = None
    row_count: _Number = None
    rows_returned: _Number = None
    rows_processed: _Number = None
    record_count: _Number = None


class _Record(msgspec.Struct):
    activity_id: _Number = None
    actor: _Actor | None = None
    api: _Api | None = None
    class_uid: _Number = None
    cloud: _Cloud | None = None
    database: _Named | None = None
    databucket: _Named | None = None
    http_request: _Request | None = None
    http_response: _Response | None = None
    metadata: _Metadata | None = None
    query_info: _QueryInfo | None = None
    resources: list[_Named] | None = None
    session: _Named | None = None
    src_endpoint: _Endpoint | None = None
    status: str | None = None
    status_detail: str | None = None
    status_id: _Number = None
    table: _Named | None = None
    time: _Number = None
    time_dt: _Number = None
    unmapped: msgspec.Raw = _NOTHING
    user: _User | None = None
    web_resources: list[_Named] | None = None


_decoder = msgspec.json.Decoder(_Record)
_rows_decoder = msgspec.json.Decoder(_Rows)
_text_decoder = msgspec.json.Decoder(str)
_NO_QUERY = Soql("", "", (), (), False)

_ACTIVITIES = {
    _API: {1: Operation.WRITE, 2: Operation.QUERY, 3: Operation.WRITE, 4: Operation.WRITE},
    _DATASTORE: {
        1: Operation.QUERY,
        2: Operation.WRITE,
        3: Operation.LOGIN,
        4: Operation.QUERY,
        5: Operation.WRITE,
        6: Operation.WRITE,
        7: Operation.WRITE,
        8: Operation.LIST_VIEW,
    },
    _WEB: {
        1: Operation.WRITE,
        2: Operation.RECORD_VIEW,
        3: Operation.WRITE,
        4: Operation.WRITE,
        5: Operation.SEARCH,
        6: Operation.WRITE,
        7: Operation.REPORT_EXPORT,
        8: Operation.ADMIN,
    },
    _AUTHENTICATION: {
        1: Operation.LOGIN,
        3: Operation.LOGIN,
        4: Operation.LOGIN,
        5: Operation.LOGIN,
        6: Operation.LOGIN,
        7: Operation.ADMIN,
    },
}
_WORDS = (
    (re.compile(r"report\w*export|export\w*report"), Operation.REPORT_EXPORT),
    (re.compile(r"export|bulk|dump|unload|snapshot"), Operation.BULK_EXPORT),
    (re.compile(r"download"), Operation.FILE_DOWNLOAD),
    (re.compile(r"(?:log|sign)_?-?(?:in|on)\b|authenticate"), Operation.LOGIN),
)
"""Words of an API's operation that outrank its activity: an export is often the creation of a job."""
_READ_WORDS = (
    (re.compile(r"describe|schema|metadata"), Operation.DESCRIBE),
    (re.compile(r"count"), Operation.COUNT),
    (re.compile(r"search|find"), Operation.SEARCH),
    (re.compile(r"report|dashboard"), Operation.REPORT),
    (re.compile(r"list|scan"), Operation.LIST_VIEW),
    (re.compile(r"query|select|retrieve|read|fetch|get|view"), Operation.QUERY),
)
"""Words that refine a read, or an unknown activity."""


@lru_cache(maxsize=2_048)
def _operation(class_uid: int, activity: int, word: str) -> Operation:
    word = word.lower()
    usual = _ACTIVITIES[class_uid].get(activity, Operation.OTHER)
    if class_uid == _AUTHENTICATION:
        return usual
    for pattern, operation in _WORDS:
        if pattern.search(word):
            return operation
    if usual in (Operation.QUERY, Operation.OTHER):
        for pattern, operation in _READ_WORDS:
            if pattern.search(word):
                return operation
    return usual


def _whole(value: _Number) -> int:
    """A closed vocabulary's number, perhaps as text; -1 for none."""
    if isinstance(value, str):
        return int(value) if len(value) <= 9 and value.isascii() and value.isdecimal() else -1
    return int(value) if value is not None and -1 < value < 1e9 else -1


def _text(value: _Number) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)[: 2 * MAX_ID]


def _rows(record: _Record) -> int | None:
    """The number of rows in the producer's own part, if it can be read: it may hold anything, or be text."""
    if len(record.unmapped) <= len(b"null"):
        return None
    part = bytes(record.unmapped)
    try:
        unmapped = _rows_decoder.decode(_text_decoder.decode(part) if part[:1] == b'"' else part)
    except (msgspec.MsgspecError, RecursionError):
        return None
    given = (
        unmapped.rows,
        unmapped.row_count,
        unmapped.rows_returned,
        unmapped.record_count,
        unmapped.rows_processed,
    )
    return next((count(value, "rows") for value in given if value is not None), None)


def _bytes(record: _Record) -> int | None:
    response, query = record.http_response, record.query_info
    sizes = (
        response.body_length if response else None,
        response.length if response else None,
        query.bytes if query else None,
    )
    return next((count(size, "length") for size in sizes if size is not None), None)


_ITEMS = frozenset({Operation.QUERY, Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD})


def _access(record: _Record, class_uid: int) -> AccessFields:
    word = record.api.operation[:80] if record.api and record.api.operation else ""
    operation = _operation(class_uid, _whole(record.activity_id), word)
    text = record.query_info.query_string if record.query_info else None
    query = soql(text) if text else _NO_QUERY
    if query.counts and operation is Operation.QUERY:
        operation = Operation.COUNT
    items = record.resources or record.web_resources or []
    ids = id_texts(_text(item.uid) for item in items)
    if operation is Operation.QUERY and class_uid == _API and len(ids) == 1 and not text:
        operation = Operation.RECORD_VIEW
    rows = None
    failed = _whole(record.status_id) == 2
    if operation not in (Operation.WRITE, Operation.ADMIN, Operation.LOGIN, Operation.DESCRIBE):
        rows = _rows(record)
        if rows is None and operation in _ITEMS and ids:
            rows = sum(1 for item in items if item.uid)
    return AccessFields(
        operation=operation,
        objects=_objects(record, items) or query.objects,
        fields=query.fields or None,
        rows=0 if failed and rows else rows,
        bytes_out=_bytes(record),
        record_ids=ids,
        operation_id=_text(record.metadata.correlation_uid)[:MAX_ID] or None if record.metadata else None,
        query_shape=query.shape or None,
        status=_status(record, failed),
    )


def _objects(record: _Record, items: list[_Named]) -> tuple[str, ...]:
    stores = [store.name for store in (record.table, record.databucket, record.database) if store]
    names = [item.type or item.name for item in items[:50]] or stores[:1]
    return tuple(dict.fromkeys(name[:80] for name in names if name))


def _status(record: _Record, failed: bool) -> str | None:
    if failed:
        return clip(record.status_detail or record.status) or "failed"
    return "success" if _whole(record.status_id) == 1 else clip(record.status)


_SERVICES = (3, 4)
"""OCSF's types of user: a system, a service."""


def _user(record: _Record, class_uid: int) -> _User | None:
    """The user who acts, by the class's own rule; the other one where the record has only that."""
    acting = record.actor.user if record.actor else None
    users = (record.user, acting) if class_uid == _AUTHENTICATION else (acting, record.user)
    named = (user for user in users if user is not None and (user.uid or user.name or user.email_addr))
    return next(named, None)


def _who(record: _Record, user: _User | None) -> tuple[str, ActorKind, str | None]:
    """The acting account, its kind and its name; an application acts for itself where no user is named."""
    actor = record.actor
    if user is not None:
        name = user.name or user.email_addr
        account = _text(user.uid) or name or ""
        service = _whole(user.type_id) in _SERVICES
        kind = ActorKind.INTEGRATION if service else ActorKind.HUMAN
        guest = account.lower() == "anonymous"
        return normalise_actor(account), ActorKind.GUEST if guest else kind, clip(name)
    app = (actor.app_uid or actor.app_name) if actor else None
    if not app:
        raise FieldError(Rejection.MISSING_FIELD, "neither a user nor an application acts")
    return normalise_actor(app), ActorKind.INTEGRATION, clip(actor.app_name) if actor else None


def _tenant(record: _Record, user: _User | None) -> str:
    """The tenant that the producer names, else the user's organisation, else the account of the cloud or the user."""
    cloud = record.cloud
    organisation = user.org if user else None
    holders = (
        organisation,
        cloud.account if cloud else None,
        cloud.org if cloud else None,
        user.account if user else None,
    )
    named = _text(record.metadata.tenant_uid) if record.metadata else ""
    for holder in holders:
        named = named or (_text(holder.uid) or holder.name or "" if holder else "")
    named = named or (_text(cloud.project_uid) if cloud else "")
    return normalise_actor(named) if named.strip() else UNNAMED_TENANT


def _time_ms(record: _Record) -> int:
    """When it was: the written time where it can be read, else the number."""
    error = FieldError(Rejection.MISSING_FIELD, "time is blank")
    for when in (record.time_dt, record.time):
        if when not in (None, ""):
            try:
                return time_ms(when)
            except FieldError as wrong:
                error = wrong
    raise error


def _event(raw: bytes, position: str) -> AccessEvent:
    record = _decoder.decode(raw)
    class_uid = _whole(record.class_uid)
    if class_uid not in _ACTIVITIES:
        raise FieldError(Rejection.BAD_VALUE, f"class {class_uid} does not describe an access")
    access = _access(record, class_uid)
    user = _user(record, class_uid)
    account, kind, name = _who(record, user)
    actor, metadata, source = record.actor, record.metadata, record.src_endpoint
    session = (actor.session if actor else None) or record.session
    given = _text(metadata.uid) or _text(metadata.original_event_uid) if metadata else ""
    return event_of(
        access,
        _time_ms(record),
        "ocsf:" + (given[:MAX_ID] or digest(raw)),
        (_tenant(record, user), account, kind, name),
        clip(actor.app_uid or actor.app_name) if actor else None,
        clip(_text(session.uid), MAX_ID) if session else None,
        ip_without_port(source.ip) if source else None,
        agent(record.http_request.user_agent) if record.http_request else None,
        clip(source.location.country, 40) if source and source.location else None,
        RecordOrigin(NAME, position),
    )


_CLASS = re.compile(rb'"class_uid"\s*+:\s*+"?(?:6003|6005|6001|3002)\b')


def _recognises(record: bytes) -> bool:
    """Whether it is of one of the classes."""
    return b'"class_uid"' in record and _CLASS.search(record) is not None


ADAPTER = Adapter(
    name=NAME,
    sign="class_uid 6003, 6005, 6001 or 3002",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for OCSF records of the classes that describe an access."""
