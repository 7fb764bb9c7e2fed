"""Events, signals and small worlds, made for the tests of the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

from detector.adapters import decode
from detector.alert.alert import Alert
from detector.decision import Decision, DecisionSubject, Kind
from detector.engine import Engine
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin
from detector.keyed_state import Changes
from detector.settings import Settings
from detector.signal import Familiarity, Measure, NewValue, Signal, SignalKind, Span
from detector.simulation import Theft, World, records
from detector.units import DAY_MS, HOUR_MS

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
START_DAY = START_MS // DAY_MS
THIEF = "00D4R000001kSkyUAE/0054R9000000000QAA"
THIEF_IP = "192.0.2.77"
THEFT = Theft(start_ms=START_MS + (6 * 24 + 3) * HOUR_MS + 600_000)


T = TypeVar("T")


def all_of(steps: Iterable[list[T]]) -> list[T]:
    """What all steps of a piece of work have yielded."""
    return [item for step in steps for item in step]


def whole(slices: Iterable[Changes]) -> Changes:
    """All slices of a save as one."""
    return {key: value for part in slices for key, value in part.items()}


def exhaust(steps: Iterable[None]) -> None:
    """Do all steps of a piece of work."""
    deque(steps, maxlen=0)


def event(number: int = 0, **fields: Any) -> AccessEvent:
    """An access by one user; `number` makes it another one, later by as many seconds."""
    given: dict[str, Any] = {
        "time_ms": START_MS + 1000 * number,
        "event_id": f"e-{number}",
        "tenant": "t",
        "actor": "u",
        "actor_kind": ActorKind.HUMAN,
        "operation": Operation.QUERY,
        "rows": 1,
        "objects": ("Case",),
        "origin": RecordOrigin("test", f"log:{number}"),
    }
    return AccessEvent(**(given | fields))


def decision(
    kind: Kind,
    time_ms: int,
    incident: str = "",
    identity: str = "",
    *,
    by: str = "",
    reason: str = "",
    withdraws: str = "",
    **payload: Any,
) -> Decision:
    """A decision; `payload` are its kind's own fields."""
    return Decision(
        kind=kind,
        subject=DecisionSubject(incident=incident, identity=identity),
        by=by,
        time_ms=time_ms,
        reason=reason,
        withdraws=withdraws,
        payload=payload,
    )


def withdrawn(target: Decision, time_ms: int, reason: str = "") -> Decision:
    """The withdrawal of a decision."""
    return Decision(
        kind=target.kind, subject=target.subject, time_ms=time_ms, withdraws=target.id, reason=reason
    )


def measure(value: int = 500, **fields: Any) -> Measure:
    """A quantity beside a level of its own around 55; by default rows queried in a day."""
    given: dict[str, Any] = {
        "detector": "volume",
        "channel": Operation.QUERY.value,
        "span": Span.DAY,
        "value": value,
        "days": 20,
        "mean": 4.0,
        "variance": 0.3,
        "familiarity": Familiarity.REGULARLY,
    }
    return Measure(**(given | fields))


def new(what: str = "network", value: str = "192.0.2.0/24", **fields: Any) -> NewValue:
    """Something first seen just now on an identity that shows something new of the sort on few days."""
    given: dict[str, Any] = {
        "what": what,
        "value": value,
        "news": 1.0,
        "days": 20.0,
        "age_days": 0.0,
        "rows": 0,
    }
    return NewValue(**(given | fields))


def signal(sequence: int = 1, **fields: Any) -> Signal:
    """That user's volume of the first day has crossed its bound at noon; `fields` make it another signal.

    The day, the first and last event and the rows follow from the time and the measures, unless given.
    """
    time_ms: int = fields.get("time_ms", START_MS + DAY_MS // 2)
    measures: list[Measure] = fields.get("measures", [measure()])
    rows: int = fields.get("rows", max((found.value for found in measures), default=0))
    given: dict[str, Any] = {
        "kind": SignalKind.CROSSED,
        "detector": "volume",
        "time_ms": time_ms,
        "day": time_ms // DAY_MS,
        "first_ms": time_ms,
        "last_ms": time_ms,
        "channel": Operation.QUERY.value,
        "rows": rows,
        "objects": {"Case": rows} if rows else {},
        "measures": measures,
        "tenant": "t",
        "actor": "u",
        "actor_kind": ActorKind.HUMAN,
        "peers": ActorKind.HUMAN.value,
        "known_days": 20,
        "sequence": sequence,
    }
    return Signal(**(given | fields))


def closed(sequence: int = 1, day: int = START_DAY, **fields: Any) -> Signal:
    """A day of that user is over; by default one like the others, told an hour after its end."""
    given: dict[str, Any] = {
        "kind": SignalKind.CLOSED,
        "detector": "",
        "channel": "",
        "rows": 0,
        "time_ms": (day + 1) * DAY_MS + HOUR_MS,
        "day": day,
        "first_ms": day * DAY_MS,
        "last_ms": day * DAY_MS,
        "measures": [measure(55)],
        "objects": {},
    }
    return signal(sequence, **(given | fields))


@lru_cache(maxsize=4)
def world(
    seed: int, hours: int, theft: Theft | None = None, people: int = 60, integrations: int = 6
) -> tuple[AccessEvent, ...]:
    """A simulated world's events, in the order in which a replay has them."""
    made = World(seed=seed, start_ms=START_MS, hours=hours, people=people, integrations=integrations)
    events = [
        decode(record, f"world.jsonl:{number}") for number, (_, record) in enumerate(records(made, theft), 1)
    ]
    return tuple(sorted(events, key=lambda found: (found.time_ms, found.event_id)))


def alerts_of(events: Iterable[AccessEvent], settings: Settings | None = None) -> list[Alert]:
    """What the engine says about events."""
    engine = Engine(settings or Settings())
    alerts: list[Alert] = []
    last_ms = 0
    for found in events:
        alerts += engine.observe(found)
        last_ms = found.time_ms
    return alerts + engine.finish(last_ms)
