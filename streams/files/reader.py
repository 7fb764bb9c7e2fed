"""Reads records from files and folders, raw or decoded and in the order of their times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

import msgspec

from detector.adapters import ADAPTERS, Adapter, RecordError, decode
from detector.adapters.rejection import Rejection
from detector.event import AccessEvent
from streams.files.contents import contents
from streams.files.external_sort import Key, Sorter
from streams.files.framing import MAX_RECORD_BYTES, frames
from streams.files.pages import Pages
from streams.files.paths import ReadError, files_of, shown, skipped_files
from streams.files.skipped import SkippedFile

__all__ = [
    "EVERY_ADAPTER",
    "MAX_RECORD_BYTES",
    "FileRecord",
    "ReadError",
    "SkippedFile",
    "decode_raw",
    "decode_record",
    "files_of",
    "read",
    "read_in_order",
    "shown",
    "skipped_files",
]

CHUNK_RECORDS = 200_000
"""How many records `read_in_order` holds in memory before it spills to the disk."""
CHUNK_BYTES = 64_000_000
"""How many bytes of records it holds at most."""
EVERY_ADAPTER = tuple(ADAPTERS.values())


class FileRecord(msgspec.Struct, frozen=True, array_like=True):
    """A record as it is in a file."""

    record: bytes
    """A JSON object or a line; one of more than `MAX_RECORD_BYTES` has been cut."""
    position: str
    """``path:line``, the line (from 1) being the one on which the record begins; ``path!member:line`` in an archive."""
    source: str
    """The file's path."""
    fault: str = ""
    """The fault that the reader found in it, or empty."""


def read(paths: Sequence[str], adapters: Sequence[Adapter] = EVERY_ADAPTER) -> Iterator[FileRecord]:
    """The records in files, folders (recursively, in their names' order), globs and ``-`` (standard input).

    Containers are opened as `streams.files.contents` says, and `skipped_files` have no records. The pages of these
    adapters' APIs (``{"results": [{…}, {…}]}``) are taken apart in files that begin with one. Raises `ReadError` at
    once for a path that names nothing, and in its turn for a file that cannot be opened; whatever is wrong inside a
    file becomes a record.
    """
    files = [file for path in paths for file in files_of(path)]
    pages = Pages(adapters)
    return (raw for file in files for raw in _raws(file, pages))


def decode_raw(raw: FileRecord, adapters: Sequence[Adapter] = EVERY_ADAPTER) -> AccessEvent | RecordError:
    """The event of a record, or why it has none; `adapters` as for `detector.adapters.decode`.

    A record that has been cut is `Rejection.TOO_LARGE`.
    """
    try:
        return decode_record(raw.record, raw.position, raw.fault, adapters)
    except RecordError as error:
        return error


def decode_record(
    record: bytes, position: str, fault: str = "", adapters: Sequence[Adapter] = EVERY_ADAPTER
) -> AccessEvent:
    """The event of a record at a position, whatever brought it. Raises `RecordError`."""
    if len(record) > MAX_RECORD_BYTES:
        raise RecordError("", position, Rejection.TOO_LARGE, f"more than {MAX_RECORD_BYTES:,} bytes")
    if fault:
        raise RecordError("", position, Rejection.MALFORMED, fault)
    return decode(record, position, adapters)


def read_in_order(
    paths: Sequence[str],
    *,
    adapters: Sequence[Adapter] = EVERY_ADAPTER,
    chunk_records: int = CHUNK_RECORDS,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[tuple[FileRecord, AccessEvent | RecordError]]:
    """Every record with its event: first those without one, as they are read, then the others by time.

    Events of one time go by their id, then by all that they say, and last by their position, so that the order
    of the paths does not matter. What does not fit into a chunk is sorted in a temporary file, which is gone when
    the iterator is. Raises `ReadError` as `read` does.
    """
    return _in_order(read(paths, adapters), adapters, chunk_records, chunk_bytes)


def _raws(path: str, pages: Pages) -> Iterator[FileRecord]:
    for content in contents(path):
        name = content.name
        if content.file is None:
            yield FileRecord(b"", f"{name}:1", name, content.fault)
            continue
        for frame in frames(content.file, pages):
            yield FileRecord(frame.record, f"{name}:{frame.line}", name, frame.fault)


# --- sorting


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    time_ms: int
    event_id: str
    event: AccessEvent
    raw: FileRecord


_encode = msgspec.msgpack.Encoder().encode
_PLACE: Key = (attrgetter("time_ms"), attrgetter("event_id"), lambda entry: _encode(entry.event))


def _in_order(
    raws: Iterator[FileRecord], adapters: Sequence[Adapter], chunk_records: int, chunk_bytes: int
) -> Iterator[tuple[FileRecord, AccessEvent | RecordError]]:
    with Sorter[_Entry](_Entry, _PLACE) as sorter:
        entries: list[_Entry] = []
        size = 0
        for raw in raws:
            event = decode_raw(raw, adapters)
            if isinstance(event, RecordError):
                yield raw, event
                continue
            entries.append(_Entry(event.time_ms, event.event_id, event, raw))
            size += len(raw.record)
            if len(entries) >= chunk_records or size >= chunk_bytes:
                sorter.put_away(entries)
                entries = []
                size = 0
        for block in sorter.merged(entries):
            for entry in block:
                yield entry.raw, entry.event
