from __future__ import annotations

from zlib import crc32

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detector.event import Counting
from detector.identity.ledger import MAX_ROWS, OPEN_OPERATIONS, RECENT_EVENTS, Counted, Ledger, count
from tests.detector.make import event


def counted(
    ledger: Ledger, number: int, rows: int | None, counting: Counting, operation_id: str | None
) -> int:
    """The rows that an event adds."""
    result = count(ledger, event(number, rows=rows, counting=counting, operation_id=operation_id))
    assert result is not None
    return result.rows


def test_an_event_counts_once() -> None:
    """The same event, delivered again, adds nothing and is told apart by ``None``."""
    ledger = Ledger()
    first = event(1, rows=7)
    assert count(ledger, first) == Counted(7, 7)
    assert count(ledger, first) is None
    assert count(ledger, event(2, rows=7)) == Counted(7, 7)
    assert count(ledger, first) is None


def test_a_small_event_with_its_id_does_not_hide_a_large_one() -> None:
    """A second event of one id and time counts by how much it is more, once; less than twice as much is nothing."""
    for counting, operation_id in ((Counting.EACH, None), (Counting.EACH, "o"), (Counting.MAXIMUM, None)):
        ledger = Ledger()
        given = {"counting": counting, "operation_id": operation_id, "rows": 1}
        large = event(1, **(given | {"rows": 60_000}))
        assert count(ledger, event(1, **given)) == Counted(1, 1)
        added = count(ledger, large)
        assert added is not None
        assert added.rows == 59_999
        assert count(ledger, large) is None
        assert count(ledger, event(1, **(given | {"rows": 65_000}))) is None
        assert count(ledger, event(1, **given)) is None
    of_a_job = Ledger()
    job = {"counting": Counting.MAXIMUM, "operation_id": "j"}
    assert count(of_a_job, event(1, rows=1, **job)) == Counted(1, 1)
    assert count(of_a_job, event(1, rows=60_000, **job)) == Counted(59_999, 60_000)
    older = Ledger(recent=dict.fromkeys(ledger.recent, 0), modulus=ledger.modulus)
    assert count(older, large) is None


def test_the_same_id_at_another_time_is_another_event() -> None:
    """A vendor that uses an id twice has two events; an export that leaves out the address has the same one."""
    ledger = Ledger()
    assert count(ledger, event(1, rows=7)) == Counted(7, 7)
    assert count(ledger, event(1, rows=7, time_ms=5)) == Counted(7, 7)
    assert count(ledger, event(1, rows=7, ip="192.0.2.7")) is None


def test_a_job_counts_its_maximum() -> None:
    """A total that is reported again and again adds only what is new, and never takes any back."""
    ledger = Ledger()
    added = [
        counted(ledger, n, rows, Counting.MAXIMUM, "j") for n, rows in enumerate((0, 300, 200, 300, 1000))
    ]
    assert added == [0, 300, 0, 0, 700]


def test_a_cursor_may_start_over() -> None:
    """A running total that falls is a new run: all of it is new."""
    ledger = Ledger()
    added = [counted(ledger, n, rows, Counting.RUNNING, "c") for n, rows in enumerate((200, 400, 200, 400))]
    assert added == [200, 200, 200, 200]


def test_parts_add_up() -> None:
    """Events that each say their own rows add up, and so does their operation."""
    ledger = Ledger()
    results = [count(ledger, event(n, rows=10, operation_id="o")) for n in range(3)]
    assert results == [Counted(10, 10), Counted(10, 20), Counted(10, 30)]


def test_operations_do_not_mix() -> None:
    """Each operation has its own total; an event without one is its own."""
    ledger = Ledger()
    assert counted(ledger, 1, 10, Counting.MAXIMUM, "a") == 10
    assert counted(ledger, 2, 10, Counting.MAXIMUM, "b") == 10
    assert counted(ledger, 3, 10, Counting.MAXIMUM, None) == 10
    assert counted(ledger, 4, 15, Counting.MAXIMUM, "a") == 5


def test_no_rows_taken_where_none_are_told() -> None:
    """Unknown, zero and negative rows add nothing, but the event has been entered."""
    ledger = Ledger()
    for number, rows in enumerate((None, 0, -5)):
        assert count(ledger, event(number, rows=rows)) == Counted(0, 0)
        assert count(ledger, event(number, rows=rows)) is None


def test_what_is_too_large_to_be_true_is_bounded() -> None:
    """Rows beyond all reason count as the most there can be, so that sums stay encodable."""
    ledger = Ledger()
    assert count(ledger, event(1, rows=10**30)) == Counted(MAX_ROWS, MAX_ROWS)
    for number in range(2, 50):
        result = count(ledger, event(number, rows=10**30, operation_id="o"))
        assert result == Counted(MAX_ROWS, MAX_ROWS)
    assert len(msgspec.msgpack.encode(ledger)) < 2_000


def test_a_full_ledger_is_small() -> None:
    """However many events and operations there were, and however large, it takes some 1,200 bytes encoded."""
    for rows, most in ((60_000, 1_100), (4_000_000_000, 1_250), (MAX_ROWS, 1_600)):
        ledger = Ledger()
        for number in range(1_000):
            counted(ledger, 2 * number, rows - number, Counting.MAXIMUM, f"job-{number}")
            counted(ledger, 2 * number + 1, rows - number, Counting.EACH, f"query-{number}")
        assert len(msgspec.msgpack.encode(ledger)) < most


def test_a_checksum_is_no_identity() -> None:
    """Ids that a common checksum takes for each other are different events and different operations."""
    assert crc32(b"plumless") == crc32(b"buckeroo")
    ledger = Ledger()
    for event_id in ("plumless", "buckeroo", "plumless\0", "\0plumless"):
        assert count(ledger, event(1, event_id=event_id, rows=7)) == Counted(7, 7)
    assert counted(ledger, 2, 10, Counting.MAXIMUM, "plumless") == 10
    assert counted(ledger, 3, 10, Counting.MAXIMUM, "buckeroo") == 10


def test_no_two_ledgers_hash_alike() -> None:
    """What one ledger knows an event by says nothing of another's, which began with another event."""
    one, other = Ledger(), Ledger()
    for ledger, first in ((one, 1), (other, 2)):
        count(ledger, event(first))
        count(ledger, event(3, operation_id="o"))
    assert not one.recent.keys() & other.recent.keys()
    assert not one.sums.keys() & other.sums.keys()


def test_a_large_job_outlasts_small_ones() -> None:
    """While many small jobs come and go, a large one is remembered: its states are not counted again."""
    ledger = Ledger()
    counted(ledger, 0, 400_000, Counting.MAXIMUM, "large")
    for number in range(1, 500):
        counted(ledger, number, 10, Counting.MAXIMUM, f"small-{number}")
        counted(ledger, 1_000 + number, 10, Counting.EACH, f"query-{number}")
    assert counted(ledger, 5_000, 412_000, Counting.MAXIMUM, "large") == 12_000


def test_a_new_job_is_not_the_first_to_go() -> None:
    """However large the jobs before it, a small one is remembered while as many others come as are half of all."""
    ledger = Ledger()
    for number in range(100):
        counted(ledger, number, 10**9, Counting.MAXIMUM, f"large-{number}")
    counted(ledger, 100, 10, Counting.MAXIMUM, "small")
    for number in range(101, 100 + OPEN_OPERATIONS // 2):
        counted(ledger, number, 10**9, Counting.MAXIMUM, f"large-{number}")
    assert counted(ledger, 900, 15, Counting.MAXIMUM, "small") == 5


def test_a_ledger_of_the_release_before_can_be_read() -> None:
    """One that was stored before there were sums and a modulus goes on."""
    old = msgspec.msgpack.encode([{1: 2}, {3: 4}, 5])
    ledger = msgspec.msgpack.decode(old, type=Ledger)
    assert ledger.forgotten == 5
    assert counted(ledger, 1, 10, Counting.MAXIMUM, "j") == 10
    assert counted(ledger, 2, 15, Counting.MAXIMUM, "j") == 5


def test_the_oldest_falls_out_and_is_counted() -> None:
    """Only the newest operations and events are kept; one that reports again after that counts again."""
    ledger = Ledger()
    for number in range(OPEN_OPERATIONS + 3):
        counted(ledger, number, 10, Counting.MAXIMUM, f"o-{number}")
    assert ledger.forgotten == 3
    assert len(ledger.operations) == OPEN_OPERATIONS
    assert counted(ledger, 900, 10, Counting.MAXIMUM, f"o-{OPEN_OPERATIONS + 2}") == 0
    assert counted(ledger, 901, 10, Counting.MAXIMUM, "o-0") == 10
    for number in range(1000, 1000 + 2 * RECENT_EVENTS):
        count(ledger, event(number))
    assert len(ledger.recent) == RECENT_EVENTS


def test_an_operation_that_goes_on_stays() -> None:
    """An operation is as old as its last report, not as its first."""
    ledger = Ledger()
    counted(ledger, 0, 10, Counting.MAXIMUM, "long")
    for number in range(1, 5 * OPEN_OPERATIONS):
        counted(ledger, 2 * number, 1, Counting.MAXIMUM, f"o-{number}")
        if number % 20 == 0:
            assert counted(ledger, 2 * number + 1, 10 + number, Counting.MAXIMUM, "long") == 20


REPORTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 10_000)), min_size=1, max_size=RECENT_EVENTS
)


@given(REPORTS)
def test_jobs_add_up_to_their_maxima(reports: list[tuple[str, int]]) -> None:
    """In whatever order jobs report, and with the ledger saved after each, what is added is their maxima."""
    ledger = Ledger()
    added = 0
    for number, (job, rows) in enumerate(reports):
        added += counted(ledger, number, rows, Counting.MAXIMUM, job)
        ledger = msgspec.msgpack.decode(msgspec.msgpack.encode(ledger), type=Ledger)
    jobs = {job for job, _ in reports}
    assert added == sum(max(rows for name, rows in reports if name == job) for job in jobs)


@given(REPORTS, st.data())
def test_redelivery_adds_nothing(reports: list[tuple[str, int]], data: st.DataObject) -> None:
    """Records that are delivered again from any point add nothing a second time."""
    events = [event(n, rows=rows, operation_id=job) for n, (job, rows) in enumerate(reports)]
    ledger = Ledger()
    for found in events:
        assert count(ledger, found) is not None
    again = data.draw(st.integers(0, len(events) - 1))
    assert [count(ledger, found) for found in events[again:]] == [None] * (len(events) - again)
