"""An incident in words: who took out how much, when and from where; what is normal; why it matters; what to do.

For somebody tired: about eighty words, what happened first, each sentence one thing. Text that comes from a log
is the attacker's: it stands in quotes that it cannot close, or is plainly an id.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from detector.catalogue import Category, category, sensitivity
from detector.event import ActorKind, Operation
from detector.identity.chain import STAGES
from detector.measures import steps
from detector.signal import New
from detector.triage.incident import (
    INTERNAL,
    OTHER,
    Finding,
    Incident,
    channels_left,
    objects_left,
    rows_left,
)

__all__ = ["describe", "ranked", "title"]

SHOWN_CHARACTERS, SHOWN_AGENT = 60, 40
"""How much of one log field, and of a user agent, a sentence quotes."""
SHOWN_OBJECTS = 3
SHOWN_NEWS = 3
SHOWN_GROUNDS = 2
WALKING = 20
"""From so many ids in ascending order on, that is what is said."""
MANY_ROWS, MANY_SHARE = 20, 0.05
"""Of so many rows, or of such a share of them, a kind of record must be to be the reason why it matters."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:@+-/")

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
    Operation.QUERY: "API query",
    Operation.BULK_EXPORT: "bulk export",
    Operation.REPORT: "report",
    Operation.REPORT_EXPORT: "exported report",
    Operation.LIST_VIEW: "list view",
    Operation.RECORD_VIEW: "record view",
    Operation.FILE_DOWNLOAD: "file download",
    Operation.SEARCH: "search",
}
_WHY = {
    Category.CONTACT: "{} hold contact data, which is what phishing is made of",
    Category.CUSTOMER_SERVICE: "{} hold what customers wrote to customer service",
    Category.IDENTITY_DOCUMENTS: "{} hold identity documents",
    Category.PAYMENT: "{} hold payment data",
    Category.CREDENTIALS: "{} hold credentials, which open other systems",
    Category.LOYALTY: "{} hold loyalty accounts, which can be emptied or sold",
    Category.HEALTH: "{} hold health data, a special category of personal data",
    Category.INTERNAL: "{} are the company's own",
    Category.UNCLASSIFIED: "Nobody has said yet what {} hold",
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
    "operation": "what it did ({})",
    "object": "{} records",
    "query": "this query",
    "hour": "being active at {}",
}


def describe(incident: Incident) -> str:
    """The incident in about eighty words."""
    if incident.source is not None:
        return _notice(incident, incident.source)
    grounds = [_ground(incident, found) for found in ranked(incident)]
    first_step = steps(incident)[0]
    return (
        f"{_who(incident)} {_what(incident)} {_when(incident)}{_where(incident)}."
        f" {' '.join(f'{ground}.' for ground in grounds[:SHOWN_GROUNDS])}{_rare(incident)}"
        f" {_why(incident)}."
        f" Next: {first_step[0].lower()}{first_step[1:]}"
    )


def title(incident: Incident) -> str:
    """The incident in a few words."""
    found = ranked(incident)[0]
    if incident.source is not None:
        return _TROUBLES.get(found.channel, "Unusual volume as a whole")
    who = _quote(incident.actor_name) if incident.actor_name else _text(incident.actor)
    channel = found.channel.partition(":")[0]
    if incident.network:
        return f"{_number(len(incident.actors), 'account')} on one new network: {_text(incident.network)}"
    if found.detector == "export":
        return f"Unusually large {_SINGLE.get(Operation(channel), 'operation')} by {who}"
    if found.detector == "volume":
        done = "taken out" if channel == "all" else _DONE.get(Operation(channel), "taken out")
        much = (
            "often"
            if found.channel.endswith(":calls")
            else "much"
            if ":kilo" in found.channel
            else "many rows"
        )
        return f"Unusually {much} {done}: {who}"
    return {
        "novelty": "New {} for {}",
        "drip": "More than usual for days: {1}",
        "rhythm": "An account driven by a program: {1}",
        "chain": "The steps of a theft: {1}",
        "vendor": "The vendor's own finding about {1}",
        "intel": "A known-bad origin for {1}",
    }.get(found.detector, "Unusual access by {1}").format(found.news[0].what if found.news else "origin", who)


_TROUBLES = {
    "silence": "A source has gone silent",
    "schema": "A source's records have changed",
    "dead_letters": "A source's records cannot be read",
    "lag": "A source is late",
    "clock": "A source's clock is wrong",
}


def _notice(incident: Incident, source: str) -> str:
    """A notice about the tenant as a whole."""
    found = ranked(incident)[0]
    day, minute = _utc(found.first_ms)
    first_step = steps(incident)[0]
    kinds = ", ".join(sorted(incident.apps))
    if not source:
        told = (
            f"All identities of {_text(incident.tenant)} together took out {_number(found.value, 'row')} in the ten"
            f" minutes from {day} {minute} UTC; about {_about(found.typical)} are usual at this hour."
            " One account alone seldom moves this; a disruption, a campaign or a migration does"
        )
    elif found.channel == "silence":
        told = (
            f"Nothing has come from {_text(source)} of {_text(incident.tenant)} ({kinds}) since {day} {minute} UTC,"
            f" where about {_number(round(found.typical), 'event')} were usual. A missing hour is not a"
            " quiet one: what happens in it is not seen"
        )
    else:
        told = (
            f"{_TROUBLES.get(found.channel, 'A source is in trouble')}: {_text(source)} of {_text(incident.tenant)}"
            f" ({kinds}),"
            f" since {day} {minute} UTC. What cannot be read or comes late is not watched"
        )
    return f"{told}. Next: {first_step[0].lower()}{first_step[1:]}"


def ranked(incident: Incident) -> list[Finding]:
    """The findings, the most surprising first."""
    return sorted(incident.findings.values(), key=lambda found: (-found.surprise, found.detector))


def _who(incident: Incident) -> str:
    if incident.network:
        return f"{_number(len(incident.actors), 'account')} that had not been there before"
    name = incident.actor_name
    who = f"{_quote(name)} ({_text(incident.actor)})" if name else _text(incident.actor)
    return f"{_KIND[incident.actor_kind]} {who}"


def _what(incident: Incident) -> str:
    left = objects_left(incident)
    rows = rows_left(incident)
    if not rows:
        return "did something unusual, with no rows taken out yet,"
    named = [name for name in left if name != OTHER]
    shown = [f"{_text(name)} {left[name]:,}" for name in named[:SHOWN_OBJECTS]]
    rest = rows - sum(left[name] for name in named[:SHOWN_OBJECTS])
    if shown and rest > 0:
        shown.append(f"others {rest:,}")
    done = _ways(incident)
    if len(named) == 1 and rest <= 0:  # "3 rows of Case" rather than "3 rows (Case 3)"
        return f"took out {_number(rows, 'row')} of {_text(named[0])}{done}"
    return f"took out {_number(rows, 'row')}{' (' + ', '.join(shown) + ')' if shown else ''}{done}"


def _ways(incident: Incident) -> str:
    channels = [channel.removesuffix(INTERNAL) for channel in channels_left(incident)]
    if channels == ["all"]:  # the parts say how
        rows: dict[str, int] = {}
        for part in incident.parts:
            if part.channel != "all":
                rows[part.channel] = max(part.rows, rows.get(part.channel, 0))
        channels = [
            name.removesuffix(INTERNAL) for name in sorted(rows, key=lambda name: (-rows[name], name))
        ]
    ways = [_DONE[Operation(channel)] for channel in channels if channel in _DONE]
    if not ways:
        return ""
    return " " + (" and ".join(ways) if len(ways) <= 2 else f"{ways[0]} and in other ways")


def _when(incident: Incident) -> str:
    (first_day, first), (last_day, last) = _utc(incident.first_ms), _utc(incident.last_ms)
    if first_day != last_day:
        return f"between {first_day} {first} and {last_day} {last} UTC"
    return (
        f"on {first_day} at {first} UTC"
        if first == last
        else f"on {first_day} between {first} and {last} UTC"
    )


def _where(incident: Incident) -> str:
    addresses = [incident.network] if incident.network else _most_seen(incident.ips)
    agents = _most_seen(incident.user_agents)
    where = f", from {_text(addresses[0])}" if addresses else ""
    if len(addresses) > 1:
        where += f" and {_number(len(addresses) - 1, 'other address', 'other addresses')}"
    if agents:
        where += f"{'' if where else ','} with {_quote(agents[0], SHOWN_AGENT)}"
    return where


def _ground(incident: Incident, found: Finding) -> str:
    """Why one detector thinks that this is unusual."""
    match found.detector:
        case "volume" | "export":
            return _amount(found)
        case "novelty":
            return _new(incident, found)
        case "drip":
            days = round(found.facts.get("days", 0))
            return (
                f"For {_number(days, 'day')} it has taken more than it used to:"
                f" {_number(round(found.facts.get('week_rows', 0)), 'row')} in the last week, with about"
                f" {_about(found.facts.get('typical_day', 0))} a day usual"
            )
        case "rhythm":
            return _driven(found)
        case "chain":
            done = [_STEPS[stage] for stage in STAGES if stage in found.facts]
            return f"It {' and '.join(done)}, which it seldom or never does"
        case "origin":
            accounts = round(found.facts.get("identities", 0))
            return f"{_number(accounts, 'account')} turned up there within a day, and hardly anybody was there before"
        case "vendor":
            findings = round(found.facts.get("findings", 1))
            return f"The vendor's own detection raised {_number(findings, 'finding')}"
        case "intel":
            names = " and ".join(_quote(new.value) for new in found.news)
            return f"Its origin is on the list of known-bad ones: {names}"
        case _:
            return "Its day as a whole looks like nobody else's"


def _amount(found: Finding) -> str:
    """What the quantity was, what is usual, the most to be expected, and whence that is known."""
    channel, _, unit = found.channel.partition(":")
    unit = {"calls": "call", "kilobytes": "kilobyte"}.get(unit, "row")
    typical = max(0, round(found.typical))
    usual = (
        f"about {_about(typical)} {'is' if typical == 1 else 'are'} usual"
        if typical
        else "hardly any are usual"
    )
    most = _truncated(found.bound)
    # A finding that only supports an alert may lie below; then the most to be expected explains nothing.
    limit = f", at most {most:,} expected" if typical < most < found.value else ""
    if found.span == "operation":
        single = _SINGLE.get(Operation(channel), "operation")
        told = (
            f"{'An' if single[0] in 'aeiouAEIOU' else 'A'} single {single} had {_number(found.value, unit)}"
        )
    else:
        told = f"In one {found.span} it was {_number(found.value, unit)}"
        if channel != "all":
            told += f" {_DONE.get(Operation(channel), '')}".rstrip()
    return f"{told}; {usual}{limit}, {_basis(found)}"


def _basis(found: Finding) -> str:
    if found.own_days >= 5:
        return f"known from {found.own_days:,} of its own days"
    if found.own_days:
        return f"judged by its peers, with {_number(found.own_days, 'day')} of its own known"
    return "judged by its peers: it has not done this before"


def _new(incident: Incident, found: Finding) -> str:
    named = [_thing(new) for new in found.news[:SHOWN_NEWS]]
    if not named:
        return "It was seen with something new"
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    more = len(found.news) - SHOWN_NEWS
    if more > 0:
        listed += f" and {_number(more, 'thing')} more"
    return (
        f"New for it, in {_number(incident.known_days, 'active day')}: {listed}"
        if named
        else "It was new there"
    )


def _thing(new: New) -> str:
    value = _text(new.value) if new.what != "operation" else _DONE.get(Operation(new.value), new.value)
    since = f" ({_number(round(new.age_days), 'day')} ago)" if new.age_days >= 1 else ""
    return _SORTS.get(new.what, "{}").format(value) + since


def _driven(found: Finding) -> str:
    actions = round(found.facts.get("actions", 0))
    ascending = round(found.facts.get("ascending", 0))
    low, high = found.facts.get("low_seconds", 0.0), found.facts.get("high_seconds", 0.0)
    row = f"{_number(actions, 'action')} in a row"
    if ascending >= WALKING:
        return f"{row}, {ascending:,} of them through ids in ascending order, as a program does"
    return f"{row}, half of them {low:.1f} to {high:.1f} s apart: a program's rhythm, not a person's"


def _rare(incident: Incident) -> str:
    found = ranked(incident)[0]
    if found.detector in ("vendor", "intel", "origin"):
        return ""
    odds = 10**found.surprise
    return f" About 1 in {_about(odds)} days of its peers reaches this." if odds >= 2 else ""


def _why(incident: Incident) -> str:
    """What the most sensitive records hold of which more than a few left."""
    left = objects_left(incident)
    few = min(MANY_ROWS, MANY_SHARE * sum(left.values()))
    many = [name for name, rows in left.items() if rows >= few]
    if not many:
        return "Attackers log in and look around before they take anything"
    gravest = max(many, key=lambda name: (sensitivity((name,)), left[name], name))
    records = "these records" if gravest == OTHER else f"{_text(gravest)} records"
    why = _WHY[category(gravest)].format(records)
    return why[0].upper() + why[1:] if gravest == OTHER else why


def _about(number: float) -> str:
    """Two digits: more would claim more than is known."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _truncated(number: float) -> int:
    """Two digits, never rounded up: what is said to lie above a bound does so as shown, too."""
    whole = max(0, int(number))
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def _number(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _most_seen(values: dict[str, int]) -> list[str]:
    return sorted(values, key=lambda value: (-values[value], value))


def _utc(time_ms: int) -> tuple[str, str]:
    """The day and the minute; what lies outside the calendar is shown as its end."""
    seconds = max(-62_135_596_800, min(time_ms // 1000, 253_402_300_799))
    day, minute = (_EPOCH + timedelta(seconds=seconds)).isoformat(" ", "minutes")[:16].split()
    return day, minute


def _quote(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Free text of a log within a sentence, between quotes that it cannot close."""
    return f"“{_clean(text, '“”', most)}”"


def _text(text: str) -> str:
    """An id, an address or a name within a sentence: bare if it is plainly one, otherwise quoted."""
    plain = text and len(text) <= SHOWN_CHARACTERS and text.isascii() and not set(text) - _PLAIN
    return text if plain else _quote(text)


def _clean(text: str, without: str, most: int) -> str:
    """Printable and short; what it may mean to a terminal or a page is up to those."""
    clean = "".join(
        letter if letter.isprintable() and letter not in without else _REPLACED for letter in text[: most + 1]
    )
    return clean if len(clean) <= most else clean[: most - 1] + "…"
