"""An assessor whose formula a reader can follow, for tests of what triage does with an assessment."""

from __future__ import annotations

from math import log10, sqrt

from detector.catalogue import sensitivity
from detector.detectors import BUILT_IN
from detector.explanation import Explanations
from detector.settings import TriageSettings
from detector.triage.assessor import Assessor, fade_of
from detector.triage.evidence import shipped
from detector.triage.incident import Incident, objects_taken
from detector.triage.risk import Assessment, impact, rank_of

CORROBORATION = (1.0, 0.8, 0.6, 0.5)
"""What the surprise of each kind of evidence counts, the strongest first."""

SAME_KIND = 0.15
"""What a further detector of the same kind adds."""


class PlainAssessor(Assessor):
    """Risk grows with the surprise of each kind of evidence, the sensitivity of the data, and the rows.

    Its rank is that of ``100 × (1 − 10^(−surprise / 9)) × (0.45 + 0.55 × extent)``.
    """

    def __init__(
        self, settings: TriageSettings | None = None, explanations: Explanations = BUILT_IN.explanations
    ) -> None:
        fade = fade_of(settings or TriageSettings())
        super().__init__(shipped(), explanations, fade)
        self._told = explanations
        self._by_ms = fade

    def assess(self, incident: Incident, time_ms: int) -> Assessment:
        """How the incident stands at an event time."""
        certainty = 1 - 10 ** (-sum(self._weights(incident, time_ms).values()) / 9)
        return Assessment(
            rank_of(round(100 * certainty * (0.45 + 0.55 * _extent(incident)))), impact(incident)
        )

    def contributions(self, incident: Incident, time_ms: int) -> tuple[tuple[str, float], ...]:
        """What each kind of evidence weighs."""
        return tuple(self._weights(incident, time_ms).items())

    def _weights(self, incident: Incident, time_ms: int) -> dict[str, float]:
        kinds: dict[str, list[float]] = {}
        support = 0.0
        for name, anomaly in incident.anomalies.items():
            explanation = self._told[name]
            faded = anomaly.surprise * 0.5 ** (max(0, time_ms - anomaly.time_ms) * self._by_ms)
            if explanation.support is not None:
                support += explanation.support * faded
            else:
                kinds.setdefault(explanation.evidence_kind, []).append(faded)
        strongest = {
            kind: max(found) + SAME_KIND * (sum(found) - max(found)) for kind, found in kinds.items()
        }
        ranked = sorted(strongest.items(), key=lambda one: -one[1])
        weights = {
            kind: surprise * CORROBORATION[min(place, 3)] for place, (kind, surprise) in enumerate(ranked)
        }
        return weights | {"support": support} if weights else {}


def _extent(incident: Incident) -> float:
    """From 0, nothing taken, to 1: 10,000 rows of the most sensitive kind."""
    rows_so_far, most = 0, 0.0
    for sensitive, rows in sorted(
        ((sensitivity((name,)), rows) for name, rows in objects_taken(incident).items()), reverse=True
    ):
        rows_so_far += rows
        most = max(most, sensitive * min(1.0, log10(1 + rows_so_far) / 4))
    return sqrt(most)
