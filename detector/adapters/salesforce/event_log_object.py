"""Rows of event logs under other names: Salesforce's Event Log Objects, and SIEMs' tables of event log files.

The same row is written ``EVENT_TYPE``, ``event_type``, ``event_type_s`` or ``EventType`` with columns to match; an
object (``LoginEventLog``) has its type in its ``attributes`` or in its file's name, and some columns of another name
(``UserIdentifier``). Each is read as the row of the event log file that it is, and has that row's id. An object does
not say whose org it is.

See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_logineventlog.htm
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.elf import COLUMNS, TYPE_NAMES, columns_event
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import has_key
from detector.event import AccessEvent, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "salesforce_event_log"
UNNAMED_TENANT = "salesforce"
"""The tenant that `salesforce_rtem` has for payloads that do not name their org."""


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


_SUFFIX = re.compile(r"_(?:b|d|g|s|t)\Z")
_COLUMNS = {_folded(column): column for column in COLUMNS} | {
    "analyticstimestamp": "TIMESTAMP", "assetidentifier": "ASSET_ID", "batchidentifier": "BATCH_ID",
    "connectedappidentifier": "CONNECTED_APP_ID", "contentsize": "SIZE_BYTES", "databasetotaltime": "DB_TOTAL_TIME",
    "documentidentifier": "DOCUMENT_ID", "entityidentifier": "ENTITY_ID", "issuccess": "SUCCESS",
    "jobidentifier": "JOB_ID", "objectname": "ENTITY_NAME", "objecttype": "ENTITY_TYPE",
    "organizationidentifier": "ORGANIZATION_ID", "pageentityidentifier": "PAGE_ENTITY_ID",
    "processedrecordcount": "RECORDS_PROCESSED", "reportidentifier": "REPORT_ID", "requestidentifier": "REQUEST_ID",
    "resultcount": "NUM_RESULTS", "useridentifier": "USER_ID",
}  # fmt: skip
_TYPES = {_folded(name): name for name in TYPE_NAMES} | {
    "analyticsdownload": "WaveDownload",
    "documentattachmentdownload": "DocumentAttachmentDownloads",
}
# What only an object of one type has; the first that fits.
_SIGNS = (
    ("Login", "LOGIN_STATUS"), ("BulkApi2", "JOB_STATUS"), ("BulkApi", "BATCH_ID"), ("Report", "AVERAGE_ROW_SIZE"),
    ("API", "METHOD_NAME"), ("ApiTotalUsage", "API_RESOURCE"), ("WaveDownload", "DOWNLOAD_FORMAT"),
    ("ContentTransfer", "TRANSACTION_TYPE"), ("LightningPageView", "PAGE_ENTITY_TYPE"),
    ("AuraRequest", "ACTION_MESSAGE"), ("Search", "PREFIXES_SEARCHED"), ("RestApi", "STATUS_CODE"),
)  # fmt: skip
_decode = msgspec.json.Decoder(dict[str, object]).decode
_FILE = re.compile(r"([A-Z][A-Za-z0-9]{1,60}?)EventLog(?![A-Za-z0-9])")


def _columns(record: dict[str, object]) -> dict[str, object]:
    """The columns of a row by their names in an event log file; the first spelling of each counts."""
    columns: dict[str, object] = {}
    for key, value in record.items():
        column = _COLUMNS.get(_folded(_SUFFIX.sub("", key)))
        if column is None or column in columns or value in (None, ""):
            continue
        if isinstance(value, bool):
            value = "1" if value else "0"
        if isinstance(value, str | int | float):
            columns[column] = value
    return columns


def _type(record: dict[str, object], columns: dict[str, object], position: str) -> str:
    named = columns.get("EVENT_TYPE")
    if isinstance(named, str) and named:
        return _TYPES.get(_folded(named.removesuffix("EventLog")), named)
    attributes = record.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, dict) else None
    found = _FILE.fullmatch(kind) if isinstance(kind, str) else _FILE.search(position[-400:])
    if found is not None:
        return _TYPES.get(_folded(found[1]), found[1])
    for name, sign in _SIGNS:
        if sign in columns:
            return name
    raise FieldError(
        Rejection.UNKNOWN_TYPE, "neither its columns nor its file's name say which type of event log it is"
    )


def _event(raw: bytes, position: str) -> AccessEvent:
    record = _decode(raw)
    columns = _columns(record)
    columns["EVENT_TYPE"] = _type(record, columns, position)
    columns.setdefault("ORGANIZATION_ID", UNNAMED_TENANT)
    if "TIMESTAMP" not in columns and "TIMESTAMP_DERIVED" not in columns:
        generated = record.get("TimeGenerated")
        if generated:  # when the table took the row in, which is all that such a row says
            columns["TIMESTAMP"] = generated
    for name in ("TIMESTAMP", "TIMESTAMP_DERIVED"):
        _in_iso(columns, name)
    event = columns_event(columns, position)
    return msgspec.structs.replace(event, origin=RecordOrigin(NAME, position))


def _in_iso(columns: dict[str, object], name: str) -> None:
    """Write a time of a table's export in the vendor's spelling; any other is left for the row's own reading."""
    when = columns.get(name)
    if isinstance(when, str) and "/" not in when[:5]:
        return
    if isinstance(when, str | int | float):
        try:
            milliseconds = time_ms(when, month_first=True)
        except FieldError:
            return
        columns[name] = f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y%m%d%H%M%S.%f}"[:18]


_TABLE_TYPE = re.compile(rb'"(?:event_type|EventType)(?:_s)?" ?:')
_TABLE_TIME = re.compile(rb'"(?:timestamp_derived|TimestampDerived)(?:_[st])?" ?:')
_TABLE_ORG = re.compile(rb'"(?:organization_id|OrganizationId)(?:_s)?" ?:')
_TABLE_REQUEST = re.compile(rb'"(?:request_id|RequestId)(?:_[sg])?" ?:')
_OBJECT = re.compile(rb'"type" ?: ?"[A-Z][A-Za-z0-9]{1,60}EventLog"')


def _recognises(record: bytes) -> bool:
    """Whether it has a table's column of the type with one of its others, or is an object."""
    if (b"vent_type" in record or b"ventType" in record) and _TABLE_TYPE.search(record) is not None:
        return _TABLE_TIME.search(record) is not None or (
            _TABLE_ORG.search(record) is not None and _TABLE_REQUEST.search(record) is not None
        )
    if b'EventLog"' in record and _OBJECT.search(record) is not None:
        return True
    return (
        has_key(record, b"RequestIdentifier")
        and has_key(record, b"Timestamp")
        and (has_key(record, b"UserIdentifier") or has_key(record, b"LoginKey"))
    )


ADAPTER = Adapter(
    name=NAME,
    sign="keys event_type or EventType and timestamp_derived, or an EventLog object's RequestIdentifier and Timestamp",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for event logs in tables and objects."""
