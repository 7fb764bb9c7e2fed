"""Assesses an incident: the evidence model's word, and that of the detectors that it has not learned."""

from __future__ import annotations

from collections.abc import Callable

from detector.explanation import Explanations
from detector.settings import TriageSettings
from detector.triage.evidence import MILLI, EvidenceModel
from detector.triage.features import LEARNED, Features, features, vector
from detector.triage.incident import Incident
from detector.triage.risk import MOST_RANK, Assessment, impact

__all__ = ["Assessor", "fade_of"]

MOST_CONTRIBUTIONS = 8
MOST_STATED = 6.0
"""A detector that the model has not learned adds at most so much log-odds."""


def fade_of(settings: TriageSettings) -> float:
    """What a surprise fades by with each millisecond, as an exponent of one half."""
    return 1 / (settings.half_life_seconds * 1000) if settings.half_life_seconds else 0.0


class Assessor:
    """Assesses incidents by a model."""

    def __init__(
        self,
        model: EvidenceModel,
        explanations: Explanations,
        fade: float,
        *,
        asked: Callable[[Incident, int, Features], None] | None = None,
    ) -> None:
        """`asked` is told each incident that is assessed, when, and its features."""
        self._model = model
        self._asked = asked
        self._explanations = explanations
        self._fade = fade

    def features(self, incident: Incident, time_ms: int) -> Features:
        """The incident's features at an event time."""
        return features(incident, time_ms, self._fade)

    def assess(self, incident: Incident, time_ms: int) -> Assessment:
        """How the incident stands at an event time."""
        found = self.features(incident, time_ms)
        if self._asked is not None:
            self._asked(incident, time_ms, found)
        log_odds = self._model.log_odds(vector(found)) / MILLI
        log_odds += sum(self.stated(incident, time_ms).values())
        rank = max(-MOST_RANK, min(MOST_RANK, round(10 * log_odds)))
        return Assessment(rank, impact(incident))

    def stated(self, incident: Incident, time_ms: int) -> dict[str, float]:
        """The log-odds that detectors state themselves, by detector: the model has not learned them."""
        found: dict[str, float] = {}
        for name, anomaly in incident.anomalies.items():
            if name not in LEARNED:
                faded = anomaly.surprise * 0.5 ** (max(0, time_ms - anomaly.time_ms) * self._fade)
                found[name] = min(MOST_STATED, self._explanations[name].log_odds * faded)
        return found

    def contributions(self, incident: Incident, time_ms: int) -> tuple[tuple[str, float], ...]:
        """What speaks for theft and what against, in log-odds, the weightiest first; at most `MOST_CONTRIBUTIONS`.

        By feature, and by detector that states its own.
        """
        learned = self._model.contributions(vector(self.features(incident, time_ms)))
        found = {name: change / MILLI for name, change in learned.items()} | self.stated(incident, time_ms)
        return tuple(sorted(found.items(), key=lambda one: (-abs(one[1]), one[0])))[:MOST_CONTRIBUTIONS]
