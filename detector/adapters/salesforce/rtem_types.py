"""The payload of a real-time event, and what each type of event says was done."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from detector.adapters.access import AccessFields
from detector.adapters.memo import Memo
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.ids import id18, ids, key_object, names
from detector.adapters.salesforce.soql import Soql, soql
from detector.adapters.values import clip, count
from detector.event import MAX_RECORD_IDS, Counting, Operation

__all__ = ["FINDINGS", "NAMED", "TYPES", "Attributes", "Payload", "finding", "other"]

# Names of their own for what many events need: looking up a member of an enum takes ten times as long.
_QUERY, _OTHER, _EACH = Operation.QUERY, Operation.OTHER, Counting.EACH

_Number = float | int | str | None


class Attributes(msgspec.Struct, gc=False):
    """What a stored object says of itself."""

    type: str | None = None
    url: str | None = None


class Payload(msgspec.Struct, rename="pascal", gc=False):
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
    attributes: Attributes | None = msgspec.field(default=None, name="attributes")
    channel: str | None = msgspec.field(default=None, name="channel")
    topic: str | None = msgspec.field(default=None, name="topic")


# --- queries


class _Returned(msgspec.Struct, gc=False):
    Id: str | None = None


class _Records(msgspec.Struct, gc=False):
    done: bool | None = None
    records: list[_Returned] = []


_records_decoder = msgspec.json.Decoder(_Records)
_NO_RECORDS = _Records()


def _records(records: object) -> _Records:
    """The records returned, as far as they can be read: JSON, mostly inside a string."""
    try:
        if isinstance(records, str):
            return _records_decoder.decode(records)
        return msgspec.convert(records, _Records) if records else _NO_RECORDS
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _NO_RECORDS


def _record_ids(records: _Records) -> tuple[str, ...]:
    returned = records.records
    return tuple([id18(record.Id) for record in returned[:MAX_RECORD_IDS] if record.Id]) if returned else ()


def _api_operation(word: str) -> Operation:
    word = word[:80].lower()
    if word.startswith(("query", "retrieve")):
        return Operation.QUERY
    if word.startswith("describe"):
        return Operation.DESCRIBE
    if word.startswith(("insert", "create", "update", "upsert", "delete", "undelete", "merge")):
        return Operation.WRITE
    known = {"count": Operation.COUNT, "search": Operation.SEARCH, "login": Operation.LOGIN}
    return known.get(word, Operation.OTHER)


_API_OPERATIONS = Memo(_api_operation, 512)
_READS = frozenset({Operation.QUERY, Operation.SEARCH})
_NO_QUERY = Soql("", "", (), (), False)


def _api(payload: Payload) -> AccessFields:
    """A call of an API.

    ``RowsReturned`` is this page's own. Without it there is only ``RowsProcessed``, the total so far of a
    query that later pages go on with; the pages share session and query text, literals included, as one that
    pages by ``Id > …`` asks anew each time. A first page that is also the last stands alone.
    """
    query = soql(payload.query) if payload.query else _NO_QUERY
    word = payload.operation
    operation = _API_OPERATIONS[word] if word else _OTHER
    if query.counts and operation is _QUERY:
        operation = Operation.COUNT
    records = _records(payload.records) if payload.records else _NO_RECORDS
    rows = None
    counting = _EACH
    if operation in _READS:
        rows = count(payload.rows_returned, "RowsReturned")
        if rows is None:
            rows = count(payload.rows_processed, "RowsProcessed")
            alone = records.done is True and word != "QueryMore"
            counting = _EACH if alone else Counting.RUNNING
    objects = names(payload.queried_entities) or query.objects
    session = clip(payload.session_key or payload.login_key, 128) or ""
    return AccessFields(
        operation,
        objects,
        query.fields or None,
        rows,
        counting,
        record_ids=_record_ids(records),
        operation_id=f"{session}:{query.key or ','.join(objects)}",
        query_shape=query.shape or None,
        status=_status(payload.operation_status),
        by_program=True,
    )


def _bulk_result(payload: Payload) -> AccessFields:
    """The result of a bulk query being fetched. How many rows it has is mostly said elsewhere."""
    query = soql(payload.query) if payload.query else _NO_QUERY
    return AccessFields(
        Operation.BULK_EXPORT,
        names(payload.queried_entities) or query.objects,
        query.fields or None,
        _rows(payload),
        query_shape=query.shape or None,
        by_program=True,
    )


# --- reports and list views


def _executed(payload: Payload, operation: Operation) -> AccessFields:
    """A report or list view, reported in chunks that share an execution and each give the total so far."""
    execution = clip(payload.execution_identifier, 128)
    return AccessFields(
        operation,
        names(payload.queried_entities),
        names(payload.column_headers) or None,
        count(payload.rows_processed, "RowsProcessed"),
        Counting.MAXIMUM if execution else _EACH,
        record_ids=_record_ids(_records(payload.records)) if payload.records else (),
        operation_id=execution,
    )


def _report(payload: Payload) -> AccessFields:
    exported = (payload.operation or "").startswith("ReportExported")
    return _executed(payload, Operation.REPORT_EXPORT if exported else Operation.REPORT)


def _list_view(payload: Payload) -> AccessFields:
    return _executed(payload, Operation.LIST_VIEW)


# --- logins, files, pages


def _login(payload: Payload) -> AccessFields:
    by_program = payload.api_type not in (None, "", "N/A")
    return AccessFields(Operation.LOGIN, status=_status(payload.status), by_program=by_program)


def _file(payload: Payload) -> AccessFields:
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
    return AccessFields(
        operation,
        ("ContentDocument",),
        rows=rows,
        bytes_out=bytes_out,
        record_ids=ids(payload.document_id),
        by_program=action.startswith("API_"),
    )


_CHANGES = frozenset({"Create", "Update", "Delete", "Insert", "Undelete"})


def _page(payload: Payload) -> AccessFields:
    """A page opened; one of a record shows one row."""
    record = payload.record_id
    changes = payload.operation in _CHANGES
    shows = bool(record) and not changes
    return AccessFields(
        Operation.WRITE if changes else Operation.RECORD_VIEW if shows else _OTHER,
        names(payload.queried_entities) or key_object(record),
        rows=1 if shows else None,
        record_ids=(id18(record),) if record else (),
        status=_status(payload.operation_status),
    )


def _admin(payload: Payload) -> AccessFields:
    return AccessFields(Operation.ADMIN, status=_status(payload.operation_status))


def other(payload: Payload, name: str) -> AccessFields:
    """An event of a type that is not mapped; its rows are counted, under the type's name."""
    rows = _rows(payload)
    return AccessFields(
        objects=names(payload.queried_entities),
        rows=rows,
        status=_status(payload.status),
        unmapped_type=clip(name, 80) if rows is not None else None,
    )


def _rows(payload: Payload) -> int | None:
    rows = count(payload.rows_returned, "RowsReturned")
    return count(payload.rows_processed, "RowsProcessed") if rows is None else rows


def finding(payload: Payload, name: str) -> AccessFields:
    """What the vendor itself found: the status is its name and a score of 0 to 1 (``ApiAnomalyEvent 0.97``).

    Scores are written both as 0 to 1 and as 0 to 100, so that what is above 1 is taken for a percentage.
    """
    status = name
    score = payload.score
    if score is not None and score != "":
        try:
            value = float(score)
        except (ValueError, OverflowError):
            value = float("nan")
        if not 0 <= value <= 100:
            raise FieldError(
                Rejection.BAD_VALUE,
                f"Score is {score[:40]!r}" if isinstance(score, str) else "Score is absurd",
            )
        status = f"{name} {value / 100 if value > 1 else value:.2f}"
    return AccessFields(Operation.VENDOR_FINDING, names(payload.queried_entities), status=status)


def _status(text: str | None) -> str | None:
    return "success" if text in ("Success", "Succeeded", "success") else clip(text)


TYPES: dict[str, Callable[[Payload], AccessFields]] = {
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
FINDINGS = frozenset(
    {
        "ApiAnomalyEvent",
        "CredentialStuffingEvent",
        "GuestUserAnomalyEvent",
        "LoginAnomalyEvent",
        "ReportAnomalyEvent",
        "SessionHijackingEvent",
    }
)
NAMED = (
    frozenset(
        {
            "ConcurLongRunApexErrEvent",
            "FlowExecutionEvent",
            "IdentityProviderEvent",
            "IdentityVerificationEvent",
            "LogoutEvent",
            "MobileEmailEvent",
            "MobileEnforcedPolicyEvent",
            "MobileScreenshotEvent",
            "MobileTelephonyEvent",
        }
    )
    | FINDINGS
    | TYPES.keys()
)
"""Every type that the vendor documents; those without a function of their own take nothing out."""
