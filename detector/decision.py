"""An operator's decision about an incident or an identity: one flat, versioned record.

Consoles, scripts and settings write it; workers, replays and the console read it. A decision takes effect one minute
of event time after it was taken. By then every worker has it, so a stream decides as a replay does that knew it from
the beginning.

The canonical encoding, which `encode` writes, is JSON in UTF-8 without whitespace, keys sorted at every level, every
field present, numbers only as integers: ``json.dumps(…, sort_keys=True, separators=(",", ":"), ensure_ascii=False)``.

What may change within version 1: a new optional field, in the record or in a payload, that is absent unless it is
set; readers ignore fields that they do not know. Everything else is another version: a new kind, a field whose
meaning changes or that everyone must write. A reader refuses a version or a kind that it does not know.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from detector.errors import CrmwatchError, Rejection

__all__ = [
    "EFFECTIVE_AFTER_MS",
    "EXPECTED_MS",
    "PAYLOADS",
    "Assignment",
    "Awareness",
    "AwarenessSource",
    "Decision",
    "DecisionError",
    "DecisionSubject",
    "Disposition",
    "Exemption",
    "ExpectedUntil",
    "Kind",
    "MutedUntil",
    "NoPayload",
    "Outcome",
    "Payload",
    "StepMark",
    "check_role",
    "decode",
    "encode",
]

VERSION = 1
EFFECTIVE_AFTER_MS = 60_000
EXPECTED_MS = 24 * 3_600_000
"""How long an identity's volume is expected if the decision gives no end."""
MAX_TEXT = 400
DECIDING_ROLES = ("analyst", "admin")

Name = Annotated[str, msgspec.Meta(min_length=1)]


class DecisionError(CrmwatchError, ValueError):
    """A record that is not a decision; `reason` is a code for counters."""

    def __init__(self, reason: Rejection, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Kind(StrEnum):
    """What is decided."""

    DISPOSITION = "disposition"
    """The incident is over, with an outcome. What follows is another incident."""
    ACKNOWLEDGE = "acknowledge"
    """Somebody has seen it; detection goes on."""
    ASSIGN = "assign"
    """Somebody owns it; detection goes on."""
    MUTE = "mute"
    """Nothing is published about the subject until a time; all of it is still counted and learned."""
    EXPECTED = "expected"
    """It was meant to happen: the incident closes, and the identity's volume is neither alerted on nor learned until a
    time."""
    BREACH = "breach"
    """The incident is a breach: it stays open, however quiet it is, until a disposition closes it. The authority is to
    be notified, until a decision of the kind `NOTIFIED`; by when, a decision of the kind `AWARENESS` says."""
    AWARENESS = "awareness"
    """The organisation became aware of the breach at a time: the 72 hours to notify the authority run from it. A newer
    entry corrects an older one, which is kept."""
    NOTIFIED = "notified"
    """The authority has been notified of the breach, or need not be, as the reason says."""
    STEP = "step"
    """A step of the incident's checklist is done, or is open again; detection goes on."""
    EXCEPTION = "exception"
    """The subject is exempt from a rule. Kept; nothing depends on it yet."""


_OF_INCIDENTS = frozenset((Kind.DISPOSITION, Kind.BREACH, Kind.AWARENESS, Kind.NOTIFIED, Kind.STEP))


class Outcome(StrEnum):
    """What an incident turned out to be."""

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"
    """It happened as detected, and was harmless."""
    CLOSED = "closed"
    """Closed without saying which of these."""


class DecisionSubject(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision is about: an incident, an identity, or both."""

    incident: str = ""
    """The incident's ``finding_info.uid``."""
    identity: str = ""
    """The identity's ``tenant/actor``; what is expected or muted by it holds for all of its incidents."""

    def __post_init__(self) -> None:
        """Raises ValueError for a subject that names nothing."""
        if not self.incident and not self.identity:
            raise ValueError("a decision names an incident, an identity, or both")


class NoPayload(msgspec.Struct, frozen=True):
    """Of kinds that need no more than the record, and of withdrawals."""


class Disposition(msgspec.Struct, frozen=True):
    """Of a disposition."""

    outcome: Outcome = Outcome.CLOSED


class Assignment(msgspec.Struct, frozen=True):
    """Of an assignment."""

    assignee: Name


class MutedUntil(msgspec.Struct, frozen=True):
    """Of a mute."""

    until_ms: int


class ExpectedUntil(msgspec.Struct, frozen=True):
    """Of expected volume."""

    until_ms: int | None = None
    """``None`` for a day after the decision."""


class AwarenessSource(StrEnum):
    """From whom the organisation learned of the breach."""

    OWN_FINDING = "own_finding"
    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    PRESS = "press"
    THIEF = "thief"
    OTHER = "other"


class Awareness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of awareness."""

    aware_ms: int
    zone: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """The time zone that it was entered in, such as ``Europe/Paris``; it only says how to show the time."""
    source: AwarenessSource | None = None


class StepMark(msgspec.Struct, frozen=True):
    """Of a step."""

    step_id: Name
    done: bool


class Exemption(msgspec.Struct, frozen=True):
    """Of an exception."""

    until_ms: int | None = None
    """``None`` until it is withdrawn."""


if TYPE_CHECKING:
    Payload = (
        NoPayload
        | Disposition
        | Assignment
        | MutedUntil
        | ExpectedUntil
        | Awareness
        | StepMark
        | Exemption
        | dict[str, Any]
        | None
    )
else:
    Payload = Any  # which of them a payload is follows from the record's kind

PAYLOADS: dict[Kind, type[msgspec.Struct]] = {
    Kind.DISPOSITION: Disposition,
    Kind.ACKNOWLEDGE: NoPayload,
    Kind.ASSIGN: Assignment,
    Kind.MUTE: MutedUntil,
    Kind.EXPECTED: ExpectedUntil,
    Kind.BREACH: NoPayload,
    Kind.AWARENESS: Awareness,
    Kind.NOTIFIED: NoPayload,
    Kind.STEP: StepMark,
    Kind.EXCEPTION: Exemption,
}
"""Kind → its payload."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision.

    >>> mute = Decision(kind=Kind.MUTE, subject=DecisionSubject(identity="t/u"), time_ms=0, payload={"until_ms": 9})
    >>> mute.effective_ms, mute.payload
    (60000, MutedUntil(until_ms=9))
    """

    version: Literal[1] = 1
    id: str = ""
    """Names the decision, the same for every reader and delivery. Derived from the other fields if left out."""
    kind: Kind
    subject: DecisionSubject
    by: str = ""
    """Who decided."""
    role: str = ""
    """That person's role when deciding: ``analyst`` or ``admin`` if the console wrote it."""
    time_ms: int
    """When it was decided, in milliseconds since 1970 UTC."""
    reason: str = ""
    withdraws: str = ""
    """The id of a decision of the same kind and subject that no longer holds from this one's effective time on. A
    record that withdraws decides nothing else, and has no payload."""
    payload: Payload = None
    """The kind's own fields, always one of the structs above."""

    def __post_init__(self) -> None:
        """Raises ValueError for a decision that cannot hold."""
        shape = NoPayload if self.withdraws else PAYLOADS[self.kind]
        if not isinstance(self.payload, shape):
            try:
                payload = msgspec.convert({} if self.payload is None else self.payload, shape)
            except msgspec.ValidationError as error:
                raise ValueError(f"payload of {self.kind}: {error}") from error
            msgspec.structs.force_setattr(self, "payload", payload)
        if self.kind in _OF_INCIDENTS and not self.subject.incident:
            raise ValueError(f"a decision of the kind {self.kind} names an incident")
        until_ms = self.until_ms
        if until_ms is not None and until_ms <= self.time_ms:
            raise ValueError(f"until_ms must lie after time_ms, {until_ms} is not after {self.time_ms}")
        if not self.id:
            digest = blake2b(encode(self), digest_size=12).hexdigest()
            msgspec.structs.force_setattr(self, "id", f"decision-{digest}")

    @property
    def effective_ms(self) -> int:
        """Event time from which it holds."""
        return self.time_ms + EFFECTIVE_AFTER_MS

    @property
    def until_ms(self) -> int | None:
        """Event time at which it ends by itself; ``None`` if it does not."""
        match self.payload:
            case ExpectedUntil(None):
                return self.time_ms + EXPECTED_MS
            case MutedUntil(until_ms) | ExpectedUntil(until_ms) | Exemption(until_ms):
                return until_ms
        return None

    @property
    def ends_incident(self) -> bool:
        """Whether its incident closes."""
        return bool(self.subject.incident) and self.kind in (Kind.DISPOSITION, Kind.EXPECTED)

    @property
    def outcome(self) -> str:
        """The code of what was decided: a disposition's outcome, or the kind."""
        return (self.payload.outcome if isinstance(self.payload, Disposition) else self.kind).value

    @property
    def text(self) -> str:
        """What was decided, and why, as an alert quotes it: at most 400 characters."""
        what = self.outcome.replace("_", " ")
        if self.withdraws:
            what += " withdrawn"
        return (f"{what}: {self.reason}" if self.reason else what)[:MAX_TEXT]


def check_role(decision: Decision, *, stated: bool) -> None:
    """Raises `DecisionError` for a role that may not decide, and for none if it must be `stated`."""
    if decision.role not in DECIDING_ROLES and (stated or decision.role):
        raise DecisionError(
            Rejection.FORBIDDEN,
            f"the role of who decided is {decision.role[:40] or 'not stated'}; analysts and admins decide",
        )


class _Head(msgspec.Struct):
    version: int
    id: str = ""


_heads = msgspec.json.Decoder(_Head)
_decisions = msgspec.json.Decoder(Decision)


def encode(decision: Decision) -> bytes:
    """The canonical encoding.

    >>> encode(Decision(id="d1", kind=Kind.BREACH, subject=DecisionSubject(incident="crmwatch-1"), by="ana", time_ms=0))
    b'{"by":"ana","id":"d1","kind":"breach","payload":{},"reason":"","role":"",\
"subject":{"identity":"","incident":"crmwatch-1"},"time_ms":0,"version":1,"withdraws":""}'
    """
    return msgspec.json.encode(decision, order="sorted")


def decode(data: bytes) -> Decision:
    """The decision in a message; it must state its version and its id.

    Raises `DecisionError`.
    """
    try:
        head = _heads.decode(data)
        if head.version != VERSION:
            raise DecisionError(
                Rejection.UNKNOWN_VERSION,
                f"a decision of version {head.version}; this release reads {VERSION}",
            )
        if not head.id:
            raise DecisionError(Rejection.MALFORMED, "a decision without an id")
        return _decisions.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecisionError(Rejection.MALFORMED, str(error)) from error
