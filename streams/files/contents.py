"""The files in a file: those in archives and behind compression, by content, with all that cannot be opened named."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import os
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from typing import IO, Any, Protocol, cast

import msgspec

from streams.files.encoding import utf16_of
from streams.files.expansion import MAX_LAYERS, Bounded, Expansion
from streams.files.kinds import HEAD_BYTES, Container, container_of, foreign_kind, workbook_kind
from streams.files.parquet import parquet_lines
from streams.files.paths import ReadError, shown
from streams.files.skipped import skipped_name
from streams.files.window import ContentError, Readable
from streams.files.zstandard_frames import ZstandardFrames

__all__ = ["Content", "contents"]

MAX_NAME = 500
"""How many characters of a member's name are kept."""
XZ_MEMORY_BYTES = 256_000_000
ZIP_METHODS = {9: "Deflate64", 12: "bzip2", 14: "lzma", 93: "Zstandard", 95: "XZ"}


class Content(msgspec.Struct, frozen=True):
    """A file's bytes, or those of a file in it; or why there are none."""

    name: str
    """As positions name it: the path, with ``!member`` for each archive: ``logs.zip!elf.csv``."""
    file: Readable | None = None
    fault: str = ""
    """Why it cannot be read, in words that follow the name."""
    layers: tuple[str, ...] = ()
    """The containers that it lies in, the outermost first."""


def contents(path: str) -> Iterator[Content]:
    """The file at a path, or the files in it; each must be read before the next is asked for.

    Compression and archives are recognised by content and opened, also within one another, `MAX_LAYERS` deep;
    what they may become is bounded by `streams.files.expansion`. What cannot be read is a `Content` with a fault.
    Raises `ReadError` for a file that cannot be opened and for a kind whose extra is not installed.
    """
    name = shown(path)
    with ExitStack() as stack:
        try:
            raw = None if path == "-" else stack.enter_context(FileIO(path))
            if raw is not None and raw.seekable():
                head = os.pread(raw.fileno(), HEAD_BYTES, 0)
                source: _Source = _Unbuffered(raw)
                expansion = Expansion(os.fstat(raw.fileno()).st_size)
            else:
                expansion = Expansion(None)
                source = _Peeked(_Counted(raw or sys.stdin.buffer, expansion))
                head = source.head
        except (IsADirectoryError, PermissionError) as error:
            if not os.path.isdir(path):  # noqa: PTH112 - a name may hold what Path refuses
                raise ReadError(f"{path}: {error.strerror}") from error
            yield Content(name, fault="the folder cannot be read: Permission denied")
            return
        except (OSError, ValueError) as error:
            raise ReadError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        yield from _opened(Content(name, source), head, source, expansion)


class _Source(Readable, Protocol):
    """A file that decompressors can read."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        ...


class _Unbuffered:
    """A file that is read in blocks, for which a buffer would only be a copy."""

    def __init__(self, file: FileIO) -> None:
        self.file = file
        self.read = self.read1 = file.read


class _Counted:
    """A pipe or standard input, whose size is what has been read of it."""

    def __init__(self, file: FileIO | Any, expansion: Expansion) -> None:
        self._read = getattr(file, "read1", file.read)
        self._expansion = expansion

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        data: bytes = self._read(size)
        self._expansion.read(len(data))
        return data


class _Peeked:
    """A file whose first bytes have been looked at; an error in them comes when they have been read."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._error: Exception | None = None
        head = b""
        try:
            while len(head) < HEAD_BYTES and (block := file.read1(HEAD_BYTES - len(head))):
                head += block
        except Exception as error:  # noqa: BLE001 - decompressors' errors have no class in common
            self._error = error
        self.head = self._left = head

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        if self._left:
            data, self._left = self._left[:size], self._left[size:]
            return data
        if self._error is not None:
            raise self._error
        return self._file.read1(size)

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, as decompressors ask for them."""
        return self.read1(size if size >= 0 else HEAD_BYTES)


def _opened(content: Content, head: bytes, source: _Source, expansion: Expansion) -> Iterator[Content]:
    kind = container_of(head)
    if kind is None:
        foreign = "" if utf16_of(head) else foreign_kind(head)
        yield Content(content.name, fault=f"it is {foreign}", layers=content.layers) if foreign else content
        return
    if len(content.layers) >= MAX_LAYERS:
        yield Content(content.name, fault=f"more than {MAX_LAYERS} containers lie in one another")
        return
    layers = (*content.layers, kind.value)
    inner = Content(content.name, layers=layers)
    try:
        if kind is Container.ZIP:
            yield from _zip_members(inner, source, expansion)
        elif kind is Container.TAR:
            yield from _tar_members(inner, source, expansion)
        elif kind is Container.PARQUET:
            with _seekable(source) as copy:
                file = parquet_lines(copy, content.name)
                yield msgspec.structs.replace(inner, file=Bounded(file, expansion))
        else:
            yield from _inside(inner, _decompressed(kind, source, content.name), expansion)
    except ReadError:
        raise
    except ContentError as error:
        yield Content(content.name, fault=str(error), layers=layers)
    except Exception as error:  # noqa: BLE001 - damaged archives raise whatever their reader meets
        what = f"the {kind.value} file is damaged or cut off: {type(error).__name__}: {str(error)[:100]}"
        yield Content(content.name, fault=what, layers=layers)


def _inside(content: Content, file: Readable, expansion: Expansion) -> Iterator[Content]:
    """What is in a file that a container holds."""
    peeked = _Peeked(Bounded(file, expansion))
    yield from _opened(msgspec.structs.replace(content, file=peeked), peeked.head, peeked, expansion)


def _decompressed(kind: Container, source: _Source, name: str) -> Readable:
    if kind is Container.GZIP:
        return gzip.GzipFile(fileobj=cast("IO[bytes]", source))
    if kind is Container.BZIP2:
        return _Decompressed(source, bz2.BZ2Decompressor)
    if kind is Container.XZ:
        return _Decompressed(source, lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY_BYTES))
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError as error:
        raise ReadError(f"{name}: Zstandard needs the extra 'zstd': pip install crmwatch[zstd]") from error
    frames = ZstandardFrames(source)
    reader: Readable = zstandard.ZstdDecompressor().stream_reader(
        frames, read_across_frames=True, closefd=False
    )
    return _Complete(reader, frames)


class _Complete:
    """A decompressed file whose reader does not say when it ends within a frame."""

    def __init__(self, reader: Readable, frames: ZstandardFrames) -> None:
        self._reader = reader
        self._frames = frames

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes. Raises EOFError if the file ends within a frame."""
        data = self._reader.read1(size)
        if not data and not self._frames.complete:
            raise EOFError("it ended before the end of its data")
        return data


class _Decompressed:
    """A file of one or several compressed streams, decompressed a block at a time."""

    def __init__(
        self, source: _Source, new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
    ) -> None:
        self._source = source
        self._new = new
        self._decompressor = new()

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes. Raises EOFError if the file ends within a stream."""
        while True:
            decompressor = self._decompressor
            if decompressor.eof:
                block = decompressor.unused_data.lstrip(b"\x00") or self._source.read(65_536).lstrip(b"\x00")
                if not block:
                    return b""
                decompressor = self._decompressor = self._new()
            elif decompressor.needs_input:
                block = self._source.read(65_536)
                if not block:
                    raise EOFError("it ended before the end of its data")
            else:
                block = b""
            if data := decompressor.decompress(block, size):
                return data


class _TarEntry(tarfile.TarInfo):
    """An archive's entry; a damaged one is an error, and not the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _TarEntry:
        """The next entry. Raises `ContentError` for a damaged one."""
        start = tarfile.offset
        try:
            return super().fromtarfile(tarfile)
        except (_INVALID, _TRUNCATED) as error:
            raise ContentError(f"the tar file is damaged or cut off at byte {start:,}: {error}") from error


_INVALID: type[Exception] = tarfile.InvalidHeaderError  # type: ignore[attr-defined] # typeshed leaves them out
_TRUNCATED: type[Exception] = tarfile.TruncatedHeaderError  # type: ignore[attr-defined]


def _tar_members(archive: Content, source: _Source, expansion: Expansion) -> Iterator[Content]:
    fileobj = cast("IO[bytes]", source)
    with tarfile.open(fileobj=fileobj, mode="r|", tarinfo=_TarEntry, errors="surrogateescape") as tar:
        for entry in tar:
            tar.members = []  # type: ignore[attr-defined] # they would pile up
            file = tar.extractfile(entry) if entry.isfile() else None
            if file is None or skipped_name(entry.name):
                continue
            expansion.member()
            yield from _inside(_member(archive, entry.name), cast("Readable", file), expansion)
            if expansion.exceeded:
                return
        rest = cast("IO[bytes]", tar.fileobj)
        while block := rest.read(tarfile.BLOCKSIZE):
            if block.strip(b"\x00"):
                raise ContentError(
                    "something follows the tar file's end, such as another one: take them apart first"
                )


def _zip_members(archive: Content, source: _Source, expansion: Expansion) -> Iterator[Content]:
    with _seekable(source) as copy, zipfile.ZipFile(copy) as found:
        entries = found.infolist()
        if kind := workbook_kind([entry.filename for entry in entries]):
            yield msgspec.structs.replace(archive, fault=f"it is {kind}", layers=archive.layers[:-1])
            return
        for entry in entries:
            if entry.is_dir() or skipped_name(entry.filename):
                continue
            expansion.member()
            member = _member(archive, entry.filename)
            if entry.flag_bits & 1:
                yield msgspec.structs.replace(member, fault="it is encrypted: decrypt it first")
                continue
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile decompresses their blocks whole, whatever they become.
                how = ZIP_METHODS.get(entry.compress_type, f"method {entry.compress_type}")
                yield msgspec.structs.replace(member, fault=f"it is compressed by {how}: unpack it first")
                continue
            try:
                file = found.open(entry)
            except Exception as error:  # noqa: BLE001 - damaged members raise whatever zipfile meets
                what = f"it cannot be unpacked: {type(error).__name__}: {str(error)[:100]}"
                yield msgspec.structs.replace(member, fault=what)
                continue
            with file:
                yield from _inside(member, cast("Readable", file), expansion)
            if expansion.exceeded:
                return


def _member(archive: Content, name: str) -> Content:
    short = name if len(name) <= MAX_NAME else name[:MAX_NAME] + "…"
    return msgspec.structs.replace(archive, name=f"{archive.name}!{shown(short)}")


@contextmanager
def _seekable(source: _Source) -> Iterator[IO[bytes]]:
    """A file that can be read from its end; what comes through a pipe or another container is copied."""
    if isinstance(source, _Unbuffered):
        yield cast("IO[bytes]", source.file)
        return
    with tempfile.TemporaryFile() as copy:
        while data := source.read1(1_000_000):
            copy.write(data)
        copy.seek(0)
        yield copy
