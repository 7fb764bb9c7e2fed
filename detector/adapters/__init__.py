"""Vendors' records become events here, one file a vendor; see `detector.adapters.registry` for how they are found."""

from detector.adapters.registry import ADAPTERS, Adapter, RecordError, believed, decode, recognise

__all__ = ["ADAPTERS", "Adapter", "RecordError", "believed", "decode", "recognise"]
