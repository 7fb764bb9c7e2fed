"""The demo's alerts in the terminal, as they come."""

from __future__ import annotations

import msgspec
from rich.console import Console

from detector.alert.ocsf import Activity
from detector.triage.risk import Severity
from streams.cli.screen import alert_line, alert_panel, lead, show_line

__all__ = ["Ticker"]


class Ticker:
    """Shows alerts as they come: what is new in the live traffic at length, the rest on a line each.

    Of the history only what is new is shown, and not how it went on.
    """

    def __init__(self, screen: Console, live_ms: int) -> None:
        self._screen = screen
        self._live_ms = live_ms
        self._seen: dict[str, tuple[Severity, frozenset[str]]] = {}

    def show(self, body: bytes) -> None:
        """An OCSF finding: a panel for a new incident, a short one when its severity or stage has changed."""
        finding = msgspec.json.decode(body)
        told = finding["finding_info"]
        severity, activity = Severity(finding["severity_id"]), Activity(finding["activity_id"])
        # How far an intruder has come: the techniques that have been seen.
        stands = severity, frozenset(attack["technique"]["uid"] for attack in told["attacks"])
        before = self._seen.get(told["uid"])
        self._seen[told["uid"]] = stands
        time_ms, points, sentence = finding["time"], finding["risk_score"], told["desc"]
        history = time_ms < self._live_ms
        if history and activity is not Activity.CREATE:
            return
        if (
            history
            or activity is Activity.CLOSE
            or before == stands
            or (before is None and severity is Severity.INFORMATIONAL)
        ):
            show_line(self._screen, alert_line(severity, activity, time_ms, points, sentence))
            return
        sentence = sentence if before is None else lead(sentence)
        self._screen.print(alert_panel(severity, activity, time_ms, points, sentence))
