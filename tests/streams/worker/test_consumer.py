from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.worker import consumer
from streams.worker.consumer import BATCH_RECORDS, BatchedApp, BatchedConsumer, batches

BATCHED, OTHER = TP("crm.access", 0), TP("crmwatch-profiles-changelog", 0)


def record(offset: int, value: bytes | None = b"x") -> ConsumerRecord:
    """A record of the batched partition."""
    return ConsumerRecord(
        topic=BATCHED.topic, partition=0, offset=offset, timestamp=1000 + offset, timestamp_type=0, key=b"k",
        value=value, checksum=None, serialized_key_size=1, serialized_value_size=1, headers=(("h", b"v"),),
    )  # fmt: skip


class Bare(BatchedConsumer):
    """A consumer without a connection: what it fetches is given, where it seeks is kept."""

    def __init__(self) -> None:
        self.gaps: list[tuple[TP, int, int]] = []

        async def gap(tp: TP, first: int, then: int) -> None:
            self.gaps.append((tp, first, then))

        self.app = SimpleNamespace(batched_topics=frozenset((BATCHED.topic,)), gap=gap)
        self._acked: dict[TP, list[int]] = defaultdict(list)
        self._acked_index: dict[TP, set[int]] = defaultdict(set)
        self._expected: dict[TP, int] = {}
        self._sought: dict[TP, int] = {}
        self.sought: list[tuple[TP, int]] = []

    async def seek(self, partition: TP, offset: int) -> None:
        """Keep it."""
        self.sought.append((partition, offset))


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> dict[TP, list[ConsumerRecord]]:
    """What the next fetch brings."""
    found: dict[TP, list[ConsumerRecord]] = {}

    async def getmany(self: Any, active_partitions: Any, timeout: float) -> dict[TP, list[ConsumerRecord]]:
        return found

    monkeypatch.setattr(consumer.Consumer, "_getmany", getmany)
    return found


def get(one: Bare) -> dict[TP, list[ConsumerRecord]]:
    """One fetch."""
    result: dict[TP, list[ConsumerRecord]] = asyncio.run(one._getmany(active_partitions=None, timeout=0.0))
    return result


@given(sizes=st.lists(st.integers(0, 3_000_000), max_size=12), many=st.integers(0, 2500))
def test_batches_hold_every_record_once_in_order(sizes: list[int], many: int) -> None:
    """Each is closed by count or size, has its last record's offset and time, and its records as value."""
    blob = bytes(3_000_000)
    records = [record(offset, memoryview(blob)[:size]) for offset, size in enumerate(sizes)]  # type: ignore[arg-type]
    records += [record(len(sizes) + number, None) for number in range(many)]
    found = batches(records)
    assert [one for batch in found for one in batch.value] == records
    for batch in found:
        last = batch.value[-1]
        assert (batch.topic, batch.partition, batch.offset) == (last.topic, last.partition, last.offset)
        assert (batch.timestamp, batch.key, batch.headers) == (last.timestamp, None, ())
        assert len(batch.value) <= BATCH_RECORDS
        assert sum(len(one.value or b"") for one in batch.value[:-1]) < consumer.BATCH_BYTES
    for batch in found[:-1]:
        full = sum(len(one.value or b"") for one in batch.value) >= consumer.BATCH_BYTES
        assert full or len(batch.value) == BATCH_RECORDS


def test_only_the_named_topics_are_batched(fetched: dict[TP, list[ConsumerRecord]]) -> None:
    """A changelog's records stay as they are: Faust's own recovery reads them."""
    fetched[BATCHED] = [record(0), record(1)]
    fetched[OTHER] = [record(5)]
    found = get(Bare())
    assert [batch.value for batch in found[BATCHED]] == [fetched[BATCHED]]
    assert found[OTHER] is fetched[OTHER]


def test_a_fetch_behind_a_gap_is_sought_again_once(fetched: dict[TP, list[ConsumerRecord]]) -> None:
    """Records from an older, higher position are left out; a gap that is still there then is real, and is told."""
    one = Bare()
    fetched[BATCHED] = [record(0), record(1)]
    assert len(get(one)[BATCHED]) == 1
    fetched[BATCHED] = [record(9), record(10)]
    assert BATCHED not in get(one)
    assert one.sought == [(BATCHED, 2)]
    fetched[BATCHED] = [record(2), record(3)]
    assert get(one)[BATCHED][0].offset == 3
    fetched[BATCHED] = [record(9), record(10)]
    assert BATCHED not in get(one)
    assert one.sought == [(BATCHED, 2), (BATCHED, 4)]
    assert one.gaps == []
    assert get(one)[BATCHED][0].offset == 10
    assert len(one.sought) == 2
    assert one.gaps == [(BATCHED, 4, 9)]


def test_what_may_be_committed_is_one_past_the_last_acknowledged() -> None:
    """Acknowledgements come in order and with gaps where batches are; nothing new means nothing to commit."""
    one = Bare()
    assert one._new_offset(BATCHED) is None
    one._acked[BATCHED] = [499, 999, 1203]
    one._acked_index[BATCHED] = {499, 999, 1203}
    assert one._new_offset(BATCHED) == 1204
    assert one._new_offset(BATCHED) is None
    assert not one._acked_index[BATCHED]


def test_gaps_of_batched_topics_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust would list every offset of a batch; for other topics it still does."""
    gaps: list[TP] = []

    async def add_gap(self: Any, tp: TP, offset_from: int, offset_to: int) -> None:
        gaps.append(tp)

    monkeypatch.setattr(consumer.Consumer, "_add_gap", add_gap)
    one = Bare()
    asyncio.run(one._add_gap(BATCHED, 0, 500))
    asyncio.run(one._add_gap(OTHER, 0, 500))
    assert gaps == [OTHER]


def test_an_app_batches_nothing_unless_told() -> None:
    """The topics are the app's to name."""
    assert BatchedApp.batched_topics == frozenset()
