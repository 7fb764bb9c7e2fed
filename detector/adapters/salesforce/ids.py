"""The small values that both Salesforce formats share: ids, addresses, counts and names.

What cannot be read raises `FieldError`, which the adapters turn into a `RecordError` with the record's position.
Every string that comes out is bounded, and so is every cache.
"""

from __future__ import annotations

import ipaddress

import msgspec

from detector.adapters.memo import Memo
from detector.adapters.rejection import FieldError
from detector.adapters.salesforce.soql import Soql, soql
from detector.adapters.timestamps import compact_ms, epoch_ms, iso_ms
from detector.event import MAX_RECORD_IDS, AccessEvent, ActorKind, Counting, Operation, RecordOrigin

__all__ = [
    "AccessFields",
    "AccessTuple",
    "FieldError",
    "Soql",
    "access_tuple",
    "account",
    "actor",
    "address",
    "agent",
    "clip",
    "compact_ms",
    "count",
    "epoch_ms",
    "event_of",
    "id18",
    "ids",
    "iso_ms",
    "key_object",
    "known_id",
    "names",
    "soql",
]

MAX_TEXT = 256
"""How many characters of a name, status or agent are kept."""
MAX_LIST = 2_000
"""How many characters of a list of names are looked at."""
MAX_NAMES = 50
"""How many objects or fields of one record are kept."""
MAX_COUNT = 10**12
"""More rows or bytes than one record can mean; a larger number is refused."""


class AccessFields(msgspec.Struct, frozen=True, gc=False):
    """What a record says was done: the part of an `AccessEvent` that depends on the record's type."""

    operation: Operation = Operation.OTHER
    objects: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    rows: int | None = None
    counting: Counting = Counting.EACH
    bytes_out: int | None = None
    record_ids: tuple[str, ...] = ()
    operation_id: str | None = None
    query_shape: str | None = None
    status: str | None = None
    by_program: bool = False
    """Whether a program spoke to an API, rather than a person to a page."""


AccessTuple = tuple[
    Operation,
    tuple[str, ...],
    tuple[str, ...] | None,
    int | None,
    Counting,
    int | None,
    tuple[str, ...],
    str | None,
    str | None,
    str | None,
    bool,
]
"""The fields of an `AccessFields` in their order: made and taken apart in a fifth of the time."""

_OTHER, _EACH = Operation.OTHER, Counting.EACH


def access_tuple(
    operation: Operation = _OTHER,
    objects: tuple[str, ...] = (),
    fields: tuple[str, ...] | None = None,
    rows: int | None = None,
    counting: Counting = _EACH,
    bytes_out: int | None = None,
    record_ids: tuple[str, ...] = (),
    operation_id: str | None = None,
    query_shape: str | None = None,
    status: str | None = None,
    by_program: bool = False,
) -> AccessTuple:
    """What a record says was done, as the fields of an `AccessFields`."""
    return (
        operation,
        objects,
        fields,
        rows,
        counting,
        bytes_out,
        record_ids,
        operation_id,
        query_shape,
        status,
        by_program,
    )


def event_of(
    access: AccessFields,
    time_ms: int,
    event_id: str,
    who: tuple[str, str, ActorKind, str | None],
    app: str | None,
    session: str | None,
    ip: str | None,
    user_agent: str | None,
    country: str | None,
    origin: RecordOrigin,
) -> AccessEvent:
    """The event of what was done by whom (tenant, account, kind, name), when and from where.

    Positional, in the order of `AccessEvent`'s fields: with keywords msgspec takes five times as long.
    """
    tenant, account, kind, name = who
    return AccessEvent(
        time_ms,
        event_id,
        tenant,
        account,
        kind,
        access.operation,
        name,
        app,
        session,
        ip,
        user_agent,
        access.objects,
        access.fields,
        access.rows,
        access.counting,
        access.bytes_out,
        access.record_ids,
        access.operation_id,
        access.query_shape,
        access.status,
        country,
        origin,
    )


def clip(text: str | None, bound: int = MAX_TEXT) -> str | None:
    """The text cut to `bound` characters; ``None`` for an empty one."""
    if not text:
        return None
    return text if len(text) <= bound else text[:bound]


# --- ids

_CASES = (
    bytes(0x31 if chr(byte).isupper() else 0x30 if chr(byte).isalnum() else 0x2D for byte in range(128))
    + b"-" * 128
)
"""Turns a capital letter into ``1``, another letter or a digit into ``0``, and what an id has not into ``-``."""
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _suffix(cases: bytes) -> str:
    """The three characters behind an id: each says which of five are capitals, the first being its lowest bit."""
    if len(cases) != 15 or b"-" in cases:
        return ""
    return "".join(_CHECKS[int(cases[at : at + 5][::-1], 2)] for at in (0, 5, 10))


_SUFFIXES = Memo(_suffix, 32_768)


def id18(text: str) -> str:
    """A Salesforce id in its 18-character form, which survives systems that ignore case.

    The suffix says, for each of three groups of five characters, which are capitals. Anything but 15 ASCII
    letters and digits is returned as it is, cut to 64 characters.

    >>> id18("0015g00000XyZaB")
    '0015g00000XyZaBAAV'
    """
    if len(text) == 15:
        return text + _SUFFIXES[text.encode("ascii", "replace").translate(_CASES)]
    return text if len(text) <= 64 else text[:64]


KNOWN_IDS = Memo(id18, 16_384)


def known_id(text: str) -> str:
    """As `id18`, for ids that come again: of apps, jobs, reports."""
    return KNOWN_IDS[text]


def ids(*texts: str | None) -> tuple[str, ...]:
    """The ids among these, in 18 characters, at most `MAX_RECORD_IDS`."""
    return tuple([id18(text) for text in texts[:MAX_RECORD_IDS] if text])


def _account(text: str) -> str:
    if not (len(text) <= 40 and text.isascii() and text.isalnum()):
        raise FieldError("bad_value", f"not an id: {text[:40]!r}")
    return id18(text)


ACCOUNTS = Memo(_account, 65_536)


def account(text: str) -> str:
    """An id that is part of an identity's key; only ASCII letters and digits; else `FieldError`."""
    return ACCOUNTS[text]


def actor(user_id: str | None, user_name: str | None) -> str:
    """The acting account's id or, where a record has none (a login of an unknown user), its name.

    A name is lower-cased, and its slashes become ``%2f``, because a slash parts tenant and actor. Raises
    `FieldError` where there is neither, or where the id is not made of ASCII letters and digits.
    """
    if user_id:
        return ACCOUNTS[user_id]
    if user_name and user_name.strip():
        return user_name.strip()[:MAX_TEXT].lower().replace("/", "%2f")
    raise FieldError("missing_field", "neither a user id nor a user name")


_KEY_PREFIXES = {
    "001": "Account",
    "003": "Contact",
    "005": "User",
    "006": "Opportunity",
    "00O": "Report",
    "00P": "Attachment",
    "00Q": "Lead",
    "00T": "Task",
    "00U": "Event",
    "015": "Document",
    "02s": "EmailMessage",
    "068": "ContentVersion",
    "069": "ContentDocument",
    "500": "Case",
    "570": "LiveChatTranscript",
    "701": "Campaign",
    "800": "Contract",
    "801": "Order",
}
_KEY_OBJECTS = {prefix: (kind,) for prefix, kind in _KEY_PREFIXES.items()}


def key_object(record_id: str | None) -> tuple[str, ...]:
    """The kind of record that an id's first three characters stand for, where it is a standard one."""
    return _KEY_OBJECTS.get(record_id[:3], ()) if record_id else ()


# --- where from, and with what


def _address(text: str) -> str | None:
    try:
        found = ipaddress.ip_address(text) if len(text) <= 45 else None
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or found) if found.scope_id is None else None
    return None if found is None else str(found)


ADDRESSES = Memo(_address, 32_768)


def address(text: str | None) -> str | None:
    """An IP address in its canonical spelling; ``None`` for anything else, such as ``Salesforce.com IP``."""
    return ADDRESSES[text] if text else None


def _agent(text: str) -> str | None:
    if not text or text.isdecimal() or text in ("N/A", "Unknown"):
        return None
    return clip(text)


AGENTS = Memo(_agent, 8_192, 512)


def agent(text: str | None) -> str | None:
    """A user agent; ``None`` for an empty one, a numeric code (``9999``), ``N/A`` and ``Unknown``."""
    return AGENTS[text] if text else None


# --- numbers and names


def count(value: str | float | None, name: str) -> int | None:
    """A number of rows or bytes; ``None`` where it is blank or, as the vendor writes for "unknown", negative.

    Raises `FieldError` for what is no number and for more than `MAX_COUNT`.
    """
    if not value:
        return None if value is None or value == "" else 0
    if isinstance(value, str) and len(value) <= 12 and value.isdecimal():
        return int(value)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = float("nan")
    if number < 0:
        return None
    if not number <= MAX_COUNT:  # also catches NaN
        raise FieldError(
            "bad_value", f"{name} is {str(value)[:40]!r}" if isinstance(value, str) else f"{name} is absurd"
        )
    return int(number)


def _names(text: str) -> tuple[str, ...]:
    found = (name.strip() for name in text[:MAX_LIST].strip("[] ").split(",", MAX_NAMES)[:MAX_NAMES])
    return tuple(dict.fromkeys(name[:80] for name in found if name))


NAMES = Memo(_names, 4_096, MAX_LIST)


def names(text: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list (``[A, B]`` or ``A,B``), each once, at most `MAX_NAMES`."""
    return NAMES[text] if text else ()
