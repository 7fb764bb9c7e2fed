"""Keeps a scope's ids and operations in a temporary SQLite file, so that memory stays bounded."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Self

from detector.response.scope_ledger import OperationRows

__all__ = ["SqliteScopeStore"]

_SCHEMA = """
CREATE TABLE entered (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE operations (object TEXT, operation BLOB, rows INTEGER, run INTEGER, unknown INTEGER,
                         PRIMARY KEY (object, operation)) WITHOUT ROWID;
CREATE TABLE listed (object TEXT, id TEXT, operation BLOB, PRIMARY KEY (object, id, operation)) WITHOUT ROWID;
"""
_CACHE_KIB = 65_536
_UNLISTED = """
SELECT COALESCE(SUM(MAX(0, o.rows - COALESCE(l.ids, 0))), 0), COALESCE(MAX(o.unknown), 0) FROM operations o
LEFT JOIN (SELECT operation, COUNT(*) AS ids FROM listed WHERE object = ?1 GROUP BY operation) l
ON l.operation = o.operation WHERE o.object = ?1
"""
MAX_ROWS = 10**12
"""More rows than this in one operation are not told apart: sums of them stay within 64 bits."""


class SqliteScopeStore:
    """A `detector.response.scope_ledger.ScopeStore`; its file is deleted when the block ends, however it ends.

    Raises `sqlite3.Error` on a full disk.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="crmwatch-scope-", dir=folder)
        self._database = sqlite3.connect(Path(self._folder.name) / "scope.sqlite", isolation_level=None)
        self._database.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{_CACHE_KIB}; {_SCHEMA} BEGIN;"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._folder.cleanup()

    def enter(self, key: str) -> bool:
        """Whether an event's key is new; it is known from now on."""
        done = self._database.execute("INSERT OR IGNORE INTO entered VALUES (?)", (_digest(key),))
        return done.rowcount == 1

    def operation(self, object_name: str, operation: str) -> OperationRows:
        """What is known of an operation; by default nothing."""
        found = self._database.execute(
            "SELECT rows, run, unknown FROM operations WHERE object = ? AND operation = ?",
            (_text(object_name), _digest(operation)),
        ).fetchone()
        return OperationRows() if found is None else OperationRows(found[0], found[1], bool(found[2]))

    def keep(self, object_name: str, operation: str, rows: OperationRows) -> None:
        """Replace what is known of an operation."""
        self._database.execute(
            "INSERT OR REPLACE INTO operations VALUES (?, ?, ?, ?, ?)",
            (
                _text(object_name),
                _digest(operation),
                min(rows.rows, MAX_ROWS),
                min(rows.run, MAX_ROWS),
                rows.unknown,
            ),
        )

    def list_ids(self, object_name: str, operation: str, ids: Iterable[str]) -> None:
        """Add record ids that an operation lists."""
        name, key = _text(object_name), _digest(operation)
        self._database.executemany(
            "INSERT OR IGNORE INTO listed VALUES (?, ?, ?)", ((name, _text(one), key) for one in ids)
        )

    def known(self, object_name: str) -> int:
        """How many distinct ids of an object are listed."""
        query = "SELECT COUNT(DISTINCT id) FROM listed WHERE object = ?"
        return int(self._database.execute(query, (_text(object_name),)).fetchone()[0])

    def unlisted(self, object_name: str) -> tuple[int, bool]:
        """Rows without an id, summed over operations (none below 0), and whether one has unknown rows."""
        rows, unknown = self._database.execute(_UNLISTED, (_text(object_name),)).fetchone()
        return int(rows), bool(unknown)

    def ids(self) -> Iterator[tuple[str, str]]:
        """Each object and distinct id, in order."""
        yield from self._database.execute("SELECT DISTINCT object, id FROM listed ORDER BY object, id")


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _text(text: str) -> str:
    """Text as SQLite takes it: half of a surrogate pair is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
