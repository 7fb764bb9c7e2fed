from __future__ import annotations

import json

import pytest

from detector.adapters import RecordError
from detector.adapters.ocsf import ADAPTER
from detector.event import AccessEvent, ActorKind, Operation


def event(class_uid: int = 6003, activity_id: int = 2, **fields: object) -> dict[str, object]:
    """A record of a class and activity; ``None`` leaves a field out."""
    record: dict[str, object] = {
        "class_uid": class_uid, "activity_id": activity_id, "time": 1772529257000, "status_id": 1,
        "metadata": {"uid": "o-1", "tenant_uid": "Skyward"},
        "actor": {"user": {"uid": "u-17", "name": "anna.berg"}, "app_uid": "app-3", "session": {"uid": "s-9"}},
        "src_endpoint": {"ip": "198.51.100.23"},
    }  # fmt: skip
    return {name: value for name, value in (record | fields).items() if value is not None}


def decode(record: object) -> AccessEvent:
    """The event of a record."""
    return ADAPTER.decode(json.dumps(record).encode(), "a.json:1")


def api(operation: str, activity_id: int = 2, **fields: object) -> AccessEvent:
    """The event of a call of an API."""
    return decode(event(6003, activity_id, api={"operation": operation}, **fields))


@pytest.mark.parametrize(
    ("operation", "activity", "expected"),
    [
        ("GetContact", 2, Operation.QUERY),
        ("ListContacts", 2, Operation.LIST_VIEW),
        ("SearchTickets", 2, Operation.SEARCH),
        ("CountTickets", 2, Operation.COUNT),
        ("DescribeObjects", 2, Operation.DESCRIBE),
        ("RunReport", 2, Operation.REPORT),
        ("ExportReport", 1, Operation.REPORT_EXPORT),
        ("CreateExportJob", 1, Operation.BULK_EXPORT),
        ("BulkQuery", 99, Operation.BULK_EXPORT),
        ("DownloadAttachment", 2, Operation.FILE_DOWNLOAD),
        ("UpdateContact", 3, Operation.WRITE),
        ("DeleteContact", 4, Operation.WRITE),
        ("UserLogin", 99, Operation.LOGIN),
        ("FetchAll", 0, Operation.QUERY),
        ("", 2, Operation.QUERY),
        ("Frobnicate", 99, Operation.OTHER),
    ],
)
def test_an_api_call_is_told_by_its_activity_and_its_name(
    operation: str, activity: int, expected: Operation
) -> None:
    """An export is one, even where it is a job that is created."""
    assert api(operation, activity).operation is expected


@pytest.mark.parametrize(
    ("class_uid", "activity", "expected"),
    [
        (6005, 1, Operation.QUERY),
        (6005, 4, Operation.QUERY),
        (6005, 8, Operation.LIST_VIEW),
        (6005, 5, Operation.WRITE),
        (6005, 3, Operation.LOGIN),
        (6005, 10, Operation.OTHER),
        (6001, 2, Operation.RECORD_VIEW),
        (6001, 5, Operation.SEARCH),
        (6001, 7, Operation.REPORT_EXPORT),
        (6001, 8, Operation.ADMIN),
        (3002, 1, Operation.LOGIN),
        (3002, 2, Operation.OTHER),
        (3002, 7, Operation.ADMIN),
    ],
)
def test_the_other_classes_are_told_by_their_activity(
    class_uid: int, activity: int, expected: Operation
) -> None:
    """As OCSF numbers them, in numbers or in text."""
    assert decode(event(class_uid, activity)).operation is expected
    text = event(class_uid, activity) | {"class_uid": str(class_uid), "activity_id": str(activity)}
    assert decode(text).operation is expected


def test_rows_are_unknown_unless_something_names_them() -> None:
    """A part that OCSF leaves free, or resources that are listed one by one."""
    many = [{"type": "Contact", "uid": f"c-{number}"} for number in range(3)]
    assert api("GetContacts").rows is None
    found = api("GetContacts", resources=many)
    assert (found.operation, found.rows, found.record_ids) == (Operation.QUERY, 3, ("c-0", "c-1", "c-2"))
    one = api("GetContact", resources=many[:1])
    assert (one.operation, one.rows, one.objects) == (Operation.RECORD_VIEW, 1, ("Contact",))
    assert api("GetContacts", unmapped={"row_count": "731", "x": {}}).rows == 731
    assert api("GetContacts", unmapped='{"rows": 7}').rows == 7
    for odd in ("text", [1], {"rows": {"a": 1}}, 7):
        assert api("GetContacts", unmapped=odd).rows is None
    assert api("UpdateContacts", 3, resources=many, unmapped={"rows": 3}).rows is None


def test_what_failed_let_nothing_out() -> None:
    """And its status says why."""
    found = api(
        "GetContact", unmapped={"rows": 7}, status_id=2, status_detail="AccessDenied", status="Failure"
    )
    assert (found.rows, found.status) == (0, "AccessDenied")
    assert api("GetContact").status == "success"
    assert api("GetContact", status_id=0, status="Odd").status == "Odd"


def test_a_query_names_its_table_and_loses_its_literals() -> None:
    """One that only counts is a count; the bytes are those of the result."""
    query = {"query_string": "SELECT email FROM contacts WHERE city = 'Oslo'", "bytes": 51234}
    found = decode(event(6005, 4, query_info=query))
    assert (found.objects, found.fields, found.bytes_out) == (("contacts",), ("email",), 51234)
    assert found.query_shape == "select email from contacts where city = ?"
    counted = decode(event(6005, 4, query_info={"query_string": "select count() from contacts"}))
    assert counted.operation is Operation.COUNT
    assert decode(event(6005, 1, databucket={"name": "files"}, database={"name": "crm"})).objects == (
        "files",
    )


@pytest.mark.parametrize(
    ("actor", "account", "kind"),
    [
        ({"user": {"uid": "U-17", "name": "Ann"}}, "u-17", ActorKind.HUMAN),
        ({"user": {"uid": 17}}, "17", ActorKind.HUMAN),
        ({"user": {"name": "Ann"}}, "ann", ActorKind.HUMAN),
        ({"user": {"email_addr": "ann@x.example"}}, "ann@x.example", ActorKind.HUMAN),
        ({"user": {"uid": "s", "type_id": 4}}, "s", ActorKind.INTEGRATION),
        ({"user": {"uid": "s", "type_id": "3"}}, "s", ActorKind.INTEGRATION),
        ({"user": {}, "app_name": "Sync"}, "sync", ActorKind.INTEGRATION),
        ({"app_uid": "app-7"}, "app-7", ActorKind.INTEGRATION),
        ({"user": {"name": "Anonymous"}}, "anonymous", ActorKind.GUEST),
    ],
)
def test_an_application_acts_where_no_user_does(actor: object, account: str, kind: ActorKind) -> None:
    """By id, else by name; a service's or a system's account is an integration."""
    found = decode(event(actor=actor))
    assert (found.actor, found.actor_kind) == (account, kind)


def test_an_authentication_names_its_user_beside_the_actor() -> None:
    """And its session."""
    found = decode(event(3002, 1, actor=None, user={"uid": "u-17"}, session={"uid": "s-10"}))
    assert (found.actor, found.session) == ("u-17", "s-10")


def test_the_tenant_is_named_by_the_metadata_or_the_users_organisation() -> None:
    """Else it is the format's."""
    assert decode(event()).tenant == "skyward"
    user = {"user": {"uid": "u", "org": {"uid": "Org-2"}}}
    assert decode(event(metadata={}, actor=user)).tenant == "org-2"
    assert decode(event(metadata=None)).tenant == "ocsf"


def test_a_record_without_an_id_is_known_by_its_content() -> None:
    """The original's id serves as well."""
    assert decode(event(metadata={"original_event_uid": 7})).event_id == "ocsf:7"
    assert decode(event(metadata=None)).event_id == decode(event(metadata=None)).event_id
    assert decode(event(metadata=None)).event_id != decode(event(metadata=None, time=1772529257001)).event_id


@pytest.mark.parametrize("time", [1772529257123, "1772529257123", "2026-03-03T09:14:17.123Z"])
def test_a_time_is_milliseconds_or_iso(time: object) -> None:
    """In ``time`` or ``time_dt``."""
    assert decode(event(time=time)).time_ms == 1772529257123
    assert decode(event(time=None, time_dt="2026-03-03T09:14:17.123Z")).time_ms == 1772529257123


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (event(time=None), "missing_field"),
        (event(time="when"), "bad_time"),
        (event(time=-5), "bad_time"),
        (event(time=1e300), "bad_time"),
        (event(actor=None), "missing_field"),
        (event(resources="all"), "bad_value"),
        (event(2004), "bad_value"),
        (event() | {"class_uid": "9" * 40}, "bad_value"),
        (event(6005, 4, query_info={"bytes": "many"}), "bad_value"),
        ([], "bad_value"),
    ],
)
def test_what_cannot_stand_is_refused_with_its_reason(record: object, reason: str) -> None:
    """And with this adapter's name."""
    with pytest.raises(RecordError) as caught:
        decode(record)
    assert (caught.value.adapter, caught.value.reason) == ("ocsf", reason)


@pytest.mark.parametrize(
    ("record", "claimed"),
    [
        (b'{"class_uid": 6003}', True),
        (b'{"class_uid":6005,"a":1}', True),
        (b'{"class_uid" : "3002"}', True),
        (b'{"class_uid": 60030}', False),
        (b'{"class_uid": 2004}', False),
        (b'{"a": "\\"class_uid\\": 6003"}', False),
        (b'{"category_uid": 6}', False),
    ],
)
def test_only_classes_of_accesses_are_claimed(record: bytes, claimed: bool) -> None:
    """Findings, crmwatch's own among them, are not."""
    assert ADAPTER.recognises(record) is claimed


@pytest.mark.parametrize(
    ("class_uid", "account"), [(3002, "bea"), (6003, "u-17"), (6005, "u-17"), (6001, "u-17")]
)
def test_who_acts_is_told_by_the_class(class_uid: int, account: str) -> None:
    """In a sign-in it is the user and not the service that asked for it; elsewhere it is the actor's user."""
    record = event(class_uid, 1, user={"uid": "bea", "name": "Bea"})
    assert decode(record).actor == account
    del record["actor"]
    assert decode(record).actor == "bea"
    assert decode(event(class_uid, 1, user={"type_id": 1})).actor == "u-17"


@pytest.mark.parametrize(
    ("fields", "tenant"),
    [
        ({"cloud": {"account": {"uid": "111111111111"}, "org": {"uid": "o-1"}}}, "111111111111"),
        ({"cloud": {"account": {"name": "Prod"}}}, "prod"),
        ({"cloud": {"org": {"uid": "o-1"}}}, "o-1"),
        ({"cloud": {"project_uid": "p-1"}}, "p-1"),
        ({"actor": {"user": {"uid": "1", "account": {"uid": "skyward"}}}}, "skyward"),
        ({"actor": {"user": {"uid": "1", "org": {"uid": "org"}}}, "cloud": {"account": {"uid": "a"}}}, "org"),
        ({"cloud": {"provider": "x"}}, "ocsf"),
    ],
)
def test_the_tenant_is_also_the_clouds_account(fields: dict[str, object], tenant: str) -> None:
    """Two accounts of a cloud are two tenants, so that their users are not one identity."""
    assert decode(event(metadata={"uid": "o-1"}, **fields)).tenant == tenant


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("kind", [int, float, str])
def test_a_number_of_any_unit_is_the_time(unit: int, kind: type) -> None:
    """Seconds, milliseconds, microseconds and nanoseconds are told by their size."""
    assert decode(event(time=kind(1772529257 * unit))).time_ms == 1772529257000


@pytest.mark.parametrize("time", [12, "soon", None, 10**30, 1772000000000])
def test_a_written_time_outranks_the_number(time: object) -> None:
    """A wrong number beside a right text refuses nothing, and the other way about."""
    assert decode(event(time=time, time_dt="2026-03-03T09:14:17Z")).time_ms == 1772529257000
    assert decode(event(time_dt="soon")).time_ms == 1772529257000
    with pytest.raises(RecordError) as caught:
        decode(event(time=12, time_dt="soon"))
    assert caught.value.reason == "bad_time"
