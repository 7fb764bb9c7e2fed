"""An incident in words: who took out how much, when and from where; what is normal; why it matters; what to do.

For somebody tired: about eighty words, what happened first, each sentence one thing. Text that comes from a log
is the attacker's: it stands in quotes that it cannot close, or is plainly an id. Words for an operation are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from detector.alert import phrase
from detector.alert import source_notice as notice
from detector.alert.reason import COUNTED, DONE, explain, operation, rare
from detector.alert.runbook import steps
from detector.catalogue import Category, category, sensitivity
from detector.event import ActorKind, Operation
from detector.identity.detectors.novelty import agent_family, network
from detector.triage.incident import (
    OTHER,
    Anomaly,
    Incident,
    channels_taken,
    objects_taken,
    rows_taken,
)
from detector.units import DAY_MS

__all__ = ["describe", "ranked", "title"]

SHOWN_AGENT = 40
"""How much of a user agent a sentence quotes; a longer one is called by its family."""
SHOWN_OBJECTS = 3
SHOWN_GROUNDS = 2
MAX_WORDS = 105
"""A second ground is left out, or how rare it is, rather than have it grow beyond."""
MANY_ROWS, MANY_SHARE = 20, 0.05
"""Of so many rows, or of such a share of them, a kind of record must be to be the reason why it matters."""
_QUOTED = re.compile("“[^“”]*”")
LAG = 1.5
"""Rows that left with something new may be so many times what was last said of them."""
SUPPORTING = "population"
"""The detector that never opens an incident, only adds to one."""

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
_SORT_TITLES = {"operation": "kind of operation", "object": "kind of record", "hour": "hour of activity"}


def describe(incident: Incident, *, over: bool = False) -> str:
    """The incident in about eighty words; `over` for its end."""
    if incident.source is not None:
        return notice.describe(incident, incident.source, ranked(incident)[0], over=over)
    first, *others = ranked(incident)
    first_step = steps(incident)[0]
    happened = f"{_who(incident)} {_what(incident)} {_when(incident)}{_where(incident)}."
    grounds = f" {explain(incident, first)}."
    odds = rare(first)
    rest = (
        f" {_why(incident)}.{' Nothing more has been seen since.' if over else ''}"
        f" Next: {first_step[0].lower()}{first_step[1:]}"
    )
    for found in others[: SHOWN_GROUNDS - 1]:
        more = f" {explain(incident, found)}."
        if _words(happened + grounds + more + odds + rest) <= MAX_WORDS:
            grounds += more
    if _words(happened + grounds + odds + rest) > MAX_WORDS:
        odds = ""
    return happened + grounds + odds + rest


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
        return f"Unusually large {operation(channel)[0]} by {who}"
    if found.detector == "volume":
        if unit == "calls":
            return f"Unusually many {operation(channel)[1]}: {who}"
        done = DONE.get(Operation(channel), "taken out") if channel != "all" else "taken out"
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


def ranked(incident: Incident) -> list[Anomaly]:
    """The findings, the most surprising first; what only ever supports comes last."""
    return sorted(
        incident.anomalies.values(),
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
    left = objects_taken(incident)
    rows = rows_taken(incident)
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
    return any(found.channel.partition(":")[2] in COUNTED for found in incident.anomalies.values())


def _ways(incident: Incident) -> str:
    channels = [channel.partition(":")[0] for channel in channels_taken(incident)]
    if channels == ["all"]:  # the parts say how
        rows: dict[str, int] = {}
        for part in incident.parts:
            if part.channel != "all":
                rows[part.channel] = max(part.rows, rows.get(part.channel, 0))
        channels = [name.partition(":")[0] for name in sorted(rows, key=lambda name: (-rows[name], name))]
    ways = list(dict.fromkeys(DONE[Operation(channel)] for channel in channels if channel in DONE))
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
    found, where = incident.anomalies.get("novelty"), network(address)
    if found is None:
        return 0
    for new in found.news:
        if new.what == "network" and new.value == where:
            seen_ms = found.time_ms - round(new.age_days * DAY_MS)
            counted_apart = seen_ms >= incident.first_ms and new.rows * LAG < rows_taken(incident)
            return new.rows if counted_apart else 0
    return 0


def _why(incident: Incident) -> str:
    """What the most sensitive records hold of which more than a few left."""
    left = objects_taken(incident)
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
    return {new.value for found in incident.anomalies.values() for new in found.news if new.what == what}


def _most_telling(values: dict[str, int], group: Callable[[str], str], new: set[str]) -> list[str]:
    """Those that are new before those that are not, then those seen most."""
    return sorted(values, key=lambda value: (group(value) not in new, -values[value], value))
