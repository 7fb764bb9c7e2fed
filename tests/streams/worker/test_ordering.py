from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.messages import NOTHING_KNOWN
from streams.worker.ordering import MOST_PENDING, Merge, Watermarks

Item = tuple[int, str, int, int]


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Item]]:
    """Per partition its items in order: (time, id, partition, number), with equal times among them."""
    partitions = draw(st.lists(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc"))), max_size=4))
    return [
        [(time_ms, name, source, number) for number, (time_ms, name) in enumerate(sorted(items))]
        for source, items in enumerate(partitions)
    ]


@given(partitions=arrivals(), seed=st.integers(0, 1000))
def test_any_interleaving_comes_out_as_the_sorted_merge(partitions: list[list[Item]], seed: int) -> None:
    """However partitions arrive, they come out sorted, each in its own order, nothing lost or doubled."""
    random = Random(seed)
    merge: Merge[Item] = Merge(limit=1000)
    marks = Watermarks()
    waiting = [list(items) for items in partitions]
    came: list[Item] = []
    while any(waiting):
        source = random.choice([source for source, items in enumerate(waiting) if items])
        known = NOTHING_KNOWN
        for _ in range(random.randint(1, 5)):
            if waiting[source]:
                item = waiting[source].pop(0)
                merge.push(source, item[0], item[1], item)
                known = item[0]
        done = not waiting[source]
        watermark_ms = marks.update(source, len(partitions), known if not done else 10**6, position=0)
        before = len(came)
        came += merge.released(watermark_ms)
        assert all(item[0] < watermark_ms for item in came[before:])
        assert merge.held == sum(map(len, partitions)) - sum(map(len, waiting)) - len(came)
    came += merge.released(0, everything=True)
    assert [item[:3] for item in came] == sorted(item[:3] for items in partitions for item in items)
    for source, items in enumerate(partitions):
        assert [item for item in came if item[2] == source] == items
    assert (merge.held, merge.overrun) == (0, 0)


@pytest.mark.slow
@given(times=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=30), limit=st.integers(0, 8))
def test_no_more_than_the_limit_waits(times: list[tuple[int, int]], limit: int) -> None:
    """Beyond it the oldest go early and are counted; a partition keeps its order even when its times fall."""
    merge: Merge[tuple[int, int]] = Merge(limit)
    came: list[tuple[int, int]] = []
    for number, (source, time_ms) in enumerate(times):
        merge.push(source, time_ms, "", (source, number))
        came += merge.released(NOTHING_KNOWN)
        assert merge.held <= limit
        assert merge.overrun == len(came)
    assert len(came) == max(0, len(times) - limit)
    came += merge.released(100)
    assert sorted(number for _, number in came) == list(range(len(times)))
    for source in range(3):
        numbers = [number for where, number in came if where == source]
        assert numbers == sorted(numbers)


def test_an_event_of_the_watermarks_own_time_waits() -> None:
    """Another partition may still bring one of that time that goes before it."""
    merge: Merge[str] = Merge(10)
    merge.push(0, 5, "b", "second")
    assert list(merge.released(5)) == []
    merge.push(1, 5, "a", "first")
    assert list(merge.released(6)) == ["first", "second"]


def test_an_old_event_goes_right_after_its_predecessors() -> None:
    """A partition that is not in order within itself is not put into order, only merged."""
    merge: Merge[str] = Merge(10)
    merge.push(0, 9, "a", "first of 0")
    merge.push(0, 2, "a", "second of 0")
    merge.push(1, 4, "a", "of 1")
    assert list(merge.released(9)) == ["of 1"]
    assert list(merge.released(10)) == ["first of 0", "second of 0"]


def test_the_watermark_needs_every_partition() -> None:
    """Until each has said something nothing is known; then the slowest counts."""
    marks = Watermarks()
    assert marks.value == NOTHING_KNOWN
    assert marks.update(0, 3, 50, position=0) == NOTHING_KNOWN
    assert marks.update(2, 3, 70, position=1) == NOTHING_KNOWN
    assert not marks.all_idle
    assert marks.update(1, 3, 60, position=2) == 50
    assert marks.update(0, 3, 65, position=3) == 60
    assert marks.value == 60


@given(
    said=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 20), st.booleans(), st.integers(0, 5)),
        max_size=40,
    )
)
def test_the_watermark_never_falls(said: list[tuple[int, int, bool, int]]) -> None:
    """Nor is it ever above the newest time that any partition was known to."""
    marks = Watermarks()
    newest = 0
    before = NOTHING_KNOWN
    for position, (source, known, idle, back) in enumerate(said):
        newest = max(newest, known)
        value = marks.update(source, 3, known, idle=idle, position=position, complete=position - back)
        assert before <= value <= newest
        before = value


def test_an_idle_partition_is_not_waited_for_where_it_is_complete() -> None:
    """What the others had reached counts as soon as all that came to the idle one before is known to have been read."""
    marks = Watermarks()
    marks.update(0, 2, 10, position=0)
    assert marks.update(1, 2, 5, position=1) == 5
    assert marks.update(1, 2, 5, position=2, idle=True) == 5
    assert marks.update(0, 2, 90, position=3) == 5
    assert marks.update(1, 2, 5, position=4, idle=True, complete=2) == 5
    assert marks.update(1, 2, 5, position=5, idle=True, complete=3) == 10
    assert marks.update(1, 2, 5, position=6, idle=True, complete=4) == 90
    assert not marks.all_idle


def test_one_that_wakes_up_in_time_is_waited_for() -> None:
    """What the others had reached meanwhile does not count: the one that was idle is behind it."""
    marks = Watermarks()
    marks.update(0, 2, 10, position=0, idle=True)
    assert marks.update(1, 2, 10, position=1, idle=True) == NOTHING_KNOWN
    assert marks.update(0, 2, 10, position=2, idle=True, complete=2) == NOTHING_KNOWN
    assert marks.update(1, 2, 10, position=3, idle=True, complete=2) == 10
    assert marks.update(0, 2, 90, position=4) == 10
    assert marks.update(1, 2, 20, position=5) == 20
    assert marks.update(0, 2, 95, position=9) == 20


def test_when_all_are_idle_the_newest_time_is_reached() -> None:
    """There is nothing left to wait for: the watermark is the newest time any of them was known to."""
    marks = Watermarks()
    marks.update(0, 2, 10, position=0)
    marks.update(1, 2, NOTHING_KNOWN, position=1, idle=True)
    marks.update(0, 2, 10, position=2, idle=True)
    assert not marks.all_idle
    marks.update(1, 2, NOTHING_KNOWN, position=3, idle=True, complete=3)
    assert not marks.all_idle
    assert marks.update(0, 2, 10, position=4, idle=True, complete=3) == 10
    assert marks.all_idle
    marks.update(1, 2, 11, position=5)
    assert not marks.all_idle


def test_what_is_saved_is_the_common_watermark() -> None:
    """Restored, no partition is known beyond it, as what was held comes again; the newest is kept."""
    marks = Watermarks()
    marks.update(0, 2, 50, position=0)
    marks.update(1, 2, 80, position=1)
    restored = Watermarks(marks.encode())
    assert restored.value == 50
    assert restored.update(0, 2, 60, position=2) == 50
    assert restored.update(1, 2, 55, position=3) == 55
    restored.update(0, 2, NOTHING_KNOWN, position=4, idle=True, complete=6)
    assert restored.update(1, 2, NOTHING_KNOWN, position=5, idle=True, complete=6) == 80


def test_idleness_from_before_a_restart_does_not_count() -> None:
    """Read again, that all were idle at some time does not mean that what came after has come."""
    marks = Watermarks()
    for source in (0, 1):
        marks.update(source, 2, 10, position=source, idle=True, complete=1)
    marks.update(0, 2, 90, position=2)
    marks.update(1, 2, 40, position=3)
    restored = Watermarks(marks.encode())
    for source in (0, 1):
        assert restored.update(source, 2, 10, position=source, idle=True, complete=1) == 40
    assert not restored.all_idle
    for source in (0, 1):
        restored.update(source, 2, 10, position=4 + source, idle=True, complete=6)
    assert restored.all_idle
    assert restored.value == 90


def test_what_waits_for_an_idle_partition_is_bounded() -> None:
    """Of very many reports the first ones are kept apart; what the last ones reached counts once it is complete."""
    marks = Watermarks()
    marks.update(1, 2, 0, position=0, idle=True)
    for position in range(1, 3 * MOST_PENDING):
        marks.update(0, 2, position, position=position)
    half = MOST_PENDING // 2
    end = 3 * MOST_PENDING
    assert marks.update(1, 2, 0, position=end, idle=True, complete=half) == half - 1
    assert marks.update(1, 2, 0, position=end + 1, idle=True, complete=end) == end - 1


@pytest.mark.parametrize("sources", [1, 3])
def test_what_nothing_was_said_of_can_be_saved(sources: int) -> None:
    """A shard that is saved before every partition has spoken still waits for all of them."""
    restored = Watermarks(Watermarks().encode())
    assert restored.value == NOTHING_KNOWN
    assert not restored.all_idle
    assert restored.update(0, sources, 7, position=0) == (7 if sources == 1 else NOTHING_KNOWN)
