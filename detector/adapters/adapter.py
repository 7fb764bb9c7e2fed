"""The contract of an adapter: how the records of one vendor become events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from detector.adapters.rejection import FieldError, RecordError, Rejection
from detector.event import AccessEvent

__all__ = ["PAGE_KEYS", "UNREADABLE", "Adapter", "RowReader"]

PAGE_KEYS = ("Records", "events", "records", "results", "value")
"""The keys under which most APIs list records in their answers."""
UNREADABLE = (ValueError, msgspec.MsgspecError, RecursionError)
"""What `Adapter.event` raises for a record that it cannot read; `FieldError` is a `ValueError`."""

RowReader = Callable[[list[str], str], AccessEvent]
"""Reads the fields of a CSV row, and its position, as an event."""


def _no_columns(header: Sequence[str]) -> RowReader | None:
    return None


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the records of one vendor.

    A record is one JSON object in UTF-8 bytes, or one line of text; a CSV row arrives as an object of strings with
    its header as keys.

    >>> from detector.adapters.rejection import RecordError
    >>> def event(record, position):
    ...     raise FieldError(Rejection.MISSING_FIELD, "no user")
    >>> adapter = Adapter(name="crm", sign="key crmUser", recognises=lambda record: b"crmUser" in record, event=event)
    >>> adapter.decode(b'{"crmUser": null}', "log:1")
    Traceback (most recent call last):
    detector.adapters.rejection.RecordError: log:1: crm: missing_field: no user
    """

    name: str
    """Names the adapter in settings, metrics and errors: short, stable, lower-case letters, digits, underscores."""
    sign: str
    """How it recognises its records, in a few words for a person (``keys EVENT_TYPE and TIMESTAMP``)."""
    recognises: Callable[[bytes], bool]
    """Whether a record looks like one of this vendor's: cheap, by content alone, never raises."""
    event: Callable[[bytes, str], AccessEvent]
    """Reads a record, and its position, as an event with the origin (`name`, position).

    Raises `FieldError`, or another of `UNREADABLE`, whatever the bytes.
    """
    reads_objects_only: bool = False
    """Whether `event` refuses everything but one whole JSON object, so that a reader need not check."""
    page_keys: tuple[str, ...] = PAGE_KEYS
    """The keys under which the vendor's API lists records in its answers (``{"audit_logs": [{…}, {…}]}``)."""
    columns: Callable[[Sequence[str]], RowReader | None] = _no_columns
    """What reads the rows under a CSV header without making objects of them, or ``None`` for a header of others.

    The reader takes a row as long as its header, and returns or raises what `event` does for the row as an object.
    """

    def decode(self, record: bytes, position: str) -> AccessEvent:
        """The event of a record. Raises `RecordError`, whatever the bytes."""
        try:
            return self.event(record, position)
        except FieldError as error:
            raise RecordError(self.name, position, error.reason, error.detail) from None
        except msgspec.ValidationError as error:
            raise RecordError(self.name, position, Rejection.BAD_VALUE, str(error)[:200]) from None
        except UNREADABLE as error:
            raise RecordError(self.name, position, Rejection.MALFORMED, str(error)[:200]) from None
