"""Indicators of STIX 2: bundles, TAXII's envelopes, bare lists of objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.indicators.entry import Entry, PassedOver, entries, score_of, times
from detector.indicators.stix_pattern import PatternError, read_pattern

__all__ = ["stix_entries", "stix_objects"]

_OBSERVABLES = {
    "autonomous-system", "domain-name", "email-addr", "file", "ipv4-addr", "ipv6-addr", "mac-addr", "network-traffic",
    "observed-data", "software", "url", "user-account", "x509-certificate",
}  # fmt: skip


def stix_objects(content: Any) -> list[dict[str, Any]] | None:
    """A bundle's, an envelope's or a list's objects; ``None`` if it is none of these."""
    if isinstance(content, dict):
        if content.get("type") == "bundle":
            content = content.get("objects", [])
        elif isinstance(content.get("objects"), list):
            content = content["objects"]
        elif content.get("type") == "indicator" and "pattern" in content:
            content = [content]
        else:
            return None
        return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    if isinstance(content, list):
        objects = [one for one in content if isinstance(one, dict) and isinstance(one.get("id"), str)]
        if any(one.get("type") == "indicator" and "pattern" in one for one in objects):
            return objects
    return None


def stix_entries(content: Any, objects: list[dict[str, Any]], name: str) -> Iterator[Entry]:
    """What each object comes to; things that describe (identities, relationships) are not mentioned."""
    if isinstance(content, dict) and content.get("more") is True:
        yield PassedOver(
            "further pages",
            "the server holds more than this envelope: fetch its next pages too (more is true)",
        )
    for one in objects:
        kind = one.get("type")
        if kind == "indicator":
            yield from _of_indicator(one, name)
        elif kind in _OBSERVABLES:
            where = _text(one.get("id"))[:80] or f"a {kind}"
            yield PassedOver(f"{kind} without an indicator", f"{where}: it is observed, and no indicator")


def _of_indicator(one: dict[str, Any], name: str) -> Iterator[Entry]:
    where = _text(one.get("id"))[:80] or "an indicator without an id"
    language = one.get("pattern_type", "stix")
    pattern = _text(one.get("pattern")).strip()
    if one.get("revoked") is True:
        yield PassedOver("revoked", f"{where}: it has been revoked")
        return
    if language != "stix":
        what = f"pattern in {_text(language)[:40] or 'another language'}"
        yield PassedOver(what, f"{where}: nothing is looked up by a {what}")
        return
    try:
        found = read_pattern(pattern)
        window = times(one.get("valid_from"), one.get("valid_until"))
    except PatternError as error:
        yield PassedOver(
            error.what, f"{where}: nothing is looked up by the pattern {pattern[:80]!r}: {error}"
        )
        return
    except ValueError as error:
        yield PassedOver("a bad score or period", f"{where}: {error}")
        return
    title, score = _text(one.get("name")) or name, score_of(one.get("confidence"))
    for value, kind in found.values:
        yield from entries(value, kind, title, score, window, where)
    for missing in found.left_out:
        what = missing[:60]
        yield PassedOver(
            f"alternative by {what}", f"{where}: nothing is looked up by {what}; the rest is taken"
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
