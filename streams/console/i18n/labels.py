"""Our own closed words, as messages: what stands in tables as a code is shown as this."""

from __future__ import annotations

from detector.decision import Kind, Outcome
from detector.event import ActorKind
from streams.console.pages.board import BoardState
from streams.console.pages.sources import SourceStatus
from streams.report.text import CATEGORIES, OPERATIONS, SEVERITIES
from streams.report.timeline import TimelineStage

__all__ = ["LABELS"]

LABELS: dict[str, str] = {
    **{name: name for name in SEVERITIES},
    **{kind.value: text for kind, text in CATEGORIES.items()},
    **{done.value: text for done, text in OPERATIONS.items()},
    ActorKind.HUMAN: "person",
    ActorKind.INTEGRATION: "integration",
    ActorKind.GUEST: "guest",
    Kind.ACKNOWLEDGE: "acknowledged",
    Kind.ASSIGN: "assigned",
    Kind.AWARENESS: "aware",
    Kind.BREACH: "breach",
    Kind.DISPOSITION: "closed",
    Kind.EXCEPTION: "exempted",
    Kind.EXPECTED: "expected",
    Kind.MUTE: "muted",
    Kind.NOTIFIED: "authority notified",
    Kind.STEP: "step",
    Outcome.TRUE_POSITIVE: "true positive",
    Outcome.FALSE_POSITIVE: "false positive",
    Outcome.BENIGN: "benign",
    Outcome.CLOSED: "closed",
    "acknowledge (identity)": "acknowledged, for the identity",
    "assign (identity)": "assigned, for the identity",
    "awareness (identity)": "aware of another incident",
    "breach (identity)": "another incident a breach",
    "disposition (identity)": "another incident closed",
    "exception (identity)": "the identity exempted",
    "expected (identity)": "the identity's volume expected",
    "mute (identity)": "the identity muted",
    "notified (identity)": "notified of another incident",
    "step (identity)": "a step of another incident",
    "acknowledge withdrawn": "acknowledgement withdrawn",
    "assign withdrawn": "assignment withdrawn",
    "awareness withdrawn": "awareness withdrawn",
    "breach withdrawn": "breach withdrawn",
    "disposition withdrawn": "closing withdrawn",
    "exception withdrawn": "exemption withdrawn",
    "expected withdrawn": "expected volume withdrawn",
    "mute withdrawn": "mute withdrawn",
    "notified withdrawn": "notification withdrawn",
    "step withdrawn": "step withdrawn",
    "alert": "alert",
    "alert again": "alert again",
    "closed by the detector": "closed by the detector",
    "step taken": "step taken",
    "step taken back": "step taken back",
    "new": "new",
    "acknowledged": "acknowledged",
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
