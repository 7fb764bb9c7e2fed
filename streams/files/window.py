"""The part of a file in memory while it is split into records; memory stays constant."""

from __future__ import annotations

from typing import Protocol

import msgspec

from detector.errors import CrmwatchError

__all__ = [
    "BLOCK_BYTES",
    "MAX_RECORD_BYTES",
    "USUAL_BYTES",
    "ContentError",
    "Frame",
    "Pace",
    "Readable",
    "Window",
]

MAX_RECORD_BYTES = 1_000_000
"""A longer record is cut to one byte more than this, which marks it as too long."""
BLOCK_BYTES = 262_144
FIRST_BLOCK_BYTES = 32_768
"""A smaller first block: many files are small, and allocating a large block takes time."""
USUAL_BYTES = 16_384
"""How far to search for a line's end: an array without line ends must not be searched for every record."""


class Readable(Protocol):
    """An open file; read piece by piece, so that data before damage is not lost."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        ...


class ContentError(CrmwatchError):
    """Why no more of a file can be read, in words that follow its name."""


class Frame(msgspec.Struct, frozen=True):
    """A record within a file."""

    record: bytes
    line: int
    """The line, from 1, on which it starts."""
    fault: str = ""
    """A known fault of the record; empty for none."""


class Window:
    """The part of a file in memory; `at` is the start of unread bytes in `data`, on line `line`."""

    def __init__(self, file: Readable, encoding: str = "UTF-8") -> None:
        """`encoding` is the file's own; what is read is UTF-8."""
        self._file = file
        self.encoding = encoding
        self._ended = False
        self._block_bytes = FIRST_BLOCK_BYTES
        self.data = b""
        self.at = 0
        self.line = 1
        self.fault = ""

    def __len__(self) -> int:
        return len(self.data) - self.at

    def more(self) -> bool:
        """Add another block and drop the bytes before `at`; returns whether there was one."""
        if self._ended:
            return False
        block = b""
        try:
            block = self._file.read1(self._block_bytes)
        except ContentError as error:
            self.fault = str(error)
        except Exception as error:  # noqa: BLE001 - decompressors' errors have no class in common
            self.fault = f"the file breaks off: {type(error).__name__}: {str(error)[:100]}"
        self._ended = not block
        self._block_bytes = BLOCK_BYTES if len(block) == self._block_bytes else FIRST_BLOCK_BYTES
        self.data = self.data[self.at :] + block
        self.at = 0
        return not self._ended

    def skip(self, size: int) -> None:
        """Move the start forward."""
        self.line += self.data.count(b"\n", self.at, self.at + size)
        self.at += size

    def take(self, size: int) -> Frame:
        """The next `size` bytes as a record, cut if it is too long."""
        record = self.data[self.at : self.at + min(size, MAX_RECORD_BYTES + 1)]
        frame = Frame(record, self.line)
        self.skip(size)
        return frame

    def take_line(self) -> Frame | None:
        """The next line without its end, cut if it is too long; ``None`` at the end."""
        searched = 0
        while (end := self.data.find(b"\n", self.at + searched)) < 0:
            searched = len(self)
            if searched > MAX_RECORD_BYTES:
                frame = self.take(searched)
                while (end := self.data.find(b"\n", self.at)) < 0:
                    self.skip(len(self))
                    if not self.more():
                        return frame
                self.skip(end + 1 - self.at)
                return frame
            if not self.more():
                return self.take(searched) if searched else None
        frame = self.take(end - self.at)
        self.skip(1)
        return frame


class Pace:
    """How much to read at once: less, and for a while nothing, after repeated failures."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes; with 0 every record is parsed closely."""
        self._most = most
        self._careful = 0  # how many records to parse closely first
        self._pause = 1
        self.size = most
        """How many bytes to read."""

    def wait(self) -> None:
        """Parse the next record closely in any case."""
        self._careful = 1

    def ready(self) -> bool:
        """Whether to try reading many at once; asked once per record."""
        self._careful -= 1
        return self._careful < 0 < self._most

    def tried(self, size: int, *, whole: bool) -> None:
        """Learn from a try: how many bytes it covered, and whether that was everything."""
        if whole:
            self.size = min(self._most, 2 * self.size)
            self._pause, self._careful = 1, 0
        elif size:
            self.size = max(USUAL_BYTES, 2 * size)
            self._pause, self._careful = 1, 1
        else:
            self.size = USUAL_BYTES
            self._pause = min(1_024, 2 * self._pause)
            self._careful = self._pause - 1  # besides the one in the way now
