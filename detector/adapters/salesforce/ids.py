"""The values that Salesforce's formats share: ids, accounts, key prefixes and lists of names.

A value that cannot be read raises `FieldError`. Every text that comes out is bounded, and so is every cache.
"""

from __future__ import annotations

from detector.adapters.memo import Memo
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.values import MAX_TEXT
from detector.event import MAX_RECORD_IDS

__all__ = [
    "ACCOUNTS",
    "KNOWN_IDS",
    "NAMES",
    "account",
    "actor",
    "id18",
    "ids",
    "key_object",
    "known_id",
    "names",
]

MAX_LIST = 2_000
"""How many characters of a list of names are looked at."""
MAX_NAMES = 50
"""How many objects or fields of one record are kept."""

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
        raise FieldError(Rejection.BAD_VALUE, f"not an id: {text[:40]!r}")
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
    raise FieldError(Rejection.MISSING_FIELD, "neither a user id nor a user name")


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


def _names(text: str) -> tuple[str, ...]:
    texts = (name.strip() for name in text[:MAX_LIST].strip("[] ").split(",", MAX_NAMES)[:MAX_NAMES])
    return tuple(dict.fromkeys(name[:80] for name in texts if name))


NAMES = Memo(_names, 4_096, MAX_LIST)


def names(text: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list (``[A, B]`` or ``A,B``), each once, at most `MAX_NAMES`."""
    return NAMES[text] if text else ()
