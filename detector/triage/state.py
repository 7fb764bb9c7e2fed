"""Where one identity, or one network, stands: its open incident and its days that are not over."""

from __future__ import annotations

from math import inf

import msgspec

from detector.errors import CrmwatchError
from detector.fleet.burst import ShownSurprise
from detector.triage.incident import Incident

__all__ = ["TRIAGE_VERSION", "TriageState", "TriageStateError", "decode", "record_peak_score"]

TRIAGE_VERSION = 3
MAX_DAYS = 4
"""How many days not over a standing remembers its greatest scores of."""


class TriageStateError(CrmwatchError, ValueError):
    """A stored value of triage that cannot be read."""


class TriageState(msgspec.Struct, array_like=True):
    """Where one identity, or one network, stands."""

    version: int = TRIAGE_VERSION
    sequence: int = 0
    """The last signal judged."""
    incident: Incident | None = None
    peaks: dict[int, dict[str, float]] = {}
    """Day not over → detector → its greatest score of that day; under ``rank`` the greatest rank."""
    shown: dict[str, ShownSurprise] = {}
    """Kind of evidence → what it has been counted for today."""


class _Version(msgspec.Struct, array_like=True):
    version: int


_versions = msgspec.msgpack.Decoder(_Version)
_decoder = msgspec.msgpack.Decoder(TriageState)


def decode(data: bytes) -> TriageState:
    """A stored state. Raises `TriageStateError`."""
    try:
        version = _versions.decode(data).version
        if version == TRIAGE_VERSION:
            return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TriageStateError(f"not a value of triage: {error}") from error
    raise TriageStateError(f"version {version}; this release reads {TRIAGE_VERSION}")


def record_peak_score(state: TriageState, day: int, name: str, score: float) -> None:
    """Remember the greatest score of a day."""
    scores = state.peaks.get(day)
    if scores is None:
        scores = state.peaks[day] = {}
        if len(state.peaks) > MAX_DAYS:
            del state.peaks[min(state.peaks)]
    if score > scores.get(name, -inf):
        scores[name] = score
