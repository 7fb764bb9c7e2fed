from __future__ import annotations

import pytest

from streams.locale.entered_time import EnteredTimeError, entered_ms, in_zone

PARIS = "Europe/Paris"


def test_a_time_is_read_in_its_zone_on_both_sides_of_summer_time() -> None:
    """The same clock time is another moment in winter and in summer, and is shown as it was entered."""
    winter, summer = entered_ms("2026-03-28 10:20", PARIS), entered_ms("2026-03-29 10:20", PARIS)
    assert summer - winter == 23 * 3_600_000
    assert in_zone(winter, PARIS) == "2026-03-28 10:20+01:00"
    assert in_zone(summer, PARIS) == "2026-03-29 10:20+02:00"
    assert in_zone(winter, "Nowhere/Else") == in_zone(winter, "") == "2026-03-28 09:20+00:00"


def test_an_hour_that_comes_twice_needs_its_offset() -> None:
    """With it, the two moments lie an hour apart."""
    with pytest.raises(EnteredTimeError, match="twice"):
        entered_ms("2026-10-25 02:30", PARIS)
    twice = [entered_ms(f"2026-10-25T02:30{offset}", PARIS) for offset in ("+02:00", "+01:00")]
    assert twice[1] - twice[0] == 3_600_000


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("2026-03-29 02:30", PARIS, "skips"),
        ("yesterday", PARIS, "not a time"),
        ("2026-03-06 10:20", "", "no time zone"),
        ("2026-03-06 10:20", "../etc/passwd", "no time zone"),
        ("2026-03-06 10:20", "Z" * 65, "no time zone"),
    ],
)
def test_what_names_no_moment_is_refused(text: str, zone: str, said: str) -> None:
    """An hour that summer time skips, words, and zones that do not exist."""
    with pytest.raises(EnteredTimeError, match=said):
        entered_ms(text, zone)
