"""The triage step: signals in, incidents to publish out.

It holds what is known of a tenant as a whole, its population, its networks and its incidents, and decides what
is worth a human. A decision about a moment rests on the identity's own signals in their order and on what was
known of others two ticks before, on nothing else; `settled_at` says from when that is complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping
from itertools import chain, islice
from math import inf

from detector.anomaly import Anomaly
from detector.decision import Decision
from detector.decision_index import DecisionIndex
from detector.directory import directory_of
from detector.explanation import Explanations
from detector.fleet import burst
from detector.fleet.mixture import Mixtures
from detector.fleet.origin import NetworkNewcomers
from detector.fleet.population import Population, settled_at
from detector.fleet.tenant import Notice
from detector.keyed_state import Changes, KeyedStates, apply_changes, reading, slices
from detector.mute import cut
from detector.settings import Settings
from detector.signal import Signal, SignalKind
from detector.triage import budget, fleet_incidents, risk
from detector.triage import incident as incidents
from detector.triage.assessor import Assessor, fade_of
from detector.triage.evidence import shipped
from detector.triage.incident import Incident
from detector.triage.lifecycle import IncidentLifecycle
from detector.triage.networks import Networks, signal_of
from detector.triage.publication import Activity, Publication
from detector.triage.publisher import NOTICE, IncidentPublisher, update_ms
from detector.triage.state import TRIAGE_VERSION, TriageState, record_peak_score
from detector.triage.state_store import TriageStateStore
from detector.triage.surprise import assess
from detector.triage.tenants import Tenants
from detector.units import DAY_MS

__all__ = ["TRIAGE_VERSION", "Triage", "TriageState", "settled_at"]

STEP_ITEMS = 100
"""How many networks, ticks of tenants, or incidents a step of `Triage.advance` deals with."""


class Triage:
    """Incidents and population of the tenants in one shard; its encoded values are in a store."""

    def __init__(
        self,
        settings: Settings,
        store: MutableMapping[bytes, bytes],
        explanations: Explanations,
        assessor: Assessor | None = None,
    ) -> None:
        """Without an `assessor`, incidents are assessed by the model that crmwatch comes with."""
        self._directory = directory_of(settings.directory)
        self._triage = settings.triage
        self._explanations = explanations
        self._fade = fade_of(settings.triage)
        self._store = store
        self._population = Population(settings)
        self._states = TriageStateStore(store)
        self._networks = Networks(self._population, settings.triage, self._directory)
        self._tenants = Tenants(settings.triage, self._population.forget_tenant)
        self._mixtures = Mixtures()
        self._saved = KeyedStates(
            self._population.state,
            self._states.state,
            *self._networks.states,
            *self._tenants.states,
            *self._mixtures.states,
        )
        self._quiet_from: float = (
            inf  # event time before which no open incident can have been quiet for long enough
        )
        self._provisional = False
        self._day = -1
        self._lifecycle = IncidentLifecycle(
            settings.triage.quiet_seconds, self._index(settings.triage.decisions)
        )
        self._publisher = IncidentPublisher(
            settings.triage,
            self._population,
            self._networks,
            assessor or Assessor(shipped(), explanations, self._fade),
            self._lifecycle,
        )
        self.watermark_ms = -(1 << 62)
        """Event time up to which everything is known."""
        self.skipped = 0
        """Signals skipped because they had been judged before."""
        self.refused = 0
        """Signals refused because there were too many tenants."""

    def restore(self, keys: Iterable[bytes]) -> Iterator[None]:
        """Take up a shard's stored values, in steps. Raises `StoredValueError` for a bad one."""
        for part in slices((key, self._store[key]) for key in keys):
            for key in part:
                with reading(key):
                    self._saved.restore(key, self._store[key])
            yield
        self._quiet_from = -inf

    def apply_decisions(self, decisions: Iterable[Decision]) -> None:
        """Follow these decisions from now on, and those of the settings."""
        index = self._index((*self._triage.decisions, *decisions))
        self._lifecycle = IncidentLifecycle(self._triage.quiet_seconds, index)
        self._publisher.lifecycle = self._lifecycle
        self._quiet_from = -inf

    def prepare(self, signal: Signal) -> Iterator[None]:
        """Learn, in steps, what is to be known before a signal is assessed; `assess` would learn it at once.

        That is a day of all its peers, once a day.
        """
        if signal.kind is SignalKind.CLOSED:
            yield from self._mixtures.learn(signal)

    def _index(self, decisions: Iterable[Decision]) -> DecisionIndex:
        """The decisions as they hold: no mute lasts longer than is allowed."""
        return DecisionIndex(cut(decision, self._triage.longest_mute_days) for decision in decisions)

    def assess(self, signal: Signal, *, provisional: bool = False) -> list[Publication]:
        """Take a signal in; the publications that follow from it.

        With `provisional`, what it rests on was not complete yet, and the incident will say so.
        """
        if not self._tenants.admit(signal.tenant, signal.time_ms):
            self.refused += 1
            return []
        name = signal.identity
        state = self._states[name]
        if signal.sequence <= state.sequence:
            self.skipped += 1
            self._states.put_away(name)
            return []
        state.sequence = signal.sequence
        self._states.change(name)
        if signal.kind is SignalKind.TALLY:
            self._tenants.count(signal, self.watermark_ms)
            return []
        if self._provisional and not provisional:
            self._settle_provisional()
        self._provisional = self._provisional or provisional
        publications = self._settle(name, state, signal.time_ms)
        if signal.kind is SignalKind.FORGOTTEN:
            self._forget(name, state)
            return publications
        over = signal.kind is SignalKind.CLOSED
        announced = self._announced(signal)
        weighed = not over and not (announced and self._explanations[signal.detector].silenced_by_expected)
        if over and not announced:
            weighed = self._mix(state, signal)
        elif signal.kind is SignalKind.GROWN:
            weighed = weighed and self._grow(state, signal)
        elif weighed:
            self._weigh(name, state, signal, provisional=provisional)
        incident = state.incident
        # The last of the signals that belong together may add nothing, and still all before it wait for it.
        if incident is not None and not signal.more and (weighed or incident.modified_ms == signal.time_ms):
            publications += self._publish_if_due(state, incident, signal.time_ms, signal.day)
        if over:
            self._learn(state, signal, announced=announced)
        return publications

    def advance(self, watermark_ms: int) -> Iterator[list[Publication]]:
        """Everything before `watermark_ms` is known: look at networks, close what has been quiet, forget.

        Yields each step's publications. All steps must be taken before the next signal is assessed.
        """
        if watermark_ms <= self.watermark_ms:
            return
        if self._provisional:
            self._settle_provisional()
        work = self._pass(watermark_ms)
        while step := list(islice(work, STEP_ITEMS)):
            yield [publication for publications in step for publication in publications]

    @property
    def displaced_tenants(self) -> int:
        """How many tenants have made room for newer ones."""
        return self._tenants.displaced

    def changes(self) -> Iterator[Changes]:
        """The values changed since `saved`, in slices that belong together."""
        return self._saved.changes()

    def saved(self, changes: Changes) -> None:
        """Note that a slice of `changes` is durable; nothing may have been assessed since they were asked for."""
        apply_changes(self._store, changes)
        self._saved.saved(changes)
        self._states.saved(changes)

    @property
    def dirty(self) -> int:
        """How many values have changed since they were saved."""
        return self._saved.dirty

    @property
    def open_assessments(self) -> list[tuple[risk.Assessment, risk.Severity]]:
        """How the incidents that are open and published stand now, and how severe that makes them."""
        found = [
            self._publisher.assess(incident, max(incident.modified_ms, self.watermark_ms))
            for incident in self.open_incidents
            if incident.published
        ]
        return [(assessment, self._publisher.severity(assessment)) for assessment in found]

    @property
    def open_incidents(self) -> list[Incident]:
        """The incidents that are open, by identity."""
        return [state.incident for _, state in self._states.opened() if state.incident is not None]

    def _pass(self, watermark_ms: int) -> Iterator[list[Publication]]:
        """What follows from time passing, item by item; an item takes some tenths of a millisecond at most."""
        for changed in self._networks.close(watermark_ms):
            yield [] if changed is None else self._look_at(*changed)
        for tenant, notices, end in self._tenants.close(watermark_ms):
            yield [publication for notice in notices for publication in self._notice(tenant, notice, end)]
        self.watermark_ms = watermark_ms
        if watermark_ms >= self._quiet_from:
            self._quiet_from = inf
            for name, state in self._states.opened():
                yield self._settle(name, state, watermark_ms)
                if state.incident is not None:
                    self._quiet_from = min(self._quiet_from, self._due_ms(state.incident))
        day = watermark_ms // DAY_MS
        if day > self._day:
            self._day = day
            self._publisher.forget_thresholds()
            oldest = day - self._triage.population_days - 2
            for _ in chain(self._population.forget(oldest), self._networks.forget(watermark_ms)):
                yield []
            self._tenants.forget(oldest * DAY_MS)

    def _forget(self, name: str, state: TriageState) -> None:
        """Know no more of an identity than its open incident; should it return, its signals count from anew."""
        if state.incident is not None:
            state.sequence = 0
            return
        self._states.forget(name)

    def _settle_provisional(self) -> None:
        """Forget the figures that a provisional decision rested on: they were not complete."""
        self._provisional = False
        self._population.forget_sums()
        self._publisher.forget_thresholds()

    def _announced(self, signal: Signal) -> bool:
        """Whether unusual volume was announced for the event, or for any part of the day that is over."""
        if signal.kind is SignalKind.CLOSED or signal.detector == "drip":
            first_ms, last_ms = signal.day * DAY_MS, (signal.day + 1) * DAY_MS - 1
        else:
            first_ms = last_ms = signal.time_ms
        if self._lifecycle.expected(signal.identity, first_ms, last_ms):
            return True
        if not self._triage.announced:
            return False
        terms = self._directory.known_as(signal.actor, signal.tenant, signal.actor_name)
        return any(window.overlaps(terms, first_ms, last_ms) for window in self._triage.announced)

    def _learn(self, state: TriageState, signal: Signal, *, announced: bool) -> None:
        """Learn an identity's day that is over, and what its greatest scores were."""
        peaks = state.peaks.pop(signal.day, {})
        state.peaks = {day: scores for day, scores in state.peaks.items() if day > signal.day}
        if announced:
            return
        day = self._population.learn(signal, self.watermark_ms // DAY_MS)
        alarmed = state.incident is not None and state.incident.published > 0
        self._mixtures.add(signal, day, alarmed=alarmed)
        for detector, score in (peaks | signal.facts).items():
            if detector == budget.NAME:
                self._population.count_at(signal.tenant, day, budget.NAME, round(score))
            else:
                self._population.count(signal.tenant, day, f"score|{signal.peers}|{detector}", score)

    def _mix(self, state: TriageState, signal: Signal) -> bool:
        """Let a day that is odd as a whole support an incident that is open; whether it does."""
        incident = state.incident
        deque(self._mixtures.learn(signal), maxlen=0)  # most often that has been done before
        surprise = 0.0 if incident is None else self._mixtures.surprise(signal)
        if incident is None or surprise < self._triage.support_surprise:
            return False
        finding = Anomaly(
            "population", "", "", signal.time_ms, signal.day * DAY_MS, (signal.day + 1) * DAY_MS - 1, surprise
        )
        known = incident.anomalies.get(finding.detector)
        if known is None or finding.surprise >= known.surprise:
            incident.anomalies[finding.detector] = finding
        return True

    def _weigh(self, name: str, state: TriageState, signal: Signal, *, provisional: bool) -> None:
        """Let a signal open an incident or join the one that is open, if it is surprising enough."""
        finding, score = assess(
            self._population, signal, self._triage, self._explanations[signal.detector], self._directory
        )
        if score > 0 and signal.detector != "drip":
            record_peak_score(state, signal.day, signal.detector, score)
        if finding.surprise >= self._triage.support_surprise and self._explanations[signal.detector].common:
            kind = self._explanations[signal.detector].evidence_kind
            about = self._population, signal.tenant, kind, state.shown.get(kind), signal.time_ms
            own = finding.surprise
            finding.surprise = burst.discount_for_common_surprise(*about, own)
            finding.discount = own - finding.surprise
            if signal.time_ms >= self.watermark_ms and (shown := burst.count(*about, own)) is not None:
                state.shown[kind] = shown
        if signal.detector == "novelty":
            self._networks.enter(signal, finding.news, self.watermark_ms)
        supports = finding.surprise >= self._triage.support_surprise
        incident = state.incident
        if incident is None:
            if not supports:
                return
            incident = state.incident = incidents.new(signal)
            self._opened(name, incident)
        elif not supports and signal.detector not in incident.anomalies:
            return
        incidents.add(
            incident,
            signal,
            finding if supports else None,
            self._triage.evidence_events,
            self._fade,
            self._explanations[signal.detector],
        )
        incident.provisional = incident.provisional or provisional

    def _grow(self, state: TriageState, signal: Signal) -> bool:
        """Let a published incident have further rows, from a detector that it rests on; whether it has."""
        incident = state.incident
        if incident is None or not incident.published or signal.detector not in incident.anomalies:
            return False
        incidents.grow(incident, signal, self._explanations[signal.detector])
        return True

    def _opened(self, name: str, incident: Incident) -> None:
        self._states.open(name)
        self._quiet_from = min(self._quiet_from, self._due_ms(incident))

    def _due_ms(self, incident: Incident) -> int:
        """The event time at which it changes, closes or is published again if no further signal comes."""
        due_ms = self._lifecycle.due_ms(incident)
        return due_ms if incident.grown_ms < 0 else min(due_ms, update_ms(incident))

    def _publish_if_due(
        self, state: TriageState, incident: Incident, time_ms: int, day: int
    ) -> list[Publication]:
        publications = self._publisher.publish_if_due(state, incident, time_ms, day, self.watermark_ms)
        if incident.grown_ms >= 0:
            self._quiet_from = min(self._quiet_from, update_ms(incident))
        return publications

    def _settle(self, name: str, state: TriageState, now_ms: int) -> list[Publication]:
        """Apply breach decisions to an incident, publish its growth, and close one that is over, by an event time."""
        incident = state.incident
        if incident is None or self._due_ms(incident) > now_ms:
            return []
        self._states.change(name)
        publications: list[Publication] = []
        while change := self._lifecycle.breach_change(incident):
            time_ms, decision = change
            if time_ms > min(now_ms, self._lifecycle.ends(incident)[0]):
                break
            publications += self._publish_growth(incident, time_ms)
            publications.append(self._change_breach(incident, decision, time_ms))
        publications += self._publish_growth(incident, min(now_ms, self._lifecycle.ends(incident)[0] - 1))
        ends_ms, ending = self._lifecycle.ends(incident)
        if ends_ms > now_ms:
            return publications
        state.incident = None
        self._states.close(name)
        if not incident.published:
            return publications
        if ending is not None:
            incident.decision = ending.text
        assessment = self._publisher.assess(incident, incident.modified_ms)
        return [*publications, self._publisher.publish(incident, Activity.CLOSE, ends_ms, assessment)]

    def _publish_growth(self, incident: Incident, now_ms: int) -> list[Publication]:
        """Publish further rows that have waited for long enough by an event time."""
        if incident.grown_ms < 0 or (time_ms := update_ms(incident)) > now_ms:
            return []
        incident.grown_ms = -1
        if self._lifecycle.muted(incident, time_ms):
            return []
        assessment = self._publisher.assess(incident, max(incident.modified_ms, time_ms))
        return [self._publisher.publish(incident, Activity.UPDATE, time_ms, assessment)]

    def _change_breach(self, incident: Incident, decision: Decision, time_ms: int) -> Publication:
        """Publish that an incident is a breach by a decision, or is none any more by its withdrawal."""
        incident.confirmed = not decision.withdraws
        incident.breach_ms = time_ms
        incident.decision = decision.text
        assessment = self._publisher.assess(incident, max(incident.modified_ms, time_ms))
        activity = Activity.UPDATE if incident.published else Activity.CREATE
        return self._publisher.publish(incident, activity, time_ms, assessment)

    # --- the tenant as a whole

    def _notice(self, tenant: str, notice: Notice, now_ms: int) -> list[Publication]:
        """Tell of the volume as a whole, or of a source's trouble and its end."""
        adapter, _, operation = notice.source.partition("/")
        name = f"{tenant}\x1f{fleet_incidents.detector_of(notice)} {adapter} {notice.trouble}"
        state = self._states[name]
        self._states.change(name)
        state.sequence += 1
        publications = self._settle(name, state, now_ms)
        incident = state.incident
        if notice.over:
            if incident is None:
                return publications
            incident.apps.pop(operation, None)
            if incident.apps:
                return publications
            state.incident = None
            self._states.close(name)
            return [self._publisher.publish(incident, Activity.CLOSE, notice.time_ms, NOTICE)]
        if incident is None:
            incident = state.incident = fleet_incidents.troubled(tenant, notice)
            self._opened(name, incident)
        fleet_incidents.enter_notice(incident, notice)
        activity = Activity.UPDATE if incident.published else Activity.CREATE
        return [*publications, self._publisher.publish(incident, activity, notice.time_ms, NOTICE)]

    def _look_at(self, tenant: str, found: NetworkNewcomers, score: float, now_ms: int) -> list[Publication]:
        """Judge a network on which somebody has newly turned up or taken more."""
        if score < self._triage.support_surprise:
            return []
        state_name = f"{tenant}\x1f{found.network}"
        state = self._states[state_name]
        self._states.change(state_name)
        state.sequence += 1
        publications = self._settle(state_name, state, now_ms)
        signal = signal_of(tenant, found, now_ms)
        incident = state.incident
        if incident is None:
            incident = state.incident = incidents.new(signal)
            incident.network = found.network
            self._opened(state_name, incident)
        fleet_incidents.enter_network(
            incident,
            signal,
            found,
            score,
            self._triage.evidence_events,
            self._fade,
            self._explanations[signal.detector],
        )
        published = self._publish_if_due(state, incident, now_ms, now_ms // DAY_MS)
        if any(version.activity is Activity.CREATE for version in published):
            self._networks.report(tenant, found.network, now_ms)
        return publications + published
