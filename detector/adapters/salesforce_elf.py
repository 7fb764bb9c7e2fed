"""Salesforce EventLogFile: the rows of the vendor's hourly and daily CSV logs, as JSON objects of strings.

Three decisions hold for every type. Only reads have rows: what a write processed did not leave. The session
is the session key, else the login key. Who speaks to an API is an integration, who opens pages a human,
whatever the account is called; a guest user is a guest in either case.

See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_eventlogfile.htm
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
    account,
    actor,
    address,
    agent,
    clip,
    compact_ms,
    count,
    event_of,
    id18,
    ids,
    iso_ms,
    key_object,
    names,
    soql,
)
from detector.event import AccessEvent, ActorKind, Counting, Operation, Origin

__all__ = ["ADAPTER", "SalesforceElf"]

NAME = "salesforce_elf"
BYTES_PER_MB = 1_000_000
"""What the vendor's ``RESULT_SIZE_MB`` is multiplied by."""


class _Row(msgspec.Struct, rename="upper", gc=False):
    """The columns that matter, or that part two rows of one request; a missing column is an empty one.

    They are in the order of the vendor's own headers, because the decoder looks for each key
    from the last one on.
    """

    event_type: str = ""
    timestamp: str = ""
    request_id: str = ""
    organization_id: str = ""
    user_id: str = ""
    run_time: str = ""
    cpu_time: str = ""
    uri: str = ""
    session_key: str = ""
    login_key: str = ""
    user_type: str = ""
    request_status: str = ""
    db_total_time: str = ""
    api_type: str = ""
    user_name: str = ""
    client_name: str = ""
    method_name: str = ""
    method: str = ""
    entity_name: str = ""
    rows_processed: str = ""
    request_size: str = ""
    response_size: str = ""
    exception_message: str = ""
    connected_app_id: str = ""
    user_agent: str = ""
    status_code: str = ""
    browser_type: str = ""
    login_status: str = ""
    login_type: str = ""
    source_ip: str = ""
    timestamp_derived: str = ""
    user_id_derived: str = ""
    client_ip: str = ""
    uri_id_derived: str = ""
    connected_app_name: str = ""
    client_info: str = ""
    url: str = ""
    http_method: str = ""
    api_family: str = ""
    api_resource: str = ""
    entity_type: str = ""
    entity_id: str = ""
    operation_type: str = ""
    job_id: str = ""
    job_status: str = ""
    batch_id: str = ""
    records_processed: str = ""
    records_failed: str = ""
    number_failures: str = ""
    result_size_mb: str = ""
    success: str = ""
    row_count: str = ""
    average_row_size: str = ""
    origin: str = ""
    report_id: str = ""
    report_id_derived: str = ""
    size_bytes: str = ""
    transaction_type: str = ""
    document_id: str = ""
    document_id_derived: str = ""
    file_name: str = ""
    query_identifier: str = ""
    query_id: str = ""
    sql_id: str = ""
    action_message: str = ""
    page_url: str = ""
    page_entity_id: str = ""
    page_entity_type: str = ""
    num_results: str = ""
    prefixes_searched: str = ""
    search_query: str = ""
    marker: object = msgspec.field(default=None, name="")
    """Set by the reader on a row that does not have its header's columns."""


_READS = frozenset({Operation.QUERY, Operation.SEARCH, Operation.REPORT, Operation.BULK_EXPORT})
_SOAP_READS = frozenset({"retrieve", "getupdated", "getdeleted"})
_SOAP_WRITES = frozenset(
    {"create", "insert", "update", "upsert", "delete", "undelete", "merge", "emptyrecyclebin", "convertlead"}
)


@lru_cache(maxsize=512)
def _soap_operation(method: str) -> Operation:
    method = method.lower()
    if method.startswith("query") or method in _SOAP_READS:
        return Operation.QUERY
    if method.startswith("describe"):
        return Operation.DESCRIBE
    if method in _SOAP_WRITES:
        return Operation.WRITE
    known = {"count": Operation.COUNT, "search": Operation.SEARCH, "login": Operation.LOGIN}
    return known.get(method, Operation.OTHER)


def _soap(row: _Row) -> Access:
    operation = _soap_operation(row.method_name[:80])
    return Access(
        operation=operation,
        objects=names(row.entity_name),
        rows=count(row.rows_processed, "ROWS_PROCESSED") if operation in _READS else None,
        bytes_out=count(row.response_size, "RESPONSE_SIZE"),
        # A failed call says so in its exception; REQUEST_STATUS is usually blank.
        status=clip(row.exception_message) or _status(row.request_status),
        by_program=True,
    )


def _rest_operation(method: str, path: str, rows: int | None) -> Operation:
    """What a REST request does, by its method and path.

    A composite or GraphQL POST counts as a read, although it may write: the log shows the parent request
    alone, and a theft must not hide in one.
    """
    path = path.lower()
    if "/jobs/query" in path:
        return Operation.EXPORT_DELETE if method == "DELETE" else Operation.BULK_EXPORT
    if method in ("", "GET", "HEAD"):
        if "/describe" in path or path.rstrip("/").endswith("/sobjects"):
            return Operation.DESCRIBE
        if "/search" in path or "/parameterizedsearch" in path:
            return Operation.SEARCH
        if "/analytics/reports" in path:
            return Operation.REPORT
        return Operation.QUERY if rows or "/query" in path else Operation.OTHER
    if method == "POST" and (
        "/graphql" in path or path.rstrip("/").endswith(("/composite", "/composite/batch"))
    ):
        return Operation.QUERY
    return Operation.WRITE if method in ("POST", "PATCH", "PUT", "DELETE") else Operation.OTHER


def _rest(row: _Row) -> Access:
    processed = count(row.rows_processed, "ROWS_PROCESSED")
    operation = _rest_operation(row.method.upper(), row.uri, processed)
    return Access(
        operation=operation,
        objects=names(row.entity_name),
        rows=processed if operation in _READS else None,
        bytes_out=count(row.response_size, "RESPONSE_SIZE"),
        status=_http_status(row.status_code) or _status(row.request_status),
        by_program=True,
    )


def _api_total(row: _Row) -> Access:
    """A call of any API. It names no rows; the call's own event (``API``, ``RestApi``) does."""
    return Access(
        operation=_rest_operation(row.http_method.upper(), row.api_resource, None),
        objects=names(row.entity_name),
        status=_http_status(row.status_code),
        by_program=True,
    )


def _bulk_query(row: _Row) -> bool:
    return row.operation_type.lower().startswith("query")


def _bulk(row: _Row) -> Access:
    read = _bulk_query(row)
    batch = clip(row.batch_id, 64)
    return Access(
        operation=Operation.BULK_EXPORT
        if read
        else Operation.WRITE
        if row.operation_type
        else Operation.OTHER,
        objects=names(row.entity_type),
        rows=count(row.rows_processed, "ROWS_PROCESSED") if read else None,
        counting=Counting.MAXIMUM if batch else Counting.EACH,
        operation_id=id18(batch) if batch else None,
        status="failed" if row.success == "0" else _status(row.request_status),
        by_program=True,
    )


def _bulk2(row: _Row) -> Access:
    """A state of a job: its row count is the job's total so far, not this row's own."""
    read = _bulk_query(row)
    state = row.job_status.lower()
    job = clip(row.job_id, 64)
    rows = bytes_out = None
    if state == "deleted" and (read or not row.operation_type):
        operation = Operation.EXPORT_DELETE
    elif read:
        operation = Operation.BULK_EXPORT
        rows = count(row.records_processed, "RECORDS_PROCESSED")
        bytes_out = _megabytes(row.result_size_mb)
    else:
        operation = Operation.WRITE if row.operation_type else Operation.OTHER
    return Access(
        operation=operation,
        objects=names(row.entity_type),
        rows=rows,
        counting=Counting.MAXIMUM if job else Counting.EACH,
        bytes_out=bytes_out,
        operation_id=id18(job) if job else None,
        status=_JOB_OUTCOMES.get(state),
        by_program=True,
    )


_JOB_OUTCOMES = {
    "aborted": "aborted",
    "complete": "success",
    "deleted": "success",
    "failed": "failed",
    "jobcomplete": "success",
}
"""What a job's state says of its success; those on the way there say nothing."""


def _megabytes(text: str) -> int | None:
    try:
        size = float(text) if text else -1.0
    except ValueError:
        raise Refused("bad_value", f"RESULT_SIZE_MB is {text[:40]!r}") from None
    return count(size * BYTES_PER_MB, "RESULT_SIZE_MB")


_REPORT_ID = re.compile(r"00O[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")


def _report_id(row: _Row) -> str | None:
    """The report that was run, the same in ``Report`` and ``ReportExport``, so that the two can be joined."""
    named = row.report_id_derived or row.report_id
    if named:
        return id18(named)
    for text in (row.uri_id_derived, row.uri[:2_000]):
        found = _REPORT_ID.search(text)
        if found:
            return id18(found[0])
    return None


def _report(row: _Row) -> Access:
    rows = count(row.row_count, "ROW_COUNT")
    row_bytes = count(row.average_row_size, "AVERAGE_ROW_SIZE")
    return Access(
        operation=Operation.REPORT_EXPORT if "export" in row.origin.lower() else Operation.REPORT,
        objects=names(row.entity_name),
        rows=rows,
        bytes_out=rows * row_bytes if rows is not None and row_bytes is not None else None,
        operation_id=_report_id(row),
        status=_status(row.request_status),
    )


def _report_export(row: _Row) -> Access:
    return Access(
        operation=Operation.REPORT_EXPORT, operation_id=_report_id(row), status=_status(row.request_status)
    )


def _content(row: _Row) -> Access:
    """A file moved: one that leaves, and one that is looked at, counts as one row."""
    transaction = row.transaction_type
    document = ids(row.document_id_derived or row.document_id)
    rows = bytes_out = None
    if transaction.startswith("VersionDownload"):
        operation, rows = Operation.FILE_DOWNLOAD, 1
        bytes_out = count(row.size_bytes, "SIZE_BYTES")
    elif transaction.startswith("VersionRendition"):
        operation, rows = Operation.RECORD_VIEW, 1
    else:
        operation = Operation.WRITE if transaction.startswith("save") else Operation.OTHER
    return Access(
        operation=operation,
        objects=("ContentDocument",),
        rows=rows,
        bytes_out=bytes_out,
        record_ids=document,
        by_program=transaction.endswith("Api"),
    )


def _attachment(row: _Row) -> Access:
    return Access(
        operation=Operation.FILE_DOWNLOAD,
        objects=key_object(row.entity_id),
        rows=1,
        record_ids=ids(row.entity_id),
        status=_status(row.request_status),
    )


def _unique_query(row: _Row) -> Access:
    query = soql(row.query_identifier)
    return Access(
        operation=Operation.COUNT if query.counts else Operation.QUERY,
        objects=query.objects,
        fields=query.fields or None,
        query_shape=query.shape or None,
    )


def _login(row: _Row) -> Access:
    status = "success" if row.login_status == "LOGIN_NO_ERROR" else clip(row.login_status)
    # "i" is the vendor's code for a login through an API that is none of its own clients'.
    return Access(
        operation=Operation.LOGIN, status=status, by_program=bool(row.api_type) or row.login_type == "i"
    )


def _uri(row: _Row) -> Access:
    record = row.uri_id_derived
    path = row.uri.partition("?")[0].rstrip("/")
    changes = path.endswith("/e") or "deleteredirect" in path
    operation = Operation.WRITE if changes else Operation.RECORD_VIEW if record else Operation.OTHER
    return Access(
        operation=operation,
        objects=key_object(record),
        rows=1 if operation is Operation.RECORD_VIEW else None,
        record_ids=ids(record),
        status=_status(row.request_status),
    )


def _page(row: _Row) -> Access:
    record = row.page_entity_id
    objects = (names(row.page_entity_type) or key_object(record))[:1]
    if record:
        return Access(operation=Operation.RECORD_VIEW, objects=objects, rows=1, record_ids=ids(record))
    listed = "/list" in row.page_url
    return Access(operation=Operation.LIST_VIEW if listed else Operation.OTHER, objects=objects)


_ACTION = re.compile(r"ACTION\$(\w{1,80})")


def _aura(row: _Row) -> Access:
    """A page's call to its server; one request may carry many actions, and each record asked for is a row."""
    actions = _ACTION.findall(row.action_message[:10_000])
    views = sum(action.startswith("getRecord") for action in actions)
    lists = any(action.startswith(("getItems", "getList", "postList")) for action in actions)
    if lists:
        operation = Operation.LIST_VIEW
    elif views:
        operation = Operation.RECORD_VIEW
    elif any(action.startswith(("create", "update", "delete", "save")) for action in actions):
        operation = Operation.WRITE
    else:
        described = any(action.startswith(("getObjectInfo", "describe")) for action in actions)
        operation = Operation.DESCRIBE if described else Operation.OTHER
    return Access(
        operation=operation,
        rows=views if operation is Operation.RECORD_VIEW else None,
        status=_status(row.request_status),
    )


def _search(row: _Row) -> Access:
    prefixes = re.split(r"[,;:\s]+", row.prefixes_searched[:400])
    objects = tuple(dict.fromkeys(name for prefix in prefixes for name in key_object(prefix)))
    return Access(operation=Operation.SEARCH, objects=objects, rows=count(row.num_results, "NUM_RESULTS"))


def _callout(row: _Row) -> Access:
    """Code of the customer's calling out: its request is what leaves, its response comes in."""
    status = {"1": "success", "0": "failed"}.get(row.success)
    return Access(bytes_out=count(row.request_size, "REQUEST_SIZE"), status=status)


def _login_as(row: _Row) -> Access:
    return Access(operation=Operation.ADMIN)


def _other(row: _Row) -> Access:
    return Access(status=_status(row.request_status))


_TYPES: dict[str, Callable[[_Row], Access]] = {
    "API": _soap,
    "ApexCallout": _callout,
    "ApiTotalUsage": _api_total,
    "AsyncReportRun": _report,
    "AuraRequest": _aura,
    "BulkApi": _bulk,
    "BulkApi2": _bulk2,
    "ContentTransfer": _content,
    "DocumentAttachmentDownloads": _attachment,
    "DocumentAttachmentDownoads": _attachment,  # the vendor's own misspelling
    "LightningPageView": _page,
    "Login": _login,
    "LoginAs": _login_as,
    "Logout": _other,
    "Report": _report,
    "ReportExport": _report_export,
    "RestApi": _rest,
    "Search": _search,
    "URI": _uri,
    "UniqueQuery": _unique_query,
}


def _status(text: str) -> str | None:
    return "success" if text in ("S", "Success") else clip(text)


def _http_status(text: str) -> str | None:
    return "success" if len(text) == 3 and text[0] == "2" else clip(text)


def _time_ms(row: _Row) -> int:
    if row.timestamp_derived:
        try:
            return iso_ms(row.timestamp_derived)
        except Refused:
            if not row.timestamp:
                raise
    if not row.timestamp:
        raise Refused("missing_field", "neither TIMESTAMP nor TIMESTAMP_DERIVED")
    return compact_ms(row.timestamp)


def _kind(row: _Row, access: Access) -> ActorKind:
    if row.user_type.startswith("Guest"):
        return ActorKind.GUEST
    return ActorKind.INTEGRATION if access.by_program else ActorKind.HUMAN


def _text(value: object) -> str:
    """A scalar as the CSV would have it; a store of logs may have made numbers and nulls of the strings."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("bad_value", f"a column holds {type(value).__name__}")
    return str(value)


_decoder = msgspec.json.Decoder(_Row)
_encoder = msgspec.msgpack.Encoder()


def _row(record: bytes) -> _Row:
    try:
        return _decoder.decode(record)
    except msgspec.ValidationError as error:
        loose = msgspec.json.decode(record)
        if not isinstance(loose, dict):
            raise Refused("malformed", "not a JSON object") from error
        wanted = _Row.__struct_encode_fields__
        return msgspec.convert({name: _text(loose[name]) for name in wanted if name and name in loose}, _Row)


def _event(record: bytes, position: str) -> AccessEvent:
    row = _row(record)
    if row.marker is not None:
        shape = row.marker if isinstance(row.marker, dict) else {}
        raise Refused(
            "malformed",
            f"row has {shape.get('columns')!s:.9} columns, its header {shape.get('expected')!s:.9}",
        )
    if row.event_type == "EVENT_TYPE":
        raise Refused("malformed", "a header line among the rows")
    if not row.event_type:
        raise Refused("missing_field", "EVENT_TYPE is blank")
    if not row.organization_id:
        raise Refused("missing_field", "ORGANIZATION_ID is blank")
    access = _TYPES.get(row.event_type, _other)(row)
    # Over the fields in their fixed order: neither the columns' order nor what brought the row matters.
    digest = blake2b(_encoder.encode(msgspec.structs.astuple(row)), digest_size=12).hexdigest()
    app = row.connected_app_id
    return event_of(
        access,
        _time_ms(row),
        "elf:" + digest,
        (
            account(row.organization_id),
            actor(row.user_id_derived or row.user_id, row.user_name),
            _kind(row, access),
            clip(row.user_name),
        ),
        id18(app) if app else clip(row.client_name or row.connected_app_name),
        clip(row.session_key or row.login_key, 128),
        address(row.source_ip) or address(row.client_ip),
        agent(row.user_agent or row.browser_type or row.client_info),
        None,
        Origin(NAME, position),
    )


class SalesforceElf(msgspec.Struct, frozen=True):
    """The adapter for event log files."""

    name: str = NAME

    def recognises(self, record: bytes) -> bool:
        """Whether it has the columns that every file begins with; other products have the first alone."""
        return b'"EVENT_TYPE"' in record and b'"TIMESTAMP"' in record

    def decode(self, record: bytes, position: str) -> AccessEvent:
        """The event that a row tells of; raises `RecordError` for a row that cannot stand."""
        try:
            return _event(record, position)
        except Refused as error:
            raise RecordError(NAME, position, error.reason, error.detail) from None
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise RecordError(NAME, position, "malformed", str(error)[:200]) from None


ADAPTER = SalesforceElf()
