"""Indicators of tables: CSV and lists of JSON objects, with whatever header names a column of values."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from detector.indicators.entry import DEFAULT_SCORE, Entry, PassedOver, entries, is_off, score_of, times
from detector.indicators.value import ValueRefusedError, lookup_values

__all__ = ["columns_of", "csv_lines", "find_address_column", "row_entries", "split_header"]

MAX_SAMPLED = 20
"""How many lines tell whether a column holds addresses."""
_VALUES = (
    "value", "iocvalue", "ioc", "indicator", "indicatorvalue", "observable", "observablevalue", "attributevalue",
    "artifact",
)  # fmt: skip
"""Columns that hold a value of any kind."""
_ADDRESSES = {
    "ip", "ips", "ipaddress", "ipaddr", "ipv4", "ipv6", "ipv4address", "ipv6address", "address", "addr", "addresses",
    "srcip", "dstip", "sourceip", "destinationip", "destip", "sourceaddress", "destinationaddress", "srcaddress",
    "dstaddress", "ipsrc", "ipdst", "cidr", "network", "networks", "subnet", "netblock", "prefix", "iprange",
    "iporcidr", "ipaddresses", "clientip", "remoteip", "hostip", "serverip", "ipport",
}  # fmt: skip
_OTHERS = {"host": None, "url": None, "useragent": "user-agent", "app": "app", "application": "app"}
"""Columns of a certain kind; ``None`` if the value tells."""
_KINDS = ("type", "ioctype", "indicatortype", "attributetype", "observabletype", "valuetype", "kind")
_NAMES = ("name", "title", "eventinfo", "info", "description", "threat", "malware", "comment")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+[0-9]?", re.ASCII)
_FLAGS = ("toids", "ids")
_SINCE = ("from", "validfrom")
_UNTIL = ("until", "validuntil", "expires", "expiration", "expirationdate")


def csv_lines(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The cells of each line. Raises `csv.Error`."""
    return csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)


def split_header(line: str) -> tuple[list[str], str] | None:
    """A header's column names and its delimiter; ``None`` if no column holds values.

    >>> split_header('"First seen";"Dst IP"')
    (['First seen', 'Dst IP'], ';')
    """
    for delimiter in ",;\t|":
        try:
            names = [cell.strip() for cell in next(csv_lines([line], delimiter), [])]
        except csv.Error:
            continue
        if columns_of(names):
            return names, delimiter
    return None


def find_address_column(lines: list[str]) -> tuple[list[str], str, bool] | None:
    """Names for the columns of a table whose header names none of values, if one column holds only addresses.

    The delimiter comes second; last, whether the first line is a header.
    """
    for delimiter in ",;\t|":
        try:
            rows = list(csv_lines(lines[:MAX_SAMPLED], delimiter))
        except csv.Error:
            continue
        widths = {len(row) for row in rows}
        if len(rows) < 2 or len(widths) != 1 or widths == {1}:
            continue
        for index in range(len(rows[0])):
            if all(_is_address(row[index]) for row in rows[1:]):
                headed = not _is_address(rows[0][index])
                names = list(rows[0]) if headed else [""] * len(rows[0])
                names[index] = "ip"
                return names, delimiter, headed
    return None


def _is_address(cell: str) -> bool:
    try:
        return next(lookup_values(cell, "ip"), None) is not None
    except ValueRefusedError:
        return False


def columns_of(names: Iterable[str]) -> dict[str, str | None]:
    """The columns that hold values, and what kind they say; ``None`` if another column or the value tells."""
    words = {_word(name): name for name in names}
    for value in _VALUES:
        if value in words:
            return {value: None}
    found: dict[str, str | None] = {word: "ip" for word in words if word in _ADDRESSES}
    found = found or {word: "ip" for word, name in words.items() if _names_addresses(name)}
    return found or {word: kind for word, kind in _OTHERS.items() if word in words}


def _names_addresses(name: str) -> bool:
    """Whether one of a column's words means addresses, and none their number or origin.

    >>> _names_addresses("attackerIP"), _names_addresses("malicious_ip"), _names_addresses("ip count")
    (True, True, False)
    """
    words = [word.lower() for word in _PARTS.findall(name[:80])]
    return bool(words) and words[-1] in ("ip", "ips", "ipv4", "ipv6", "cidr", "subnet") and len(words) < 5


def row_entries(row: Mapping[str, Any], name: str, where: str) -> Iterator[Entry]:
    """What a row comes to; its columns' names may be spelt in any way."""
    cells = {_word(key): cell for key, cell in row.items() if isinstance(key, str)}
    columns = columns_of(key for key in row if isinstance(key, str))
    texts = {key: str(cell).strip() for key, cell in cells.items() if isinstance(cell, str | int | float)}
    if is_off(_first(texts, _FLAGS) or None):
        yield PassedOver("not meant for detection", f"{where}: it is not meant for detection (to_ids)")
        return
    if texts.get("deleted") and not is_off(texts["deleted"]):
        yield PassedOver("deleted", f"{where}: it has been deleted")
        return
    try:
        score = float(texts["score"]) if texts.get("score") else _confidence(texts.get("confidence", ""))
        window = times(_first(texts, _SINCE), _first(texts, _UNTIL))
    except ValueError as error:
        yield PassedOver("a bad score or period", f"{where}: {error}")
        return
    title = _first(texts, _NAMES) or name
    filled = [column for column in columns if texts.get(column)] or list(columns)[:1]
    if not filled:
        yield PassedOver("a row without a value", f"{where}: it has no column of values")
    for column in filled:
        kind = columns[column] or _first(texts, _KINDS) or None
        yield from entries(texts.get(column, ""), kind, title, score, window, where)


def _confidence(text: str) -> float:
    return score_of(int(text)) if text.isascii() and text.isdigit() and len(text) < 4 else DEFAULT_SCORE


def _first(cells: Mapping[str, str], names: Iterable[str]) -> str:
    return next((cells[name] for name in names if cells.get(name)), "")


def _word(name: str) -> str:
    """A column's name without case, blanks and marks."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
