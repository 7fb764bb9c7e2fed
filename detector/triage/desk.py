"""The triage step: signals in, alerts out.

It holds what is known of a tenant as a whole, its population and its incidents, and decides what is worth a
human. A decision rests on the population's closed days and on the identity's own signals in their order, on
nothing else; `settled_at` says when those days are closed.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from math import inf

import msgspec

from detector import alert
from detector.alert import Activity, Alert
from detector.fleet import population
from detector.fleet.population import Cell, Expectation, Population, day_known_at
from detector.identity.windows import DAY_MS
from detector.settings import Settings
from detector.signal import Signal, SignalKind
from detector.triage import incident as incidents
from detector.triage import risk
from detector.triage.incident import Incident

__all__ = ["DESK_VERSION", "Desk", "DeskError", "Standing", "settled_at"]

DESK_VERSION = 1
_CELL = b"c"
_STANDING = b"s"


class DeskError(ValueError):
    """A stored value of triage that cannot be read."""


class Standing(msgspec.Struct, array_like=True):
    """Where one identity stands: the last signal judged, and its open incident."""

    version: int = DESK_VERSION
    sequence: int = 0
    incident: Incident | None = None


def settled_at(time_ms: int) -> int:
    """The watermark from which all days that a decision about `time_ms` rests on are closed."""
    return (day_known_at(time_ms) + 1) * DAY_MS


class Desk:
    """Incidents and population of the tenants in one shard; its encoded values are in a store."""

    def __init__(self, settings: Settings, store: MutableMapping[bytes, bytes]) -> None:
        self._settings = settings
        self._store = store
        self._population = Population(settings)
        self._standings: dict[str, Standing] = {}
        self._open: set[str] = set()
        self._dirty: set[str] = set()
        self._gone: set[bytes] = set()
        self._quiet_from: float = (
            inf  # event time before which no open incident can have been quiet for long enough
        )
        self._day = -1
        self.watermark_ms = -(1 << 62)
        """Event time up to which everything is known."""
        self.skipped = 0
        """Signals skipped because they had been judged before."""

    def restore(self, keys: Iterable[bytes]) -> None:
        """Take up the stored values of a shard that is taken over. Raises `DeskError` for a bad one."""
        for key in keys:
            name = key[1:].decode("utf-8", "replace")
            try:
                if key[:1] == _CELL:
                    self._population.restore(name, msgspec.msgpack.decode(self._store[key], type=Cell))
                    continue
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                raise DeskError(f"{name}: not a value of triage: {error}") from error
            standing = _decode(name, self._store[key])
            if standing.incident is not None:
                self._standings[name] = standing
                self._opened(name, standing.incident)

    def judge(self, signal: Signal, *, provisional: bool = False) -> list[Alert]:
        """Take a signal in; the alerts that follow from it.

        With `provisional`, the days that it rests on were not closed yet, and the incident will say so.
        """
        name = signal.identity
        standing = self._standing(name)
        if signal.sequence <= standing.sequence:
            self.skipped += 1
            return []
        standing.sequence = signal.sequence
        self._dirty.add(name)
        alerts = self._close_if_quiet(name, standing, signal.time_ms)
        expectation = self._population.expect(signal)
        if signal.kind is SignalKind.CLOSED:
            self._population.learn(signal, expectation, self.watermark_ms // DAY_MS)
        if signal.crossed:
            self._weigh(name, standing, signal, expectation, provisional=provisional)
            if standing.incident is not None and not signal.more:
                alerts += self._publish_if_due(standing.incident, signal.time_ms)
        return alerts

    def advance(self, watermark_ms: int) -> list[Alert]:
        """Everything before `watermark_ms` is known: close what has been quiet, forget what is too old."""
        if watermark_ms <= self.watermark_ms:
            return []
        self.watermark_ms = watermark_ms
        alerts = []
        if watermark_ms >= self._quiet_from:
            self._quiet_from = inf
            for name in sorted(self._open):
                standing = self._standing(name)
                alerts += self._close_if_quiet(name, standing, watermark_ms)
                if standing.incident is not None:
                    self._quiet_from = min(self._quiet_from, self._quiet_ms(standing.incident))
        day = watermark_ms // DAY_MS
        if day > self._day:
            self._day = day
            oldest = day - self._settings.triage.population_days - 2
            self._gone |= {_CELL + key.encode() for key in self._population.forget(oldest)}
        return alerts

    def changes(self) -> dict[bytes, bytes | None]:
        """The values changed since `saved`, encoded; ``None`` for one that is gone."""
        changed: dict[bytes, bytes | None] = dict.fromkeys(sorted(self._gone))
        for name in sorted(self._dirty):
            changed[_STANDING + name.encode()] = msgspec.msgpack.encode(self._standings[name])
        for key in sorted(self._population.dirty):
            changed[_CELL + key.encode()] = population.encode(self._population.cells[key])
        return changed

    def saved(self, changes: dict[bytes, bytes | None]) -> None:
        """Note that `changes` are durable; nothing may have been judged since they were asked for."""
        for key, value in changes.items():
            if value is None:
                self._store.pop(key, None)
            else:
                self._store[key] = value
        self._gone.clear()
        self._population.dirty.clear()
        self._standings = {name: self._standings[name] for name in self._open}  # the store has the others
        self._dirty.clear()

    @property
    def dirty(self) -> int:
        """How many values have changed since they were saved."""
        return len(self._dirty) + len(self._population.dirty) + len(self._gone)

    @property
    def open_incidents(self) -> list[Incident]:
        """The incidents that are open, by identity."""
        standings = (self._standing(name) for name in sorted(self._open))
        return [standing.incident for standing in standings if standing.incident is not None]

    def _standing(self, name: str) -> Standing:
        standing = self._standings.get(name)
        if standing is None:
            data = self._store.get(_STANDING + name.encode())
            standing = Standing() if data is None else _decode(name, data)
            self._standings[name] = standing
        return standing

    def _weigh(
        self, name: str, standing: Standing, signal: Signal, expectation: Expectation, *, provisional: bool
    ) -> None:
        """Let a crossed window open an incident or join the one that is open, if it is surprising enough."""
        triage = self._settings.triage
        incident = standing.incident
        if incident is None:
            if signal.kind is SignalKind.CLOSED or expectation.surprise < triage.support_surprise:
                return
            incident = Incident(
                tenant=signal.tenant,
                actor=signal.actor,
                actor_kind=signal.actor_kind,
                actor_name=signal.actor_name,
                opened_ms=signal.time_ms,
                first_ms=signal.first_ms,
                last_ms=signal.last_ms,
                modified_ms=signal.time_ms,
            )
            standing.incident = incident
            self._opened(name, incident)
        elif expectation.surprise < triage.support_surprise and not incidents.has_part(incident, signal):
            return
        incidents.add(incident, signal, expectation, triage.evidence_events)
        incident.provisional = incident.provisional or provisional

    def _opened(self, name: str, incident: Incident) -> None:
        self._open.add(name)
        self._quiet_from = min(self._quiet_from, self._quiet_ms(incident))

    def _quiet_ms(self, incident: Incident) -> int:
        return incident.last_ms + self._settings.triage.quiet_seconds * 1000

    def _publish_if_due(self, incident: Incident, time_ms: int) -> list[Alert]:
        triage = self._settings.triage
        points = alert.incident_risk(incident)
        severity = risk.severity(points)
        rows = incidents.rows_left(incident)
        if not incident.published:
            surprises = {found.detector: found.surprise for found in incident.findings.values()}
            if points < triage.alert_risk or risk.evidence(surprises) < triage.alert_surprise:
                return []
            activity = Activity.CREATE
        elif severity > incident.published_severity or rows >= incident.published_rows * triage.update_growth:
            activity = Activity.UPDATE
        else:
            return []
        return [_publish(incident, activity, time_ms, rows, severity)]

    def _close_if_quiet(self, name: str, standing: Standing, now_ms: int) -> list[Alert]:
        incident = standing.incident
        if incident is None:
            return []
        quiet_ms = self._quiet_ms(incident)
        if quiet_ms > now_ms:
            return []
        standing.incident = None
        self._open.discard(name)
        self._dirty.add(name)
        if not incident.published:
            return []
        severity = risk.severity(alert.incident_risk(incident))
        return [_publish(incident, Activity.CLOSE, quiet_ms, incidents.rows_left(incident), severity)]


def _decode(name: str, data: bytes) -> Standing:
    try:
        standing = msgspec.msgpack.decode(data, type=Standing)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeskError(f"{name}: not a value of triage: {error}") from error
    if standing.version != DESK_VERSION:
        raise DeskError(f"{name}: version {standing.version}; this release reads {DESK_VERSION}")
    return standing


def _publish(
    incident: Incident, activity: Activity, time_ms: int, rows: int, severity: risk.Severity
) -> Alert:
    incident.published += 1
    incident.published_rows = rows
    incident.published_severity = max(severity, incident.published_severity)
    return alert.build(incident, activity, time_ms)
