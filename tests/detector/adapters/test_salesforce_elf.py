from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters import RecordError
from detector.adapters.rejection import FieldError
from detector.adapters.salesforce.elf import ADAPTER
from detector.adapters.salesforce.ids import id18
from detector.adapters.timestamps import compact_ms, iso_ms
from detector.event import AccessEvent, ActorKind, Counting, Operation
from streams.files.reader import read

ORG = "00D5g000004SkyW"
TWO_RECORDS = "1$aura://X/ACTION$getRecord=1;2$aura://X/ACTION$getRecord=2"
USER = "0055g0000AgAnna"


def row(event_type: str, **columns: object) -> bytes:
    """A row of a type, as the reader hands it on."""
    common = {
        "EVENT_TYPE": event_type,
        "TIMESTAMP": "20250320145944.655",
        "ORGANIZATION_ID": ORG,
        "USER_ID": USER,
        "USER_TYPE": "Standard",
        "CLIENT_IP": "203.0.113.7",
    }
    return json.dumps(common | columns).encode()


def event(event_type: str, **columns: object) -> AccessEvent:
    """The event of such a row."""
    return ADAPTER.decode(row(event_type, **columns), "a.csv:2")


def refusal(record: bytes) -> RecordError:
    """Why a row is refused."""
    with pytest.raises(RecordError) as caught:
        ADAPTER.decode(record, "a.csv:2")
    return caught.value


def test_its_columns_tell_a_row() -> None:
    """Both columns must be there as keys, however the JSON is spaced; as texts they say nothing."""
    for space in ("", " "):
        assert ADAPTER.recognises(
            json.dumps(json.loads(row("API")), separators=(",", f"{space}:{space}")).encode()
        )
    assert not ADAPTER.recognises(b'{"EVENT_TYPE": "API", "text": "TIMESTAMP"}')
    assert not ADAPTER.recognises(b'{"text": "EVENT_TYPE", "TIMESTAMP": "20250320145944.655"}')
    assert not ADAPTER.recognises(b"")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaAAA"),  # no capitals: bits 00000, three times
        ("Aaaaaaaaaaaaaaa", "AaaaaaaaaaaaaaaBAA"),  # the first bit alone: 1
        ("aaaaAaAaaaAAAAA", "aaaaAaAaaaAAAAAQC5"),  # 10000 is 16, 00010 is 2, 11111 is 31
        ("0015g00000XyZaB", "0015g00000XyZaBAAV"),  # X, Z and B: 10101 is 21
    ],
)
def test_a_short_id_gets_its_checksum(short: str, long: str) -> None:
    """An id of 15 characters is given the suffix that tells which of its letters are capitals."""
    assert id18(short) == long
    assert id18(long) == long


@pytest.mark.parametrize("text", ["", "0000G000000000123", "00D5g000004Sk/W", "ü" * 15])
def test_what_is_no_short_id_stays_as_it_is(text: str) -> None:
    """Only 15 ASCII letters and digits are given a suffix."""
    assert id18(text) == text


def test_the_derived_user_id_is_preferred() -> None:
    """The long id that the vendor derived wins over the short one, and both forms give one identity."""
    assert event("API", USER_ID_DERIVED=id18("0055g0000AgBert")).actor == id18("0055g0000AgBert")
    assert event("API", USER_ID_DERIVED=id18(USER)).identity == event("API").identity
    assert event("API").identity == f"{id18(ORG)}/{id18(USER)}"


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("20250320145944", 1742482784000),
        ("20250320145944.6", 1742482784600),
        ("20250320145944.65", 1742482784650),
        ("20250320145944.655", 1742482784655),
        ("20250320145944.655999", 1742482784655),
    ],
)
def test_a_timestamp_has_any_number_of_fraction_digits(text: str, milliseconds: int) -> None:
    """A missing, short or long fraction of a second is read as the fraction it is."""
    assert event("API", TIMESTAMP=text).time_ms == milliseconds


def test_the_derived_time_is_preferred_and_can_be_missing() -> None:
    """The ISO time wins; where it is empty or unreadable the compact one stands in."""
    assert event("API", TIMESTAMP_DERIVED="2025-03-20T15:00:00.001Z").time_ms == 1742482800001
    assert event("API", TIMESTAMP_DERIVED="").time_ms == 1742482784655
    assert event("API", TIMESTAMP_DERIVED="soon").time_ms == 1742482784655


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "2025032014594",
        "20251320145944.1",
        "20250320145961",
        "19991231235959",
        "21010101000000",
        "2" * 400,
    ],
)
def test_an_impossible_time_is_refused(text: str) -> None:
    """What is no time, or lies outside the years 2000 to 2100, is a bad time."""
    assert refusal(row("API", TIMESTAMP=text)).reason == "bad_time"


@given(st.integers(946_771_200_000, 4_102_444_800_000))
def test_both_spellings_of_a_time_agree(milliseconds: int) -> None:
    """Every time reads alike in the compact, the ISO and the slow spelling."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    iso = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
    compact = iso.replace("-", "").replace(":", "").replace("T", "")
    assert {iso_ms(iso + "Z"), iso_ms(iso + "+0000"), iso_ms(iso), compact_ms(compact)} == {milliseconds}
    assert iso_ms(iso + "+01:00") == milliseconds - 3_600_000


@given(
    st.datetimes(*(datetime(year, 6, 1, tzinfo=UTC).replace(tzinfo=None) for year in (2000, 2100))),
    st.sampled_from(["", "Z", "+0000", "+00:00", "+02:00", "-0330"]),
    st.integers(0, 9),
    st.sampled_from(["T", " "]),
)
def test_any_iso_spelling_is_the_same_moment(moment: datetime, zone: str, digits: int, between: str) -> None:
    """However many digits a second's fraction has, whatever the zone, and asked twice, the time is exact."""
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits else ""
    text = moment.strftime(f"%Y-%m-%d{between}%H:%M:%S") + fraction + zone
    known = datetime.fromisoformat(text)
    known = known if known.tzinfo else known.replace(tzinfo=UTC)
    expected = (known - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert iso_ms(text) == iso_ms(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-03-20T14:59:60.000Z",
        "2025W12T14:59:00:44.655Z",
        "2025-03-20T14:59:44.655Z ",
        "2025-03-20T14:60:44.655Z",
        "2025-02-30T14:59:44.655Z",
        "2025-03-20T1\u0664:59:44.655Z",
        "1999-12-31T23:59:59.999Z",
        "2101-01-01T00:00:00.000Z",
    ],
)
def test_what_is_no_iso_time_is_refused(text: str) -> None:
    """A time that is none, or out of the bounds, is a bad time however often it is asked for."""
    for _ in range(2):
        with pytest.raises(FieldError) as caught:
            iso_ms(text)
        assert caught.value.reason == "bad_time"


def test_either_time_column_may_have_either_spelling() -> None:
    """A store of logs writes ISO times into both columns; one that is wrong does not matter beside a right one."""
    known = event("API").time_ms
    assert event("API", TIMESTAMP="2025-03-20 14:59:44.655").time_ms == known
    assert event("API", TIMESTAMP="?", TIMESTAMP_DERIVED="20250320145944.655").time_ms == known
    assert event("API", TIMESTAMP_DERIVED="?").time_ms == known
    assert refusal(row("API", TIMESTAMP="?", TIMESTAMP_DERIVED="?")).reason == "bad_time"


def test_neither_column_order_nor_format_changes_an_event() -> None:
    """A row from CSV, reordered, with numbers for strings or nulls for blanks is the same event."""
    columns = {"METHOD_NAME": "query", "ROWS_PROCESSED": "27", "EXCEPTION_MESSAGE": ""}
    known = event("API", **columns)
    record = json.loads(row("API", **columns))
    text = io.StringIO()
    writer = csv.DictWriter(text, sorted(record), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerow(record)
    text.seek(0)
    from_csv = json.dumps(next(csv.DictReader(text))).encode()
    assert ADAPTER.decode(from_csv, "a.csv:2") == known
    assert event("API", METHOD_NAME="query", ROWS_PROCESSED=27) == known
    assert event("API", METHOD_NAME="query", ROWS_PROCESSED=27.0, EXCEPTION_MESSAGE=None) == known


@pytest.mark.parametrize("request_id", ["TID:4aXq1", "", "x" * 65])
def test_rows_of_one_request_are_different_events(request_id: str) -> None:
    """An id names its request, where that is the vendor's, and parts its rows by type, time and a few columns."""
    columns = {"REQUEST_ID": request_id, "ENTITY_NAME": "Case", "CPU_TIME": "48"}
    events = [
        event("API", **columns),
        event("API", **columns | {"ENTITY_NAME": "Contact"}),
        event("API", **columns | {"ROWS_PROCESSED": "49"}),
        event("RestApi", **columns),
        event("Weird", **columns),
        event("Weirder", **columns),
        event("Weird", **columns, JOB_ID="7505g00000JobAA"),
    ]
    assert len({found.event_id for found in events}) == len(events)
    named = [found.event_id.startswith(f"elf:{request_id}:") for found in events]
    assert all(named) if len(request_id) == 9 else not any(named)
    assert all(len(found.event_id) < 80 for found in events)
    assert event("API", **columns).event_id == events[0].event_id
    # How long a request took tells it from another only where nothing else does.
    slower = event("API", **columns | {"CPU_TIME": "49"})
    assert (slower.event_id == events[0].event_id) is all(named)


@pytest.mark.parametrize(
    "dropped", ["CLIENT_NAME", "CPU_TIME", "USER_ID_DERIVED", "TIMESTAMP_DERIVED", "SESSION_KEY", "CLIENT_IP"]
)
@pytest.mark.parametrize(
    "kind", ["API", "RestApi", "Report", "BulkApi2", "Login", "LightningPageView", "Sites"]
)
def test_an_id_does_not_depend_on_the_columns_of_its_file(kind: str, dropped: str) -> None:
    """A row keeps its id in an export without some column, or with one more."""
    columns = {
        "REQUEST_ID": "4aXq1", "CLIENT_NAME": "loader", "CPU_TIME": "48", "SESSION_KEY": "s1", "JOB_ID": "750J",
        "TIMESTAMP_DERIVED": "2025-03-20T14:59:44.655Z", "USER_ID_DERIVED": id18(USER),
    }  # fmt: skip
    known = event(kind, **columns)
    record = json.loads(row(kind, **columns))
    record.pop(dropped, None)
    assert ADAPTER.decode(json.dumps(record).encode(), "x:1").event_id == known.event_id
    more = json.dumps(record | {"BOT_ID": "", "NEW_COLUMN": "x"}).encode()
    assert ADAPTER.decode(more, "x:1").event_id == known.event_id


@pytest.mark.parametrize(
    ("method", "operation", "rows"),
    [
        ("query", Operation.QUERY, 36),
        ("query_all", Operation.QUERY, 36),
        ("queryMore", Operation.QUERY, 36),
        ("retrieve", Operation.QUERY, 36),
        ("search", Operation.SEARCH, 36),
        ("count", Operation.COUNT, None),
        ("describeGlobal", Operation.DESCRIBE, None),
        ("describeSObjects", Operation.DESCRIBE, None),
        ("insert", Operation.WRITE, None),
        ("update", Operation.WRITE, None),
        ("upsert", Operation.WRITE, None),
        ("delete", Operation.WRITE, None),
        ("login", Operation.LOGIN, None),
        ("sendEmail", Operation.OTHER, None),
    ],
)
def test_only_a_soap_read_has_rows(method: str, operation: Operation, rows: int | None) -> None:
    """A SOAP method says what was done, and rows that were written did not leave."""
    found = event("API", METHOD_NAME=method, ROWS_PROCESSED="36", RESPONSE_SIZE="900", ENTITY_NAME="Contact")
    assert (found.operation, found.rows, found.counting) == (operation, rows, Counting.EACH)
    assert found.bytes_out == 900
    assert found.objects == ("Contact",)
    assert found.actor_kind is ActorKind.INTEGRATION


@pytest.mark.parametrize(
    ("method", "path", "operation", "rows"),
    [
        ("GET", "/services/data/v58.0/query", Operation.QUERY, 5),
        ("GET", "/services/data/v58.0/queryAll/01g5g0-2000", Operation.QUERY, 5),
        ("GET", "/services/data/v58.0/sobjects/Case/5005g00000CaseA", Operation.QUERY, 5),
        ("GET", "/services/data/v58.0/search", Operation.SEARCH, 5),
        ("GET", "/services/data/v58.0/sobjects/Case/describe", Operation.DESCRIBE, None),
        ("GET", "/services/data/v58.0/sobjects/", Operation.DESCRIBE, None),
        ("GET", "/services/data/v58.0/analytics/reports/00O5g000000RepA", Operation.REPORT, 5),
        ("GET", "/services/data/v58.0/jobs/query/7505g00000JobAA/results", Operation.BULK_EXPORT, 5),
        ("DELETE", "/services/data/v58.0/jobs/query/7505g00000JobAA", Operation.EXPORT_DELETE, None),
        ("POST", "/services/data/v58.0/composite", Operation.QUERY, 5),
        ("POST", "/services/data/v58.0/graphql", Operation.QUERY, 5),
        ("POST", "/services/data/v58.0/composite/sobjects", Operation.WRITE, None),
        ("POST", "/services/data/v58.0/sobjects/Case", Operation.WRITE, None),
        ("PATCH", "/services/data/v58.0/sobjects/Case/5005g00000CaseA", Operation.WRITE, None),
        ("DELETE", "/services/data/v58.0/sobjects/Case/5005g00000CaseA", Operation.WRITE, None),
    ],
)
def test_rest_goes_by_method_and_path(method: str, path: str, operation: Operation, rows: int | None) -> None:
    """A REST request is told by its method and path, and only its reads have rows."""
    found = event("RestApi", METHOD=method, URI=path, ROWS_PROCESSED="5", STATUS_CODE="200")
    assert (found.operation, found.rows, found.status) == (operation, rows, "success")


def test_a_rest_request_without_rows_may_be_anything() -> None:
    """A GET without rows on an unknown path is no query, and a refused one keeps its status code."""
    found = event(
        "RestApi", METHOD="GET", URI="/services/data/v58.0/limits", ROWS_PROCESSED="0", STATUS_CODE="403"
    )
    assert (found.operation, found.rows, found.status) == (Operation.OTHER, None, "403")


@pytest.mark.parametrize(
    ("state", "kind", "operation", "rows", "status"),
    [
        ("UploadComplete", "query", Operation.BULK_EXPORT, 900, None),
        ("JobComplete", "queryAll", Operation.BULK_EXPORT, 900, "success"),
        ("Aborted", "query", Operation.BULK_EXPORT, 900, "aborted"),
        ("deleted", "query", Operation.EXPORT_DELETE, None, "success"),
        ("Deleted", "", Operation.EXPORT_DELETE, None, "success"),
        ("deleted", "insert", Operation.WRITE, None, "success"),
        ("JobComplete", "upsert", Operation.WRITE, None, "success"),
    ],
)
def test_a_bulk_job_counts_by_its_maximum(
    state: str, kind: str, operation: Operation, rows: int | None, status: str | None
) -> None:
    """A Bulk API 2.0 row is a state of its job: the total so far, or the deletion of its result."""
    found = event(
        "BulkApi2", JOB_ID="7505g00000JobAA", JOB_STATUS=state, OPERATION_TYPE=kind, ENTITY_TYPE="Case",
        RECORDS_PROCESSED="900", RESULT_SIZE_MB="1.5",
    )  # fmt: skip
    assert (found.operation, found.rows, found.status) == (operation, rows, status)
    assert (found.counting, found.operation_id) == (Counting.MAXIMUM, id18("7505g00000JobAA"))
    assert found.bytes_out == (1_500_000 if rows else None)
    assert found.objects == ("Case",)


def test_a_bulk_batch_counts_by_its_maximum() -> None:
    """A Bulk API row counts by its batch, and what a load wrote is no row."""
    read = event("BulkApi", BATCH_ID="7515g00000BatAA", OPERATION_TYPE="query", ROWS_PROCESSED="70")
    written = event("BulkApi", BATCH_ID="7515g00000BatAA", OPERATION_TYPE="upsert", ROWS_PROCESSED="70")
    assert (read.operation, read.rows, read.counting) == (Operation.BULK_EXPORT, 70, Counting.MAXIMUM)
    assert read.operation_id == id18("7515g00000BatAA")
    assert (written.operation, written.rows) == (Operation.WRITE, None)


def test_calls_counted_in_total_have_no_rows() -> None:
    """``ApiTotalUsage`` tells what was called by which app, and never how many rows."""
    found = event(
        "ApiTotalUsage", HTTP_METHOD="GET", API_RESOURCE="/v58.0/query", CONNECTED_APP_NAME="Data Loader",
        ROWS_PROCESSED="5",
    )  # fmt: skip
    assert (found.operation, found.rows, found.app) == (Operation.QUERY, None, "Data Loader")


def test_a_report_and_its_export_can_be_joined() -> None:
    """A run, an export and the export's second row name one report, and only the first two have rows."""
    shared = {"ROW_COUNT": "1850", "AVERAGE_ROW_SIZE": "240", "REPORT_ID": "00O5g000000RepA"}
    run = event("Report", ORIGIN="ReportRunFromLightning", **shared)
    export = event("Report", ORIGIN="ReportExported", **shared)
    second = event("ReportExport", URI="/00O5g000000RepA?export=1")
    queued = event("AsyncReportRun", **shared)
    assert [found.operation for found in (run, export, second, queued)] == [
        Operation.REPORT, Operation.REPORT_EXPORT, Operation.REPORT_EXPORT, Operation.REPORT,
    ]  # fmt: skip
    assert [found.rows for found in (run, export, second, queued)] == [1850, 1850, None, 1850]
    assert [found.bytes_out for found in (run, export, second, queued)] == [444_000, 444_000, None, 444_000]
    assert {found.operation_id for found in (run, export, second, queued)} == {id18("00O5g000000RepA")}
    assert run.actor_kind is ActorKind.HUMAN


@pytest.mark.parametrize(
    ("transaction", "operation", "rows", "bytes_out", "kind"),
    [
        ("VersionDownloadAction", Operation.FILE_DOWNLOAD, 1, 81_234, ActorKind.HUMAN),
        ("VersionDownloadApi", Operation.FILE_DOWNLOAD, 1, 81_234, ActorKind.INTEGRATION),
        ("VersionRenditionDownload", Operation.RECORD_VIEW, 1, None, ActorKind.HUMAN),
        ("saveVersion", Operation.WRITE, None, None, ActorKind.HUMAN),
    ],
)
def test_a_file_goes_by_its_transaction(
    transaction: str, operation: Operation, rows: int | None, bytes_out: int | None, kind: ActorKind
) -> None:
    """A file that leaves has its size, one looked at is a view, and an upload is a write."""
    found = event(
        "ContentTransfer", TRANSACTION_TYPE=transaction, SIZE_BYTES="81234", DOCUMENT_ID="0695g00000DocAA"
    )
    assert (found.operation, found.rows, found.bytes_out, found.actor_kind) == (
        operation,
        rows,
        bytes_out,
        kind,
    )
    assert found.record_ids == (id18("0695g00000DocAA"),)


def test_the_vendor_misspells_downloads() -> None:
    """Both spellings of the attachment download are one type, whose object is told by the id."""
    spelled = event("DocumentAttachmentDownloads", ENTITY_ID="00P5g00000AttAA")
    misspelled = event("DocumentAttachmentDownoads", ENTITY_ID="00P5g00000AttAA")
    for found in (spelled, misspelled):
        assert (found.operation, found.objects) == (Operation.FILE_DOWNLOAD, ("Attachment",))


def test_a_unique_query_tells_what_was_asked() -> None:
    """The query's shape, object and fields are known, its rows are not; a query for a count is told."""
    found = event(
        "UniqueQuery", QUERY_IDENTIFIER="SELECT Id, toLabel(Status) FROM Case WHERE Id IN ('a','b')"
    )
    assert (found.operation, found.rows, found.objects) == (Operation.QUERY, None, ("Case",))
    assert found.fields == ("Id", "Status")
    assert found.query_shape == "select id, tolabel(status) from case where id in (?)"
    assert event("UniqueQuery", QUERY_IDENTIFIER="SELECT COUNT() FROM Case").operation is Operation.COUNT
    mixed = "SELECT COUNT(Id), Email FROM Contact GROUP BY Email"
    assert event("UniqueQuery", QUERY_IDENTIFIER=mixed).operation is Operation.QUERY


def test_a_login_comes_from_its_source() -> None:
    """A login's source address counts where the client's is none, and its codes are no agent."""
    found = event(
        "Login", CLIENT_IP="Salesforce.com IP", SOURCE_IP="198.51.100.77", LOGIN_STATUS="LOGIN_NO_ERROR",
        BROWSER_TYPE="python-requests/2.32.4", LOGIN_TYPE="i", USER_NAME="anna@skyward.example.com",
    )  # fmt: skip
    assert (found.operation, found.ip, found.status) == (Operation.LOGIN, "198.51.100.77", "success")
    assert (found.user_agent, found.actor_kind) == ("python-requests/2.32.4", ActorKind.INTEGRATION)
    assert found.actor_name == "anna@skyward.example.com"
    failed = event("Login", LOGIN_STATUS="LOGIN_ERROR_INVALID_PASSWORD", BROWSER_TYPE="9999", LOGIN_TYPE="A")
    assert (failed.status, failed.user_agent) == ("LOGIN_ERROR_INVALID_PASSWORD", None)
    assert failed.actor_kind is ActorKind.HUMAN


def test_a_login_of_an_unknown_user_goes_by_name() -> None:
    """Without a user id the user name acts, and it cannot pass for another tenant's identity."""
    found = event("Login", USER_ID="", USER_NAME="Who/Knows@Skyward.example.com")
    assert found.actor == "who%2fknows@skyward.example.com"
    assert refusal(row("Login", USER_ID="", USER_NAME=" ")).reason == "missing_field"
    assert refusal(row("API", USER_ID="../0055g0000")).reason == "bad_value"


@pytest.mark.parametrize(
    "text", ["Salesforce.com IP", "", "999.1.1.1", "2001db8ffff", "fe80::1%eth0", "1" * 500]
)
def test_an_address_that_is_none_is_unknown(text: str) -> None:
    """Whatever is no IP address is unknown rather than wrong."""
    assert event("API", CLIENT_IP=text).ip is None


def test_an_address_has_one_spelling() -> None:
    """An IPv6 address is shortened, and an IPv4 address within one comes out."""
    assert event("API", CLIENT_IP="2001:0DB8:0::7").ip == "2001:db8::7"
    assert event("API", CLIENT_IP="::ffff:203.0.113.7").ip == "203.0.113.7"


@pytest.mark.parametrize(
    ("event_type", "columns", "operation", "rows"),
    [
        ("URI", {"URI": "/5005g00000CaseA", "URI_ID_DERIVED": "5005g00000CaseA"}, Operation.RECORD_VIEW, 1),
        ("URI", {"URI": "/5005g00000CaseA/e", "URI_ID_DERIVED": "5005g00000CaseA"}, Operation.WRITE, None),
        ("URI", {"URI": "/home"}, Operation.OTHER, None),
        ("LightningPageView", {"PAGE_ENTITY_ID": "5005g00000CaseA"}, Operation.RECORD_VIEW, 1),
        ("LightningPageView", {"PAGE_URL": "/lightning/o/Case/list"}, Operation.LIST_VIEW, None),
        ("AuraRequest", {"ACTION_MESSAGE": TWO_RECORDS}, Operation.RECORD_VIEW, 2),
        ("AuraRequest", {"ACTION_MESSAGE": "1$aura://X/ACTION$getItems=1"}, Operation.LIST_VIEW, None),
        ("AuraRequest", {"ACTION_MESSAGE": "1$aura://X/ACTION$deleteRecord=1"}, Operation.WRITE, None),
        ("AuraRequest", {"ACTION_MESSAGE": "1$aura://X/ACTION$getObjectInfo=1"}, Operation.DESCRIBE, None),
        ("Search", {"NUM_RESULTS": "14", "PREFIXES_SEARCHED": "500"}, Operation.SEARCH, 14),
        ("Logout", {}, Operation.OTHER, None),
        ("LoginAs", {}, Operation.ADMIN, None),
        ("BrandNewType", {}, Operation.OTHER, None),
        ("DatabaseSave", {"NUM_ROWS": "200", "DML_TYPE": "insert"}, Operation.WRITE, None),
    ],
)  # fmt: skip
def test_pages_and_the_rest(
    event_type: str, columns: dict[str, str], operation: Operation, rows: int | None
) -> None:
    """A view of a record is a row, a change is none, and an unknown type is other."""
    found = event(event_type, **columns)
    assert (found.operation, found.rows, found.actor_kind) == (operation, rows, ActorKind.HUMAN)


@pytest.mark.parametrize(
    ("event_type", "columns", "operation", "rows", "kind"),
    [
        ("ApexRestApi", {"METHOD": "GET", "ROWS_PROCESSED": "25000"}, Operation.QUERY, 25000, "integration"),
        ("ApexRestApi", {"METHOD": "POST", "ROWS_PROCESSED": "70"}, Operation.QUERY, 70, "integration"),
        ("ApexRestApi", {"METHOD": "DELETE", "ROWS_PROCESSED": "70"}, Operation.WRITE, None, "integration"),
        ("BulkApiResultEventStore", {"RECORDS_PROCESSED": 150000}, Operation.BULK_EXPORT, 150000, "integration"),
        ("BulkApiResultEvent", {"ROWS_PROCESSED": "15"}, Operation.BULK_EXPORT, 15, "integration"),
        ("BulkApiResultEvent", {}, Operation.BULK_EXPORT, None, "integration"),
        ("WaveDownload", {"NUMBER_OF_RECORDS": "900", "DOWNLOAD_FORMAT": "csv"}, Operation.REPORT_EXPORT, 900, "human"),
        ("WaveDownload", {"NUM_RECORDS": "900", "DOWNLOAD_FORMAT": "png"}, Operation.REPORT, 0, "human"),
        ("WaveDownload", {"NUM_RECORDS": "9", "DOWNLOAD_ERROR": "denied"}, Operation.REPORT_EXPORT, 0, "human"),
    ],
)  # fmt: skip
def test_newer_types_have_their_rows(
    event_type: str, columns: dict[str, object], operation: Operation, rows: int | None, kind: str
) -> None:
    """A type of the last years is read with what it counts, a picture and a refused download being no rows."""
    found = event(event_type, **columns)
    assert (found.operation, found.rows, found.actor_kind, found.unmapped_type) == (
        operation,
        rows,
        kind,
        None,
    )


def test_a_bulk_result_is_counted_with_its_job() -> None:
    """A job's state and the fetching of its result have one operation and both give its total."""
    job = event("BulkApi2", JOB_ID="7505g00000JobAA", OPERATION_TYPE="query", RECORDS_PROCESSED="40")
    fetched = event("BulkApiResultEventStore", JOB_ID="7505g00000JobAA", RECORDS_PROCESSED="40")
    assert (job.operation_id, job.counting) == (fetched.operation_id, fetched.counting)
    assert fetched.counting is Counting.MAXIMUM


@pytest.mark.parametrize("column", ["ROWS_PROCESSED", "NUMBER_OF_RECORDS", "RECORD_COUNT", "ROWS_FETCHED"])
def test_an_unknown_type_with_a_count_is_counted_and_named(column: str) -> None:
    """Rows of a type that is not mapped are counted under its name, as what was done is not understood."""
    found = event("BrandNewType", **{column: "9", "ENTITY_NAME": "Contact"})
    assert (found.operation, found.rows, found.unmapped_type) == (Operation.OTHER, 9, "BrandNewType")
    assert found.objects == ("Contact",)
    assert event("BrandNewType", **{column: "many"}).rows is None
    assert event("BrandNewType", **{column: "9", "OPERATION_TYPE": "insert"}).unmapped_type is None


@pytest.mark.parametrize(
    ("api_type", "browser", "login_type", "kind"),
    [
        ("f", "Mozilla/5.0 (Windows NT 10.0) Chrome/120", "A", ActorKind.HUMAN),
        ("f", "", "A", ActorKind.HUMAN),
        ("f", "9999", "A", ActorKind.HUMAN),
        ("f", "python-requests/2.32.4", "A", ActorKind.INTEGRATION),
        ("l", "Mozilla/5.0 (iPhone)", "A", ActorKind.HUMAN),
        ("", "Mozilla/5.0", "A", ActorKind.HUMAN),
        ("P", "Mozilla/5.0", "A", ActorKind.INTEGRATION),
        ("f", "Mozilla/5.0", "i", ActorKind.INTEGRATION),
    ],
)
def test_a_login_through_a_page_is_a_persons(
    api_type: str, browser: str, login_type: str, kind: ActorKind
) -> None:
    """The code for a feed is also that of a login through a page, which its browser tells."""
    found = event("Login", API_TYPE=api_type, BROWSER_TYPE=browser, LOGIN_TYPE=login_type)
    assert found.actor_kind is kind


def test_a_callout_sends_its_request() -> None:
    """What leaves in a callout is its request; -1 means that the vendor does not know."""
    assert event("ApexCallout", REQUEST_SIZE="40407", RESPONSE_SIZE="12").bytes_out == 40407
    assert event("ApexCallout", REQUEST_SIZE="-1").bytes_out is None


def test_a_guest_is_a_guest_whatever_it_does() -> None:
    """A guest user's call of an API and its view of a page are a guest's."""
    assert event("RestApi", USER_TYPE="Guest").actor_kind is ActorKind.GUEST
    assert event("AuraRequest", USER_TYPE="Guest(db=G,api=Guest)").actor_kind is ActorKind.GUEST


@pytest.mark.parametrize(("text", "rows"), [("", None), ("-1", None), ("27", 27), ("27.0", 27), ("0", 0)])
def test_unknown_rows_are_not_zero(text: str, rows: int | None) -> None:
    """A blank or negative count is unknown, and a zero is a zero."""
    assert event("API", METHOD_NAME="query", ROWS_PROCESSED=text).rows == rows


@pytest.mark.parametrize("text", ["many", "1e999", "nan", "9999999999999", "9" * 5_000, True, ["1"], 1e300])
def test_an_absurd_count_is_refused(text: object) -> None:
    """What is no number, or more rows than can be, is a bad value and is quoted shortly."""
    error = refusal(row("API", METHOD_NAME="query", ROWS_PROCESSED=text))
    assert error.reason in ("bad_value", "malformed")
    assert len(error.detail) < 200


def test_a_row_that_does_not_fit_its_header_is_refused() -> None:
    """A row that the reader marked as short says how short, and a header among the rows is no event."""
    error = refusal(row("API")[:-1] + b', "": {"columns": 5, "expected": 7}}')
    assert (error.reason, error.detail) == ("malformed", "row has 5 columns, its header 7")
    header = json.dumps({name: name for name in ("EVENT_TYPE", "TIMESTAMP", "USER_ID")}).encode()
    assert refusal(header).reason == "malformed"


@pytest.mark.parametrize("column", ["EVENT_TYPE", "TIMESTAMP", "ORGANIZATION_ID", "USER_ID"])
def test_what_an_event_cannot_do_without_is_missed(column: str) -> None:
    """A row without type, time, org or user is refused for that."""
    assert refusal(row("API", **{column: ""})).reason == "missing_field"


def test_long_fields_are_cut() -> None:
    """No field of an event is longer than its bound, however long the record's is."""
    long = "x" * 100_000
    found = event(
        "API", CLIENT_NAME=long, ENTITY_NAME=long, EXCEPTION_MESSAGE=long, SESSION_KEY=long, USER_NAME=long,
        USER_AGENT=long, METHOD_NAME=long, URI=long,
    )  # fmt: skip
    assert len(found.app or "") == len(found.status or "") == len(found.user_agent or "") == 256
    assert len(found.session or "") == 128
    assert len(found.objects[0]) == 80
    assert event("BulkApi2", JOB_ID=long).operation_id == "x" * 64


SAMPLES = [
    json.loads(raw.record)
    for raw in read([str(Path(__file__).parents[2] / "samples" / "salesforce_elf" / "*.[cj]s*[vl]")])
    if not raw.fault
]
VALUES = st.sampled_from(
    [
        "",
        "API",
        "Weird",
        "Guest",
        "17",
        "-1",
        "nan",
        "many",
        "a/b",
        "2025-03-20T15:00:00.5Z",
        "20250320145944",
        "x" * 900,
    ]
) | st.text(max_size=20)


def outcome(decode: Callable[[], AccessEvent]) -> AccessEvent | tuple[str, ...]:
    """The event, or what an error says."""
    try:
        return decode()
    except FieldError as error:
        return error.reason, error.detail


@given(st.sampled_from(SAMPLES), st.data())
def test_a_csv_row_is_the_same_event_as_its_object(sample: dict[str, str], data: st.DataObject) -> None:
    """The fields of a row, under whatever header, give the event or the error that the row as an object does."""
    row = {name: value for name, value in sample.items() if name}
    for name in data.draw(st.lists(st.sampled_from([*row, "JOB_ID", "OTHER", "CLIENT_INFO"]), max_size=4)):
        row[name] = data.draw(VALUES)
    header = data.draw(st.permutations(list(row)))
    decode = ADAPTER.columns(header)
    assert (decode is not None) is ({"EVENT_TYPE", "TIMESTAMP"} <= set(header))
    if decode is not None:
        fields = [row[name] for name in header]
        known = outcome(lambda: ADAPTER.event(json.dumps(row).encode(), "a.csv:2"))
        assert outcome(lambda: decode(fields, "a.csv:2")) == known
        assert fields == [row[name] for name in header]


def test_of_two_columns_with_one_name_the_last_counts() -> None:
    """As in an object, so in a row."""
    header = ["EVENT_TYPE", "TIMESTAMP", "ORGANIZATION_ID", "USER_ID", "URI", "URI"]
    decode = ADAPTER.columns(header)
    assert decode is not None
    fields = ["API", "20250320145944.655", ORG, USER, "first", "last"]
    known = ADAPTER.decode(json.dumps(dict(zip(header, fields, strict=True))).encode(), "a.csv:2")
    assert decode(fields, "a.csv:2") == known


def test_a_foreign_header_is_left_alone() -> None:
    """A header without the columns that the vendor's files begin with is not decoded by column."""
    assert ADAPTER.columns(["EVENT_TYPE", "DATE"]) is None
