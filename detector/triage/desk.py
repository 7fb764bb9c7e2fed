"""The triage step: signals in, alerts out.

It holds what is known of a tenant as a whole, its population, its networks and its incidents, and decides what
is worth a human. A decision about a moment rests on the identity's own signals in their order and on what was
known of others two ticks before, on nothing else; `settled_at` says from when that is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from fnmatch import fnmatchcase
from math import inf
from typing import Any

import msgspec

from detector import alert
from detector.alert import Activity, Alert
from detector.event import ActorKind
from detector.feedback import Decisions, Feedback
from detector.fleet import burst, origin, population
from detector.fleet.burst import Shown
from detector.fleet.mixture import Mixtures
from detector.fleet.origin import Newcomer, Origin
from detector.fleet.population import SETTLE_MS, TICK_MS, Population
from detector.fleet.rarity import strangeness
from detector.fleet.tenant import Notice, Tally, Tenant, close_tick
from detector.identity.level import DAY_MS
from detector.identity.novelty import network as network_of
from detector.settings import Settings
from detector.signal import Evidence, New, Signal, SignalKind, Span
from detector.triage import budget, risk
from detector.triage import incident as incidents
from detector.triage.former import FORMER_VERSION, taken_over
from detector.triage.incident import Finding, Incident

__all__ = ["DESK_VERSION", "Desk", "DeskError", "Standing", "settled_at"]

DESK_VERSION = 2
MAX_DAYS = 4
"""How many days not over a standing remembers its greatest scores of."""
NOTICE_RISK = 20
"""What is told of a tenant as a whole, or of a source, is to be known, not to wake somebody up."""
STEP_RISK = 10
"""An incident is published again when its risk has risen by so much."""
NEVER_MS = 1 << 62
_CELL = b"d"
_FORMER_CELL = b"c"
_STANDING = b"s"
_ORIGIN = b"o"
_PENDING = b"p"
_TENANT = b"t"
_TALLY = b"y"
_FOREST = b"f"
_VECTOR = b"v"
_AMOUNTS = ("volume", "export", "drip")
_CERTAIN = ("vendor", "intel")
"""Their scores are what they say."""
_ALONE = (*_CERTAIN, "drip")
"""What these say is not worth less for being said of many on one day."""


class DeskError(ValueError):
    """A stored value of triage that cannot be read."""


class Standing(msgspec.Struct, array_like=True):
    """Where one identity, or one network, stands."""

    version: int = DESK_VERSION
    sequence: int = 0
    """The last signal judged."""
    incident: Incident | None = None
    greatest: dict[int, dict[str, float]] = {}
    """Day not over → detector → its greatest score of that day; under ``risk`` the greatest risk."""
    shown: dict[str, Shown] = {}
    """Kind of evidence → what it has been counted for today."""


class _Version(msgspec.Struct, array_like=True):
    version: int


_versions = msgspec.msgpack.Decoder(_Version)
_decoder = msgspec.msgpack.Decoder(Standing)


class _Pending(msgspec.Struct, array_like=True):
    """Somebody who turned up on a network, to be entered when the tick closes."""

    tenant: str
    network: str
    actor: str
    newcomer: Newcomer
    evidence: Evidence | None


def settled_at(time_ms: int) -> int:
    """The watermark from which all that a decision about `time_ms` may know of others is complete."""
    return (time_ms - SETTLE_MS) // TICK_MS * TICK_MS + TICK_MS


class Desk:
    """Incidents and population of the tenants in one shard; its encoded values are in a store."""

    def __init__(self, settings: Settings, store: MutableMapping[bytes, bytes]) -> None:
        self._settings = settings
        self._triage = settings.triage
        self._fade = (
            1 / (settings.triage.half_life_seconds * 1000) if settings.triage.half_life_seconds else 0.0
        )
        self._store = store
        self._population = Population(settings)
        self._standings: dict[str, Standing] = {}
        self._origins: dict[str, Origin] = {}
        self._pending: dict[int, dict[str, _Pending]] = {}  # end of a tick → by tenant, network and actor
        self._tenants: dict[str, Tenant] = {}
        self._mixtures = Mixtures()
        self._tallies: dict[int, dict[str, Tally]] = {}  # end of a tick → tenant → what was counted
        self._open: set[str] = set()
        self._dirty: set[str] = set()
        self._dirty_tenants: set[str] = set()
        self._dirty_tallies: set[tuple[int, str]] = set()
        self._dirty_origins: set[str] = set()
        self._dirty_pending: set[bytes] = set()
        self._gone: set[bytes] = set()
        self._quiet_from: float = (
            inf  # event time before which no open incident can have been quiet for long enough
        )
        self._thresholds: dict[tuple[str, int], int] = {}
        self._hasty = False
        self._day = -1
        self._decisions = Decisions(settings.triage.feedback)
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
                    self._population.restore(name, self._store[key])
                elif key[:1] == _FORMER_CELL:
                    self._gone.add(key)
                elif key[:1] == _ORIGIN:
                    self._origins[name] = origin.decode(self._store[key])
                elif key[:1] == _PENDING:
                    end, _, about = name.partition("|")
                    waiting = msgspec.msgpack.decode(self._store[key], type=_Pending)
                    self._pending.setdefault(int(end), {})[about] = waiting
                elif key[:1] == _TENANT:
                    self._tenants[name] = msgspec.msgpack.decode(self._store[key], type=Tenant)
                elif key[:1] == _TALLY:
                    end, _, tenant = name.partition("|")
                    tally = msgspec.msgpack.decode(self._store[key], type=Tally)
                    self._tallies.setdefault(int(end), {})[tenant] = tally
                elif key[:1] == _FOREST:
                    self._mixtures.restore(name, self._store[key])
                elif key[:1] == _VECTOR:
                    end, _, about = name.partition("|")
                    group, _, actor = about.partition("\x1f")
                    self._mixtures.restore_waiting(int(end), group, actor, self._store[key])
                else:
                    standing = _decode(name, self._store[key])
                    if standing.incident is not None:
                        self._standings[name] = standing
                        self._opened(name, standing.incident)
                        if msgspec.msgpack.encode(standing) != self._store[key]:  # of an earlier version
                            self._dirty.add(name)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                if isinstance(error, DeskError):
                    raise
                raise DeskError(f"{name}: not a value of triage: {error}") from error

    def honour(self, feedback: Iterable[Feedback]) -> None:
        """Decide with this feedback from now on, and with what the settings hold."""
        self._decisions = Decisions((*self._triage.feedback, *feedback))
        self._quiet_from = -inf

    def judge(self, signal: Signal, *, provisional: bool = False) -> list[Alert]:
        """Take a signal in; the alerts that follow from it.

        With `provisional`, what it rests on was not complete yet, and the incident will say so.
        """
        name = signal.identity
        standing = self._standing(name)
        if signal.sequence <= standing.sequence:
            self.skipped += 1
            return []
        standing.sequence = signal.sequence
        self._dirty.add(name)
        if signal.kind is SignalKind.TALLY:
            self._count(signal)
            return []
        if self._hasty and not provisional:
            self._know_better()
        self._hasty = self._hasty or provisional
        alerts = self._settle(name, standing, signal.time_ms)
        over = signal.kind is SignalKind.CLOSED
        announced = self._announced(signal)
        weighed = not over and not (announced and signal.detector in _AMOUNTS)
        if over and not announced:
            weighed = self._mix(standing, signal)
        elif weighed:
            self._weigh(name, standing, signal, provisional=provisional)
        incident = standing.incident
        # The last of the signals that belong together may add nothing, and still all before it wait for it.
        if incident is not None and not signal.more and (weighed or incident.modified_ms == signal.time_ms):
            alerts += self._publish_if_due(standing, incident, signal.time_ms, signal.day)
        if over:
            self._learn(standing, signal, announced=announced)
        return alerts

    def advance(self, watermark_ms: int) -> list[Alert]:
        """Everything before `watermark_ms` is known: look at networks, close what has been quiet, forget."""
        if watermark_ms <= self.watermark_ms:
            return []
        if self._hasty:
            self._know_better()
        alerts = []
        for end in sorted(end for end in self._pending if end <= watermark_ms):
            alerts += self._close_tick(end)
        for end in sorted(
            end for end in self._tallies if end < watermark_ms
        ):  # told at their end, not before
            alerts += self._look_at_tenants(end)
        self.watermark_ms = watermark_ms
        if watermark_ms >= self._quiet_from:
            self._quiet_from = inf
            for name in sorted(self._open):
                standing = self._standing(name)
                alerts += self._settle(name, standing, watermark_ms)
                if standing.incident is not None:
                    self._quiet_from = min(self._quiet_from, self._due_ms(standing.incident))
        day = watermark_ms // DAY_MS
        if day > self._day:
            self._day = day
            self._thresholds.clear()
            oldest = day - self._triage.population_days - 2
            self._gone |= {_CELL + key.encode() for key in self._population.forget(oldest)}
            self._forget_origins(watermark_ms)
        return alerts

    def changes(self) -> dict[bytes, bytes | None]:
        """The values changed since `saved`, encoded; ``None`` for one that is gone."""
        changed: dict[bytes, bytes | None] = dict.fromkeys(sorted(self._gone))
        for name in sorted(self._dirty):
            changed[_STANDING + name.encode()] = msgspec.msgpack.encode(self._standings[name])
        for key, cell in self._population.changes().items():
            changed[_CELL + key.encode()] = cell
        for name in sorted(self._dirty_origins):
            changed[_ORIGIN + name.encode()] = origin.encode(self._origins[name])
        for pending_key in sorted(self._dirty_pending):
            end, _, about = pending_key[1:].decode().partition("|")
            changed[pending_key] = msgspec.msgpack.encode(self._pending[int(end)][about])
        for tenant in sorted(self._dirty_tenants):
            changed[_TENANT + tenant.encode()] = msgspec.msgpack.encode(self._tenants[tenant])
        for tick, tenant in sorted(self._dirty_tallies):
            tally = self._tallies[tick][tenant]
            ordered = Tally(tally.rows, dict(sorted(tally.sources.items())))
            changed[_tally_key(tick, tenant)] = msgspec.msgpack.encode(ordered)
        mixtures = self._mixtures
        for gone in mixtures.learned:
            changed[_vector_key(*gone)] = None
        for vector in sorted(mixtures.changed):
            changed[_vector_key(*vector)] = mixtures.encoded(*vector)
        for group in sorted(mixtures.changed_forests):
            changed[_FOREST + group.encode()] = mixtures.forests[group].encode()
        return changed

    def saved(self, changes: dict[bytes, bytes | None]) -> None:
        """Note that `changes` are durable; nothing may have been judged since they were asked for."""
        for key, value in changes.items():
            if value is None:
                self._store.pop(key, None)
            else:
                self._store[key] = value
        self._gone.clear()
        self._population.saved()
        self._standings = {name: self._standings[name] for name in self._open}  # the store has the others
        self._dirty.clear()
        self._dirty_origins.clear()
        self._dirty_pending.clear()
        self._dirty_tenants.clear()
        self._dirty_tallies.clear()
        self._mixtures.learned.clear()
        self._mixtures.changed.clear()
        self._mixtures.changed_forests.clear()

    @property
    def dirty(self) -> int:
        """How many values have changed since they were saved."""
        changed: tuple[set[Any], ...] = (
            self._dirty, self._dirty_origins, self._dirty_pending, self._dirty_tenants, self._dirty_tallies,
            self._gone, self._mixtures.changed, self._mixtures.changed_forests,
        )  # fmt: skip
        return self._population.dirty + sum(len(names) for names in changed)

    @property
    def open_risks(self) -> list[int]:
        """The risks, from 0 to 100, of the incidents that are open and published, as they stand now."""
        return [
            self._risk(incident, max(incident.modified_ms, self.watermark_ms))
            for incident in self.open_incidents
            if incident.published
        ]

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

    def _know_better(self) -> None:
        """Forget the figures that a provisional decision rested on: they were not complete."""
        self._hasty = False
        self._population.forget_sums()
        self._thresholds.clear()

    def _announced(self, signal: Signal) -> bool:
        """Whether unusual volume was announced for the event, or for any part of the day that is over."""
        if signal.kind is SignalKind.CLOSED or signal.detector == "drip":
            first_ms, last_ms = signal.day * DAY_MS, (signal.day + 1) * DAY_MS - 1
        else:
            first_ms = last_ms = signal.time_ms
        if self._decisions and self._decisions.expected(signal.identity, first_ms, last_ms):
            return True
        return any(window.overlaps(signal.actor, first_ms, last_ms) for window in self._triage.announced)

    def _learn(self, standing: Standing, signal: Signal, *, announced: bool) -> None:
        """Learn an identity's day that is over, and what its greatest scores were."""
        greatest = standing.greatest.pop(signal.day, {})
        standing.greatest = {day: scores for day, scores in standing.greatest.items() if day > signal.day}
        if announced:
            return
        day = self._population.learn(signal, self.watermark_ms // DAY_MS)
        alarmed = standing.incident is not None and standing.incident.published > 0
        self._mixtures.add(signal, day, alarmed=alarmed)
        for detector, score in (greatest | signal.facts).items():
            if detector == budget.NAME:
                self._population.count_at(signal.tenant, day, budget.NAME, round(score))
            else:
                self._population.count(signal.tenant, day, f"score|{signal.peers}|{detector}", score)

    def _mix(self, standing: Standing, signal: Signal) -> bool:
        """Let a day that is odd as a whole support an incident that is open; whether it does."""
        incident = standing.incident
        self._mixtures.learn(signal)
        surprise = 0.0 if incident is None else self._mixtures.surprise(signal)
        if incident is None or surprise < self._triage.support_surprise:
            return False
        finding = Finding(
            "population", "", "", signal.time_ms, signal.day * DAY_MS, (signal.day + 1) * DAY_MS - 1, surprise
        )
        known = incident.findings.get(finding.detector)
        if known is None or finding.surprise >= known.surprise:
            incident.findings[finding.detector] = finding
        return True

    def _weigh(self, name: str, standing: Standing, signal: Signal, *, provisional: bool) -> None:
        """Let a signal open an incident or join the one that is open, if it is surprising enough."""
        finding, score = self._judged(signal)
        if score > 0 and signal.detector != "drip":
            _note(standing, signal.day, signal.detector, score)
        if finding.surprise >= self._triage.support_surprise and signal.detector not in _ALONE:
            kind = risk.KINDS.get(signal.detector, signal.detector)
            about = self._population, signal.tenant, kind, standing.shown.get(kind), signal.time_ms
            own = finding.surprise
            finding.surprise = burst.shared(*about, own)
            if signal.time_ms >= self.watermark_ms and (shown := burst.count(*about, own)) is not None:
                standing.shown[kind] = shown
        self._turned_up(signal, finding)
        supports = finding.surprise >= self._triage.support_surprise
        incident = standing.incident
        if incident is None:
            if not supports:
                return
            incident = standing.incident = _new_incident(signal)
            self._opened(name, incident)
        elif not supports and signal.detector not in incident.findings:
            return
        incidents.add(
            incident, signal, finding if supports else None, self._triage.evidence_events, self._fade
        )
        incident.provisional = incident.provisional or provisional

    def _judged(self, signal: Signal) -> tuple[Finding, float]:
        """How surprising a signal is, as a finding; and the score that is to be learned of it, if any."""
        finding = Finding(
            signal.detector,
            signal.channel,
            "",
            signal.time_ms,
            signal.first_ms,
            signal.last_ms,
            0.0,
            facts=signal.facts,
            rows=signal.rows,
        )
        score = 0.0
        if signal.detector == "novelty":
            score, found = strangeness(self._population, signal, self._triage.own_networks)
            finding.surprise = self._population.surprise(signal, signal.detector, score)
            finding.news = [new for _, new in found[:5]]
        elif signal.detector in _CERTAIN:
            finding.surprise = signal.score
            finding.news = signal.news
        elif signal.score:
            score = signal.score
            finding.surprise = self._population.surprise(signal, signal.detector, score)
        for measure in signal.measures:
            expectation = self._population.expect(signal, measure)
            surprise = 0.0 if self._expected(signal, measure.span, measure.value) else expectation.surprise
            if surprise >= finding.surprise or not finding.span:
                finding.surprise = max(surprise, finding.surprise)
                finding.span = measure.span
                finding.value = measure.value
                finding.typical = expectation.typical
                finding.bound = expectation.bound
                finding.own_days = expectation.own_days
                finding.population_days = expectation.population_days
        return finding, score

    def _expected(self, signal: Signal, span: Span, value: int) -> bool:
        rows = max(
            (
                rows
                for pattern, rows in self._triage.expected_rows.items()
                if fnmatchcase(signal.actor, pattern)
            ),
            default=0.0,
        )
        return value <= rows * (7 if span is Span.WEEK else 1)

    def _opened(self, name: str, incident: Incident) -> None:
        self._open.add(name)
        self._quiet_from = min(self._quiet_from, self._due_ms(incident))

    def _publish_if_due(self, standing: Standing, incident: Incident, time_ms: int, day: int) -> list[Alert]:
        points = self._risk(incident, time_ms)
        severity = risk.severity(points)
        rows = incidents.rows_left(incident)
        if not incident.published:
            _note(standing, day, budget.NAME, float(points))
            if points < self._threshold(incident.tenant, time_ms):
                return []
            activity = Activity.CREATE
        elif (
            severity > incident.published_severity
            or rows >= incident.published_rows * self._triage.update_growth + 1
            or points >= incident.published_risk + STEP_RISK
        ):
            activity = Activity.UPDATE
        else:
            return []
        if self._muted(incident, time_ms):
            return []
        return [_publish(incident, activity, time_ms, rows, points)]

    def _risk(self, incident: Incident, time_ms: int) -> int:
        return (
            NOTICE_RISK if incident.source is not None else alert.incident_risk(incident, time_ms, self._fade)
        )

    def _threshold(self, tenant: str, time_ms: int) -> int:
        key = tenant, population.day_known_at(time_ms)
        threshold = self._thresholds.get(key)
        if threshold is None:
            threshold = budget.threshold(self._population, tenant, time_ms, self._triage)
            self._thresholds[key] = threshold
        return threshold

    def _settle(self, name: str, standing: Standing, now_ms: int) -> list[Alert]:
        """Confirm an incident that was found to be a breach, and close one that is over, by an event time."""
        incident = standing.incident
        if incident is None or self._due_ms(incident) > now_ms:
            return []
        self._dirty.add(name)
        ends_ms, word = self._ends(incident)
        alerts = self._confirm(incident, min(now_ms, ends_ms))
        if ends_ms > now_ms:
            return alerts
        standing.incident = None
        self._open.discard(name)
        if not incident.published:
            return alerts
        if word is not None:
            incident.word = word.words
        points = self._risk(incident, incident.modified_ms)
        return [
            *alerts,
            _publish(incident, Activity.CLOSE, ends_ms, incidents.rows_left(incident), points),
        ]

    def _confirm(self, incident: Incident, now_ms: int) -> list[Alert]:
        word = self._confirmation(incident)
        if word is None or word.honoured_ms > now_ms:
            return []
        incident.confirmed = True
        incident.word = word.words
        points = self._risk(incident, max(incident.modified_ms, word.honoured_ms))
        activity = Activity.UPDATE if incident.published else Activity.CREATE
        return [_publish(incident, activity, word.honoured_ms, incidents.rows_left(incident), points)]

    def _due_ms(self, incident: Incident) -> int:
        """The event time at which an incident is confirmed or closes, if nothing more is heard of it."""
        ends_ms, _ = self._ends(incident)
        word = self._confirmation(incident)
        return ends_ms if word is None else min(ends_ms, word.honoured_ms)

    def _ends(self, incident: Incident) -> tuple[int, Feedback | None]:
        """When it closes, and the operator's word if that is why."""
        if incident.source or incident.confirmed:  # a source is in trouble until it is known to be over
            quiet_ms = NEVER_MS
        else:
            quiet_ms = incident.modified_ms + self._triage.quiet_seconds * 1000
        word = self._decisions.ending(alert.incident_uid(incident)) if self._decisions else None
        if word is None or word.honoured_ms > quiet_ms:
            return quiet_ms, None
        return word.honoured_ms, word

    def _confirmation(self, incident: Incident) -> Feedback | None:
        if incident.confirmed or not self._decisions:
            return None
        return self._decisions.confirmation(alert.incident_uid(incident))

    def _muted(self, incident: Incident, time_ms: int) -> bool:
        decisions = self._decisions
        if not decisions:
            return False
        identity = f"{incident.tenant}/{incident.actor}"
        return decisions.muted(identity, time_ms) or decisions.muted(alert.incident_uid(incident), time_ms)

    # --- the tenant as a whole

    def _count(self, signal: Signal) -> None:
        """Add what a shard counted in a tick to what the others did."""
        end = max(signal.time_ms, -(-self.watermark_ms // TICK_MS) * TICK_MS)
        tally = self._tallies.setdefault(end, {}).setdefault(signal.tenant, Tally())
        tally.add(signal.rows, {name: round(events) for name, events in signal.facts.items()})
        self._dirty_tallies.add((end, signal.tenant))

    def _look_at_tenants(self, end: int) -> list[Alert]:
        alerts = []
        for tenant, tally in sorted(self._tallies.pop(end).items()):
            self._dirty_tallies.discard((end, tenant))
            self._gone.add(_tally_key(end, tenant))
            known = self._tenants.setdefault(tenant, Tenant())
            self._dirty_tenants.add(tenant)
            for notice in close_tick(known, end - TICK_MS, tally):
                alerts += self._notice(tenant, notice, end)
        return alerts

    def _notice(self, tenant: str, notice: Notice, now_ms: int) -> list[Alert]:
        """Tell of the volume as a whole, or of a source's trouble and its end."""
        detector = "health" if notice.source else "series"
        adapter, _, operation = notice.source.partition("/")
        name = f"{tenant}\x1f{detector} {adapter} {notice.trouble}"
        standing = self._standing(name)
        self._dirty.add(name)
        standing.sequence += 1
        alerts = self._settle(name, standing, now_ms)
        incident = standing.incident
        if notice.over:
            if incident is None:
                return alerts
            incident.apps.pop(operation, None)
            if incident.apps:
                return alerts
            standing.incident = None
            self._open.discard(name)
            return [_publish(incident, Activity.CLOSE, notice.time_ms, 0, incident.published_risk)]
        if incident is None:
            incident = standing.incident = Incident(
                tenant=tenant,
                actor="",
                actor_kind=ActorKind.HUMAN,
                actor_name=None,
                source=adapter,
                opened_ms=notice.time_ms,
                first_ms=notice.since_ms,
                last_ms=notice.time_ms,
                modified_ms=notice.time_ms,
            )
            self._opened(name, incident)
        incident.last_ms = incident.modified_ms = notice.time_ms
        if operation:
            incident.apps[operation] = round(notice.expected)
        incident.findings[detector] = Finding(
            detector,
            notice.trouble,
            "",
            notice.time_ms,
            notice.since_ms,
            notice.time_ms,
            notice.surprise,
            value=round(notice.observed),
            typical=notice.expected,
        )
        activity = Activity.UPDATE if incident.published else Activity.CREATE
        return [*alerts, _publish(incident, activity, notice.time_ms, 0, NOTICE_RISK)]

    # --- networks

    def _turned_up(self, signal: Signal, finding: Finding) -> None:
        """Let an identity that is new on a network wait for the tick's end, to be seen with others."""
        if signal.detector != "novelty" or signal.actor_kind is ActorKind.GUEST:
            return
        for new in finding.news:
            if new.what != "network":
                continue
            one = msgspec.structs.replace(signal, news=[msgspec.structs.replace(new, age_days=0.0)], rows=300)
            strange, _ = strangeness(self._population, one, self._triage.own_networks)
            if strange <= 0:
                continue
            end = origin.tick_end(max(signal.time_ms, self.watermark_ms))
            about = f"{signal.tenant}|{new.value}|{signal.actor}"
            newcomer = Newcomer(
                signal.time_ms - round(new.age_days * DAY_MS), new.rows, strange, signal.day, signal.objects
            )
            event = signal.evidence
            waiting = self._pending.setdefault(end, {})
            known = waiting.get(about)
            if known is not None and event is None:
                event = known.evidence
            waiting[about] = _Pending(signal.tenant, new.value, signal.actor, newcomer, event)
            self._dirty_pending.add(_pending_key(end, about))

    def _close_tick(self, end: int) -> list[Alert]:
        alerts = []
        changed: set[tuple[str, str]] = set()
        for about, waiting in sorted(self._pending.pop(end).items()):
            name = f"{waiting.tenant}|{waiting.network}"
            found = self._origins.setdefault(name, Origin(waiting.network))
            event = waiting.evidence
            if event is not None and (event.ip is None or network_of(event.ip) != waiting.network):
                event = None
            origin.enter(found, waiting.actor, waiting.newcomer, event)
            found.changed_ms = end
            changed.add((waiting.tenant, waiting.network))
            key = _pending_key(end, about)
            self._dirty_pending.discard(key)
            self._gone.add(key)
        for tenant, network in sorted(changed):
            alerts += self._look_at(tenant, network, end)
        return alerts

    def _look_at(self, tenant: str, network: str, now_ms: int) -> list[Alert]:
        """Judge a network on which somebody has newly turned up or taken more."""
        name = f"{tenant}|{network}"
        found = self._origins[name]
        self._dirty_origins.add(name)
        origin.forget(found, now_ms)
        score = origin.score(self._population, tenant, found, now_ms)
        if score < self._triage.support_surprise:
            return []
        standing_name = f"{tenant}\x1f{network}"
        standing = self._standing(standing_name)
        self._dirty.add(standing_name)
        standing.sequence += 1
        alerts = self._settle(standing_name, standing, now_ms)
        signal = _of_origin(tenant, found, now_ms)
        incident = standing.incident
        if incident is None:
            incident = standing.incident = _new_incident(signal)
            incident.network = network
            self._opened(standing_name, incident)
        finding = Finding(
            "origin", "", "", now_ms, signal.first_ms, signal.last_ms, min(score, 2 * population.MAX_SURPRISE),
            facts={"identities": float(len(found.newcomers))}, rows=signal.rows,
            news=[New("network", network, 0.0, 0.0, 0.0, signal.rows)],
        )  # fmt: skip
        incidents.add(incident, signal, finding, self._triage.evidence_events, self._fade)
        for event in found.evidence:
            if event.ip is not None and len(incident.ips) < incidents.MAX_VALUES:
                incident.ips.setdefault(event.ip, 1)
            if event.user_agent is not None and len(incident.user_agents) < incidents.MAX_VALUES:
                incident.user_agents.setdefault(event.user_agent, 1)
        incident.evidence = list(found.evidence[: self._triage.evidence_events])
        incident.actors = {actor: found.newcomers[actor].rows for actor in sorted(found.newcomers)}
        return alerts + self._publish_if_due(standing, incident, now_ms, now_ms // DAY_MS)

    def _forget_origins(self, now_ms: int) -> None:
        old = [name for name, found in self._origins.items() if found.changed_ms < now_ms - 2 * DAY_MS]
        for name in old:
            del self._origins[name]
            self._dirty_origins.discard(name)
            self._gone.add(_ORIGIN + name.encode())


def _decode(name: str, data: bytes) -> Standing:
    try:
        version = _versions.decode(data).version
        if version == FORMER_VERSION:
            sequence, incident = taken_over(data)
            if incident is not None:
                incident.published_risk = alert.incident_risk(incident, incident.modified_ms)
            return Standing(sequence=sequence, incident=incident)
        if version == DESK_VERSION:
            return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeskError(f"{name}: not a value of triage: {error}") from error
    raise DeskError(f"{name}: version {version}; this release reads {DESK_VERSION} and {FORMER_VERSION}")


def _pending_key(end: int, about: str) -> bytes:
    return _PENDING + f"{end}|{about}".encode()


def _tally_key(end: int, tenant: str) -> bytes:
    return _TALLY + f"{end}|{tenant}".encode()


def _vector_key(day: int, group: str, actor: str) -> bytes:
    return _VECTOR + f"{day}|{group}\x1f{actor}".encode()


def _note(standing: Standing, day: int, name: str, score: float) -> None:
    """Remember the greatest score of a day."""
    scores = standing.greatest.get(day)
    if scores is None:
        scores = standing.greatest[day] = {}
        if len(standing.greatest) > MAX_DAYS:
            del standing.greatest[min(standing.greatest)]
    if score > scores.get(name, 0.0):
        scores[name] = score


def _new_incident(signal: Signal) -> Incident:
    return Incident(
        tenant=signal.tenant,
        actor=signal.actor,
        actor_kind=signal.actor_kind,
        actor_name=signal.actor_name,
        opened_ms=signal.time_ms,
        first_ms=signal.first_ms,
        last_ms=signal.last_ms,
        modified_ms=signal.time_ms,
    )


def _of_origin(tenant: str, found: Origin, now_ms: int) -> Signal:
    """What a network's newcomers have done, as one signal."""
    objects: dict[str, int] = {}
    for _, newcomer in sorted(found.newcomers.items()):
        for name, rows in newcomer.objects.items():
            objects[name] = objects.get(name, 0) + rows
    rows = sum(newcomer.rows for newcomer in found.newcomers.values())
    first_ms = min(newcomer.time_ms for newcomer in found.newcomers.values())
    return Signal(
        kind=SignalKind.CROSSED,
        detector="origin",
        time_ms=now_ms,
        day=now_ms // DAY_MS,
        first_ms=first_ms,
        last_ms=now_ms,
        channel="all",
        rows=rows,
        objects=objects,
        tenant=tenant,
        actor="",
    )


def _publish(incident: Incident, activity: Activity, time_ms: int, rows: int, points: int) -> Alert:
    incident.published += 1
    incident.published_rows = rows
    incident.published_severity = max(risk.severity(points), incident.published_severity)
    incident.published_risk = max(points, incident.published_risk)
    return alert.build(incident, activity, time_ms, points)
