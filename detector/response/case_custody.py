"""The custody log of a case file: who did what, when, on what, each entry holding the hash of the one before.

The chain proves the order of the entries and that none was changed or taken out of the middle. It does not prove time.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from detector.errors import CrmwatchError

__all__ = ["FIRST", "CustodyEntry", "CustodyError", "append", "check"]

FIRST = "0" * 64
"""What the first entry holds in place of a hash."""


class CustodyError(CrmwatchError, ValueError):
    """A custody log that is broken; names the line."""


class CustodyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line."""

    time: str
    """When, in ISO 8601 by the clock of the machine."""
    by: str
    action: str
    of: str
    """What it was done to."""
    result: str = ""
    """The outcome, such as the SHA-256 of a file."""
    previous: str = FIRST
    """SHA-256 of the line before, without its line feed."""


def append(log: bytes, entries: Iterable[CustodyEntry]) -> bytes:
    """The log with entries added; their `previous` is filled in.

    >>> log = append(b"", [CustodyEntry(time="t", by="ana", action="made", of="the case")])
    >>> check(append(log, [CustodyEntry(time="u", by="bo", action="read", of="the case")]))
    2
    """
    lines = log.splitlines()
    for entry in entries:
        previous = sha256(lines[-1]).hexdigest() if lines else FIRST
        lines.append(msgspec.json.encode(msgspec.structs.replace(entry, previous=previous)))
    return b"".join(line + b"\n" for line in lines)


def check(log: bytes) -> int:
    """The number of entries of a whole chain. Raises `CustodyError` for the first line that does not follow."""
    previous = FIRST
    lines = log.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            entry = msgspec.json.decode(line, type=CustodyEntry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CustodyError(f"custody line {number} is no entry: {error}") from error
        if entry.previous != previous:
            raise CustodyError(f"custody line {number} does not follow the line before")
        previous = sha256(line).hexdigest()
    return len(lines)
