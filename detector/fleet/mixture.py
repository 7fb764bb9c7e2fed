"""Scores odd mixtures: each identity's day as a few figures, compared with its peers' closed days.

It only supports: an odd day opens no incident, but adds to an open one.
"""

from __future__ import annotations

import msgspec

from detector.fleet.forest import Forest, unit
from detector.fleet.population import day_known_at
from detector.signal import Signal, Span

__all__ = ["FOREST", "VECTOR", "Mixtures", "features"]

FOREST = b"f"
VECTOR = b"v"
"""What the keys of stored values begin with."""

FEATURES = ("rows", "hour", "operation", "week", "channels", "internal", "drip")
MOST_ROWS, MOST_FEW = 1_000_000.0, 20.0


class _Vector(msgspec.Struct, array_like=True):
    features: list[float]
    alarmed: bool


def features(signal: Signal) -> tuple[float, ...]:
    """The features of a closed day, each from 0 to 1.

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
    """A forest for each tenant and group of peers, and the days that none has learned yet."""

    def __init__(self) -> None:
        self._forests: dict[str, Forest] = {}
        self._waiting: dict[tuple[int, str], dict[str, _Vector]] = {}
        self._dirty_forests: set[str] = set()
        self._dirty: set[tuple[int, str, str]] = set()
        self._gone: list[tuple[int, str, str]] = []  # learned since they were saved

    def learn(self, signal: Signal) -> None:
        """Learn its peers' days that are closed by now."""
        self._learn(f"{signal.tenant}|{signal.peers}", day_known_at(signal.time_ms))

    def surprise(self, signal: Signal) -> float:
        """How odd a day that is over is among the days that `learn` has learned, in -log10 of their share."""
        forest = self._forests.get(f"{signal.tenant}|{signal.peers}")
        return 0.0 if forest is None else forest.score(features(signal)).surprise

    def add(self, signal: Signal, day: int, *, alarmed: bool) -> None:
        """Keep a day until the day on which it became known is closed."""
        name = f"{signal.tenant}|{signal.peers}"
        self._waiting.setdefault((day, name), {})[signal.actor] = _Vector(list(features(signal)), alarmed)
        self._dirty.add((day, name, signal.actor))

    def restore(self, key: bytes, data: bytes) -> None:
        """Take up a stored value. Raises `ForestError`, msgspec's `DecodeError`, or `ValueError` for a bad key."""
        name = key[1:].decode("utf-8", "replace")
        if key[:1] == FOREST:
            self._forests[name] = Forest.decode(data)
        else:
            day, _, about = name.partition("|")
            group, _, actor = about.partition("\x1f")
            vector = msgspec.msgpack.decode(data, type=_Vector)
            self._waiting.setdefault((int(day), group), {})[actor] = vector

    def changes(self) -> dict[bytes, bytes | None]:
        """The values changed since `saved`, encoded; ``None`` for one that is gone."""
        changed: dict[bytes, bytes | None] = {_vector_key(*gone): None for gone in self._gone}
        for day, group, actor in sorted(self._dirty):
            vector = self._waiting[day, group][actor]
            changed[_vector_key(day, group, actor)] = msgspec.msgpack.encode(vector)
        for name in sorted(self._dirty_forests):
            changed[FOREST + name.encode()] = self._forests[name].encode()
        return changed

    def saved(self) -> None:
        """What `changes` gave is durable."""
        self._gone.clear()
        self._dirty.clear()
        self._dirty_forests.clear()

    @property
    def dirty(self) -> int:
        """How many values have changed since they were saved."""
        return len(self._gone) + len(self._dirty) + len(self._dirty_forests)

    def _learn(self, name: str, known: int) -> None:
        for day, group in sorted(key for key in self._waiting if key[1] == name and key[0] <= known):
            forest = self._forests.get(name)
            if forest is None:
                forest = self._forests[name] = Forest(len(FEATURES), seed=1)
            for actor, vector in sorted(self._waiting.pop((day, group)).items()):
                forest.learn(vector.features, alarmed=vector.alarmed)
                self._dirty.discard((day, group, actor))
                self._gone.append((day, group, actor))
            self._dirty_forests.add(name)


def _vector_key(day: int, group: str, actor: str) -> bytes:
    return VECTOR + f"{day}|{group}\x1f{actor}".encode()
