"""Follows a Zstandard file's frames, to know whether it ended within one: the decompressor does not say.

See RFC 8878, sections 3.1.1 and 3.1.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["ZstandardFrames"]

_MAGIC = 0xFD2FB528
_DICTIONARY_BYTES = (0, 1, 2, 4)
_SIZE_BYTES = (0, 2, 4, 8)


class _Source(Protocol):
    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        ...


class ZstandardFrames:
    """A compressed file that is read through, with whether its frames are complete so far.

    >>> from io import BytesIO
    >>> whole = bytes.fromhex("28b52ffd2001090000 61".replace(" ", ""))  # a frame with one raw block: "a"
    >>> frames = ZstandardFrames(BytesIO(whole))
    >>> frames.read(8) == whole[:8], frames.complete, frames.read() == whole[8:], frames.complete
    (True, False, True, True)
    """

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._skip = 0  # bytes of a block, a header's rest or a checksum
        self._part = b""  # what has come of the next header
        self._want = 4
        self._then: Callable[[bytes], None] = self._magic
        self._checksum = 0

    @property
    def complete(self) -> bool:
        """Whether no frame is open: more may follow, and need not."""
        return self._then == self._magic and not self._part and not self._skip

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        data = self._source.read(size)
        self._follow(data)
        return data

    def _follow(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            step = min(self._want - len(self._part), len(data) - at)
            self._part += data[at : at + step]
            at += step
            if len(self._part) == self._want:
                part, self._part = self._part, b""
                self._then(part)

    def _expect(self, size: int, then: Callable[[bytes], None]) -> None:
        self._want, self._then = size, then

    def _magic(self, part: bytes) -> None:
        if int.from_bytes(part, "little") == _MAGIC:
            self._expect(1, self._descriptor)
        else:  # a frame to be skipped, or what the decompressor refuses
            self._expect(4, self._skippable)

    def _skippable(self, part: bytes) -> None:
        self._skip = int.from_bytes(part, "little")
        self._expect(4, self._magic)

    def _descriptor(self, part: bytes) -> None:
        flags = part[0]
        single = flags >> 5 & 1
        size = _SIZE_BYTES[flags >> 6] or single
        self._skip = (1 - single) + _DICTIONARY_BYTES[flags & 3] + size
        self._checksum = 4 * (flags >> 2 & 1)
        self._expect(3, self._block)

    def _block(self, part: bytes) -> None:
        header = int.from_bytes(part, "little")
        repeated = header >> 1 & 3 == 1  # one byte stands for all
        self._skip = 1 if repeated else header >> 3
        if header & 1:
            self._skip += self._checksum
            self._expect(4, self._magic)
