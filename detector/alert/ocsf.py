"""The parts of an OCSF 1.8.0 Detection Finding (class 2004) that an alert uses, in the order in which they are written.

Attributes bear OCSF's names. Unknown attributes are passed over when an alert is read; an absent one is ``None``.

Source: https://schema.ocsf.io/1.8.0/classes/detection_finding
"""

from __future__ import annotations

import msgspec

from detector.attack import AttackTechnique
from detector.catalogue import Category
from detector.triage.publication import Activity

__all__ = [
    "OCSF_VERSION",
    "Account",
    "Activity",
    "Actor",
    "Analysis",
    "Analytic",
    "Anomalies",
    "Api",
    "AttackTechnique",
    "Baselines",
    "EvidenceData",
    "Evidences",
    "FindingInfo",
    "HttpRequest",
    "Metadata",
    "Observable",
    "ObservedValue",
    "Product",
    "Remediation",
    "Resource",
    "ResourceData",
    "SessionUid",
    "SourceEndpoint",
    "Target",
    "Timespan",
]  # fmt: skip

OCSF_VERSION = "1.8.0"
"""The version of OCSF that alerts follow."""


class Product(msgspec.Struct, frozen=True):
    """What wrote the finding."""

    name: str
    vendor_name: str


class Metadata(msgspec.Struct, frozen=True):
    """OCSF's version, the product and the tenant."""

    version: str
    product: Product
    tenant_uid: str


class Analytic(msgspec.Struct, frozen=True):
    """The detector whose evidence is the strongest."""

    type_id: int
    type: str
    name: str
    uid: str


class FindingInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the finding is called and when it was seen. Times in milliseconds since 1970 UTC."""

    uid: str
    title: str
    desc: str
    created_time: int
    modified_time: int
    first_seen_time: int
    last_seen_time: int
    types: tuple[str, ...]
    """The detectors that contribute, the most surprising first."""
    analytic: Analytic
    attacks: tuple[AttackTechnique, ...]
    src_url: str | None = None
    """Where the finding can be looked at."""


class ResourceData(msgspec.Struct, frozen=True):
    """Rows taken of a kind of record, and what data it holds."""

    rows: int
    category: Category


class Resource(msgspec.Struct, frozen=True):
    """A kind of record."""

    name: str
    type: str
    data: ResourceData


class Api(msgspec.Struct, frozen=True):
    """What was done."""

    operation: str


class EvidenceData(msgspec.Struct, frozen=True):
    """When an event happened, the rows that it added, and the kinds of record."""

    time: int
    rows: int
    objects: tuple[str, ...]


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account."""

    uid: str
    name: str | None = None


class SessionUid(msgspec.Struct, frozen=True):
    """A session, by its id."""

    uid: str


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who acted, and through what."""

    user: Account | None = None
    app_uid: str | None = None
    session: SessionUid | None = None


class SourceEndpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an event came from: an address, or whatever a log has in its place."""

    ip: str | None = None
    name: str | None = None


class HttpRequest(msgspec.Struct, frozen=True):
    """The program that asked."""

    user_agent: str


class Evidences(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event that the alert quotes."""

    uid: str
    api: Api
    data: EvidenceData
    actor: Actor | None = None
    src_endpoint: SourceEndpoint | None = None
    http_request: HttpRequest | None = None

    @property
    def account(self) -> str:
        """The id of who acted; empty if it is not told."""
        return self.actor.user.uid if self.actor and self.actor.user else ""

    @property
    def app(self) -> str:
        """The app; empty if it is not told."""
        return (self.actor.app_uid or "") if self.actor else ""

    @property
    def address(self) -> str:
        """The address, or what the log has in its place."""
        where = self.src_endpoint
        return "" if where is None else where.ip or where.name or ""

    @property
    def user_agent(self) -> str:
        """The program; empty if it is not told."""
        return self.http_request.user_agent if self.http_request else ""


class Observable(msgspec.Struct, frozen=True):
    """An account, address or user agent to look for elsewhere."""

    name: str
    type_id: int
    type: str
    value: str


class Target(msgspec.Struct, frozen=True):
    """What was analysed: an identity, a network or a source."""

    name: str
    type: str


class Timespan(msgspec.Struct, frozen=True):
    """A window, in milliseconds."""

    type_id: int
    type: str
    duration: int
    start_time: int
    end_time: int


class ObservedValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value, how many values it stands for, and when it was seen."""

    value: str
    count: int | None = None
    timespan: Timespan | None = None


class Anomalies(msgspec.Struct, frozen=True):
    """What was observed."""

    observation_parameter: str
    observation_type: str
    observations: tuple[ObservedValue, ...]


class Baselines(msgspec.Struct, frozen=True):
    """What is typical, or the bound."""

    observation_parameter: str
    observation_type: str
    observations: tuple[ObservedValue, ...]


class Analysis(msgspec.Struct, frozen=True):
    """One detector's observation beside its baseline."""

    analysis_targets: tuple[Target, ...]
    anomalies: tuple[Anomalies, ...]
    baselines: tuple[Baselines, ...]


class Remediation(msgspec.Struct, frozen=True):
    """The steps to take, numbered, as text."""

    desc: str
