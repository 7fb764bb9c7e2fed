"""Bounds how much a compressed file may become."""

from __future__ import annotations

from streams.files.window import ContentError, Readable

__all__ = ["ALWAYS_BYTES", "MAX_LAYERS", "MAX_MEMBERS", "MAX_RATIO", "Bounded", "Expansion"]

ALWAYS_BYTES = 64_000_000
"""A file may always become so many bytes."""
MAX_RATIO = 250
"""A file may become so many times its size, in all its layers and members; logs compress to a tenth or a fortieth."""
MAX_LAYERS = 6
"""How many containers may lie in one another: a tar.gz in a zip takes three."""
MAX_MEMBERS = 100_000
"""How many files an archive may hold, with those in the archives in it."""


class Expansion:
    """What a file may still become; its layers and members share it."""

    def __init__(self, size_bytes: int | None) -> None:
        """`size_bytes` is the file's size, or ``None`` while it is unknown: then what has been read of it counts."""
        self._size_bytes = size_bytes
        self._read_bytes = 0
        self._made_bytes = 0
        self._members = 0
        self.exceeded = False
        """Whether a bound has been reached: what else is in the file is not read."""

    def read(self, size_bytes: int) -> None:
        """Count bytes of the file itself."""
        self._read_bytes += size_bytes

    def made(self, size_bytes: int) -> None:
        """Count bytes that have come out of it. Raises `ContentError`."""
        self._made_bytes += size_bytes
        known = self._read_bytes if self._size_bytes is None else self._size_bytes
        if self._made_bytes > max(ALWAYS_BYTES, MAX_RATIO * known):
            self.exceeded = True
            raise ContentError(
                f"it becomes more than {max(ALWAYS_BYTES, MAX_RATIO * known):,} bytes, {MAX_RATIO} times its size;"
                " decompress it first if it can be trusted"
            )

    def member(self) -> None:
        """Count a member. Raises `ContentError`."""
        self._members += 1
        if self._members > MAX_MEMBERS:
            self.exceeded = True
            raise ContentError(f"it holds more than {MAX_MEMBERS:,} files")


class Bounded:
    """A file within a container, whose bytes count."""

    def __init__(self, file: Readable, expansion: Expansion) -> None:
        self._file = file
        self._expansion = expansion

    def read1(self, size: int, /) -> bytes:
        """As of the file. Raises `ContentError`."""
        data = self._file.read1(size)
        self._expansion.made(len(data))
        return data
