"""Who is who, as the console shows it: the topic's entries in the index, and the files of its settings."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable
from time import monotonic
from typing import Any

import msgspec

from detector.directory import Directory
from detector.directory_entry import MAX_ENTRY_BYTES, DirectoryEntry
from detector.directory_file import DirectoryFileError
from streams.config import DirectorySettings
from streams.console.store.index import Index
from streams.directory import DirectoryFiles

__all__ = ["ConsoleDirectory"]

log = logging.getLogger(__name__)

_entry = msgspec.json.Decoder(DirectoryEntry)


class ConsoleDirectory:
    """The directory in use; pages of all threads ask for it. Raises `DirectoryFileError` for a wrong file at first."""

    def __init__(self, index: Index, settings: DirectorySettings) -> None:
        self._index = index
        self._settings = settings
        self._files = DirectoryFiles(settings)
        self._lock = threading.Lock()
        self._looked_at = monotonic()
        self._built: tuple[int, Directory] | None = None
        self.refused = 0
        """How often a changed file was wrong, so that the old entries stayed."""

    def current(self) -> Directory:
        """As it stands; files are looked at every `reload_seconds` at most."""
        with self._lock:
            if self._settings.files and monotonic() - self._looked_at >= self._settings.reload_seconds:
                self._looked_at = monotonic()
                self._look()
            version = self._index.directory_version
            if self._built is None or self._built[0] != version:
                entries = _of_topic(self._index.reader(), self._settings.most_entries)
                self._built = version, Directory((*entries, *self._files.entries))
            return self._built[1]

    def _look(self) -> None:
        try:
            if self._files.look():
                self._built = None
        except DirectoryFileError as error:
            self.refused += 1
            log.warning("the directory stays as it was: %s", error)


def _of_topic(db: sqlite3.Connection, most: int) -> Iterable[DirectoryEntry]:
    rows: Iterable[Any] = db.execute("SELECT body FROM directory ORDER BY key LIMIT ?", (most,))
    return [_entry.decode(body) for (body,) in rows if len(body) <= MAX_ENTRY_BYTES]
