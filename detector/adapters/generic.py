"""Any log of JSON objects or CSV rows, by a mapping of its fields that an operator writes.

A mapping is data: paths into the record, and tables from its words to crmwatch's vocabularies. `decoder` makes
an adapter of it, which obeys the same laws as the built-in ones.

A *path* is the name of a key (``user``), keys within keys (``user.id``), with numbers and ``*`` for a list's
elements (``items.0.id``, ``items.*.id``), several to choose from (``user.id|user.name``: the first that is there)
or, behind ``=``, a text itself (``=acme``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, TypeVar

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.salesforce.soql import Soql, soql
from detector.adapters.spelled_times import number_ms, time_ms, zone
from detector.adapters.timestamps import epoch_ms
from detector.adapters.values import MAX_ID, agent, clip, count, id_texts, ip_without_port, normalise_actor
from detector.event import AccessEvent, ActorKind, Counting, Operation, RecordOrigin

__all__ = ["Mapping", "decoder"]

MAX_NAMES = 50
"""How many objects or fields of one record are kept."""

Path = str
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Marks = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=10)]


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a source's records hold what an event needs. Raises ValueError for a mapping that cannot work.

    A path that is empty, or leads nowhere in a record, leaves the event's field unknown. Only `time` and `actor`
    must lead somewhere.
    """

    name: Name
    """Names the source in settings, metrics and errors: lower-case letters, digits, underscores."""
    marked_by: Marks
    """What all the source's records have and no other's: paths, or paths with a value (``app=crm``)."""
    time: Path
    """ISO 8601, seconds, milliseconds, microseconds or nanoseconds since 1970, or another spelling that
    `detector.adapters.spelled_times` reads."""
    time_format: str = ""
    """How `time` is written if otherwise, in `datetime.strptime`'s letters (``%d.%m.%Y %H:%M:%S``); UTC if it
    names no zone. A ``%Z`` at its end stands for a zone's abbreviation, place or Windows name."""
    actor: Path
    actor_name: Path = ""
    kind: Path = ""
    kinds: dict[str, ActorKind] = {}
    """The record's words for kinds of actors, in whatever case; others are humans."""
    tenant: Path = ""
    """By default the tenant is `name`."""
    operation: Path = ""
    operations: dict[str, Operation] = {}
    """The record's words for operations, in whatever case; ours need no entry, others are ``other``."""
    objects: Path = ""
    """A list, or a text with commas."""
    fields: Path = ""
    """A list, or a text with commas."""
    rows: Path = ""
    """Counted only where something was read."""
    counting: Counting = Counting.EACH
    operation_id: Path = ""
    bytes_out: Path = ""
    record_ids: Path = ""
    """A list, or a text with commas."""
    query: Path = ""
    app: Path = ""
    session: Path = ""
    ip: Path = ""
    user_agent: Path = ""
    status: Path = ""
    country: Path = ""
    event_id: Path = ""
    """By default a hash of the whole record."""

    def __post_init__(self) -> None:
        """Reject a mapping that cannot work, while its author can still correct it."""
        if not self.time or not self.actor:
            raise ValueError(f"source {self.name}: time and actor need paths")
        if not all(mark.partition("=")[0].strip() for mark in self.marked_by):
            raise ValueError(f"source {self.name}: marked_by has a mark without a path")
        if self.counting is not Counting.EACH and not self.operation_id:
            raise ValueError(f"source {self.name}: counting {self.counting.value} needs operation_id")
        if self.time_format and not _tells_a_day(self.time_format):
            raise ValueError(f"source {self.name}: time_format {self.time_format!r} does not tell a day")


def _tells_a_day(time_format: str) -> bool:
    example = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
    try:
        return datetime.strptime(example.strftime(time_format), time_format).date() == example.date()  # noqa: DTZ007 - the day alone is compared
    except ValueError:
        return False


# --- paths

_Value = dict[str, object]
_Getter = Callable[[_Value], object]


def _getter(path: Path) -> _Getter:
    """Fetches a path's value; ``None`` where there is none, or a blank text."""
    if path.startswith("="):
        constant = path[1:]
        return lambda value: constant
    ways = [_way(way.strip()) for way in path.split("|") if way.strip()]
    if len(ways) == 1:
        return ways[0]

    def first(value: _Value) -> object:
        return next((item for way in ways if (item := way(value)) not in (None, "")), None)

    return first


def _way(path: str) -> _Getter:
    steps = path.split(".")
    if len(steps) == 1:
        return lambda value: value.get(path)

    def walk(value: _Value) -> object:
        flat = value.get(path)  # exports flatten: the key itself may have dots
        return flat if flat is not None else _step(value, steps, 0)

    return walk


def _step(value: object, steps: list[str], at: int) -> object:
    for place in range(at, len(steps)):
        step = steps[place]
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step == "*":
            items = [_step(item, steps, place + 1) for item in value[:MAX_LISTED]]
            return [item for item in items if item is not None]
        elif isinstance(value, list) and step.isdecimal() and len(step) <= 6:
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


MAX_LISTED = 1_000
"""How many elements of a list ``*`` looks at."""


def _text(value: object) -> str:
    """A scalar as text, a list as its first; blank for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else ""
    return _text(value[0]) if isinstance(value, list) and value and not isinstance(value[0], list) else ""


def _texts(value: object) -> list[str]:
    """A list's scalars, or the parts between commas."""
    if isinstance(value, list):
        return [text for item in value[:MAX_LISTED] if (text := _text(item).strip())]
    return [part.strip() for part in _text(value).split(",", MAX_LISTED)[:MAX_LISTED] if part.strip()]


def _number(value: object, name: str) -> int | None:
    """A number, or how long a list is."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise FieldError(Rejection.BAD_VALUE, f"{name} is {value}")
    if isinstance(value, list):
        return len(value)
    return count(value if isinstance(value, int | float) else _text(value).strip(), name)


_Word = TypeVar("_Word", bound=Enum)


def _table(words: dict[str, _Word], kind: type[_Word]) -> dict[str, _Word]:
    return {str(member.value): member for member in kind} | {word.lower(): to for word, to in words.items()}


# --- times

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def _time_ms(value: object, time_format: str) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_ms(value)
    text = _text(value).strip()
    if not text:
        raise FieldError(Rejection.MISSING_FIELD, "its time is blank")
    if time_format:
        return _formatted(text[:80], time_format)
    return time_ms(text)


@lru_cache(maxsize=4_096)
def _formatted(text: str, time_format: str) -> int:
    """A time in the mapping's format; `strptime` knows no zone by its name, so that one at the end is read here."""
    try:
        if time_format.endswith("%Z"):
            time, place = _before_zone(text.split(), " ".join(time_format.removesuffix("%Z").split()))
        else:
            time, place = datetime.strptime(text, time_format), UTC  # noqa: DTZ007 - UTC, where it names no zone
        aware = time if time.tzinfo else time.replace(tzinfo=place)
        return epoch_ms((aware - _EPOCH) // _MILLISECOND)
    except FieldError:
        raise
    except (ValueError, OverflowError):
        raise FieldError(Rejection.BAD_TIME, f"not a time as {time_format!r}: {text[:40]!r}") from None


def _before_zone(words: list[str], time_format: str) -> tuple[datetime, tzinfo]:
    """A time and the zone behind it, whose name has one to six words. Raises ValueError, and `FieldError`."""
    for first in range(len(words) - 1, max(len(words) - 7, 0), -1):
        try:
            time = datetime.strptime(" ".join(words[:first]), time_format)  # noqa: DTZ007 - the zone is beside it
        except ValueError:
            continue
        return time, zone(" ".join(words[first:]))
    raise ValueError(time_format)


# --- the adapter

_NO_ROWS = frozenset({Operation.WRITE, Operation.ADMIN, Operation.LOGIN, Operation.DESCRIBE})
_SUCCESSES = frozenset({"0", "allowed", "granted", "ok", "succeeded", "success", "successful", "true"})
_decoder = msgspec.json.Decoder(_Value)


_NO_PATHS = frozenset({"counting", "kinds", "marked_by", "name", "operations", "time_format"})
_NO_QUERY = Soql("", "", (), (), False)


class _Paths:
    """A mapping's paths, compiled."""

    def __init__(self, mapping: Mapping) -> None:
        self.operations = _table(mapping.operations, Operation)
        self.kinds = _table(mapping.kinds, ActorKind)
        self.get: dict[str, _Getter] = {
            field: _getter(getattr(mapping, field))
            for field in Mapping.__struct_fields__
            if field not in _NO_PATHS and getattr(mapping, field)
        }
        marks = [mark.partition("=") for mark in mapping.marked_by]
        self.marks = [(_getter(path.strip()), value if equals else None) for path, equals, value in marks]
        # A key's name in quotes and its colon; the key may be a flattened one.
        lasts = [[_last(way) for way in path.split("|")] for path, _, _ in marks]
        self.keys = [[form for last in some for form in (last + b":", last + b" :")] for some in lasts]
        self.exact = any(equals or "." in path for path, equals, _ in marks)

    def text(self, field: str, value: _Value) -> str:
        get = self.get.get(field)
        return _text(get(value)) if get is not None else ""

    def texts(self, field: str, value: _Value) -> list[str]:
        get = self.get.get(field)
        return _texts(get(value)) if get is not None else []

    def number(self, field: str, value: _Value) -> int | None:
        get = self.get.get(field)
        return _number(get(value), field) if get is not None else None


def _last(path: str) -> bytes:
    names = [step for step in path.strip().split(".") if step != "*" and not step.isdecimal()]
    return msgspec.json.encode(names[-1] if names else path)[1:]


class _Source(msgspec.Struct, frozen=True):
    """A log that a mapping describes."""

    mapping: Mapping
    paths: _Paths

    def recognises(self, record: bytes) -> bool:
        """Whether it has the marks of the source's records; it is parsed only if their keys occur in it."""
        paths = self.paths
        for forms in paths.keys:
            for form in forms:
                if form in record:
                    break
            else:
                return False
        if not paths.exact:
            return True
        try:
            value = _decoder.decode(record)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        for get, expected in paths.marks:
            text = get(value)
            if text in (None, "") or (expected is not None and _text(text) != expected):
                return False
        return True

    def event(self, record: bytes, position: str) -> AccessEvent:
        """The event of a record. Raises `FieldError` and what msgspec does."""
        try:
            value = _decoder.decode(record)
        except msgspec.ValidationError as error:
            raise FieldError(Rejection.MALFORMED, str(error)[:200]) from None
        return self._event(value, position)

    def _access(self, value: _Value) -> AccessFields:
        paths = self.paths
        word = paths.text("operation", value).strip().lower()
        operation = paths.operations.get(word, Operation.OTHER)
        query = paths.text("query", value)
        asked = soql(query) if query else _NO_QUERY
        operation_id = clip(paths.text("operation_id", value), MAX_ID)
        status = paths.text("status", value).strip()
        answered = len(status) == 3 and status[0] == "2" and status.isdecimal()
        return AccessFields(
            operation=operation,
            objects=_names(paths.texts("objects", value)) or asked.objects,
            fields=_names(paths.texts("fields", value)) or asked.fields or None,
            rows=None if operation in _NO_ROWS else paths.number("rows", value),
            counting=self.mapping.counting if operation_id else Counting.EACH,
            bytes_out=paths.number("bytes_out", value),
            record_ids=id_texts(paths.texts("record_ids", value)),
            operation_id=operation_id,
            query_shape=asked.shape or None,
            status="success" if answered or status.lower() in _SUCCESSES else clip(status),
        )

    def _event(self, value: _Value, position: str) -> AccessEvent:
        paths = self.paths
        account = paths.text("actor", value)
        if not account.strip():
            raise FieldError(Rejection.MISSING_FIELD, "its actor is blank")
        given = paths.text("event_id", value)
        tenant = paths.text("tenant", value)
        return event_of(
            self._access(value),
            _time_ms(paths.get["time"](value), self.mapping.time_format),
            f"{self.mapping.name}:{given[:MAX_ID] if given else _hash(value)}",
            (
                normalise_actor(tenant) if tenant.strip() else self.mapping.name,
                normalise_actor(account),
                paths.kinds.get(paths.text("kind", value).strip().lower(), ActorKind.HUMAN),
                clip(paths.text("actor_name", value)),
            ),
            clip(paths.text("app", value)),
            clip(paths.text("session", value), MAX_ID),
            ip_without_port(paths.text("ip", value)),
            agent(paths.text("user_agent", value)),
            clip(paths.text("country", value), 40),
            RecordOrigin(self.mapping.name, position),
        )


def _names(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text[:80] for text in texts[:MAX_NAMES]))


def _hash(value: _Value) -> str:
    return blake2b(msgspec.json.encode(value, order="sorted"), digest_size=12).hexdigest()


def decoder(mapping: Mapping) -> Adapter:
    """The adapter of a source that a mapping describes.

    >>> source = decoder(Mapping(name="desk", marked_by=("deskUser",), time="at", actor="deskUser",
    ...                          operation="did", operations={"open": Operation.RECORD_VIEW}, objects="=ticket"))
    >>> event = source.decode(b'{"at": 1772528477, "deskUser": "Ann", "did": "OPEN"}', "desk.jsonl:1")
    >>> event.identity, event.operation, event.objects
    ('desk/ann', <Operation.RECORD_VIEW: 'record_view'>, ('ticket',))
    """
    sign = f"the settings' {', '.join(mapping.marked_by)}"
    source = _Source(mapping, _Paths(mapping))
    return Adapter(name=mapping.name, sign=sign, recognises=source.recognises, event=source.event)
