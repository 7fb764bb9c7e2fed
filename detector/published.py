"""What is published beside alerts: each identity as it is known, and each tick's activity.

Both are JSON records with a version, for the console and for anybody else. A release may add fields: readers ignore
those that they do not know. What takes a field away or gives it another meaning is a new version.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from detector.errors import CrmwatchError
from detector.event import ActorKind

__all__ = [
    "ActivityRecord",
    "IdentityRecord",
    "NewTrait",
    "PublishedRecordError",
    "UsualVolume",
    "decode_activity",
    "decode_identity",
    "encode",
]

VERSION = 1

T = TypeVar("T", "IdentityRecord", "ActivityRecord")


class PublishedRecordError(CrmwatchError, ValueError):
    """A published record that cannot be read."""


class UsualVolume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an identity usually takes through one channel, and what it took on its newest day that is not over."""

    channel: str
    """An operation, or ``all``: personal data, whatever the operation."""
    counted: str
    """``rows`` of personal data, ``internal`` rows, or where a log tells no rows ``calls`` or ``kilobytes``."""
    days: int
    """How many days the levels were learned from."""
    usual_hour: int | None = None
    """In the fullest hour of a day."""
    most_hour: int | None = None
    """The most that is expected in an hour."""
    usual_day: int | None = None
    most_day: int | None = None
    newest_day: int | None = None
    """The newest day that is not over, in days since 1970 UTC."""
    newest_amount: int | None = None
    newest_objects: dict[str, int] = {}
    """The same by kind of record."""


class NewTrait(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that an identity has not long been seen with; only of these the text is kept."""

    what: str
    """``network``, ``agent``, ``app``, ``country``, ``operation``, ``object`` or ``query``."""
    value: str
    first_ms: int
    last_day: int | None = None
    """The day it was last seen, in days since 1970 UTC."""
    rows: int = 0
    """Rows taken with it since it is new."""


class IdentityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An identity as it is known; the newest record under its key holds, and one without a value forgets it."""

    version: int = VERSION
    id: str
    """``tenant/actor``, which is the record's key as well."""
    tenant: str
    actor: str
    name: str | None
    kind: ActorKind
    first_ms: int
    """Its first event that is remembered."""
    last_ms: int
    """Its newest event when this was written."""
    known_days: int
    """Active days learned."""
    active_hours: tuple[int, ...]
    """On how many days it was active by hour of the day (UTC): 24 of workdays, 24 of weekends; empty at first."""
    weekdays: tuple[tuple[int | None, int | None], ...]
    """From Monday: rows of personal data on the last such day, and on the one before."""
    usual: tuple[UsualVolume, ...]
    new: tuple[NewTrait, ...]
    last_used: dict[str, dict[int, int]]
    """``network``, ``agent`` and ``app``: checksum → the day it was last seen, in days since 1970 UTC."""


class ActivityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one shard counted of a tenant in one tick; a record under the same key takes its place."""

    version: int = VERSION
    tenant: str
    shard: int
    start_ms: int
    end_ms: int
    rows: dict[str, int]
    """Data category → rows taken."""
    events: dict[str, int]
    """Adapter and operation, joined by a slash → events."""

    @property
    def key(self) -> str:
        """The key that it is published under."""
        return f"{self.tenant}|{self.start_ms}|{self.shard}"


_encoder = msgspec.json.Encoder()
_identity = msgspec.json.Decoder(IdentityRecord)
_activity = msgspec.json.Decoder(ActivityRecord)


def encode(record: IdentityRecord | ActivityRecord) -> bytes:
    """A record as JSON."""
    return _encoder.encode(record)


def decode_identity(data: bytes) -> IdentityRecord:
    """An identity's record. Raises `PublishedRecordError`."""
    return _decode(_identity, data)


def decode_activity(data: bytes) -> ActivityRecord:
    """A tick's record. Raises `PublishedRecordError`."""
    return _decode(_activity, data)


def _decode(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        record = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PublishedRecordError(f"not a record of version {VERSION}: {error}") from error
    if record.version != VERSION:
        raise PublishedRecordError(f"a record of version {record.version}; this release reads {VERSION}")
    return record
