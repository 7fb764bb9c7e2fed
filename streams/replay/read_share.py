"""The share of the input that was read: in all, of each format and of each day. Too little allows no verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import PurePath

import msgspec

from detector.units import DAY_MS

__all__ = ["ReadScope", "ReadShare", "day_of_record", "too_little_read"]

SEARCHED_BYTES = 4_096
"""How much of a record is searched for its day."""
MAX_DATES = 8
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_DATE = re.compile(
    rb"(?<!\d)(?:(20\d\d)([-/]?)([01]\d)\2([0-3]\d)(?!\d-)"
    rb"|([0-3]\d)[/ -](Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[/ -](20\d\d)"
    rb"|([01]?\d)/([0-3]?\d)/(20\d\d)"
    rb"|(1[4-9]\d{8})(?:\d{3})?(?:\.\d+)?(?!\d))"
)


class ReadScope(StrEnum):
    """What a share is a share of."""

    ALL = "all"
    FORMAT = "format"
    DAY = "day"


class ReadShare(msgspec.Struct, frozen=True):
    """How many of some records could be read."""

    scope: ReadScope
    name: str
    """The adapter or the day (``2026-03-02``); empty for all records."""
    read: int
    records: int


def too_little_read(
    records: int,
    unread: int,
    read_of: Mapping[str, int],
    unread_of: Mapping[str, int],
    events_on: Mapping[int, int],
    unread_on: Mapping[int, int],
    least: float,
) -> tuple[ReadShare, ...]:
    """The shares below `least`: of all records, of each adapter (`…_of`) and of each day since 1970 (`…_on`).

    A single unread record is no lost day or format, unless nothing else was read of it. Records whose day nobody can
    tell, and days before the first and after the last event, count only among all.

    >>> too_little_read(100, 40, {"a": 60}, {"": 40}, {20514: 60}, {}, 0.98)
    (ReadShare(scope=<ReadScope.ALL: 'all'>, name='', read=60, records=100),)
    """
    found = []
    if records and records - unread < least * records:
        found.append(ReadShare(ReadScope.ALL, "", records - unread, records))
    for name in sorted(filter(None, unread_of)):
        found += _short(ReadScope.FORMAT, name, read_of.get(name, 0), unread_of[name], least)
    if events_on:
        first, last = min(events_on), max(events_on)
        for number in sorted(unread_on):
            if first <= number <= last:
                name = _day(number).isoformat()
                found += _short(ReadScope.DAY, name, events_on.get(number, 0), unread_on[number], least)
    return tuple(found)


def _short(scope: ReadScope, name: str, read: int, unread: int, least: float) -> Iterator[ReadShare]:
    if read < least * (read + unread) and (unread > 1 or not read):
        yield ReadShare(scope, name, read, read + unread)


def day_of_record(record: bytes, source: str, latest_ms: int) -> int | None:
    """The day, since 1970, that a record which cannot be read is of: by its first date, or else its file's name.

    >>> day_of_record(b'{"when": "2026-03-02T09:00:00Z"}', "x.json", 1 << 53) == 20514
    True
    """
    for text in (record[:SEARCHED_BYTES], PurePath(source).name.encode("utf-8", "replace")):
        for count, match in enumerate(_DATE.finditer(text)):
            number = _number(match)
            if number is not None and number <= latest_ms // DAY_MS + 1:
                return number
            if count == MAX_DATES:
                break
    return None


def _number(match: re.Match[bytes]) -> int | None:
    year, _, month, day, named_day, named, named_year, us_month, us_day, us_year, seconds = match.groups()
    try:
        if seconds:
            return int(seconds) * 1000 // DAY_MS
        if named:
            found = date(int(named_year), _MONTHS.index(named) + 1, int(named_day))
        elif us_year:
            found = date(int(us_year), int(us_month), int(us_day))
        else:
            found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return (found - date(1970, 1, 1)).days


def _day(number: int) -> date:
    return datetime.fromtimestamp(number * DAY_MS / 1000, UTC).date()
