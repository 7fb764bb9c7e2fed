"""A record of the Microsoft 365 audit log, out of whatever wraps it: its fields, and its seldom-read parts."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from detector.adapters.rejection import FieldError, Rejection

__all__ = [
    "NO_CONTEXT",
    "NULL_BYTES",
    "Context",
    "Number",
    "Record",
    "context",
    "listed_items",
    "opened",
    "pairs",
    "unwrapped",
]

_NOTHING = msgspec.Raw(b"null")
Number = int | float | str | None


class Context(msgspec.Struct, rename="pascal", gc=False):
    """The application that acted and its sign-in's session."""

    client_app_id: str | None = None
    client_app_name: str | None = None
    aad_session_id: str | None = msgspec.field(default=None, name="AADSessionId")


class Record(msgspec.Struct, rename="pascal"):
    """The fields that matter; the many others are skipped. Parts that seldom matter stay undecoded."""

    creation_time: str | None = None
    id: str | None = None
    operation: str | None = None
    organization_id: str | None = None
    record_type: Number = None
    result_status: str | bool | None = None
    user_key: str | None = None
    user_type: Number = None
    workload: str | None = None
    client_ip: str | None = msgspec.field(default=None, name="ClientIP")
    client_ip_mixed: str | None = msgspec.field(default=None, name="ClientIp")
    object_id: str | None = None
    user_id: str | None = None
    message: str | None = None
    entity_id: str | None = None
    entity_name: str | None = None
    query: str | None = None
    query_results: msgspec.Raw = _NOTHING
    user_agent: str | None = None
    correlation_id: str | None = None
    crm_organization_unique_name: str | None = None
    instance_url: str | None = None
    fields: msgspec.Raw = _NOTHING
    system_user_id: str | None = None
    user_upn: str | None = None
    app_id: str | None = None
    client_app_id: str | None = None
    application_id: str | None = None
    application_display_name: str | None = None
    app_access_context: msgspec.Raw = _NOTHING
    client_ip_address: str | None = msgspec.field(default=None, name="ClientIPAddress")
    actor_ip_address: str | None = None
    client_info_string: str | None = None
    client_user_agent: str | None = None
    session_id: str | None = None
    extended_properties: msgspec.Raw = _NOTHING
    device_properties: msgspec.Raw = _NOTHING
    operation_properties: msgspec.Raw = _NOTHING
    folders: msgspec.Raw = _NOTHING
    messages: msgspec.Raw = _NOTHING
    affected_items: msgspec.Raw = _NOTHING
    items: msgspec.Raw = _NOTHING
    operation_count: Number = None
    file_size_bytes: Number = None
    file_sync_bytes_committed: Number = None
    list_item_unique_id: str | None = None
    logon_error: str | None = None


class _Envelope(Record):
    """What wraps a record: an export's row, Graph's record, a SIEM's row. A bare one is its own envelope."""

    audit_data: msgspec.Raw = _NOTHING
    audit_data_inner: msgspec.Raw = msgspec.field(default=_NOTHING, name="auditData")
    office_workload: str | None = None
    time_generated: str | None = msgspec.field(default=None, name="TimeGenerated")
    office_id: str | None = None
    source_record_id: str | None = None
    office_object_id: str | None = None
    client_ip_under: str | None = msgspec.field(default=None, name="Client_IPAddress")


class _Hunted(msgspec.Struct, rename="pascal"):
    """A row of advanced hunting, whose columns have other names."""

    raw_event_data: msgspec.Raw = _NOTHING
    action_type: str | None = None
    account_id: str | None = None
    account_object_id: str | None = None
    account_display_name: str | None = None
    application: str | None = None
    ip_address: str | None = msgspec.field(default=None, name="IPAddress")
    object_name: str | None = None
    report_id: Number = None
    time_generated: str | None = None
    timestamp: str | None = None
    user_agent: str | None = None


class _Pair(msgspec.Struct, rename="pascal", gc=False):
    name: str | None = None
    value: object = None


class Item(msgspec.Struct, rename="pascal", gc=False):
    """A message in a mailbox."""

    id: str | None = None
    internet_message_id: str | None = None
    size_in_bytes: Number = None


class _Holder(msgspec.Struct, rename="pascal"):
    """A folder with its messages, or a message with its attachments."""

    folder_items: list[Item] = []
    message_items: list[Item] = []


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_context_decoder = msgspec.json.Decoder(Context)
_hunted_decoder = msgspec.json.Decoder(_Hunted)
_pairs_decoder = msgspec.json.Decoder(list[_Pair])
_holders_decoder = msgspec.json.Decoder(list[_Holder])
_items_decoder = msgspec.json.Decoder(list[Item | str])
_text_decoder = msgspec.json.Decoder(str)
NULL_BYTES = 4
"""The length of ``null``; a part must be longer to hold anything."""
_Part = TypeVar("_Part")


def opened(raw: msgspec.Raw) -> str:
    """A part's JSON, which in tables and exports is written into a string; raises what msgspec does."""
    part = bytes(raw)
    return _text_decoder.decode(part) if part[:1] == b'"' else part.decode()


def _part(raw: msgspec.Raw, decoder: msgspec.json.Decoder[_Part], otherwise: _Part) -> _Part:
    """A part that the event can do without; an unreadable one counts as missing."""
    if len(raw) <= NULL_BYTES:
        return otherwise
    try:
        return decoder.decode(opened(raw))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return otherwise


NO_CONTEXT = Context()
"""The context of a record that names none."""


def context(record: Record) -> Context:
    """The application and session that the access went through."""
    return _part(record.app_access_context, _context_decoder, NO_CONTEXT)


def pairs(raw: msgspec.Raw) -> dict[str, str]:
    """A list of names and values as a mapping; a value that is not text is an empty one."""
    return {
        pair.name: pair.value if isinstance(pair.value, str) else ""
        for pair in _part(raw, _pairs_decoder, [])
        if pair.name
    }


def listed_items(record: Record) -> list[Item]:
    """The things that one record of many lists: opened messages, attachments, files or items affected."""
    if (
        len(record.folders) + len(record.messages) + len(record.affected_items) + len(record.items)
        == 4 * NULL_BYTES
    ):
        return []
    for raw in (record.folders, record.messages):
        if len(raw) > NULL_BYTES:
            holders = _part(raw, _holders_decoder, [])
            items = [item for holder in holders for item in (*holder.folder_items, *holder.message_items)]
            if items:
                return items
    for raw in (record.affected_items, record.items):
        if len(raw) > NULL_BYTES and (affected := _part(raw, _items_decoder, [])):
            return [Item(id=item) if isinstance(item, str) else item for item in affected]
    return []


_SPACED = re.compile(rb'"[A-Za-z]+ [A-Za-z ]+" ?:')
_NAMES = {
    name.replace("_", "").lower(): name
    for name in _Envelope.__struct_encode_fields__
    if name not in ("auditData", "ClientIp", "Client_IPAddress")  # which fold to what others do
}
_PARTS = frozenset(
    field.encode_name for field in msgspec.structs.fields(_Envelope) if field.type is msgspec.Raw
)


def _loose(record: bytes) -> _Envelope:
    """A record whose names are spelled differently (``Entity Name``) or whose scalars have other types."""
    value = msgspec.json.decode(record)
    if not isinstance(value, dict):
        raise FieldError(Rejection.MALFORMED, "not a JSON object")
    kept: dict[str, object] = {}
    for key, item in value.items():
        name = _NAMES.get(key.replace(" ", "").replace("_", "").lower())
        if name is None or item is None or name in kept:
            continue
        if name in _PARTS or isinstance(item, str):
            kept[name] = item
        elif isinstance(item, bool | int | float):
            kept[name] = str(item)
    return _envelope_decoder.decode(msgspec.json.encode(kept))


def _envelope(record: bytes) -> _Envelope:
    try:
        envelope = _envelope_decoder.decode(record)
    except msgspec.ValidationError:
        return _loose(record)
    if (envelope.creation_time or envelope.time_generated) and envelope.operation:
        if (envelope.client_ip or envelope.client_ip_mixed) and envelope.user_agent:
            return envelope
        return _loose(record) if _SPACED.search(record) else envelope
    if len(envelope.audit_data) > NULL_BYTES or len(envelope.audit_data_inner) > NULL_BYTES:
        return envelope
    return _loose(record)  # its names may be spelled otherwise


def unwrapped(record: bytes) -> Record:
    """The record itself, out of whatever wraps it. Raises `FieldError` and what msgspec does."""
    outer = _envelope(record)
    wrapped = outer.audit_data if len(outer.audit_data) > NULL_BYTES else outer.audit_data_inner
    if len(wrapped) > NULL_BYTES:
        return _envelope(opened(wrapped).encode("utf-8", "replace"))
    if outer.operation is None:
        row = _hunted_decoder.decode(record)
        return outer if row.action_type is None else _hunted(row)
    if outer.office_workload is not None or outer.creation_time is None:
        return _of_table(outer)
    return outer


def _hunted(row: _Hunted) -> Record:
    """A row of advanced hunting's ``CloudAppEvents``: the record that it holds, else what its own columns say."""
    if len(row.raw_event_data) > NULL_BYTES:
        try:
            inner = _envelope(opened(row.raw_event_data).encode("utf-8", "replace"))
        except (msgspec.MsgspecError, UnicodeError, RecursionError, FieldError):
            inner = _Envelope()
        if inner.creation_time and inner.operation:
            return inner
    return Record(
        creation_time=row.timestamp or row.time_generated,
        operation=row.action_type,
        user_id=row.account_id or row.account_object_id or row.account_display_name,
        client_ip=row.ip_address,
        user_agent=row.user_agent,
        application_display_name=row.application,
        object_id=row.object_name,
        id=str(row.report_id) if row.report_id else None,
    )


def _of_table(row: _Envelope) -> _Envelope:
    """A row of a SIEM's table, where some columns have other names."""
    return msgspec.structs.replace(
        row,
        creation_time=row.creation_time or row.time_generated,
        client_ip=row.client_ip or row.client_ip_under,
        id=row.id or row.office_id or row.source_record_id,
        object_id=row.object_id or row.office_object_id,
    )
