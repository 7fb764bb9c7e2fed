"""What stands out: the most surprising thing that one detector has reported of an incident."""

from __future__ import annotations

import msgspec

from detector.signal import NewValue

__all__ = ["Anomaly"]


class Anomaly(msgspec.Struct, array_like=True):
    """The most surprising that one detector has said."""

    detector: str
    channel: str
    span: str
    time_ms: int
    first_ms: int
    last_ms: int
    surprise: float
    value: int = 0
    typical: float = 0.0
    bound: float = 0.0
    own_days: int = 0
    population_days: int = 0
    """How many of its peers' days the surprise was counted over; newer days weigh more."""
    news: list[NewValue] = []
    facts: dict[str, float] = {}
    rows: int = 0
    discount: float = 0.0
    """By how much its surprise was lowered because many others show the same on that day."""
    strangeness: dict[str, float] = {}
    """For one that rests on news: how unusual the strangest of each sort is."""
