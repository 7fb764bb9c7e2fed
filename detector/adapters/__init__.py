"""Vendors' records become events here, one file a vendor; `detector.adapters.registry` finds them."""

from detector.adapters.adapter import Adapter
from detector.adapters.registry import ADAPTERS, AUTO, choose, decode, recognise, reject_future
from detector.adapters.rejection import FieldError, RecordError, Rejection

__all__ = [
    "ADAPTERS",
    "AUTO",
    "Adapter",
    "FieldError",
    "RecordError",
    "Rejection",
    "choose",
    "decode",
    "recognise",
    "reject_future",
]
