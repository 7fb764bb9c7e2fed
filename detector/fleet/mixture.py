"""Scores odd mixtures: each identity's day as a few figures, compared with its peers' closed days.

It only supports: an odd day opens no incident, but adds to an open one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from detector.anomaly import Anomaly
from detector.explanation import Explanation
from detector.fleet.forest import Forest, unit
from detector.fleet.population import day_known_at
from detector.keyed_state import KeyedState, Prefix
from detector.message import Message, message
from detector.name_order import in_order
from detector.signal import Signal, Span

__all__ = ["Mixtures", "features"]

FEATURES = ("rows", "hour", "operation", "week", "channels", "internal", "drip")
MOST_ROWS, MOST_FEW = 1_000_000.0, 20.0
STEP_VECTORS = 200
"""How many days a step of `Mixtures.learn` learns."""


class _Vector(msgspec.Struct, array_like=True, gc=False):
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
        self._waiting: dict[str, dict[int, dict[str, _Vector]]] = {}  # peers → day → actor
        self._saved_forests = KeyedState(Prefix.FOREST, Forest.encode, self._restore_forest)
        self._saved_vectors = KeyedState(Prefix.VECTOR, msgspec.msgpack.encode, self._restore_vector)
        self.states = self._saved_forests, self._saved_vectors

    def learn(self, signal: Signal) -> Iterator[None]:
        """Learn its peers' days that are closed by now, in steps."""
        name = f"{signal.tenant}|{signal.peers}"
        waiting = self._waiting.get(name)
        if waiting is None:
            return
        known = day_known_at(signal.time_ms)
        for day in sorted(day for day in waiting if day <= known):
            forest = self._forests.get(name)
            if forest is None:
                forest = self._forests[name] = Forest(len(FEATURES), seed=1)
            self._saved_forests.change(name, forest)
            for number, actor in enumerate(in_order(waiting[day]), 1):
                vector = waiting[day].pop(actor)
                forest.learn(vector.features, alarmed=vector.alarmed)
                self._saved_vectors.drop(_vector_name(day, name, actor))
                if not number % STEP_VECTORS:
                    yield
            del waiting[day]
        if not waiting:
            del self._waiting[name]

    def surprise(self, signal: Signal) -> float:
        """How odd a day that is over is among the days that `learn` has learned, in -log10 of their share."""
        forest = self._forests.get(f"{signal.tenant}|{signal.peers}")
        return 0.0 if forest is None else forest.score(features(signal)).surprise

    def add(self, signal: Signal, day: int, *, alarmed: bool) -> None:
        """Keep a day until the day on which it became known is closed."""
        name = f"{signal.tenant}|{signal.peers}"
        vector = _Vector(list(features(signal)), alarmed)
        self._waiting.setdefault(name, {}).setdefault(day, {})[signal.actor] = vector
        self._saved_vectors.change(_vector_name(day, name, signal.actor), vector)

    def _restore_forest(self, name: str, data: bytes) -> None:
        """Raises `ForestError`."""
        self._forests[name] = Forest.decode(data)

    def _restore_vector(self, name: str, data: bytes) -> None:
        """Raises msgspec's `DecodeError`, or `ValueError` for a bad name."""
        day, _, about = name.partition("|")
        group, _, actor = about.partition("\x1f")
        vector = msgspec.msgpack.decode(data, type=_Vector)
        self._waiting.setdefault(group, {}).setdefault(int(day), {})[actor] = vector


def _vector_name(day: int, group: str, actor: str) -> str:
    return f"{day}|{group}\x1f{actor}"


def _title(anomaly: Anomaly, who: str) -> Message:
    return message("title.other", "Unusual access by {who}", who=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    return message("population.reason", "Taken together, what it did that day is a rare mixture")


DETECTOR = Explanation(name="population", title=_title, reason=_reason, support=0.05)
"""It never opens an incident: more of it buried thefts under days that were only odd."""
