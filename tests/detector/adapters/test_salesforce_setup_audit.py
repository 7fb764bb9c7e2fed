from __future__ import annotations

import json

from detector.adapters.salesforce.setup_audit import ADAPTER
from detector.event import AccessEvent, ActorKind, Operation

API = {
    "Id": "0Ym5g0000000001CAQ", "Action": "createdConnectedApp", "CreatedDate": "2026-03-03T09:14:17.000+0000",
    "CreatedById": "0055g0000AgAnna", "CreatedBy": {"Username": "anna@skyward.example.com"}, "DelegateUser": None,
}  # fmt: skip
CONNECTOR = {
    "record_id": "0Ym5g0000000001CAQ", "action": "createdConnectedApp",
    "sfdc_created_date": "2026-03-03T09:14:17+00:00", "sfdc_created_by_id": "0055g0000AgAnnaAQC",
    "sfdc_created_by_username": "anna@skyward.example.com", "delegate_user": None,
}  # fmt: skip


def decode(record: object) -> AccessEvent:
    """The event of an entry."""
    return ADAPTER.decode(json.dumps(record).encode(), "a.json:1")


def test_both_spellings_tell_of_one_event() -> None:
    """The API's object and the connector's, which has the longer id of the user."""
    found = decode(API)
    assert found == decode(CONNECTOR)
    assert (found.identity, found.actor_name) == ("salesforce/0055g0000AgAnnaAQC", "anna@skyward.example.com")
    assert (found.operation, found.actor_kind, found.rows) == (Operation.ADMIN, ActorKind.HUMAN, None)


def test_entries_of_one_trail_stay_apart() -> None:
    """Where an export has one id for all, time and action tell them apart."""
    other = decode(CONNECTOR | {"action": "deactivateduser"})
    assert other.event_id != decode(CONNECTOR).event_id
    assert (
        decode(API | {"Id": None}).event_id == decode(dict(reversed((API | {"Id": None}).items()))).event_id
    )
