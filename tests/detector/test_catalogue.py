from __future__ import annotations

import pytest

from detector.catalogue import SENSITIVITY, UNKNOWN_SENSITIVITY, Category, category, sensitivity


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Contact", Category.CONTACT),
        ("contact", Category.CONTACT),
        ("Case", Category.CUSTOMER_SERVICE),
        ("EmailMessage", Category.CUSTOMER_SERVICE),
        ("CardPaymentMethod", Category.PAYMENT),
        ("NamedCredential", Category.CREDENTIALS),
        ("LoyaltyProgramMember", Category.LOYALTY),
        ("CarePlan", Category.HEALTH),
        ("Opportunity", Category.INTERNAL),
        ("User", Category.INTERNAL),
    ],
)
def test_a_standard_object_is_in_the_table(name: str, kind: Category) -> None:
    """A standard object has its category, however it is spelled."""
    assert category(name) is kind


@pytest.mark.parametrize("name", ["CaseHistory", "CaseFeed", "CaseShare", "CaseChangeEvent"])
def test_a_shadow_counts_as_its_object(name: str) -> None:
    """What is kept of an object's changes holds what the object holds."""
    assert category(name) is category("Case")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Passport__c", Category.IDENTITY_DOCUMENTS),
        ("Passport__History", Category.IDENTITY_DOCUMENTS),
        ("Frequent_Flyer__c", Category.LOYALTY),
        ("FrequentFlyerTier__c", Category.LOYALTY),
        ("sky__Wheelchair_Request__c", Category.HEALTH),
        ("Passenger_Passport__c", Category.IDENTITY_DOCUMENTS),
        ("Booking__c", Category.CONTACT),
        ("Fare_Rules__mdt", Category.INTERNAL),
        ("Sprocket__c", Category.UNCLASSIFIED),
        ("Passport", Category.UNCLASSIFIED),
        ("", Category.UNCLASSIFIED),
    ],
)
def test_a_custom_object_goes_by_its_words(name: str, kind: Category) -> None:
    """A custom object is known by the gravest word in its name; anything else is unclassified."""
    assert category(name) is kind


def test_every_category_has_a_sensitivity() -> None:
    """Each category weighs between 0 and 1, and the internal least."""
    assert set(SENSITIVITY) == set(Category)
    assert all(0 <= weight <= 1 for weight in SENSITIVITY.values())
    assert min(SENSITIVITY, key=lambda kind: SENSITIVITY[kind]) is Category.INTERNAL


def test_the_gravest_object_decides() -> None:
    """A set of objects is as sensitive as its most sensitive one; no object at all is unknown."""
    assert sensitivity(("User", "Case", "Contact")) == SENSITIVITY[Category.CUSTOMER_SERVICE]
    assert sensitivity(["User"]) == SENSITIVITY[Category.INTERNAL]
    assert sensitivity(("Sprocket__c", "User")) == UNKNOWN_SENSITIVITY
    assert sensitivity(()) == UNKNOWN_SENSITIVITY
