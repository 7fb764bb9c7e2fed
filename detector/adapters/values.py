"""The values that vendors share: texts, counts, addresses, agents, accounts, ids and hashes.

A value that cannot be read raises `FieldError`. Every text that comes out is bounded, and so is every cache.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from detector.adapters.memo import Memo
from detector.adapters.rejection import FieldError, Rejection
from detector.event import MAX_RECORD_IDS

__all__ = [
    "ADDRESSES",
    "AGENTS",
    "MAX_ID",
    "MAX_TEXT",
    "address",
    "agent",
    "clip",
    "count",
    "digest",
    "has_key",
    "id_texts",
    "ip_without_port",
    "normalise_actor",
]

MAX_ID = 128
"""How many characters of a record's or an operation's id are kept."""
MAX_TEXT = 256
"""How many characters of a name, status or agent are kept."""
MAX_COUNT = 10**12
"""More rows or bytes than one record can mean; a larger number is refused."""


def clip(text: str | None, bound: int = MAX_TEXT) -> str | None:
    """The text cut to `bound` characters; ``None`` for an empty one."""
    if not text:
        return None
    return text if len(text) <= bound else text[:bound]


def count(value: str | float | None, name: str) -> int | None:
    """A number of rows or bytes; ``None`` where it is blank or negative, as some vendors write "unknown".

    Raises `FieldError` for text that is no number, and for more than `MAX_COUNT`.
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
            Rejection.BAD_VALUE,
            f"{name} is {str(value)[:40]!r}" if isinstance(value, str) else f"{name} is absurd",
        )
    return int(number)


def _address(text: str) -> str | None:
    try:
        ip = ipaddress.ip_address(text) if len(text) <= 45 else None
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ip) if ip.scope_id is None else None
    return None if ip is None else str(ip)


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


_KEYS: Memo[bytes, tuple[bytes, bytes, bytes]] = Memo(
    lambda key: (b'"%b"' % key, b'"%b":' % key, b'"%b" :' % key), limit=1_000
)


def has_key(record: bytes, key: bytes) -> bool:
    """Whether a JSON record has this key, at whatever depth.

    Text inside a string does not count: its quotes are escaped, and no colon follows its end.

    >>> has_key(b'{"Id": 1}', b"Id"), has_key(b'{"agent": "Id", "text": "\\\\"Id\\\\":"}', b"Id")
    (True, False)
    """
    quoted, close, spaced = _KEYS[key]
    return quoted in record and (close in record or spaced in record)


_PORT = re.compile(r"(?::\d{1,5})?")


def ip_without_port(text: str | None) -> str | None:
    """The address in ``192.0.2.7:443``, ``[2001:db8::7]:443`` and the like, as `address` spells it.

    >>> [ip_without_port(text) for text in ("[2001:DB8::7]:443", "192.0.2.7:14804", "2001:db8::7", "localhost:80")]
    ['2001:db8::7', '192.0.2.7', '2001:db8::7', None]
    """
    if not text or len(text) > MAX_PEER:
        return None
    if text[0] == "[":
        host, _, port = text[1:].partition("]")
        return address(host) if _PORT.fullmatch(port) else None
    if text.count(":") == 1:  # ports differ each time, so that only the address is worth remembering
        host, _, port = text.partition(":")
        return address(host) if port.isdecimal() else None
    return address(text.strip())


MAX_PEER = 60
"""No address with a port has more characters."""


@lru_cache(maxsize=16_384)
def _who(text: str) -> str:
    name = " ".join(text.split())[:256].lower().replace("/", "%2f")
    if not name:
        raise FieldError(Rejection.MISSING_FIELD, "an account's name is blank")
    return name


def normalise_actor(text: str) -> str:
    """A name as a part of an identity's key: in lower case, blanks folded, slashes as ``%2f``; else `FieldError`.

    >>> normalise_actor("ACME/Ann@Example.com ")
    'acme%2fann@example.com'
    """
    return _who(text if len(text) <= 1_000 else text[:1_000])


def id_texts(texts: Iterable[object]) -> tuple[str, ...]:
    """The ids among these that are text, each once and in their order, at most `MAX_RECORD_IDS`."""
    ids: dict[str, None] = {}
    for text in texts:
        if text and isinstance(text, str):
            ids[text[:MAX_ID]] = None
            if len(ids) == MAX_RECORD_IDS:
                break
    return tuple(ids)


def digest(record: bytes) -> str:
    """A record's hash that does not depend on the order of its keys; for those that have no id.

    Raises what msgspec does for bytes that are not JSON.
    """
    canonical = msgspec.json.encode(msgspec.json.decode(record), order="sorted")
    return blake2b(canonical, digest_size=12).hexdigest()
