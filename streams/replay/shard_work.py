"""One shard of a replay: decoding a part of the files for all shards, then applying the events of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

import msgspec

from detector.adapters import Adapter, RecordError, Rejection
from detector.event import AccessEvent
from streams.files.decode import CHUNK_BYTES, CHUNK_RECORDS, EVENT_KEY, FilePart, decoded
from streams.files.external_sort import Key, RunFile, SortedRun, arrange
from streams.files.reader import EVERY_ADAPTER, FileRecord
from streams.kafka.messages import partition_of

__all__ = [
    "EVENTS",
    "UNREAD",
    "AdapterChoice",
    "DecodedRuns",
    "Decoding",
    "ShardContext",
    "ShardMessage",
    "ShardWork",
    "Task",
    "Unread",
    "every_adapter",
    "run_work",
]

PROGRESS_RECORDS = 20_000


class ShardContext(msgspec.Struct, frozen=True, array_like=True):
    """What a shard knows before its first event."""

    number: int
    shards: int
    first_ms: int | None
    """The time of the first event of all shards; ``None`` if there is none."""
    last_ms: int | None
    """The time of the last event of all shards."""
    options: bytes
    """What `streams.replay.parallel.run` was given."""


class ShardMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A result of a shard's events."""

    time_ms: int
    """Event time; never before that of the message before it."""
    key: str
    """What it is about, such as an identity: messages of one time come by their keys, so that a key must not occur
    in two shards."""
    body: bytes
    """Without one a message is not handed on. It says that none of an earlier time will come, so that others that
    wait for this shard need not."""


ShardWork = Callable[[ShardContext, Iterator[AccessEvent]], Iterator[ShardMessage]]
AdapterChoice = Callable[[bytes], Sequence[Adapter]]
"""Options → the adapters that read the records."""


class Task(msgspec.Struct, frozen=True, array_like=True):
    """The task of a process."""

    number: int
    shards: int
    parts: list[FilePart]
    arrived_ms: int | None
    options: bytes


class Unread(msgspec.Struct, frozen=True, array_like=True):
    """A record without an event, and why."""

    source: str
    line: int
    raw: FileRecord
    adapter: str
    reason: Rejection
    detail: str


class DecodedRuns(msgspec.Struct, frozen=True, array_like=True):
    """The result of decoding, and where it lies."""

    events: list[list[SortedRun]]
    """By shard."""
    unread: list[SortedRun]
    records: int
    first_ms: int | None
    last_ms: int | None


_encode = msgspec.msgpack.Encoder().encode
_UNREAD_KEY: Key = (lambda unread: unread.source, lambda unread: unread.line, _encode)
EVENTS = RunFile[AccessEvent](AccessEvent, EVENT_KEY)
UNREAD = RunFile[Unread](Unread, _UNREAD_KEY)


class Decoding:
    """Sorts the events and unread records of parts of files by shard, and spills them to a file when there are many."""

    def __init__(self, task: Task, adapters: Sequence[Adapter], file: IO[bytes]) -> None:
        self._task = task
        self._adapters = adapters
        self._file = file
        self._events: list[list[AccessEvent]] = [[] for _ in range(task.shards)]
        self._unread: list[Unread] = []
        self._runs: list[list[SortedRun]] = [[] for _ in range(task.shards)]
        self._unread_runs: list[SortedRun] = []
        self._shard_of: dict[str, int] = {}
        self._first_ms: int | None = None
        self._last_ms: int | None = None
        self._records = 0

    def read(self, parts: Iterable[FilePart], on_records: Callable[[int], None]) -> None:
        """Decode parts of files and report the number of records now and then. Raises `ReadError`."""
        most = max(10_000, CHUNK_RECORDS // self._task.shards)
        held = size = reported = 0
        for part in parts:
            for some in decoded(part, self._adapters, self._task.arrived_ms):
                self._add(some.events)
                self._unread += [_unread(raw, error) for raw, error in some.unread]
                size += some.size_bytes
                held += len(some.events) + len(some.unread)
                if held >= most or size >= CHUNK_BYTES // self._task.shards:
                    self._put_away(keep=None)
                    held = size = 0
                self._records += len(some.events) + len(some.unread)
                if self._records - reported >= PROGRESS_RECORDS:
                    reported = self._records
                    on_records(reported)
        on_records(self._records)

    def runs(self, keep: int | None) -> tuple[DecodedRuns, list[AccessEvent]]:
        """Where everything lies, except the newest events of the shard to `keep`: those are returned, sorted."""
        self._put_away(keep)
        kept = [] if keep is None else self._events[keep]
        arrange(kept, EVENT_KEY)
        runs = DecodedRuns(self._runs, self._unread_runs, self._records, self._first_ms, self._last_ms)
        return runs, kept

    def _add(self, events: list[AccessEvent]) -> None:
        if not events:
            return
        times = [event.time_ms for event in events]
        first, last = min(times), max(times)
        self._first_ms = first if self._first_ms is None else min(first, self._first_ms)
        self._last_ms = last if self._last_ms is None else max(last, self._last_ms)
        if self._task.shards == 1:
            self._events[0] += events
            return
        by_shard, shard_of = self._events, self._shard_of
        for event in events:
            name = event.identity
            shard = shard_of.get(name)
            if shard is None:
                if len(shard_of) >= 65_536:
                    shard_of.clear()
                shard = shard_of[name] = partition_of(name, self._task.shards)
            by_shard[shard].append(event)

    def _put_away(self, keep: int | None) -> None:
        for shard, events in enumerate(self._events):
            if events and shard != keep:
                self._runs[shard].append(EVENTS.write(events, self._file))
                self._events[shard] = []
        if self._unread:
            self._unread_runs.append(UNREAD.write(self._unread, self._file))
            self._unread = []


def _unread(raw: FileRecord, error: RecordError) -> Unread:
    line = int(raw.position.rpartition(":")[2])
    return Unread(raw.source, line, raw, error.adapter, error.reason, error.detail)


def run_work(
    work: ShardWork,
    shard: ShardContext,
    blocks: Iterable[list[AccessEvent]],
    on_applied: Callable[[int], None],
) -> Iterator[ShardMessage]:
    """Yield the messages of a shard's work. Raises ValueError for a message that goes back in time."""
    before: int | None = None
    for message in work(shard, _each(blocks, on_applied)):
        if before is not None and message.time_ms < before:
            raise ValueError(f"a message of {message.time_ms} ms after one of {before} ms")
        before = message.time_ms
        yield message


def _each(blocks: Iterable[list[AccessEvent]], on_applied: Callable[[int], None]) -> Iterator[AccessEvent]:
    applied = 0
    for block in blocks:
        yield from block
        applied += len(block)
        on_applied(applied)


def every_adapter(options: bytes) -> Sequence[Adapter]:
    """All built-in adapters, whatever the options."""
    return EVERY_ADAPTER
