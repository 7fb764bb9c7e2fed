"""A time as a person enters it: a date, a time of day, and the zone in which that clock stood."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.errors import CrmwatchError

__all__ = ["EnteredTimeError", "entered_ms", "in_zone"]

MOST_ZONE = 64


class EnteredTimeError(CrmwatchError, ValueError):
    """A time that names no moment, or two; one sentence for a person."""


def entered_ms(text: str, zone: str) -> int:
    """The moment, in milliseconds since 1970 UTC, of ``2026-03-06 10:20`` in a zone such as ``Europe/Paris``.

    A time with an offset of its own, ``2026-10-25T02:30+02:00``, needs no zone. Raises `EnteredTimeError` for an hour
    that a change of summer time skips, and for one that it repeats, unless the offset is given.

    >>> entered_ms("2026-03-06 10:20", "Europe/Paris") == entered_ms("2026-03-06T09:20Z", "")
    True
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise EnteredTimeError("This is not a time: write it as 2026-03-06 10:20.") from error
    if time.tzinfo is not None:
        return round(time.timestamp() * 1000)
    place = _zone(zone)
    early, late = time.replace(tzinfo=place, fold=0), time.replace(tzinfo=place, fold=1)
    if early.utcoffset() != late.utcoffset():
        back = early.astimezone(UTC).astimezone(place).replace(tzinfo=None)
        if back != time:
            raise EnteredTimeError("No clock showed this time: summer time skips the hour.")
        raise EnteredTimeError("The clock showed this time twice: add the offset from UTC, such as +02:00.")
    return round(early.timestamp() * 1000)


def in_zone(time_ms: int, zone: str) -> str:
    """A moment as a clock in a zone shows it, with its offset; in UTC if the zone is empty or unknown here.

    >>> in_zone(1_772_788_800_000, "Europe/Paris")
    '2026-03-06 10:20+01:00'
    """
    try:
        place = _zone(zone) if zone else UTC
    except EnteredTimeError:
        place = UTC
    return datetime.fromtimestamp(time_ms / 1000, place).isoformat(" ", "minutes")


def _zone(zone: str) -> ZoneInfo:
    try:
        if not zone or len(zone) > MOST_ZONE:
            raise ValueError
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise EnteredTimeError("This is no time zone: write it as Europe/Paris or UTC.") from error
