"""Times as milliseconds since 1970: ISO 8601, epochs, and the compact spelling of event log files."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from detector.adapters.memo import Memo
from detector.adapters.rejection import FieldError, Rejection

__all__ = ["CLOCK", "HOURS", "MILLISECONDS", "compact_ms", "epoch_ms", "iso_ms", "utc_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MS = 946_684_800_000  # 2000-01-01
_LAST_MS = 4_133_980_800_000  # 2101-01-01


def epoch_ms(milliseconds: float) -> int:
    """Milliseconds since 1970, checked: raises `FieldError` outside the years 2000 to 2100."""
    if not _FIRST_MS <= milliseconds < _LAST_MS:
        raise FieldError(Rejection.BAD_TIME, "outside the years 2000 to 2100")
    return int(milliseconds)


def _hour_ms(text: str) -> int:
    """The start of an hour such as ``2023-03-20T14:``; raises ValueError."""
    if text[4:8:3] != "--" or text[13:] != ":":
        raise ValueError(text)
    hour = datetime.fromisoformat(text[:13])
    if hour.tzinfo is not None:
        raise ValueError(text)
    return epoch_ms((hour.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND)


_ZONED = re.compile(r"(\d{1,9})(?:Z|\+0000)?", re.ASCII)
_FRACTION = re.compile(r"(\d{0,9})", re.ASCII)


def _milliseconds(fraction: re.Match[str] | None) -> int:
    """A fraction of a second; raises ValueError if none was fraction."""
    if fraction is None:
        raise ValueError
    return int((fraction[1] + "000")[:3])


# A time is looked up in three parts: the hours that come, the seconds of an hour, and the fractions that come.
HOURS = Memo(_hour_ms, 16_384)
"""``2023-03-20T14:`` → milliseconds."""
CLOCK = {f"{second // 60:02d}:{second % 60:02d}.": second * 1000 for second in range(3_600)}
"""``59:44.`` → milliseconds."""
MILLISECONDS = Memo(lambda text: _milliseconds(_ZONED.fullmatch(text)), 65_536, 15)
"""``655Z`` → milliseconds."""
_COMPACT_HOURS = Memo(lambda text: _hour_ms(f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:]}:"), 16_384)
_COMPACT_CLOCK = {
    text.replace(":", "").removesuffix(end): ms for text, ms in CLOCK.items() for end in ("", ".")
}
_COMPACT_MILLISECONDS = Memo(lambda text: _milliseconds(_FRACTION.fullmatch(text)), 65_536, 15)


def iso_ms(text: str) -> int:
    """Milliseconds of an ISO 8601 time such as ``2023-03-20T14:59:44.655Z``; UTC where it names no zone.

    Raises `FieldError` for anything else, and outside the years 2000 to 2100.
    """
    try:
        return HOURS[text[:14]] + CLOCK[text[14:20]] + MILLISECONDS[text[20:]]
    except (KeyError, ValueError):
        pass  # another spelling, or wrong
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise FieldError(Rejection.BAD_TIME, f"not a time: {text[:40]!r}") from None
    if not 2000 <= time.year <= 2100:
        raise FieldError(Rejection.BAD_TIME, f"outside the years 2000 to 2100: {text[:40]!r}")
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return epoch_ms((aware - _EPOCH) // _MILLISECOND)


def utc_ms(text: str) -> int:
    """Milliseconds of an ISO 8601 time, as `iso_ms`, which is faster for the spelling that this makes of it.

    >>> utc_ms("2026-03-03T09:14:17") == utc_ms("2026-03-03T09:14:17Z") == iso_ms("2026-03-03T09:14:17.000Z")
    True
    """
    if len(text) == 19 or (len(text) == 20 and text[19] == "Z"):
        return iso_ms(text[:19] + ".000Z")
    return iso_ms(text)


def compact_ms(text: str) -> int:
    """Milliseconds of an event log file's time such as ``20230320145944.65``, with 0 to 9 fraction digits.

    Raises `FieldError` for anything else, and outside the years 2000 to 2100.
    """
    try:
        return _COMPACT_HOURS[text[:10]] + _COMPACT_CLOCK[text[10:15]] + _COMPACT_MILLISECONDS[text[15:]]
    except FieldError:
        raise FieldError(Rejection.BAD_TIME, f"outside the years 2000 to 2100: {text[:40]!r}") from None
    except (KeyError, ValueError):
        raise FieldError(Rejection.BAD_TIME, f"not a time: {text[:40]!r}") from None
