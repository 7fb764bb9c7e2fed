"""An alert and what is needed to send it on.

The finding says what happened in the world. Where its records lie (a file and line, a topic and offset) is
beside it, in `Alert.positions`: so the same events give the same finding, byte for byte, whatever brought them here.
"""

from __future__ import annotations

import msgspec

from detector.alert.finding import Finding, write
from detector.alert.ocsf import Activity
from detector.triage.risk import Severity

__all__ = ["Alert", "alert_of"]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, its bytes, and where the records lie that it quotes."""

    finding: Finding
    body: bytes
    """The finding as JSON."""
    positions: dict[str, str]
    """Evidence: event id → adapter and position of its record."""

    @property
    def uid(self) -> str:
        """The incident's stable name: the same in every update."""
        return self.finding.uid

    @property
    def activity(self) -> Activity:
        """Whether the incident is new, has grown or is over."""
        return self.finding.activity

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.finding.severity

    @property
    def detectors(self) -> tuple[str, ...]:
        """Those that contribute, the most surprising first."""
        return self.finding.detectors

    @property
    def time_ms(self) -> int:
        """Event time at which it fired."""
        return self.finding.time_ms

    @property
    def sentence(self) -> str:
        """The incident in about eighty words."""
        return self.finding.sentence


def alert_of(finding: Finding, positions: dict[str, str]) -> Alert:
    """The alert that publishes a finding."""
    return Alert(finding=finding, body=write(finding), positions=positions)
