"""What a report says in sentences: the verdict, the stages of an incident, and what nobody may conclude."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from detector.alert.finding import ExceededBound, Finding
from detector.catalogue import SENSITIVITY, Category, category
from detector.event import READING, Operation
from detector.units import DAY_MS, HOUR_MS
from streams.replay.coverage import Gap, SourceCoverage
from streams.replay.replay import Summary
from streams.report.text import (
    CATEGORIES,
    KINDS,
    OPERATIONS,
    SEVERITIES,
    clock,
    day,
    duration,
    joined,
    minute,
    number,
)
from streams.report.timeline import Mark, Timeline, TimelineStage

__all__ = [
    "CategoryShare",
    "absent",
    "bound_text",
    "cautions",
    "curve_text",
    "exposure",
    "gap_text",
    "headline",
    "mark_text",
    "mark_title",
    "others_text",
    "span_text",
    "who",
]

NAMED_CATEGORIES = 2
NAMED_GAPS = 3
_TITLES = {
    TimelineStage.NETWORK: "New network",
    TimelineStage.RECONNAISSANCE: "Reconnaissance",
    TimelineStage.SAMPLE: "Sample",
    TimelineStage.BULK: "Bulk",
    TimelineStage.BOUND: "Above what is expected",
    TimelineStage.DELETION: "Traces deleted",
    TimelineStage.VENDOR: "The vendor's own finding",
    TimelineStage.ALERT: "Alert",
    TimelineStage.UPDATE: "Alert again",
}


class CategoryShare(msgspec.Struct, frozen=True):
    """What is known of one category of data in an incident."""

    category: Category
    rows: int
    objects: tuple[tuple[str, int], ...]
    unknown: int
    """Reads whose log does not say how many rows."""
    named: bool
    """Whether objects of it were named in any access."""


def headline(incidents: Sequence[Finding], count: int, summary: Summary) -> str:
    """The verdict in one sentence."""
    if not summary.events:
        return "Nothing could be read, so nothing can be said."
    if not incidents:
        return (
            f"Nothing that stands out in {number(summary.events, 'event')} of "
            f"{number(summary.identities, 'identity', 'identities')}."
        )
    worst = incidents[0]
    taken = number(worst.rows, "row")
    kinds: Counter[Category] = Counter()
    for name, rows in worst.objects:
        kinds[category(name)] += rows
    held = [CATEGORIES[kind] for kind, _ in kinds.most_common(NAMED_CATEGORIES)]
    if held:
        taken += f" of {joined(held)}" if len(kinds) <= NAMED_CATEGORIES else f", mostly {joined(held)},"
    lead = "One incident," if count == 1 else f"{number(count, 'incident')}, the worst"
    return f"{lead} {_level(worst)}: {who(worst)} took out {taken} since {minute(worst.start_ms)} UTC."


def others_text(severities: Sequence[int]) -> str:
    """How many incidents there are of each severity, the worst first."""
    counts = Counter(severities)
    return joined([f"{counts[level]:,} {SEVERITIES[level]}" for level in sorted(counts, reverse=True)])


def who(incident: Finding) -> str:
    """Whom an incident is about, within a sentence."""
    if len(incident.identities) > 1 or incident.kind is None:
        return incident.actor
    return f"{KINDS[incident.kind]} {incident.actor}"


def span_text(start_ms: int, end_ms: int) -> str:
    """From when to when, UTC.

    >>> span_text(0, 60_000), span_text(0, 90_000_000)
    ('1970-01-01, 00:00 to 00:01 UTC', '1970-01-01 00:00 to 1970-01-02 01:00 UTC')
    """
    if day(start_ms) != day(end_ms):
        return f"{minute(start_ms)} to {minute(end_ms)} UTC"
    if clock(start_ms) == clock(end_ms):
        return f"{minute(start_ms)} UTC"
    return f"{day(start_ms)}, {clock(start_ms)} to {clock(end_ms)} UTC"


def mark_title(mark: Mark) -> str:
    """A mark in two words."""
    level = f", {SEVERITIES[mark.severity]}" if mark.severity else ""
    return f"{_TITLES[mark.stage]}{level}"


def mark_text(mark: Mark, incident: Finding) -> str:
    """What a mark means."""
    if mark.stage is TimelineStage.NETWORK:
        return f"first access from {mark.where}, not used by this identity before"
    if mark.stage is TimelineStage.RECONNAISSANCE:
        return "objects described or counted" + (f", from {mark.where}" if mark.where else "")
    if mark.stage is TimelineStage.SAMPLE:
        return f"first rows read, from {mark.where}"
    if mark.stage is TimelineStage.BULK:
        return "the first read of a large part" + (f", from {mark.where}" if mark.where else "")
    if mark.stage is TimelineStage.BOUND and incident.bound is not None:
        return bound_text(incident.bound)
    if mark.stage is TimelineStage.DELETION:
        return f"an export was deleted: {mark.where}" if mark.where else "an export was deleted"
    return ""


def bound_text(bound: ExceededBound) -> str:
    """The bound in words."""
    what = f" by {OPERATIONS[bound.operation]}" if bound.operation is not None else ""
    return f"at most {number(round(bound.rows), 'row')}{what} in {_window(bound.horizon_ms)}"


def curve_text(incident: Finding, account: Timeline) -> str:
    """A curve for those who do not see it."""
    text = (
        f"Rows that left, added up: {number(account.rows)} between {minute(account.points[0][0])} and "
        f"{minute(account.points[-1][0])} UTC."
    )
    crossed = next((mark for mark in account.marks if mark.stage is TimelineStage.BOUND), None)
    if incident.bound is not None:
        text += f" Expected are {bound_text(incident.bound)}"
        text += f", exceeded at {minute(crossed.time_ms)} UTC." if crossed else ", which was not exceeded."
    return text + " The marks are listed beside it."


def exposure(incident: Finding, account: Timeline | None) -> list[CategoryShare]:
    """Every category that is in the catalogue: what left first, then the most sensitive."""
    objects = account.objects if account is not None else incident.objects
    unknown = account.unknown_objects if account is not None else ()
    touched = account.touched if account is not None else {category(name) for name, _ in objects}
    shares = []
    for kind in Category:
        held = tuple((name, rows) for name, rows in objects if category(name) is kind)
        reads = sum(events for name, events in unknown if category(name) is kind)
        rows = sum(count for _, count in held)
        shares.append(CategoryShare(kind, rows, held, reads, kind in touched))
    return sorted(shares, key=lambda share: (-share.rows, -share.unknown, -SENSITIVITY[share.category]))


def cautions(
    account: Timeline, sources: Sequence[SourceCoverage], operations: frozenset[Operation], dead_letters: int
) -> list[str]:
    """Why what was not seen may have left all the same."""
    found = []
    unknown = sum(way.unknown for way in account.ways)
    if unknown:
        found.append(f"{unknown:,} of these reads {_does(unknown)} not say how many rows left.")
    if account.unnamed_reads:
        found.append(
            f"{account.unnamed_reads:,} of these reads {_does(account.unnamed_reads)} not say of which object."
        )
    gaps = {
        (gap.start_ms, gap.end_ms): gap
        for source in sources
        for gap in source.gaps
        if gap.start_ms <= account.end_ms and gap.end_ms >= account.base_ms
    }
    if gaps:
        found.append(f"Logs are missing within this time: {gap_list(list(gaps.values()))}.")
    missing = absent(operations)
    if missing:
        found.append(f"These logs hold no {joined(missing, 'or')} at all, of anybody.")
    if dead_letters:
        found.append(f"{number(dead_letters, 'record')} could not be read.")
    if account.forgotten:
        found.append(
            f"{number(account.forgotten, 'operation')} fell out of the count's memory:"
            " rows of those that report again later are counted twice."
        )
    return found


def absent(operations: frozenset[Operation]) -> list[str]:
    """The kinds of reading that no event is of: whatever was done that way is not in the logs."""
    return [OPERATIONS[done] for done in Operation if done in READING and done not in operations]


def gap_text(gap: Gap) -> str:
    """A gap in words."""
    hours = f" ({number(gap.hours, 'hour')})" if gap.hours * HOUR_MS != gap.end_ms - gap.start_ms else ""
    return f"{span_text(gap.start_ms, gap.end_ms)}{hours}"


def gap_list(gaps: Sequence[Gap]) -> str:
    """The first gaps in words, and how many more."""
    shown = [gap_text(gap) for gap in sorted(gaps, key=lambda gap: gap.start_ms)[:NAMED_GAPS]]
    more = [f"{number(len(gaps) - NAMED_GAPS, 'more time')}"] if len(gaps) > NAMED_GAPS else []
    return "; ".join(shown + more)


def _level(incident: Finding) -> str:
    return SEVERITIES[incident.severity]


def _does(count: int) -> str:
    return "does" if count == 1 else "do"


def _window(horizon_ms: int) -> str:
    if horizon_ms == HOUR_MS:
        return "an hour"
    return "a day" if horizon_ms == DAY_MS else duration(horizon_ms)
