"""Our own closed words, as messages: what stands in tables as a code is shown as this."""

from __future__ import annotations

from detector.event import ActorKind
from detector.decision import Verdict
from streams.console.pages.board import BoardState
from streams.console.pages.sources import SourceStatus
from streams.console.store.index import PERSONAL
from streams.report.text import CATEGORIES, OPERATIONS, SEVERITIES
from streams.report.timeline import TimelineStage

__all__ = ["LABELS"]

LABELS: dict[str, str] = {
    **{name: name for name in SEVERITIES},
    **{kind.value: text for kind, text in CATEGORIES.items()},
    **{done.value: text for done, text in OPERATIONS.items()},
    PERSONAL: "personal data",
    ActorKind.HUMAN: "person",
    ActorKind.INTEGRATION: "integration",
    ActorKind.GUEST: "guest",
    Verdict.ACKNOWLEDGED: "acknowledged",
    Verdict.ASSIGNED: "assigned",
    Verdict.EXPECTED: "expected",
    Verdict.MUTED: "muted",
    Verdict.CONFIRMED: "confirmed as a breach",
    Verdict.NOTIFIED: "authority notified",
    Verdict.CLOSED: "closed",
    "expected (identity)": "the identity's volume expected",
    "muted (identity)": "the identity muted",
    "acknowledged (identity)": "acknowledged, for the identity",
    "assigned (identity)": "assigned, for the identity",
    "confirmed (identity)": "another incident confirmed",
    "notified (identity)": "notified of another incident",
    "closed (identity)": "another incident closed",
    "alert": "alert",
    "alert again": "alert again",
    "closed by the detector": "closed by the detector",
    "step taken": "step taken",
    "step taken back": "step taken back",
    "new": "new",
    "breach": "breach",
    "due": "closed, not yet notified",
    SourceStatus.TROUBLE: "in trouble",
    SourceStatus.QUIET: "quiet",
    SourceStatus.FINE: "fine",
    BoardState.CALM: "Calm",
    BoardState.LOOK: "Look",
    BoardState.ACT: "Act",
    BoardState.BLIND: "Blind",
    "network": "network",
    "address": "address",
    "agent": "program",
    "app": "app",
    "country": "country",
    "operation": "operation",
    "object": "object",
    "all": "all personal data",
    "calls": "calls",
    "kilobytes": "kilobytes",
    "": "",
    **{
        f"stage:{stage.value}": text
        for stage, text in {
            TimelineStage.NETWORK: "New network",
            TimelineStage.RECONNAISSANCE: "Looked around",
            TimelineStage.SAMPLE: "First sample",
            TimelineStage.BULK: "First large read",
            TimelineStage.BOUND: "Above what is expected",
            TimelineStage.DELETION: "Traces deleted",
            TimelineStage.VENDOR: "The vendor's own finding",
            TimelineStage.ALERT: "Alert",
            TimelineStage.UPDATE: "Alert again",
        }.items()
    },
}
"""A code → its message."""
