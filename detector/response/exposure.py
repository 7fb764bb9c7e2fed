"""Which data categories an intruder's reading showed, and of which it can be said that they were not touched.

Objects are not categories: ``Contact.Email FROM Case`` and ``SuppliedEmail`` show contact data, and an operation that
does not say its fields shows all that the object may hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from detector.catalogue import Category, category
from detector.event import AccessEvent
from detector.response.scope_ledger import MAX_SHAPE

__all__ = ["Exposure", "Grade", "Shown", "grades", "shown"]

MOST_FIELDS = 50
"""A list of so many fields may have been cut."""
_ALL = frozenset({"all", "standard", "custom"})
"""What ``FIELDS(…)`` takes."""
_CONTACT_FIELDS = frozenset(
    {
        "bccaddress",
        "ccaddress",
        "contactemail",
        "contactfax",
        "contactmobile",
        "contactphone",
        "fromaddress",
        "fromname",
        "requester_email",
        "suppliedcompany",
        "suppliedemail",
        "suppliedname",
        "suppliedphone",
        "toaddress",
        "visitoremail",
    }
)
"""Standard fields, in lower case, that repeat a contact's data on another object."""


class Grade(StrEnum):
    """What can be said of a data category."""

    READ = "read"
    NOT_READ = "not_read"
    """Not read, by complete logs."""
    FREE_TEXT = "free_text"
    """Not read as a field, but free text was that may hold it."""
    CANNOT_BE_SAID = "cannot_be_said"


class Shown(msgspec.Struct, frozen=True):
    """What one operation showed."""

    categories: frozenset[Category]
    anything: bool
    """Whether it may have shown any category beside these."""


def shown(event: AccessEvent) -> Shown:
    """What a reading operation showed, as far as its objects and fields tell.

    >>> from detector.event import ActorKind, Operation
    >>> case = AccessEvent(0, "e", "t", "u", ActorKind.HUMAN, Operation.QUERY, objects=("Case",),
    ...                    fields=("SuppliedEmail",))
    >>> sorted(shown(case).categories), shown(case).anything
    ([<Category.CONTACT: 'contact'>, <Category.CUSTOMER_SERVICE: 'customer_service'>], False)
    """
    found = {category(name) for name in event.objects}
    fields = event.fields
    anything = not event.objects or not fields or len(fields) >= MOST_FIELDS or _may_hide(event.query_shape)
    for field in fields or ():
        more = _of_field(field)
        anything |= more is None
        found |= more or set()
    anything |= Category.UNCLASSIFIED in found
    return Shown(frozenset(found - {Category.UNCLASSIFIED}), anything)


def _may_hide(shape: str | None) -> bool:
    """Whether a query has, or may have, sub-queries, whose fields are not among the event's."""
    return shape is not None and ("(select" in shape.replace(" ", "") or len(shape) >= MAX_SHAPE)


def _of_field(field: str) -> set[Category] | None:
    """The categories that a field shows beside its object's own; ``None`` if that is unknown."""
    *relations, name = field.split(".")
    if name.lower() in _ALL:
        return None
    found = {
        category(f"{relation[:-1]}c" if relation.endswith("__r") else relation) for relation in relations
    }
    if name.lower() in _CONTACT_FIELDS:
        found.add(Category.CONTACT)
    elif "__" in name:
        found.add(category(name))
    return None if Category.UNCLASSIFIED in found else found


class Exposure:
    """Adds up what an intruder's operations showed."""

    def __init__(self) -> None:
        self._categories: set[Category] = set()
        self._anything = False

    def observe(self, event: AccessEvent) -> None:
        """Add a reading operation; one that was refused showed nothing."""
        if not event.refused:
            one = shown(event)
            self._categories |= one.categories
            self._anything |= one.anything

    def grades(self, *, complete: bool) -> dict[Category, Grade]:
        """The grade of every category; `complete` says that somebody vouches for the log."""
        return grades(self._categories, anything=self._anything, complete=complete)


def grades(read: Iterable[Category], *, anything: bool, complete: bool) -> dict[Category, Grade]:
    """The grade of every category, if these were read and, perhaps, `anything`.

    >>> found = grades([Category.CUSTOMER_SERVICE], anything=False, complete=True)
    >>> found[Category.CUSTOMER_SERVICE].value, found[Category.PAYMENT].value
    ('read', 'free_text')
    """
    known = frozenset(read)
    if anything or not complete:
        other = Grade.CANNOT_BE_SAID
    else:
        other = Grade.FREE_TEXT if Category.CUSTOMER_SERVICE in known else Grade.NOT_READ
    return {
        one: Grade.READ if one in known else other for one in Category if one is not Category.UNCLASSIFIED
    }
