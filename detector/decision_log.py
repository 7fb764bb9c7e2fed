"""Keeps the decisions that a worker needs, in bounded memory.

The log drops a decision only when it no longer has any effect. A log that is full of decisions in force refuses
newcomers.
"""

from __future__ import annotations

from collections.abc import Iterator

from detector.decision import Decision, Kind
from detector.decision_index import DecisionIndex, precedes
from detector.mute import MUTING, mutes, subjects_of

__all__ = ["MAX_DECISIONS", "DecisionLog", "obsolete"]

MAX_DECISIONS = 25_000
PRUNE_EVERY = 1_000
"""A log that stays full is searched again only after so many newcomers."""
_INFORMATIVE = frozenset((Kind.ACKNOWLEDGE, Kind.ASSIGN, Kind.STEP))
"""Detection goes on as if these had not been made."""


class DecisionLog:
    """Decisions by id, each once."""

    def __init__(self, keep_ms: int, limit: int = MAX_DECISIONS) -> None:
        """A stream may lag behind the newest decision by `keep_ms`: what ended within that time stays."""
        self._keep_ms = keep_ms
        self._limit = limit
        self._decisions: dict[str, Decision] = {}
        self._newest_ms = -(1 << 62)
        self._arrivals = PRUNE_EVERY
        self.dropped = 0
        """How many have been dropped because they no longer have any effect."""

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._decisions.values())

    def __len__(self) -> int:
        return len(self._decisions)

    def add(self, decision: Decision, now_ms: int) -> bool:
        """Take a decision in, at a time by the clock; False if all the room is taken by decisions that hold."""
        known = self._decisions.get(decision.id)
        if known is not None:
            if precedes(decision, known):
                self._decisions[decision.id] = decision
            return True
        self._newest_ms = max(self._newest_ms, decision.time_ms)
        self._arrivals += 1
        if len(self._decisions) >= self._limit and not self._make_room(now_ms):
            return False
        self._decisions[decision.id] = decision
        return True

    def _make_room(self, now_ms: int) -> bool:
        if self._arrivals < PRUNE_EVERY:
            return False
        self._arrivals = 0
        # The clock bounds what a decision dated in the future makes obsolete.
        ids = obsolete(DecisionIndex(self), min(now_ms, self._newest_ms) - self._keep_ms)
        for decision_id in ids:
            del self._decisions[decision_id]
        self.dropped += len(ids)
        return len(self._decisions) < self._limit


def obsolete(index: DecisionIndex, before_ms: int) -> set[str]:
    """The ids of decisions without which nothing changes at any event time from `before_ms` on.

    A breach stays until its incident is closed and the authority notified, and with it what ends its clock. A mute
    that replaced another stays as long as that one would hold. A withdrawal stays with what it withdraws.
    """
    gone: set[str] = set()
    kept: set[tuple[Kind, str, str]] = set()
    withdrawals: dict[str, Decision] = {}
    settled: dict[str, bool] = {}
    held_until_ms = {mute.decision.id: mute.until_ms for mute in mutes(index)}
    for decision in index:
        withdrawal = index.withdrawal(decision)
        if withdrawal is not None:
            withdrawals[withdrawal.id] = decision
        if decision.withdraws:
            continue
        incident = decision.subject.incident
        if incident and incident not in settled:
            settled[incident] = _is_settled(index, incident, before_ms)
        if decision.kind in MUTING:
            keys = subjects_of(decision)
            over = not keys or held_until_ms[decision.id] < before_ms
            if decision.ends_incident:
                over = over and settled[incident]
            if not over or any(key in kept for key in keys):
                kept.update(keys)
                continue
        elif decision.kind not in _INFORMATIVE and not (
            settled[incident] if incident else index.end_ms(decision) < before_ms
        ):
            continue
        gone.add(decision.id)
    for decision in index:
        if decision.withdraws:
            target = withdrawals.get(decision.id)
            if decision.effective_ms < before_ms if target is None else target.id in gone:
                gone.add(decision.id)
    return gone


def _is_settled(index: DecisionIndex, incident: str, before_ms: int) -> bool:
    """Whether everything decided about an incident has had its effect by then, and no clock of it runs."""
    ending, notified = index.ending(incident), index.first(Kind.NOTIFIED, incident)
    if index.first(Kind.BREACH, incident) is None and index.first(Kind.AWARENESS, incident) is None:
        decisions = index.about(incident)
        withdrawals = [index.withdrawal(decision) for decision in decisions]
        return all(one.effective_ms < before_ms for one in (*decisions, *withdrawals) if one is not None)
    return (
        ending is not None
        and notified is not None
        and max(ending.effective_ms, notified.effective_ms) < before_ms
    )
