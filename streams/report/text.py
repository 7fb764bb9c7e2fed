"""Text for people: log text with nothing hidden in it, numbers, times and the plain names of closed words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from markupsafe import Markup

from detector.catalogue import Category
from detector.event import ActorKind, Operation

__all__ = [
    "CATEGORIES",
    "KINDS",
    "OPERATIONS",
    "SEVERITIES",
    "clipped",
    "clock",
    "day",
    "duration",
    "joined",
    "minute",
    "number",
    "second",
    "visible",
]

LONGEST = 4_000
"""How many characters of one text a page shows; longer ones are cut, and say so."""
MARKS_IN_A_ROW = 3
"""More combining marks than this on one letter run over other lines, and are spelt out."""
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_BLANK = frozenset("\u2800\u3164\u115f\u1160\uffa0")
_LAST_SECOND = 253_402_300_799  # 9999-12-31
_FIRST_SECOND = -62_135_596_800  # 0001-01-01

SEVERITIES = ("unknown", "informational", "low", "medium", "high", "critical")
"""OCSF's `severity_id` in words."""

CATEGORIES = {
    Category.CONTACT: "contact data",
    Category.CUSTOMER_SERVICE: "customer-service content",
    Category.IDENTITY_DOCUMENTS: "identity documents",
    Category.PAYMENT: "payment data",
    Category.CREDENTIALS: "credentials",
    Category.LOYALTY: "loyalty accounts",
    Category.HEALTH: "health data",
    Category.INTERNAL: "the company's own data",
    Category.UNCLASSIFIED: "data of a kind not in the catalogue",
}
OPERATIONS = {
    Operation.LOGIN: "logins",
    Operation.DESCRIBE: "descriptions of objects",
    Operation.COUNT: "counts",
    Operation.QUERY: "API queries",
    Operation.BULK_EXPORT: "bulk exports",
    Operation.REPORT: "reports",
    Operation.REPORT_EXPORT: "report exports",
    Operation.LIST_VIEW: "list views",
    Operation.RECORD_VIEW: "record views",
    Operation.SEARCH: "searches",
    Operation.FILE_DOWNLOAD: "file downloads",
    Operation.EXPORT_DELETE: "deletions of exports",
    Operation.WRITE: "writes",
    Operation.ADMIN: "administration",
    Operation.VENDOR_FINDING: "the vendor's own findings",
    Operation.OTHER: "other accesses",
}
KINDS = {
    ActorKind.HUMAN: "the user",
    ActorKind.INTEGRATION: "the integration",
    ActorKind.GUEST: "the guest",
}


def visible(value: object) -> object:
    """The value as a page may show it: text with everything in it that would not be seen spelt out.

    Control, format (direction, joiners), private and unassigned characters, halves of surrogates, blanks that
    are letters, and combining marks beyond three in a row become their code points. Markup and numbers pass.

    >>> visible("a\\x1b[31mb\\u202ec")
    'a⟨U+001B⟩[31mb⟨U+202E⟩c'
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = clipped(str(value), LONGEST)
    if text.isascii() and text.isprintable():
        return text
    shown = []
    marks = 0
    for letter in text:
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if kind in _HIDDEN or letter in _BLANK or marks > MARKS_IN_A_ROW:
            shown.append(f"⟨U+{ord(letter):04X}⟩")
        else:
            shown.append(letter)
    return "".join(shown)


def clipped(text: str, most: int) -> str:
    """The text, or its beginning and how much there is more of it.

    >>> clipped("abcdef", 3)
    'abc … (3 more characters)'
    """
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} more characters)"


def number(count: float, one: str = "", many: str = "") -> str:
    """A count with its noun.

    >>> number(1, "row"), number(60000, "row"), number(2, "identity", "identities"), number(7)
    ('1 row', '60,000 rows', '2 identities', '7')
    """
    if not one:
        return f"{count:,}"
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def joined(words: Sequence[str], by: str = "and") -> str:
    """Words as a list in a sentence.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return f" {by} ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def day(time_ms: int) -> str:
    """The day, UTC. What lies outside the calendar is shown as its end."""
    return _iso(time_ms // 1000)[:10]


def minute(time_ms: int) -> str:
    """The day and minute, UTC."""
    return _iso(time_ms // 1000)[:16]


def second(time_ms: int) -> str:
    """The day and second, UTC."""
    return _iso(time_ms // 1000)


def clock(time_ms: int) -> str:
    """The minute alone, UTC."""
    return _iso(time_ms // 1000)[11:16]


def duration(span_ms: int) -> str:
    """How long, in one or two units.

    >>> duration(40_000), duration(222_000), duration(5_400_000), duration(15 * 86_400_000)
    ('40 s', '3 min 42 s', '1 h 30 min', '15 days')
    """
    seconds = max(0, span_ms) // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 600:
        return f"{seconds // 60} min {seconds % 60} s" if seconds % 60 else f"{seconds // 60} min"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return number(minutes // 1440, "day")


@lru_cache(maxsize=4_096)
def _iso(seconds: int) -> str:
    within = max(_FIRST_SECOND, min(seconds, _LAST_SECOND))
    return datetime.fromtimestamp(within, UTC).isoformat(" ")[:19]
