"""What the detect step tells triage: an identity did something surprising, a day is over, what a tick held."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from detector.event import AccessEvent, ActorKind, Operation
from detector.units import MINUTE_MS

__all__ = [
    "GROWN_MS",
    "Evidence",
    "Familiarity",
    "Measure",
    "NewValue",
    "Signal",
    "SignalKind",
    "Span",
    "Tally",
    "evidence",
]

MAX_OBJECTS = 20
MAX_TEXT = 256
"""How many objects, and how many characters of a log's free text, evidence quotes."""
GROWN_MS = 5 * MINUTE_MS
"""How long after a detector's last signal it says that rows have grown, however little."""


class SignalKind(StrEnum):
    """Why a signal was sent."""

    CROSSED = "crossed"
    """Something goes beyond what the identity itself usually does, or has grown further beyond it."""
    GROWN = "grown"
    """What went beyond has grown a little further: an incident that has been published shows it."""
    CLOSED = "closed"
    """A day of the identity has ended and been learned: what triage learns the population from."""
    FORGOTTEN = "forgotten"
    """The identity has been evicted: it was idle for too long, or there were too many."""
    TALLY = "tally"
    """A tick has ended: what a shard counted of a tenant in it, as `facts`."""


class Span(StrEnum):
    """What a measure adds up over."""

    OPERATION = "operation"
    """The largest single operation of a day."""
    HOUR = "hour"
    """The fullest clock hour of a day."""
    DAY = "day"
    WEEK = "week"
    """The seven days up to and including one."""


class Familiarity(StrEnum):
    """How used an identity is to doing something at all: the peers it is compared with."""

    COLD = "cold"
    """Too little is known of the identity itself to say."""
    NEVER = "never"
    RARELY = "rarely"
    REGULARLY = "regularly"


class Measure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One quantity beside the identity's own level of it."""

    detector: str
    channel: str
    """What is counted: an operation, or several of them together."""
    span: Span
    value: int
    days: int
    """How many days of its own the level was learned from."""
    mean: float
    """The level: mean of ``log1p(value)`` over these days."""
    variance: float
    familiarity: Familiarity


class NewValue(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that the identity has not long been seen with."""

    what: str
    """``network``, ``agent``, ``app``, ``country``, ``operation``, ``object``, ``query`` or ``hour``."""
    value: str
    news: float
    """On how many days it has shown something new of this sort."""
    days: float
    """Out of how many."""
    age_days: float
    """Days since it was first seen."""
    rows: int
    """Rows that have left with it since then."""


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


class Signal(msgspec.Struct, array_like=True, kw_only=True):
    """One detector's word about one identity, with all that it takes to judge it."""

    kind: SignalKind
    detector: str
    time_ms: int
    """The event time at which this became known."""
    day: int
    """The day (since 1970, UTC) that it is about."""
    first_ms: int
    last_ms: int
    """Its first and last event."""
    channel: str = ""
    rows: int = 0
    """Rows that left in what it is about."""
    objects: dict[str, int] = {}
    """The same by kind of record."""
    measures: list[Measure] = []
    """The quantity that crossed its bound; for a day that is over, all of its quantities."""
    news: list[NewValue] = []
    score: float = 0.0
    """How strange it is, on the detector's own scale, if that needs no knowledge of others."""
    facts: dict[str, float] = {}
    """Figures that explain it."""
    used: dict[str, list[int]] = {}
    """For a day that is over: checksums of the networks, agents and apps that the identity was seen with."""
    evidence: Evidence | None = None
    """The event that gave rise to it."""
    tenant: str = ""
    actor: str = ""
    actor_kind: ActorKind = ActorKind.HUMAN
    actor_name: str | None = None
    peers: str = ""
    """The group that the identity is compared with."""
    known_days: int = 0
    """On how many days before this one the identity was active."""
    sequence: int = 0
    """The identity's count of signals: the same signal sent twice has the same number."""
    more: bool = False
    """Whether the next signal comes from the same event: all are to be weighed before anything is said."""

    @property
    def identity(self) -> str:
        """The identity's key, as in `AccessEvent.identity`."""
        return f"{self.tenant}/{self.actor}"


class Tally(msgspec.Struct, array_like=True):
    """What one shard counted of a tenant in one tick."""

    rows: int = 0
    """Rows of personal data taken."""
    sources: dict[str, int] = {}
    """``adapter/operation`` → events."""
    categories: dict[str, int] = {}
    """Data category → rows taken."""

    def add(self, rows: int, sources: dict[str, int]) -> None:
        """Add what another shard counted."""
        self.rows += rows
        for name, events in sources.items():
            self.sources[name] = self.sources.get(name, 0) + events
