"""Salesforce Real-Time Event Monitoring: JSON events in the vendor's three envelopes.

A streamed message (``channel`` and ``data.payload``), a stored object (bare, with ``attributes.type``) and a
Pub/Sub record (``topic``, ``event`` or ``payload``) hold the same payload. It seldom says whose org it is:
the tenant is its ``OrganizationId``, else an org id in its url, else ``salesforce``. As with the event log
files only reads have rows, and who speaks to an API is an integration.

See https://developer.salesforce.com/docs/atlas.en-us.platform_events.meta/platform_events/sforce_api_objects_apievent.htm
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from detector.adapters.registry import RecordError
from detector.adapters.salesforce_values import (
    Access,
    Refused,
    Soql,
    account,
    actor,
    address,
    agent,
    clip,
    count,
    epoch_ms,
    event_of,
    id18,
    ids,
    iso_ms,
    key_object,
    names,
    soql,
)
from detector.event import AccessEvent, ActorKind, Counting, Operation, Origin

__all__ = ["ADAPTER", "SalesforceRtem"]

NAME = "salesforce_rtem"
UNNAMED_TENANT = "salesforce"
"""The tenant of a payload that does not name its org."""

_Number = float | int | str | None


class _Attributes(msgspec.Struct, gc=False):
    type: str | None = None
    url: str | None = None


class _Payload(msgspec.Struct, rename="pascal"):
    """The fields that matter of all event types, in alphabetical order as the vendor writes them."""

    api_type: str | None = None
    app_name: str | None = None
    application: str | None = None
    browser: str | None = None
    client: str | None = None
    column_headers: str | None = None
    connected_app_id: str | None = None
    content_size: _Number = None
    country: str | None = None
    country_iso: str | None = None
    created_date: str | int | float | None = None
    document_id: str | None = None
    event_date: str | int | float | None = None
    event_identifier: str | None = None
    execution_identifier: str | None = None
    file_action: str | None = None
    login_key: str | None = None
    operation: str | None = None
    operation_status: str | None = None
    organization_id: str | None = None
    policy_outcome: str | None = None
    queried_entities: str | None = None
    query: str | None = None
    record_id: str | None = None
    records: object = None
    rows_processed: _Number = None
    rows_returned: _Number = None
    score: _Number = None
    session_key: str | None = None
    source_ip: str | None = None
    status: str | None = None
    user_agent: str | None = None
    user_id: str | None = None
    user_type: str | None = None
    username: str | None = None
    attributes: _Attributes | None = msgspec.field(default=None, name="attributes")


class _Message(msgspec.Struct):
    payload: _Payload | None = None


class _Envelope(_Payload):
    """What wraps a payload; a bare one is its own envelope."""

    channel: str | None = msgspec.field(default=None, name="channel")
    topic: str | None = msgspec.field(default=None, name="topic")
    data: _Message | None = msgspec.field(default=None, name="data")
    event: _Message | None = msgspec.field(default=None, name="event")
    payload: _Payload | None = msgspec.field(default=None, name="payload")


class _Returned(msgspec.Struct, gc=False):
    Id: str | None = None


class _Records(msgspec.Struct):
    done: bool | None = None
    records: list[_Returned] = []


_records_decoder = msgspec.json.Decoder(_Records)
_NO_RECORDS = _Records()


def _records(payload: _Payload) -> _Records:
    """The records returned, as far as they can be read: JSON, mostly inside a string."""
    records = payload.records
    try:
        if isinstance(records, str):
            return _records_decoder.decode(records)
        return msgspec.convert(records, _Records) if records else _NO_RECORDS
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _NO_RECORDS


def _record_ids(records: _Records) -> tuple[str, ...]:
    returned = records.records
    return ids(*[record.Id for record in returned]) if returned else ()


@lru_cache(maxsize=512)
def _api_operation(word: str) -> Operation:
    word = word.lower()
    if word.startswith(("query", "retrieve")):
        return Operation.QUERY
    if word.startswith("describe"):
        return Operation.DESCRIBE
    if word.startswith(("insert", "create", "update", "upsert", "delete", "undelete", "merge")):
        return Operation.WRITE
    known = {"count": Operation.COUNT, "search": Operation.SEARCH, "login": Operation.LOGIN}
    return known.get(word, Operation.OTHER)


_READS = frozenset({Operation.QUERY, Operation.SEARCH})
_NO_QUERY = Soql("", "", (), (), False)


def _api(payload: _Payload) -> Access:
    """A call of an API.

    ``RowsReturned`` is this page's own. Without it there is only ``RowsProcessed``, the total so far of a
    query that later pages go on with; the pages share session and query text, literals included, as one that
    pages by ``Id > …`` asks anew each time. A first page that is also the last stands alone.
    """
    query = soql(payload.query) if payload.query else _NO_QUERY
    operation = _api_operation(payload.operation[:80]) if payload.operation else Operation.OTHER
    if query.counts and operation is Operation.QUERY:
        operation = Operation.COUNT
    records = _records(payload)
    rows = None
    counting = Counting.EACH
    if operation in _READS:
        rows = count(payload.rows_returned, "RowsReturned")
        if rows is None:
            rows = count(payload.rows_processed, "RowsProcessed")
            alone = records.done is True and payload.operation != "QueryMore"
            counting = Counting.EACH if alone else Counting.RUNNING
    objects = names(payload.queried_entities) or query.objects
    session = clip(payload.session_key or payload.login_key, 128) or ""
    return Access(
        operation=operation,
        objects=objects,
        fields=query.fields or None,
        rows=rows,
        counting=counting,
        record_ids=_record_ids(records),
        operation_id=f"{session}:{query.key or ','.join(objects)}",
        query_shape=query.shape or None,
        status=_status(payload.operation_status),
        by_program=True,
    )


def _bulk_result(payload: _Payload) -> Access:
    """The result of a bulk query being fetched. How many rows it has is said elsewhere."""
    query = soql(payload.query) if payload.query else _NO_QUERY
    return Access(
        operation=Operation.BULK_EXPORT,
        objects=names(payload.queried_entities) or query.objects,
        fields=query.fields or None,
        query_shape=query.shape or None,
        by_program=True,
    )


def _executed(payload: _Payload, operation: Operation) -> Access:
    """A report or list view, reported in chunks that share an execution and each give the total so far."""
    execution = clip(payload.execution_identifier, 128)
    return Access(
        operation=operation,
        objects=names(payload.queried_entities),
        fields=names(payload.column_headers) or None,
        rows=count(payload.rows_processed, "RowsProcessed"),
        counting=Counting.MAXIMUM if execution else Counting.EACH,
        record_ids=_record_ids(_records(payload)),
        operation_id=execution,
    )


def _report(payload: _Payload) -> Access:
    exported = (payload.operation or "").startswith("ReportExported")
    return _executed(payload, Operation.REPORT_EXPORT if exported else Operation.REPORT)


def _list_view(payload: _Payload) -> Access:
    return _executed(payload, Operation.LIST_VIEW)


def _login(payload: _Payload) -> Access:
    by_program = payload.api_type not in (None, "", "N/A")
    return Access(operation=Operation.LOGIN, status=_status(payload.status), by_program=by_program)


def _file(payload: _Payload) -> Access:
    """A file moved: one that leaves, and one that is looked at, counts as one row."""
    action = payload.file_action or ""
    rows = bytes_out = None
    if action.endswith("DOWNLOAD"):
        operation, rows = Operation.FILE_DOWNLOAD, 1
        bytes_out = count(payload.content_size, "ContentSize")
    elif action == "PREVIEW":
        operation, rows = Operation.RECORD_VIEW, 1
    else:
        operation = Operation.WRITE if action == "UPLOAD" else Operation.OTHER
    return Access(
        operation=operation,
        objects=("ContentDocument",),
        rows=rows,
        bytes_out=bytes_out,
        record_ids=ids(payload.document_id),
        by_program=action.startswith("API_"),
    )


_CHANGES = frozenset({"Create", "Update", "Delete", "Insert", "Undelete"})


def _page(payload: _Payload) -> Access:
    """A page opened; one of a record shows one row."""
    record = payload.record_id
    if payload.operation in _CHANGES:
        operation = Operation.WRITE
    else:
        operation = Operation.RECORD_VIEW if record else Operation.OTHER
    return Access(
        operation=operation,
        objects=names(payload.queried_entities) or key_object(record),
        rows=1 if operation is Operation.RECORD_VIEW else None,
        record_ids=ids(record),
        status=_status(payload.operation_status),
    )


def _admin(payload: _Payload) -> Access:
    return Access(operation=Operation.ADMIN, status=_status(payload.operation_status))


def _other(payload: _Payload) -> Access:
    return Access(objects=names(payload.queried_entities), status=_status(payload.status))


def _finding(payload: _Payload, name: str) -> Access:
    """What the vendor itself found: the status is its name and a score of 0 to 1 (``ApiAnomalyEvent 0.97``).

    Scores are written both as 0 to 1 and as 0 to 100, so that what is above 1 is taken for a percentage.
    """
    status = name
    score = payload.score
    if score is not None and score != "":
        try:
            value = float(score)
        except ValueError:
            value = float("nan")
        if not 0 <= value <= 100:
            raise Refused("bad_value", f"Score is {str(score)[:40]!r}")
        status = f"{name} {value / 100 if value > 1 else value:.2f}"
    return Access(operation=Operation.VENDOR_FINDING, objects=names(payload.queried_entities), status=status)


_TYPES: dict[str, Callable[[_Payload], Access]] = {
    "ApiEvent": _api,
    "BulkApiResultEvent": _bulk_result,
    "FileEvent": _file,
    "LightningUriEvent": _page,
    "ListViewEvent": _list_view,
    "LoginAsEvent": _admin,
    "LoginEvent": _login,
    "PermissionSetEvent": _admin,
    "ReportEvent": _report,
    "UriEvent": _page,
}
_FINDINGS = frozenset(
    {
        "ApiAnomalyEvent",
        "CredentialStuffingEvent",
        "GuestUserAnomalyEvent",
        "LoginAnomalyEvent",
        "ReportAnomalyEvent",
        "SessionHijackingEvent",
    }
)


@lru_cache(maxsize=512)
def _type(name: str) -> str:
    """``ApiEvent`` for itself, ``/event/ApiEventStream``, ``ApiEventStore`` and the like."""
    return name.rpartition("/")[2].removesuffix("Stream").removesuffix("Store")


def _access(payload: _Payload, name: str) -> Access:
    if name in _FINDINGS:
        return _finding(payload, name)
    access = _TYPES.get(name, _other)(payload)
    if payload.policy_outcome in ("Block", "MeteringBlock"):
        # The customer's own policy stopped it: nothing left.
        stopped = clip(payload.policy_outcome)
        return msgspec.structs.replace(access, rows=0, counting=Counting.EACH, bytes_out=0, status=stopped)
    return access


def _status(text: str | None) -> str | None:
    return "success" if text in ("Success", "Succeeded", "success") else clip(text)


def _time_ms(payload: _Payload) -> int:
    when = payload.event_date or payload.created_date
    if isinstance(when, str):
        return iso_ms(when)
    if when is None:
        raise Refused("missing_field", "neither EventDate nor CreatedDate")
    return epoch_ms(when)


_ORG_ID = re.compile(r"00D(?:[A-Za-z0-9]{15}|[A-Za-z0-9]{12})(?![A-Za-z0-9])")


def _tenant(payload: _Payload) -> str:
    if payload.organization_id:
        return account(payload.organization_id)
    url = payload.attributes.url if payload.attributes else None
    if url and "00D" in url:
        found = _ORG_ID.search(url[:2_000])
        if found:
            return id18(found[0])
    return UNNAMED_TENANT


def _app(payload: _Payload) -> str | None:
    """The connected app's id or, because it is null when the token already existed, the client's name."""
    if payload.connected_app_id:
        return id18(payload.connected_app_id)
    for name in (payload.client, payload.application, payload.app_name):
        if name and name != "N/A":
            return clip(name)
    return None


def _kind(payload: _Payload, access: Access) -> ActorKind:
    if payload.user_type and payload.user_type.startswith("Guest"):
        return ActorKind.GUEST
    return ActorKind.INTEGRATION if access.by_program else ActorKind.HUMAN


def _event_id(payload: _Payload, record: bytes) -> str:
    if payload.event_identifier:
        return "rtem:" + payload.event_identifier[:128]
    # Over the whole record with its keys sorted, so that their order does not matter.
    canonical = msgspec.json.encode(msgspec.json.decode(record), order="sorted")
    return "rtem:" + blake2b(canonical, digest_size=12).hexdigest()


_decoder = msgspec.json.Decoder(_Envelope)


def _event(record: bytes, position: str) -> AccessEvent:
    envelope = _decoder.decode(record)
    message = envelope.data or envelope.event
    payload = (message.payload if message else envelope.payload) or envelope
    named = payload.attributes.type if payload.attributes else None
    name = _type((named or envelope.channel or envelope.topic or "")[:128])
    access = _access(payload, name)
    return event_of(
        access,
        _time_ms(payload),
        _event_id(payload, record),
        (
            _tenant(payload),
            actor(payload.user_id, payload.username),
            _kind(payload, access),
            clip(payload.username),
        ),
        _app(payload),
        clip(payload.session_key or payload.login_key, 128),
        address(payload.source_ip),
        agent(payload.user_agent or payload.browser),
        clip(payload.country_iso or payload.country),
        Origin(NAME, position),
    )


class SalesforceRtem(msgspec.Struct, frozen=True):
    """The adapter for real-time events."""

    name: str = NAME

    def recognises(self, record: bytes) -> bool:
        """Whether the record has an ``EventDate`` and is no row of an event log file."""
        return b'"EventDate"' in record and b'"EVENT_TYPE"' not in record

    def decode(self, record: bytes, position: str) -> AccessEvent:
        """The event that a record tells of; raises `RecordError` for one that cannot stand."""
        try:
            return _event(record, position)
        except Refused as error:
            raise RecordError(NAME, position, error.reason, error.detail) from None
        except msgspec.ValidationError as error:
            raise RecordError(NAME, position, "bad_value", str(error)[:200]) from None
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise RecordError(NAME, position, "malformed", str(error)[:200]) from None


ADAPTER = SalesforceRtem()
