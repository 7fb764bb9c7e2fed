"""Records out of files and folders, as they lie there or decoded and in the order of their times."""

from __future__ import annotations

import glob
import gzip
import heapq
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import BufferedReader
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from detector.adapters import ADAPTERS, Adapter, RecordError, decode
from detector.event import AccessEvent
from streams.framing import MAX_RECORD_BYTES, Frame, Readable, frames

__all__ = ["MAX_RECORD_BYTES", "Raw", "ReadError", "decode_raw", "decode_record", "read", "read_in_order"]

CHUNK_RECORDS = 200_000
"""How many records `read_in_order` holds before it goes to the disk."""
CHUNK_BYTES = 64_000_000
"""How many bytes of records it holds at most."""
RUN_BLOCK_BYTES = 65_536
EVERY_ADAPTER = tuple(ADAPTERS.values())


class ReadError(Exception):
    """A path that names nothing, or a file that cannot be opened."""


class Raw(msgspec.Struct, frozen=True, array_like=True):
    """A record as it lies in a file."""

    record: bytes
    """A JSON object or a line; one of more than `MAX_RECORD_BYTES` has been cut."""
    position: str
    """``path:line``, the line (from 1) being the one on which the record begins."""
    source: str
    """The file's path."""
    fault: str = ""
    """What the reader already knows to be wrong with it; empty for nothing."""


def read(paths: Sequence[str]) -> Iterator[Raw]:
    """The records in files, folders (recursively, in their names' order), globs and ``-`` (standard input).

    Gzip and Zstandard are seen through, by content, and so are an API's pages (``{"results": [{…}, {…}]}``)
    in files that begin with one. Raises `ReadError` at once for a path that names nothing, and in its turn for
    a file that cannot be opened; whatever is wrong inside a file becomes a record.
    """
    files = [file for path in paths for file in _files(path)]
    return (raw for file in files for raw in _raws(file))


def decode_raw(raw: Raw, adapters: Sequence[Adapter] = EVERY_ADAPTER) -> AccessEvent | RecordError:
    """The event that a record tells of, or why there is none; `adapters` as for `detector.adapters.decode`.

    Beside the adapters' reasons there is ``too_large``, for a record that has been cut.
    """
    try:
        return decode_record(raw.record, raw.position, raw.fault, adapters)
    except RecordError as error:
        return error


def decode_record(
    record: bytes, position: str, fault: str = "", adapters: Sequence[Adapter] = EVERY_ADAPTER
) -> AccessEvent:
    """The event that a record at a position tells of, whatever brought it. Raises `RecordError`."""
    if len(record) > MAX_RECORD_BYTES:
        raise RecordError("", position, "too_large", f"more than {MAX_RECORD_BYTES:,} bytes")
    if fault:
        raise RecordError("", position, "malformed", fault)
    return decode(record, position, adapters)


def read_in_order(
    paths: Sequence[str],
    *,
    adapters: Sequence[Adapter] = EVERY_ADAPTER,
    chunk_records: int = CHUNK_RECORDS,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[tuple[Raw, AccessEvent | RecordError]]:
    """Every record with its event: first those that have none, as they are read, then the others by time.

    Events of one time go by their id, their bytes and their position, so that the order of the paths does not
    matter. What does not fit into a chunk is sorted in a temporary file, which is gone when the iterator is.
    Raises `ReadError` as `read` does.
    """
    return _in_order(read(paths), adapters, chunk_records, chunk_bytes)


def _files(path: str) -> Iterator[str]:
    if path == "-":
        yield path
        return
    try:
        if Path(path).is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                inside = (str(Path(folder, name)) for name in sorted(names))
                yield from (file for file in inside if Path(file).is_file())
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
    yield from dict.fromkeys(file for match in found for file in _files(match))


def _raws(path: str) -> Iterator[Raw]:
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # a name need not be text
    with ExitStack() as stack:
        paged: bool | None = None
        for frame in frames(_open(path, stack)):
            if paged is None:
                paged = _PAGE.match(frame.record, 0, PAGE_HEAD_BYTES) is not None
            for one in _of_page(frame) if paged else (frame,):
                yield Raw(one.record, f"{shown}:{one.line}", shown, one.fault)


PAGE_HEAD_BYTES = 1_000
"""How far into a file it must be clear that it holds an API's answers rather than records."""
_PAGE = re.compile(
    rb'\s*+\{(?:\s*+"[\w@.]++"\s*+:\s*+(?:"[^"\\]*+"|[\w.+-]++)\s*+,)*+'
    rb'\s*+"(audit_logs|access_logs|results|value|records|Records|events)"\s*+:\s*+\[\s*+\{'
)
_page_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def _of_page(frame: Frame) -> Iterator[Frame]:
    """The records in a page of an API's answer, as ``{"results": [{…}, {…}]}``; another record is itself."""
    found = _PAGE.match(frame.record, 0, PAGE_HEAD_BYTES)
    if found is None or frame.fault or len(frame.record) > MAX_RECORD_BYTES:
        yield frame
        return
    try:
        items = _items_decoder.decode(_page_decoder.decode(frame.record)[found[1].decode()])
    except (msgspec.MsgspecError, RecursionError):
        yield frame
        return
    at = 0
    line = frame.line
    for item in map(bytes, items):
        start = frame.record.find(item, at)
        line += frame.record.count(b"\n", at, start)
        at = start
        yield Frame(item, line)


def _open(path: str, stack: ExitStack) -> Readable:
    try:
        standard = cast("BufferedReader", sys.stdin.buffer) if path == "-" else None
        file = standard or stack.enter_context(Path(path).open("rb"))  # noqa: SIM115 - the stack closes it
        start = file.peek(4)[:4]
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}") from error
    if start[:2] == b"\x1f\x8b":
        return stack.enter_context(gzip.GzipFile(fileobj=file))
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

_Entry = tuple[int, str, bytes, str, str, AccessEvent]
_place = itemgetter(0, 1, 2, 3)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Entry)


def _in_order(
    raws: Iterator[Raw], adapters: Sequence[Adapter], chunk_records: int, chunk_bytes: int
) -> Iterator[tuple[Raw, AccessEvent | RecordError]]:
    with tempfile.TemporaryFile() as file:
        runs: list[tuple[int, int]] = []
        chunk: list[_Entry] = []
        size = 0
        for raw in raws:
            event = decode_raw(raw, adapters)
            if isinstance(event, RecordError):
                yield raw, event
                continue
            chunk.append((event.time_ms, event.event_id, raw.record, raw.position, raw.source, event))
            size += len(raw.record)
            if len(chunk) >= chunk_records or size >= chunk_bytes:
                runs.append(_spill(chunk, file))
                chunk = []
                size = 0
        chunk.sort(key=_place)
        spilled = [_run(file.fileno(), start, end) for start, end in runs]
        for _, _, record, position, source, event in heapq.merge(*spilled, chunk, key=_place):
            yield Raw(record, position, source), event


def _spill(chunk: list[_Entry], file: BinaryIO) -> tuple[int, int]:
    """Write a chunk, sorted, each entry behind its length; returns where the run begins and ends."""
    chunk.sort(key=_place)
    start = file.tell()
    for entry in chunk:
        data = _encoder.encode(entry)
        file.write(len(data).to_bytes(4, "big"))
        file.write(data)
    file.flush()
    return start, file.tell()


def _run(descriptor: int, start: int, end: int) -> Iterator[_Entry]:
    """A run's entries; the runs share one file, so that there may be any number of them."""
    data = b""
    at = 0
    while start < end or at < len(data):
        length = int.from_bytes(data[at : at + 4], "big") if len(data) - at >= 4 else RUN_BLOCK_BYTES
        if len(data) - at < 4 + length and start < end:
            block = os.pread(descriptor, min(max(RUN_BLOCK_BYTES, length), end - start), start)
            start += len(block)
            data = data[at:] + block
            at = 0
            continue
        yield _decoder.decode(data[at + 4 : at + 4 + length])
        at += 4 + length
