"""A file that appears whole or not at all: it is written beside its place and moved there when it is complete."""

from __future__ import annotations

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
        if self._target.exists() and not self._target.is_file():
            self._part = None
        try:
            self._file = (self._part or self._target).open("wb")
        except PermissionError as error:
            if self._part is None or not os.access(self._target, os.W_OK):
                raise self._named(error) from error
            self._part = None
            self._file = self._target.open("wb")
        except OSError as error:
            raise self._named(error) from error
        return self

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
    """Raise `OSError` if a file cannot be written; nothing is left of the trial."""
    file = AtomicFile(path).__enter__()
    file.__exit__(OSError)
