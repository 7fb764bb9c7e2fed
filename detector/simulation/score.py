"""Scores alerts against a world's labels: rows saved, attacks found, false alerts.

An alert belongs to an attack if it names one of the attack's identities or networks and its time lies between
the attack's start and a day after its end. A *finding* is all publications of one ``finding_info.uid``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from math import ceil
from statistics import mean, median

import msgspec

from detector.alert.finding import FindingError, read
from detector.simulation.labels import AttackLabel, Labels
from detector.simulation.shapes import Difficulty, Shape
from detector.units import DAY_MS

__all__ = [
    "BUDGET",
    "GRACE_MS",
    "AttackIndex",
    "AttackScore",
    "Score",
    "ScoredAlert",
    "evaluate",
    "score",
    "scored_alert",
]

BUDGET = 10
"""The findings a day per 1,000 identities that analysts have time for."""
GRACE_MS = DAY_MS
"""So long after an attack's end an alert still belongs to it."""


class ScoredAlert(msgspec.Struct, frozen=True):
    """One publication of a finding: a new one or an update."""

    uid: str
    time_ms: int
    risk: float
    identities: tuple[str, ...]
    networks: tuple[str, ...] = ()
    """Addresses, or networks as ``192.0.2.0/24``."""


class AttackScore(msgspec.Struct, frozen=True):
    """What became of one attack."""

    id: str
    shape: Shape
    level: Difficulty
    saved: float
    """Share of its rows not yet taken at its first alert; 0 if there was none."""
    rows: int
    """How many it took in all."""
    rows_lost: int
    """How many it had taken at its first alert; all of them if there was none."""
    found: bool
    delay_ms: int | None
    """From its start to its first alert."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one set of alerts at one threshold."""

    threshold: float | None
    """The lowest risk that counts; ``None`` where nothing fits into the budget."""
    headline: float
    """Mean over the attacks of what was saved."""
    rows_lost: float
    """Of all rows of all attacks together, the share that was taken before their first alerts."""
    recall: float
    attacks: tuple[AttackScore, ...]
    findings: int
    true_findings: int
    precision: float | None
    false_a_day: float
    """False findings a day per 1,000 identities."""
    false_on_bursts: int
    """How many of the false findings fall on a benign burst that concerns them."""
    median_delay_ms: float | None
    """From start to first alert, over the attacks found."""


def scored_alert(line: bytes) -> ScoredAlert | None:
    """What counts of a published finding; ``None`` for a closing one, which alerts nobody.

    Another detector's alerts come as JSON with the attributes of `ScoredAlert`. Raises ValueError for what is neither.

    >>> scored_alert(b'{"uid": "f", "time_ms": 5, "risk": 61, "identities": ["t/u"]}')
    ScoredAlert(uid='f', time_ms=5, risk=61.0, identities=('t/u',), networks=())
    """
    try:
        finding = read(line)
    except FindingError as error:
        try:
            return _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise error from None
    if finding.closed:
        return None
    quoted = (f"{finding.tenant}/{event.account}" for event in finding.evidences if event.account)
    network = finding.extension.network
    return ScoredAlert(
        finding.uid,
        finding.time_ms,
        float(finding.risk),
        tuple(dict.fromkeys((*finding.identities, *quoted))),
        (*sorted(finding.addresses), *((network,) if network else ())),
    )


_decoder = msgspec.json.Decoder(ScoredAlert)


def score(labels: Labels, alerts: Sequence[ScoredAlert]) -> Score:
    """The score within the alert budget: `BUDGET` findings a day per 1,000 identities.

    The threshold is the lowest risk at which no more findings reach it; equals count together or not at all.
    """
    days = (labels.end_ms - labels.start_ms) / DAY_MS
    budget = ceil(BUDGET * len(labels.identities) / 1000 * days)
    return evaluate(labels, alerts, _threshold(alerts, budget))


def _threshold(alerts: Iterable[ScoredAlert], budget: int) -> float | None:
    greatest: dict[str, float] = {}
    for alert in alerts:
        greatest[alert.uid] = max(alert.risk, greatest.get(alert.uid, alert.risk))
    risks = sorted(greatest.values(), reverse=True)
    if len(risks) <= budget:
        return risks[-1] if risks else None
    beyond = risks[budget]
    return min((risk for risk in risks[:budget] if risk > beyond), default=None)


def evaluate(labels: Labels, alerts: Sequence[ScoredAlert], threshold: float | None) -> Score:
    """The score of the alerts whose risk reaches a threshold."""
    counted = [alert for alert in alerts if threshold is not None and alert.risk >= threshold]
    counted.sort(key=lambda alert: alert.time_ms)
    index = AttackIndex(labels)
    first: dict[int, int] = {}
    true: set[str] = set()
    for alert in counted:
        for number in index.attacks(alert):
            first.setdefault(number, alert.time_ms)
            true.add(alert.uid)
    attacks = tuple(_attack(attack, first.get(number)) for number, attack in enumerate(labels.attacks))
    by_uid: dict[str, list[ScoredAlert]] = {}
    for alert in counted:
        by_uid.setdefault(alert.uid, []).append(alert)
    false = [uid for uid in by_uid if uid not in true]
    days = (labels.end_ms - labels.start_ms) / DAY_MS
    rows = sum(attack.rows for attack in attacks)
    delays = [attack.delay_ms for attack in attacks if attack.delay_ms is not None]
    return Score(
        threshold=threshold,
        headline=mean(attack.saved for attack in attacks) if attacks else 0.0,
        rows_lost=sum(attack.rows_lost for attack in attacks) / rows if rows else 0.0,
        recall=mean(attack.found for attack in attacks) if attacks else 0.0,
        attacks=attacks,
        findings=len(by_uid),
        true_findings=len(true),
        precision=len(true) / len(by_uid) if by_uid else None,
        false_a_day=len(false) / days / len(labels.identities) * 1000,
        false_on_bursts=sum(any(index.on_burst(alert) for alert in by_uid[uid]) for uid in false),
        median_delay_ms=median(delays) if delays else None,
    )


def _attack(attack: AttackLabel, alerted_ms: int | None) -> AttackScore:
    rows = lost = attack.taken[-1][1] if attack.taken else 0
    if alerted_ms is not None:
        lost = max((taken for time_ms, taken in attack.taken if time_ms <= alerted_ms), default=0)
    saved = (1 - lost / rows if rows else 1.0) if alerted_ms is not None else 0.0
    return AttackScore(
        id=attack.id,
        shape=attack.shape,
        level=attack.level,
        saved=saved,
        rows=rows,
        rows_lost=lost,
        found=alerted_ms is not None,
        delay_ms=None if alerted_ms is None else max(0, alerted_ms - attack.start_ms),
    )


class AttackIndex:
    """The labels by what an alert names."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._by_name: dict[str, list[int]] = {}
        for number, attack in enumerate(labels.attacks):
            for name in (*attack.identities, *attack.networks):
                self._by_name.setdefault(name, []).append(number)
        self._bursts = [
            (burst, None if isinstance(burst.identities, str) else frozenset(burst.identities))
            for burst in labels.bursts
        ]

    def attacks(self, alert: ScoredAlert) -> set[int]:
        """The attacks that an alert belongs to."""
        found = set()
        for name in (*alert.identities, *alert.networks):
            for number in self._by_name.get(name, ()):
                attack = self._labels.attacks[number]
                if attack.start_ms <= alert.time_ms <= attack.end_ms + GRACE_MS:
                    found.add(number)
        for network in alert.networks:
            if "/" in network:
                found |= {
                    number
                    for number, attack in enumerate(self._labels.attacks)
                    if attack.start_ms <= alert.time_ms <= attack.end_ms + GRACE_MS
                    and any(_within(address, network) for address in attack.networks)
                }
        return found

    def on_burst(self, alert: ScoredAlert) -> bool:
        """Whether an alert falls on a burst that concerns it."""
        return any(
            burst.start_ms <= alert.time_ms <= burst.end_ms + GRACE_MS
            and (names is None or not names.isdisjoint(alert.identities))
            for burst, names in self._bursts
        )


@lru_cache(maxsize=4_096)
def _within(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False
