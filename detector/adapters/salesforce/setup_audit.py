"""Salesforce's setup audit trail: changes of rights, apps and settings, one JSON object or CSV row each.

Records are the API's (``CreatedDate``, ``CreatedBy``), a connector's in lower case (``sfdc_created_date``) or rows of
the file that the set-up page offers (``Date``, ``Delegate User``), whose times are the user's own: US ones are read as
such. All of them are administration; the trail has no addresses, no rows, and does not say whose org it is.

See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_setupaudittrail.htm
"""

from __future__ import annotations

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.ids import actor, id18
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import clip, digest, has_key
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "salesforce_setup"
TENANT = "salesforce"
"""The tenant that `salesforce_rtem` has for payloads that do not name their org."""


class _User(msgspec.Struct, rename="pascal", gc=False):
    name: str | None = None
    username: str | None = None


class _Entry(msgspec.Struct, rename="pascal"):
    action: str | None = None
    created_by: _User | None = None
    created_by_id: str | None = None
    created_date: str | None = None
    delegate_user: str | None = None
    id: str | None = None
    section: str | None = None
    connector_action: str | None = msgspec.field(default=None, name="action")
    connector_date: str | None = msgspec.field(default=None, name="sfdc_created_date")
    connector_id: str | None = msgspec.field(default=None, name="sfdc_created_by_id")
    connector_username: str | None = msgspec.field(default=None, name="sfdc_created_by_username")
    record_id: str | None = msgspec.field(default=None, name="record_id")
    page_date: str | None = msgspec.field(default=None, name="Date")
    page_user: str | None = msgspec.field(default=None, name="User")


_decoder = msgspec.json.Decoder(_Entry)
_ADMIN = AccessFields(operation=Operation.ADMIN)


def _event(record: bytes, position: str) -> AccessEvent:
    entry = _decoder.decode(record)
    when = entry.created_date or entry.connector_date or entry.page_date
    if not when:
        raise FieldError(Rejection.MISSING_FIELD, "neither CreatedDate nor sfdc_created_date nor Date")
    action = entry.action or entry.connector_action
    if not action:
        raise FieldError(Rejection.MISSING_FIELD, "Action is blank")
    user = entry.created_by
    name = (user.username if user else None) or entry.connector_username or entry.page_user
    given = entry.id or entry.record_id
    # Some exports have one id for the trail and not for its entries.
    event_id = f"{id18(given)}:{action[:80]}" if given else digest(record)
    return event_of(
        _ADMIN,
        time_ms(when, month_first=True),
        f"setup:{event_id}",
        (
            TENANT,
            actor(entry.created_by_id or entry.connector_id, name),
            ActorKind.HUMAN,
            clip(name or (user.name if user else None)),
        ),
        None,
        None,
        None,
        None,
        None,
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it has the two keys, in the API's spelling, the connector's or the page's."""
    return (
        (has_key(record, b"DelegateUser") and has_key(record, b"CreatedDate"))
        or (has_key(record, b"delegate_user") and has_key(record, b"sfdc_created_date"))
        or (has_key(record, b"Delegate User") and has_key(record, b"Source Namespace Prefix"))
    )


ADAPTER = Adapter(
    name=NAME,
    sign="keys DelegateUser and CreatedDate, or delegate_user and sfdc_created_date, or Delegate User and "
    "Source Namespace Prefix",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for the setup audit trail."""
