"""A little too much for weeks, and ramps: what an identity takes a day against a reference that hardly moves.

A CUSUM (Page, *Continuous inspection schemes*, 1954) adds up by how much each active day exceeds the
reference. The reference is the level of the first weeks and moves by at most a few per cent a week, so it
cannot be walked up; a level that follows the days, as volume's does, would learn the drip.
"""

from __future__ import annotations

from math import expm1, log1p, sqrt

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.explanation import Explanation
from detector.identity.baseline import Baseline, familiarity, learn, measure
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.objects import add_rows
from detector.identity.observation import ClosedDay, Observation
from detector.message import Message, message
from detector.prior import FLOOR_VARIANCE
from detector.settings import DetectionSettings
from detector.signal import Evidence, Measure, Signal, SignalKind, Span, evidence
from detector.units import DAY_MS

__all__ = ["DETECTOR", "DripState"]

NAME = "drip"

REFERENCE_DAYS = 10
"""The reference is learned from so many active days before it is held."""
STEP = 0.005
"""By how much, in logarithms, the reference follows on an active day: 2.5 % a working week."""
SLACK = 0.5
"""Deviations above the reference that a day may have."""
MOST = 3.0
"""Deviations that one day adds at most: this is about many days."""
MAX_DAYS = 10
"""How many days' rows are held: those not over, and the six before."""
KEPT_SCORE, KEPT_DEVIATIONS = 1.0, 1.9
"""Events are kept at such a score, or of such a day: from less no day reaches `FIRST_SCORE`. Profiles are small."""
MOST_LOGARITHM = 36.0
"""What is larger is no number of rows, and no integer to write."""
EVIDENCE_ENTRIES = 2
"""An event that is kept takes about as much as so many entries of 64 bytes."""
FIRST_SCORE = 2.5
GROWTH_SCORE = 1.0
PRIOR_DEVIATION = 0.7


class DripState(msgspec.Struct, array_like=True, gc=False):
    """The reference, and how far the days have run away from it."""

    reference: Baseline = msgspec.field(default_factory=Baseline)
    week: Baseline = msgspec.field(default_factory=Baseline)
    score: float = 0.0
    said: float = 0.0
    since: int = 0
    """The day from which the score has been above zero."""
    days: dict[int, int] = {}
    """Rows of personal data by day: the days not over, and the six before."""
    objects: dict[str, int] = {}
    """Rows by kind of record since `since`."""
    kept_from: int = -1
    """From so many rows on a day may be said something of, so that an event of it is kept; -1 for no day."""
    example: Evidence | None = None
    """Of the days since `since` and those not over, the event with the most rows."""


def _observe(state: DripState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Add the rows to the day."""
    if access.rows and access.personal:
        days = state.days
        day = access.day
        if day in days:
            days[day] += access.rows
        else:
            days[day] = access.rows
            access.grown += 1
            if len(days) > MAX_DAYS:
                del days[min(days)]
        access.grown += add_rows(state.objects, access.object, access.rows)
        if 0 <= state.kept_from <= days.get(day, 0) and (
            state.example is None or access.rows > state.example.rows
        ):
            state.example = _brief(evidence(access.event, access.rows))
            access.grown += EVIDENCE_ENTRIES
    return None


def _brief(event: Evidence) -> Evidence:
    """The event with no more than it takes to find it."""
    return msgspec.structs.replace(
        event, objects=event.objects[:1], user_agent=None, app=None, session=None, country=None
    )


def _close(state: DripState, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
    """Hold the day against the reference."""
    rows = state.days.get(day.day, 0)
    week = sum(count for known, count in state.days.items() if day.day - 7 < known <= day.day)
    state.days = {known: count for known, count in state.days.items() if known > day.day - 6}
    if not rows:
        return []
    familiar = familiarity(state.week.days, day.known_days, settings)
    weekly = measure(NAME, "all", Span.WEEK, week, state.week, familiar)
    if day.age_days >= 7:
        day.measures.append(weekly)
        learn(state.week, week, Span.WEEK, settings)
    return _add(state, day, rows, weekly)


def _add(state: DripState, day: ClosedDay, rows: int, weekly: Measure) -> list[Signal]:
    reference = state.reference
    taken = log1p(rows)
    deviation = sqrt(
        (reference.days * reference.variance + 4 * PRIOR_DEVIATION**2) / (reference.days + 4) + FLOOR_VARIANCE
    )
    if reference.days < REFERENCE_DAYS:
        weight = 1 / (reference.days + 1)
        if reference.days >= 3:
            taken = min(taken, reference.mean + 2 * deviation)
        square = reference.variance + reference.mean**2
        reference.place(
            reference.mean + weight * (taken - reference.mean),
            square + weight * (taken * taken - square),
        )
        reference.days += 1
        state.objects = {}
        return []
    away = taken - reference.mean
    variance = reference.variance
    mean = reference.mean + max(-STEP, min(STEP, 0.03 * away))
    spread = variance + 0.02 * (min(away * away, 4 * variance + FLOOR_VARIANCE) - variance)
    reference.place(mean, mean * mean + spread)
    before = state.score
    state.score = max(0.0, before + max(-MOST, min(MOST, away / deviation)) - SLACK)
    day.facts[NAME] = state.score
    high = min(MOST_LOGARITHM, reference.mean + KEPT_DEVIATIONS * deviation)
    state.kept_from = 0 if state.score >= KEPT_SCORE else round(expm1(high))
    if not state.score:
        state.said = 0.0
        state.objects = {}
        if state.example is not None and state.example.time_ms < (day.day + 1) * DAY_MS:
            state.example = None
        return []
    if not before:
        state.since = day.day
    if state.score < FIRST_SCORE or state.score < state.said + GROWTH_SCORE:
        return []
    state.said = state.score
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector=NAME,
            time_ms=day.time_ms,
            day=day.day,
            first_ms=state.since * DAY_MS,
            last_ms=(day.day + 1) * DAY_MS - 1,
            channel="all",
            rows=sum(state.objects.values()),
            objects=dict(state.objects),
            score=state.score,
            measures=[weekly] if day.age_days >= 7 else [],
            facts={
                "days": float(day.day - state.since + 1),
                "week_rows": float(weekly.value),
                "typical_day": expm1(reference.mean),
                "day_rows": float(rows),
            },
            evidence=state.example,
        )
    ]


def _title(anomaly: Anomaly, who: str) -> Message:
    return message("title.drip", "More than usual for days: {who}", who=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    days = round(anomaly.facts.get("days", 0))
    week = phrase.counted(round(anomaly.facts.get("week_rows", 0)), "row")
    usual = phrase.usual(anomaly.facts.get("typical_day", 0), daily=True)
    if days > 1:
        return message(
            "drip.reason", "For {days} it has taken more than it used to: {week} in the last week; {usual}",
            days=phrase.counted(days, "day"), week=week, usual=usual,
        )  # fmt: skip
    return message(
        "drip.begun",
        "It has begun to take more than it used to: {week} in the last week; {usual}",
        week=week,
        usual=usual,
    )


EXPLANATION = Explanation(
    name=NAME, title=_title, reason=_reason, kind="amount", silenced_by_expected=True, common=False
)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=DripState,
    observe=_observe,
    close=_close,
)
