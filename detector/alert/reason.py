"""Why a detector finds something unusual: what it was, what is normal, and how that is known."""

from __future__ import annotations

from detector.alert import phrase
from detector.alert.message import Message, Template, message
from detector.event import Operation
from detector.identity.detectors.chain import STAGES
from detector.signal import NewValue
from detector.triage.incident import OTHER, Anomaly, Incident

__all__ = ["COUNTED", "TEMPLATES", "explain", "rarity"]

SHOWN_NEWS = 3
WALKING = 20
"""From so many ids in ascending order on, that is what is said."""
_OPERATIONS = frozenset(operation.value for operation in Operation)
COUNTED = {"calls": "call", "kilobytes": "kilobyte"}
"""What is counted in a channel that does not count rows."""
TEMPLATES: dict[str, Template] = {
    "doing.login": "logging in",
    "doing.describe": "looking up what objects there are",
    "doing.count": "counting records",
    "doing.query": "API queries",
    "doing.bulk_export": "bulk exports",
    "doing.report": "running reports",
    "doing.report_export": "exporting reports",
    "doing.list_view": "list views",
    "doing.record_view": "opening records",
    "doing.search": "searching",
    "doing.file_download": "downloading files",
    "doing.export_delete": "deleting export jobs",
    "doing.write": "changing records",
    "doing.admin": "administration",
    "doing.vendor_finding": "being found by the vendor",
    "doing.other": "an operation of another kind",
    "stage.recon": "looked around",
    "stage.sample": "tried queries or reports",
    "stage.bulk": "exported in bulk",
    "stage.clean-up": "deleted its export jobs",
    "new.network": "the network {value}",
    "new.agent": "the agent {value}",
    "new.app": "the app {value}",
    "new.country": "the country {value}",
    "new.operation": "{value}",
    "new.object": "{value} records",
    "new.query": "the query that it ran",
    "new.hour": "being active at {value}",
    "new.weekend_hour": "being active at {value} at a weekend",
    "new.unnamed_object": "unnamed records",
    "new.other": "{value}",
    "window.hour": "one hour",
    "window.day": "one day",
    "window.week": "one week",
}
"""Messages by code that are made from a closed vocabulary."""


def explain(incident: Incident, anomaly: Anomaly) -> Message:
    """Why one detector thinks that this is unusual, without the full stop."""
    match anomaly.detector:
        case "volume" | "export":
            return _amount(anomaly)
        case "novelty":
            return _new(incident, anomaly)
        case "drip":
            return _drip(anomaly)
        case "rhythm":
            return _driven(anomaly)
        case "chain":
            stages = [_of(f"stage.{stage}") for stage in STAGES if stage in anomaly.facts]
            return message("chain.reason", "It {stages}, which it seldom or never does", stages=stages)
        case "origin":
            return message(
                "origin.reason",
                "All of them turned up there for the first time within a day, and hardly anybody else is seen there",
            )
        case "vendor":
            findings = phrase.counted(round(anomaly.facts.get("findings", 1)), "finding")
            return message(
                "vendor.reason", "The vendor's own detection raised {findings} about it", findings=findings
            )
        case "intel":
            names = [phrase.quoted(new.value) for new in anomaly.news]
            return message(
                "intel.reason", "What it came from, or with, is known to be bad: {names}", names=names
            )
        case _:
            return message("population.reason", "Taken together, what it did that day is a rare mixture")


def rarity(anomaly: Anomaly) -> Message | None:
    """How seldom that is; ``None`` where nothing was counted that could say it."""
    if anomaly.detector in ("vendor", "intel", "origin"):
        return None
    odds = 10**anomaly.surprise
    if odds < 2:
        return None
    return message("rarity", "About 1 in {odds} of its peers' days reaches this.", odds=phrase.about(odds))


def _of(code: str, **params: object) -> Message:
    return message(code, TEMPLATES[code], **params)


def _amount(anomaly: Anomaly) -> Message:
    """What the quantity was, what is usual, the most to be expected, and how that is known."""
    channel, _, unit = anomaly.channel.partition(":")
    parts: dict[str, object] = {"usual": phrase.usual(anomaly.typical), "basis": _basis(anomaly)}
    most = phrase.truncated(anomaly.bound)
    # An anomaly that only supports an alert may lie below; then the most to be expected explains nothing.
    bounded = max(0, round(anomaly.typical)) < most < anomaly.value
    if bounded:
        parts["usual"] = message(
            "usual.at_most", "{usual}, at most {most} expected", usual=parts["usual"], most=most
        )
    if unit == "calls":
        calls = phrase.operations(channel, anomaly.value)
        return message(
            "amount.calls",
            ("In {window} there was {calls}; {usual}, {basis}", "In {window} there were {calls}; {usual}, {basis}"),
            n=anomaly.value, window=_window(anomaly.span), calls=calls, **parts,
        )  # fmt: skip
    count = phrase.counted(anomaly.value, COUNTED.get(unit, "row"))
    if anomaly.span == "operation":
        operation = phrase.operation(channel)
        template = "A single {operation} had {count}; {usual}, {basis}"
        return message("amount.operation", template, operation=operation, count=count, **parts)
    way = phrase.way(channel)
    window = _window(anomaly.span)
    if way is None:
        return message(
            "amount.window",
            "In {window} it took out {count}; {usual}, {basis}",
            window=window,
            count=count,
            **parts,
        )
    return message(
        "amount.window_way",
        "In {window} it took out {count} {way}; {usual}, {basis}",
        window=window,
        count=count,
        way=way,
        **parts,
    )


def _window(span: str) -> Message:
    code = f"window.{span}"
    return _of(code) if code in TEMPLATES else _of("window.day")


def _basis(anomaly: Anomaly) -> Message:
    if anomaly.own_days >= 5:
        return message("basis.own", "known from {days} of its own days", days=anomaly.own_days)
    if anomaly.own_days:
        days = phrase.counted(anomaly.own_days, "day")
        return message("basis.peers", "judged by its peers, with {days} of its own known", days=days)
    return message("basis.first", "judged by its peers: it has not done this before")


def _drip(anomaly: Anomaly) -> Message:
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


def _new(incident: Incident, anomaly: Anomaly) -> Message:
    if not anomaly.news:
        return message("novelty.something", "It was seen with something new")
    named = [_thing(new) for new in anomaly.news[:SHOWN_NEWS]]
    if len(anomaly.news) > SHOWN_NEWS:
        named.append(message("new.more", "{n} more", n=len(anomaly.news) - SHOWN_NEWS))
    days = phrase.counted(incident.known_days, "active_day")
    return message("novelty.reason", "New for it after {days}: {news}", days=days, news=named)


def _thing(new: NewValue) -> Message:
    thing = _named(new)
    if new.age_days < 1:
        return thing
    days = phrase.counted(round(new.age_days), "day")
    return message("new.aged", "{thing} ({days} ago)", thing=thing, days=days)


def _named(new: NewValue) -> Message:
    match new.what:
        case "operation" if new.value in _OPERATIONS:
            return _of("new.operation", value=_of(f"doing.{new.value}"))
        case "hour":  # the detector's own words
            sort = "new.weekend_hour" if new.value.startswith("weekend ") else "new.hour"
            return _of(sort, value=phrase.clean(new.value.removeprefix("weekend ")))
        case "object" if new.value == OTHER:
            return _of("new.unnamed_object")
        case "query":
            return _of("new.query")
    code = f"new.{new.what}"
    return _of(code if code in TEMPLATES else "new.other", value=phrase.name(new.value))


def _driven(anomaly: Anomaly) -> Message:
    actions = phrase.counted(round(anomaly.facts.get("actions", 0)), "action")
    ascending = round(anomaly.facts.get("ascending", 0))
    if ascending >= WALKING:
        template = "{actions} in a row, {ascending} of them through ids in ascending order, as a program does"
        return message("rhythm.ascending", template, actions=actions, ascending=ascending)
    low, high = (f"{anomaly.facts.get(name, 0.0):.1f}" for name in ("low_seconds", "high_seconds"))
    template = "{actions} in a row, half of them {low} to {high} s apart: a program's rhythm, not a person's"
    return message("rhythm.regular", template, actions=actions, low=low, high=high)
