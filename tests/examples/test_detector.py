from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from detector.identity.detectors.registry import IdentityDetector
from detector.identity.observation import Observation
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind
from tests.detector.make import DAY_MS, START_DAY, START_MS, event
from tests.examples.installed import EXAMPLES, installed

SETTINGS = DetectionSettings()


@pytest.fixture
def dormant(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example's module."""
    monkeypatch.syspath_prepend(EXAMPLES / "detector")
    return importlib.import_module("crmwatch_dormant")


def lived(detector: IdentityDetector, *days: int, rows: int = 10, state: Any = None) -> list[Signal]:
    """What is said of an identity that takes some rows on each of these days, one event a day."""
    state = state if state is not None else detector.State()
    said: list[Signal] = []
    for number, day in enumerate(days):
        access = event(number, time_ms=START_MS + day * DAY_MS + number * 1000, rows=rows)
        said += detector.observe(state, observed(access, rows), SETTINGS) or []
    return said


def observed(access: Any, rows: int) -> Observation:
    """An event as detectors see it."""
    day = access.time_ms // DAY_MS
    return Observation(access, rows, rows, "Case", True, day, day * 24, 10, 10)


def test_an_account_that_wakes_is_reported(dormant: ModuleType) -> None:
    """After sixty days of silence the first rows are a signal that says how long it was silent."""
    [signal] = lived(dormant.DETECTOR, 0, 1, 2, 62)
    assert (signal.kind, signal.detector) == (SignalKind.CROSSED, "dormant")
    assert (signal.day, signal.rows, signal.facts) == (START_DAY + 62, 10, {"silent_days": 60.0})
    assert signal.evidence is not None


def test_a_holiday_is_not_reported(dormant: ModuleType) -> None:
    """Up to the bound nothing is said, a day beyond it something is; nor is a first day ever a silence."""
    bound = dormant.SILENT_DAYS
    assert lived(dormant.DETECTOR, 0, bound, 2 * bound) == []
    assert len(lived(dormant.DETECTOR, 0, bound + 1)) == 1
    assert lived(dormant.DETECTOR, 300) == []


def test_the_longer_the_silence_the_higher_the_score(dormant: ModuleType) -> None:
    """Scores rise with the silence and end at the highest."""
    scores = [lived(dormant.DETECTOR, 0, days)[0].score for days in (46, 90, 180, 360)]
    assert scores == sorted(scores)
    assert scores[0] < scores[1] < scores[-1] == dormant.MOST_SCORE


def test_it_is_reported_again_as_rows_double(dormant: ModuleType) -> None:
    """On the day of waking each doubling is a signal with all rows so far; the next day is an ordinary one."""
    said = lived(dormant.DETECTOR, 0, *[60] * 9, 61)
    assert [signal.rows for signal in said] == [10, 20, 40, 80]


def test_an_event_without_rows_is_none_of_its_business(dormant: ModuleType) -> None:
    """A login after months is left to others, and does not end the silence."""
    state = dormant.DETECTOR.State()
    assert lived(dormant.DETECTOR, 0, state=state) == []
    assert lived(dormant.DETECTOR, 60, rows=0, state=state) == []
    assert len(lived(dormant.DETECTOR, 61, state=state)) == 1


def test_a_late_event_changes_nothing(dormant: ModuleType) -> None:
    """An event of a day before the last neither wakes the account nor puts it to sleep."""
    assert lived(dormant.DETECTOR, 100, 3, 101) == []


def test_its_state_is_small_and_survives_a_restart(dormant: ModuleType) -> None:
    """Encoded and decoded it says the same as without, in at most 32 bytes; an empty one decodes to the defaults."""
    state = dormant.DETECTOR.State()
    lived(dormant.DETECTOR, 0, 1, 2, state=state)
    packed = msgspec.msgpack.encode(state)
    assert len(packed) <= 32
    again = msgspec.msgpack.decode(packed, type=dormant.DETECTOR.State)
    assert lived(dormant.DETECTOR, 70, state=again) == lived(dormant.DETECTOR, 70, state=state)
    assert msgspec.msgpack.decode(b"\x90", type=dormant.DETECTOR.State) == dormant.DETECTOR.State()


def test_an_installed_detector_is_discovered(tmp_path: Path) -> None:
    """crmwatch finds the package by its entry point, with the version that the state will name."""
    script = "from streams.plugins import discover; print(discover().versions, discover().detectors[0].name)"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=installed(tmp_path, "detector"), cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.stdout == "{'detector dormant': 'crmwatch-dormant 1.0.0'} dormant\n", ran.stderr
