"""Salesforce EventLogFile: the rows of the vendor's hourly and daily CSV logs, as they are or as JSON objects.

Three decisions hold for every type. Only reads have rows: a write takes nothing out. The session is the session
key, else the login key. An account that calls an API is an integration and one that opens pages a human, whatever
its name; a guest user is a guest in either case.

See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_eventlogfile.htm
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Union
from zlib import crc32

import msgspec

from detector.adapters.access import AccessFields
from detector.adapters.adapter import Adapter, RowReader
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce import elf_calls, elf_pages
from detector.adapters.salesforce.elf_row import ElfRow, Type, status
from detector.adapters.salesforce.ids import ACCOUNTS, KNOWN_IDS, NAMES, actor
from detector.adapters.spelled_times import time_ms
from detector.adapters.timestamps import CLOCK, HOURS, MILLISECONDS, compact_ms
from detector.adapters.values import ADDRESSES, AGENTS, clip, count
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER", "COLUMNS", "TYPE_NAMES", "columns_event"]

NAME = "salesforce_elf"
MAX_REQUEST_ID = 64
"""A longer request id is not the vendor's."""
MAX_HEADER = 10_000
"""How many characters a header may have that is remembered."""

_TYPES = {kind.row.__struct_config__.tag: kind for kind in (*elf_calls.TYPES, *elf_pages.TYPES)}
_COLUMNS = dict.fromkeys(name for kind in _TYPES.values() for name in kind.row.__struct_fields__)

ROW_COUNTS = (
    "rows_returned", "rows_processed", "records_processed", "records_returned", "row_count", "record_count",
    "records_count", "rows_count", "num_rows", "num_records", "number_of_rows", "number_of_records", "number_rows",
    "number_records", "rows_fetched", "rows", "num_results",
)  # fmt: skip
"""The names that the vendor gives to a number of rows, over all its types; the first that is filled counts."""

OtherRow: Any = msgspec.defstruct(
    "OtherRow",
    [
        ("event_type", str, ""),
        *((name, str, "") for name in _COLUMNS if name not in ElfRow.__struct_fields__),
        *((name, str, "") for name in (*ROW_COUNTS, "dml_type") if name not in _COLUMNS),
    ],
    bases=(ElfRow,),
    rename="upper",
    gc=False,
)
"""A row of a type that is not known; it has the columns of all types, to tell one row from another."""


_WRITES = ("create", "delete", "harddelete", "insert", "merge", "undelete", "update", "upsert")


def _other(row: Any) -> AccessFields:
    """A row of a type that is not mapped; its rows are counted under the type's name, unless it says that it writes."""
    counted = next((text for name in ROW_COUNTS if (text := getattr(row, name))), "")
    outcome = status(row.request_status)
    written = (row.dml_type or row.operation_type).lower().startswith(_WRITES) or row.event_type in _SAVES
    if not counted or written:
        return AccessFields(Operation.WRITE if written else Operation.OTHER, status=outcome)
    try:
        rows = count(counted, "its number of rows")
    except FieldError:  # of a type that is not known, nothing is known to be a number
        rows = None
    return AccessFields(
        objects=NAMES[row.entity_name or row.entity_type],
        rows=rows,
        status=outcome,
        by_program=bool(row.method or row.method_name),
        unmapped_type=clip(row.event_type, 80) if rows is not None else None,
    )


_SAVES = frozenset({"DatabaseSave"})
"""Types not mapped whose rows are all written."""
_OTHER = Type(OtherRow, _other)
_SHARED = len(ElfRow.__struct_fields__)


def _parts(kind: Type) -> Callable[[Any], object]:
    """Picks, from a row's values, those that tell it from other rows of its request."""
    fields = kind.row.__struct_fields__
    return itemgetter(*map(fields.index, kind.parts)) if kind.parts else itemgetter(slice(0))


# Class of a row → what its type reads from it, a seed that keeps its ids apart from those of other types, and what
# tells rows of one request apart.
_BY_CLASS: dict[type[Any], tuple[Callable[[Any], AccessFields], int, Callable[[Any], object]]] = {
    kind.row: (kind.access, crc32(name.encode()), _parts(kind)) for name, kind in _TYPES.items()
} | {OtherRow: (_other, 0, itemgetter(slice(_SHARED, None)))}

TYPE_NAMES = tuple(str(name) for name in _TYPES)
"""The types that are mapped, by the vendor's names."""
COLUMNS = tuple(str(column) for column in OtherRow.__struct_encode_fields__ if column)
"""Every column that matters in some type."""

_AnyRow: Any = Union[tuple(kind.row for kind in _TYPES.values())]  # noqa: UP007 - so many cannot be joined by |
_decoder: msgspec.json.Decoder[ElfRow] = msgspec.json.Decoder(_AnyRow)
_other_decoder = msgspec.json.Decoder(OtherRow)
_HUMAN, _INTEGRATION, _GUEST = ActorKind.HUMAN, ActorKind.INTEGRATION, ActorKind.GUEST
_encode = msgspec.msgpack.Encoder().encode
_values = msgspec.structs.astuple


def _unusual_row(record: bytes) -> ElfRow:
    """A row of a type that is not known, or whose columns are not all strings."""
    try:
        other = _other_decoder.decode(record)
    except msgspec.ValidationError:
        return _loose_row(record)
    row: ElfRow = other
    return _loose_row(record) if other.event_type in _TYPES else row


def _loose_row(record: bytes) -> ElfRow:
    """A row whose columns are not all strings."""
    loose = msgspec.json.decode(record)
    if not isinstance(loose, dict):
        raise FieldError(Rejection.MALFORMED, "not a JSON object")
    return _row_of(loose)


def _row_of(loose: Mapping[str, object]) -> ElfRow:
    name = _text(loose.get("EVENT_TYPE"))
    row = _TYPES.get(name, _OTHER).row
    wanted = {
        column: _text(loose[column]) for column in row.__struct_encode_fields__ if column and column in loose
    }
    marker = {"": loose[""]} if "" in loose else {}
    loose_row: ElfRow = msgspec.convert(wanted | marker | {"EVENT_TYPE": name}, row)
    return loose_row


def _text(value: object) -> str:
    """A scalar as the CSV would have it; a store of logs may have made numbers and nulls of the strings."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldError(Rejection.BAD_VALUE, f"a column holds {type(value).__name__}")
    return str(value)


def _time_ms(derived: str, compact: str) -> int:
    """The time in the first column that has one, in either spelling."""
    error = FieldError(Rejection.MISSING_FIELD, "neither TIMESTAMP nor TIMESTAMP_DERIVED")
    for text in (derived, compact):
        if text:
            try:
                return compact_ms(text) if text[:14].isdecimal() else time_ms(text, month_first=True)
            except FieldError as wrong:
                error = wrong
    raise error


def _check(row: Any) -> None:
    """Raise `FieldError` for what is no row."""
    if row.marker is not None:
        shape = row.marker if isinstance(row.marker, dict) else {}
        raise FieldError(
            Rejection.MALFORMED,
            f"row has {shape.get('columns')!s:.9} columns, its header {shape.get('expected')!s:.9}",
        )
    if isinstance(row, OtherRow) and row.event_type == "EVENT_TYPE":
        raise FieldError(Rejection.MALFORMED, "a header line among the rows")
    if isinstance(row, OtherRow) and not row.event_type:
        raise FieldError(Rejection.MISSING_FIELD, "EVENT_TYPE is blank")
    if not row.organization_id:
        raise FieldError(Rejection.MISSING_FIELD, "ORGANIZATION_ID is blank")


def _row_event(row: ElfRow, values: tuple[Any, ...], position: str) -> AccessEvent:
    """The event of a row; `values` are its columns' values in the order of its class."""
    # Unpacked, as reading an attribute of now this class, now that one takes several times as long.
    (
        timestamp, request_id, organization_id, user_id, _, _, _, session_key, login_key, user_type, _, _,
        client_name, connected_app_id, user_agent, browser_type, user_name, source_ip, timestamp_derived,
        user_id_derived, client_ip, connected_app_name, client_info, marker,
    ) = values[:_SHARED]  # fmt: skip
    row_class = type(row)
    if row_class is OtherRow or marker is not None or not organization_id:
        _check(row)
    access_of, seed, parts = _BY_CLASS[row_class]
    access = access_of(row)
    try:
        time_ms = (
            HOURS[timestamp_derived[:14]]
            + CLOCK[timestamp_derived[14:20]]
            + MILLISECONDS[timestamp_derived[20:]]
        )
    except (KeyError, ValueError):
        time_ms = _time_ms(timestamp_derived, timestamp)
    kind = _GUEST if user_type[:5] == "Guest" else _INTEGRATION if access.by_program else _HUMAN
    user_id = user_id_derived or user_id
    session = session_key or login_key
    if request_id and len(request_id) <= MAX_REQUEST_ID:
        # The vendor gives it; the checksum parts the rows of one request.
        told = parts(values) if row_class is not OtherRow else _filled(row, values)
        event_id = "elf:" + request_id + ":" + hex(crc32(_encode((time_ms, access.operation_id, told)), seed))
    else:
        event_id = "elf:" + _hash(row, values, time_ms)
    # Positional, in the order of the fields: with keywords msgspec takes five times as long.
    return AccessEvent(
        time_ms,
        event_id,
        ACCOUNTS[organization_id],
        ACCOUNTS[user_id] if user_id else actor(None, user_name),
        kind,
        access.operation,
        clip(user_name) if user_name else None,
        KNOWN_IDS[connected_app_id] if connected_app_id else clip(client_name or connected_app_name),
        session if session and len(session) <= 128 else clip(session, 128),
        (ADDRESSES[source_ip] if source_ip else None) or ADDRESSES[client_ip],
        AGENTS[user_agent or browser_type or client_info],
        access.objects,
        access.fields,
        access.rows,
        access.counting,
        access.bytes_out,
        access.record_ids,
        access.operation_id,
        access.query_shape,
        access.status,
        None,
        RecordOrigin(NAME, position),
        access.unmapped_type,
    )


def _filled(row: ElfRow, values: tuple[Any, ...]) -> list[tuple[str, Any]]:
    """The columns of its own that a row of an unknown type fills, and its type."""
    names = type(row).__struct_fields__[_SHARED:]
    return [(name, value) for name, value in zip(names, values[_SHARED:], strict=True) if value]


_BESIDE = frozenset({"timestamp", "timestamp_derived", "user_id", "user_id_derived", "request_id"})


def _hash(row: ElfRow, values: tuple[Any, ...], time_ms: int) -> str:
    """The id of a row whose request has none: over all that it fills, as nothing else tells equal calls apart."""
    fields = type(row).__struct_fields__
    filled = [
        (name, value) for name, value in zip(fields, values, strict=True) if value and name not in _BESIDE
    ]
    user = (row.user_id_derived or row.user_id)[:15]
    kind = type(row).__struct_config__.tag or ""
    return blake2b(_encode((kind, time_ms, user, sorted(filled))), digest_size=12).hexdigest()


_Pick = Callable[[list[Any]], tuple[Any, ...]]


class _Columns:
    """Rows under one header."""

    def __init__(self, header: Sequence[str]) -> None:
        self._where = {name: place for place, name in enumerate(header)}
        self._type = self._where["EVENT_TYPE"]
        self._blank = len(
            header
        )  # a blank is put behind each row, and behind that the marker that is not there
        self._readers: dict[str, tuple[type[ElfRow], _Pick]] = {}
        self._other = self._reader(_OTHER)

    def _reader(self, kind: Type) -> tuple[type[ElfRow], _Pick]:
        """The class of a type's rows, and what picks their columns."""
        columns = kind.row.__struct_encode_fields__
        places = [self._where.get(column, self._blank) if column else self._blank + 1 for column in columns]
        return kind.row, itemgetter(*places)

    def _first(self, name: str) -> tuple[type[ElfRow], _Pick]:
        if name not in _TYPES:
            return self._other
        reader = self._readers[name] = self._reader(_TYPES[name])
        return reader

    def event(self, fields: list[str], position: str) -> AccessEvent:
        """The event of a row. Raises `FieldError`."""
        name = fields[self._type]
        row_class, pick = self._readers.get(name) or self._first(name)
        values = pick([*fields, "", None])
        return _row_event(row_class(*values), values, position)


_headers: dict[tuple[str, ...], _Columns] = {}
"""There are few, and many files of each."""


def _event(record: bytes, position: str) -> AccessEvent:
    try:
        row = _decoder.decode(record)
    except msgspec.ValidationError:
        row = _unusual_row(record)
    return _row_event(row, _values(row), position)


def columns_event(columns: Mapping[str, object], position: str) -> AccessEvent:
    """The event of a row whose columns something else has found. Raises `FieldError`, and what msgspec does."""
    row = _row_of(columns)
    return _row_event(row, _values(row), position)


def _recognises(record: bytes) -> bool:
    """Whether it has the columns that every file begins with; other products have the first alone."""
    # In this order, because the usual spelling is at the beginning, and looking through a whole record takes long.
    return (
        record.startswith(b'{"EVENT_TYPE":') or b'"EVENT_TYPE":' in record or b'"EVENT_TYPE" :' in record
    ) and (b'"TIMESTAMP":' in record or b'"TIMESTAMP" :' in record)


def _columns(header: Sequence[str]) -> RowReader | None:
    """What reads the rows under this header, or ``None`` for one that is not the vendor's."""
    key = tuple(header)
    columns = _headers.get(key)
    if columns is None:
        if "EVENT_TYPE" not in key or "TIMESTAMP" not in key:
            return None
        columns = _Columns(key)
        if sum(map(len, key)) <= MAX_HEADER:
            if len(_headers) >= 256:
                _headers.clear()
            _headers[key] = columns
    return columns.event


ADAPTER = Adapter(
    name=NAME,
    sign="keys EVENT_TYPE and TIMESTAMP",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
    columns=_columns,
)
"""The adapter for event log files."""
