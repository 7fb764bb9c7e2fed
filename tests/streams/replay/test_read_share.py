from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.replay.read_share import ReadScope, ReadShare, day_of_record, too_little_read

DAY = (date(2026, 3, 2) - date(1970, 1, 1)).days
LATEST_MS = 1_780_000_000_000


@pytest.mark.parametrize(("unread", "short"), [(2, False), (3, True), (100, True)])
def test_the_share_of_all_records_counts(unread: int, short: bool) -> None:
    """Two of a hundred may be unread, and not three."""
    found = too_little_read(100, unread, {}, {"": unread}, {}, {}, 0.98)
    assert found == ((ReadShare(ReadScope.ALL, "", 100 - unread, 100),) if short else ())


def test_a_format_and_a_day_count_by_themselves() -> None:
    """A small format and one day are named even if almost all records could be read."""
    found = too_little_read(
        10_000, 30, {"a": 9_900, "b": 70}, {"b": 30}, {DAY: 9_900, DAY + 1: 70}, {DAY + 1: 30}, 0.98
    )
    assert found == (
        ReadShare(ReadScope.FORMAT, "b", 70, 100),
        ReadShare(ReadScope.DAY, "2026-03-03", 70, 100),
    )


@pytest.mark.parametrize(
    ("read", "unread", "short"), [(20, 1, False), (0, 1, True), (20, 2, True), (200, 2, False)]
)
def test_one_broken_record_is_no_lost_day(read: int, unread: int, short: bool) -> None:
    """A single record is one only if nothing else of its day or format could be read."""
    events = {DAY - 1: 10_000, DAY: read, DAY + 1: 10_000}
    found = too_little_read(20_000, unread, {"a": read}, {"a": unread}, events, {DAY: unread}, 0.98)
    assert [share.scope for share in found] == ([ReadScope.FORMAT, ReadScope.DAY] if short else [])


def test_days_outside_the_span_are_not_judged() -> None:
    """A date before the first or after the last event may be anything's."""
    assert too_little_read(1_000, 9, {}, {"": 9}, {DAY: 991}, {DAY - 1: 5, DAY + 1: 4}, 0.98) == ()


def test_nothing_is_too_little_of_nothing() -> None:
    """Without records, and with a share of 0, nothing is missing."""
    assert too_little_read(0, 0, {}, {}, {}, {}, 0.98) == ()
    assert too_little_read(10, 10, {}, {"": 10}, {}, {}, 0.0) == ()


@pytest.mark.parametrize(
    ("record", "source"),
    [
        (b'{"CreationTime": "2026-03-02T09:00:00"}', "x"),
        (b'"API","20260302090000.000"', "x"),
        (b"198.51.100.7 - mia [02/Mar/2026:09:00:00 +0000] GET", "x"),
        (b'"3/2/2026, 9:00:00 AM PST"', "x"),
        (b'{"time": 1772442000000}', "x"),
        (b'{"time": 1772442000}', "x"),
        (b'{"version": "2099-01-01", "time": "2026-03-02"}', "x"),
        (b"\x00\x01", "logs/2026-03-02_API.csv"),
    ],
)
def test_the_day_of_a_record_that_cannot_be_read(record: bytes, source: str) -> None:
    """Its first date that is not in the future, in the notations of logs, or else that of its file's name."""
    assert day_of_record(record, source, LATEST_MS) == DAY


@given(st.binary(max_size=200), st.text(max_size=40))
def test_any_record_has_a_day_or_none(record: bytes, source: str) -> None:
    """No content crashes the search, and no day lies in the future."""
    day = day_of_record(record, source, LATEST_MS)
    assert day is None or 0 <= day <= LATEST_MS // 86_400_000 + 1
