"""A tenant's odd mixtures: each identity's day as a few figures, held against those of its peers' closed days.

It only ever supports: an odd day opens no incident, but adds to one that is open.
"""

from __future__ import annotations

import msgspec

from detector.fleet.forest import Forest, unit
from detector.fleet.population import day_known_at
from detector.signal import Signal, Span

__all__ = ["Mixtures", "features"]

FEATURES = ("rows", "hour", "operation", "week", "channels", "internal", "drip")
MOST_ROWS, MOST_FEW = 1_000_000.0, 20.0


class _Vector(msgspec.Struct, array_like=True):
    features: list[float]
    alarmed: bool


def features(signal: Signal) -> tuple[float, ...]:
    """What a day that is over looks like, each figure from 0 to 1.

    >>> from detector.signal import SignalKind
    >>> features(Signal(kind=SignalKind.CLOSED, detector="", time_ms=0, day=0, first_ms=0, last_ms=0))
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    """
    rows = hour = operation = week = internal = channels = 0
    for measure in signal.measures:
        if measure.span is Span.OPERATION:
            operation = max(operation, measure.value)
        elif measure.span is Span.WEEK:
            week = measure.value
        elif measure.channel == "all":
            if measure.span is Span.HOUR:
                hour = measure.value
            else:
                rows = measure.value
        elif measure.span is Span.DAY:
            channels += 1
            if measure.channel.endswith(":internal"):
                internal += measure.value
    return (
        unit(rows, MOST_ROWS),
        unit(hour, MOST_ROWS),
        unit(operation, MOST_ROWS),
        unit(week, MOST_ROWS),
        unit(channels, MOST_FEW),
        unit(internal, MOST_ROWS),
        unit(signal.facts.get("drip", 0.0), MOST_FEW),
    )


class Mixtures:
    """A forest for each tenant and group of peers, and the days that none has learned yet.

    `forests` and `waiting` are all its state, by name; what has changed since they were saved is in the sets.
    """

    def __init__(self) -> None:
        self.forests: dict[str, Forest] = {}
        self.waiting: dict[tuple[int, str], dict[str, _Vector]] = {}
        self.changed_forests: set[str] = set()
        self.changed: set[tuple[int, str, str]] = set()
        self.learned: list[tuple[int, str, str]] = []
        """Vectors that were learned since they were saved, and need to be kept no longer."""

    def learn(self, signal: Signal) -> None:
        """Learn its peers' days that are closed by now."""
        self._learn(f"{signal.tenant}|{signal.peers}", day_known_at(signal.time_ms))

    def surprise(self, signal: Signal) -> float:
        """How odd a day that is over is among the days that `learn` has learned, in -log10 of their share."""
        forest = self.forests.get(f"{signal.tenant}|{signal.peers}")
        return 0.0 if forest is None else forest.score(features(signal)).surprise

    def add(self, signal: Signal, day: int, *, alarmed: bool) -> None:
        """Keep a day until the day on which it became known is closed."""
        name = f"{signal.tenant}|{signal.peers}"
        self.waiting.setdefault((day, name), {})[signal.actor] = _Vector(list(features(signal)), alarmed)
        self.changed.add((day, name, signal.actor))

    def restore(self, name: str, data: bytes) -> None:
        """Put a saved forest back. Raises `ForestError`."""
        self.forests[name] = Forest.decode(data)

    def restore_waiting(self, day: int, name: str, actor: str, data: bytes) -> None:
        """Put a saved day back. Raises `msgspec.DecodeError`."""
        self.waiting.setdefault((day, name), {})[actor] = msgspec.msgpack.decode(data, type=_Vector)

    def encoded(self, day: int, name: str, actor: str) -> bytes:
        """A day that waits, as bytes."""
        return msgspec.msgpack.encode(self.waiting[day, name][actor])

    def _learn(self, name: str, known: int) -> None:
        for day, group in sorted(key for key in self.waiting if key[1] == name and key[0] <= known):
            forest = self.forests.get(name)
            if forest is None:
                forest = self.forests[name] = Forest(len(FEATURES), seed=1)
            for actor, vector in sorted(self.waiting.pop((day, group)).items()):
                forest.learn(vector.features, alarmed=vector.alarmed)
                self.changed.discard((day, group, actor))
                self.learned.append((day, group, actor))
            self.changed_forests.add(name)
