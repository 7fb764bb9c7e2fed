"""Vendors' records become events here, one file a vendor; `detector.adapters.registry` finds them."""

from detector.adapters.registry import (
    ADAPTERS,
    AUTO,
    Adapter,
    RecordError,
    believed,
    choose,
    decode,
    recognise,
)

__all__ = ["ADAPTERS", "AUTO", "Adapter", "RecordError", "believed", "choose", "decode", "recognise"]
