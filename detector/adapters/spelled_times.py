"""Times as exports, screens and people spell them: numbers of any unit, US and European dates, named time zones.

``3/2/2026`` is the second of March in one country and the third of February in another. It is read where the number
above 12 tells, where a dot or the year's place does, or where the vendor's own documentation says so; else it is
refused, because a wrong day is worse than none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.timestamps import epoch_ms, utc_ms

__all__ = ["number_ms", "time_ms", "zone"]

MAX_TIME = 80
"""How many characters of a time are looked at."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UNITS = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6))
"""Below so much a number of that unit lies before the year 5000: seconds, then milliseconds and so on."""


def number_ms(number: float) -> int:
    """Milliseconds since 1970 of a number of seconds, milliseconds, microseconds or nanoseconds, told by its size.

    >>> {number_ms(1772442000 * unit) for unit in (1, 10**3, 10**6, 10**9)}
    {1772442000000}
    """
    for below, milliseconds in _UNITS:
        if 0 <= number < below:
            return epoch_ms(round(number * milliseconds))
    raise FieldError(Rejection.BAD_TIME, "outside the years 2000 to 2100")


def time_ms(value: str | float, *, month_first: bool = False) -> int:
    """Milliseconds since 1970 of a time in any spelling, UTC where it names no zone.

    `month_first` says that the vendor documents US dates. Raises `FieldError` for what is no time, for a day that
    may be two, and outside the years 2000 to 2100.

    >>> time_ms("3/2/2026, 9:00:00 AM PST", month_first=True) == time_ms("2026-03-02T17:00:00Z")
    True
    """
    if not isinstance(value, str):
        return number_ms(value)
    try:
        return utc_ms(value)
    except FieldError as error:
        text = value.strip()
        if text.isascii() and len(text) <= 24 and text.replace(".", "", 1).isdecimal():
            return number_ms(float(text))
        spelled = _spelled(text[: MAX_TIME + 1], month_first)
        if spelled is None:
            raise error from None
        return spelled


_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:[\s\u202f]*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = r"(?:\s*(?P<zone>[A-Za-z+(-][\w /:&().+-]{0,50}?))?"


@cache
def _forms() -> tuple[re.Pattern[str], ...]:
    """Compiled when the first such time comes: most logs have none."""
    return tuple(
        re.compile(form)
        for form in (
            rf"(?P<a>\d{{1,4}})(?P<by>[/.-])(?P<b>\d{{1,2}})(?P=by)(?P<c>\d{{2,4}}),?[\sT]+{_CLOCK}{_ZONE}",
            rf"(?:[A-Za-z]{{3,9}},? )?(?P<day>\d{{1,2}})[ -](?P<month>[A-Za-z]{{3,9}})\.?,?[ -](?P<year>\d{{4}}),?"
            rf"(?: at)? +{_CLOCK}{_ZONE}",
            rf"(?:[A-Za-z]{{3,9}},? )?(?P<month>[A-Za-z]{{3,9}})\.? +(?P<day>\d{{1,2}}),? (?P<year>\d{{4}}),?"
            rf"(?: at)? +{_CLOCK}{_ZONE}",
            rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) +(?P<day>\d{{1,2}}) {_CLOCK}(?: (?P<zone>[A-Z]{{1,5}}))?"
            r" (?P<year>\d{4})",
            rf"(?P<year>\d{{4}})-(?P<number>\d\d)-(?P<day>\d\d)[ T]+{_CLOCK}{_ZONE}",
        )
    )


_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}


@lru_cache(maxsize=8_192)
def _spelled(text: str, month_first: bool) -> int | None:
    """The time in one of the forms, or ``None`` for a text in none of them."""
    for form in _forms():
        found = form.fullmatch(text)
        if found is not None:
            break
    else:
        return None
    parts = found.groupdict()
    year, month, day = _date(parts, text, month_first)
    hour = int(parts["hour"])
    half = parts["half"]
    if half:
        if not 1 <= hour <= 12:
            raise FieldError(Rejection.BAD_TIME, f"not a time: {text[:40]!r}")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    fraction = int((parts["fraction"] or "").ljust(6, "0")[:6])
    zoned = parts["zone"]
    place = zone(zoned) if zoned else UTC
    try:
        second = int(parts["second"] or 0)
        local = datetime(year, month, day, hour, int(parts["minute"]), second, fraction, tzinfo=place)
        return epoch_ms((local - _EPOCH) // _MILLISECOND)
    except FieldError:
        raise
    except (ValueError, OverflowError):
        raise FieldError(Rejection.BAD_TIME, f"not a time: {text[:40]!r}") from None


MOST_DAYS = 31


def _date(parts: dict[str, str | None], text: str, month_first: bool) -> tuple[int, int, int]:
    if parts.get("year"):
        month = parts.get("month")
        number = _MONTHS.get(month[:3].lower(), 0) if month else int(parts["number"] or 0)
        return int(parts["year"] or 0), number, int(parts["day"] or 0)
    first, second, third = (parts["a"] or "", parts["b"] or "", parts["c"] or "")
    if len(first) == 4:
        return int(first), int(second), int(third)
    year = int(third) if len(third) == 4 else 2000 + int(third)
    one, two = int(first), int(second)
    if len(third) != 4 and int(third) <= MOST_DAYS and not (month_first and _is_us(parts)):
        raise FieldError(
            Rejection.BAD_TIME,
            f"{text[:40]!r} may begin or end with the year: a mapping's time_format says which (%y-%m-%d or %d.%m.%y)",
        )
    if parts["by"] == "." or one > 12:
        return year, two, one
    if two > 12 or one == two:
        return year, one, two
    if month_first and _is_us(parts):
        return year, one, two
    raise FieldError(
        Rejection.BAD_TIME,
        f"{text[:40]!r} may be day/month or month/day: a mapping's time_format says which (%d/%m/%Y or %m/%d/%Y)",
    )


def _is_us(parts: dict[str, str | None]) -> bool:
    """Whether the clock is written as in the US too: with AM or PM in capitals, or a zone of theirs."""
    named = parts["zone"] or ""
    return (parts["half"] or "") in ("A", "P") or named[:4] in _US


# --- zones

_HOURS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "SGT": 8, "HKT": 8, "AWST": 8, "AEST": 10, "AEDT": 11, "NZST": 12,
    "NZDT": 13, "NST": -3.5, "NDT": -2.5, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7,
    "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3,
}  # fmt: skip
"""Abbreviations that mean one offset, whatever the season; ``CST`` is North America's, as elsewhere in exports."""
_US = frozenset({"EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "AKST", "AKDT", "HST"})
_PLACES = {
    "pacific standard time": "America/Los_Angeles", "pacific time": "America/Los_Angeles", "pt": "America/Los_Angeles",
    "mountain standard time": "America/Denver", "us mountain standard time": "America/Phoenix",
    "mountain time": "America/Denver", "mt": "America/Denver",
    "central standard time": "America/Chicago", "central time": "America/Chicago", "ct": "America/Chicago",
    "eastern standard time": "America/New_York", "eastern time": "America/New_York", "et": "America/New_York",
    "alaskan standard time": "America/Anchorage", "hawaiian standard time": "Pacific/Honolulu",
    "atlantic standard time": "America/Halifax", "e. south america standard time": "America/Sao_Paulo",
    "gmt standard time": "Europe/London", "greenwich standard time": "Atlantic/Reykjavik",
    "w. europe standard time": "Europe/Berlin", "romance standard time": "Europe/Paris",
    "central europe standard time": "Europe/Budapest", "central european standard time": "Europe/Warsaw",
    "e. europe standard time": "Europe/Chisinau", "fle standard time": "Europe/Helsinki",
    "gtb standard time": "Europe/Bucharest", "russian standard time": "Europe/Moscow",
    "turkey standard time": "Europe/Istanbul", "israel standard time": "Asia/Jerusalem",
    "south africa standard time": "Africa/Johannesburg", "arabian standard time": "Asia/Dubai",
    "india standard time": "Asia/Kolkata", "singapore standard time": "Asia/Singapore",
    "china standard time": "Asia/Shanghai", "tokyo standard time": "Asia/Tokyo", "korea standard time": "Asia/Seoul",
    "aus eastern standard time": "Australia/Sydney", "e. australia standard time": "Australia/Brisbane",
    "w. australia standard time": "Australia/Perth", "new zealand standard time": "Pacific/Auckland",
    "coordinated universal time": "UTC", "utc": "UTC", "greenwich mean time": "UTC",
    "pacific daylight time": "America/Los_Angeles", "mountain daylight time": "America/Denver",
    "central daylight time": "America/Chicago", "eastern daylight time": "America/New_York",
    "central european time": "Europe/Berlin", "central european summer time": "Europe/Berlin",
    "british summer time": "Europe/London",
}  # fmt: skip
"""Windows' and everyday names of places' times → the zone that knows their summer."""
_OFFSET = re.compile(r"(?:UTC|GMT)?\s?([+-])(\d{1,2}):?(\d\d)?")
_WINDOWS = re.compile(r"\((?:UTC|GMT)([^)]*)\)\s*(.*)")


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """A time zone by its abbreviation, offset, Windows' name or place. Raises `FieldError` for an unknown one.

    >>> zone("PST").utcoffset(None), zone("America/Los_Angeles").key
    (datetime.timedelta(days=-1, seconds=57600), 'America/Los_Angeles')
    """
    text = name.strip()
    windows = _WINDOWS.fullmatch(text)
    if windows is not None:
        text = f"UTC{windows[1].strip()}"
    elif text[:1] == "(" and text[-1:] == ")":
        text = text[1:-1].strip()
    hours = _HOURS.get(text.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    offset = _OFFSET.fullmatch(text)
    if offset is not None and int(offset[2]) <= 15:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    place = _PLACES.get(text.lower(), text if "/" in text else "")
    if place and re.fullmatch(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+){0,2}", place):
        try:
            return ZoneInfo(place)
        except (KeyError, ValueError, OSError):
            pass
    raise FieldError(Rejection.BAD_TIME, f"no time zone is called {name[:40]!r}")
