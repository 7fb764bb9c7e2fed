from __future__ import annotations

from typing import Any

import pytest

from detector.catalogue import Category
from detector.response.exposure import Exposure, Grade, shown
from tests.detector.make import event

CONTACT, SERVICE = Category.CONTACT, Category.CUSTOMER_SERVICE


@pytest.mark.parametrize(
    ("fields", "categories", "anything"),
    [
        (("Id", "Subject"), {SERVICE}, False),
        (("Contact.Email",), {SERVICE, CONTACT}, False),
        (("SuppliedPhone",), {SERVICE, CONTACT}, False),
        (("Passport_Number__c",), {SERVICE, Category.IDENTITY_DOCUMENTS}, False),
        (("Frequent_Flyer__r.Name",), {SERVICE, Category.LOYALTY}, False),
        (("Zq_7__c",), {SERVICE}, True),
        (("Zq.Name",), {SERVICE}, True),
        (("ALL",), {SERVICE}, True),
        (None, {SERVICE}, True),
        (tuple(f"F{number}" for number in range(50)), {SERVICE}, True),
    ],
)
def test_fields_show_more_than_their_object(
    fields: tuple[str, ...] | None, categories: set[Category], anything: bool
) -> None:
    """Dotted, repeated and custom fields show other categories; fields that are not known may show any."""
    found = shown(event(fields=fields))
    assert (found.categories, found.anything) == (categories, anything)


@pytest.mark.parametrize(
    "fields",
    [
        {"objects": ()},
        {"objects": ("Zq",)},
        {"query_shape": "select id, ( select email from contacts) from case"},
        {"query_shape": "x" * 300},
    ],
)
def test_what_may_be_hidden_may_be_anything(fields: dict[str, Any]) -> None:
    """Without a known object, or with a sub-query that the fields omit, any category may have been shown."""
    assert shown(event(**({"fields": ("Id",)} | fields))).anything


@pytest.mark.parametrize(
    ("fields", "complete", "grade"),
    [
        ({"objects": ("Contact",), "fields": ("Email",)}, True, Grade.NOT_READ),
        ({"objects": ("Case",), "fields": ("Id",)}, True, Grade.FREE_TEXT),
        ({"objects": ("Contact",), "fields": None}, True, Grade.CANNOT_BE_SAID),
        ({"objects": ("Contact",), "fields": ("Email",)}, False, Grade.CANNOT_BE_SAID),
        ({"objects": ("Contact",), "fields": None, "status": "403"}, True, Grade.NOT_READ),
    ],
)
def test_untouched_is_said_only_of_known_fields_in_complete_logs(
    fields: dict[str, Any], complete: bool, grade: Grade
) -> None:
    """Payment data is graded by what was read, whether its fields are known, and whether the log is complete."""
    exposure = Exposure()
    exposure.observe(event(**fields))
    assert exposure.grades(complete=complete)[Category.PAYMENT] is grade
