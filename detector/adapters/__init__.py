"""Vendors' records become events here, one file a vendor; `detector.adapters.registry` finds them."""

from detector.adapters.registry import ADAPTERS, Adapter, RecordError, believed, decode, recognise

__all__ = ["ADAPTERS", "Adapter", "RecordError", "believed", "decode", "recognise"]
