"""A file that appears whole or not at all: it is written beside its place and moved there when it is complete."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import IO, Self

__all__ = ["AtomicFile", "assert_writable", "part_of"]


def part_of(path: Path) -> Path:
    """Where a file is written until it is complete.

    >>> str(part_of(Path("out/alerts.jsonl")))
    'out/alerts.jsonl.part'
    """
    return path.with_name(f"{path.name}.part")


class AtomicFile:
    """A context manager: what is written is at the path once the block has ended without an exception.

    What was there before stays until then. A device or a pipe is written as it comes, and so is a file in a folder
    that takes no others. Raises `OSError` with the path in it, for a full disk as for what cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target = Path(os.path.realpath(path))
        self._part: Path | None = part_of(self._target)
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            if self._target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if _is_special(self._path):  # its own name, as the one behind a link may not be there
                self._part = None
                self._file = self._path.open("wb")
            else:
                self._file = self._begun()
        except OSError as error:
            raise self._named(error) from error
        return self

    def _begun(self) -> IO[bytes]:
        try:
            return part_of(self._target).open("wb")
        except PermissionError:
            if not os.access(self._target, os.W_OK):
                raise
            self._part = None
            return self._target.open("wb")

    def write(self, data: bytes) -> None:
        """Add some bytes."""
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as error:
            raise self._named(error) from error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._file is not None
        try:
            self._file.close()
            if self._part is not None and kind is None:
                self._move(self._part)
        except OSError as error:
            if kind is None:
                raise self._named(error) from error
        finally:
            if self._part is not None:
                self._part.unlink(missing_ok=True)

    def _move(self, part: Path) -> None:
        try:
            part.replace(self._target)
        except OSError:  # a file that is mounted into a container cannot be replaced
            if not self._target.is_file():
                raise
            shutil.copyfile(part, self._target)

    def _named(self, error: OSError) -> OSError:
        return OSError(error.errno, error.strerror or str(error), str(self._path))


def assert_writable(path: Path) -> None:
    """Raise `OSError` if a file cannot be written, as far as can be told without touching it."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not target.parent.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not (os.access(target.parent, os.W_OK | os.X_OK) or os.access(path, os.W_OK)):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _is_special(path: Path) -> bool:
    """Whether it is a device or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()
