"""The base class of all errors that crmwatch raises, and the reasons why a record is not read."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CrmwatchError", "Rejection"]


class CrmwatchError(Exception):
    """Something that cannot be done, with a message for a person.

    Every public exception of `detector` and `streams` inherits it, so that ``except CrmwatchError`` tells an expected
    failure from a bug.
    """


class Rejection(StrEnum):
    """The reason of a dead letter: a label of metrics, so a closed vocabulary. `docs/metrics.md` describes each."""

    UNKNOWN_FORMAT = "unknown_format"
    """No adapter recognises the record."""
    UNKNOWN_TYPE = "unknown_type"
    """The record's format is known, but neither the record nor its file says which type of event it is."""
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
    """There are too many indicators or decisions in force to take in one more."""
    UNKNOWN_VERSION = "unknown_version"
    """A decision is written in a version that this release does not read."""
    UNSIGNED = "unsigned"
    """An operator's message is not signed, and unsigned ones are refused."""
    BAD_SIGNATURE = "bad_signature"
    """An operator's message bears a signature that none of the keys made."""
    FORBIDDEN = "forbidden"
    """A decision by somebody whose role does not allow it."""
