"""Small values that vendors beside Salesforce share: keys, addresses with ports, names of accounts, hashes.

As in `detector.adapters.salesforce.ids`, what cannot be read raises `FieldError`, and all text is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from detector.adapters.memo import Memo
from detector.adapters.salesforce.ids import FieldError, address, iso_ms
from detector.event import MAX_RECORD_IDS

__all__ = ["MAX_ID", "digest", "has_key", "id_texts", "ip_without_port", "normalise_actor", "utc_ms"]

MAX_ID = 128
"""How many characters of a record's or an operation's id are kept."""


_KEYS: Memo[bytes, tuple[bytes, bytes, bytes]] = Memo(
    lambda key: (b'"%b"' % key, b'"%b":' % key, b'"%b" :' % key), limit=1_000
)


def has_key(record: bytes, key: bytes) -> bool:
    """Whether a JSON record has this key, at whatever depth.

    What a string holds is not taken for one: its quotes are escaped, and no colon follows its end.

    >>> has_key(b'{"Id": 1}', b"Id"), has_key(b'{"agent": "Id", "text": "\\\\"Id\\\\":"}', b"Id")
    (True, False)
    """
    quoted, close, spaced = _KEYS[key]
    return quoted in record and (close in record or spaced in record)


def utc_ms(text: str) -> int:
    """Milliseconds of an ISO 8601 time, as `iso_ms`, which is faster for the spelling that this makes of it.

    >>> utc_ms("2026-03-03T09:14:17") == utc_ms("2026-03-03T09:14:17Z") == iso_ms("2026-03-03T09:14:17.000Z")
    True
    """
    if len(text) == 19 or (len(text) == 20 and text[19] == "Z"):
        return iso_ms(text[:19] + ".000Z")
    return iso_ms(text)


_PORT = re.compile(r"(?::\d{1,5})?")


def ip_without_port(text: str | None) -> str | None:
    """The address in ``192.0.2.7:443``, ``[2001:db8::7]:443`` and the like, as `address` spells it.

    >>> ip_without_port("[2001:DB8::7]:443"), ip_without_port("192.0.2.7:14804"), ip_without_port("2001:db8::7"), ip_without_port("localhost:80")
    ('2001:db8::7', '192.0.2.7', '2001:db8::7', None)
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
        raise FieldError("missing_field", "an account's name is blank")
    return name


def normalise_actor(text: str) -> str:
    """A name as a part of an identity's key: in lower case, blanks folded, slashes as ``%2f``; else `FieldError`.

    >>> normalise_actor("ACME/Ann@Example.com ")
    'acme%2fann@example.com'
    """
    return _who(text if len(text) <= 1_000 else text[:1_000])


def id_texts(texts: Iterable[object]) -> tuple[str, ...]:
    """The ids among these that are text, each once and in their order, at most `MAX_RECORD_IDS`."""
    found: dict[str, None] = {}
    for text in texts:
        if text and isinstance(text, str):
            found[text[:MAX_ID]] = None
            if len(found) == MAX_RECORD_IDS:
                break
    return tuple(found)


def digest(record: bytes) -> str:
    """A record's hash that does not depend on the order of its keys; for those that have no id.

    Raises what msgspec does for bytes that are not JSON.
    """
    canonical = msgspec.json.encode(msgspec.json.decode(record), order="sorted")
    return blake2b(canonical, digest_size=12).hexdigest()
