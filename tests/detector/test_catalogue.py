from __future__ import annotations

import pytest

from detector import catalogue
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


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("incident", Category.CUSTOMER_SERVICE),
        ("annotation", Category.CUSTOMER_SERVICE),
        ("email", Category.CUSTOMER_SERVICE),
        ("phonecall", Category.CUSTOMER_SERVICE),
        ("account", Category.CONTACT),
        ("lead", Category.CONTACT),
        ("customeraddress", Category.CONTACT),
        ("invoice", Category.PAYMENT),
        ("systemuser", Category.INTERNAL),
        ("ticket", Category.CUSTOMER_SERVICE),
        ("api_token", Category.CREDENTIALS),
        ("company", Category.CONTACT),
        ("deal", Category.INTERNAL),
        ("private_app", Category.CREDENTIALS),
        ("contacts", Category.CONTACT),
        ("Cases", Category.CUSTOMER_SERVICE),
        ("companies", Category.CONTACT),
        ("status", Category.UNCLASSIFIED),
        ("File", Category.UNCLASSIFIED),
    ],
)
def test_other_vendors_objects_are_in_the_table(name: str, kind: Category) -> None:
    """Those of Dynamics, Zendesk, HubSpot and self-hosted CRMs, in the singular and the plural."""
    assert category(name) is kind


def test_a_name_that_means_different_things_is_qualified() -> None:
    """A user and an organisation are staff and the company itself, but customers where Zendesk speaks of them."""
    assert category("User") is category("user") is category("Organization") is Category.INTERNAL
    assert category("zendesk:user") is category("zendesk:organization") is Category.CONTACT


def test_no_name_is_of_two_kinds() -> None:
    """What two vendors call by one name is of one kind, or the table would depend on its order."""
    kinds: dict[str, set[Category]] = {}
    for vendor in catalogue._VENDORS:
        for kind, names in vendor.items():
            for name in names.lower().split():
                kinds.setdefault(name, set()).add(kind)
    assert len(kinds) > 200
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


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
        ("sky_loyaltymember", Category.LOYALTY),
        ("cr1a2_passportscan", Category.IDENTITY_DOCUMENTS),
        ("new_frequentflyer", Category.LOYALTY),
        ("sky_customercase", Category.CONTACT),
        ("sky_case", Category.CUSTOMER_SERVICE),
        ("sky_casing", Category.UNCLASSIFIED),
        ("sky_sprocket", Category.UNCLASSIFIED),
        ("Passport", Category.UNCLASSIFIED),
        ("", Category.UNCLASSIFIED),
    ],
)
def test_a_custom_object_goes_by_its_words(name: str, kind: Category) -> None:
    """Known by the gravest word in its name, also where words run together; anything else is unclassified."""
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
