"""Event log rows of what people do: logins, reports, files, pages, searches."""

from __future__ import annotations

import re

from detector.adapters.access import AccessFields
from detector.adapters.memo import Memo
from detector.adapters.salesforce.elf_row import ElfRow, Type, status
from detector.adapters.salesforce.ids import NAMES, id18, ids, key_object, known_id
from detector.adapters.values import clip, count
from detector.event import Operation

__all__ = ["TYPES"]

# Names of their own for what many rows need: looking up a member of an enum takes ten times as long.
_RECORD_VIEW, _OTHER, _REPORT = Operation.RECORD_VIEW, Operation.OTHER, Operation.REPORT


# --- logins


class LoginRow(ElfRow, tag_field="EVENT_TYPE", tag="Login"):
    """A login, or an attempt."""

    api_type: str = ""
    login_status: str = ""
    login_type: str = ""


class LoginAsRow(ElfRow, tag_field="EVENT_TYPE", tag="LoginAs"):
    """An administrator acting as somebody else."""


class LogoutRow(ElfRow, tag_field="EVENT_TYPE", tag="Logout"):
    """A logout."""


_PAGES = frozenset({"", "N/A", "f", "l"})
"""Codes of ``API_TYPE`` that a login through a page has, too: none, feed and live agent."""


def _login(row: LoginRow) -> AccessFields:
    outcome = "success" if row.login_status == "LOGIN_NO_ERROR" else clip(row.login_status)
    api_type, browser = row.api_type, row.browser_type
    if api_type in _PAGES:
        # A code of digits stands for a browser; another text that no browser sends is a program's.
        program = bool(api_type) and not (
            not browser or browser[:7] == "Mozilla" or browser.isdecimal() or api_type == "N/A"
        )
    else:
        program = True
    # "i" is the vendor's code for a login through an API that is none of its own clients'.
    return AccessFields(
        operation=Operation.LOGIN, status=outcome, by_program=program or row.login_type == "i"
    )


def _login_as(row: LoginAsRow) -> AccessFields:
    return AccessFields(operation=Operation.ADMIN)


def _logout(row: LogoutRow) -> AccessFields:
    return AccessFields(status=status(row.request_status))


# --- reports


class ReportRow(ElfRow, tag_field="EVENT_TYPE", tag="Report"):
    """A report that was run, or exported as it was run."""

    entity_name: str = ""
    origin: str = ""
    row_count: str = ""
    average_row_size: str = ""
    report_id: str = ""
    report_id_derived: str = ""
    uri_id_derived: str = ""


class AsyncReportRow(ReportRow, tag_field="EVENT_TYPE", tag="AsyncReportRun"):
    """A report that was run in the background."""


class ReportExportRow(ElfRow, tag_field="EVENT_TYPE", tag="ReportExport"):
    """A report that was exported; the report's own row has the number of rows."""

    report_id: str = ""
    report_id_derived: str = ""
    uri_id_derived: str = ""


_REPORT_ID = re.compile(r"00O[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")


def _report_id(row: ReportRow | ReportExportRow) -> str | None:
    """The report that was run, the same in ``Report`` and ``ReportExport``, so that the two can be joined."""
    named = row.report_id_derived or row.report_id
    if named:
        return known_id(named)
    for text in (row.uri_id_derived, row.uri[:2_000]):
        match = _REPORT_ID.search(text)
        if match:
            return id18(match[0])
    return None


def _report(row: ReportRow) -> AccessFields:
    rows = count(row.row_count, "ROW_COUNT")
    row_bytes = count(row.average_row_size, "AVERAGE_ROW_SIZE")
    return AccessFields(
        Operation.REPORT_EXPORT if "export" in row.origin.lower() else _REPORT,
        NAMES[row.entity_name],
        rows=rows,
        bytes_out=rows * row_bytes if rows is not None and row_bytes is not None else None,
        operation_id=_report_id(row),
        status=status(row.request_status),
    )


def _report_export(row: ReportExportRow) -> AccessFields:
    return AccessFields(
        operation=Operation.REPORT_EXPORT, operation_id=_report_id(row), status=status(row.request_status)
    )


# --- downloads from analytics


class WaveDownloadRow(ElfRow, tag_field="EVENT_TYPE", tag="WaveDownload"):
    """Data or a picture downloaded from CRM Analytics."""

    asset_id: str = ""
    asset_type: str = ""
    download_format: str = ""
    download_error: str = ""
    entity_name: str = ""
    num_records: str = ""
    number_of_records: str = ""
    record_count: str = ""
    rows_processed: str = ""


def _wave_download(row: WaveDownloadRow) -> AccessFields:
    """A picture shows a chart and takes no rows out; a download that failed took none, either."""
    counted = row.number_of_records or row.num_records or row.record_count or row.rows_processed
    rows = count(counted, "the number of records")
    picture = row.download_format.lower() in ("png", "image", "screenshot")
    return AccessFields(
        _REPORT if picture else Operation.REPORT_EXPORT,
        NAMES[row.entity_name],
        rows=0 if rows and (picture or row.download_error) else rows,
        operation_id=known_id(row.asset_id) if row.asset_id else None,
        status=clip(row.download_error) or status(row.request_status),
    )


# --- files


class FileRow(ElfRow, tag_field="EVENT_TYPE", tag="ContentTransfer"):
    """A file moved, or looked at."""

    size_bytes: str = ""
    transaction_type: str = ""
    document_id: str = ""
    document_id_derived: str = ""


class AttachmentRow(ElfRow, tag_field="EVENT_TYPE", tag="DocumentAttachmentDownloads"):
    """An attachment or a document downloaded."""

    entity_id: str = ""
    file_name: str = ""


class MisspelledAttachmentRow(AttachmentRow, tag_field="EVENT_TYPE", tag="DocumentAttachmentDownoads"):
    """The same, in the vendor's own misspelling."""


def _file(row: FileRow) -> AccessFields:
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
    return AccessFields(
        operation=operation,
        objects=("ContentDocument",),
        rows=rows,
        bytes_out=bytes_out,
        record_ids=document,
        by_program=transaction.endswith("Api"),
    )


def _attachment(row: AttachmentRow) -> AccessFields:
    return AccessFields(
        operation=Operation.FILE_DOWNLOAD,
        objects=key_object(row.entity_id),
        rows=1,
        record_ids=ids(row.entity_id),
        status=status(row.request_status),
    )


# --- pages


class UriRow(ElfRow, tag_field="EVENT_TYPE", tag="URI"):
    """A page of the classic interface."""

    uri_id_derived: str = ""


class PageRow(ElfRow, tag_field="EVENT_TYPE", tag="LightningPageView"):
    """A page of the Lightning interface."""

    page_entity_id: str = ""
    page_entity_type: str = ""
    page_url: str = ""


class AuraRow(ElfRow, tag_field="EVENT_TYPE", tag="AuraRequest"):
    """A page's call to its server."""

    action_message: str = ""


class SearchRow(ElfRow, tag_field="EVENT_TYPE", tag="Search"):
    """A search by a person."""

    num_results: str = ""
    prefixes_searched: str = ""
    search_query: str = ""


def _uri(row: UriRow) -> AccessFields:
    record = row.uri_id_derived
    path = row.uri.partition("?")[0].rstrip("/")
    if path.endswith("/e") or "deleteredirect" in path:
        operation = Operation.WRITE
    else:
        operation = _RECORD_VIEW if record else _OTHER
    return AccessFields(
        operation,
        key_object(record),
        rows=1 if operation is _RECORD_VIEW else None,
        record_ids=(id18(record),) if record else (),
        status=status(row.request_status),
    )


def _page(row: PageRow) -> AccessFields:
    record = row.page_entity_id
    objects = (NAMES[row.page_entity_type] or key_object(record))[:1]
    if record:
        return AccessFields(_RECORD_VIEW, objects, rows=1, record_ids=(id18(record),))
    return AccessFields(Operation.LIST_VIEW if "/list" in row.page_url else _OTHER, objects)


_ACTION = re.compile(r"ACTION\$(\w{1,80})")


def _actions(message: str) -> tuple[Operation, int | None]:
    """What a request does, and how many rows it shows.

    It may carry many actions; each record that is asked for is a row.
    """
    actions = _ACTION.findall(message[:10_000])
    views = sum(action.startswith("getRecord") for action in actions)
    if any(action.startswith(("getItems", "getList", "postList")) for action in actions):
        return Operation.LIST_VIEW, None
    if views:
        return Operation.RECORD_VIEW, views
    if any(action.startswith(("create", "update", "delete", "save")) for action in actions):
        return Operation.WRITE, None
    described = any(action.startswith(("getObjectInfo", "describe")) for action in actions)
    return Operation.DESCRIBE if described else Operation.OTHER, None


_ACTIONS = Memo(_actions, 4_096)


def _aura(row: AuraRow) -> AccessFields:
    operation, rows = _ACTIONS[row.action_message]
    return AccessFields(operation, rows=rows, status=status(row.request_status))


def _search(row: SearchRow) -> AccessFields:
    prefixes = re.split(r"[,;:\s]+", row.prefixes_searched[:400])
    objects = tuple(dict.fromkeys(name for prefix in prefixes for name in key_object(prefix)))
    return AccessFields(
        operation=Operation.SEARCH, objects=objects, rows=count(row.num_results, "NUM_RESULTS")
    )


TYPES = (
    Type(LoginRow, _login, ("login_status",)),
    Type(LoginAsRow, _login_as),
    Type(LogoutRow, _logout),
    Type(ReportRow, _report, ("origin", "row_count")),
    Type(AsyncReportRow, _report, ("origin", "row_count")),
    Type(ReportExportRow, _report_export),
    Type(WaveDownloadRow, _wave_download, ("download_format",)),
    Type(FileRow, _file, ("transaction_type", "document_id", "size_bytes")),
    Type(AttachmentRow, _attachment, ("entity_id", "file_name")),
    Type(MisspelledAttachmentRow, _attachment, ("entity_id", "file_name")),
    Type(UriRow, _uri, ("uri",)),
    Type(PageRow, _page, ("page_entity_id", "page_url")),
    Type(AuraRow, _aura, ("action_message",)),
    Type(SearchRow, _search, ("search_query", "prefixes_searched", "num_results")),
)
