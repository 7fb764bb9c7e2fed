"""The files that paths stand for: files, folders, globs and standard input."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from detector.errors import CrmwatchError
from streams.files.skipped import SkippedFile, skipped_name

__all__ = ["ReadError", "files_of", "shown", "skipped_files"]


class ReadError(CrmwatchError):
    """A path that names nothing, or a file that cannot be opened."""


def files_of(path: str) -> Iterator[str]:
    """The files to read that a path stands for: a file, a folder (recursively, in its names' order), a glob or ``-``.

    A folder that may not be read is among them; opening it says so. Raises `ReadError` for a path that names nothing.
    """
    return (found for found in _found(path) if isinstance(found, str))


def skipped_files(paths: Iterable[str]) -> Iterator[SkippedFile]:
    """The files that some paths stand for and that are not read, because they are no logs. Raises `ReadError`."""
    return (found for path in paths for found in _found(path) if isinstance(found, SkippedFile))


def shown(path: str) -> str:
    """A path as text; a file's name may be undecodable."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _found(path: str) -> Iterator[str | SkippedFile]:
    if path == "-":
        yield path
        return
    try:
        if Path(path).is_dir():
            yield from _inside(str(Path(path)), os.path.realpath(path))
            return
        if Path(path).exists():
            yield _file(path)
            return
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}") from error
    found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []  # noqa: PTH207 - absolute too
    if not found:
        raise ReadError(f"{path}: no such file or folder")
    # A `**` names a folder beside what is in it.
    yield from dict.fromkeys(file for match in found for file in _found(match))


def _file(path: str, size_bytes: int | None = None) -> str | SkippedFile:
    if reason := skipped_name(path):
        return SkippedFile(shown(path), reason)
    if size_bytes is None and Path(path).is_file():
        size_bytes = Path(path).stat().st_size
    if size_bytes == 0 and not path.startswith(("/proc/", "/sys/")):
        return SkippedFile(shown(path), "it is empty")
    return path


def _inside(folder: str, root: str) -> Iterator[str | SkippedFile]:
    """What is in a folder: its files in their names' order, then what is in its folders."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        yield folder  # opening it says so
        return
    here = folder == "."  # which goes without saying
    folders = []
    for entry in entries:
        path = entry.name if here else entry.path
        if entry.is_dir(follow_symlinks=False):
            folders.append(path)
        elif entry.is_symlink() and (reason := _link_reason(entry.path, root)):
            yield SkippedFile(shown(path), reason)
        elif entry.is_file():
            yield _file(path, entry.stat().st_size)
        elif not entry.is_dir():
            yield SkippedFile(shown(path), "a device, pipe or socket")
    for path in folders:
        yield from _inside(path, root)


def _link_reason(path: str, root: str) -> str:
    """Why a link in a folder is not followed; a folder within the same folder is walked without it."""
    target = os.path.realpath(path)
    if not Path(target).exists():
        return "a link to nothing"
    if os.path.commonpath([target, root]) != root:
        return "a link out of the folder; name it to read it"
    return ""
