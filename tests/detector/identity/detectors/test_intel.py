from __future__ import annotations

from typing import Any

import pytest

from detector.event import Operation
from detector.identity.detectors.intel import GROWTH_ROWS
from detector.settings import DetectionSettings, Indicator
from detector.signal import NewValue, Signal, SignalKind
from detector.units import DAY_MS
from tests.detector.identity.life import Life, crossed, grown
from tests.detector.make import START_DAY, START_MS

BAD = Indicator(name="a published list of thieves", score=4.0)


def found(indicators: dict[str, Indicator], **fields: Any) -> list[Signal]:
    """What is said of one event, the first of its identity."""
    return crossed(Life(DetectionSettings(indicators=indicators)).do(0.5, **fields), "intel")


@pytest.mark.parametrize(
    ("indicator", "fields"),
    [
        ("192.0.2.7", {"ip": "192.0.2.7"}),
        ("192.0.2.0/24", {"ip": "192.0.2.7"}),
        ("2001:db8:7::/48", {"ip": "2001:db8:7:1::99"}),
        ("python-requests/2.32.4", {"user_agent": "python-requests/2.32.4"}),
        ("python-requests", {"user_agent": "python-requests/2.32.4"}),
        ("0H4xx0000000001", {"app": "0H4xx0000000001"}),
    ],
)
def test_what_carries_an_indicator_is_said(indicator: str, fields: dict[str, str]) -> None:
    """By exact address, its network, exact agent, its family without version, or app; what it is called is told."""
    [signal] = found({indicator: BAD}, rows=7, **fields)
    assert (signal.kind, signal.channel, signal.score) == (SignalKind.CROSSED, "query", 4.0)
    assert signal.news == [NewValue("indicator", BAD.name, 0.0, 0.0, 0.0, 7)]
    assert (signal.rows, signal.objects, signal.day) == (7, {"Case": 7}, START_DAY)
    assert signal.time_ms == signal.first_ms == signal.last_ms == START_MS + DAY_MS // 2
    assert signal.evidence is not None
    assert signal.evidence.event_id == "e-1"
    assert found({"198.51.100.1": BAD, "curl": BAD, "another": BAD}, rows=7, **fields) == []


def test_further_rows_are_said_every_five_minutes() -> None:
    """However few they are; an event without rows is not."""
    life = Life(DetectionSettings(indicators={"192.0.2.7": BAD}), ip="192.0.2.7")
    minute = 1 / 1440
    assert len(crossed(life.do(0.5, rows=7), "intel")) == 1
    assert grown(life.do(0.5 + 4 * minute, rows=1), "intel") == []
    [found] = grown(life.do(0.5 + 5 * minute, rows=1), "intel")
    assert (found.rows, found.objects) == (9, {"Case": 9})
    assert grown(life.do(0.5 + 11 * minute, operation=Operation.LOGIN, rows=None), "intel") == []


def test_who_carries_nothing_is_not_meant() -> None:
    """Unknown address, agent and app match no indicator."""
    assert found({"192.0.2.7": BAD}) == []
    assert found({}, ip="192.0.2.7") == []


def test_a_login_is_enough() -> None:
    """No rows need to leave."""
    [signal] = found({"192.0.2.7": BAD}, ip="192.0.2.7", operation=Operation.LOGIN, rows=None)
    assert (signal.rows, signal.objects) == (0, {})


def test_an_indicator_holds_from_when_until_when() -> None:
    """Valid from its first moment to before its last, by the events' own time."""
    lasting = Indicator(name="leased", from_ms=START_MS + DAY_MS, until_ms=START_MS + 2 * DAY_MS)
    life = Life(DetectionSettings(indicators={"192.0.2.7": lasting}), ip="192.0.2.7", rows=1)
    days = (0.5, 1 - 1e-7, 1.0, 1.5, 2 - 1e-7, 2.0, 3.0)
    said = [bool(crossed(life.do(day, rows=1 + 1000 * number), "intel")) for number, day in enumerate(days)]
    assert said == [False, False, True, True, True, False, False]


def test_more_is_said_when_it_has_grown() -> None:
    """Within a day a signal follows when the rows have grown by the factor and by enough; the next day begins anew."""
    life = Life(DetectionSettings(indicators={"192.0.2.7": BAD}), ip="192.0.2.7")
    rows = (10, 5, GROWTH_ROWS, 50, 200)
    said = [one for part, more in enumerate(rows) for one in life.do(0.5 + part / 100, rows=more)]
    assert [one.rows for one in crossed(said, "intel")] == [10, 115, 365]
    assert [one.rows for one in crossed(life.do(1.5, rows=3), "intel")] == [3]
