"""Salesforce Real-Time Event Monitoring: JSON events in the vendor's envelopes, or without one.

A streamed message (``channel`` and ``data.payload``), a stored object (bare, with ``attributes.type``), a
Pub/Sub record (``topic``, ``event`` or ``payload``) and a relayed event (``detail-type`` and ``detail.payload``)
hold the same payload. Where none of them names the type (a CSV export, a connector's record), the payload's own
fields tell it, else the name of its file; a record of no type is refused. A payload seldom says whose org it is:
the tenant is its ``OrganizationId``, else an org id in its url, else ``salesforce``. As with the event log
files only reads have rows, and who speaks to an API is an integration.

See https://developer.salesforce.com/docs/atlas.en-us.platform_events.meta/platform_events/sforce_api_objects_apievent.htm
"""

from __future__ import annotations

import re
from hashlib import blake2b

import msgspec

from detector.adapters.access import AccessFields
from detector.adapters.adapter import Adapter
from detector.adapters.memo import Memo
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.ids import ACCOUNTS, KNOWN_IDS, actor, id18
from detector.adapters.salesforce.rtem_signature import OWN_FIELDS, is_type_name, type_in_position, type_of
from detector.adapters.salesforce.rtem_types import FINDINGS, NAMED, TYPES, Payload, finding, other
from detector.adapters.spelled_times import time_ms
from detector.adapters.timestamps import CLOCK, HOURS, MILLISECONDS
from detector.adapters.values import ADDRESSES, AGENTS, clip, has_key
from detector.event import AccessEvent, ActorKind, Counting, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "salesforce_rtem"
UNNAMED_TENANT = "salesforce"
"""The tenant of a payload that does not name its org."""

_HUMAN, _INTEGRATION, _GUEST = ActorKind.HUMAN, ActorKind.INTEGRATION, ActorKind.GUEST


# --- envelopes


class _Message(msgspec.Struct, gc=False):
    payload: Payload | None = None


class _Envelope(msgspec.Struct, gc=False):
    """What wraps a payload."""

    channel: str | None = None
    topic: str | None = None
    data: _Message | None = None
    event: _Message | None = None
    detail: _Message | None = None
    detail_type: str | None = msgspec.field(default=None, name="detail-type")
    payload: Payload | None = None


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_payload_decoder = msgspec.json.Decoder(Payload)


def _opened(record: bytes) -> tuple[Payload, str]:
    """The payload in a record, and the name that the record gives to its type."""
    payload = named = None
    if b'"payload"' in record:
        envelope = _envelope_decoder.decode(record)
        message = envelope.data or envelope.event or envelope.detail
        payload = (message.payload if message else None) or envelope.payload
        named = envelope.channel or envelope.topic or envelope.detail_type
    if payload is None:  # a bare one is its own envelope
        payload = _payload_decoder.decode(record)
        named = payload.channel or payload.topic
    attributes = payload.attributes
    return payload, _NAMES[(attributes and attributes.type) or named or ""]


def _name(text: str) -> str:
    """``ApiEvent`` for itself, ``/event/ApiEventStream``, ``ApiEventStore`` and the like."""
    return text[:128].rpartition("/")[2].removesuffix("Stream").removesuffix("Store")


_NAMES = Memo(_name, 512)


# --- records without a type, or with values of other types than the vendor's

_TYPE_KEYS = (
    "_EventType",
    "_ObjectType",
    "EventType",
    "ObjectType",
    "SobjectType",
    "Type",
    "type",
    "channel",
    "topic",
)
"""Where connectors and tables write the type beside the payload's fields."""
_AVRO = frozenset({"boolean", "double", "int", "long", "string"})


def _loose(record: bytes) -> tuple[dict[str, object], str]:
    """The payload of a record as it is, and the first name of a type in or around it; raises what msgspec does."""
    value = msgspec.json.decode(record)
    if not isinstance(value, dict):
        raise FieldError(Rejection.MALFORMED, "not a JSON object")
    message = next(
        (value[key] for key in ("data", "event", "detail") if isinstance(value.get(key), dict)), value
    )
    payload = message.get("payload", value.get("payload"))
    if not isinstance(payload, dict):
        payload = value
    payload = {_spelled(key): item for key, item in payload.items()}
    attributes = payload.get("attributes")
    named = [attributes.get("type") if isinstance(attributes, dict) else None, value.get("detail-type")]
    named += [holder.get(key) for holder in (payload, value) for key in _TYPE_KEYS]
    names = [_NAMES[name] for name in named if isinstance(name, str)]
    return payload, next((name for name in names if name in NAMED), "")


_SPELLINGS = {name.lower(): name for name in (*Payload.__struct_encode_fields__, *OWN_FIELDS)}


def _spelled(key: str) -> str:
    """A field's name as the vendor writes it: some exports write it all in capitals, or with underscores."""
    return _SPELLINGS.get(key.replace("_", "").lower(), key) if key not in _TYPE_KEYS else key


def _loose_payload(record: bytes) -> tuple[Payload, str]:
    """The payload of a record whose fields have other types than the vendor's: numbers for texts, Avro's unions."""
    loose, name = _loose(record)
    kept: dict[str, object] = {}
    for field, encoded in zip(Payload.__struct_fields__, Payload.__struct_encode_fields__, strict=True):
        value = loose.get(encoded)
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _AVRO:
            value = next(iter(value.values()))
        if field == "attributes":
            value = (
                {key: text for key, text in value.items() if isinstance(text, str)}
                if isinstance(value, dict)
                else None
            )
        elif isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, int | float) and field not in _NUMBERS:
            if field in _WHO:
                raise FieldError(Rejection.BAD_VALUE, f"{encoded} is a number")
            value = str(value)
        elif isinstance(value, dict | list) and field != "records":
            value = None
        kept[encoded] = value
    payload = msgspec.convert(kept, Payload)
    attributes = payload.attributes
    return payload, _NAMES[(attributes and attributes.type) or payload.channel or payload.topic or name]


_WHO = frozenset({"organization_id", "user_id", "username"})
_NUMBERS = frozenset({"content_size", "event_date", "rows_processed", "rows_returned", "score"})


def _untyped(record: bytes, payload: Payload, name: str, position: str) -> str:
    """The type of an event whose record does not name one that the vendor documents."""
    loose, beside = _loose(record)
    if beside:
        return beside
    if payload.attributes and payload.attributes.type and is_type_name(name):
        return name  # a type newer than this list, named by the vendor
    filled = [key for key, value in loose.items() if value not in (None, "")]
    told = type_of(loose.keys(), filled, payload.operation or "") or type_in_position(position, NAMED)
    if told:
        return told
    if is_type_name(name):
        return name
    raise FieldError(
        Rejection.UNKNOWN_TYPE,
        "neither its fields, nor what wraps it, nor its file's name say which type of event it is",
    )


# --- what all types share


def _access(payload: Payload, name: str) -> AccessFields:
    if name in FINDINGS:
        return finding(payload, name)
    read = TYPES.get(name)
    access = read(payload) if read is not None else other(payload, name)
    outcome = payload.policy_outcome
    if outcome in ("Block", "MeteringBlock"):  # the customer's own policy stopped it: nothing was exported
        stopped = clip(outcome)
        return msgspec.structs.replace(access, rows=0, counting=Counting.EACH, bytes_out=0, status=stopped)
    return access


class _Dated(msgspec.Struct, rename="pascal", gc=False):
    created_date: str | int | float | None = None


def _time_ms(payload: Payload, record: bytes) -> int:
    when = payload.event_date or _created(record)
    if when in (None, ""):
        raise FieldError(Rejection.MISSING_FIELD, "neither EventDate nor CreatedDate")
    return time_ms(when, month_first=True)


def _created(record: bytes) -> str | int | float | None:
    """When the event was stored, for a record that does not say when it happened."""
    envelope = msgspec.json.decode(record, type=_DatedEnvelope)
    message = envelope.data or envelope.event or envelope.detail
    dated = (message.payload if message else None) or envelope.payload or envelope
    return dated.created_date


class _DatedMessage(msgspec.Struct, gc=False):
    payload: _Dated | None = None


class _DatedEnvelope(_Dated, gc=False):
    data: _DatedMessage | None = msgspec.field(default=None, name="data")
    event: _DatedMessage | None = msgspec.field(default=None, name="event")
    detail: _DatedMessage | None = msgspec.field(default=None, name="detail")
    payload: _Dated | None = msgspec.field(default=None, name="payload")


_ORG_ID = re.compile(r"00D(?:[A-Za-z0-9]{15}|[A-Za-z0-9]{12})(?![A-Za-z0-9])")


def _org(url: str) -> str:
    """The org in an object's url."""
    org_id = _ORG_ID.search(url[:2_000]) if "00D" in url else None
    return id18(org_id[0]) if org_id else UNNAMED_TENANT


def _app(payload: Payload) -> str | None:
    """The connected app's id or, because it is null when the token already existed, the client's name."""
    if payload.connected_app_id:
        return KNOWN_IDS[payload.connected_app_id]
    for name in (payload.client, payload.application, payload.app_name):
        if name and name != "N/A":
            return clip(name)
    return None


def _event_id(payload: Payload, record: bytes) -> str:
    if payload.event_identifier:
        return "rtem:" + payload.event_identifier[:128]
    # Over the whole record with its keys sorted, so that their order does not matter.
    canonical = msgspec.json.encode(msgspec.json.decode(record), order="sorted")
    return "rtem:" + blake2b(canonical, digest_size=12).hexdigest()


def _event(record: bytes, position: str) -> AccessEvent:
    try:
        payload, name = _opened(record)
    except msgspec.ValidationError:
        payload, name = _loose_payload(record)
    if payload.event_date is None:  # it may be there under another spelling
        payload, name = _loose_payload(record)
    if name not in NAMED:
        name = _untyped(record, payload, name, position)
    access = _access(payload, name)
    when = payload.event_date
    try:
        time_ms = HOURS[when[:14]] + CLOCK[when[14:20]] + MILLISECONDS[when[20:]]  # type: ignore[index] # mostly text
    except (KeyError, ValueError, TypeError):
        time_ms = _time_ms(payload, record)
    attributes = payload.attributes
    if payload.organization_id:
        tenant = ACCOUNTS[payload.organization_id]
    else:
        tenant = _org(attributes.url) if attributes and attributes.url else UNNAMED_TENANT
    user_id, user_type = payload.user_id, payload.user_type
    guest = user_type is not None and user_type[:5] == "Guest"
    source_ip = payload.source_ip
    user_agent = payload.user_agent or payload.browser
    # Positional, in the order of the fields: with keywords msgspec takes five times as long.
    return AccessEvent(
        time_ms,
        _event_id(payload, record),
        tenant,
        ACCOUNTS[user_id] if user_id else actor(None, payload.username),
        _GUEST if guest else _INTEGRATION if access.by_program else _HUMAN,
        access.operation,
        clip(payload.username),
        _app(payload),
        clip(payload.session_key or payload.login_key, 128),
        ADDRESSES[source_ip] if source_ip else None,
        AGENTS[user_agent] if user_agent else None,
        access.objects,
        access.fields,
        access.rows,
        access.counting,
        access.bytes_out,
        access.record_ids,
        access.operation_id,
        access.query_shape,
        access.status,
        clip(payload.country_iso or payload.country),
        RecordOrigin(NAME, position),
        access.unmapped_type,
    )


def _recognises(record: bytes) -> bool:
    """Whether the record has an ``EventDate`` and is no row of an event log file."""
    if b'"EventDate":' not in record and b'"EventDate" :' not in record:
        return any(date in record and has_key(record, date) and has_key(record, key) for date, key in _SPELT)
    # As a text it may be anything, and only as a key another format's; mostly it is not there at all.
    return b'"EVENT_TYPE"' not in record or (
        b'"EVENT_TYPE":' not in record and b'"EVENT_TYPE" :' not in record
    )


_SPELT = (
    (b"EVENTDATE", b"EVENTIDENTIFIER"),
    (b"eventdate", b"eventidentifier"),
    (b"event_date", b"event_identifier"),
    (b"eventDate", b"eventIdentifier"),
)
"""Other spellings of two fields that every event has."""

ADAPTER = Adapter(
    name=NAME,
    sign="key EventDate",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for real-time events."""
