"""What every worker holds whole: operators' feedback and indicators, from a topic each.

Both are read to their end before anything is decided, and followed from then on. They are small: what is kept of
them is bounded, and what cannot be read is counted, logged without its content, and passed over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from detector.adapters import RecordError
from detector.decision import Feedback
from detector.settings import Indicator
from streams.kafka.topics import TopicNames

__all__ = ["MAX_FEEDBACK", "MAX_INDICATORS", "OperatorInputs"]

log = logging.getLogger(__name__)

MAX_FEEDBACK = 20_000
"""How many decisions are kept; the oldest go first."""
MAX_INDICATORS = 200_000
"""How many indicators are kept; more are not taken in."""
MAX_BYTES = 4_096
"""Nothing larger, its key included, is a decision or an indicator. So all of them take less than 1 GB."""

_feedback = msgspec.json.Decoder(Feedback)
_indicator = msgspec.json.Decoder(Indicator)


class OperatorInputs:
    """The two topics' content as it stands; `on_change` is called when it has changed."""

    def __init__(
        self,
        topics: TopicNames,
        *,
        on_change: Callable[[], None],
        on_error: Callable[[RecordError], None] = lambda error: None,
        fatal: Callable[[str, BaseException], None],
        connection: Mapping[str, Any],
    ) -> None:
        self._topics = topics
        self._on_change = on_change
        self._on_error = on_error
        self._fatal = fatal
        self._connection = connection
        self._consumer: Any = None
        self._task: asyncio.Task[None] | None = None
        self._feedback: dict[Feedback, None] = {}
        self._by_age: list[tuple[int, int, Feedback]] = []  # a heap: when, which, what
        self._taken = 0
        self.indicators: dict[str, Indicator] = {}
        """Address, network, agent or app → what is known of it."""

    @property
    def feedback(self) -> tuple[Feedback, ...]:
        """The decisions, in the order in which they came."""
        return tuple(self._feedback)

    async def start(self) -> None:
        """Read both topics to their present end, and follow them. Raises aiokafka's `KafkaError`."""
        topics = self._topics.feedback, self._topics.indicators
        consumer = AIOKafkaConsumer(
            *topics, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", **self._connection
        )
        self._consumer = consumer
        await consumer.start()
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            self._take(await consumer.getmany(timeout_ms=1000))
        self._task = asyncio.create_task(self._follow(), name="reference")

    async def stop(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
        if self._consumer is not None:
            await self._consumer.stop()

    async def _follow(self) -> None:
        try:
            while True:
                if self._take(await self._consumer.getmany(timeout_ms=1000)):
                    self._on_change()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - decisions that are not heard of are not honoured
            self._fatal("reading feedback and indicators failed", error)

    def _take(self, fetched: Mapping[Any, list[Any]]) -> bool:
        taken = False
        for tp, records in fetched.items():
            for record in records:
                try:
                    if tp.topic == self._topics.feedback:
                        self._take_feedback(record)
                    else:
                        self._take_indicator(record)
                    taken = True
                except RecordError as error:
                    self._on_error(error)
                    log.warning("%s passed over: %s", error.position, error.reason)
        return taken

    def _take_feedback(self, record: Any) -> None:
        word = _read(_feedback, "feedback", record)
        if word in self._feedback:  # sent twice
            return
        self._feedback[word] = None
        self._taken += 1
        heappush(self._by_age, (word.time_ms, self._taken, word))
        if len(self._feedback) > MAX_FEEDBACK:
            del self._feedback[heappop(self._by_age)[2]]

    def _take_indicator(self, record: Any) -> None:
        value = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            self.indicators.pop(value, None)
            return
        indicator = _read(_indicator, "indicators", record)
        if not value or (value not in self.indicators and len(self.indicators) >= MAX_INDICATORS):
            reason = "too_many" if value else "malformed"
            raise RecordError("indicators", _position(record), reason, "not taken in")
        self.indicators[value] = indicator


def _read(decoder: msgspec.json.Decoder[Any], adapter: str, record: Any) -> Any:
    if len(record.value or b"") + len(record.key or b"") > MAX_BYTES:
        raise RecordError(adapter, _position(record), "too_large", f"more than {MAX_BYTES:,} bytes")
    try:
        return decoder.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(adapter, _position(record), "malformed", str(error)) from error


def _position(record: Any) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"
