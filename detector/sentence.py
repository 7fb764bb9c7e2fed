"""An incident in words: who took out how much, when and from where; what is normal; why it matters; what to do.

For somebody tired: about eighty words, what happened first, each sentence one thing. Text that comes from a log
is the attacker's: it stands in quotes that it cannot close, or is plainly an id. Words for an operation are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from detector import notice, phrase
from detector.catalogue import Category, category, sensitivity
from detector.event import ActorKind, Operation
from detector.identity.chain import STAGES
from detector.identity.level import DAY_MS
from detector.identity.novelty import agent_family, network
from detector.measures import steps
from detector.signal import New
from detector.triage.incident import (
    OTHER,
    Finding,
    Incident,
    channels_left,
    objects_left,
    rows_left,
)

__all__ = ["describe", "ranked", "title"]

SHOWN_AGENT = 40
"""How much of a user agent a sentence quotes; a longer one is called by its family."""
SHOWN_OBJECTS = 3
SHOWN_NEWS = 3
SHOWN_GROUNDS = 2
MAX_WORDS = 105
"""A second ground is left out, or how rare it is, rather than have it grow beyond."""
WALKING = 20
"""From so many ids in ascending order on, that is what is said."""
MANY_ROWS, MANY_SHARE = 20, 0.05
"""Of so many rows, or of such a share of them, a kind of record must be to be the reason why it matters."""
_OPERATIONS = frozenset(operation.value for operation in Operation)
_OTHER_OPERATION = ("operation", "operations")
_QUOTED = re.compile("“[^“”]*”")
LAG = 1.5
"""Rows that left with something new may be so many times what was last said of them."""
SUPPORTING = "population"
"""The detector that never opens an incident, only adds to one."""

_DONE = {
    Operation.QUERY: "by API query",
    Operation.BULK_EXPORT: "by bulk export",
    Operation.REPORT: "in reports",
    Operation.REPORT_EXPORT: "by exporting reports",
    Operation.LIST_VIEW: "in list views",
    Operation.RECORD_VIEW: "by opening records",
    Operation.FILE_DOWNLOAD: "by downloading files",
    Operation.SEARCH: "by searching",
}
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
_WHY = {
    Category.CONTACT: "The {} hold contact data, which is what phishing is made of",
    Category.CUSTOMER_SERVICE: "The {} hold what customers wrote to customer service",
    Category.IDENTITY_DOCUMENTS: "The {} hold identity documents",
    Category.PAYMENT: "The {} hold payment data",
    Category.CREDENTIALS: "The {} hold credentials, which open other systems",
    Category.LOYALTY: "The {} hold loyalty accounts, which can be emptied or sold",
    Category.HEALTH: "The {} hold health data, a special category of personal data",
    Category.INTERNAL: "The {} are the company's own",
    Category.UNCLASSIFIED: "Nobody has said yet what the {} hold",
}
_KIND = {
    ActorKind.HUMAN: "The user",
    ActorKind.INTEGRATION: "The integration",
    ActorKind.GUEST: "The guest",
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
_SORT_TITLES = {"operation": "kind of operation", "object": "kind of record", "hour": "hour of activity"}
_COUNTED = {"calls": ("call", "calls"), "kilobytes": ("kilobyte", "kilobytes")}
_ROWS = ("row", "rows")


def describe(incident: Incident, *, over: bool = False) -> str:
    """The incident in about eighty words; `over` for its end."""
    if incident.source is not None:
        return notice.describe(incident, incident.source, ranked(incident)[0], over=over)
    first, *others = ranked(incident)
    first_step = steps(incident)[0]
    happened = f"{_who(incident)} {_what(incident)} {_when(incident)}{_where(incident)}."
    grounds = f" {_ground(incident, first)}."
    rare = _rare(first)
    rest = (
        f" {_why(incident)}.{' Nothing more has been seen since.' if over else ''}"
        f" Next: {first_step[0].lower()}{first_step[1:]}"
    )
    for found in others[: SHOWN_GROUNDS - 1]:
        ground = f" {_ground(incident, found)}."
        if _words(happened + grounds + ground + rare + rest) <= MAX_WORDS:
            grounds += ground
    if _words(happened + grounds + rare + rest) > MAX_WORDS:
        rare = ""
    return happened + grounds + rare + rest


def title(incident: Incident) -> str:
    """The incident in a few words."""
    found = ranked(incident)[0]
    if incident.source is not None:
        return notice.title(found)
    who = phrase.quoted(incident.actor_name) if incident.actor_name else phrase.name(incident.actor)
    if incident.network:
        return f"{phrase.counted(len(incident.actors), 'account')} on one new network: {phrase.name(incident.network)}"
    channel, _, unit = found.channel.partition(":")
    if found.detector == "export":
        return f"Unusually large {_operation(channel)[0]} by {who}"
    if found.detector == "volume":
        if unit == "calls":
            return f"Unusually many {_operation(channel)[1]}: {who}"
        done = _DONE.get(Operation(channel), "taken out") if channel != "all" else "taken out"
        return f"Unusually many {'kilobytes' if unit == 'kilobytes' else 'rows'} {done}: {who}"
    if found.detector == "novelty":
        what = found.news[0].what if found.news else "origin"
        return f"New {_SORT_TITLES.get(what, what)} for {who}"
    return {
        "drip": "More than usual for days: {}",
        "rhythm": "An account driven by a program: {}",
        "chain": "The steps of a theft: {}",
        "vendor": "The vendor's own finding about {}",
        "intel": "A known-bad origin for {}",
    }.get(found.detector, "Unusual access by {}").format(who)


def ranked(incident: Incident) -> list[Finding]:
    """The findings, the most surprising first; what only ever supports comes last."""
    return sorted(
        incident.findings.values(),
        key=lambda found: (found.detector == SUPPORTING, -found.surprise, found.detector),
    )


def _words(text: str) -> int:
    """How many words it has; what is quoted is one, or an attacker could crowd out the rest."""
    return _QUOTED.sub("_", text).count(" ") + 1


def _who(incident: Incident) -> str:
    if incident.network:
        return phrase.counted(len(incident.actors), "account")
    actor, name = incident.actor, incident.actor_name
    who = f"{phrase.quoted(name)} ({phrase.name(actor)})" if name and name != actor else phrase.name(actor)
    return f"{_KIND[incident.actor_kind]} {who}"


def _what(incident: Incident) -> str:
    left = objects_left(incident)
    rows = rows_left(incident)
    if not rows and incident.network:
        return "turned up on one network, with no rows taken out yet,"
    if not rows and _untold(incident):
        return "did something unusual, of which the log does not tell the rows,"
    if not rows:
        return "did something unusual, with no rows taken out yet,"
    named = [name for name in left if name != OTHER]
    shown = [f"{phrase.name(name)} {left[name]:,}" for name in named[:SHOWN_OBJECTS]]
    rest = rows - sum(left[name] for name in named[:SHOWN_OBJECTS])
    if shown and rest > 0:
        shown.append(f"others {rest:,}")
    done = _ways(incident)
    if len(named) == 1 and rest <= 0:  # "3 rows of Case" rather than "3 rows (Case 3)"
        return f"took out {phrase.counted(rows, 'row')} of {phrase.name(named[0])}{done}"
    return f"took out {phrase.counted(rows, 'row')}{' (' + ', '.join(shown) + ')' if shown else ''}{done}"


def _untold(incident: Incident) -> bool:
    """Whether the log tells calls or bytes where rows are meant."""
    return any(found.channel.partition(":")[2] in _COUNTED for found in incident.findings.values())


def _ways(incident: Incident) -> str:
    channels = [channel.partition(":")[0] for channel in channels_left(incident)]
    if channels == ["all"]:  # the parts say how
        rows: dict[str, int] = {}
        for part in incident.parts:
            if part.channel != "all":
                rows[part.channel] = max(part.rows, rows.get(part.channel, 0))
        channels = [name.partition(":")[0] for name in sorted(rows, key=lambda name: (-rows[name], name))]
    ways = list(dict.fromkeys(_DONE[Operation(channel)] for channel in channels if channel in _DONE))
    if not ways:
        return ""
    return " " + (" and ".join(ways) if len(ways) <= 2 else f"{ways[0]} and in other ways")


def _when(incident: Incident) -> str:
    (first_day, first), (last_day, last) = (
        phrase.day_and_minute(incident.first_ms),
        phrase.day_and_minute(incident.last_ms),
    )
    whole = first == "00:00" and last == "23:59"
    if first_day == last_day:
        if whole:
            return f"on {first_day} (UTC)"
        at = f"at {first}" if first == last else f"between {first} and {last}"
        return f"on {first_day} {at} UTC"
    if whole:
        return f"from {first_day} to {last_day} (UTC)"
    return f"between {first_day} {first} and {last_day} {last} UTC"


def _where(incident: Incident) -> str:
    where = ""
    if incident.network:
        where = f", from the network {phrase.name(incident.network)}"
    elif addresses := _most_telling(incident.ips, network, _new_values(incident, "network")):
        rows = _rows_apart(incident, addresses[0])
        where = f", {f'at least {rows:,} of them ' if rows else ''}from {phrase.name(addresses[0])}"
        if len(addresses) > 1 and not rows:
            where += f" and {phrase.counted(len(addresses) - 1, 'other address', 'other addresses')}"
    if agents := _most_telling(incident.user_agents, agent_family, _new_values(incident, "agent")):
        agent = agents[0] if len(agents[0]) <= SHOWN_AGENT else agent_family(agents[0])
        where += f"{'' if where else ','} with {phrase.quoted(agent, SHOWN_AGENT)}"
    return where


def _rows_apart(incident: Incident, address: str) -> int:
    """Rows known to have left to a network first seen in this incident, if others are counted with them; or 0."""
    found, where = incident.findings.get("novelty"), network(address)
    if found is None:
        return 0
    for new in found.news:
        if new.what == "network" and new.value == where:
            seen_ms = found.time_ms - round(new.age_days * DAY_MS)
            counted_apart = seen_ms >= incident.first_ms and new.rows * LAG < rows_left(incident)
            return new.rows if counted_apart else 0
    return 0


def _ground(incident: Incident, found: Finding) -> str:
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


def _operation(channel: str) -> tuple[str, str]:
    """One of a kind of operation, and several."""
    return _SINGLE.get(Operation(channel), _OTHER_OPERATION) if channel in _OPERATIONS else _OTHER_OPERATION


def _amount(found: Finding) -> str:
    """What the quantity was, what is usual, the most to be expected, and whence that is known."""
    channel, _, unit = found.channel.partition(":")
    most = phrase.truncated(found.bound)
    # A finding that only supports an alert may lie below; then the most to be expected explains nothing.
    limit = f", at most {most:,} expected" if max(0, round(found.typical)) < most < found.value else ""
    if unit == "calls":
        verb = "was" if found.value == 1 else "were"
        told = f"In one {found.span} there {verb} {phrase.counted(found.value, *_operation(channel))}"
    else:
        counted = phrase.counted(found.value, *_COUNTED.get(unit, _ROWS))
        if found.span == "operation":
            told = f"A single {_operation(channel)[0]} had {counted}"
        else:
            way = f" {_DONE[Operation(channel)]}" if channel in _DONE else ""
            told = f"In one {found.span} it took out {counted}{way}"
    return f"{told}; {phrase.usual(found.typical)}{limit}, {_basis(found)}"


def _basis(found: Finding) -> str:
    if found.own_days >= 5:
        return f"known from {found.own_days:,} of its own days"
    if found.own_days:
        return f"judged by its peers, with {phrase.counted(found.own_days, 'day')} of its own known"
    return "judged by its peers: it has not done this before"


def _new(incident: Incident, found: Finding) -> str:
    if not found.news:
        return "It was seen with something new"
    named = [_thing(new) for new in found.news[:SHOWN_NEWS]]
    if len(found.news) > SHOWN_NEWS:
        named.append(f"{len(found.news) - SHOWN_NEWS:,} more")
    return f"New for it after {phrase.counted(incident.known_days, 'active day')}: {phrase.listed(named)}"


def _thing(new: New) -> str:
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


def _driven(found: Finding) -> str:
    actions = round(found.facts.get("actions", 0))
    ascending = round(found.facts.get("ascending", 0))
    low, high = found.facts.get("low_seconds", 0.0), found.facts.get("high_seconds", 0.0)
    row = f"{phrase.counted(actions, 'action')} in a row"
    if ascending >= WALKING:
        return f"{row}, {ascending:,} of them through ids in ascending order, as a program does"
    return f"{row}, half of them {low:.1f} to {high:.1f} s apart: a program's rhythm, not a person's"


def _rare(found: Finding) -> str:
    if found.detector in ("vendor", "intel", "origin"):
        return ""
    odds = 10**found.surprise
    return f" About 1 in {phrase.about(odds)} of its peers' days reaches this." if odds >= 2 else ""


def _why(incident: Incident) -> str:
    """What the most sensitive records hold of which more than a few left."""
    left = objects_left(incident)
    few = min(MANY_ROWS, MANY_SHARE * sum(left.values()))
    many = [name for name, rows in left.items() if rows >= few]
    if not many:
        if _untold(incident):
            return "What left must be looked up elsewhere"
        return "Attackers log in and look around before they take anything"
    gravest = max(many, key=lambda name: (sensitivity((name,)), left[name], name))
    return _WHY[category(gravest)].format(
        "records" if gravest == OTHER else f"{phrase.name(gravest)} records"
    )


def _new_values(incident: Incident, what: str) -> set[str]:
    return {new.value for found in incident.findings.values() for new in found.news if new.what == what}


def _most_telling(values: dict[str, int], group: Callable[[str], str], new: set[str]) -> list[str]:
    """Those that are new before those that are not, then those seen most."""
    return sorted(values, key=lambda value: (group(value) not in new, -values[value], value))
