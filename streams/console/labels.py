"""The names of the console's closed vocabularies, as messages: what a table holds as a code is shown as its name."""

from __future__ import annotations

from detector.feedback import Verdict
from streams.console.pages.board import BoardState
from streams.console.pages.sources import SourceStatus
from streams.console.store.index import PERSONAL
from streams.console.web.auth import Role
from streams.locale import gettext_noop
from streams.locale.vocabulary import ACTOR_KINDS, CATEGORIES, OPERATIONS

__all__ = ["LABELS"]

LABELS: dict[str, str] = {
    **{kind.value: name for kind, name in CATEGORIES.items()},
    **{operation.value: name for operation, name in OPERATIONS.items()},
    **{kind.value: name for kind, name in ACTOR_KINDS.items()},
    PERSONAL: gettext_noop("personal data"),
    Verdict.ACKNOWLEDGED: gettext_noop("acknowledged"),
    Verdict.ASSIGNED: gettext_noop("assigned"),
    Verdict.EXPECTED: gettext_noop("expected"),
    Verdict.MUTED: gettext_noop("muted"),
    Verdict.CONFIRMED: gettext_noop("confirmed as a breach"),
    Verdict.NOTIFIED: gettext_noop("authority notified"),
    Verdict.CLOSED: gettext_noop("closed"),
    "expected (identity)": gettext_noop("all volume of the identity expected"),
    "muted (identity)": gettext_noop("the identity muted"),
    "acknowledged (identity)": gettext_noop("acknowledged, for the identity"),
    "assigned (identity)": gettext_noop("assigned, for the identity"),
    "confirmed (identity)": gettext_noop("another incident confirmed"),
    "notified (identity)": gettext_noop("notified of another incident"),
    "closed (identity)": gettext_noop("another incident closed"),
    "alert": gettext_noop("alert"),
    "alert again": gettext_noop("alert again"),
    "closed by the detector": gettext_noop("closed by the detector"),
    "step taken": gettext_noop("step done"),
    "step taken back": gettext_noop("step undone"),
    "new": gettext_noop("new"),
    "breach": gettext_noop("breach"),
    "due": gettext_noop("closed, authority not notified"),
    SourceStatus.TROUBLE: gettext_noop("in trouble"),
    SourceStatus.QUIET: gettext_noop("quiet"),
    SourceStatus.FINE: gettext_noop("healthy"),
    BoardState.CALM: gettext_noop("Calm"),
    BoardState.LOOK: gettext_noop("Look"),
    BoardState.ACT: gettext_noop("Act"),
    BoardState.BLIND: gettext_noop("Blind"),
    Role.VIEWER.word: gettext_noop("viewer"),
    Role.ANALYST.word: gettext_noop("analyst"),
    Role.ADMIN.word: gettext_noop("admin"),
    "network": gettext_noop("network"),
    "address": gettext_noop("address"),
    "agent": gettext_noop("program"),
    "app": gettext_noop("app"),
    "country": gettext_noop("country"),
    "operation": gettext_noop("operation"),
    "object": gettext_noop("object"),
    "all": gettext_noop("all personal data"),
    "calls": gettext_noop("calls"),
    "kilobytes": gettext_noop("kilobytes"),
}
"""A code → its message."""
