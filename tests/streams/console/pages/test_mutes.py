from __future__ import annotations

from pathlib import Path

from detector.decision import Kind
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from streams.console.pages.mutes import mutes_table
from tests.detector.make import START_MS
from tests.streams.console.make import alert, decided, index


def test_what_is_in_force_is_listed(tmp_path: Path) -> None:
    """Each mute and expectation with whom it is about, who decided, why and until when, cut to the longest that is
    allowed; one that has ended, was withdrawn or was replaced is not there."""
    until = {"until_ms": START_MS + 400 * DAY_MS}
    lasting = decided(0, Kind.MUTE, reason="a feed", time_ms=START_MS, **until)
    expected = decided(
        1, Kind.EXPECTED, "", "t/u", by="bo", role="admin", time_ms=START_MS, until_ms=START_MS + DAY_MS
    )
    ended = decided(2, Kind.MUTE, "", "t/ended", time_ms=START_MS, until_ms=START_MS + HOUR_MS)
    replaced = decided(3, Kind.MUTE, "", "t/replaced", time_ms=START_MS, **until)
    unmuted = decided(4, Kind.MUTE, "", "t/replaced", time_ms=START_MS + 1, until_ms=START_MS + HOUR_MS)
    breach = decided(5, Kind.BREACH, time_ms=START_MS)
    made = index(tmp_path / "a", alert(0), lasting, expected, ended, replaced, unmuted, breach)
    table = mutes_table(made.reader(), START_MS + 2 * HOUR_MS, 9)
    minute = START_MS + MINUTE_MS
    assert [row[:-1] for row in table.rows] == [
        ("mute", "crmwatch-1", "", "ana", "analyst", "a feed", minute, START_MS + 90 * DAY_MS),
        ("expected", "", "t/u", "bo", "admin", "", minute, START_MS + DAY_MS),
    ]
    assert table.more == 0
    short = mutes_table(made.reader(), START_MS + 2 * HOUR_MS, 1)
    assert (len(short.rows), short.more) == (1, 1)
    assert mutes_table(made.reader(), START_MS + 91 * DAY_MS, 9).rows == ()
    gone = decided(6, Kind.MUTE, time_ms=START_MS + HOUR_MS, withdraws=table.rows[0][-1])
    made.apply([gone])
    assert [row[0] for row in mutes_table(made.reader(), START_MS + 2 * HOUR_MS, 9).rows] == ["expected"]
    made.close()
