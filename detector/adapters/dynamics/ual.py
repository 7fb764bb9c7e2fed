"""Dynamics 365 and Microsoft 365: the unified audit log, in whatever wrapping it is exported.

A record comes bare (the management API's ``AuditData``), as ``AuditData`` inside a row that a portal or a
cmdlet exported, inside Graph's ``auditData``, or as a row of a SIEM's table with its columns beside it. Dynamics
says what was read in ``QueryResults``, though not always: then the rows are unknown, except that a ``Retrieve``
is of one. A record of more than 3 KB is cut in parts that share a ``CorrelationId``; each part lists other
rows, so that they are added up under one operation. The services beside Dynamics (mail, files, directory)
are read as far as they tell of an account's logins, downloads and rights.

The identity is ``UserId``, which is the same in all services, in lower case.

See https://learn.microsoft.com/en-us/power-platform/admin/enable-use-comprehensive-auditing
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.dynamics.operations import CRM_TYPES, crm_operation, service_operation
from detector.adapters.dynamics.query import query
from detector.adapters.dynamics.record import (
    NO_CONTEXT,
    NULL_BYTES,
    Context,
    Item,
    Number,
    Record,
    context,
    listed_items,
    opened,
    pairs,
    unwrapped,
)
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import (
    agent,
    clip,
    count,
    digest,
    has_key,
    id_texts,
    ip_without_port,
    normalise_actor,
)
from detector.event import MAX_RECORD_IDS, AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "dynamics_ual"
UNNAMED_TENANT = "microsoft_365"
"""The tenant of a record that does not name its organisation."""
MAX_ROWS_LISTED = 100_000
"""How many rows of one record's list are counted."""

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _results(raw: msgspec.Raw) -> tuple[int | None, tuple[str, ...]]:
    """How many rows ``QueryResults`` lists, and their ids: a list, or one written out in a string.

    Of a list that was cut in the middle, each object that begins in this part counts.
    """
    try:
        text = opened(raw).strip()
    except (msgspec.MsgspecError, UnicodeError):
        return None, ()
    if text in ("", "null"):
        return None, ()
    if text[0] not in "[{":
        rows = text.count(",") + 1
        if text[36::37] == "," * (rows - 1) and len(text) == 37 * rows - 1:  # nothing but ids
            return rows, tuple(dict.fromkeys(text[: 37 * MAX_RECORD_IDS - 1].split(",")))
        items = [item.strip() for item in text.split(",", MAX_ROWS_LISTED) if item.strip()]
        return len(items), _first_ids(items)
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        ids = _GUID.findall(text)
        return text.count("{") or len(ids), id_texts(ids)
    items = [str(item) for item in value[:MAX_ROWS_LISTED]] if isinstance(value, list) else [str(value)]
    return len(items), _first_ids(items)


def _first_ids(items: list[str]) -> tuple[str, ...]:
    """The first id in each of a few items, or the item itself."""
    guids = ((_GUID.search(item), item) for item in items[:MAX_RECORD_IDS])
    return id_texts(guid[0] if guid else item for guid, item in guids)


_READS = frozenset({Operation.QUERY, Operation.SEARCH, Operation.REPORT_EXPORT, Operation.REPORT})


def _crm(record: Record) -> AccessFields:
    word = record.message or record.operation or ""
    operation = crm_operation(word[:80])
    asked = query(record.query)
    if asked.counts and operation is Operation.QUERY:
        operation = Operation.COUNT
    rows: int | None = None
    listed: tuple[str, ...] = ()
    if operation in _READS:
        rows, listed = _results(record.query_results)
    elif operation in (Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD):
        rows = count(record.operation_count, "OperationCount") or 1
    name = clip(record.entity_name, 80)
    names = tuple(pairs(record.fields))[:50] if len(record.fields) > NULL_BYTES else ()
    return AccessFields(
        operation=operation,
        objects=(name,) if name else asked.objects,
        fields=asked.fields or tuple(field[:80] for field in names) or None,
        rows=rows,
        record_ids=listed or _entity_ids(record),
        operation_id=clip(record.correlation_id, 128),
        query_shape=asked.shape or None,
        status=_status(record),
    )


def _entity_ids(record: Record) -> tuple[str, ...]:
    entity = record.entity_id
    return (entity[:128],) if entity and not entity.startswith("00000000-0000") else ()


def _mail(record: Record, objects: tuple[str, ...]) -> AccessFields:
    """Mail or attachments read: a *bind* lists what it opens, a *sync* takes a folder and does not say how much."""
    items = listed_items(record)
    properties = pairs(record.operation_properties)
    kinds = (properties.get("MailAccessType"), properties.get("AttachmentAccessType"))
    synced = any(kind is not None and kind.lower() == "sync" for kind in kinds)
    rows = len(items) or (None if synced else count(record.operation_count, "OperationCount"))
    return AccessFields(
        operation=Operation.QUERY if synced else Operation.RECORD_VIEW,
        objects=objects,
        rows=1 if rows is None and not synced else rows,
        bytes_out=_bytes(items),
        record_ids=id_texts(item.internet_message_id or item.id for item in items),
        status=_status(record),
    )


def _bytes(items: list[Item]) -> int | None:
    sizes = [count(item.size_in_bytes, "SizeInBytes") for item in items]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _rows(record: Record, items: list[Item]) -> int:
    """How many things a record of one or of many is about: those that it lists, else its count, else one."""
    return len(items) or count(record.operation_count, "OperationCount") or 1


_MAIL = {"mailitemsaccessed": ("email",), "attachmentaccess": ("attachment",)}


def _service(record: Record, word: str, record_type: str) -> AccessFields:
    word = word.lower()
    if word in _MAIL:
        return _mail(record, _MAIL[word])
    operation = service_operation(word[:120], record_type)
    rows = bytes_out = None
    objects: tuple[str, ...] = ()
    items: list[Item] = []
    if operation in (Operation.FILE_DOWNLOAD, Operation.RECORD_VIEW):
        items = listed_items(record)
        rows = _rows(record, items)
        if operation is Operation.FILE_DOWNLOAD:
            objects = ("File",)
            size = count(record.file_sync_bytes_committed or record.file_size_bytes, "FileSizeBytes")
            bytes_out = _bytes(items) if size is None else size
        elif word.startswith("file"):
            objects = ("File",)
    listed = id_texts(item.internet_message_id or item.id for item in items)
    return AccessFields(
        operation=operation,
        objects=objects,
        rows=rows,
        bytes_out=bytes_out,
        record_ids=listed or (id_texts((record.list_item_unique_id or record.object_id,)) if rows else ()),
        status=_status(record),
    )


def _failed(record: Record) -> bool:
    status = record.result_status
    if status is None or status == "Success":  # nearly always
        return False
    return status is False or (isinstance(status, str) and status.strip().lower() in _FAILURES)


LOGIN_FAILED = 15
"""The length of the operation's name, which is compared only if it may be it."""
_FAILURES = frozenset({"failed", "failure", "false"})
_SUCCESSES = frozenset({"succeeded", "success", "true"})


def _status(record: Record) -> str | None:
    if (
        record.operation or ""
    ).lower() == "userloginfailed":  # whose own status says that *logging it* succeeded
        return clip(record.logon_error) or "failed"
    status = record.result_status
    if (
        status == "Success"
        or status is True
        or (isinstance(status, str) and status.strip().lower() in _SUCCESSES)
    ):
        return "success"
    return "failed" if _failed(record) else clip(str(status or ""))


# --- who, when, where

_UNKNOWN = frozenset({"", "unknown", "not available", "n/a", "null", "none"})
LONGEST_UNKNOWN = 20
"""A longer name is not compared with those that mean none."""
_PROGRAM_TYPES = frozenset(
    {
        "3", "5", "6", "7", "8",
        "dcadmin", "application", "serviceprincipal", "custompolicy", "systempolicy",
    }
)  # fmt: skip
_SYSTEM_TYPES = frozenset({"4", "system"})
_PROGRAM = re.compile(
    r"(?:serviceprincipal_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:@[0-9a-f-]{36})?"
    r"|nt authority\\.*|sharepoint\\.*|nt service\\.*|app@sharepoint|s-1-5-18",
    re.DOTALL,
)
_ANONYMOUS = re.compile(r"urn:spo:anon|anonymous")


def _known(*names: str | None) -> str | None:
    """The first real name among some: the log writes ``Not Available`` and the like for none."""
    for name in names:
        if name and (len(name) > LONGEST_UNKNOWN or name.strip().lower() not in _UNKNOWN):
            return name
    return None


def _actor(record: Record) -> str:
    account = _known(record.user_id, record.user_upn, record.user_key, record.system_user_id)
    if account is None:
        raise FieldError(Rejection.MISSING_FIELD, "neither UserId nor UserKey")
    return normalise_actor(account)


@lru_cache(maxsize=4_096)
def _kind(actor: str, user_type: str, logs_in: bool) -> ActorKind:
    """An integration by its type or its name; a login under a system's name is a person not yet identified."""
    if _ANONYMOUS.match(actor):
        return ActorKind.GUEST
    program = user_type in _PROGRAM_TYPES or (
        not logs_in and (user_type in _SYSTEM_TYPES or _PROGRAM.fullmatch(actor) is not None)
    )
    return ActorKind.INTEGRATION if program else ActorKind.HUMAN


def _word(value: Number) -> str:
    """A member of a closed vocabulary, written as a number or by its name."""
    if isinstance(value, str):
        return value[:80].lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < MAX_WORD else ""
    return str(value) if value is not None and 0 <= value < MAX_WORD else ""


MAX_WORD = 10**6
"""Numbers of record types and kinds of users are smaller."""


def _agent(record: Record) -> str | None:
    text = record.user_agent or record.client_user_agent or record.client_info_string
    if not text and len(record.extended_properties) > NULL_BYTES:
        extended = pairs(record.extended_properties)
        text = extended.get("UserAgent")
        if not text and "User-Agent" in (details := extended.get("additionalDetails", "")):
            try:
                text = msgspec.json.decode(details, type=dict[str, object]).get("User-Agent")  # type: ignore[assignment] # whether it is one is asked below
            except msgspec.MsgspecError:
                text = None
    return agent(text) if isinstance(text, str) else None


def _app(record: Record, through: Context) -> str | None:
    """The application's id or, failing that, its name."""
    return clip(
        _known(
            record.client_app_id,
            record.application_id,
            through.client_app_id,
            record.app_id,
            through.client_app_name,
            record.application_display_name,
        )
    )


def _session(record: Record, through: Context, logs_in: bool) -> str | None:
    session = record.session_id or through.aad_session_id
    if not session and logs_in:
        session = pairs(record.device_properties).get("SessionId")
    return clip(session, 128)


def _event(raw: bytes, position: str) -> AccessEvent:
    record = unwrapped(raw)
    if not record.creation_time:
        raise FieldError(Rejection.MISSING_FIELD, "CreationTime is blank")
    if not record.operation:
        raise FieldError(Rejection.MISSING_FIELD, "Operation is blank")
    record_type = _word(record.record_type)
    # A row of the table that holds nothing but Dataverse's records does not say which kind they are.
    crm = record_type in CRM_TYPES or (not record_type and record.crm_organization_unique_name is not None)
    access = _crm(record) if crm else _service(record, record.operation, record_type)
    if access.rows and _failed(record):
        access = msgspec.structs.replace(access, rows=0, bytes_out=0)
    logs_in = access.operation is Operation.LOGIN
    through = context(record) if len(record.app_access_context) > NULL_BYTES else NO_CONTEXT
    actor = _actor(record)
    organization = record.organization_id or record.crm_organization_unique_name
    return event_of(
        access,
        time_ms(record.creation_time, month_first=True),
        "ual:" + (record.id[:128].lower() if record.id else digest(raw)),
        (
            normalise_actor(organization) if organization else UNNAMED_TENANT,
            actor,
            _kind(actor, _word(record.user_type), logs_in),
            clip(_known(record.user_upn, record.user_id)),
        ),
        _app(record, through),
        _session(record, through, logs_in),
        ip_without_port(record.client_ip)
        or ip_without_port(record.client_ip_mixed)
        or ip_without_port(record.client_ip_address)
        or ip_without_port(record.actor_ip_address),
        _agent(record),
        None,
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it has the keys of a bare record, of an export's or Graph's wrapping, or of a SIEM's row."""
    return (
        (has_key(record, b"CreationTime") and has_key(record, b"RecordType"))
        or (b'uditData"' in record and (has_key(record, b"AuditData") or has_key(record, b"auditData")))
        or has_key(record, b"OfficeWorkload")
        or (has_key(record, b"TimeGenerated") and has_key(record, b"CrmOrganizationUniqueName"))
        or (has_key(record, b"ActionType") and _HUNTED.search(record) is not None)
        or (b"reation" in record and _spelled(record.lower()))
    )


_HUNTED = re.compile(rb'"(?:RawEventData|AccountObjectId|AccountId)" ?:')
_TIMES = (b"creationtime", b"creation time", b"creation_time")
_TYPES = (b"recordtype", b"record type", b"record_type")


def _spelled(lowered: bytes) -> bool:
    """Whether it has the bare record's keys in another case or with other gaps."""
    return (
        has_key(lowered, b"operation")
        and any(has_key(lowered, key) for key in _TIMES)
        and any(has_key(lowered, key) for key in _TYPES)
    )


ADAPTER = Adapter(
    name=NAME,
    sign="keys CreationTime and RecordType, or AuditData, or OfficeWorkload, or TimeGenerated and "
    "CrmOrganizationUniqueName, or ActionType and AccountObjectId",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for the unified audit log."""
