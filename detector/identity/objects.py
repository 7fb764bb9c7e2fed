"""Rows by kind of record: those kinds by name that matter most, all others together."""

from __future__ import annotations

from detector.catalogue import sensitivity

__all__ = ["MAX_OBJECTS", "MAX_OBJECT_NAME", "OTHER", "add_rows", "cut"]

MAX_OBJECTS = 6
"""How many kinds are named; the rows of others are under `OTHER`."""
MAX_OBJECT_NAME = 40
"""How many bytes of a kind's name are kept."""
OTHER = "*"


def cut(text: str, most_bytes: int) -> str:
    """The beginning of a text that takes at most so many bytes.

    >>> cut("Case", 3), cut("Füße", 3)
    ('Cas', 'Fü')
    """
    if len(text) <= most_bytes // 4:
        return text
    return text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")


def add_rows(objects: dict[str, int], kind: str, rows: int) -> int:
    """Add rows to a kind; where too many are named, the least by sensitivity × rows is named no more.

    So a few rows of many harmless kinds do not hide the one that was stolen. Returns by how many entries the
    names have grown.
    """
    if kind in objects:
        objects[kind] += rows
        return 0
    before = len(objects)
    kind = cut(kind, MAX_OBJECT_NAME)
    objects[kind] = objects.get(kind, 0) + rows
    if len(objects) > MAX_OBJECTS:
        named = [name for name in objects if name != OTHER]
        if len(named) > MAX_OBJECTS:
            least = min(named, key=lambda name: (sensitivity((name,)) * objects[name], name))
            objects[OTHER] = objects.get(OTHER, 0) + objects.pop(least)
    return len(objects) - before
