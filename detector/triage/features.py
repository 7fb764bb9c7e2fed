"""The features of an incident: what the evidence model knows of it, as a fixed vector of numbers.

All come from the incident as it stands at an event time. None tells a date, or for how long crmwatch has run: a
model that knew either would learn when the thefts of its training worlds begin.
"""

from __future__ import annotations

from math import log1p, log10

import msgspec

from detector.anomaly import Anomaly
from detector.catalogue import PERSONAL_SENSITIVITY, sensitivity
from detector.event import ActorKind
from detector.triage.incident import Incident, channels_taken, objects_taken
from detector.units import HOUR_MS

__all__ = ["FEATURES", "LEARNED", "RISING", "Features", "features", "vector"]

LEARNED = frozenset({"volume", "export", "drip", "novelty", "rhythm", "chain", "origin", "population"})
"""The detectors that the model has learned; each of the others states its own log-odds."""
AMOUNTS = ("volume", "export", "drip")
"""The detectors that weigh how much was taken."""
WAYS = (
    ("query", "bulk_export", "search"),
    ("report", "report_export"),
    ("file_download",),
    ("record_view", "list_view"),
)
"""Channels, by the way in which rows are taken: by programs, as reports, as files, on the screen."""


class Features(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An incident in numbers; surprises are in −log10 of a probability, faded to the time of the vector."""

    volume: float
    export: float
    drip: float
    novelty: float
    rhythm: float
    chain: float
    origin: float
    population: float
    """The surprise of each detector that the model has learned."""
    amount: float
    """The greatest surprise of those that weigh how much was taken."""
    second_amount: float
    network: float
    agent: float
    app: float
    country: float
    operation: float
    object: float
    query: float
    hour: float
    """How strange the strangest new thing of each sort is for this identity and among the others."""
    network_hour: float
    network_agent: float
    network_amount: float
    hour_amount: float
    novelty_rhythm: float
    chain_amount: float
    """Products: what is harmless alone may be telling together."""
    grounds: float
    """How many detectors find it surprising."""
    rows: float
    personal_rows: float
    """log10 of the rows taken, and of those of personal data."""
    sensitivity: float
    """Of the most sensitive kind of record, 0 to 1."""
    kinds: float
    """log of the number of kinds of record."""
    excess: float
    """log of the value over what is typical, where that is greatest."""
    over_bound: float
    """log of the value over the bound."""
    discount: float
    """By how much the surprises were lowered, at most, because many others show the same."""
    drip_days: float
    """log of the days that a drip has lasted."""
    drip_excess: float
    """log of a day's rows over what was typical before the drip."""
    new_share: float
    """The share of the rows that was taken through what is newest to the identity."""
    by_program: float
    by_report: float
    by_file: float
    by_view: float
    """The share of the rows taken by queries and exports, by reports, as files, by looking at records and lists."""
    channels: float
    """log of the number of channels."""
    days: float
    """log of the number of days on which rows were taken."""
    hours_open: float
    """log of the hours since it opened."""
    span: float
    """log of the hours from its first event to its last."""
    pace: float
    """log10 of the rows an hour over that span."""
    addresses: float
    agents: float
    apps: float
    """log of how many of each its evidence names."""
    actors: float
    """log of how many identities it is about."""
    refused: float
    """log of the sign-ins refused before on the new network."""
    human: float
    integration: float
    guest: float
    about_network: float
    """What it is about, 0 or 1 each."""


vector = msgspec.structs.astuple
"""The numbers of a `Features`, in the order of `FEATURES`."""
FEATURES = Features.__struct_fields__
"""The features' names, in the order of the vector."""
RISING = frozenset((*LEARNED, "amount", "second_amount", "grounds", "refused"))
"""With more of these an incident never becomes less likely to be a theft, all else being equal."""


def features(incident: Incident, time_ms: int, fade: float) -> Features:
    """The incident's features at an event time; `fade` is as for `detector.triage.incident.add`."""
    surprise: dict[str, float] = {}
    excess = over_bound = 0.0
    for name, anomaly in incident.anomalies.items():
        surprise[name] = anomaly.surprise * 0.5 ** (max(0, time_ms - anomaly.time_ms) * fade)
        if anomaly.span:
            excess = max(excess, log1p(anomaly.value) - log1p(anomaly.typical))
            over_bound = max(over_bound, log1p(anomaly.value) - log1p(anomaly.bound))
    news = incident.anomalies.get("novelty")
    drip = incident.anomalies.get("drip")
    strange = {} if news is None else _faded_strangeness(news, time_ms, fade)
    amounts = sorted((surprise.get(name, 0.0) for name in AMOUNTS), reverse=True)
    objects = objects_taken(incident)
    channels = channels_taken(incident)
    total = sum(objects.values())
    by_way = _shares(channels)
    personal = sum(rows for name, rows in objects.items() if sensitivity((name,)) >= PERSONAL_SENSITIVITY)
    new_rows = 0 if news is None else max((new.rows for new in news.news), default=0)
    hours = max(0, incident.last_ms - incident.first_ms) / HOUR_MS
    network, hour, amount = strange.get("network", 0.0), strange.get("hour", 0.0), amounts[0]
    novelty, chain = surprise.get("novelty", 0.0), surprise.get("chain", 0.0)
    return Features(
        volume=surprise.get("volume", 0.0),
        export=surprise.get("export", 0.0),
        drip=surprise.get("drip", 0.0),
        novelty=novelty,
        rhythm=surprise.get("rhythm", 0.0),
        chain=chain,
        origin=surprise.get("origin", 0.0),
        population=surprise.get("population", 0.0),
        amount=amount,
        second_amount=amounts[1],
        network=network,
        agent=strange.get("agent", 0.0),
        app=strange.get("app", 0.0),
        country=strange.get("country", 0.0),
        operation=strange.get("operation", 0.0),
        object=strange.get("object", 0.0),
        query=strange.get("query", 0.0),
        hour=hour,
        network_hour=network * hour,
        network_agent=network * strange.get("agent", 0.0),
        network_amount=network * amount,
        hour_amount=hour * amount,
        novelty_rhythm=novelty * surprise.get("rhythm", 0.0),
        chain_amount=chain * amount,
        grounds=float(sum(value >= 1.0 for name, value in surprise.items() if name in LEARNED)),
        rows=log10(1 + total),
        personal_rows=log10(1 + personal),
        sensitivity=max((sensitivity((name,)) for name in objects), default=0.0),
        kinds=log1p(len(objects)),
        excess=excess,
        over_bound=over_bound,
        discount=max((anomaly.discount for anomaly in incident.anomalies.values()), default=0.0),
        drip_days=0.0 if drip is None else log1p(drip.facts.get("days", 0.0)),
        drip_excess=0.0
        if drip is None
        else log1p(drip.facts.get("day_rows", 0.0)) - log1p(drip.facts.get("typical_day", 0.0)),
        new_share=min(1.0, new_rows / total) if total else 0.0,
        by_program=by_way[0],
        by_report=by_way[1],
        by_file=by_way[2],
        by_view=by_way[3],
        channels=log1p(len(channels)),
        days=log1p(len({part.day for part in incident.parts})),
        hours_open=log1p(max(0, time_ms - incident.opened_ms) / HOUR_MS),
        span=log1p(hours),
        pace=log10(1 + total / max(1.0, hours)),
        addresses=log1p(len(incident.ips)),
        agents=log1p(len(incident.user_agents)),
        apps=log1p(len(incident.apps)),
        actors=log1p(len(incident.actors)),
        refused=log1p(0.0 if news is None else news.facts.get("refused", 0.0)),
        human=float(incident.actor_kind is ActorKind.HUMAN and not incident.network),
        integration=float(incident.actor_kind is ActorKind.INTEGRATION),
        guest=float(incident.actor_kind is ActorKind.GUEST),
        about_network=float(bool(incident.network)),
    )


def _faded_strangeness(news: Anomaly, time_ms: int, fade: float) -> dict[str, float]:
    faded = 0.5 ** (max(0, time_ms - news.time_ms) * fade)
    return {what: strange * faded for what, strange in news.strangeness.items()}


def _shares(channels: dict[str, int]) -> list[float]:
    """The share of the rows taken in each of `WAYS`."""
    total = sum(channels.values()) or 1
    by: dict[str, int] = {}
    for channel, rows in channels.items():
        operation = channel.partition(":")[0]
        by[operation] = by.get(operation, 0) + rows
    return [sum(by.get(name, 0) for name in way) / total for way in WAYS]
