"""Why a record is not read: the reasons, and the errors that carry them."""

from __future__ import annotations

from enum import StrEnum

from detector.errors import CrmwatchError

__all__ = ["FieldError", "RecordError", "Rejection"]


class Rejection(StrEnum):
    """The reason of a dead letter: a label of metrics, so a closed vocabulary. `docs/metrics.md` describes each."""

    UNKNOWN_FORMAT = "unknown_format"
    """No adapter recognises the record."""
    MALFORMED = "malformed"
    """The record does not have its format's shape."""
    MISSING_FIELD = "missing_field"
    """A field is missing that every event needs."""
    BAD_VALUE = "bad_value"
    """A field holds something impossible."""
    BAD_TIME = "bad_time"
    """The time is unreadable, or outside the years 2000 to 2100."""
    FUTURE = "future"
    """The event time is well ahead of the record's arrival."""
    TOO_LARGE = "too_large"
    """The record has too many bytes."""
    TOO_MANY = "too_many"
    """There are too many indicators to take in one more."""


class FieldError(CrmwatchError, ValueError):
    """A value that makes a record unreadable; `Adapter.decode` adds the adapter and the position."""

    def __init__(self, reason: Rejection, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class RecordError(CrmwatchError, ValueError):
    """A record that cannot be read: the adapter that tried, the record's position, and the reason.

    `adapter` is empty when no adapter recognises the record. `detail` is for a person and quotes at most 80 characters
    of the record.
    """

    def __init__(self, adapter: str, position: str, reason: Rejection, detail: str) -> None:
        super().__init__(f"{position}: {adapter or 'no adapter'}: {reason}: {detail}")
        self.adapter = adapter
        self.position = position
        self.reason = reason
        self.detail = detail
