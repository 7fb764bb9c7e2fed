"""The index: what the topics say, in SQLite, with how far each has been read, in the same transaction.

One thread writes, any number read (WAL). Whatever stands in it follows from the topics' records alone, so it may be
deleted at any time. It is bounded: by days behind the newest event time, and by a number of incidents.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from detector.directory_entry import MAX_ENTRY_BYTES, DirectoryEntry
from detector.errors import CrmwatchError
from detector.published import PublishedRecordError, decode_activity, decode_identity
from detector.settings import TriageSettings
from detector.units import DAY_MS
from streams.config import ConsoleSettings
from streams.console.store.alerts import enter_alert
from streams.console.store.decisions import enter_decision, prune_decisions
from streams.console.store.schema import SCHEMA, SCHEMA_VERSION
from streams.kafka.signing import UNSIGNED, Signatures
from streams.kafka.topics import TopicNames

__all__ = ["Index", "IndexFileError"]

MOST_TICK_DAYS = 35
"""Ticks are compared with those of four weeks before; older ones are dropped."""
MOST_UNREADABLE = 1_000
APPLICATION_ID = 0x63726D77
"""``crmw``: stands in the head of the file, by which an index is known."""
APPLICATION_AT = 68
"""Where in a SQLite file it stands."""
PRUNE_EVERY_MS = 3_600_000

_BREACH = "(confirmed_ms IS NOT NULL AND (open OR notified_ms IS NULL))"
"""A breach that is open stays, and so does one of which the authority is still to be notified."""
_UNREADABLE = (
    msgspec.MsgspecError, PublishedRecordError, ValueError, TypeError, OverflowError, RecursionError,
    sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip

_directory_entry = msgspec.json.Decoder(DirectoryEntry)


class IndexFileError(CrmwatchError):
    """Why the index cannot be used; one sentence for a person."""


class Index:
    """The index in a file."""

    def __init__(
        self,
        path: Path,
        topics: TopicNames,
        settings: ConsoleSettings,
        signatures: Signatures = UNSIGNED,
        longest_mute_days: int = TriageSettings().longest_mute_days,
    ) -> None:
        """`signatures` says which decisions and entries are believed.

        An index that was built with others, or with another longest mute, is built anew.
        """
        self._path = path
        self._topics = topics
        self._settings = settings
        self._signatures = signatures
        self._longest_mute_days = longest_mute_days
        self._policy = f"{signatures.policy} {longest_mute_days}"
        self._readers: dict[threading.Thread, sqlite3.Connection] = {}
        self._opening = threading.Lock()
        self._handlers = {
            topics.alerts: self._alert,
            topics.feedback: self._decision,
            topics.activity: self._tick,
            topics.identities: self._identity,
            topics.directory: self._directory_entry,
        }
        self.directory_version = 0
        """Grows with each change of the directory's entries."""
        self._newest_ms = 0
        self._pruned_ms = 0
        self._said: set[str] = set()
        self._writer = self._open()
        if self._writer.execute("SELECT value FROM meta WHERE name = 'policy'").fetchone() != (self._policy,):
            self.clear()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it is made of."""
        return tuple(self._handlers)

    @property
    def newest_ms(self) -> int:
        """The newest event time read so far; 0 before any."""
        return self._newest_ms

    def offsets(self) -> dict[tuple[str, int], int]:
        """Topic and partition → the first offset that has not been read."""
        rows = self._writer.execute("SELECT topic, part, next FROM offsets")
        return {(topic, part): following for topic, part, following in rows}

    def apply(self, records: Iterable[Any]) -> frozenset[str]:
        """Enter Kafka records, with how far that is, all or nothing; the topics of which something was new.

        What cannot be read is noted by its position, and passed over.
        """
        self._said = set()
        following: dict[tuple[str, int], int] = {}
        with self._transaction():
            newest: dict[bytes | None, Any] = {}  # of several records of an identity only the last matters
            for record in records:
                following[record.topic, record.partition] = record.offset + 1
                if record.topic == self._topics.identities:
                    newest[record.key] = record
                else:
                    self._enter(record)
            for record in newest.values():
                self._enter(record)
            self._writer.executemany(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
                [(topic, part, offset) for (topic, part), offset in following.items()],
            )
            self._writer.execute(
                "INSERT OR REPLACE INTO meta VALUES ('newest_ms', ?)", (str(self._newest_ms),)
            )
            if self._newest_ms - self._pruned_ms >= PRUNE_EVERY_MS:
                self._pruned_ms = self._newest_ms
                self._prune()
        self.directory_version += self._topics.directory in self._said
        return frozenset(self._said)

    def clear(self) -> None:
        """Forget everything, to be built anew."""
        with self._transaction():
            tables = self._writer.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in tables:
                self._writer.execute(f'DELETE FROM "{name}"')  # noqa: S608 - our own tables' names
            self._mark(self._writer)
        self._newest_ms = self._pruned_ms = 0
        self.directory_version += 1

    def reader(self) -> sqlite3.Connection:
        """This thread's connection to read by; those of threads that have ended are closed when another is opened."""
        thread = threading.current_thread()
        found = self._readers.get(thread)
        if found is not None:
            return found
        with self._opening:
            for ended in [one for one in self._readers if not one.is_alive()]:
                self._readers.pop(ended).close()
            found = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            found.row_factory = sqlite3.Row
            self._readers[thread] = found
        return found

    def close(self) -> None:
        """Put the file down."""
        for connection in (*self._readers.values(), self._writer):
            connection.close()

    def _open(self) -> sqlite3.Connection:
        self._refuse_others_files()
        connection = self._connect()
        if not _is_sound(connection):
            connection.close()
            self._make()
            connection = self._connect()
            connection.executescript(SCHEMA)
            self._mark(connection)
        newest = connection.execute("SELECT value FROM meta WHERE name = 'newest_ms'").fetchone()
        self._newest_ms = int(newest[0]) if newest else 0
        return connection

    def _mark(self, connection: sqlite3.Connection) -> None:
        """Note in an empty index how it is built."""
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("schema", SCHEMA_VERSION), ("policy", self._policy)],
        )

    def _make(self) -> None:
        """An empty file in place of what is there, for nobody else to read."""
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._path.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute(
                f"PRAGMA application_id = {APPLICATION_ID}"
            )  # in the file before there is a WAL

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            with contextlib.suppress(sqlite3.DatabaseError):  # not a database: it is seen when it is read
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = OFF")  # what is lost is read again
        except sqlite3.OperationalError as error:
            raise IndexFileError(f"the index {self._path} cannot be opened: {error}") from error
        return connection

    def _refuse_others_files(self) -> None:
        """Whatever bears no mark of ours in its head is somebody else's file; a damaged index still bears it."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            head = file.read(APPLICATION_AT + 4)
            if head and head[APPLICATION_AT:] != APPLICATION_ID.to_bytes(4, "big"):
                raise IndexFileError(
                    f"{self._path} is there and is no index of crmwatch's: name another file with --index, or delete it"
                )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")

    def _enter(self, record: Any) -> None:
        self._writer.execute("SAVEPOINT record")
        try:
            self._handlers[record.topic](record)
        except _UNREADABLE as error:
            self._writer.execute("ROLLBACK TO record")
            self._note(record, error)
        self._writer.execute("RELEASE record")

    def _note(self, record: Any, error: Exception) -> None:
        self._writer.execute(
            "INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)",
            (record.topic, record.partition, record.offset, f"{type(error).__name__}: {error}"[:500]),
        )
        self._writer.execute(
            "DELETE FROM unreadable WHERE topic = ? AND part = ? AND position <= ?",
            (record.topic, record.partition, record.offset - MOST_UNREADABLE),
        )

    # --- what each topic's records mean

    def _alert(self, record: Any) -> None:
        if record.value is None:  # the topic has been told to forget it
            self._forget([(record.key or b"").decode("utf-8", "replace")])
            return
        time_ms = enter_alert(self._writer, record)
        if time_ms is not None:
            self._newest_ms = max(self._newest_ms, time_ms)
            self._said.add(self._topics.alerts)

    def _decision(self, record: Any) -> None:
        signed = self._signatures.check(record) is not None
        enter_decision(self._writer, record, signed=signed, longest_mute_days=self._longest_mute_days)
        self._said.add(self._topics.feedback)

    def _tick(self, record: Any) -> None:
        tick = decode_activity(record.value or b"")
        self._newest_ms = max(self._newest_ms, tick.end_ms)
        self._said.add(self._topics.activity)
        key = (tick.tenant, tick.start_ms, tick.shard)
        for table, counts in (("ticks", tick.rows), ("arrivals", tick.events)):
            self._writer.execute(f"DELETE FROM {table} WHERE tenant = ? AND start_ms = ? AND shard = ?", key)  # noqa: S608 - our own tables
            self._writer.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - our own tables
                [(*key, name, count) for name, count in counts.items()],
            )

    def _identity(self, record: Any) -> None:
        name = (record.key or b"").decode("utf-8", "replace")
        self._said.add(self._topics.identities)
        if record.value is None:
            self._writer.execute("DELETE FROM identities WHERE identity = ?", (name,))
            self._writer.execute("DELETE FROM uses WHERE identity = ?", (name,))
            return
        known = decode_identity(record.value)
        self._writer.execute(
            "INSERT OR REPLACE INTO identities VALUES (?, ?, ?, ?, ?)",
            (name, known.name or "", known.kind.value, known.last_ms, record.value),
        )
        uses = {checksum: day for days in known.last_used.values() for checksum, day in days.items()}
        before: dict[int, int] = dict(
            self._writer.execute("SELECT checksum, day FROM uses WHERE identity = ?", (name,)).fetchall()
        )
        self._writer.executemany(
            "DELETE FROM uses WHERE checksum = ? AND identity = ?",
            [(checksum, name) for checksum in before.keys() - uses.keys()],
        )
        self._writer.executemany(
            "INSERT OR REPLACE INTO uses VALUES (?, ?, ?)",
            [(checksum, name, day) for checksum, day in uses.items() if before.get(checksum) != day],
        )

    def _directory_entry(self, record: Any) -> None:
        key = (record.key or b"").decode("utf-8", "replace")
        self._signatures.check(record)
        self._said.add(self._topics.directory)
        if record.value is None:
            self._writer.execute("DELETE FROM directory WHERE key = ?", (key,))
            return
        if len(record.value) > MAX_ENTRY_BYTES:
            raise ValueError(f"more than {MAX_ENTRY_BYTES:,} bytes")
        _directory_entry.decode(record.value)
        self._writer.execute("INSERT OR REPLACE INTO directory VALUES (?, ?)", (key, record.value))

    # --- bounds

    def _prune(self) -> None:
        """Drop what is too old, and of too many incidents those that ended longest ago, but no breach in force."""
        oldest_ms = self._newest_ms - self._settings.days * DAY_MS
        old = self._writer.execute(
            f"SELECT uid FROM incidents WHERE time_ms < ? AND NOT {_BREACH}",  # noqa: S608 - our own words
            (oldest_ms,),
        ).fetchall()
        self._forget([uid for (uid,) in old])
        (count,) = self._writer.execute("SELECT count(*) FROM incidents").fetchone()
        if count > self._settings.incidents:
            surplus = self._writer.execute(
                f"SELECT uid FROM incidents WHERE NOT {_BREACH} ORDER BY open, time_ms, risk LIMIT ?",  # noqa: S608 - our own words
                (count - self._settings.incidents,),
            ).fetchall()
            self._forget([uid for (uid,) in surplus])
        prune_decisions(self._writer, oldest_ms, self._newest_ms)
        tick_ms = self._newest_ms - min(self._settings.days, MOST_TICK_DAYS) * DAY_MS
        self._writer.execute("DELETE FROM ticks WHERE start_ms < ?", (tick_ms,))
        self._writer.execute("DELETE FROM arrivals WHERE start_ms < ?", (tick_ms,))
        self._writer.execute(
            "DELETE FROM uses WHERE identity IN (SELECT identity FROM identities WHERE last_ms < ?)",
            (oldest_ms,),
        )
        self._writer.execute("DELETE FROM identities WHERE last_ms < ?", (oldest_ms,))

    def _forget(self, uids: list[str]) -> None:
        for table in ("incidents", "versions", "evidence", "terms"):
            self._writer.executemany(f"DELETE FROM {table} WHERE uid = ?", [(uid,) for uid in uids])  # noqa: S608 - our own tables


def _is_sound(connection: sqlite3.Connection) -> bool:
    """Whether it is an index of this version, with nothing in it damaged."""
    try:
        known = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(known == (SCHEMA_VERSION,) and verdict == "ok")
