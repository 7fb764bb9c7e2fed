"""What only people know of a breach, as they enter it: the organisation, causes, risk, measures, who was informed.

Everything may be missing. What is missing is *not yet known*, with the reason that `Facts.unknown` gives for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from detector.decision import AwarenessSource
from detector.errors import CrmwatchError
from detector.response.clock import Nis2
from detector.response.severity import SeverityInputs

__all__ = [
    "AwarenessFact",
    "Cause",
    "Consequence",
    "CrossBorder",
    "Facts",
    "FactsError",
    "Informed",
    "Measures",
    "Nis2Facts",
    "NoLetter",
    "NotNotified",
    "Organisation",
    "PersonKind",
    "Persons",
    "Protections",
    "Risk",
    "RiskLevel",
    "Supplier",
    "Violation",
    "WeightLevel",
    "facts_of",
]  # fmt: skip

Text = Annotated[str, msgspec.Meta(max_length=4_000)]
Texts = Annotated[tuple[Text, ...], msgspec.Meta(max_length=50)]


class FactsError(CrmwatchError, ValueError):
    """Facts that cannot be; names the key."""


class Cause(StrEnum):
    """How it happened, in the words of the CNIL's form."""

    HACKING = "hacking"
    STOLEN_EQUIPMENT = "stolen_equipment"
    LOST_EQUIPMENT = "lost_equipment"
    PUBLICATION = "publication"
    WRONG_RECIPIENT = "wrong_recipient"
    MISUSE = "misuse"
    OTHER = "other"


class PersonKind(StrEnum):
    """Whose data."""

    EMPLOYEES = "employees"
    USERS = "users"
    CUSTOMERS = "customers"
    PROSPECTS = "prospects"
    PATIENTS = "patients"
    MINORS = "minors"
    VULNERABLE = "vulnerable"


class Consequence(StrEnum):
    """What may follow for the persons."""

    LOSS_OF_CONTROL = "loss_of_control"
    PHISHING = "phishing"
    IDENTITY_THEFT = "identity_theft"
    FRAUD = "fraud"
    DISCRIMINATION = "discrimination"
    REPUTATION = "reputation"
    DISTRESS = "distress"


class WeightLevel(StrEnum):
    """How grave the consequences are, in the words of the CNIL's form."""

    NEGLIGIBLE = "negligible"
    LIMITED = "limited"
    SIGNIFICANT = "significant"
    MAXIMAL = "maximal"


class RiskLevel(StrEnum):
    """The risk to the persons, as a person judged it."""

    UNLIKELY = "unlikely"
    RISK = "risk"
    HIGH = "high"


class Informed(StrEnum):
    """Whether the persons have been told."""

    YES = "yes"
    WILL_BE = "will_be"
    NO = "no"
    UNDECIDED = "undecided"


class NoLetter(StrEnum):
    """Why the persons need not be told one by one (Article 34(3))."""

    UNINTELLIGIBLE = "unintelligible"
    RISK_REMOVED = "risk_removed"
    DISPROPORTIONATE = "disproportionate"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the facts."""


class Organisation(_Part, frozen=True, kw_only=True):
    """The controller."""

    name: Text = ""
    siren: Text = ""
    sector: Text = ""
    size: Text = ""
    representative: Text = ""
    contact: Text = ""
    """The data protection officer or another contact: name or function, mail, telephone (Article 33(3)(b))."""
    website: Text = ""
    """Where customers find the organisation by themselves; letters name it and link to nothing."""
    processors: Texts = ()
    joint_controllers: Texts = ()
    nis2: Nis2 = Nis2.NONE


class AwarenessFact(_Part, frozen=True, kw_only=True):
    """One entry of when the organisation became aware; the last holds, and the ones before are shown as corrected."""

    at: Text
    zone: Text = ""
    source: AwarenessSource
    reason: Text
    by: Text = ""


class Violation(_Part, frozen=True, kw_only=True):
    """What happened."""

    discovery: Text = ""
    cause: Cause | None = None
    malicious: bool | None = None
    internal: bool | None = None
    delay_reasons: Text = ""
    """Why the notification comes later than 72 hours after the awareness; compulsory then."""
    facts: Text = ""
    earlier_number: Text = ""
    """The number that the authority gave the earlier notification."""


class Persons(_Part, frozen=True, kw_only=True):
    """Whose data, and whether they know."""

    kinds: tuple[PersonKind, ...] = ()
    informed: Informed = Informed.UNDECIDED
    informed_on: Text = ""
    informed_count: int | None = None
    means: Text = ""
    reason: Text = ""
    """Why they are not informed, or not yet."""
    exemption: NoLetter | None = None
    ordered: bool | None = None
    """Whether the authority ordered that they be informed (Article 34(4))."""


class Protections(_Part, frozen=True, kw_only=True):
    """What protected the data before."""

    encryption: Text = ""
    pseudonymisation: Text = ""
    access: Text = ""


class Risk(_Part, frozen=True, kw_only=True):
    """The risk to the persons, and what it follows from."""

    level: RiskLevel | None = None
    reason: Text = ""
    consequences: tuple[Consequence, ...] = ()
    weight: WeightLevel | None = None
    enisa: SeverityInputs = SeverityInputs()


class Measures(_Part, frozen=True, kw_only=True):
    """What was done before, what has been done since, and what is planned."""

    before: Texts = ()
    taken: Texts = ()
    planned: Texts = ()


class CrossBorder(_Part, frozen=True, kw_only=True):
    """Other countries whose residents are concerned, and authorities told there."""

    countries: Texts = ()
    authorities: Texts = ()
    none: bool = False
    """Whether it was checked that there are none."""


class Supplier(_Part, frozen=True, kw_only=True):
    """The processor through which it happened."""

    name: Text = ""
    told_us: Text = ""
    """When and how it told the organisation, or was told."""


class Nis2Facts(_Part, frozen=True, kw_only=True):
    """Whether the incident is significant under NIS2, which only a person can say."""

    significant: bool | None = None
    because: Text = ""
    notification_submitted: Text = ""
    """When the 72-hour notification was submitted; the month of the final report runs from then."""
    notification_zone: Text = ""


class NotNotified(_Part, frozen=True, kw_only=True):
    """Why no authority is notified; the register keeps the breach all the same."""

    reason: Text = ""


class Facts(_Part, frozen=True, kw_only=True):
    """All of it."""

    organisation: Organisation = Organisation()
    awareness: tuple[AwarenessFact, ...] = ()
    violation: Violation = Violation()
    persons: Persons = Persons()
    protections: Protections = Protections()
    risk: Risk = Risk()
    measures: Measures = Measures()
    cross_border: CrossBorder = CrossBorder()
    supplier: Supplier = Supplier()
    nis2: Nis2Facts = Nis2Facts()
    not_notified: NotNotified = NotNotified()
    unknown: dict[str, Text] = {}
    """Answer → why it is not yet known, such as ``persons_count = "the extent is being established"``."""

    def __post_init__(self) -> None:
        """Raises ValueError for a judgement without its reason."""
        if self.nis2.significant is not None and not self.nis2.because:
            raise ValueError("nis2.because says why the incident is significant, or is not")
        if self.risk.level is not None and not self.risk.reason:
            raise ValueError("risk.reason says why the risk is what it is")
        if self.persons.informed is Informed.NO and not self.persons.reason:
            raise ValueError("persons.reason says why the persons are not informed")


def facts_of(values: dict[str, Any]) -> Facts:
    """Facts from the values of a TOML or JSON document. Raises `FactsError`.

    >>> facts_of({"organisation": {"name": "Example Air"}}).organisation.name
    'Example Air'
    """
    try:
        return msgspec.convert(values, Facts)
    except (msgspec.ValidationError, ValueError) as error:
        raise FactsError(str(error)) from error
