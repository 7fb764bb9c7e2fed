"""Why a record is not read: the reasons, and the errors that carry them."""

from __future__ import annotations

from detector.errors import CrmwatchError, Rejection

__all__ = ["FieldError", "RecordError", "Rejection"]


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
