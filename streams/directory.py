"""Reads the directory's files, and looks whether they have changed."""

from __future__ import annotations

from pathlib import Path

from detector.directory_entry import DirectoryEntry
from detector.directory_file import DirectoryFileError, parse_directory
from streams.config import DirectorySettings

__all__ = ["DirectoryFiles", "read_directory"]

MAX_FILE_BYTES = 256 * 1024 * 1024

_State = tuple[tuple[int, int, int] | None, ...]


def read_directory(settings: DirectorySettings) -> tuple[DirectoryEntry, ...]:
    """The entries of all files, each id once. Raises `DirectoryFileError`, which names the file."""
    entries: dict[str, DirectoryEntry] = {}
    for name in settings.files:
        entries |= {entry.key: entry for entry in _parsed(Path(name), settings.most_entries)}
    if len(entries) > settings.most_entries:
        raise DirectoryFileError(
            f"{settings.files[-1]}: more than {settings.most_entries:,} entries with the other files"
            " (directory.most_entries)"
        )
    return tuple(entries.values())


def _parsed(path: Path, most: int) -> tuple[DirectoryEntry, ...]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise DirectoryFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise DirectoryFileError(f"{path}: more than {MAX_FILE_BYTES:,} bytes")
    try:
        return parse_directory(data, most)
    except DirectoryFileError as error:
        raise DirectoryFileError(f"{path}: {error}") from error


class DirectoryFiles:
    """The files as they were read last; `look` reads them again when they have changed and stand still."""

    def __init__(self, settings: DirectorySettings) -> None:
        """Raises `DirectoryFileError`."""
        self._settings = settings
        self._read = self._seen = self._state()
        self.entries = read_directory(settings)
        """What holds."""

    def look(self) -> bool:
        """Whether the entries are others now. Raises `DirectoryFileError` once for each wrong state; the old ones stay.

        A file that is still being written differs from one look to the next, and is left alone until it does not.
        """
        state = self._state()
        settled, self._seen = state == self._seen, state
        if not settled or state == self._read:
            return False
        self._read = state
        entries = read_directory(self._settings)
        changed = entries != self.entries
        self.entries = entries
        return changed

    def _state(self) -> _State:
        return tuple(_stamp(Path(name)) for name in self._settings.files)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
