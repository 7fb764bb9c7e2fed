"""What cannot be read: an adapter's parts raise it, and the adapter adds the record's position."""

from __future__ import annotations

__all__ = ["FieldError"]


class FieldError(ValueError):
    """A value that cannot stand, with `RecordError`'s reason word and a detail for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
