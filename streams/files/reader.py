"""Reads records from files and folders, raw or decoded and in the order of their times."""

from __future__ import annotations

import glob
import gzip
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import BufferedReader, FileIO
from operator import attrgetter
from pathlib import Path
from typing import cast

import msgspec

from detector.adapters import ADAPTERS, Adapter, RecordError, decode
from detector.adapters.rejection import Rejection
from detector.errors import CrmwatchError
from detector.event import AccessEvent
from streams.files.external_sort import Key, Sorter
from streams.files.framing import MAX_RECORD_BYTES, Readable, frames
from streams.files.pages import Pages

__all__ = [
    "EVERY_ADAPTER",
    "MAX_RECORD_BYTES",
    "FileRecord",
    "ReadError",
    "decode_raw",
    "decode_record",
    "files_of",
    "opened",
    "read",
    "read_in_order",
    "shown",
]

CHUNK_RECORDS = 200_000
"""How many records `read_in_order` holds in memory before it spills to the disk."""
CHUNK_BYTES = 64_000_000
"""How many bytes of records it holds at most."""
EVERY_ADAPTER = tuple(ADAPTERS.values())


class ReadError(CrmwatchError):
    """A path that names nothing, or a file that cannot be opened."""


class FileRecord(msgspec.Struct, frozen=True, array_like=True):
    """A record as it is in a file."""

    record: bytes
    """A JSON object or a line; one of more than `MAX_RECORD_BYTES` has been cut."""
    position: str
    """``path:line``, the line (from 1) being the one on which the record begins."""
    source: str
    """The file's path."""
    fault: str = ""
    """The fault that the reader found in it, or empty."""


def read(paths: Sequence[str], adapters: Sequence[Adapter] = EVERY_ADAPTER) -> Iterator[FileRecord]:
    """The records in files, folders (recursively, in their names' order), globs and ``-`` (standard input).

    Gzip and Zstandard are recognised by content and decompressed. The pages of these adapters' APIs
    (``{"results": [{…}, {…}]}``) are taken apart in files that begin with one. Raises `ReadError` at once for a path
    that names nothing, and in its turn for a file that cannot be opened; whatever is wrong inside a file becomes
    a record.
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


def files_of(path: str) -> Iterator[str]:
    """The files that a path stands for, as `read` says. Raises `ReadError` for one that names nothing."""
    if path == "-":
        yield path
        return
    try:
        if Path(path).is_dir():
            yield from _inside(str(Path(path)))
            return
        if Path(path).exists():
            yield path
            return
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}") from error
    found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []  # noqa: PTH207 - absolute too
    if not found:
        raise ReadError(f"{path}: no such file or folder")
    # A `**` names a folder beside what is in it.
    yield from dict.fromkeys(file for match in found for file in files_of(match))


def _inside(folder: str) -> Iterator[str]:
    """The files in a folder in their names' order, then those in the folders in it; links to folders are skipped.

    A folder that cannot be read is skipped.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    here = folder == "."  # which goes without saying
    yield from (entry.name if here else entry.path for entry in entries if entry.is_file())
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _inside(entry.name if here else entry.path)


def shown(path: str) -> str:
    """A path as text; a file's name may be undecodable."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _raws(path: str, pages: Pages) -> Iterator[FileRecord]:
    name = shown(path)
    with ExitStack() as stack:
        paged: bool | None = None
        for frame in frames(opened(path, stack)):
            if paged is None:
                paged = pages.is_page(frame)
            for part in pages.records(frame) if paged else (frame,):
                yield FileRecord(part.record, f"{name}:{part.line}", name, part.fault)


class _Unbuffered:
    """A file that is read in blocks, for which a buffer would only be a copy."""

    def __init__(self, file: FileIO) -> None:
        self.read = self.read1 = file.read


def opened(path: str, stack: ExitStack) -> Readable:
    """A file's content, decompressed if need be; the stack closes it. Raises `ReadError`."""
    file: BufferedReader | _Unbuffered
    try:
        raw = None if path == "-" else stack.enter_context(FileIO(path))
        if raw is not None and raw.seekable():
            file = _Unbuffered(raw)
            start = os.pread(raw.fileno(), 4, 0)
        else:
            file = BufferedReader(raw) if raw is not None else cast("BufferedReader", sys.stdin.buffer)
            start = file.peek(4)[:4]
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}") from error
    if start[:2] == b"\x1f\x8b":
        return stack.enter_context(gzip.GzipFile(fileobj=file))  # type: ignore[arg-type] # `read` is all it needs
    if start == b"\x28\xb5\x2f\xfd":
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError as error:
            raise ReadError(
                f"{path}: Zstandard needs the extra 'zstd': pip install crmwatch[zstd]"
            ) from error
        opened: Readable = stack.enter_context(
            zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
        )
        return opened
    return file


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
