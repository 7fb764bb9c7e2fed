"""Decides whether an incident is published, and as what: when it is raised, and when it is worth an update."""

from __future__ import annotations

from collections import Counter

from detector.fleet.population import Population, day_known_at, settled_at
from detector.settings import TriageSettings
from detector.trait import network
from detector.triage import budget
from detector.triage.assessor import Assessor
from detector.triage.incident import Incident, categories_taken, rows_taken
from detector.triage.lifecycle import IncidentLifecycle
from detector.triage.networks import Networks
from detector.triage.publication import Activity, Publication, publish
from detector.triage.risk import Assessment, Severity, rank_of, severity_of
from detector.triage.state import TriageState, record_peak_score
from detector.units import MINUTE_MS

__all__ = ["MOST_ABSORBED_ROWS", "NOTICE", "IncidentPublisher", "update_ms"]

NOTICE = Assessment(rank=rank_of(20), impact=0)
"""A notice about a tenant's volume or a source: worth knowing, not worth waking somebody up."""
UPDATE_MS = 15 * MINUTE_MS
"""An incident whose rows have grown is published again so long after the last time, …"""
UPDATE_SHARE = 10
"""… or after a tenth of the time that it has been open, if that is longer: weeks of growth are no flood of alerts."""
MOST_ABSORBED_ROWS = 1_000
"""An account that has taken more rows by itself is told of by itself, whatever has been said of its network."""
STEP_RANK = 10
"""An incident is published again when its rank has risen by so much."""


class IncidentPublisher:
    """Publishes incidents by what a SOC can look at, and by what is new since it last looked."""

    def __init__(
        self,
        settings: TriageSettings,
        population: Population,
        networks: Networks,
        assessor: Assessor,
        lifecycle: IncidentLifecycle,
    ) -> None:
        self._settings = settings
        self._population = population
        self._networks = networks
        self._assessor = assessor
        self._thresholds: dict[tuple[str, int], int] = {}
        self.lifecycle = lifecycle
        """What the decisions in force make of incidents."""

    def assess(self, incident: Incident, time_ms: int) -> Assessment:
        """How an incident stands at an event time."""
        return NOTICE if incident.source is not None else self._assessor.assess(incident, time_ms)

    def severity(self, assessment: Assessment) -> Severity:
        """The severity of an assessment, by the settings' table."""
        return severity_of(assessment.risk, assessment.impact, self._settings.severity)

    def publish(
        self, incident: Incident, activity: Activity, time_ms: int, assessment: Assessment
    ) -> Publication:
        """Publish an incident as it stands."""
        severity = self.severity(assessment)
        if incident.source is not None:
            return publish(incident, activity, time_ms, 0, assessment, severity)
        weighed = self._assessor.contributions(incident, max(incident.modified_ms, time_ms))
        return publish(incident, activity, time_ms, rows_taken(incident), assessment, severity, weighed)

    def publish_if_due(
        self, state: TriageState, incident: Incident, time_ms: int, day: int, watermark_ms: int
    ) -> list[Publication]:
        """What is published of an incident that something has been added to, at an event time.

        Growth that is not worth it yet is noted as `Incident.grown_ms`.
        """
        if not incident.published and self._belongs_to_network(incident, time_ms):
            return []
        assessment = self.assess(incident, time_ms)
        rows = rows_taken(incident)
        if not incident.published:
            record_peak_score(state, day, budget.NAME, float(assessment.rank))
            if assessment.rank < self._threshold(incident.tenant, time_ms):
                return []
            if not self.lifecycle.muted(incident, time_ms) and time_ms >= watermark_ms:
                budget.count_raised(self._population, incident.tenant, time_ms, assessment.rank)
            activity = Activity.CREATE
        elif (
            self.severity(assessment) > incident.published_severity
            or rows >= incident.published_rows * self._settings.update_growth + 1
            or assessment.rank >= incident.published_rank + STEP_RANK
            or (rows > incident.published_rows and _is_news(incident, time_ms))
        ):
            activity = Activity.UPDATE
        else:
            if rows > incident.published_rows and incident.grown_ms < 0:
                incident.grown_ms = time_ms
            return []
        if self.lifecycle.muted(incident, time_ms):
            return []
        return [self.publish(incident, activity, time_ms, assessment)]

    def forget_thresholds(self) -> None:
        """Work the thresholds out again: the days that they rest on have changed."""
        self._thresholds.clear()

    def _belongs_to_network(self, incident: Incident, time_ms: int) -> bool:
        """Whether it mostly happened on a new network of many accounts that has been reported."""
        if incident.network or rows_taken(incident) > MOST_ABSORBED_ROWS:
            return False
        places = Counter(network(event.ip) for event in incident.evidence if event.ip is not None)
        return any(
            2 * events >= len(incident.evidence)
            and self._networks.is_reported(incident.tenant, place, settled_at(time_ms))
            for place, events in places.items()
        )

    def _threshold(self, tenant: str, time_ms: int) -> int:
        key = tenant, day_known_at(time_ms)
        threshold = self._thresholds.get(key)
        if threshold is None:
            threshold = budget.threshold(self._population, tenant, time_ms, self._settings)
            self._thresholds[key] = threshold
        return max(threshold, budget.day_threshold(self._population, tenant, time_ms, self._settings))


def update_ms(incident: Incident) -> int:
    """When an incident that has grown is to be published again."""
    open_ms = incident.published_ms - incident.opened_ms
    return max(incident.published_ms + max(UPDATE_MS, open_ms // UPDATE_SHARE), incident.grown_ms)


def _is_news(incident: Incident, time_ms: int) -> bool:
    """Whether more rows are worth publishing: it is time, or they are of another category of data."""
    if time_ms >= update_ms(incident):
        return True
    return not set(categories_taken(incident)) <= set(incident.published_categories)
