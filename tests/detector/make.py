"""Events, signals and small worlds, made for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from detector.adapters import decode
from detector.alert import Alert
from detector.engine import Engine
from detector.event import AccessEvent, ActorKind, Operation, Origin
from detector.settings import Settings
from detector.signal import Signal, SignalKind
from detector.simulation import Theft, World, records

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
START_DAY = START_MS // DAY_MS
THIEF = "00D4R000001kSkyUAE/0054R9000000000QAA"
THIEF_IP = "192.0.2.77"
THEFT = Theft(start_ms=START_MS + (6 * 24 + 3) * HOUR_MS + 600_000)


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
        "origin": Origin("test", f"log:{number}"),
    }
    return AccessEvent(**(given | fields))


def signal(sequence: int = 1, **fields: Any) -> Signal:
    """A signal about that user's first hour, with a level of its own around 55 rows."""
    given: dict[str, Any] = {
        "kind": SignalKind.CLOSED,
        "detector": "volume",
        "channel": "query",
        "horizon_ms": HOUR_MS,
        "start_ms": START_MS,
        "time_ms": START_MS + 2 * HOUR_MS,
        "value": 50,
        "own_windows": 20,
        "own_mean": 4.0,
        "own_variance": 0.3,
        "own_bound": 200.0,
        "crossed": False,
        "first_ms": START_MS,
        "last_ms": START_MS + 60_000,
        "tenant": "t",
        "actor": "u",
        "sequence": sequence,
    }
    return Signal(**(given | fields))


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
