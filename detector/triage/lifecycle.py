"""The course of an incident: when it ends, by quiet or by an operator's word, and what is said of it meanwhile."""

from __future__ import annotations

from detector.alert import build as alert
from detector.feedback import Decisions, Feedback
from detector.triage.incident import Incident

__all__ = ["IncidentLifecycle"]

NEVER_MS = 1 << 62


class IncidentLifecycle:
    """How incidents go on, by what operators have decided."""

    def __init__(self, quiet_seconds: int, decisions: Decisions) -> None:
        self._quiet_ms = quiet_seconds * 1000
        self._decisions = decisions

    def due_ms(self, incident: Incident) -> int:
        """The event time at which it is confirmed or closes, if nothing more is heard of it."""
        ends_ms, _ = self.ends(incident)
        word = self.confirmation(incident)
        return ends_ms if word is None else min(ends_ms, word.effective_ms)

    def ends(self, incident: Incident) -> tuple[int, Feedback | None]:
        """When it closes, and the operator's word if that is why."""
        lasts = incident.source or incident.confirmed  # a source is in trouble until it is known to be over
        quiet_ms = NEVER_MS if lasts else incident.modified_ms + self._quiet_ms
        word = self._decisions.ending(alert.incident_uid(incident)) if self._decisions else None
        if word is None or word.effective_ms > quiet_ms:
            return quiet_ms, None
        return word.effective_ms, word

    def confirmation(self, incident: Incident) -> Feedback | None:
        """The operator's word that it is a breach, if it has not been heeded yet."""
        if incident.confirmed or not self._decisions:
            return None
        return self._decisions.confirmation(alert.incident_uid(incident))

    def muted(self, incident: Incident, time_ms: int) -> bool:
        """Whether nothing is to be published about it at an event time."""
        decisions = self._decisions
        if not decisions:
            return False
        identity = f"{incident.tenant}/{incident.actor}"
        return decisions.muted(identity, time_ms) or decisions.muted(alert.incident_uid(incident), time_ms)

    def expected(self, identity: str, first_ms: int, last_ms: int) -> bool:
        """Whether an identity's volume was expected at any event time from the first to the last."""
        return bool(self._decisions) and self._decisions.expected(identity, first_ms, last_ms)
