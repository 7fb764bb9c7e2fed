from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.identity.objects import MAX_OBJECT_NAME, MAX_OBJECTS, OTHER, add_rows


def test_rows_add_up_by_kind() -> None:
    """Rows of one kind are added, of different kinds told apart."""
    objects: dict[str, int] = {}
    for kind, rows in (("Case", 300), ("Contact", 400), ("Case", 5)):
        add_rows(objects, kind, rows)
    assert objects == {"Case": 305, "Contact": 400}


def test_small_fry_cannot_hide_a_theft() -> None:
    """Where many kinds are read, those that matter most are named: a few rows of others do not crowd them out."""
    objects: dict[str, int] = {}
    for number in range(MAX_OBJECTS + 3):
        add_rows(objects, f"Trifle{number}__c", 2)
    add_rows(objects, "Case", 9000)
    assert objects["Case"] == 9000
    assert sum(objects.values()) == 9000 + 2 * (MAX_OBJECTS + 3)
    assert set(objects) - {OTHER, "Case"} < {f"Trifle{number}__c" for number in range(MAX_OBJECTS + 3)}
    assert len(objects) == MAX_OBJECTS + 1


def test_what_is_more_sensitive_is_named_rather() -> None:
    """Of as many rows, customers' data are named before the company's own."""
    objects: dict[str, int] = {}
    add_rows(objects, "Case", 10)
    for number in range(MAX_OBJECTS):
        add_rows(objects, ("User", "Product2", "Profile", "Group", "Report", "Folder", "Flow")[number], 10)
    assert "Case" in objects
    assert OTHER in objects


def test_an_endless_name_is_cut() -> None:
    """The name of a kind of record takes bounded room, and its rows still add up."""
    objects: dict[str, int] = {}
    for _ in range(3):
        add_rows(objects, "N" * 10_000, 5)
    assert objects == {"N" * MAX_OBJECT_NAME: 15}


@pytest.mark.slow
@given(st.lists(st.tuples(st.text(max_size=60), st.integers(1, 10**12))))
def test_no_row_is_lost_and_room_is_bounded(rows: list[tuple[str, int]]) -> None:
    """Whatever the kinds are called, their rows' sum is the sum of all, in few names."""
    objects: dict[str, int] = {}
    for kind, count in rows:
        add_rows(objects, kind, count)
    assert sum(objects.values()) == sum(count for _, count in rows)
    assert len(objects) <= MAX_OBJECTS + 1
