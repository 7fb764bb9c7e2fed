"""Vendors' records become events here, one file a vendor; `detector.adapters.registry` finds them."""

from detector.adapters.registry import (
    ADAPTERS,
    AUTO,
    Adapter,
    RecordError,
    choose,
    decode,
    recognise,
    reject_future,
)

__all__ = ["ADAPTERS", "AUTO", "Adapter", "RecordError", "choose", "decode", "recognise", "reject_future"]
