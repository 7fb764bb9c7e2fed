"""A backup's file: a header, the copied records in frames, and a checksum of all of it at the end.

A frame is its length in four bytes and a msgpack value; an empty frame ends the file, and the SHA-256 of everything
before it follows. Both sides hold one frame at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from detector.errors import CrmwatchError

__all__ = ["Archive", "ArchiveError", "ArchiveWriter", "Copy", "Header", "SourcePosition"]

MAGIC = b"crmwatch backup\n"
ARCHIVE_VERSION = 1
LENGTH_BYTES = 4
DIGEST_BYTES = 32
MOST_FRAME_BYTES = 32 * 1024 * 1024
"""Kafka's largest record here has 8 MiB; a longer frame is damage, and is not read."""


class ArchiveError(CrmwatchError):
    """Why a file is no backup that can be restored; one sentence for a person."""


class SourcePosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition of an access topic was read."""

    topic: str
    topic_id: str
    """Kafka's own id: a topic that is deleted and created again has another one."""
    partition: int
    number: int
    """How messages and profiles name the source."""
    next_offset: int
    """The group's committed offset: the first record that is not read."""
    end_offset: int
    """Where the partition ended: the records from ``next_offset`` on are in the backup."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds."""

    version: int = ARCHIVE_VERSION
    release: str
    """The release of crmwatch that made it."""
    made_ms: int
    partitions: dict[str, int]
    """The partitions of each topic but the access topics, by what the topic is for (`streams.backup.contents`)."""
    next_offsets: dict[str, tuple[int, ...]]
    """Of topics of which the unread is copied, the first record of each partition that was not read."""
    sources: tuple[SourcePosition, ...]


class Copy(msgspec.Struct, frozen=True, array_like=True):
    """A record of a topic."""

    topic: str
    """What the topic is for, or the name of an access topic."""
    partition: int
    offset: int
    """Where it lay."""
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class _Version(msgspec.Struct):
    version: int


_encode = msgspec.msgpack.Encoder().encode
_version = msgspec.msgpack.Decoder(_Version)
_header = msgspec.msgpack.Decoder(Header)
_copy = msgspec.msgpack.Decoder(Copy)


class ArchiveWriter:
    """Writes a backup through a function that takes bytes; `end` must be called once all is written."""

    def __init__(self, write: Callable[[bytes], Any], header: Header) -> None:
        self._write = write
        self._hash = hashlib.sha256()
        self._put(MAGIC)
        self._frame(_encode(header))

    def add(self, copy: Copy) -> None:
        """Write a record."""
        self._frame(_encode(copy))

    def end(self) -> str:
        """Write the end; returns the checksum in hexadecimal."""
        self._put(bytes(LENGTH_BYTES))
        self._write(self._hash.digest())
        return self._hash.hexdigest()

    def _frame(self, data: bytes) -> None:
        self._put(len(data).to_bytes(LENGTH_BYTES, "big"))
        self._put(data)

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._write(data)


class Archive:
    """A context manager: a backup that has been read to its end once and is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.header: Header

    def __enter__(self) -> Self:
        """Raises `ArchiveError` for a file that is not a whole backup of a version that this release reads."""
        try:
            self._file = self._path.open("rb")
            if not self._file.seekable():
                raise ArchiveError(f"{self._path}: a backup is read twice, which a pipe cannot be")
            frames = self._frames()
            self.header = self._decoded_header(next(frames, b""))
            for frame in frames:
                self._decoded(_copy, frame)
        except OSError as error:
            self.__exit__(None, None, None)
            raise ArchiveError(f"{self._path}: cannot be read: {error.strerror}") from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def copies(self) -> Iterator[Copy]:
        """The records in their order. Raises `ArchiveError` if the file has changed since it was opened."""
        frames = self._frames()
        next(frames)  # the header
        for frame in frames:
            yield self._decoded(_copy, frame)

    def _frames(self) -> Iterator[bytes]:
        """The header's frame and the records'; at their end, the checksum is compared."""
        assert self._file is not None
        self._file.seek(0)
        found = hashlib.sha256()
        if self._file.read(len(MAGIC)) != MAGIC:
            raise ArchiveError(f"{self._path}: not a backup of crmwatch")
        found.update(MAGIC)
        while True:
            length = self._exactly(LENGTH_BYTES)
            found.update(length)
            size = int.from_bytes(length, "big")
            if size == 0:
                break
            if size > MOST_FRAME_BYTES:
                raise ArchiveError(f"{self._path}: the backup is damaged: a record of {size:,} bytes")
            frame = self._exactly(size)
            found.update(frame)
            yield frame
        if self._file.read(DIGEST_BYTES + 1) != found.digest():
            raise ArchiveError(f"{self._path}: the backup is damaged: its checksum does not match")

    def _exactly(self, size: int) -> bytes:
        assert self._file is not None
        data = self._file.read(size)
        if len(data) < size:
            raise ArchiveError(f"{self._path}: the backup is cut off")
        return data

    def _decoded_header(self, frame: bytes) -> Header:
        version = self._decoded(_version, frame).version
        if version != ARCHIVE_VERSION:
            raise ArchiveError(
                f"{self._path}: a backup of version {version}; this release reads {ARCHIVE_VERSION}"
            )
        header: Header = self._decoded(_header, frame)
        return header

    def _decoded(self, decoder: msgspec.msgpack.Decoder[Any], frame: bytes) -> Any:
        try:
            return decoder.decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArchiveError(f"{self._path}: the backup is damaged: {error}") from error
