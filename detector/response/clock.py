"""The clocks of a notification: from an entered awareness, in plain hours, by rules that carry their dates.

An alert is no awareness, and neither is a confirmation: the 72 hours run from the time that somebody enters, with
its source and reason. Until then nobody can be later than the confirmation, so the latest deadline possible is shown.
Hours are counted plainly, from the minute, in UTC: weekends and holidays count (Regulation 1182/71, Article 3(3)),
and a period in hours does not move to a working day (Article 3(4)). Whether Article 3(5), at least two working days,
extends it is disputed; no deadline here rests on it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from detector.decision import Awareness, Decision, Kind
from detector.decision_index import DecisionIndex
from detector.units import HOUR_MS

__all__ = [
    "RULES",
    "Clock",
    "ClockRule",
    "Deadline",
    "Duty",
    "Nis2",
    "awareness",
    "awareness_history",
    "deadline",
    "deadlines",
    "nis2_clocks",
    "rule",
]


class Duty(StrEnum):
    """What is due."""

    GDPR_NOTIFICATION = "gdpr_notification"
    GDPR_COMPLEMENT = "gdpr_complement"
    NIS2_EARLY_WARNING = "nis2_early_warning"
    NIS2_NOTIFICATION = "nis2_notification"
    NIS2_FINAL_REPORT = "nis2_final_report"


class ClockRule(msgspec.Struct, frozen=True, kw_only=True):
    """How long there is for a duty, for what begins from a date on."""

    duty: Duty
    hours: int = 0
    months: int = 0
    """Calendar months, beside no hours."""
    begins_with: str
    """What starts it: ``awareness``, or the duty whose fulfilment does."""
    in_force_from: datetime
    source: str
    certain: bool = True
    """Whether the text itself was read; if not, the rule is to be checked before it is relied on."""


RULES = (
    ClockRule(
        duty=Duty.GDPR_NOTIFICATION,
        hours=72,
        begins_with="awareness",
        in_force_from=datetime(2018, 5, 25, tzinfo=UTC),
        source="GDPR, Article 33(1)",
    ),
    ClockRule(
        duty=Duty.GDPR_COMPLEMENT,
        hours=72,
        begins_with=Duty.GDPR_NOTIFICATION,
        in_force_from=datetime(2018, 5, 25, tzinfo=UTC),
        source="CNIL, tele-service: complementary notification, if possible within 72 hours of the initial one",
    ),
    ClockRule(
        duty=Duty.NIS2_EARLY_WARNING,
        hours=24,
        begins_with="awareness",
        in_force_from=datetime(2024, 10, 18, tzinfo=UTC),
        source="NIS2, Article 23(4)(a)",
        certain=False,  # the directive's date; the national law decides, and was not found in France
    ),
    ClockRule(
        duty=Duty.NIS2_NOTIFICATION,
        hours=72,
        begins_with="awareness",
        in_force_from=datetime(2024, 10, 18, tzinfo=UTC),
        source="NIS2, Article 23(4)(b)",
        certain=False,
    ),
    ClockRule(
        duty=Duty.NIS2_FINAL_REPORT,
        months=1,
        begins_with=Duty.NIS2_NOTIFICATION,
        in_force_from=datetime(2024, 10, 18, tzinfo=UTC),
        source="NIS2, Article 23(4)(d)",
        certain=False,
    ),
)
"""Every rule; a change of law is another entry with the date from which it holds."""


def rule(duty: Duty, start_ms: int, rules: tuple[ClockRule, ...] = RULES) -> ClockRule | None:
    """The rule in force for a duty whose clock starts at a time; ``None`` before there was one.

    >>> rule(Duty.GDPR_NOTIFICATION, 1_772_409_600_000).hours
    72
    """
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    held = [one for one in rules if one.duty is duty and one.in_force_from <= start]
    return max(held, key=lambda one: one.in_force_from, default=None)


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """A duty's deadline; ``None`` while what starts the clock has not happened."""

    duty: Duty
    start_ms: int | None
    deadline_ms: int | None
    source: str
    certain: bool


class Deadline(msgspec.Struct, frozen=True):
    """By when the authority must be notified of a breach."""

    deadline_ms: int
    aware_ms: int | None
    """When the organisation became aware, as entered; ``None`` if it is not entered: then `deadline_ms` is the latest
    possible, counted from the confirmation."""


class Nis2(StrEnum):
    """What an organisation is under NIS2."""

    NONE = "none"
    ESSENTIAL = "essential"
    IMPORTANT = "important"


def awareness_history(index: DecisionIndex, incident: str) -> list[Decision]:
    """Every entry of awareness about an incident, the oldest first, replaced and withdrawn ones too."""
    return index.of_kind(Kind.AWARENESS, incident)


def awareness(index: DecisionIndex, incident: str) -> Decision | None:
    """The entry that holds: the newest that is not withdrawn. An older one stays in the history."""
    held = [one for one in awareness_history(index, incident) if not index.withdrawal(one)]
    return held[-1] if held else None


def deadline(index: DecisionIndex, incident: str) -> Deadline | None:
    """By when the authority must be notified, whether it has been or not; ``None`` for what is no breach."""
    entry = awareness(index, incident)
    if entry is not None and isinstance(entry.payload, Awareness):
        return Deadline(_end_ms(Duty.GDPR_NOTIFICATION, entry.payload.aware_ms), entry.payload.aware_ms)
    breach = index.first(Kind.BREACH, incident)
    return None if breach is None else Deadline(_end_ms(Duty.GDPR_NOTIFICATION, breach.time_ms), None)


def deadlines(index: DecisionIndex) -> dict[str, Deadline]:
    """Incident → its deadline, of each breach of which the authority has not been notified, the soonest first."""
    running = {
        incident: found
        for incident in index.incidents()
        if index.first(Kind.NOTIFIED, incident) is None and (found := deadline(index, incident)) is not None
    }
    return dict(sorted(running.items(), key=lambda item: (item[1].deadline_ms, item[0])))


def nis2_clocks(
    aware_ms: int | None, nis2: Nis2, significant: bool | None, notified_ms: int | None = None
) -> tuple[Clock, ...]:
    """The three clocks of NIS2: none unless the organisation falls under it and a person called it significant.

    `aware_ms` is when the organisation became aware of the *significant incident*, `notified_ms` when the 72-hour
    notification was submitted, from which the month of the final report runs.
    """
    if nis2 is Nis2.NONE or not significant:
        return ()
    starts = (
        (Duty.NIS2_EARLY_WARNING, aware_ms),
        (Duty.NIS2_NOTIFICATION, aware_ms),
        (Duty.NIS2_FINAL_REPORT, notified_ms),
    )
    return tuple(clock(duty, start_ms) for duty, start_ms in starts)


def clock(duty: Duty, start_ms: int | None) -> Clock:
    """A duty's clock from its start; without a start the newest rule says how it would run."""
    newest = max((one for one in RULES if one.duty is duty), key=lambda one: one.in_force_from)
    found = newest if start_ms is None else rule(duty, start_ms) or newest
    end_ms = None if start_ms is None else _after(found, start_ms)
    return Clock(duty=duty, start_ms=start_ms, deadline_ms=end_ms, source=found.source, certain=found.certain)


def _end_ms(duty: Duty, start_ms: int) -> int:
    found = rule(duty, start_ms) or min(
        (one for one in RULES if one.duty is duty), key=lambda one: one.in_force_from
    )
    return _after(found, start_ms)


def _after(found: ClockRule, start_ms: int) -> int:
    if not found.months:
        return start_ms + found.hours * HOUR_MS
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + found.months, 12)
    first = start.replace(year=year, month=month + 1, day=1)
    last_day = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    # A month's period ends with the day of the same number, or with the month's last.
    return round(first.replace(day=min(start.day, last_day)).timestamp() * 1000)
