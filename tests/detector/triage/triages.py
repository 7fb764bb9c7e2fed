"""Signals as triage gets them, and triage steps that are given them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from detector.alert.alert import Alert
from detector.alert.build import alerts_of
from detector.detectors import BUILT_IN
from detector.keyed_state import Changes
from detector.settings import Settings
from detector.signal import Signal, evidence
from detector.triage.assessor import Assessor
from detector.triage.triage import Triage, settled_at
from detector.units import HOUR_MS
from tests.detector.make import START_MS, all_of, event, exhaust, measure, signal, whole
from tests.detector.triage.plain import PlainAssessor

SETTINGS = Settings()
NOON_MS = START_MS + 12 * HOUR_MS
Store = dict[bytes, bytes]


class AlertingTriage:
    """A triage step whose publications come as alerts, with the plain assessor unless another is given."""

    def __init__(self, config: Settings, store: Store, assessor: Assessor | None = None) -> None:
        self._triage = Triage(config, store, BUILT_IN.explanations, assessor or PlainAssessor(config.triage))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._triage, name)

    def assess(self, signal: Signal, *, provisional: bool = False) -> list[Alert]:
        """The alerts that follow from a signal."""
        return alerts_of(self._triage.assess(signal, provisional=provisional), BUILT_IN.explanations)

    def advance(self, watermark_ms: int) -> list[Alert]:
        """The alerts that follow from time passing."""
        return alerts_of(all_of(self._triage.advance(watermark_ms)), BUILT_IN.explanations)

    def changes(self) -> Changes:
        """All that has changed since it was saved."""
        return whole(self._triage.changes())

    def restore(self, keys: Iterable[bytes]) -> None:
        """Take up stored values."""
        exhaust(self._triage.restore(keys))


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


def tell(triage: AlertingTriage, *signals: Signal) -> list[Alert]:
    """Signals as triage gets them: once what they rest on is known, and sharing nothing with anybody."""
    alerts = []
    for one in signals:
        alerts += triage.advance(settled_at(one.time_ms))
        alerts += triage.assess(msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Signal))
    return alerts


def save(triage: AlertingTriage) -> None:
    """Make all of it durable."""
    triage.saved(triage.changes())


def anew(triage: AlertingTriage, store: Store, config: Settings = SETTINGS) -> AlertingTriage:
    """Another triage step that takes over what is durable of this one."""
    save(triage)
    again = AlertingTriage(config, store)
    again.restore(list(store))
    return again
