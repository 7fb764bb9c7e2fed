"""Event log rows of programs' calls: SOAP, REST, both bulk APIs, queries and callouts."""

from __future__ import annotations

from detector.adapters.access import AccessFields
from detector.adapters.memo import Memo
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.elf_row import ElfRow, Type, http_status, status
from detector.adapters.salesforce.ids import NAMES, known_id
from detector.adapters.salesforce.soql import soql
from detector.adapters.values import clip, count
from detector.event import Counting, Operation

__all__ = ["TYPES"]

BYTES_PER_MB = 1_000_000
"""What the vendor's ``RESULT_SIZE_MB`` is multiplied by."""

_READS = frozenset({Operation.QUERY, Operation.SEARCH, Operation.REPORT, Operation.BULK_EXPORT})
# Names of their own for what each call needs: looking up a member of an enum takes ten times as long.
_QUERY, _OTHER = Operation.QUERY, Operation.OTHER


# --- SOAP


class SoapRow(ElfRow, tag_field="EVENT_TYPE", tag="API"):
    """A call of the SOAP API."""

    api_type: str = ""
    method_name: str = ""
    entity_name: str = ""
    rows_processed: str = ""
    request_size: str = ""
    response_size: str = ""
    exception_message: str = ""


_SOAP_READS = frozenset({"retrieve", "getupdated", "getdeleted"})
_SOAP_WRITES = frozenset(
    {"create", "insert", "update", "upsert", "delete", "undelete", "merge", "emptyrecyclebin", "convertlead"}
)


def _soap_operation(method: str) -> Operation:
    method = method[:80].lower()
    if method.startswith("query") or method in _SOAP_READS:
        return Operation.QUERY
    if method.startswith("describe"):
        return Operation.DESCRIBE
    if method in _SOAP_WRITES:
        return Operation.WRITE
    known = {"count": Operation.COUNT, "search": Operation.SEARCH, "login": Operation.LOGIN}
    return known.get(method, Operation.OTHER)


_SOAP_OPERATIONS = Memo(_soap_operation, 512)


def _soap(row: SoapRow) -> AccessFields:
    operation = _SOAP_OPERATIONS[row.method_name]
    return AccessFields(
        operation,
        NAMES[row.entity_name],
        rows=count(row.rows_processed, "ROWS_PROCESSED") if operation in _READS else None,
        bytes_out=count(row.response_size, "RESPONSE_SIZE"),
        # A failed call says so in its exception; REQUEST_STATUS is usually blank.
        status=clip(row.exception_message) or status(row.request_status),
        by_program=True,
    )


# --- REST


class RestRow(ElfRow, tag_field="EVENT_TYPE", tag="RestApi"):
    """A call of the REST API."""

    entity_name: str = ""
    method: str = ""
    rows_processed: str = ""
    request_size: str = ""
    response_size: str = ""
    status_code: str = ""
    exception_message: str = ""


class ApexRestRow(RestRow, tag_field="EVENT_TYPE", tag="ApexRestApi"):
    """A call of a REST service that the customer's own code offers."""


class CallRow(ElfRow, tag_field="EVENT_TYPE", tag="ApiTotalUsage"):
    """A call of any API."""

    api_family: str = ""
    api_resource: str = ""
    http_method: str = ""
    entity_name: str = ""
    status_code: str = ""


def _read_operation(path: str) -> Operation:
    """What a GET does, by its path; other where the path alone does not tell."""
    path = path.lower()
    if "/jobs/query" in path:
        return Operation.BULK_EXPORT
    if "/describe" in path or path.rstrip("/").endswith("/sobjects"):
        return Operation.DESCRIBE
    if "/search" in path or "/parameterizedsearch" in path:
        return Operation.SEARCH
    if "/analytics/reports" in path:
        return Operation.REPORT
    return Operation.QUERY if "/query" in path else Operation.OTHER


_READ_OPERATIONS = Memo(_read_operation, 4_096)


def _without_id(path: str) -> str:
    """A path that ends with a record's id, with another id, so that such paths are alike."""
    folder, _, last = path.rpartition("/")
    return folder + "/0" if len(last) in (15, 18) and last[0] in _DIGITS and last.isalnum() else path


_DIGITS = frozenset("0123456789")


def _rest_operation(method: str, path: str, rows: int | None) -> Operation:
    """What a REST request does, by its method and path.

    A composite or GraphQL POST counts as a read, although it may write: the log shows the parent request
    alone, and a theft must not hide in one.
    """
    if method != "GET":
        method = method.upper()
    if method in ("GET", "", "HEAD"):
        operation = _READ_OPERATIONS[_without_id(path) if len(path) > 30 else path]
        return _QUERY if rows and operation is _OTHER else operation
    path = path.lower()
    if "/jobs/query" in path:
        return Operation.EXPORT_DELETE if method == "DELETE" else Operation.BULK_EXPORT
    if method == "POST" and (
        "/graphql" in path or path.rstrip("/").endswith(("/composite", "/composite/batch"))
    ):
        return Operation.QUERY
    return Operation.WRITE if method in ("POST", "PATCH", "PUT", "DELETE") else Operation.OTHER


def _rest(row: RestRow) -> AccessFields:
    processed = count(row.rows_processed, "ROWS_PROCESSED")
    operation = _rest_operation(row.method, row.uri, processed)
    return AccessFields(
        operation,
        NAMES[row.entity_name],
        rows=processed if operation in _READS else None,
        bytes_out=count(row.response_size, "RESPONSE_SIZE"),
        status=http_status(row.status_code) or status(row.request_status),
        by_program=True,
    )


def _apex_rest(row: ApexRestRow) -> AccessFields:
    """A call of the customer's own service: what it does, only its code knows.

    A POST counts as a read, although it may write: many such services take their questions in a body, and a theft
    must not hide in one.
    """
    writes = row.method.upper() in ("DELETE", "PATCH", "PUT")
    return AccessFields(
        Operation.WRITE if writes else _QUERY,
        NAMES[row.entity_name],
        rows=None if writes else count(row.rows_processed, "ROWS_PROCESSED"),
        bytes_out=count(row.response_size, "RESPONSE_SIZE"),
        status=http_status(row.status_code) or status(row.request_status),
        by_program=True,
    )


def _call(row: CallRow) -> AccessFields:
    """A call of any API. It names no rows; the call's own event (``API``, ``RestApi``) does."""
    return AccessFields(
        operation=_rest_operation(row.http_method, row.api_resource, None),
        objects=NAMES[row.entity_name],
        status=http_status(row.status_code),
        by_program=True,
    )


# --- bulk


class BulkRow(ElfRow, tag_field="EVENT_TYPE", tag="BulkApi"):
    """A batch of a job of the Bulk API."""

    batch_id: str = ""
    job_id: str = ""
    entity_type: str = ""
    operation_type: str = ""
    rows_processed: str = ""
    number_failures: str = ""
    success: str = ""


class Bulk2Row(ElfRow, tag_field="EVENT_TYPE", tag="BulkApi2"):
    """A state of a job of the Bulk API 2.0."""

    job_id: str = ""
    job_status: str = ""
    entity_type: str = ""
    operation_type: str = ""
    records_processed: str = ""
    records_failed: str = ""
    result_size_mb: str = ""


class BulkResultRow(ElfRow, tag_field="EVENT_TYPE", tag="BulkApiResultEventStore"):
    """The result of a bulk query fetched, as a store of logs writes it."""

    job_id: str = ""
    entity_name: str = ""
    entity_type: str = ""
    operation_type: str = ""
    query: str = ""
    rows_processed: str = ""
    records_processed: str = ""
    result_size_mb: str = ""


class BulkResultEventRow(BulkResultRow, tag_field="EVENT_TYPE", tag="BulkApiResultEvent"):
    """The same, under the name of the streamed event."""


def _bulk_result(row: BulkResultRow) -> AccessFields:
    """The total of a job, as in the job's own rows."""
    asked = soql(row.query)
    job = clip(row.job_id, 64)
    rows = count(row.records_processed, "RECORDS_PROCESSED")
    return AccessFields(
        Operation.BULK_EXPORT,
        NAMES[row.entity_name or row.entity_type] or asked.objects,
        asked.fields or None,
        count(row.rows_processed, "ROWS_PROCESSED") if rows is None else rows,
        Counting.MAXIMUM if job else Counting.EACH,
        _megabytes(row.result_size_mb),
        operation_id=known_id(job) if job else None,
        query_shape=asked.shape or None,
        status=status(row.request_status),
        by_program=True,
    )


def _bulk(row: BulkRow) -> AccessFields:
    read = row.operation_type.lower().startswith("query")
    batch = clip(row.batch_id, 64)
    written = Operation.WRITE if row.operation_type else Operation.OTHER
    return AccessFields(
        operation=Operation.BULK_EXPORT if read else written,
        objects=NAMES[row.entity_type],
        rows=count(row.rows_processed, "ROWS_PROCESSED") if read else None,
        counting=Counting.MAXIMUM if batch else Counting.EACH,
        operation_id=known_id(batch) if batch else None,
        status="failed" if row.success == "0" else status(row.request_status),
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


def _bulk2(row: Bulk2Row) -> AccessFields:
    """A state of a job: its row count is the job's total so far, not this row's own."""
    read = row.operation_type.lower().startswith("query")
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
    return AccessFields(
        operation=operation,
        objects=NAMES[row.entity_type],
        rows=rows,
        counting=Counting.MAXIMUM if job else Counting.EACH,
        bytes_out=bytes_out,
        operation_id=known_id(job) if job else None,
        status=_JOB_OUTCOMES.get(state),
        by_program=True,
    )


def _megabytes(text: str) -> int | None:
    try:
        size = float(text) if text else -1.0
    except ValueError:
        raise FieldError(Rejection.BAD_VALUE, f"RESULT_SIZE_MB is {text[:40]!r}") from None
    return count(size * BYTES_PER_MB, "RESULT_SIZE_MB")


# --- queries and callouts


class QueryRow(ElfRow, tag_field="EVENT_TYPE", tag="UniqueQuery"):
    """A query, logged once however often it runs."""

    query_identifier: str = ""
    query_id: str = ""
    sql_id: str = ""


class CalloutRow(ElfRow, tag_field="EVENT_TYPE", tag="ApexCallout"):
    """A call that the customer's own code makes of another system."""

    method: str = ""
    url: str = ""
    request_size: str = ""
    response_size: str = ""
    success: str = ""


def _query(row: QueryRow) -> AccessFields:
    query = soql(row.query_identifier)
    return AccessFields(
        operation=Operation.COUNT if query.counts else Operation.QUERY,
        objects=query.objects,
        fields=query.fields or None,
        query_shape=query.shape or None,
    )


def _callout(row: CalloutRow) -> AccessFields:
    """Code of the customer's calling out: its request is what leaves, its response comes in."""
    outcome = {"1": "success", "0": "failed"}.get(row.success)
    return AccessFields(bytes_out=count(row.request_size, "REQUEST_SIZE"), status=outcome)


TYPES = (
    Type(SoapRow, _soap, ("method_name", "entity_name", "rows_processed")),
    Type(RestRow, _rest, ("method", "uri", "entity_name", "rows_processed")),
    Type(ApexRestRow, _apex_rest, ("method", "uri", "entity_name", "rows_processed")),
    Type(CallRow, _call, ("http_method", "api_resource", "entity_name")),
    Type(BulkRow, _bulk, ("rows_processed",)),
    Type(Bulk2Row, _bulk2, ("job_status", "records_processed")),
    Type(BulkResultRow, _bulk_result, ("query",)),
    Type(BulkResultEventRow, _bulk_result, ("query",)),
    Type(QueryRow, _query, ("query_identifier", "query_id", "sql_id")),
    Type(CalloutRow, _callout, ("method", "url", "request_size")),
)
