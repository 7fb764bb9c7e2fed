"""A Faust consumer that hands an agent up to a few hundred records at a time.

Faust costs 20-50 µs a message before an agent sees it; a record here costs microseconds in total. So for the topics
named, `BatchedConsumer` makes one Faust message of many records of a partition: it has the *last* record's offset
and the list as its value. To Faust that looks like a topic with compaction gaps.

Faust fills such gaps with an interval tree and by listing every offset in them, and gets two things wrong on the
way: a gap includes the message behind it, so that acks seem to be missing, and a commit can jump over one
unacknowledged message. Neither is needed here: agents acknowledge strictly in order, so what may be committed is
simply one past the last acknowledgement.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from time import monotonic
from typing import Any

import faust
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

__all__ = ["BATCH_RECORDS", "BatchedApp", "BatchedConsumer", "BatchedTransport"]

BATCH_RECORDS = 1000
"""The most records handed over at once."""
FETCH_WAIT_MS = 500
"""How long the brokers wait for records before they answer that there are none: what is quiet is seen by that."""
BATCH_BYTES = 4_000_000
"""A batch is closed at this many bytes: records of many megabytes are handed over one by one."""


class _Thread(AIOKafkaConsumerThread):
    logger = logging.getLogger("faust.consumer")
    consumer: BatchedConsumer

    def _create_worker_consumer(self, transport: Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit, with each topic's id beside the offset: an offset says nothing of another topic of the same name."""
        assigned = self.assignment()
        ids = self.consumer.app.topic_id
        own = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        self.tp_last_committed_at.update(dict.fromkeys(own, monotonic()))
        try:
            await self._ensure_consumer().commit(
                {
                    TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, ids(tp.topic))
                    for tp, offset in own.items()
                }
            )
        except CommitFailedError:  # the partitions are others' by now
            return False
        except (KafkaError, IllegalStateError) as error:
            await self.crash(error)
            return False
        return True


class BatchedConsumer(Consumer):
    """The aiokafka consumer with the batching described above and a check that no record is skipped."""

    logger = logging.getLogger("faust.consumer")  # keeps Faust's messages apart from ours
    app: BatchedApp

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected: dict[TP, int] = {}
        self._sought: dict[TP, int] = {}

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def rejoin(self) -> None:
        """Let the group assign its partitions anew, from what the brokers then say of them."""
        await self.subscribe(self.app.batched_topics)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        fetched: Mapping[Any, list[Any]] = await super()._getmany(
            active_partitions=active_partitions, timeout=timeout
        )
        batched = self.app.batched_topics
        result: dict[Any, list[Any]] = {}
        for tp, records in fetched.items():
            if tp.topic not in batched:
                result[tp] = records
            elif await self._continues(tp, records):
                result[tp] = batches(records)
        return result

    async def _continues(self, tp: TP, records: list[Any]) -> bool:
        """Whether the records continue where the last ones ended.

        A fetch in flight during a rebalance can return records from an older, higher position. Acknowledging
        them would commit past others. So on a gap the consumer seeks the position again; a gap that remains is
        real: compaction, retention or a transaction made it.
        """
        expected = self._expected.get(tp, 0)
        first = records[0].offset
        if first > expected and self._sought.get(tp) != expected:
            self._sought[tp] = expected
            await self.seek(tp, expected)
            return False
        if first > expected:
            await self.app.gap(tp, expected, first)
        self._expected[tp] = records[-1].offset + 1
        return True

    async def perform_seek(self) -> None:
        """Start again from the committed offset, or where the brokers say that it does not hold."""
        await super().perform_seek()
        for tp, offset in self.app.starts().items():
            await self.seek(tp, offset)
            self._committed_offset[tp] = offset
        self._sought.clear()
        self._expected = {tp: offset for tp, offset in self._read_offset.items() if offset is not None}

    def backlog(self, tp: TP, position: int | None = None) -> int | None:
        """Records between a position (by default the committed one) and the partition's end at the last fetch.

        ``None`` while that is unknown, or if the partition is not assigned.
        """
        try:
            end = self.highwater(tp)
        except (AssertionError, AttributeError, KeyError):  # not assigned now
            return None
        if position is None:
            position = (
                self._read_offset[tp] if self._committed_offset[tp] is None else self._committed_offset[tp]
            )
        return None if end is None else max(0, end - (position or 0))

    def last_report_ms(self, tp: TP) -> int | None:
        """When the brokers last reported the partition's end, in ms of this machine's clock; ``None`` before that."""
        try:
            report_ms: int | None = self._thread._ensure_consumer().last_poll_timestamp(tp)
        except (AssertionError, AttributeError, ConsumerNotStarted, KeyError):  # not assigned now
            return None
        return report_ms

    def committed(self, tp: TP) -> int:
        """The committed offset, 0 if there is none."""
        return self._committed_offset[tp] or 0

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.app.batched_topics:
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self.app.batched_topics:
            return super()._new_offset(tp)
        acked = self._acked[tp]
        if not acked:
            return None
        offset = max(acked) + 1
        acked.clear()
        self._acked_index[tp].clear()
        return offset


class BatchedTransport(Transport):
    """The aiokafka transport with a `BatchedConsumer`."""

    Consumer = BatchedConsumer


class BatchedApp(faust.App):
    """A Faust app that reads `batched_topics` in batches."""

    logger = logging.getLogger("faust.app")
    batched_topics: frozenset[str] = frozenset()

    def starts(self) -> Mapping[TP, int]:
        """Where to read on instead of at the committed offset, asked whenever partitions have been assigned."""
        return {}

    async def gap(self, tp: TP, first: int, then: int) -> None:
        """There are no records from the offset `first` to before `then`, which have not been read."""

    def topic_id(self, topic: str) -> str:
        """The id of the topic that is being read."""
        return ""

    def _new_transport(self) -> Any:
        return BatchedTransport(self.conf.broker_consumer, self)


def batches(records: list[ConsumerRecord]) -> list[ConsumerRecord]:
    """One message per batch, with its last record's offset and the list of records as its value."""
    result = []
    batch: list[ConsumerRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.value or b"")
        if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
            result.append(_batch(batch))
            batch, size = [], 0
    if batch:
        result.append(_batch(batch))
    return result


def _batch(records: list[ConsumerRecord]) -> ConsumerRecord:
    last = records[-1]
    return ConsumerRecord(
        topic=last.topic,
        partition=last.partition,
        offset=last.offset,
        timestamp=last.timestamp,
        timestamp_type=last.timestamp_type,
        key=None,
        value=records,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=(),
    )
