"""Bytes to records to events, in event-time order: framing, reading, decoding, sorting."""
