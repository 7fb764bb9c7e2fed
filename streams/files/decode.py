"""Decodes files' records into lists of events, framing and decoding in one pass for speed.

The events equal those of decoding each record from `streams.files.reader.read`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from sys import maxsize

import msgspec

from detector.adapters import ADAPTERS, Adapter, RecordError, decode, reject_future
from detector.adapters.adapter import UNREADABLE, RowReader
from detector.adapters.registry import FUTURE_MS
from detector.event import AccessEvent
from streams.files.contents import contents
from streams.files.external_sort import Key, Sorter
from streams.files.framing import CsvRows, Frame, ObjectLines, batches, is_object, row_object
from streams.files.pages import Pages
from streams.files.reader import (
    EVERY_ADAPTER,
    FileRecord,
    decode_record,
    files_of,
    shown,
)

__all__ = ["CHUNK_RECORDS", "EVENT_KEY", "PART_LINES", "Decoded", "FilePart", "decoded", "events_in_order"]

CHUNK_RECORDS = 200_000
"""How many events are held in memory before they spill to the disk."""
CHUNK_BYTES = 192_000_000
"""Events of at most so many bytes of records are held; an event takes about as much as its record."""
BATCH_RECORDS = 512
MAX_HEADERS = 64
"""How many headers of one file's tables are remembered."""
PART_LINES = 4_096
"""How many consecutive lines of a file belong to the same part."""

RecordReader = Callable[[bytes, str], AccessEvent]


EVENT_KEY: Key = (attrgetter("time_ms"), attrgetter("event_id"), msgspec.msgpack.Encoder().encode)
"""The order in which events are applied: by time, id, content, and last by position."""


class FilePart(msgspec.Struct, frozen=True, array_like=True):
    """A file, or the stretches of its lines that one of several processes decodes."""

    path: str
    number: int = 0
    parts: int = 1


class Decoded(msgspec.Struct):
    """The events of some records of a file."""

    events: list[AccessEvent] = []
    unread: list[tuple[FileRecord, RecordError]] = []
    """The records without an event, in their order, and why."""
    size_bytes: int = 0
    """The records' approximate size."""


def decoded(
    part: FilePart, adapters: Sequence[Adapter] = EVERY_ADAPTER, arrived_ms: int | None = None
) -> Iterator[Decoded]:
    """The records of a file, some hundreds at a time.

    An event well after `arrived_ms` is rejected, as by `detector.adapters.reject_future`. Raises `ReadError` for a file
    that cannot be opened.
    """
    return _File(part, adapters, arrived_ms).decoded()


class _File:
    def __init__(self, part: FilePart, adapters: Sequence[Adapter], arrived_ms: int | None) -> None:
        self._part = part
        self._adapters = adapters
        self._arrived_ms = arrived_ms
        self._latest_ms = maxsize if arrived_ms is None else arrived_ms + FUTURE_MS
        self._name = shown(part.path)
        self._pages = Pages(adapters)
        # The built-in formats do not overlap; a mapping's or a plug-in's may overlap with any of them.
        self._built_in = adapters is EVERY_ADAPTER or all(
            ADAPTERS.get(adapter.name) is adapter for adapter in adapters
        )
        self._usual: Adapter | None = adapters[0] if len(adapters) == 1 else None
        self._headers: dict[tuple[str, ...], RowReader | None] = {}
        self._result = Decoded()

    def decoded(self) -> Iterator[Decoded]:
        for content in contents(self._part.path):
            self._name = content.name
            if content.file is None:
                if self._is_ours(1):
                    self._add(b"", 1, content.fault)
                continue
            for batch in batches(content.file, self._pages):
                if isinstance(batch, Frame):
                    if self._is_ours(batch.line):
                        self._add(batch.record, batch.line, batch.fault)
                elif isinstance(batch, CsvRows):
                    self._add_rows(batch)
                else:
                    self._add_lines(batch)
                result = self._result
                if len(result.events) + len(result.unread) >= BATCH_RECORDS:
                    yield result
                    self._result = Decoded()
        yield self._result

    def _is_ours(self, line: int) -> bool:
        part = self._part
        return part.parts == 1 or line // PART_LINES % part.parts == part.number

    def _add(self, record: bytes, line: int, fault: str = "") -> None:
        """Decode one record with all checks."""
        result = self._result
        position = f"{self._name}:{line}"
        result.size_bytes += len(record)
        try:
            event = decode_record(record, position, fault, self._adapters)
            if event.time_ms > self._latest_ms:
                reject_future(event, self._arrived_ms or 0)
        except RecordError as error:
            result.unread.append((FileRecord(record, position, self._name, fault), error))
            return
        result.events.append(event)
        if len(self._adapters) > 1 and self._built_in:
            self._usual = ADAPTERS[event.origin.adapter]

    def _add_lines(self, lines: ObjectLines) -> None:
        """Decode lines up to the first that the adapter of the record before cannot read."""
        records, first = lines.records, lines.line
        ours = len(records)
        while lines.taken < len(records):
            if self._part.parts > 1:  # up to where the lines of another part begin
                ours = min(len(records), lines.taken + PART_LINES - (first + lines.taken) % PART_LINES)
            end = lines.taken
            if self._is_ours(first + end):
                self._add_own_lines(lines, ours)
            else:
                while lines.taken < ours and is_object(records[lines.taken]):
                    lines.taken += 1
            if lines.taken < ours:
                return

    def _add_own_lines(self, lines: ObjectLines, end: int) -> None:
        read, recognises, whole = self._usually()
        start = lines.taken
        records = lines.records[start:end]
        line, prefix = lines.line + start, self._name + ":"
        events: list[AccessEvent] = []
        append = events.append
        try:
            for record in records:
                if (recognises and not recognises(record)) or (whole and not is_object(record)):
                    break
                append(read(record, prefix + str(line)))
                line += 1
        except UNREADABLE:
            pass  # `_add` says why
        if self._latest_ms < maxsize:
            late = (number for number, event in enumerate(events) if event.time_ms > self._latest_ms)
            del events[next(late, len(events)) :]
        lines.taken += len(events)
        self._result.size_bytes += sum(map(len, records[: len(events)]))
        self._result.events += events

    def _usually(self) -> tuple[RecordReader, Callable[[bytes], bool] | None, bool]:
        """What reads most records, what recognises them, and whether they must be checked to be objects."""
        adapter = self._usual
        if adapter is None:
            return lambda record, position: decode(record, position, self._adapters), None, True
        recognises = adapter.recognises if len(self._adapters) > 1 else None
        return adapter.event, recognises, not adapter.reads_objects_only

    def _add_rows(self, rows: CsvRows) -> None:
        header, line = rows.header, rows.line
        decode = self._row_decoder(header)
        if decode is None:
            for fields in rows.fields:
                if self._is_ours(line):
                    self._add(row_object(header, fields), line)
                line += 1
            return
        result = self._result
        append, prefix, latest_ms = result.events.append, self._name + ":", self._latest_ms
        everything = self._part.parts == 1
        for fields in rows.fields:
            if everything or self._is_ours(line):
                try:
                    event = decode(fields, prefix + str(line))
                except UNREADABLE:
                    self._add(row_object(header, fields), line)
                else:
                    if event.time_ms > latest_ms:
                        self._add(row_object(header, fields), line)
                    else:
                        append(event)
            line += 1
        result.size_bytes += rows.size_bytes

    def _row_decoder(self, header: list[str]) -> RowReader | None:
        """What reads the rows under a header without making objects of them, where one of the adapters can."""
        key = tuple(header)
        if key not in self._headers:
            if len(self._headers) >= MAX_HEADERS:
                self._headers.clear()
            readers = (adapter.columns(header) for adapter in self._adapters if self._built_in)
            self._headers[key] = next((reader for reader in readers if reader is not None), None)
        return self._headers[key]


def events_in_order(
    paths: Sequence[str],
    *,
    on_unread: Callable[[FileRecord, RecordError], None],
    adapters: Sequence[Adapter] = EVERY_ADAPTER,
    arrived_ms: int | None = None,
    chunk_records: int = CHUNK_RECORDS,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[AccessEvent]:
    """The events in files, in the order of their times; `on_unread` first gets each record that has none.

    The order, and the paths, are those of `streams.files.reader.read_in_order`, and so are the errors; the records
    themselves are not kept, which makes this several times as fast. `arrived_ms` is as for `decoded`.
    """
    parts = [FilePart(file) for path in paths for file in files_of(path)]
    some = (result for part in parts for result in decoded(part, adapters, arrived_ms))
    return _in_order(some, on_unread, chunk_records, chunk_bytes)


def _in_order(
    some: Iterator[Decoded],
    on_unread: Callable[[FileRecord, RecordError], None],
    chunk_records: int,
    chunk_bytes: int,
) -> Iterator[AccessEvent]:
    with Sorter[AccessEvent](AccessEvent, EVENT_KEY) as sorter:
        chunk: list[AccessEvent] = []
        size = 0
        for result in some:
            for raw, error in result.unread:
                on_unread(raw, error)
            chunk += result.events
            size += result.size_bytes
            if len(chunk) >= chunk_records or size >= chunk_bytes:
                sorter.put_away(chunk)
                chunk = []
                size = 0
        for block in sorter.merged(chunk):
            yield from block
