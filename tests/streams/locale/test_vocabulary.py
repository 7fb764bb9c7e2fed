from __future__ import annotations

from detector.catalogue import Category
from detector.event import ActorKind, Operation
from detector.triage.risk import Severity
from streams.locale.vocabulary import ACTOR_KINDS, CATEGORIES, OPERATIONS, SEVERITIES


def test_every_code_of_the_vocabularies_has_a_name() -> None:
    """A page never shows a code that only a programmer knows."""
    assert set(CATEGORIES) == set(Category)
    assert set(OPERATIONS) == set(Operation)
    assert set(ACTOR_KINDS) == set(ActorKind)
    assert [SEVERITIES[level] for level in Severity] == [level.name.lower() for level in Severity]
