"""ENISA's severity of a personal data breach, with everything that goes into it.

SE = DPC × EI + CB: the context of the data, the ease of identifying a person, and the circumstances. It helps with
Article 33; it does not decide Article 34. Source: ENISA, "Recommendations for a methodology of the assessment of
severity of personal data breaches" (2013). Which category of data is of which of ENISA's four types is crmwatch's own
reading, and every input can be entered.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType

import msgspec

from detector.catalogue import Category

__all__ = ["CONTEXT", "BreachSeverity", "Ease", "Loss", "SeverityInputs", "SeverityLevel", "severity"]

CONTEXT = MappingProxyType(
    {
        Category.INTERNAL: 1,
        Category.CONTACT: 1,
        Category.LOYALTY: 2,
        Category.CUSTOMER_SERVICE: 2,
        Category.UNCLASSIFIED: 2,
        Category.PAYMENT: 3,
        Category.CREDENTIALS: 3,
        Category.IDENTITY_DOCUMENTS: 3,
        Category.HEALTH: 4,
    }
)
"""Category → the base score of its context: 1 simple, 2 behavioural, 3 financial, 4 sensitive data."""
MALICIOUS = 0.5
MANY_PERSONS = 100


class Ease(StrEnum):
    """How easily a person is identified by the data."""

    NEGLIGIBLE = "negligible"
    LIMITED = "limited"
    SIGNIFICANT = "significant"
    MAXIMAL = "maximal"


class Loss(StrEnum):
    """How far confidentiality, integrity or availability is lost."""

    NONE = "none"
    PARTIAL = "partial"
    """Known recipients; or changed, or unavailable, and recoverable."""
    FULL = "full"
    """Unknown recipients; or beyond recovery."""


class SeverityLevel(StrEnum):
    """What the score means."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


_EASE = {Ease.NEGLIGIBLE: 0.25, Ease.LIMITED: 0.5, Ease.SIGNIFICANT: 0.75, Ease.MAXIMAL: 1.0}
_LOSS = {Loss.NONE: 0.0, Loss.PARTIAL: 0.25, Loss.FULL: 0.5}


class SeverityInputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes into the score; what a thief takes is assumed until somebody enters otherwise."""

    context: int | None = None
    """1 to 4, if somebody adjusted it; ``None`` for the highest of the categories taken."""
    context_reason: str = ""
    ease: Ease = Ease.MAXIMAL
    confidentiality: Loss = Loss.FULL
    integrity: Loss = Loss.NONE
    availability: Loss = Loss.NONE
    malicious: bool = True
    unintelligible: bool = False
    """Whether the data are unintelligible to whoever took them."""

    def __post_init__(self) -> None:
        """Raises ValueError for a context outside 1 to 4, or one without a reason."""
        if self.context is not None and (not 1 <= self.context <= 4 or not self.context_reason):
            raise ValueError("context is 1 to 4, with context_reason beside it")


ASSUMED = SeverityInputs()


class BreachSeverity(msgspec.Struct, frozen=True, kw_only=True):
    """The score, its parts, and the two flags that stand beside it."""

    context: int
    ease: float
    circumstances: float
    score: float
    level: SeverityLevel
    assumed: bool
    """Whether no category is known, so that the context is assumed."""
    many_persons: bool | None
    """More than 100 persons; ``None`` if that is not known."""
    unintelligible: bool


def severity(
    categories: Iterable[Category], persons: int | None, inputs: SeverityInputs = ASSUMED
) -> BreachSeverity:
    """The severity for the categories taken and the least number of persons.

    >>> found = severity([Category.CONTACT], None)
    >>> found.score, found.level.value
    (2.0, 'medium')
    >>> severity([Category.CONTACT, Category.CUSTOMER_SERVICE], 5_000).level.value
    'high'
    """
    contexts = [CONTEXT[category] for category in categories]
    context = inputs.context or max(contexts, default=CONTEXT[Category.UNCLASSIFIED])
    ease = _EASE[inputs.ease]
    losses = (inputs.confidentiality, inputs.integrity, inputs.availability)
    circumstances = sum(_LOSS[loss] for loss in losses) + MALICIOUS * inputs.malicious
    score = context * ease + circumstances
    return BreachSeverity(
        context=context,
        ease=ease,
        circumstances=circumstances,
        score=score,
        level=_level(score),
        assumed=inputs.context is None and not contexts,
        many_persons=None if persons is None else persons > MANY_PERSONS,
        unintelligible=inputs.unintelligible,
    )


def _level(score: float) -> SeverityLevel:
    if score < 2:
        return SeverityLevel.LOW
    if score < 3:
        return SeverityLevel.MEDIUM
    return SeverityLevel.HIGH if score < 4 else SeverityLevel.VERY_HIGH
