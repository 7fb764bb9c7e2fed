from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from detector.adapters import RecordError
from detector.adapters.dynamics.ual import ADAPTER
from detector.event import MAX_RECORD_IDS, AccessEvent, ActorKind, Counting, Operation
from detector.identity.ledger import Ledger, count

IDS = [f"aa000000-0000-4000-8000-{number:012x}" for number in range(1, 301)]
USER = "anna.berg@skyward.example.com"
FETCH = '<fetch><entity name="contact"><attribute name="fullname"/></entity></fetch>'
GUID = "9d000000-0000-4000-8000-000000000004"


def crm(**fields: object) -> dict[str, object]:
    """A record of Dynamics 365."""
    record: dict[str, object] = {
        "CreationTime": "2026-03-03T09:14:17",
        "Id": "C3A10000-0000-4000-8000-000000000001",
        "Operation": "RetrieveMultiple",
        "OrganizationId": "6F0D2B1E-8a34-4c57-9b60-2f3d5a7c9e11",
        "RecordType": 21,
        "UserType": 0,
        "ClientIP": "198.51.100.23",
        "UserId": USER,
        "CorrelationId": "d0000000-0000-4000-8000-000000000001",
        "EntityName": "contact",
        "Message": "RetrieveMultiple",
        "UserAgent": "Mozilla/5.0 (X11)",
    }
    return record | fields


def service(operation: str, record_type: object = 6, **fields: object) -> dict[str, object]:
    """A record of a service beside Dynamics."""
    dropped = ("Message", "EntityName", "CorrelationId")
    bare = {name: value for name, value in crm().items() if name not in dropped}
    return bare | {"Operation": operation, "RecordType": record_type} | fields


def decode(record: object) -> AccessEvent:
    """The event of a record."""
    return ADAPTER.decode(json.dumps(record).encode(), "a.json:1")


def refusal(record: object) -> RecordError:
    """Why a record is refused."""
    with pytest.raises(RecordError) as caught:
        decode(record)
    return caught.value


# --- rows


def test_the_parts_of_a_record_that_was_split_are_added_up_once() -> None:
    """Each part lists other rows under one correlation; a part that is delivered again adds nothing."""
    parts = [
        crm(Id=f"part-{number}", QueryResults=",".join(IDS[100 * number : 100 * number + 100]))
        for number in range(3)
    ]
    events = [decode(part) for part in parts]
    assert {event.operation_id for event in events} == {"d0000000-0000-4000-8000-000000000001"}
    assert {event.counting for event in events} == {Counting.EACH}
    ledger = Ledger()
    counted = [count(ledger, event) for event in [*events, events[1]]]
    assert [one.rows for one in counted if one] == [100, 100, 100]
    assert [one.operation_rows for one in counted if one] == [100, 200, 300]
    assert counted[3] is None


@pytest.mark.parametrize(
    ("results", "rows", "ids"),
    [
        (",".join(IDS[:3]), 3, 3),
        (f"contact:{IDS[0]}, contact:{IDS[1]}", 2, 2),
        (IDS[:2], 2, 2),
        (json.dumps([{"id": one, "ownerid": GUID} for one in IDS[:4]]), 4, 4),
        ([{"id": one} for one in IDS[:4]], 4, 4),
        ({"id": IDS[0]}, 1, 1),
        ("[]", 0, 0),
        (f'[{{"id":"{IDS[0]}"}},{{"id":"{IDS[1]}"}},{{"id":"aa00', 3, 2),
        ("Anna,Bob", 2, 2),
        (",".join(IDS), 300, MAX_RECORD_IDS),
        ("", None, 0),
        (" ", None, 0),
        (None, None, 0),
        ("null", None, 0),
    ],
)
def test_query_results_are_counted_in_each_of_their_forms(
    results: object, rows: int | None, ids: int
) -> None:
    """A list, its JSON in a string, ids with commas and a list cut in the middle; without any, rows are unknown."""
    found = decode(crm(QueryResults=results, EntityId=None))
    assert found.rows == rows
    assert len(found.record_ids) == ids
    assert found.operation is Operation.QUERY


def test_a_query_without_results_has_unknown_rows_and_a_retrieve_has_one() -> None:
    """The log does not always list what was read, but a record that is read by its id is one."""
    assert decode(crm()).rows is None
    read = decode(crm(Message="Retrieve", EntityName="incident", EntityId=IDS[0]))
    assert (read.operation, read.rows, read.record_ids) == (Operation.RECORD_VIEW, 1, (IDS[0],))
    assert decode(crm(Message="Retrieve", EntityId="00000000-0000-0000-0000-000000000000")).record_ids == ()


def test_what_failed_let_nothing_out() -> None:
    """A read that Dynamics refused has no rows."""
    found = decode(crm(Message="Retrieve", ResultStatus="Failed"))
    assert (found.rows, found.status) == (0, "failed")
    assert decode(crm(Message="Retrieve", ResultStatus="PartiallySucceeded")).rows == 1


@pytest.mark.parametrize(
    ("message", "operation"),
    [
        ("RetrieveMultiple", Operation.QUERY),
        ("retrievemultiplerequest", Operation.QUERY),
        ("Retrieve", Operation.RECORD_VIEW),
        ("RetrieveTotalRecordCount", Operation.COUNT),
        ("RetrieveAllEntities", Operation.DESCRIBE),
        ("RetrieveEntity", Operation.DESCRIBE),
        ("RetrieveEntityChanges", Operation.QUERY),
        ("RetrieveVersion", Operation.OTHER),
        ("ExportToExcel", Operation.REPORT_EXPORT),
        ("ExportToCsv", Operation.REPORT_EXPORT),
        ("ExportToSomethingNew", Operation.REPORT_EXPORT),
        ("Create", Operation.WRITE),
        ("Delete", Operation.WRITE),
        ("GrantAccess", Operation.ADMIN),
        ("UserSignIn", Operation.LOGIN),
        ("Login", Operation.LOGIN),
        ("DownloadFile", Operation.FILE_DOWNLOAD),
        ("WhoAmI", Operation.OTHER),
    ],
)
def test_a_message_says_what_was_done(message: str, operation: Operation) -> None:
    """In ``Message`` beside a general operation, or in ``Operation`` alone, in whatever case."""
    assert decode(crm(Operation="CrmDefaultActivity", Message=message)).operation is operation
    assert decode(crm(Operation=message, Message=None)).operation is operation


# --- queries


def test_fetch_xml_names_objects_and_fields_and_loses_its_values() -> None:
    """Pages and people looked for differ; the shape and what is asked for do not."""
    query = (
        '<fetch page="{0}" paging-cookie="&lt;cookie page=&quot;{0}&quot;/&gt;"><entity name="contact">'
        '<attribute name="fullname"/><link-entity name="account"><attribute name="revenue"/></link-entity>'
        '<filter><condition attribute="lastname" operator="in"><value>{1}</value></condition></filter>'
        "</entity></fetch>"
    )
    first, second = (
        decode(crm(EntityName=None, Query=query.format(*one))) for one in ((1, "Ann"), (2, "Bo"))
    )
    assert first.query_shape == second.query_shape
    assert first.query_shape is not None
    assert "ann" not in first.query_shape
    assert first.objects == ("contact", "account")
    assert first.fields == ("fullname", "revenue")
    escaped = decode(crm(Query=FETCH.replace("<", "&lt;").replace(">", "&gt;")))
    assert escaped.fields == ("fullname",)


@pytest.mark.parametrize(
    ("query", "operation"),
    [
        (
            '<fetch aggregate="true"><entity name="c"><attribute name="id" aggregate="count"/></entity></fetch>',
            "count",
        ),
        (
            '<fetch aggregate="true"><entity name="c"><attribute name="id" aggregate="count"/>'
            '<attribute name="email" groupby="true"/></entity></fetch>',
            "query",
        ),
        (FETCH, "query"),
        ("contacts?$select=fullname", "query"),
    ],
)
def test_a_query_that_only_counts_is_a_count(query: str, operation: str) -> None:
    """But one that groups by a field shows that field's values."""
    found = decode(crm(Query=query, QueryResults="1"))
    assert found.operation == operation
    assert found.rows == (None if operation == "count" else 1)


def test_other_queries_lose_their_literals() -> None:
    """Strings, numbers and ids go, names stay."""
    found = decode(crm(Query=f"contacts?$filter=name eq 'Ann' and age gt 40 and _owner eq {GUID}"))
    assert found.query_shape == "contacts?$filter=name eq ? and age gt ? and _owner eq ?"


def test_a_change_names_fields_but_not_their_values() -> None:
    """``Fields`` holds what was written, which is personal data and stays behind."""
    fields = [{"Name": "emailaddress1", "Value": "secret@example.com"}, {"Name": "age", "Value": 7}]
    for written in (fields, json.dumps(fields)):
        found = decode(crm(Message="Update", Fields=written))
        assert found.fields == ("emailaddress1", "age")
        assert "secret" not in repr(found)


# --- who and where


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("198.51.100.23", "198.51.100.23"),
        ("198.51.100.23:50122", "198.51.100.23"),
        ("[2001:db8:17::9]:443", "2001:db8:17::9"),
        ("[2001:DB8:17::9]", "2001:db8:17::9"),
        ("2001:db8:17::9", "2001:db8:17::9"),
        ("::ffff:198.51.100.23", "198.51.100.23"),
        ("null", None),
        ("", None),
        (None, None),
        ("not an address", None),
    ],
)
def test_an_address_may_carry_a_port(text: str | None, address: str | None) -> None:
    """With or without brackets; what is none is unknown."""
    assert decode(crm(ClientIP=text)).ip == address


def test_other_fields_hold_the_address_where_the_first_is_blank() -> None:
    """Mailboxes and the directory name theirs otherwise."""
    assert (
        decode(service("MailboxLogin", 2, ClientIP="", ClientIPAddress="198.51.100.7")).ip == "198.51.100.7"
    )
    assert (
        decode(service("UserLoggedIn", 15, ClientIP=None, ActorIpAddress="198.51.100.8")).ip == "198.51.100.8"
    )


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, ActorKind.HUMAN),
        ({"UserType": 2}, ActorKind.HUMAN),
        ({"UserType": "Admin"}, ActorKind.HUMAN),
        ({"UserKey": GUID}, ActorKind.HUMAN),
        ({"UserType": 5}, ActorKind.INTEGRATION),
        ({"UserType": "Application"}, ActorKind.INTEGRATION),
        ({"UserType": 6.0}, ActorKind.INTEGRATION),
        ({"UserType": "ServicePrincipal"}, ActorKind.INTEGRATION),
        ({"UserType": 4}, ActorKind.INTEGRATION),
        ({"UserId": GUID}, ActorKind.INTEGRATION),
        ({"UserId": f"ServicePrincipal_{GUID}"}, ActorKind.INTEGRATION),
        ({"UserId": "", "UserKey": GUID}, ActorKind.INTEGRATION),
        ({"UserId": "SHAREPOINT\\system"}, ActorKind.INTEGRATION),
        ({"UserId": "urn:spo:anon#4c1f"}, ActorKind.GUEST),
    ],
)
def test_an_account_is_a_program_by_its_type_or_its_name(fields: dict[str, Any], kind: ActorKind) -> None:
    """An application's types, and names that are no more than an id; an anonymous link's visitor is a guest."""
    assert decode(crm(**fields)).actor_kind is kind


def test_a_login_under_an_id_alone_is_a_persons() -> None:
    """The directory does not know yet who signs in, and writes the account's id and a system's type."""
    found = decode(service("UserLoginFailed", 15, UserId="Not Available", UserType=4, UserKey=GUID))
    assert (found.actor, found.actor_kind, found.actor_name) == (GUID, ActorKind.HUMAN, None)


def test_one_person_is_one_identity_in_every_service() -> None:
    """Whatever case a service writes the name in, and whatever keys it has for it."""
    one = decode(crm(UserId="Anna.Berg@Skyward.example.com", UserKey="a"))
    other = decode(service("FileDownloaded", UserKey="i:0h.f|membership|b@live.example"))
    assert one.identity == other.identity == f"6f0d2b1e-8a34-4c57-9b60-2f3d5a7c9e11/{USER}"


def test_a_record_without_an_organisation_has_a_tenant() -> None:
    """The instance's name, or that of the product."""
    assert decode(crm(OrganizationId=None, CrmOrganizationUniqueName="Skyward")).tenant == "skyward"
    assert decode(crm(OrganizationId="")).tenant == "microsoft_365"


def test_the_application_is_told_by_id_or_name() -> None:
    """Wherever a service writes it; ``Unknown`` is no name."""
    assert decode(service("Send", 2, AppId="b", ClientAppId="a")).app == "a"
    assert decode(service("UserLoggedIn", 15, ApplicationId="c")).app == "c"
    assert (
        decode(service("FileAccessed", AppAccessContext={"ClientAppId": "d", "AADSessionId": "s"})).app == "d"
    )
    named = service(
        "FileAccessed", AppAccessContext={"ClientAppName": "Unknown"}, ApplicationDisplayName="Sync"
    )
    assert decode(named).app == "Sync"
    assert decode(crm()).app is None


# --- the services beside Dynamics


@pytest.mark.parametrize(
    ("operation", "record_type", "expected"),
    [
        ("UserLoggedIn", 15, Operation.LOGIN),
        ("MailboxLogin", 2, Operation.LOGIN),
        ("Anything at all", 9, Operation.LOGIN),
        ("FileDownloaded", 6, Operation.FILE_DOWNLOAD),
        ("FileSyncDownloadedFull", 6, Operation.FILE_DOWNLOAD),
        ("FileAccessed", 6, Operation.RECORD_VIEW),
        ("FileUploaded", 6, Operation.WRITE),
        ("FileDeleted", 6, Operation.WRITE),
        ("SearchQueryInitiatedSharePoint", 102, Operation.SEARCH),
        ("Consent to application.", 8, Operation.ADMIN),
        ("Add service principal.", "AzureActiveDirectory", Operation.ADMIN),
        ("New-InboxRule", 1, Operation.ADMIN),
        ("Set-Mailbox", "", Operation.ADMIN),
        ("SharingSet", 14, Operation.ADMIN),
        ("MemberAdded", 25, Operation.ADMIN),
        ("MessagesExported", 25, Operation.BULK_EXPORT),
        ("ExportReport", 20, Operation.REPORT_EXPORT),
        ("Send", 2, Operation.WRITE),
        ("PageViewed", 4, Operation.OTHER),
    ],
)
def test_operations_of_other_services_are_read(
    operation: str, record_type: object, expected: Operation
) -> None:
    """By name and, where that says nothing, by the record's type."""
    assert decode(service(operation, record_type)).operation is expected


def test_a_file_that_leaves_is_one_row_and_its_bytes() -> None:
    """As in the other formats."""
    found = decode(service("FileDownloaded", FileSizeBytes=18632, ObjectId="https://x.example/a.docx"))
    assert (found.rows, found.bytes_out, found.objects) == (1, 18632, ("File",))
    assert found.record_ids == ("https://x.example/a.docx",)


def test_mail_that_was_opened_is_counted_and_mail_that_was_synchronised_is_not() -> None:
    """A bind lists its messages; a sync takes a whole folder and does not say how much."""
    items = [{"InternetMessageId": f"<{number}@x>", "SizeInBytes": 100} for number in range(4)]
    folders = [{"FolderItems": items[:1]}, {"FolderItems": items[1:]}]
    for written in (folders, json.dumps(folders)):
        bind = decode(
            service(
                "MailItemsAccessed", 50, Folders=written, OperationProperties=access("Bind"), OperationCount=4
            )
        )
        assert (bind.operation, bind.rows, bind.bytes_out) == (Operation.RECORD_VIEW, 4, 400)
        assert bind.record_ids == ("<0@x>", "<1@x>", "<2@x>", "<3@x>")
    sync = decode(service("MailItemsAccessed", 50, OperationProperties=access("Sync"), OperationCount=1))
    assert (sync.operation, sync.rows) == (Operation.QUERY, None)
    assert sync.objects == ("email",)


def access(kind: str) -> list[dict[str, str]]:
    """A mailbox record's properties."""
    return [{"Name": "MailAccessType", "Value": kind}]


def test_a_failed_login_is_not_a_success() -> None:
    """The directory marks it a success to have logged it; what went wrong stands elsewhere."""
    failed = service("UserLoginFailed", 15, ResultStatus="Success", LogonError="InvalidUserNameOrPassword")
    assert decode(failed).status == "InvalidUserNameOrPassword"
    assert decode(service("UserLoginFailed", 15, ResultStatus="Success")).status == "failed"
    assert decode(service("UserLoggedIn", 15, ResultStatus="Success")).status == "success"
    assert decode(service("New-App", 1, ResultStatus="True")).status == "success"
    assert decode(service("New-App", 1, ResultStatus=False)).status == "failed"


def test_an_agent_is_looked_for_where_the_services_put_it() -> None:
    """In the extended properties, or in a text of JSON in one of them."""
    plain = [{"Name": "UserAgent", "Value": "Mozilla/5.0"}]
    nested = [{"Name": "additionalDetails", "Value": json.dumps({"User-Agent": "Portal", "x": 1})}]
    for properties, agent in ((plain, "Mozilla/5.0"), (nested, "Portal"), (json.dumps(plain), "Mozilla/5.0")):
        found = decode(service("Add user.", 8, UserAgent=None, ExtendedProperties=properties))
        assert found.user_agent == agent
    assert decode(service("Send", 2, UserAgent="", ClientInfoString="Client=OWA")).user_agent == "Client=OWA"


@pytest.mark.parametrize("written", [lambda parts: parts, json.dumps])
def test_attachments_opened_are_counted(written: Any) -> None:
    """A record of several attachments is as many rows, with the bytes of all."""
    messages = [
        {"Id": "m1", "MessageItems": [{"Id": "a1", "SizeInBytes": 1000}, {"Id": "a2", "SizeInBytes": 2000}]},
        {"Id": "m2", "MessageItems": [{"Id": "a3", "SizeInBytes": 500000.0}]},
    ]
    found = decode(service("AttachmentAccess", 50, Messages=written(messages), OperationCount=3))
    assert (found.operation, found.rows, found.bytes_out) == (Operation.RECORD_VIEW, 3, 503_000)
    assert (found.objects, found.record_ids) == (("attachment",), ("a1", "a2", "a3"))
    assert decode(service("AttachmentAccess", 50, OperationCount=7)).rows == 7
    assert decode(service("AttachmentAccess", 50)).rows == 1


@pytest.mark.parametrize(
    ("operation", "fields", "rows"),
    [
        ("FileDownloaded", {"OperationCount": 40}, 40),
        ("FileDownloaded", {"OperationCount": "40"}, 40),
        ("FileAccessed", {"AffectedItems": [{"Id": "a"}, {"Id": "b"}]}, 2),
        ("FileAccessed", {"Items": ["a", "b", "c"]}, 3),
        ("MailItemsAccessed", {"OperationCount": 9}, 9),
        ("MAILITEMSACCESSED", {"OperationCount": 9}, 9),
        ("FileDownloaded", {}, 1),
        ("SoftDelete", {"AffectedItems": [{"Id": "a"}], "OperationCount": 2}, None),
        ("FileDownloaded", {"OperationCount": 40, "ResultStatus": "FALSE"}, 0),
    ],
)
def test_a_record_of_many_counts_them(operation: str, fields: dict[str, Any], rows: int | None) -> None:
    """What is aggregated in one record is counted by its list or its number, unless it was refused or written."""
    assert decode(service(operation, **fields)).rows == rows


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("FALSE", "failed"),
        ("false", "failed"),
        ("Failed", "failed"),
        ("TRUE", "success"),
        ("SUCCESS", "success"),
    ],
)
def test_a_status_may_be_in_any_case(status: str, told: str) -> None:
    """Services write their truth values in capitals, too."""
    assert decode(service("FileDownloaded", ResultStatus=status)).status == told


@pytest.mark.parametrize(
    "key", ["ClientIP", "ClientIp", "clientip", "clientIP", "Client_IPAddress", "Client IP"]
)
def test_the_address_has_many_spellings(key: str) -> None:
    """The address is found whatever its column is called."""
    record = crm(QueryResults="a")
    record[key] = record.pop("ClientIP")
    del record["UserAgent"]
    record["User Agent"] = "curl"
    assert decode(record).ip == "198.51.100.23"


def test_names_in_another_case_are_the_same_record() -> None:
    """A store that lower-cases all names keeps the record's event and id."""
    record = {name.lower(): value for name, value in crm(QueryResults=",".join(IDS[:3])).items()}
    assert ADAPTER.recognises(json.dumps(record).encode())
    assert decode(record) == decode(crm(QueryResults=",".join(IDS[:3])))


# --- wrappings


def test_a_row_of_dataverses_own_table_is_the_same_event() -> None:
    """It has no type of record, its time and id stand in other columns, and its address has another name."""
    inner = crm(QueryResults=",".join(IDS[:3]), CrmOrganizationUniqueName="corp")
    row = {name: value for name, value in inner.items() if name not in ("CreationTime", "Id", "RecordType")}
    row |= {
        "TimeGenerated": "3/3/2026, 9:14:17 AM",
        "SourceRecordId": inner["Id"],
        "Type": "DataverseActivity",
    }
    row["ClientIp"] = row.pop("ClientIP")
    assert ADAPTER.recognises(json.dumps(row).encode())
    assert decode(row) == decode(inner)


def test_a_hunted_row_is_the_record_in_it() -> None:
    """A row of advanced hunting holds the record as text; without it, its own columns say who did what."""
    inner = service("FileDownloaded", ObjectId="a.docx")
    row: dict[str, object] = {
        "Timestamp": "2026-03-03T09:14:17Z", "ActionType": "FileDownloaded", "Application": "SharePoint",
        "AccountObjectId": "e1", "AccountId": USER, "IPAddress": "198.51.100.23", "UserAgent": "curl", "ReportId": "r1",
        "ObjectName": "a.docx",
    }  # fmt: skip
    assert ADAPTER.recognises(json.dumps(row).encode())
    assert decode(row | {"RawEventData": json.dumps(inner)}) == decode(inner)
    assert decode(row | {"RawEventData": inner}) == decode(inner)
    for other in (row, row | {"RawEventData": "{}"}, row | {"RawEventData": "[1"}):
        found = decode(other)
        assert (found.operation, found.rows, found.actor) == (Operation.FILE_DOWNLOAD, 1, USER)
        assert (found.event_id, found.time_ms) == ("ual:r1", decode(inner).time_ms)


def test_every_wrapping_holds_the_same_event() -> None:
    """Bare, in a portal's row, in a cmdlet's, in Graph's record: one event, with one id."""
    inner = crm(QueryResults=",".join(IDS[:3]), Query=FETCH)
    text = json.dumps(inner)
    wrapped: list[dict[str, object]] = [
        {"RecordId": inner["Id"], "CreationDate": "2026-03-03T09:14:17.0000000Z", "AuditData": text},
        {"RecordType": "CRM", "UserIds": USER, "Operations": "RetrieveMultiple", "AuditData": text},
        {"id": inner["Id"], "auditLogRecordType": "crm", "operation": "RetrieveMultiple", "auditData": inner},
        {"AuditData": inner},
    ]
    for record in wrapped:
        assert decode(record) == decode(inner)
        assert ADAPTER.recognises(json.dumps(record).encode())


def test_a_siems_row_is_the_same_event() -> None:
    """Its time and its id stand in other columns, its parts are JSON in text."""
    inner = crm(QueryResults=",".join(IDS[:3]))
    row = {name: value for name, value in inner.items() if name not in ("CreationTime", "Id")}
    row |= {"TimeGenerated": "2026-03-03T09:14:17Z", "SourceRecordId": inner["Id"], "OfficeWorkload": "CRM"}
    assert decode(row | {"RecordType": "CRM", "UserType": "Regular"}) == decode(inner)
    assert ADAPTER.recognises(json.dumps(row).encode())


def test_keys_may_contain_spaces() -> None:
    """``Creation Time`` and ``Entity Name`` are the fields themselves, also where only some are spelled so."""
    inner = crm(QueryResults=",".join(IDS[:3]), Query=FETCH, UserType="Regular")
    spaced = {
        "Creation Time": inner["CreationTime"], "Record Type": "CRM", "User Id": USER, "Entity Name": "contact",
        "Client IP": "198.51.100.23", "User Agent": "Mozilla/5.0 (X11)", "Query Results": inner["QueryResults"],
        "Correlation Id": inner["CorrelationId"], "Organization Id": inner["OrganizationId"],
    }  # fmt: skip
    same = ("Id", "Operation", "Message", "Query", "UserType")
    record = spaced | {name: inner[name] for name in same}
    assert decode(record) == decode(inner)
    assert ADAPTER.recognises(json.dumps(record).encode())
    partly = {name: value for name, value in inner.items() if name != "UserAgent"} | {
        "User Agent": "curl/8.5"
    }
    assert decode(partly).user_agent == "curl/8.5"


def test_scalars_of_other_types_are_read() -> None:
    """A store of logs may have made text of numbers, and numbers of text."""
    record = crm(UserKey=100320015, RecordType="21", UserType="5", ResultStatus=True, Workload=None)
    found = decode(record)
    assert (found.actor_kind, found.status) == (ActorKind.INTEGRATION, "success")
    assert found == decode(crm(UserKey="100320015", UserType=5, ResultStatus="Success"))


def test_a_csv_row_with_quotes_in_its_json_is_read() -> None:
    """The quotes are doubled by the CSV and escaped by the JSON."""
    inner = crm(UserAgent='say "hi"')
    out = io.StringIO()
    csv.writer(out).writerow([json.dumps(inner)])
    [[text]] = csv.reader([out.getvalue()])
    assert decode({"RecordId": "x", "AuditData": text}).user_agent == 'say "hi"'


def test_a_record_without_an_id_is_known_by_its_content() -> None:
    """The same for the same record, another for another."""
    record = crm(Id=None)
    assert decode(record).event_id == decode(dict(reversed(record.items()))).event_id
    assert decode(record).event_id != decode(record | {"ClientIP": "198.51.100.24"}).event_id


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (crm(CreationTime=None), "missing_field"),
        (crm(CreationTime="yesterday"), "bad_time"),
        (crm(CreationTime="1999-01-01T00:00:00"), "bad_time"),
        (crm(Operation=None), "missing_field"),
        (crm(UserId="Unknown", UserKey="Not Available"), "missing_field"),
        (service("FileDownloaded", FileSizeBytes="many"), "bad_value"),
        (service("FileDownloaded", FileSizeBytes=10**15), "bad_value"),
        ({"AuditData": '{"CreationTi', "RecordId": "x"}, "malformed"),
        ({"AuditData": "", "RecordId": "x"}, "missing_field"),
        ({"AuditData": "[1]"}, "malformed"),
        ([], "malformed"),
    ],
)
def test_what_cannot_stand_is_refused_with_its_reason(record: object, reason: str) -> None:
    """And with this adapter's name and the record's position."""
    error = refusal(record)
    assert (error.adapter, error.position, error.reason) == ("dynamics_ual", "a.json:1", reason)


def test_other_vendors_text_does_not_make_a_record_this_ones() -> None:
    """Keys count, not words in a query or an agent that somebody chose."""
    assert not ADAPTER.recognises(
        json.dumps({"EVENT_TYPE": "API", "Q": '"CreationTime":"RecordType":'}).encode()
    )
    assert not ADAPTER.recognises(b'{"a": "CreationTime", "b": "RecordType", "c": "AuditData"}')
    assert not ADAPTER.recognises(b"")
