"""The contract for an alert: the published finding, version 1, written and read here and nowhere else.

A finding is an OCSF Detection Finding. What OCSF has no place for is `Extension`, under ``unmapped.crmwatch``.
These changes are additive and keep the version: a new attribute with a default, message code, parameter of a message,
detector, step, kind of news or ATT&CK technique. Readers pass over what they do not know. Every other change raises
`FINDING_VERSION`, and a reader refuses a version that is not its own.
"""

from __future__ import annotations

import msgspec

from detector.alert.ocsf import (
    Activity,
    Analysis,
    AttackTechnique,
    Evidences,
    FindingInfo,
    Metadata,
    Observable,
    Remediation,
    Resource,
)
from detector.errors import CrmwatchError
from detector.event import ActorKind, Operation
from detector.message import Message
from detector.triage.risk import Severity

__all__ = [
    "FINDING_VERSION", "Contribution", "ExceededBound", "Extension", "Finding", "FindingError", "Impact", "News",
    "Reason", "Step", "Unmapped", "read", "write",
]  # fmt: skip

FINDING_VERSION = 1
"""The version of the contract."""
BOUND_SHARE = 0.25
"""A bound is shown for an incident if what it was compared with is at least this share of the incident's rows."""
_EXPORT = "export"
_REPLACED = "\N{REPLACEMENT CHARACTER}"


class FindingError(CrmwatchError, ValueError):
    """Bytes that are no finding of this version; one sentence for a person."""


class Reason(msgspec.Struct, frozen=True):
    """Why one detector finds the incident unusual."""

    detector: str
    message: Message


class Step(msgspec.Struct, frozen=True):
    """Something to do. `id` is stable: decisions name it."""

    id: str
    message: Message


class News(msgspec.Struct, frozen=True):
    """Something that the identity has not long been seen with, and the rows taken with it since."""

    what: str
    value: str
    rows: int


class Impact(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is at stake: sensitivity from 0 to 1, rows, and persons if they are known."""

    sensitivity: float
    rows: int
    persons: int | None = None


class Contribution(msgspec.Struct, frozen=True):
    """What one feature adds to the log-odds of the incident."""

    feature: str
    log_odds: float


class Extension(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What OCSF has no place for."""

    version: int
    identity: str
    """``tenant/actor``; empty for an incident that is about no single identity."""
    network: str
    actors: dict[str, int]
    """For an incident about a network: the accounts that are new there, with the rows that each took."""
    actor_kind: ActorKind
    rows_taken: int
    channels: dict[str, int]
    """Rows by channel, the most first."""
    surprise: dict[str, float]
    """Detector → −log10 of a probability."""
    news: tuple[News, ...]
    known_days: int
    """Active days of the identity that are known."""
    provisional: bool
    """Whether a decision was taken before every source had finished with the time it rests on."""
    judged_by_peers: bool
    """Whether peers, and not the identity's own history, carry the judgement."""
    title: Message
    summary: tuple[Message, ...]
    """`FindingInfo.desc`, sentence by sentence."""
    reasons: tuple[Reason, ...]
    """One for each detector, the most surprising first."""
    steps: tuple[Step, ...]
    """In the order in which they are to be taken."""
    impact: Impact | None = None
    contributions: tuple[Contribution, ...] = ()
    names: dict[str, str] = {}
    """Names beside ids, where a directory has them."""


class Unmapped(msgspec.Struct, frozen=True):
    """OCSF's place for extensions."""

    crmwatch: Extension


class ExceededBound(msgspec.Struct, frozen=True):
    """What was to be expected at most in one window, and what was seen."""

    rows: float
    horizon_ms: int
    start_ms: int
    """Where the window of the observation begins; the others lie end to end with it."""
    operation: Operation | None
    """What the rows are of; ``None`` for all."""
    typical: float | None


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert: an incident as it stood at `time_ms`. Times are in milliseconds since 1970 UTC."""

    class_uid: int
    class_name: str
    category_uid: int
    category_name: str
    activity: Activity = msgspec.field(name="activity_id")
    activity_name: str
    type_uid: int
    time_ms: int = msgspec.field(name="time")
    """Event time at which it fired."""
    start_ms: int = msgspec.field(name="start_time")
    end_ms: int = msgspec.field(name="end_time")
    """First and last event of what it is about."""
    severity: Severity = msgspec.field(name="severity_id")
    severity_name: str = msgspec.field(name="severity")
    status_id: int
    """1 new, 2 in progress (a breach), 4 closed."""
    status_detail: str | None = None
    """What an operator has decided last, and why."""
    is_alert: bool
    risk: int = msgspec.field(name="risk_score")
    """The probability that it is a theft, in percent."""
    impact: int = msgspec.field(name="impact_score", default=0)
    """How bad that would be, 0 to 100."""
    confidence: int = msgspec.field(name="confidence_score")
    count: int
    message: str
    metadata: Metadata
    info: FindingInfo = msgspec.field(name="finding_info")
    resources: tuple[Resource, ...]
    evidences: tuple[Evidences, ...]
    observables: tuple[Observable, ...]
    analyses: tuple[Analysis, ...] = msgspec.field(name="anomaly_analyses")
    remediation: Remediation
    unmapped: Unmapped

    @property
    def extension(self) -> Extension:
        """What OCSF has no place for."""
        return self.unmapped.crmwatch

    @property
    def uid(self) -> str:
        """The incident's stable name: the same in every update."""
        return self.info.uid

    @property
    def title(self) -> str:
        """The incident in a few words."""
        return self.info.title

    @property
    def sentence(self) -> str:
        """The incident in about eighty words."""
        return self.message

    @property
    def detectors(self) -> tuple[str, ...]:
        """Those that contribute, the most surprising first."""
        return self.info.types

    @property
    def tenant(self) -> str:
        """Whose CRM it is."""
        return self.metadata.tenant_uid

    @property
    def rows(self) -> int:
        """Rows taken, each counted once."""
        return self.extension.rows_taken

    @property
    def closed(self) -> bool:
        """Whether the incident is over."""
        return self.activity is Activity.CLOSE

    @property
    def identities(self) -> tuple[str, ...]:
        """``tenant/actor`` of its subjects: one identity, those new on a network, or none for a source."""
        own = self.extension
        return (own.identity,) if own.identity else tuple(f"{self.tenant}/{actor}" for actor in own.actors)

    @property
    def kind(self) -> ActorKind | None:
        """What acted; ``None`` unless it is about one identity."""
        return self.extension.actor_kind if self.extension.identity else None

    @property
    def actor(self) -> str:
        """The account with its name, how many accounts, the source, or the tenant as a whole."""
        own = self.extension
        if not own.identity:
            return f"{len(own.actors):,} identities" if own.actors else self.source or self.tenant
        actor = own.identity.split("/", 1)[-1]
        accounts = (event.actor.user for event in self.evidences if event.actor and event.actor.user)
        name = own.names.get(actor) or next((account.name for account in accounts if account.name), None)
        return f"{name} ({actor})" if name and name != actor else actor

    @property
    def source(self) -> str:
        """``tenant/adapter/operation`` of an incident about a source; else empty."""
        targets = (target for analysis in self.analyses for target in analysis.analysis_targets)
        return next((target.name for target in targets if target.type == "source"), "")

    @property
    def addresses(self) -> frozenset[str]:
        """Every address that it names."""
        named = {item.value for item in self.observables if item.type_id == 2}
        return frozenset((named | {event.address for event in self.evidences}) - {""})

    @property
    def techniques(self) -> tuple[AttackTechnique, ...]:
        """The techniques of MITRE ATT&CK."""
        return self.info.attacks

    @property
    def steps(self) -> tuple[Step, ...]:
        """What to do, in order."""
        return self.extension.steps

    @property
    def provisional(self) -> bool:
        """Whether a decision in it was taken before every source had finished with the time it rests on."""
        return self.extension.provisional

    @property
    def objects(self) -> tuple[tuple[str, int], ...]:
        """Rows by kind of record, the most first."""
        return tuple((item.name, item.data.rows) for item in self.resources if item.data.rows)

    @property
    def bound(self) -> ExceededBound | None:
        """The strongest bound that can be held against the incident's rows.

        It is on all rows of a window, as a single operation's has no sum to compare, and what it was compared with
        was a good part of the incident.
        """
        detectors = self.info.types
        for index, analysis in enumerate(self.analyses):
            if len(detectors) == len(self.analyses) and detectors[index] == _EXPORT:
                continue
            found = _bound(analysis)
            if found is not None and found[0] >= BOUND_SHARE * self.rows:
                return found[1]
        return None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Finding)


class _Version(msgspec.Struct):
    version: int


class _AnyExtension(msgspec.Struct):
    crmwatch: _Version


class _AnyFinding(msgspec.Struct):
    unmapped: _AnyExtension


_versions = msgspec.json.Decoder(_AnyFinding)


def write(finding: Finding) -> bytes:
    """The finding as JSON, attributes always in the same order."""
    try:
        return _encoder.encode(finding)
    except UnicodeEncodeError:  # half of a surrogate pair, which no log in UTF-8 can hold
        return _encoder.encode(_valid(msgspec.to_builtins(finding)))


def read(body: bytes) -> Finding:
    """The finding that `write` made bytes of. Raises `FindingError`."""
    try:
        finding = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            version = _versions.decode(body).unmapped.crmwatch.version
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            version = FINDING_VERSION
        if version == FINDING_VERSION:
            raise FindingError(f"not a finding: {str(error)[:200]}") from None
    else:
        version = finding.extension.version
        if not finding.uid:
            raise FindingError("not a finding: finding_info.uid is empty")
    if version != FINDING_VERSION:
        raise FindingError(f"a finding of version {version}; this release reads {FINDING_VERSION}")
    return finding


def _bound(analysis: Analysis) -> tuple[float, ExceededBound] | None:
    """What was observed, and the bound that it exceeded; ``None`` if the analysis is not of rows in a window."""
    observed = analysis.anomalies[0] if analysis.anomalies else None
    if observed is None or not observed.observations or observed.observations[0].timespan is None:
        return None
    parameter, _, unit = observed.observation_parameter.rpartition(".")
    span = observed.observations[0].timespan
    channel = Operation(parameter) if parameter in set(Operation) else None
    if unit != "rows" or span.duration <= 0 or not (channel or parameter in ("", "all")):
        return None
    levels = {
        item.observation_type: _real(item.observations[0].value)
        for item in analysis.baselines
        if item.observations
    }
    rows = levels.get("bound")
    if rows is None:
        return None
    exceeded = ExceededBound(max(0.0, rows), span.duration, span.start_time, channel, levels.get("typical"))
    return _real(observed.observations[0].value) or 0.0, exceeded


def _real(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < 1e18 else None


def _valid(value: object) -> object:
    if isinstance(value, str):
        return "".join(_REPLACED if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    if isinstance(value, dict):
        return {_valid(key): _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, (list, tuple)) else value
