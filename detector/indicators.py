"""Indicators as others exchange them: STIX 2.1 bundles, MISP events, and CSV.

Of these, what an event can be looked up by is taken: addresses, networks, user agents and apps. What cannot be
(a pattern of several conditions, a file's hash, a network too wide to list) is named, and the rest is taken.

Sources: https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html (sections 4.7 and 9),
https://www.misp-standard.org/rfc/misp-standard-core.html (section 2.4).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import msgspec

from detector.errors import CrmwatchError
from detector.settings import Indicator

__all__ = ["MAX_ENTRIES", "IndicatorsError", "ParsedIndicators", "parse"]

MAX_ENTRIES = 1024
"""A network that takes more entries than this is not listed."""
DEFAULT_SCORE = 3.0
LEAST_SCORE, MOST_SCORE = 1.0, 4.0
"""What a source's confidence of 0 and of 100 count for, in -log10 of a probability."""
NEVER_MS = 1 << 53

_PATTERN = re.compile(
    r"""\[\s*(?P<path>(?:ipv4-addr|ipv6-addr|software|network-traffic|x-[\w-]+):[^=\]]+?)
    \s*(?P<operator>=|ISSUBSET)\s*'(?P<value>(?:[^'\\]|\\.)*)'\s*\]""",
    re.VERBOSE,
)
_PATHS = {"ipv4-addr:value", "ipv6-addr:value", "software:name"}
_MISP = {"ip-src", "ip-dst", "ip-src|port", "ip-dst|port", "user-agent"}


class IndicatorsError(CrmwatchError, ValueError):
    """A file that holds no indicators in any format known; one sentence for a person."""


class ParsedIndicators(msgspec.Struct, frozen=True):
    """What a file holds."""

    indicators: dict[str, Indicator]
    """By what an event is looked up by."""
    passed_over: tuple[str, ...]
    """A sentence for each entry that nothing can be looked up by."""


def parse(data: bytes, name: str = "") -> ParsedIndicators:
    """The indicators in a file's content; `name` is theirs if they have none of their own.

    Raises `IndicatorsError`.

    >>> parse(b"value,name,score\\n192.0.2.7,leaked list,4\\n").indicators
    {'192.0.2.7': Indicator(name='leaked list', score=4.0, from_ms=0, until_ms=9007199254740992)}
    """
    name = name or "a list"
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text.startswith((b"{", b"[")):
        return _collected(_of_csv(data, name))
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IndicatorsError(f"it begins as JSON and is none: {error}") from error
    if isinstance(content, dict) and content.get("type") == "bundle":
        return _collected(_of_stix(content, name))
    events = _misp_events(content)
    if events:
        return _collected(entry for event in events for entry in _of_misp(event, name))
    raise IndicatorsError("it is JSON, but neither a STIX 2.1 bundle nor a MISP event")


_Entry = tuple[str, Indicator] | str
"""What to look up, and what it is; or why there is nothing."""


def _collected(entries: Iterable[_Entry]) -> ParsedIndicators:
    found: dict[str, Indicator] = {}
    passed_over = []
    for entry in entries:
        if isinstance(entry, str):
            passed_over.append(entry)
        else:
            found[entry[0]] = entry[1]
    return ParsedIndicators(found, tuple(passed_over))


def _of_csv(data: bytes, name: str) -> Iterator[_Entry]:
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        fields = [field.strip().lower() for field in rows.fieldnames or ()]
        if "value" not in fields:
            raise IndicatorsError("it is no JSON, and no CSV with a column named value")
        rows.fieldnames = fields
        lines = list(enumerate(rows, 2))
    except (UnicodeDecodeError, csv.Error) as error:
        raise IndicatorsError(f"it is neither JSON nor CSV: {error}") from error
    for line, row in lines:
        cells = {key: (cell or "").strip() for key, cell in row.items() if isinstance(cell, str | None)}
        where = f"line {line}"
        try:
            score = float(cells.get("score") or DEFAULT_SCORE)
            times = _times(cells.get("from"), cells.get("until"))
            yield from _entries(cells.get("value", ""), cells.get("name") or name, score, *times, where)
        except ValueError as error:
            yield f"{where}: {error}"


def _of_stix(bundle: dict[str, Any], name: str) -> Iterator[_Entry]:
    for one in _dicts(bundle.get("objects")):
        if one.get("type") != "indicator":
            continue
        where = _text(one.get("id")) or "an indicator without an id"
        if one.get("revoked") is True:
            yield f"{where}: it has been revoked"
            continue
        pattern = _text(one.get("pattern")).strip()
        values = _stix_values(pattern) if one.get("pattern_type", "stix") == "stix" else []
        if not values:
            yield f"{where}: nothing is looked up by the pattern {pattern[:80]!r}"
            continue
        try:
            times = _times(one.get("valid_from"), one.get("valid_until"))
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        for value in values:
            yield from _entries(
                value, _text(one.get("name")) or name, _score(one.get("confidence")), *times, where
            )


def _stix_values(pattern: str) -> list[str]:
    """The values of a pattern that is one comparison, or several joined by OR; none if it is anything else."""
    values = []
    for part in re.split(r"\s+OR\s+(?=\[)", pattern):
        found = _PATTERN.fullmatch(part.strip())
        if found is None:
            return []
        path = found["path"].strip()
        if path not in _PATHS and not path.lower().endswith("'user-agent'"):
            return []
        values.append(re.sub(r"\\(.)", r"\1", found["value"]))
    return values


def _misp_events(content: Any) -> list[dict[str, Any]]:
    """A MISP event by itself, in a response, or several."""
    if isinstance(content, dict) and isinstance(content.get("response"), list | dict):
        content = content["response"]
    found = content if isinstance(content, list) else [content]
    return [one["Event"] for one in _dicts(found) if isinstance(one.get("Event"), dict)]


def _of_misp(event: dict[str, Any], name: str) -> Iterator[_Entry]:
    title = _text(event.get("info")) or name
    attributes = _dicts(event.get("Attribute"))
    for thing in _dicts(event.get("Object")):
        attributes += _dicts(thing.get("Attribute"))
    for one in attributes:
        where = _text(one.get("uuid")) or _text(one.get("value"))[:80]
        kind = _text(one.get("type"))
        if kind not in _MISP or one.get("to_ids") is False or one.get("deleted") is True:
            reason = (
                "it is not meant for detection"
                if kind in _MISP
                else f"nothing is looked up by {kind or 'it'}"
            )
            yield f"{where}: {reason}"
            continue
        value = _text(one.get("value"))
        if kind.endswith("|port"):
            value = value.partition("|")[0]
        try:
            times = _times(one.get("first_seen"), None)
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        yield from _entries(value, title, DEFAULT_SCORE, *times, where)


def _entries(
    value: str, name: str, score: float, from_ms: int, until_ms: int, where: str
) -> Iterator[_Entry]:
    """One value as what events are looked up by: a network as its /24s (/48s), or as its addresses if it is smaller."""
    value = value.strip()
    if not value:
        yield f"{where}: it has no value"
        return
    try:
        indicator = msgspec.convert(
            {"name": name[:200], "score": score, "from_ms": from_ms, "until_ms": until_ms}, Indicator
        )
    except msgspec.ValidationError as error:
        yield f"{where}: {error}"
        return
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        yield value, indicator
        return
    own = 24 if network.version == 4 else 48
    bits = own if network.prefixlen <= own else network.max_prefixlen
    entries = 1 << (bits - network.prefixlen)
    if entries > MAX_ENTRIES:
        yield f"{where}: the network {network} takes {entries:,} entries; give parts of it"
        return
    for part in network.subnets(new_prefix=bits):
        yield str(part.network_address if bits == network.max_prefixlen else part), indicator


def _times(since: Any, until: Any) -> tuple[int, int]:
    return _ms(since, 0), _ms(until, NEVER_MS)


def _ms(value: Any, default: int) -> int:
    if value in (None, ""):
        return default
    try:
        time = datetime.fromisoformat(_text(value))
    except ValueError:
        raise ValueError(f"{_text(value)[:40]!r} is no time") from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _score(confidence: Any) -> float:
    if isinstance(confidence, bool) or not isinstance(confidence, int):
        return DEFAULT_SCORE
    return LEAST_SCORE + (MOST_SCORE - LEAST_SCORE) * min(100, max(0, confidence)) / 100


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
