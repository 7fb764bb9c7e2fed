from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters import RecordError
from detector.adapters.salesforce import soql as salesforce_soql
from detector.adapters.salesforce.ids import id18
from detector.adapters.salesforce.rtem import ADAPTER
from detector.adapters.salesforce.soql import soql
from detector.event import MAX_RECORD_IDS, AccessEvent, ActorKind, Counting, Operation

FIVE: dict[str, object] = {"Operation": "Query", "RowsReturned": 5}
USER = id18("0055g0000AgAnna")


def payload(kind: str | None, **fields: object) -> dict[str, object]:
    """A payload of a type, bare."""
    common: dict[str, object] = {
        "EventDate": "2025-03-21T10:04:39.747+0000",
        "EventIdentifier": "5b1f0c66-7d0a-4d6e-9f5c-0d2f6c7d1a01",
        "SessionKey": "sk08",
        "SourceIp": "198.51.100.23",
        "UserId": USER,
        "Username": "anna@skyward.example.com",
    }
    named = {"attributes": {"type": kind, "url": f"/services/data/v58.0/sobjects/{kind}/x"}} if kind else {}
    return common | fields | named


def decode(record: object) -> AccessEvent:
    """The event of a record."""
    return ADAPTER.decode(json.dumps(record).encode(), "a.json:1")


def event(kind: str, **fields: object) -> AccessEvent:
    """The event of a payload of that type."""
    return decode(payload(kind, **fields))


def refusal(record: object) -> RecordError:
    """Why a record is refused."""
    with pytest.raises(RecordError) as caught:
        decode(record)
    return caught.value


STREAMED = {"event": {"replayId": 4}, "payload": payload(None, **FIVE), "schema": "s"}
PUBLISHED = payload("ApiEvent", **FIVE, EventDate=1742551479747, CreatedDate=0)


@pytest.mark.parametrize(
    "record",
    [
        payload("ApiEvent", **FIVE),
        payload("ApiEventStore", **FIVE),
        {"channel": "/event/ApiEventStream", "data": STREAMED},
        {"topic": "/event/ApiEventStream", "replayId": "AAB", "payload": payload(None, **FIVE)},
        {"topic": "/event/ApiEvent", "event": {"payload": payload(None, **FIVE), "replayId": 4}},
        {"topic": "t", "payload": PUBLISHED},
    ],
)
def test_every_envelope_holds_the_same_event(record: object) -> None:
    """A streamed message, a stored object and a Pub/Sub record of one payload are one event."""
    assert decode(record) == event("ApiEvent", **FIVE)
    assert decode(record).time_ms == 1742551479747
    assert decode(record).operation is Operation.QUERY
    assert ADAPTER.recognises(json.dumps(record).encode())


def test_an_event_log_row_is_not_claimed() -> None:
    """A row that merely quotes an event date is left to the event log adapter; texts that are the same say nothing."""
    assert not ADAPTER.recognises(b'{"EVENT_TYPE": "API", "X": {"EventDate": 1}}')
    assert not ADAPTER.recognises(b'{"EVENT_TYPE" : "API", "EventDate" : 1}')
    assert not ADAPTER.recognises(b'{"text": "EventDate"}')
    assert not ADAPTER.recognises(b"")
    assert ADAPTER.recognises(b'{"text": "EVENT_TYPE", "EventDate" : 1}')


def test_rows_returned_are_this_pages_own() -> None:
    """Where the page's own rows are given they are added up."""
    found = event("ApiEvent", Operation="QueryMore", RowsReturned=2000.0, RowsProcessed=1000364.0)
    assert (found.rows, found.counting) == (2000, Counting.EACH)


def test_rows_processed_are_a_running_total() -> None:
    """Without them the running total counts, by session and query, literals included."""
    query = "SELECT Id FROM Case WHERE Id > '5005g00000CaseA' LIMIT 2000"
    first = event("ApiEvent", Operation="Query", RowsProcessed=2000.0, Query=query)
    more = event("ApiEvent", Operation="QueryMore", RowsProcessed=4000.0, Query=query)
    keyset = event("ApiEvent", Operation="Query", RowsProcessed=2000.0, Query=query.replace("CaseA", "CaseB"))
    elsewhere = event("ApiEvent", Operation="QueryMore", RowsProcessed=4000.0, Query=query, SessionKey="sk09")
    assert (first.rows, more.rows) == (2000, 4000)
    assert first.counting is more.counting is Counting.RUNNING
    assert first.operation_id == more.operation_id
    assert first.query_shape == keyset.query_shape == "select id from case where id > ? limit ?"
    assert len({first.operation_id, keyset.operation_id, elsewhere.operation_id}) == 3


def test_a_query_of_one_page_stands_alone() -> None:
    """A first page that says it is the last is counted each time, even if the next has as many rows."""
    alone = json.dumps({"totalSize": 2, "done": True, "records": []})
    assert event("ApiEvent", Operation="Query", RowsProcessed=2, Records=alone).counting is Counting.EACH
    assert (
        event("ApiEvent", Operation="QueryMore", RowsProcessed=2, Records=alone).counting is Counting.RUNNING
    )


@pytest.mark.parametrize(
    ("word", "query", "operation", "rows"),
    [
        ("Query", "SELECT Id FROM Case", Operation.QUERY, 9),
        ("QueryAll", "SELECT Id FROM Case", Operation.QUERY, 9),
        ("Query", "select count(Id) n from Case where x = 1", Operation.COUNT, None),
        ("Query", "SELECT COUNT(Id), Email FROM Contact GROUP BY Email", Operation.QUERY, 9),
        ("Query", "SELECT Id, (SELECT COUNT() FROM Cases) FROM Account", Operation.QUERY, 9),
        ("Count", None, Operation.COUNT, None),
        ("Insert", None, Operation.WRITE, None),
        ("Describe", None, Operation.DESCRIBE, None),
        (None, None, Operation.OTHER, None),
    ],
)
def test_only_what_reads_has_rows(
    word: str | None, query: str | None, operation: Operation, rows: int | None
) -> None:
    """A count is told by its query, and neither counts nor writes have rows."""
    found = event("ApiEvent", Operation=word, Query=query, RowsReturned=9)
    assert (found.operation, found.rows, found.actor_kind) == (operation, rows, ActorKind.INTEGRATION)


def test_the_policy_may_have_stopped_it() -> None:
    """What the customer's policy blocked did not leave."""
    found = event("ApiEvent", Operation="Query", RowsReturned=9, PolicyOutcome="Block")
    assert (found.rows, found.status) == (0, "Block")
    assert event("ApiEvent", Operation="Query", RowsReturned=9, PolicyOutcome="Notified").rows == 9


@pytest.mark.parametrize(
    ("fields", "app"),
    [
        ({"ConnectedAppId": "0H45g000000AppX", "Client": "Desk"}, id18("0H45g000000AppX")),
        ({"ConnectedAppId": None, "Client": "Desk", "Application": "Loader"}, "Desk"),
        ({"Client": None, "Application": "Loader"}, "Loader"),
        ({"Client": None, "Application": "N/A"}, None),
    ],
)
def test_the_app_id_is_null_when_the_token_existed(fields: dict[str, object], app: str | None) -> None:
    """The app falls back to the client's name, then the application's, then to none with the agent left."""
    found = event("ApiEvent", UserAgent="python-requests/2.32.4", **fields)
    assert (found.app, found.user_agent) == (app, "python-requests/2.32.4")


def test_the_returned_ids_are_kept() -> None:
    """The ids in the records are normalised and capped, whether in a string or not."""
    many = {"records": [{"Id": f"0035g{number:010d}"} for number in range(MAX_RECORD_IDS + 50)]}
    for records in (json.dumps(many), many):
        found = event("ApiEvent", Records=records)
        assert len(found.record_ids) == MAX_RECORD_IDS
        assert found.record_ids[:2] == ("0035g0000000000AAA", "0035g0000000001AAA")


@pytest.mark.parametrize(
    "records",
    [None, "", "{", '{"records": 4}', '{"records": [{"Id": 4}]}', 7, [1], {"records": {}}, "[" * 9_000],
)
def test_unreadable_records_are_no_error(records: object) -> None:
    """Records that are cut off or strange leave the ids unknown and the event alone."""
    found = event("ApiEvent", Operation="Query", RowsReturned=3, Records=records)
    assert (found.record_ids, found.rows) == ((), 3)


@pytest.mark.parametrize(
    ("word", "operation"),
    [
        ("ReportExported", Operation.REPORT_EXPORT),
        ("ReportExportedUsingExcelConnector", Operation.REPORT_EXPORT),
        ("ReportRunFromLightning", Operation.REPORT),
        (None, Operation.REPORT),
    ],
)
def test_a_report_counts_by_its_execution(word: str | None, operation: Operation) -> None:
    """The chunks of a report share an execution, whose largest total counts."""
    found = event("ReportEvent", Operation=word, RowsProcessed=20680.0, ExecutionIdentifier="x1", Sequence=51,
                  QueriedEntities="Case, Contact", ColumnHeaders="[CASE_NUMBER, SUBJECT]")  # fmt: skip
    assert (found.operation, found.rows, found.counting) == (operation, 20680, Counting.MAXIMUM)
    assert (found.operation_id, found.objects) == ("x1", ("Case", "Contact"))
    assert found.fields == ("CASE_NUMBER", "SUBJECT")
    assert found.actor_kind is ActorKind.HUMAN


def test_a_list_view_counts_by_its_execution() -> None:
    """A list view's chunks are counted like a report's; without an execution each stands alone."""
    found = event("ListViewEvent", RowsProcessed=200, ExecutionIdentifier="x2")
    assert (found.operation, found.rows, found.counting) == (Operation.LIST_VIEW, 200, Counting.MAXIMUM)
    assert event("ListViewEvent", RowsProcessed=200).counting is Counting.EACH


@pytest.mark.parametrize("kind", ["UriEvent", "LightningUriEvent"])
def test_a_view_of_a_record_is_a_row(kind: str) -> None:
    """A page of a record shows it; a change of it is a write, and a page without record is other."""
    view = event(kind, Operation="Read", RecordId="5005g00000CaseA")
    assert (view.operation, view.rows, view.objects) == (Operation.RECORD_VIEW, 1, ("Case",))
    assert view.record_ids == (id18("5005g00000CaseA"),)
    change = event(kind, Operation="Delete", RecordId="5005g00000CaseA", QueriedEntities="Case")
    assert (change.operation, change.rows) == (Operation.WRITE, None)
    assert event(kind, Operation="Read").operation is Operation.OTHER


@pytest.mark.parametrize(
    ("action", "operation", "bytes_out", "kind"),
    [
        ("API_DOWNLOAD", Operation.FILE_DOWNLOAD, 81_234, ActorKind.INTEGRATION),
        ("UI_DOWNLOAD", Operation.FILE_DOWNLOAD, 81_234, ActorKind.HUMAN),
        ("PREVIEW", Operation.RECORD_VIEW, None, ActorKind.HUMAN),
        ("UPLOAD", Operation.WRITE, None, ActorKind.HUMAN),
    ],
)
def test_a_file_goes_by_its_action(
    action: str, operation: Operation, bytes_out: int | None, kind: ActorKind
) -> None:
    """A download has the file's size, a preview is a view and an upload a write."""
    found = event("FileEvent", FileAction=action, ContentSize=81234.0, DocumentId="0695g00000DocAA")
    assert (found.operation, found.bytes_out, found.actor_kind) == (operation, bytes_out, kind)


def test_a_bulk_result_has_no_rows() -> None:
    """A fetched bulk result tells object and query, and leaves the rows unknown."""
    found = event("BulkApiResultEventStore", Query="SELECT Id, Subject FROM Case")
    assert (found.operation, found.rows, found.objects) == (Operation.BULK_EXPORT, None, ("Case",))
    assert found.actor_kind is ActorKind.INTEGRATION


def test_a_login_tells_its_country() -> None:
    """A login has its outcome, its country and whether a program made it."""
    found = event(
        "LoginEvent",
        Status="Success",
        CountryIso="DE",
        Country="Germany",
        ApiType="N/A",
        Browser="Chrome 134",
    )
    assert (found.operation, found.status, found.country) == (Operation.LOGIN, "success", "DE")
    assert (found.actor_kind, found.user_agent) == (ActorKind.HUMAN, "Chrome 134")
    failed = event("LoginEvent", Status="Password Lockout", ApiType="SOAP Partner", Browser="Unknown")
    assert (failed.status, failed.actor_kind, failed.user_agent) == (
        "Password Lockout",
        ActorKind.INTEGRATION,
        None,
    )


@pytest.mark.parametrize(
    ("score", "told"),
    [(0.9713, " 0.97"), (97.13, " 0.97"), (1, " 1.00"), ("88", " 0.88"), (0, " 0.00"), (None, "")],
)
def test_a_vendors_finding_passes_with_its_score(score: object, told: str) -> None:
    """A finding keeps its name and its score, which comes on either of two scales."""
    found = event("ApiAnomalyEvent", Score=score)
    assert (found.operation, found.status) == (Operation.VENDOR_FINDING, "ApiAnomalyEvent" + told)


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("ReportAnomalyEventStore", Operation.VENDOR_FINDING),
        ("SessionHijackingEvent", Operation.VENDOR_FINDING),
        ("CredentialStuffingEvent", Operation.VENDOR_FINDING),
        ("GuestUserAnomalyEvent", Operation.VENDOR_FINDING),
        ("PermissionSetEvent", Operation.ADMIN),
        ("LogoutEvent", Operation.OTHER),
        ("IdentityVerificationEvent", Operation.OTHER),
        ("BrandNewEvent", Operation.OTHER),
    ],
)
def test_the_other_types(kind: str, operation: Operation) -> None:
    """Each known type has its operation, and one that is named but not mapped is other."""
    found = event(kind)
    assert (found.operation, found.rows, found.unmapped_type) == (operation, None, None)


def test_an_unmapped_type_with_a_count_is_counted_and_named() -> None:
    """Rows of a type that is not mapped are counted under its name, as what was done is not understood."""
    found = event("BrandNewEvent", RowsProcessed=9)
    assert (found.operation, found.rows, found.unmapped_type) == (Operation.OTHER, 9, "BrandNewEvent")


# Payloads as a query exports them: the fields of their types, of which some are blank.
UNTYPED = {
    "ApiEvent": {"Operation": "Query", "QueriedEntities": "Case", "Query": "SELECT Id FROM Case", "RowsReturned": 5},
    "ReportEvent": {"Operation": "ReportExported", "ReportId": "00O1", "RowsProcessed": 5, "QueriedEntities": "Case"},
    "ListViewEvent": {"ListViewId": "00B1", "FilterCriteria": "", "RowsProcessed": 5, "QueriedEntities": "Case"},
    "LoginEvent": {"LoginType": "Application", "LoginUrl": "/", "Status": "Success", "Application": "x"},
    "LoginAsEvent": {"LoginAsCategory": "OrgAdmin", "LoginType": "LoginAs", "TargetUrl": "/"},
    "FileEvent": {"FileAction": "UI_DOWNLOAD", "FileName": "a.pdf", "ContentSize": 12},
    "LightningUriEvent": {"PageUrl": "/lightning/r/Case/5001/view", "RecordId": "5005g00000CaseA", "Operation": "Read"},
    "UriEvent": {"RecordId": "5005g00000CaseA", "Operation": "Read", "Name": "x"},
    "PermissionSetEvent": {"PermissionType": "UserPermission", "Operation": "AssignedToUsers", "UserCount": 1},
    "BulkApiResultEvent": {"Query": "SELECT Id FROM Contact"},
    "ApiAnomalyEvent": {"Score": 0.97, "Summary": "s", "SecurityEventData": "[]", "RequestIdentifier": "r"},
    "ReportAnomalyEvent": {"Score": 0.97, "Summary": "s", "Report": "00O1"},
    "SessionHijackingEvent": {"Score": 0.97, "CurrentIp": "192.0.2.1", "PreviousIp": "192.0.2.2"},
    "CredentialStuffingEvent": {"Score": 0.97, "LoginUrl": "/", "AcceptLanguage": "en", "LoginType": "A"},
    "GuestUserAnomalyEvent": {"Score": 0.97, "SoqlCommands": "x", "TotalControllerEvents": 9},
}  # fmt: skip


@pytest.mark.parametrize("kind", UNTYPED)
@pytest.mark.parametrize("written", ["bare", "strings", "connect", "relayed", "table"])
def test_the_fields_of_a_record_tell_the_type_that_its_envelope_would(kind: str, written: str) -> None:
    """Bare, as a row of strings, in a connector's record or in a table of all types, it is the event of its type."""
    fields = UNTYPED[kind]
    bare = payload(None, **fields)
    records: dict[str, object] = {
        "bare": bare,
        "strings": {name: str(value) for name, value in bare.items()} | {"PolicyOutcome": ""},
        "connect": {"schema": {"type": "struct", "fields": []}, "payload": bare},
        "relayed": {"detail-type": f"{kind}Stream", "detail": {"payload": bare, "schemaId": "s"}},
        "table": dict.fromkeys((name for some in UNTYPED.values() for name in some), "") | bare,
    }
    assert decode(records[written]) == event(kind, **fields)


def test_a_record_of_no_type_is_refused_unless_its_file_names_one() -> None:
    """What every type has says nothing of a record's type; it is refused rather than an event that says nothing."""
    record = payload(None)
    refused = refusal(record)
    assert refused.reason == "unknown_type"
    assert "type of event" in refused.detail
    assert refusal({"topic": "crm", "payload": record}).reason == "unknown_type"
    encoded = json.dumps(record).encode()
    for name in ("LogoutEvent.csv:2", "logs/LogoutEventStore-2026.jsonl:2", "LogoutEventStream/0/17"):
        assert ADAPTER.decode(encoded, name).operation is Operation.OTHER
    assert ADAPTER.decode(encoded, "x/BulkApiResultEvent.csv:2").operation is Operation.BULK_EXPORT
    for name in ("LogoutEvents.csv:2", "LoginEvent/LogoutEvent.csv:2", "a.csv:2"):
        with pytest.raises(RecordError):
            ADAPTER.decode(encoded, name)


def test_text_in_a_field_does_not_tell_the_type() -> None:
    """The name of a type in an agent or a query is text, and a row's own fields are asked before its file's name."""
    fields = {**UNTYPED["ApiEvent"], "UserAgent": "LogoutEvent", "Application": "LoginEvent"}
    encoded = json.dumps(payload(None, **fields)).encode()
    assert ADAPTER.decode(encoded, "LogoutEvent.csv:2").operation is Operation.QUERY


@pytest.mark.parametrize("wrap", [lambda text: {"string": text}, lambda text: text])
def test_a_connectors_spelling_of_values_does_not_matter(wrap: Callable[[str], object]) -> None:
    """Avro's unions are the values in them, and a number may stand where the vendor has a text."""
    record = payload("ApiEvent", **FIVE, UserAgent="loader/1") | {
        "Username": wrap("anna@skyward.example.com")
    }
    record["UserAgent"], record["ElapsedTime"] = wrap("loader/1"), "12"
    assert decode(record) == event("ApiEvent", **FIVE, UserAgent="loader/1")
    assert refusal(payload("ApiEvent", UserId=17)).reason == "bad_value"


def test_the_tenant_is_seldom_named() -> None:
    """The org id counts where it is, then one in the url, then there is one tenant for all."""
    assert event("ApiEvent").tenant == "salesforce"
    assert event("ApiEvent", OrganizationId="00D5g000004SkyW").tenant == id18("00D5g000004SkyW")
    record = payload(None)
    record["attributes"] = {"type": "ApiEvent", "url": "https://example.com/00D5g000004SkyW/x"}
    assert decode(record).tenant == id18("00D5g000004SkyW")


def test_an_identifier_is_the_event_id() -> None:
    """The vendor's identifier dedupes; without one the whole record does, whatever its keys' order."""
    assert event("ApiEvent").event_id == "rtem:5b1f0c66-7d0a-4d6e-9f5c-0d2f6c7d1a01"
    unnamed = payload("ApiEvent", EventIdentifier=None)
    backwards = dict(reversed(unnamed.items()))
    assert decode(unnamed) == decode(backwards)
    assert decode(unnamed).event_id != decode(unnamed | {"SessionKey": "sk09"}).event_id


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"UserId": None, "Username": None}, "missing_field"),
        ({"UserId": "a/b"}, "bad_value"),
        ({"UserId": 17}, "bad_value"),
        ({"EventDate": None}, "missing_field"),
        ({"EventDate": "yesterday"}, "bad_time"),
        ({"EventDate": 17}, "bad_time"),
        ({"EventDate": "1999-12-31T23:59:59.999Z"}, "bad_time"),
        ({"EventDate": 1e300}, "bad_time"),
        ({"Operation": "Query", "RowsReturned": 1e300}, "bad_value"),
        ({"Operation": "Query", "RowsReturned": "many"}, "bad_value"),
    ],
)
def test_what_cannot_stand_is_refused(fields: dict[str, object], reason: str) -> None:
    """A record without actor or time, or with an absurd value, is refused for that."""
    error = refusal(payload("ApiEvent", **fields))
    assert (error.adapter, error.position, error.reason) == ("salesforce_rtem", "a.json:1", reason)


def test_negative_rows_are_unknown() -> None:
    """A negative count is the vendor's word for not knowing."""
    assert event("ApiEvent", Operation="Query", RowsReturned=-1, RowsProcessed=None).rows is None


def test_an_address_that_is_none_is_unknown() -> None:
    """A source address that lost its colons is unknown."""
    assert event("ApiEvent", SourceIp="2001db8fffffffffffffffffffffffa").ip is None


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        (
            "SELECT Id FROM Lead WHERE Name = 'O\\'Hara' AND X = \"y\"",
            'select id from lead where name = ? and x = "y"',
        ),
        (
            "SELECT  Id\n FROM Lead WHERE A = -4.5 AND D = 2025-01-01",
            "select id from lead where a = ? and d = ?",
        ),
        ("SELECT Id FROM Lead WHERE D > 2025-01-01T12:00:00.000+01:00", "select id from lead where d > ?"),
        ("SELECT Id FROM Lead WHERE D = LAST_N_DAYS:30", "select id from lead where d = last_n_days:?"),
        ("SELECT Id FROM Lead WHERE Id IN ('a', 'b' ,'c')", "select id from lead where id in (?)"),
        ("SELECT Id, F1__c FROM L2__c WHERE Name = 'cut of", "select id, f1__c from l2__c where name = ?"),
    ],
)
def test_a_shape_has_no_literals(query: str, shape: str) -> None:
    """Strings, numbers and dates give way, so that one program's queries are one shape."""
    assert soql(query).shape == shape


def test_a_wall_of_blanks_hides_nothing() -> None:
    """A query padded with blanks keeps its shape, and its length is bounded."""
    assert soql("SELECT" + " " * 50_000 + "Id FROM Case").shape == "select id from case"
    assert len(soql("SELECT " + "Name, " * 90_000 + "Id FROM Case").shape) == 300


@given(st.text(alphabet="SELECT FROM count()'\\,.0123-:\n", max_size=200))
def test_any_query_has_a_shape(query: str) -> None:
    """Whatever the text, it has a bounded shape without a digit of its numbers, and the same each time."""
    found = soql(query)
    assert found == soql(query)
    assert len(found.shape) <= 300
    assert len(found.fields) <= 50


NAMES = st.sampled_from(["Id", "F1__c", "F2__c", "Name", "COUNT()", "Obj7__c"])
LITERALS = st.sampled_from(
    ["'a1'", "'b\\'2'", "17", "-4.5", "2025-01-01", "2026-12-31T12:00:00Z", "LAST_N_DAYS:3"]
)


@given(st.lists(st.tuples(st.lists(NAMES, min_size=1), NAMES, LITERALS), min_size=1, max_size=30))
def test_a_query_is_understood_whatever_was_asked_before(asked: list[tuple[list[str], str, str]]) -> None:
    """Queries that differ in digits alone, within a literal or within a name, are not taken for each other."""
    for fields, name, literal in asked:
        query = f"SELECT {', '.join(fields)} FROM {name} WHERE {name} = {literal} LIMIT 7"  # noqa: S608 - it is only read
        alone = salesforce_soql._asked(" ".join(salesforce_soql._LITERAL.sub("?", query).split()))
        found = soql(query)
        assert (found.shape, found.objects, found.fields, found.counts) == alone


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        str.lower,
        lambda name: name[:1].lower() + name[1:],
        lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(),
    ],
)
@pytest.mark.parametrize("kind", ["ApiEvent", "LoginEvent", "ReportEvent"])
def test_names_in_another_spelling_are_the_same_record(kind: str, spell: Callable[[str], str]) -> None:
    """A tool that writes all names in capitals, in lower case or with underscores keeps the event, its type and id."""
    record = {spell(name): str(value) for name, value in payload(None, **UNTYPED[kind]).items()}
    assert ADAPTER.recognises(json.dumps(record).encode())
    assert decode(record) == event(kind, **UNTYPED[kind])


@pytest.mark.parametrize(
    "when", [1742551479747, "1742551479747", 1742551479.747, "3/21/2025, 10:04:39.747 AM"]
)
def test_a_time_may_be_in_another_unit_or_spelling(when: object) -> None:
    """A number tells its unit, and an export's US time is one."""
    assert event("ApiEvent", EventDate=when).time_ms == 1742551479747


@pytest.mark.parametrize(
    ("fields", "operation"),
    [
        ({"Operation": "ReportRunFromLightning", "RowsProcessed": 4}, Operation.REPORT),
        ({"Operation": "QueryMore", "RowsProcessed": 4}, Operation.QUERY),
        ({"ApiType": "SOAP", "QueriedEntities": "Case", "RowsProcessed": 4}, Operation.OTHER),
        ({"DeveloperName": "AllCases", "QueriedEntities": "Case"}, Operation.LIST_VIEW),
        ({"FileName": "a.pdf", "FileType": "PDF"}, Operation.OTHER),
        ({"LoginType": "A", "Score": 0.9, "Summary": "s"}, Operation.VENDOR_FINDING),
        ({"Score": 0.9, "Summary": "s"}, Operation.VENDOR_FINDING),
        ({"Type": "LogoutEvent"}, Operation.OTHER),
    ],
)
def test_a_few_of_a_types_fields_are_enough(fields: dict[str, object], operation: Operation) -> None:
    """A query of some fields only is told by those that few types share, or by the type that stands beside them."""
    assert decode(payload(None, **fields)).operation is operation
