"""Names of apps that may be mistaken for one another, or for a vendor's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import msgspec

__all__ = ["Lookalike", "lookalikes", "skeleton"]

VENDOR_NAMES = ("Data Loader", "Salesforce", "Salesforce CLI", "Workbench", "Microsoft", "Zendesk", "HubSpot")
"""What thieves call their apps. A name that contains one as words of its own, and is not it, is listed."""
SHORTEST = 6
"""Names of fewer letters lie close to one another by chance."""
MOST_COMPARED = 300
_CONFUSABLE = str.maketrans(
    {
        "0": "o", "1": "l", "|": "l", "i": "l", "5": "s",
        "а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "х": "x", "у": "y", "ѕ": "s", "і": "l", "ј": "j", "ԁ": "d",
        "α": "a", "ο": "o", "ρ": "p", "ν": "v", "τ": "t", "κ": "k", "ι": "l",
    }
)  # fmt: skip
"""Letters that look like another, of those alphabets that imitate Latin best; no complete table."""


class Lookalike(msgspec.Struct, frozen=True):
    """A name that looks like another, and how."""

    name: str
    how: str
    """``same letters``, ``one or two letters differ`` or ``contains a vendor's name``."""


def skeleton(name: str) -> str:
    """A name by what is seen of it.

    >>> skeleton("Dаta  L0ader") == skeleton("data-loader")
    True
    """
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_CONFUSABLE)
    return re.sub(r"[\W_]+", "", "".join(one for one in plain if not unicodedata.combining(one)))


def lookalikes(names: Iterable[str]) -> dict[str, tuple[Lookalike, ...]]:
    """Name → what it may be mistaken for; names that resemble nothing are left out.

    >>> lookalikes(["Salesforce Dataloder", "Rival"])["Salesforce Dataloder"][0].name
    'Salesforce'
    """
    known = {name: skeleton(name) for name in sorted(set(names))[:MOST_COMPARED]}
    vendors = {name: skeleton(name) for name in VENDOR_NAMES}
    found: dict[str, tuple[Lookalike, ...]] = {}
    for name, own in known.items():
        alike = [
            Lookalike(other, "same letters" if own == theirs else "one or two letters differ")
            for other, theirs in (known | vendors).items()
            if other != name and other.casefold() != name.casefold() and _near(own, theirs)
        ]
        listed = {one.name for one in alike}
        alike += [
            Lookalike(vendor, "contains a vendor's name")
            for vendor, theirs in vendors.items()
            if theirs in own and own != theirs and vendor not in listed
        ]
        if alike:
            found[name] = tuple(alike)
    return found


def _near(one: str, other: str) -> bool:
    if one == other:
        return bool(one)
    if min(len(one), len(other)) < SHORTEST or abs(len(one) - len(other)) > 2:
        return False
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        above, row = row, [number]
        for place, theirs in enumerate(other, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != theirs)))
        if min(row) > 2:
            return False
    return row[-1] <= 2
