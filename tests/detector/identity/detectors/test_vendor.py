from __future__ import annotations

from detector.event import Operation
from detector.identity.detectors.vendor import SCORE
from detector.settings import DetectionSettings
from detector.signal import SignalKind
from detector.units import DAY_MS
from tests.detector.identity.life import Life, crossed
from tests.detector.make import START_DAY, START_MS


def test_a_vendors_finding_is_passed_on() -> None:
    """Even the first event of an identity is a signal if the vendor found it strange, with the event as evidence."""
    life = Life(DetectionSettings())
    [found] = life.do(0.5, operation=Operation.VENDOR_FINDING, rows=None)
    assert (found.kind, found.detector, found.channel) == (SignalKind.CROSSED, "vendor", "vendor_finding")
    assert (found.score, found.facts, found.rows) == (SCORE, {"findings": 1.0}, 0)
    assert found.time_ms == found.first_ms == found.last_ms == START_MS + DAY_MS // 2
    assert found.day == START_DAY
    assert found.evidence is not None
    assert found.evidence.event_id == "e-1"


def test_many_findings_are_few_signals() -> None:
    """One is said for the first finding of a day and for each doubling; the next day begins anew."""
    life = Life(DetectionSettings(), operation=Operation.VENDOR_FINDING, rows=None)
    said = [found for number in range(100) for found in crossed(life.do(0.5 + number / 1000), "vendor")]
    assert [found.facts["findings"] for found in said] == [1, 2, 4, 8, 16, 32, 64]
    assert [found.facts["findings"] for found in crossed(life.do(1.5), "vendor")] == [1]


def test_nothing_else_is_a_finding() -> None:
    """No other operation says anything here."""
    life = Life(DetectionSettings())
    for operation in set(Operation) - {Operation.VENDOR_FINDING}:
        assert crossed(life.do(0.5, operation=operation, rows=10**6), "vendor") == []
