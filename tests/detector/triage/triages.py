"""Signals as triage gets them, and desks that are told them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from detector.alert.alert import Alert
from detector.settings import Settings
from detector.signal import Signal, evidence
from detector.triage.triage import Triage, settled_at
from tests.detector.make import HOUR_MS, START_MS, event, measure, signal

SETTINGS = Settings()
NOON_MS = START_MS + 12 * HOUR_MS
Store = dict[bytes, bytes]


def crossed(sequence: int, rows: int, hours: float = 0.0, **fields: Any) -> Signal:
    """So many rows have left by so many hours after noon, of somebody well known."""
    given: dict[str, Any] = {
        "time_ms": NOON_MS + round(hours * HOUR_MS),
        "measures": [measure(rows)],
        "evidence": evidence(event(sequence, rows=rows), rows),
    }
    return signal(sequence, **(given | fields))


def found(sequence: int, detector: str, score: float, hours: float = 0.0, **fields: Any) -> Signal:
    """A detector says how strange something is, whatever its rows."""
    given: dict[str, Any] = {"measures": [], "rows": 0, "evidence": None, "channel": "login"}
    time_ms = NOON_MS + round(hours * HOUR_MS)
    return signal(sequence, **({"time_ms": time_ms} | given | fields), detector=detector, score=score)


def told(alerts: Iterable[Alert]) -> list[tuple[str, int]]:
    """What kind of alerts, with how many rows."""
    return [(alert.activity.name, json.loads(alert.body)["count"]) for alert in alerts]


def body(alert: Alert) -> Any:
    """What an alert says."""
    return json.loads(alert.body)


def tell(triage: Triage, *signals: Signal) -> list[Alert]:
    """Signals as triage gets them: once what they rest on is known, and sharing nothing with anybody."""
    alerts = []
    for one in signals:
        alerts += triage.advance(settled_at(one.time_ms))
        alerts += triage.assess(msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Signal))
    return alerts


def save(triage: Triage) -> None:
    """Make all of it durable."""
    triage.saved(triage.changes())


def anew(triage: Triage, store: Store, config: Settings = SETTINGS) -> Triage:
    """Another desk that takes over what is durable of this one."""
    save(triage)
    again = Triage(config, store)
    again.restore(list(store))
    return again
