"""The report's sentences: the verdict, the stages of an incident, and what the logs cannot prove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import floor

import msgspec

from detector.alert.finding import ExceededBound, Finding
from detector.catalogue import SENSITIVITY, Category, category
from detector.event import READING, ActorKind, Operation
from detector.units import DAY_MS, HOUR_MS
from streams.locale import Translator
from streams.locale.times import clock, day, minute
from streams.locale.vocabulary import CATEGORIES, OPERATIONS, SEVERITIES
from streams.replay.coverage import Gap, SourceCoverage
from streams.replay.read_share import ReadScope, ReadShare
from streams.replay.replay import Summary
from streams.report.timeline import FURTHER, STAGES, UNNAMED, Mark, Timeline, TimelineStage

__all__ = [
    "CategoryShare",
    "absent",
    "bound_text",
    "cautions",
    "curve_text",
    "exposure",
    "gap_list",
    "gap_text",
    "headline",
    "mark_text",
    "mark_title",
    "object_name",
    "read_share_text",
    "severities_text",
    "span_text",
    "who",
]

NAMED_CATEGORIES = 2
NAMED_GAPS = 3


class CategoryShare(msgspec.Struct, frozen=True):
    """What is known of one category of data in an incident."""

    category: Category
    rows: int
    objects: tuple[tuple[str, int], ...]
    unknown: int
    """Reads whose log does not say how many rows."""
    named: bool
    """Whether any access named objects of it."""


def headline(t: Translator, incidents: Sequence[Finding], count: int, summary: Summary) -> str:
    """The verdict in one sentence, or two if too little was read to tell more."""
    if not summary.events:
        return t.gettext("Nothing could be read, so nothing can be concluded.")
    if not summary.too_little_read:
        return _found(t, incidents, count, summary)
    if not incidents:
        return t.gettext("It cannot be said whether anything stands out: too little could be read.")
    doubt = t.gettext("It cannot be said whether anything else stands out: too little could be read.")
    return f"{_found(t, incidents, count, summary)} {doubt}"


def read_share_text(t: Translator, share: ReadShare) -> str:
    """How much of what was read."""
    values = {
        "read": t.number(share.read),
        "records": t.ngettext("{n} record", "{n} records", share.records),
        "share": t.percent(floor(1000 * share.read / share.records) / 1000, digits=1),
    }
    if share.scope is ReadScope.ALL:
        return t.gettext("{read} of {records} ({share})", **values)
    return t.gettext("of {name}: {read} of {records} ({share})", name=share.name, **values)


def _found(t: Translator, incidents: Sequence[Finding], count: int, summary: Summary) -> str:
    if not incidents:
        return t.gettext(
            "Nothing stands out in {events} from {identities}.",
            events=t.ngettext("{n} event", "{n} events", summary.events),
            identities=t.ngettext("{n} identity", "{n} identities", summary.identities),
        )
    worst = incidents[0]
    values = {
        "severity": t.gettext(SEVERITIES[worst.severity]),
        "who": who(t, worst),
        "taken": _taken(t, worst),
        "time": minute(worst.start_ms),
    }
    if count == 1:
        return t.gettext("One incident, {severity}: {who} took out {taken} since {time} UTC.", **values)
    return t.gettext(
        "{incidents}, the worst {severity}: {who} took out {taken} since {time} UTC.",
        incidents=t.ngettext("{n} incident", "{n} incidents", count),
        **values,
    )


def severities_text(t: Translator, severities: Sequence[int]) -> str:
    """How many incidents there are of each severity, the worst first."""
    counts = Counter(severities)
    return t.listed(
        [
            t.gettext(
                "{number} {severity}", number=t.number(counts[level]), severity=t.gettext(SEVERITIES[level])
            )
            for level in sorted(counts, reverse=True)
        ]
    )


def who(t: Translator, incident: Finding) -> str:
    """The incident's subject within a sentence: an identity, a number of them, a source or a tenant."""
    match incident.kind:
        case ActorKind.HUMAN:
            return t.gettext("the user {name}", name=incident.actor)
        case ActorKind.INTEGRATION:
            return t.gettext("the integration {name}", name=incident.actor)
        case ActorKind.GUEST:
            return t.gettext("the guest {name}", name=incident.actor)
        case None if incident.identities:
            return t.ngettext("{n} identity", "{n} identities", len(incident.identities))
        case None:
            return incident.actor


def span_text(t: Translator, start_ms: int, end_ms: int) -> str:
    """From when to when, UTC.

    >>> span_text(Translator(), 0, 60_000), span_text(Translator(), 0, 90_000_000)
    ('1970-01-01, 00:00 to 00:01 UTC', '1970-01-01 00:00 to 1970-01-02 01:00 UTC')
    """
    if day(start_ms) != day(end_ms):
        return t.gettext("{start} to {end} UTC", start=minute(start_ms), end=minute(end_ms))
    if clock(start_ms) == clock(end_ms):
        return f"{minute(start_ms)} UTC"
    return t.gettext(
        "{day}, {start} to {end} UTC", day=day(start_ms), start=clock(start_ms), end=clock(end_ms)
    )


def mark_title(t: Translator, mark: Mark) -> str:
    """A mark in two words."""
    title = t.gettext(STAGES[mark.stage])
    return f"{title}, {t.gettext(SEVERITIES[mark.severity])}" if mark.severity else title


def mark_text(t: Translator, mark: Mark, incident: Finding) -> str:
    """What a mark means."""
    match mark.stage:
        case TimelineStage.NETWORK:
            return t.gettext("first access from {where}, which this identity had not used", where=mark.where)
        case TimelineStage.RECONNAISSANCE if mark.where:
            return t.gettext("objects described or counted, from {where}", where=mark.where)
        case TimelineStage.RECONNAISSANCE:
            return t.gettext("objects described or counted")
        case TimelineStage.SAMPLE:
            return t.gettext("first rows read, from {where}", where=mark.where)
        case TimelineStage.BULK if mark.where:
            return t.gettext("first large read, from {where}", where=mark.where)
        case TimelineStage.BULK:
            return t.gettext("first large read")
        case TimelineStage.BOUND if incident.bound is not None:
            return bound_text(t, incident.bound)
        case TimelineStage.DELETION if mark.where:
            return t.gettext("an export was deleted: {what}", what=mark.where)
        case TimelineStage.DELETION:
            return t.gettext("an export was deleted")
        case _:
            return ""


def bound_text(t: Translator, bound: ExceededBound) -> str:
    """The bound in words."""
    rows = t.ngettext("{n} row", "{n} rows", round(bound.rows))
    if bound.operation is not None:
        rows = t.gettext("{rows} by {operation}", rows=rows, operation=t.gettext(OPERATIONS[bound.operation]))
    if bound.horizon_ms == HOUR_MS:
        return t.gettext("at most {rows} in an hour", rows=rows)
    if bound.horizon_ms == DAY_MS:
        return t.gettext("at most {rows} in a day", rows=rows)
    return t.gettext("at most {rows} in {duration}", rows=rows, duration=t.duration(bound.horizon_ms))


def curve_text(t: Translator, incident: Finding, account: Timeline) -> str:
    """The curve for readers who cannot see it."""
    text = t.gettext(
        "Rows taken, cumulative: {rows} between {start} and {end} UTC.",
        rows=t.number(account.rows),
        start=minute(account.points[0][0]),
        end=minute(account.points[-1][0]),
    )
    crossed = next((mark for mark in account.marks if mark.stage is TimelineStage.BOUND), None)
    if incident.bound is not None:
        bound = bound_text(t, incident.bound)
        text += " "
        if crossed:
            text += t.gettext(
                "Expected: {bound}; exceeded at {time} UTC.", bound=bound, time=minute(crossed.time_ms)
            )
        else:
            text += t.gettext("Expected: {bound}; not exceeded.", bound=bound)
    return f"{text} {t.gettext('The list beside the chart explains the marks.')}"


def object_name(t: Translator, name: str) -> str:
    """An object's name from a log, or what stands for the objects without one."""
    return t.gettext(name) if name in (UNNAMED, FURTHER) else name


def exposure(incident: Finding, account: Timeline | None) -> list[CategoryShare]:
    """Every category in the catalogue: those with rows taken first, then the most sensitive."""
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
    t: Translator,
    account: Timeline,
    sources: Sequence[SourceCoverage],
    operations: frozenset[Operation],
    dead_letters: int,
) -> list[str]:
    """Reasons why data may have been taken although these logs do not show it."""
    reasons = []
    unknown = sum(way.unknown for way in account.ways)
    if unknown:
        reasons.append(
            t.ngettext(
                "{n} of these reads does not say how many rows it returned.",
                "{n} of these reads do not say how many rows they returned.",
                unknown,
            )
        )
    if account.unnamed_reads:
        reasons.append(
            t.ngettext(
                "{n} of these reads does not name its object.",
                "{n} of these reads do not name their object.",
                account.unnamed_reads,
            )
        )
    gaps = {
        (gap.start_ms, gap.end_ms): gap
        for source in sources
        for gap in source.gaps
        if gap.start_ms <= account.end_ms and gap.end_ms >= account.base_ms
    }
    if gaps:
        reasons.append(
            t.gettext("Logs are missing in this period: {gaps}.", gaps=gap_list(t, list(gaps.values())))
        )
    missing = absent(t, operations)
    if missing:
        reasons.append(
            t.gettext(
                "These logs hold no {operations} at all, from anyone.", operations=t.listed(missing, "or")
            )
        )
    if dead_letters:
        reasons.append(
            t.ngettext("{n} record could not be read.", "{n} records could not be read.", dead_letters)
        )
    if account.forgotten:
        reasons.append(
            t.ngettext(
                "{n} operation dropped out of the count’s memory: if it reports again later, its rows count twice.",
                "{n} operations dropped out of the count’s memory: if they report again later, their rows count twice.",
                account.forgotten,
            )
        )
    return reasons


def absent(t: Translator, operations: frozenset[Operation]) -> list[str]:
    """The kinds of reading without a single event: data taken that way would not be in the logs."""
    return [
        t.gettext(OPERATIONS[operation])
        for operation in Operation
        if operation in READING and operation not in operations
    ]


def gap_text(t: Translator, gap: Gap) -> str:
    """A gap in words."""
    span = span_text(t, gap.start_ms, gap.end_ms)
    if gap.hours * HOUR_MS == gap.end_ms - gap.start_ms:
        return span
    return f"{span} ({t.ngettext('{n} hour', '{n} hours', gap.hours)})"


def gap_list(t: Translator, gaps: Sequence[Gap]) -> str:
    """The first gaps in words, and how many follow."""
    shown = [gap_text(t, gap) for gap in sorted(gaps, key=lambda gap: gap.start_ms)[:NAMED_GAPS]]
    if len(gaps) > NAMED_GAPS:
        shown.append(t.ngettext("{n} more gap", "{n} more gaps", len(gaps) - NAMED_GAPS))
    return "; ".join(shown)


def _taken(t: Translator, incident: Finding) -> str:
    """The rows taken, and the main kinds of data in them."""
    rows = t.ngettext("{n} row", "{n} rows", incident.rows)
    kinds: Counter[Category] = Counter()
    for name, count in incident.objects:
        kinds[category(name)] += count
    named = t.listed([t.gettext(CATEGORIES[kind]) for kind, _ in kinds.most_common(NAMED_CATEGORIES)])
    if not named:
        return rows
    if len(kinds) <= NAMED_CATEGORIES:
        return t.gettext("{rows} of {kinds}", rows=rows, kinds=named)
    return t.gettext("{rows}, mostly {kinds},", rows=rows, kinds=named)
