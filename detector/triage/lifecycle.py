"""The lifecycle of an incident: when it closes, when it becomes a breach, and when it is muted."""

from __future__ import annotations

from detector.decision import Decision, DecisionSubject
from detector.decision_index import NEVER_MS, DecisionIndex
from detector.triage.incident import Incident, uid

__all__ = ["IncidentLifecycle"]


class IncidentLifecycle:
    """How incidents go on, by quiet and by operators' decisions."""

    def __init__(self, quiet_seconds: int, decisions: DecisionIndex) -> None:
        self._quiet_ms = quiet_seconds * 1000
        self._decisions = decisions

    def due_ms(self, incident: Incident) -> int:
        """The event time at which it changes or closes if no further signal comes."""
        ends_ms, _ = self.ends(incident)
        change = self.breach_change(incident)
        return ends_ms if change is None else min(ends_ms, change[0])

    def ends(self, incident: Incident) -> tuple[int, Decision | None]:
        """When it closes, and the decision if that is why."""
        lasts = incident.source or incident.confirmed  # a source is in trouble until it is known to be over
        quiet_ms = NEVER_MS if lasts else max(incident.modified_ms, incident.breach_ms) + self._quiet_ms
        decision = self._decisions.ending(uid(incident)) if self._decisions else None
        if decision is None or decision.effective_ms > quiet_ms:
            return quiet_ms, None
        return decision.effective_ms, decision

    def breach_change(self, incident: Incident) -> tuple[int, Decision] | None:
        """When it next becomes a breach, or if it is one ceases to be one, and by which decision."""
        if not self._decisions:
            return None
        name, since_ms = uid(incident), incident.breach_ms
        if incident.confirmed:
            decision = self._decisions.breach_withdrawal(name, since_ms)
        else:
            decision = self._decisions.breach(name, since_ms)
        return None if decision is None else (max(decision.effective_ms, since_ms), decision)

    def muted(self, incident: Incident, time_ms: int) -> bool:
        """Whether nothing is to be published about it at an event time."""
        if not self._decisions:
            return False
        identity = f"{incident.tenant}/{incident.actor}"
        subject = DecisionSubject(incident=uid(incident), identity=identity)
        return self._decisions.muted(subject, time_ms)

    def expected(self, identity: str, first_ms: int, last_ms: int) -> bool:
        """Whether an identity's volume was expected at any event time from the first to the last."""
        return bool(self._decisions) and self._decisions.expected(identity, first_ms, last_ms)
