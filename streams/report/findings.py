"""The findings of a run: of each incident the newest, with what was published of it before."""

from __future__ import annotations

import msgspec

from detector.alert.alert import Alert
from detector.alert.finding import Finding
from detector.alert.ocsf import Activity

__all__ = ["FindingHistory", "FindingVersion", "Findings"]

KEPT_INCIDENTS = 200
"""How many incidents' alerts are kept, the worst."""
KEPT_VERSIONS = 100


class FindingVersion(msgspec.Struct, frozen=True):
    """One alert of an incident."""

    time_ms: int
    activity: Activity
    severity: int
    rows: int


class FindingHistory(msgspec.Struct, frozen=True):
    """An incident as its newest alert has it."""

    finding: Finding
    positions: dict[str, str]
    """Where the records lie that it quotes, by event id."""
    versions: tuple[FindingVersion, ...]
    """Its alerts, in their order."""


class Findings:
    """Alerts in the order in which they were published; of each incident the newest counts.

    Bounded: the worst `KEPT_INCIDENTS` are kept, the others only counted.
    """

    def __init__(self) -> None:
        self._newest: dict[str, Alert] = {}
        self._versions: dict[str, list[FindingVersion]] = {}
        self.severities: dict[str, int] = {}
        """Every incident's severity, by its uid."""

    def observe(self, alert: Alert) -> None:
        """Enter an alert."""
        uid = alert.uid
        self.severities[uid] = alert.severity
        self._newest[uid] = alert
        versions = self._versions.setdefault(uid, [])
        if len(versions) < KEPT_VERSIONS:
            versions.append(FindingVersion(alert.time_ms, alert.activity, alert.severity, alert.finding.rows))
        if len(self._newest) > 2 * KEPT_INCIDENTS:
            self._forget()

    def ranked(self) -> list[FindingHistory]:
        """The worst first; of the same severity and risk, the earlier."""
        self._forget()
        histories = [
            FindingHistory(alert.finding, alert.positions, tuple(self._versions.get(uid, ())))
            for uid, alert in self._newest.items()
        ]
        return sorted(
            histories,
            key=lambda history: (-history.finding.severity, -history.finding.risk, history.finding.start_ms),
        )

    def _forget(self) -> None:
        worst = sorted(
            self._newest,
            key=lambda uid: (self._newest[uid].severity, self._newest[uid].finding.risk),
            reverse=True,
        )
        for uid in worst[KEPT_INCIDENTS:]:
            del self._newest[uid]
            self._versions.pop(uid, None)
