from __future__ import annotations

import json

import pytest

from detector.adapters import RecordError
from detector.adapters.hubspot import ADAPTER
from detector.event import AccessEvent, ActorKind, Operation


def audit(
    category: str = "CRM_OBJECT", sub: str = "CONTACT", action: str = "CREATE", **fields: object
) -> object:
    """An entry of the audit log."""
    entry: dict[str, object] = {
        "id": "a-1", "category": category, "subCategory": sub, "action": action, "targetObjectId": "71",
        "occurredAt": "2026-03-03T09:14:17.529Z",
        "actingUser": {"userId": 5501, "userEmail": "Anna.Berg@skyward.example.com"},
    }  # fmt: skip
    return entry | fields


LOGIN: dict[str, object] = {
    "id": "5", "loginAt": "2026-03-03T09:14:17.303Z", "userId": 5501, "email": "anna.berg@skyward.example.com",
    "loginSucceeded": True, "ipAddress": "198.51.100.23", "userAgent": "Mozilla/5.0", "countryCode": "fr",
}  # fmt: skip
SECURITY: dict[str, object] = {
    "id": "6", "type": "ADD_USER", "createdAt": "2026-03-03T09:14:17.303Z", "userId": 5501,
    "actingUser": "anna.berg@skyward.example.com", "ipAddress": "198.51.100.23", "objectId": "7654",
    "infoUrl": "app.hubspot.example/settings/1/users",
}  # fmt: skip


def decode(record: object) -> AccessEvent:
    """The event of an entry."""
    return ADAPTER.decode(json.dumps(record).encode(), "a.json:1")


@pytest.mark.parametrize(
    ("category", "sub", "action", "operation", "objects"),
    [
        ("CRM_OBJECT", "CONTACT", "CREATE", Operation.WRITE, ("contact",)),
        ("PROPERTY_VALUE", "COMPANY", "UPDATE", Operation.WRITE, ("company",)),
        ("EXPORT", "CONTACT", "PERFORM", Operation.BULK_EXPORT, ("contact",)),
        ("CRM_OBJECT", "TICKET", "EXPORT", Operation.BULK_EXPORT, ("ticket",)),
        ("REPORT", "EXPORT", "PERFORM", Operation.REPORT_EXPORT, ("report",)),
        ("CRM_OBJECT", "DEAL", "VIEW", Operation.RECORD_VIEW, ("deal",)),
        ("FILE", "ATTACHMENT", "DOWNLOAD", Operation.FILE_DOWNLOAD, ("attachment",)),
        ("LOGIN", "USER", "PERFORM", Operation.LOGIN, ()),
        ("SECURITY", "USER_PERMISSIONS", "UPDATE", Operation.ADMIN, ("user_permissions",)),
        ("INTEGRATION", "PRIVATE_APP", "CREATE", Operation.ADMIN, ("private_app",)),
        ("WORKFLOW", "ENROLMENT", "PERFORM", Operation.OTHER, ("enrolment",)),
    ],
)
def test_the_audit_log_tells_what_was_done_to_what(
    category: str, sub: str, action: str, operation: Operation, objects: tuple[str, ...]
) -> None:
    """Exports by category or action; none says how many rows, and only what is shown one by one has one."""
    found = decode(audit(category, sub, action))
    assert (found.operation, found.objects, found.ip) == (operation, objects, None)
    shown = operation in (Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD)
    assert found.rows == (1 if shown else None)


def test_addresses_are_in_logins_and_security_only() -> None:
    """With the agent and the country."""
    login = decode(LOGIN)
    assert (login.operation, login.status, login.ip) == (Operation.LOGIN, "success", "198.51.100.23")
    assert (login.user_agent, login.country) == ("Mozilla/5.0", "fr")
    assert decode(LOGIN | {"loginSucceeded": False}).status == "failed"
    assert decode(LOGIN | {"loginSucceeded": None}).status is None
    security = decode(SECURITY)
    assert (security.operation, security.status, security.ip) == (
        Operation.ADMIN,
        "add_user",
        "198.51.100.23",
    )
    assert decode(SECURITY | {"type": "CONTACT_EXPORT"}).operation is Operation.BULK_EXPORT


def test_three_logs_know_one_person_by_one_id() -> None:
    """The number, wherever it stands; entries with equal ids in different logs stay apart."""
    events = [decode(audit(id="5")), decode(LOGIN), decode(SECURITY | {"id": "5"})]
    assert {event.identity for event in events} == {"hubspot/5501"}
    assert len({event.event_id for event in events}) == 3


def test_without_an_id_the_address_names_the_account() -> None:
    """In lower case; and the vendor's own automation is an integration."""
    assert decode(audit(actingUser={"userEmail": "Anna@Example.com"})).actor == "anna@example.com"
    assert decode(audit()).actor_kind is ActorKind.HUMAN
    assert decode(audit(actingUser={"userId": 0, "userEmail": "HubSpot"})).actor_kind is ActorKind.INTEGRATION


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (audit(occurredAt=None), "missing_field"),
        (audit(occurredAt="soon"), "bad_time"),
        (audit(actingUser=None), "missing_field"),
        (audit(subCategory=[]), "bad_value"),
        ([], "bad_value"),
    ],
)
def test_what_cannot_stand_is_refused_with_its_reason(record: object, reason: str) -> None:
    """And with this adapter's name."""
    with pytest.raises(RecordError) as caught:
        decode(record)
    assert (caught.value.adapter, caught.value.reason) == ("hubspot", reason)
