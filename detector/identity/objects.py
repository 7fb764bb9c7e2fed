"""Rows by kind of record: those kinds by name that matter most, all others together."""

from __future__ import annotations

from detector.catalogue import sensitivity

__all__ = ["MAX_OBJECTS", "MAX_OBJECT_NAME", "OTHER", "add_rows"]

MAX_OBJECTS = 6
"""How many kinds are named; the rows of others are under `OTHER`."""
MAX_OBJECT_NAME = 40
OTHER = "*"


def add_rows(objects: dict[str, int], kind: str, rows: int) -> None:
    """Add rows to a kind; where too many are named, the least by sensitivity × rows is named no more.

    So a few rows of many harmless kinds do not hide the one that was stolen.
    """
    kind = kind[:MAX_OBJECT_NAME]
    objects[kind] = objects.get(kind, 0) + rows
    if len(objects) <= MAX_OBJECTS:
        return
    named = [name for name in objects if name != OTHER]
    if len(named) > MAX_OBJECTS:
        least = min(named, key=lambda name: (sensitivity((name,)) * objects[name], name))
        objects[OTHER] = objects.get(OTHER, 0) + objects.pop(least)
