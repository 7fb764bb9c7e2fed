"""Looks up which decisions hold: by incident, by identity, and by event time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from detector.decision import Decision, DecisionSubject, Kind, encode

__all__ = ["NEVER_MS", "DecisionIndex", "precedes"]

NEVER_MS = 1 << 62


def precedes(decision: Decision, other: Decision) -> bool:
    """Which of two records with one id holds, whatever order they arrive in."""
    return (decision.time_ms, encode(decision)) < (other.time_ms, encode(other))


class DecisionIndex:
    """Decisions, by what they are about.

    A newer mute, expectation, assignment or step replaces an older one of the same subject for good: withdrawing the
    newer one does not bring the older one back. Of other kinds the first that is not withdrawn counts.
    """

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        known: dict[str, Decision] = {}
        for decision in decisions:
            other = known.get(decision.id)
            if other is None or precedes(decision, other):
                known[decision.id] = decision
        self._ordered = sorted(
            known.values(), key=lambda decision: (decision.time_ms, decision.kind, decision.id)
        )
        self._withdrawals: dict[str, Decision] = {}
        self._by_incident: dict[str, list[Decision]] = {}
        self._by_identity: dict[str, list[Decision]] = {}
        for decision in self._ordered:
            if decision.withdraws:
                target = known.get(decision.withdraws)
                if target is not None and _same(target, decision):
                    self._withdrawals.setdefault(target.id, decision)
                continue
            subject = decision.subject
            if subject.incident:
                self._by_incident.setdefault(subject.incident, []).append(decision)
            if subject.identity:
                self._by_identity.setdefault(subject.identity, []).append(decision)

    def __bool__(self) -> bool:
        return bool(self._ordered)

    def __iter__(self) -> Iterator[Decision]:
        """All of them, withdrawals too, by time."""
        return iter(self._ordered)

    def withdrawal(self, decision: Decision) -> Decision | None:
        """The decision that withdraws another, whether it is effective yet or not."""
        return self._withdrawals.get(decision.id)

    def withdrawn_ms(self, decision: Decision) -> int:
        """Event time from which a decision is withdrawn; `NEVER_MS` if it is not."""
        withdrawal = self._withdrawals.get(decision.id)
        return NEVER_MS if withdrawal is None else withdrawal.effective_ms

    def end_ms(self, decision: Decision) -> int:
        """Event time at which a decision ends, by itself or because it is withdrawn; `NEVER_MS` if it does not."""
        until_ms = decision.until_ms
        withdrawn_ms = self.withdrawn_ms(decision)
        return withdrawn_ms if until_ms is None else min(until_ms, withdrawn_ms)

    def first(self, kind: Kind, incident: str) -> Decision | None:
        """The first decision of a kind about an incident that is not withdrawn."""
        return next(
            (decision for decision in self.of_kind(kind, incident) if not self.withdrawal(decision)), None
        )

    def about(self, incident: str) -> list[Decision]:
        """The decisions about an incident, without withdrawals, by time."""
        return self._by_incident.get(incident, [])

    def of_kind(self, kind: Kind, incident: str) -> list[Decision]:
        """The decisions of a kind about an incident, the oldest first."""
        return [decision for decision in self.about(incident) if decision.kind is kind]

    def ending(self, incident: str) -> Decision | None:
        """The first decision that closes an incident: it is not withdrawn before it takes effect."""
        return next(
            (
                decision
                for decision in self._by_incident.get(incident, ())
                if decision.ends_incident and self.withdrawn_ms(decision) > decision.effective_ms
            ),
            None,
        )

    def breach(self, incident: str, since_ms: int) -> Decision | None:
        """The first decision that an incident is a breach which holds at some time after another."""
        return next(
            (
                decision
                for decision in self.of_kind(Kind.BREACH, incident)
                if self.withdrawn_ms(decision) > max(decision.effective_ms, since_ms)
            ),
            None,
        )

    def breach_withdrawal(self, incident: str, since_ms: int) -> Decision | None:
        """The withdrawal by which an incident that was a breach at a time is none any more."""
        end_ms, last = since_ms, None
        for decision in self.of_kind(Kind.BREACH, incident):
            if decision.effective_ms > end_ms:
                break
            withdrawal = self.withdrawal(decision)
            if withdrawal is None:
                return None
            if last is None or withdrawal.effective_ms > end_ms:
                end_ms, last = max(end_ms, withdrawal.effective_ms), withdrawal
        return last

    def incidents(self) -> Iterator[str]:
        """Every incident that a decision is about."""
        return iter(self._by_incident)

    def latest(self, kind: Kind, subject: DecisionSubject, time_ms: int = NEVER_MS) -> list[Decision]:
        """The newest decisions of a kind by a time: the one about an incident, and the one about its identity."""
        lists = self._by_incident.get(subject.incident, ()), self._by_identity.get(subject.identity, ())
        newest = (_newest(decisions, kind, time_ms) for decisions in lists)
        return [decision for decision in newest if decision is not None]

    def muted(self, subject: DecisionSubject, time_ms: int) -> bool:
        """Whether nothing is to be published at an event time about an incident, or about the identity it is about."""
        return any(time_ms < self.end_ms(mute) for mute in self.latest(Kind.MUTE, subject, time_ms))

    def expected(self, identity: str, first_ms: int, last_ms: int) -> bool:
        """Whether an identity's volume was expected at any event time from the first to the last."""
        decision = _newest(self._by_identity.get(identity, ()), Kind.EXPECTED, last_ms)
        return decision is not None and first_ms < self.end_ms(decision)


def _newest(decisions: Sequence[Decision], kind: Kind, time_ms: int) -> Decision | None:
    """The newest decision of a kind that has taken effect by a time."""
    return next(
        (
            decision
            for decision in reversed(decisions)
            if decision.kind is kind and decision.effective_ms <= time_ms
        ),
        None,
    )


def _same(target: Decision, withdrawal: Decision) -> bool:
    return not target.withdraws and (target.kind, target.subject) == (withdrawal.kind, withdrawal.subject)
