"""How surprising a signal is, held against what is known of its tenant's population."""

from __future__ import annotations

from fnmatch import fnmatchcase

from detector.anomaly import Anomaly
from detector.explanation import Explanation
from detector.fleet.population import Population
from detector.fleet.rarity import strangeness
from detector.settings import TriageSettings
from detector.signal import Signal, Span
from detector.units import DAY_MS

__all__ = ["assess"]


def assess(
    population: Population, signal: Signal, settings: TriageSettings, explanation: Explanation
) -> tuple[Anomaly, float]:
    """How surprising a signal is, as a finding; and the score that is to be learned of it, if any."""
    finding = Anomaly(
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
    if explanation.by_news:
        score, found = strangeness(population, signal, settings.own_networks)
        finding.surprise = population.surprise(signal, signal.detector, score)
        finding.population_days = population.days_seen(signal)
        finding.news = [new for _, new in found[:5]]
    elif explanation.certain:
        finding.surprise = signal.score
        finding.news = signal.news
    elif signal.score:
        score = signal.score
        if not (explanation.silenced_by_expected and _expected_daily(signal, settings)):
            finding.surprise = population.surprise(signal, signal.detector, score)
        finding.population_days = population.days_seen(signal)
    for measure in signal.measures:
        expectation = population.expect(signal, measure)
        surprise = 0.0 if _expected(signal, measure.span, measure.value, settings) else expectation.surprise
        if surprise >= finding.surprise or not finding.span:
            finding.surprise = max(surprise, finding.surprise)
            finding.span = measure.span
            finding.value = measure.value
            finding.typical = expectation.typical
            finding.bound = expectation.bound
            finding.own_days = expectation.own_days
            finding.population_days = expectation.population_days
    return finding, score


def _expected(signal: Signal, span: Span, value: int, settings: TriageSettings) -> bool:
    return value <= _expected_rows(signal, settings) * (7 if span is Span.WEEK else 1)


def _expected_daily(signal: Signal, settings: TriageSettings) -> bool:
    """Whether what is counted over many days is expected of each: of its last one, and of all on average."""
    days = max(1, -(-(signal.last_ms - signal.first_ms) // DAY_MS))
    rows = max(signal.facts.get("day_rows", 0.0), signal.rows / days)
    return rows <= _expected_rows(signal, settings)


def _expected_rows(signal: Signal, settings: TriageSettings) -> float:
    """The rows a day that operators expect of an identity; 0 if they have not said."""
    return max(
        (rows for pattern, rows in settings.expected_rows.items() if fnmatchcase(signal.actor, pattern)),
        default=0.0,
    )
