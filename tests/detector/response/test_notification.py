from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from detector.catalogue import Category
from detector.decision import AwarenessSource
from detector.message import Message
from detector.response.notification import (
    AwarenessEntry,
    Notification,
    NotificationError,
    NotificationPhase,
    ShownTime,
    named,
    notification,
    read_notification,
)
from detector.response.notification_document import FORMS, documents
from detector.response.notification_extent import Extent, ExtentError, Figure, TakenGroup, read_extent
from detector.response.notification_facts import FactsError, facts_of
from detector.response.notification_words import TEMPLATES
from detector.units import HOUR_MS
from tests.detector.make import START_MS

AWARE = AwarenessEntry(
    aware=ShownTime(START_MS, "Monday"), source=AwarenessSource.OWN_FINDING, reason="an analyst was certain"
)
EXTENT = Extent(
    incident="crmwatch-1",
    persons=Figure(900, 1500, "several records of one person", ("a.csv:7",)),
    records=Figure(1500, None),
    groups=(TakenGroup(category=Category.CONTACT, records=Figure(500, 500)),),
    not_touched=(Category.PAYMENT,),
)


def draft(
    facts: dict[str, Any] | None = None, extent: Extent = EXTENT, hours: int = 1, **given: Any
) -> Notification:
    """An initial draft, so many hours after the awareness."""
    fields: dict[str, Any] = {
        "phase": NotificationPhase.INITIAL,
        "drafted": ShownTime(START_MS + hours * HOUR_MS, "now"),
        "awareness": (AWARE,),
        "deadline": ShownTime(START_MS + 72 * HOUR_MS, "Thursday"),
    }
    return notification(facts_of(facts or {}), extent, **(fields | given))


def text(found: Notification, name: str) -> str:
    """An answer in English."""
    return " ".join(
        value.text if isinstance(value, Message) else value for value in found.answer(name).values
    )


def test_what_nobody_entered_is_not_yet_known_with_a_reason() -> None:
    """Every question is answered, by its own reason if there is one; a reason for no question is refused."""
    found = draft({"unknown": {"person_kinds": "being checked"}}, Extent(), awareness=(), deadline=None)
    assert {one.id for one in found.answers} >= {
        name for form in FORMS.values() for _, ids in form for name in ids
    }
    assert all(one.values for one in found.answers)
    assert text(found, "person_kinds") == "Not yet known: being checked"
    assert text(found, "persons_count") == "Not yet known: the extent has not been established"
    assert not found.answer("awareness").known
    with pytest.raises(NotificationError, match=r"unknown\.shoe_size names no answer"):
        draft({"unknown": {"shoe_size": "x"}})


def test_numbers_are_the_extents_as_two_bounds_with_evidence() -> None:
    """For 30 random extents: both bounds, persons apart from records, and each known number says what it rests on."""
    random_ = random.Random(3)
    for _ in range(30):
        low, records = random_.randrange(10**6), random_.randrange(10**6)
        extent = Extent(
            persons=Figure(low, low + 7, "", (f"f:{low}",)),
            records=Figure(records, None),
            groups=(TakenGroup(category=Category.LOYALTY, persons=Figure(low, low)),),
        )
        found = draft(extent=extent)
        assert text(found, "persons_count") == f"Between {low:,} and {low + 7:,} Loyalty accounts: {low:,}"
        assert found.answer("persons_count").evidence == (
            "extent#/persons",
            f"f:{low}",
            "extent#/groups/0/persons",
        )
        assert text(found, "records_count") == f"At least {records:,}; there is no upper bound yet"


def test_after_72_hours_the_reasons_for_the_delay_are_compulsory() -> None:
    """Not up to the last minute; and only for the initial one."""
    assert text(draft(hours=72), "delay") == "None"
    with pytest.raises(NotificationError, match="delay_reasons must say why it is late"):
        draft(hours=73)
    late = draft({"violation": {"delay_reasons": "the logs came late"}}, hours=73)
    assert text(late, "delay") == "This draft is made 73 hours after the awareness the logs came late"
    later = draft(hours=100, earlier=draft(), phase=NotificationPhase.COMPLEMENTARY, why="new")
    assert later.number == 2


def test_a_phase_keeps_what_it_replaced_and_why() -> None:
    """Through its JSON; without a reason it is refused, and the changes of earlier phases stay."""
    first = draft()
    more = msgspec.structs.replace(EXTENT, records=Figure(1500, 2000))
    with pytest.raises(NotificationError, match=r"\(records_count\): say why"):
        draft(extent=more, earlier=first, phase=NotificationPhase.COMPLEMENTARY)
    second = draft(
        extent=more, earlier=first, phase=NotificationPhase.COMPLEMENTARY, why="the log of day two"
    )
    read = read_notification(msgspec.json.encode(second))
    assert read == second
    [change] = read.changes
    assert (change.id, change.reason) == ("records_count", "the log of day two")
    assert change.before == first.answer("records_count").values
    third = draft(extent=more, earlier=read, phase=NotificationPhase.FINAL)
    assert (third.number, third.changes, third.history) == (3, (), (read.changes,))
    for phase, earlier in (
        (NotificationPhase.INITIAL, first),
        (NotificationPhase.COMPLEMENTARY, None),
        (NotificationPhase.COMPLEMENTARY, third),
    ):
        with pytest.raises(NotificationError):
            draft(phase=phase, earlier=earlier, why="x")


def test_a_corrected_awareness_shows_what_it_corrects() -> None:
    """The last entry holds; the one before stays with its reason."""
    newer = AwarenessEntry(
        aware=ShownTime(START_MS - HOUR_MS, "Sunday"), source=AwarenessSource.SUPPLIER, reason="its mail"
    )
    said = text(draft(awareness=(AWARE, newer)), "awareness")
    assert said.startswith("Sunday; learned from a supplier; reason: its mail")
    assert said.endswith("Corrected: entered before as Monday; reason: an analyst was certain")


def test_names_are_found_wherever_people_wrote_them() -> None:
    """In any case, and in changes; not in the organisation's own contact, and not in names of three letters."""
    facts = {
        "violation": {"facts": "It was ANNA BERG's account"},
        "organisation": {"contact": "Anna Berg"},
        "measures": {"taken": ["told the airline"]},
    }
    assert named(draft(facts), {"Anna Berg", "Ann", "Bo Lind"}) == [("facts", "anna berg")]
    later = draft({}, earlier=draft(facts), phase=NotificationPhase.FINAL, why="x")
    assert named(later, {"Anna Berg"}) == [("facts", "anna berg")]


def test_a_letter_advises_on_what_was_taken() -> None:
    """One for each group; free text makes no other category certainly untouched, in letters and in forms."""
    groups = (
        TakenGroup(category=Category.CUSTOMER_SERVICE, free_text=True),
        TakenGroup(category=Category.LOYALTY),
        TakenGroup(category=Category.INTERNAL),
    )
    extent = Extent(groups=groups, not_touched=(Category.PAYMENT,))
    found = draft(extent=extent)
    made = {one.name: one for one in documents(found, facts_of({}), extent)}
    assert {name for name in made if name.startswith("letter-")} == {
        "letter-customer-service",
        "letter-loyalty",
    }

    def codes(name: str) -> set[str]:
        rows = [row for section in made[name].sections for row in section.rows]
        return {value.code for row in rows for value in row.values if isinstance(value, Message)}

    service, loyalty = codes("letter-customer-service"), codes("letter-loyalty")
    assert {"letter.do.customer_service", "letter.do.free_text", "letter.unaffected_fields"} <= service
    assert "letter.do.loyalty" in loyalty
    assert not loyalty & {"letter.do.customer_service", "letter.do.free_text", "letter.unaffected"}
    assert {"letter.do.customer_service", "letter.do.loyalty"} <= codes("public")
    assert {value.code for value in found.answer("not_touched").values if isinstance(value, Message)} == {
        "data.not_as_field"
    }


def test_every_word_of_the_closed_lists_has_its_message() -> None:
    """No category or code that facts may hold leaves a draft without words."""
    assert {f"data.{one}" for one in Category} <= TEMPLATES.keys()
    assert {f"source.{one}" for one in AwarenessSource} <= TEMPLATES.keys()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"persons": {"lower": 5, "upper": 4}}',
        b'{"persons": {"upper": 4}}',
        b'{"records": {"lower": -1}}',
        b'{"groups": [{"category": "contact"}], "not_touched": ["contact"]}',
        b'{"persons": {"names": ["Anna"]}}',
    ],
)
def test_an_extent_that_cannot_be_is_refused(data: bytes) -> None:
    """Bounds the wrong way round, a category both taken and untouched, and what has no place in it."""
    with pytest.raises(ExtentError):
        read_extent(data)


@pytest.mark.parametrize(
    "values",
    [
        {"nis2": {"significant": True}},
        {"risk": {"level": "high"}},
        {"persons": {"informed": "no"}},
        {"risk": {"enisa": {"context": 4}}},
        {"shoes": {}},
    ],
)
def test_a_judgement_without_its_reason_is_refused(values: dict[str, Any]) -> None:
    """And so is a key that does not exist."""
    with pytest.raises(FactsError):
        facts_of(values)
