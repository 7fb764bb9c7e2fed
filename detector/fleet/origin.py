"""Detects accounts that appear together on a network that nobody used before, each taking a little.

It decides when a tick of event time closes, in the order of the networks' names, so that it does not matter which
worker saw which account.
"""

from __future__ import annotations

from math import log10

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.explanation import Explanation
from detector.fleet.population import Population, day_known_at
from detector.message import Message, message
from detector.signal import Evidence
from detector.trait import SORTS, checksum
from detector.units import DAY_MS, TICK_MS

__all__ = [
    "NetworkNewcomers",
    "Newcomer",
    "decode",
    "encode",
    "enter",
    "forget",
    "is_reported",
    "report",
    "score",
    "tick_end",
]

LEAST_IDENTITIES = 3
COMMON_SHARE = 0.25
"""A network with this share of the tenant is its own new office."""
MAX_NEWCOMERS = 400
MAX_EVIDENCE = 10
MAX_REPORTED = 8
REPORT_MS = 2 * DAY_MS
"""So long after an incident about a network was published, what happens on it belongs to that incident."""
FULL_ROWS = 30.0


class Newcomer(msgspec.Struct, array_like=True):
    """One identity that has appeared on the network."""

    time_ms: int
    rows: int
    strange: float
    """How unusual the network was for it, in -log10."""
    day: int
    objects: dict[str, int] = {}


class NetworkNewcomers(msgspec.Struct, array_like=True):
    """One network, with the identities that appeared on it within a day."""

    network: str
    newcomers: dict[str, Newcomer] = {}
    evidence: list[Evidence] = []
    changed_ms: int = 0
    """Event time of the newest change."""
    reported: list[int] = []
    """When incidents about it were first published, in event time; the newest `MAX_REPORTED`."""


def encode(origin: NetworkNewcomers) -> bytes:
    """The origin as bytes: equal for equal newcomers, in any order of arrival."""
    return msgspec.msgpack.encode(
        msgspec.structs.replace(
            origin,
            newcomers=dict(sorted(origin.newcomers.items())),
            evidence=sorted(origin.evidence, key=_place),
        )
    )


def decode(data: bytes) -> NetworkNewcomers:
    """The origin from the bytes of `encode`."""
    return msgspec.msgpack.decode(data, type=NetworkNewcomers)


def enter(origin: NetworkNewcomers, actor: str, newcomer: Newcomer, event: Evidence | None) -> None:
    """Record that an identity is new on the network, or how much it has taken there by now."""
    known = origin.newcomers.get(actor)
    if known is not None:
        newcomer.time_ms = min(newcomer.time_ms, known.time_ms)
        newcomer.rows = max(newcomer.rows, known.rows)
        if len(newcomer.objects) < len(known.objects):
            newcomer.objects = known.objects
    origin.newcomers[actor] = newcomer
    if len(origin.newcomers) > MAX_NEWCOMERS:
        del origin.newcomers[min(origin.newcomers, key=lambda name: (origin.newcomers[name].time_ms, name))]
    if event is not None and all(event.event_id != kept.event_id for kept in origin.evidence):
        origin.evidence = sorted([*origin.evidence, event], key=_place)[:MAX_EVIDENCE]


def forget(origin: NetworkNewcomers, now_ms: int) -> None:
    """Drop identities that appeared more than a day ago."""
    old = [name for name, newcomer in origin.newcomers.items() if newcomer.time_ms <= now_ms - DAY_MS]
    for name in old:
        del origin.newcomers[name]


def report(origin: NetworkNewcomers, time_ms: int) -> None:
    """Note that an incident about the network is published at an event time."""
    origin.reported = sorted({*origin.reported, time_ms})[-MAX_REPORTED:]


def is_reported(origin: NetworkNewcomers, before_ms: int) -> bool:
    """Whether an incident about the network was published within `REPORT_MS` before an event time.

    It does not matter what has been published since: a decision about an earlier time stays what it was.
    """
    return any(before_ms - REPORT_MS < time_ms <= before_ms for time_ms in origin.reported)


def score(population: Population, tenant: str, origin: NetworkNewcomers, now_ms: int) -> float:
    """How unusual the network is by now, in -log10 of a probability; 0 while too few have appeared."""
    if len(origin.newcomers) < LEAST_IDENTITIES:
        return 0.0
    known = day_known_at(now_ms)
    identities = max(1, population.identities(tenant, known))
    common = population.users(tenant, "network", checksum(SORTS.index("network"), origin.network), known)
    share = max(common, len(origin.newcomers) / identities if identities >= 20 else 0.0)
    strange = sum(
        newcomer.strange * (0.3 + 0.7 * min(1.0, log10(1 + newcomer.rows) / log10(1 + FULL_ROWS)))
        for _, newcomer in sorted(origin.newcomers.items())
    )
    return strange * max(0.0, 1 - share / COMMON_SHARE)


def tick_end(time_ms: int) -> int:
    """The end of the tick that contains an event time."""
    return (time_ms // TICK_MS + 1) * TICK_MS


def _place(event: Evidence) -> tuple[int, str]:
    return event.time_ms, event.event_id


def _title(anomaly: Anomaly, who: str) -> Message:
    accounts = phrase.counted(round(anomaly.facts.get("identities", 0)), "account")
    return message("title.origin", "{accounts} on one new network: {network}", accounts=accounts, network=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    return message(
        "origin.reason",
        "All of them turned up there for the first time within a day, and hardly anybody else is seen there",
    )


DETECTOR = Explanation(name="origin", title=_title, reason=_reason, rarity=False, many_days=True)
