"""An incident in words: who took out how much, when and from where; what is normal; why it matters; what to do.

For somebody tired: about eighty words, what happened first, each sentence one thing. Text that comes from a log
is the attacker's: it stands in quotes that it cannot close, or is plainly an id. Words for an operation are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from detector import phrase
from detector.alert import source_notice
from detector.alert.runbook import steps
from detector.anomaly import Anomaly
from detector.catalogue import category, sensitivity
from detector.directory import NOBODY, Directory
from detector.event import ActorKind
from detector.explanation import Explanations
from detector.message import Message, Template, message
from detector.trait import agent_family, network
from detector.triage.incident import OTHER, Incident, channels_taken, objects_taken, ranked, rows_taken
from detector.units import DAY_MS

__all__ = ["TEMPLATES", "describe", "explain", "text_of", "title"]

SHOWN_AGENT = 40
"""How much of a user agent a sentence quotes; a longer one is called by its family."""
SHOWN_OBJECTS = 3
SHOWN_REASONS = 2
MAX_WORDS = 105
"""A second reason is left out, or how rare it is, rather than have it grow beyond."""
MANY_ROWS, MANY_SHARE = 20, 0.05
"""Of so many rows, or of such a share of them, a kind of record must be to be the reason why it matters."""
_QUOTED = re.compile("“[^“”]*”")
LAG = 1.5
"""Rows taken with something new may be so many times what was last known of them."""

TEMPLATES: dict[str, Template] = {
    "why.contact": "The {records} hold contact data, which is what phishing is made of.",
    "why.customer_service": "The {records} hold what customers wrote to customer service.",
    "why.identity_documents": "The {records} hold identity documents.",
    "why.payment": "The {records} hold payment data.",
    "why.credentials": "The {records} hold credentials, which open other systems.",
    "why.loyalty": "The {records} hold loyalty accounts, which can be emptied or sold.",
    "why.health": "The {records} hold health data, a special category of personal data.",
    "why.internal": "The {records} are the company's own.",
    "why.unclassified": "Nobody has said yet what the {records} hold.",
    "who.human": "The user {who}",
    "who.integration": "The integration {who}",
    "who.guest": "The guest {who}",
}
"""Messages by code that are made from a closed vocabulary."""


def describe(
    incident: Incident, explanations: Explanations, *, over: bool = False, directory: Directory = NOBODY
) -> tuple[Message, ...]:
    """The incident in about eighty words, sentence by sentence; `over` for its end."""
    first_step = steps(incident, explanations, directory)[0]
    next_step = message("next", "Next: {step!l}", step=first_step.message)
    if incident.source is not None:
        anomaly = ranked(incident, explanations)[0]
        trouble = title(incident, explanations)
        return (*source_notice.describe(incident, incident.source, anomaly, trouble, over=over), next_step)
    first, *others = ranked(incident, explanations)
    happened = message(
        "happened", "{who} {what} {when}{where}.",
        who=_who(incident), what=_what(incident), when=_when(incident), where=_where(incident),
    )  # fmt: skip
    reasons = [_sentence(explain(incident, first, explanations))]
    odds = _rarity(first, explanations)
    rest = [*_absence(incident, directory), _why(incident)]
    if over:
        rest.append(message("quiet", "Nothing more has been seen since."))
    rest.append(next_step)
    for anomaly in others[: SHOWN_REASONS - 1]:
        more = _sentence(explain(incident, anomaly, explanations))
        if _words(text_of([happened, *reasons, more, *odds, *rest])) <= MAX_WORDS:
            reasons.append(more)
    if _words(text_of([happened, *reasons, *odds, *rest])) > MAX_WORDS:
        odds = []
    return (happened, *reasons, *odds, *rest)


def text_of(sentences: Sequence[Message]) -> str:
    """Sentences as one text, in English."""
    return " ".join(sentence.text for sentence in sentences)


def title(incident: Incident, explanations: Explanations) -> Message:
    """The incident in a few words, as its strongest detector puts it."""
    anomaly = ranked(incident, explanations)[0]
    if incident.network:
        who = phrase.name(incident.network)
    else:
        who = phrase.quoted(incident.actor_name) if incident.actor_name else phrase.name(incident.actor)
    return explanations[anomaly.detector].title(anomaly, who)


def explain(incident: Incident, anomaly: Anomaly, explanations: Explanations) -> Message:
    """Why one detector finds it unusual, without the full stop."""
    return explanations[anomaly.detector].reason(anomaly, incident.known_days)


def _absence(incident: Incident, directory: Directory) -> list[Message]:
    """That the directory has the person away for all of the time, if it does."""
    entry = directory.find(incident.actor, incident.tenant)
    if entry is None or not entry.absent(incident.first_ms, incident.last_ms):
        return []
    if entry.absent_until_ms is None:
        day, _ = phrase.day_and_minute(entry.absent_from_ms or 0)
        return [message("absent.since", "The directory has this account's person away since {day}.", day=day)]
    day, _ = phrase.day_and_minute(entry.absent_until_ms - 1)
    return [message("absent.until", "The directory has this account's person away until {day}.", day=day)]


def _rarity(anomaly: Anomaly, explanations: Explanations) -> list[Message]:
    """How seldom that is; nothing where nothing was counted that could say it.

    Never more than was seen: of 960 days nobody learns what happens on one in 100,000.
    """
    odds, days = 10**anomaly.surprise, anomaly.population_days
    if odds < 2 or not days or not explanations[anomaly.detector].rarity:
        return []
    if odds > days:
        return [
            message(
                "rarity.none",
                (
                    "The {n} known day of its peers did not come near.",
                    "None of the {n} days of its peers came near.",
                ),
                n=days,
            )
        ]
    return [message("rarity", "About 1 in {odds} of its peers' days reaches this.", odds=phrase.about(odds))]


def _sentence(reason: Message) -> Message:
    return message("sentence", "{reason}.", reason=reason)


def _words(text: str) -> int:
    """How many words it has; what is quoted is one, or an attacker could crowd out the rest."""
    return _QUOTED.sub("_", text).count(" ") + 1


def _who(incident: Incident) -> Message:
    if incident.network:
        return phrase.counted(len(incident.actors), "account")
    actor, name = incident.actor, incident.actor_name
    who = f"{phrase.quoted(name)} ({phrase.name(actor)})" if name and name != actor else phrase.name(actor)
    code = f"who.{incident.actor_kind if incident.actor_kind in ActorKind else ActorKind.HUMAN}"
    return message(code, TEMPLATES[code], who=who)


def _what(incident: Incident) -> Message:
    taken = objects_taken(incident)
    rows = rows_taken(incident)
    if not rows and incident.network:
        return message("did.appeared", "turned up on one network, with no rows taken out yet,")
    if not rows and _uncounted(incident):
        return message("did.uncounted", "did something unusual, of which the log does not tell the rows,")
    if not rows:
        return message("did.unusual", "did something unusual, with no rows taken out yet,")
    named = [name for name in taken if name != OTHER]
    rest = rows - sum(taken[name] for name in named[:SHOWN_OBJECTS])
    count = phrase.counted(rows, "row")
    what = count
    if len(named) == 1 and rest <= 0:  # "3 rows of Case" rather than "3 rows (Case 3)"
        what = message("rows.of", "{rows} of {object}", rows=count, object=phrase.name(named[0]))
    elif named:
        what = message(
            "rows.by_object", "{rows} ({objects})", rows=count, objects=_shares(taken, named, rest)
        )
    way = _way(incident)
    if way is None:
        return message("did.took", "took out {rows}", rows=what)
    return message("did.took_way", "took out {rows} {way}", rows=what, way=way)


def _shares(taken: dict[str, int], named: list[str], rest: int) -> Message:
    """Up to three kinds of record with their rows, and the rest."""
    first, *more = named[:SHOWN_OBJECTS]
    shares = message("share", "{object} {rows}", object=phrase.name(first), rows=taken[first])
    for name in more:
        shares = message(
            "shares", "{shares}, {object} {rows}", shares=shares, object=phrase.name(name), rows=taken[name]
        )
    return (
        shares if rest <= 0 else message("shares.others", "{shares}, others {rows}", shares=shares, rows=rest)
    )


def _uncounted(incident: Incident) -> bool:
    """Whether the log tells calls or bytes where rows are meant."""
    return any(anomaly.channel.partition(":")[2] in phrase.COUNTED for anomaly in incident.anomalies.values())


def _way(incident: Incident) -> Message | None:
    channels = [channel.partition(":")[0] for channel in channels_taken(incident)]
    if channels == ["all"]:  # the parts say how
        rows: dict[str, int] = {}
        for part in incident.parts:
            if part.channel != "all":
                rows[part.channel] = max(part.rows, rows.get(part.channel, 0))
        channels = [name.partition(":")[0] for name in sorted(rows, key=lambda name: (-rows[name], name))]
    ways = [way for channel in dict.fromkeys(channels) if (way := phrase.way(channel)) is not None]
    if len(ways) > 2:
        return message("ways", "{way} and in other ways", way=ways[0])
    if len(ways) == 2:
        return message("ways.two", "{first} and {second}", first=ways[0], second=ways[1])
    return ways[0] if ways else None


def _when(incident: Incident) -> Message:
    first_day, first = phrase.day_and_minute(incident.first_ms)
    last_day, last = phrase.day_and_minute(incident.last_ms)
    whole_days = first == "00:00" and last == "23:59"
    if first_day == last_day:
        if whole_days:
            return message("when.day", "on {day} (UTC)", day=first_day)
        if first == last:
            return message("when.minute", "on {day} at {time} UTC", day=first_day, time=first)
        return message(
            "when.span", "on {day} between {start} and {end} UTC", day=first_day, start=first, end=last
        )
    if whole_days:
        return message("when.days", "from {start} to {end} (UTC)", start=first_day, end=last_day)
    start, end = f"{first_day} {first}", f"{last_day} {last}"
    return message("when.long", "between {start} and {end} UTC", start=start, end=end)


def _where(incident: Incident) -> Message | str:
    origin: Message | None = None
    if incident.network:
        origin = message(
            "from.network", ", from the network {network}", network=phrase.name(incident.network)
        )
    elif addresses := _most_telling(incident.ips, network, _new_values(incident, "network")):
        rows = _rows_apart(incident, addresses[0])
        address = phrase.name(addresses[0])
        if rows:
            origin = message(
                "from.at_least", ", at least {rows} of them from {address}", rows=rows, address=address
            )
        elif len(addresses) > 1:
            others = phrase.counted(len(addresses) - 1, "other_address")
            origin = message("from.several", ", from {address} and {others}", address=address, others=others)
        else:
            origin = message("from.address", ", from {address}", address=address)
    agents = _most_telling(incident.user_agents, agent_family, _new_values(incident, "agent"))
    if not agents:
        return origin or ""
    agent = phrase.quoted(
        agents[0] if len(agents[0]) <= SHOWN_AGENT else agent_family(agents[0]), SHOWN_AGENT
    )
    if origin is None:
        return message("from.agent", ", with {agent}", agent=agent)
    return message("from.origin_agent", "{origin} with {agent}", origin=origin, agent=agent)


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


def _why(incident: Incident) -> Message:
    """What the most sensitive records hold of which more than a few were taken."""
    taken = objects_taken(incident)
    few = min(MANY_ROWS, MANY_SHARE * sum(taken.values()))
    many = [name for name, rows in taken.items() if rows >= few]
    if not many:
        if _uncounted(incident):
            return message("why.uncounted", "What was taken must be looked up elsewhere.")
        return message("why.recon", "Attackers log in and look around before they take anything.")
    gravest = max(many, key=lambda name: (sensitivity((name,)), taken[name], name))
    records = (
        message("records.any", "records")
        if gravest == OTHER
        else message("records.of", "{object} records", object=phrase.name(gravest))
    )
    code = f"why.{category(gravest)}"
    return message(code, TEMPLATES[code], records=records)


def _new_values(incident: Incident, what: str) -> set[str]:
    return {new.value for found in incident.anomalies.values() for new in found.news if new.what == what}


def _most_telling(values: dict[str, int], group: Callable[[str], str], new: set[str]) -> list[str]:
    """Those that are new before those that are not, then those seen most."""
    return sorted(values, key=lambda value: (group(value) not in new, -values[value], value))
