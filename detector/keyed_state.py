"""A shard's saved values: bytes by key, in a mapping that somebody else keeps."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

__all__ = ["apply_changes"]


def apply_changes(store: MutableMapping[bytes, bytes], changes: Mapping[bytes, bytes | None]) -> None:
    """Enter changes that are durable; ``None`` takes a key out.

    >>> store = {b"a": b"1", b"b": b"2"}
    >>> apply_changes(store, {b"a": None, b"c": b"3"})
    >>> store
    {b'b': b'2', b'c': b'3'}
    """
    for key, value in changes.items():
        if value is None:
            store.pop(key, None)
        else:
            store[key] = value
