"""The small values that both Salesforce formats share: ids, times, addresses, counts and SOQL.

What cannot be read raises `Refused`, which the adapters turn into a `RecordError` with the record's position.
Every string that comes out is bounded, and so is every cache.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import msgspec

from detector.event import MAX_RECORD_IDS, AccessEvent, ActorKind, Counting, Operation, Origin

__all__ = [
    "Access",
    "Refused",
    "Soql",
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
    "names",
    "soql",
]

MAX_TEXT = 256
"""How many characters of a name, status or agent are kept."""
MAX_QUERY = 2_000
"""How many characters of a query are looked at."""
MAX_SHAPE = 300
MAX_NAMES = 50
"""How many objects or fields of one record are kept."""
MAX_COUNT = 10**12
"""More rows or bytes than one record can mean; a larger number is refused."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MS = 946_684_800_000  # 2000-01-01
_LAST_MS = 4_133_980_800_000  # 2101-01-01
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class Refused(ValueError):  # noqa: N818 - it names what happened to the value
    """A value that cannot stand, with `RecordError`'s reason word and a detail for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Access(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


def event_of(
    access: Access,
    time_ms: int,
    event_id: str,
    who: tuple[str, str, ActorKind, str | None],
    app: str | None,
    session: str | None,
    ip: str | None,
    user_agent: str | None,
    country: str | None,
    origin: Origin,
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


@lru_cache(maxsize=65_536)
def _check(group: str) -> str:
    """The check character of five characters: their first is its lowest bit, set for a capital."""
    return _CHECKSUM[sum(1 << place for place in range(5) if "A" <= group[place] <= "Z")]


def id18(text: str) -> str:
    """A Salesforce id in its 18-character form, which survives systems that ignore case.

    The suffix says, for each of three groups of five characters, which are capitals. Anything but 15 ASCII
    letters and digits is returned as it is, cut to 64 characters.

    >>> id18("0015g00000XyZaB")
    '0015g00000XyZaBAAV'
    """
    if len(text) == 18:
        return text
    if len(text) == 15 and text.isascii() and text.isalnum():
        return text + _check(text[:5]) + _check(text[5:10]) + _check(text[10:])
    return text if len(text) <= 64 else text[:64]


def ids(*texts: str | None) -> tuple[str, ...]:
    """The ids among these, in 18 characters, at most `MAX_RECORD_IDS`."""
    return tuple(id18(text) for text in texts[:MAX_RECORD_IDS] if text)


@lru_cache(maxsize=16_384)
def _account(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise Refused("bad_value", f"not an id: {text!r}")
    return id18(text)


def account(text: str) -> str:
    """An id that is part of an identity's key; only ASCII letters and digits; else `Refused`."""
    if len(text) > 40:
        raise Refused("bad_value", f"not an id: {text[:40]!r}")
    return _account(text)


def actor(user_id: str | None, user_name: str | None) -> str:
    """The acting account's id or, where a record has none (a login of an unknown user), its name.

    A name is lower-cased, and its slashes become ``%2f``, because a slash parts tenant and actor. Raises
    `Refused` where there is neither, or where the id is not made of ASCII letters and digits.
    """
    if user_id:
        return account(user_id)
    if user_name and user_name.strip():
        return user_name.strip()[:MAX_TEXT].lower().replace("/", "%2f")
    raise Refused("missing_field", "neither a user id nor a user name")


@lru_cache(maxsize=8_192)
def _address(text: str) -> str | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or found) if found.scope_id is None else None
    return str(found)


def address(text: str | None) -> str | None:
    """An IP address in its canonical spelling; ``None`` for anything else, such as ``Salesforce.com IP``."""
    return _address(text) if text and len(text) <= 45 else None


def agent(text: str | None) -> str | None:
    """A user agent; ``None`` for an empty one, a numeric code (``9999``), ``N/A`` and ``Unknown``."""
    if not text or text.isdecimal() or text in ("N/A", "Unknown"):
        return None
    return clip(text)


def count(value: str | float | None, name: str) -> int | None:
    """A number of rows or bytes; ``None`` where it is blank or, as the vendor writes for "unknown", negative.

    Raises `Refused` for what is no number and for more than `MAX_COUNT`.
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
        raise Refused(
            "bad_value", f"{name} is {str(value)[:40]!r}" if isinstance(value, str) else f"{name} is absurd"
        )
    return int(number)


def epoch_ms(milliseconds: float) -> int:
    """Milliseconds since 1970, checked: raises `Refused` outside the years 2000 to 2100."""
    if not _FIRST_MS <= milliseconds < _LAST_MS:
        raise Refused("bad_time", "outside the years 2000 to 2100")
    return int(milliseconds)


@lru_cache(maxsize=4_096)
def _hour_ms(text: str) -> int:
    """The start of an hour such as ``2023-03-20T14``; raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError(text)
    return epoch_ms((found.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND)


def iso_ms(text: str) -> int:
    """Milliseconds of an ISO 8601 time such as ``2023-03-20T14:59:44.655Z``; UTC where it names no zone.

    Raises `Refused` for anything else, and outside the years 2000 to 2100.
    """
    # The two spellings that Salesforce writes; the hour is known from the records before.
    if text[13:17:3] == "::" and text[19:20] == "." and text[23:] in ("Z", "+0000"):
        minutes, seconds = text[14:16], text[17:19] + text[20:23]
        digits = minutes + seconds
        if digits.isdecimal() and digits.isascii() and len(digits) == 7 and minutes < "60" and seconds < "60":
            try:
                return _hour_ms(text[:13]) + int(minutes) * 60_000 + int(seconds)
            except Refused:
                raise
            except ValueError:
                pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("bad_time", f"not a time: {text[:40]!r}") from None
    if not 2000 <= found.year <= 2100:
        raise Refused("bad_time", f"outside the years 2000 to 2100: {text[:40]!r}")
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return epoch_ms((aware - _EPOCH) // _MILLISECOND)


def compact_ms(text: str) -> int:
    """Milliseconds of an event log file's time such as ``20230320145944.65``, with 0 to 9 fraction digits.

    Raises `Refused` for anything else, and outside the years 2000 to 2100.
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if len(whole) != 14 or len(fraction) > 9 or not (digits.isdecimal() and digits.isascii()):
        raise Refused("bad_time", f"not a time: {text[:40]!r}")
    date = f"{whole[:4]}-{whole[4:6]}-{whole[6:8]}"
    return iso_ms(f"{date}T{whole[8:10]}:{whole[10:12]}:{whole[12:]}.{(fraction + '000')[:3]}Z")


@lru_cache(maxsize=4_096)
def _names(text: str) -> tuple[str, ...]:
    found = (name.strip() for name in text.strip("[] ").split(",", MAX_NAMES)[:MAX_NAMES])
    return tuple(dict.fromkeys(name[:80] for name in found if name))


def names(text: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list (``[A, B]`` or ``A,B``), each once, at most `MAX_NAMES`."""
    return _names(text[:MAX_QUERY]) if text else ()


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


def key_object(record_id: str | None) -> tuple[str, ...]:
    """The kind of record that an id's first three characters stand for, where it is a standard one."""
    found = _KEY_PREFIXES.get(record_id[:3]) if record_id else None
    return (found,) if found else ()


class Soql(msgspec.Struct, frozen=True):
    """What one SOQL query asks for."""

    shape: str
    """The query in lower case (SOQL ignores case), literals replaced with ``?``; at most `MAX_SHAPE` long."""
    key: str
    """A short hash of the whole query, literals included: the pages of one query share it."""
    objects: tuple[str, ...]
    fields: tuple[str, ...]
    """The fields selected, in the query's spelling; ``FIELDS(ALL)`` gives ``ALL``."""
    counts: bool
    """Whether it selects nothing but counts; ``COUNT(Id), Email … GROUP BY Email`` does not."""


_LITERAL = re.compile(
    r"'(?:[^'\\]|\\.)*+(?:'|\Z)"  # a string; the last may have been cut off
    r"|\b\d{4}-\d{2}-\d{2}(?:T[\d:.]++(?:Z|[+-][\d:]{4,6})?)?"
    r"|(?<![\w.])[+-]?\d++(?:\.\d++)?(?:E[+-]?\d++)?\b",
    re.IGNORECASE | re.DOTALL,
)
_LIST = re.compile(r"\( ?\?(?: ?, ?\?)++ ?\)")
_CALL = re.compile(r"\b(?!(?:COUNT|COUNT_DISTINCT)\b)\w+\(\s*([\w.]+)\s*\)", re.IGNORECASE)
_COUNT = re.compile(r"COUNT(?:_DISTINCT)? ?\(\)(?: \w+)?", re.IGNORECASE)
_GROUP = re.compile(r"\([^()]*+\)")
_SELECT = re.compile(r"\s*SELECT (.*?) FROM (\w+)", re.IGNORECASE)


def _key(query: str) -> str:
    return blake2b(query.encode("utf-8", "replace"), digest_size=8).hexdigest()


@lru_cache(maxsize=2_048)
def _soql(query: str) -> Soql:
    bare = " ".join(_LITERAL.sub("?", query).split())
    shape = _LIST.sub("(?)", bare).lower()[:MAX_SHAPE]
    flat = _CALL.sub(r"\1", bare)
    for _ in range(20):  # innermost brackets first: sub-selects and lists of values go
        emptied = _GROUP.sub("\0", flat)
        if emptied == flat:
            break
        flat = emptied
    flat = flat.replace("\0", "()")
    found = _SELECT.match(flat)
    if found is None:
        return Soql(shape, _key(query), (), (), False)
    selected = [item.strip() for item in found[1].split(",")]
    first = [item.split()[0][:80] for item in selected[:MAX_NAMES] if item]
    fields = tuple(dict.fromkeys(name for name in first if "(" not in name))
    counts = all(_COUNT.fullmatch(item) for item in selected)
    return Soql(shape, _key(query), (found[2][:80],), () if counts else fields, counts)


def soql(query: str) -> Soql:
    """What a query asks for, as far as its first `MAX_QUERY` characters tell.

    >>> soql("SELECT Id, Email FROM Contact WHERE Name = 'Ann' LIMIT 200").shape
    'select id, email from contact where name = ? limit ?'
    """
    if len(query) <= MAX_QUERY:
        return _soql(query)
    folded = _soql(
        " ".join(query[: 50 * MAX_QUERY].split())[:MAX_QUERY]
    )  # a wall of blanks must not hide the query
    return msgspec.structs.replace(folded, key=_key(query))
