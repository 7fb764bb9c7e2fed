"""Salesforce's login history: the ``LoginHistory`` object, and the file that the set-up page offers of it.

Every entry is a login or an attempt. The file names people by their user names and its times are the reader's own, of
which US ones are read as such; the object has ids. Neither says whose org it is.

See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_loginhistory.htm
"""

from __future__ import annotations

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.ids import actor, id18
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import agent, clip, digest, has_key, ip_without_port
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "salesforce_logins"
TENANT = "salesforce"
"""The tenant that `salesforce_rtem` has for payloads that do not name their org."""


class _Login(msgspec.Struct, rename="pascal"):
    """The object's fields, and under the names with blanks the file's."""

    id: str | None = None
    user_id: str | None = None
    username: str | None = None
    login_time: str | float | None = None
    source_ip: str | None = None
    login_type: str | None = None
    status: str | None = None
    browser: str | None = None
    application: str | None = None
    api_type: str | None = None
    country_iso: str | None = None
    location: str | None = None
    file_time: str | None = msgspec.field(default=None, name="Login Time")
    file_ip: str | None = msgspec.field(default=None, name="Source IP")
    file_api: str | None = msgspec.field(default=None, name="API Type")


_decoder = msgspec.json.Decoder(_Login)
_BLANK = frozenset({"", "n/a", "unknown"})


def _known(text: str | None) -> str | None:
    return None if text is None or text.strip().lower() in _BLANK else text


def _event(raw: bytes, position: str) -> AccessEvent:
    login = _decoder.decode(raw)
    when = login.login_time or login.file_time
    if not when:
        raise FieldError(Rejection.MISSING_FIELD, "neither LoginTime nor Login Time")
    status = login.status or ""
    program = _known(login.api_type) or _known(login.file_api)
    access = AccessFields(
        Operation.LOGIN, status="success" if status.strip().lower() == "success" else clip(status)
    )
    return event_of(
        access,
        time_ms(when, month_first=True),
        f"login:{id18(login.id) if login.id else digest(raw)}",
        (
            TENANT,
            actor(login.user_id, login.username),
            ActorKind.INTEGRATION if program else ActorKind.HUMAN,
            clip(login.username),
        ),
        clip(_known(login.application)),
        None,
        ip_without_port(login.source_ip or login.file_ip),
        agent(login.browser),
        clip(_known(login.country_iso) or _known(login.location), 40),
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it has the time and the address of a login, as the object or the file names them."""
    return (has_key(record, b"LoginTime") and has_key(record, b"SourceIp")) or (
        has_key(record, b"Login Time") and has_key(record, b"Source IP")
    )


ADAPTER = Adapter(
    name=NAME,
    sign="keys LoginTime and SourceIp, or Login Time and Source IP",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for the login history."""
