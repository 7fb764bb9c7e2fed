"""Why a detector thinks that something is unusual, in a sentence: what it was, what is normal, whence that is known."""

from __future__ import annotations

from detector.alert import phrase
from detector.event import Operation
from detector.identity.detectors.chain import STAGES
from detector.signal import NewValue
from detector.triage.incident import OTHER, Anomaly, Incident

__all__ = ["COUNTED", "DONE", "explain", "operation", "rare"]

SHOWN_NEWS = 3
WALKING = 20
"""From so many ids in ascending order on, that is what is said."""
_OPERATIONS = frozenset(operation.value for operation in Operation)
_OTHER_OPERATION = ("operation", "operations")
DONE = {
    Operation.QUERY: "by API query",
    Operation.BULK_EXPORT: "by bulk export",
    Operation.REPORT: "in reports",
    Operation.REPORT_EXPORT: "by exporting reports",
    Operation.LIST_VIEW: "in list views",
    Operation.RECORD_VIEW: "by opening records",
    Operation.FILE_DOWNLOAD: "by downloading files",
    Operation.SEARCH: "by searching",
}
"""How rows leave by an operation."""
_SINGLE = {
    Operation.QUERY: ("API query", "API queries"),
    Operation.BULK_EXPORT: ("bulk export", "bulk exports"),
    Operation.REPORT: ("report", "reports"),
    Operation.REPORT_EXPORT: ("exported report", "exported reports"),
    Operation.LIST_VIEW: ("list view", "list views"),
    Operation.RECORD_VIEW: ("record view", "record views"),
    Operation.FILE_DOWNLOAD: ("file download", "file downloads"),
    Operation.SEARCH: ("search", "searches"),
}
_DOING = {
    Operation.LOGIN: "logging in",
    Operation.DESCRIBE: "looking up what objects there are",
    Operation.COUNT: "counting records",
    Operation.QUERY: "API queries",
    Operation.BULK_EXPORT: "bulk exports",
    Operation.REPORT: "running reports",
    Operation.REPORT_EXPORT: "exporting reports",
    Operation.LIST_VIEW: "list views",
    Operation.RECORD_VIEW: "opening records",
    Operation.SEARCH: "searching",
    Operation.FILE_DOWNLOAD: "downloading files",
    Operation.EXPORT_DELETE: "deleting export jobs",
    Operation.WRITE: "changing records",
    Operation.ADMIN: "administration",
    Operation.VENDOR_FINDING: "being found by the vendor",
    Operation.OTHER: "an operation of another kind",
}
_STEPS = {
    "recon": "looked around",
    "sample": "tried queries or reports",
    "bulk": "exported in bulk",
    "clean-up": "deleted its export jobs",
}
_SORTS = {
    "network": "the network {}",
    "agent": "the agent {}",
    "app": "the app {}",
    "country": "the country {}",
    "operation": "{}",
    "object": "{} records",
    "query": "the query that it ran",
    "hour": "being active at {}",
}
COUNTED = {"calls": ("call", "calls"), "kilobytes": ("kilobyte", "kilobytes")}
"""What is counted in a channel that does not count rows."""
_ROWS = ("row", "rows")


def explain(incident: Incident, found: Anomaly) -> str:
    """Why one detector thinks that this is unusual."""
    match found.detector:
        case "volume" | "export":
            return _amount(found)
        case "novelty":
            return _new(incident, found)
        case "drip":
            days = round(found.facts.get("days", 0))
            week = phrase.counted(round(found.facts.get("week_rows", 0)), "row")
            begun = f"For {phrase.counted(days, 'day')} it has taken" if days > 1 else "It has begun to take"
            usual = phrase.usual(found.facts.get("typical_day", 0), " a day")
            return f"{begun} more than it used to: {week} in the last week; {usual}"
        case "rhythm":
            return _driven(found)
        case "chain":
            done = phrase.listed([_STEPS[stage] for stage in STAGES if stage in found.facts])
            return f"It {done}, which it seldom or never does"
        case "origin":
            return "All of them turned up there for the first time within a day, and hardly anybody else is seen there"
        case "vendor":
            findings = round(found.facts.get("findings", 1))
            return f"The vendor's own detection raised {phrase.counted(findings, 'finding')} about it"
        case "intel":
            names = phrase.listed([phrase.quoted(new.value) for new in found.news])
            return f"What it came from, or with, is known to be bad: {names}"
        case _:
            return "Taken together, what it did that day is a rare mixture"


def operation(channel: str) -> tuple[str, str]:
    """One of a kind of operation, and several."""
    return _SINGLE.get(Operation(channel), _OTHER_OPERATION) if channel in _OPERATIONS else _OTHER_OPERATION


def _amount(found: Anomaly) -> str:
    """What the quantity was, what is usual, the most to be expected, and whence that is known."""
    channel, _, unit = found.channel.partition(":")
    most = phrase.truncated(found.bound)
    # A finding that only supports an alert may lie below; then the most to be expected explains nothing.
    limit = f", at most {most:,} expected" if max(0, round(found.typical)) < most < found.value else ""
    if unit == "calls":
        verb = "was" if found.value == 1 else "were"
        told = f"In one {found.span} there {verb} {phrase.counted(found.value, *operation(channel))}"
    else:
        counted = phrase.counted(found.value, *COUNTED.get(unit, _ROWS))
        if found.span == "operation":
            told = f"A single {operation(channel)[0]} had {counted}"
        else:
            way = f" {DONE[Operation(channel)]}" if channel in DONE else ""
            told = f"In one {found.span} it took out {counted}{way}"
    return f"{told}; {phrase.usual(found.typical)}{limit}, {_basis(found)}"


def _basis(found: Anomaly) -> str:
    if found.own_days >= 5:
        return f"known from {found.own_days:,} of its own days"
    if found.own_days:
        return f"judged by its peers, with {phrase.counted(found.own_days, 'day')} of its own known"
    return "judged by its peers: it has not done this before"


def _new(incident: Incident, found: Anomaly) -> str:
    if not found.news:
        return "It was seen with something new"
    named = [_thing(new) for new in found.news[:SHOWN_NEWS]]
    if len(found.news) > SHOWN_NEWS:
        named.append(f"{len(found.news) - SHOWN_NEWS:,} more")
    return f"New for it after {phrase.counted(incident.known_days, 'active day')}: {phrase.listed(named)}"


def _thing(new: NewValue) -> str:
    match new.what:
        case "operation":
            value = _DOING[Operation(new.value)] if new.value in _OPERATIONS else phrase.name(new.value)
        case "hour":  # the detector's own words
            weekend, hour = new.value.startswith("weekend "), new.value.removeprefix("weekend ")
            value = f"{phrase.clean(hour)}{' at a weekend' if weekend else ''}"
        case "object" if new.value == OTHER:
            value = "unnamed"
        case _:
            value = phrase.name(new.value)
    since = f" ({phrase.counted(round(new.age_days), 'day')} ago)" if new.age_days >= 1 else ""
    return _SORTS.get(new.what, "{}").format(value) + since


def _driven(found: Anomaly) -> str:
    actions = round(found.facts.get("actions", 0))
    ascending = round(found.facts.get("ascending", 0))
    low, high = found.facts.get("low_seconds", 0.0), found.facts.get("high_seconds", 0.0)
    row = f"{phrase.counted(actions, 'action')} in a row"
    if ascending >= WALKING:
        return f"{row}, {ascending:,} of them through ids in ascending order, as a program does"
    return f"{row}, half of them {low:.1f} to {high:.1f} s apart: a program's rhythm, not a person's"


def rare(found: Anomaly) -> str:
    """How seldom that is, as a sentence after a space; empty where nothing was counted that could say it."""
    if found.detector in ("vendor", "intel", "origin"):
        return ""
    odds = 10**found.surprise
    return f" About 1 in {phrase.about(odds)} of its peers' days reaches this." if odds >= 2 else ""
