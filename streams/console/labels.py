"""The names of the console's closed vocabularies, as messages: what a table holds as a code is shown as its name."""

from __future__ import annotations

from detector.decision import Kind, Outcome
from streams.console.pages.board import BoardState
from streams.console.pages.sources import SourceStatus
from streams.console.web.auth import Role
from streams.locale import gettext_noop
from streams.locale.vocabulary import ACTOR_KINDS, CATEGORIES, OPERATIONS

__all__ = ["LABELS"]

LABELS: dict[str, str] = {
    **{kind.value: name for kind, name in CATEGORIES.items()},
    **{operation.value: name for operation, name in OPERATIONS.items()},
    **{kind.value: name for kind, name in ACTOR_KINDS.items()},
    Kind.ACKNOWLEDGE: gettext_noop("acknowledged"),
    Kind.ASSIGN: gettext_noop("assigned"),
    Kind.AWARENESS: gettext_noop("aware"),
    Kind.BREACH: gettext_noop("confirmed as a breach"),
    Kind.DISPOSITION: gettext_noop("closed"),
    Kind.EXCEPTION: gettext_noop("exempted"),
    Kind.EXPECTED: gettext_noop("expected"),
    Kind.MUTE: gettext_noop("muted"),
    Kind.NOTIFIED: gettext_noop("authority notified"),
    Kind.STEP: gettext_noop("step"),
    Outcome.TRUE_POSITIVE: gettext_noop("true positive"),
    Outcome.FALSE_POSITIVE: gettext_noop("false positive"),
    Outcome.BENIGN: gettext_noop("benign"),
    Outcome.CLOSED: gettext_noop("closed"),
    "acknowledge (identity)": gettext_noop("acknowledged, for the identity"),
    "assign (identity)": gettext_noop("assigned, for the identity"),
    "awareness (identity)": gettext_noop("aware of another incident"),
    "breach (identity)": gettext_noop("another incident a breach"),
    "disposition (identity)": gettext_noop("another incident closed"),
    "exception (identity)": gettext_noop("the identity exempted"),
    "expected (identity)": gettext_noop("all volume of the identity expected"),
    "mute (identity)": gettext_noop("the identity muted"),
    "notified (identity)": gettext_noop("notified of another incident"),
    "step (identity)": gettext_noop("a step of another incident"),
    "acknowledge withdrawn": gettext_noop("acknowledgement withdrawn"),
    "assign withdrawn": gettext_noop("assignment withdrawn"),
    "awareness withdrawn": gettext_noop("awareness withdrawn"),
    "breach withdrawn": gettext_noop("breach withdrawn"),
    "disposition withdrawn": gettext_noop("closing withdrawn"),
    "exception withdrawn": gettext_noop("exemption withdrawn"),
    "expected withdrawn": gettext_noop("expected volume withdrawn"),
    "mute withdrawn": gettext_noop("mute withdrawn"),
    "notified withdrawn": gettext_noop("notification withdrawn"),
    "step withdrawn": gettext_noop("step withdrawn"),
    "alert": gettext_noop("alert"),
    "alert again": gettext_noop("alert again"),
    "closed by the detector": gettext_noop("closed by the detector"),
    "step taken": gettext_noop("step done"),
    "step taken back": gettext_noop("step undone"),
    "new": gettext_noop("new"),
    "acknowledged": gettext_noop("acknowledged"),
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
