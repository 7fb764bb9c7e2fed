"""Operators' decisions, indicators and the directory, from a topic each: every worker holds all of them.

A worker reads these topics to their end before it processes anything, and follows them from then on. What it keeps of
them is bounded. A record that cannot be read or is not believed is counted, and logged by topic and offset without its
content.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import time
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from detector import decision as decisions
from detector.adapters import RecordError
from detector.adapters.rejection import Rejection
from detector.decision import Decision, DecisionError
from detector.decision_log import MAX_DECISIONS, DecisionLog
from detector.directory_entry import MAX_ENTRY_BYTES, DirectoryEntry
from detector.directory_file import MOST_ENTRIES
from detector.indicator_index import IndicatorIndex
from detector.mute import cut
from detector.settings import Indicator, TriageSettings
from detector.units import DAY_MS
from streams.kafka.signing import UNSIGNED, SignatureError, Signatures
from streams.kafka.topics import TopicNames

__all__ = ["OperatorInputs"]

log = logging.getLogger(__name__)

MAX_DECISION_BYTES = 8_192
MAX_INDICATOR_BYTES = 4_096
"""Nothing larger, its key included, is read."""
SAME_INDICATORS = 4_096
"""A feed's indicators differ in what they name alone: so many that say the same are one object."""

_indicator = lru_cache(SAME_INDICATORS)(msgspec.json.Decoder(Indicator).decode)
_entry = msgspec.json.Decoder(DirectoryEntry)


class OperatorInputs:
    """The content of these topics; `on_change` is called when decisions or the directory change."""

    def __init__(
        self,
        topics: TopicNames,
        *,
        keep_days: int,
        on_change: Callable[[], None],
        on_error: Callable[[RecordError], None] = lambda error: None,
        fatal: Callable[[str, BaseException], None],
        connection: Mapping[str, Any],
        most_entries: int = MOST_ENTRIES,
        signatures: Signatures = UNSIGNED,
        longest_mute_days: int = TriageSettings().longest_mute_days,
    ) -> None:
        """Records may lag `keep_days` behind: decisions that ended within that time are never dropped."""
        self._longest_mute_days = longest_mute_days
        self._topics = (topics.feedback, topics.indicators, topics.directory)
        self._handlers = {
            topics.feedback: ("decisions", MAX_DECISION_BYTES, self._take_decision),
            topics.indicators: ("indicators", MAX_INDICATOR_BYTES, self._take_indicator),
            topics.directory: ("directory", MAX_ENTRY_BYTES, self._take_entry),
        }
        self._indicators_topic = topics.indicators
        self._signatures = signatures
        self._on_change = on_change
        self._on_error = on_error
        self._fatal = fatal
        self._connection = connection
        self._consumer: Any = None
        self._task: asyncio.Task[None] | None = None
        self._decisions = DecisionLog(keep_days * DAY_MS, MAX_DECISIONS)
        self.indicators = IndicatorIndex()
        """The known-bad addresses, networks, agents and apps; it changes as they do."""
        self._most_entries = most_entries
        self.directory: dict[str, DirectoryEntry] = {}
        """The entries of the directory by their keys in the topic."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions, in the order in which they arrived."""
        return tuple(self._decisions)

    @property
    def dropped(self) -> int:
        """How many decisions without any effect have been dropped."""
        return self._decisions.dropped

    async def start(self) -> None:
        """Read the topics to their present end, and follow them. Raises aiokafka's `KafkaError`."""
        consumer = AIOKafkaConsumer(
            *self._topics,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **self._connection,
        )
        self._consumer = consumer
        await consumer.start()
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            self.take(await consumer.getmany(timeout_ms=1000))
        self._task = asyncio.create_task(self._follow(), name="operator inputs")

    async def stop(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
        if self._consumer is not None:
            await self._consumer.stop()

    async def _follow(self) -> None:
        try:
            while True:
                if self.take(await self._consumer.getmany(timeout_ms=1000)):
                    self._on_change()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - decisions that are not read have no effect
            self._fatal("reading decisions, indicators and the directory failed", error)

    def take(self, fetched: Mapping[Any, list[Any]]) -> bool:
        """Take in records as a client fetched them; whether decisions or the directory have changed."""
        taken = False
        for records in fetched.values():
            for record in records:
                try:
                    self._take_record(record)
                    taken = taken or record.topic != self._indicators_topic
                except RecordError as error:
                    self._on_error(error)
                    log.warning("%s: %s refused: %s", error.position, error.adapter, error.reason)
        return taken

    def _take_record(self, record: Any) -> None:
        name, most_bytes, take = self._handlers[record.topic]
        if len(record.value or b"") + len(record.key or b"") > most_bytes:
            raise RecordError(name, _position(record), Rejection.TOO_LARGE, f"more than {most_bytes:,} bytes")
        try:
            signed = self._signatures.check(record) is not None
        except SignatureError as error:
            raise RecordError(name, _position(record), error.reason, str(error)) from error
        take(record, signed)

    def _take_decision(self, record: Any, signed: bool) -> None:
        position = _position(record)
        try:
            decision = decisions.decode(record.value or b"")
            decisions.check_role(decision, stated=signed)
            decision = cut(decision, self._longest_mute_days)
        except DecisionError as error:
            raise RecordError("decisions", position, error.reason, str(error)) from error
        if not self._decisions.add(decision, round(time() * 1000)):
            raise RecordError(
                "decisions", position, Rejection.TOO_MANY, "all decisions held still have an effect"
            )

    def _take_indicator(self, record: Any, signed: bool) -> None:
        value = (record.key or b"").decode("utf-8", "replace")
        try:
            if record.value is None:
                self.indicators.withdraw(value)
                return
            taken = self.indicators.put(value, _indicator(record.value))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecordError("indicators", _position(record), Rejection.MALFORMED, str(error)) from error
        except ValueError as error:
            raise RecordError("indicators", _position(record), Rejection.BAD_VALUE, str(error)) from error
        if not taken:
            raise RecordError("indicators", _position(record), Rejection.TOO_MANY, "not taken in")

    def _take_entry(self, record: Any, signed: bool) -> None:
        key = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            self.directory.pop(key, None)
            return
        try:
            entry = _entry.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # what is wrong, without the value: it may be a name
            detail = (
                str(error).partition(" - at ")[0]
                if isinstance(error, msgspec.ValidationError)
                else "not JSON"
            )
            raise RecordError("directory", _position(record), Rejection.MALFORMED, detail) from None
        if key not in self.directory and len(self.directory) >= self._most_entries:
            raise RecordError("directory", _position(record), Rejection.TOO_MANY, "not taken in")
        self.directory[key] = entry


def _position(record: Any) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"
