from __future__ import annotations

import pytest

from streams.locale.times import clock, day, minute, second


@pytest.mark.parametrize("time_ms", [-(10**18), -1, 0, 253_402_300_800_000, 10**18])
def test_a_time_outside_the_calendar_is_shown_as_its_end(time_ms: int) -> None:
    """A log may say anything; a page still has a time to show."""
    assert day(time_ms) == minute(time_ms)[:10] == second(time_ms)[:10]
    assert clock(time_ms) == minute(time_ms)[11:]
    assert len(second(time_ms)) == 19
