"""How surprising a signal is, held against what is known of its tenant's population."""

from __future__ import annotations

from detector.actor_pattern import matches
from detector.anomaly import Anomaly
from detector.directory import NOBODY, Directory
from detector.explanation import Explanation
from detector.fleet.population import Population
from detector.fleet.rarity import strangeness
from detector.settings import TriageSettings
from detector.signal import Signal, Span
from detector.units import DAY_MS

__all__ = ["assess", "own_networks"]


def assess(
    population: Population,
    signal: Signal,
    settings: TriageSettings,
    explanation: Explanation,
    directory: Directory = NOBODY,
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
        score, found = strangeness(
            population, signal, settings.own_networks + own_networks(directory, signal)
        )
        finding.surprise = population.surprise(signal, signal.detector, score)
        finding.population_days = population.days_seen(signal)
        finding.news = [new for _, new in found[:5]]
        for strange, new in found:
            finding.strangeness.setdefault(new.what, strange)
    elif explanation.certain:
        finding.surprise = signal.score
        finding.news = signal.news
    elif signal.score:
        score = signal.score
        if not (explanation.silenced_by_expected and _expected_daily(signal, settings, directory)):
            finding.surprise = population.surprise(signal, signal.detector, score)
        finding.population_days = population.days_seen(signal)
    for measure in signal.measures:
        expectation = population.expect(signal, measure)
        surprise = (
            0.0
            if _expected(signal, measure.span, measure.value, settings, directory)
            else expectation.surprise
        )
        if surprise >= finding.surprise or not finding.span:
            finding.surprise = max(surprise, finding.surprise)
            finding.span = measure.span
            finding.value = measure.value
            finding.typical = expectation.typical
            finding.bound = expectation.bound
            finding.own_days = expectation.own_days
            finding.population_days = expectation.population_days
    return finding, score


def own_networks(directory: Directory, signal: Signal) -> tuple[str, ...]:
    """The networks that are said to belong to the account, or to the app that it acts through."""
    app = None if signal.evidence is None else signal.evidence.app
    return directory.networks(signal.actor, app, signal.tenant)


def _expected(signal: Signal, span: Span, value: int, settings: TriageSettings, directory: Directory) -> bool:
    return value <= _expected_rows(signal, settings, directory) * (7 if span is Span.WEEK else 1)


def _expected_daily(signal: Signal, settings: TriageSettings, directory: Directory) -> bool:
    """Whether what is counted over many days is expected of each: of its last one, and of all on average."""
    days = max(1, -(-(signal.last_ms - signal.first_ms) // DAY_MS))
    rows = max(signal.facts.get("day_rows", 0.0), signal.rows / days)
    return rows <= _expected_rows(signal, settings, directory)


def _expected_rows(signal: Signal, settings: TriageSettings, directory: Directory) -> float:
    """The rows a day that operators expect of an identity; 0 if they have not said."""
    if not settings.expected_rows:
        return 0.0
    terms = directory.known_as(signal.actor, signal.tenant, signal.actor_name)
    return max(
        (rows for pattern, rows in settings.expected_rows.items() if matches(pattern, terms)), default=0.0
    )
