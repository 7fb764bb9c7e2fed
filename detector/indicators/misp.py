"""Indicators of MISP's JSON: events with and without their wrapper, responses, attributes by themselves.

Source: https://www.misp-standard.org/rfc/misp-standard-core.html (section 2.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.indicators.entry import DEFAULT_SCORE, Entry, PassedOver, entries, is_off, times

__all__ = ["misp_attributes", "misp_entries"]

MAX_WRAPPERS = 4

_Attribute = tuple[str, dict[str, Any]]
"""The name of its event, and the attribute."""


def misp_attributes(content: Any, name: str) -> list[_Attribute] | None:
    """All attributes with the name of their event; ``None`` if it is not MISP's."""
    events = _events(content, MAX_WRAPPERS)
    if not events:
        return None
    found: list[_Attribute] = []
    for event in events:
        title = _text(event.get("info")) or name
        attributes = _dicts(event.get("Attribute"))
        for thing in _dicts(event.get("Object")):
            attributes += _dicts(thing.get("Attribute"))
        found += [(_text(_dict(one.get("Event")).get("info")) or title, one) for one in attributes]
    return found


def _events(content: Any, depth: int) -> list[dict[str, Any]]:
    """The events in a response, a list, a wrapper, or by themselves; bare attributes count as one event's."""
    if not depth:
        return []
    if isinstance(content, list):
        items = _dicts(content)
        bare = [one for one in items if _is_attribute(one)]
        found = [event for one in items if not _is_attribute(one) for event in _events(one, depth - 1)]
        return [*found, {"Attribute": bare}] if bare else found
    if not isinstance(content, dict):
        return []
    for wrapper in ("response", "Event"):
        if isinstance(content.get(wrapper), list | dict):
            return _events(content[wrapper], depth - 1)
    parts = [content.get("Attribute"), content.get("Object")]
    if isinstance(parts[0], dict):
        return [{**content, "Attribute": [parts[0]]}]
    return [content] if any(isinstance(part, list) for part in parts) else []


def _is_attribute(one: dict[str, Any]) -> bool:
    return all(isinstance(one.get(key), str) for key in ("type", "value", "category"))


def misp_entries(attributes: list[_Attribute]) -> Iterator[Entry]:
    """What each attribute comes to."""
    for title, one in attributes:
        value = _text(one.get("value"))
        where = (_text(one.get("uuid")) or value or "an attribute")[:80]
        if one.get("deleted") not in (None, "") and not is_off(one["deleted"]):
            yield PassedOver("deleted", f"{where}: it has been deleted")
        elif is_off(one.get("to_ids")):
            yield PassedOver("not meant for detection", f"{where}: it is not meant for detection (to_ids)")
        else:
            try:
                window = times(one.get("first_seen"), None)
            except ValueError as error:
                yield PassedOver("a bad score or period", f"{where}: {error}")
                continue
            kind = _text(one.get("type")) or "no type"
            yield from entries(value, kind, title, DEFAULT_SCORE, window, where)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
