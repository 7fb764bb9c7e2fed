"""One event as the identity's detectors see it: with what it added, and where in the identity's life it lies."""

from __future__ import annotations

import msgspec

from detector.event import AccessEvent
from detector.settings import Indicator
from detector.signal import Measure

__all__ = ["ClosedDay", "Observation"]


class Observation(msgspec.Struct, gc=False):
    """What every detector needs to know of an event, computed once."""

    event: AccessEvent
    rows: int
    """Rows that left with it and had not been counted before."""
    operation_rows: int
    """Rows of the whole operation so far, this event included."""
    object: str
    """The kind of record that its rows count as: the most sensitive of those that it names."""
    personal: bool
    """Whether that holds more than the company's own data."""
    day: int
    """The day of its event time, since 1970 UTC."""
    hour: int
    """The hour of its event time, since 1970 UTC."""
    known_days: int
    """On how many days before the identity was active."""
    age_days: int
    """How many days ago it was first seen."""
    indicator: Indicator | None = None
    """The operator's indicator that its address, program or app matches."""
    grown: int = 0
    """By about how many entries of 64 bytes the states have grown with it, as its detectors note."""


class ClosedDay(msgspec.Struct, frozen=True, gc=False):
    """One of an identity's days that is over, as its detectors add to it while they learn it."""

    day: int
    known_days: int
    age_days: int
    time_ms: int
    """Event time at which its end became known."""
    measures: list[Measure]
    used: dict[str, list[int]]
    facts: dict[str, float]
    """Detector → its score of the day, from which triage learns how high the others' are."""
