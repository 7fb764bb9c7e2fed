"""What one identity's part of the detector says to triage: a surprise, or that a window has closed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from detector.event import AccessEvent, ActorKind, Operation

__all__ = ["Evidence", "Signal", "SignalKind", "evidence"]

MAX_OBJECTS = 20
MAX_TEXT = 256
"""How many objects, and how many characters of a log's free text, evidence quotes."""


class SignalKind(StrEnum):
    """Why a signal was sent."""

    CROSSED = "crossed"
    """A window has gone over the identity's own bound, or has grown further above it."""
    CLOSED = "closed"
    """A window has ended and been learned: what triage learns the population from."""


class Evidence(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event as an alert quotes it."""

    event_id: str
    time_ms: int
    operation: Operation
    rows: int
    objects: tuple[str, ...]
    ip: str | None
    user_agent: str | None
    app: str | None
    session: str | None
    country: str | None
    adapter: str
    position: str


def evidence(event: AccessEvent, rows: int) -> Evidence:
    """The event as evidence; `rows` are those that it added."""
    return Evidence(
        event.event_id,
        event.time_ms,
        event.operation,
        rows,
        tuple(name[:MAX_TEXT] for name in event.objects[:MAX_OBJECTS]),
        _clipped(event.ip),
        _clipped(event.user_agent),
        _clipped(event.app),
        _clipped(event.session),
        _clipped(event.country),
        event.origin.adapter,
        event.origin.position,
    )


def _clipped(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT]


class Signal(msgspec.Struct, array_like=True, gc=False):
    """One detector's word about one identity over one span of event time, with all it takes to judge it."""

    kind: SignalKind
    detector: str
    channel: str
    """What the value counts: an operation's name."""
    horizon_ms: int
    """The window's length."""
    start_ms: int
    """The window's start, event time."""
    time_ms: int
    """The event time at which this became known."""
    value: int
    """Rows in the window so far (or the largest operation's)."""
    own_windows: int
    """How many windows the identity's own level was learned from."""
    own_mean: float
    """The identity's own level: mean of ``log1p(value)``."""
    own_variance: float
    own_bound: float
    """The bound, in rows, that was or would have been crossed."""
    crossed: bool
    """Whether the window has been over the bound."""
    first_ms: int
    last_ms: int
    """The window's first and last event."""
    objects: dict[str, int] = {}
    """Rows that left in the window by kind of record, for a crossed one."""
    evidence: Evidence | None = None
    """The event that crossed the bound."""
    tenant: str = ""
    actor: str = ""
    actor_kind: ActorKind = ActorKind.HUMAN
    actor_name: str | None = None
    sequence: int = 0
    """The identity's count of signals: the same signal sent twice has the same number."""
    more: bool = False
    """Whether the next signal comes from the same event: all are to be weighed before anything is said."""

    @property
    def identity(self) -> str:
        """The identity's key, as in `AccessEvent.identity`."""
        return f"{self.tenant}/{self.actor}"
