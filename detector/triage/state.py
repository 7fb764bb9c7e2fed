"""Where one identity, or one network, stands: its open incident and its days that are not over."""

from __future__ import annotations

import msgspec

from detector.alert import ocsf as alert
from detector.fleet.burst import Shown
from detector.triage.former import FORMER_VERSION, taken_over
from detector.triage.incident import Incident

__all__ = ["DESK_VERSION", "DeskError", "Standing", "decode", "note"]

DESK_VERSION = 2
MAX_DAYS = 4
"""How many days not over a standing remembers its greatest scores of."""


class DeskError(ValueError):
    """A stored value of triage that cannot be read."""


class Standing(msgspec.Struct, array_like=True):
    """Where one identity, or one network, stands."""

    version: int = DESK_VERSION
    sequence: int = 0
    """The last signal judged."""
    incident: Incident | None = None
    greatest: dict[int, dict[str, float]] = {}
    """Day not over → detector → its greatest score of that day; under ``risk`` the greatest risk."""
    shown: dict[str, Shown] = {}
    """Kind of evidence → what it has been counted for today."""


class _Version(msgspec.Struct, array_like=True):
    version: int


_versions = msgspec.msgpack.Decoder(_Version)
_decoder = msgspec.msgpack.Decoder(Standing)


def decode(name: str, data: bytes) -> Standing:
    """The standing of that name that was stored; of an earlier version, what can be taken over of it.

    Raises `DeskError`.
    """
    try:
        version = _versions.decode(data).version
        if version == FORMER_VERSION:
            sequence, incident = taken_over(data)
            if incident is not None:
                incident.published_risk = alert.incident_risk(incident, incident.modified_ms)
            return Standing(sequence=sequence, incident=incident)
        if version == DESK_VERSION:
            return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeskError(f"{name}: not a value of triage: {error}") from error
    raise DeskError(f"{name}: version {version}; this release reads {DESK_VERSION} and {FORMER_VERSION}")


def note(standing: Standing, day: int, name: str, score: float) -> None:
    """Remember the greatest score of a day."""
    scores = standing.greatest.get(day)
    if scores is None:
        scores = standing.greatest[day] = {}
        if len(standing.greatest) > MAX_DAYS:
            del standing.greatest[min(standing.greatest)]
    if score > scores.get(name, 0.0):
        scores[name] = score
