from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters.rejection import FieldError
from detector.adapters.spelled_times import number_ms, time_ms, zone


def ms(*parts: int) -> int:
    """Milliseconds since 1970 of a time in UTC."""
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type] # year to second


MARCH = ms(2026, 3, 2, 9, 14, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3/2/2026 9:14:05 AM", MARCH),
        ("3/2/2026, 9:14:05.000 AM", MARCH),
        ("03/02/2026, 09:14:05 AM UTC", MARCH),
        ("3/2/2026, 9:14:05\u202fAM", MARCH),
        ("3/2/2026, 1:14:05 AM PST", MARCH),
        ("3/2/2026, 01:14:05 PST", MARCH),
        ("3/2/2026 12:00:00 AM", ms(2026, 3, 2)),
        ("3/2/2026 12:00 PM", ms(2026, 3, 2, 12)),
        ("7/2/2026, 2:14:05 AM PDT", ms(2026, 7, 2, 9, 14, 5)),
        ("7/2/2026, 2:14:05 AM Pacific Standard Time", ms(2026, 7, 2, 9, 14, 5)),
        ("7/2/2026, 2:14:05 AM America/Los_Angeles", ms(2026, 7, 2, 9, 14, 5)),
        ("13/3/2026 09:14:05", ms(2026, 3, 13, 9, 14, 5)),
        ("3/13/2026 09:14:05", ms(2026, 3, 13, 9, 14, 5)),
        ("02.03.2026 09:14:05", MARCH),
        ("02.03.2026 10:14:05 CET", MARCH),
        ("2026/03/02 09:14:05", MARCH),
        ("2026-03-02 09:14:05 UTC", MARCH),
        ("2026-03-02 01:14:05 PST", MARCH),
        ("2026-03-02 10:14:05 Europe/Berlin", MARCH),
        ("2 Mar 2026 09:14:05", MARCH),
        ("Mon, 02 Mar 2026 09:14:05 +0000", MARCH),
        ("March 2, 2026 9:14:05 AM", MARCH),
        ("Mar 2, 2026, 1:14:05 AM PST", MARCH),
        ("Mon Mar  2 01:14:05 PST 2026", MARCH),
        ("3/2/2026 9:14:05 AM (UTC-08:00) Pacific Time (US & Canada)", ms(2026, 3, 2, 17, 14, 5)),
        ("1772442845", MARCH),
        ("1772442845000", MARCH),
        (1772442845.0, MARCH),
        (1772442845000000, MARCH),
        (1772442845000000000, MARCH),
        ("2026-03-02T09:14:05Z", MARCH),
    ],
)
def test_a_time_is_read_in_any_spelling(text: str | float, expected: int) -> None:
    """US and European dates, month names, numbers of any unit and named zones mean what their writers mean."""
    assert time_ms(text, month_first=True) == expected


@pytest.mark.parametrize("text", ["3/2/2026 09:14:05", "03-02-2026 09:14:05"])
@pytest.mark.parametrize("month_first", [False, True])
def test_a_day_that_may_be_two_is_refused(text: str, month_first: bool) -> None:
    """Where neither the numbers nor the clock tell the country, the sentence says how to."""
    with pytest.raises(FieldError, match="may be day/month or month/day") as caught:
        time_ms(text, month_first=month_first)
    assert "time_format" in caught.value.detail


@pytest.mark.parametrize(
    "text", ["26-03-02 10:00:00", "25/12/11 10:00", "26.03.02 10:00", "3/2/26 9:14:05 am"]
)
@pytest.mark.parametrize("month_first", [False, True])
def test_a_year_of_two_digits_may_stand_at_either_end(text: str, month_first: bool) -> None:
    """Where it could be a day as well the time is refused, and the sentence says how to tell."""
    with pytest.raises(FieldError, match="may begin or end with the year") as caught:
        time_ms(text, month_first=month_first)
    assert "time_format" in caught.value.detail


def test_us_times_need_a_vendor_that_writes_them() -> None:
    """AM and PM are used in countries that put the day first, too."""
    with pytest.raises(FieldError, match="may be"):
        time_ms("3/2/2026, 9:14:05 AM")


@pytest.mark.parametrize(
    "text",
    ["", "soon", "13/13/2026 09:00:00", "2/30/2026 9:00:00 AM", "3/2/2026 13:00:00 PM", "3/2/1999 9:00:00 AM",
     "3/2/2026 9:00:00 AM XYZT", "3/2/2026 9:00:00 AM Mars/Base", "0/0/2026 9:00 AM", "9" * 30, "/" * 80],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    """An impossible day, clock, year or zone is a bad time."""
    with pytest.raises(FieldError) as caught:
        time_ms(text, month_first=True)
    assert caught.value.reason == "bad_time"


@given(st.text(max_size=90) | st.floats(allow_nan=True) | st.integers())
def test_anything_is_a_time_or_a_bad_time(value: str | float) -> None:
    """Whatever is written where a time should be, the answer is a time within its years or a refusal."""
    try:
        found = time_ms(value, month_first=True)
    except FieldError as error:
        found = 946_684_800_000 if error.reason == "bad_time" else 0
    assert 946_684_800_000 <= found < 4_133_980_800_000


def test_a_zone_has_many_names() -> None:
    """An abbreviation is one offset; a place knows its summer."""
    summer, winter = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    hours = {
        name: [when.astimezone(zone(name)).utcoffset() for when in (winter, summer)]
        for name in ("PST", "Pacific Standard Time", "Europe/Paris", "UTC+5:30", "(UTC+01:00) Berlin")
    }
    seconds = {
        name: [offset.total_seconds() / 3600 for offset in offsets if offset]
        for name, offsets in hours.items()
    }
    assert seconds == {
        "PST": [-8, -8], "Pacific Standard Time": [-8, -7], "Europe/Paris": [1, 2], "UTC+5:30": [5.5, 5.5],
        "(UTC+01:00) Berlin": [1, 1],
    }  # fmt: skip


def test_a_number_tells_its_unit() -> None:
    """Seconds to nanoseconds are told apart by their size, and nothing lies outside the years."""
    assert number_ms(1772442845) == number_ms(1772442845000) == MARCH
    for number in (0, -1, 1e25, 99, float("nan"), float("inf")):
        with pytest.raises(FieldError):
            number_ms(number)
