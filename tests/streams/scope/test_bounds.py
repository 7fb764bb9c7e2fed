"""The laws of the bounds, with the store that commands use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.event import AccessEvent, ActorKind, Counting, Operation
from detector.response.scope_ledger import BoundReason, Bounds, ScopeLedger
from streams.scope.store import SqliteScopeStore
from tests.detector.make import event

SELECT = "select id from case"
TABLE = 40


def bounds_of(events: Iterable[AccessEvent], *, complete: bool = True, **tables: int) -> dict[str, Bounds]:
    """What the ledger says of events, by object."""
    with SqliteScopeStore() as store:
        ledger = ScopeLedger(store)
        for one in events:
            ledger.observe(one)
        return {found.object: found for found in ledger.bounds(tables, complete=complete)}


def only(*events: AccessEvent, complete: bool = True, **tables: int) -> Bounds:
    """The bounds of the one object that events name."""
    (found,) = bounds_of(events, complete=complete, **tables).values()
    return found


def test_listed_ids_are_counted_once_and_exactly() -> None:
    """Records that two operations list are exact, each counted once."""
    found = only(
        event(0, rows=2, record_ids=("a", "b")),
        event(1, rows=2, record_ids=("b", "c")),
    )
    assert (found.lower, found.upper, found.listed) == (3, 3, 3)
    assert found.reasons == (BoundReason.LISTED, BoundReason.ROWS)


def test_a_list_that_was_cut_leaves_its_other_rows_in_the_upper_bound() -> None:
    """A list that is shorter than its rows raises the upper bound by the rows that it omits."""
    found = only(event(0, rows=1_000, record_ids=("a", "b")), event(1, rows=1, record_ids=("c",)))
    assert (found.lower, found.upper) == (3, 1_001)


def test_only_a_plain_select_raises_the_lower_bound() -> None:
    """Rows are distinct records for a SELECT on one object, and not for a sub-query, an aggregate or a cut query."""
    shapes = {
        SELECT: 9,
        "select id, (select id from notes) from case": 0,
        "select max(id) from case": 0,
        "select ownerid from case group by ownerid": 0,
        "select id from case where a in (select b from c)": 0,
        SELECT.ljust(300, "x"): 0,
    }
    for shape, lower in shapes.items():
        assert only(event(0, rows=9, query_shape=shape)).lower == lower, shape
    assert {
        one.lower for one in bounds_of([event(rows=9, query_shape=SELECT, objects=("A", "B"))]).values()
    } == {0}


def test_unknown_rows_are_open_and_never_none() -> None:
    """An operation without a row count leaves the upper bound open, unless the table's size limits it."""
    unknown = event(0, rows=None)
    assert (only(unknown).upper, only(unknown).upper_in_log) == (None, None)
    assert BoundReason.ROWS_UNKNOWN in only(unknown).reasons
    limited = only(unknown, case=TABLE)
    assert (limited.upper, limited.reasons[-1]) == (TABLE, BoundReason.TABLE)


def test_a_log_that_nobody_vouches_for_is_open() -> None:
    """Without a vouched log the upper bound is the table's size, or open; what the log itself shows is kept apart."""
    seen = event(0, rows=5)
    assert (only(seen, complete=False).upper, only(seen, complete=False).upper_in_log) == (None, 5)
    assert only(seen, complete=False, case=TABLE).upper == TABLE


def test_a_table_that_is_too_small_is_not_believed() -> None:
    """A size below the lower bound is reported and limits nothing."""
    found = only(event(0, rows=2, record_ids=("a", "b")), case=1)
    assert (found.lower, found.upper) == (2, 2)
    assert BoundReason.TABLE_TOO_SMALL in found.reasons


def test_rows_without_an_object_may_be_of_any() -> None:
    """Rows of an operation that names no object raise every object's upper bound, and no lower bound."""
    found = bounds_of([event(0, rows=1, record_ids=("a",)), event(1, rows=7, objects=())])
    assert (found["Case"].lower, found["Case"].upper) == (1, 8)
    assert (found["*"].lower, found["*"].upper) == (0, 7)


def test_a_jobs_progress_counts_once() -> None:
    """Totals of one job count by their maximum, whatever identity's job has the same name."""
    job: dict[str, Any] = {
        "counting": Counting.MAXIMUM,
        "operation_id": "j",
        "operation": Operation.BULK_EXPORT,
    }
    assert only(event(0, rows=3, **job), event(1, rows=8, **job), event(2, rows=8, **job)).upper == 8
    assert only(event(0, rows=3, **job), event(1, rows=8, actor="v", **job)).upper == 11


def test_a_refused_operation_took_nothing_and_is_counted_apart() -> None:
    """A refused operation counts as refused, with no rows."""
    found = only(event(0, rows=None, status="403"))
    assert (found.upper, found.operations, found.refused) == (0, 0, 1)


def test_downloads_are_told_from_what_was_prepared() -> None:
    """Fetching a bulk result and exporting a report are downloads; a bulk job and a query are not."""
    bulk = Operation.BULK_EXPORT
    events = [
        event(0, operation=bulk, operation_id="j", counting=Counting.MAXIMUM),
        event(1, operation=bulk),
        event(2, operation=Operation.REPORT_EXPORT),
        event(3),
    ]
    assert (only(*events).operations, only(*events).downloads) == (4, 2)


READ = st.frozensets(st.integers(0, TABLE - 1), max_size=12)
DAMAGE = st.sampled_from(("none", "none", "none", "doubled", "uncounted"))


@given(
    st.lists(st.tuples(READ, st.integers(0, 12), DAMAGE), max_size=6),
    st.one_of(st.just(frozenset()), st.frozensets(st.integers(0, 5))),
)
def test_the_truth_is_within_the_bounds_of_a_damaged_log(
    reads: list[tuple[frozenset[int], int, str]], deleted: frozenset[int]
) -> None:
    """Whatever is deleted, doubled, cut or left uncounted, the distinct records read are within the bounds."""
    truth: set[int] = set()
    shown: list[AccessEvent] = []
    for number, (read, listed, damage) in enumerate(reads):
        truth |= read
        one = event(
            number,
            rows=None if damage == "uncounted" else len(read),
            record_ids=tuple(f"r{key}" for key in sorted(read)[:listed]),
            query_shape=SELECT,
            actor_kind=ActorKind.INTEGRATION,
        )
        if number in deleted:
            continue
        shown.append(one)
        if damage == "doubled":  # once by the same path, once by another that gives it another id
            shown += [one, replace(one, event_id=f"again-{number}", time_ms=one.time_ms + 1)]
    for found in bounds_of(shown, complete=not deleted).values():
        assert found.lower <= len(truth)
        assert found.upper is None or len(truth) <= found.upper
    for found in bounds_of(shown, complete=not deleted, case=TABLE).values():
        assert found.upper is not None
        assert found.lower <= len(truth) <= found.upper <= TABLE
